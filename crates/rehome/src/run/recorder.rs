//! What is written down beside the record: decisions, for `why` and `history`.
//!
//! A thread of its own writes, so that a slow disk never holds up the watching. What can't be
//! written is told once; then nothing more is, and the watching goes on.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rehome_core::decision::Decision;

use crate::store::segments::{Kept, Segments};

/// Lines that wait to be written; more than a slow disk leaves waiting in a second of a burst.
const WAITING_MAX: usize = 1_024;

/// One thing to write.
enum Job {
    /// A decision; on the disk before the next thing is written.
    Decision(String),
}

/// Writes down what happens to one VIP.
#[derive(Debug)]
pub(crate) struct Recorder {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Begins to write into `directory`.
    pub(crate) fn start(directory: &Path, vip: Ipv4Addr) -> Recorder {
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        let directory = directory.to_path_buf();
        let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            if let Err(error) = write_all(&directory, vip, &waiting) {
                tracing::warn!(%error, "decisions are no longer written down; watching goes on");
            }
        });
        match thread {
            Ok(thread) => Recorder { jobs: Some(jobs), thread: Some(thread) },
            Err(error) => {
                tracing::warn!(%error, "decisions aren't written down");
                Recorder { jobs: None, thread: None }
            }
        }
    }

    /// Writes a decision down.
    pub(crate) fn decision(&mut self, decision: &Decision) {
        let line = serde_json::to_string(decision).expect("a decision is made of plain values");
        self.give(Job::Decision(line));
    }

    /// Hands a job over; false where it could not be taken.
    fn give(&mut self, job: Job) -> bool {
        let Some(jobs) = &self.jobs else { return false };
        match jobs.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                tracing::debug!("the disk is slow; something isn't written down");
                false
            }
            Err(TrySendError::Disconnected(_)) => {
                self.jobs = None;
                false
            }
        }
    }
}

impl Drop for Recorder {
    /// What waits is written before the process ends.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It can't panic but by a defect, which it has told itself.
            drop(thread.join());
        }
    }
}

fn write_all(directory: &Path, vip: Ipv4Addr, waiting: &Receiver<Job>) -> io::Result<()> {
    let mut history = Segments::open(directory, vip, Kept::History)?;
    for job in waiting {
        match job {
            Job::Decision(line) => {
                history.append(&line)?;
                history.sync()?;
            }
        }
    }
    Ok(())
}
