//! A command on an instance: the process between the lab and it.
//!
//! The lab starts it with the caller's standard streams. It enters the instance's namespaces,
//! starts the command there in a process group of its own, hands signals on to that group, and
//! ends with the command's exit code.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::files;
use crate::ns;

/// `argv[0]` of this process.
pub(crate) const EXEC_NAME: &str = "rehome-lab-exec";
/// Tells this process to kill the command: nobody waits for it any more.
pub(crate) const KILL_ALL: Signal = Signal::SIGUSR1;

/// Exit codes as a shell gives them.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExecSpec {
    /// The instance's PID 1 as the lab sees it.
    pub(crate) init: i32,
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// The whole environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Working folder, if the instance has it.
    pub(crate) folder: String,
}

/// Runs the command that the first argument describes.
pub(super) fn main(args: &[String]) -> ExitCode {
    let spec = args.first().and_then(|text| serde_json::from_str::<ExecSpec>(text).ok());
    let Some(spec) = spec else {
        eprintln!("{EXEC_NAME}: started by hand, or by another version");
        return ExitCode::FAILURE;
    };
    let signals = SigSet::all();
    let started = signals
        .thread_block()
        .map_err(io::Error::from)
        .and_then(|()| ns::enter(Pid::from_raw(spec.init), ns::MACHINE))
        .and_then(|()| {
            files::refresh_tmp();
            start(&spec)
        });
    match started {
        Ok(child) => ExitCode::from(follow(child, &signals)),
        Err(error) => {
            eprintln!("{}: {error}", spec.argv.first().map_or("", String::as_str));
            let missing = error.kind() == io::ErrorKind::NotFound || !is_anywhere(&spec);
            ExitCode::from(if missing { NOT_FOUND } else { NOT_EXECUTABLE })
        }
    }
}

/// Whether the program is there at all: the system says "permission denied" for one that isn't,
/// too, if it may not look into a folder of `PATH`.
fn is_anywhere(spec: &ExecSpec) -> bool {
    let program = spec.argv.first().map_or("", String::as_str);
    let path = spec.environment.get("PATH").map_or("", String::as_str);
    program.contains('/')
        || std::env::split_paths(path).any(|folder| folder.join(program).is_file())
}

fn start(spec: &ExecSpec) -> io::Result<Pid> {
    let (program, args) = spec.argv.split_first().ok_or(io::ErrorKind::NotFound)?;
    let entered = std::env::set_current_dir(&spec.folder);
    entered.or_else(|_unseen| std::env::set_current_dir("/"))?;
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(&spec.environment).process_group(0);
    ns::run_unblocked(&mut command);
    let child = command.spawn()?;
    i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)
}

/// Hands signals on until the command has ended; its exit code.
fn follow(child: Pid, signals: &SigSet) -> u8 {
    loop {
        let code = match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => Some(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(128 + signal as i32),
            Ok(_goes_on) => None,
            Err(_gone) => Some(1),
        };
        if let Some(code) = code {
            return u8::try_from(code).unwrap_or(1);
        }
        // The group is gone when the command has just ended, which the next round sees.
        let _gone = match signals.wait() {
            Ok(Signal::SIGCHLD) | Err(_) => Ok(()),
            Ok(KILL_ALL) => killpg(child, Signal::SIGKILL),
            Ok(signal) => killpg(child, signal),
        };
    }
}
