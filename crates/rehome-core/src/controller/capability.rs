//! Whether a failover could be made at all, told before one is needed.

use alloc::format;
use alloc::string::{String, ToString};

use super::Controller;
use crate::mutant::{self, Mutant};
use crate::say::Line;
use crate::time::{Mono, Short};

/// Readings of EC2 in a row that may fail before people are told that nothing could be moved: one
/// throttled call is no news.
const UNREAD_ROUNDS: u32 = 6;

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
        self.told.incapable.clone_from(&lost);
        self.say(match lost {
            Some(why) => Line::CapabilityLost { why },
            None => Line::CapabilityBack,
        });
    }

    /// What would keep a dead holder from being replaced now.
    fn incapable(&self, now: Mono) -> Option<String> {
        if self.resave_at.is_some() {
            return Some("the state can't be written".to_string());
        }
        let allowed = self.setup.policy.poll_interval * UNREAD_ROUNDS;
        if now.since(self.views.read_at.unwrap_or(self.begun)) > allowed {
            return Some(format!("EC2 has not been read for more than {}", Short(allowed)));
        }
        if let Some(why) = self.no_witness(now) {
            return Some(why.to_string());
        }
        self.spent(self.unix(now)).or_else(|| self.nowhere())
    }
}
