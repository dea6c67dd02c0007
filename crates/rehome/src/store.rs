//! The state directory: what has to outlive the process.
//!
//! For each VIP one record file with a checksum over it, one lock that keeps a second process away,
//! and, while people ask for it, one pause file ([`pause`]). A record is replaced as a whole:
//! temporary file, fsync, rename, fsync of the folder, so that a crash at any point leaves the old
//! record or the new one. The lock lives as long as its [`Store`].

pub(crate) mod journal;
pub(crate) mod look;
pub(crate) mod pause;
pub(crate) mod segments;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rehome_core::digest::sha256_hex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The format that is written, and the newest that is understood.
const FORMAT: u32 = 1;

/// More than any record needs (a launch spec, a route set of 200 tables); a longer file isn't ours.
const RECORD_BYTES_MAX: u64 = 4 << 20;

/// The next step where a record can't be used.
const ADOPT: &str = "`rehome adopt` with the flags of `rehome run` shows what AWS tells and writes \
                     it when you agree; the old file is kept";

/// Records that were moved out of the way; more than anybody adopts without looking at them.
const ASIDE_MAX: u32 = 1_000;

/// Why the state directory can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Nothing says where it is.
    #[error("there is no state directory: $STATE_DIRECTORY, $XDG_STATE_HOME and $HOME are unset")]
    Nowhere,
    /// Others could forge what we remember.
    #[error("the state directory {} can be written by others (mode {mode:o})", path.display())]
    Loose {
        /// Which directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another process keeps this VIP.
    #[error("{} keeps {vip} already (lock {})", holder(*.process), path.display())]
    Locked {
        /// The VIP.
        vip: Ipv4Addr,
        /// The lock file.
        path: PathBuf,
        /// The other process, where it said.
        process: Option<u32>,
    },
    /// The record isn't as it was written.
    #[error("the state file {} is damaged: {why}", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// What was written down of decisions isn't as it was written.
    #[error("the file {} is damaged: {why}", path.display())]
    History {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A later version wrote the record.
    #[error(
        "the state file {} has format {format}; this version understands {FORMAT}",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// An earlier version wrote the record.
    #[error(
        "the state file {} has format {format}; this version understands {FORMAT}",
        path.display()
    )]
    Older {
        /// Which file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// Somebody else wrote the record since it was read.
    #[error(
        "somebody else has written the state file {}: revision {expected} was expected, {found} \
         is there",
        path.display()
    )]
    Conflict {
        /// Which file.
        path: PathBuf,
        /// The version that was read or written last.
        expected: String,
        /// The version that is there.
        found: String,
    },
    /// The operating system refused.
    #[error("the state can't be kept at {}", path.display())]
    Io {
        /// What was tried on.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn holder(process: Option<u32>) -> String {
    process.map_or("another process".to_owned(), |id| format!("process {id}"))
}

impl StoreError {
    /// The next step.
    #[must_use]
    pub(crate) fn hint(&self) -> String {
        match self {
            StoreError::Nowhere => "name one with --state-dir".to_owned(),
            StoreError::Loose { path, .. } => format!("chmod go-w {}", path.display()),
            StoreError::Locked { process: Some(id), .. } => {
                format!("one rehome for each VIP; `ps -p {id}` shows the other")
            }
            StoreError::Locked { process: None, .. } => "one rehome for each VIP".to_owned(),
            StoreError::Corrupt { .. } | StoreError::Older { .. } => ADOPT.to_owned(),
            StoreError::Conflict { .. } => {
                "find out who writes it (a copy put back, another machine on that folder), then \
                 start again: it goes on with what is there"
                    .to_owned()
            }
            StoreError::History { path, .. } => {
                let path = path.display();
                format!("`mv {path} {path}.bad`: nothing but what it tells is lost")
            }
            StoreError::Newer { .. } => {
                format!("run the version that wrote it, or a later one; else {ADOPT}")
            }
            StoreError::Io { .. } => {
                "it has to be a directory that this user can write to; --state-dir names another"
                    .to_owned()
            }
        }
    }
}

/// The first line of a record file; all that follows it is the record.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    #[serde(default)]
    revision: u64,
    sha256: String,
}

/// Where the state is: `flag`, else `$STATE_DIRECTORY` (systemd), else `rehome` in
/// `$XDG_STATE_HOME`, else in `~/.local/state`.
///
/// # Errors
/// Where nothing says so.
pub(crate) fn directory(flag: Option<&Path>) -> Result<PathBuf, StoreError> {
    choose(flag, |name| std::env::var(name).ok())
}

fn choose(
    flag: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<PathBuf, StoreError> {
    // The XDG specification has relative paths ignored; systemd never sets any.
    let absolute = |name| {
        let path = PathBuf::from(variable(name)?.split(':').next()?);
        path.is_absolute().then_some(path)
    };
    None.or_else(|| flag.map(Path::to_path_buf))
        .or_else(|| absolute("STATE_DIRECTORY"))
        .or_else(|| Some(absolute("XDG_STATE_HOME")?.join("rehome")))
        .or_else(|| Some(absolute("HOME")?.join(".local/state/rehome")))
        .ok_or(StoreError::Nowhere)
}

/// The record of one VIP, locked.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    record: PathBuf,
    temporary: PathBuf,
    /// Closing it gives the lock back.
    _lock: File,
}

impl Store {
    /// Takes the lock of `vip` in `directory`, which is made if need be.
    ///
    /// # Errors
    /// Where another process holds it, or the directory is unusable or unsafe.
    pub(crate) fn open(directory: &Path, vip: Ipv4Addr) -> Result<Store, StoreError> {
        prepare(directory)?;
        let lock = lock(&directory.join(format!("{vip}.lock")), vip)?;
        Ok(Store {
            directory: directory.to_path_buf(),
            record: record_of(directory, vip),
            temporary: directory.join(format!(".{vip}.json.new")),
            _lock: lock,
        })
    }

    /// The record, if one was ever saved.
    ///
    /// # Errors
    /// Where it is damaged, of a later version, or can't be read.
    fn record<T: DeserializeOwned>(&self) -> Result<Option<T>, StoreError> {
        load(&self.record)
    }

    /// Replaces the record; when this returns, it is on the disk.
    ///
    /// # Errors
    /// Where it couldn't be written; the old record is then still there.
    ///
    /// # Panics
    /// Where `record` has no JSON form (a map with keys that aren't text).
    fn save<T: Serialize>(&self, record: &T, revision: u64) -> Result<Header, StoreError> {
        let record = serde_json::to_vec_pretty(record).expect("a record is made of plain values");
        let header = Header { format: FORMAT, revision, sha256: sha256_hex(&record) };
        let mut bytes = serde_json::to_vec(&header).expect("a header is two plain values");
        bytes.push(b'\n');
        bytes.extend(record);
        replace(&self.record, &self.temporary, &bytes, 0o600)
            .and_then(|()| File::open(&self.directory)?.sync_all())
            .map_err(at(&self.record))?;
        Ok(header)
    }

    /// Moves the record out of the way, under a name that nothing else has; where it is then.
    ///
    /// # Errors
    /// Where it couldn't be moved.
    pub(crate) fn set_aside(&self) -> Result<Option<PathBuf>, StoreError> {
        let free = (1..ASIDE_MAX)
            .map(|number| self.record.with_extension(format!("json.bad-{number}")))
            .find(|path| !path.exists());
        let aside = free.ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists));
        match aside.and_then(|aside| fs::rename(&self.record, &aside).map(|()| aside)) {
            Ok(aside) => Ok(Some(aside)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&self.record)(error)),
        }
    }
}

/// Whether a rehome keeps this VIP in `directory`, or did once.
pub(crate) fn is_kept(directory: &Path, vip: Ipv4Addr) -> bool {
    record_of(directory, vip).exists() || directory.join(format!("{vip}.lock")).exists()
}

/// Where the record of a VIP is.
fn record_of(directory: &Path, vip: Ipv4Addr) -> PathBuf {
    directory.join(format!("{vip}.json"))
}

fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let Some(bytes) = read(path, RECORD_BYTES_MAX)? else { return Ok(None) };
    let corrupt = |why: String| StoreError::Corrupt { path: path.to_path_buf(), why };
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, rest) = bytes.split_at(end.ok_or_else(|| corrupt("it is cut off".to_owned()))?);
    let record = &rest[1..];
    let header: Header = serde_json::from_slice(line)
        .map_err(|error| corrupt(format!("its first line isn't ours: {error}")))?;
    if header.format < FORMAT {
        return Err(StoreError::Older { path: path.to_path_buf(), format: header.format });
    }
    if header.format > FORMAT {
        return Err(StoreError::Newer { path: path.to_path_buf(), format: header.format });
    }
    if sha256_hex(record) != header.sha256 {
        return Err(corrupt("its checksum doesn't fit: cut off, or edited".to_owned()));
    }
    serde_json::from_slice(record).map(Some).map_err(|error| corrupt(error.to_string()))
}

/// Makes the directory, for its owner alone, or looks whether the one that is there is safe.
fn prepare(directory: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .and_then(|()| fs::metadata(directory))
        .map_err(at(directory))
        .and_then(|metadata| match metadata.mode() & 0o7777 {
            mode if mode & 0o022 != 0 => {
                Err(StoreError::Loose { path: directory.to_path_buf(), mode })
            }
            _ => Ok(()),
        })
}

fn lock(path: &Path, vip: Ipv4Addr) -> Result<File, StoreError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = (&file).take(32).read_to_string(&mut text);
            let process = text.trim().parse().ok();
            return Err(StoreError::Locked { vip, path: path.to_path_buf(), process });
        }
        Err(TryLockError::Error(source)) => return Err(at(path)(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(at(path))?;
    Ok(file)
}

/// All of a file that may not exist, unless it is longer than `limit` bytes.
fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path)(error)),
    };
    let mut bytes = Vec::new();
    let length = file.take(limit + 1).read_to_end(&mut bytes).map_err(at(path))?;
    if u64::try_from(length).is_ok_and(|length| length <= limit) {
        Ok(Some(bytes))
    } else {
        let why = format!("it is longer than {limit} bytes");
        Err(StoreError::Corrupt { path: path.to_path_buf(), why })
    }
}

/// Writes `bytes` beside `path`, to the disk, and moves them there in one step.
fn replace(path: &Path, temporary: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_path_buf();
    move |source| StoreError::Io { path, source }
}

#[cfg(test)]
mod tests;
