//! Reads and tries everything that the examination is made from, each reading for itself: one that
//! fails leaves the others standing. Only an AWS that says nothing at all is asked no further.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use rehome_core::digest::sha256_hex;
use rehome_core::doctor::{
    Credentials, Facts, Read, Reading, Region, Rendered, UserData, trials, wanted,
};
use rehome_core::fault::CallError;
use rehome_core::names::{InstanceId, SubnetId};
use rehome_core::placement::Site;
use rehome_core::preflight::{Order, Refusal, doubts, targets, telling, vpc};
use rehome_core::world::Instance;
use tokio::time::timeout;

use super::machine::{machine, pings, refusal};
use crate::aws::client::Aws;
use crate::aws::imds;
use crate::aws::note::{Asked, noted};
use crate::cli::RunArgs;
use crate::icmp::prober::Prober;
use crate::run::prepare::vars;
use crate::run::trial::tried;
use crate::survey::{image, parts, read};
use crate::template::Template;

/// The standard chain asks files, a program or the metadata service.
const CREDENTIALS_WAIT: Duration = Duration::from_secs(10);

/// Actions that `run` never needs.
const ONLY_HERE: [&str; 1] = ["DescribeInstanceTypeOfferings"];

/// Gathers it all. `from`: where probes leave from.
pub(super) async fn gather(args: &RunArgs, order: &Order, from: &[Option<Ipv4Addr>]) -> Facts {
    let mut prober = Prober::open();
    let (machine, known) = machine(args, &prober);
    let mut facts = Facts {
        known,
        observing: args.operation.observe,
        ..Facts::unread(machine, &CallError::NotSent("there is no region".to_owned()))
    };
    match Aws::connect().await {
        Ok(aws) => of_aws(&aws, args, order, &mut facts).await,
        Err(error) => facts.region = Err(refusal(&error, error.hint())),
    }
    if let Ok(prober) = &mut prober {
        let primary = wanted(order, &facts).primary;
        let wait = args.policy().timeout;
        let targets = [Some(order.vip.address), primary].into_iter().flatten();
        let targets: Vec<_> = targets.chain(order.controls.iter().copied()).collect();
        facts.pings = pings(prober, from, &targets, wait).await;
    }
    facts
}

/// Whether AWS said anything: a refusal is an answer.
fn is_silent<T>(reading: &Reading<T>) -> Option<CallError> {
    match reading {
        Err(error @ (CallError::NoAnswer(_) | CallError::NotSent(_))) => Some(error.clone()),
        Ok(_) | Err(CallError::Refused { .. }) => None,
    }
}

/// Forgets the reasons that nothing of AWS was read for in favor of this one.
fn unread(facts: &mut Facts, why: &CallError) {
    *facts = Facts {
        region: facts.region.clone(),
        credentials: facts.credentials.clone(),
        known: facts.known.clone(),
        observing: facts.observing,
        own_instance: facts.own_instance.clone(),
        ..Facts::unread(facts.machine.clone(), why)
    };
}

async fn of_aws(aws: &Aws, args: &RunArgs, order: &Order, facts: &mut Facts) {
    let region = |own| Region {
        name: aws.region().to_owned(),
        endpoint: aws.endpoint().unwrap_or("an endpoint that nothing was sent to").to_owned(),
        own,
    };
    facts.region = Ok(region(None));
    facts.own_instance = imds::own_instance().await;
    facts.credentials = match timeout(CREDENTIALS_WAIT, aws.has_credentials()).await {
        Ok(Ok(())) => Credentials::Found,
        Ok(Err(why)) => Credentials::Missing(why),
        Err(_) => Credentials::Unknown("no credentials in time".to_owned()),
    };
    if facts.credentials != Credentials::Found {
        unread(facts, &CallError::NotSent("there are no credentials".to_owned()));
        return;
    }
    let ((), asked) = noted(readings(aws, order, facts)).await;
    facts.reads = permissions(asked);
    facts.clock_ahead = aws
        .clock_ahead()
        .ok_or_else(|| CallError::NoAnswer("no answer of AWS's told its time".to_owned()));
    let own = match facts.own_instance {
        Some(_) => imds::own_region().await,
        None => None,
    };
    facts.region = Ok(region(own));
    let texts = render(args, aws.region(), &wanted(order, facts).sites, facts);
    for call in trials(order, facts) {
        facts.trials.push(tried(aws, call, &texts).await);
    }
}

/// Everything that is only read.
async fn readings(aws: &Aws, order: &Order, facts: &mut Facts) {
    facts.caller = aws.caller().await;
    let instances = instances(aws, order, facts).await;
    if let Some(why) = is_silent(&facts.caller).filter(|_| is_silent(&instances).is_some()) {
        unread(facts, &why);
        return;
    }
    facts.instances = instances;
    facts.zones = aws.zones().await;
    let known = facts.known.clone().ok().flatten();
    let none = BTreeMap::new();
    facts.vpc = vpc(order, known.as_ref(), facts.instances.as_ref().unwrap_or(&none));
    in_vpc(aws, order, facts).await;
    let instances = facts.instances.as_ref().unwrap_or(&none);
    let tables = facts.tables.as_deref().unwrap_or_default();
    let holder = telling(order, known.as_ref(), instances, tables).cloned();
    facts.image = image(aws, order, holder.as_ref()).await;
    facts.parts = parts(aws, holder.as_ref()).await;
    let own = facts.own_instance.as_ref().and_then(|id| instances.get(id));
    for call in doubts(order, holder.as_ref(), known.as_ref(), own) {
        // Only whether it may be read.
        let _ = aws.call(&call, None).await;
    }
    if let Some(Instance { id, .. }) = &holder {
        facts.protection = aws.protection(id).await;
    }
    let wanted = wanted(order, facts);
    facts.groups = aws.group_rules(&wanted.groups).await;
    facts.key_exists = match &wanted.key {
        Some(key) => aws.key_exists(key).await,
        None => Ok(true),
    };
    facts.offered = match &wanted.instance_type {
        Some(kind) => aws.offering_zones(kind).await,
        None => Err(CallError::NotSent("the type of a replacement isn't known".to_owned())),
    };
    if let Some(vpc) = &facts.vpc {
        facts.acls = aws.acls(vpc, &wanted.subnets).await;
    }
}

/// The instances that matter, but for those that routes lead to.
async fn instances(
    aws: &Aws,
    order: &Order,
    facts: &Facts,
) -> Reading<BTreeMap<InstanceId, Instance>> {
    let known = facts.known.as_ref().ok().and_then(Option::as_ref);
    let ids = [Some(&order.instance), facts.own_instance.as_ref()]
        .into_iter()
        .chain([known.map(|record| &record.holder.instance)]);
    let ids: BTreeSet<InstanceId> = ids.flatten().cloned().collect();
    let mut instances = BTreeMap::new();
    read(aws, ids, &mut instances).await?;
    let tagged = aws.instances_by_tag(None, "rehome:vip", &order.vip.address.to_string()).await?;
    instances.extend(tagged.into_iter().map(|instance| (instance.id.clone(), instance)));
    Ok(instances)
}

/// What belongs to the holder's VPC.
async fn in_vpc(aws: &Aws, order: &Order, facts: &mut Facts) {
    let Some(vpc) = facts.vpc.clone() else {
        let why = || CallError::NotSent("the holder's VPC isn't known".to_owned());
        facts.vpc_cidrs = Err(why());
        facts.subnets = Err(why());
        facts.tables = Err(why());
        facts.table_details = Err(why());
        facts.acls = Err(why());
        return;
    };
    facts.vpc_cidrs = aws.vpc_cidrs(&vpc).await;
    facts.subnets = aws.subnets(&vpc).await;
    facts.tables = aws.tables(&vpc).await;
    facts.table_details = aws.table_details(&vpc).await;
    let led_to = facts.tables.as_deref().map(|tables| targets(tables, order)).unwrap_or_default();
    let mut instances = facts.instances.clone();
    if let Ok(instances) = &mut instances
        && let Err(error) = read(aws, led_to, instances).await
    {
        facts.instances = Err(error);
        return;
    }
    facts.instances = instances;
}

/// The readings as permissions, the caller's own name left out: that needs none.
fn permissions(asked: Vec<Asked>) -> Vec<Read> {
    asked
        .into_iter()
        .filter(|(action, _)| *action != "GetCallerIdentity")
        .map(|(action, answer)| Read { action, answer, for_run: !ONLY_HERE.contains(&action) })
        .collect()
}

/// Renders user data for each site: the texts, while the facts keep their digests only.
fn render(
    args: &RunArgs,
    region: &str,
    sites: &[Site],
    facts: &mut Facts,
) -> BTreeMap<SubnetId, String> {
    let Some(vpc) = facts.vpc.clone() else { return BTreeMap::new() };
    let told =
        |error: crate::template::TemplateError| -> Refusal { refusal(&error, &error.hint()) };
    let template = Template::load(&args.user_data_file).map_err(told);
    let mut texts = BTreeMap::new();
    for site in sites {
        let rendered = template
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|template| template.render(&vars(args, site, &vpc, region)).map_err(told));
        if let Ok(text) = &rendered {
            texts.insert(site.subnet.clone(), text.clone());
        }
        facts.user_data.push(UserData {
            az: site.az.clone(),
            subnet: site.subnet.clone(),
            rendered: rendered
                .map(|text| Rendered { bytes: text.len(), sha256: sha256_hex(text.as_bytes()) }),
        });
    }
    texts
}
