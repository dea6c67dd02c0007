//! The world: one queue of events in virtual time, and everything they happen to.
//!
//! Nothing in here judges. What the observer has to know beyond the state of the world it learns
//! from [`Fact`]s.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;
use std::time::Duration;

use ec2_model::{Caller, Ec2, Guest as Seen, Plane};
use rehome_core::call::{Call, Launch, Reply};
use rehome_core::controller::{CallId, Event};
use rehome_core::fault::CallError;
use rehome_core::probe::ProbeId;
use rehome_core::say::Line;
use rehome_core::time::Mono;

use crate::account::{self, Account, OVERLAY};
use crate::aws::Reading;
use crate::fault::TABLE;
use crate::guest::{self, Guest};
use crate::network;
use crate::plan::{CALM_AT, FAULTS_FROM, LENGTH, Plan, Profile};
use crate::process::{Disk, Process};
use crate::rng::Rng;
use crate::strike::Token;
use crate::time::{MS, SEC, model, of_model};
use crate::trace::Trace;

/// What can happen.
#[derive(Debug)]
pub(crate) enum Ev {
    /// A process starts, or tries again to.
    Start { process: usize, epoch: u64 },
    /// Answers to probes reach a process.
    Answers { process: usize, epoch: u64, answers: Vec<(ProbeId, Mono)>, vip: bool },
    /// Something else does.
    Deliver { process: usize, epoch: u64, event: Box<Event> },
    /// A call reaches EC2.
    Arrive { call: Box<Arriving> },
    /// A fault strikes, by the number of its knob.
    Strike { knob: usize },
    /// A fault that lasts is over.
    Over { kind: usize, stroke: u64 },
    /// All faults end, and people put right what they did.
    Calm,
    /// People look after what is held.
    Resume,
}

/// A call on its way to EC2.
#[derive(Debug)]
pub(crate) struct Arriving {
    pub(crate) process: usize,
    pub(crate) epoch: u64,
    pub(crate) lineage: u64,
    pub(crate) id: CallId,
    pub(crate) call: Call,
    /// How long the answer takes; `None` where nobody waits for it any more.
    pub(crate) back: Option<u64>,
}

/// What the observer is told, beside what it can see.
#[derive(Debug)]
pub(crate) enum Fact {
    /// A process decided on a mutation.
    Decided { process: usize, epoch: u64, id: CallId },
    /// A process sent a mutation.
    Sent { process: usize, epoch: u64, id: CallId, call: Call, at: u64 },
    /// A mutation of a process reached EC2.
    Effect { process: usize, id: CallId, epoch: u64, call: Call },
    /// It brought a new instance.
    Launched { process: usize, lineage: u64, launch: Box<Launch>, instance: String },
    /// A process told something.
    Said { process: usize, line: Line },
    /// A record became durable.
    Persisted { process: usize },
    /// A process began to watch.
    Started { process: usize },
    /// A process ended, one way or another.
    Ended { process: usize },
    /// The VIP answered a process.
    Heard { process: usize },
}

struct Entry {
    at: u64,
    seq: u64,
    ev: Ev,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        (self.at, self.seq) == (other.at, other.seq)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The earliest is the greatest: a heap gives the greatest first.
    fn cmp(&self, other: &Entry) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

/// How EC2's endpoint behaves beyond what the model does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ApiWeather {
    /// 0: no connection; 1: no answer.
    pub(crate) down: Option<u32>,
    /// Every call takes this much longer.
    pub(crate) slow: u64,
    /// Mutations take effect this much later.
    pub(crate) linger: u64,
}

/// A holder that flaps answers for so long, and no longer: never three times in a row.
const FLAP_ANSWERS: u64 = 150 * MS;

/// It flaps for so long: an hour shows all that six would, and every minute is probed sharply.
const FLAPS_FOR: u64 = 3_600 * SEC;

/// Where a ping leads: machine, source, target, and the guest that it reaches.
type Way = (usize, Option<Ipv4Addr>, Ipv4Addr, Option<usize>);

/// Everything there is.
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) trace: Trace,
    pub(crate) facts: Vec<Fact>,
    pub(crate) ec2: Ec2,
    pub(crate) caller: Caller,
    pub(crate) account: Account,
    pub(crate) api: ApiWeather,
    pub(crate) net: network::Weather,
    pub(crate) plane: Plane,
    /// Grows whenever the plane or a guest changes.
    pub(crate) version: u64,
    pub(crate) guests: Vec<Guest>,
    reported: Vec<Option<bool>>,
    pub(crate) weather: guest::Weather,
    pub(crate) disks: Vec<Disk>,
    pub(crate) processes: Vec<Process>,
    /// What AWS's and the machine's wall clocks differ by, in seconds.
    pub(crate) wall: i64,
    /// Instances that people stopped and didn't start again, and when.
    pub(crate) by_hand: Vec<(String, u64)>,
    /// Since when rules that people closed keep pings out.
    pub(crate) closed_since: Option<u64>,
    /// The stroke under way of each kind, with what ends it.
    pub(crate) active: Vec<Option<(u64, Token)>>,
    /// How often each kind struck.
    pub(crate) strikes: Vec<u32>,
    pub(crate) strokes: u64,
    pub(crate) calm: bool,
    queue: BinaryHeap<Entry>,
    seq: u64,
    changes_at: u64,
    ways: Vec<Way>,
    /// What was read of the present version.
    pub(crate) readings: Vec<Reading>,
}

impl World {
    pub(crate) fn new(seed: u64, keep: usize) -> World {
        World::of_plan(Plan::of_seed(seed), seed, keep)
    }

    /// The world of a plan; what is left to chance comes from the seed.
    pub(crate) fn of_plan(plan: Plan, seed: u64, keep: usize) -> World {
        let mut rng = Rng::new(seed, 2);
        let mut ec2 = Ec2::new(plan.pace.clone(), rng.next());
        let account = account::build(&mut ec2, &plan);
        let caller = Caller::role(ec2.account(), "controller", "rehome");
        let count = plan.vips * 2;
        let mut world = World {
            now: 0,
            rng,
            trace: Trace::new(keep),
            facts: Vec::new(),
            caller,
            ec2,
            account,
            api: ApiWeather::default(),
            net: network::Weather::default(),
            plane: Plane::default(),
            version: 0,
            guests: Vec::new(),
            reported: Vec::new(),
            weather: guest::Weather::default(),
            disks: (0..count).map(|_| Disk::default()).collect(),
            processes: (0..count).map(|number| Process::new(number, plan.vips)).collect(),
            wall: 0,
            by_hand: Vec::new(),
            closed_since: None,
            active: TABLE.iter().map(|_| None).collect(),
            strikes: vec![0; TABLE.len()],
            strokes: 0,
            calm: false,
            queue: BinaryHeap::new(),
            seq: 0,
            changes_at: 0,
            ways: Vec::new(),
            readings: Vec::new(),
            plan,
        };
        world.refresh();
        world.schedule();
        world
    }

    fn schedule(&mut self) {
        if let Profile::PlainLoss(loss) = self.plan.profile {
            self.net.plain_loss = loss;
        }
        for process in 0..self.plan.vips {
            self.push(2 * SEC + process as u64 * 100 * MS, Ev::Start { process, epoch: 0 });
        }
        for knob in 0..self.plan.knobs.len() {
            let every = self.plan.knobs[knob].every;
            let first = FAULTS_FROM + self.rng.below(2 * every);
            self.push(first, Ev::Strike { knob });
        }
        self.push(CALM_AT, Ev::Calm);
    }

    pub(crate) fn push(&mut self, at: u64, ev: Ev) {
        self.seq += 1;
        self.queue.push(Entry { at: at.max(self.now), seq: self.seq, ev });
    }

    /// When the next event comes.
    pub(crate) fn next_at(&self) -> u64 {
        let queued = self.queue.peek().map_or(u64::MAX, |entry| entry.at);
        let wakes = self.processes.iter().map(|process| process.wake);
        wakes.fold(queued.min(self.changes_at), u64::min).max(self.now)
    }

    /// The same, before everything else that is due then.
    pub(crate) fn push_first(&mut self, at: u64, ev: Ev) {
        self.queue.push(Entry { at: at.max(self.now), seq: 0, ev });
    }

    /// One event; false where the time is over.
    pub(crate) fn step(&mut self) -> bool {
        let mut at = self.queue.peek().map_or(u64::MAX, |entry| entry.at);
        let mut who = None;
        for (number, process) in self.processes.iter().enumerate() {
            if process.wake < at {
                (at, who) = (process.wake, Some(number));
            }
        }
        let changes = self.changes_at <= at;
        at = at.min(self.changes_at).max(self.now);
        if at > LENGTH {
            return false;
        }
        self.now = at;
        self.trace.at(at);
        if changes {
            self.trace.mix(1);
            self.refresh();
        } else if let Some(process) = who {
            self.trace.mix(2 + process as u64);
            self.handle(process, Event::Tick);
        } else if let Some(entry) = self.queue.pop() {
            self.happen(entry);
        }
        true
    }

    fn happen(&mut self, entry: Entry) {
        let Entry { at: _, seq, ev } = entry;
        match ev {
            Ev::Answers { process, epoch, answers, vip } => {
                if self.processes[process].epoch != epoch {
                    return;
                }
                if let Some(until) = self.processes[process].busy(self.now) {
                    if !self.processes[process].is_asleep(self.now) {
                        let ev = Ev::Answers { process, epoch, answers, vip };
                        self.queue.push(Entry { at: until, seq, ev });
                    }
                    return;
                }
                self.trace.mix(answers.len() as u64);
                if vip {
                    self.facts.push(Fact::Heard { process });
                }
                self.handle(process, Event::Answers(answers));
            }
            Ev::Deliver { process, epoch, event } => {
                if self.processes[process].epoch != epoch {
                    return;
                }
                if let Some(until) = self.processes[process].busy(self.now) {
                    let ev = Ev::Deliver { process, epoch, event };
                    self.queue.push(Entry { at: until, seq, ev });
                    return;
                }
                self.handle(process, *event);
            }
            Ev::Start { process, epoch } => self.start(process, epoch),
            Ev::Arrive { call } => self.arrive(*call),
            Ev::Strike { knob } => self.strike_by(knob),
            Ev::Over { kind, stroke } => self.over(kind, stroke),
            Ev::Calm => self.calm_down(),
            Ev::Resume => self.resume(),
        }
    }

    /// Follows the model: who has power, where the routes lead.
    pub(crate) fn refresh(&mut self) {
        let time = model(self.now);
        self.ec2.advance(time);
        self.plane = self.ec2.plane(time);
        self.version += 1;
        self.ways.clear();
        for guest in &mut self.guests {
            guest.powered = false;
        }
        for instance in &self.plane.instances {
            let known = self.guests.iter().position(|guest| guest.id == instance.id);
            let index = known.unwrap_or_else(|| {
                self.guests.push(Guest::new(&instance.id));
                self.reported.push(None);
                self.guests.len() - 1
            });
            if self.guests[index].follow(instance, &self.weather) {
                self.reported[index] = None;
                let boots = instance.boots;
                self.trace.line(format_args!("guest {} boots ({boots})", instance.id));
            }
        }
        self.report_guests();
        let due = self.ec2.next_change().map_or(u64::MAX, of_model);
        let guests = self.guests.iter().filter(|guest| guest.powered);
        let guests = guests.filter_map(|guest| guest.next_change(self.now)).min();
        self.changes_at = due.min(guests.unwrap_or(u64::MAX)).max(self.now + MS);
    }

    /// Tells the model which guests answer, for its status checks.
    fn report_guests(&mut self) {
        let time = model(self.now);
        for instance in &self.plane.instances {
            let found = self.guests.iter().position(|guest| guest.id == instance.id);
            let Some(index) = found else { continue };
            let guest = &self.guests[index];
            if !guest.powered || time < instance.boot_at {
                continue;
            }
            let up = !guest.dead && self.now >= guest.up_at && self.now < guest.dies_at;
            if self.reported[index] != Some(up) && (self.reported[index].is_some() || !up) {
                let seen = if up { Seen::Reachable } else { Seen::Unreachable };
                self.ec2.report(time, &instance.id, seen);
                self.reported[index] = Some(up);
            }
        }
    }

    /// The guest that a ping from a machine reaches, if its answer finds the way back.
    pub(crate) fn reaches(
        &mut self,
        machine: usize,
        source: Option<Ipv4Addr>,
        target: Ipv4Addr,
    ) -> Option<usize> {
        let known = self.ways.iter().find(|(m, s, t, _)| (*m, *s, *t) == (machine, source, target));
        if let Some((.., guest)) = known {
            return *guest;
        }
        let overlay = (machine == 0 && self.plan.overlay).then_some(OVERLAY);
        let monitor = &self.account.monitors[machine];
        let far = network::way(&self.plane, monitor, source, target, overlay);
        let id = far.map(|index| &self.plane.instances[index].id);
        let guest = id.and_then(|id| self.guests.iter().position(|guest| guest.id == *id));
        self.ways.push((machine, source, target, guest));
        guest
    }

    /// Whether `guest` answers at `target`.
    pub(crate) fn answers(&self, guest: usize, target: Ipv4Addr) -> bool {
        let found = &self.guests[guest];
        if let Profile::Flaps(period) = self.plan.profile
            && found.id == self.account.holders[0]
            && (FAULTS_FROM..FAULTS_FROM + FLAPS_FOR).contains(&self.now)
            && self.now % (period * MS) >= FLAP_ANSWERS
        {
            return false;
        }
        let overlay = target.octets()[0] == 10;
        found.answers(self.now) && (!overlay || found.has(target, self.now))
    }

    /// The mutant of that name: the route goes at once, and comes back with a call of its own.
    #[cfg(feature = "mutants")]
    fn delete_and_create(&mut self, arriving: Arriving) -> Option<Arriving> {
        use ec2_model::Request;
        use ec2_model::api::DeleteRoute;
        use rehome_core::mutant::{Mutant, is_alive};
        let Call::ReplaceRoute { table, destination, interface } = &arriving.call else {
            return Some(arriving);
        };
        if !is_alive(Mutant::DeleteAndCreate) {
            return Some(arriving);
        }
        let (table, destination, interface) = (table.clone(), *destination, interface.clone());
        let delete = DeleteRoute {
            route_table_id: table.to_string(),
            destination_cidr_block: Some(destination.to_string()),
            ..DeleteRoute::default()
        };
        self.operate(&Request::DeleteRoute(delete));
        let Arriving { process, epoch, id, .. } = arriving;
        let call = Call::CreateRoute { table, destination, interface };
        self.facts.push(Fact::Effect { process, id, epoch, call: call.clone() });
        let call = Box::new(Arriving { call, ..arriving });
        self.push(self.now + 200 * MS, Ev::Arrive { call });
        None
    }

    /// How long a reading waits for those of other VIPs, where there are any.
    pub(crate) fn waits(&mut self, patience: Duration) -> u64 {
        let most = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        if self.plan.vips == 1 || most == 0 { 0 } else { self.rng.below(most) }
    }

    /// A call reaches EC2, and its answer goes on its way.
    fn arrive(&mut self, arriving: Arriving) {
        #[cfg(feature = "mutants")]
        let Some(arriving) = self.delete_and_create(arriving) else { return };
        let Arriving { process, epoch, lineage, id, call, back } = arriving;
        let before = self.guests.len();
        let result = self.ask(process, &call);
        if call.mutates() {
            self.trace.note(format_args!("EC2: {}: {}", Brief(&call), Outcome(&result)));
            self.refresh();
            self.facts.push(Fact::Effect { process, id, epoch, call: call.clone() });
            if let Call::Launch(launch) = call {
                for guest in before..self.guests.len() {
                    let instance = self.guests[guest].id.clone();
                    let launch = launch.clone();
                    self.facts.push(Fact::Launched { process, lineage, launch, instance });
                }
            }
        }
        let Some(back) = back else { return };
        // A model that closes the connection answers nobody before the deadline is over.
        let event = Box::new(Event::CallDone(id, Box::new(result)));
        self.push(self.now + back, Ev::Deliver { process, epoch, event });
    }
}

/// A call in a few words.
pub(crate) struct Brief<'a>(pub(crate) &'a Call);

impl std::fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let action = self.0.action();
        match self.0 {
            Call::Instances { ids, .. } | Call::Listed { ids } | Call::Statuses { ids, .. } => {
                write!(f, "{action} of {} instances", ids.len())
            }
            Call::Tables { .. } | Call::Path { .. } | Call::Zones => f.write_str(action),
            Call::Launched { token } => write!(f, "{action} by token {}", &token[..8]),
            Call::Launch(launch) => {
                let attempt = launch.tags.get("rehome:attempt").map_or("?", String::as_str);
                write!(f, "{action} {attempt} in {} token {}", launch.az, &launch.token[..8])
            }
            Call::DisableSourceDestCheck { interface } => write!(f, "{action} {interface}"),
            Call::ReplaceRoute { table, interface, .. }
            | Call::CreateRoute { table, interface, .. } => {
                write!(f, "{action} in {table} to {interface}")
            }
            Call::Stop { instance, .. } | Call::Terminate { instance } => {
                write!(f, "{action} {instance}")
            }
        }
    }
}

struct Outcome<'a>(&'a Result<Reply, CallError>);

impl std::fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Ok(Reply::Launched(instance)) => write!(f, "{} {}", instance.id, instance.state),
            Ok(_) => f.write_str("ok"),
            Err(error) => write!(f, "{}", error.brief()),
        }
    }
}
