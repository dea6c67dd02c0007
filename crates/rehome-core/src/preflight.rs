//! The beginning: from what AWS shows, what people asked for and what the state file remembers, to
//! a start, or to the reasons why there can't be one.
//!
//! What is definitely wrong is refused here, before anything is watched, each thing once and with
//! a hint. What can't be read is no refusal: then there is no [`Snapshot`] yet.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::names::{InstanceId, SubnetId, TableId, VpcId};
use crate::net::{Cidr, Vip};
use crate::placement::{Sites, sites, table_of};
use crate::policy::FenceMode;
use crate::record::{FORMAT, Home, Record};
use crate::spec::{LaunchSpec, Parts, TAG_PREFIX, Wishes};
use crate::world::{Caller, Group, Instance, Route, RouteTable, Subnet, Target, Zone};

mod doubts;
pub(crate) mod holder;
mod outdated;
mod rebuild;
pub(crate) mod routes;
mod survey;

pub use doubts::doubts;
pub(crate) use outdated::outdated;
pub use rebuild::{rebuilt, shown};
pub use survey::{targets, telling, vpc};

/// Everything that is read of AWS before watching begins. A read that failed for want of an answer
/// leaves no snapshot at all: half a picture is no ground for a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Who we are.
    pub caller: Caller,
    /// The VPC of the holder.
    pub vpc: Option<VpcId>,
    /// Its blocks.
    pub vpc_cidrs: Vec<Cidr>,
    /// The named instance, the one the state file names, those that routes for the VIP point to,
    /// and those that carry our tag for it; ones that AWS doesn't know are absent.
    pub instances: BTreeMap<InstanceId, Instance>,
    /// Subnets of the VPC.
    pub subnets: Vec<Subnet>,
    /// Zones of the region.
    pub zones: Vec<Zone>,
    /// Route tables of the VPC.
    pub tables: Vec<RouteTable>,
    /// The groups that were asked for, as far as they exist.
    pub groups: Vec<Group>,
    /// Whether the key pair that was asked for exists; true where none was.
    pub key_exists: bool,
    /// What the launch spec is built from; of the holder while it still tells.
    pub parts: Parts,
    /// The instance that rehome itself runs on, where it runs on one.
    pub own_instance: Option<InstanceId>,
}

/// What people asked for on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// `--instance-id`.
    pub instance: InstanceId,
    /// `--route-destination`.
    pub vip: Vip,
    /// `--security-group`, `--keypair`, `--image`, `--instance-type`.
    pub wishes: Wishes,
    /// `--subnet`, repeated.
    pub subnets: Vec<SubnetId>,
    /// `--route-table`, repeated; empty: found.
    pub tables: Vec<TableId>,
    /// `--accept-loss`, repeated.
    pub accepted: Vec<Loss>,
    /// `--fence`.
    pub fence: FenceMode,
    /// Addresses that are probed from: a replacement has to find the way back to them.
    pub sources: Vec<Ipv4Addr>,
    /// `--control-target`, repeated.
    pub controls: Vec<Ipv4Addr>,
    /// `--canary-table`.
    pub canary: Option<TableId>,
}

/// What a replacement would not have, and people must have agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Loss {
    /// More than one interface.
    Interfaces,
    /// Data volumes outside the image's mapping.
    Volumes,
    /// An Elastic IP.
    ElasticIp,
    /// Data in an instance store.
    InstanceStore,
    /// A Dedicated Host or a cluster placement group.
    Placement,
    /// A persistent spot request: terminated, EC2 launches it again.
    Spot,
}

impl Loss {
    /// Every loss, in the order of the help text.
    pub const ALL: [Loss; 6] = [
        Loss::Interfaces,
        Loss::Volumes,
        Loss::ElasticIp,
        Loss::InstanceStore,
        Loss::Placement,
        Loss::Spot,
    ];

    /// The word of the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Loss::Interfaces => "interfaces",
            Loss::Volumes => "volumes",
            Loss::ElasticIp => "elastic-ip",
            Loss::InstanceStore => "instance-store",
            Loss::Placement => "placement",
            Loss::Spot => "spot",
        }
    }
}

/// One thing that is definitely wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What, naming the thing.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl Refusal {
    /// A refusal in these words.
    #[must_use]
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal { what: what.into(), hint: hint.into() }
    }
}

/// A beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// What is remembered from now on.
    pub record: Record,
    /// Where replacements go.
    pub sites: Sites,
    /// Whether `record` was found rather than made.
    pub familiar: bool,
    /// What people are told before watching begins, a line each.
    pub notes: Vec<String>,
}

/// Assesses a snapshot.
///
/// # Errors
/// Everything that is definitely wrong, each thing once.
pub fn assess(
    order: &Order,
    known: Option<Record>,
    snapshot: &Snapshot,
) -> Result<Start, Vec<Refusal>> {
    let mut notes = Vec::new();
    let familiar = known.is_some();
    let found = match known {
        Some(record) => match outdated(order, &record, snapshot) {
            Some(refusal) => Err(refusal),
            None => holder::resumed(order, record, snapshot, &mut notes),
        },
        None => match rebuild::ambiguous(order, snapshot) {
            Some(refusal) => Err(refusal),
            None => holder::found(order, snapshot, &mut notes),
        },
    };
    finish(order, found, familiar, notes, snapshot)
}

/// The rest of an assessment, once it is known who holds the VIP.
fn finish(
    order: &Order,
    found: Result<Record, Refusal>,
    familiar: bool,
    mut notes: Vec<String>,
    snapshot: &Snapshot,
) -> Result<Start, Vec<Refusal>> {
    let mut refusals = wrong_wishes(order, snapshot);
    let mut record = match found {
        Ok(record) => record,
        Err(refusal) => {
            refusals.push(refusal);
            return Err(refusals);
        }
    };
    if !familiar {
        // Else the same command would be refused at some later start; first, so it stays for ever.
        record.remember_former(&order.instance);
        outdated::pass_over(&mut record, snapshot);
    }
    refusals.extend(holder::refused(order, &record, snapshot));
    refusals.extend(witness_is_holder(order, &record));
    match routes::route_set(order, &record, snapshot, &mut notes) {
        Ok(route_set) => {
            refusals.extend(routes::no_canary(order, &route_set, snapshot));
            record.route_set = route_set;
        }
        Err(found) => refusals.extend(found),
    }
    let sites = sites(
        &record.holder.subnet,
        &snapshot.subnets,
        &snapshot.zones,
        &snapshot.tables,
        &order.subnets,
    );
    if let Some(refusal) = no_other_zone(&record.holder, &sites) {
        // What is full today need not be tomorrow, and a move may be under way.
        if familiar {
            notes.push(refusal.what);
        } else {
            refusals.push(refusal);
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    notes.extend(no_way_back(order, &sites, snapshot));
    notes.splice(0..0, banner(order, &record, &sites, snapshot));
    Ok(Start { record, sites, familiar, notes })
}

/// A control target that falls silent together with the holder would make every death of it look
/// like our own blindness.
fn witness_is_holder(order: &Order, record: &Record) -> Option<Refusal> {
    let holder = &record.holder;
    order.controls.contains(&holder.address).then(|| {
        Refusal::new(
            format!("--control-target {} is the holder's own address", holder.address),
            "name other machines of yours, best one in each zone; they have to answer pings"
                .to_string(),
        )
    })
}

/// Flags that AWS says can't work.
fn wrong_wishes(order: &Order, snapshot: &Snapshot) -> Vec<Refusal> {
    let mut refusals = wrong_groups(order, snapshot);
    refusals.extend(wrong_key(order, snapshot));
    refusals.extend(wrong_image(order, snapshot));
    refusals.extend(wrong_subnets(order, snapshot));
    refusals.extend(inside_the_vpc(order, snapshot));
    refusals
}

/// Groups that were asked for and don't exist, or belong to another VPC.
pub(crate) fn wrong_groups(order: &Order, snapshot: &Snapshot) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for wanted in &order.wishes.groups {
        match snapshot.groups.iter().find(|group| group.id == *wanted) {
            None => refusals.push(Refusal::new(
                format!("the security group {wanted} does not exist"),
                "list yours with `aws ec2 describe-security-groups`",
            )),
            Some(group) if snapshot.vpc.is_some() && group.vpc != snapshot.vpc => {
                let vpc = group.vpc.as_ref().map_or_else(|| "no VPC".into(), ToString::to_string);
                refusals.push(Refusal::new(
                    format!("the security group {wanted} belongs to {vpc}, not to the holder's"),
                    "name a security group of the holder's VPC",
                ));
            }
            Some(_) => {}
        }
    }
    refusals
}

/// A key pair that was asked for and doesn't exist.
pub(crate) fn wrong_key(order: &Order, snapshot: &Snapshot) -> Option<Refusal> {
    let key = order.wishes.key.as_ref().filter(|_| !snapshot.key_exists)?;
    Some(Refusal::new(
        format!("the key pair {key} does not exist"),
        "list yours with `aws ec2 describe-key-pairs`, or leave --keypair out",
    ))
}

/// An image that was asked for and can't be booted.
pub(crate) fn wrong_image(order: &Order, snapshot: &Snapshot) -> Option<Refusal> {
    let image = order.wishes.image.as_ref()?;
    let usable = snapshot.parts.image.as_ref().is_some_and(|i| i.id == *image && i.available);
    (!usable).then(|| {
        Refusal::new(
            format!("the image {image} does not exist or is not available"),
            "leave --image out to use the holder's",
        )
    })
}

/// Subnets that were asked for and aren't there.
pub(crate) fn wrong_subnets(order: &Order, snapshot: &Snapshot) -> Vec<Refusal> {
    let here = |wanted: &SubnetId| snapshot.subnets.iter().any(|subnet| subnet.id == *wanted);
    let missing = order.subnets.iter().filter(|wanted| !here(wanted));
    missing
        .map(|wanted| {
            Refusal::new(
                format!("the subnet {wanted} is not one of the holder's VPC"),
                "list them with `aws ec2 describe-subnets`",
            )
        })
        .collect()
}

/// An overlay address inside the VPC: its own routes would win.
pub(crate) fn inside_the_vpc(order: &Order, snapshot: &Snapshot) -> Option<Refusal> {
    let Vip { destination, address } = order.vip;
    // A route may be wider than the VPC (0.0.0.0/0 through a firewall), but not a part of it (VPC
    // user guide, "Route tables").
    let inside = |block: &&Cidr| {
        block.contains(address)
            || (block.overlaps(destination) && destination.prefix() >= block.prefix())
    };
    let block = snapshot.vpc_cidrs.iter().find(inside)?;
    let what = if order.vip.is_wide() && block.contains(address) {
        format!("{address}, the address to probe, lies inside the VPC's block {block}")
    } else {
        format!("{destination} lies inside the VPC's block {block}")
    };
    let hint = "an overlay address must lie outside every block of the VPC; choose another";
    Some(Refusal::new(what, hint))
}

/// That no other zone can take a replacement, where that is so.
pub(crate) fn no_other_zone(holder: &Home, sites: &Sites) -> Option<Refusal> {
    if !sites.order.iter().all(|site| site.az == holder.az) {
        return None;
    }
    let why: Vec<String> =
        sites.refused.iter().map(|zone| format!("{}: {}", zone.az, zone.why)).collect();
    let why = if why.is_empty() { "the VPC has none".to_string() } else { why.join("; ") };
    Some(Refusal::new(
        format!("no subnet in another Availability Zone can take a replacement ({why})"),
        "create a subnet there, or name one with --subnet",
    ))
}

/// What is told before watching begins.
fn banner(order: &Order, record: &Record, sites: &Sites, snapshot: &Snapshot) -> Vec<String> {
    let holder = &record.holder;
    let mut lines = alloc::vec![
        format!("Account {} as {}", snapshot.caller.account, snapshot.caller.arn),
        format!(
            "Holder of {}: {} ({}, {}) in AZ {}",
            record.vip, holder.instance, holder.address, holder.interface, holder.az
        ),
        format!(
            "Route set: {} in {}",
            record.vip.destination,
            crate::verdict::list(record.route_set.iter())
        ),
        format!(
            "Replacements go to: {}",
            crate::verdict::list(
                sites.order.iter().map(|site| format!("{} ({})", site.az, site.subnet))
            )
        ),
    ];
    for zone in &sites.refused {
        lines.push(format!("Not usable: {}: {}", zone.az, zone.why));
    }
    lines.push(format!("Fence: {}", order.fence.word()));
    if let Some(instance) = snapshot.instances.get(&holder.instance) {
        for loss in record.spec.losses(instance) {
            lines.push(format!("A replacement {loss}"));
        }
    }
    lines
}

/// Subnets from which our address outside the VPC can't be reached: a replacement there would be
/// heard at our primary address only, where that one is in the VPC.
fn no_way_back(order: &Order, sites: &Sites, snapshot: &Snapshot) -> Vec<String> {
    let overlay = |source: &&Ipv4Addr| !snapshot.vpc_cidrs.iter().any(|b| b.contains(**source));
    let inside = order.sources.iter().any(|source| !overlay(&source));
    let heard = if inside {
        "only this machine's primary address would hear a replacement there"
    } else {
        "a replacement there would be heard only if the address is translated on the way"
    };
    let mut notes = Vec::new();
    for site in &sites.order {
        let id = table_of(&site.subnet, &snapshot.tables);
        let Some(table) = snapshot.tables.iter().find(|table| Some(&table.id) == id) else {
            continue;
        };
        for source in order.sources.iter().filter(overlay) {
            // Into the VPC no default route leads; out of it one may.
            let leads = |route: &Route| {
                (route.destination.prefix() > 0 || !inside) && route.destination.contains(*source)
            };
            if !table.routes.iter().any(leads) {
                notes.push(format!(
                    "No way back to {source} in {} of {} ({}): {heard}",
                    table.id, site.subnet, site.az
                ));
            }
        }
    }
    notes
}

/// Whether an instance carries our tag for this VIP.
pub(crate) fn is_ours(instance: &Instance, vip: Vip) -> bool {
    instance.tags.get(&format!("{TAG_PREFIX}vip")) == Some(&vip.address.to_string())
}

/// The interface that a route for the VIP leads to.
fn target_of(table: &RouteTable, destination: Cidr) -> Option<&Target> {
    table.route(destination).map(|route| &route.target)
}

#[cfg(test)]
mod tests;
