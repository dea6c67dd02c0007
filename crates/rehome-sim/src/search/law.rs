//! What must hold in every state: the ground truth against what the controller does.

use std::fmt;

use rehome_core::call::Call;
use rehome_core::record::Record;
use rehome_core::time::Mono;

use super::knobs::LAUNCHES_MAX;
use super::truth::{Machine, Truth, scene};
use super::world::{Sight, World};

/// After this a process has to know that it is blind: two lost rounds of probes, and what was
/// decided just before.
const BLIND_AFTER: u64 = 4_000_000_000;

/// Silence before anything is launched: `interval` times `fall`.
const SILENT_FOR: u64 = 2_000_000_000;

/// An answer comes within a second of the guest's return, and its probe's loss isn't believed
/// before.
const ANSWERS_KNOWN_AFTER: u64 = 3_000_000_000;

/// A reading of the routes can be this old: a poll, its answer, and EC2 being behind.
const ROUTES_KNOWN_AFTER: u64 = 5_000_000_000;

/// A call that is sent this late was decided on old evidence.
const SENT_WITHIN: u64 = 2_000_000_000;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// The core asserts nothing that isn't so.
    Panic,
    /// Nothing is changed while a person has paused it.
    Paused,
    /// Nothing is changed while the monitor is known to be blind.
    Blind,
    /// No call may be sent long after it was decided.
    Late,
    /// Nothing is launched unless the VIP has been silent, and EC2 has told of the holder since.
    Hasty,
    /// Routes lead only to the holder or to whom the durable record has them cut to.
    Astray,
    /// What is recorded as holder or candidate, or serves some table, is never ended.
    EndedServing,
    /// A former holder that answers is never ended.
    EndedAlive,
    /// A launch takes effect only when its token is durable.
    Unrecorded,
    /// One attempt brings one instance at most that lives.
    Twice,
    /// A move launches no more than it may.
    Budget,
    /// Every instance of ours that lives is in the durable record, or people were told of it.
    Forgotten,
    /// Once nothing goes wrong any more, the VIP is served and nothing is left over.
    NotServed,
    /// States that pass for the same go on the same: the search's own law.
    Merged,
}

impl Law {
    /// That it doesn't hold.
    pub(super) fn broken(self, how: impl Into<String>) -> Broken {
        Broken { law: self, how: how.into() }
    }
}

/// A law that doesn't hold in some state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub law: Law,
    /// How.
    pub how: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.law, self.how)
    }
}

/// Looks at a mutation when it is sent.
pub(super) fn on_sent(world: &World, call: &Call, not_after: Mono) -> Option<Broken> {
    let (now, action) = (world.now, call.action());
    if world.paused {
        return Some(Law::Paused.broken(format!("{action} while paused")));
    }
    let dark_for = now.since(world.sight_since.max(world.began)).as_nanos();
    if world.sight != Sight::Clear && dark_for > BLIND_AFTER.into() {
        return Some(Law::Blind.broken(format!("{action} while blind")));
    }
    if not_after < now || not_after.since(now).as_nanos() > SENT_WITHIN.into() {
        return Some(Law::Late.broken(format!("{action} may be sent for too long")));
    }
    match call {
        Call::Launch(_) => on_launch_sent(world),
        Call::ReplaceRoute { table, interface, .. }
        | Call::CreateRoute { table, interface, .. } => {
            let record = &world.durable;
            let cut_to = record.moving.as_ref().and_then(|moving| moving.cut_to.as_ref());
            let homes = [Some(&record.holder), cut_to];
            let known = homes.into_iter().flatten().any(|home| home.interface == *interface);
            (!known || !record.route_set.contains(table))
                .then(|| Law::Astray.broken(format!("{table} to {interface}")))
        }
        Call::Stop { instance, .. } | Call::Terminate { instance } => {
            on_end_sent(world, world.truth.number(instance)?)
        }
        Call::DisableSourceDestCheck { .. }
        | Call::Instances { .. }
        | Call::Listed { .. }
        | Call::Statuses { .. }
        | Call::Tables { .. }
        | Call::Path { .. }
        | Call::Zones
        | Call::Launched { .. } => None,
    }
}

fn on_launch_sent(world: &World) -> Option<Broken> {
    if world.now.since(world.heard_at).as_nanos() < SILENT_FOR.into() {
        return Some(Law::Hasty.broken("launched while the VIP answers"));
    }
    (world.read_at < world.heard_at)
        .then(|| Law::Hasty.broken("launched while EC2 has told nothing since the silence began"))
}

fn on_end_sent(world: &World, number: usize) -> Option<Broken> {
    let (record, id) = (&world.durable, &scene().instances[number]);
    let moving = record.moving.as_ref();
    let holds = record.holder.instance == *id
        || moving.and_then(|moving| moving.cut_to.as_ref()).is_some_and(|to| to.instance == *id)
        || moving
            .and_then(|moving| moving.attempt.as_ref())
            .is_some_and(|attempt| attempt.instance.as_ref() == Some(id));
    if holds {
        return Some(Law::EndedServing.broken(format!("{id} is holder or candidate")));
    }
    // What happened in the dark is found out later.
    let for_long = |since: Option<Mono>, long: u64| {
        since.is_some_and(|since| {
            world.now.since(since.max(world.sight_since)).as_nanos() > u128::from(long)
        })
    };
    let machine: &Machine = &world.truth.machines[number];
    if for_long(machine.serves_since, ROUTES_KNOWN_AFTER) {
        return Some(Law::EndedServing.broken(format!("{id} serves a table")));
    }
    (machine.held && for_long(machine.up_since, ANSWERS_KNOWN_AFTER))
        .then(|| Law::EndedAlive.broken(format!("{id} held the VIP and answers")))
}

/// Looks at what a call changed.
pub(super) fn on_effect(world: &World, call: &Call, before: &Truth) -> Option<Broken> {
    let machines = &world.truth.machines;
    let Call::Launch(launch) = call else { return None };
    if machines.len() == before.machines.len() {
        return None;
    }
    let record = &world.durable;
    let attempt = record.moving.as_ref().and_then(|moving| moving.attempt.as_ref());
    let known = attempt.is_some_and(|attempt| attempt.token == launch.token)
        || record.lost_launches.iter().any(|lost| lost.token == launch.token);
    if !known {
        return Some(Law::Unrecorded.broken("a launch whose token isn't durable"));
    }
    let launched = machines.iter().filter(|machine| machine.origin.is_some()).count();
    let allowed = record.moves.len() * LAUNCHES_MAX as usize;
    (launched > allowed)
        .then(|| Law::Budget.broken(format!("{launched} launches of {allowed} in all moves")))
}

/// Looks at a state between two steps.
pub(super) fn on_state(world: &World) -> Option<Broken> {
    let machines = &world.truth.machines;
    for (number, machine) in machines.iter().enumerate() {
        let Some(origin) = machine.origin.as_ref().filter(|_| machine.lives()) else { continue };
        let twin = machines[..number].iter().any(|other| {
            let attempt = other.origin.as_ref().map(|other| (other.generation, other.attempt));
            other.lives() && attempt == Some((origin.generation, origin.attempt))
        });
        let id = &scene().instances[number];
        if twin {
            return Some(Law::Twice.broken(format!("{id} is the second of its attempt")));
        }
        if !machine.kept && !is_known(&world.durable, number, &origin.token) {
            return Some(Law::Forgotten.broken(format!("{id} is in no record")));
        }
    }
    None
}

fn is_known(record: &Record, number: usize, token: &str) -> bool {
    let id = &scene().instances[number];
    let moving = record.moving.as_ref();
    record.holder.instance == *id
        || moving
            .and_then(|moving| moving.attempt.as_ref())
            .is_some_and(|attempt| attempt.token == token)
        || moving.and_then(|moving| moving.cut_to.as_ref()).is_some_and(|to| to.instance == *id)
        || record.disposals.iter().any(|disposal| disposal.instance == *id)
        || record.lost_launches.iter().any(|lost| lost.token == token)
        || record.standby.as_ref().is_some_and(|standby| standby.token == token)
        || record.former.contains(id)
}
