//! Which calls are tried: those that a move would make, word for word.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::case::Case;
use super::permissions::{Tried, tried};
use super::{Facts, Trial};
use crate::call::{Call, Launch};
use crate::digest::sha256_hex;
use crate::names::{GroupId, InstanceType, KeyName, SubnetId, TableId};
use crate::placement::Site;
use crate::policy::FenceMode;
use crate::preflight::{Order, Refusal};
use crate::record::Record;

/// What the holder makes worth reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Groups whose rules matter.
    pub groups: Vec<GroupId>,
    /// Subnets whose network ACLs matter.
    pub subnets: Vec<SubnetId>,
    /// The type of a replacement.
    pub instance_type: Option<InstanceType>,
    /// Its key pair.
    pub key: Option<KeyName>,
    /// Where it may go.
    pub sites: Vec<Site>,
    /// The holder's primary address.
    pub primary: Option<Ipv4Addr>,
}

/// What to read next, now that the holder may be known.
#[must_use]
pub fn wanted(order: &Order, facts: &Facts) -> Wanted {
    let case = Case::new(order, facts);
    let mut wanted = Wanted {
        groups: order.wishes.groups.clone(),
        key: order.wishes.key.clone(),
        instance_type: order.wishes.instance_type.clone(),
        ..Wanted::default()
    };
    if let Ok(begun) = case.begun() {
        let record = &begun.record;
        wanted.groups.extend(record.holder.groups.iter().chain(&record.spec.groups).cloned());
        wanted.subnets.push(record.holder.subnet.clone());
        wanted.subnets.extend(begun.sites.order.iter().map(|site| site.subnet.clone()));
        wanted.instance_type = Some(record.spec.instance_type.clone());
        wanted.key = record.spec.key.clone();
        wanted.sites.clone_from(&begun.sites.order);
        wanted.primary = Some(record.holder.address);
    }
    if let Some((monitor, interface)) = case.monitor() {
        wanted.groups.extend(interface.groups.iter().cloned());
        wanted.subnets.extend(monitor.subnet.clone());
    }
    wanted.groups.sort();
    wanted.groups.dedup();
    wanted.subnets.sort();
    wanted.subnets.dedup();
    wanted
}

/// Every call of a move: a launch for each site, the source/dest check, both ways to set each
/// route, and the end of the old holder.
#[must_use]
pub fn trials(order: &Order, facts: &Facts) -> Vec<Call> {
    if facts.observing {
        return Vec::new();
    }
    let case = Case::new(order, facts);
    let Ok(begun) = case.begun() else { return Vec::new() };
    let record = &begun.record;
    let digests: BTreeMap<SubnetId, String> = facts
        .user_data
        .iter()
        .filter_map(|of| Some((of.subnet.clone(), of.rendered.as_ref().ok()?.sha256.clone())))
        .collect();
    let mut calls: Vec<Call> =
        begun.sites.order.iter().filter_map(|site| launch(record, site, &digests)).collect();
    let (instance, interface) = (&record.holder.instance, &record.holder.interface);
    calls.push(Call::DisableSourceDestCheck { interface: interface.clone() });
    for table in begun.route_set.as_deref().unwrap_or_default() {
        calls.push(replace(record, table));
        calls.push(Call::CreateRoute {
            table: table.clone(),
            destination: record.vip.destination,
            interface: interface.clone(),
        });
    }
    match order.fence {
        FenceMode::None => {}
        FenceMode::Stop => {
            calls.push(Call::Stop { instance: instance.clone(), skip_os_shutdown: true });
        }
        FenceMode::Terminate => calls.push(Call::Terminate { instance: instance.clone() }),
    }
    calls
}

/// The few that `run` tries before it begins: one launch, in the first site, and one
/// `ReplaceRoute` for each table.
#[must_use]
pub fn quick_trials(
    record: &Record,
    sites: &[Site],
    digests: &BTreeMap<SubnetId, String>,
) -> Vec<Call> {
    let first = sites.first().and_then(|site| launch(record, site, digests));
    first.into_iter().chain(record.route_set.iter().map(|table| replace(record, table))).collect()
}

/// What a policy forbids of the calls that were tried. Anything else that came is no reason not to
/// watch: what is unknown or full now need not be later.
#[must_use]
pub fn denials(trials: &[Trial]) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    for trial in trials {
        if let Tried::Denied { permission, message } = tried(trial) {
            let what = format!("AWS would refuse {}: {message}", trial.call.action());
            let hint = format!(
                "allow {permission} (docs/permissions.md), or watch only, with --observe; \
                 `rehome doctor` tries everything"
            );
            let refusal = Refusal::new(what, hint);
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        }
    }
    refusals
}

/// The launch of the next attempt, but for its token: that one must never have been seen by EC2
/// with other parameters.
fn launch(record: &Record, site: &Site, digests: &BTreeMap<SubnetId, String>) -> Option<Call> {
    let (vpc, vip, subnet) = (&record.vpc, record.vip.destination, &site.subnet);
    let token = sha256_hex(format!("rehome/dry-run/{vpc}/{vip}/{subnet}").as_bytes());
    Some(Call::Launch(Box::new(Launch {
        spec: record.spec.clone(),
        subnet: subnet.clone(),
        az: site.az.clone(),
        token,
        tags: record.tags(record.attempts + 1),
        user_data_sha256: digests.get(subnet)?.clone(),
    })))
}

/// To where the route leads already, so that even a mistake of EC2's would change nothing.
fn replace(record: &Record, table: &TableId) -> Call {
    Call::ReplaceRoute {
        table: table.clone(),
        destination: record.vip.destination,
        interface: record.holder.interface.clone(),
    }
}
