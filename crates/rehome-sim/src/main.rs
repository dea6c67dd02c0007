//! `rehome-sim`: runs seeds of the simulator over all cores. Not shipped; `cargo xtask sim` starts
//! it.

#[cfg(feature = "mutants")]
mod mutants;
mod perform;
mod report;

use std::io::IsTerminal;
use std::panic;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rehome_sim::{Outcome, run};

use self::report::Report;

/// A quarter of a run is allocation, from both threads at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
usage: rehome-sim [--seeds N] [--first SEED] [--keep-going] [--trace LINES]
       rehome-sim scenario [NAME] [--seed N] [--trace LINES]
       rehome-sim search [--states N] [--keep-going]
       rehome-sim mutants [NAME] [--seeds N]

  --seeds N       how many seeds to run [default: 100]
  --first SEED    the first of them [default: 1]
  --keep-going    runs the others when one fails
  --trace LINES   how much of a failing seed's trace is printed; with one seed, of that one's
                  [default: 40]
  scenario        lists the scenarios, or plays the one of that name; `--seed` is of what is left
                  to chance
  mutants         breaks the core on purpose, one way at a time, and says which seed sees it; for
                  each at most N seeds [default: 250]. Needs the feature of that name
  search          goes through every order of events in small worlds, by the number of faults, until
                  N states are known [default: 1000000]; `--keep-going` looks on after a breach

Exit codes: 0 all passed (of mutants: all caught), 1 not so, 2 usage.";

/// Within so many seeds each mutant has to be caught.
#[cfg(feature = "mutants")]
const MUTANT_SEEDS: u64 = 250;

/// What the command line asks for.
struct Options {
    seeds: u64,
    first: u64,
    keep_going: bool,
    trace: Option<usize>,
}

impl Options {
    fn parse(words: &[String]) -> Result<Options, String> {
        let mut options = Options { seeds: 100, first: 1, keep_going: false, trace: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
                value.parse::<u64>().map_err(|_| format!("{word}: {value} is not a number"))
            };
            match word.as_str() {
                "--seeds" => options.seeds = number()?,
                "--first" => options.first = number()?,
                "--trace" => options.trace = usize::try_from(number()?).ok(),
                "--keep-going" => options.keep_going = true,
                _ => return Err(format!("unknown option: {word}")),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match words.split_first().map(|(first, rest)| (&**first, rest)) {
        Some(("scenario", rest)) => return perform::perform(rest),
        Some(("search", rest)) => return search(rest),
        Some(("mutants", rest)) => return mutants_main(rest),
        Some(_) | None => {}
    }
    let options = match Options::parse(&words) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // A panic is a finding like any other, told with its trace.
    panic::set_hook(Box::new(|_| {}));
    let report = run_all(&options);
    print!("{report}");
    let lines = options.trace.unwrap_or(40);
    for failed in report.failures() {
        print!("{}", report::failure(&run(failed, lines)));
    }
    if options.seeds == 1 && options.trace.is_some() && report.failures().is_empty() {
        print!("{}", report::trace(&run(options.first, lines)));
    }
    if report.failures().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `rehome-sim mutants`.
#[cfg(feature = "mutants")]
fn mutants_main(words: &[String]) -> ExitCode {
    let (name, words) = match words.split_first() {
        Some((name, rest)) if !name.starts_with('-') => (Some(name.as_str()), rest),
        Some(_) | None => (None, words),
    };
    let options = match Options::parse(words) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let seeds = if words.is_empty() { MUTANT_SEEDS } else { options.seeds };
    panic::set_hook(Box::new(|_| {}));
    let told = mutants::run_all(seeds, name);
    print!("{told}");
    if told.all_caught() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `rehome-sim mutants`, where there are none.
#[cfg(not(feature = "mutants"))]
fn mutants_main(_: &[String]) -> ExitCode {
    eprintln!(
        "error: this build has no mutants\n\
         hint: cargo xtask sim mutants"
    );
    ExitCode::from(2)
}

/// Searches small worlds, and tells.
fn search(words: &[String]) -> ExitCode {
    let (mut states, mut keep_going) = (1_000_000, false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match (word.as_str(), words.as_slice().first().map(|next| next.parse())) {
            ("--states", Some(Ok(number))) => {
                states = number;
                words.next();
            }
            ("--keep-going", _) => keep_going = true,
            _ => {
                eprintln!("error: not understood: {word}\n\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let report = rehome_sim::search::run(states, keep_going);
    print!("{report}");
    if report.trails.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_all(options: &Options) -> Report {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let report = Mutex::new(Report::default());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.seeds {
                        break;
                    }
                    let begun = Instant::now();
                    let outcome = run(options.first.wrapping_add(number), 0);
                    if outcome.violation.is_some() && !options.keep_going {
                        stop.store(true, Ordering::Relaxed);
                    }
                    add(&report, &outcome, begun.elapsed(), options.seeds);
                }
            });
        }
    });
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    let mut report = report.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    report.wall = started.elapsed();
    report
}

fn add(report: &Mutex<Report>, outcome: &Outcome, took: Duration, seeds: u64) {
    let mut report = report.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    report.add(outcome, took);
    if std::io::stderr().is_terminal() && report.seeds.is_multiple_of(10) {
        eprint!("\r{} of {seeds} seeds, {} failed", report.seeds, report.failures().len());
    }
}
