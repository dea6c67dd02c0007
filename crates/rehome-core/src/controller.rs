//! The machine that keeps one VIP alive.
//!
//! ```text
//!            silent, dead by the evidence, budget left
//!  WATCHING ------------------------------------------> PREPARING <--------------+
//!   ^  ^  ^                                               |   |   next AZ         |
//!   |  |  +---- VIP answers again (cancelled) ------------+   | ready, dead still |
//!   |  |                                                      v                   |
//!   |  |                                                   CUTTING                |
//!   |  |                                                      | read back active  |
//!   |  +--- VIP answers: generation + 1 ---- VERIFYING <------+                   |
//!   |                                            | silent for too long, launches left
//!   |                                            +---------------------------------+
//!   +--- routes are back, hold --- ROLLING BACK <+ none left, the old holder is there
//! ```
//!
//! Whatever happens, the same steps run after each event ([`Controller::handle`]): each compares
//! what is wanted with what was observed and does the next thing that is missing. Nothing depends
//! on having seen a change happen, so a restart in any place is only another first look.
//!
//! Instances that lost the address, or were launched in vain, are disposed of on the
//! side, under guards of their own; routes that drift are healed while nothing moves.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{Call, Reply};
use crate::decision::{Decided, Decision};
use crate::fault::CallError;
use crate::mutant::{self, Mutant};
use crate::names::{Az, InstanceId, SubnetId, TableId};
use crate::placement::Site;
use crate::policy::Policy;
use crate::probe::{Hearing, ProbeId};
use crate::record::Record;
use crate::say::Line;
use crate::spec::Wishes;
use crate::time::{Clocks, Mono, Unix};
use crate::verdict::{Evidence, judge};

mod blindness;
mod capability;
mod cutting;
mod deciding;
mod disposing;
mod healing;
mod lost;
mod moving;
mod preparing;
mod probing;
mod proving;
mod reading;
mod standing;
mod telling;

use probing::Probing;
use reading::Views;

/// Names one call, for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub u64);

/// What the shell observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Probes that were answered, and when.
    Answers(Vec<(ProbeId, Mono)>),
    /// A probe that could not be sent, and why.
    Unsent(ProbeId, String),
    /// A call came back.
    CallDone(CallId, Box<Result<Reply, CallError>>),
    /// No mutation until then, or not at all paused any more; said whenever it is looked up.
    Paused(Option<String>),
    /// A signal asked for the end.
    Stop,
    /// A [`Persist`](Action::Persist) failed: what was told there isn't durable. Comes before any
    /// other event.
    NotPersisted,
    /// Nothing but time.
    Tick,
}

/// What the shell is to do, in order. A [`Persist`](Action::Persist) that fails voids the
/// mutations behind it in the same batch: they come back as [`CallError::NotSent`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Send an ICMP echo request.
    Probe {
        /// Its name.
        probe: ProbeId,
        /// From which address; the kernel's choice where none is given.
        source: Option<Ipv4Addr>,
        /// To which.
        target: Ipv4Addr,
    },
    /// Send a request to AWS.
    Call {
        /// Its name.
        id: CallId,
        /// What.
        call: Call,
        /// Dropped, and answered with [`CallError::NotSent`], when it is later than this.
        not_after: Mono,
        /// How long it may wait for readings of other VIPs, to be put together with them: none
        /// where anything depends on it.
        #[serde(default)]
        patience: Duration,
    },
    /// Send at once whatever reading still waits for others.
    Hurry,
    /// Make the record durable before anything behind it is done.
    Persist(Box<Record>),
    /// A decision, for the history: made once each time that it or its reason changes.
    Note(Box<Decision>),
    /// Tell people.
    Say(Line),
    /// End: nothing more will come.
    Exit,
}

/// When to call [`Controller::handle`] at the latest, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wakeup {
    /// When.
    pub at: Mono,
    /// What is due then; for whoever looks on, and not kept.
    #[serde(skip)]
    pub why: &'static str,
}

/// What doesn't change while a controller lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The knobs.
    pub policy: Policy,
    /// Addresses of ours to probe from; `None` is the kernel's choice.
    pub sources: Vec<Option<Ipv4Addr>>,
    /// Addresses that answer pings whenever the network is well, reached through the same fabric:
    /// their silence beside the VIP's means that we are blind.
    #[serde(default)]
    pub controls: Vec<Ipv4Addr>,
    /// The table of the set that serves us and no client: cut alone, until the VIP answers.
    #[serde(default)]
    pub canary: Option<TableId>,
    /// Where replacements go, in order.
    pub sites: Vec<Site>,
    /// Digests of the rendered user data, for each subnet of `sites`.
    pub user_data: BTreeMap<SubnetId, String>,
    /// What the command line says about replacements.
    pub wishes: Wishes,
    /// Whether the record was found rather than made: without one, two readings must agree before
    /// anything is launched.
    pub familiar: bool,
    /// Security groups and subnet of the machine rehome runs on, where known: the near end of the
    /// path.
    pub near_groups: Vec<crate::names::GroupId>,
    /// Its subnet.
    pub near_subnet: Option<SubnetId>,
    /// Its interface.
    pub near_interface: Option<crate::names::InterfaceId>,
}

/// What a call was made for; says where its answer goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Purpose {
    Watch,
    Candidate,
    Launch,
    Lookup,
    Stray(String),
    Standby,
    Look(Az),
    Check(InstanceId),
    Route(TableId),
    Heal(TableId),
    End(InstanceId),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Flight {
    purpose: Purpose,
    call: Call,
    sent: Mono,
}

/// Keeps one VIP alive. See the module's page. Its serialized form is all of it: what is restored
/// from that goes on as the controller itself would.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Controller {
    setup: Setup,
    clocks: Clocks,
    begun: Mono,
    record: Record,
    unsaved: bool,
    probing: Probing,
    views: Views,
    flights: BTreeMap<CallId, Flight>,
    next_call: u64,
    actions: Vec<Action>,
    retry_at: BTreeMap<Cow<'static, str>, Mono>,
    retries: u32,
    /// Nothing is moved before this; it was told why.
    held_until: Option<Mono>,
    paused: Option<String>,
    /// Our own end judges nobody at present.
    blind: bool,
    stop_by: Option<Mono>,
    stopped: bool,
    cut: cutting::Cut,
    healing: healing::Healing,
    looks: disposing::Looks,
    #[serde(default)]
    standing: standing::Standing,
    told: telling::Told,
    deciding: deciding::Deciding,
    expected: Option<Wakeup>,
    now: Mono,
    token_refused: bool,
    resave_at: Option<Mono>,
    token_in_doubt: bool,
}

/// A call that isn't sent within this time of being decided is dropped: what it rested on is old.
const SEND_WITHIN: Duration = Duration::from_secs(2);

/// A reading that nothing depends on may wait for this part of the poll interval, and no longer
/// than this.
const PATIENCE_PART: u32 = 4;
const PATIENCE_MAX: Duration = Duration::from_millis(2_500);

/// Between two tries to write a record that couldn't be written; a mutation tries at once.
const RESAVE_AFTER: Duration = Duration::from_secs(1);

/// A reading that is older than this many polls proves nothing any more.
const OLD_AFTER: u32 = 3;

/// A loop that wakes up later than this after it wanted to has slept through its deadlines, and
/// what it missed in that time says nothing about the network.
const STALL: Duration = Duration::from_millis(500);

impl Controller {
    /// A controller for `record` that begins at the moment where `clocks` met.
    #[must_use]
    pub fn new(setup: Setup, record: Record, clocks: Clocks) -> Controller {
        let begun = clocks.mono;
        Controller {
            probing: Probing::new(begun),
            setup,
            clocks,
            begun,
            record,
            unsaved: true,
            views: Views::default(),
            flights: BTreeMap::new(),
            next_call: 0,
            actions: Vec::new(),
            retry_at: BTreeMap::new(),
            retries: 0,
            held_until: None,
            paused: None,
            blind: false,
            stop_by: None,
            stopped: false,
            cut: cutting::Cut::default(),
            healing: healing::Healing::default(),
            looks: disposing::Looks::default(),
            standing: standing::Standing::default(),
            told: telling::Told::default(),
            deciding: deciding::Deciding::default(),
            expected: None,
            now: begun,
            token_refused: false,
            resave_at: None,
            // What an earlier process did with the present token isn't known.
            token_in_doubt: true,
        }
    }

    /// What is remembered.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Names calls from the beginning again where none is under way, so that two controllers which
    /// differ in nothing but how many calls they made are equal. The spread of a back-off comes
    /// from these names.
    pub fn renumber(&mut self) {
        if self.flights.is_empty() {
            self.next_call = 0;
        }
    }

    /// Takes one observation in and gives back what is to be done, in order.
    #[must_use]
    pub fn handle(&mut self, now: Mono, event: Event) -> Vec<Action> {
        if self.stopped {
            return Vec::new();
        }
        self.now = now;
        let due = self.expected.map(|wakeup| wakeup.at);
        let asleep = due.filter(|at| now > *at + STALL).map(|at| now.since(at));
        self.on_event(now, event);
        if let Some(asleep) = asleep {
            self.after_sleep(now, asleep);
        }
        self.step(now);
        if self.unsaved && self.resave_at.is_none_or(|at| at <= now) {
            self.persist();
        }
        self.expected = self.due();
        core::mem::take(&mut self.actions)
    }

    /// When to call [`handle`](Self::handle) again if nothing happens until then; nothing before
    /// the first event.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Wakeup> {
        self.expected.filter(|_| !self.stopped)
    }

    fn due(&self) -> Option<Wakeup> {
        if self.stopped {
            return None;
        }
        let candidates = [
            self.probing.next_wakeup(&self.setup.policy),
            self.next_poll(),
            self.next_move_step(),
            self.next_disposal(),
            self.next_standby(),
            self.next_report(),
            self.stop_by.map(|at| Wakeup { at, why: "end after a signal" }),
            self.turn_back_at().map(|at| Wakeup { at, why: "take the cut back" }),
        ];
        // What was due at the last event was considered then; it waits for something else now.
        let later = |wakeup: &Wakeup| wakeup.at > self.now;
        candidates.into_iter().flatten().filter(later).min_by_key(|wakeup| wakeup.at)
    }

    /// Everything that a verdict rests on at `now`.
    #[must_use]
    pub fn evidence(&self, now: Mono) -> Evidence {
        let vip = self.vip_hearing(now);
        let since = match &vip {
            Hearing::Silent { since, .. } => *since,
            Hearing::Answers | Hearing::Unknown(_) => now,
        };
        let policy = &self.setup.policy;
        let lately = now - (policy.interval * 2 + policy.timeout);
        let vouched = self.standby_vouches(since, lately, now).then_some(Hearing::Answers);
        let control = || self.probing.control(since, lately, policy, now);
        let control = vouched.or_else(|| (!self.setup.controls.is_empty()).then(control));
        Evidence {
            not_before: now - policy.poll_interval * OLD_AFTER,
            blind: self.blindness(now).map(|why| alloc::format!("{why}")),
            control,
            zone: self.views.zone_seen(&self.record.holder.az),
            primary: self.probing.primary(&self.record.holder, &self.setup.policy, now),
            holder: self.views.holder_seen(since),
            routes: self.routes_seen(),
            path: self.views.path_changes(&self.record.path, &self.record.holder.groups),
            vip,
        }
    }

    fn on_event(&mut self, now: Mono, event: Event) {
        match event {
            Event::Answers(answers) => self.on_answers(&answers),
            Event::Unsent(probe, why) => self.probing.on_unsent(probe, now, &why),
            Event::CallDone(id, result) => self.on_call_done(now, id, *result),
            Event::Paused(why) => self.on_paused(why),
            Event::Stop => {
                if self.stop_by.is_none() {
                    self.stop_by = Some(now + self.setup.policy.stop_within);
                }
            }
            Event::NotPersisted => {
                self.unsaved = true;
                self.resave_at = Some(now + RESAVE_AFTER);
            }
            Event::Tick => {}
        }
    }

    /// One round of comparing wanted with observed.
    fn step(&mut self, now: Mono) {
        self.probing.expire(now);
        self.step_blindness(now);
        if self.stop_if_asked(now) {
            return;
        }
        self.release_hold(now);
        self.step_probes(now);
        self.step_polls(now);
        self.step_move(now);
        self.step_healing(now);
        self.step_standby(now);
        self.step_lost_launches(now);
        self.step_disposals(now);
        self.step_capability(now);
        self.step_report(now);
        self.note_wellness(now);
    }

    fn on_paused(&mut self, why: Option<String>) {
        if why.is_some() != self.paused.is_some() {
            let text = match &why {
                Some(why) => alloc::format!("Paused: {why}; nothing will be changed"),
                None => "No longer paused".into(),
            };
            self.say(Line::Notice { text });
            self.note(why.clone().map_or(Decided::Resume, |why| Decided::Pause { why }));
            self.renew_attempt();
        }
        self.paused = why;
    }

    fn on_answers(&mut self, answers: &[(ProbeId, Mono)]) {
        for (probe, at) in answers {
            self.probing.on_answer(*probe, *at);
        }
        let (record, sources) = (&mut self.record, &self.setup.sources);
        for source in self.probing.heard_by().map(|index| sources[index]) {
            if !record.heard_by.contains(&source) {
                record.heard_by.push(source);
                self.unsaved = true;
            }
        }
        let candidate =
            self.record.moving.as_mut().and_then(|moving| moving.attempt.as_mut()?.home.as_mut());
        let standby = self.record.standby.as_mut().and_then(|standby| standby.home.as_mut());
        let others = candidate.into_iter().chain(standby);
        for home in core::iter::once(&mut self.record.holder).chain(others) {
            if !home.answered && self.probing.answered_ever(home) {
                home.answered = true;
                self.unsaved = true;
            }
        }
    }

    /// On a signal: a cut under way is finished or taken back first, within bounds; anything else
    /// ends at once and goes on where it stood when rehome is started again.
    fn stop_if_asked(&mut self, now: Mono) -> bool {
        let Some(by) = self.stop_by else { return false };
        if self.is_cutting() && now < by {
            if self.turn_back_at().is_some_and(|at| now >= at) {
                self.turn_back(now);
            }
            return false;
        }
        self.leave_cut();
        let standing = self.standing();
        self.say(Line::Stopping { standing });
        self.persist();
        self.actions.push(Action::Exit);
        self.stopped = true;
        true
    }

    /// A hold is over: a move that came to nothing begins anew, under the budget, if the evidence
    /// still calls for it.
    fn release_hold(&mut self, now: Mono) {
        if self.held_until.is_none_or(|until| until > now) {
            return;
        }
        self.held_until = None;
        if self.record.moving.is_some() {
            self.renew_move(now);
        }
        if self.held_until.is_none() {
            self.say_once(Line::Resumed);
        }
    }

    /// Decides not to act until `now + time`, and tells.
    fn hold(&mut self, now: Mono, time: Duration, why: String) {
        let time = if mutant::is_alive(Mutant::NeverHolds) { Duration::ZERO } else { time };
        self.held_until = Some(now + time);
        self.say_once(Line::Held { why });
    }

    /// Whether anything may be changed at all.
    fn may_mutate(&self) -> bool {
        let paused = self.paused.is_some() && !mutant::is_alive(Mutant::IgnoresPause);
        !paused && !self.blind && !self.setup.policy.observe
    }

    fn unix(&self, now: Mono) -> Unix {
        self.clocks.unix_at(now)
    }

    fn say(&mut self, line: Line) {
        self.note_line(&line);
        self.actions.push(Action::Say(line));
    }

    fn persist(&mut self) {
        self.unsaved = false;
        self.resave_at = None;
        self.record.revision += 1;
        self.actions.push(Action::Persist(Box::new(self.record.clone())));
    }

    /// Sends a call. A mutation is preceded by whatever of the record isn't durable yet.
    fn call(&mut self, now: Mono, purpose: Purpose, call: Call) {
        let mutates = call.mutates();
        let late = mutant::is_alive(Mutant::JournalAfterCall);
        if mutates {
            assert!(self.may_mutate(), "{} while nothing may be changed", call.action());
            if self.unsaved && !late {
                self.persist();
            }
        }
        let ever = mutant::is_alive(Mutant::SendsLate);
        let within = if ever { Duration::from_secs(3_600) } else { SEND_WITHIN };
        self.send(now, purpose, call, within, Duration::ZERO);
        if late && mutates && self.unsaved {
            self.persist();
        }
    }

    /// Reads something that nothing waits for: it may be put together with readings of others.
    fn read_at_leisure(&mut self, now: Mono, purpose: Purpose, call: Call) {
        let patience = (self.setup.policy.poll_interval / PATIENCE_PART).min(PATIENCE_MAX);
        self.send(now, purpose, call, SEND_WITHIN + patience, patience);
    }

    fn send(
        &mut self,
        now: Mono,
        purpose: Purpose,
        call: Call,
        within: Duration,
        patience: Duration,
    ) {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.flights.insert(id, Flight { purpose, call: call.clone(), sent: now });
        self.actions.push(Action::Call { id, call, not_after: now + within, patience });
    }

    fn in_flight(&self, purpose: &Purpose) -> bool {
        self.flights.values().any(|flight| flight.purpose == *purpose)
    }

    fn on_call_done(&mut self, now: Mono, id: CallId, result: Result<Reply, CallError>) {
        let Some(flight) = self.flights.remove(&id) else { return };
        if flight.call.mutates() && matches!(result, Err(CallError::NotSent(_))) {
            // It may have been the record that couldn't be written.
            self.unsaved = true;
        }
        match flight.purpose.clone() {
            Purpose::Watch => self.on_watched(now, &flight, result),
            Purpose::Candidate => self.on_candidate(now, &flight, result),
            Purpose::Launch => self.on_launch(now, result),
            Purpose::Lookup => self.on_lookup(now, result),
            Purpose::Stray(token) => self.on_stray(now, &token, result),
            Purpose::Standby => self.on_standby(now, &flight, result),
            Purpose::Look(_) => self.on_looked(&flight, result),
            Purpose::Check(instance) => self.on_check(now, &instance, result),
            Purpose::Route(table) => self.on_route(now, &table, &flight.call, result),
            Purpose::Heal(table) => self.on_healed(now, &table, &flight.call, result),
            Purpose::End(instance) => self.on_ended(now, &instance, result),
        }
    }

    /// The verdict at `now`.
    fn verdict(&self, now: Mono) -> crate::verdict::Verdict {
        // What it would be anyway, without gathering what isn't asked for: this is the usual case.
        if self.vip_answers(now) {
            return crate::verdict::Verdict::Healthy;
        }
        judge(&self.evidence(now))
    }

    /// Waits before the same thing is tried again: twice as long each time, from 0.2 to 20 s, with
    /// a spread that comes from the call's own number (no random source is needed).
    fn back_off(&mut self, now: Mono, what: &'static str) {
        self.retries = (self.retries + 1).min(7);
        let base = 200u64 << self.retries;
        let spread = (self.next_call.wrapping_mul(2_654_435_761) >> 8) % base;
        let wait = Duration::from_millis((base / 2 + spread).min(20_000));
        self.retry_at.insert(Cow::Borrowed(what), now + wait);
    }

    fn may_retry(&self, now: Mono, what: &'static str) -> bool {
        self.retry_at.get(what).is_none_or(|at| *at <= now)
    }
}

#[cfg(test)]
mod tests;
