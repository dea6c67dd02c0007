//! An instance from the inside: boot, commands run on it, and what stands in for systemd.
//!
//! These are separate processes, all of them this same program under another name (its `argv[0]`),
//! told apart by [`guest_entry`]. In the lab's process, `crate::machine` starts and watches them.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

mod boot;
mod disk;
mod environment;
mod exec;
mod files;
mod service;
mod sudo;
mod systemctl;
mod unit;
mod user_data;

pub(crate) use environment::{HOME, clean};
pub(crate) use exec::{EXEC_NAME, ExecSpec, KILL_ALL};

/// `argv[0]` of the process that becomes an instance.
pub(crate) const BOOT_NAME: &str = "rehome-lab-boot";

/// Exit code of an instance's PID 1 that asks to be started again.
pub(crate) const REBOOT_CODE: i32 = 64;

/// All that an instance needs to know to boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BootSpec {
    /// `ip-172-31-48-10`.
    pub(crate) hostname: String,
    /// `eth0` or `enX0`.
    pub(crate) interface: String,
    /// Primary address.
    pub(crate) address: Ipv4Addr,
    /// The subnet's prefix length.
    pub(crate) prefix: u8,
    /// The subnet's router.
    pub(crate) gateway: Ipv4Addr,
    /// The folder with its `/etc` and `/var`; made on the first boot.
    pub(crate) disk: PathBuf,
    /// Runs once in the disk's life.
    pub(crate) user_data: Option<Vec<u8>>,
    /// Written to its AWS configuration.
    pub(crate) region: String,
    /// Written to its AWS configuration.
    pub(crate) endpoint: String,
}

/// What an instance tells the lab, one JSON line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromGuest {
    /// It has a network namespace: lay the wire, then send a line back.
    Unshared,
    /// The process id of its PID 1, as the lab sees it.
    Init(i32),
    /// Its address is configured.
    Up,
    /// Services and user data have run, with the exit code of the latter.
    Booted(Option<i32>),
    /// It can't boot.
    Failed(String),
}

/// Handles the invocations of this program that are not the user's: the processes of instances.
/// `None` for everything else.
///
/// Must be called first thing in `main`, with `argv[0]` and the arguments after it.
pub fn guest_entry(argv0: &str, args: &[OsString]) -> Option<ExitCode> {
    let name = Path::new(argv0).file_name()?.to_str()?;
    let texts =
        || -> Vec<String> { args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect() };
    match name {
        BOOT_NAME => Some(boot::main()),
        EXEC_NAME => Some(exec::main(&texts())),
        "sudo" => Some(sudo::main(args)),
        "systemctl" => Some(systemctl::main(&texts())),
        "reboot" | "poweroff" | "halt" | "shutdown" => Some(systemctl::power(name, &texts())),
        _other => None,
    }
}
