//! From a shell command to a running lab: three processes.
//!
//! ```text
//! launcher   the command itself: binds the sockets, forks, waits, prints; never leaves the host
//!   `- bridge    moves into new namespaces, forks once more, ends
//!        `- lab     PID 1 of its namespace: API, router, instances; see `crate::lab`
//! ```
//!
//! One socket pair joins launcher and lab. The lab tells its progress there; in the foreground it
//! also ends when its end reads the launcher's death. When the lab's process ends, however it
//! ends, the kernel kills everything in its PID namespace, and the last process takes the mounts
//! and devices along: there is nothing to clean up.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use nix::sched::CloneFlags;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, geteuid, setsid};
use serde::{Deserialize, Serialize};

use crate::host::{self, Refusal, Step};
use crate::name::LabName;
use crate::ns::{self, Fork, IdMap, Reach};
use crate::router::kernel;

/// This program, inside the lab and inside every instance. The folder is in a tmpfs that no
/// process outside sees.
pub(crate) const EXE: &str = "/run/rehome/exe";
/// The folder at the head of an instance's `PATH`.
pub(crate) const STAND_INS: &str = "/run/rehome/bin";

/// What the lab tells its launcher, one JSON line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The lab can be used; the text says how.
    Ready(String),
    /// It couldn't start, or couldn't go on.
    Failed(String),
    /// It ends because it was asked to.
    Ended,
}

impl Report {
    /// Tells the launcher. One that has gone no longer wants to know.
    pub(crate) fn send(&self, launcher: &mut impl Write) {
        let mut line = serde_json::to_vec(self).expect("a report has only texts");
        line.push(b'\n');
        let sent = launcher.write_all(&line);
        drop(sent);
    }
}

/// What the lab's process is born with.
pub(crate) struct Inheritance {
    /// The EC2 API's listener on the host's loopback. A socket stays in the network namespace
    /// it was made in.
    pub(crate) api: TcpListener,
    /// The control socket's listener.
    pub(crate) control: UnixListener,
    /// The lab's end of the socket pair.
    pub(crate) launcher: UnixStream,
}

/// Binds what must be bound on the host.
pub(crate) fn bind(name: &LabName, port: u16) -> anyhow::Result<(TcpListener, UnixListener)> {
    let control = crate::control::listen(name)?;
    let api = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
        anyhow!("could not listen on 127.0.0.1:{port}: {error}\nhint: give another --port, or none")
    })?;
    Ok((api, control))
}

/// Starts the lab's process, which runs `lab` and never returns. The launcher's end of the pair.
pub(crate) fn launch(
    api: TcpListener,
    control: UnixListener,
    lab: impl FnOnce(Inheritance) -> i32,
) -> anyhow::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    match ns::fork()? {
        Fork::Parent(bridge) => {
            drop(theirs);
            waitpid(bridge, None)?;
            Ok(ours)
        }
        Fork::Child => {
            drop(ours);
            let mut inheritance = Inheritance { api, control, launcher: theirs };
            let code = match cross(&mut inheritance) {
                Ok(Fork::Parent(_lab)) => 0,
                Ok(Fork::Child) => lab(inheritance),
                Err(error) => {
                    Report::Failed(format!("{error:#}")).send(&mut inheritance.launcher);
                    1
                }
            };
            ns::exit_now(code)
        }
    }
}

/// The bridge's way: out of the caller's session and descriptors, into new namespaces, then a
/// fork. What it returns says in which of the two processes.
fn cross(inheritance: &mut Inheritance) -> anyhow::Result<Fork> {
    let Inheritance { api, control, launcher } = inheritance;
    ns::close_all_but(&[api.as_raw_fd(), control.as_raw_fd(), launcher.as_raw_fd()])?;
    // Away from the terminal: its Ctrl-C is for the launcher. Away from the caller's folder,
    // which he may want to remove.
    setsid()?;
    std::env::set_current_dir("/")?;
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    let null = open_null()?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    isolate()?;
    let side = ns::fork()?;
    if matches!(side, Fork::Child) {
        furnish()?;
    }
    Ok(side)
}

fn open_null() -> io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}

/// Stops complaining to the terminal it was started from.
pub(crate) fn leave_terminal() -> io::Result<()> {
    Ok(dup2_stderr(open_null()?)?)
}

/// Moves this process into namespaces in which it can't change the host.
///
/// There are two levels. On the outer one every mount of the host becomes read-only; the inner
/// user namespace then locks that, see mount_namespaces(7), so that even root inside can't
/// remount them.
fn isolate() -> Result<(), Refusal> {
    let mount_only = CloneFlags::CLONE_NEWNS;
    let privileged = geteuid().is_root() && nix::sched::unshare(mount_only).is_ok();
    let map = if privileged {
        IdMap::Identity
    } else {
        ns::unshare_user(mount_only, IdMap::Own).map_err(Refusal::of(Step::UserNamespace))?;
        IdMap::Own
    };
    ns::make_mounts_private().map_err(Refusal::of(Step::PrivateMounts))?;
    make_host_read_only().map_err(Refusal::of(Step::ReadOnlyHost))?;
    ns::unshare_user(ns::MACHINE, map).map_err(Refusal::of(Step::Namespaces))
}

/// Makes every mount read-only but `/proc`: a new one may only be mounted by a process that
/// sees one as writable.
fn make_host_read_only() -> io::Result<()> {
    let proc = Path::new("/proc");
    let flags = nix::sys::statvfs::statvfs(proc)?.flags();
    ns::set_read_only(Path::new("/"), Reach::All, true)?;
    if !flags.contains(nix::sys::statvfs::FsFlags::ST_RDONLY) {
        ns::set_read_only(proc, Reach::One, false)?;
    }
    Ok(())
}

/// As PID 1 of the new namespace: own `/run`, own `/proc`, this program at [`EXE`], the router.
fn furnish() -> anyhow::Result<()> {
    // Opened now, because the tmpfs may hide it.
    let exe = open_exe();
    ns::mount_tmpfs(Path::new("/run"), "755").map_err(Refusal::of(Step::PrivateRun))?;
    fs::create_dir_all(STAND_INS)?;
    fs::create_dir_all("/run/netns")?;
    let proc = nix::mount::MsFlags::MS_NOSUID
        | nix::mount::MsFlags::MS_NODEV
        | nix::mount::MsFlags::MS_NOEXEC;
    ns::mount_kind("proc", Path::new("/proc"), proc, None).map_err(Refusal::of(Step::Proc))?;
    place_exe(exe).context("could not place this program inside the lab")?;
    kernel::prepare().map_err(Refusal::of(Step::Router))?;
    kernel::prepare_filter().map_err(Refusal::of(Step::Filter))?;
    try_wire().map_err(Refusal::of(Step::Wire))?;
    Ok(())
}

/// The file that this process runs, if it is still where it was started from: a rebuilt program
/// is another file of the same name.
fn open_exe() -> Option<File> {
    let path: PathBuf = std::env::current_exe().ok()?;
    let file = File::open(path).ok()?;
    let running = fs::metadata("/proc/self/exe").ok()?;
    let found = file.metadata().ok()?;
    let same = (running.st_dev(), running.st_ino()) == (found.st_dev(), found.st_ino());
    same.then_some(file)
}

fn place_exe(exe: Option<File>) -> anyhow::Result<()> {
    let target = Path::new(EXE);
    if let Some(file) = exe {
        fs::write(target, "")?;
        if ns::bind(&ns::path_of(&file), target).is_ok() {
            return Ok(());
        }
    }
    fs::copy("/proc/self/exe", target)?;
    Ok(())
}

/// Makes and removes a pair of devices, so that a kernel without them is told apart from a lab
/// that doesn't work.
fn try_wire() -> anyhow::Result<()> {
    let name = "trial0";
    kernel::ip(&[format!("link add {name} type veth peer name trial1"), format!("link del {name}")])
}

/// Takes every step of a lab's start, in processes that end at once: whether this host can run
/// labs. Must be called before any thread exists.
///
/// # Errors
/// What is missing or refused, and what to do about it.
pub fn check_host() -> anyhow::Result<()> {
    host::find_programs()?;
    in_child(|| {
        isolate()?;
        // Only a child is in the new PID namespace.
        in_child(furnish)
    })
}

/// Lets a child do something and end; its complaint is the error.
fn in_child(act: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let (mut ours, mut theirs) = UnixStream::pair()?;
    let child = match ns::fork()? {
        Fork::Parent(child) => child,
        Fork::Child => {
            let complaint = act().err().map_or_else(String::new, |error| format!("{error:#}"));
            let told = theirs.write_all(complaint.as_bytes());
            ns::exit_now(i32::from(told.is_err()))
        }
    };
    drop(theirs);
    let mut complaint = String::new();
    ours.read_to_string(&mut complaint)?;
    let ended = waitpid(child, None)?;
    if !complaint.is_empty() {
        bail!(complaint);
    }
    if ended != WaitStatus::Exited(child, 0) {
        bail!("a process that tried the steps of a lab's start ended early: {ended:?}");
    }
    Ok(())
}
