//! `rehome run`: the loop that feeds the core with what happens and does what it says.
//!
//! Start: what can be checked without AWS ([`prepare`]), then the survey, again and again until
//! AWS answers ([`begin`]), then the loop ([`watch`]). The loop decides nothing. Each address of a
//! file has its own ([`fleet`]).

use std::process::ExitCode;

use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

use crate::config::Wanted;
use crate::fail::Failure;

mod begin;
mod fleet;
pub(crate) mod prepare;
mod reads;
mod recorder;
pub(crate) mod sources;
pub(crate) mod trial;
pub(crate) mod unit;
mod watch;

use fleet::Fleet;

pub(crate) use begin::{assessed, denied};
pub(crate) use watch::Brief;

/// Watches until a signal ends it.
pub(crate) fn run(wanted: Wanted) -> Result<ExitCode, Failure> {
    log_to_stderr(wanted.debug());
    let fleet = Fleet::of(wanted)?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(crate::fail::FAILED, crate::fail::Problem::of(&error, None))
    })?;
    LocalSet::new().block_on(&runtime, fleet.watch())
}

/// Logs go to stderr. The SDK's own logs stay out of it: at their finest they hold signed headers.
pub(crate) fn log_to_stderr(debug: bool) {
    let level = if debug { "warn,rehome=debug" } else { "warn,aws_config=error" };
    let ours = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .finish();
    // A second call in one process (tests) keeps the first.
    let _ = tracing::subscriber::set_global_default(ours);
}
