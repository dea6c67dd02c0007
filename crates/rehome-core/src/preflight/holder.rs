//! Who holds the VIP: by the state file, by the routes, by our tags, or as named.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{
    FORMAT, Home, Instance, LaunchSpec, Loss, Order, Record, Refusal, Snapshot, Target, is_ours,
    target_of,
};
use crate::names::InstanceId;

/// With a state file: it knows who holds the VIP; a route that was moved on since then to an
/// instance of ours is believed.
pub(crate) fn resumed(
    order: &Order,
    mut record: Record,
    snapshot: &Snapshot,
    notes: &mut Vec<String>,
) -> Result<Record, Refusal> {
    let named = &order.instance;
    let holder = record.holder.instance.clone();
    if record.account != snapshot.caller.account || Some(&record.vpc) != snapshot.vpc.as_ref() {
        return Err(Refusal::new(
            format!(
                "the state file for {} is about {} in account {}",
                order.vip, record.vpc, record.account
            ),
            "use another --state-dir for another VPC or account",
        ));
    }
    if record.vip != order.vip {
        return Err(Refusal::new(
            format!(
                "the state file for {} is about the route {}, not {}",
                order.vip, record.vip.destination, order.vip.destination
            ),
            "use another --state-dir to begin anew with another block",
        ));
    }
    let ever = holder == *named || record.former.contains(named);
    if !ever && !snapshot.instances.get(named).is_some_and(|i| is_ours(i, order.vip)) {
        return Err(Refusal::new(
            format!("{named} has never held {}; by the state file {holder} holds it", order.vip),
            format!(
                "start with --instance-id {holder}, or remove the state file to begin anew with \
                 {named}"
            ),
        ));
    }
    if holder != *named {
        notes.push(format!("{} was moved from {named} to {holder}; going on with it", order.vip));
    }
    if let Some(moving) = &record.moving {
        notes.push(format!("Going on with a move that was begun: {}", moving.reason));
    }
    refresh(order, &mut record, snapshot);
    Ok(record)
}

/// The flags may have changed, and the holder may tell more than the record knows.
fn refresh(order: &Order, record: &mut Record, snapshot: &Snapshot) {
    if record.moving.is_some() {
        return;
    }
    let holder = snapshot.instances.get(&record.holder.instance);
    if let Some(instance) = holder
        && !instance.state.is_ending()
        && instance.primary_interface().is_some()
        && let Ok(spec) = LaunchSpec::of(instance, &snapshot.parts, &order.wishes)
    {
        record.spec = spec;
        return;
    }
    // A terminated holder tells nothing: the file's spec stands, with the flags on top.
    let wishes = &order.wishes;
    let spec = &mut record.spec;
    if !wishes.groups.is_empty() {
        spec.groups.clone_from(&wishes.groups);
    }
    spec.key = wishes.key.clone().or_else(|| spec.key.take());
    if let Some(image) = &wishes.image {
        spec.image = image.clone();
    }
    if let Some(instance_type) = &wishes.instance_type {
        spec.instance_type = instance_type.clone();
    }
}

/// Without a state file: the instance that the routes lead to, where it is the named one or ours;
/// the named one, where no route exists yet.
pub(crate) fn found(
    order: &Order,
    snapshot: &Snapshot,
    notes: &mut Vec<String>,
) -> Result<Record, Refusal> {
    let named = snapshot.instances.get(&order.instance);
    let routed = routed(order, snapshot);
    let holder = match routed {
        Some(other) if other.id != order.instance => {
            if !is_ours(other, order.vip) {
                return Err(Refusal::new(
                    format!(
                        "the route for {} leads to {}, not to {}",
                        order.vip.destination, other.id, order.instance
                    ),
                    format!(
                        "give --instance-id {}, or point the route to {}",
                        other.id, order.instance
                    ),
                ));
            }
            notes.push(format!(
                "{} was moved from {} to {} by rehome (its tags say so); going on with it",
                order.vip, order.instance, other.id
            ));
            other
        }
        Some(routed) => routed,
        None => match named.filter(|named| !named.state.is_ending()) {
            Some(named) => named,
            None => tagged(order, snapshot, notes)
                .or(named)
                .ok_or_else(|| no_such_instance(&order.instance))?,
        },
    };
    begin(order, holder, snapshot)
}

fn no_such_instance(instance: &InstanceId) -> Refusal {
    Refusal::new(
        format!("the instance {instance} does not exist here"),
        "check the id and the region (AWS_DEFAULT_REGION); no route, tag or state file names \
         another holder",
    )
}

/// The live instance that routes for the VIP lead to: the named one, where some route leads there,
/// else one of ours, else any.
fn routed<'a>(order: &Order, snapshot: &'a Snapshot) -> Option<&'a Instance> {
    let destination = order.vip.destination;
    let wanted = |id| order.tables.is_empty() || order.tables.contains(id);
    let targets: Vec<&Instance> = snapshot
        .tables
        .iter()
        .filter(|table| wanted(&table.id))
        .filter_map(|table| match target_of(table, destination)? {
            Target::Interface { id, instance } => {
                let by_interface = |candidate: &&Instance| {
                    Some(&candidate.id) == instance.as_ref() || candidate.interface(id).is_some()
                };
                snapshot.instances.values().find(by_interface)
            }
            Target::Other(_) => None,
        })
        .filter(|instance| !instance.state.is_ending())
        .collect();
    let named = |instance: &&&Instance| instance.id == order.instance;
    let ours = |instance: &&&Instance| is_ours(instance, order.vip);
    let best = targets.iter().find(named).or_else(|| targets.iter().find(ours));
    best.or_else(|| targets.first()).copied()
}

/// The newest live instance that carries our tags for the VIP.
fn tagged<'a>(
    order: &Order,
    snapshot: &'a Snapshot,
    notes: &mut Vec<String>,
) -> Option<&'a Instance> {
    let generation =
        |instance: &&Instance| instance.tags.get("rehome:generation")?.parse::<u64>().ok();
    let live = |instance: &&Instance| !instance.state.is_leaving() && is_ours(instance, order.vip);
    let newest = snapshot.instances.values().filter(live).max_by_key(generation)?;
    notes.push(format!("Found {} by its tags; going on with it", newest.id));
    Some(newest)
}

/// A first record: nothing is known but what AWS shows.
pub(super) fn begin(
    order: &Order,
    holder: &Instance,
    snapshot: &Snapshot,
) -> Result<Record, Refusal> {
    let gone = || {
        Refusal::new(
            format!("{} is {} and no longer tells what it was", holder.id, holder.state),
            "without a state file a replacement can't be built from it; give a running instance",
        )
    };
    let interface = holder.primary_interface().ok_or_else(gone)?;
    let home = Home {
        instance: holder.id.clone(),
        interface: interface.id.clone(),
        address: holder.address.ok_or_else(gone)?,
        az: holder.az.clone().ok_or_else(gone)?,
        subnet: holder.subnet.clone().ok_or_else(gone)?,
        groups: interface.groups.clone(),
        answered: false,
    };
    let spec = LaunchSpec::of(holder, &snapshot.parts, &order.wishes).map_err(|_| gone())?;
    let generation = holder
        .tags
        .get("rehome:generation")
        .filter(|_| is_ours(holder, order.vip))
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    Ok(Record {
        format: FORMAT,
        revision: 0,
        vip: order.vip,
        vpc: holder.vpc.clone().ok_or_else(gone)?,
        account: snapshot.caller.account.clone(),
        generation,
        attempts: 0,
        holder: home,
        route_set: Vec::new(),
        heard_by: Vec::new(),
        path: Vec::new(),
        spec,
        moving: None,
        disposals: Vec::new(),
        lost_launches: Vec::new(),
        standby: None,
        standby_spec: None,
        standby_launches: Vec::new(),
        former: Vec::new(),
        moves: Vec::new(),
    })
}

/// Holders that rehome may not replace, or only when people agreed to the loss.
pub(crate) fn refused(order: &Order, record: &Record, snapshot: &Snapshot) -> Vec<Refusal> {
    let Some(holder) = snapshot.instances.get(&record.holder.instance) else { return Vec::new() };
    let id = &holder.id;
    let mut refusals = Vec::new();
    if snapshot.own_instance.as_ref() == Some(id) {
        refusals.push(Refusal::new(
            format!("{id} is the machine that rehome runs on"),
            "run rehome on another machine: it can't replace the one it runs on",
        ));
    }
    if let Some(group) = holder.scaling_group() {
        refusals.push(Refusal::new(
            format!("{id} belongs to the Auto Scaling group {group}"),
            "the group would replace what rehome ends; detach the instance first",
        ));
    }
    if let Some(operator) = &holder.managed_by {
        refusals.push(Refusal::new(
            format!("{id} is managed by {operator}"),
            "only that service may replace it",
        ));
    }
    let image = &record.spec.image;
    let bootable =
        snapshot.parts.image.as_ref().is_some_and(|one| one.id == *image && one.available);
    if !holder.state.is_ending() && order.wishes.image.is_none() && !bootable {
        refusals.push(Refusal::new(
            format!("{id}'s image {image} no longer exists, so no replacement can boot from it"),
            "name another with --image",
        ));
    }
    for (loss, what) in losses(holder, snapshot) {
        if !order.accepted.contains(&loss) {
            refusals.push(Refusal::new(
                format!("{id} has {what}, which a replacement would not have"),
                format!("--accept-loss {} agrees to that", loss.word()),
            ));
        }
    }
    refusals
}

/// What the holder has and a replacement would not.
pub(crate) fn losses(holder: &Instance, snapshot: &Snapshot) -> Vec<(Loss, String)> {
    let mut losses = Vec::new();
    if holder.interfaces.len() > 1 {
        losses.push((Loss::Interfaces, format!("{} interfaces", holder.interfaces.len())));
    }
    let mapped =
        |device: &String| {
            snapshot.parts.image.as_ref().is_some_and(|image| {
                image.devices.iter().any(|of_image| of_image.device == *device)
            })
        };
    let extra: Vec<&String> = holder
        .volumes
        .iter()
        .map(|attached| &attached.device)
        .filter(|device| holder.root_device.as_ref() != Some(*device) && !mapped(device))
        .collect();
    if !extra.is_empty() {
        losses.push((Loss::Volumes, format!("the volumes {}", crate::verdict::list(extra.iter()))));
    }
    let elastic = holder.interfaces.iter().filter_map(|interface| interface.public.as_ref());
    if let Some(public) = elastic.into_iter().find(|public| public.elastic) {
        losses.push((Loss::ElasticIp, format!("the Elastic IP {}", public.address)));
    }
    if holder.root_device_type.as_deref() == Some("instance-store") {
        losses.push((Loss::InstanceStore, "its root in an instance store".to_string()));
    } else if snapshot.parts.instance_store {
        losses.push((Loss::InstanceStore, "disks in an instance store".to_string()));
    }
    if let Some(host) = &holder.placement.host {
        losses.push((Loss::Placement, format!("the Dedicated Host {host}")));
    }
    if let Some(group) = &holder.placement.group
        && !snapshot.parts.group_spans_zones()
    {
        losses.push((Loss::Placement, format!("its place in the cluster placement group {group}")));
    }
    // A one-time request ends with its instance; a persistent one has EC2 launch it again. Of one
    // that can't be read nothing is assumed.
    if let Some(request) = &holder.spot_request
        && snapshot.parts.spot_kind.as_deref() != Some("one-time")
    {
        losses.push((Loss::Spot, format!("the persistent spot request {request}")));
    }
    losses
}
