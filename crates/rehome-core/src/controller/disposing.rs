//! Fencing: making sure that what lost the address can't serve it, and cleaning up what was
//! launched in vain.
//!
//! The most dangerous thing rehome does, so it looks once more right before: no route may lead
//! there, it may be neither holder nor candidate, the VIP must have answered from its new home for
//! a while, and the old holder must be silent or not running. Only what was observed is said.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};

use super::{Controller, Purpose, Wakeup};
use crate::call::{Call, Reply};
use crate::fault::{CallError, ErrorClass};
use crate::names::InstanceId;
use crate::policy::FenceMode;
use crate::probe::Hearing;
use crate::record::{Disposal, Leftover};
use crate::say::Line;
use crate::spec::TAG_PREFIX;
use crate::time::Mono;
use crate::verdict::Seen;
use crate::world::{Instance, InstanceState, Target};

const END: &str = "end";

/// When each leftover was looked at, for the last look before the order.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    begun: BTreeMap<InstanceId, Mono>,
    asked: BTreeMap<InstanceId, Mono>,
    absent: BTreeMap<InstanceId, u32>,
}

/// What is to be done with a leftover now.
enum Next {
    Wait,
    Order,
    Keep(String),
    Gone(InstanceState),
}

impl Controller {
    pub(super) fn next_disposal(&self) -> Option<Wakeup> {
        let unix_now = self.clocks.unix_at(self.now);
        let next = |disposal: &Disposal| {
            let left = disposal.not_before.0.saturating_sub(unix_now.0);
            let due = self.now + core::time::Duration::from_secs(left);
            let asked = self.looks.asked.get(&disposal.instance);
            asked.map_or(due, |at| (*at + self.poll_step()).max(due))
        };
        let at = self.record.disposals.iter().map(next).min()?;
        Some(Wakeup { at, why: "leftovers" })
    }

    /// Looks after each leftover whose time has come.
    pub(super) fn step_disposals(&mut self, now: Mono) {
        if self.setup.policy.observe || self.record.moving.is_some() {
            return;
        }
        let unix = self.unix(now);
        for disposal in self.record.disposals.clone() {
            if disposal.not_before > unix {
                continue;
            }
            if self.is_serving(&disposal.instance) {
                self.forget(&disposal.instance);
                continue;
            }
            let begun = *self.looks.begun.entry(disposal.instance.clone()).or_insert(now);
            self.look(now, &disposal);
            match self.next_of(now, &disposal, begun) {
                Next::Wait => {}
                Next::Order => self.order(now, &disposal),
                Next::Keep(why) => self.keep(&disposal, why),
                Next::Gone(state) => self.gone(&disposal, state),
            }
        }
    }

    fn is_serving(&self, instance: &InstanceId) -> bool {
        let moving = self.record.moving.as_ref();
        self.record.holder.instance == *instance
            || moving.and_then(|m| m.cut_to.as_ref()).is_some_and(|h| h.instance == *instance)
            || moving
                .and_then(|m| m.attempt.as_ref())
                .is_some_and(|attempt| attempt.instance.as_ref() == Some(instance))
    }

    /// Reads the leftover and the routes again.
    fn look(&mut self, now: Mono, disposal: &Disposal) {
        let last = self.looks.asked.get(&disposal.instance);
        if last.is_some_and(|at| now < *at + self.poll_step()) {
            return;
        }
        self.looks.asked.insert(disposal.instance.clone(), now);
        if !self.in_flight(&Purpose::Candidate) {
            let (az, ids) = (disposal.az.clone(), [disposal.instance.clone()].into());
            self.call(now, Purpose::Candidate, Call::Instances { az, ids });
        }
        if !disposal.ordered && !self.in_flight(&Purpose::Watch) {
            let vpc = self.record.vpc.clone();
            self.call(now, Purpose::Watch, Call::Tables { vpc });
        }
    }

    fn next_of(&mut self, now: Mono, disposal: &Disposal, begun: Mono) -> Next {
        let Some(seen) = self.other_since(&disposal.instance, begun) else { return Next::Wait };
        let Some(instance) = seen.clone() else { return self.absent(disposal) };
        if instance.state == InstanceState::Terminated {
            return Next::Gone(InstanceState::Terminated);
        }
        if disposal.why == Leftover::Former && instance.stopped_by_user() && !disposal.ordered {
            return Next::Keep("a person stopped it".to_string());
        }
        if instance.state == InstanceState::Stopped && disposal.mode == FenceMode::Stop {
            return Next::Gone(InstanceState::Stopped);
        }
        if disposal.mode == FenceMode::None {
            return Next::Keep("--fence none".to_string());
        }
        if disposal.ordered {
            return Next::Wait;
        }
        self.last_look(now, disposal, begun, &instance)
    }

    /// Listed nowhere, by several readings: as good as terminated.
    fn absent(&mut self, disposal: &Disposal) -> Next {
        let asked = self.views.others.get(&disposal.instance).map(|seen| seen.asked);
        let count = self.looks.absent.entry(disposal.instance.clone()).or_default();
        *count += 1;
        // Each reading is seen several times; three readings are apart by three poll steps.
        let first = self.looks.begun.get(&disposal.instance);
        let long = asked.zip(first.copied()).is_some_and(|(asked, first)| {
            asked.since(first) >= self.setup.policy.poll_interval_moving * 3
        });
        if *count >= 3 && long { Next::Gone(InstanceState::Terminated) } else { Next::Wait }
    }

    /// The verdict again, right before an order that can't be taken back.
    fn last_look(&self, now: Mono, disposal: &Disposal, begun: Mono, instance: &Instance) -> Next {
        if let Some(group) = instance.scaling_group() {
            return Next::Keep(format!("it belongs to the Auto Scaling group {group}"));
        }
        let ours = instance.tags.get(&format!("{TAG_PREFIX}vip")).map(String::as_str)
            == Some(self.record.vip.address.to_string().as_str());
        if disposal.why != Leftover::Former && !ours {
            return Next::Keep("it doesn't carry our tags".to_string());
        }
        let Some(Seen { asked, what: Ok(tables) }) = &self.views.tables else { return Next::Wait };
        let fresh = *asked >= begun;
        let routed = tables.iter().flat_map(|table| &table.routes).any(|route| {
            route.destination == self.record.vip.destination
                && match &route.target {
                    Target::Interface { id, instance } => {
                        instance.as_ref() == Some(&disposal.instance)
                            || disposal.interface.as_ref() == Some(id)
                    }
                    Target::Other(_) => false,
                }
        });
        let serving = matches!(self.vip_hearing(now), Hearing::Answers)
            && self.probing.vip_losses() == 0
            && self.probing.vip_is_fresh(now, self.setup.policy.interval * 2);
        if !fresh || !serving {
            return Next::Wait;
        }
        if routed {
            return if disposal.why == Leftover::Former {
                Next::Keep("a route still leads to it".to_string())
            } else {
                Next::Wait
            };
        }
        self.silent_or_down(now, disposal, begun, instance)
    }

    /// A former holder that runs and still answers is nothing to be ended on suspicion.
    fn silent_or_down(
        &self,
        now: Mono,
        disposal: &Disposal,
        begun: Mono,
        instance: &Instance,
    ) -> Next {
        let policy = &self.setup.policy;
        if disposal.why != Leftover::Former || instance.state != InstanceState::Running {
            return Next::Order;
        }
        let Some(address) = disposal.address else {
            // It never answered us there, so its silence would prove nothing.
            return Next::Keep("whether it is silent can't be told".to_string());
        };
        match self.probing.primary_hearing(&disposal.instance, policy, now) {
            Some(Hearing::Silent { .. }) => Next::Order,
            Some(Hearing::Answers) if now.since(begun) >= policy.silence_min() => {
                Next::Keep(format!("it still answers at {address}"))
            }
            Some(Hearing::Answers | Hearing::Unknown(_)) | None => Next::Wait,
        }
    }

    fn order(&mut self, now: Mono, disposal: &Disposal) {
        let purpose = Purpose::End(disposal.instance.clone());
        if !self.may_mutate() || self.in_flight(&purpose) || !self.may_retry(now, END) {
            return;
        }
        assert!(!self.is_serving(&disposal.instance), "what serves is never ended");
        let instance = disposal.instance.clone();
        let stop = disposal.mode == FenceMode::Stop;
        let former = disposal.why == Leftover::Former;
        self.say_once(Line::Ending { instance: instance.clone(), former, stop });
        let call = if stop {
            Call::Stop { instance, skip_os_shutdown: former }
        } else {
            Call::Terminate { instance }
        };
        self.call(now, purpose, call);
    }

    pub(super) fn on_ended(
        &mut self,
        now: Mono,
        instance: &InstanceId,
        result: Result<Reply, CallError>,
    ) {
        let Some(disposal) =
            self.record.disposals.iter_mut().find(|disposal| disposal.instance == *instance)
        else {
            return;
        };
        let error = match result {
            Ok(_) => {
                disposal.ordered = true;
                self.unsaved = true;
                self.looks.asked.remove(instance);
                return;
            }
            Err(error) => error,
        };
        let disposal = disposal.clone();
        match error.class() {
            ErrorClass::Protected | ErrorClass::Fatal | ErrorClass::Quota => {
                self.keep(&disposal, error.to_string());
            }
            ErrorClass::NotFound
            | ErrorClass::Throttle
            | ErrorClass::UnknownOutcome
            | ErrorClass::NotSent
            | ErrorClass::NextAz
            | ErrorClass::Credentials
            | ErrorClass::Token
            | ErrorClass::RouteMissing
            | ErrorClass::RouteExists => self.back_off(now, END),
        }
    }

    fn keep(&mut self, disposal: &Disposal, why: String) {
        let former = disposal.why == Leftover::Former;
        let instance = disposal.instance.clone();
        self.say(Line::Kept { instance, former, why });
        self.let_go(disposal);
    }

    fn gone(&mut self, disposal: &Disposal, state: InstanceState) {
        let former = disposal.why == Leftover::Former;
        let instance = disposal.instance.clone();
        self.say(Line::Ended { instance, former, state });
        self.let_go(disposal);
    }

    fn let_go(&mut self, disposal: &Disposal) {
        if disposal.why == Leftover::Former {
            let instance = self.record.holder.instance.clone();
            self.say(Line::NowMonitoring { instance });
        }
        self.forget(&disposal.instance);
    }

    fn forget(&mut self, instance: &InstanceId) {
        self.record.disposals.retain(|disposal| disposal.instance != *instance);
        self.looks.begun.remove(instance);
        self.looks.asked.remove(instance);
        self.looks.absent.remove(instance);
        self.views.others.remove(instance);
        self.unsaved = true;
    }

    /// How many leftovers there are, for the last words.
    pub(super) fn leftovers(&self) -> impl Iterator<Item = &InstanceId> {
        self.record.disposals.iter().map(|disposal| &disposal.instance)
    }
}
