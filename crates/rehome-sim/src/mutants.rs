//! Mutants: the core broken on purpose, one way at a time, to prove that the simulator sees it.
//!
//! A mutant that lives through all its seeds is a hole in the faults or in the invariants.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rehome_core::mutant::{ALL, Mutant, wake};
use rehome_sim::run;

/// What came of all of them.
pub(crate) struct Told {
    rows: Vec<Row>,
    took: Duration,
}

struct Row {
    name: &'static str,
    doc: &'static str,
    /// The seed that caught it, and what it broke.
    caught: Option<(u64, String)>,
    took: Duration,
}

impl Told {
    /// Whether every mutant was caught.
    pub(crate) fn all_caught(&self) -> bool {
        self.rows.iter().all(|row| row.caught.is_some())
    }
}

/// Runs each mutant, or the one of that name, until a seed catches it or `seeds` are over.
pub(crate) fn run_all(seeds: u64, only: Option<&str>) -> Told {
    let begun = Instant::now();
    let wanted = ALL.iter().filter(|(_, name, _)| only.is_none_or(|only| only == *name));
    let rows = wanted.map(|(mutant, name, doc)| {
        let begun = Instant::now();
        let caught = hunt(*mutant, seeds);
        Row { name, doc, caught, took: begun.elapsed() }
    });
    let rows = rows.collect();
    wake(None);
    Told { rows, took: begun.elapsed() }
}

/// The first seed that catches it, over all cores.
fn hunt(mutant: Mutant, seeds: u64) -> Option<(u64, String)> {
    wake(Some(mutant));
    let (next, first) = (AtomicU64::new(1), AtomicU64::new(u64::MAX));
    let caught: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds || seed > first.load(Ordering::Relaxed) {
                        break;
                    }
                    let Some(violation) = run(seed, 0).violation else { continue };
                    first.fetch_min(seed, Ordering::Relaxed);
                    let mut caught = caught.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    if caught.as_ref().is_none_or(|(known, _)| seed < *known) {
                        *caught = Some((seed, violation.to_string()));
                    }
                }
            });
        }
    });
    caught.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row { name, doc, caught, took } in &self.rows {
            let took = took.as_secs_f64();
            match caught {
                Some((seed, what)) => {
                    writeln!(f, "{name:<24} seed {seed:>3}  {took:>5.1} s  {what}")?
                }
                None => writeln!(f, "{name:<24} LIVES     {took:>5.1} s  {doc}")?,
            }
        }
        let caught = self.rows.iter().filter_map(|row| row.caught.as_ref());
        let (count, last) = (caught.clone().count(), caught.map(|(seed, _)| *seed).max());
        writeln!(
            f,
            "{count} of {} mutants caught, the last by seed {}, in {:.1} s",
            self.rows.len(),
            last.unwrap_or(0),
            self.took.as_secs_f64()
        )
    }
}
