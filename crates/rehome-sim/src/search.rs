//! An exhaustive search of small worlds: every order of events within a number of faults.
//!
//! The simulator asks whether what is likely goes well; this asks whether anything at all goes
//! wrong, as long as it is small. The production
//! [`Controller::handle`](rehome_core::controller::Controller::handle) runs in a world of one VIP,
//! two route tables, a holder, and two zones that a replacement could go to. From each state every
//! step that can come next is taken, and each state is followed once.
//!
//! ```text
//!  roots: a first start; a holder that has just died; one that died, and new ones come up
//!    |  without the address; one that lost it
//!    |  explore: no faults, all of them with one, with two ... until so many states are known
//!    v
//!  world --steps--> successors --law--> a breach, with the way that leads there
//!    |                  '--calm--> one state in 256: with no more faults, does it end well?
//!    '-- fingerprint: the controller, what is durable and in flight, the truth; times relative
//! ```
//!
//! # Steps
//!
//! Free: time passes to the next answer or to the moment at which the controller wants to be woken,
//! and all is answered as it is; what was put off comes now; a person resumes; sight comes back; a
//! process starts again.
//!
//! Faults, each counted as one, at any place: readings fail or are behind; a mutation is lost,
//! takes effect without an answer, lingers and takes effect later, is answered late, is refused;
//! the record can't be written; the process dies before it writes or at any time after (what is in
//! flight vanishes, lands, or lingers), stalls, gets a signal; the monitor is deaf or can't send; a
//! guest dies, recovers, loses its address; EC2 loses an instance; new ones come up without the
//! address; a person pauses, steals a route, deletes one, points all of them back.
//!
//! # What must hold
//!
//! [`Law`], one doc comment each; a panic is a breach like any other. The laws are held against the
//! ground truth and the durable record, never against what the controller believes.
//!
//! # What is left out
//!
//! - Time has points half a second apart, and an answer takes one such interval, or seconds where
//!   it is held. Probes are answered at once or never; no single one is lost.
//! - The knobs are short, with no bursts of probes, one source and one control target. Zones,
//!   status checks, groups and ACLs are always well, so `AZ impaired`, `status check` and `path
//!   closed` aren't met; nor are `--fence stop` and a start without a record.
//! - What is older than eight seconds counts by its order alone. No knob is longer, but the core's
//!   own minute (rarer probes and looks) and hour and day (the budget) never run out.
//! - Calls are named from the beginning again whenever none is under way
//!   ([`renumber`](rehome_core::controller::Controller::renumber)), so the spread of a back-off
//!   takes a few of its values. States are still only called the same where they do the same.
//! - Lines and notes are no part of a state.
//! - The shell's contract is taken for granted: `NotPersisted` is handled before anything else.
//!
//! # Running it
//!
//! `rehome-sim search --states 5000000 --keep-going`. A breach is told with the shortest way that
//! was found, step by step, and with what the process said and sent.

mod calm;
mod explore;
mod fingerprint;
mod knobs;
mod law;
mod steps;
mod truth;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use law::{Broken, Law};

use explore::Way;
use truth::Truth;
use world::World;

/// What was met on the way, in numbers of states.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Steps that were tried.
    pub transitions: u64,
    /// States in which nothing moves.
    pub watching: u64,
    /// States in each stage of a move.
    pub preparing: u64,
    /// Routes are being replaced.
    pub cutting: u64,
    /// The VIP has to answer from its new home.
    pub verifying: u64,
    /// Routes go back.
    pub rolling_back: u64,
    /// States right after a move was completed.
    pub moved: u64,
    /// Right after one was cancelled.
    pub cancelled: u64,
    /// Right after one was turned back.
    pub rolled_back: u64,
    /// Right after a former holder's end was ordered.
    pub fenced: u64,
    /// Right after a crash.
    pub crashed: u64,
    /// States from which it was seen that all ends well.
    pub calmed: u64,
    /// States that were compared with another one that passes for the same.
    pub compared: u64,
    /// The longest way to a state, in steps.
    pub deepest: u32,
}

/// The way to a breach.
pub struct Trail {
    /// What doesn't hold.
    pub broken: Broken,
    /// How many faults it takes.
    pub faults: u8,
    way: Arc<Way>,
}

impl Trail {
    /// How many steps it takes.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.way.steps
    }

    /// Goes the way again, and tells each step with what the process did.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        let mut ways = Vec::new();
        let mut way = Some(&self.way);
        while let Some(one) = way {
            ways.push(one);
            way = one.from.as_ref();
        }
        let mut lines = Vec::new();
        let root = ways.last().map(|first| first.root);
        let Some(mut world) = root.and_then(|root| roots().into_iter().nth(root)) else {
            return lines;
        };
        for one in ways.into_iter().rev() {
            lines.push(format!("{:6.1} s  {}", world::seconds(one.at), one.step));
            world.log = Some(Vec::new());
            let mut next = steps::successors(&world, one.faults);
            if one.index >= next.len() {
                return lines;
            }
            world = next.swap_remove(one.index).world;
            lines.extend(world.log.take().unwrap_or_default());
        }
        lines
    }
}

/// What a search found.
pub struct SearchReport {
    /// Distinct states.
    pub states: u64,
    /// For each number of faults: the states that take so many, and whether those are all.
    pub rounds: Vec<(u64, bool)>,
    /// What was met.
    pub counts: Counts,
    /// On the clock on the wall.
    pub took: Duration,
    /// The shortest way to a breach of each law that was broken.
    pub trails: BTreeMap<Law, Trail>,
}

/// Searches until `limit` states are known; after a breach only where it is to `keep_going`.
#[must_use]
pub fn run(limit: u64, keep_going: bool) -> SearchReport {
    explore::search(&roots(), limit, keep_going)
}

/// Where the search begins: a first start, and what asks for a move of a settled world.
fn roots() -> Vec<World> {
    let mut first = World::new();
    first.start();
    let mut ends = Vec::new();
    first.settle(false, &mut ends);
    let Some((_, first)) = ends.pop() else { return Vec::new() };
    let mut settled = first.clone();
    for _ in 0..SETTLED_AFTER {
        if let Some(next) = steps::pass(&settled) {
            settled = next;
        }
    }
    let altered = |change: fn(&mut Truth)| {
        let mut world = settled.clone();
        world.change(change);
        world
    };
    let dead = altered(|truth| truth.machines[0].well = false);
    let barren = altered(|truth| {
        truth.machines[0].well = false;
        truth.barren = true;
    });
    let lost = altered(|truth| truth.machines[0].has_vip = false);
    vec![first, dead, barren, lost]
}

/// Steps after which all that is learned at the start is learned.
const SETTLED_AFTER: usize = 24;

impl fmt::Display for SearchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (counts, seconds) = (&self.counts, self.took.as_secs_f64().max(0.001));
        let rate = self.states as f64 / seconds;
        writeln!(
            f,
            "{} states, {} transitions, at most {} steps deep, in {seconds:.1} s ({rate:.0}/s)",
            self.states, counts.transitions, counts.deepest
        )?;
        for (faults, (states, all)) in self.rounds.iter().enumerate() {
            let all = if *all { "all" } else { "a part" };
            writeln!(f, "  {faults} faults: {states} more states, {all}")?;
        }
        writeln!(
            f,
            "stages: watching {}, preparing {}, cutting {}, verifying {}, rolling back {}",
            counts.watching,
            counts.preparing,
            counts.cutting,
            counts.verifying,
            counts.rolling_back
        )?;
        writeln!(
            f,
            "moves completed {}, cancelled {}, rolled back {}; fences {}, crashes {}",
            counts.moved, counts.cancelled, counts.rolled_back, counts.fenced, counts.crashed
        )?;
        let (calmed, compared) = (counts.calmed, counts.compared);
        writeln!(f, "ended well: {calmed} of {calmed}; went on the same: {compared}")?;
        for trail in self.trails.values() {
            writeln!(f, "\n{}", trail.broken)?;
            writeln!(f, "after {} steps, {} of them faults:", trail.steps(), trail.faults)?;
            for line in trail.told() {
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}
