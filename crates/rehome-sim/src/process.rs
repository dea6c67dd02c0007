//! A process that runs the core: how it starts, what it does with the core's actions, what its disk
//! remembers, and how it dies.
//!
//! What the real shell does in `run/begin.rs` and `run/watch.rs` is done here in the same order.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use rehome_core::call::Call;
use rehome_core::controller::{Action, CallId, Controller, Event, Setup};
use rehome_core::digest::sha256_hex;
use rehome_core::fault::CallError;
use rehome_core::names::{InstanceId, SubnetId};
use rehome_core::placement::table_of;
use rehome_core::preflight::{Order, Snapshot, Start, assess};
use rehome_core::probe::ProbeId;
use rehome_core::record::Record;
use rehome_core::spec::Wishes;
use rehome_core::time::{Clocks, Mono, Unix};

use crate::account::{OVERLAY, user_data, vip};
use crate::aws::{Api, Reading};
use crate::fault::Kind;
use crate::time::{MS, SEC, model};
use crate::world::{Arriving, Brief, Ev, Fact, World};

/// Between two surveys while AWS doesn't answer.
const SURVEY_EVERY: u64 = 5 * SEC;

/// systemd starts a process that died after so long.
const RESTART_AFTER: u64 = 2 * SEC;

/// A person comes to look at a process that refused to start.
const PERSON_COMES_AFTER: u64 = 600 * SEC;

/// The shell's own deadlines.
const CONNECT_TIMEOUT: u64 = 2 * SEC;
const CALL_TIMEOUT: u64 = 4 * SEC;

/// The wall clock when the world begins.
const EPOCH: u64 = 1_800_000_000;

/// What outlives a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) record: Option<Record>,
    /// The record can't be read.
    pub(crate) damaged: bool,
    /// Writes fail.
    pub(crate) fails: bool,
    /// Writes take so long.
    pub(crate) slow: u64,
    /// The pause file.
    pub(crate) paused: bool,
    /// Since when it has been there.
    pub(crate) paused_since: u64,
    /// Grows when the record is lost: what is remembered from then on is another story.
    pub(crate) lineage: u64,
    /// Whether a record was ever lost here.
    pub(crate) lost: bool,
}

/// A process, and the place where it runs.
pub(crate) struct Process {
    /// The VIP that it is for.
    pub(crate) vip: usize,
    /// Which monitor it runs on.
    pub(crate) machine: usize,
    /// Whether anybody wants it to run.
    pub(crate) wanted: bool,
    pub(crate) controller: Option<Controller>,
    /// Grows with every start and end.
    pub(crate) epoch: u64,
    /// When it wants to be called.
    pub(crate) wake: u64,
    /// It does nothing before then.
    busy_until: u64,
    /// What arrives before then is lost.
    asleep_until: u64,
    /// It dies at the action that comes after so many more.
    pub(crate) crash_in: Option<u32>,
    /// Its loop wakes up this much late.
    pub(crate) sluggish: u64,
    /// Why it refused to start.
    pub(crate) refused: Option<String>,
    /// What the wall clock was off by when it began to watch.
    pub(crate) wall: i64,
    /// A person has started it with a larger budget.
    pub(crate) resumed: bool,
}

impl Process {
    pub(crate) fn new(number: usize, vips: usize) -> Process {
        Process {
            vip: number % vips,
            machine: number / vips,
            wanted: number < vips,
            controller: None,
            epoch: 0,
            wake: u64::MAX,
            busy_until: 0,
            asleep_until: 0,
            crash_in: None,
            sluggish: 0,
            refused: None,
            wall: 0,
            resumed: false,
        }
    }

    /// Until when it can't be reached, if it can't.
    pub(crate) fn busy(&self, now: u64) -> Option<u64> {
        (self.busy_until > now).then_some(self.busy_until)
    }

    pub(crate) fn is_asleep(&self, now: u64) -> bool {
        self.asleep_until > now
    }

    /// It stands still until then.
    pub(crate) fn stand_still(&mut self, until: u64, asleep: bool) {
        self.busy_until = self.busy_until.max(until);
        if asleep {
            self.asleep_until = self.asleep_until.max(until);
        }
        if self.wake != u64::MAX {
            self.wake = self.wake.max(until);
        }
    }
}

impl World {
    /// The process's monotonic clock.
    pub(crate) fn mono(at: u64) -> Mono {
        Mono(1_000 * SEC + at)
    }

    /// Wall time as a process has it: it looked at the wall clock once, when it began.
    pub(crate) fn unix(&self, process: usize) -> Unix {
        let wall = self.processes[process].wall;
        Unix(EPOCH.saturating_add(self.now / SEC).saturating_add_signed(wall))
    }

    /// What people asked for on the command line: the same at every start.
    fn order(&self, process: usize) -> Option<Order> {
        let number = self.processes[process].vip;
        let address = vip(number);
        Some(Order {
            instance: self.account.holders[number].parse().ok()?,
            vip: address.to_string().parse().ok()?,
            wishes: Wishes::default(),
            subnets: Vec::new(),
            tables: if self.plan.named_tables {
                self.account.tables.iter().filter_map(|id| id.parse().ok()).collect()
            } else {
                Vec::new()
            },
            accepted: Vec::new(),
            fence: self.plan.policy.fence,
            sources: self.sources(process).into_iter().flatten().collect(),
            controls: self.controls(process),
            canary: None,
        })
    }

    /// The other monitor's machine answers pings whenever the network is well.
    fn controls(&self, process: usize) -> Vec<Ipv4Addr> {
        if !self.plan.control {
            return Vec::new();
        }
        let machine = self.processes[process].machine;
        let others = self.account.monitors.iter().enumerate().filter(|(at, _)| *at != machine);
        let find = |id: &String| self.plane.instances.iter().find(|one| one.id == *id);
        others.filter_map(|(_, id)| find(id)).map(|one| one.private_ip).collect()
    }

    fn sources(&self, process: usize) -> Vec<Option<Ipv4Addr>> {
        let machine = self.processes[process].machine;
        let monitor = self.plane.instances.iter().find(|i| i.id == self.account.monitors[machine]);
        let own = monitor.map(|instance| instance.private_ip);
        let overlay = (machine == 0 && self.plan.overlay).then_some(OVERLAY);
        overlay.into_iter().chain(own).map(Some).collect()
    }

    /// A start, unless something else starts it before.
    pub(crate) fn start_event(&self, process: usize) -> Ev {
        Ev::Start { process, epoch: self.processes[process].epoch }
    }

    /// From the survey to a controller, as far as it gets.
    pub(crate) fn start(&mut self, process: usize, epoch: u64) {
        if self.processes[process].epoch != epoch {
            return;
        }
        let own = &self.processes[process];
        if !own.wanted || own.controller.is_some() {
            return;
        }
        if let Some(until) = own.busy(self.now) {
            let start = self.start_event(process);
            self.push(until, start);
            return;
        }
        if self.disks[process].damaged {
            self.refuse(process, "the state file is damaged".to_owned());
            return;
        }
        if self.api.down.is_some() || (self.net.cut_off && own.machine == 0) {
            let start = self.start_event(process);
            self.push(self.now + SURVEY_EVERY, start);
            return;
        }
        let Some(order) = self.order(process) else { return };
        let id: Option<InstanceId> = self.account.monitors[own.machine].parse().ok();
        let id = id.filter(|_| self.plan.own_known);
        let known = self.disks[process].record.clone();
        let (now, caller) = (model(self.now), &self.caller);
        let mut api = Api { now, ec2: &mut self.ec2, caller, made: None };
        let snapshot = match api.survey(&order, known.as_ref(), id.as_ref()) {
            Ok(snapshot) => snapshot,
            Err(error) if error.is_definite() => {
                self.refuse(process, format!("AWS refuses to be read: {error}"));
                return;
            }
            Err(_) => {
                let start = self.start_event(process);
                self.push(self.now + SURVEY_EVERY, start);
                return;
            }
        };
        match assess(&order, known, &snapshot) {
            Ok(start) => self.begin(process, start, &snapshot),
            Err(refusals) => {
                let what: Vec<String> = refusals.into_iter().map(|refusal| refusal.what).collect();
                self.refuse(process, what.join("; "));
            }
        }
    }

    /// A process that ends with code 2 isn't started again by itself: a person does, and mends what
    /// can be mended by the hint.
    fn refuse(&mut self, process: usize, why: String) {
        self.trace.note(format_args!("process {process} refuses to start: {why}"));
        self.processes[process].refused = Some(why);
        self.processes[process].epoch += 1;
        if self.disks[process].damaged {
            self.lose_record(process);
        }
        let start = self.start_event(process);
        self.push(self.now + PERSON_COMES_AFTER, start);
    }

    pub(crate) fn lose_record(&mut self, process: usize) {
        let disk = &mut self.disks[process];
        disk.damaged = false;
        disk.record = None;
        disk.lost = true;
        disk.lineage += 1;
    }

    fn begin(&mut self, process: usize, start: Start, snapshot: &Snapshot) {
        let own = snapshot.own_instance.as_ref().and_then(|id| snapshot.instances.get(id));
        let own = own.filter(|own| own.vpc.as_ref() == Some(&start.record.vpc));
        let interface = own.and_then(|own| own.primary_interface());
        let digest = sha256_hex(user_data(self.processes[process].vip).as_bytes());
        let digests: BTreeMap<SubnetId, String> =
            start.sites.order.iter().map(|site| (site.subnet.clone(), digest.clone())).collect();
        let mut policy = self.plan.policy.clone();
        if self.processes[process].resumed {
            // A person who was paged starts again with a larger budget.
            (policy.moves_per_hour, policy.moves_per_day, policy.observe) = (1_000, 1_000, false);
        }
        let near = own.and_then(|own| own.subnet.as_ref()).filter(|_| self.plan.canary);
        let canary = near.and_then(|subnet| table_of(subnet, &snapshot.tables)).cloned();
        let setup = Setup {
            policy,
            sources: self.sources(process),
            controls: self.controls(process),
            sites: start.sites.order,
            user_data: digests,
            wishes: Wishes::default(),
            familiar: start.familiar,
            canary: canary.filter(|table| start.record.route_set.contains(table)),
            near_groups: interface.map(|one| one.groups.clone()).unwrap_or_default(),
            near_subnet: own.and_then(|own| own.subnet.clone()),
            near_interface: interface.map(|one| one.id.clone()),
        };
        self.processes[process].wall = self.wall;
        let clocks = Clocks { mono: World::mono(self.now), unix: self.unix(process) };
        self.trace.note(format_args!(
            "process {process} starts: holder {}, generation {}{}",
            start.record.holder.instance,
            start.record.generation,
            if start.familiar { "" } else { ", without a record" },
        ));
        let own = &mut self.processes[process];
        own.controller = Some(Controller::new(setup, start.record, clocks));
        own.refused = None;
        own.epoch += 1;
        own.crash_in = None;
        self.facts.push(Fact::Started { process });
        let paused = self.pause_event(process);
        self.handle(process, paused);
        self.handle(process, Event::Tick);
    }

    fn pause_event(&self, process: usize) -> Event {
        let paused = self.disks[process].paused;
        Event::Paused(paused.then(|| "by somebody until later".to_owned()))
    }

    /// The pause file came or went: it is looked for once a second.
    pub(crate) fn set_paused(&mut self, process: usize, paused: bool) {
        self.disks[process].paused = paused;
        self.disks[process].paused_since = self.now;
        let seen = self.now + self.rng.below(SEC);
        self.deliver_at(seen, process, self.pause_event(process));
    }

    pub(crate) fn deliver_at(&mut self, at: u64, process: usize, event: Event) {
        let epoch = self.processes[process].epoch;
        self.push(at, Ev::Deliver { process, epoch, event: Box::new(event) });
    }

    /// One event for the core, and what comes of it.
    pub(crate) fn handle(&mut self, process: usize, event: Event) {
        let now = World::mono(self.now);
        let Some(controller) = &mut self.processes[process].controller else { return };
        let actions = controller.handle(now, event);
        self.perform(process, actions);
        let own = &mut self.processes[process];
        let next = own.controller.as_ref().and_then(Controller::next_wakeup);
        own.wake = next.map_or(u64::MAX, |wakeup| {
            let at = wakeup.at.0.saturating_sub(1_000 * SEC).max(self.now);
            at.max(own.busy_until) + own.sluggish
        });
    }

    /// The process is gone; what it waited for is never taken.
    pub(crate) fn end(&mut self, process: usize) {
        let own = &mut self.processes[process];
        own.controller = None;
        own.epoch += 1;
        own.wake = u64::MAX;
        own.crash_in = None;
        self.facts.push(Fact::Ended { process });
    }

    /// Killed, and started again.
    pub(crate) fn crash(&mut self, process: usize, again: u64) {
        self.trace.note(format_args!("process {process} dies"));
        self.end(process);
        let start = self.start_event(process);
        self.push(self.now + RESTART_AFTER + again, start);
    }

    fn perform(&mut self, process: usize, actions: Vec<Action>) {
        let (mut at, mut durable) = (self.now, true);
        let mut round = Vec::new();
        for action in actions {
            let crashes = matches!(action, Action::Call { .. } | Action::Persist(_))
                && self.crashes_here(process);
            // Half of the crashes come before the action, half after it.
            if crashes && self.rng.chance(500) {
                self.crash(process, 0);
                return;
            }
            match action {
                Action::Probe { probe, source, target } => round.push((probe, source, target)),
                Action::Persist(record) => {
                    let disk = &mut self.disks[process];
                    at += disk.slow;
                    if disk.fails {
                        durable = false;
                        // As the shell does: before whatever else is waiting.
                        let (epoch, event) = (self.processes[process].epoch, Event::NotPersisted);
                        self.push_first(at, Ev::Deliver { process, epoch, event: Box::new(event) });
                    } else {
                        disk.record = Some(*record);
                        self.facts.push(Fact::Persisted { process });
                    }
                }
                Action::Call { id, call, not_after, patience } => {
                    let at = at + self.waits(patience);
                    self.call(process, id, call, not_after, at, durable);
                }
                Action::Hurry => {}
                Action::Note(decision) => {
                    self.trace.note(format_args!("process {process} decides: {}", decision))
                }
                Action::Say(line) => {
                    self.trace.line(format_args!("process {process}: {line}"));
                    self.facts.push(Fact::Said { process, line });
                }
                Action::Exit => {
                    self.trace.note(format_args!("process {process} ends"));
                    self.end(process);
                    let again = self.rng.between(2, 30) * SEC;
                    let start = self.start_event(process);
                    self.push(self.now + again, start);
                    return;
                }
            }
            if crashes {
                self.crash(process, 0);
                return;
            }
        }
        if !round.is_empty() {
            self.probe(process, &round);
        }
        if at > self.now {
            self.processes[process].busy_until = at;
        }
    }

    fn crashes_here(&mut self, process: usize) -> bool {
        match &mut self.processes[process].crash_in {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// Sends a call, or says at once why it wasn't sent.
    fn call(
        &mut self,
        process: usize,
        id: CallId,
        call: Call,
        not_after: Mono,
        at: u64,
        durable: bool,
    ) {
        let epoch = self.processes[process].epoch;
        let not_sent =
            |why: &str| Event::CallDone(id, Box::new(Err(CallError::NotSent(why.to_owned()))));
        if call.mutates() {
            self.facts.push(Fact::Decided { process, epoch, id });
            if !durable {
                self.deliver_at(at, process, not_sent("the state could not be written"));
                return;
            }
            if self.disks[process].paused {
                let paused = self.pause_event(process);
                self.deliver_at(at, process, paused);
                self.deliver_at(at, process, not_sent("paused"));
                return;
            }
        }
        if World::mono(at) > not_after {
            self.deliver_at(at, process, not_sent("too late"));
            return;
        }
        let cut = self.net.cut_off && self.processes[process].machine == 0;
        if cut || self.api.down == Some(0) {
            self.deliver_at(at + CONNECT_TIMEOUT, process, not_sent("no connection"));
            return;
        }
        let (low, high) =
            if call.mutates() { self.plan.pace.mutate_ms } else { self.plan.pace.read_ms };
        let takes = self.rng.between(low, high) * MS + self.api.slow;
        let there = takes / 2 + if call.mutates() { self.api.linger } else { 0 };
        let too_slow = there + takes / 2 > CALL_TIMEOUT;
        if too_slow || self.api.down.is_some() {
            let error = CallError::NoAnswer("no answer in time".to_owned());
            let event = Event::CallDone(id, Box::new(Err(error)));
            self.deliver_at(at + CALL_TIMEOUT, process, event);
        }
        if self.api.down.is_some() {
            return;
        }
        if call.mutates() {
            self.trace.note(format_args!("process {process} sends {}", Brief(&call)));
            self.facts.push(Fact::Sent { process, epoch, id, call: call.clone(), at });
        } else {
            self.trace.mix_text(call.action());
        }
        let lineage = self.disks[process].lineage;
        let back = (!too_slow).then_some(takes / 2);
        let call = Box::new(Arriving { process, epoch, lineage, id, call, back });
        self.push(at + there, Ev::Arrive { call });
    }

    /// What EC2 does with a call that reaches it.
    pub(crate) fn ask(
        &mut self,
        process: usize,
        call: &Call,
    ) -> Result<rehome_core::call::Reply, CallError> {
        let now = model(self.now);
        self.ec2.advance(now);
        let version = (self.version, self.ec2.published());
        let known =
            self.readings.iter().find(|known| known.version == version && known.call == *call);
        if let Some(known) = known.filter(|_| !self.varies(call)) {
            let mut api = Api { now, ec2: &mut self.ec2, caller: &self.caller, made: None };
            return api.again(known);
        }
        let launches = matches!(call, Call::Launch(_));
        let text = launches.then(|| user_data(self.processes[process].vip));
        let mut requests = Vec::new();
        let made = Some(&mut requests);
        let mut api = Api { now, ec2: &mut self.ec2, caller: &self.caller, made };
        let result = api.call(call, text.as_deref());
        if let Ok(reply) = &result
            && !call.mutates()
        {
            self.readings.retain(|known| known.version == version);
            let (call, reply) = (call.clone(), reply.clone());
            self.readings.push(Reading { version, call, requests, reply });
        }
        result
    }

    /// Whether two equal readings of an unchanged world may differ.
    #[expect(clippy::wildcard_enum_match_arm, reason = "few readings are ever behind")]
    fn varies(&self, call: &Call) -> bool {
        let behind: &[Kind] = match call {
            Call::Path { .. } | Call::Zones => &[],
            Call::Tables { .. } => &[Kind::StaleRoutes],
            _ => &[Kind::Invisible, Kind::StaleInstances],
        };
        behind.iter().any(|kind| self.active[*kind as usize].is_some())
    }

    /// A round of probes: one event for all answers that come in time.
    fn probe(&mut self, process: usize, round: &[(ProbeId, Option<Ipv4Addr>, Ipv4Addr)]) {
        let machine = self.processes[process].machine;
        let epoch = self.processes[process].epoch;
        let at = self.now + MS;
        let mut answers = Vec::new();
        let mut vip = false;
        for (probe, source, target) in round {
            if self.is_unsendable(machine, *source) {
                let why = "no route from there".to_owned();
                self.deliver_at(self.now, process, Event::Unsent(*probe, why));
                continue;
            }
            let Some(guest) = self.reaches(machine, *source, *target) else { continue };
            if !self.answers(guest, *target) || self.is_lost(machine, guest, *source) {
                continue;
            }
            let overlay = target.octets()[0] == 10;
            match self.delay() {
                0 => {
                    answers.push((*probe, World::mono(at)));
                    vip |= overlay;
                }
                late => {
                    let answers = vec![(*probe, World::mono(at + late))];
                    self.push(at + late, Ev::Answers { process, epoch, answers, vip: overlay });
                }
            }
            if self.rng.chance(self.net.twice) {
                let answers = vec![(*probe, World::mono(at + MS))];
                self.push(at + MS, Ev::Answers { process, epoch, answers, vip: overlay });
            }
        }
        if !answers.is_empty() {
            self.push(at, Ev::Answers { process, epoch, answers, vip });
        }
    }

    fn is_unsendable(&self, machine: usize, source: Option<Ipv4Addr>) -> bool {
        machine == 0 && (self.net.no_route || source.is_some() && source == self.net.lost_address)
    }

    fn is_lost(&mut self, machine: usize, guest: usize, source: Option<Ipv4Addr>) -> bool {
        let net = &self.net;
        if machine == 0 && (net.cut_off || net.deaf) || source == Some(OVERLAY) && net.overlay_deaf
        {
            return true;
        }
        if let Some(zone) = &net.cut_zone {
            let id = &self.guests[guest].id;
            let there = self.plane.instances.iter().find(|instance| instance.id == *id);
            if there.is_some_and(|instance| instance.az == *zone) {
                return true;
            }
        }
        let chances = [net.plain_loss, net.loss, net.loss, net.loss_out, net.loss_in];
        chances.into_iter().any(|chance| self.rng.chance(chance))
    }

    /// How late an answer is; mostly not at all.
    fn delay(&mut self) -> u64 {
        let (late, reordered) = (self.net.late, self.net.reordered);
        if late > 0 && self.rng.chance(333) {
            late
        } else if self.rng.chance(reordered) {
            self.rng.between(1, 300) * MS
        } else {
            0
        }
    }
}
