//! Cut, read back, verify; or back to where the routes led before.
//!
//! Between the commit and the first `ReplaceRoute` stands one durable write and nothing else. All
//! tables are replaced at once, each with its own retries; only a reading that shows every route
//! active counts, and only the VIP answering from its new home ends the move.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Controller, Purpose, Wakeup};
use crate::call::{Call, Reply};
use crate::fault::{CallError, ErrorClass};
use crate::mutant::{self, Mutant};
use crate::names::{InterfaceId, TableId};
use crate::probe::Hearing;
use crate::record::{Disposal, Home, Leftover, Move, Stage};
use crate::say::Line;
use crate::time::{Mono, Short, Unix};
use crate::verdict::{HolderSeen, Seen};
use crate::world::{Instance, InstanceState, RouteTable, Target};

const ROUTE: &str = "route";

/// The progress of a cut; it can be forgotten, because the tables tell it again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cut {
    pub(super) begun: Option<Mono>,
    done: BTreeSet<TableId>,
    missing: BTreeSet<TableId>,
    read_at: Option<Mono>,
    silent_since: Option<Mono>,
    /// A cut that was interrupted goes on only after the tables were read since then.
    look_from: Option<Mono>,
    /// The canary table's route is active, and the VIP has to answer through it.
    #[serde(default)]
    canary_read: bool,
    /// It does, so the other tables may follow.
    #[serde(default)]
    canary_proven: bool,
    /// A signal came before the cut was finished, and it is being taken back.
    turned_back: bool,
}

impl Controller {
    /// Whether routes are half way.
    pub(super) fn is_cutting(&self) -> bool {
        self.record
            .moving
            .as_ref()
            .is_some_and(|moving| matches!(moving.stage, Stage::Cutting | Stage::RollingBack))
    }

    pub(super) fn cut_deadline(&self) -> Option<Wakeup> {
        let begun = self.cut.begun?;
        let moving = self.record.moving.as_ref()?;
        let policy = &self.setup.policy;
        let within = match moving.stage {
            Stage::Preparing => return None,
            Stage::Cutting if self.is_canary_awaited() => policy.verify_within,
            Stage::Cutting | Stage::RollingBack => policy.cut_within,
            Stage::Verifying => policy.verify_within,
        };
        Some(Wakeup { at: begun + within, why: "cut overdue" })
    }

    /// Writes the cut down and replaces all routes.
    pub(super) fn begin_cut(&mut self, now: Mono, home: Home) {
        let old_targets = self.targets();
        let silent_since = match self.vip_hearing(now) {
            Hearing::Silent { since, .. } => Some(since),
            Hearing::Answers | Hearing::Unknown(_) => None,
        };
        let moving = self.record.moving.as_mut().expect("a cut belongs to a move");
        if moving.old_targets.is_empty() {
            moving.old_targets = old_targets;
        }
        moving.stage = Stage::Cutting;
        moving.cut_to = Some(home);
        self.cut = Cut { begun: Some(now), silent_since, ..Cut::default() };
        self.cut.missing = self.missing_routes();
        self.unsaved = true;
        self.say(Line::Cutting);
        self.step_cutting(now);
    }

    /// Where our routes lead by the last reading.
    fn targets(&self) -> BTreeMap<TableId, InterfaceId> {
        let Some(Seen { what: Ok(tables), .. }) = &self.views.tables else {
            return BTreeMap::new();
        };
        let target = |table: &RouteTable| match &table.route(self.record.vip.destination)?.target {
            Target::Interface { id, .. } => Some((table.id.clone(), id.clone())),
            Target::Other(_) => None,
        };
        let ours = |table: &&RouteTable| self.record.route_set.contains(&table.id);
        tables.iter().filter(ours).filter_map(target).collect()
    }

    fn missing_routes(&self) -> BTreeSet<TableId> {
        let Some(Seen { what: Ok(tables), .. }) = &self.views.tables else {
            return BTreeSet::new();
        };
        tables
            .iter()
            .filter(|table| self.record.route_set.contains(&table.id))
            .filter(|table| table.route(self.record.vip.destination).is_none())
            .map(|table| table.id.clone())
            .collect()
    }

    fn cut_home(&self) -> Home {
        self.record
            .moving
            .as_ref()
            .and_then(|moving| moving.cut_to.clone())
            .expect("a cut has somewhere to go")
    }

    /// Begins a cut, or a roll-back, from where the tables are now.
    pub(super) fn restart_cut(&mut self, now: Mono) {
        let silent_since = self.cut.silent_since;
        let missing = self.missing_routes();
        self.cut = Cut { begun: Some(now), silent_since, missing, ..Cut::default() };
    }

    /// A cut that was interrupted, by a restart or a pause: it goes on only if it had begun to
    /// change anything. Else the verdict is asked for again.
    fn resume_cut(&mut self, now: Mono, home: &Home) -> bool {
        let since = self.cut.look_from.unwrap_or(self.begun);
        let Some(tables) = self.tables_since(now, since) else { return false };
        let changed = self.any_routed(&tables, &home.interface);
        self.restart_cut(now);
        if changed {
            return true;
        }
        if let Some(moving) = &mut self.record.moving {
            moving.stage = Stage::Preparing;
            moving.cut_to = None;
            moving.old_targets.clear();
        }
        self.cut = Cut::default();
        self.unsaved = true;
        false
    }

    /// A cut that stood still goes on from what the tables say by then, and with all of its time.
    pub(super) fn look_again_before_cutting(&mut self, now: Mono) {
        let silent_since = self.cut.silent_since;
        self.cut = Cut { silent_since, look_from: Some(now), ..Cut::default() };
    }

    pub(super) fn step_cutting(&mut self, now: Mono) {
        if !self.may_mutate() {
            self.look_again_before_cutting(now);
            return;
        }
        let home = self.cut_home();
        if self.cut.begun.is_none() && !self.resume_cut(now, &home) {
            return;
        }
        let begun = *self.cut.begun.get_or_insert(now);
        if self.is_canary_awaited() {
            if now >= begun + self.setup.policy.verify_within {
                let why = self.unanswered();
                self.give_candidate_up(now, &home, &why);
                return;
            }
        } else if now >= begun + self.setup.policy.cut_within {
            let why = "the routes could not be replaced in time";
            self.give_candidate_up(now, &home, why);
            return;
        }
        self.route_all(now, &home.interface);
        if !self.is_read_back(now, &home.interface) {
            return;
        }
        if let Some(canary) = self.canary() {
            self.step_canary(now, &canary, &home);
        } else {
            self.probing.forget_vip();
            if let Some(moving) = &mut self.record.moving {
                moving.stage = Stage::Verifying;
            }
            self.cut.begun = Some(now);
            self.unsaved = true;
            let address = self.record.vip.address;
            self.say(Line::Verifying { address, instance: home.instance });
        }
    }

    /// The table that is cut alone, until the VIP is known to answer through it.
    fn canary(&self) -> Option<TableId> {
        let cutting =
            self.record.moving.as_ref().is_some_and(|moving| moving.stage == Stage::Cutting);
        let canary = self.setup.canary.as_ref().filter(|_| cutting && !self.cut.canary_proven)?;
        let others = self.record.route_set.iter().any(|table| table != canary);
        (others && self.record.route_set.contains(canary)).then(|| canary.clone())
    }

    /// Whether our own table is known, and leads to this interface.
    pub(super) fn is_canary_of(&self, tables: &[RouteTable], interface: &InterfaceId) -> bool {
        let ours = |canary: &&TableId| self.record.route_set.contains(canary);
        let canary = self.setup.canary.as_ref().filter(ours);
        canary
            .is_some_and(|canary| self.are_routed(core::slice::from_ref(canary), tables, interface))
    }

    fn is_canary_awaited(&self) -> bool {
        self.cut.canary_read && !self.cut.canary_proven
    }

    /// The tables that are replaced now.
    fn tables_to_cut(&self) -> Vec<TableId> {
        self.canary().map_or_else(|| self.record.route_set.clone(), |canary| Vec::from([canary]))
    }

    /// The canary table's route is there: no other is touched before the VIP answers through it.
    fn step_canary(&mut self, now: Mono, canary: &TableId, home: &Home) {
        if !self.cut.canary_read {
            self.probing.forget_vip();
            self.cut.canary_read = true;
            self.cut.begun = Some(now);
            let (vip, instance) = (self.record.vip, &home.instance);
            let text =
                format!("Waiting for {vip} to answer from {instance} through {canary} first");
            self.say(Line::Notice { text });
        } else if self.probing.vip_answers_in_row() >= self.setup.policy.rise {
            self.cut.canary_proven = true;
            self.cut.begun = Some(now);
            let (vip, instance) = (self.record.vip, &home.instance);
            let text = format!("{vip} answers from {instance} through {canary}");
            self.say(Line::Notice { text });
            self.route_all(now, &home.interface);
        }
    }

    fn unanswered(&self) -> String {
        let within = Short(self.setup.policy.verify_within);
        format!("{} did not answer from it within {within}", self.record.vip)
    }

    /// Replaces what isn't replaced yet, all tables in parallel.
    fn route_all(&mut self, now: Mono, interface: &InterfaceId) {
        if !self.may_retry(now, ROUTE) {
            return;
        }
        for table in self.tables_to_cut() {
            let purpose = Purpose::Route(table.clone());
            if self.cut.done.contains(&table) || self.in_flight(&purpose) {
                continue;
            }
            let add = self.cut.missing.contains(&table);
            let call = self.route_call(table, interface.clone(), add);
            self.call(now, purpose, call);
        }
    }

    pub(super) fn route_call(&self, table: TableId, interface: InterfaceId, add: bool) -> Call {
        let add = add && !mutant::is_alive(Mutant::RouteNeverCreated);
        let destination = self.record.vip.destination;
        if add {
            Call::CreateRoute { table, destination, interface }
        } else {
            Call::ReplaceRoute { table, destination, interface }
        }
    }

    /// All routes were replaced, and a reading made after that shows them active.
    fn is_read_back(&mut self, now: Mono, interface: &InterfaceId) -> bool {
        let which = self.tables_to_cut();
        let all = which.iter().all(|table| self.cut.done.contains(table));
        let Some(last) = self.cut.read_at.filter(|_| all) else { return false };
        let Some(tables) = self.tables_since(now, last) else { return false };
        if self.are_routed(&which, &tables, interface) {
            return true;
        }
        // Not yet: what leads elsewhere is replaced again, and the next reading is a newer one.
        for table in self.wrong_routes(&tables, interface) {
            self.cut.done.remove(&table);
        }
        self.cut.read_at = self.views.tables.as_ref().map(|seen| seen.asked + self.poll_step());
        false
    }

    pub(super) fn on_route(
        &mut self,
        now: Mono,
        table: &TableId,
        call: &Call,
        result: Result<Reply, CallError>,
    ) {
        let added = matches!(call, Call::CreateRoute { .. });
        let error = match result {
            Ok(_) => {
                self.cut.done.insert(table.clone());
                self.cut.read_at = Some(now);
                self.say_routed(table, call, added);
                return;
            }
            Err(error) => error,
        };
        match error.class() {
            ErrorClass::RouteMissing if !mutant::is_alive(Mutant::RouteNeverCreated) => {
                self.cut.missing.insert(table.clone());
            }
            ErrorClass::RouteExists => {
                self.cut.missing.remove(table);
            }
            ErrorClass::NotFound if error.brief().starts_with("InvalidRouteTableID") => {
                self.drop_table(table);
            }
            ErrorClass::RouteMissing
            | ErrorClass::NotFound
            | ErrorClass::Throttle
            | ErrorClass::UnknownOutcome
            | ErrorClass::NotSent
            | ErrorClass::NextAz
            | ErrorClass::Quota
            | ErrorClass::Fatal
            | ErrorClass::Credentials
            | ErrorClass::Token
            | ErrorClass::Protected => {
                let text = format!("Route in {table}: {}", error.brief());
                self.say_once(Line::Notice { text });
                self.back_off(now, ROUTE);
            }
        }
    }

    /// Says which route was put where, by the call that did it.
    pub(super) fn say_routed(&mut self, table: &TableId, call: &Call, added: bool) {
        let (Call::ReplaceRoute { interface, destination, .. }
        | Call::CreateRoute { interface, destination, .. }) = call
        else {
            return;
        };
        let cut_to = self.record.moving.as_ref().and_then(|moving| moving.cut_to.as_ref());
        let homes = cut_to.into_iter().chain([&self.record.holder]);
        let home = homes.into_iter().find(|home| home.interface == *interface);
        let Some(instance) = home.map(|home| home.instance.clone()) else { return };
        let (destination, table) = (*destination, table.clone());
        self.say(Line::Routed { destination, instance, table, added });
    }

    pub(super) fn drop_table(&mut self, table: &TableId) {
        self.record.route_set.retain(|id| id != table);
        self.unsaved = true;
        let text = format!("Route table {table} is gone and no longer ours");
        self.say(Line::Notice { text });
    }

    pub(super) fn step_verifying(&mut self, now: Mono) {
        let begun = *self.cut.begun.get_or_insert(now);
        let home = self.cut_home();
        let unproven = mutant::is_alive(Mutant::NoVerify);
        if unproven || self.probing.vip_answers_in_row() >= self.setup.policy.rise {
            let moving = self.record.moving.take().expect("a stage belongs to a move");
            self.complete(now, &moving, home);
            return;
        }
        if now >= begun + self.setup.policy.verify_within && self.may_mutate() {
            let why = self.unanswered();
            self.give_candidate_up(now, &home, &why);
        }
    }

    /// When a signal has a cut taken back that isn't finished: half of the time that is left to
    /// finish it, half to take it back. Routes don't go back to a holder that is gone.
    pub(super) fn turn_back_at(&self) -> Option<Mono> {
        let by = self.stop_by?;
        let moving = self.record.moving.as_ref()?;
        let runs = matches!(
            self.views.holder.as_ref().map(|seen| &seen.what),
            Some(Ok(HolderSeen::There { state: InstanceState::Running, .. }))
        );
        let half = self.setup.policy.stop_within / 2;
        (moving.stage == Stage::Cutting && runs && self.may_mutate()).then(|| by - half)
    }

    pub(super) fn turn_back(&mut self, now: Mono) {
        self.restart_cut(now);
        self.cut.turned_back = true;
        // What the way there had to wait for says nothing about the way back.
        self.retry_at.remove(ROUTE);
        let Some(moving) = &mut self.record.moving else { return };
        moving.stage = Stage::RollingBack;
        self.unsaved = true;
        let instance = self.record.holder.instance.clone();
        let why = "a signal came before every route was replaced".to_string();
        self.say(Line::RollingBack { instance, why });
    }

    /// Half way back by a signal and out of time: the next start looks where the routes lead, and
    /// goes on with the cut or judges anew.
    pub(super) fn leave_cut(&mut self) {
        if let Some(moving) = self.record.moving.as_mut().filter(|_| self.cut.turned_back)
            && moving.stage == Stage::RollingBack
        {
            moving.stage = Stage::Cutting;
        }
    }

    fn give_candidate_up(&mut self, now: Mono, home: &Home, why: &str) {
        self.cut = Cut { silent_since: self.cut.silent_since, ..Cut::default() };
        let attempt = self.record.moving.as_ref().and_then(|moving| moving.attempt.as_ref());
        match attempt.map(|attempt| attempt.site.clone()) {
            Some(site) => self.fail_attempt(now, &site, Some(&home.instance), why),
            None => {
                if let Some(moving) = &mut self.record.moving {
                    moving.stage = Stage::Preparing;
                    moving.tried.push(home.az.clone());
                    moving.attempt = None;
                }
                self.unsaved = true;
            }
        }
    }

    /// The VIP answers from its new home: the move is over, the old holder is on its way out.
    pub(super) fn complete(&mut self, now: Mono, moving: &Move, home: Home) {
        self.note_moved(now, moving, &home);
        let (fence, fence_after) = (self.setup.policy.fence, self.setup.policy.fence_after);
        let silent_for = self.cut.silent_since.take().map(|since| now.since(since));
        let old = core::mem::replace(&mut self.record.holder, home.clone());
        let not_before = Unix(self.clocks.unix_at(now).0 + fence_after.as_secs());
        self.record.disposals.retain(|disposal| disposal.instance != home.instance);
        self.record.former.retain(|instance| *instance != home.instance);
        if mutant::is_alive(Mutant::SweepsUnscoped) {
            let (az, interface) = (home.az.clone(), Some(home.interface.clone()));
            self.dispose(now, home.instance.clone(), az, interface, Leftover::Failed);
        }
        self.record.disposals.push(Disposal {
            instance: old.instance.clone(),
            az: old.az,
            interface: Some(old.interface),
            address: old.answered.then_some(old.address),
            why: Leftover::Former,
            mode: fence,
            not_before,
            ordered: false,
            by_person: moving.by_person
                || self.views.instance.as_ref().is_some_and(Instance::stopped_by_user),
        });
        self.record.remember_former(&old.instance);
        self.record.generation += 1;
        self.record.attempts = 0;
        self.record.path.clear();
        self.record.moving = None;
        self.held_until = None;
        self.retries = 0;
        self.retry_at.clear();
        self.cut = Cut::default();
        self.views.on_new_holder(now, &home.instance);
        self.unsaved = true;
        let address = self.record.vip.address;
        self.say(Line::Verified { address, instance: home.instance, silent_for });
    }

    /// Points the routes back to where they led, then holds.
    pub(super) fn step_rolling_back(&mut self, now: Mono) {
        if !self.may_mutate() {
            return;
        }
        let begun = *self.cut.begun.get_or_insert(now);
        let holder = self.record.holder.clone();
        let overdue = now >= begun + self.setup.policy.cut_within;
        self.route_all(now, &holder.interface);
        if !overdue && !self.is_read_back(now, &holder.interface) {
            return;
        }
        self.cut = Cut::default();
        if let Some(moving) = &mut self.record.moving {
            moving.stage = Stage::Preparing;
            moving.cut_to = None;
            moving.old_targets.clear();
        }
        self.unsaved = true;
        let tried: Vec<_> =
            self.record.moving.as_ref().map(|m| m.tried.clone()).unwrap_or_default();
        let mut why = format!(
            "no replacement made {} answer ({}); the routes lead to {} again",
            self.record.vip,
            crate::verdict::list(tried.iter()),
            holder.instance
        );
        if overdue {
            why = "the routes could not be pointed back in time".to_string();
        }
        self.hold(now, self.setup.policy.hold, why);
    }
}
