//! Fencing: making sure that what lost the address can't serve it, and cleaning up what was
//! launched in vain.
//!
//! The most dangerous thing rehome does, so it looks once more right before: no route may lead
//! there, it may be neither holder nor candidate, the VIP must have answered from its new home for
//! a while, and the old holder must be silent or not running. Only what was observed is said.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::reading::ABSENT_READS;
use super::{Controller, Flight, Purpose, Wakeup};
use crate::call::{Call, Reply};
use crate::fault::{CallError, ErrorClass};
use crate::mutant::{self, Mutant};
use crate::names::{Az, InstanceId};
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Looks {
    begun: BTreeMap<InstanceId, Mono>,
    asked: BTreeMap<InstanceId, Mono>,
    absent: BTreeMap<InstanceId, (u32, Mono)>,
    ordered: BTreeMap<InstanceId, Mono>,
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
            let due = self.now + Duration::from_secs(left);
            let asked = self.looks.asked.get(&disposal.instance);
            asked.map_or(due, |at| (*at + self.look_step(disposal)).max(due))
        };
        let at = self.record.disposals.iter().map(next).min()?;
        Some(Wakeup { at, why: "leftovers" })
    }

    /// Looks after each leftover whose time has come.
    pub(super) fn step_disposals(&mut self, now: Mono) {
        if self.setup.policy.observe || self.record.moving.is_some() {
            return;
        }
        if self.record.disposals.is_empty() {
            return;
        }
        let unix = self.unix(now);
        let due = |disposal: &&Disposal| disposal.not_before <= unix;
        let due: Vec<Disposal> = self.record.disposals.iter().filter(due).cloned().collect();
        self.look(now, &due);
        for disposal in due {
            if self.is_serving(&disposal.instance) {
                self.forget(&disposal.instance);
                continue;
            }
            let begun = *self.looks.begun.entry(disposal.instance.clone()).or_insert(now);
            match self.next_of(now, &disposal, begun) {
                Next::Wait => {}
                Next::Order => self.order(now, &disposal),
                Next::Keep(why) => self.keep(&disposal, why),
                Next::Gone(state) => self.gone(&disposal, state),
            }
        }
    }

    fn is_serving(&self, instance: &InstanceId) -> bool {
        if mutant::is_alive(Mutant::SweepsUnscoped) {
            return false;
        }
        let moving = self.record.moving.as_ref();
        self.record.holder.instance == *instance
            || self
                .record
                .standby
                .as_ref()
                .is_some_and(|standby| standby.instance.as_ref() == Some(instance))
            || moving.and_then(|m| m.cut_to.as_ref()).is_some_and(|h| h.instance == *instance)
            || moving
                .and_then(|m| m.attempt.as_ref())
                .is_some_and(|attempt| attempt.instance.as_ref() == Some(instance))
    }

    /// Reads the leftovers again, with one call for each zone, and the routes.
    fn look(&mut self, now: Mono, leftovers: &[Disposal]) {
        let mut zones: BTreeMap<Az, Vec<InstanceId>> = BTreeMap::new();
        let mut routes = false;
        for disposal in leftovers {
            let last = self.looks.asked.get(&disposal.instance);
            let early = last.is_some_and(|at| now < *at + self.look_step(disposal));
            let purpose = Purpose::Look(disposal.az.clone());
            if early || self.in_flight(&purpose) || self.is_serving(&disposal.instance) {
                continue;
            }
            self.looks.asked.insert(disposal.instance.clone(), now);
            zones.entry(disposal.az.clone()).or_default().push(disposal.instance.clone());
            routes |= !disposal.ordered;
        }
        for (az, ids) in zones {
            self.call(now, Purpose::Look(az.clone()), Call::Instances { az, ids });
        }
        if routes && !self.in_flight(&Purpose::Watch) {
            let vpc = self.record.vpc.clone();
            self.call(now, Purpose::Watch, Call::Tables { vpc });
        }
    }

    /// Often at first.
    fn look_step(&self, disposal: &Disposal) -> Duration {
        let begun = self.looks.begun.get(&disposal.instance);
        if begun.is_some_and(|at| self.now.since(*at) >= self.setup.policy.look_often) {
            self.setup.policy.poll_interval
        } else {
            self.poll_step()
        }
    }

    pub(super) fn on_looked(&mut self, flight: &Flight, result: Result<Reply, CallError>) {
        let Call::Instances { ids, .. } = &flight.call else { return };
        let found = match result {
            Ok(Reply::Instances(found)) => Ok(found),
            Ok(_) => return,
            Err(error) => Err(error.brief().to_string()),
        };
        for id in ids {
            let this = |found: &Vec<Instance>| found.iter().find(|i| i.id == *id).cloned();
            let what = found.as_ref().map(this).map_err(Clone::clone);
            self.views.others.insert(id.clone(), Seen { asked: flight.sent, what });
        }
    }

    fn next_of(&mut self, now: Mono, disposal: &Disposal, begun: Mono) -> Next {
        match self.other_since(&disposal.instance, begun) {
            None => return Next::Wait,
            Some(None) => return self.absent(disposal),
            Some(Some(_)) => {}
        }
        self.looks.absent.remove(&disposal.instance);
        let Some(Some(instance)) = self.other_since(&disposal.instance, begun) else {
            return Next::Wait;
        };
        if instance.state == InstanceState::Terminated {
            return Next::Gone(InstanceState::Terminated);
        }
        let by_person = (disposal.by_person || instance.stopped_by_user())
            && !mutant::is_alive(Mutant::IgnoresPerson);
        if disposal.why == Leftover::Former && by_person && !disposal.ordered {
            return Next::Keep("a person stopped it".to_string());
        }
        if instance.state == InstanceState::Stopped && disposal.mode == FenceMode::Stop {
            return Next::Gone(InstanceState::Stopped);
        }
        if disposal.mode == FenceMode::None {
            return Next::Keep("--fence none".to_string());
        }
        // An order may have got lost, with its answer or with the process that gave it.
        let given = self.looks.ordered.get(&disposal.instance).copied().unwrap_or(begun);
        let ending =
            matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Stopping);
        if disposal.ordered && (ending || now.since(given) < self.poll_step() * 3) {
            return Next::Wait;
        }
        self.last_look(now, disposal, begun, instance)
    }

    /// Listed nowhere, by several readings in a row: as good as terminated.
    fn absent(&mut self, disposal: &Disposal) -> Next {
        let Some(asked) = self.views.others.get(&disposal.instance).map(|seen| seen.asked) else {
            return Next::Wait;
        };
        let entry = self.looks.absent.entry(disposal.instance.clone()).or_insert((0, Mono(0)));
        if asked > entry.1 {
            *entry = (entry.0 + 1, asked);
        }
        if entry.0 >= ABSENT_READS {
            Next::Gone(InstanceState::Other("is not listed by EC2 any more".to_string()))
        } else {
            Next::Wait
        }
    }

    /// The verdict again, right before an order that can't be taken back.
    fn last_look(&self, now: Mono, disposal: &Disposal, begun: Mono, instance: &Instance) -> Next {
        let unscoped = mutant::is_alive(Mutant::SweepsUnscoped);
        if mutant::is_alive(Mutant::FencesUnlooked) || unscoped {
            return Next::Order;
        }
        if let Some(group) = instance.scaling_group() {
            return Next::Keep(format!("it belongs to the Auto Scaling group {group}"));
        }
        let tag = |key: &str| {
            let ours = |name: &str| name.strip_prefix(TAG_PREFIX) == Some(key);
            instance.tags.iter().find(|(name, _)| ours(name)).map(|(_, value)| value.as_str())
        };
        let ours = tag("vip").and_then(|text| text.parse().ok()) == Some(self.record.vip.address);
        if disposal.why != Leftover::Former && !ours {
            return Next::Keep("it doesn't carry our tags".to_string());
        }
        // What was launched for a move after the present one is somebody's who knows more than we.
        let generation = tag("generation").and_then(|text| text.parse::<u64>().ok());
        if generation.is_some_and(|generation| generation > self.record.generation + 1) {
            return Next::Keep("its tag tells of a later move than any we know".to_string());
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
        let serving = self.vip_answers(now)
            && self.is_well(now)
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

    /// Whether the VIP has answered for long enough that the old home isn't needed any more.
    fn is_well(&self, now: Mono) -> bool {
        let since = self.probing.vip_well_since();
        since.is_some_and(|since| now.since(since) >= self.setup.policy.fence_after)
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
        if disposal.why != Leftover::Former {
            return Next::Order;
        }
        match instance.state {
            InstanceState::Running => {}
            // On its way up or down: what it will be is not known yet.
            InstanceState::Pending | InstanceState::Other(_) => return Next::Wait,
            InstanceState::Stopping
            | InstanceState::Stopped
            | InstanceState::ShuttingDown
            | InstanceState::Terminated => return Next::Order,
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
        // Written down first: its end must not look like somebody else's doing after a crash.
        self.mark_ordered(&instance, true);
        self.looks.ordered.insert(instance.clone(), now);
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
        let found = |disposal: &&Disposal| disposal.instance == *instance;
        let Some(disposal) = self.record.disposals.iter().find(found).cloned() else { return };
        let error = match result {
            Ok(_) => {
                self.looks.asked.remove(instance);
                return;
            }
            Err(error) => error,
        };
        if error.class() != ErrorClass::UnknownOutcome {
            self.mark_ordered(instance, false);
        }
        // A root in an instance store or a one-time spot request: what can't stop takes the next
        // rung (EC2 API reference, StopInstances).
        if disposal.mode == FenceMode::Stop && error.brief() == "UnsupportedOperation" {
            self.next_rung(instance);
            return;
        }
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

    fn next_rung(&mut self, instance: &InstanceId) {
        let found = |disposal: &&mut Disposal| disposal.instance == *instance;
        if let Some(disposal) = self.record.disposals.iter_mut().find(found) {
            disposal.mode = FenceMode::Terminate;
            self.unsaved = true;
        }
        let text = format!("{instance} can't be stopped; it is terminated instead");
        self.say(Line::Notice { text });
    }

    fn mark_ordered(&mut self, instance: &InstanceId, ordered: bool) {
        let found = |disposal: &&mut Disposal| disposal.instance == *instance;
        if let Some(disposal) = self.record.disposals.iter_mut().find(found) {
            disposal.ordered = ordered;
            self.unsaved = true;
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
        self.looks.ordered.remove(instance);
        self.views.others.remove(instance);
        self.unsaved = true;
    }

    /// How many leftovers there are, for the last words.
    pub(super) fn leftovers(&self) -> impl Iterator<Item = &InstanceId> {
        self.record.disposals.iter().map(|disposal| &disposal.instance)
    }
}
