//! `rehome doctor`: every precondition of a move, proven by reads and DryRuns.
//!
//! What is read and tried is gathered ([`gather`], [`machine`]), judged by the core, and printed
//! ([`mod@print`]). Nothing is changed, neither here nor on AWS, and nothing is left behind.

use std::process::ExitCode;

use clap::Args;
use rehome_core::doctor::{Verdict, examine, worst};
use tokio::runtime::Builder;

use crate::config::{Wanted, of_vip};
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
    pub(crate) run: Wanted,
}

/// Examines everything that `run` with these flags would rest on.
///
/// # Errors
/// Where the flags contradict each other; whatever else is wrong is a finding.
pub(crate) fn doctor(args: DoctorArgs) -> Result<ExitCode, Failure> {
    crate::run::log_to_stderr(args.run.debug());
    let wanted = args.run.all()?;
    let several = wanted.len() > 1;
    let problems = wanted.iter().flat_map(|one| {
        let problems = contradictions(&one.args);
        if several { of_vip(&one.args, problems) } else { problems }
    });
    let problems: Vec<Problem> = problems.collect();
    if !problems.is_empty() {
        return Err(Failure { code: WRONG, problems });
    }
    let failed = |error: std::io::Error| Failure::new(FAILED, Problem::of(&error, None));
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut found = Vec::new();
    for one in &wanted {
        let args = &one.args;
        let mut order = args.order();
        let from = sources(order.vip, &args.operation.probe_source);
        order.sources = from.iter().copied().flatten().collect();
        let facts = runtime.block_on(gather::gather(args, &order, &from));
        found.push((order.vip, examine(&order, &facts)));
    }
    let all: Vec<_> = found.iter().flat_map(|(_, findings)| findings).cloned().collect();
    let code = exit_code(worst(&all));
    let text = match (&found[..], args.json) {
        ([(vip, findings)], true) => print::json(*vip, findings, code),
        (_, true) => print::json_of_many(&found, code, exit_code),
        ([(_, findings)], false) => print::text(findings, print::Style::of_stdout()),
        (_, false) => print::text_of_many(&found, print::Style::of_stdout()),
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
