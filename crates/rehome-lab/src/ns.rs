//! Namespaces, mounts and processes: the lab's raw system calls.
//!
//! The only module of this crate with `unsafe`. Everything here acts on the calling process, and
//! the functions that fork or unshare demand that it has one thread.

use std::ffi::CString;
use std::fs;
use std::io::{self, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::SigSet;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, getegid, geteuid, pipe2};

/// All namespaces of an instance but the user namespace, which it shares with its lab.
pub(crate) const MACHINE: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWNET)
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWPID);

/// Which users and groups exist inside a new user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdMap {
    /// Every id of the parent namespace, as itself. Takes root.
    Identity,
    /// The caller alone, as root. All that an ordinary user may have.
    Own,
}

/// Moves into a new user namespace, and into new ones of the kinds in `flags`.
pub(crate) fn unshare_user(flags: CloneFlags, map: IdMap) -> io::Result<()> {
    match map {
        IdMap::Own => unshare_own(flags),
        IdMap::Identity => unshare_identity(flags),
    }
}

fn unshare_own(flags: CloneFlags) -> io::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    unshare(flags | CloneFlags::CLONE_NEWUSER)?;
    // The kernel lets an unprivileged process map its group only after it gave up setgroups(2),
    // see user_namespaces(7).
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// A map of more than one id can only be written from the parent namespace, where this process
/// no longer is: a child that stayed behind writes it.
fn unshare_identity(flags: CloneFlags) -> io::Result<()> {
    let (mut go, mut tell) = {
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        (fs::File::from(read), fs::File::from(write))
    };
    let target = Pid::this();
    match fork()? {
        Fork::Child => {
            drop(tell);
            let mut byte = [0];
            let told = go.read_exact(&mut byte);
            let done = told.and_then(|()| write_identity_maps(target));
            exit_now(i32::from(done.is_err()))
        }
        Fork::Parent(child) => {
            drop(go);
            let unshared = unshare(flags | CloneFlags::CLONE_NEWUSER);
            if unshared.is_ok() {
                tell.write_all(&[1])?;
            }
            drop(tell);
            let ended = waitpid(child, None)?;
            unshared?;
            if ended == WaitStatus::Exited(child, 0) {
                Ok(())
            } else {
                Err(io::Error::from(io::ErrorKind::PermissionDenied))
            }
        }
    }
}

fn write_identity_maps(target: Pid) -> io::Result<()> {
    for map in ["uid_map", "gid_map"] {
        let own = fs::read_to_string(format!("/proc/self/{map}"))?;
        fs::write(format!("/proc/{target}/{map}"), identity_map(&own))?;
    }
    Ok(())
}

/// The map that gives every id of the namespace with map `own` to itself.
fn identity_map(own: &str) -> String {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (first, _outside, count) = (words.next()?, words.next()?, words.next()?);
        Some(format!("{first} {first} {count}\n"))
    };
    own.lines().filter_map(line).collect()
}

/// Which side of a fork this is.
pub(crate) enum Fork {
    /// The process that forked, with its child.
    Parent(Pid),
    /// The child.
    Child,
}

/// Forks. The process must have one thread: a second one's locks would stay locked forever in
/// the child.
pub(crate) fn fork() -> io::Result<Fork> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    assert_eq!(threads, 1, "a lab is started before any thread exists");
    // SAFETY: with one thread no lock is held by anybody else, so the child may do anything.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Fork::Parent(child)),
        ForkResult::Child => Ok(Fork::Child),
    }
}

/// Ends this process without running what a parent registered to run at exit.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes no pointers and doesn't return.
    unsafe { libc::_exit(code) }
}

/// Moves this process into namespaces of a running one; the PID namespace is that of children
/// forked from now on.
pub(crate) fn enter(process: Pid, kinds: CloneFlags) -> io::Result<()> {
    // SAFETY: pidfd_open takes two integers.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0) };
    let fd = RawFd::try_from(raw).ok().filter(|fd| *fd >= 0);
    let fd = fd.ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel just gave us this descriptor and nobody else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    setns(fd.as_fd(), kinds)?;
    Ok(())
}

/// Lets `command` run in the network namespace that `net` is a descriptor of.
pub(crate) fn run_in_net(command: &mut Command, net: OwnedFd) {
    let hook = move || Ok(setns(net.as_fd(), CloneFlags::CLONE_NEWNET)?);
    // SAFETY: the hook makes one system call and touches no lock or heap.
    unsafe { command.pre_exec(hook) };
}

/// Lets `command` start with every signal deliverable, whatever this process blocks.
pub(crate) fn run_unblocked(command: &mut Command) {
    let none = SigSet::empty();
    let hook = move || Ok(none.thread_set_mask()?);
    // SAFETY: the hook makes one system call and touches no lock or heap.
    unsafe { command.pre_exec(hook) };
}

/// Closes every descriptor from 3 on but `keep`: what the caller's shell or tools left open
/// would live as long as the lab.
pub(crate) fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2 && !keep.contains(fd))
        .collect();
    for fd in open {
        // SAFETY: called right after the fork, when nothing in this process owns a descriptor
        // but what the caller lists in `keep`. The folder's own one is closed already, which
        // is an error that changes nothing.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// Makes no mount of this namespace tell any other namespace about changes.
pub(crate) fn make_mounts_private() -> io::Result<()> {
    Ok(mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?)
}

/// Mounts a tmpfs; `mode` is the octal mode of its root.
pub(crate) fn mount_tmpfs(target: &Path, mode: &str) -> io::Result<()> {
    let data = format!("mode={mode}");
    let flags = MsFlags::MS_NOSUID;
    Ok(mount(Some("rehome-lab"), target, Some("tmpfs"), flags, Some(data.as_str()))?)
}

/// Mounts a file system that has no device: `proc`, `sysfs`, `devpts`, `overlay`.
pub(crate) fn mount_kind(
    kind: &str,
    target: &Path,
    flags: MsFlags,
    data: Option<&str>,
) -> io::Result<()> {
    Ok(mount(Some(kind), target, Some(kind), flags, data)?)
}

/// Makes `source` visible at `target`, without what is mounted below it.
pub(crate) fn bind(source: &Path, target: &Path) -> io::Result<()> {
    Ok(mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}

/// Shows what is at `source`, with every mount below it, at `target` as well.
pub(crate) fn bind_all(source: &Path, target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    Ok(mount(Some(source), target, None::<&str>, flags, None::<&str>)?)
}

/// Moves the mount at `source` to `target`.
pub(crate) fn move_mount(source: &Path, target: &Path) -> io::Result<()> {
    Ok(mount(Some(source), target, None::<&str>, MsFlags::MS_MOVE, None::<&str>)?)
}

/// Which mounts [`set_read_only`] changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The mount at the path alone.
    One,
    /// That and every mount below it.
    All,
}

/// The kernel's `struct mount_attr`, see mount_setattr(2).
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

const MOUNT_ATTR_RDONLY: u64 = 1;

/// Makes mounts read-only (or writable again), whatever else they are.
pub(crate) fn set_read_only(target: &Path, reach: Reach, read_only: bool) -> io::Result<()> {
    let path = CString::new(target.as_os_str().as_bytes())?;
    let attr = MountAttr {
        set: if read_only { MOUNT_ATTR_RDONLY } else { 0 },
        clear: if read_only { 0 } else { MOUNT_ATTR_RDONLY },
        propagation: 0,
        user_namespace: 0,
    };
    let flags = match reach {
        Reach::One => 0,
        Reach::All => libc::AT_RECURSIVE,
    };
    // SAFETY: `path` and `attr` outlive the call, and the size given is that of `attr`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads what has come on a socket, and takes over the descriptors that came along.
pub(crate) fn receive_with_descriptors(
    socket: &impl AsRawFd,
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 16 * 1024];
    let mut space = nix::cmsg_space!([RawFd; 3]);
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = part {
            // SAFETY: the kernel has just made these descriptors for this process alone.
            descriptors.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    let length = message.bytes;
    buffer.truncate(length);
    Ok(buffer)
}

/// The path by which this process reaches what `fd` has open.
pub(crate) fn path_of(fd: &impl AsRawFd) -> std::path::PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_map_covers_what_its_parent_has_and_no_more() {
        assert_eq!(identity_map("         0          0 4294967295\n"), "0 0 4294967295\n");
        assert_eq!(identity_map("0 1000 1\n1 100000 65536\n"), "0 0 1\n1 1 65536\n");
    }
}
