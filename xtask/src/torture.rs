//! `cargo xtask torture`: `kill -9` of the controller at random moments of failovers, in labs.
//!
//! The test is one of the lab's own (`tests/lab/torture.rs`), where twenty kills are part of every
//! run of `cargo xtask test`; here any number of them can be asked for, and a seed.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::build::Builds;
use crate::cargo;
use crate::process;

/// The test, as the harness knows it.
const TEST: &str =
    "torture::kills_at_random_moments_of_failovers_lose_nothing_and_launch_nothing_twice";

/// Kills where no number is given.
const TIMES: u64 = 100;

/// More would take longer than a day.
const TIMES_MAX: u64 = 20_000;

/// Time for one kill, about four times what it needs, and for a test that waits in vain.
const KILL_LIMIT: Duration = Duration::from_secs(10);
const LAST_LIMIT: Duration = Duration::from_secs(5 * 60);

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Options {
    times: u64,
    /// None: another one each time.
    seed: Option<u64>,
}

impl Options {
    /// Parses what follows `torture`.
    ///
    /// # Errors
    ///
    /// Names the option that isn't known, or the number that is none.
    pub(crate) fn parse(words: &[&str]) -> Result<Options> {
        let mut options = Options { times: TIMES, seed: None };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let (name, value) =
                word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let mut number = || -> Result<u64> {
                let Some(text) = value.or_else(|| words.next().copied()) else {
                    bail!("{name} needs a number");
                };
                text.parse().with_context(|| format!("{name} {text}: not a number"))
            };
            match name {
                "--times" => options.times = number()?,
                "--seed" => options.seed = Some(number()?),
                _ => bail!("unknown option: {word}"),
            }
        }
        if !(1..=TIMES_MAX).contains(&options.times) {
            bail!("--times {}: there can be 1 to {TIMES_MAX} kills", options.times);
        }
        Ok(options)
    }
}

/// Runs it; the last words are those of the test, or its failure with the seed that it had.
///
/// # Errors
///
/// When it can't be built or run, takes far too long, or a kill did harm.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let mut builds = Builds::default();
    let mut command = Command::new(builds.lab_tests()?);
    command
        .args([TEST, "--exact", "--nocapture"])
        .env("CARGO_BIN_EXE_rehome", builds.rehome()?)
        .env("REHOME_TORTURE_TIMES", options.times.to_string());
    if let Some(seed) = options.seed {
        command.env("REHOME_TORTURE_SEED", seed.to_string());
    }
    let times = u32::try_from(options.times).unwrap_or(u32::MAX);
    let limit = KILL_LIMIT.saturating_mul(times) + LAST_LIMIT;
    let finished = process::run("torture", &mut command, &cargo::logs(), limit)?;
    // The lines of the test itself tell the seed, also where it failed.
    for line in finished.output.lines().filter(|line| line.starts_with("torture: ")) {
        println!("{line}");
    }
    let finished = finished.success()?;
    if !finished.stdout.contains("test result: ok. 1 passed") {
        bail!("{TEST} is no test of the lab");
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_kills_are_the_default_and_a_seed_can_be_given() {
        assert_eq!(Options::parse(&[]).unwrap(), Options { times: 100, seed: None });
        let asked = Options::parse(&["--times", "7", "--seed=9"]).unwrap();
        assert_eq!(asked, Options { times: 7, seed: Some(9) });
    }

    #[test]
    fn what_is_no_number_or_not_known_is_refused_by_name() {
        for (words, what) in [
            (&["--times"][..], "--times"),
            (&["--times", "many"], "many"),
            (&["--times", "0"], "--times 0"),
            (&["--times=20001"], "20001"),
            (&["--seeds", "1"], "--seeds"),
        ] {
            let error = format!("{:#}", Options::parse(words).unwrap_err());
            assert!(error.contains(what), "{words:?}: {error}");
        }
    }
}
