//! Scenarios: a fixed account, deeds at fixed times, and what must be true of them.
//!
//! Where a seed of the simulator lets chance decide what goes wrong, a scenario is written down.
//! The world is the same, and so is the observer, which looks after every event: each
//! [`Invariant`](crate::Invariant) holds in a scenario as well. On top of that a scenario says what
//! must have come of it: how many moves and launches, who holds the VIP, what was told, and within
//! what time.
//!
//! # Adding one
//!
//! A row in [`TABLE`] (name, threads, what hurt, the account) and a function that gets a
//! `Play`: it does something, lets time pass, states what must be true, and does
//! the next thing. The seed decides only what is left to chance: latencies, which packets are lost.
//! What is stated has to hold for every seed.

mod deeds;
mod expect;
mod peers;
mod play;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ec2_model::Pace;
use rehome_core::policy::{FenceMode, Policy};

pub use self::peers::TABLE;
use self::play::{Ends, Play, Wrong};
use crate::observer::Counts;
use crate::plan::{Plan, Profile};
use crate::run::panicked;
use crate::time::SEC;

/// A minute.
const MIN: u64 = 60 * SEC;

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name: a sentence in kebab case.
    pub name: &'static str,
    /// The numbers of the threads in `docs/peers-scenarios.md` that it stands for.
    pub threads: &'static [u8],
    /// What happened to the users of another tool.
    pub hurt: &'static str,
    setting: Setting,
    play: fn(&mut Play) -> Ends,
}

/// The account and the knobs of a scenario: all that differs between them.
#[derive(Clone, Copy, Debug)]
struct Setting {
    vips: usize,
    tables: usize,
    overlay: bool,
    /// Whether the other monitor's machine is named as a control target.
    control: bool,
    /// Whether the command line names the route tables.
    named_tables: bool,
    fence: FenceMode,
}

/// One VIP, three zones, two tables, a monitor with an overlay address, no control target.
const PLAIN: Setting = Setting {
    vips: 1,
    tables: 2,
    overlay: true,
    control: false,
    named_tables: false,
    fence: FenceMode::Terminate,
};

/// The same with a control target.
const WITNESSED: Setting = Setting { control: true, ..PLAIN };

impl Setting {
    fn plan(self) -> Plan {
        Plan {
            profile: Profile::Swarm,
            vips: self.vips,
            zones: 3,
            tables: self.tables,
            overlay: self.overlay,
            control: self.control,
            own_known: true,
            canary: false,
            named_tables: self.named_tables,
            policy: Policy { fence: self.fence, ..Policy::default() },
            pace: Pace::real(),
            knobs: Vec::new(),
            last_zone: None,
        }
    }
}

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Played {
    /// Which.
    pub name: &'static str,
    /// The seed of what was left to chance.
    pub seed: u64,
    /// What happened, in numbers.
    pub counts: Counts,
    /// Virtual time that passed, in nanoseconds.
    pub simulated: u64,
    /// What isn't as it must be.
    pub wrong: Option<String>,
    /// The last lines of the trace, as many as were asked for.
    pub trace: Vec<String>,
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        let (name, seed, counts) = (self.name, self.seed, &self.counts);
        let (moves, launches, ends) = (counts.moves, counts.launches, counts.ends);
        let numbers = format!("{moves} moves, {launches} launches, {ends} ended");
        match &self.wrong {
            None => write!(f, "{name}: as it must be ({numbers})"),
            Some(wrong) => write!(f, "{name}, seed {seed}: {wrong} ({numbers})"),
        }
    }
}

/// Runs the scenario of that name, and keeps the last `keep` lines of its trace; none where no
/// scenario has that name.
#[must_use]
pub fn run(name: &str, seed: u64, keep: usize) -> Option<Played> {
    let scenario = TABLE.iter().find(|scenario| scenario.name == name)?;
    let mut play = Play::new(scenario.setting.plan(), seed, keep);
    let ran = catch_unwind(AssertUnwindSafe(|| (scenario.play)(&mut play)));
    let ended = ran.unwrap_or_else(|panic| {
        let violation = panicked(panic.as_ref(), play.world.now);
        Err(Wrong::Broken(violation))
    });
    let wrong = ended.err().map(|wrong| wrong.to_string());
    let (simulated, counts) = (play.world.now, play.counts().clone());
    let trace = play.world.trace.into_lines();
    Some(Played { name: scenario.name, seed, counts, simulated, wrong, trace })
}
