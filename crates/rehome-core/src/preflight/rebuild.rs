//! A record from AWS's state alone: when that may be done without asking, and what is proposed to
//! people where it may not.
//!
//! A lost record is a first start as long as AWS's state has one reading. Where several instances
//! of ours live, or tables lead to different ones, rehome would have to guess which of them serves
//! and which may be ended; a person is asked instead.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Order, Record, Refusal, Snapshot, Start, Target, finish, holder, is_ours, target_of};
use crate::names::InstanceId;
use crate::policy::FenceMode;
use crate::record::{Disposal, Leftover};
use crate::spec::TAG_PREFIX;
use crate::time::Unix;
use crate::world::Instance;

/// Why a start without a record would be a guess, where it would be one.
pub(super) fn ambiguous(order: &Order, snapshot: &Snapshot) -> Option<Refusal> {
    let ours = live_ours(order, snapshot);
    let routed = routed(order, snapshot);
    if ours.len() <= 1 && routed.len() <= 1 {
        return None;
    }
    Some(Refusal::new(
        format!(
            "there is no state file for {}, but what AWS shows can be read in several ways: {}",
            order.vip,
            shown(order, snapshot)
        ),
        "`rehome adopt` with these flags, and --instance-id of the one that serves, makes one",
    ))
}

/// A beginning by what AWS shows, for a person to agree to. Among several instances of ours the
/// named one counts, else the one that every route leads to.
///
/// # Errors
/// Everything that is definitely wrong, each thing once.
pub fn rebuilt(order: &Order, snapshot: &Snapshot) -> Result<Start, Vec<Refusal>> {
    let mut notes = Vec::new();
    let found = chosen(order, snapshot, &mut notes);
    let mut start = finish(order, found, false, notes, snapshot)?;
    for instance in live_ours(order, snapshot) {
        leave_or_end(order, instance, &mut start);
    }
    Ok(start)
}

fn chosen(order: &Order, snapshot: &Snapshot, notes: &mut Vec<String>) -> Result<Record, Refusal> {
    let Some(refusal) = ambiguous(order, snapshot) else {
        return holder::found(order, snapshot, notes);
    };
    let named = snapshot.instances.get(&order.instance);
    let routed = routed(order, snapshot);
    let only = match routed.iter().collect::<Vec<_>>()[..] {
        [only] => snapshot.instances.get(only),
        _ => None,
    };
    match named.filter(|named| !named.state.is_leaving()).or(only) {
        Some(instance) => holder::begin(order, instance, snapshot),
        None => Err(Refusal::new(
            format!("what AWS shows can be read in several ways: {}", shown(order, snapshot)),
            refusal.hint,
        )),
    }
}

/// Another live instance of ours: an older one is a leftover, ended under the guards that every
/// leftover has; one of a later generation than the holder's is never touched, because then it is
/// this reading that is old.
fn leave_or_end(order: &Order, instance: &Instance, start: &mut Start) {
    let record = &mut start.record;
    if instance.id == record.holder.instance {
        return;
    }
    let (Some(generation), Some(az)) = (generation(instance), instance.az.clone()) else {
        start.notes.push(format!("Left alone: {}, whose tags tell no generation", instance.id));
        return;
    };
    if generation > record.generation || order.fence == FenceMode::None {
        start.notes.push(format!("Left alone: {} (generation {generation})", instance.id));
        return;
    }
    start.notes.push(format!(
        "To be ended ({}) once {} answers steadily and no route leads to it: {} (generation \
         {generation})",
        order.fence.word(),
        order.vip,
        instance.id
    ));
    record.disposals.push(Disposal {
        instance: instance.id.clone(),
        az,
        interface: instance.primary_interface().map(|interface| interface.id.clone()),
        address: None,
        why: Leftover::Spare,
        mode: order.fence,
        not_before: Unix(0),
        ordered: false,
        by_person: false,
    });
}

/// What AWS shows of a VIP, in a few words.
#[must_use]
pub fn shown(order: &Order, snapshot: &Snapshot) -> String {
    let mut parts: Vec<String> = Vec::new();
    for instance in snapshot.instances.values().filter(|one| is_ours(one, order.vip)) {
        let generation = match generation(instance) {
            Some(generation) => format!("generation {generation} by its tag"),
            None => "no generation by its tags".to_string(),
        };
        parts.push(format!("{} is {}, {generation}", instance.id, instance.state));
    }
    for table in &snapshot.tables {
        if let Some(target) = target_of(table, order.vip.destination) {
            parts.push(format!("{} leads to {target}", table.id));
        }
    }
    if parts.is_empty() {
        parts.push("no instance of ours and no route".to_string());
    }
    parts.join("; ")
}

/// Instances of this VPC that run or are about to, with our tag for the VIP. Another VPC may have
/// the same overlay address.
fn live_ours<'a>(order: &Order, snapshot: &'a Snapshot) -> Vec<&'a Instance> {
    let here = |one: &&Instance| snapshot.vpc.is_none() || one.vpc == snapshot.vpc;
    let live = |one: &&Instance| !one.state.is_leaving() && is_ours(one, order.vip);
    snapshot.instances.values().filter(live).filter(here).collect()
}

/// The live instances, ours or the named one, that routes for the VIP lead to.
fn routed(order: &Order, snapshot: &Snapshot) -> BTreeSet<InstanceId> {
    let wanted = |id| order.tables.is_empty() || order.tables.contains(id);
    let tables = snapshot.tables.iter().filter(|table| wanted(&table.id));
    let ours = |one: &&Instance| is_ours(one, order.vip) || one.id == order.instance;
    tables
        .filter_map(|table| match target_of(table, order.vip.destination)? {
            Target::Interface { id, .. } => {
                snapshot.instances.values().find(|one| one.interface(id).is_some())
            }
            Target::Other(_) => None,
        })
        .filter(|one| !one.state.is_leaving())
        .filter(ours)
        .map(|one| one.id.clone())
        .collect()
}

/// The generation that an instance was launched for, by its tag.
pub(super) fn generation(instance: &Instance) -> Option<u64> {
    instance.tags.get(&format!("{TAG_PREFIX}generation"))?.parse().ok()
}
