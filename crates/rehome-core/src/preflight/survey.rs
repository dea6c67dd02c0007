//! Where a survey has to look next, from what it has read so far: in which VPC, at which further
//! instances, and who tells what a replacement is built from. The shell only reads.

use alloc::collections::{BTreeMap, BTreeSet};

use super::{Instance, Order, Record, RouteTable, Target, VpcId, is_ours, target_of};
use crate::names::InstanceId;

/// The VPC of the named instance; the record's, where that instance no longer tells it; that of an
/// instance with our tag for the VIP, where there is no record either.
#[must_use]
pub fn vpc(
    order: &Order,
    known: Option<&Record>,
    instances: &BTreeMap<InstanceId, Instance>,
) -> Option<VpcId> {
    let named = instances.get(&order.instance).and_then(|instance| instance.vpc.clone());
    named.or_else(|| known.map(|record| record.vpc.clone())).or_else(|| {
        let mut ours = instances.values().filter(|instance| is_ours(instance, order.vip));
        ours.find_map(|instance| instance.vpc.clone())
    })
}

/// The instances that routes for the VIP lead to, in whatever table.
#[must_use]
pub fn targets(tables: &[RouteTable], order: &Order) -> BTreeSet<InstanceId> {
    tables
        .iter()
        .filter_map(|table| match target_of(table, order.vip.destination)? {
            Target::Interface { instance, .. } => instance.clone(),
            Target::Other(_) => None,
        })
        .collect()
}

/// Whoever holds the VIP and still tells what it is: the record's holder, else one that a route
/// leads to, else the named instance. One that is ending tells nothing any more (EC2 user guide,
/// "Terminate instances").
#[must_use]
pub fn telling<'i>(
    order: &Order,
    known: Option<&Record>,
    instances: &'i BTreeMap<InstanceId, Instance>,
    tables: &[RouteTable],
) -> Option<&'i Instance> {
    let remembered = known.map(|record| record.holder.instance.clone());
    let mut candidates =
        remembered.into_iter().chain(targets(tables, order)).chain([order.instance.clone()]);
    candidates.find_map(|id| instances.get(&id).filter(|instance| !instance.state.is_ending()))
}
