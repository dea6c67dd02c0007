//! The replacement: no room, an answer that is lost, a guest that never serves.

use crate::fault::Kind;
use crate::scenario::MIN;
use crate::scenario::play::{Ends, Play, unmet};
use crate::time::SEC;

/// A candidate that boots for minutes gets no route before it answers.
pub(super) fn proves_itself_first(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::SlowBoot, 120)?;
    play.kill_holder(0);
    play.until_told("launched", MIN)?;
    let candidate = play.candidate()?;
    play.until_told("is ready", 4 * MIN)?;
    let answers = play.world.guests.iter().find(|guest| guest.id == candidate);
    if !answers.is_some_and(|guest| guest.answers(play.world.now)) {
        return unmet(format!("{candidate} is called ready and doesn't answer"));
    }
    play.until_moved(0, MIN)?;
    play.moved_once()
}

/// The first candidates come up healthy, and their user data did nothing.
pub(super) fn user_data_fails(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::UserDataFails, 0)?;
    let old = play.kill_holder(0);
    play.until_told("given up: 10.0.0.10 did not answer", 4 * MIN)?;
    play.over(Kind::UserDataFails)?;
    play.until_moved(0, 3 * MIN)?;
    play.not_held_by(0, &old)?;
    play.moves(1)?;
    play.launches(2)?;
    play.pass(10 * MIN)?;
    play.served(0)
}

/// No candidate serves: the routes go back, and the old holder is still there to be mended.
pub(super) fn no_candidate_serves(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::UserDataFails, 0)?;
    let old = play.kill_holder(0);
    play.until_told(&format!("Pointing routes back to {old}"), 15 * MIN)?;
    play.pass(MIN)?;
    play.told(&format!("the routes lead to {old} again"))?;
    play.launches(3)?;
    play.runs(&old)?;
    play.set_dead(&old, false);
    play.until_served(0, 10 * SEC)?;
    play.pass(30 * MIN)?;
    play.held_by(0, &old)?;
    play.runs(&old)?;
    play.moves(1)
}

/// Both status checks pass and the network of the new machine doesn't work.
pub(super) fn newborns_are_deaf(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::NewbornsCut, 0)?;
    let old = play.kill_holder(0);
    play.until_told("given up", 10 * MIN)?;
    // Its network comes up late, and whoever serves then is kept.
    play.over(Kind::NewbornsCut)?;
    play.until_moved(0, 5 * MIN)?;
    play.pass(20 * MIN)?;
    play.not_held_by(0, &old)?;
    play.served(0)?;
    play.moves(1)
}

/// Two of three zones have no room.
pub(super) fn no_room_in_most(play: &mut Play) -> Ends {
    play.well()?;
    play.set_room(Some(0));
    let last = play.world.account.zones[0].clone();
    play.world.ec2.set_capacity(&last, None, None);
    play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.moved_once()
}

/// No zone has room for three hours, which is longer than any budget of moves would last.
pub(super) fn no_room_anywhere(play: &mut Play) -> Ends {
    play.well()?;
    play.set_room(Some(0));
    let old = play.kill_holder(0);
    play.pass(180 * MIN)?;
    play.launches(0)?;
    play.untold("budget spent")?;
    play.ends(0)?;
    play.told("no replacement could be had in")?;
    play.runs(&old)?;
    play.set_room(None);
    play.until_moved(0, 7 * MIN)?;
    play.launches(1)
}

/// No zone has room for four minutes: the next try after the pause finds some.
pub(super) fn no_room_for_minutes(play: &mut Play) -> Ends {
    play.well()?;
    play.set_room(Some(0));
    play.kill_holder(0);
    play.pass(4 * MIN)?;
    play.set_room(None);
    play.until_moved(0, 4 * MIN)?;
    play.launches(1)
}

/// The answer to a launch is lost, again and again, and the new id isn't visible for two minutes.
pub(super) fn answer_lost(play: &mut Play) -> Ends {
    play.well()?;
    play.fail("RunInstances", Some(3), true, crate::scenario::deeds::lost());
    play.strike(Kind::Invisible, 120_000)?;
    play.kill_holder(0);
    play.until_moved(0, 6 * MIN)?;
    play.pass(15 * MIN)?;
    play.moved_once()?;
    play.served(0)
}

/// Launches are accepted and die while pending.
pub(super) fn dies_pending(play: &mut Play) -> Ends {
    play.well()?;
    play.refuse("RunInstances", Some(1), "Server.InsufficientInstanceCapacity");
    play.kill_holder(0);
    play.until_told("given up: terminated (Server.InsufficientInstanceCapacity)", MIN)?;
    play.until_moved(0, 2 * MIN)?;
    play.moves(1)?;
    play.launches(2)
}

/// Somebody terminates the candidate before it is up: its token is used up.
pub(super) fn candidate_terminated(play: &mut Play) -> Ends {
    play.well()?;
    play.kill_holder(0);
    play.until_told("launched", MIN)?;
    let candidate = play.candidate()?;
    play.terminate(&candidate);
    play.until_moved(0, 3 * MIN)?;
    play.not_held_by(0, &candidate)?;
    play.moves(1)?;
    play.launches(2)
}

/// A new id isn't found for two minutes, by whatever is asked.
pub(super) fn new_ids_unknown(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::Invisible, 120_000)?;
    play.kill_holder(0);
    play.until_moved(0, 4 * MIN)?;
    play.pass(15 * MIN)?;
    play.moved_once()
}
