//! Pauses: while one is in force, nothing is changed.
//!
//! A file for one VIP or for all, written by a person's command and read by the process that keeps
//! the VIP. It survives restarts and always has an end. A file that can't be understood counts as a
//! pause: somebody meant to stop us, and acting is what can't be undone.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rehome_core::time::Unix;
use serde::{Deserialize, Serialize};

use super::{StoreError, at, prepare, read, replace};

/// A pause file is three short values.
const PAUSE_BYTES_MAX: u64 = 16 << 10;

/// What a pause is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// One VIP.
    Vip(Ipv4Addr),
    /// Every VIP whose state is in the directory.
    All,
}

/// Somebody's wish that nothing be changed for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pause {
    /// When it ends.
    pub(crate) until: Unix,
    /// Who asked for it.
    pub(crate) by: String,
    /// Why.
    pub(crate) reason: String,
}

/// A pause that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InForce {
    /// As somebody asked for it.
    Asked(Pause),
    /// There is a pause file, but what it says can't be made out; in force until it is gone.
    Unclear {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The pause that is in force for `vip` at `now`: of several the one that ends last.
#[must_use]
pub(crate) fn read_pause(directory: &Path, vip: Ipv4Addr, now: Unix) -> Option<InForce> {
    let mut last: Option<Pause> = None;
    for scope in [Scope::Vip(vip), Scope::All] {
        match load(&path(directory, scope)) {
            Ok(None) => {}
            Ok(Some(pause)) if pause.until <= now => {}
            Ok(Some(pause)) if last.as_ref().is_some_and(|last| last.until >= pause.until) => {}
            Ok(Some(pause)) => last = Some(pause),
            Err(why) => return Some(InForce::Unclear { path: path(directory, scope), why }),
        }
    }
    last.map(InForce::Asked)
}

/// Puts a pause in force, in place of the one that `scope` has.
///
/// # Errors
/// Where it couldn't be written.
pub(crate) fn write_pause(directory: &Path, scope: Scope, pause: &Pause) -> Result<(), StoreError> {
    prepare(directory)?;
    let path = path(directory, scope);
    let bytes = serde_json::to_vec_pretty(pause).expect("a pause is three plain values");
    // Whoever keeps the VIP must be able to read what root wrote; the directory keeps others out.
    replace(&path, &path.with_extension("new"), &bytes, 0o644).map_err(at(&path))
}

/// Ends the pause of `scope`; false where there is none.
///
/// # Errors
/// Where it couldn't be removed.
pub(crate) fn clear_pause(directory: &Path, scope: Scope) -> Result<bool, StoreError> {
    let path = path(directory, scope);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at(&path)(error)),
    }
}

fn path(directory: &Path, scope: Scope) -> PathBuf {
    match scope {
        Scope::Vip(vip) => directory.join(format!("{vip}.pause.json")),
        Scope::All => directory.join("all.pause.json"),
    }
}

fn load(path: &Path) -> Result<Option<Pause>, String> {
    match read(path, PAUSE_BYTES_MAX) {
        Ok(None) => Ok(None),
        Ok(Some(bytes)) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
