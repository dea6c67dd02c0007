//! What many seeds amount to, in words.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rehome_sim::fault::TABLE;
use rehome_sim::{Outcome, SEC};

/// The sum of what came of seeds.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) seeds: u64,
    /// On the clock on the wall.
    pub(crate) wall: Duration,
    busy: Duration,
    slowest: (Duration, u64),
    events: u64,
    simulated: u64,
    strikes: Vec<u64>,
    moves: u64,
    moved: u64,
    launches: u64,
    ends: u64,
    starts: u64,
    excused: u64,
    /// Of all stories together: the same seeds in the same program give the same.
    fingerprint: u64,
    failures: BTreeMap<u64, String>,
}

impl Report {
    pub(crate) fn add(&mut self, outcome: &Outcome, took: Duration) {
        self.seeds += 1;
        self.busy += took;
        self.slowest = self.slowest.max((took, outcome.seed));
        self.events += outcome.events;
        self.simulated += outcome.simulated / SEC;
        self.strikes.resize(TABLE.len(), 0);
        for (sum, strikes) in self.strikes.iter_mut().zip(&outcome.strikes) {
            *sum += u64::from(*strikes);
        }
        let counts = &outcome.counts;
        self.moves += u64::from(counts.moves);
        self.moved += u64::from(counts.moved);
        self.launches += u64::from(counts.launches);
        self.ends += u64::from(counts.ends);
        self.starts += u64::from(counts.starts);
        self.excused += u64::from(counts.excused);
        // Seeds end in any order.
        self.fingerprint = self.fingerprint.wrapping_add(outcome.hash);
        if let Some(violation) = &outcome.violation {
            self.failures.insert(outcome.seed, violation.to_string());
        }
    }

    /// The seeds that failed.
    pub(crate) fn failures(&self) -> Vec<u64> {
        self.failures.keys().copied().collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "faults by kind:")?;
        let named = TABLE.iter().zip(&self.strikes).map(|(spec, count)| (spec.name, count));
        for row in named.collect::<Vec<_>>().chunks(3) {
            for (name, count) in row {
                write!(f, "  {name:<24}{count:>7}")?;
            }
            writeln!(f)?;
        }
        let busy = self.busy.as_secs_f64().max(1e-9);
        let rate = self.events as f64 / busy;
        writeln!(
            f,
            "{} seeds, {} simulated hours, {} faults; {} moves begun, {} done, {} launches, \
             {} ended, {} starts, {} excused; fingerprint {:016x}",
            self.seeds,
            self.simulated / 3_600,
            self.strikes.iter().sum::<u64>(),
            self.moves,
            self.moved,
            self.launches,
            self.ends,
            self.starts,
            self.excused,
            self.fingerprint
        )?;
        writeln!(
            f,
            "{:.1} s on the wall, {:.3} s a seed (slowest {:.2} s, seed {}), {} events, {rate:.0} \
             events per core-second",
            self.wall.as_secs_f64(),
            busy / self.seeds.max(1) as f64,
            self.slowest.0.as_secs_f64(),
            self.slowest.1,
            self.events
        )?;
        for (seed, what) in &self.failures {
            writeln!(f, "FAILED seed {seed}: {what}")?;
        }
        Ok(())
    }
}

/// A failing seed: what doesn't hold, how it came to that, and how to see it again.
pub(crate) fn failure(outcome: &Outcome) -> String {
    let mut text = format!("\nseed {} breaks an invariant\n", outcome.seed);
    text.push_str(&trace(outcome));
    if let Some(violation) = &outcome.violation {
        text.push_str(&format!("{violation}\n"));
    }
    let seed = outcome.seed;
    text.push_str(&format!("replay: cargo xtask sim --seeds 1 --first {seed} --trace 400\n"));
    text
}

/// The last lines of a trace.
pub(crate) fn trace(outcome: &Outcome) -> String {
    outcome.trace.iter().map(|line| format!("  {line}\n")).collect()
}
