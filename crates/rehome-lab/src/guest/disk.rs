//! What an instance keeps over a reboot and a stop: its `/etc` and its `/var`.
//!
//! Both are folders in the lab's tmpfs. `/etc` begins as a copy of what is readable of the
//! host's, without the host's own services and boot script; `/var` begins empty.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use super::{BootSpec, HOME};

/// Larger files of the host's `/etc` are left out: a disk lives in memory.
const LARGEST_FILE_BYTES: u64 = 8 << 20;
/// More entries than this no `/etc` has; bounds the copy.
const MOST_ENTRIES: usize = 50_000;

/// Route table names that iproute2 ships with; not every host has the file in `/etc`.
const TABLE_NAMES: &str = "255\tlocal\n254\tmain\n253\tdefault\n0\tunspec\n";

/// Makes the disk unless it is there from an earlier boot.
pub(super) fn prepare(spec: &BootSpec) -> io::Result<()> {
    let disk = &spec.disk;
    let done = disk.join("ready");
    if done.exists() {
        return Ok(());
    }
    copy_tree(Path::new("/etc"), &disk.join("etc"))?;
    settle_etc(spec, &disk.join("etc"))?;
    furnish_var(spec, &disk.join("var"))?;
    for folder in ["tmp", "work"] {
        fs::create_dir_all(disk.join(folder))?;
    }
    fs::set_permissions(disk.join("tmp"), Permissions::from_mode(0o1777))?;
    fs::write(done, "")
}

/// The copy becomes that of a new machine.
fn settle_etc(spec: &BootSpec, etc: &Path) -> io::Result<()> {
    let units = etc.join("systemd/system");
    remove(&units)?;
    remove(&etc.join("rc.local"))?;
    remove(&etc.join("hosts"))?;
    remove(&etc.join("hostname"))?;
    fs::create_dir_all(units)?;
    fs::write(etc.join("hostname"), format!("{}\n", spec.hostname))?;
    let name = &spec.hostname;
    fs::write(etc.join("hosts"), format!("127.0.0.1 localhost\n{} {name}\n", spec.address))?;
    let names = etc.join("iproute2/rt_tables");
    if !names.exists() {
        fs::create_dir_all(etc.join("iproute2"))?;
        fs::write(names, TABLE_NAMES)?;
    }
    Ok(())
}

fn furnish_var(spec: &BootSpec, var: &Path) -> io::Result<()> {
    for folder in ["cache", "lib", "local", "log", "mail", "opt", "spool", "tmp", "www"] {
        fs::create_dir_all(var.join(folder))?;
    }
    fs::set_permissions(var.join("tmp"), Permissions::from_mode(0o1777))?;
    symlink("/run", var.join("run"))?;
    symlink("/run/lock", var.join("lock"))?;
    let home = var.join(HOME.trim_start_matches("/var/"));
    fs::create_dir_all(home.join(".aws"))?;
    fs::set_permissions(&home, Permissions::from_mode(0o700))?;
    // No credentials: those come from the metadata service, as on any instance with a role.
    let config = format!("[default]\nregion = {}\nendpoint_url = {}\n", spec.region, spec.endpoint);
    fs::write(home.join(".aws/config"), config)
}

/// Removes a file or a tree; what isn't there is removed already.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_file) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Copies what is readable of `from`: folders, files and links.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let mut left = vec![(from.to_owned(), to.to_owned())];
    let mut entries = 0;
    while let Some((source, target)) = left.pop() {
        let Ok(listing) = fs::read_dir(&source) else { continue };
        for entry in listing.flatten() {
            entries += 1;
            if entries > MOST_ENTRIES {
                return Ok(());
            }
            let (from, to) = (entry.path(), target.join(entry.file_name()));
            if copy_entry(&from, &to)? {
                left.push((from, to));
            }
        }
    }
    Ok(())
}

/// Copies one entry, not what is in it. Whether it is a folder to go into.
fn copy_entry(from: &Path, to: &Path) -> io::Result<bool> {
    let Ok(found) = fs::symlink_metadata(from) else { return Ok(false) };
    let kind = found.file_type();
    if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else if kind.is_dir() {
        fs::create_dir(to)?;
        // The owner must be able to fill it.
        fs::set_permissions(to, Permissions::from_mode(found.mode() & 0o7777 | 0o700))?;
    } else if kind.is_file() && found.len() <= LARGEST_FILE_BYTES {
        if fs::copy(from, to).is_err() {
            return Ok(false);
        }
    } else {
        return Ok(false);
    }
    // An ordinary user's lab has one user only, to whom everything belongs.
    let given = lchown(to, Some(found.uid()), Some(found.gid()));
    drop(given);
    Ok(kind.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_folders_files_and_links_with_their_modes() {
        let root = std::env::temp_dir().join(format!("rehome-disk-{}", std::process::id()));
        let (from, to) = (root.join("from"), root.join("to"));
        fs::create_dir_all(from.join("a/b")).expect("a folder");
        fs::write(from.join("a/b/file"), "text").expect("a file");
        fs::set_permissions(from.join("a/b/file"), Permissions::from_mode(0o640)).expect("a mode");
        symlink("../missing", from.join("a/link")).expect("a link");
        copy_tree(&from, &to).expect("a copy");
        assert_eq!(fs::read_to_string(to.join("a/b/file")).expect("the file"), "text");
        let mode = fs::metadata(to.join("a/b/file")).expect("the file").mode();
        assert_eq!(mode & 0o7777, 0o640);
        assert_eq!(fs::read_link(to.join("a/link")).expect("the link"), Path::new("../missing"));
        remove(&to).expect("it goes");
        remove(&to).expect("it is gone");
        fs::remove_dir_all(root).expect("the folder goes");
    }
}
