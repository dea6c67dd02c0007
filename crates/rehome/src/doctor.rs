//! `rehome doctor`: every precondition of a move, proven by reads and DryRuns.
//!
//! What is read and tried is gathered ([`gather`], [`machine`]), judged by the core, and printed
//! ([`mod@print`]). Nothing is changed, neither here nor on AWS, and nothing is left behind.

use std::process::ExitCode;

use clap::Args;
use rehome_core::doctor::{Verdict, examine, worst};
use tokio::runtime::Builder;

use crate::cli::RunArgs;
use crate::fail::{FAILED, Failure, Problem, WRONG};
use crate::run::prepare::contradictions;
use crate::run::sources::sources;

mod gather;
mod machine;
mod print;

/// There are warnings, and nothing worse.
const WARNINGS: u8 = 3;
/// Something is wrong.
const FAILURES: u8 = 4;
/// Something couldn't be read, and nothing that could is wrong.
const UNTOLD: u8 = 5;

/// The flags of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// Examines everything that `run` with these flags would rest on.
///
/// # Errors
/// Where the flags contradict each other; whatever else is wrong is a finding.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    crate::run::log_to_stderr(args.run.debug);
    let problems = contradictions(&args.run);
    if !problems.is_empty() {
        return Err(Failure { code: WRONG, problems });
    }
    let failed = |error: std::io::Error| Failure::new(FAILED, Problem::of(&error, None));
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut order = args.run.order();
    let from = sources(order.vip, &args.run.operation.probe_source);
    order.sources = from.iter().copied().flatten().collect();
    let facts = runtime.block_on(gather::gather(&args.run, &order, &from));
    let findings = examine(&order, &facts);
    let code = exit_code(worst(&findings));
    let text = if args.json {
        print::json(order.vip, &findings, code)
    } else {
        print::text(&findings, print::Style::of_stdout())
    };
    crate::stdout::print(&text)?;
    Ok(ExitCode::from(code))
}

/// The worst verdict decides; what nothing can prove is no news.
fn exit_code(worst: Verdict) -> u8 {
    match worst {
        Verdict::Ok | Verdict::Unproven => 0,
        Verdict::Warning => WARNINGS,
        Verdict::Unknown => UNTOLD,
        Verdict::Failure => FAILURES,
    }
}
