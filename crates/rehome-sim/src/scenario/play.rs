//! A scenario under way: the world, the observer, and what was told and sent so far.

use std::fmt;

use rehome_core::say::Line;

use crate::account::vip;
use crate::observer::{Counts, Observer, Violation};
use crate::plan::Plan;
use crate::time::{MS, SEC};
use crate::world::{Brief, Fact, World};

/// Why a scenario isn't as it must be.
#[derive(Debug)]
pub(super) enum Wrong {
    /// An invariant doesn't hold.
    Broken(Violation),
    /// Something that the scenario states isn't so.
    Unmet(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Broken(violation) => write!(f, "{violation}"),
            Wrong::Unmet(what) => f.write_str(what),
        }
    }
}

/// How a scenario, or a part of it, ends.
pub(super) type Ends = Result<(), Wrong>;

/// Something that isn't as it must be.
pub(super) fn unmet<T>(what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Unmet(what.into()))
}

/// A scenario under way.
pub(super) struct Play {
    pub(super) world: World,
    pub(super) observer: Observer,
    /// What people were told, beside status lines.
    pub(super) told: Vec<String>,
    /// Mutations that left a process.
    pub(super) sent: Vec<String>,
    /// How much of both was there at the mark.
    pub(super) mark: (usize, usize),
}

impl Play {
    pub(super) fn new(plan: Plan, seed: u64, keep: usize) -> Play {
        let world = World::of_plan(plan, seed, keep);
        let observer = Observer::new(&world);
        Play { world, observer, told: Vec::new(), sent: Vec::new(), mark: (0, 0) }
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.observer.counts
    }

    /// The mark: what is told and sent from here on.
    pub(super) fn mark_here(&mut self) {
        self.mark = (self.told.len(), self.sent.len());
    }

    fn step(&mut self) -> Ends {
        self.world.step();
        for fact in &self.world.facts {
            if let Fact::Said { line, .. } = fact
                && !matches!(line, Line::Status { .. })
            {
                self.told.push(line.to_string());
            } else if let Fact::Sent { call, .. } = fact {
                self.sent.push(Brief(call).to_string());
            }
        }
        self.observer.look(&mut self.world).map_err(Wrong::Broken)
    }

    fn stand_at(&mut self, at: u64) {
        self.world.now = at.max(self.world.now);
        self.world.trace.at(self.world.now);
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: u64) -> Ends {
        let until = self.world.now + time;
        while self.world.next_at() <= until {
            self.step()?;
        }
        self.stand_at(until);
        Ok(())
    }

    /// Lets time pass until a line with these words is told.
    pub(super) fn until_told(&mut self, words: &str, within: u64) -> Ends {
        let (until, from) = (self.world.now + within, self.told.len());
        while self.world.next_at() <= until {
            self.step()?;
            if self.told[from..].iter().any(|line| line.contains(words)) {
                return Ok(());
            }
        }
        unmet(format!("\"{words}\" isn't told within {} s", within / SEC))
    }

    /// Lets time pass until a VIP is served through every table.
    pub(super) fn until_served(&mut self, number: usize, within: u64) -> Ends {
        let until = self.world.now + within;
        loop {
            self.world.refresh();
            self.observer.look(&mut self.world).map_err(Wrong::Broken)?;
            let Err(why) = self.observer.is_served(&mut self.world, number) else { return Ok(()) };
            if self.world.now + 100 * MS > until {
                return unmet(format!("not served within {} s: {why}", within / SEC));
            }
            self.pass(100 * MS)?;
        }
    }

    /// Lets time pass until a VIP is said to answer from a new home, and is served there.
    pub(super) fn until_moved(&mut self, number: usize, within: u64) -> Ends {
        self.until_told(&format!("{} answers from i-", vip(number)), within)?;
        self.served(number)
    }

    /// The beginning of most scenarios: two minutes in which all is well.
    pub(super) fn well(&mut self) -> Ends {
        self.pass(120 * SEC)?;
        for number in 0..self.world.plan.vips {
            self.served(number)?;
        }
        self.moves(0)?;
        self.mark_here();
        Ok(())
    }
}
