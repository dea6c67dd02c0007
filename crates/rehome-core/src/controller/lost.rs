//! Launches that were given up before it was known what they brought: remembered by their tokens
//! until their instances have turned up, or can't any more.

use alloc::string::String;

use super::preparing::live_first;
use super::{Controller, Purpose};
use crate::call::{Call, Reply};
use crate::fault::CallError;
use crate::mutant::{self, Mutant};
use crate::record::LostLaunch;
use crate::time::{Mono, Unix};

/// What `retry_at` keeps apart.
const LOST: &str = "lost launches";

impl Controller {
    /// A call without an answer may still be on its way.
    pub(super) fn lose_launch(&mut self, token: String, since: Unix) {
        if mutant::is_alive(Mutant::ForgetsLostLaunch) {
            return;
        }
        self.record.lost_launches.push(LostLaunch { token, since });
    }

    /// What a call without an answer may bring costs money: it is one of the launches of its move.
    pub(super) fn pay_for_lost_launch(&mut self) {
        if let Some(moving) = &mut self.record.moving {
            moving.launches += 1;
        }
    }

    /// Looks for the instances of launches that were given up, until they can't turn up any more.
    pub(super) fn step_lost_launches(&mut self, now: Mono) {
        if self.record.lost_launches.is_empty() || !self.may_retry(now, LOST) {
            return;
        }
        for lost in self.record.lost_launches.clone() {
            let purpose = Purpose::Stray(lost.token.clone());
            if !self.in_flight(&purpose) {
                self.call(now, purpose, Call::Launched { token: lost.token });
                self.retry_at.insert(LOST.into(), now + self.setup.policy.poll_interval);
            }
        }
    }

    pub(super) fn on_stray(&mut self, now: Mono, token: &str, result: Result<Reply, CallError>) {
        let Ok(Reply::Instances(found)) = result else { return };
        let late = self.setup.policy.invisible_max.as_secs();
        let unix = self.unix(now);
        let given_up = |lost: &LostLaunch| unix.0.saturating_sub(lost.since.0) > late;
        // One that has ended may be of another time; what is still on its way shows itself later.
        let Some(instance) = live_first(&found).filter(|one| !one.state.is_ending()) else {
            let before = self.record.lost_launches.len();
            self.record.lost_launches.retain(|lost| lost.token != token || !given_up(lost));
            self.unsaved |= self.record.lost_launches.len() != before;
            return;
        };
        self.dispose_stray(now, instance);
        self.record.lost_launches.retain(|lost| lost.token != token);
        self.unsaved = true;
    }
}
