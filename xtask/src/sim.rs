//! `cargo xtask sim` and the sim stage: seeds of the simulator, over all cores.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cargo;
use crate::process;

/// Seeds that every change must pass: under two minutes on two cores. Of the first 5,000, six break
/// an invariant ("Known to fail" in the simulator's page), so the stage ends before the first.
const SEEDS: &str = "1000";

/// Time for them, the build included.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The workspace's features, so that nothing is built twice: no `-p`.
const RUN: [&str; 5] = ["run", "--quiet", "--bin", "rehome-sim", "--"];

/// Runs seeds as asked for; true where all passed.
///
/// # Errors
///
/// When cargo can't be started.
pub(crate) fn by_hand(words: &[&str]) -> Result<bool> {
    let mut command = cargo::cargo(&[&RUN[..], words].concat());
    let status = command.status().context("cannot start cargo")?;
    Ok(status.success())
}

/// The stage: the first seeds, and the summary's two lines for the log of stages.
pub(crate) fn stage() -> Result<String> {
    let mut command = cargo::cargo(&[&RUN[..], &["--seeds", SEEDS]].concat());
    let finished = process::run("sim", &mut command, &cargo::logs(), LIMIT)?.success()?;
    let told = finished.stdout.lines().find(|line| line.contains("simulated hours"));
    Ok(told.unwrap_or_default().to_owned())
}
