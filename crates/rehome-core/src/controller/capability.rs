//! Whether a failover could be made at all, told before one is needed.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::Controller;
use super::blindness::Darkness;
use super::moving::{NOWHERE, Spent};
use crate::mutant::{self, Mutant};
use crate::say::Line;
use crate::time::{Mono, Short};

/// Readings of EC2 in a row that may fail before people are told that nothing could be moved: one
/// throttled call is no news.
const UNREAD_ROUNDS: u32 = 6;

/// What would keep a dead holder from being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Incapacity {
    /// The state can't be written.
    Unwritten,
    /// EC2 has not been read for long.
    Unread,
    /// No control target answers.
    Unwitnessed,
    /// The budget is used up.
    Spent(Spent),
    /// There is no subnet for a replacement.
    Nowhere,
}

impl Controller {
    /// Tells when the ability to move is lost, and when it is back.
    pub(super) fn step_capability(&mut self, now: Mono) {
        let silent = mutant::is_alive(Mutant::TellsNoSpentBudget);
        if self.record.moving.is_some() || self.setup.policy.observe || silent {
            return;
        }
        let lost = self.incapable(now);
        if lost == self.told.incapable {
            return;
        }
        self.told.incapable = lost;
        self.say(match lost {
            Some(lost) => Line::CapabilityLost { why: self.incapacity_as_told(lost) },
            None => Line::CapabilityBack,
        });
    }

    /// What would keep a dead holder from being replaced now.
    fn incapable(&self, now: Mono) -> Option<Incapacity> {
        if self.resave_at.is_some() {
            return Some(Incapacity::Unwritten);
        }
        if now.since(self.views.read_at.unwrap_or(self.begun)) > self.unread_max() {
            return Some(Incapacity::Unread);
        }
        if self.no_witness(now).is_some() {
            return Some(Incapacity::Unwitnessed);
        }
        let nowhere = self.setup.sites.is_empty().then_some(Incapacity::Nowhere);
        self.spent(self.unix(now)).map(Incapacity::Spent).or(nowhere)
    }

    fn incapacity_as_told(&self, lost: Incapacity) -> String {
        match lost {
            Incapacity::Unwritten => "the state can't be written".to_string(),
            Incapacity::Unread => {
                format!("EC2 has not been read for more than {}", Short(self.unread_max()))
            }
            Incapacity::Unwitnessed => Darkness::Unwitnessed(&self.setup.controls).to_string(),
            Incapacity::Spent(spent) => spent.to_string(),
            Incapacity::Nowhere => NOWHERE.to_string(),
        }
    }

    /// How old the newest reading of the holder may be.
    fn unread_max(&self) -> Duration {
        self.setup.policy.poll_interval * UNREAD_ROUNDS
    }
}
