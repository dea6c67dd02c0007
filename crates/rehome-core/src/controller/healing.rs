//! Drift: a route or a source/dest check of ours that isn't as it should be, while nothing moves.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::proving::CHECK;
use super::{Controller, Purpose};
use crate::call::{Call, Reply};
use crate::fault::{CallError, ErrorClass};
use crate::mutant::{self, Mutant};
use crate::names::TableId;
use crate::probe::Hearing;
use crate::say::Line;
use crate::time::Mono;
use crate::verdict::Seen;
use crate::world::{InstanceState, Route, RouteState, RouteTable, Target};

const HEAL: &str = "heal";

/// How often a route is taken back from a living stranger, in how long, before somebody is called.
const TAKEN_BACK_MAX: usize = 2;
const TAKEN_BACK_WITHIN: Duration = Duration::from_secs(600);

/// What healing remembers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Healing {
    taken_back: BTreeMap<TableId, Vec<Mono>>,
    healed_at: BTreeMap<TableId, Mono>,
    pub(super) check_off_at: Option<Mono>,
}

/// What is wrong with a route, and so what may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ailment {
    /// There is none.
    Missing,
    /// It leads nowhere: what it led to is gone or off.
    Stale,
    /// It leads to something alive that isn't ours.
    Stranger(Target),
}

impl Controller {
    /// Puts drifted routes and the holder's source/dest check right, while nothing moves.
    pub(super) fn step_healing(&mut self, now: Mono) {
        if self.record.moving.is_some() || self.setup.policy.observe {
            return;
        }
        self.heal_check(now);
        if mutant::is_alive(Mutant::IgnoresDrift) {
            return;
        }
        // The tables are looked at after every event, and almost never ail.
        for (table, ailment) in self.ailing() {
            self.heal(now, &table, ailment);
        }
    }

    /// Tables of ours whose route isn't right by the last reading.
    fn ailing(&self) -> Vec<(RouteTable, Ailment)> {
        let Some(Seen { asked, what: Ok(tables) }) = &self.views.tables else { return Vec::new() };
        // A reading from before our own repair says nothing about it.
        let told = |table: &&RouteTable| {
            self.record.route_set.contains(&table.id)
                && self.healing.healed_at.get(&table.id).is_none_or(|at| at < asked)
        };
        let ail = |table: &RouteTable| {
            let ailment = self.ailment(table)?;
            Some((table.clone(), ailment))
        };
        tables.iter().filter(told).filter_map(ail).collect()
    }

    fn ailment(&self, table: &RouteTable) -> Option<Ailment> {
        let Some(route) = table.route(self.record.vip.destination) else {
            return Some(Ailment::Missing);
        };
        match route {
            Route { target: Target::Interface { id, .. }, .. }
                if *id == self.record.holder.interface =>
            {
                None
            }
            Route { state: RouteState::Blackhole, .. } => Some(Ailment::Stale),
            Route { target, .. } => Some(Ailment::Stranger(target.clone())),
        }
    }

    fn heal(&mut self, now: Mono, table: &RouteTable, ailment: Ailment) {
        let purpose = Purpose::Heal(table.id.clone());
        let running = self.views.instance.as_ref().is_some_and(|instance| {
            instance.id == self.record.holder.instance && instance.state == InstanceState::Running
        });
        if !running || !self.may_mutate() || self.in_flight(&purpose) || !self.may_retry(now, HEAL)
        {
            return;
        }
        if let Ailment::Stranger(target) = &ailment
            && !self.may_take_back(now, table, target)
        {
            return;
        }
        let interface = self.record.holder.interface.clone();
        let call = self.route_call(table.id.clone(), interface, ailment == Ailment::Missing);
        self.call(now, purpose, call);
    }

    /// A route that somebody pointed elsewhere: where the VIP answers there, somebody moved it and
    /// is right; where it is silent, it is taken back, but not for ever.
    fn may_take_back(&mut self, now: Mono, table: &RouteTable, target: &Target) -> bool {
        let vip = self.record.vip;
        if self.answers_there(now, table, target) {
            let why = format!(
                "the route in {} leads to {target} and {vip} answers; it is left there",
                table.id
            );
            self.say_once(Line::Held { why });
            return false;
        }
        let taken = self.healing.taken_back.entry(table.id.clone()).or_default();
        taken.retain(|at| now.since(*at) < TAKEN_BACK_WITHIN);
        if taken.len() >= TAKEN_BACK_MAX {
            let why = format!(
                "the route in {} was pointed to {target} again and again; somebody else writes it",
                table.id
            );
            self.say_once(Line::Held { why });
            return false;
        }
        true
    }

    /// Whether it is from there that the VIP answers us: through our own subnet's table where we
    /// know it, else only where no table of ours leads to the holder any more.
    fn answers_there(&self, now: Mono, table: &RouteTable, target: &Target) -> bool {
        if matches!(self.vip_hearing(now), Hearing::Silent { .. }) {
            return false;
        }
        let Some(Seen { what: Ok(tables), .. }) = &self.views.tables else { return true };
        if let Some(subnet) = &self.setup.near_subnet {
            return crate::placement::table_of(subnet, tables) == Some(&table.id);
        }
        let vip = self.record.vip.destination;
        let same =
            |other: &&RouteTable| other.route(vip).is_some_and(|route| route.target == *target);
        let ours = |other: &&RouteTable| self.record.route_set.contains(&other.id);
        tables.iter().filter(ours).all(|other| same(&other))
    }

    pub(super) fn on_healed(
        &mut self,
        now: Mono,
        table: &TableId,
        call: &Call,
        result: Result<Reply, CallError>,
    ) {
        let added = matches!(call, Call::CreateRoute { .. });
        match result {
            Ok(_) => {
                self.healing.healed_at.insert(table.clone(), now);
                if !added {
                    self.healing.taken_back.entry(table.clone()).or_default().push(now);
                }
                self.say_routed(table, call, added);
            }
            Err(error) => {
                if error.class() != ErrorClass::RouteExists {
                    let text = format!("Route in {table}: {}", error.brief());
                    self.say_once(Line::Notice { text });
                }
                self.back_off(now, HEAL);
            }
        }
    }

    /// The holder's source/dest check must be off, or EC2 drops what is sent to the VIP.
    fn heal_check(&mut self, now: Mono) {
        let Some(instance) = &self.views.instance else { return };
        let holder = &self.record.holder;
        let on = instance
            .interface(&holder.interface)
            .is_some_and(|interface| interface.source_dest_check == Some(true));
        let recently = self
            .healing
            .check_off_at
            .is_some_and(|at| now.since(at) < self.setup.policy.poll_interval);
        if !on || recently || instance.state != InstanceState::Running || !self.may_mutate() {
            return;
        }
        let purpose = Purpose::Check(holder.instance.clone());
        if !self.in_flight(&purpose) && self.may_retry(now, CHECK) {
            let interface = holder.interface.clone();
            self.call(now, purpose, Call::DisableSourceDestCheck { interface });
        }
    }
}
