//! What a strike of each kind does to the world, and how it ends.

mod api;
mod guests;
mod machine;
mod people;
mod standbys;

use std::mem;

use ec2_model::api::{ModifyInstanceAttribute, RebootInstances, Request};
use ec2_model::{Lag, Reads};

use crate::fault::{Kind, TABLE};
use crate::guest;
use crate::network;
use crate::plan::CALM_AT;
use crate::time::{MS, SEC, model};
use crate::world::{ApiWeather, Ev, World};

/// What ends a stroke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The kind says all.
    None,
    /// A fault of the model.
    Fault(u64),
    /// A zone, a subnet or an instance.
    Name(String),
    /// A route: table, destination, and the interface that it was pointed to.
    Route(String, String, String),
    /// A process.
    Process(usize),
}

/// What came of a strike.
pub(crate) enum Struck {
    /// There was nothing to strike.
    Missed,
    /// It happened.
    Once,
    /// It began.
    Lasting(Token),
}

impl World {
    pub(crate) fn strike_by(&mut self, number: usize) {
        let knob = self.plan.knobs[number];
        let next = self.now + SEC + self.rng.below(2 * knob.every);
        if next < CALM_AT {
            self.push(next, Ev::Strike { knob: number });
        }
        let index = knob.kind as usize;
        if self.calm || self.active[index].is_some() {
            return;
        }
        let lasts = self.rng.between(knob.lasts.0, knob.lasts.1) * SEC;
        let strength = self.rng.between(knob.strength.0.into(), knob.strength.1.into());
        let name = knob.kind.spec().name;
        match self.strike(knob.kind, strength) {
            Struck::Missed => {}
            Struck::Once => {
                self.strikes[index] += 1;
                self.trace.note(format_args!("fault: {name} ({strength})"));
            }
            Struck::Lasting(token) => {
                self.strikes[index] += 1;
                let seconds = lasts / SEC;
                self.trace.note(format_args!("fault: {name} ({strength}) for {seconds} s"));
                self.strokes += 1;
                self.active[index] = Some((self.strokes, token));
                self.refresh();
                self.push(self.now + lasts, Ev::Over { kind: index, stroke: self.strokes });
            }
        }
    }

    pub(crate) fn strike(&mut self, kind: Kind, strength: u64) -> Struck {
        if kind <= Kind::EndHangs {
            self.strike_api(kind, strength)
        } else if kind <= Kind::NewbornsCut {
            self.strike_network(kind, strength)
        } else if kind <= Kind::Second {
            self.strike_machine(kind, strength)
        } else if kind <= Kind::NewbornsDie {
            self.strike_guest(kind, strength)
        } else if kind <= Kind::Protects {
            self.strike_people(kind, strength)
        } else {
            self.strike_standby(kind, strength)
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other families have their own")]
    fn strike_network(&mut self, kind: Kind, strength: u64) -> Struck {
        let permille = u32::try_from(strength).unwrap_or(1_000);
        let zone = self.rng.index(self.account.zones.len());
        let address = self.source(usize::try_from(strength).unwrap_or(0));
        let net = &mut self.net;
        match kind {
            Kind::Loss => net.loss = permille,
            Kind::LossOut => net.loss_out = permille,
            Kind::LossIn => net.loss_in = permille,
            Kind::ZoneCut => net.cut_zone = Some(self.account.zones[zone].clone()),
            Kind::CutOff => net.cut_off = true,
            Kind::Deaf => net.deaf = true,
            Kind::LateAnswers => net.late = strength * MS,
            Kind::Duplicates => net.twice = permille,
            Kind::Reordered => net.reordered = permille,
            Kind::OverlayDeaf => net.overlay_deaf = true,
            Kind::NoAddress => net.lost_address = address,
            Kind::NoRoute => net.no_route = true,
            Kind::NewbornsCut => self.weather.newborns_cut = true,
            _ => return Struck::Missed,
        }
        Struck::Lasting(Token::None)
    }

    /// One of the monitor's addresses.
    fn source(&self, number: usize) -> Option<std::net::Ipv4Addr> {
        let monitor = self.plane.instances.iter().find(|i| i.id == self.account.monitors[0]);
        match number {
            0 if self.plan.overlay => Some(crate::account::OVERLAY),
            _ => monitor.map(|instance| instance.private_ip),
        }
    }

    /// A stroke's time is over.
    pub(crate) fn over(&mut self, kind: usize, stroke: u64) {
        if !matches!(&self.active[kind], Some((number, _)) if *number == stroke) {
            return;
        }
        if let Some((_, token)) = self.active[kind].take() {
            self.trace.note(format_args!("over: {}", TABLE[kind].name));
            self.undo(TABLE[kind].kind, token);
            let closed = [Kind::GroupClosed, Kind::AclClosed];
            if closed.into_iter().all(|kind| self.active[kind as usize].is_none()) {
                self.closed_since = None;
            }
            self.refresh();
        }
    }

    fn undo(&mut self, kind: Kind, token: Token) {
        let time = model(self.now);
        if let Token::Fault(number) = token {
            self.ec2.remove_fault(number);
            return;
        }
        let usual = network::Weather::default();
        match (kind, token) {
            (Kind::Throttled, _) => self.ec2.set_noisy_neighbor(0),
            (Kind::SlowAnswers, _) => self.api.slow = 0,
            (Kind::LateEffect, _) => self.api.linger = 0,
            (Kind::ApiDown, _) => self.api.down = None,
            (Kind::NoCapacity, Token::Name(zone)) => self.ec2.set_capacity(&zone, None, None),
            (Kind::Invisible, _) => self.ec2.set_visibility_delay(0),
            (Kind::StaleInstances, _) => self.ec2.set_lag(Reads::Instances, Lag::default()),
            (Kind::StaleRoutes, _) => self.ec2.set_lag(Reads::Routes, Lag::default()),
            (Kind::ZoneImpaired, Token::Name(zone)) => {
                self.ec2.heal(time, &zone);
            }
            (Kind::ZoneDies, Token::Name(zone)) => self.revive_zone(&zone),
            (Kind::CheckImpaired, Token::Name(id)) => {
                self.ec2.heal(time, &id);
            }
            (Kind::EndHangs, Token::Name(id)) => {
                self.ec2.set_hanging(time, &id, false);
            }
            (Kind::SubnetFull, Token::Name(subnet)) => {
                self.ec2.set_free_addresses(&subnet, None);
            }
            (Kind::Loss, _) => self.net.loss = 0,
            (Kind::LossOut, _) => self.net.loss_out = 0,
            (Kind::LossIn, _) => self.net.loss_in = 0,
            (Kind::ZoneCut, _) => self.net.cut_zone = None,
            (Kind::CutOff, _) => self.net.cut_off = false,
            (Kind::Deaf, _) => self.net.deaf = false,
            (Kind::LateAnswers, _) => self.net.late = 0,
            (Kind::Duplicates, _) => self.net.twice = 0,
            (Kind::Reordered, _) => self.net.reordered = 0,
            (Kind::OverlayDeaf, _) => self.net.overlay_deaf = false,
            (Kind::NoAddress, _) => self.net.lost_address = usual.lost_address,
            (Kind::NoRoute, _) => self.net.no_route = false,
            (Kind::NewbornsCut, _) => self.reconnect(),
            (Kind::Sluggish, Token::Process(process)) => self.processes[process].sluggish = 0,
            (Kind::StoreFails, Token::Process(process)) => self.disks[process].fails = false,
            (Kind::StoreSlow, Token::Process(process)) => self.disks[process].slow = 0,
            (Kind::Second, Token::Process(process)) => self.stop_second(process),
            (Kind::GuestHang, Token::Name(id)) => self.set_dead(&id, false),
            (Kind::UserDataFails, _) => self.weather.no_user_data = false,
            (Kind::SlowBoot, _) => self.weather.slow_boot = 0,
            (Kind::Forgetful, _) => self.weather.forgetful = false,
            (Kind::NewbornsDie, _) => self.weather.newborns_die = None,
            (Kind::Steals, Token::Route(table, destination, to)) => {
                self.put_back(&table, &destination, &to);
            }
            (Kind::GroupClosed, _) => self.open_group(),
            (Kind::AclClosed, Token::Name(acl)) => self.open_acl(&acl),
            (Kind::Pauses, Token::Process(process)) => self.set_paused(process, false),
            (Kind::Protects, Token::Name(id)) => self.set_protected(&id, false),
            _ => {}
        }
    }

    fn set_protected(&mut self, id: &str, protected: bool) {
        let change = ec2_model::api::AttributeChange::DisableApiTermination(protected);
        let request = ModifyInstanceAttribute {
            instance_id: id.to_owned(),
            changes: vec![change],
            ..ModifyInstanceAttribute::default()
        };
        self.operate(&Request::ModifyInstanceAttribute(request));
    }

    fn revive_zone(&mut self, zone: &str) {
        self.ec2.heal(model(self.now), zone);
        let there = self.plane.instances.iter().filter(|i| i.az == *zone);
        let ids: Vec<String> = there
            .filter(|instance| {
                let guest = self.guests.iter().find(|guest| guest.id == instance.id);
                guest.is_some_and(|guest| guest.dead)
            })
            .map(|instance| instance.id.clone())
            .collect();
        for id in ids {
            let request = RebootInstances { instance_ids: vec![id], ..RebootInstances::default() };
            self.operate(&Request::RebootInstances(request));
        }
    }

    fn reconnect(&mut self) {
        self.weather.newborns_cut = false;
        for guest in &mut self.guests {
            guest.cut = false;
        }
        self.refresh();
    }

    /// All faults end. What remains is the API, the monitor's paths, and one zone with capacity.
    pub(crate) fn calm_down(&mut self) {
        self.trace.note(format_args!("calm: every fault is over"));
        for (kind, spec) in TABLE.iter().enumerate() {
            if let Some((_, token)) = self.active[kind].take() {
                self.undo(spec.kind, token);
            }
        }
        self.calm = true;
        self.closed_since = None;
        self.ec2.clear_faults();
        self.api = ApiWeather::default();
        let usual = network::Weather::default();
        self.net = network::Weather { plain_loss: self.net.plain_loss, ..usual };
        self.weather = guest::Weather::default();
        for guest in &mut self.guests {
            guest.cut = false;
            if guest.dies_at > self.now {
                guest.dies_at = u64::MAX;
            }
        }
        for process in 0..self.processes.len() {
            self.processes[process].crash_in = None;
        }
        if let Some(last) = self.plan.last_zone {
            for (index, zone) in mem::take(&mut self.account.zones).into_iter().enumerate() {
                if index != usize::from(last) {
                    self.ec2.set_capacity(&zone, None, Some(0));
                }
                self.account.zones.push(zone);
            }
        }
        self.refresh();
        for number in 0..self.plan.vips {
            // Two stories of one VIP: only people can tell which one goes on.
            if self.disks[number].lost || self.disks[number + self.plan.vips].lineage > 0 {
                self.straighten(number);
            }
        }
        self.push(self.now + 30 * SEC, Ev::Resume);
    }
}
