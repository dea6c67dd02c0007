//! All addresses of one process. Each is watched on its own: what is wrong with one of them is
//! told, and the others are watched all the same.
//!
//! SIGHUP reads the file again. An address whose keys changed is ended and begun anew, which loses
//! nothing: its record says where it stood. In the middle of a move it is left as it is.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::pending;
use std::process::ExitCode;
use std::rc::Rc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify as Wake;
use tokio::task::{JoinError, JoinSet};

use super::begin::{Begun, Shared, Signals, begin};
use super::prepare::{Prepared, prepare};
use super::reads::Reads;
use crate::aws::client::Aws;
use crate::cli::RunArgs;
use crate::config::{One, Wanted, of_vip};
use crate::fail::{FAILED, Failure, Problem, WRONG};
use crate::notify::{Manager, Notify};

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
    running: BTreeMap<String, Rc<Hand>>,
    /// To be begun anew when they have ended.
    again: BTreeMap<String, One>,
    failures: Failures,
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
                self.failures.by_address.remove(&address);
                self.ready.push((address.clone(), prepared));
            }
            Err(failure) => self.failures.note(&address, failure),
        }
        self.wanted.insert(address, one);
    }

    /// Watches until all of it has ended.
    pub(crate) async fn watch(mut self) -> Result<ExitCode, Failure> {
        let aws = Aws::connect()
            .await
            .map_err(|error| Failure::wrong(Problem::of(&error, Some(error.hint().to_owned()))))?;
        let mut signals = Signals::new(Rc::default())?;
        let mut hangups = self.source.is_some().then(hangups).transpose()?;
        let manager = Manager::from_env();
        let reads = Reads::of(&aws);
        let mut watching = JoinSet::new();
        let mut ending = false;
        loop {
            self.begin_ready(&mut watching, &aws, &reads, manager.as_ref());
            tokio::select! {
                ended = watching.join_next() => match ended {
                    Some(ended) => self.on_ended(ended, ending),
                    None => break,
                },
                () = signals.any(), if !ending => ending = true,
                () = hung_up(&mut hangups), if !ending => self.reload(),
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
            self.running.insert(address.clone(), Rc::clone(&hand));
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
            self.failures.note(&address, failure);
        }
        if let Some(one) = self.again.remove(&address).filter(|_| !ending) {
            self.prepare(one);
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
        if let Some(problems) = self.moved_state(&all) {
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
        let Some(known) = self.wanted.get(&address) else {
            eprintln!("Reload: {address} added");
            self.prepare(one);
            return 1;
        };
        let changes = known.changes(&one);
        if !self.running.contains_key(&address) {
            eprintln!("Reload: {address} tried again");
            self.prepare(one);
            return 1;
        }
        if changes.is_empty() || !self.may_end(&address, "changed") {
            return changes.len();
        }
        for change in &changes {
            eprintln!("Reload: {address}: {change}");
        }
        self.again.insert(address, one);
        changes.len()
    }

    /// Ends an address unless it is moving just now.
    fn may_end(&self, address: &str, how: &str) -> bool {
        let Some(hand) = self.running.get(address) else { return true };
        if hand.is_moving.get() {
            eprintln!("Reload: {address} is being moved and isn't {how}; reload when it is over");
            return false;
        }
        hand.end.notify_one();
        true
    }

    /// The records stay where they are while the process lives.
    fn moved_state(&self, all: &[One]) -> Option<Vec<Problem>> {
        let moved = |one: &&One| {
            let known = self.wanted.get(one.address());
            known
                .is_some_and(|known| known.args.operation.state_dir != one.args.operation.state_dir)
        };
        let one = all.iter().find(moved)?;
        let problem = Problem::new(
            "`state_dir` changed".to_owned(),
            "a new directory has no records; stop rehome, move the files, and start it again",
        );
        Some(of_vip(&one.args, vec![problem]))
    }
}

fn hangups() -> Result<Signal, Failure> {
    signal(SignalKind::hangup()).map_err(|error| Failure::new(FAILED, Problem::of(&error, None)))
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
    fn note(&mut self, whose: &str, mut failure: Failure) {
        if self.several {
            for problem in &mut failure.problems {
                problem.what = format!("{whose} is not watched: {}", problem.what);
            }
            let _ = failure.print();
            failure.problems.clear();
        }
        self.by_address.insert(whose.to_owned(), failure);
    }

    /// That of the first address that a wrong configuration keeps from being watched, else of the
    /// first one.
    fn worst(&mut self) -> Failure {
        let wrong = self.by_address.values().find(|failure| failure.code == WRONG);
        let worst = wrong.or_else(|| self.by_address.values().next()).cloned();
        worst.unwrap_or(Failure { code: FAILED, problems: Vec::new() })
    }
}
