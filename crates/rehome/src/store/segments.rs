//! Files of lines that grow at their end and are bounded: a present segment, and the one before it.
//!
//! Whoever reads may do so at any time. A line counts when it is ended; what a crash left of one is
//! cut off before the next is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{StoreError, at, read};

/// What is kept of a VIP in segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Decisions, for `why` and `history`.
    History,
    /// Everything that happened, for `replay`.
    Events,
}

impl Kept {
    fn word(self) -> &'static str {
        match self {
            Kept::History => "history",
            Kept::Events => "events",
        }
    }

    /// Bytes of one segment: a decision has one to two thousand, so that a thousand of them stay;
    /// of events one or two hours stay at the default interval.
    pub(crate) fn bytes_max(self) -> u64 {
        match self {
            Kept::History => 1 << 20,
            Kept::Events => 4 << 20,
        }
    }
}

/// Where the present segment is.
pub(crate) fn present(directory: &Path, vip: Ipv4Addr, kept: Kept) -> PathBuf {
    directory.join(format!("{vip}.{}.jsonl", kept.word()))
}

/// Where the one before it is.
pub(crate) fn former(directory: &Path, vip: Ipv4Addr, kept: Kept) -> PathBuf {
    directory.join(format!("{vip}.{}.old.jsonl", kept.word()))
}

/// The VIPs that something is kept of, in order.
pub(crate) fn known(directory: &Path, kept: Kept) -> Result<Vec<Ipv4Addr>, StoreError> {
    let ending = format!(".{}.jsonl", kept.word());
    let mut known = Vec::new();
    for entry in fs::read_dir(directory).map_err(at(directory))? {
        let name = entry.map_err(at(directory))?.file_name();
        let vip = name.to_str().and_then(|name| name.strip_suffix(&ending));
        known.extend(vip.and_then(|vip| vip.parse::<Ipv4Addr>().ok()));
    }
    known.sort_unstable();
    Ok(known)
}

/// The segments of one VIP, to be written.
#[derive(Debug)]
pub(crate) struct Segments {
    present: PathBuf,
    former: PathBuf,
    file: File,
    length: u64,
    bytes_max: u64,
    kept: Kept,
}

impl Segments {
    /// Goes on with the present segment, behind its last whole line.
    pub(crate) fn open(directory: &Path, vip: Ipv4Addr, kept: Kept) -> io::Result<Segments> {
        let present = present(directory, vip, kept);
        let mut file = open(&present)?;
        let length = whole_lines(&mut file)?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        let former = former(directory, vip, kept);
        Ok(Segments { present, former, file, length, bytes_max: kept.bytes_max(), kept })
    }

    /// Adds a line; a full segment is put aside first.
    pub(crate) fn append(&mut self, line: &str) -> io::Result<()> {
        let bytes = format!("{line}\n").into_bytes();
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        // A segment of events begins with a whole controller: whoever has it begins the segment.
        let full = self.length > 0 && self.length.saturating_add(more) > self.bytes_max;
        if full && self.kept == Kept::History {
            self.begin()?;
        }
        self.file.write_all(&bytes)?;
        self.length = self.length.saturating_add(more);
        Ok(())
    }

    /// Puts the present segment aside and begins another.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        if self.length > 0 {
            fs::rename(&self.present, &self.former)?;
        }
        self.file = open(&self.present)?;
        self.file.set_len(0)?;
        self.length = 0;
        Ok(())
    }

    /// Returns when all of it is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// How many bytes the whole lines of a file have. Only its end is looked at.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut end = length;
    let mut piece = vec![0; 64 << 10];
    while end > 0 {
        let start = end.saturating_sub(64 << 10);
        let size = usize::try_from(end - start).unwrap_or(piece.len());
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut piece[..size])?;
        if let Some(last) = piece[..size].iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + u64::try_from(last + 1).unwrap_or(0));
        }
        end = start;
    }
    Ok(0)
}

/// The whole lines of a file, with their numbers; none where there is no such file.
///
/// # Errors
/// Where it can't be read, isn't text, or is longer than a segment ever gets.
pub(crate) fn lines(path: &Path, kept: Kept) -> Result<Option<Vec<(usize, String)>>, StoreError> {
    // A single line may be longer than what is left of a segment.
    let Some(bytes) = read(path, kept.bytes_max() * 2)? else { return Ok(None) };
    let corrupt = |why: &str| StoreError::Corrupt { path: path.to_path_buf(), why: why.to_owned() };
    let text = String::from_utf8(bytes).map_err(|_| corrupt("it isn't text"))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned()));
    Ok(Some(lines.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);

    fn fresh(name: &str) -> PathBuf {
        let name = format!("rehome-segments-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).unwrap();
        path
    }

    fn texts(path: &Path) -> Vec<String> {
        let lines = lines(path, Kept::History).unwrap().unwrap_or_default();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn what_a_crash_left_of_a_line_is_not_read_and_is_cut_off_before_the_next() {
        let directory = fresh("torn");
        let path = present(&directory, VIP, Kept::History);
        fs::write(&path, "one\ntwo\nthr").unwrap();
        assert_eq!(texts(&path), ["one", "two"]);
        let mut segments = Segments::open(&directory, VIP, Kept::History).unwrap();
        segments.append("four").unwrap();
        segments.sync().unwrap();
        assert_eq!(texts(&path), ["one", "two", "four"]);
        fs::write(&path, "nothing whole").unwrap();
        let mut segments = Segments::open(&directory, VIP, Kept::History).unwrap();
        segments.append("first").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn two_segments_are_kept_and_no_more() {
        let directory = fresh("bound");
        let line = "x".repeat(100 << 10);
        let mut segments = Segments::open(&directory, VIP, Kept::History).unwrap();
        for _ in 0..35 {
            segments.append(&line).unwrap();
        }
        let size = |path: PathBuf| fs::metadata(path).unwrap().len();
        let (now, before) = (
            size(present(&directory, VIP, Kept::History)),
            size(former(&directory, VIP, Kept::History)),
        );
        assert!(now <= Kept::History.bytes_max() && before <= Kept::History.bytes_max());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
        assert_eq!(known(&directory, Kept::History).unwrap(), [VIP]);
        fs::remove_dir_all(&directory).unwrap();
    }
}
