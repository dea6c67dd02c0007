//! Status checks: what EC2 itself sees of an instance, once a minute.
//!
//! Three checks (EC2 User Guide, "Status checks for your instances"): the *system* beneath the
//! instance, the *instance* itself, and its *attached EBS* volumes. A check that goes bad shows
//! only after its next one-minute cycle.

use serde::{Deserialize, Serialize};

use crate::{
    api::{InstanceState, StatusDetail, StatusSummary},
    pace::Pace,
    plane::Guest,
    time::{Time, Timestamp},
    world::Instance,
};

/// One of the three status checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Check {
    /// The host, its power and network.
    System,
    /// The guest: answers ARP, has booted.
    Instance,
    /// The volumes complete their I/O.
    AttachedEbs,
}

/// All checks, in EC2's order.
pub(crate) const CHECKS: [Check; 3] = [Check::System, Check::Instance, Check::AttachedEbs];

/// The state of an instance's checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checks {
    /// What the operator broke, in the order of [`CHECKS`].
    broken: [bool; 3],
    /// Since when the published result is bad.
    impaired_since: [Option<Time>; 3],
    /// The first result comes then; `initializing` until it has.
    first: Time,
    /// The next result comes then; `None` while not running.
    next: Option<Time>,
}

impl Check {
    fn index(self) -> usize {
        match self {
            Check::System => 0,
            Check::Instance => 1,
            Check::AttachedEbs => 2,
        }
    }
}

impl Checks {
    /// A start at `now`: everything is checked anew, `after_ms` from now for the first time.
    pub(crate) fn begin(&mut self, now: Time, after_ms: u64) {
        self.impaired_since = [None; 3];
        self.first = now.plus(after_ms);
        self.next = Some(self.first);
    }

    /// The instance runs no longer.
    pub(crate) fn end(&mut self) {
        self.next = None;
        self.impaired_since = [None; 3];
    }

    pub(crate) fn set_broken(&mut self, check: Check, broken: bool) {
        self.broken[check.index()] = broken;
    }

    pub(crate) fn heal(&mut self) {
        self.broken = [false; 3];
    }

    /// Publishes the results due by `now`, and says whether they are other than before. Signals
    /// change only after a settlement, so what they are now they were at every cycle since the last
    /// one.
    pub(crate) fn settle(&mut self, now: Time, pace: &Pace, guest: Option<Guest>) -> bool {
        let Some(next) = self.next.filter(|next| *next <= now) else { return false };
        let before = self.impaired_since;
        let unreachable = match guest {
            Some(Guest::Unreachable | Guest::PoweredOff) => true,
            Some(Guest::Reachable) | None => false,
        };
        for check in CHECKS {
            let i = check.index();
            let failing = self.broken[i] || (check == Check::Instance && unreachable);
            self.impaired_since[i] = failing.then(|| self.impaired_since[i].unwrap_or(next));
        }
        let cycle = pace.check_cycle_ms;
        self.next = Some(match now.since(next).checked_div(cycle) {
            Some(passed) => next.plus((passed + 1) * cycle),
            None => now,
        });
        next == self.first || self.impaired_since != before
    }

    fn is_initializing(&self, now: Time) -> bool {
        now < self.first
    }

    /// When this check's published result became bad.
    pub(crate) fn impaired_since(&self, check: Check) -> Option<Time> {
        self.impaired_since[check.index()]
    }
}

/// What `DescribeInstanceStatus` says of one check.
pub(crate) fn summary(
    instance: &Instance,
    check: Check,
    now: Time,
    stamp: impl Fn(Time) -> Timestamp,
) -> StatusSummary {
    let told = |status: &str, detail: &str, since: Option<Time>| StatusSummary {
        status: status.to_owned(),
        details: vec![StatusDetail {
            name: "reachability".to_owned(),
            status: detail.to_owned(),
            impaired_since: since.map(stamp),
        }],
    };
    match instance.state {
        InstanceState::Running if instance.checks.is_initializing(now) => {
            told("initializing", "initializing", None)
        }
        InstanceState::Running => match instance.checks.impaired_since(check) {
            Some(since) => told("impaired", "failed", Some(since)),
            None => told("ok", "passed", None),
        },
        InstanceState::Pending
        | InstanceState::ShuttingDown
        | InstanceState::Terminated
        | InstanceState::Stopping
        | InstanceState::Stopped => {
            StatusSummary { status: "not-applicable".to_owned(), details: Vec::new() }
        }
    }
}
