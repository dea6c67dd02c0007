//! `rehome pause` and `rehome resume`: a file in the state directory.

use std::process::ExitCode;

use jiff::Timestamp;
use rehome_core::time::Unix;

use crate::cli::{PauseArgs, ResumeArgs, WhomArgs};
use crate::clock;
use crate::fail::{FAILED, Failure, Problem};
use crate::stdout::print_line;
use crate::store::pause::{Pause, Scope, clear_pause, write_pause};
use crate::store::{StoreError, directory, is_kept};

fn failed(error: &StoreError) -> Failure {
    Failure::new(FAILED, Problem::of(error, Some(error.hint())))
}

fn scope(whom: &WhomArgs) -> (Scope, String) {
    match whom.vip {
        Some(vip) => (Scope::Vip(vip.address), vip.to_string()),
        None => (Scope::All, "every address".to_owned()),
    }
}

/// Stops every change for a while.
pub(crate) fn pause(args: &PauseArgs) -> Result<ExitCode, Failure> {
    let directory = directory(args.whom.state_dir.as_deref()).map_err(|error| failed(&error))?;
    let until = Unix(clock::unix().0.saturating_add(args.time.as_secs().max(1)));
    let by = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
    let pause = Pause {
        until,
        by: by.unwrap_or_else(|_| "somebody".to_owned()),
        reason: args.reason.clone(),
    };
    let (scope, name) = scope(&args.whom);
    write_pause(&directory, scope, &pause).map_err(|error| failed(&error))?;
    if let Some(vip) = args.whom.vip.filter(|vip| !is_kept(&directory, vip.address)) {
        let directory = directory.display();
        eprintln!(
            "note: nothing is known of {vip} in {directory}; does `run` use another --state-dir?"
        );
    }
    print_line(&format!("Paused {name} until {}", wall(until)))?;
    Ok(ExitCode::SUCCESS)
}

/// Ends a pause.
pub(crate) fn resume(args: &ResumeArgs) -> Result<ExitCode, Failure> {
    let directory = directory(args.whom.state_dir.as_deref()).map_err(|error| failed(&error))?;
    let (scope, name) = scope(&args.whom);
    if clear_pause(&directory, scope).map_err(|error| failed(&error))? {
        print_line(&format!("Resumed {name}"))?;
    } else {
        print_line(&format!("{name} was not paused"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A wall time as people here read it.
pub(crate) fn wall(at: Unix) -> String {
    let seconds = i64::try_from(at.0).unwrap_or(i64::MAX);
    match Timestamp::from_second(seconds) {
        Ok(time) => {
            let time = time.to_zoned(jiff::tz::TimeZone::system());
            time.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        Err(_) => "for ever".to_owned(),
    }
}
