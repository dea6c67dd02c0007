//! Which tables are ours.
//!
//! A table is ours only if its route for exactly this destination was made by `CreateRoute` and
//! leads to the holder, to one of our instances, or to an interface that is gone. Anything else
//! blocks the start unless it is named; a table with a gateway association is never touched
//! (VPC user guide, "Gateway route tables").

use alloc::format;
use alloc::vec::Vec;

use super::{Order, Record, Refusal, Snapshot, Target, is_ours};
use crate::names::{SubnetId, TableId};
use crate::placement::table_of;
use crate::world::{Instance, Route, RouteState, RouteTable};

pub(crate) fn route_set(
    order: &Order,
    record: &Record,
    snapshot: &Snapshot,
    notes: &mut Vec<alloc::string::String>,
) -> Result<Vec<TableId>, Vec<Refusal>> {
    if !order.tables.is_empty() {
        return named(order, snapshot);
    }
    let destination = order.vip.destination;
    let carrying: Vec<(&RouteTable, &Route)> = snapshot
        .tables
        .iter()
        .filter(|table| table.gateways.is_empty())
        .filter_map(|table| Some((table, table.route(destination)?)))
        .collect();
    let mut refusals = Vec::new();
    let mut ours: Vec<TableId> = Vec::new();
    for (table, route) in &carrying {
        if is_our_route(order, record, snapshot, table, route) {
            ours.push(table.id.clone());
        } else {
            refusals.push(Refusal::new(
                format!(
                    "the route for {destination} in {} leads to {}, which isn't ours",
                    table.id, route.target
                ),
                "name the tables that rehome shall own with --route-table, or remove that route",
            ));
        }
    }
    // Tables that the record knows stay ours while they exist, their route lost or not.
    for known in &record.route_set {
        if !ours.contains(known) && snapshot.tables.iter().any(|table| table.id == *known) {
            ours.push(known.clone());
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    if ours.is_empty() {
        let made = tables_of_subnets(snapshot);
        notes.push(format!(
            "No table carries {destination} yet; it is added to {}",
            crate::verdict::list(made.iter())
        ));
        return Ok(made);
    }
    Ok(ours)
}

/// Why the table that is to be cut first can't be: it has to be ours, and it has to be the one that
/// our own pings go by.
pub(crate) fn no_canary(
    order: &Order,
    route_set: &[TableId],
    snapshot: &Snapshot,
) -> Option<Refusal> {
    let canary = order.canary.as_ref()?;
    if !route_set.contains(canary) {
        let ours = crate::verdict::list(route_set.iter());
        return Some(Refusal::new(
            format!("--canary-table {canary} is none of the tables that are owned ({ours})"),
            "name one of them, or own it with --route-table",
        ));
    }
    let own = snapshot.own_instance.as_ref().and_then(|id| snapshot.instances.get(id));
    let subnet = own.and_then(|own| own.subnet.as_ref())?;
    let leaves_by = table_of(subnet, &snapshot.tables)?;
    (leaves_by != canary).then(|| {
        Refusal::new(
            format!("--canary-table {canary} doesn't serve this machine, {leaves_by} does"),
            "what it leads to can only be seen from a subnet that it serves; give that one a table \
             of its own, so that no client meets a replacement before it is proven",
        )
    })
}

/// Every table that serves a subnet and no gateway.
fn tables_of_subnets(snapshot: &Snapshot) -> Vec<TableId> {
    let serves = |table: &&RouteTable| {
        let id = |subnet: &SubnetId| table_of(subnet, &snapshot.tables) == Some(&table.id);
        snapshot.subnets.iter().any(|subnet| id(&subnet.id))
    };
    snapshot
        .tables
        .iter()
        .filter(|table| table.gateways.is_empty())
        .filter(serves)
        .map(|table| table.id.clone())
        .collect()
}

fn named(order: &Order, snapshot: &Snapshot) -> Result<Vec<TableId>, Vec<Refusal>> {
    let mut refusals = Vec::new();
    for wanted in &order.tables {
        match snapshot.tables.iter().find(|table| table.id == *wanted) {
            None => refusals.push(Refusal::new(
                format!("the route table {wanted} is not one of the holder's VPC"),
                "list them with `aws ec2 describe-route-tables`",
            )),
            Some(table) if !table.gateways.is_empty() => refusals.push(Refusal::new(
                format!(
                    "the route table {wanted} belongs to the gateway {}",
                    crate::verdict::list(table.gateways.iter())
                ),
                "a gateway's table can't carry an overlay address; name tables of subnets",
            )),
            Some(_) => {}
        }
    }
    if refusals.is_empty() { Ok(order.tables.clone()) } else { Err(refusals) }
}

fn is_our_route(
    order: &Order,
    record: &Record,
    snapshot: &Snapshot,
    table: &RouteTable,
    route: &Route,
) -> bool {
    if record.route_set.contains(&table.id) {
        return true;
    }
    let Target::Interface { id, instance } = &route.target else { return false };
    if !route.by_hand {
        return false;
    }
    let owner = snapshot.instances.values().find(|candidate| {
        Some(&candidate.id) == instance.as_ref() || candidate.interface(id).is_some()
    });
    let is_holder = |owner: &Instance| owner.id == record.holder.instance;
    match owner {
        Some(owner) => {
            is_holder(owner)
                || is_ours(owner, order.vip)
                || record.former.contains(&owner.id)
                || owner.id == order.instance
        }
        None => instance.is_none() && route.state == RouteState::Blackhole,
    }
}
