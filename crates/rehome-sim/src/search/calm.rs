//! Whether all would end well if nothing more went wrong.

use std::sync::Arc;

use rehome_core::record::Disposal;

use super::knobs::MOVES_MAX;
use super::law::{Broken, Law};
use super::steps::{is_settled, pass, see, set_paused};
use super::truth::{Life, scene};
use super::world::{Sight, World};

/// Steps within which the VIP has to be served: a move takes about 60, a hold 10.
const STEPS_MAX: usize = 400;

/// Lets time pass from a state on, with every fault over; what is dead stays dead.
pub(super) fn ends_badly(from: &World) -> Option<Broken> {
    let mut world = from.clone();
    Arc::make_mut(&mut world.truth).barren = false;
    see(&mut world, Sight::Clear);
    if world.controller.is_none() {
        world.start();
    }
    if world.paused {
        set_paused(&mut world, false);
    }
    for _ in 0..STEPS_MAX {
        if world.due.is_empty() && is_settled(&world) {
            return None;
        }
        world = pass(&world)?;
        if world.broken.is_some() {
            return world.broken;
        }
    }
    if is_hopeless(&world) || is_left_to_people(&world) {
        return None;
    }
    let record = &world.durable;
    let how = format!("{:?}, {:?}, {:?}", record.moving, record.disposals, world.truth.routes);
    Some(Law::NotServed.broken(how))
}

/// Whether every table leads to another one than the holder, from which the VIP answers: it is
/// served, held, and people are told.
///
/// Either a person pointed the routes back to a former holder that recovered and that is left to
/// them; or a route call of an earlier process to a candidate that was given up landed late, the
/// reading that cancelled the move was behind it, and since it looks as if somebody else had moved
/// the address the candidate, being led to, is never ended.
fn is_left_to_people(world: &World) -> bool {
    let record = &world.durable;
    let serving = (0..world.truth.machines.len())
        .find(|number| world.truth.is_served_by(*number, world.now))
        .map(|number| &scene().instances[number]);
    record.moving.is_none()
        && record.lost_launches.is_empty()
        && serving.is_some_and(|serving| {
            let given_up = |disposal: &Disposal| disposal.instance == *serving;
            record.disposals.iter().all(given_up)
                && (!record.disposals.is_empty() || record.former.contains(serving))
        })
}

/// What isn't moved by design: the budget is spent, or the evidence can't be had any more.
fn is_hopeless(world: &World) -> bool {
    let record = &world.durable;
    let runs = world
        .truth
        .number(&record.holder.instance)
        .is_some_and(|number| world.truth.machines[number].life == Life::Running);
    record.moves.len() >= MOVES_MAX as usize
        || (runs && (record.heard_by.is_empty() || record.path.is_empty()))
}
