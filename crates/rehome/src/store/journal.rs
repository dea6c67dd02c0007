//! The journal: one record for each VIP, written by compare-and-set.
//!
//! Whoever writes says which version it read; a store that has moved on since then refuses, and the
//! writer stops. The local file is one store, behind its lock; one that several machines share can
//! stand behind the same trait.

use std::io::{BufRead as _, BufReader, Read as _};

use rehome_core::record::Record;
use serde::Serialize;

use super::{Header, RECORD_BYTES_MAX, Store, StoreError, at};

/// Names one writing of a record; what it is made of is the store's matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version(String);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a record is kept.
pub(crate) trait Journal {
    /// The record with its version, if one was ever written.
    ///
    /// # Errors
    /// Where it is damaged, of another format, or can't be read.
    fn load(&self) -> Result<Option<(Record, Version)>, StoreError>;

    /// Replaces the version `expected` by `record`; when this returns, it is durable.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where another version is there; else where it couldn't be written,
    /// and the old one is still there.
    fn compare_and_set(
        &self,
        expected: Option<&Version>,
        record: &Record,
    ) -> Result<Version, StoreError>;
}

impl Journal for Store {
    fn load(&self) -> Result<Option<(Record, Version)>, StoreError> {
        let Some(record) = self.record::<Record>()? else { return Ok(None) };
        Ok(Some(record).zip(self.version()?))
    }

    /// The lock keeps other processes away that know of it, so between the look and the writing
    /// nobody else writes; what a person or a copied file did before is found out.
    fn compare_and_set(
        &self,
        expected: Option<&Version>,
        record: &Record,
    ) -> Result<Version, StoreError> {
        self.swap(expected, record, record.revision)
    }
}

impl Store {
    fn swap<T: Serialize>(
        &self,
        expected: Option<&Version>,
        record: &T,
        revision: u64,
    ) -> Result<Version, StoreError> {
        let found = self.version()?;
        if found.as_ref() != expected {
            let word = |version: Option<&Version>| {
                version.map_or("none".to_owned(), |version| version.to_string())
            };
            return Err(StoreError::Conflict {
                path: self.record.clone(),
                expected: word(expected),
                found: word(found.as_ref()),
            });
        }
        Ok(version_of(&self.save(record, revision)?))
    }

    /// The version that is there, by the file's first line.
    fn version(&self) -> Result<Option<Version>, StoreError> {
        let file = match std::fs::File::open(&self.record) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&self.record)(error)),
        };
        let mut line = Vec::new();
        let mut file = BufReader::new(file.take(RECORD_BYTES_MAX));
        file.read_until(b'\n', &mut line).map_err(at(&self.record))?;
        Ok(Some(match serde_json::from_slice::<Header>(&line) {
            Ok(header) => version_of(&header),
            Err(_) => Version("one that isn't ours".to_owned()),
        }))
    }
}

/// The revision, and enough of the checksum to tell two of the same number apart.
fn version_of(header: &Header) -> Version {
    let digest = header.sha256.get(..12).unwrap_or_default();
    Version(format!("{} ({digest})", header.revision))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn what_somebody_else_wrote_since_is_never_written_over() {
        let name = format!("rehome-journal-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let store = Store::open(&directory, Ipv4Addr::new(10, 0, 0, 10)).unwrap();
        let first = store.swap(None, &"one", 1).unwrap();
        let kept = std::fs::read(&store.record).unwrap();
        let second = store.swap(Some(&first), &"two", 2).unwrap();
        let refused = |expected: Option<&Version>| {
            let error = store.swap(expected, &"mine", 3).unwrap_err();
            assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
            error.to_string()
        };
        // Written twice from the same reading; written as if there were none.
        let told = refused(Some(&first));
        assert!(told.contains("revision 1 (") && told.contains(", 2 ("), "{told}");
        refused(None);
        // An older copy put back; another text under the same number; a file that was removed.
        std::fs::write(&store.record, kept).unwrap();
        refused(Some(&second));
        store.save(&"other", 2).unwrap();
        refused(Some(&second));
        std::fs::remove_file(&store.record).unwrap();
        let told = refused(Some(&second));
        assert!(told.ends_with("none is there"), "{told}");
        std::fs::write(&store.record, "not ours").unwrap();
        refused(Some(&second));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
