//! What EC2 says: when it is asked, and what is kept of the answers.
//!
//! Every reading names the ids of one AZ. While all is well there is one round in each poll
//! interval; the third lost probe asks for everything again, once. An error makes the fact
//! unknown, and when EC2 can be read again after that, detection starts anew.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, Controller, Flight, Purpose, Wakeup};
use crate::call::{Call, Reply};
use crate::fault::{CallError, ErrorClass};
use crate::mutant::{self, Mutant};
use crate::names::{Az, GroupId, InstanceId, TableId};
use crate::placement::table_of;
use crate::say::{Line, StateSeen};
use crate::time::Mono;
use crate::verdict::{HolderSeen, Seen};
use crate::world::{
    Effect, Instance, InstanceState, PathPart, Route, RouteTable, Status, Target, Zone,
};

mod routes;
mod way;

/// Lost probes in a row that make EC2 be asked out of turn.
const LOSSES_TO_ASK: u32 = 3;

/// Readings in a row that don't list an instance before it is called gone: EC2 is eventually
/// consistent, and one list without it proves nothing.
pub(super) const ABSENT_READS: u32 = 3;

/// Between two readings of the zones while all is well: they hardly ever change.
const ZONES_EVERY: Duration = Duration::from_secs(60);

/// A reading that takes longer than this isn't awaited any more: that it is missing is told.
const AWAITED: Duration = Duration::from_secs(1);

/// What is known of EC2's side, with ages.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Views {
    pub(super) holder: Option<Seen<HolderSeen>>,
    pub(super) instance: Option<Instance>,
    /// Whether the record's launch specification follows `instance` already.
    #[serde(skip)]
    spec_follows: bool,
    last_state: Option<(InstanceState, Mono)>,
    /// When the newest answer about the holder was asked for.
    pub(super) read_at: Option<Mono>,
    absent: u32,
    /// Since when the present holder is that, where it became so before our eyes.
    #[serde(default)]
    new_since: Option<Mono>,
    /// When a list by filter was asked for that doesn't have the holder either.
    unlisted: Option<Mono>,
    /// What the readings agree on, and since which of them.
    scene: Option<(Mono, Scene)>,
    impaired: Option<Seen<Option<String>>>,
    pub(super) tables: Option<Seen<Vec<RouteTable>>>,
    path: Option<Seen<Vec<PathPart>>>,
    /// When the newest part of `path` came: EC2 may have been asked for it only shortly before.
    #[serde(default)]
    path_came: Option<Mono>,
    /// Whether `path` is known to be what the record has as the path that works: compared once,
    /// and not after every event.
    #[serde(skip)]
    path_works: bool,
    /// What `tables` adds to the path, where it was worked out already.
    #[serde(skip)]
    table_parts: Option<Vec<PathPart>>,
    zones: Option<Seen<Vec<Zone>>>,
    pub(super) others: BTreeMap<InstanceId, Seen<Option<Instance>>>,
    pub(super) statuses: BTreeMap<InstanceId, Status>,
    polled_at: Option<Mono>,
    suspected_at: Option<Mono>,
    readable: bool,
    refresh: bool,
    /// Whether what is under way was asked to hurry.
    #[serde(default)]
    hurried: bool,
}

/// What has to be the same in two readings before somebody without a past launches anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Scene {
    holder: HolderSeen,
    targets: Vec<(TableId, Target)>,
}

impl Views {
    /// How long the readings of the holder and of the routes have agreed, from the first of them
    /// to the last.
    pub(super) fn agreed_for(&self) -> Duration {
        match (&self.scene, &self.holder) {
            (Some((since, _)), Some(seen)) => seen.asked.since(*since),
            (None, _) | (_, None) => Duration::ZERO,
        }
    }

    /// The parts of the path that differ from when it last `worked`.
    pub(super) fn path_changes(
        &self,
        worked: &[PathPart],
        groups: &[GroupId],
    ) -> Option<Seen<Vec<String>>> {
        let seen = self.path.as_ref()?;
        let what = match &seen.what {
            Err(why) => Err(why.clone()),
            Ok(_) if worked.is_empty() => Err("never read while it worked".to_string()),
            Ok(_) if self.path_works => Ok(Vec::new()),
            Ok(now) => Ok(way::changes(worked, now, groups)),
        };
        Some(Seen { asked: seen.asked, what })
    }

    /// EC2's word on the holder, with the status checks only where they were read `since`.
    pub(super) fn holder_seen(&self, since: Mono) -> Option<Seen<HolderSeen>> {
        let mut seen = self.holder.clone()?;
        if let Ok(HolderSeen::There { impaired, .. }) = &mut seen.what {
            let fresh = self.impaired.as_ref().filter(|checks| checks.asked >= since);
            *impaired = fresh.and_then(|checks| checks.what.clone().ok().flatten());
        }
        Some(seen)
    }

    /// Whether EC2 calls a zone available.
    pub(super) fn zone_seen(&self, az: &Az) -> Option<Seen<bool>> {
        let seen = self.zones.as_ref()?;
        let what = seen.what.as_ref().map_err(Clone::clone).and_then(|zones| {
            let zone = zones.iter().find(|zone| zone.name == *az);
            zone.map(|zone| zone.available).ok_or_else(|| format!("{az} isn't listed"))
        });
        Some(Seen { asked: seen.asked, what })
    }

    /// Whether EC2 answered the last time it was asked about the holder.
    pub(super) fn is_readable(&self) -> bool {
        self.readable
    }

    fn forget_failed(&mut self, asked: Mono, call: &Call, why: &str) {
        let why = why.to_string();
        match call {
            Call::Tables { .. } => {
                self.tables = Some(Seen { asked, what: Err(why) });
                self.table_parts = None;
            }
            Call::Path { .. } => {
                self.path = Some(Seen { asked, what: Err(why) });
                self.path_works = false;
            }
            Call::Zones => self.zones = Some(Seen { asked, what: Err(why) }),
            Call::Instances { ids, .. } | Call::Listed { ids } => {
                for id in ids {
                    self.others.insert(id.clone(), Seen { asked, what: Err(why.clone()) });
                }
            }
            Call::Statuses { .. } => self.impaired = None,
            Call::Launched { .. }
            | Call::Launch(_)
            | Call::DisableSourceDestCheck { .. }
            | Call::ReplaceRoute { .. }
            | Call::CreateRoute { .. }
            | Call::Stop { .. }
            | Call::Terminate { .. } => {}
        }
    }

    /// A new holder: what was known of the old one says nothing about it.
    pub(super) fn on_new_holder(&mut self, now: Mono, holder: &InstanceId) {
        self.new_since = Some(now);
        // Nor is the doubt about it a reason to wait with the next.
        self.suspected_at = None;
        self.holder = None;
        self.instance = None;
        self.spec_follows = false;
        self.last_state = None;
        self.absent = 0;
        self.unlisted = None;
        self.scene = None;
        self.impaired = None;
        self.others.remove(holder);
        self.path = None;
        self.path_works = false;
        self.table_parts = None;
        self.refresh = true;
    }
}

impl Controller {
    /// Asks EC2 when a round is due, or when the third probe was lost.
    pub(super) fn step_polls(&mut self, now: Mono) {
        self.note_what_works(now);
        let policy = &self.setup.policy;
        let spaced = self.views.suspected_at.is_none_or(|at| now.since(at) >= policy.poll_interval);
        if self.probing.vip_losses() >= LOSSES_TO_ASK && spaced {
            self.views.suspected_at = Some(now);
            self.views.refresh = true;
            let (losses, vip) = (self.probing.vip_losses(), self.record.vip);
            let evidence = format!("{losses} probes to {vip} lost in a row");
            self.say_once(Line::Suspect { evidence });
        }
        let due = self.poll_due();
        if self.in_flight(&Purpose::Watch) {
            if self.views.refresh && !core::mem::replace(&mut self.views.hurried, true) {
                self.actions.push(Action::Hurry);
            }
            return;
        }
        self.views.hurried = false;
        if now < due && !self.views.refresh {
            return;
        }
        let out_of_turn = core::mem::take(&mut self.views.refresh);
        self.views.polled_at = Some(now);
        let urgent = out_of_turn
            || self.probing.vip_losses() > 0
            || self.record.moving.is_some()
            || self.views.absent > 0
            || !self.views.readable;
        for call in self.round(now, out_of_turn) {
            if urgent {
                self.call(now, Purpose::Watch, call);
            } else {
                self.read_at_leisure(now, Purpose::Watch, call);
            }
        }
    }

    /// Everything that a verdict needs of EC2.
    fn round(&self, now: Mono, out_of_turn: bool) -> Vec<Call> {
        let (az, id) = (self.record.holder.az.clone(), self.record.holder.instance.clone());
        let vpc = self.record.vpc.clone();
        let mut calls = alloc::vec![Call::Instances { az: az.clone(), ids: [id.clone()].into() }];
        if self.views.absent > 0 {
            calls.push(Call::Listed { ids: [id.clone()].into() });
        }
        calls.push(Call::Statuses { az, ids: [id].into() });
        calls.push(Call::Tables { vpc: vpc.clone() });
        let (groups, subnets) = self.path_ends();
        let interface = self.setup.near_interface.clone();
        calls.push(Call::Path { vpc, groups, subnets, interface });
        let zones = self.views.zones.as_ref();
        if out_of_turn || zones.is_none_or(|seen| now.since(seen.asked) >= ZONES_EVERY) {
            calls.push(Call::Zones);
        }
        calls
    }

    /// The next round after the last one: soon while something is doubtful.
    fn poll_due(&self) -> Mono {
        let Some(polled) = self.views.polled_at else { return self.begun };
        let policy = &self.setup.policy;
        let doubtful = self.probing.vip_losses() >= LOSSES_TO_ASK
            && (!self.views.readable || self.views.absent > 0 || self.views.instance.is_none());
        let moving = self.record.moving.is_some() && self.held_until.is_none();
        if doubtful || moving {
            polled + policy.poll_interval.min(policy.poll_interval_moving * 2)
        } else {
            polled + policy.poll_interval
        }
    }

    pub(super) fn next_poll(&self) -> Option<Wakeup> {
        if self.in_flight(&Purpose::Watch) {
            return None;
        }
        Some(Wakeup { at: self.poll_due(), why: "read EC2" })
    }

    fn path_ends(&self) -> (Vec<GroupId>, Vec<crate::names::SubnetId>) {
        let mut groups = self.setup.near_groups.clone();
        groups.extend(self.record.holder.groups.iter().cloned());
        groups.sort();
        groups.dedup();
        let mut subnets = alloc::vec![self.record.holder.subnet.clone()];
        subnets.extend(self.setup.near_subnet.clone());
        (groups, subnets)
    }

    pub(super) fn on_watched(
        &mut self,
        now: Mono,
        flight: &Flight,
        result: Result<Reply, CallError>,
    ) {
        if !self.concerns_holder(&flight.call) {
            return;
        }
        if let Err(error) = &result
            && error.class() == ErrorClass::Fatal
        {
            let text = format!("EC2 refuses {}: {}", flight.call.action(), error.brief());
            self.say_once(Line::Notice { text });
        }
        match result {
            Ok(Reply::Instances(found)) => {
                let id = &self.record.holder.instance;
                let holder = found.into_iter().find(|instance| instance.id == *id);
                if holder.is_none() && matches!(flight.call, Call::Listed { .. }) {
                    self.views.unlisted = Some(flight.sent);
                } else {
                    self.on_holder(flight.sent, holder);
                }
            }
            Ok(Reply::Statuses(statuses)) => self.on_statuses(flight.sent, statuses),
            Ok(Reply::Tables(tables)) => {
                let known = self.views.tables.as_ref().and_then(|seen| seen.what.as_ref().ok());
                let same = known == Some(&tables);
                self.views.tables = Some(Seen { asked: flight.sent, what: Ok(tables) });
                if same {
                    return;
                }
                self.views.table_parts = None;
                let parts = self.table_parts();
                if let Some(Seen { what: Ok(known), .. }) = &mut self.views.path {
                    known.retain(|part| parts.iter().all(|other| other.name != part.name));
                    known.extend(parts);
                    self.views.path_came = Some(now);
                    self.views.path_works = self.record.path == *known;
                }
            }
            Ok(Reply::Path(mut parts)) => {
                parts.extend(self.table_parts());
                self.views.path_works = self.record.path == parts;
                self.views.path_came = Some(now);
                self.views.path = Some(Seen { asked: flight.sent, what: Ok(parts) });
            }
            Ok(Reply::Zones(zones)) => {
                self.views.zones = Some(Seen { asked: flight.sent, what: Ok(zones) });
            }
            Ok(Reply::Launched(_) | Reply::Done) => {}
            Err(error) => {
                self.views.forget_failed(flight.sent, &flight.call, error.brief());
                if matches!(flight.call, Call::Instances { .. }) {
                    let dead = mutant::is_alive(Mutant::ErrorMeansDead);
                    let what =
                        if dead { Ok(HolderSeen::Gone) } else { Err(error.brief().to_string()) };
                    self.views.holder = Some(Seen { asked: flight.sent, what });
                    self.views.readable = false;
                }
            }
        }
    }

    /// The tables at both ends of the path, apart from our own route: the way there and back.
    fn table_parts(&mut self) -> Vec<PathPart> {
        if let Some(parts) = &self.views.table_parts {
            return parts.clone();
        }
        let parts = self.digest_tables();
        self.views.table_parts = Some(parts.clone());
        parts
    }

    fn digest_tables(&self) -> Vec<PathPart> {
        let Some(Seen { what: Ok(tables), .. }) = &self.views.tables else { return Vec::new() };
        let ends = [Some(&self.record.holder.subnet), self.setup.near_subnet.as_ref()];
        let ids: BTreeSet<&TableId> =
            ends.into_iter().flatten().filter_map(|subnet| table_of(subnet, tables)).collect();
        let part = |table: &RouteTable| {
            let others = table.routes.iter().filter(|route| self.is_on_the_way(route));
            let line = |route: &Route| format!("{} {}", route.destination, route.target);
            let lines = others.map(|route| (Effect::Either, line(route)));
            PathPart::new(format!("route table {}", table.id), lines)
        };
        tables.iter().filter(|table| ids.contains(&table.id)).map(part).collect()
    }

    /// Whether a route can matter to packets between us and the holder. Other overlay addresses in
    /// the same table move on their own, and often at the same time as ours.
    fn is_on_the_way(&self, route: &Route) -> bool {
        let to = route.destination;
        let near = self.setup.sources.iter().flatten();
        let covers = |address: &Ipv4Addr| to.contains(*address);
        to != self.record.vip.destination
            && (to.prefix() < 32
                || to.contains(self.record.holder.address)
                || near.into_iter().any(covers))
    }

    /// Whether an answer is about the present holder: one that was asked before a move ended isn't.
    fn concerns_holder(&self, call: &Call) -> bool {
        let holder = &self.record.holder;
        match call {
            Call::Instances { ids, .. } | Call::Listed { ids } | Call::Statuses { ids, .. } => {
                ids.contains(&holder.instance)
            }
            Call::Path { subnets, .. } => subnets.contains(&holder.subnet),
            Call::Tables { .. }
            | Call::Zones
            | Call::Launched { .. }
            | Call::Launch(_)
            | Call::DisableSourceDestCheck { .. }
            | Call::ReplaceRoute { .. }
            | Call::CreateRoute { .. }
            | Call::Stop { .. }
            | Call::Terminate { .. } => true,
        }
    }

    fn on_holder(&mut self, asked: Mono, holder: Option<Instance>) {
        self.views.read_at = self.views.read_at.max(Some(asked));
        // Reading again after not being able to: what was counted in the dark doesn't count.
        if !self.views.readable {
            self.views.readable = true;
            if self.views.holder.is_some() {
                self.probing.void();
            }
            // Nor does the time in which a candidate couldn't be looked at.
            self.renew_attempt();
        }
        let what = match &holder {
            Some(instance) => {
                self.views.absent = 0;
                self.views.unlisted = None;
                self.views.last_state = Some((instance.state.clone(), asked));
                Ok(HolderSeen::There { state: instance.state.clone(), impaired: None })
            }
            None => {
                self.views.absent += 1;
                // A new id may be listed by one of EC2's servers and not yet by the next.
                let young = self
                    .views
                    .new_since
                    .is_some_and(|since| self.now.since(since) < self.setup.policy.invisible_max);
                let absent = self.views.absent >= ABSENT_READS && self.views.unlisted.is_some();
                if absent && !young {
                    Ok(HolderSeen::Gone)
                } else {
                    Err("EC2 doesn't list it; looking again".to_string())
                }
            }
        };
        self.views.holder = Some(Seen { asked, what });
        if let Some(interface) = holder.as_ref().and_then(Instance::primary_interface)
            && interface.groups != self.record.holder.groups
        {
            self.record.holder.groups.clone_from(&interface.groups);
            self.unsaved = true;
        }
        if holder.is_some() && self.views.instance != holder {
            self.views.instance = holder;
            self.views.spec_follows = false;
        }
        self.note_scene(asked);
        self.refresh_spec();
    }

    /// Remembers since when the readings have shown the same.
    fn note_scene(&mut self, asked: Mono) {
        let Some(Seen { what: Ok(holder), .. }) = &self.views.holder else { return };
        let Some(Seen { what: Ok(tables), .. }) = &self.views.tables else { return };
        let ours = tables.iter().filter(|table| self.record.route_set.contains(&table.id));
        let target = |table: &RouteTable| {
            let route = table.route(self.record.vip.destination)?;
            Some((table.id.clone(), route.target.clone()))
        };
        let targets = ours.filter_map(target).collect();
        let scene = Scene { holder: holder.clone(), targets };
        if self.views.scene.as_ref().is_none_or(|(_, known)| *known != scene) {
            self.views.scene = Some((asked, scene));
        }
    }

    fn on_statuses(&mut self, asked: Mono, statuses: Vec<Status>) {
        for status in statuses {
            if status.instance == self.record.holder.instance {
                for event in &status.events {
                    let instance = &status.instance;
                    let text = format!("EC2 has scheduled an event for {instance}: {event}");
                    self.say_once(Line::Notice { text });
                }
                let impaired = status.impaired().map(String::from);
                self.views.impaired = Some(Seen { asked, what: Ok(impaired) });
            }
            self.views.statuses.insert(status.instance.clone(), status);
        }
    }

    /// The path as it is while the VIP answers is the path that works; an answer counts only when
    /// its probe was sent after the reading came, or a group closed in between would pass for a
    /// working one.
    fn note_what_works(&mut self, now: Mono) {
        if self.views.path_works {
            return;
        }
        let (Some(came), Some(Seen { what: Ok(parts), .. })) =
            (self.views.path_came, &self.views.path)
        else {
            return;
        };
        let first = self.record.path.is_empty();
        let answered = self.probing.vip_answered_at();
        let healthy = self.vip_answers(now) && self.probing.vip_losses() == 0;
        let after = answered.is_some_and(|at| at > came + self.setup.policy.timeout);
        let proven = after || (first && answered.is_some_and(|at| at > came));
        if !healthy || !proven {
            return;
        }
        if self.record.path != *parts {
            self.record.path.clone_from(parts);
            self.unsaved = true;
        }
        self.views.path_works = true;
    }

    /// Replacements follow the holder: groups, tags and the like that people change while it is
    /// healthy are carried into the next one.
    fn refresh_spec(&mut self) {
        let Some(instance) = &self.views.instance else { return };
        let settled = instance.state == InstanceState::Running && self.record.moving.is_none();
        if self.views.spec_follows || !settled {
            return;
        }
        self.views.spec_follows = true;
        let spec = self.record.spec.refreshed(instance, &self.setup.wishes);
        if spec != self.record.spec {
            self.record.spec = spec;
            self.unsaved = true;
        }
    }

    /// EC2's word on the holder, for the status line.
    pub(super) fn state_seen(&self, now: Mono) -> StateSeen {
        let last = self.views.last_state.as_ref();
        match &self.views.holder {
            Some(Seen { what: Ok(HolderSeen::There { state, .. }), .. }) => {
                StateSeen::Known(state.clone())
            }
            Some(Seen { what: Ok(HolderSeen::Gone), .. }) => StateSeen::NotFound,
            Some(Seen { what: Err(why), .. }) => StateSeen::Unknown {
                why: why.clone(),
                last: last.map(|(state, at)| (state.clone(), now.since(*at))),
            },
            None => StateSeen::Unknown { why: "not read yet".to_string(), last: None },
        }
    }

    /// Whether what `others` says of an instance is younger than `age`.
    pub(super) fn other_since(&self, id: &InstanceId, since: Mono) -> Option<&Option<Instance>> {
        let seen = self.views.others.get(id).filter(|seen| seen.asked >= since)?;
        seen.what.as_ref().ok()
    }

    /// Whether EC2 was asked for what a verdict rests on so lately that its answer may be awaited.
    pub(super) fn is_asking(&self, now: Mono) -> bool {
        let young =
            |flight: &Flight| flight.purpose == Purpose::Watch && now.since(flight.sent) < AWAITED;
        self.flights.values().any(young)
    }

    /// The tables as read since `since`; asks for them where they weren't.
    pub(super) fn tables_since(&mut self, now: Mono, since: Mono) -> Option<Vec<RouteTable>> {
        if let Some(Seen { asked, what: Ok(tables) }) = &self.views.tables
            && *asked >= since
        {
            return Some(tables.clone());
        }
        let asked = self.views.tables.as_ref().map(|seen| seen.asked);
        let again = asked.is_none_or(|at| at < since || now >= at + self.poll_step());
        if again && !self.in_flight(&Purpose::Watch) {
            let vpc = self.record.vpc.clone();
            self.call(now, Purpose::Watch, Call::Tables { vpc });
        }
        None
    }

    /// Readings are asked again this soon while something depends on them.
    pub(super) fn poll_step(&self) -> Duration {
        self.setup.policy.poll_interval_moving
    }
}
