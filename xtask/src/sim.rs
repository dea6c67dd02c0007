//! `cargo xtask sim`, and the stages that run the simulator: seeds, and the mutants that prove that
//! it sees. Its scenarios and the search of small worlds are among the tests.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cargo;
use crate::process;

/// Seeds that every change must pass: within five minutes on two cores.
const SEEDS: &str = "5000";

/// Time for each of the two, the build included: four times what they need.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The workspace's features, so that nothing is built twice: no `-p`.
const RUN: [&str; 5] = ["run", "--quiet", "--bin", "rehome-sim", "--"];

/// The broken core is another program, so it is built beside the others.
const RUN_MUTANTS: [&str; 6] =
    ["run", "--quiet", "--package", "rehome-sim", "--features", "mutants"];

fn sim(words: &[&str]) -> Command {
    cargo::cargo(&[&RUN[..], words].concat())
}

fn mutants(words: &[&str]) -> Command {
    let mut command = cargo::cargo(&RUN_MUTANTS);
    command.arg("--target-dir").arg(cargo::target().join("mutants"));
    command.args(["--", "mutants"]).args(words);
    command
}

/// Runs the simulator as asked for; true where all passed.
///
/// # Errors
///
/// When cargo can't be started.
pub(crate) fn by_hand(words: &[&str]) -> Result<bool> {
    let mut command = match words {
        ["mutants", words @ ..] => mutants(words),
        _ => sim(words),
    };
    let status = command.status().context("cannot start cargo")?;
    Ok(status.success())
}

/// The first seeds, and the summary's line for the log of stages.
pub(crate) fn seeds() -> Result<String> {
    told(sim(&["--seeds", SEEDS]), "sim", "simulated hours")
}

/// Each mutant, until a seed sees it.
pub(crate) fn every_mutant() -> Result<String> {
    told(mutants(&[]), "mutants", "mutants caught")
}

fn told(mut command: Command, name: &str, words: &str) -> Result<String> {
    let finished = process::run(name, &mut command, &cargo::logs(), LIMIT)?.success()?;
    let told = finished.stdout.lines().find(|line| line.contains(words));
    Ok(told.unwrap_or_default().to_owned())
}
