//! All addresses of one process. Each is watched on its own: what is wrong with one of them is
//! told, and the others are watched all the same.
//!
//! SIGHUP reads the file again. An address whose keys changed is ended and begun anew, which loses
//! nothing: its record says where it stood. In the middle of a move it is left as it is. What fails
//! for another reason than its configuration is tried again.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::pending;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify as Wake;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::begin::{Begun, Shared, begin};
use super::prepare::{Prepared, check, prepare};
use super::reads::Reads;
use crate::aws::client::Aws;
use crate::cli::RunArgs;
use crate::config::{One, Wanted, of_vip};
use crate::fail::{FAILED, Failure, Problem, WRONG};
use crate::notify::{Manager, Notify};

/// Between two tries to watch an address that can't be watched just now.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How often the service manager hears of a process whose addresses are all still beginning.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// What the process holds of an address that is watched.
#[derive(Debug, Default)]
pub(crate) struct Hand {
    /// Asks it to end, as a signal would.
    pub(crate) end: Wake,
    /// Whether a move is under way.
    pub(crate) is_moving: Cell<bool>,
}

/// The addresses of a process.
pub(crate) struct Fleet {
    /// Where they stand, if in a file, and which of them.
    source: Option<Wanted>,
    /// By address, as they are wanted.
    wanted: BTreeMap<String, One>,
    /// Those that are prepared and not yet begun.
    ready: Vec<(String, Prepared)>,
    running: BTreeMap<String, Running>,
    /// To be begun anew when they have ended.
    again: BTreeMap<String, One>,
    /// To be tried again then.
    later: BTreeMap<String, Instant>,
    failures: Failures,
}

struct Running {
    hand: Rc<Hand>,
    /// Whether it was told to end.
    ending: bool,
}

type Ended = (String, Result<ExitCode, Failure>);

impl Fleet {
    /// What can be prepared without AWS is.
    ///
    /// # Errors
    /// Everything that is wrong with the file; why nothing can be watched at all.
    pub(crate) fn of(wanted: Wanted) -> Result<Fleet, Failure> {
        let source = wanted.file();
        let all = wanted.all()?;
        let mut fleet = Fleet {
            failures: Failures { several: all.len() > 1, by_address: BTreeMap::new() },
            source,
            wanted: BTreeMap::new(),
            ready: Vec::new(),
            running: BTreeMap::new(),
            again: BTreeMap::new(),
            later: BTreeMap::new(),
        };
        for one in all {
            fleet.prepare(one);
        }
        if fleet.ready.is_empty() { Err(fleet.failures.worst()) } else { Ok(fleet) }
    }

    fn prepare(&mut self, one: One) {
        let address = one.address().to_owned();
        match prepare(&one.args) {
            Ok(prepared) => {
                self.later.remove(&address);
                self.failures.by_address.remove(&address);
                self.ready.push((address.clone(), prepared));
            }
            Err(failure) => self.fail(&address, failure),
        }
        self.wanted.insert(address, one);
    }

    /// Tells why an address isn't watched, and when it is tried again.
    fn fail(&mut self, address: &str, failure: Failure) {
        if failure.code != WRONG && self.failures.several {
            self.later.insert(address.to_owned(), Instant::now() + AGAIN_AFTER);
        }
        self.failures.note(address, failure);
    }

    /// Watches until all of it has ended.
    pub(crate) async fn watch(mut self) -> Result<ExitCode, Failure> {
        let aws = Aws::connect()
            .await
            .map_err(|error| Failure::wrong(Problem::of(&error, Some(error.hint().to_owned()))))?;
        let mut interrupts = signals(SignalKind::interrupt())?;
        let mut terminations = signals(SignalKind::terminate())?;
        let hangup = || signals(SignalKind::hangup());
        let mut hangups = self.source.is_some().then(hangup).transpose()?;
        let manager = Manager::from_env();
        let reads = Reads::of(&aws);
        let mut watching = JoinSet::new();
        let mut ending = false;
        loop {
            self.begin_ready(&mut watching, &aws, &reads, manager.as_ref());
            if watching.is_empty() && (ending || self.later.is_empty()) {
                break;
            }
            let later = self.later.values().min().copied();
            let to_end = tokio::select! {
                Some(ended) = watching.join_next() => {
                    self.on_ended(ended, ending);
                    false
                }
                _ = interrupts.recv(), if !ending => true,
                _ = terminations.recv(), if !ending => true,
                () = hung_up(&mut hangups), if !ending => {
                    self.reload();
                    false
                }
                () = due(later), if !ending => {
                    self.try_again();
                    false
                }
                () = sleep(ALIVE_EVERY) => {
                    manager.iter().for_each(|manager| manager.while_starting());
                    false
                }
            };
            if to_end {
                ending = true;
                self.running.values().for_each(|running| running.hand.end.notify_one());
            }
        }
        if let Some(manager) = manager {
            manager.stopping();
        }
        if self.failures.by_address.is_empty() {
            Ok(ExitCode::SUCCESS)
        } else {
            Err(self.failures.worst())
        }
    }

    fn begin_ready(
        &mut self,
        watching: &mut JoinSet<Ended>,
        aws: &Aws,
        reads: &Rc<Reads>,
        manager: Option<&Rc<Manager>>,
    ) {
        for (address, prepared) in self.ready.drain(..) {
            let Some(one) = self.wanted.get(&address) else { continue };
            let hand = Rc::new(Hand::default());
            let running = Running { hand: Rc::clone(&hand), ending: false };
            self.running.insert(address.clone(), running);
            let several = self.failures.several;
            let reads = several.then(|| Rc::clone(reads));
            let shared = Shared { aws: aws.clone(), several, reads, hand };
            let (args, notify) = (Rc::clone(&one.args), manager.map(Manager::part));
            watching.spawn_local(async move {
                let ended = watch_one(&args, prepared, shared, notify).await;
                (address, ended)
            });
        }
    }

    fn on_ended(&mut self, ended: Result<Ended, JoinError>, ending: bool) {
        let (address, ended) = match ended {
            Ok(ended) => ended,
            // A defect: it ends the process, as it would with one address.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.running.remove(&address);
        if let Err(failure) = ended {
            self.fail(&address, failure);
        }
        if let Some(one) = self.again.remove(&address).filter(|_| !ending) {
            self.prepare(one);
        }
    }

    /// Tries those again whose time has come, as they are wanted now.
    fn try_again(&mut self) {
        let now = Instant::now();
        let due: Vec<String> =
            self.later.iter().filter(|(_, at)| **at <= now).map(|(one, _)| one.clone()).collect();
        for address in due {
            self.later.remove(&address);
            if let Some(one) = self.wanted.remove(&address) {
                self.prepare(one);
            }
        }
    }

    /// Reads the file again and does what it says now, as far as that is safe.
    fn reload(&mut self) {
        let Some(source) = self.source.as_ref().and_then(Wanted::file) else { return };
        let all = match source.all() {
            Ok(all) => all,
            Err(failure) => {
                let _ = failure.print();
                eprintln!("Not reloaded: everything goes on as before");
                return;
            }
        };
        let mut problems = self.moved_state(&all);
        for one in all.iter().filter(|one| !self.is_watched_as(one)) {
            // What is watched isn't ended for something that can't be.
            let wrong = check(&one.args).err().map(|failure| failure.problems);
            problems.extend(of_vip(&one.args, wrong.unwrap_or_default()));
        }
        if !problems.is_empty() {
            let _ = Failure { code: FAILED, problems }.print();
            eprintln!("Not reloaded: everything goes on as before");
            return;
        }
        // Lines name their address from now on; one that was alone keeps its form until it ends.
        self.failures.several |= all.len() > 1;
        let mut told = 0;
        let new: BTreeMap<String, One> =
            all.into_iter().map(|one| (one.address().to_owned(), one)).collect();
        let gone: Vec<String> =
            self.wanted.keys().filter(|address| !new.contains_key(*address)).cloned().collect();
        for address in gone {
            told += 1;
            if self.may_end(&address, "removed") {
                eprintln!("Reload: {address} removed");
                self.wanted.remove(&address);
                self.again.remove(&address);
                self.later.remove(&address);
                self.failures.by_address.remove(&address);
            }
        }
        for (address, one) in new {
            told += self.renew(address, one);
        }
        if told == 0 {
            eprintln!("Reload: nothing changed");
        }
    }

    /// Takes an address as it is wanted now; how many changes were told.
    fn renew(&mut self, address: String, one: One) -> usize {
        let changes = self.wanted.get(&address).map(|known| known.changes(&one));
        match (self.running.get(&address), changes) {
            // It is ending already: it begins anew as the newest file says.
            (Some(Running { ending: true, .. }), _) => {
                eprintln!("Reload: {address} begins anew when it has ended");
                self.again.insert(address, one);
                1
            }
            (Some(_), Some(changes)) => {
                if changes.is_empty() || !self.may_end(&address, "changed") {
                    return changes.len();
                }
                for change in &changes {
                    eprintln!("Reload: {address}: {change}");
                }
                self.again.insert(address, one);
                changes.len()
            }
            (running, changes) => {
                let how = if changes.is_some() { "tried again" } else { "added" };
                debug_assert!(running.is_none(), "what runs is wanted or ending");
                eprintln!("Reload: {address} {how}");
                self.prepare(one);
                1
            }
        }
    }

    fn is_watched_as(&self, one: &One) -> bool {
        let known = self.wanted.get(one.address());
        let same = known.is_some_and(|known| known.changes(one).is_empty());
        same && self.running.get(one.address()).is_some_and(|running| !running.ending)
    }

    /// Ends an address unless it is moving just now.
    fn may_end(&mut self, address: &str, how: &str) -> bool {
        let Some(running) = self.running.get_mut(address) else { return true };
        if running.hand.is_moving.get() {
            eprintln!("Reload: {address} is being moved and isn't {how}; reload when it is over");
            return false;
        }
        running.ending = true;
        running.hand.end.notify_one();
        true
    }

    /// The records stay where they are while the process lives.
    fn moved_state(&self, all: &[One]) -> Vec<Problem> {
        let moved = |one: &&One| {
            let known = self.wanted.get(one.address());
            let dir = |one: &One| one.args.operation.state_dir.clone();
            known.is_some_and(|known| dir(known) != dir(one))
        };
        let problem = Problem::new(
            "`state_dir` changed".to_owned(),
            "a new directory has no records; stop rehome, move the files, and start it again",
        );
        all.iter().find(moved).map_or(Vec::new(), |one| of_vip(&one.args, vec![problem]))
    }
}

fn signals(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(FAILED, Problem::of(&error, None)))
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

async fn hung_up(hangups: &mut Option<Signal>) {
    match hangups {
        Some(hangups) => drop(hangups.recv().await),
        None => pending().await,
    }
}

async fn watch_one(
    args: &RunArgs,
    prepared: Prepared,
    shared: Shared,
    notify: Option<Notify>,
) -> Result<ExitCode, Failure> {
    match begin(args, prepared, shared, notify).await? {
        Begun::Ready(watch) => watch.run().await,
        Begun::Ended => Ok(ExitCode::SUCCESS),
    }
}

/// Why addresses aren't watched: told as they come where there are several, and how the process
/// ends.
struct Failures {
    several: bool,
    by_address: BTreeMap<String, Failure>,
}

impl Failures {
    fn note(&mut self, whose: &str, failure: Failure) {
        let known = self.by_address.insert(whose.to_owned(), failure.clone());
        // What is tried again and again is told once.
        if self.several && known.is_none_or(|known| known != failure) {
            let mut told = failure;
            for problem in &mut told.problems {
                problem.what = format!("{whose} is not watched: {}", problem.what);
            }
            let _ = told.print();
        }
    }

    /// How the process ends: with what may work when it is started again, if anything may. What was
    /// told already isn't told again.
    fn worst(&mut self) -> Failure {
        let curable = self.by_address.values().find(|failure| failure.code != WRONG);
        let worst = curable.or_else(|| self.by_address.values().next()).cloned();
        let mut worst = worst.unwrap_or(Failure { code: FAILED, problems: Vec::new() });
        if self.several {
            worst.problems.clear();
        }
        worst
    }
}
