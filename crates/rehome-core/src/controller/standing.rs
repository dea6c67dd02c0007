//! A standby: one instance more than the VIP needs, running and probed all the time. A failover to
//! it is one call for each table, and launches nothing when launches are hardest to have.
//!
//! It is launched from the same template while the VIP is well, named before it is made like every
//! launch, and lies in another zone than the holder. One that fails is replaced, one that is used
//! is followed by the next; both within a budget of their own. It holds no route until a move makes
//! it the candidate, and then all that a candidate has to pass it has to pass.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::moving::{DAY, HOUR};
use super::preparing::live_first;
use super::reading::ABSENT_READS;
use super::{Controller, Flight, Purpose, Wakeup};
use crate::call::{Call, Reply};
use crate::fault::{CallError, ErrorClass};
use crate::mutant::{self, Mutant};
use crate::names::{Az, InstanceId};
use crate::placement::Site;
use crate::policy::StandbyMode;
use crate::probe::Hearing;
use crate::record::{Attempt, Leftover, Stage};
use crate::say::Line;
use crate::time::{Mono, Short};
use crate::verdict::Seen;
use crate::world::{Instance, InstanceState};

/// What `retry_at` keeps apart.
const STANDBY: &str = "standby";

/// Between two tries to have a standby where a zone had no room for it.
const NEXT_ZONE_AFTER: Duration = Duration::from_secs(30);

/// What this process knows of the standby beyond the record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Standing {
    /// Whether what became of every call with the present token is known.
    certain: bool,
    token_refused: bool,
    absent: u32,
    /// When EC2 was asked about it last, and whether that failed.
    asked: Option<Mono>,
    unread: bool,
    /// Whether people know it as ready.
    ready: bool,
    /// When a standby was last refused, or failed, in a zone.
    failed: BTreeMap<Az, Mono>,
}

impl Controller {
    pub(super) fn next_standby(&self) -> Option<Wakeup> {
        if self.setup.policy.standby == StandbyMode::Cold || !self.may_read_standby() {
            return None;
        }
        let retry = self.retry_at.get(STANDBY).copied();
        if self.record.standby.as_ref().is_none_or(|standby| standby.instance.is_none()) {
            let well = self.probing.vip_well_since().map(|at| at + self.setup.policy.fence_after);
            return retry.max(well).map(|at| Wakeup { at, why: "standby" });
        }
        let asked = self.standing.asked.unwrap_or(self.begun);
        Some(Wakeup { at: asked + self.standby_step(), why: "read the standby" })
    }

    /// Keeps a standby ready while nothing moves. While a move has nobody to go to yet the standby
    /// is still read: what wasn't ready when the move began may be when it is tried again.
    pub(super) fn step_standby(&mut self, now: Mono) {
        if !self.may_mutate() || !self.may_read_standby() {
            return;
        }
        let settled = self.record.moving.is_none() && self.held_until.is_none();
        match (self.setup.policy.standby, &self.record.standby) {
            (StandbyMode::Cold, Some(_)) if settled => {
                self.release_standby(now, "none is wanted any more");
            }
            (StandbyMode::Hot, None) if settled => self.arm(now),
            (StandbyMode::Hot, Some(standby)) if standby.instance.is_none() => {
                self.look_for_standby(now);
            }
            (StandbyMode::Hot, Some(_)) => {
                self.read_standby(now);
                if settled {
                    self.judge_standby(now);
                }
            }
            (StandbyMode::Cold | StandbyMode::Hot, None) | (StandbyMode::Cold, Some(_)) => {}
        }
    }

    /// Calls that point routes have the API to themselves.
    fn may_read_standby(&self) -> bool {
        let moving = self.record.moving.as_ref();
        moving.is_none_or(|moving| moving.stage == Stage::Preparing)
    }

    /// Whether the VIP has been well for long enough to think of the next time.
    fn is_at_ease(&self, now: Mono) -> bool {
        let well = self.probing.vip_well_since();
        let long = well.is_some_and(|at| now.since(at) >= self.setup.policy.fence_after);
        long && self.vip_answers(now) && self.views.is_readable()
    }

    /// Launches a standby where there is none.
    fn arm(&mut self, now: Mono) {
        if !self.may_retry(now, STANDBY) || !self.is_at_ease(now) {
            return;
        }
        let unix = self.unix(now);
        let spent = self.standby_budget_spent(now);
        let found = spent.map_or_else(|| self.place_of_standby(), Err);
        let (site, user_data_sha256) = match found {
            Ok(found) => found,
            Err(why) => {
                self.retry_at.insert(STANDBY.into(), now + self.setup.policy.hold);
                self.say_once(Line::StandbyLost { instance: None, why });
                return;
            }
        };
        self.record.attempts += 1;
        let number = self.record.attempts;
        self.record.standby = Some(Attempt {
            number,
            token: self.record.token(number),
            user_data_sha256,
            since: unix,
            maybe_sent: false,
            instance: None,
            home: None,
            ahead: true,
            site: site.clone(),
        });
        self.record.standby_spec = Some(self.record.spec.clone());
        self.record.standby_launches.retain(|at| unix.0.saturating_sub(at.0) < DAY);
        self.record.standby_launches.push(unix);
        let failed = core::mem::take(&mut self.standing.failed);
        self.standing = Standing { certain: true, failed, ..Standing::default() };
        self.unsaved = true;
        self.say(Line::StandbyLaunching { az: site.az });
        self.launch_standby(now);
    }

    /// As many in an hour and in a day as there may be moves: each move uses one.
    fn standby_budget_spent(&self, now: Mono) -> Option<String> {
        let policy = &self.setup.policy;
        [(HOUR, policy.moves_per_hour, "hour"), (DAY, policy.moves_per_day, "day")].iter().find_map(
            |(seconds, most, word)| {
                let launched = self.record.standbys_within(self.unix(now), *seconds);
                let spent = launched >= *most as usize;
                spent.then(|| format!("budget spent: {launched} launched in the last {word}"))
            },
        )
    }

    /// The first zone beside the holder's, of those that failed the one in which it is longest ago.
    fn place_of_standby(&self) -> Result<(Site, String), String> {
        let elsewhere =
            |site: &&Site| site.az != self.record.holder.az && !self.is_failing(&site.az);
        let sites = self.setup.sites.iter().filter(elsewhere);
        let site = sites.min_by_key(|site| self.standing.failed.get(&site.az));
        let site = site.ok_or("no subnet in another zone than the holder's")?;
        let user_data = self.setup.user_data.get(&site.subnet).cloned();
        let user_data = user_data.ok_or_else(|| format!("no user data for {}", site.subnet))?;
        Ok((site.clone(), user_data))
    }

    fn launch_standby(&mut self, now: Mono) {
        let Some(standby) = &mut self.record.standby else { return };
        self.unsaved |= !standby.maybe_sent;
        standby.maybe_sent = true;
        let standby = standby.clone();
        let call = Call::Launch(alloc::boxed::Box::new(self.launch_of(&standby)));
        self.call(now, Purpose::Standby, call);
    }

    /// A launch that brought nothing yet: whether it did, before it is sent again.
    fn look_for_standby(&mut self, now: Mono) {
        let Some(standby) = &self.record.standby else { return };
        if self.in_flight(&Purpose::Standby) || !self.may_retry(now, STANDBY) {
            return;
        }
        let token = standby.token.clone();
        self.call(now, Purpose::Standby, Call::Launched { token });
    }

    pub(super) fn on_standby(
        &mut self,
        now: Mono,
        flight: &Flight,
        result: Result<Reply, CallError>,
    ) {
        match &flight.call {
            Call::Launch(launch) => self.on_standby_launch(now, &launch.token, result),
            Call::Launched { token } => self.on_standby_lookup(now, token, result),
            Call::Instances { ids, .. } => {
                let [id] = ids.as_slice() else { return };
                self.on_standby_read(now, flight.sent, id, result);
            }
            Call::Statuses { .. } => {
                let Ok(Reply::Statuses(statuses)) = result else { return };
                for status in statuses {
                    self.views.statuses.insert(status.instance.clone(), status);
                }
            }
            Call::Listed { .. }
            | Call::Tables { .. }
            | Call::Path { .. }
            | Call::Zones
            | Call::DisableSourceDestCheck { .. }
            | Call::ReplaceRoute { .. }
            | Call::CreateRoute { .. }
            | Call::Stop { .. }
            | Call::Terminate { .. } => {}
        }
    }

    fn is_awaited(&self, token: &str) -> bool {
        let standby = self.record.standby.as_ref();
        standby.is_some_and(|standby| standby.token == token && standby.instance.is_none())
    }

    fn on_standby_launch(&mut self, now: Mono, token: &str, result: Result<Reply, CallError>) {
        if !self.is_awaited(token) {
            if let Ok(Reply::Launched(instance)) = result {
                self.dispose_stray(now, &instance);
            }
            return;
        }
        let error = match result {
            Ok(Reply::Launched(instance)) => return self.on_standby_instance(now, &instance),
            Ok(_) => return,
            Err(error) => error,
        };
        let class = error.class();
        let again = match class {
            ErrorClass::UnknownOutcome | ErrorClass::Throttle | ErrorClass::NotSent => None,
            ErrorClass::Credentials => None,
            ErrorClass::Token => {
                self.standing.token_refused = true;
                None
            }
            ErrorClass::NextAz => Some(NEXT_ZONE_AFTER),
            ErrorClass::Quota
            | ErrorClass::Fatal
            | ErrorClass::NotFound
            | ErrorClass::RouteMissing
            | ErrorClass::RouteExists
            | ErrorClass::Protected => Some(self.setup.policy.hold),
        };
        self.standing.certain &= class != ErrorClass::UnknownOutcome;
        let Some(again) = again else {
            self.back_off(now, STANDBY);
            return;
        };
        let az = self.drop_standby_launch(now);
        self.retry_at.insert(STANDBY.into(), now + again);
        let place = az.map(|az| format!(" in AZ {az}")).unwrap_or_default();
        let why = format!("a launch{place} was refused: {}", error.brief());
        self.say_once(Line::StandbyLost { instance: None, why });
    }

    /// Forgets the standby's launch, but for its token where it isn't known what became of it.
    /// What EC2 refused outright costs nothing.
    fn drop_standby_launch(&mut self, now: Mono) -> Option<Az> {
        let standby = self.record.standby.take()?;
        if self.standing.certain {
            self.record.standby_launches.pop();
        } else {
            let since = self.unix(now);
            self.lose_launch(standby.token, since);
        }
        self.standing.failed.insert(standby.site.az.clone(), now);
        self.unsaved = true;
        Some(standby.site.az)
    }

    fn on_standby_lookup(&mut self, now: Mono, token: &str, result: Result<Reply, CallError>) {
        if !self.is_awaited(token) {
            return;
        }
        let (Ok(Reply::Instances(mut found)), Some(standby)) = (result, &self.record.standby)
        else {
            self.back_off(now, STANDBY);
            return;
        };
        let site = standby.site.clone();
        found.retain(|instance| instance.az.as_ref().is_none_or(|az| *az == site.az));
        if let Some(instance) = live_first(&found) {
            let instance = instance.clone();
            self.on_standby_instance(now, &instance);
            return;
        }
        let rendered = self.setup.user_data.get(&site.subnet);
        let same = rendered == Some(&standby.user_data_sha256) && !self.standing.token_refused;
        if !same {
            self.standing.certain = false;
            self.drop_standby_launch(now);
        } else if self.record.moving.is_none() && self.may_mutate() && self.is_at_ease(now) {
            self.launch_standby(now);
        } else {
            self.back_off(now, STANDBY);
        }
    }

    fn on_standby_instance(&mut self, now: Mono, instance: &Instance) {
        let since = self.unix(now);
        let Some(standby) = &mut self.record.standby else { return };
        standby.instance = Some(instance.id.clone());
        standby.since = since;
        self.retries = 0;
        // The id is worth more than anything: it is written down before anything else.
        self.persist();
        self.see_standby(now, instance);
    }

    /// Between two readings of the standby: often while it comes up, and after one that failed.
    fn standby_step(&self) -> Duration {
        let policy = &self.setup.policy;
        let at_ease = self.standing.ready && !self.standing.unread;
        if at_ease { policy.poll_interval } else { policy.poll_interval_moving }
    }

    fn read_standby(&mut self, now: Mono) {
        let Some(standby) = &self.record.standby else { return };
        let Some(id) = &standby.instance else { return };
        let due = self.standing.asked.is_none_or(|at| now >= at + self.standby_step());
        if !due || self.in_flight(&Purpose::Standby) {
            return;
        }
        // Where pings aren't admitted its status checks say whether it is well.
        let mute = standby.home.as_ref().is_none_or(|home| !home.answered);
        let (az, ids) = (standby.site.az.clone(), vec![id.clone()]);
        self.standing.asked = Some(now);
        let mut calls = vec![Call::Instances { az: az.clone(), ids: ids.clone() }];
        calls.extend(mute.then_some(Call::Statuses { az, ids }));
        for call in calls {
            if self.standing.ready {
                self.read_at_leisure(now, Purpose::Standby, call);
            } else {
                self.call(now, Purpose::Standby, call);
            }
        }
    }

    /// Tells when it is ready, and gives it up when it isn't for too long.
    fn judge_standby(&mut self, now: Mono) {
        let Some(standby) = &self.record.standby else { return };
        let rendered = self.setup.user_data.get(&standby.site.subnet);
        let outdated = rendered.is_some_and(|rendered| *rendered != standby.user_data_sha256);
        if outdated && self.may_have_another(now) {
            self.release_standby(now, "the template has changed");
            return;
        }
        let home = standby.home.as_ref();
        if let Some(home) = home.filter(|home| self.is_ready(now, home)) {
            if !self.standing.ready {
                self.standing.ready = true;
                let (instance, az) = (home.instance.clone(), home.az.clone());
                self.say(Line::StandbyReady { instance, az });
            }
            return;
        }
        if !self.views.is_readable() || self.standing.unread {
            return;
        }
        // What it did before this process began, or while we were blind, isn't known.
        let policy = &self.setup.policy;
        let begun = standby.since.max(self.clocks.unix_at(self.begun));
        let age = Duration::from_secs(self.unix(now).0.saturating_sub(begun.0));
        let silent =
            home.and_then(|home| match self.probing.primary_hearing(&home.instance, policy, now) {
                Some(Hearing::Silent { since, .. }) => Some(now.since(since)),
                Some(Hearing::Answers | Hearing::Unknown(_)) | None => None,
            });
        let ready_within = policy.ready_within;
        if self.standing.ready && silent.is_some_and(|time| time > policy.verify_within) {
            self.lose_standby(now, "it doesn't answer any more".to_string(), true);
        } else if !self.standing.ready && age > ready_within {
            let why = format!("not ready within {}", Short(ready_within));
            self.lose_standby(now, why, true);
        }
    }

    /// Whether one that is let go can be followed by another.
    fn may_have_another(&self, now: Mono) -> bool {
        self.standby_budget_spent(now).is_none() && self.place_of_standby().is_ok()
    }

    /// What makes a standby that works another than the one that would be launched now.
    fn standby_differs(&self) -> Option<&'static str> {
        let standby = self.record.standby.as_ref()?;
        if standby.site.az == self.record.holder.az {
            return Some("the holder is in its zone");
        }
        let mut spec = self.record.standby_spec.clone()?;
        // Tags change often, and nothing that is served depends on them.
        spec.tags.clone_from(&self.record.spec.tags);
        (spec != self.record.spec).then_some("what a replacement is built from has changed")
    }

    fn on_standby_read(
        &mut self,
        now: Mono,
        asked: Mono,
        id: &InstanceId,
        result: Result<Reply, CallError>,
    ) {
        let what = match result {
            Ok(Reply::Instances(found)) => Ok(found.into_iter().find(|one| one.id == *id)),
            Ok(_) => return,
            Err(error) => Err(error.brief().to_string()),
        };
        self.standing.unread = what.is_err();
        if what.is_ok() {
            // That it can't be read now doesn't make what was read untrue.
            self.views.others.insert(id.clone(), Seen { asked, what: what.clone() });
        }
        let Some(standby) = self.record.standby.as_ref() else { return };
        if standby.instance.as_ref() != Some(id) {
            return;
        }
        match what {
            Ok(Some(instance)) => self.see_standby(now, &instance),
            Ok(None) => {
                let age = self.unix(now).0.saturating_sub(standby.since.0);
                let young = age <= self.setup.policy.invisible_max.as_secs();
                self.standing.absent += u32::from(!young);
                if self.standing.absent >= ABSENT_READS {
                    self.lose_standby(now, "EC2 doesn't list it any more".to_string(), true);
                }
            }
            Err(_) => {}
        }
    }

    /// Takes in what EC2 tells of it.
    fn see_standby(&mut self, now: Mono, instance: &Instance) {
        self.standing.absent = 0;
        if instance.state.is_leaving() {
            let why = match &instance.state_reason {
                Some(reason) => format!("{} ({reason})", instance.state),
                None => instance.state.to_string(),
            };
            if matches!(instance.state, InstanceState::Stopping | InstanceState::Stopped) {
                // Somebody stopped it: it is theirs.
                let (instance, why) = (instance.id.clone(), "somebody stopped it".to_string());
                self.say(Line::Kept { instance, former: false, why });
            }
            self.lose_standby(now, why, false);
            return;
        }
        let Some(standby) = &mut self.record.standby else { return };
        if standby.home.is_none() {
            standby.home = super::preparing::home_of(instance, &standby.site);
            self.unsaved |= standby.home.is_some();
        }
        self.check_off(now, instance);
        let settled = self.record.moving.is_none() && self.held_until.is_none();
        if let Some(why) = self.standby_differs()
            && settled
            && self.may_mutate()
            && self.may_have_another(now)
        {
            self.release_standby(now, why);
        }
    }

    /// It is no good, or gone.
    fn lose_standby(&mut self, now: Mono, why: String, end: bool) {
        let Some(standby) = self.record.standby.take() else { return };
        let forgets = mutant::is_alive(Mutant::ForgetsStandby);
        if let Some(instance) = standby.instance.as_ref().filter(|_| !forgets) {
            self.record.remember_former(instance);
        }
        if end && !forgets {
            self.dispose_attempt(now, &standby, Leftover::Failed);
        }
        self.standing.ready = false;
        self.standing.failed.insert(standby.site.az, now);
        self.retry_at.insert(STANDBY.into(), now + self.setup.policy.hold);
        self.unsaved = true;
        self.say(Line::StandbyLost { instance: standby.instance, why });
    }

    /// It isn't the one that is wanted.
    fn release_standby(&mut self, now: Mono, why: &str) {
        let Some(standby) = self.record.standby.take() else { return };
        self.standing.ready = false;
        self.unsaved = true;
        let Some(instance) = standby.instance.clone() else {
            let since = self.unix(now);
            self.lose_launch(standby.token, since);
            return;
        };
        self.dispose_attempt(now, &standby, Leftover::Spare);
        self.say(Line::StandbyLost { instance: Some(instance), why: why.to_string() });
    }

    /// The standby, where a move can go to it at once.
    pub(super) fn ready_standby(&self, now: Mono) -> Option<InstanceId> {
        let standby = self.record.standby.as_ref()?;
        let home = standby.home.as_ref()?;
        let tried = self.record.moving.as_ref().is_some_and(|m| m.tried.contains(&home.az));
        let ready = self.is_ready(now, home) && !self.is_failing(&home.az) && !tried;
        ready.then(|| home.instance.clone())
    }

    /// Makes the standby the candidate of the move under way; from here on it is one.
    pub(super) fn take_standby(&mut self, now: Mono) -> bool {
        if self.ready_standby(now).is_none() {
            return false;
        }
        let since = self.unix(now);
        let (Some(moving), Some(standby)) = (&mut self.record.moving, self.record.standby.take())
        else {
            return false;
        };
        moving.attempt = Some(Attempt { since, ..standby });
        moving.used_standby = true;
        self.standing.ready = false;
        self.unsaved = true;
        true
    }

    /// The move that it was taken for is over, and it wasn't needed: it is the standby again.
    pub(super) fn put_standby_back(&mut self, now: Mono) {
        let since = self.unix(now);
        let wanted = self.setup.policy.standby == StandbyMode::Hot && self.record.standby.is_none();
        let Some(moving) = self.record.moving.as_mut().filter(|_| wanted) else { return };
        let taken = moving.attempt.take_if(|attempt| attempt.ahead && attempt.instance.is_some());
        if let Some(standby) = taken {
            self.record.standby = Some(Attempt { since, ..standby });
            self.unsaved = true;
        }
    }

    /// Whether the standby has answered since `since` and of late: it is reached through the same
    /// network, so who hears it isn't blind. It is pinged from the kernel's choice of source, like
    /// the holder's primary address: where that answers as well, the VIP's sources may be deaf.
    pub(super) fn standby_vouches(&self, since: Mono, lately: Mono, now: Mono) -> bool {
        let candidate = self.record.moving.as_ref().and_then(|moving| moving.attempt.as_ref());
        let candidate = candidate.filter(|attempt| attempt.ahead);
        let standby = self.record.standby.as_ref().or(candidate);
        let instance = standby.and_then(|standby| standby.instance.as_ref());
        let (policy, holder) = (&self.setup.policy, &self.record.holder.instance);
        instance.is_some_and(|instance| {
            self.probing.vouches(instance, since.max(lately), policy, now)
                && !self.probing.vouches(holder, Mono(0), policy, now)
        })
    }
}
