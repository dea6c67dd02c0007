//! What must hold, whatever happens. Only looks; the world knows nothing of it.
//!
//! It looks after every event. Beside the world's state it is handed the event's
//! [`Fact`]s: decisions, calls and their effects, lines that were told.

mod ground;
mod story;

use std::collections::BTreeSet;
use std::fmt;

use rehome_core::call::Call;
use rehome_core::controller::CallId;
use rehome_core::say::Line;
use rehome_core::verdict::Reason;

use self::ground::Ground;
use self::story::{Launched, Stories};
use crate::account::{OVERLAY, vip};
use crate::network;
use crate::plan::{CALM_AT, LENGTH, Profile, SERVED_WITHIN};
use crate::time::SEC;
use crate::world::{Fact, World};

/// A call may leave so long after it was decided, and no later.
const SENT_WITHIN: u64 = 2 * SEC;

/// What came to serve later than this before a decision may not have been seen by it: a reading
/// takes its time, and may be as far behind as the faults make it.
const SEEN_WITHIN: u64 = 15 * SEC;

/// The monitor's own paths are dead for so long before a decision counts as made in the dark, and
/// so many intervals longer: the silence that it rests on may have begun before.
const BLIND_FOR: u64 = 15 * SEC;
const BLIND_FOR_INTERVALS: u32 = 5;

/// A pause is looked for once a second.
const PAUSE_SEEN_WITHIN: u64 = 2 * SEC;

/// So many launches may be sent within so long, whatever comes of them.
const HAMMER_MAX: usize = 60;
const HAMMER_WITHIN: u64 = 300 * SEC;

/// So many events in one moment mean that something spins.
const SPINS_AT: u32 = 20_000;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// No effect of a call of ours leaves a table of the account without a route for a VIP where it
    /// had one right before.
    RouteAbsent,
    /// Of the instances that one attempt brought (same process's record, generation and attempt)
    /// at most one is neither terminated nor on its way there.
    OneLivePerAttempt,
    /// No instance that serves a VIP (a route for it leads there, the guest answers and has the
    /// address, the source/dest check is off) is stopped or terminated by a call of ours, unless it
    /// came to serve later than 15 s before that call was decided.
    ServingEnded,
    /// Nothing of ours that could serve a VIP (it answers, has the address, its source/dest check
    /// is off) is stopped or terminated unless the VIP was served by somebody later than 15 s
    /// before that call was decided.
    LastEnded,
    /// What a person stopped while it held a VIP, and nobody started again, is never stopped or
    /// terminated by us, as long as the record isn't lost.
    PersonsEnded,
    /// No mutation is decided later than 2 s after the VIP's pause file came, and none is sent
    /// while it is there.
    WhilePaused,
    /// No mutation is sent later than 2 s after it was decided.
    Late,
    /// No move and no cut is decided while every path of the monitor has been dead for 15 s and
    /// five intervals by a fault of its own that can be told: its interface is dead, it has no
    /// route, or no ping finds its way back and there is a control target.
    Blind,
    /// No move for silence alone (`unreachable`, `address lost`) is begun while rules that people
    /// closed have kept our pings out for as long, and the holder serves.
    MovedByClosing,
    /// In no hour has a record more launches than a move may have, times one more than the moves an
    /// hour may have, and in no day likewise, by the wall clock of the process, as long as nobody
    /// turns it. One more: a move that began before that hour may launch within it. Moves out of a
    /// zone that EC2 calls impaired are free.
    Budget,
    /// At the moment when an instance comes into being by a launch of ours, the durable record of
    /// the process that asked for it knows the launch's token.
    Unjournaled,
    /// An instance of ours that is live, launched under the record that is still there, is named by
    /// the durable record, or findable by a token in it, or was told as kept or ended; what isn't
    /// is so for no longer than six minutes (the five that an id may be invisible, and one).
    Forgotten,
    /// Within a minute of a spent budget, with nothing moving, people have been told that the
    /// capability to fail over is lost.
    BudgetUntold,
    /// No move is begun because EC2 doesn't know the holder while EC2 has it, alive.
    GoneWhileThere,
    /// In no five minutes does a process send more than 60 launches, whatever comes of them: waits
    /// between tries grow to 20 s, and what is refused for good is held.
    Hammering,
    /// Routes are never cut away from a VIP that has answered the process within the silence that
    /// a commit needs: less of it where a standby answers meanwhile.
    CutWhileAnswering,
    /// At most 20 % independent loss on every path, and nothing else, moves nothing.
    MovedByLoss,
    /// Within [`SERVED_WITHIN`] after all faults are over, and at the end, every route of the set
    /// leads to an instance that serves the VIP, and the monitor hears it.
    NotServed,
    /// At the end no move is under way for a VIP that is served.
    Unfinished,
    /// No moment has more than 20,000 events.
    Spins,
    /// Nothing panics: the core's own assertions hold.
    Panic,
}

/// An invariant that doesn't hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
    /// When, in nanoseconds of virtual time.
    pub at: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

/// What happened in a run, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Moves that were begun.
    pub moves: u32,
    /// Moves that ended with the VIP answering from its new home.
    pub moved: u32,
    /// Instances that were launched.
    pub launches: u32,
    /// Instances that were ordered to end.
    pub ends: u32,
    /// Starts of controllers.
    pub starts: u32,
    /// VIPs that rehome could not have served in the end: the record was lost while the holder
    /// could no longer tell what it was, or while a table had no route.
    pub excused: u32,
}

/// Looks on.
pub(crate) struct Observer {
    ground: Ground,
    stories: Stories,
    pub(crate) counts: Counts,
    version: u64,
    blind_since: Option<u64>,
    bound_checked: bool,
    moment: (u64, u32),
    /// Until when each VIP was served by somebody.
    served_until: Vec<u64>,
    /// Room for the facts of an event, used again and again.
    facts: Vec<Fact>,
}

type Verdict = Result<(), Violation>;

impl Observer {
    pub(crate) fn new(world: &World) -> Observer {
        Observer {
            ground: Ground::of(world, None),
            stories: Stories::new(world.processes.len()),
            counts: Counts::default(),
            version: world.version,
            blind_since: None,
            bound_checked: false,
            moment: (0, 0),
            served_until: vec![0; world.plan.vips],
            facts: Vec::new(),
        }
    }

    /// Looks at the world after an event.
    pub(crate) fn look(&mut self, world: &mut World) -> Verdict {
        let mut facts = core::mem::take(&mut self.facts);
        core::mem::swap(&mut facts, &mut world.facts);
        self.count_event(world)?;
        self.note_blindness(world);
        for (_, number) in self.ground.serving.keys() {
            self.served_until[*number] = world.now;
        }
        let before = (world.version != self.version).then(|| {
            self.version = world.version;
            let now = Ground::of(world, Some(&self.ground));
            core::mem::replace(&mut self.ground, now)
        });
        for fact in &facts {
            self.weigh(world, before.as_ref(), fact)?;
        }
        if before.is_some() && !facts.is_empty() {
            self.stories.find_forgotten(world)?;
        }
        facts.clear();
        self.facts = facts;
        if !self.bound_checked && world.now >= CALM_AT + SERVED_WITHIN {
            self.bound_checked = true;
            self.served(world)?;
        }
        Ok(())
    }

    /// The last look.
    pub(crate) fn end(&mut self, world: &mut World) -> Verdict {
        world.now = LENGTH;
        self.counts.excused = 0;
        self.served(world)?;
        for number in 0..world.plan.vips {
            let record = world.disks[number].record.as_ref();
            let moving = record.is_some_and(|record| record.moving.is_some());
            if moving && self.is_served(world, number).is_ok() {
                let what = format!("{} is served, and a move is under way", vip(number));
                return violated(world, Invariant::Unfinished, what);
            }
        }
        Ok(())
    }

    fn count_event(&mut self, world: &World) -> Verdict {
        if self.moment.0 != world.now {
            self.moment = (world.now, 0);
        }
        self.moment.1 += 1;
        if self.moment.1 < SPINS_AT {
            return Ok(());
        }
        violated(world, Invariant::Spins, "the same moment again and again".to_owned())
    }

    fn note_blindness(&mut self, world: &World) {
        let net = &world.net;
        let blind = net.cut_off || net.no_route || (net.deaf && world.plan.control);
        match (blind, self.blind_since) {
            (false, _) => self.blind_since = None,
            (true, None) => self.blind_since = Some(world.now),
            (true, Some(_)) => {}
        }
    }

    fn is_blind(&self, world: &World, process: usize) -> bool {
        let long = |since: u64| world.now - since > dark_for(world);
        world.processes[process].machine == 0 && self.blind_since.is_some_and(long)
    }

    fn weigh(&mut self, world: &World, before: Option<&Ground>, fact: &Fact) -> Verdict {
        match fact {
            Fact::Decided { process, epoch, id } => {
                self.stories.decided.insert((*process, *epoch, *id), world.now);
                let disk = &world.disks[*process];
                if disk.paused && world.now > disk.paused_since + PAUSE_SEEN_WITHIN {
                    let what = "a mutation is decided while paused".to_owned();
                    return violated(world, Invariant::WhilePaused, what);
                }
                Ok(())
            }
            Fact::Sent { process, epoch, id, call, at } => {
                self.sent(world, (*process, *epoch, *id), call, *at)
            }
            Fact::Effect { process, epoch, id, call } => {
                let key = (*process, *epoch, *id);
                before.map_or(Ok(()), |before| self.effect(world, before, key, call))
            }
            Fact::Launched { process, lineage, launch, instance } => {
                self.counts.launches += 1;
                let launched = Launched::new(world, *process, *lineage, launch, instance);
                self.stories.launched(world, launched)
            }
            Fact::Said { process, line } => self.said(world, *process, line),
            Fact::Persisted { process } => self.stories.persisted(world, *process),
            Fact::Started { process } => {
                self.counts.starts += 1;
                self.stories.started(world, *process);
                Ok(())
            }
            Fact::Ended { process } => {
                self.stories.ended(*process);
                Ok(())
            }
            Fact::Heard { process } => {
                self.stories.of[*process].heard_at = Some(world.now);
                Ok(())
            }
        }
    }

    fn sent(&mut self, world: &World, key: (usize, u64, CallId), call: &Call, at: u64) -> Verdict {
        let decided = self.stories.decided.get(&key).copied().unwrap_or(world.now);
        let action = call.action();
        if world.disks[key.0].paused {
            return violated(world, Invariant::WhilePaused, format!("{action} while paused"));
        }
        if let Call::Launch(_) = call {
            self.hammering(world, key.0)?;
        }
        if at > decided + SENT_WITHIN {
            let late = (at - decided) / SEC;
            return violated(world, Invariant::Late, format!("{action}, {late} s late"));
        }
        Ok(())
    }

    fn hammering(&mut self, world: &World, process: usize) -> Verdict {
        let sent = &mut self.stories.of[process].launches_sent;
        sent.retain(|at| world.now - at < HAMMER_WITHIN);
        sent.push(world.now);
        if sent.len() <= HAMMER_MAX {
            return Ok(());
        }
        let what = format!("{} launches sent in five minutes", sent.len());
        violated(world, Invariant::Hammering, what)
    }

    fn effect(
        &mut self,
        world: &World,
        before: &Ground,
        key: (usize, u64, CallId),
        call: &Call,
    ) -> Verdict {
        if let Some((table, number)) = before.routes.difference(&self.ground.routes).next() {
            let what =
                format!("{} took the route for {} out of {table}", call.action(), vip(*number));
            return violated(world, Invariant::RouteAbsent, what);
        }
        let (Call::Stop { instance, .. } | Call::Terminate { instance }) = call else {
            return Ok(());
        };
        self.counts.ends += 1;
        let decided = self.stories.decided.get(&key).copied().unwrap_or(world.now);
        self.ended(world, before, call.action(), (key.0, instance.as_str()), decided)
    }

    /// A call of ours, decided then, ended an instance.
    fn ended(
        &self,
        world: &World,
        before: &Ground,
        action: &str,
        (process, id): (usize, &str),
        decided: u64,
    ) -> Verdict {
        let by_hand = world.by_hand.iter().find(|(of, _)| of == id);
        let seen = by_hand.is_some_and(|(_, at)| at + SEEN_WITHIN < decided);
        if seen && !world.disks[process].lost && world.disks[process].lineage == 0 {
            let what = format!("{action} of {id}, which a person stopped");
            return violated(world, Invariant::PersonsEnded, what);
        }
        let served = before.serving.iter().find(|((of, _), _)| of == id);
        if let Some(((_, number), since)) = served
            && since + SEEN_WITHIN < decided
        {
            let seconds = (world.now - since) / SEC;
            let what =
                format!("{action} of {id}, which has served {} for {seconds} s", vip(*number));
            return violated(world, Invariant::ServingEnded, what);
        }
        let number = world.processes[process].vip;
        if before.able.contains(&(id.to_owned(), number))
            && self.served_until[number] + SEEN_WITHIN < decided
        {
            let seconds = (decided - self.served_until[number]) / SEC;
            let address = vip(number);
            let what =
                format!("{action} of {id}, while nobody has served {address} for {seconds} s");
            return violated(world, Invariant::LastEnded, what);
        }
        Ok(())
    }

    fn said(&mut self, world: &World, process: usize, line: &Line) -> Verdict {
        self.stories.said(world, process, line);
        if matches!(line, Line::Verified { .. }) {
            self.counts.moved += 1;
        }
        let moving = matches!(line, Line::Moving { .. });
        let cutting = matches!(line, Line::Cutting);
        if !moving && !cutting {
            return Ok(());
        }
        self.counts.moves += u32::from(moving);
        if matches!(world.plan.profile, Profile::PlainLoss(_)) {
            return violated(world, Invariant::MovedByLoss, line.to_string());
        }
        if self.is_blind(world, process) {
            return violated(world, Invariant::Blind, line.to_string());
        }
        if let Line::Moving { reason: Reason::Unreachable | Reason::AddressLost, .. } = line
            && self.is_closed(world, process)
        {
            return violated(world, Invariant::MovedByClosing, line.to_string());
        }
        if let Line::Moving { reason: Reason::NotFound, .. } = line
            && let Some(holder) = self.living_holder(world, process)
        {
            let what = format!("{holder} is called not found, and EC2 has it");
            return violated(world, Invariant::GoneWhileThere, what);
        }
        let (story, policy) = (&self.stories.of[process], &world.plan.policy);
        let silence = if story.to_standby { policy.silence_min() } else { policy.commit_after };
        let silence = u64::try_from(silence.as_nanos()).unwrap_or(u64::MAX);
        match story.heard_at {
            Some(heard) if cutting && world.now < heard + silence => {
                let ms = (world.now - heard) / 1_000_000;
                let what = format!("routes are cut {ms} ms after the VIP answered");
                violated(world, Invariant::CutWhileAnswering, what)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn living_holder(&self, world: &World, process: usize) -> Option<String> {
        let holder = world.disks[process].record.as_ref()?.holder.instance.to_string();
        let there = world.plane.instances.iter().find(|instance| instance.id == holder)?;
        there.powered.then_some(holder)
    }

    /// Whether pings have been kept out for long, and the holder serves all the same.
    fn is_closed(&self, world: &World, process: usize) -> bool {
        let long = world.closed_since.is_some_and(|since| world.now - since > dark_for(world));
        let number = world.processes[process].vip;
        let Some(record) = &world.disks[process].record else { return false };
        let holder = (record.holder.instance.to_string(), number);
        // Machines of one subnet meet no ACL between them.
        let overlay = world.plan.overlay.then_some(OVERLAY);
        let (plane, monitor) = (&world.plane, &world.account.monitors[0]);
        let open = || network::way(plane, monitor, None, vip(number), overlay).is_some();
        long && self.ground.serving.contains_key(&holder) && !open()
    }

    /// Whether every VIP is served now.
    fn served(&mut self, world: &mut World) -> Verdict {
        world.refresh();
        self.ground = Ground::of(world, Some(&self.ground));
        for number in 0..world.plan.vips {
            let Err(what) = self.is_served(world, number) else { continue };
            let process = &world.processes[number];
            // Begun anew while a route was missing, a record doesn't know that table.
            let set =
                world.disks[number].record.as_ref().map_or(0, |record| record.route_set.len());
            let narrow = set < world.account.tables.len();
            if world.disks[number].lost && (process.refused.is_some() || narrow) {
                self.counts.excused += 1;
                continue;
            }
            let what = format!("{} is not served: {what}", vip(number));
            return violated(world, Invariant::NotServed, what);
        }
        Ok(())
    }

    /// Whether a VIP is served through every route of its set, and the monitor hears it.
    pub(crate) fn is_served(&self, world: &mut World, number: usize) -> Result<(), String> {
        let Some(record) = &world.disks[number].record else { return Err("no record".to_owned()) };
        let tables: BTreeSet<&str> = record.route_set.iter().map(|table| table.as_str()).collect();
        let ours =
            |table: &&(String, usize)| table.1 == number && tables.contains(table.0.as_str());
        let served = self.ground.served.iter().filter(ours).count();
        if served < tables.len() {
            return Err(format!("{served} of {} routes lead to who serves it", tables.len()));
        }
        let address = vip(number);
        let monitor = world.account.monitors[0].clone();
        let own = world.plane.instances.iter().find(|instance| instance.id == monitor);
        let own = own.map(|instance| instance.private_ip);
        match world.reaches(0, own, address) {
            Some(guest) if world.answers(guest, address) => Ok(()),
            Some(_) | None => Err("the monitor doesn't hear it".to_owned()),
        }
    }
}

/// How long the dark lasts before it has to be known for what it is.
fn dark_for(world: &World) -> u64 {
    let intervals = world.plan.policy.interval * BLIND_FOR_INTERVALS;
    BLIND_FOR + u64::try_from(intervals.as_nanos()).unwrap_or(u64::MAX)
}

fn violated(world: &World, invariant: Invariant, what: String) -> Verdict {
    Err(Violation { invariant, what, at: world.now })
}
