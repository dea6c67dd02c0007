//! Readings of many addresses, put together: EC2 is asked about all instances of a zone at once,
//! and once where several addresses ask the same. So the calls of a process grow with zones and
//! pages, not with addresses.
//!
//! How long a reading may wait is the core's to say. What must not wait takes along what waits. An
//! answer was asked for later than the one who wanted it believes, never earlier.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use rehome_core::call::{Call, Reply};
use rehome_core::fault::CallError;
use rehome_core::names::InstanceId;
use tokio::sync::oneshot::{Sender, channel};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};

use crate::aws::client::Aws;

/// `DescribeInstances` names at most so many ids (EC2 API reference).
const INSTANCES_MAX: usize = 1_000;

/// `DescribeInstanceStatus` likewise.
const STATUSES_MAX: usize = 100;

type Answer = Result<Reply, CallError>;
type Fetch = Box<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Answer>>>>;

/// Where the readings of one process go.
pub(crate) struct Reads {
    fetch: Fetch,
    waiting: RefCell<Vec<(Call, Sender<Answer>)>>,
    /// When what waits is sent without anything more.
    due: Cell<Option<Instant>>,
}

/// Readings that one call answers.
struct Batch {
    call: Call,
    askers: Vec<(Vec<InstanceId>, Sender<Answer>)>,
}

impl Reads {
    /// Readings of this account.
    pub(crate) fn of(aws: &Aws) -> Rc<Reads> {
        let aws = aws.clone();
        Reads::by(Box::new(move |call| {
            let aws = aws.clone();
            Box::pin(async move { aws.call(&call, None).await })
        }))
    }

    fn by(fetch: Fetch) -> Rc<Reads> {
        Rc::new(Reads { fetch, waiting: RefCell::default(), due: Cell::new(None) })
    }

    /// Asks, after `patience` at the latest; the answer is an error where the process ends first.
    pub(crate) fn read(
        self: &Rc<Reads>,
        call: Call,
        patience: Duration,
    ) -> impl Future<Output = Answer> + use<> {
        let (sender, answer) = channel();
        self.waiting.borrow_mut().push((call, sender));
        let by = Instant::now() + patience;
        if self.due.get().is_none_or(|due| by < due) {
            self.due.set(Some(by));
            // At once is not before the others of the same moment are there.
            self.send_after(patience);
        }
        async { answer.await.unwrap_or_else(|_| Err(CallError::NotSent("the end".to_owned()))) }
    }

    fn send_after(self: &Rc<Reads>, time: Duration) {
        let reads = Rc::clone(self);
        spawn_local(async move {
            if !time.is_zero() {
                sleep(time).await;
            }
            reads.send();
        });
    }

    /// Sends everything that waits.
    pub(crate) fn send(&self) {
        self.due.set(None);
        let waiting = self.waiting.take();
        for batch in batches(waiting) {
            let answer = (self.fetch)(batch.call);
            spawn_local(async move {
                let answer = answer.await;
                for (ids, asker) in batch.askers {
                    // Whoever asked may have ended meanwhile.
                    let _ = asker.send(part_of(&answer, &ids));
                }
            });
        }
    }
}

/// As few calls as answer all of it.
fn batches(waiting: Vec<(Call, Sender<Answer>)>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut open: BTreeMap<String, usize> = BTreeMap::new();
    for (call, asker) in waiting {
        let (key, ids, most) = kind_of(&call);
        let known = open.get(&key).copied();
        match known.filter(|index| batches[*index].takes(&ids, most)) {
            Some(index) => batches[index].askers.push((ids, asker)),
            None => {
                open.insert(key, batches.len());
                batches.push(Batch { call, askers: vec![(ids, asker)] });
            }
        }
    }
    batches
}

/// What a call can be put together with, the ids it names, and how many a call may name.
fn kind_of(call: &Call) -> (String, Vec<InstanceId>, usize) {
    match call {
        Call::Instances { az, ids } => (format!("instances {az}"), ids.to_vec(), INSTANCES_MAX),
        Call::Statuses { az, ids } => (format!("statuses {az}"), ids.to_vec(), STATUSES_MAX),
        Call::Tables { .. }
        | Call::Path { .. }
        | Call::Zones
        | Call::Listed { .. }
        | Call::Launched { .. }
        | Call::Launch(_)
        | Call::DisableSourceDestCheck { .. }
        | Call::ReplaceRoute { .. }
        | Call::CreateRoute { .. }
        | Call::Stop { .. }
        | Call::Terminate { .. } => (format!("{call:?}"), Vec::new(), 0),
    }
}

impl Batch {
    /// Takes these ids in as well, if there is room.
    fn takes(&mut self, more: &[InstanceId], most: usize) -> bool {
        let (Call::Instances { ids, .. } | Call::Statuses { ids, .. }) = &mut self.call else {
            return true;
        };
        let mut all: Vec<InstanceId> = ids.iter().chain(more).cloned().collect();
        all.sort();
        all.dedup();
        let fits = all.len() <= most;
        if fits {
            *ids = all;
        }
        fits
    }
}

/// What an answer says to one who asked about these ids.
fn part_of(answer: &Answer, ids: &[InstanceId]) -> Answer {
    Ok(match answer.as_ref().map_err(Clone::clone)? {
        Reply::Instances(all) if !ids.is_empty() => {
            Reply::Instances(all.iter().filter(|one| ids.contains(&one.id)).cloned().collect())
        }
        Reply::Statuses(all) => {
            let asked = all.iter().filter(|one| ids.contains(&one.instance));
            Reply::Statuses(asked.cloned().collect())
        }
        same @ (Reply::Instances(_)
        | Reply::Tables(_)
        | Reply::Path(_)
        | Reply::Zones(_)
        | Reply::Launched(_)
        | Reply::Done) => same.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rehome_core::world::{Check, Status};
    use tokio::runtime::Builder;
    use tokio::task::LocalSet;

    fn id(number: usize) -> InstanceId {
        format!("i-{number:017x}").parse().unwrap()
    }

    fn statuses(az: &str, number: usize) -> Call {
        Call::Statuses { az: az.parse().unwrap(), ids: [id(number)].into() }
    }

    /// Asks all of it at once; the calls that were made, and the answers.
    fn asked(calls: Vec<(Call, Duration)>) -> (Vec<Call>, Vec<Answer>) {
        let made: Rc<RefCell<Vec<Call>>> = Rc::default();
        let seen = Rc::clone(&made);
        let reads = Reads::by(Box::new(move |call: Call| {
            seen.borrow_mut().push(call.clone());
            Box::pin(async move {
                if call == Call::Zones {
                    return Err(CallError::NoAnswer("nobody".to_owned()));
                }
                let Call::Statuses { ids, .. } = call else { return Ok(Reply::Tables(Vec::new())) };
                let status = |id: &InstanceId| Status {
                    instance: id.clone(),
                    system: Check::Ok,
                    guest: Check::Ok,
                    ebs: Check::Ok,
                    events: Vec::new(),
                };
                Ok(Reply::Statuses(ids.iter().map(status).collect()))
            })
        }));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let answers = LocalSet::new().block_on(&runtime, async {
            let all: Vec<_> =
                calls.into_iter().map(|(call, patience)| reads.read(call, patience)).collect();
            let mut answers = Vec::new();
            for one in all {
                answers.push(one.await);
            }
            answers
        });
        let made = made.borrow().clone();
        (made, answers)
    }

    #[test]
    fn a_zone_is_asked_about_once_and_everybody_hears_of_their_own() {
        let wait = Duration::from_millis(20);
        let calls = (0..150).map(|number| (statuses("us-east-1a", number), wait));
        let calls = calls.chain([(statuses("us-east-1b", 7), wait)]);
        let (made, answers) = asked(calls.collect());
        let count = |call: &Call| kind_of(call).1.len();
        assert_eq!(made.iter().map(count).collect::<Vec<_>>(), [100, 50, 1]);
        for (number, answer) in answers.iter().take(150).enumerate() {
            let Ok(Reply::Statuses(told)) = answer else { panic!("{answer:?}") };
            assert_eq!(told.len(), 1);
            assert_eq!(told[0].instance, id(number));
        }
    }

    #[test]
    fn the_same_question_is_put_once_and_an_error_is_everybodys() {
        let tables = || Call::Tables { vpc: "vpc-0123abcd".parse().unwrap() };
        let wait = Duration::from_millis(20);
        let calls =
            vec![(tables(), wait), (Call::Zones, wait), (tables(), wait), (Call::Zones, wait)];
        let (made, answers) = asked(calls);
        assert_eq!(made, [tables(), Call::Zones]);
        assert!(answers[0].is_ok() && answers[2].is_ok());
        assert!(answers[1].is_err() && answers[1] == answers[3]);
    }

    #[test]
    fn what_must_not_wait_takes_along_what_waits() {
        let long = Duration::from_secs(3_600);
        let calls = vec![
            (statuses("us-east-1a", 1), long),
            (statuses("us-east-1a", 2), Duration::ZERO),
            (statuses("us-east-1a", 3), long),
        ];
        assert_eq!(asked(calls).0.len(), 1);
    }
}
