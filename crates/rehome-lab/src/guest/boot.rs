//! How an instance boots, and its PID 1.
//!
//! The process that the lab starts prepares the disk, moves into namespaces of its own, waits for
//! the wire, and forks the instance's PID 1. That one arranges the files, configures the network,
//! says that it is up, and from then on only reaps and waits for a signal to end. Services and
//! user data run in a child of it. All talk to the lab by the socket that is their standard input.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use anyhow::{Context, bail};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, sethostname, setsid};

use super::{BootSpec, FromGuest, REBOOT_CODE, disk, files, service, user_data};
use crate::ns::{self, Fork};
use crate::router::kernel;

/// Asks PID 1 to end: the machine turns itself off. What systemd's init takes for it.
pub(super) const POWER_OFF: Signal = Signal::SIGTERM;
/// Asks PID 1 to end and to be started again.
pub(super) const REBOOT: Signal = Signal::SIGINT;

/// The log that user data and services leave, as on Amazon's images.
const CONSOLE_LOG: &str = "/var/log/cloud-init-output.log";

/// The process that the lab started to become an instance.
pub(super) fn main() -> ExitCode {
    let Ok(mut lab) = std::io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from) else {
        return ExitCode::FAILURE;
    };
    match boot(&mut lab) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&mut lab, &FromGuest::Failed(format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// Tells the lab. If the lab is gone, so is this process in a moment.
fn tell(lab: &mut UnixStream, message: &FromGuest) {
    let mut line = serde_json::to_vec(message).expect("a message has only texts and numbers");
    line.push(b'\n');
    let sent = lab.write_all(&line);
    drop(sent);
}

fn boot(lab: &mut UnixStream) -> anyhow::Result<()> {
    let mut lines = BufReader::new(lab.try_clone()?);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let spec: BootSpec = serde_json::from_str(&line).context("the lab sent no boot spec")?;
    let null = OwnedFd::from(File::options().read(true).write(true).open("/dev/null")?);
    dup2_stdin(&null)?;
    disk::prepare(&spec).context("could not prepare the disk")?;
    nix::sched::unshare(ns::MACHINE).context("could not make the namespaces")?;
    tell(lab, &FromGuest::Unshared);
    line.clear();
    if lines.read_line(&mut line)? == 0 {
        bail!("the lab laid no wire");
    }
    match ns::fork()? {
        Fork::Parent(init) => {
            tell(lab, &FromGuest::Init(init.as_raw()));
            Ok(())
        }
        Fork::Child => {
            let code = init(lab, &spec).unwrap_or_else(|error| {
                tell(lab, &FromGuest::Failed(format!("{error:#}")));
                1
            });
            ns::exit_now(code)
        }
    }
}

/// PID 1 of the instance, until something asks it to end.
fn init(lab: &mut UnixStream, spec: &BootSpec) -> anyhow::Result<i32> {
    setsid()?;
    // Blocked, they wait to be fetched; unblocked ones would never reach a PID 1.
    let signals: SigSet = [Signal::SIGCHLD, POWER_OFF, REBOOT].into_iter().collect();
    signals.thread_block()?;
    sethostname(&spec.hostname)?;
    files::arrange(&spec.disk).context("could not arrange the files")?;
    let log = File::options().create(true).append(true).open(CONSOLE_LOG)?;
    dup2_stdout(&log)?;
    dup2_stderr(&log)?;
    configure_network(spec).context("could not configure the network")?;
    tell(lab, &FromGuest::Up);
    match ns::fork()? {
        Fork::Child => {
            SigSet::empty().thread_set_mask()?;
            let code = start_services(spec);
            tell(lab, &FromGuest::Booted(code));
            ns::exit_now(0)
        }
        Fork::Parent(_starter) => wait_for_the_end(&signals),
    }
}

/// Addresses and routes, as a DHCP client would have set them.
fn configure_network(spec: &BootSpec) -> anyhow::Result<()> {
    let BootSpec { interface, address, prefix, gateway, .. } = spec;
    kernel::disable_ipv6();
    kernel::sysctl("ping_group_range", "0 0")?;
    // A new namespace takes these over from the host, where strict values are common. An
    // instance's own default is loose.
    for scope in ["all", "default", interface] {
        kernel::sysctl(&format!("conf/{scope}/rp_filter"), "0")?;
    }
    kernel::sysctl("ip_forward", "0")?;
    kernel::ip(&[
        "link set lo up".into(),
        format!("address add {address}/{prefix} broadcast + dev {interface}"),
        format!("link set {interface} up"),
        format!("route replace default via {gateway} dev {interface}"),
    ])
}

/// The services that are enabled, then user data if this is the first boot. The latter's code.
fn start_services(spec: &BootSpec) -> Option<i32> {
    service::start_enabled();
    let script = spec.user_data.as_deref()?;
    user_data::run_once(script)
}

/// Reaps whatever ends, until a signal asks for the end. The code to exit with.
fn wait_for_the_end(signals: &SigSet) -> anyhow::Result<i32> {
    loop {
        let signal = signals.wait()?;
        if signal == POWER_OFF {
            return Ok(shut_down(0));
        }
        if signal == REBOOT {
            return Ok(shut_down(REBOOT_CODE));
        }
        reap();
    }
}

fn reap() {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => return,
            Ok(_reaped) => {}
        }
    }
}

/// Lets services end by themselves for a moment; the kernel kills what is left.
fn shut_down(code: i32) -> i32 {
    let told = kill(Pid::from_raw(-1), Signal::SIGTERM);
    if told.is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    code
}
