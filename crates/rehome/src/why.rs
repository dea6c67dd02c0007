//! `rehome why` and `rehome history`: decisions as they were written down in the state directory.
//!
//! Both read only, so they work while `rehome run` runs and after it has ended.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use rehome_core::decision::{Decided, Decision, Moved};
use rehome_core::net::Vip;
use rehome_core::time::{Short, Unix};
use serde::Serialize;

use crate::clock;
use crate::fail::{FAILED, Failure, Problem, WRONG};
use crate::pause::wall;
use crate::store::look::kept_by;
use crate::store::segments::{self, Kept};
use crate::store::{StoreError, directory};

/// The flags of `why`.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The address [default: every address whose state is in the directory]
    #[arg(value_name = "VIP")]
    pub(crate) vip: Option<Vip>,
    /// The last decisions, this many of them
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) last: u32,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the state is kept [default: $STATE_DIRECTORY, else ~/.local/state/rehome]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// The flags of `history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The address [default: every address whose state is in the directory]
    #[arg(value_name = "VIP")]
    pub(crate) vip: Option<Vip>,
    /// At most this many entries of each address, the newest ones
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the state is kept [default: $STATE_DIRECTORY, else ~/.local/state/rehome]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// Tells the last decisions and what they rest on.
pub(crate) fn why(args: &WhyArgs) -> Result<ExitCode, Failure> {
    let last = usize::try_from(args.last).unwrap_or(usize::MAX);
    let pasts = pasts(args.state_dir.as_deref(), args.vip)?;
    let newest = |past: &Past| past.decisions.len().saturating_sub(last);
    if args.json {
        let shown = pasts.iter().map(|past| Shown {
            vip: past.vip,
            process: past.process.clone(),
            entries: past.decisions[newest(past)..].iter().map(ShownDecision::of).collect(),
        });
        print_json(shown.collect());
        return Ok(ExitCode::SUCCESS);
    }
    let now = clock::unix();
    for past in &pasts {
        for decision in &past.decisions[newest(past)..] {
            print!("{}", told(decision, now));
        }
        match &past.process {
            Some(process) => println!("  (process {process} keeps {})", past.vip),
            None => println!("  (no rehome keeps {} now)", past.vip),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells the moves, and what held them.
pub(crate) fn history(args: &HistoryArgs) -> Result<ExitCode, Failure> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let pasts = pasts(args.state_dir.as_deref(), args.vip)?;
    let entries = |past: &Past| {
        let mut entries: Vec<usize> =
            (0..past.decisions.len()).filter(|at| is_entry(&past.decisions, *at)).collect();
        entries.drain(..entries.len().saturating_sub(limit));
        entries
    };
    if args.json {
        let shown = pasts.iter().map(|past| {
            let entries = entries(past).into_iter();
            let entries = entries.map(|at| ShownDecision {
                fenced: fenced(&past.decisions, at),
                ..ShownDecision::of(&past.decisions[at])
            });
            Shown { vip: past.vip, process: past.process.clone(), entries: entries.collect() }
        });
        print_json(shown.collect());
        return Ok(ExitCode::SUCCESS);
    }
    for past in &pasts {
        let entries = entries(past);
        if entries.is_empty() {
            println!("{}: no moves, and nothing that held one", past.vip);
        }
        for at in entries {
            println!("{}", entry(&past.decisions, at));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What was decided about one VIP, the oldest first.
struct Past {
    vip: Ipv4Addr,
    process: Option<String>,
    decisions: Vec<Decision>,
}

fn pasts(flag: Option<&Path>, vip: Option<Vip>) -> Result<Vec<Past>, Failure> {
    let failed =
        |code| move |error: StoreError| Failure::new(code, Problem::of(&error, Some(error.hint())));
    let directory = directory(flag).map_err(failed(WRONG))?;
    if !directory.is_dir() {
        return Err(Failure::wrong(Problem::new(
            format!("there is no state directory at {}", directory.display()),
            "name the one that `rehome run` uses with --state-dir, or run as its user",
        )));
    }
    let known = segments::known(&directory, Kept::History).map_err(failed(FAILED))?;
    let wanted = match vip {
        Some(vip) if known.contains(&vip.address) => vec![vip.address],
        Some(vip) => return Err(unknown(&directory, Some(vip), &known)),
        None if known.is_empty() => return Err(unknown(&directory, None, &known)),
        None => known,
    };
    let past = |vip: Ipv4Addr| {
        let process = kept_by(&directory, vip);
        let decisions = decisions(&directory, vip).map_err(failed(FAILED))?;
        Ok(Past { vip, process, decisions })
    };
    wanted.into_iter().map(past).collect()
}

fn unknown(directory: &Path, vip: Option<Vip>, known: &[Ipv4Addr]) -> Failure {
    let what = vip.map_or("any address".to_owned(), |vip| vip.to_string());
    let hint = if known.is_empty() {
        "name the state directory that `rehome run` uses with --state-dir, or run as its user"
            .to_owned()
    } else {
        let known: Vec<String> = known.iter().map(Ipv4Addr::to_string).collect();
        format!("it has decisions about {}", known.join(", "))
    };
    let what = format!("no decision about {what} is written down in {}", directory.display());
    Failure::wrong(Problem::new(what, hint))
}

fn decisions(directory: &Path, vip: Ipv4Addr) -> Result<Vec<Decision>, StoreError> {
    let mut decisions = Vec::new();
    for path in [segments::former, segments::present].map(|at| at(directory, vip, Kept::History)) {
        for (number, line) in segments::lines(&path, Kept::History)?.unwrap_or_default() {
            let decision = serde_json::from_str(&line).map_err(|error| StoreError::History {
                path: path.clone(),
                why: format!("line {number}: {error}"),
            })?;
            decisions.push(decision);
        }
    }
    Ok(decisions)
}

/// Whether the decision at this place is worth an entry: moves, and what held or ended them. The
/// steps of a move are told with it.
fn is_entry(decisions: &[Decision], at: usize) -> bool {
    match &decisions[at].decided {
        Decided::Moved(_)
        | Decided::Hold { .. }
        | Decided::WouldMove { .. }
        | Decided::Pause { .. }
        | Decided::Resume
        | Decided::Cancel
        | Decided::GiveUp { .. }
        | Decided::RollBack { .. }
        | Decided::Heal { .. }
        | Decided::Keep { .. }
        | Decided::Incapable { .. }
        | Decided::Capable => true,
        // One that is under way, or was when all that is known ends.
        Decided::Move { .. } => decisions[at + 1..]
            .iter()
            .all(|later| !matches!(later.decided, Decided::Moved(_) | Decided::Cancel)),
        Decided::Watch { .. }
        | Decided::Launch { .. }
        | Decided::Cut { .. }
        | Decided::Verify { .. }
        | Decided::Fence { .. }
        | Decided::Ended { .. } => false,
    }
}

/// How the instance ended that the move at this place led away from.
fn fenced(decisions: &[Decision], at: usize) -> Option<String> {
    let Decided::Moved(moved) = &decisions[at].decided else { return None };
    decisions[at + 1..].iter().find_map(|later| match &later.decided {
        Decided::Ended { instance, state, .. } if *instance == moved.from => {
            let after = Duration::from_secs(later.time.0.saturating_sub(decisions[at].time.0));
            Some(format!("{} {state} {} later", moved.from, Short(after)))
        }
        Decided::Keep { instance, why, .. } if *instance == moved.from => {
            Some(format!("{} kept: {why}", moved.from))
        }
        Decided::Ended { .. }
        | Decided::Keep { .. }
        | Decided::Moved(_)
        | Decided::Hold { .. }
        | Decided::WouldMove { .. }
        | Decided::Pause { .. }
        | Decided::Resume
        | Decided::Cancel
        | Decided::GiveUp { .. }
        | Decided::RollBack { .. }
        | Decided::Heal { .. }
        | Decided::Incapable { .. }
        | Decided::Capable
        | Decided::Move { .. }
        | Decided::Watch { .. }
        | Decided::Launch { .. }
        | Decided::Cut { .. }
        | Decided::Verify { .. }
        | Decided::Fence { .. } => None,
    })
}

fn entry(decisions: &[Decision], at: usize) -> String {
    let decision = &decisions[at];
    let mut text = format!("{}  {decision}", wall(decision.time));
    if let Decided::Moved(moved) = &decision.decided {
        let phases: Vec<String> = phases(moved)
            .into_iter()
            .filter_map(|(name, took)| Some(format!("{name} {}", Short(took?))))
            .collect();
        if !phases.is_empty() {
            add(&mut text, format_args!(" ({})", phases.join(", ")));
        }
    }
    if let Some(fenced) = fenced(decisions, at) {
        add(&mut text, format_args!("; {fenced}"));
    }
    text
}

fn phases(moved: &Moved) -> [(&'static str, Option<Duration>); 4] {
    let phases = &moved.phases;
    [
        ("detect", phases.detect),
        ("prepare", phases.prepare),
        ("cut", phases.cut),
        ("verify", phases.verify),
    ]
}

fn told(decision: &Decision, now: Unix) -> String {
    let ago = Duration::from_secs(now.0.saturating_sub(decision.time.0));
    let mut text = format!("{decision}\n");
    add(
        &mut text,
        format_args!(
            "  decided {} ({} ago), generation {}, verdict: {}\n",
            wall(decision.time),
            Short(ago),
            decision.generation,
            decision.verdict
        ),
    );
    for fact in &decision.evidence {
        add(&mut text, format_args!("  - {fact}\n"));
    }
    text
}

fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("writing to a string can't fail");
}

fn print_json(addresses: Vec<Shown>) {
    let document = Document { addresses };
    let text = serde_json::to_string_pretty(&document).expect("it is made of plain values");
    println!("{text}");
}

#[derive(Serialize)]
struct Document {
    addresses: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    vip: Ipv4Addr,
    /// The process that keeps it now.
    process: Option<String>,
    entries: Vec<ShownDecision>,
}

/// A decision for programs: times in UTC, durations in milliseconds.
#[derive(Serialize)]
pub(crate) struct ShownDecision {
    time: String,
    did: &'static str,
    pub(crate) sentence: String,
    verdict: String,
    generation: u64,
    attempt: Option<u64>,
    holder: String,
    az: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<ShownMove>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fenced: Option<String>,
    pub(crate) evidence: Vec<ShownFact>,
}

#[derive(Serialize)]
struct ShownMove {
    from: String,
    from_az: String,
    to: String,
    to_az: String,
    reason: String,
    silent_ms: Option<u64>,
    detect_ms: Option<u64>,
    prepare_ms: Option<u64>,
    cut_ms: Option<u64>,
    verify_ms: Option<u64>,
}

/// A piece of evidence, likewise.
#[derive(Serialize)]
pub(crate) struct ShownFact {
    what: String,
    says: String,
    age_ms: Option<u64>,
}

impl std::fmt::Display for ShownFact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.says)?;
        match self.age_ms {
            Some(age) => write!(f, " ({} old)", Short(Duration::from_millis(age))),
            None => Ok(()),
        }
    }
}

impl ShownDecision {
    pub(crate) fn of(decision: &Decision) -> ShownDecision {
        let moved = match &decision.decided {
            Decided::Moved(moved) => Some(ShownMove {
                from: moved.from.to_string(),
                from_az: moved.from_az.to_string(),
                to: moved.to.to_string(),
                to_az: moved.to_az.to_string(),
                reason: moved.reason.to_string(),
                silent_ms: moved.silent_for.map(ms),
                detect_ms: moved.phases.detect.map(ms),
                prepare_ms: moved.phases.prepare.map(ms),
                cut_ms: moved.phases.cut.map(ms),
                verify_ms: moved.phases.verify.map(ms),
            }),
            Decided::Watch { .. }
            | Decided::Hold { .. }
            | Decided::Pause { .. }
            | Decided::Resume
            | Decided::WouldMove { .. }
            | Decided::Move { .. }
            | Decided::Cancel
            | Decided::Launch { .. }
            | Decided::GiveUp { .. }
            | Decided::Cut { .. }
            | Decided::Verify { .. }
            | Decided::RollBack { .. }
            | Decided::Heal { .. }
            | Decided::Fence { .. }
            | Decided::Ended { .. }
            | Decided::Keep { .. }
            | Decided::Incapable { .. }
            | Decided::Capable => None,
        };
        let fact = |fact: &rehome_core::decision::Fact| ShownFact {
            what: fact.what.clone(),
            says: fact.says.clone(),
            age_ms: fact.age.map(ms),
        };
        ShownDecision {
            time: utc(decision.time),
            did: decision.decided.word(),
            sentence: decision.to_string(),
            verdict: decision.verdict.to_string(),
            generation: decision.generation,
            attempt: decision.attempt,
            holder: decision.holder.to_string(),
            az: decision.az.to_string(),
            moved,
            fenced: None,
            evidence: decision.evidence.iter().map(fact).collect(),
        }
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// RFC 3339, in UTC.
fn utc(at: Unix) -> String {
    let seconds = i64::try_from(at.0).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}
