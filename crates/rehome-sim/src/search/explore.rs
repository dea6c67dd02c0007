//! The search itself: all states within a number of faults before any with one more.
//!
//! A task is a state, and costs the faults that led there. Round N follows tasks that cost N at
//! most: it goes over what the rounds before found, and finds what costs N. What is dearest is
//! followed first, breadth first, to its end, which is a loop or a state that is known.
//!
//! States are taken in batches: what comes next of each is found by all cores, and what of it is
//! new is decided in the order of the batch. So a search takes the same states in the same order
//! each time, on any machine, and what it finds once it finds again.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::Instant;
use std::vec::IntoIter;

use rehome_core::record::Stage;
use rehome_core::time::Mono;

use super::calm;
use super::law::{Broken, Law};
use super::steps::{Step, Successor, successors};
use super::world::World;
use super::{Counts, SearchReport, Trail};

/// States of a batch: enough to keep cores busy, few enough that what comes next of all of them is
/// held at once.
const BATCH: usize = 512;

/// One state in so many is asked whether all would end well.
const CALM_EVERY: u128 = 256;

/// Of one fingerprint in so many all states are asked whether they go on the same.
const SAME_EVERY: u128 = 256;

/// Rounds beyond what any budget of states allows.
const ROUNDS_MAX: u8 = 12;

/// The way to a state.
pub(super) struct Way {
    pub(super) from: Option<Arc<Way>>,
    pub(super) step: Step,
    /// Which of the successors it was, with those by a fault among them or not.
    pub(super) index: usize,
    pub(super) faults: bool,
    pub(super) at: Mono,
    pub(super) steps: u32,
    /// Where it began.
    pub(super) root: usize,
}

/// A state to go on from.
struct Task {
    world: World,
    way: Option<Arc<Way>>,
    root: usize,
    cost: u8,
}

/// How a known state was reached: by how many faults, and in which round it was gone over last.
struct Known {
    cost: u8,
    round: u8,
}

impl Known {
    /// Whether what is reached by `cost` faults in `round` needn't be followed.
    fn refuses(&self, cost: u8, round: u8) -> bool {
        self.cost < cost || self.round == round
    }
}

/// What comes next of a state: all that can be told of it without the others of its batch.
struct Found {
    index: usize,
    next: Successor,
    fingerprint: u128,
    /// What can come after it, of those that are asked.
    onward: Option<u128>,
    /// That it wouldn't end well, of those that are asked.
    ends_badly: Option<Broken>,
    was_calmed: bool,
}

/// What comes next of one state of a batch, without what is known and needn't be followed.
struct Looked {
    transitions: u64,
    found: Vec<Found>,
}

#[derive(Default)]
struct Search {
    limit: u64,
    keep_going: bool,
    round: u8,
    known: HashMap<u128, Known>,
    /// Of some states, what can come next.
    onward: HashMap<u128, u128>,
    /// By the faults that they cost, in the order in which they were found.
    waiting: Vec<VecDeque<Task>>,
    stop: bool,
    counts: Counts,
    trails: BTreeMap<Law, Trail>,
}

/// Searches from these states until `limit` states are known.
pub(super) fn search(roots: &[World], limit: u64, keep_going: bool) -> SearchReport {
    let begun = Instant::now();
    let mut search = Search { limit, keep_going, ..Search::default() };
    let mut rounds = Vec::new();
    while search.round < ROUNDS_MAX && !search.stop {
        let before = search.states();
        search.seed(roots);
        search.run();
        rounds.push((search.states() - before, !search.stop));
        search.round += 1;
    }
    SearchReport {
        states: search.states(),
        rounds,
        counts: search.counts,
        took: begun.elapsed(),
        trails: search.trails,
    }
}

impl Search {
    fn states(&self) -> u64 {
        self.known.len() as u64
    }

    fn seed(&mut self, roots: &[World]) {
        for (root, world) in roots.iter().enumerate() {
            if self.claims(world.fingerprint(), 0) != Claim::Refused {
                self.wait(Task { world: world.clone(), way: None, root, cost: 0 });
            }
        }
    }

    fn run(&mut self) {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        while !self.stop {
            let batch = self.batch();
            if batch.is_empty() {
                return;
            }
            let mut shares = self.look_at_all(&batch, cores);
            for (number, task) in batch.iter().enumerate() {
                let Some(looked) = shares[number % cores].next() else { return };
                self.counts.transitions += looked.transitions;
                for found in looked.found {
                    self.take(task, found);
                    if self.stop {
                        return;
                    }
                }
            }
        }
    }

    /// The dearest first, so that few are waiting: one state has a score of faults.
    fn batch(&mut self) -> Vec<Task> {
        let dearest = self.waiting.iter_mut().enumerate().rev().find(|(_, at)| !at.is_empty());
        let Some((cost, waiting)) = dearest else { return Vec::new() };
        let most = if cost < usize::from(self.round) { BATCH / 16 } else { BATCH };
        waiting.drain(..waiting.len().min(most)).collect()
    }

    /// Each core looks at one state in so many, in turn: neighbors cost the same.
    fn look_at_all(&self, batch: &[Task], cores: usize) -> Vec<IntoIter<Looked>> {
        thread::scope(|scope| {
            let look = |first: usize| -> Vec<Looked> {
                batch.iter().skip(first).step_by(cores).map(|task| self.look(task)).collect()
            };
            let shares = (0..cores).map(|first| scope.spawn(move || look(first)));
            let shares: Vec<_> = shares.collect();
            let whole = |share: thread::ScopedJoinHandle<'_, Vec<Looked>>| {
                let looked = share.join().unwrap_or_else(|panic| resume_unwind(panic));
                looked.into_iter()
            };
            shares.into_iter().map(whole).collect()
        })
    }

    /// What comes next of a state, but for what is known and needn't be followed.
    fn look(&self, task: &Task) -> Looked {
        let next = successors(&task.world, task.cost < self.round);
        let transitions = next.len() as u64;
        let found = next.into_iter().enumerate().filter_map(|(index, next)| {
            let cost = task.cost + u8::from(next.fault);
            let mut found = Found {
                index,
                fingerprint: next.world.fingerprint(),
                next,
                onward: None,
                ends_badly: None,
                was_calmed: false,
            };
            let (world, fingerprint) = (&found.next.world, found.fingerprint);
            if world.broken.is_some() {
                return Some(found);
            }
            if (fingerprint >> 64).is_multiple_of(SAME_EVERY) {
                found.onward = Some(onward(world));
            }
            match self.known.get(&fingerprint) {
                Some(known) if known.refuses(cost, self.round) && found.onward.is_none() => {
                    return None;
                }
                None if fingerprint.is_multiple_of(CALM_EVERY) => {
                    found.ends_badly = calm::ends_badly(world);
                    found.was_calmed = true;
                }
                Some(_) | None => {}
            }
            Some(found)
        });
        Looked { transitions, found: found.collect() }
    }

    fn take(&mut self, task: &Task, found: Found) {
        let Found { index, next, fingerprint, onward, ends_badly, was_calmed } = found;
        let Successor { step, fault, mut world } = next;
        let cost = task.cost + u8::from(fault);
        let way = Arc::new(Way {
            steps: task.way.as_ref().map_or(0, |way| way.steps) + 1,
            from: task.way.clone(),
            step,
            index,
            faults: task.cost < self.round,
            at: world.now,
            root: task.root,
        });
        let merged = onward.and_then(|next| self.goes_on_otherwise(fingerprint, next));
        if let Some(broken) = world.broken.take().or(merged) {
            self.report(Trail { broken, faults: cost, way });
            return;
        }
        match self.claims(fingerprint, cost) {
            Claim::Refused => return,
            Claim::Again => {}
            Claim::New => {
                self.counts.note(&world, way.steps);
                self.counts.calmed += u64::from(was_calmed);
                if let Some(broken) = ends_badly {
                    self.report(Trail { broken, faults: cost, way });
                    return;
                }
            }
        }
        let next = Task { world, way: Some(way), root: task.root, cost };
        self.wait(next);
    }

    fn wait(&mut self, task: Task) {
        let cost = usize::from(task.cost);
        if self.waiting.len() <= cost {
            self.waiting.resize_with(cost + 1, VecDeque::new);
        }
        self.waiting[cost].push_back(task);
    }

    /// Whether a state that was reached by `cost` faults is to be followed.
    fn claims(&mut self, fingerprint: u128, cost: u8) -> Claim {
        let round = self.round;
        let claim = match self.known.entry(fingerprint) {
            Entry::Vacant(place) => {
                place.insert(Known { cost, round });
                Claim::New
            }
            Entry::Occupied(mut place) => {
                let known = place.get_mut();
                if known.refuses(cost, round) {
                    return Claim::Refused;
                }
                known.round = round;
                Claim::Again
            }
        };
        self.stop |= self.states() >= self.limit;
        claim
    }

    /// Whether a state goes on otherwise than another one that passes for the same.
    fn goes_on_otherwise(&mut self, fingerprint: u128, next: u128) -> Option<Broken> {
        match self.onward.entry(fingerprint) {
            Entry::Vacant(place) => {
                place.insert(next);
                None
            }
            Entry::Occupied(known) => {
                self.counts.compared += 1;
                let how = "two states with one fingerprint go on differently";
                (*known.get() != next).then(|| Law::Merged.broken(how))
            }
        }
    }

    /// Keeps the shortest way to each law's breach.
    fn report(&mut self, trail: Trail) {
        let shorter =
            |known: &Trail| (trail.faults, trail.way.steps) < (known.faults, known.way.steps);
        if self.trails.get(&trail.broken.law).is_none_or(shorter) {
            self.trails.insert(trail.broken.law, trail);
        }
        self.stop |= !self.keep_going;
    }
}

/// All that can come next of a state, in one number.
fn onward(world: &World) -> u128 {
    let next = successors(world, true);
    let next = next.iter().map(|next| next.world.fingerprint());
    next.fold(0u128, |sum, one| sum.rotate_left(5) ^ one)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    New,
    Again,
    Refused,
}

impl Counts {
    /// Counts a new state, and what was told on the way to it.
    fn note(&mut self, world: &World, steps: u32) {
        let place = match world.stage() {
            None => &mut self.watching,
            Some(Stage::Preparing) => &mut self.preparing,
            Some(Stage::Cutting) => &mut self.cutting,
            Some(Stage::Verifying) => &mut self.verifying,
            Some(Stage::RollingBack) => &mut self.rolling_back,
        };
        *place += 1;
        let marks = world.marks;
        self.moved += u64::from(marks.moved);
        self.cancelled += u64::from(marks.cancelled);
        self.rolled_back += u64::from(marks.rolled_back);
        self.fenced += u64::from(marks.fenced);
        self.crashed += u64::from(marks.crashed);
        self.deepest = self.deepest.max(steps);
    }
}
