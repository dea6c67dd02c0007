//! `bench outage`: what a client misses with rehome, and with the same failover step by step.
//!
//! Both stories are told at the same time, each in a lab of its own: mostly they sleep, and so
//! they share whatever else the machine does. The clients, the crash, the user data and the pace
//! are the same; `tests/bench/steps.py` is the other side's program.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use super::hot;
use super::picture::{self, Outage, PHASES};
use super::story::{self, Latest, Stage, Teller};
use crate::build::Builds;
use crate::cargo;
use crate::setup;

/// How many times shorter rehome's outage is to be, at the real pace.
const AIM: f64 = 6.0;

const USAGE: &str = "bench outage [--json] [--rehome FILE] [--pace real|fast | --standby hot \
                     [--failovers N]]";

/// Failovers to a hot standby, where nothing else is asked for.
const FAILOVERS: usize = 100;

/// How often a terminal is shown where both are.
const FRAME: Duration = Duration::from_millis(500);

/// Columns of the line that shows it.
const PROGRESS_COLUMNS: usize = 99;

/// What the command line asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Options {
    json: bool,
    /// Of the labs. Only `real` says anything about EC2; `fast` is for trying the bench itself.
    pace: &'static str,
    /// Instead of both stories: so many failovers to a hot standby.
    hot: Option<usize>,
    /// A binary that is there already, such as an older one; else one is built.
    rehome: Option<PathBuf>,
}

impl Options {
    /// Parses what follows `outage`.
    ///
    /// # Errors
    ///
    /// Names the option or value that isn't known.
    pub(super) fn parse(words: &[&str]) -> Result<Options> {
        let mut options = Options { json: false, pace: "real", hot: None, rehome: None };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let (name, mut value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            if value.is_none() && name != "--json" {
                value = words.next().copied();
            }
            match (name, value) {
                ("--json", None) => options.json = true,
                ("--pace", Some("real")) => options.pace = "real",
                ("--pace", Some("fast")) => options.pace = "fast",
                ("--standby", Some("hot")) => options.hot = options.hot.or(Some(FAILOVERS)),
                ("--failovers", Some(number)) => options.hot = Some(counted(number)?),
                ("--rehome", Some(file)) => options.rehome = Some(binary(file)?),
                ("--json" | "--pace" | "--standby" | "--rehome", other) => {
                    bail!("{name} doesn't take {}; usage: {USAGE}", other.unwrap_or("nothing"))
                }
                _ => bail!("unknown option: {word}; usage: {USAGE}"),
            }
        }
        Ok(options)
    }
}

fn counted(number: &str) -> Result<usize> {
    match number.parse() {
        Ok(number @ 1..=10_000) => Ok(number),
        Ok(_) | Err(_) => bail!("--failovers {number}: give a number from 1 to 10000"),
    }
}

fn binary(file: &str) -> Result<PathBuf> {
    let path = std::path::absolute(file)?;
    if !path.is_file() {
        bail!("--rehome {file}: there is no such file");
    }
    Ok(path)
}

/// Measures and prints; false when the aim is missed at the real pace.
pub(super) fn run(options: &Options) -> Result<bool> {
    setup::for_bench()?;
    let rehome = match &options.rehome {
        Some(binary) => binary.clone(),
        None => Builds::default().rehome()?,
    };
    if let Some(failovers) = options.hot {
        return hot::run(&rehome, failovers, options.json);
    }
    let pair = measure(options, rehome)?;
    let ok = options.pace != "real" || met(&pair);
    if options.json {
        println!("{:#}", document(&pair, options.pace));
    } else {
        println!(
            "A client pings the address every 10 ms while its holder crashes: {} pace, both\n\
             stories at the same time, each in a lab of its own.\n\n{}\n{}",
            options.pace,
            picture::table(&pair),
            picture::timeline(&pair)
        );
        let word = if met(&pair) { "met" } else { "missed" };
        match options.pace {
            "real" => println!("Aim: at least {AIM:.0} times shorter: {word}"),
            _ => println!("Only --pace real takes the time that EC2 takes."),
        }
    }
    Ok(ok)
}

fn met(pair: &[Outage; 2]) -> bool {
    picture::ratio(pair[0].length(), pair[1].length()) >= AIM
}

fn measure(options: &Options, rehome: PathBuf) -> Result<[Outage; 2]> {
    let program = rehome.display().to_string();
    let steps = cargo::root().join("tests/bench/steps.py").display().to_string();
    let tellers = [
        Teller { name: "rehome", program: vec![program, "run".to_owned()] },
        Teller {
            name: "step by step",
            program: vec![setup::python().display().to_string(), steps],
        },
    ];
    let stage = Stage { rehome, pace: options.pace, over: AtomicBool::new(false) };
    let latest = [Latest::default(), Latest::default()];
    let start = Instant::now();
    let [first, second] = thread::scope(|scope| {
        let told = [0, 1].map(|one| {
            let (stage, teller, latest) = (&stage, &tellers[one], &latest[one]);
            scope.spawn(move || {
                let told = story::tell(stage, teller, latest);
                if told.is_err() {
                    stage.over.store(true, Ordering::Relaxed);
                }
                told
            })
        });
        show(&latest, start, || told.iter().all(thread::ScopedJoinHandle::is_finished));
        told.map(|story| story.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    match (first, second) {
        (Ok(first), Ok(second)) => Ok([first, second]),
        // Which of the two came first can be read from them: the other one was given up.
        (Err(first), Err(second)) => bail!("{first:#}\n{second:#}"),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Shows a terminal the latest line of both until they have ended; a pipe sees nothing.
fn show(latest: &[Latest; 2], start: Instant, ended: impl Fn() -> bool) {
    let terminal = std::io::stderr().is_terminal();
    while !ended() {
        thread::sleep(FRAME);
        if terminal {
            let [first, second] = [0, 1].map(|one| without_time(&latest[one].get()));
            let elapsed = start.elapsed().as_secs();
            let text = format!("{elapsed:>4} s  rehome: {first:.38} | steps: {second:.38}");
            let text: String =
                text.chars().filter(|c| !c.is_control()).take(PROGRESS_COLUMNS).collect();
            eprint!("\r\x1b[2K{text}");
            let _ = std::io::stderr().flush();
        }
    }
    if terminal {
        eprint!("\r\x1b[2K");
    }
}

fn without_time(line: &str) -> String {
    line.strip_prefix('[')
        .and_then(|line| line.split_once("] "))
        .map_or(line, |(_, rest)| rest)
        .to_owned()
}

/// The document that scripts rely on. `ratio` says how many times shorter rehome's outage is.
fn document(pair: &[Outage; 2], pace: &str) -> Value {
    let ms = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let phases = |outage: &Outage| {
        let each = PHASES.iter().map(|(phase, name, ..)| {
            (format!("{name}_ms"), outage.phase(*phase).map_or(Value::Null, |took| json!(ms(took))))
        });
        Value::Object(each.collect::<Map<_, _>>())
    };
    json!({
        "pace": pace,
        "rehome_ms": ms(pair[0].length()),
        "steps_ms": ms(pair[1].length()),
        "ratio": (picture::ratio(pair[0].length(), pair[1].length()) * 100.0).round() / 100.0,
        "aim": AIM,
        "met": met(pair),
        "rehome": phases(&pair[0]),
        "steps": phases(&pair[1]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::picture::Phase;

    fn pair(first_ms: u64, second_ms: u64) -> [Outage; 2] {
        [("rehome", first_ms), ("step by step", second_ms)].map(|(name, ms)| Outage {
            name,
            phases: vec![(Phase::Detect, Duration::from_millis(ms))],
        })
    }

    #[test]
    fn options_are_understood_or_named() {
        let parse = Options::parse;
        assert_eq!(
            parse(&[]).unwrap(),
            Options { json: false, pace: "real", hot: None, rehome: None }
        );
        let fast = Options { json: true, pace: "fast", hot: None, rehome: None };
        assert_eq!(parse(&["--json", "--pace", "fast"]).unwrap(), fast);
        assert_eq!(parse(&["--pace=fast", "--json"]).unwrap(), fast);
        assert_eq!(parse(&["--standby", "hot"]).unwrap().hot, Some(FAILOVERS));
        assert_eq!(parse(&["--standby=hot", "--failovers=7"]).unwrap().hot, Some(7));
        assert!(parse(&["--rehome", "/bin/sh"]).unwrap().rehome.is_some());
        for (words, named) in [
            (&["--pace"][..], "--pace doesn't take nothing"),
            (&["--standby", "warm"], "--standby doesn't take warm"),
            (&["--failovers", "0"], "--failovers 0: give a number from 1 to 10000"),
            (&["--pace", "slow"], "--pace doesn't take slow"),
            (&["--json=yes"], "--json doesn't take yes"),
            (&["--jsn"], "unknown option: --jsn"),
            (&["--rehome=/no/such/binary"], "/no/such/binary"),
        ] {
            let error = parse(words).unwrap_err().to_string();
            assert!(error.contains(named), "{words:?}: {error}");
        }
    }

    #[test]
    fn the_aim_is_a_sixth() {
        assert!(met(&pair(1_000, 6_000)));
        assert!(!met(&pair(1_000, 5_999)));
    }

    #[test]
    fn the_document_has_both_outages_the_ratio_and_every_phase() {
        let document = document(&pair(33_500, 196_250), "real");
        assert_eq!(document["rehome_ms"], 33_500);
        assert_eq!(document["steps_ms"], 196_250);
        assert_eq!(document["ratio"], 5.86);
        assert_eq!(document["met"], false);
        assert_eq!(document["rehome"]["detect_ms"], 33_500);
        assert_eq!(document["steps"]["wait_ms"], Value::Null);
        assert_eq!(document["steps"].as_object().unwrap().len(), PHASES.len());
    }

    #[test]
    fn progress_leaves_the_time_of_a_line_out() {
        assert_eq!(without_time("[2026-11-22 19:59:24] Now monitoring"), "Now monitoring");
        assert_eq!(without_time("Updating static routes..."), "Updating static routes...");
    }
}
