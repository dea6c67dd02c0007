//! What a process remembers: a record that can't be written, is damaged or lost, a process that is
//! killed at the worst moment, and a second one.

use crate::fault::Kind;
use crate::scenario::MIN;
use crate::scenario::play::{Ends, Play};
use crate::time::SEC;

/// The record can't be written, and the holder dies.
pub(super) fn unwritable(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::StoreFails, 0)?;
    play.pass(MIN)?;
    play.kill_holder(0);
    play.pass(30 * MIN)?;
    play.nothing_sent()?;
    play.launches(0)?;
    play.over(Kind::StoreFails)?;
    play.until_moved(0, 7 * MIN)?;
    play.pass(10 * MIN)?;
    play.moved_once()
}

/// The record is damaged: nothing goes on before somebody has looked.
pub(super) fn damaged(play: &mut Play) -> Ends {
    play.well()?;
    let holder = play.world.holder(0);
    play.strike(Kind::RecordDamaged, 0)?;
    play.kill_holder(0);
    play.pass(8 * MIN)?;
    play.nothing_sent()?;
    // A person takes what AWS shows for the truth, and mends the guest.
    play.set_dead(&holder, false);
    play.pass(10 * MIN)?;
    play.held_by(0, &holder)?;
    play.served(0)?;
    play.nothing_moved()?;
    play.kill_holder(0);
    play.until_moved(0, 3 * MIN)?;
    play.moved_once()
}

/// The record is lost after a move: the holder is found by routes and tags.
pub(super) fn lost_after_a_move(play: &mut Play) -> Ends {
    play.well()?;
    play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.pass(5 * MIN)?;
    let second = play.world.holder(0);
    play.strike(Kind::RecordLost, 0)?;
    play.pass(2 * MIN)?;
    play.held_by(0, &second)?;
    play.moved_once()?;
    play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.not_held_by(0, &second)?;
    play.moves(2)?;
    play.launches(2)
}

/// Killed right after each step of a move.
pub(super) fn killed_at_each_step(play: &mut Play) -> Ends {
    play.well()?;
    play.kill_holder(0);
    let steps = ["Launching replacement", "launched", "Updating static routes"];
    for step in steps.into_iter().chain(["Replaced route", "answers from", "Terminating"]) {
        play.until_told(step, 2 * MIN)?;
        play.crash(0);
    }
    play.pass(10 * MIN)?;
    play.served(0)?;
    play.moved_once()?;
    play.ends(1)
}

/// Killed at the very calls of a cut, between two tables.
pub(super) fn killed_in_the_cut(play: &mut Play) -> Ends {
    play.well()?;
    play.kill_holder(0);
    play.until_told("is ready", 2 * MIN)?;
    for action in 0..6 {
        play.strike(Kind::CrashAtAction, action % 3)?;
        play.pass(10 * SEC)?;
    }
    play.until_served(0, 2 * MIN)?;
    play.pass(10 * MIN)?;
    play.moved_once()?;
    play.served(0)
}

/// Monitor and holder restart at the same time, and meanwhile a route goes.
pub(super) fn everything_restarts(play: &mut Play) -> Ends {
    play.well()?;
    let holder = play.world.holder(0);
    play.strike(Kind::Reboots, 0)?;
    play.crash(0);
    play.delete_route(1, 0);
    play.until_served(0, MIN)?;
    play.pass(20 * MIN)?;
    play.held_by(0, &holder)?;
    play.served(0)
}

/// The new home dies as soon as it holds the address.
pub(super) fn dies_after_a_move(play: &mut Play) -> Ends {
    play.well()?;
    play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.pass(30 * SEC)?;
    let second = play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.not_held_by(0, &second)?;
    play.pass(10 * MIN)?;
    play.served(0)?;
    play.moves(2)?;
    play.launches(2)
}

/// It dies in the very moment: nobody has seen yet how the way there is when it works, so EC2's
/// word is waited for, which comes within minutes.
pub(super) fn dies_at_once(play: &mut Play) -> Ends {
    play.well()?;
    play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    let second = play.kill_holder(0);
    play.until_told("never read while it worked", MIN)?;
    play.until_moved(0, 6 * MIN)?;
    play.not_held_by(0, &second)?;
    play.pass(10 * MIN)?;
    play.served(0)?;
    play.moves(2)
}

/// Somebody starts a second controller elsewhere; all is well.
pub(super) fn a_second_one(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::Second, 0)?;
    play.pass(60 * MIN)?;
    play.nothing_sent()?;
    play.nothing_moved()?;
    play.served(0)
}

/// Two controllers of one address, and the holder dies.
pub(super) fn two_and_a_death(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::Second, 0)?;
    play.pass(5 * MIN)?;
    play.kill_holder(0);
    // Both move it. Whoever writes the routes last has it; the other finds that it answers there.
    play.until_moved(0, 2 * MIN)?;
    play.until_served(0, 5 * MIN)?;
    for _ in 0..60 {
        play.pass(MIN)?;
        play.served(0)?;
    }
    // Each launched at most one for each move of its budget, and nobody ended what served.
    if play.counts().launches > 4 {
        return crate::scenario::play::unmet(format!("{} launches", play.counts().launches));
    }
    Ok(())
}
