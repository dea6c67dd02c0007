//! A small EC2 and network for the machine's tests: only what the stories need, in virtual time.

use alloc::collections::{BTreeMap, BTreeSet, BinaryHeap};
use core::cmp::Reverse;
use core::net::Ipv4Addr;

use super::*;
use crate::names::{Az, InterfaceId, VpcId};
use crate::net::Vip;
use crate::record::{FORMAT, Home};
use crate::testing::launch_spec;
use crate::world::{
    Check, Effect, Instance, Interface, PathPart, Placement, Route, RouteState, RouteTable, Status,
    Target, Zone,
};

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn throttled() -> CallError {
    CallError::Refused { code: "RequestLimitExceeded".into(), message: String::new() }
}

pub(super) fn az(name: &str) -> Az {
    name.parse().unwrap()
}

pub(super) fn id(name: &str) -> InstanceId {
    name.parse().unwrap()
}

fn eni(instance: &InstanceId) -> InterfaceId {
    instance.as_str().replace("i-", "eni-").parse().unwrap()
}

/// Whether and how a call fails, and whether it has its effect all the same.
pub(super) type Fault = Box<dyn FnMut(&Call, Mono) -> Option<(CallError, bool)>>;

/// What goes wrong with the first call of this kind that is made in this phase.
#[derive(Clone, Debug)]
pub(super) struct Trap {
    pub(super) phase: &'static str,
    pub(super) action: &'static str,
    pub(super) wrong: Wrong,
    pub(super) sprung: bool,
    /// The process dies when it has handled the answer to this one.
    call: Option<CallId>,
}

impl Trap {
    pub(super) fn new(phase: &'static str, action: &'static str, wrong: Wrong) -> Trap {
        Trap { phase, action, wrong, sprung: false, call: None }
    }
}

/// How a call goes wrong; after each the process is killed and started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The process dies before it sends it.
    NotSent,
    /// It takes effect, and the process dies before an answer comes.
    Unanswered,
    /// The process dies, and the call reaches EC2 five seconds later.
    LandsLate,
    /// It takes effect, its answer is lost, and the process dies when it has found out.
    AnswerLost,
    /// The answer takes eight seconds.
    AnswerLate,
    /// EC2 refuses it with this code and message.
    Refused(&'static str, &'static str),
}

/// Where a controller stands, as finely as the record tells.
fn phase(record: &Record) -> &'static str {
    use crate::record::Stage;
    let Some(moving) = &record.moving else {
        return match record.disposals.as_slice() {
            [] if record.lost_launches.is_empty() => "watching",
            [] => "looking for a lost launch",
            disposals if disposals.iter().any(|one| one.ordered) => "ending a leftover",
            _ => "looking at a leftover",
        };
    };
    match (moving.stage, &moving.attempt) {
        (Stage::Preparing, None) => "choosing a place",
        (Stage::Preparing, Some(attempt)) if attempt.instance.is_none() => "launching",
        (Stage::Preparing, Some(_)) => "proving",
        (Stage::Cutting, _) => "cutting",
        (Stage::Verifying, _) => "verifying",
        (Stage::RollingBack, _) => "rolling back",
    }
}

/// A machine of this world.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) state: InstanceState,
    pub(super) az: Az,
    pub(super) address: Ipv4Addr,
    pub(super) alive: bool,
    pub(super) has_vip: bool,
    pub(super) check: bool,
    pub(super) protected: bool,
    pub(super) by_user: bool,
    pub(super) token: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) born: Mono,
    pub(super) ended: Option<Mono>,
    pub(super) hidden: u32,
}

pub(super) struct World {
    /// Readings that could wait for others, and those that couldn't.
    pub(super) at_leisure: (usize, usize),
    pub(super) now: Mono,
    pub(super) controller: Option<Controller>,
    pub(super) setup: Setup,
    pub(super) record: Record,
    pub(super) machines: BTreeMap<InstanceId, Machine>,
    pub(super) tables: BTreeMap<TableId, Option<InterfaceId>>,
    events: BinaryHeap<Reverse<(Mono, u64)>>,
    payloads: BTreeMap<u64, Event>,
    next: u64,
    pub(super) lines: Vec<String>,
    pub(super) decisions: Vec<Decision>,
    pub(super) mutations: Vec<String>,
    pub(super) steps: u64,
    pub(super) stopped: bool,
    pub(super) api_error: Option<&'static str>,
    pub(super) refuse: BTreeMap<Az, &'static str>,
    pub(super) dies_pending: Vec<Az>,
    pub(super) dies_of: &'static str,
    pub(super) loss_percent: u64,
    pub(super) new_ones_have_vip: bool,
    /// The rules on the way.
    pub(super) path_lines: Vec<(Effect, &'static str)>,
    pub(super) path_open: bool,
    pub(super) other_route: Option<String>,
    pub(super) other_destination: &'static str,
    pub(super) deaf_sources: Vec<Option<Ipv4Addr>>,
    pub(super) unsendable: Vec<Option<Ipv4Addr>>,
    pub(super) crash_at: Option<(usize, bool)>,
    pub(super) fail_once: Option<(&'static str, &'static str, bool)>,
    pub(super) fault: Option<Fault>,
    pub(super) persist_fails: bool,
    pub(super) slow_end: bool,
    pub(super) lookup_lag: Duration,
    pub(super) unlisted: Vec<InstanceId>,
    pub(super) impaired: bool,
    /// Whose status checks fail.
    pub(super) failing_checks: Vec<InstanceId>,
    /// Who admits no pings to its primary address.
    pub(super) mute: Vec<InstanceId>,
    pub(super) scheduled: Vec<String>,
    pub(super) failing_zones: Vec<Az>,
    /// Machines of others that answer pings, as long as the network does.
    pub(super) neighbors: Vec<Ipv4Addr>,
    /// What goes wrong once, and the crash that follows.
    pub(super) trap: Option<Trap>,
    /// In which phases which calls were made.
    pub(super) seen: BTreeSet<(&'static str, &'static str)>,
    /// Calls that reach EC2 only then, whatever became of who sent them.
    late: Vec<(Mono, Call)>,
    crashed: bool,
    /// Whether each event is also given to a controller restored from its serialized form.
    pub(super) restored: bool,
    voided: bool,
    performed: usize,
    random: u64,
    until: Mono,
    fresh: bool,
}

fn site(zone: &str, subnet: &str, cidr: &str) -> Site {
    Site { az: az(zone), subnet: subnet.parse().unwrap(), cidr: cidr.parse().unwrap() }
}

/// A machine of somebody else's that is always well, unless a story says otherwise.
pub(super) const NEIGHBOR: Ipv4Addr = Ipv4Addr::new(172, 31, 16, 20);

fn setup() -> Setup {
    let sites = alloc::vec![
        site("us-east-1b", "subnet-0000000b", "172.31.32.0/20"),
        site("us-east-1c", "subnet-0000000c", "172.31.16.0/20"),
        site("us-east-1a", "subnet-0000000a", "172.31.48.0/20"),
    ];
    Setup {
        policy: Policy::default(),
        sources: alloc::vec![None],
        controls: Vec::new(),
        user_data: sites.iter().map(|site| (site.subnet.clone(), "sha".into())).collect(),
        sites,
        wishes: Wishes::default(),
        familiar: true,
        near_groups: Vec::new(),
        canary: None,
        near_subnet: None,
        near_interface: None,
    }
}

fn first_holder() -> Machine {
    Machine {
        state: InstanceState::Running,
        az: az("us-east-1a"),
        address: Ipv4Addr::new(172, 31, 48, 10),
        alive: true,
        has_vip: true,
        check: false,
        protected: false,
        by_user: false,
        token: None,
        tags: BTreeMap::new(),
        born: Mono(0),
        ended: None,
        hidden: 0,
    }
}

fn first_record(route_set: Vec<TableId>) -> Record {
    let holder = id("i-0000000a");
    Record {
        format: FORMAT,
        revision: 0,
        vip: "10.0.0.10".parse::<Vip>().unwrap(),
        vpc: "vpc-0000000a".parse::<VpcId>().unwrap(),
        account: "123456789012".into(),
        generation: 0,
        attempts: 0,
        holder: Home {
            instance: holder.clone(),
            interface: eni(&holder),
            address: first_holder().address,
            az: az("us-east-1a"),
            subnet: "subnet-0000000a".parse().unwrap(),
            groups: alloc::vec!["sg-0000000a".parse().unwrap()],
            answered: false,
        },
        route_set,
        heard_by: Vec::new(),
        path: Vec::new(),
        spec: launch_spec(),
        moving: None,
        disposals: Vec::new(),
        lost_launches: Vec::new(),
        standby: None,
        standby_spec: None,
        standby_launches: Vec::new(),
        former: Vec::new(),
        moves: Vec::new(),
    }
}

impl World {
    pub(super) fn new() -> World {
        World::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Setup)) -> World {
        let mut setup = setup();
        change(&mut setup);
        let holder = id("i-0000000a");
        let route_set: Vec<TableId> =
            ["rtb-00000001", "rtb-00000002"].iter().map(|t| t.parse().unwrap()).collect();
        let mut world = World {
            at_leisure: (0, 0),
            now: Mono(10_000_000_000),
            controller: None,
            setup,
            record: first_record(route_set.clone()),
            machines: [(holder.clone(), first_holder())].into(),
            tables: route_set.into_iter().map(|table| (table, Some(eni(&holder)))).collect(),
            events: BinaryHeap::new(),
            payloads: BTreeMap::new(),
            next: 0,
            lines: Vec::new(),
            decisions: Vec::new(),
            mutations: Vec::new(),
            steps: 0,
            stopped: false,
            api_error: None,
            refuse: BTreeMap::new(),
            dies_pending: Vec::new(),
            dies_of: "Server.InternalError",
            loss_percent: 0,
            new_ones_have_vip: true,
            path_lines: alloc::vec![(Effect::Passes, "icmp"), (Effect::Blocks, "udp")],
            path_open: true,
            other_route: None,
            other_destination: "0.0.0.0/0",
            deaf_sources: Vec::new(),
            unsendable: Vec::new(),
            crash_at: None,
            fail_once: None,
            fault: None,
            persist_fails: false,
            slow_end: false,
            lookup_lag: Duration::ZERO,
            unlisted: Vec::new(),
            impaired: false,
            failing_checks: Vec::new(),
            mute: Vec::new(),
            scheduled: Vec::new(),
            failing_zones: Vec::new(),
            neighbors: alloc::vec![NEIGHBOR],
            trap: None,
            seen: BTreeSet::new(),
            late: Vec::new(),
            crashed: false,
            restored: false,
            voided: false,
            performed: 0,
            random: 88_172_645_463_325_252,
            until: Mono(0),
            fresh: true,
        };
        world.restart();
        world
    }

    /// A new process, with what was durable.
    pub(super) fn restart(&mut self) {
        self.events.clear();
        self.payloads.clear();
        self.stopped = false;
        self.fresh = true;
        let unix = Unix(1_800_000_000 + self.now.0 / 1_000_000_000);
        let clocks = Clocks { mono: self.now, unix };
        self.controller = Some(Controller::new(self.setup.clone(), self.record.clone(), clocks));
    }

    pub(super) fn run(&mut self, time: Duration) {
        self.until = self.now + time;
        while self.step_once() {}
        self.now = self.until;
    }

    pub(super) fn until_crash(&mut self) {
        self.until = self.now + secs(600);
        while self.crash_at.is_some() && self.step_once() {}
    }

    pub(super) fn run_until_line(&mut self, text: &str) {
        self.until = self.now + secs(600);
        while !self.has_line(text) && self.step_once() {}
        assert!(self.has_line(text), "never said: {text}");
    }

    fn step_once(&mut self) -> bool {
        let Some(controller) = self.controller.as_ref().filter(|_| !self.stopped) else {
            return false;
        };
        let wakeup = if core::mem::take(&mut self.fresh) {
            Some(self.now)
        } else {
            controller.next_wakeup().map(|wakeup| wakeup.at)
        };
        let event = self.events.peek().map(|Reverse((at, _))| *at);
        let late = self.late.first().map(|(at, _)| *at);
        if let Some(at) = late.filter(|at| [wakeup, event].iter().flatten().all(|due| at <= due)) {
            self.now = at.max(self.now);
            let (_, call) = self.late.remove(0);
            self.grow_up();
            let _ = self.effect(&call);
            self.fresh |= wakeup.is_some_and(|at| at <= self.now);
            return true;
        }
        let Some(next) = [wakeup, event].into_iter().flatten().min() else { return false };
        let next = next.max(self.now);
        if next > self.until {
            return false;
        }
        self.now = next;
        let due = event.is_some_and(|at| at <= next);
        let event = if due { self.take_event() } else { Event::Tick };
        self.event(event);
        true
    }

    fn take_event(&mut self) -> Event {
        let Reverse((_, key)) = self.events.pop().unwrap();
        self.payloads.remove(&key).unwrap()
    }

    /// Time passes for the world and not for the process.
    pub(super) fn sleep(&mut self, time: Duration) {
        self.now = self.now + time;
        let late: Vec<_> = core::mem::take(&mut self.events).into_vec();
        for Reverse((_, key)) in late {
            self.events.push(Reverse((self.now, key)));
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.steps += 1;
        assert!(self.steps < 2_000_000, "the machine spins");
        let Some(controller) = &mut self.controller else { return };
        let restored = self.restored.then(|| {
            let text = serde_json::to_string(controller).unwrap();
            let mut restored: Controller = serde_json::from_str(&text).unwrap();
            restored.handle(self.now, event.clone())
        });
        let handled = match &event {
            Event::CallDone(id, _) => Some(*id),
            Event::Answers(_)
            | Event::Unsent(..)
            | Event::Paused(_)
            | Event::Stop
            | Event::NotPersisted
            | Event::Tick => None,
        };
        let actions = controller.handle(self.now, event);
        assert!(restored.is_none_or(|others| others == actions), "a restored one does otherwise");
        self.voided = false;
        for action in actions {
            if matches!(action, Action::Call { .. } | Action::Persist(_)) {
                let crash = self.crash_at.filter(|(at, _)| *at == self.performed);
                self.performed += 1;
                if let Some((_, performed)) = crash {
                    if performed {
                        self.perform(action);
                    }
                    self.crash_at = None;
                    self.restart();
                    return;
                }
            }
            self.perform(action);
            if core::mem::take(&mut self.crashed) {
                self.restart();
                return;
            }
        }
        let trap = self.trap.as_mut().filter(|trap| handled.is_some() && trap.call == handled);
        if let Some(trap) = trap {
            trap.call = None;
            self.restart();
        }
    }

    /// Whether the trap is for this call, and was sprung by it.
    fn springs(&mut self, id: CallId, call: &Call) -> bool {
        let phase = phase(self.controller.as_ref().unwrap().record());
        self.seen.insert((phase, call.action()));
        let Some(trap) = self.trap.as_mut().filter(|trap| !trap.sprung) else { return false };
        if trap.phase != phase || trap.action != call.action() {
            return false;
        }
        trap.sprung = true;
        let (wrong, lost) = (trap.wrong, CallError::NoAnswer("timeout".into()));
        trap.call = match wrong {
            Wrong::NotSent | Wrong::Unanswered | Wrong::LandsLate => None,
            Wrong::AnswerLost | Wrong::AnswerLate | Wrong::Refused(..) => Some(id),
        };
        match wrong {
            Wrong::NotSent => self.crashed = true,
            Wrong::Unanswered => {
                let _ = self.answer(call);
                self.crashed = true;
            }
            Wrong::LandsLate => {
                self.late.push((self.now + secs(5), call.clone()));
                self.crashed = true;
            }
            Wrong::AnswerLost => {
                let _ = self.answer(call);
                self.later(2_000, Event::CallDone(id, Box::new(Err(lost))));
            }
            Wrong::AnswerLate => {
                let result = self.answer(call);
                self.later(8_000, Event::CallDone(id, Box::new(result)));
            }
            Wrong::Refused(code, message) => {
                let error = CallError::Refused { code: code.into(), message: message.into() };
                self.later(200, Event::CallDone(id, Box::new(Err(error))));
            }
        }
        true
    }

    fn later(&mut self, ms: u64, event: Event) {
        self.next += 1;
        self.payloads.insert(self.next, event);
        self.events.push(Reverse((self.now + Duration::from_millis(ms), self.next)));
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Probe { probe, source, target } => self.probe(probe, source, target),
            Action::Call { id, call, .. } if call.mutates() && self.voided => {
                self.later(
                    0,
                    Event::CallDone(id, Box::new(Err(CallError::NotSent("state".into())))),
                );
            }
            Action::Call { id, call, .. } if self.springs(id, &call) => {}
            Action::Call { id, call, patience, .. } => {
                let waits = usize::from(!patience.is_zero());
                self.at_leisure.0 += waits;
                self.at_leisure.1 += 1 - waits;
                let result = self.answer(&call);
                self.later(200, Event::CallDone(id, Box::new(result)));
            }
            Action::Persist(_) if self.persist_fails => {
                self.voided = true;
                self.later(0, Event::NotPersisted);
            }
            Action::Persist(record) => self.record = *record,
            Action::Hurry => {}
            Action::Note(decision) => self.decisions.push(*decision),
            Action::Say(line) => self.lines.push(line.to_string()),
            Action::Exit => self.stopped = true,
        }
    }

    fn probe(&mut self, probe: ProbeId, source: Option<Ipv4Addr>, target: Ipv4Addr) {
        if self.unsendable.contains(&source) {
            self.later(0, Event::Unsent(probe, "no such address".into()));
            return;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let lost = self.random % 100 < self.loss_percent;
        if !lost && self.path_open && self.hears(source, target) {
            let at = self.now + Duration::from_millis(1);
            self.later(1, Event::Answers(alloc::vec![(probe, at)]));
        }
    }

    fn hears(&self, source: Option<Ipv4Addr>, target: Ipv4Addr) -> bool {
        if self.deaf_sources.contains(&source) && target == self.record.vip.address {
            return false;
        }
        let up = |machine: &Machine| {
            machine.alive
                && machine.state == InstanceState::Running
                && self.now >= machine.born + secs(3)
        };
        if target != self.record.vip.address {
            return self.neighbors.contains(&target)
                || self
                    .machines
                    .iter()
                    .any(|(id, m)| m.address == target && up(m) && !self.mute.contains(id));
        }
        let table = "rtb-00000001".parse::<TableId>().unwrap();
        let Some(Some(interface)) = self.tables.get(&table) else { return false };
        self.machines.iter().any(|(id, m)| eni(id) == *interface && up(m) && m.has_vip && !m.check)
    }

    fn answer(&mut self, call: &Call) -> Result<Reply, CallError> {
        let refused = |code: &str| CallError::Refused { code: code.into(), message: String::new() };
        if let Some(code) = self.api_error {
            return Err(refused(code));
        }
        self.grow_up();
        if let Some(mut f) = self.fault.take() {
            let hit = f(call, self.now);
            self.fault = Some(f);
            if let Some((error, happened)) = hit {
                if happened {
                    let _ = self.effect(call);
                }
                return Err(error);
            }
        }
        if let Some((action, code, happened)) = self.fail_once
            && action == call.action()
        {
            self.fail_once = None;
            if happened {
                let _ = self.effect(call);
            }
            return Err(match code {
                "timeout" => CallError::NoAnswer("timeout".into()),
                "not sent" if !happened => CallError::NotSent("no connection".into()),
                "not sent" => CallError::NoAnswer("connection reset".into()),
                code => refused(code),
            });
        }
        self.effect(call)
    }

    fn effect(&mut self, call: &Call) -> Result<Reply, CallError> {
        if call.mutates() {
            self.mutations.push(call.action().into());
        }
        match call {
            Call::Instances { ids, .. } => Ok(Reply::Instances(
                ids.iter()
                    .filter_map(|id| {
                        let m = self.machines.get_mut(id)?;
                        if m.hidden > 0 {
                            m.hidden -= 1;
                            return None;
                        }
                        let m = m.clone();
                        Some(self.show(id, &m))
                    })
                    .collect(),
            )),
            Call::Listed { ids } => Ok(Reply::Instances(
                ids.iter()
                    .filter(|id| !self.unlisted.contains(*id))
                    .filter_map(|id| Some(self.show(id, self.machines.get(id)?)))
                    .collect(),
            )),
            Call::Statuses { ids, .. } => Ok(Reply::Statuses(
                ids.iter()
                    .map(|id| {
                        let mut s = status(id);
                        s.events.clone_from(&self.scheduled);
                        if self.mute.contains(id) {
                            s.guest = Check::Ok;
                        }
                        if self.impaired || self.failing_checks.contains(id) {
                            s.guest = Check::Impaired;
                        }
                        s
                    })
                    .collect(),
            )),
            Call::Tables { .. } => Ok(Reply::Tables(self.show_tables())),
            Call::Path { .. } => {
                let lines = self.path_lines.iter().map(|(effect, line)| (*effect, (*line).into()));
                let part = PathPart::new("security group sg-0000000a".into(), lines);
                Ok(Reply::Path(alloc::vec![part]))
            }
            Call::Zones => Ok(Reply::Zones(self.zones())),
            Call::Launched { token } => Ok(Reply::Instances(
                self.machines
                    .iter()
                    .filter(|(_, machine)| {
                        machine.token.as_ref() == Some(token)
                            && self.now >= machine.born + self.lookup_lag
                    })
                    .map(|(id, machine)| self.show(id, machine))
                    .collect(),
            )),
            Call::Launch(launch) => self.launch(launch),
            Call::DisableSourceDestCheck { interface } => {
                for (id, machine) in &mut self.machines {
                    machine.check &= eni(id) != *interface;
                }
                Ok(Reply::Done)
            }
            Call::ReplaceRoute { table, interface, .. } => {
                if self.tables[table].is_none() {
                    return Err(CallError::Refused {
                        code: "InvalidParameterValue".into(),
                        message: "There is no route defined for it".into(),
                    });
                }
                self.tables.insert(table.clone(), Some(interface.clone()));
                Ok(Reply::Done)
            }
            Call::CreateRoute { table, interface, .. } => {
                if self.tables[table].is_some() {
                    return Err(CallError::Refused {
                        code: "RouteAlreadyExists".into(),
                        message: String::new(),
                    });
                }
                self.tables.insert(table.clone(), Some(interface.clone()));
                Ok(Reply::Done)
            }
            Call::Stop { instance, .. } => self.end(instance, InstanceState::Stopped),
            Call::Terminate { instance } => self.end(instance, InstanceState::Terminated),
        }
    }

    fn zones(&self) -> Vec<Zone> {
        let mut names: Vec<Az> = self.setup.sites.iter().map(|site| site.az.clone()).collect();
        names.sort();
        let zone = |name: Az| Zone {
            available: !self.failing_zones.contains(&name),
            kind: "availability-zone".into(),
            name,
        };
        names.into_iter().map(zone).collect()
    }

    fn end(&mut self, instance: &InstanceId, state: InstanceState) -> Result<Reply, CallError> {
        let routed = self.tables.values().flatten().any(|target| *target == eni(instance));
        assert!(!routed, "{instance} was ended while a route led to it");
        let machine = self.machines.get_mut(instance).unwrap();
        if machine.protected {
            return Err(CallError::Refused {
                code: "OperationNotPermitted".into(),
                message: "it is protected".into(),
            });
        }
        if self.slow_end {
            machine.state = InstanceState::ShuttingDown;
            machine.by_user = true;
            machine.ended = Some(self.now);
        } else {
            machine.state = state;
        }
        Ok(Reply::Done)
    }

    fn launch(&mut self, launch: &crate::call::Launch) -> Result<Reply, CallError> {
        if let Some(code) = self.refuse.get(&launch.az) {
            return Err(CallError::Refused { code: (*code).into(), message: String::new() });
        }
        // A token holds within a zone.
        let same = |m: &Machine| m.token.as_ref() == Some(&launch.token) && m.az == launch.az;
        let known = self.machines.iter().find(|(_, m)| same(m));
        if let Some((id, machine)) = known {
            self.mutations.pop();
            return Ok(Reply::Launched(Box::new(self.show(id, machine))));
        }
        let number = self.launches() + 1;
        let name = id(&alloc::format!("i-{number:08x}"));
        let third = if launch.az == az("us-east-1b") { 32 } else { 16 };
        let machine = Machine {
            state: InstanceState::Pending,
            az: launch.az.clone(),
            address: Ipv4Addr::new(172, 31, third, u8::try_from(number).unwrap()),
            has_vip: self.new_ones_have_vip,
            check: true,
            token: Some(launch.token.clone()),
            tags: launch.tags.clone(),
            born: self.now,
            ..first_holder()
        };
        let shown = self.show(&name, &machine);
        self.machines.insert(name, machine);
        Ok(Reply::Launched(Box::new(shown)))
    }

    fn grow_up(&mut self) {
        for machine in self.machines.values_mut() {
            if machine.ended.is_some_and(|at| self.now >= at + secs(8)) {
                machine.state = InstanceState::Terminated;
            }
            if machine.state == InstanceState::Pending && self.now >= machine.born + secs(2) {
                machine.state = if self.dies_pending.contains(&machine.az) {
                    InstanceState::Terminated
                } else {
                    InstanceState::Running
                };
            }
        }
    }

    fn show(&self, id: &InstanceId, machine: &Machine) -> Instance {
        let gone = machine.state == InstanceState::Terminated;
        let interface = Interface {
            id: eni(id),
            device_index: 0,
            address: Some(machine.address),
            source_dest_check: Some(machine.check),
            groups: alloc::vec!["sg-0000000a".parse().unwrap()],
            delete_on_termination: true,
            ipv6_addresses: 0,
            secondary_addresses: 0,
            public: None,
        };
        Instance {
            id: id.clone(),
            state: machine.state.clone(),
            state_reason: if machine.by_user {
                Some("Client.UserInitiatedShutdown".into())
            } else {
                (gone && self.dies_pending.contains(&machine.az)).then(|| self.dies_of.into())
            },
            az: Some(machine.az.clone()),
            subnet: (!gone).then(|| "subnet-0000000b".parse().unwrap()),
            vpc: (!gone).then(|| self.record.vpc.clone()),
            address: (!gone).then_some(machine.address),
            interfaces: if gone { Vec::new() } else { alloc::vec![interface] },
            image: None,
            instance_type: None,
            key: None,
            profile: None,
            tags: machine.tags.clone(),
            root_device_type: None,
            root_device: None,
            volumes: Vec::new(),
            ebs_optimized: false,
            monitoring: false,
            metadata: None,
            cpu: None,
            placement: Placement::default(),
            spot_request: None,
            managed_by: None,
        }
    }

    fn show_tables(&self) -> Vec<RouteTable> {
        self.tables
            .iter()
            .map(|(table, target)| RouteTable {
                id: table.clone(),
                main: table.as_str() == "rtb-00000001",
                subnets: Vec::new(),
                gateways: Vec::new(),
                routes: target
                    .iter()
                    .map(|interface| self.show_route(interface))
                    .chain(self.other_route.iter().map(|target| Route {
                        destination: self.other_destination.parse().unwrap(),
                        target: Target::Other(target.clone()),
                        state: RouteState::Active,
                        by_hand: true,
                    }))
                    .collect(),
            })
            .collect()
    }

    fn show_route(&self, interface: &InterfaceId) -> Route {
        let owner = self.machines.iter().find(|(id, _)| eni(id) == *interface);
        Route {
            destination: self.record.vip.destination,
            target: Target::Interface {
                id: interface.clone(),
                instance: owner.map(|(id, _)| id.clone()),
            },
            state: match owner {
                Some((_, m)) if m.state == InstanceState::Running => RouteState::Active,
                _ => RouteState::Blackhole,
            },
            by_hand: true,
        }
    }

    /// The process dies at the action that comes `at` actions from now.
    pub(super) fn crash(&mut self, at: usize, performed: bool) {
        self.performed = 0;
        self.crash_at = Some((at, performed));
    }

    pub(super) fn instance(&mut self, name: &str) -> &mut Machine {
        self.machines.get_mut(&id(name)).unwrap()
    }

    pub(super) fn kill(&mut self, name: &str) {
        self.instance(name).alive = false;
    }

    pub(super) fn revive(&mut self, name: &str) {
        self.instance(name).alive = true;
    }

    pub(super) fn stop_by_user(&mut self, name: &str) {
        let machine = self.instance(name);
        machine.state = InstanceState::Stopped;
        machine.by_user = true;
    }

    pub(super) fn add_stranger(&mut self, name: &str) {
        let address = Ipv4Addr::new(172, 31, 48, 99);
        self.machines.insert(id(name), Machine { address, has_vip: false, ..first_holder() });
    }

    pub(super) fn point_all_to(&mut self, name: &str) {
        for target in self.tables.values_mut() {
            *target = Some(eni(&id(name)));
        }
    }

    pub(super) fn state(&self, name: &str) -> InstanceState {
        self.machines[&id(name)].state.clone()
    }

    pub(super) fn az_of(&self, name: &str) -> Az {
        self.machines[&id(name)].az.clone()
    }

    pub(super) fn holder(&self) -> InstanceId {
        self.record.holder.instance.clone()
    }

    pub(super) fn launches(&self) -> usize {
        self.machines.values().filter(|machine| machine.token.is_some()).count()
    }

    pub(super) fn calls_of(&self, action: &str) -> usize {
        self.mutations.iter().filter(|name| *name == action).count()
    }

    pub(super) fn has_line(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }

    /// Whether nothing is under way, nothing is left to be looked at, and the address is served
    /// from its holder by every table.
    pub(super) fn is_settled(&self) -> bool {
        let holder = eni(&self.holder());
        self.record.moving.is_none()
            && self.record.disposals.is_empty()
            && self.record.lost_launches.is_empty()
            && self.late.is_empty()
            && self.tables.values().all(|target| target.as_ref() == Some(&holder))
            && self.hears(None, self.record.vip.address)
    }

    /// The last lines but for how the holder is.
    pub(super) fn tail(&self) -> String {
        let told = |line: &&String| !line.contains(" in AZ us-east-1") || line.contains("given up");
        let lines: Vec<&str> = self.lines.iter().filter(told).map(String::as_str).collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    pub(super) fn assert_all_routed(&self, name: &str) {
        for (table, target) in &self.tables {
            assert_eq!(target.as_ref(), Some(&eni(&id(name))), "{table}: {:#?}", self.lines);
        }
    }

    pub(super) fn assert_moved(&self, name: &str) {
        assert_eq!(self.holder(), id(name), "{:#?}", self.lines);
        self.assert_all_routed(name);
        assert!(self.record.moving.is_none());
        assert!(self.hears(None, self.record.vip.address), "the VIP isn't served");
    }
}

fn status(id: &InstanceId) -> Status {
    Status {
        instance: id.clone(),
        system: Check::Ok,
        guest: Check::Unknown,
        ebs: Check::Unknown,
        events: Vec::new(),
    }
}
