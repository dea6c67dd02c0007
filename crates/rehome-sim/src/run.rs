//! One seed from its beginning to its end, and what came of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fault::TABLE;
use crate::observer::{Counts, Invariant, Observer, Violation};
use crate::world::World;

/// What came of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub seed: u64,
    /// The same for two runs of the same seed in the same program.
    pub hash: u64,
    /// Events that happened.
    pub events: u64,
    /// Virtual time that passed, in nanoseconds.
    pub simulated: u64,
    /// How often each kind of fault struck, in the order of the table.
    pub strikes: Vec<u32>,
    /// What happened, in numbers.
    pub counts: Counts,
    /// What didn't hold.
    pub violation: Option<Violation>,
    /// The last lines of the trace, as many as were asked for.
    pub trace: Vec<String>,
}

/// Runs a seed, and keeps the last `keep` lines of its trace.
#[must_use]
pub fn run(seed: u64, keep: usize) -> Outcome {
    let mut world = World::new(seed, keep);
    let mut observer = Observer::new(&world);
    let mut events = 0;
    let ran = catch_unwind(AssertUnwindSafe(|| {
        while world.step() {
            events += 1;
            observer.look(&mut world)?;
        }
        observer.end(&mut world)
    }));
    let violation = match ran {
        Ok(verdict) => verdict.err(),
        Err(panic) => Some(panicked(panic.as_ref(), world.now)),
    };
    debug_assert_eq!(world.strikes.len(), TABLE.len(), "a count for each kind");
    Outcome {
        seed,
        hash: world.trace.hash(),
        events,
        simulated: world.now,
        strikes: world.strikes,
        counts: observer.counts,
        violation,
        trace: world.trace.into_lines(),
    }
}

/// What a panic amounts to.
pub(crate) fn panicked(panic: &(dyn Any + Send), at: u64) -> Violation {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let what = text.unwrap_or_else(|| "without a word".to_owned());
    Violation { invariant: Invariant::Panic, what, at }
}
