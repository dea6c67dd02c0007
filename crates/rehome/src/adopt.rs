//! `rehome adopt`: the state file made anew from what AWS shows, when a person agrees.
//!
//! For a record that was lost, damaged or written by another version, and for an address that
//! somebody moved by hand. The old file is moved aside, never deleted.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Args;
use rehome_core::preflight::{Order, Refusal, Start, rebuilt, shown};
use tokio::runtime::Builder;

use crate::aws::client::Aws;
use crate::cli::RunArgs;
use crate::config::Wanted;
use crate::fail::{FAILED, Failure, Problem, TEMPORARY, WRONG};
use crate::run::{denied, log_to_stderr, prepare, sources::sources};
use crate::store::journal::Journal as _;
use crate::store::{Store, StoreError, directory};
use crate::survey::survey;

/// The flags of `adopt`: those of `run`, so that the record is the one that `run` would make.
#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    /// Write it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) run: Wanted,
}

/// Prints what would be written, asks, and writes it.
pub(crate) fn adopt(args: AdoptArgs) -> Result<ExitCode, Failure> {
    log_to_stderr(args.run.debug());
    let of = args.run.one()?;
    prepare::check(&of)?;
    let directory = directory(of.operation.state_dir.as_deref()).map_err(prepare::stored)?;
    let store = Store::open(&directory, of.vip().address).map_err(prepare::stored)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(FAILED, Problem::of(&error, None)))?;
    let mut start = runtime.block_on(read(&of))?;
    for note in &start.notes {
        println!("{note}");
    }
    println!("{}", in_words(&start));
    match store.load() {
        Ok(Some((old, _))) => {
            println!("The state file that is there: {}", standing(&old));
            start.record.succeed(&old);
        }
        Ok(None) => println!("There is no state file yet"),
        Err(error) => println!("The state file that is there: {error}"),
    }
    if !agreed(args.yes)? {
        println!("Nothing was written");
        eprintln!("hint: --yes writes it without asking");
        return Ok(ExitCode::from(FAILED));
    }
    write(&store, &mut start).map_err(prepare::stored)?;
    Ok(ExitCode::SUCCESS)
}

/// The refusal to run with a record that can't be used, and what could be done instead.
pub(crate) async fn proposal(aws: &Aws, order: &Order, error: &StoreError) -> Failure {
    let seen = match survey(aws, order, None).await {
        Ok(snapshot) => match rebuilt(order, &snapshot) {
            Ok(start) => in_words(&start),
            Err(_) => format!("AWS shows: {}", shown(order, &snapshot)),
        },
        Err(error) => format!("AWS can't be read now: {error}"),
    };
    let what = format!("{}; nothing is done on a guess. {seen}", Problem::of(error, None).what);
    Failure::wrong(Problem { what, hint: Some(error.hint()) })
}

async fn read(args: &RunArgs) -> Result<Start, Failure> {
    let aws = Aws::connect()
        .await
        .map_err(|error| Failure::wrong(Problem::of(&error, Some(error.hint().to_owned()))))?;
    let mut order = args.order();
    order.sources =
        sources(order.vip, &args.operation.probe_source).into_iter().flatten().collect();
    let snapshot = survey(&aws, &order, None).await.map_err(|error| {
        if error.is_definite() {
            denied(&error)
        } else {
            let what = format!("AWS can't be read now: {error}");
            Failure::new(TEMPORARY, Problem::new(what, "try again when it can be"))
        }
    })?;
    let problem = |refusal: Refusal| Problem::new(refusal.what, refusal.hint);
    rebuilt(&order, &snapshot).map_err(|refusals| Failure {
        code: WRONG,
        problems: refusals.into_iter().map(problem).collect(),
    })
}

fn in_words(start: &Start) -> String {
    format!("AWS shows: {}", standing(&start.record))
}

fn standing(record: &rehome_core::record::Record) -> String {
    let tables: Vec<String> = record.route_set.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "{} is on {} in {}, generation {}, routes in {}",
        record.vip,
        record.holder.instance,
        record.holder.az,
        record.generation,
        tables.join(", ")
    );
    if let Some(moving) = &record.moving {
        text.push_str(&format!("; a move due to {} is under way", moving.reason));
    }
    text
}

/// Whether a person agrees; nobody who can be asked is no agreement.
fn agreed(yes: bool) -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if yes {
        return Ok(true);
    }
    if !stdin.is_terminal() {
        return Ok(false);
    }
    eprint!("Write this? [y/N] ");
    let failed = |error: std::io::Error| Failure::new(FAILED, Problem::of(&error, None));
    std::io::stderr().flush().map_err(failed)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn write(store: &Store, start: &mut Start) -> Result<(), StoreError> {
    if let Some(aside) = store.set_aside()? {
        println!("The old state file is at {}", aside.display());
    }
    start.record.revision = 1;
    store.compare_and_set(None, &start.record)?;
    println!("Written; `rehome run` goes on from here");
    Ok(())
}
