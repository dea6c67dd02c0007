//! `rehome replay`: a recorded incident once more, step by step, by the real core.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use rehome_core::controller::{Action, Controller};
use rehome_core::record::Stage;
use rehome_core::time::{Clocks, Mono};
use serde::Serialize;

use crate::fail::{FAILED, Failure, Problem, WRONG};
use crate::pause::wall;
use crate::run::Brief;
use crate::store::StoreError;
use crate::store::segments::{Kept, lines};
use crate::trace::{self, Entry, FORMAT, VERSION};
use crate::why::ShownDecision;

/// The flags of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The recording: ADDRESS.events.jsonl or ADDRESS.events.old.jsonl of a state directory
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Every event, also those on which nothing was done but probing and reading
    #[arg(long)]
    pub(crate) all: bool,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// One event and what the core did about it.
#[derive(Serialize)]
struct Shown {
    /// Seconds since the recording began.
    at: f64,
    time: String,
    event: String,
    state: String,
    evidence: String,
    decisions: Vec<ShownDecision>,
    lines: Vec<String>,
    calls: Vec<String>,
    /// Whether the recorded actions were others.
    differs: bool,
}

#[derive(Serialize)]
struct Document {
    version: String,
    steps: Vec<Shown>,
    events: usize,
    differing: usize,
}

/// Prints it; exit code 1 where the core decided otherwise than it did then.
pub(crate) fn replay(args: &ReplayArgs) -> Result<ExitCode, Failure> {
    let document = run(args)?;
    if args.json {
        let text = serde_json::to_string_pretty(&document).expect("it is made of plain values");
        println!("{text}");
    } else {
        for step in &document.steps {
            print_step(step);
        }
        let Document { events, differing, .. } = &document;
        println!("{events} events, {} shown, {differing} decided otherwise", document.steps.len());
    }
    if document.version != VERSION {
        eprintln!("recorded by version {}; this is {VERSION}", document.version);
    }
    Ok(ExitCode::from(if document.differing == 0 { 0 } else { FAILED }))
}

fn run(args: &ReplayArgs) -> Result<Document, Failure> {
    let mut document =
        Document { version: String::new(), steps: Vec::new(), events: 0, differing: 0 };
    let mut present: Option<(Controller, Clocks)> = None;
    let mut begun: Option<Mono> = None;
    for (number, line) in read(&args.file)? {
        let entry = serde_json::from_str::<Entry>(&line)
            .map_err(|error| damaged(args, format!("line {number}: {error}")))?;
        match (entry, &mut present) {
            (Entry::Head(head), _) => {
                if head.format != FORMAT {
                    let why = format!("it has format {}, and {FORMAT} is understood", head.format);
                    return Err(damaged(args, why));
                }
                document.version = head.version;
                begun.get_or_insert(head.clocks.mono);
                let controller = serde_json::from_value(head.controller)
                    .map_err(|error| damaged(args, format!("line {number}: {error}")))?;
                present = Some((controller, head.clocks));
            }
            (Entry::Step(_), None) => {
                return Err(damaged(args, "it doesn't begin with a controller".to_owned()));
            }
            (Entry::Step(step), Some((controller, clocks))) => {
                document.events += 1;
                let brief = format!("{:?}", Brief(&step.event));
                let before = state(controller);
                let actions = controller.handle(step.at, step.event);
                let differs = trace::digest(&actions) != step.did;
                document.differing += usize::from(differs);
                let shown = Shown {
                    at: step.at.since(begun.unwrap_or(step.at)).as_secs_f64(),
                    time: wall(clocks.unix_at(step.at)),
                    event: brief,
                    state: state(controller),
                    evidence: controller.evidence(step.at).sentence(step.at),
                    decisions: Vec::new(),
                    lines: Vec::new(),
                    calls: Vec::new(),
                    differs,
                };
                let shown = with_actions(shown, &actions);
                if args.all || differs || shown.state != before || is_telling(&actions) {
                    document.steps.push(shown);
                }
            }
        }
    }
    if document.events == 0 {
        return Err(damaged(args, "it has no events".to_owned()));
    }
    Ok(document)
}

fn read(path: &std::path::Path) -> Result<Vec<(usize, String)>, Failure> {
    let hint =
        "recordings are <VIP>.events.jsonl and <VIP>.events.old.jsonl in the state directory";
    let wrong = |what: String| Failure::wrong(Problem::new(what, hint));
    match lines(path, Kept::Events) {
        Ok(Some(lines)) => Ok(lines),
        Ok(None) => Err(wrong(format!("there is no file {}", path.display()))),
        Err(StoreError::Corrupt { path, why }) => {
            Err(wrong(format!("{} is no recording: {why}", path.display())))
        }
        Err(error) => Err(Failure::new(WRONG, Problem::of(&error, Some(hint.to_owned())))),
    }
}

fn damaged(args: &ReplayArgs, why: String) -> Failure {
    let what = format!("{} can't be replayed: {why}", args.file.display());
    let hint = "replay with the version that recorded it; the other segment may be whole";
    Failure::new(FAILED, Problem::new(what, hint))
}

fn state(controller: &Controller) -> String {
    let record = controller.record();
    let stage = record.moving.as_ref().map_or("watching", |moving| match moving.stage {
        Stage::Preparing => "preparing",
        Stage::Cutting => "cutting",
        Stage::Verifying => "verifying",
        Stage::RollingBack => "rolling back",
    });
    format!("{stage}, generation {}, holder {}", record.generation, record.holder.instance)
}

/// Whether anything was done but sending probes, reading EC2, and telling how the holder is.
fn is_telling(actions: &[Action]) -> bool {
    actions.iter().any(|action| match action {
        Action::Probe { .. } | Action::Persist(_) | Action::Hurry => false,
        Action::Call { call, .. } => call.mutates(),
        Action::Note(_) | Action::Exit => true,
        Action::Say(line) => !matches!(line, rehome_core::say::Line::Status { .. }),
    })
}

fn with_actions(mut shown: Shown, actions: &[Action]) -> Shown {
    for action in actions {
        match action {
            Action::Probe { .. } | Action::Persist(_) | Action::Hurry | Action::Exit => {}
            Action::Call { call, .. } => shown.calls.push(call.action().to_owned()),
            Action::Note(decision) => shown.decisions.push(ShownDecision::of(decision)),
            Action::Say(line) => shown.lines.push(line.to_string()),
        }
    }
    shown
}

fn print_step(step: &Shown) {
    println!("{} +{:.3} s  {} [{}]", step.time, step.at, step.event, step.state);
    println!("    evidence: {}", step.evidence);
    for decision in &step.decisions {
        println!("    decided:  {}", decision.sentence);
        for fact in &decision.evidence {
            println!("              - {fact}");
        }
    }
    for line in &step.lines {
        println!("    said:     {line}");
    }
    if !step.calls.is_empty() {
        println!("    called:   {}", step.calls.join(", "));
    }
    if step.differs {
        println!("    DIFFERS from what was done then");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_of_another_form_is_told_apart_from_a_damaged_one() {
        let file = std::env::temp_dir().join(format!("rehome-replay-{}.jsonl", std::process::id()));
        for (format, said) in [(1, "it has format 1, and 2 is understood"), (2, "line ")] {
            let clocks = serde_json::json!({ "mono": 0, "unix": 0 });
            let head = serde_json::json!({
                "format": format, "version": "0", "clocks": clocks, "controller": {},
            });
            let line = serde_json::json!({ "head": head }).to_string();
            std::fs::write(&file, line + "\n").unwrap();
            let failed = replay(&ReplayArgs { file: file.clone(), all: false, json: false });
            let what = failed.unwrap_err().problems.remove(0).what;
            assert!(what.contains(said), "{what}");
        }
        std::fs::remove_file(&file).unwrap();
    }
}
