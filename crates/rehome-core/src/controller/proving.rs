//! Proving: a candidate is read, its source/dest check switched off, and it has to answer; then the
//! second look, right before the cut.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use core::time::Duration;

use super::{Controller, Flight, Purpose};
use crate::call::{Call, Reply};
use crate::fault::CallError;
use crate::mutant::{self, Mutant};
use crate::names::{Az, InstanceId};
use crate::probe::Hearing;
use crate::record::{Home, Stage};
use crate::say::Line;
use crate::time::{Mono, Short};
use crate::verdict::Seen;
use crate::world::{Instance, InstanceState, Status};

/// What `back_off` keeps apart.
pub(super) const CHECK: &str = "check";

impl Controller {
    /// Reads the candidate, switches its source/dest check off, and sees whether it is ready.
    pub(super) fn watch_candidate(
        &mut self,
        now: Mono,
        id: &InstanceId,
        az: Az,
        home: Option<Home>,
    ) {
        let asked = self.views.others.get(id).map(|seen| seen.asked);
        let due = asked.is_none_or(|at| now >= at + self.poll_step());
        if due && !self.in_flight(&Purpose::Candidate) {
            let ids = vec![id.clone()];
            self.call(
                now,
                Purpose::Candidate,
                Call::Instances { az: az.clone(), ids: ids.clone() },
            );
            self.call(now, Purpose::Candidate, Call::Statuses { az, ids });
        }
        if let Some(home) = home.filter(|home| self.is_ready(now, home)) {
            self.commit(now, home);
            return;
        }
        if !self.views.is_readable() {
            return;
        }
        let site = self.attempt().site.clone();
        let age = self.unix(now).0.saturating_sub(self.attempt().since.0);
        let within = self.setup.policy.ready_within;
        if Duration::from_secs(age) > within {
            let why = format!("not ready within {}", Short(within));
            self.fail_attempt(now, &site, Some(id), &why);
        }
    }

    pub(super) fn on_candidate(
        &mut self,
        now: Mono,
        flight: &Flight,
        result: Result<Reply, CallError>,
    ) {
        let Call::Instances { ids, .. } = &flight.call else {
            if let Ok(Reply::Statuses(statuses)) = result {
                for status in statuses {
                    self.views.statuses.insert(status.instance.clone(), status);
                }
            }
            return;
        };
        let [id] = ids.as_slice() else { return };
        let what = match result {
            Ok(Reply::Instances(found)) => Ok(found.into_iter().find(|i| i.id == *id)),
            Ok(_) => return,
            Err(error) => Err(error.brief().to_string()),
        };
        self.views.others.insert(id.clone(), Seen { asked: flight.sent, what: what.clone() });
        let Some(attempt) = self.record.moving.as_ref().and_then(|m| m.attempt.as_ref()) else {
            return;
        };
        if attempt.instance.as_ref() != Some(id) {
            return;
        }
        let site = attempt.site.clone();
        let preparing = self.record.moving.as_ref().is_some_and(|m| m.stage == Stage::Preparing);
        match what {
            Ok(Some(instance)) if preparing => {
                if instance.state.is_leaving() {
                    self.bury(now, &site, &instance);
                    return;
                }
                self.learn_home(&instance);
                self.check_off(now, &instance);
            }
            Ok(Some(_) | None) | Err(_) => {}
        }
    }

    /// Switches the source/dest check off where a reading shows it on.
    pub(super) fn check_off(&mut self, now: Mono, instance: &Instance) {
        let Some(interface) = instance.primary_interface() else { return };
        let purpose = Purpose::Check(instance.id.clone());
        let on = interface.source_dest_check == Some(true);
        let on = on && !mutant::is_alive(Mutant::CheckStaysOn);
        if on && self.may_mutate() && !self.in_flight(&purpose) && self.may_retry(now, CHECK) {
            let interface = interface.id.clone();
            self.call(now, purpose, Call::DisableSourceDestCheck { interface });
        }
    }

    pub(super) fn on_check(
        &mut self,
        now: Mono,
        instance: &InstanceId,
        result: Result<Reply, CallError>,
    ) {
        match result {
            Ok(_) => {
                // Confirmed only by a reading: ask at once.
                self.views.others.remove(instance);
                if *instance == self.record.holder.instance {
                    self.say(Line::SourceDestCheckOff { instance: instance.clone() });
                    self.healing.check_off_at = Some(now);
                }
            }
            Err(error) => {
                self.back_off(now, CHECK);
                let text = format!("Source/destination check of {instance}: {error}");
                self.say_once(Line::Notice { text });
            }
        }
    }

    /// Running, its source/dest check off by a reading, and its primary address answers; where
    /// ICMP to it isn't admitted, its status checks have to pass instead.
    pub(super) fn is_ready(&self, now: Mono, home: &Home) -> bool {
        let Some(Some(instance)) = self.other_since(&home.instance, self.begun) else {
            return false;
        };
        let off = instance
            .interface(&home.interface)
            .is_some_and(|interface| interface.source_dest_check == Some(false));
        let off = off || mutant::is_alive(Mutant::CheckStaysOn);
        if instance.state != InstanceState::Running || !off {
            return false;
        }
        let answers = self.probing.primary_answers_in_row(&home.instance);
        let policy = &self.setup.policy;
        let passed = self.views.statuses.get(&home.instance).is_some_and(Status::passed);
        let mute = !home.answered
            && !self.probing.answered_ever(home)
            && !matches!(
                self.probing.primary_hearing(&home.instance, policy, now),
                Some(Hearing::Answers)
            );
        answers >= policy.rise || (passed && mute)
    }

    /// The second look, right before the cut: the verdict again, on fresh evidence, after enough
    /// silence.
    fn commit(&mut self, now: Mono, home: Home) {
        if mutant::is_alive(Mutant::NoSecondLook) {
            self.begin_cut(now, home);
            return;
        }
        let policy = &self.setup.policy;
        let verdict = self.verdict(now);
        let silent_since = match self.vip_hearing(now) {
            Hearing::Silent { since, .. } => since,
            Hearing::Answers | Hearing::Unknown(_) => return,
        };
        // A standby needs no launch to hide the wait behind: the silence that was believed is
        // enough, where a witness shows that it isn't ours.
        let ahead = self.attempt().ahead && self.evidence(now).control == Some(Hearing::Answers);
        let enough = now.since(silent_since) >= policy.commit_after
            || ahead
            || mutant::is_alive(Mutant::NoCommitSilence);
        // A probe is lost when its timeout is over, so the newest loss is at least that old.
        let fresh = self.probing.vip_is_fresh(now, policy.interval * 2);
        let dead = verdict.reason_to_move(policy, now).is_some();
        if !(dead && enough && fresh) {
            if !dead {
                let text = format!("New instance {} is ready; waiting: {verdict}", home.instance);
                self.say_once(Line::Notice { text });
            }
            return;
        }
        let (instance, standby) = (home.instance.clone(), self.attempt().ahead);
        self.say(Line::Ready { instance, standby });
        self.begin_cut(now, home);
    }
}
