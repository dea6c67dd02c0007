//! Preparing: from the decision to move to a candidate that answers.
//!
//! Nothing here touches what serves. A launch is written down before it is made; what it brought is
//! looked up by its token, never guessed.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Controller, Purpose};
use crate::call::{Call, Launch, Reply};
use crate::fault::{CallError, ErrorClass};
use crate::mutant::{self, Mutant};
use crate::names::{Az, InstanceId, InterfaceId};
use crate::placement::Site;
use crate::policy::FenceMode;
use crate::probe::Hearing;
use crate::record::{Attempt, Disposal, Home, Leftover, Stage};
use crate::say::Line;
use crate::time::{Mono, Unix};
use crate::verdict::HolderSeen;
use crate::world::{Instance, InstanceState};

/// What `back_off` keeps apart.
const LAUNCH: &str = "launch";

impl Controller {
    /// The next thing that the candidate needs.
    pub(super) fn step_preparing(&mut self, now: Mono) {
        if self.came_back(now) {
            return;
        }
        if self.held_until.is_some() || !self.may_mutate() {
            return;
        }
        let moving = self.record.moving.as_ref().expect("a stage belongs to a move");
        match &moving.attempt {
            None => self.begin_attempt(now),
            Some(attempt) => match (&attempt.instance, &attempt.home) {
                (None, _) => self.launch_or_look(now),
                (Some(id), home) => {
                    let (id, az) = (id.clone(), attempt.site.az.clone());
                    let home = home.clone();
                    self.watch_candidate(now, &id, az, home);
                }
            },
        }
    }

    /// A VIP that answers again ends the move: back to the holder, or on with whom the routes were
    /// pointed to. Whose answers they are is told by the routes, read since they began.
    fn came_back(&mut self, now: Mono) -> bool {
        // While it isn't known what a launch brought, the move can't end: it would be forgotten.
        let never = mutant::is_alive(Mutant::NeverCancels);
        if !self.is_back(now) || self.is_launching() || never {
            return false;
        }
        let Some(moving) = self.record.moving.clone() else { return false };
        // A call of an earlier process may have landed late, so the present candidate counts too.
        let present = moving.attempt.as_ref().and_then(|attempt| attempt.home.clone());
        let homes: Vec<Home> = moving.cut_to.iter().cloned().chain(present.clone()).collect();
        if homes.is_empty() {
            self.cancel(now);
            return true;
        }
        let since = self.probing.vip_well_since().unwrap_or(now);
        let Some(tables) = self.tables_since(now, since) else { return true };
        if let Some(home) = homes.iter().find(|home| self.all_routed(&tables, &home.interface)) {
            if present.as_ref() == Some(home) {
                self.forget_attempt();
            }
            self.dispose_present(now);
            self.complete(now, &moving, home.clone());
            return true;
        }
        let partly = homes.iter().find(|home| self.any_routed(&tables, &home.interface));
        match partly {
            None => self.cancel(now),
            // Who is heard is who our own table leads to.
            Some(home) if self.is_canary_of(&tables, &home.interface) => {
                self.even_out(now, home.clone(), false);
            }
            Some(home) => {
                let alive = self.probing.primary(&self.record.holder, &self.setup.policy, now)
                    == Hearing::Answers;
                self.even_out(now, home.clone(), alive);
            }
        }
        true
    }

    fn forget_attempt(&mut self) {
        if let Some(moving) = &mut self.record.moving {
            moving.attempt = None;
        }
    }

    /// The holder serves: whatever was prepared isn't needed.
    fn cancel(&mut self, now: Mono) {
        if !mutant::is_alive(Mutant::ForgetsCandidate) {
            self.put_standby_back(now);
            self.dispose_present(now);
        }
        self.record.moving = None;
        self.held_until = None;
        self.unsaved = true;
        let instance = self.record.holder.instance.clone();
        self.say(Line::Cancelled { instance });
    }

    fn dispose_present(&mut self, now: Mono) {
        let attempt = self.record.moving.as_mut().and_then(|moving| moving.attempt.take());
        if let Some(attempt) = attempt {
            self.dispose_attempt(now, &attempt, Leftover::Spare);
        }
    }

    /// The VIP answers while our tables lead to two homes: all to the one that lives.
    fn even_out(&mut self, now: Mono, home: Home, holder_lives: bool) {
        self.restart_cut(now);
        if !holder_lives {
            self.leave_present_for(now, &home);
        }
        let Some(moving) = &mut self.record.moving else { return };
        moving.cut_to = Some(home);
        self.unsaved = true;
        if holder_lives {
            moving.stage = Stage::RollingBack;
            let instance = self.record.holder.instance.clone();
            let why = "it answers again".to_string();
            self.say(Line::RollingBack { instance, why });
        } else {
            moving.stage = Stage::Cutting;
        }
    }

    /// An earlier candidate is the new home after all: the present one isn't needed.
    fn leave_present_for(&mut self, now: Mono, home: &Home) {
        let attempt = self.record.moving.as_ref().and_then(|moving| moving.attempt.as_ref());
        if attempt.is_some_and(|attempt| attempt.instance.as_ref() != Some(&home.instance)) {
            self.dispose_present(now);
        }
    }

    /// The candidate's time runs from here: before, it couldn't be looked after.
    pub(super) fn renew_attempt(&mut self) {
        let begun = self.unix(self.now);
        let candidate = self.record.moving.as_mut().and_then(|moving| moving.attempt.as_mut());
        for attempt in candidate.into_iter().chain(&mut self.record.standby) {
            attempt.since = begun;
            self.unsaved = true;
        }
    }

    /// Chooses the next AZ and writes the launch down.
    fn begin_attempt(&mut self, now: Mono) {
        let verdict = self.verdict(now);
        if verdict.reason_to_move(&self.setup.policy, now).is_none() {
            self.tell_hold(now, &verdict);
            return;
        }
        if self.take_standby(now) {
            self.step_preparing(now);
            return;
        }
        // A record of an earlier version tells no order.
        if self.record.moving.as_ref().is_some_and(|moving| moving.order.is_empty()) {
            let order = self.order_of_places();
            self.record.moving.as_mut().expect("a stage belongs to a move").order = order;
        }
        let moving = self.record.moving.as_ref().expect("a stage belongs to a move");
        let spent = moving.launches >= self.setup.policy.launches_max;
        let untried = |site: &&Site| !moving.tried.contains(&site.az) && !self.is_failing(&site.az);
        let next = moving.order.iter().find(untried);
        let Some(site) = next.filter(|_| !spent).cloned() else {
            self.give_up(now);
            return;
        };
        let Some(user_data_sha256) = self.setup.user_data.get(&site.subnet).cloned() else {
            self.fail_attempt(now, &site, None, "no user data for its subnet");
            return;
        };
        self.record.attempts += 1;
        let number = self.record.attempts;
        let attempt = Attempt {
            number,
            site: site.clone(),
            token: self.record.token(number),
            user_data_sha256,
            since: self.unix(now),
            maybe_sent: false,
            instance: None,
            home: None,
            ahead: false,
        };
        if let Some(moving) = &mut self.record.moving {
            moving.attempt = Some(attempt);
        }
        self.unsaved = true;
        self.token_in_doubt = false;
        self.say(Line::Launching { az: site.az });
        self.launch(now);
    }

    /// Whether EC2 called a zone impaired when it was last asked.
    pub(super) fn is_failing(&self, az: &Az) -> bool {
        self.views.zone_seen(az).is_some_and(|seen| seen.what == Ok(false))
    }

    /// Where candidates go. The holder's own zone comes last: what took the holder down may be the
    /// zone.
    pub(super) fn order_of_places(&self) -> Vec<Site> {
        let mut order = self.setup.sites.clone();
        order.sort_by_key(|site| site.az == self.record.holder.az);
        order
    }

    /// No candidate is left: back to the old holder while it exists, else stay, and hold.
    fn give_up(&mut self, now: Mono) {
        let moving = self.record.moving.as_mut().expect("a stage belongs to a move");
        let old_exists = matches!(
            self.views.holder.as_ref().map(|seen| &seen.what),
            Some(Ok(HolderSeen::There {
                state: InstanceState::Running | InstanceState::Pending,
                ..
            }))
        );
        if moving.cut_to.is_some() && old_exists && !moving.old_targets.is_empty() {
            moving.stage = Stage::RollingBack;
            self.unsaved = true;
            let instance = self.record.holder.instance.clone();
            let why = "no candidate made the address answer".to_string();
            self.say(Line::RollingBack { instance, why });
            self.step_rolling_back(now);
            return;
        }
        let tried = crate::verdict::list(moving.tried.iter());
        self.hold(now, self.setup.policy.hold, format!("no replacement could be had in {tried}"));
    }

    /// A launch that was begun and brought nothing yet: the same again, or a look whether it did.
    fn launch_or_look(&mut self, now: Mono) {
        if self.in_flight(&Purpose::Launch) || self.in_flight(&Purpose::Lookup) {
            return;
        }
        if !self.may_retry(now, LAUNCH) {
            return;
        }
        let attempt = self.attempt();
        let token = attempt.token.clone();
        self.call(now, Purpose::Lookup, Call::Launched { token });
    }

    pub(super) fn attempt(&self) -> &Attempt {
        self.record
            .moving
            .as_ref()
            .and_then(|moving| moving.attempt.as_ref())
            .expect("called only while an attempt is under way")
    }

    fn launch(&mut self, now: Mono) {
        if let Some(attempt) = self.record.moving.as_mut().and_then(|m| m.attempt.as_mut()) {
            self.unsaved |= !attempt.maybe_sent;
            attempt.maybe_sent = true;
        }
        let launch = self.launch_of(self.attempt());
        self.call(now, Purpose::Launch, Call::Launch(Box::new(launch)));
    }

    pub(super) fn launch_of(&self, attempt: &Attempt) -> Launch {
        let other = mutant::is_alive(Mutant::RandomToken);
        let token = if other { self.record.token(self.next_call) } else { attempt.token.clone() };
        Launch {
            spec: self.record.spec.clone(),
            subnet: attempt.site.subnet.clone(),
            az: attempt.site.az.clone(),
            token,
            tags: self.record.tags(attempt.number),
            user_data_sha256: attempt.user_data_sha256.clone(),
        }
    }

    pub(super) fn on_lookup(&mut self, now: Mono, result: Result<Reply, CallError>) {
        if !self.is_launching() {
            return;
        }
        match result {
            // The same token in another zone is somebody else's launch: tokens hold within a zone
            // (EC2 developer guide, "Ensuring idempotency").
            Ok(Reply::Instances(found)) => match live_first(&self.of_attempt(found)) {
                Some(instance) => self.on_instance(now, instance),
                None => self.on_no_instance(now),
            },
            Ok(_) => {}
            Err(_) => self.back_off(now, LAUNCH),
        }
    }

    fn of_attempt(&self, mut found: Vec<Instance>) -> Vec<Instance> {
        let az = &self.attempt().site.az;
        found.retain(|instance| instance.az.as_ref().is_none_or(|there| there == az));
        found
    }

    /// The launch brought nothing that EC2 knows of: the very same again, unless it can't be the
    /// same any more, or isn't needed.
    fn on_no_instance(&mut self, now: Mono) {
        let attempt = self.attempt();
        let rendered = self.setup.user_data.get(&attempt.site.subnet);
        let same = rendered == Some(&attempt.user_data_sha256);
        let needed = self.verdict(now).reason_to_move(&self.setup.policy, now).is_some();
        if self.token_refused || !same || self.is_back(now) {
            self.token_refused = false;
            self.drop_attempt(now);
        } else if needed && self.may_mutate() {
            self.launch(now);
        } else {
            self.back_off(now, LAUNCH);
        }
    }

    /// Forgets the present attempt but for its token, if the call may have left.
    fn drop_attempt(&mut self, now: Mono) {
        let since = self.unix(now);
        let attempt = self.record.moving.as_mut().and_then(|moving| moving.attempt.take());
        if let Some(attempt) = attempt.filter(|attempt| attempt.maybe_sent) {
            self.pay_for_lost_launch();
            self.lose_launch(attempt.token, since);
        }
        self.unsaved = true;
    }

    /// Whether the VIP has come back by itself.
    fn is_back(&self, now: Mono) -> bool {
        self.probing.vip_answers_in_row() >= self.setup.policy.rise && self.vip_answers(now)
    }

    fn is_launching(&self) -> bool {
        let moving = self.record.moving.as_ref();
        moving.and_then(|moving| moving.attempt.as_ref()).is_some_and(|a| a.instance.is_none())
    }

    pub(super) fn on_launch(&mut self, now: Mono, result: Result<Reply, CallError>) {
        if !self.is_launching() {
            // The move was cancelled while the call was under way.
            if let Ok(Reply::Launched(instance)) = result {
                self.dispose_stray(now, &instance);
            }
            return;
        }
        let error = match result {
            Ok(Reply::Launched(instance)) => {
                self.retries = 0;
                self.on_instance(now, &instance);
                return;
            }
            Ok(_) => return,
            Err(error) => error,
        };
        let site = self.attempt().site.clone();
        let unknown = matches!(error.class(), ErrorClass::UnknownOutcome);
        if unknown && mutant::is_alive(Mutant::RetriesAsNew) {
            self.forget_attempt();
            return;
        }
        // A refusal says nothing about an earlier call with the same token.
        let first = !self.token_in_doubt;
        self.token_in_doubt |= unknown;
        if first
            && !unknown
            && let Some(attempt) = self.record.moving.as_mut().and_then(|m| m.attempt.as_mut())
        {
            attempt.maybe_sent = false;
            self.unsaved = true;
        }
        match error.class() {
            ErrorClass::NextAz => self.fail_attempt(now, &site, None, &error.to_string()),
            // The token's instance has ended, or was asked for with other words: a new number.
            ErrorClass::Token => {
                self.token_refused = true;
                self.back_off(now, LAUNCH);
            }
            ErrorClass::Throttle
            | ErrorClass::UnknownOutcome
            | ErrorClass::NotSent
            | ErrorClass::Credentials => {
                self.back_off(now, LAUNCH);
            }
            ErrorClass::Quota
            | ErrorClass::Fatal
            | ErrorClass::NotFound
            | ErrorClass::RouteMissing
            | ErrorClass::RouteExists
            | ErrorClass::Protected => {
                let why = error.to_string();
                self.say(Line::AttemptFailed { az: site.az, instance: None, why });
                self.drop_attempt(now);
                let why = format!("a launch was refused for good: {}", error.brief());
                self.hold(now, self.setup.policy.hold, why);
            }
        }
    }

    /// An instance came of the present attempt, by its own answer or by its token.
    fn on_instance(&mut self, now: Mono, instance: &Instance) {
        let site = self.attempt().site.clone();
        if instance.state.is_ending() {
            self.bury(now, &site, instance);
            return;
        }
        let unix = self.unix(now);
        if let Some(moving) = &mut self.record.moving {
            moving.launches += 1;
            if let Some(attempt) = &mut moving.attempt {
                attempt.instance = Some(instance.id.clone());
                // However long its launch was refused or couldn't be written down: it is young.
                attempt.since = unix;
            }
        }
        // The id is worth more than anything: it is written down before it is spoken of.
        self.persist();
        self.say(Line::Launched { instance: instance.id.clone() });
        self.learn_home(instance);
    }

    /// Completes what is known of the candidate from an answer of EC2.
    pub(super) fn learn_home(&mut self, instance: &Instance) {
        if self.attempt().home.is_some() {
            return;
        }
        let Some(home) = home_of(instance, &self.attempt().site) else { return };
        let address = home.address;
        if let Some(attempt) = self.record.moving.as_mut().and_then(|m| m.attempt.as_mut()) {
            attempt.home = Some(home);
        }
        self.unsaved = true;
        self.say(Line::Waiting { instance: instance.id.clone(), address });
    }

    /// The candidate has ended by itself: the next zone, unless no zone would help.
    pub(super) fn bury(&mut self, now: Mono, site: &Site, instance: &Instance) {
        let why = match &instance.state_reason {
            Some(reason) => format!("{} ({reason})", instance.state),
            None => instance.state.to_string(),
        };
        self.fail_attempt(now, site, Some(&instance.id), &why);
        if let Some(reason) = instance.state_reason.as_ref().filter(|why| dies_everywhere(why)) {
            let why = format!("a launch died, and no other zone would help: {reason}");
            self.hold(now, self.setup.policy.hold, why);
        }
    }

    /// Gives the present attempt up and makes room for the next.
    pub(super) fn fail_attempt(
        &mut self,
        now: Mono,
        site: &Site,
        instance: Option<&InstanceId>,
        why: &str,
    ) {
        let az = site.az.clone();
        self.say(Line::AttemptFailed { az, instance: instance.cloned(), why: why.to_string() });
        let last = self.record.moving.as_ref().is_some_and(|moving| {
            let left = moving.order.iter().filter(|s| !moving.tried.contains(&s.az)).count();
            left <= 1 || moving.launches >= self.setup.policy.launches_max
        });
        let attempt = self.record.moving.as_mut().and_then(|moving| {
            moving.stage = Stage::Preparing;
            moving.tried.push(site.az.clone());
            moving.attempt.take()
        });
        self.unsaved = true;
        self.token_in_doubt = false;
        self.retry_at.remove(LAUNCH);
        let Some(attempt) = attempt else { return };
        if attempt.maybe_sent && attempt.instance.is_none() {
            self.pay_for_lost_launch();
            self.lose_launch(attempt.token.clone(), self.unix(now));
        }
        if let Some(id) = attempt.instance.clone() {
            self.record.remember_former(&id);
            if last {
                // The last one is kept for a look.
                let why = "the last candidate is kept for a look".to_string();
                self.say(Line::Kept { instance: id, former: false, why });
            } else {
                self.dispose_attempt(now, &attempt, Leftover::Failed);
            }
        }
    }

    /// Puts what came of an attempt on the way out.
    pub(super) fn dispose_attempt(&mut self, now: Mono, attempt: &Attempt, why: Leftover) {
        let Some(instance) = attempt.instance.clone() else { return };
        let interface = attempt.home.as_ref().map(|home| home.interface.clone());
        self.dispose(now, instance, attempt.site.az.clone(), interface, why);
    }

    /// An instance that was launched for a move that is over.
    pub(super) fn dispose_stray(&mut self, now: Mono, instance: &Instance) {
        let Some(az) = instance.az.clone() else { return };
        let interface = instance.primary_interface().map(|interface| interface.id.clone());
        self.dispose(now, instance.id.clone(), az, interface, Leftover::Spare);
    }

    pub(super) fn dispose(
        &mut self,
        now: Mono,
        instance: InstanceId,
        az: Az,
        interface: Option<InterfaceId>,
        why: Leftover,
    ) {
        let wait = match why {
            Leftover::Spare => self.setup.policy.spare_kept.as_secs(),
            Leftover::Former | Leftover::Failed => 0,
        };
        self.record.disposals.push(Disposal {
            instance,
            az,
            interface,
            address: None,
            why,
            mode: FenceMode::Terminate,
            not_before: Unix(self.unix(now).0 + wait),
            ordered: false,
            by_person: false,
        });
        self.unsaved = true;
    }
}

/// What probes and routes need to know of an instance, once EC2 tells it.
pub(super) fn home_of(instance: &Instance, site: &Site) -> Option<Home> {
    let (interface, address) = (instance.primary_interface()?, instance.address?);
    Some(Home {
        instance: instance.id.clone(),
        interface: interface.id.clone(),
        address,
        az: site.az.clone(),
        subnet: site.subnet.clone(),
        groups: interface.groups.clone(),
        answered: false,
    })
}

/// What a token brought: the one that lives, where there is one. A token of an earlier record may
/// have brought another one in another zone, long ended.
pub(super) fn live_first(found: &[Instance]) -> Option<&Instance> {
    found.iter().find(|instance| !instance.state.is_ending()).or_else(|| found.first())
}

/// Whether a launch died of something that every zone would bring again: a key, a limit, a snapshot
/// (EC2 user guide, "Troubleshoot instance launch issues"). What the host's side did begins with
/// `Server.`, and what people did ends with `Shutdown`.
fn dies_everywhere(reason: &str) -> bool {
    reason.starts_with("Client.") && !reason.ends_with("Shutdown")
}
