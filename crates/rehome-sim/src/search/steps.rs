//! What can come next: time and answers, which are free, and what goes wrong, which is counted.

use std::fmt;
use std::sync::Arc;

use rehome_core::call::{Call, Reply};
use rehome_core::controller::Event;
use rehome_core::fault::CallError;
use rehome_core::time::Mono;

use super::law;
use super::truth::{Leads, Life, TABLES, Truth, refused, scene};
use super::world::{Fate, Sight, Treatment, World, pause};

/// A stalled machine stands still for so long.
const SLEEPS_FOR: u64 = 3_000_000_000;

/// How the next calls are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As it is.
    Truthfully,
    /// EC2 can't be read.
    ReadsFail,
    /// As it was before the last change.
    ReadsStale,
    /// It has no effect, and nobody knows.
    Lost,
    /// It takes effect, and nobody knows.
    AnswerLost,
    /// Nobody knows, and it takes effect later.
    Lingers,
    /// It takes effect, and its answer comes later.
    Held,
    /// It is refused with this code.
    Refused(&'static str),
}

/// What becomes of a mutation in flight when the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InFlight {
    Vanishes,
    Lands,
    Lingers,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Time passes to the next answer or to the next moment at which the process wants to be woken.
    Pass,
    /// A process starts after one that ended on a signal.
    Start,
    SeeAgain,
    Resume,
    /// A lingering call takes effect.
    Land(usize),
    /// An answer that was held comes.
    Answer(usize),
    /// The next answer, in this manner.
    Answered(Manner),
    Crash(InFlight),
    GuestDies(usize),
    GuestRecovers(usize),
    LosesAddress(usize),
    /// EC2 loses the instance.
    Vanishes(usize),
    /// New instances come up without the address.
    Barren,
    GoBlind(Sight),
    Pause,
    Stop,
    Sleep,
    /// A person points a route to a living stranger.
    Steal(usize),
    /// A person deletes a route.
    Delete(usize),
    /// A person points every route to the first holder.
    PointBack,
}

/// A step with what went wrong while it was done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) treatment: Treatment,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.treatment {
            Treatment::Well => write!(f, "{:?}", self.kind),
            treatment @ (Treatment::PersistFails | Treatment::DiesBefore) => {
                write!(f, "{:?}, and {treatment:?}", self.kind)
            }
        }
    }
}

/// A state that can come next.
pub(super) struct Successor {
    pub(super) step: Step,
    pub(super) fault: bool,
    pub(super) world: World,
}

/// What is under construction: the successors of one state.
struct Next<'a> {
    from: &'a World,
    faults: bool,
    found: Vec<Successor>,
}

/// All that can come next; without faults, what comes if nothing more goes wrong.
pub(super) fn successors(from: &World, faults: bool) -> Vec<Successor> {
    let mut next = Next { from, faults, found: Vec::new() };
    next.free();
    if faults {
        next.answers_gone_wrong();
        next.process_gone_wrong();
        next.machines_gone_wrong();
        next.people();
    }
    for successor in &mut next.found {
        let world = &mut successor.world;
        world.note_holder();
        world.broken = world.broken.take().or_else(|| law::on_state(world));
    }
    next.found
}

/// What comes next where time just passes; nothing where nothing would ever come.
pub(super) fn pass(from: &World) -> Option<World> {
    let mut next = Next { from, faults: false, found: Vec::new() };
    next.pass();
    next.found.pop().map(|successor| successor.world)
}

impl Next<'_> {
    /// One way on: `change` is done to the world, then the process is given what is due.
    fn add(&mut self, kind: Kind, fault: bool, change: impl FnOnce(&mut World)) {
        let mut world = self.from.clone();
        world.marks = super::world::Marks::default();
        change(&mut world);
        let mut ends = Vec::new();
        world.settle(self.faults && !fault, &mut ends);
        self.found.extend(ends.into_iter().map(|(treatment, world)| Successor {
            step: Step { kind, treatment },
            fault: fault || treatment != Treatment::Well,
            world,
        }));
    }

    fn free(&mut self) {
        self.pass();
        let from = self.from;
        if from.controller.is_none() {
            self.add(Kind::Start, false, World::start);
        }
        if from.sight != Sight::Clear {
            self.add(Kind::SeeAgain, false, |world| see(world, Sight::Clear));
        }
        if from.paused {
            self.add(Kind::Resume, false, |world| set_paused(world, false));
        }
        for (index, one) in from.flying.iter().enumerate() {
            match one.fate {
                Fate::Fresh => {}
                Fate::Held => self.add(Kind::Answer(index), false, |world| come(world, index)),
                Fate::Lingers => self.add(Kind::Land(index), false, |world| come(world, index)),
            }
        }
    }

    fn pass(&mut self) {
        let flying = &self.from.flying;
        let late = (0..flying.len()).filter(|index| flying[*index].fate != Fate::Fresh);
        let late = late.min_by_key(|index| flying[*index].due());
        let late = late.map(|index| (flying[index].due(), index));
        let (fresh, wakeup) = (self.answer_due(), self.from.wakeup());
        let times = [late.map(|(at, _)| at), fresh, wakeup];
        let Some(at) = times.into_iter().flatten().min() else { return };
        self.add(Kind::Pass, false, |world| {
            world.advance(at);
            match late.filter(|(due, _)| *due <= at) {
                Some((_, index)) => come(world, index),
                None if fresh.is_some_and(|due| due <= at) => deliver(world, Manner::Truthfully),
                None => world.due.push_back(Event::Tick),
            }
        });
    }

    /// When the first call that is on its way is answered.
    fn answer_due(&self) -> Option<Mono> {
        let fresh = self.from.flying.iter().filter(|one| one.fate == Fate::Fresh);
        fresh.map(super::world::Flying::due).min()
    }

    fn answers_gone_wrong(&mut self) {
        let from = self.from;
        let Some(at) = self.answer_due() else { return };
        if from.wakeup().is_some_and(|wakeup| wakeup < at) {
            return;
        }
        let first = from.flying.iter().find(|one| one.fate == Fate::Fresh);
        let manners: &[Manner] = match first.map(|one| &*one.call) {
            Some(call) if call.mutates() => manners_of(call),
            Some(_) if from.before.is_some() => &[Manner::ReadsFail, Manner::ReadsStale],
            Some(_) | None => &[Manner::ReadsFail],
        };
        for manner in manners {
            self.add(Kind::Answered(*manner), true, |world| {
                world.advance(at);
                deliver(world, *manner);
            });
        }
    }

    fn process_gone_wrong(&mut self) {
        let from = self.from;
        if from.controller.is_none() {
            return;
        }
        let fresh = |one: &super::world::Flying| one.fate == Fate::Fresh && one.call.mutates();
        let ends: &[InFlight] = if from.flying.iter().any(fresh) {
            &[InFlight::Vanishes, InFlight::Lands, InFlight::Lingers]
        } else {
            &[InFlight::Vanishes]
        };
        for end in ends {
            self.add(Kind::Crash(*end), true, |world| crash(world, *end));
        }
        self.add(Kind::Stop, true, |world| world.due.push_back(Event::Stop));
        self.add(Kind::Sleep, true, |world| {
            world.advance(Mono(world.now.0 + SLEEPS_FOR));
            // Who slept in the dark has yet to find out.
            if world.sight != Sight::Clear {
                world.sight_since = world.now;
            }
        });
        if !from.paused {
            self.add(Kind::Pause, true, |world| set_paused(world, true));
        }
        if from.sight == Sight::Clear {
            for sight in [Sight::Deaf, Sight::Unsendable] {
                self.add(Kind::GoBlind(sight), true, |world| see(world, sight));
            }
        }
    }

    fn machines_gone_wrong(&mut self) {
        let truth = &self.from.truth;
        for (number, machine) in truth.machines.iter().enumerate() {
            if !machine.lives() {
                continue;
            }
            let (kind, well) = if machine.well {
                (Kind::GuestDies(number), false)
            } else {
                (Kind::GuestRecovers(number), true)
            };
            self.alter(kind, move |truth| truth.machines[number].well = well);
            self.alter(Kind::Vanishes(number), move |truth| {
                truth.machines[number].life = Life::Terminated;
            });
            if machine.has_vip && truth.routes[0] == Leads::To(number) {
                self.alter(Kind::LosesAddress(number), move |truth| {
                    truth.machines[number].has_vip = false;
                });
            }
        }
        if !truth.barren {
            self.alter(Kind::Barren, |truth| truth.barren = true);
        }
    }

    fn people(&mut self) {
        let truth = &self.from.truth;
        for table in 0..TABLES {
            if truth.routes[table] != Leads::ToStranger {
                self.alter(Kind::Steal(table), move |truth| {
                    truth.routes[table] = Leads::ToStranger;
                });
            }
            if truth.routes[table] != Leads::Nowhere {
                self.alter(Kind::Delete(table), move |truth| truth.routes[table] = Leads::Nowhere);
            }
        }
        let elsewhere = truth.routes != [Leads::To(0); TABLES];
        if elsewhere && truth.machines[0].lives() {
            self.alter(Kind::PointBack, |truth| truth.routes = [Leads::To(0); TABLES]);
        }
    }

    fn alter(&mut self, kind: Kind, change: impl FnOnce(&mut Truth)) {
        self.add(kind, true, |world| world.change(change));
    }
}

/// What can go wrong with a mutation.
fn manners_of(call: &Call) -> &'static [Manner] {
    use Manner::{AnswerLost, Held, Lingers, Lost, Refused};
    match call {
        Call::Launch(_) => &[
            Lost,
            AnswerLost,
            Lingers,
            Held,
            Refused("RequestLimitExceeded"),
            Refused("InsufficientInstanceCapacity"),
            Refused("UnauthorizedOperation"),
        ],
        Call::ReplaceRoute { .. } | Call::CreateRoute { .. } => {
            &[Lost, AnswerLost, Lingers, Held, Refused("RequestLimitExceeded")]
        }
        Call::Stop { .. } | Call::Terminate { .. } => &[
            Lost,
            AnswerLost,
            Lingers,
            Held,
            Refused("RequestLimitExceeded"),
            Refused("OperationNotPermitted"),
        ],
        Call::DisableSourceDestCheck { .. } => &[Lost, AnswerLost, Lingers],
        Call::Instances { .. }
        | Call::Listed { .. }
        | Call::Statuses { .. }
        | Call::Tables { .. }
        | Call::Path { .. }
        | Call::Zones
        | Call::Launched { .. } => &[],
    }
}

/// Answers what is on its way: one mutation, or the readings before the next one.
fn deliver(world: &mut World, manner: Manner) {
    let now = world.now;
    let fresh = |one: &super::world::Flying| one.fate == Fate::Fresh;
    let Some(first) = world.flying.iter().position(fresh) else { return };
    if world.flying[first].call.mutates() {
        answer_mutation(world, first, manner);
        return;
    }
    let mut index = first;
    while let Some(one) = world.flying.get(index) {
        if !fresh(one) {
            index += 1;
        } else if one.call.mutates() || one.due() > now {
            break;
        } else {
            let one = world.flying.remove(index);
            let before = world.before.as_ref().map(|(_, truth)| truth);
            let truth = before.filter(|_| manner == Manner::ReadsStale).unwrap_or(&world.truth);
            let result = if manner == Manner::ReadsFail {
                Err(refused("RequestLimitExceeded"))
            } else {
                Ok(truth.read(&one.call))
            };
            let holder = &world.durable.holder.instance;
            let told = matches!(&*one.call, Call::Instances { ids, .. } if ids.contains(holder));
            if told && result.is_ok() {
                world.read_at = world.read_at.max(one.sent);
            }
            if let Some(id) = one.id {
                world.due.push_back(Event::CallDone(id, Box::new(result)));
            }
        }
    }
}

fn answer_mutation(world: &mut World, index: usize, manner: Manner) {
    let mut one = world.flying.remove(index);
    let nobody_knows = || Err(CallError::NoAnswer("timeout".into()));
    let result: Result<Reply, CallError> = match manner {
        Manner::Truthfully | Manner::ReadsFail | Manner::ReadsStale => {
            take_effect(world, &one.call)
        }
        Manner::Lost => nobody_knows(),
        Manner::AnswerLost => {
            let _ = take_effect(world, &one.call);
            nobody_knows()
        }
        Manner::Refused(code) => Err(refused(code)),
        Manner::Held => match take_effect(world, &one.call) {
            Ok(_) => {
                one.fate = Fate::Held;
                world.flying.insert(index, one);
                return;
            }
            Err(error) => Err(error),
        },
        Manner::Lingers => {
            let (fate, id) = (Fate::Lingers, one.id.take());
            world.flying.insert(index, super::world::Flying { fate, id: None, ..one.clone() });
            one.id = id;
            nobody_knows()
        }
    };
    world.tell(|| format!("{}: {}", one.call.action(), brief(&result)));
    if let Some(id) = one.id {
        world.due.push_back(Event::CallDone(id, Box::new(result)));
    }
}

fn brief(result: &Result<Reply, CallError>) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// What is late comes: an effect, or an answer.
fn come(world: &mut World, index: usize) {
    let one = world.flying.remove(index);
    match one.fate {
        Fate::Fresh => unreachable!("only what was put off comes late"),
        Fate::Lingers => {
            let result = take_effect(world, &one.call);
            world.tell(|| format!("{} at last: {}", one.call.action(), brief(&result)));
        }
        Fate::Held => {
            let reply = world.truth.read(&one.call);
            if let Some(id) = one.id {
                world.due.push_back(Event::CallDone(id, Box::new(Ok(reply))));
            }
        }
    }
}

fn take_effect(world: &mut World, call: &Arc<Call>) -> Result<Reply, CallError> {
    let (now, before) = (world.now, Arc::clone(&world.truth));
    let result = world.change(|truth| truth.change(call, now));
    let broken = law::on_effect(world, call, &before);
    world.broken = world.broken.take().or(broken);
    result
}

fn crash(world: &mut World, end: InFlight) {
    let mutations = |world: &World| {
        let fresh = world.flying.iter().filter(|one| one.fate == Fate::Fresh);
        fresh.map(|one| Arc::clone(&one.call)).filter(|call| call.mutates()).collect::<Vec<_>>()
    };
    if end == InFlight::Lands {
        for call in mutations(world) {
            let _ = take_effect(world, &call);
        }
    }
    if end != InFlight::Lingers {
        world.flying.retain(|one| one.fate == Fate::Lingers);
    }
    world.orphan();
    world.marks.crashed = true;
    world.start();
}

pub(super) fn see(world: &mut World, sight: Sight) {
    world.sight = sight;
    world.sight_since = world.now;
}

pub(super) fn set_paused(world: &mut World, paused: bool) {
    world.paused = paused;
    world.due.push_back(Event::Paused(if paused { pause() } else { None }));
}

/// Whether the durable record's holder serves every table, and nothing is left to do.
pub(super) fn is_settled(world: &World) -> bool {
    let record = &world.durable;
    let holder = scene().instances.iter().position(|id| *id == record.holder.instance);
    record.moving.is_none()
        && record.disposals.is_empty()
        && record.lost_launches.is_empty()
        && world.flying.iter().all(|one| one.fate != Fate::Lingers)
        && holder.is_some_and(|holder| world.truth.is_served_by(holder, world.now))
}
