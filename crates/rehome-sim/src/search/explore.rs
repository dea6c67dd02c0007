//! The search itself: all states within a number of faults before any with one more.
//!
//! A task is a state. From it, what is free (time, answers, what was put off) is followed breadth
//! first to the end, which is a loop or a state that is known. Each fault on the way makes a task
//! of its own, one dearer; the last tasks first, so that few are waiting. Round N follows tasks
//! that cost N at most: it goes over what the rounds before found, and finds what costs N.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rehome_core::record::Stage;
use rehome_core::time::Mono;

use super::calm;
use super::law::{Broken, Law};
use super::steps::{Step, Successor, successors};
use super::world::World;
use super::{Counts, SearchReport, Trail};

/// Parts of the table of known states, so that threads seldom wait for each other.
const SHARDS: usize = 64;

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

struct Shared {
    limit: u64,
    keep_going: bool,
    round: u8,
    known: Vec<Mutex<HashMap<u128, Known>>>,
    states: AtomicU64,
    /// Of some states, what can come next.
    onward: Mutex<HashMap<u128, u128>>,
    tasks: Mutex<Vec<Task>>,
    busy: AtomicUsize,
    stop: AtomicBool,
    counts: Mutex<Counts>,
    trails: Mutex<BTreeMap<Law, Trail>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Searches from these states until `limit` states are known.
pub(super) fn search(roots: &[World], limit: u64, keep_going: bool) -> SearchReport {
    let begun = Instant::now();
    let mut shared = Shared {
        limit,
        keep_going,
        round: 0,
        known: (0..SHARDS).map(|_| Mutex::default()).collect(),
        states: AtomicU64::new(0),
        onward: Mutex::default(),
        tasks: Mutex::default(),
        busy: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        counts: Mutex::default(),
        trails: Mutex::default(),
    };
    let mut rounds = Vec::new();
    while shared.round < ROUNDS_MAX && !shared.stop.load(Ordering::Relaxed) {
        let before = shared.states.load(Ordering::Relaxed);
        shared.seed(roots);
        shared.run();
        let found = shared.states.load(Ordering::Relaxed) - before;
        rounds.push((found, !shared.stop.load(Ordering::Relaxed)));
        if !shared.keep_going && !locked(&shared.trails).is_empty() {
            break;
        }
        shared.round += 1;
    }
    SearchReport {
        states: shared.states.into_inner(),
        rounds,
        counts: shared.counts.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()),
        took: begun.elapsed(),
        trails: shared.trails.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()),
    }
}

impl Shared {
    fn seed(&self, roots: &[World]) {
        for (root, world) in roots.iter().enumerate() {
            if self.claims(world.fingerprint(), 0) != Claim::Refused {
                let world = world.clone();
                locked(&self.tasks).push(Task { world, way: None, root, cost: 0 });
            }
        }
    }

    fn run(&self) {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| self.work());
            }
        });
        locked(&self.tasks).clear();
    }

    fn work(&self) {
        let mut counts = Counts::default();
        while !self.stop.load(Ordering::Relaxed) {
            let task = {
                let mut tasks = locked(&self.tasks);
                let task = tasks.pop();
                if task.is_some() {
                    self.busy.fetch_add(1, Ordering::SeqCst);
                }
                task
            };
            let Some(task) = task else {
                if self.busy.load(Ordering::SeqCst) == 0 && locked(&self.tasks).is_empty() {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
                continue;
            };
            self.follow(task, &mut counts);
            self.busy.fetch_sub(1, Ordering::SeqCst);
        }
        locked(&self.counts).add(&counts);
    }

    /// Follows what is free from a task's state on.
    fn follow(&self, task: Task, counts: &mut Counts) {
        let Task { world, way, root, cost } = task;
        let mut ahead = VecDeque::from([(world, way)]);
        while let Some((world, way)) = ahead.pop_front() {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let faults = cost < self.round;
            for (index, next) in successors(&world, faults).into_iter().enumerate() {
                counts.transitions += 1;
                let Successor { step, fault, mut world } = next;
                let cost = cost + u8::from(fault);
                let way = Arc::new(Way {
                    steps: way.as_ref().map_or(0, |way| way.steps) + 1,
                    from: way.clone(),
                    step,
                    index,
                    faults,
                    at: world.now,
                    root,
                });
                if let Some(broken) = world.broken.take() {
                    self.report(Trail { broken, faults: cost, way });
                    continue;
                }
                let fingerprint = world.fingerprint();
                if (fingerprint >> 64).is_multiple_of(SAME_EVERY)
                    && let Some(broken) = self.goes_on_otherwise(fingerprint, &world, counts)
                {
                    self.report(Trail { broken, faults: cost, way });
                    continue;
                }
                match self.claims(fingerprint, cost) {
                    Claim::Refused => continue,
                    Claim::Again => {}
                    Claim::New => {
                        counts.note(&world, way.steps);
                        if fingerprint.is_multiple_of(CALM_EVERY) {
                            counts.calmed += 1;
                            if let Some(broken) = calm::ends_badly(&world) {
                                self.report(Trail { broken, faults: cost, way });
                                continue;
                            }
                        }
                    }
                }
                if fault {
                    locked(&self.tasks).push(Task { world, way: Some(way), root, cost });
                } else {
                    ahead.push_back((world, Some(way)));
                }
            }
        }
    }

    /// Whether a state that was reached by `cost` faults is to be followed.
    fn claims(&self, fingerprint: u128, cost: u8) -> Claim {
        let mut known = locked(&self.known[(fingerprint % SHARDS as u128) as usize]);
        match known.entry(fingerprint) {
            Entry::Vacant(place) => {
                place.insert(Known { cost, round: self.round });
                let states = self.states.fetch_add(1, Ordering::Relaxed) + 1;
                if states >= self.limit {
                    self.stop.store(true, Ordering::Relaxed);
                }
                Claim::New
            }
            Entry::Occupied(mut place) => {
                let known = place.get_mut();
                if known.cost < cost || known.round == self.round {
                    return Claim::Refused;
                }
                known.round = self.round;
                Claim::Again
            }
        }
    }

    /// Whether a state goes on otherwise than another one that passes for the same.
    fn goes_on_otherwise(
        &self,
        fingerprint: u128,
        world: &World,
        counts: &mut Counts,
    ) -> Option<Broken> {
        let next = successors(world, true);
        let next = next.iter().map(|next| next.world.fingerprint());
        let next = next.fold(0u128, |sum, one| sum.rotate_left(5) ^ one);
        match locked(&self.onward).entry(fingerprint) {
            Entry::Vacant(place) => {
                place.insert(next);
                None
            }
            Entry::Occupied(known) => {
                counts.compared += 1;
                let how = "two states with one fingerprint go on differently";
                (*known.get() != next).then(|| Law::Merged.broken(how))
            }
        }
    }

    /// Keeps the shortest way to each law's breach.
    fn report(&self, trail: Trail) {
        let mut trails = locked(&self.trails);
        let shorter =
            |known: &Trail| (trail.faults, trail.way.steps) < (known.faults, known.way.steps);
        if trails.get(&trail.broken.law).is_none_or(shorter) {
            trails.insert(trail.broken.law, trail);
        }
        if !self.keep_going {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
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

    fn add(&mut self, other: &Counts) {
        self.transitions += other.transitions;
        self.watching += other.watching;
        self.preparing += other.preparing;
        self.cutting += other.cutting;
        self.verifying += other.verifying;
        self.rolling_back += other.rolling_back;
        self.moved += other.moved;
        self.cancelled += other.cancelled;
        self.rolled_back += other.rolled_back;
        self.fenced += other.fenced;
        self.crashed += other.crashed;
        self.calmed += other.calmed;
        self.compared += other.compared;
        self.deepest = self.deepest.max(other.deepest);
    }
}
