//! Whether a record is an old copy: one that was put back from a backup or came with a cloned
//! machine. It is whole, and wrong about who holds the VIP and about which launches were made.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::rebuild::{generation, shown};
use super::{Instance, Order, Record, Refusal, Snapshot, TAG_PREFIX, is_ours, target_of};
use crate::names::{InstanceId, TableId};
use crate::verdict::list;
use crate::world::Target;

/// Why a record isn't the last that was written, where what AWS shows proves it.
///
/// A launch is written down before it is made, and its tags say under which number: the generation
/// that it would begin, and the attempt. So the last record is never behind the tags of anything
/// that was launched by it. A live instance of this VPC with later tags is of a record that was
/// written after this one, or of another controller's. Both leave such instances lying about that
/// concern nobody (a spare that was kept, the holder of other tables), and a start that is refused
/// without need is an outage at the next failure. Therefore one thing more is asked for: a route of
/// the record's own set leads there. A candidate gets no route before it is ready, so then the
/// address was moved, in tables that are ours and by somebody who knew more than this record.
///
/// What can't prove it is no reason: a generation alone, however late; tags that can't be read; an
/// instance that is off or ending; a table that the flags no longer name; an instance that the
/// record names, whatever its tags. [`pass_over`] sees to it that a record which was made anew
/// names what was there when it was made.
///
/// Another controller that did move the address in these tables can't be told from a later record
/// of our own: its tokens and tags are the same. Its move is unknown to this record all the same,
/// and so is what it launched, so this one's next move would be made on a past that is over.
///
/// An old copy that this doesn't find is harmless for the most part. If the address wasn't moved
/// since, the budget and the look of the path are a little old. If it was moved by a launch that
/// the copy had begun, its token brings that instance again. Not found are moves that AWS doesn't
/// show any more: the routes were pointed back by hand, or the new holder is stopped or gone.
pub(crate) fn outdated(order: &Order, record: &Record, snapshot: &Snapshot) -> Option<Refusal> {
    let later = later_homes(order, record, snapshot);
    if later.is_empty() {
        return None;
    }
    let homes = later.iter().map(|(id, (tags, tables))| {
        format!("{} to {id}, launched for {tags}", list(tables.iter().copied()))
    });
    let which = match later.keys().collect::<Vec<_>>()[..] {
        [only] => only.to_string(),
        _ => "of the one that serves".to_string(),
    };
    Some(Refusal::new(
        format!(
            "the state file for {} is older than what AWS shows: by it {} holds the address, in \
             generation {} with {} launches since, but routes lead elsewhere ({}); nothing is done \
             on a guess. AWS shows: {}",
            record.vip,
            record.holder.instance,
            record.generation,
            record.attempts,
            list(homes),
            shown(order, snapshot)
        ),
        format!(
            "leave the address to another rehome, if one keeps it; put a newer state file back, if \
             there is one; else compare, and `rehome adopt` with these flags and --instance-id \
             {which} makes it anew from what AWS shows"
        ),
    ))
}

/// The instances that prove a record old, with what their tags say and the tables that lead there.
fn later_homes<'s>(
    order: &Order,
    record: &Record,
    snapshot: &'s Snapshot,
) -> BTreeMap<&'s InstanceId, (String, Vec<&'s TableId>)> {
    let mut later = BTreeMap::new();
    for table in &snapshot.tables {
        let ours = record.route_set.contains(&table.id)
            && (order.tables.is_empty() || order.tables.contains(&table.id));
        let target = target_of(table, record.vip.destination).filter(|_| ours);
        let Some(Target::Interface { id, .. }) = target else { continue };
        let home = snapshot.instances.values().find(|one| one.interface(id).is_some());
        let Some(home) = home.filter(|home| !home.state.is_leaving()) else { continue };
        if is_named(record, &home.id) {
            continue;
        }
        if let Some((generation, attempt)) = later_tags(record, home) {
            let tags = format!("generation {generation}, launch {attempt}");
            let (_, tables) = later.entry(&home.id).or_insert_with(|| (tags, Vec::new()));
            tables.push(&table.id);
        }
    }
    later
}

/// A record that was made anew names every instance that a later start would take for a sign of its
/// age: whoever made it, AWS or a person, has seen them.
pub(super) fn pass_over(record: &mut Record, snapshot: &Snapshot) {
    for instance in snapshot.instances.values().filter(|one| !one.state.is_ending()) {
        if !is_named(record, &instance.id) && later_tags(record, instance).is_some() {
            record.remember_former(&instance.id);
        }
    }
}

/// What the tags of an instance of ours in this VPC say, where it was launched after anything that
/// the record has begun: for the generation after the record's with a number beyond its attempts,
/// which count from the last move, or for a generation later than that.
fn later_tags(record: &Record, instance: &Instance) -> Option<(u64, u64)> {
    if instance.vpc.as_ref() != Some(&record.vpc) || !is_ours(instance, record.vip) {
        return None;
    }
    let attempt = instance.tags.get(&format!("{TAG_PREFIX}attempt"))?.parse().ok()?;
    let tags = (generation(instance)?, attempt);
    (tags > (record.generation.saturating_add(1), record.attempts)).then_some(tags)
}

/// Whether the record knows an instance, in whatever part. Launches that were lost have no instance
/// there; their numbers are within the attempts.
fn is_named(record: &Record, id: &InstanceId) -> bool {
    let moving = record.moving.as_ref();
    let attempt = moving.and_then(|moving| moving.attempt.as_ref());
    record.holder.instance == *id
        || attempt.is_some_and(|attempt| attempt.instance.as_ref() == Some(id))
        || moving.and_then(|moving| moving.cut_to.as_ref()).is_some_and(|to| to.instance == *id)
        || record.disposals.iter().any(|disposal| disposal.instance == *id)
        || record.standby.as_ref().is_some_and(|standby| standby.instance.as_ref() == Some(id))
        || record.former.contains(id)
}
