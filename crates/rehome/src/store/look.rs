//! A look at the state directory that leaves nothing behind: no directory, no lock.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{AccessFlags, access};
use serde::de::DeserializeOwned;

use super::{StoreError, at, load, record_of};

/// Whether the state of `vip` could be kept in `directory`, in words.
///
/// # Errors
/// Where it couldn't, or others could forge it.
pub(crate) fn look(directory: &Path, vip: Ipv4Addr) -> Result<String, StoreError> {
    let metadata = match fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return could_be_made(directory),
        Err(error) => return Err(at(directory)(error)),
    };
    if !metadata.is_dir() {
        return Err(at(directory)(io::ErrorKind::NotADirectory.into()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(StoreError::Loose { path: directory.to_path_buf(), mode });
    }
    writable(directory).map_err(at(directory))?;
    let shown = directory.display();
    Ok(match keeper(&directory.join(format!("{vip}.lock"))) {
        Some(process) => format!("{shown} is in use by process {process}, which keeps {vip}"),
        None => format!("{shown} can be written to"),
    })
}

/// The record of a VIP, without its lock: as it was at some moment.
///
/// # Errors
/// Where it is damaged, of a later version, or can't be read.
pub(crate) fn recorded<T: DeserializeOwned>(
    directory: &Path,
    vip: Ipv4Addr,
) -> Result<Option<T>, StoreError> {
    load(&record_of(directory, vip))
}

fn could_be_made(directory: &Path) -> Result<String, StoreError> {
    let mut above = directory.ancestors().skip(1);
    let there = above.find(|path| path.exists()).unwrap_or(Path::new("/"));
    writable(there).map_err(at(directory))?;
    Ok(format!("{} can be made", directory.display()))
}

/// Whether something can be made in a directory, by making it: the kernel's file systems
/// (`/proc`, `/sys`) let root write to directories in which nothing can be made. It is gone again
/// at once, and nobody else has its name.
fn writable(directory: &Path) -> io::Result<()> {
    access(directory, AccessFlags::W_OK | AccessFlags::X_OK)?;
    let trial = directory.join(format!(".rehome-look-{}", std::process::id()));
    fs::create_dir(&trial)?;
    fs::remove_dir(&trial)
}

/// The process that keeps a VIP now, where one does.
pub(crate) fn kept_by(directory: &Path, vip: Ipv4Addr) -> Option<String> {
    keeper(&directory.join(format!("{vip}.lock")))
}

/// Who holds the lock, where anybody does.
fn keeper(lock: &Path) -> Option<String> {
    let file = File::open(lock).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = (&file).take(32).read_to_string(&mut text);
            Some(text.trim().to_owned())
        }
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);

    fn fresh(name: &str) -> std::path::PathBuf {
        let name = format!("rehome-look-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        path
    }

    #[test]
    fn a_look_leaves_nothing_behind_and_sees_who_keeps_the_address() {
        let directory = fresh("keeper");
        assert!(look(&directory, VIP).unwrap().ends_with("can be made"));
        assert!(!directory.exists());
        let store = Store::open(&directory, VIP).unwrap();
        store.save(&"a record", 1).unwrap();
        let said = look(&directory, VIP).unwrap();
        let words = format!("is in use by process {}, which keeps 10.0.0.10", std::process::id());
        assert!(said.ends_with(&words), "{said}");
        assert_eq!(recorded::<String>(&directory, VIP).unwrap().as_deref(), Some("a record"));
        drop(store);
        assert!(look(&directory, VIP).unwrap().ends_with("can be written to"));
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_place_where_nothing_can_be_made_is_refused() {
        // Root may write to it, by its mode, and yet the kernel makes nothing there.
        for place in ["/proc/rehome", "/proc", "/sys/rehome/state"] {
            let said = look(Path::new(place), VIP);
            assert!(matches!(said, Err(StoreError::Io { .. })), "{place}: {said:?}");
            assert!(Store::open(Path::new(place), VIP).is_err(), "{place}");
        }
    }

    #[test]
    fn what_others_can_write_to_and_what_is_no_directory_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = fresh("loose");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(look(&directory, VIP), Err(StoreError::Loose { .. })));
        fs::remove_dir(&directory).unwrap();
        fs::write(&directory, "").unwrap();
        assert!(matches!(look(&directory, VIP), Err(StoreError::Io { .. })));
        fs::remove_file(&directory).unwrap();
    }
}
