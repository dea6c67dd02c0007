//! The lab's process: PID 1 of its namespaces, in which EC2, the router and all instances live.
//!
//! One task owns everything that is not the model: it hears of changes of the model, of what
//! instances say, of processes that end, and of commands, and after each of these compares what
//! the model wants with what runs ([`Lab::reconcile`]). Forked `ip` and `nft` block it for some
//! milliseconds, which is what makes every step complete before the next.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Context;
use ec2_model::{Guest, Pace};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::control::{Reply, Request};
use crate::guest::FromGuest;
use crate::machine::{self, LostAddress, Machine};
use crate::router::filter::Loss;
use crate::router::{self, Numbers, State};
use crate::start::{self, Inheritance, Report};
use crate::topology;
use crate::wire;
use crate::world::{World, run_clock};

mod connection;
mod instances;
mod plane;
mod report;
mod requests;

/// Events that may wait for the one task. Those who send more wait in turn.
const MOST_EVENTS: usize = 256;
/// How long a lab may take until its VIP answers: at the pace of real accounts a launch and a
/// boot take 26 s.
const READY_LIMIT: Duration = Duration::from_secs(90);
/// The HTTP port of metadata service and API inside.
const HTTP: u16 = 80;

/// What `lab up` may choose about a lab's inside.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) pace: Pace,
    /// How many Availability Zones, at least three.
    pub(crate) zones: u8,
    /// How many route tables carry the overlay addresses.
    pub(crate) tables: u8,
    /// The lab outlives the command that started it.
    pub(crate) detach: bool,
    /// The lab's name, for people.
    pub(crate) name: String,
}

/// What the lab's task hears of.
enum Event {
    /// An instance's process says something.
    Said { instance: String, serial: u64, what: FromGuest },
    /// An instance's socket has ended.
    HungUp { instance: String, serial: u64 },
    /// A command; the answer goes to `reply`.
    Asked { request: Request, streams: Vec<OwnedFd>, reply: oneshot::Sender<Answer> },
    /// Is the VIP served? `None` while the question makes no sense yet.
    Ping { reply: oneshot::Sender<Option<oneshot::Receiver<i32>>> },
}

/// The answer to a command.
enum Answer {
    /// That is all.
    Reply(Reply),
    /// The command runs as this process; its exit code comes later.
    Running { process: Pid, ended: oneshot::Receiver<i32> },
}

/// What somebody has broken on an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ailment {
    crashed: bool,
    hung: bool,
    cut: bool,
    loss: Loss,
    lost: Vec<LostAddress>,
}

impl Ailment {
    /// Whether nothing that EC2 asks the instance is answered.
    fn is_silent(&self) -> bool {
        self.hung || self.cut || self.loss.from == 100 || self.loss.to == 100
    }
}

/// The one owner of instances and router.
struct Lab {
    world: World,
    endpoint: String,
    machines: BTreeMap<String, Machine>,
    ailments: BTreeMap<String, Ailment>,
    /// What the model was told last of each instance.
    told: BTreeMap<String, Guest>,
    numbers: Numbers,
    /// The router's state as last set; `None` when the kernel must be asked.
    applied: Option<State>,
    /// The packet filter as last loaded.
    filter: String,
    /// The number of the next start.
    serial: u64,
    /// Who waits for a process to end.
    waiting: HashMap<Pid, oneshot::Sender<i32>>,
    /// The client of `down`: its connection ends with this process.
    parting: Option<oneshot::Sender<Answer>>,
    events: mpsc::Sender<Event>,
}

/// Runs the lab until it ends; its exit code.
pub(crate) fn main(inheritance: Inheritance, options: &Options) -> i32 {
    let Ok(mut launcher) = inheritance.launcher.try_clone() else { return 1 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime
        .context("could not start the runtime")
        .and_then(|runtime| runtime.block_on(run(inheritance, options)));
    match ended {
        Ok(()) => {
            Report::Ended.send(&mut launcher);
            0
        }
        Err(error) => {
            Report::Failed(format!("{error:#}")).send(&mut launcher);
            1
        }
    }
}

async fn run(inheritance: Inheritance, options: &Options) -> anyhow::Result<()> {
    let Inheritance { api, control, launcher } = inheritance;
    let endpoint = format!("http://{}", api.local_addr()?);
    let picture = topology::build(options.pace.clone(), options.zones, options.tables)?;
    let world = World::new(picture.ec2);
    serve(&world, api).await?;
    tokio::spawn(run_clock(world.clone()));
    let (events, mut inbox) = mpsc::channel(MOST_EVENTS);
    control.set_nonblocking(true)?;
    let control = UnixListener::from_std(control)?;
    tokio::spawn(connection::accept(control, events.clone()));
    let opening = tokio::spawn(await_vip(events.clone()));
    let mut lab = Lab {
        world: world.clone(),
        endpoint,
        machines: BTreeMap::new(),
        ailments: BTreeMap::new(),
        told: BTreeMap::new(),
        numbers: Numbers::default(),
        applied: None,
        filter: String::new(),
        serial: 1,
        waiting: HashMap::new(),
        parting: None,
        events,
    };
    let mut hears = Hears {
        children: signal(SignalKind::child())?,
        terminate: signal(SignalKind::terminate())?,
        changes: world.changes(),
        launcher: Launcher::new(launcher, options.detach)?,
        opening: Some(opening),
    };
    let ended = lab.work(&mut hears, &mut inbox, options).await;
    lab.end().await;
    ended
}

/// Starts the API on the host's loopback and inside, and the metadata service inside.
async fn serve(world: &World, api: std::net::TcpListener) -> anyhow::Result<()> {
    api.set_nonblocking(true)?;
    let inside = |address: Ipv4Addr| TcpListener::bind((address, HTTP));
    let (outer, inner) = (TcpListener::from_std(api)?, inside(router::API).await?);
    let metadata = inside(router::METADATA).await?;
    tokio::spawn(wire::serve(outer, wire::api(world.clone())));
    tokio::spawn(wire::serve(inner, wire::api(world.clone())));
    tokio::spawn(wire::serve(metadata, wire::metadata(world.clone())));
    Ok(())
}

/// Everything that wakes the lab's task but its inbox.
struct Hears {
    children: Signal,
    terminate: Signal,
    changes: watch::Receiver<u64>,
    launcher: Launcher,
    opening: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

/// The launcher's end, as long as it matters.
struct Launcher {
    socket: UnixStream,
    watched: Option<tokio::net::UnixStream>,
    detach: bool,
}

impl Launcher {
    fn new(socket: UnixStream, detach: bool) -> anyhow::Result<Launcher> {
        let watched = Some(machine::into_async(socket.try_clone()?)?);
        Ok(Launcher { socket, watched, detach })
    }

    /// Returns when the launcher has ended.
    async fn gone(&mut self) {
        match &mut self.watched {
            // It never says anything: whatever comes is its end.
            Some(socket) => drop(socket.read_u8().await),
            None => std::future::pending().await,
        }
    }

    fn say(&mut self, report: &Report) {
        report.send(&mut self.socket);
    }

    /// The lab is ready: a launcher that detaches goes its way.
    fn ready(&mut self, text: String) -> anyhow::Result<()> {
        self.say(&Report::Ready(text));
        if self.detach {
            self.watched = None;
            start::leave_terminal()?;
        }
        Ok(())
    }
}

/// Asks until the VIP answers.
async fn await_vip(events: mpsc::Sender<Event>) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_LIMIT;
    while Instant::now() < deadline {
        let (reply, answer) = oneshot::channel();
        events.send(Event::Ping { reply }).await.ok().context("the lab has ended")?;
        if let Ok(Some(ended)) = answer.await
            && ended.await == Ok(0)
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("{} doesn't answer after {} s", topology::VIP, READY_LIMIT.as_secs())
}

impl Lab {
    /// Works until something asks for the end.
    async fn work(
        &mut self,
        hears: &mut Hears,
        inbox: &mut mpsc::Receiver<Event>,
        options: &Options,
    ) -> anyhow::Result<()> {
        loop {
            let wake = self.reconcile();
            tokio::select! {
                biased;
                _ = hears.children.recv() => self.reap(),
                () = hears.launcher.gone() => return Ok(()),
                _ = hears.terminate.recv() => return Ok(()),
                opened = async { (&mut hears.opening.as_mut().expect("checked")).await },
                    if hears.opening.is_some() =>
                {
                    hears.opening = None;
                    opened.context("the wait for the VIP broke off")?
                        .map_err(|error| self.explain(&error))?;
                    hears.launcher.ready(self.welcome(options))?;
                }
                event = inbox.recv() => {
                    let Some(event) = event else { return Ok(()) };
                    if self.take(event) {
                        return Ok(());
                    }
                }
                _ = hears.changes.changed() => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Acts on an event; whether the lab shall end.
    fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Said { instance, serial, what } => self.listen(&instance, serial, what),
            Event::HungUp { instance, serial } => self.lose(&instance, serial),
            Event::Asked { request: Request::Down, reply, streams: _ } => {
                self.parting = Some(reply);
                return true;
            }
            Event::Asked { request, streams, reply } => {
                let answer = self.answer(request, streams);
                let _gone = reply.send(answer);
            }
            Event::Ping { reply } => {
                let _gone = reply.send(self.ping_vip());
            }
        }
        false
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

/// Tells whoever reads the lab's terminal. It may be gone, which is no reason to end.
fn complain(text: &str) {
    let written = writeln!(io::stderr(), "lab: {text}");
    drop(written);
}
