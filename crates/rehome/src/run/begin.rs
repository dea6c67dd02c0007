//! From the flags to a controller: the survey until AWS answers, the core's assessment, user data
//! for every subnet, and what is printed before watching.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rehome_core::controller::{Controller, Setup};
use rehome_core::digest::sha256_hex;
use rehome_core::fault::CallError;
use rehome_core::names::SubnetId;
use rehome_core::preflight::{Order, Snapshot, Start, assess};
use rehome_core::probe::Hearing;
use rehome_core::record::Record;
use rehome_core::say::{Line, StateSeen};
use tokio::time::{Instant, timeout};

use super::fleet::Hand;
use super::prepare::{Prepared, vars};
use super::reads::Reads;
use super::recorder::Recorder;
use super::sources::sources;
use super::trial::try_out;
use super::watch::Watch;
use crate::adopt;
use crate::aws::client::Aws;
use crate::cli::RunArgs;
use crate::clock;
use crate::fail::{FAILED, Failure, Problem, WRONG};
use crate::hook::Hook;
use crate::icmp::prober::{Prober, ProberError};
use crate::notify::Notify;
use crate::output::Output;
use crate::survey::survey;

/// Between two surveys while AWS doesn't answer: within 10 % of the refill of the busiest action.
const SURVEY_EVERY: Duration = Duration::from_secs(5);

/// How a beginning ended.
pub(crate) enum Begun {
    /// Watching can begin.
    Ready(Box<Watch>),
    /// A signal came first.
    Ended,
}

/// What an address has from its process.
pub(crate) struct Shared {
    pub(crate) aws: Aws,
    /// Whether there is more than one address.
    pub(crate) several: bool,
    pub(crate) reads: Option<Rc<Reads>>,
    pub(crate) hand: Rc<Hand>,
}

pub(crate) async fn begin(
    args: &RunArgs,
    prepared: Prepared,
    Shared { aws, several, reads, hand }: Shared,
    notify: Option<Notify>,
) -> Result<Begun, Failure> {
    let output = Output::new(args.operation.log_format, args.vip(), several);
    let mut prober = Prober::open().map_err(|error| unopened(&error))?;
    let mut order = args.order();
    order.sources =
        sources(order.vip, &args.operation.probe_source).into_iter().flatten().collect();
    if let Some(error) = &prepared.unusable {
        return Err(adopt::proposal(&aws, &order, error).await);
    }
    let mut known = prepared.known.clone();
    let (snapshot, start) = loop {
        let asked = tokio::select! {
            biased;
            () = hand.end.notified() => return Ok(ended(&output, args)),
            result = survey(&aws, &order, known.as_ref()) => result,
        };
        match asked {
            Ok(snapshot) => {
                let start = assessed(&order, known.take(), &snapshot)?;
                break (snapshot, start);
            }
            Err(error) if error.is_definite() => return Err(denied(&error)),
            Err(error) => {
                let ping = ping_once(&mut prober, args).await;
                output.say(&unknown_status(args, known.as_ref(), &error, ping));
                if let Some(notify) = &notify {
                    notify.status("EC2 can't be read yet");
                }
                let next = tokio::time::sleep(SURVEY_EVERY);
                tokio::select! {
                    () = hand.end.notified() => return Ok(ended(&output, args)),
                    () = next => {}
                }
            }
        }
    };
    let user_data = render_all(args, &prepared, &start, aws.region())?;
    tell(&output, &aws, &start);
    let setup = setup(args, &start, &snapshot, &user_data);
    if !args.operation.observe {
        try_out(&aws, &start, &user_data, &setup.user_data).await?;
    }
    let hook = args.operation.notify_exec.as_deref().map(hooked).transpose()?;
    let controller = Controller::new(setup, start.record, clock::both());
    Ok(Begun::Ready(Box::new(Watch {
        controller,
        recorder: Recorder::start(&prepared.directory, order.vip.address),
        aws,
        reads,
        prober,
        journal: Box::new(prepared.store),
        version: prepared.version,
        directory: prepared.directory,
        output,
        hook,
        notify,
        hand,
        user_data,
        vip: order.vip,
    })))
}

fn hooked(path: &std::path::Path) -> Result<Hook, Failure> {
    Hook::start(path).map_err(|error| Failure::wrong(Problem::of(&error, Some(error.hint()))))
}

fn unopened(error: &ProberError) -> Failure {
    match error {
        ProberError::Denied => Failure::wrong(Problem::of(error, error.hint().map(str::to_owned))),
        ProberError::Io(_) => Failure::new(FAILED, Problem::of(error, None)),
    }
}

fn ended(output: &Output, args: &RunArgs) -> Begun {
    let vip = args.vip();
    let standing = format!("EC2 could not be read, so nothing was done about {vip}");
    output.say(&Line::Stopping { standing });
    Begun::Ended
}

/// The core's assessment, its refusals as problems.
pub(crate) fn assessed(
    order: &Order,
    known: Option<Record>,
    snapshot: &Snapshot,
) -> Result<Start, Failure> {
    assess(order, known, snapshot).map_err(|refusals| Failure {
        code: WRONG,
        problems: refusals
            .into_iter()
            .map(|refusal| Problem::new(refusal.what, refusal.hint))
            .collect(),
    })
}

/// AWS said no, for good.
pub(crate) fn denied(error: &CallError) -> Failure {
    let hint = match error.brief() {
        "UnauthorizedOperation" | "AccessDenied" => {
            "`rehome iam-policy` with these flags prints what is needed; see docs/permissions.md"
        }
        "RequestExpired" | "SignatureDoesNotMatch" => {
            "check this machine's clock and the secret key"
        }
        _ => "check the credentials (`aws sts get-caller-identity`) and the region",
    };
    Failure::wrong(Problem::new(format!("AWS refuses to be read: {error}"), hint))
}

/// One probe of the VIP, so that even a start without EC2 says how the address is.
async fn ping_once(prober: &mut Prober, args: &RunArgs) -> Hearing {
    let vip = args.vip().address;
    let wait = args.policy().timeout;
    for (probe, source) in (0..).zip(sources(args.vip(), &args.operation.probe_source)) {
        if let Err(why) = prober.send(u64::MAX - probe, source, vip) {
            return Hearing::Unknown(why.into());
        }
    }
    let mut answers = Vec::new();
    match timeout(wait, prober.answers(&mut answers)).await {
        Ok(()) => Hearing::Answers,
        Err(_) => Hearing::Unknown(format!("one probe not answered in {wait:?}").into()),
    }
}

fn unknown_status(
    args: &RunArgs,
    known: Option<&Record>,
    error: &CallError,
    ping: Hearing,
) -> Line {
    match known {
        Some(record) => Line::Status {
            instance: record.holder.instance.clone(),
            address: record.holder.address,
            az: record.holder.az.clone(),
            state: StateSeen::Unknown { why: error.brief().to_owned(), last: None },
            ping,
        },
        None => {
            let ping = match ping {
                Hearing::Answers => "REACHABLE".to_owned(),
                Hearing::Silent { .. } => "UNREACHABLE".to_owned(),
                Hearing::Unknown(why) => format!("UNKNOWN ({why})"),
            };
            let text = format!(
                "Instance {} - STATE: unknown ({}), PING: {ping}",
                args.instance_id,
                error.brief()
            );
            Line::Notice { text }
        }
    }
}

/// User data for every subnet that a replacement may go to, by its digest.
fn render_all(
    args: &RunArgs,
    prepared: &Prepared,
    start: &Start,
    region: &str,
) -> Result<BTreeMap<SubnetId, String>, Failure> {
    let sites = &start.sites.order;
    sites
        .iter()
        .map(|site| {
            let vars = vars(args, site, &start.record.vpc, region);
            let rendered = prepared.template.render(&vars);
            let text = rendered
                .map_err(|error| Failure::wrong(Problem::of(&error, Some(error.hint()))))?;
            Ok((site.subnet.clone(), text))
        })
        .collect()
}

/// What is told before watching begins. Progress, so not on stdout.
fn tell(output: &Output, aws: &Aws, start: &Start) {
    let endpoint = aws.endpoint().unwrap_or("unknown");
    output.progress(&format!("Region {}, endpoint {endpoint}", aws.region()));
    for note in &start.notes {
        output.progress(note);
    }
}

fn setup(
    args: &RunArgs,
    start: &Start,
    snapshot: &Snapshot,
    user_data: &BTreeMap<SubnetId, String>,
) -> Setup {
    let own = snapshot.own_instance.as_ref().and_then(|id| snapshot.instances.get(id));
    let same_vpc = own.filter(|own| own.vpc.as_ref() == Some(&start.record.vpc));
    let interface = same_vpc.and_then(|own| own.primary_interface());
    Setup {
        policy: args.policy(),
        sources: sources(args.vip(), &args.operation.probe_source),
        controls: args.operation.control_target.clone(),
        sites: start.sites.order.clone(),
        user_data: user_data
            .iter()
            .map(|(subnet, text)| (subnet.clone(), sha256_hex(text.as_bytes())))
            .collect(),
        wishes: args.order().wishes,
        familiar: start.familiar,
        canary: args.place.canary_table.clone(),
        near_groups: interface.map(|interface| interface.groups.clone()).unwrap_or_default(),
        near_subnet: same_vpc.and_then(|own| own.subnet.clone()),
        near_interface: interface.map(|interface| interface.id.clone()),
    }
}

/// When something is due on the clock that Tokio sleeps by.
pub(crate) fn instant(at: rehome_core::time::Mono, now: rehome_core::time::Mono) -> Instant {
    Instant::now() + at.since(now)
}
