//! The loop: one event in, its actions out, in order.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use rehome_core::call::{Call, Reply};
use rehome_core::controller::{Action, CallId, Controller, Event};
use rehome_core::fault::CallError;
use rehome_core::names::SubnetId;
use rehome_core::net::Vip;
use rehome_core::probe::ProbeId;
use rehome_core::record::Record;
use rehome_core::say::Line;
use rehome_core::time::Mono;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::sleep_until;

use super::begin::instant;
use super::fleet::Hand;
use super::reads::Reads;
use super::recorder::Recorder;
use crate::aws::client::Aws;
use crate::clock;
use crate::fail::{FAILED, Failure, Problem};
use crate::hook::{Facts, Hook};
use crate::icmp::prober::{Answer, Prober};
use crate::notify::Notify;
use crate::output::Output;
use crate::pause::wall;
use crate::store::StoreError;
use crate::store::journal::{Journal, Version};
use crate::store::pause::{InForce, read_pause};

/// How often the pause file is looked for; it is also looked for before each call that changes
/// something.
const PAUSE_EVERY: Duration = Duration::from_secs(1);

/// Answers that wait to be taken; a call whose answer finds no room waits with it.
const CALLS_MAX: usize = 64;

/// How long the last messages to `--notify-exec` are waited for.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Everything that the loop holds.
pub(crate) struct Watch {
    pub(crate) controller: Controller,
    pub(crate) aws: Aws,
    /// Readings are put together with those of the process's other addresses, where it has any.
    pub(crate) reads: Option<Rc<Reads>>,
    pub(crate) prober: Prober,
    pub(crate) journal: Box<dyn Journal>,
    /// What was read or written last.
    pub(crate) version: Option<Version>,
    pub(crate) directory: PathBuf,
    pub(crate) output: Output,
    pub(crate) hook: Option<Hook>,
    pub(crate) notify: Option<Notify>,
    pub(crate) hand: Rc<Hand>,
    pub(crate) user_data: BTreeMap<SubnetId, String>,
    pub(crate) vip: Vip,
    pub(crate) recorder: Recorder,
}

type Done = (CallId, Result<Reply, CallError>);

impl Watch {
    /// Runs until the core says that it is over.
    pub(crate) async fn run(mut self: Box<Self>) -> Result<ExitCode, Failure> {
        let (done, mut came) = channel::<Done>(CALLS_MAX);
        let mut events = VecDeque::from([self.pause_event(), Event::Tick]);
        let mut paused_at = clock::mono();
        if let Some(notify) = &self.notify {
            notify.ready();
        }
        loop {
            while let Some(event) = events.pop_front() {
                tracing::debug!(event = ?Brief(&event), "event");
                let now = clock::mono();
                let pending = self.recorder.before(now, &event, &self.controller);
                let actions = self.controller.handle(now, event);
                self.recorder.after(pending, &actions);
                self.hand.is_moving.set(self.controller.record().moving.is_some());
                match self.perform(actions, &done, &mut events) {
                    Flow::On => {}
                    Flow::Ended => return self.end(Ok(ExitCode::SUCCESS)).await,
                    Flow::Conflict(failure) => return self.end(Err(failure)).await,
                }
            }
            if let Some(notify) = &self.notify {
                notify.watchdog();
            }
            let event = self.next(&mut came).await;
            if clock::mono().since(paused_at) >= PAUSE_EVERY {
                paused_at = clock::mono();
                events.push_back(self.pause_event());
            }
            events.push_back(event);
        }
    }

    /// The next thing that happens. What has come is taken before the time is: an answer that waits
    /// in a socket must not be counted as lost.
    async fn next(&mut self, came: &mut Receiver<Done>) -> Event {
        let now = clock::mono();
        // At least once a second: for the pause file, and for systemd's watchdog.
        let soon = now + PAUSE_EVERY;
        let at = self.controller.next_wakeup().map_or(soon, |wakeup| wakeup.at.min(soon));
        let mut answers: Vec<Answer> = Vec::new();
        tokio::select! {
            biased;
            () = self.prober.answers(&mut answers) => Event::Answers(
                answers.iter().map(|answer| (ProbeId(answer.probe), answer.at)).collect(),
            ),
            Some((id, result)) = came.recv() => Event::CallDone(id, Box::new(result)),
            () = self.hand.end.notified() => Event::Stop,
            () = sleep_until(instant(at, now)) => Event::Tick,
        }
    }

    fn is_paused(&self) -> bool {
        read_pause(&self.directory, self.vip.address, clock::unix()).is_some()
    }

    fn pause_event(&self) -> Event {
        let pause = read_pause(&self.directory, self.vip.address, clock::unix());
        Event::Paused(pause.map(|pause| match pause {
            InForce::Asked(pause) => {
                let why = if pause.reason.is_empty() { "no reason given" } else { &pause.reason };
                format!("by {} until {} ({why})", pause.by, wall(pause.until))
            }
            InForce::Unclear { path, why } => {
                format!("{} can't be made out ({why})", path.display())
            }
        }))
    }

    /// Does what the core says, in order.
    fn perform(
        &mut self,
        actions: Vec<Action>,
        done: &Sender<Done>,
        events: &mut VecDeque<Event>,
    ) -> Flow {
        let mut durable = true;
        for action in actions {
            match action {
                Action::Probe { probe, source, target } => {
                    tracing::debug!(probe = probe.0, ?source, %target, "probe");
                    if let Err(why) = self.prober.send(probe.0, source, target) {
                        tracing::debug!(probe = probe.0, %target, why, "probe not sent");
                        events.push_back(Event::Unsent(probe, why));
                    }
                }
                Action::Persist(record) => match self.persist(&record) {
                    Ok(true) => {}
                    Ok(false) => {
                        durable = false;
                        // Before anything else: until the core knows, it takes the record for
                        // durable, and what it would send next might need it.
                        events.push_front(Event::NotPersisted);
                    }
                    Err(failure) => return Flow::Conflict(failure),
                },
                Action::Call { id, call, .. } if call.mutates() && !durable => {
                    let why = CallError::NotSent("the state could not be written".to_owned());
                    events.push_back(Event::CallDone(id, Box::new(Err(why))));
                }
                Action::Call { id, call, .. } if call.mutates() && self.is_paused() => {
                    let why = CallError::NotSent("paused".to_owned());
                    events.push_back(self.pause_event());
                    events.push_back(Event::CallDone(id, Box::new(Err(why))));
                }
                Action::Call { id, call, not_after, patience } => {
                    self.send(id, call, (not_after, patience), done.clone());
                }
                Action::Hurry => {
                    if let Some(reads) = &self.reads {
                        reads.send();
                    }
                }
                Action::Note(decision) => {
                    tracing::debug!(%decision, "decided");
                    self.recorder.decision(&decision);
                }
                Action::Say(line) => self.say(&line),
                Action::Exit => return Flow::Ended,
            }
        }
        Flow::On
    }

    /// Writes the record against the version that was read; whether it is durable now.
    ///
    /// # Errors
    /// Where somebody else wrote it: what we know isn't what is so, and nothing may follow.
    fn persist(&mut self, record: &Record) -> Result<bool, Failure> {
        match self.journal.compare_and_set(self.version.as_ref(), record) {
            Ok(version) => {
                self.version = Some(version);
                Ok(true)
            }
            Err(error @ StoreError::Conflict { .. }) => {
                self.say(&Line::Held { why: format!("{error}; nothing more is changed") });
                Err(Failure::new(FAILED, Problem::of(&error, Some(error.hint()))))
            }
            Err(error) => {
                let error = Problem::of(&error, None).what;
                tracing::error!(error, "nothing will be changed until the state can be written");
                Ok(false)
            }
        }
    }

    /// Sends a call on a task of its own; its answer comes back as an event.
    fn send(
        &self,
        id: CallId,
        call: Call,
        (not_after, patience): (Mono, Duration),
        done: Sender<Done>,
    ) {
        if let Some(reads) = self.reads.as_ref().filter(|_| !call.mutates()) {
            let answer = reads.read(call, patience);
            tokio::task::spawn_local(async move {
                let _ = done.send((id, answer.await)).await;
            });
            return;
        }
        let aws = self.aws.clone();
        let user_data = match &call {
            Call::Launch(launch) => self.user_data.get(&launch.subnet).cloned(),
            Call::Instances { .. }
            | Call::Listed { .. }
            | Call::Statuses { .. }
            | Call::Tables { .. }
            | Call::Path { .. }
            | Call::Zones
            | Call::Launched { .. }
            | Call::DisableSourceDestCheck { .. }
            | Call::ReplaceRoute { .. }
            | Call::CreateRoute { .. }
            | Call::Stop { .. }
            | Call::Terminate { .. } => None,
        };
        tokio::spawn(async move {
            let result = if clock::mono() > not_after {
                Err(CallError::NotSent("too late".to_owned()))
            } else {
                aws.call(&call, user_data.as_deref()).await
            };
            // The loop may be over: then nobody needs the answer.
            let _ = done.send((id, result)).await;
        });
    }

    fn say(&self, line: &Line) {
        self.output.say(line);
        if let (Line::Status { .. }, Some(notify)) = (line, &self.notify) {
            notify.status(&line.to_string());
        }
        tracing::debug!(evidence = ?self.controller.evidence(clock::mono()), "verdict rests on");
        if let (Some(occasion), Some(hook)) = (line.occasion(), &self.hook) {
            hook.tell(self.facts(occasion, line));
        }
    }

    fn facts(&self, occasion: &str, line: &Line) -> Facts {
        let record = self.controller.record();
        let facts = [
            ("EVENT", occasion.to_owned()),
            ("VIP", self.vip.to_string()),
            ("HOLDER", record.holder.instance.to_string()),
            ("AZ", record.holder.az.to_string()),
            ("GENERATION", record.generation.to_string()),
            ("MESSAGE", line.to_string()),
        ];
        facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    async fn end(self, how: Result<ExitCode, Failure>) -> Result<ExitCode, Failure> {
        drop(self.notify);
        if let Some(hook) = self.hook {
            hook.close(LAST_WORDS).await;
        }
        how
    }
}

/// How the loop goes on.
enum Flow {
    On,
    Ended,
    /// Somebody else keeps the record.
    Conflict(Failure),
}

/// An event in a log: what came, without the bulk of it.
pub(crate) struct Brief<'a>(pub(crate) &'a Event);

impl std::fmt::Debug for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Event::Answers(answers) => write!(f, "answers {:?}", answers),
            Event::Unsent(probe, why) => write!(f, "unsent {} {why}", probe.0),
            Event::CallDone(id, result) => match result.as_ref() {
                Ok(_) => write!(f, "call {} done", id.0),
                Err(error) => write!(f, "call {} failed: {error}", id.0),
            },
            Event::Paused(why) => write!(f, "paused {why:?}"),
            Event::Stop => f.write_str("stop"),
            Event::NotPersisted => f.write_str("not persisted"),
            Event::Tick => f.write_str("tick"),
        }
    }
}
