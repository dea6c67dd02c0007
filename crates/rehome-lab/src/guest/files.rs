//! What an instance sees of files: the host's, read-only, with places of its own over them.
//!
//! Runs as the instance's PID 1, in a mount namespace that is a copy of the lab's, where every
//! mount of the host is read-only already. `/etc` and `/var` are the instance's disk; `/run`,
//! `/tmp` and `/dev` are new at each boot (what was written to `/tmp` stays until then).

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, umount2};

use crate::ns::{self, Reach};
use crate::start::EXE;

/// Where the new `/run` is put together.
const STAGE: &str = "/run/rehome/stage";

/// Entries of the host's `/tmp` that get a link; whoever has more has no use for them here.
const LINKS_MAX: usize = 4_096;

/// Names under which this program is found before the host's of the same names.
const STAND_IN_NAMES: [&str; 7] =
    ["sudo", "systemctl", "reboot", "poweroff", "halt", "shutdown", "rehome"];

/// The host's own, which scripts name by path.
const COVERED: [&str; 4] = ["/usr/bin/sudo", "/usr/bin/systemctl", "/bin/sudo", "/bin/systemctl"];

const TMP_FLAGS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// Parts of `/proc` that reach beyond the instance.
const GUARDED: [&str; 5] =
    ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"];

/// Arranges everything for the instance with this disk.
pub(super) fn arrange(disk: &Path) -> io::Result<()> {
    let stage = Path::new(STAGE);
    fs::create_dir_all(stage)?;
    ns::mount_tmpfs(stage, "755")?;
    for folder in ["rehome/bin", "rehome/units", "lock", "systemd/system", "user", "netns"] {
        fs::create_dir_all(stage.join(folder))?;
    }
    place_stand_ins(stage)?;
    ns::bind(&disk.join("etc"), Path::new("/etc"))?;
    ns::bind(&disk.join("var"), Path::new("/var"))?;
    arrange_tmp(disk, stage)?;
    arrange_proc(stage)?;
    arrange_sys();
    arrange_dev(stage)?;
    // Last: it hides the lab's folder, and with it every other instance's disk.
    ns::move_mount(stage, Path::new("/run"))
}

fn place_stand_ins(stage: &Path) -> io::Result<()> {
    let exe = stage.join("rehome/exe");
    fs::write(&exe, "")?;
    ns::bind(Path::new(EXE), &exe)?;
    for name in STAND_IN_NAMES {
        symlink(EXE, stage.join("rehome/bin").join(name))?;
    }
    for path in COVERED.map(Path::new) {
        // A link would lead the mount to another program, or to the same one twice.
        if fs::canonicalize(path).is_ok_and(|found| found == path) {
            ns::bind(Path::new(EXE), path)?;
        }
    }
    Ok(())
}

/// Forgets which files of the host's `/tmp` were not there when they were last looked for:
/// overlayfs keeps that in mind, and would hide what came since.
pub(super) fn refresh_tmp() {
    // A remount drops what the kernel has cached. A plain tmpfs needs none.
    let flags = MsFlags::MS_REMOUNT | TMP_FLAGS;
    let refreshed = nix::mount::mount(None::<&str>, "/tmp", None::<&str>, flags, None::<&str>);
    let _not_an_overlay = refreshed;
}

/// The host's `/tmp` under a layer of its own, so that scripts kept there are found. Where that
/// isn't permitted (the kernel refuses a layer over mounts below `/tmp`), links to what is there.
fn arrange_tmp(disk: &Path, stage: &Path) -> io::Result<()> {
    let layers = format!(
        "lowerdir=/tmp,upperdir={},workdir={}",
        disk.join("tmp").display(),
        disk.join("work").display()
    );
    let tmp = Path::new("/tmp");
    let flags = TMP_FLAGS;
    // In a user namespace overlayfs keeps its marks in attributes that users may write.
    let rootless = format!("{layers},userxattr");
    ns::mount_kind("overlay", tmp, flags, Some(&rootless))
        .or_else(|_refused| ns::mount_kind("overlay", tmp, flags, Some(&layers)))
        .or_else(|_refused| link_tmp(tmp, stage))
}

/// A private `/tmp` with a link for each entry of the host's, as it is now.
fn link_tmp(tmp: &Path, stage: &Path) -> io::Result<()> {
    let host = Path::new("rehome/host-tmp");
    let shown = stage.join(host);
    fs::create_dir_all(&shown)?;
    ns::bind_all(tmp, &shown)?;
    ns::mount_tmpfs(tmp, "1777")?;
    for entry in fs::read_dir(&shown)?.take(LINKS_MAX) {
        let name = entry?.file_name();
        // The stage becomes `/run`.
        symlink(Path::new("/run").join(host).join(&name), tmp.join(&name))?;
    }
    Ok(())
}

/// A `/proc` of its own processes. Settings are read-only but those of its own network.
fn arrange_proc(stage: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    ns::mount_kind("proc", Path::new("/proc"), flags, None)?;
    let net = stage.join("sys-net");
    fs::create_dir(&net)?;
    ns::bind(Path::new("/proc/sys/net"), &net)?;
    for guarded in GUARDED.map(Path::new).into_iter().filter(|path| path.exists()) {
        ns::bind(guarded, guarded)?;
        ns::set_read_only(guarded, Reach::One, true)?;
    }
    ns::bind(&net, Path::new("/proc/sys/net"))?;
    umount2(&net, MntFlags::MNT_DETACH)?;
    fs::remove_dir(&net)
}

/// A `/sys` of its own network, read-only. Where that isn't permitted, the host's stays, which
/// is read-only too.
fn arrange_sys() {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    let mounted = ns::mount_kind("sysfs", Path::new("/sys"), flags, None);
    drop(mounted);
}

/// The devices that every program expects and that reach nothing.
fn arrange_dev(stage: &Path) -> io::Result<()> {
    let dev: PathBuf = stage.join("dev");
    fs::create_dir(&dev)?;
    ns::mount_tmpfs(&dev, "755")?;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let node = dev.join(name);
        fs::write(&node, "")?;
        ns::bind(&Path::new("/dev").join(name), &node)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, dev.join(name))?;
    }
    fs::create_dir(dev.join("shm"))?;
    fs::set_permissions(dev.join("shm"), std::os::unix::fs::PermissionsExt::from_mode(0o1777))?;
    // A machine's console takes what scripts write to it; here nobody reads it.
    fs::write(dev.join("console"), "")?;
    let pts = dev.join("pts");
    fs::create_dir(&pts)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    ns::mount_kind("devpts", &pts, flags, Some("newinstance,ptmxmode=0666,mode=0620"))?;
    ns::move_mount(&dev, Path::new("/dev"))
}
