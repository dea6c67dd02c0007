//! A small world: one controller, what it has in flight, and the ground truth.
//!
//! It is the shell's part in as few steps as can be. A probe is answered, or not, at the moment it
//! is sent; a call takes effect and is answered [`ANSWERED_AFTER`] after it was sent, if nothing
//! goes wrong.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rehome_core::call::Call;
use rehome_core::controller::{Action, CallId, Controller, Event};
use rehome_core::fault::CallError;
use rehome_core::probe::ProbeId;
use rehome_core::record::{Record, Stage};
use rehome_core::say::Line;
use rehome_core::time::{Clocks, Mono, Unix};

use super::fingerprint::{Fingerprint, GRID};
use super::law::{self, Broken, Law};
use super::truth::{Truth, scene};

/// From a call to its answer.
pub(super) const ANSWERED_AFTER: u64 = GRID;

/// What lingers, or is held, comes after this at the latest.
const COMES_AFTER: u64 = 3_000_000_000;

/// A stale reading shows the truth before its last change, if that was this short a while ago.
const STALE: u64 = 2_000_000_000;

/// Where the two clocks met, in all worlds.
pub(super) const CLOCKS: Clocks = Clocks { mono: Mono(100_000_000_000), unix: Unix(1_800_000_000) };

/// What the monitor can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Clear,
    /// Probes leave and nothing comes back.
    Deaf,
    /// Probes can't be sent.
    Unsendable,
}

/// Where a call in flight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// On its way there.
    Fresh,
    /// It took effect; its answer is held up.
    Held,
    /// Nobody waits for it any more, and it takes effect later.
    Lingers,
}

/// A call in flight.
#[derive(Clone, Debug)]
pub(super) struct Flying {
    pub(super) id: Option<CallId>,
    pub(super) call: Arc<Call>,
    pub(super) sent: Mono,
    pub(super) fate: Fate,
}

impl Flying {
    /// When it is answered or takes effect, at the latest.
    pub(super) fn due(&self) -> Mono {
        match self.fate {
            Fate::Fresh => Mono(self.sent.0 + ANSWERED_AFTER),
            Fate::Held | Fate::Lingers => Mono(self.sent.0 + COMES_AFTER),
        }
    }
}

/// What goes wrong while the actions of one event are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    Well,
    /// The record can't be written.
    PersistFails,
    /// The process dies before it writes the record.
    DiesBefore,
}

/// What was told on the way to a state, as far as it is counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    pub(super) moved: bool,
    pub(super) cancelled: bool,
    pub(super) rolled_back: bool,
    pub(super) fenced: bool,
    pub(super) crashed: bool,
}

/// One state of a world.
#[derive(Clone)]
pub(super) struct World {
    pub(super) now: Mono,
    /// None after it ended on a signal.
    pub(super) controller: Option<Controller>,
    pub(super) durable: Arc<Record>,
    pub(super) truth: Arc<Truth>,
    pub(super) before: Option<(Mono, Arc<Truth>)>,
    pub(super) flying: Vec<Flying>,
    /// What the process is given next, at once; empty between steps.
    pub(super) due: VecDeque<Event>,
    pub(super) paused: bool,
    pub(super) sight: Sight,
    pub(super) sight_since: Mono,
    pub(super) began: Mono,
    /// When the VIP was heard last.
    pub(super) heard_at: Mono,
    /// Whether the VIP's answer is among what is due.
    heard: bool,
    /// When the newest answer about the holder was asked for.
    pub(super) read_at: Mono,
    pub(super) marks: Marks,
    pub(super) broken: Option<Broken>,
    /// What was done and told, where somebody reads along.
    pub(super) log: Option<Vec<String>>,
}

impl World {
    /// All is well, and a process is about to start.
    pub(super) fn new() -> World {
        World {
            now: CLOCKS.mono,
            controller: None,
            durable: Arc::new(super::knobs::record()),
            truth: Arc::new(Truth::new()),
            before: None,
            flying: Vec::new(),
            due: VecDeque::new(),
            paused: false,
            sight: Sight::Clear,
            sight_since: Mono(0),
            began: CLOCKS.mono,
            heard_at: Mono(0),
            heard: false,
            read_at: Mono(0),
            marks: Marks::default(),
            broken: None,
            log: None,
        }
    }

    /// A new process, with what was durable; what it was sent before it died nobody waits for.
    pub(super) fn start(&mut self) {
        let (setup, record) = (scene().setup.clone(), (*self.durable).clone());
        self.controller = Some(Controller::new(setup, record, CLOCKS));
        self.began = self.now;
        self.due.clear();
        self.heard = false;
        self.due.push_back(if self.paused { Event::Paused(pause()) } else { Event::Tick });
    }

    /// Time passes for the world alone.
    pub(super) fn advance(&mut self, to: Mono) {
        self.now = self.now.max(to);
        let now = self.now;
        Arc::make_mut(&mut self.truth).grow(now);
        if self.before.as_ref().is_some_and(|(at, _)| now.0 > at.0 + STALE) {
            self.before = None;
        }
    }

    /// Changes the truth, and keeps what it was for those who read late.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Truth) -> T) -> T {
        self.before = Some((self.now, Arc::clone(&self.truth)));
        let truth = Arc::make_mut(&mut self.truth);
        let done = change(truth);
        truth.grow(self.now);
        done
    }

    /// When the process wants to be called, on the grid.
    pub(super) fn wakeup(&self) -> Option<Mono> {
        let at = self.controller.as_ref()?.next_wakeup()?.at;
        Some(Mono(at.0.next_multiple_of(GRID)).max(self.now))
    }

    /// Gives the process what is due, with every treatment that what it does allows; each end goes
    /// to `out`, with whether something went wrong.
    pub(super) fn settle(self, faults: bool, out: &mut Vec<(Treatment, World)>) {
        self.settle_from(Treatment::Well, faults, out);
    }

    fn settle_from(mut self, so_far: Treatment, faults: bool, out: &mut Vec<(Treatment, World)>) {
        loop {
            let next = self.due.pop_front();
            let (Some(event), Some(controller), None) =
                (next, self.controller.as_mut(), &self.broken)
            else {
                self.due.clear();
                out.push((so_far, self));
                return;
            };
            let now = self.now;
            if matches!(event, Event::Answers(_)) && std::mem::take(&mut self.heard) {
                self.heard_at = now;
            }
            let handle = || {
                let actions = controller.handle(now, event);
                controller.renumber();
                actions
            };
            match catch_unwind(AssertUnwindSafe(handle)) {
                Ok(actions) => {
                    let persists = actions.iter().any(|a| matches!(a, Action::Persist(_)));
                    if faults && so_far == Treatment::Well && persists {
                        for treatment in [Treatment::PersistFails, Treatment::DiesBefore] {
                            let mut other = self.clone();
                            other.perform(actions.clone(), treatment);
                            other.settle_from(treatment, false, out);
                        }
                    }
                    self.perform(actions, Treatment::Well);
                }
                Err(panic) => self.broken = Some(Law::Panic.broken(said(&*panic))),
            }
        }
    }

    fn perform(&mut self, actions: Vec<Action>, treatment: Treatment) {
        let mut voided = false;
        let mut probes = Vec::new();
        for action in actions {
            match action {
                Action::Probe { probe, target, .. } => probes.push((probe, target)),
                Action::Call { id, call, .. } if voided && call.mutates() => {
                    let error = CallError::NotSent("the record can't be written".into());
                    self.due.push_back(Event::CallDone(id, Box::new(Err(error))));
                }
                Action::Call { id, call, not_after, .. } => self.send(id, call, not_after),
                Action::Persist(_) if treatment == Treatment::PersistFails => {
                    if !voided {
                        // Before anything else: what the process believes durable isn't.
                        self.due.push_front(Event::NotPersisted);
                    }
                    voided = true;
                }
                Action::Persist(_) if treatment == Treatment::DiesBefore => {
                    self.orphan();
                    self.marks.crashed = true;
                    self.start();
                    return;
                }
                Action::Persist(record) => self.durable = Arc::from(record),
                Action::Note(_) | Action::Hurry => {}
                Action::Say(line) => self.hear(&line),
                Action::Exit => {
                    self.controller = None;
                    self.orphan();
                }
            }
        }
        self.probe(&probes);
    }

    /// Whoever sent what is in flight is gone; it takes effect later.
    pub(super) fn orphan(&mut self) {
        self.flying.retain(|one| one.call.mutates() && one.fate != Fate::Held);
        for one in &mut self.flying {
            one.id = None;
            one.fate = Fate::Lingers;
        }
    }

    fn send(&mut self, id: CallId, call: Call, not_after: Mono) {
        if call.mutates() {
            self.tell(|| format!("sends {}", wording(&call)));
            let broken = law::on_sent(self, &call, not_after);
            self.broken = self.broken.take().or(broken);
        }
        self.flying.push(Flying {
            id: Some(id),
            call: Arc::new(call),
            sent: self.now,
            fate: Fate::Fresh,
        });
    }

    fn probe(&mut self, probes: &[(ProbeId, std::net::Ipv4Addr)]) {
        let mut answers = Vec::new();
        for (probe, target) in probes {
            match self.sight {
                Sight::Unsendable => {
                    self.due.push_back(Event::Unsent(*probe, "no such address".into()));
                }
                Sight::Deaf => {}
                Sight::Clear => {
                    if self.truth.hears(*target, self.now) {
                        answers.push((*probe, self.now));
                        self.heard |= *target == scene().vip.address;
                    }
                }
            }
        }
        if !answers.is_empty() {
            self.due.push_back(Event::Answers(answers));
        }
    }

    fn hear(&mut self, line: &Line) {
        match line {
            Line::Verified { .. } => self.marks.moved = true,
            Line::Cancelled { .. } => self.marks.cancelled = true,
            Line::RollingBack { .. } => self.marks.rolled_back = true,
            Line::Ending { former, .. } => self.marks.fenced |= former,
            Line::Kept { instance, .. } => {
                if let Some(number) = self.truth.number(instance) {
                    Arc::make_mut(&mut self.truth).machines[number].kept = true;
                }
            }
            Line::Status { .. }
            | Line::SourceDestCheckOff { .. }
            | Line::Suspect { .. }
            | Line::Moving { .. }
            | Line::WouldMove { .. }
            | Line::Launching { .. }
            | Line::Launched { .. }
            | Line::AttemptFailed { .. }
            | Line::Waiting { .. }
            | Line::Ready { .. }
            | Line::Cutting
            | Line::Routed { .. }
            | Line::Verifying { .. }
            | Line::Ended { .. }
            | Line::NowMonitoring { .. }
            | Line::Held { .. }
            | Line::Resumed
            | Line::CapabilityLost { .. }
            | Line::StandbyLaunching { .. }
            | Line::StandbyReady { .. }
            | Line::StandbyLost { .. }
            | Line::CapabilityBack
            | Line::Notice { .. }
            | Line::Stopping { .. } => {}
        }
        self.tell(|| format!("says {line}"));
    }

    /// For whoever reads along.
    pub(super) fn tell(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(format!("{:6.1} s    {}", seconds(self.now), text()));
        }
    }

    /// Makes the durable record's holder one that has held the VIP.
    pub(super) fn note_holder(&mut self) {
        let Some(number) = self.truth.number(&self.durable.holder.instance) else { return };
        if !self.truth.machines[number].held {
            Arc::make_mut(&mut self.truth).machines[number].held = true;
        }
    }

    /// How far a move is, by what the process believes.
    pub(super) fn stage(&self) -> Option<Stage> {
        let record = self.controller.as_ref().map_or(&*self.durable, Controller::record);
        record.moving.as_ref().map(|moving| moving.stage)
    }

    /// What makes this state the same as another one.
    pub(super) fn fingerprint(&self) -> u128 {
        let mut into = Fingerprint::new(self.now, CLOCKS.unix_at(self.now));
        match &self.controller {
            Some(controller) => {
                into.part(controller);
                // Mostly what is durable is what the process has.
                if same(controller.record(), &self.durable) {
                    into.word(0);
                } else {
                    into.word(1);
                    into.part(&*self.durable);
                }
            }
            None => {
                into.word(2);
                into.part(&*self.durable);
            }
        }
        self.truth.note(&mut into, self.now);
        into.word(self.before.is_some().into());
        if let Some((at, before)) = &self.before {
            before.note(&mut into, self.now);
            into.mono(*at);
        }
        into.word(self.flying.len() as u64);
        for one in &self.flying {
            into.word(one.id.map_or(u64::MAX, |id| id.0));
            into.word(one.fate as u64);
            into.mono(one.sent);
            if one.id.is_none() {
                into.part(&*one.call);
            }
        }
        into.word(u64::from(self.paused) * 8 + self.sight as u64);
        for at in [self.sight_since, self.began, self.heard_at, self.read_at] {
            into.mono(at);
        }
        into.finish()
    }
}

/// Whether two records differ in nothing but the count of writings.
fn same(one: &Record, other: &Record) -> bool {
    let Record {
        format: _,
        revision: _,
        vip,
        vpc: _,
        account: _,
        generation,
        attempts,
        holder,
        route_set,
        heard_by,
        path,
        spec,
        moving,
        disposals,
        lost_launches,
        former,
        moves,
        standby,
        standby_spec: _,
        standby_launches,
    } = one;
    *moving == other.moving
        && *disposals == other.disposals
        && *lost_launches == other.lost_launches
        && *holder == other.holder
        && (*generation, *attempts) == (other.generation, other.attempts)
        && *former == other.former
        && *moves == other.moves
        && *standby == other.standby
        && *standby_launches == other.standby_launches
        && *path == other.path
        && *heard_by == other.heard_by
        && *route_set == other.route_set
        && *spec == other.spec
        && *vip == other.vip
}

fn wording(call: &Call) -> String {
    match call {
        Call::Launch(launch) => format!("{} in {}", call.action(), launch.az),
        Call::ReplaceRoute { table, interface, .. }
        | Call::CreateRoute { table, interface, .. } => {
            format!("{} in {table} to {interface}", call.action())
        }
        Call::DisableSourceDestCheck { .. }
        | Call::Stop { .. }
        | Call::Terminate { .. }
        | Call::Instances { .. }
        | Call::Listed { .. }
        | Call::Statuses { .. }
        | Call::Tables { .. }
        | Call::Path { .. }
        | Call::Zones
        | Call::Launched { .. } => format!("{call:?}"),
    }
}

/// Why there is a pause.
pub(super) fn pause() -> Option<String> {
    Some("a person asked for it".into())
}

/// Since the world began.
pub(super) fn seconds(at: Mono) -> f64 {
    at.since(CLOCKS.mono).as_secs_f64()
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}
