//! What is written down beside the record: decisions, for `why` and `history`, and everything that
//! happened, for `replay`.
//!
//! A thread of its own writes, so that a slow disk never holds up the watching. What can't be
//! written is told once; then nothing more is, and the watching goes on.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rehome_core::controller::{Action, Controller, Event};
use rehome_core::decision::Decision;
use rehome_core::time::Mono;
use serde_json::Value;

use crate::clock;
use crate::redact::Redactor;
use crate::store::segments::{Kept, Segments, present};
use crate::trace;

/// Lines that wait to be written; more than a slow disk leaves waiting in a second of a burst.
const WAITING_MAX: usize = 1_024;

/// After lines were lost, a recording begins anew at most this often: it takes a whole controller.
const ANEW_EVERY: Duration = Duration::from_secs(5);

/// One thing to write.
enum Job {
    /// A decision; on the disk before the next thing is written.
    Decision(String),
    /// The beginning of a recording, in a new segment if the present one is full.
    Head(String, bool),
    /// What happened.
    Step(String),
}

/// Writes down what happens to one VIP.
#[derive(Debug)]
pub(crate) struct Recorder {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    redactor: Redactor,
    /// Bytes of the present segment of events.
    length: u64,
    /// Whether a head was written and every event since.
    whole: bool,
    /// Whether events can't be written any more.
    over: Arc<AtomicBool>,
    head_at: Option<Mono>,
}

/// An event that is about to be handled.
pub(crate) struct Pending {
    at: Mono,
    event: Value,
}

impl Recorder {
    /// Begins to write into `directory`.
    pub(crate) fn start(directory: &Path, vip: Ipv4Addr) -> Recorder {
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        let there = std::fs::metadata(present(directory, vip, Kept::Events));
        let directory = directory.to_path_buf();
        let over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&over);
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || write_all(&directory, vip, &waiting, &theirs));
        let (jobs, thread) = match thread {
            Ok(thread) => (Some(jobs), Some(thread)),
            Err(error) => {
                tracing::warn!(%error, "nothing is recorded");
                (None, None)
            }
        };
        Recorder {
            jobs,
            thread,
            redactor: Redactor::new(),
            length: there.map_or(0, |there| there.len()),
            whole: false,
            over,
            head_at: None,
        }
    }

    /// Takes note of an event before `controller` handles it.
    pub(crate) fn before(
        &mut self,
        at: Mono,
        event: &Event,
        controller: &Controller,
    ) -> Option<Pending> {
        if self.jobs.is_none() || self.over.load(Ordering::Relaxed) {
            return None;
        }
        let full = self.length >= Kept::Events.bytes_max();
        if !self.whole || full {
            if self.head_at.is_some_and(|before| at.since(before) < ANEW_EVERY) {
                self.whole = false;
                return None;
            }
            self.head_at = Some(at);
            let head = trace::head(controller, clock::both(), &self.redactor);
            let length = bytes(&head);
            self.whole = self.give(Job::Head(head, full));
            self.length = if full { length } else { self.length + length };
        }
        self.whole.then(|| Pending { at, event: trace::event(event, &self.redactor) })
    }

    /// Writes the event down together with what was done about it.
    pub(crate) fn after(&mut self, pending: Option<Pending>, actions: &[Action]) {
        let Some(Pending { at, event }) = pending else { return };
        let step = trace::step(at, event, actions, &self.redactor);
        self.length += bytes(&step);
        self.whole = self.give(Job::Step(step));
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

fn bytes(line: &str) -> u64 {
    u64::try_from(line.len()).unwrap_or(u64::MAX).saturating_add(1)
}

/// Writes what comes. Of the two files one may fail and the other go on.
fn write_all(directory: &Path, vip: Ipv4Addr, waiting: &Receiver<Job>, over: &AtomicBool) {
    let told = |what: &str, error: io::Error| {
        tracing::warn!(%error, "{what} are no longer written down; watching goes on");
    };
    let open = |kept| Segments::open(directory, vip, kept);
    let mut history = open(Kept::History).map_err(|error| told("decisions", error)).ok();
    let mut events = open(Kept::Events).map_err(|error| told("events", error)).ok();
    for job in waiting {
        over.store(events.is_none(), Ordering::Relaxed);
        match &job {
            Job::Decision(line) => {
                let Some(file) = &mut history else { continue };
                if let Err(error) = file.append(line).and_then(|()| file.sync()) {
                    told("decisions", error);
                    history = None;
                }
            }
            Job::Head(..) | Job::Step(_) => {
                let Some(file) = &mut events else { continue };
                let written = match &job {
                    Job::Head(line, true) => file.begin().and_then(|()| file.append(line)),
                    Job::Head(line, false) | Job::Step(line) | Job::Decision(line) => {
                        file.append(line)
                    }
                };
                if let Err(error) = written {
                    told("events", error);
                    events = None;
                }
            }
        }
    }
}
