//! Old holders and healthy ones, people who pause, zones that die, events that are announced.

use ec2_model::Time;
use rehome_core::policy::Policy;

use crate::fault::Kind;
use crate::scenario::MIN;
use crate::scenario::play::{Ends, Play, unmet};
use crate::time::{SEC, model};

/// EC2 calls a holder impaired that serves.
pub(super) fn impaired_and_serving(play: &mut Play) -> Ends {
    for check in [0, 1, 2] {
        play.well()?;
        play.strike(Kind::CheckImpaired, check)?;
        play.pass(40 * MIN)?;
        play.nothing_sent()?;
        play.over(Kind::CheckImpaired)?;
        play.pass(5 * MIN)?;
    }
    play.nothing_moved()?;
    play.served(0)
}

/// A dead guest whose machine is well by EC2's word is replaced all the same.
pub(super) fn dead_and_well_by_ec2(play: &mut Play) -> Ends {
    play.well()?;
    let old = play.kill_holder(0);
    play.until_told("Launching replacement due to: unreachable", 15 * SEC)?;
    play.until_moved(0, MIN)?;
    play.until_told(&format!("Old instance {old} terminated"), 2 * MIN)?;
    play.moved_once()?;
    play.ends(1)
}

/// A person stops the holder: it is moved away from, and stays as it is.
pub(super) fn stopped(play: &mut Play) -> Ends {
    play.well()?;
    let old = play.world.holder(0);
    play.strike(Kind::StaleRoutes, 10_000)?;
    play.strike(Kind::Stops, 0)?;
    play.until_moved(0, 3 * MIN)?;
    play.over(Kind::StaleRoutes)?;
    play.pass(2 * MIN)?;
    play.told(&format!("Old instance {old} kept"))?;
    // Started again it has the address, and no route: nothing goes back by itself.
    play.start(&old);
    play.pass(30 * MIN)?;
    play.runs(&old)?;
    play.not_held_by(0, &old)?;
    play.served(0)?;
    play.moved_once()?;
    play.ends(0)
}

/// The old holder answers again right after the move, before it was ended.
pub(super) fn comes_back(play: &mut Play) -> Ends {
    play.well()?;
    let old = play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.set_dead(&old, false);
    play.pass(30 * MIN)?;
    play.runs(&old)?;
    play.told(&format!("Old instance {old} kept"))?;
    play.not_held_by(0, &old)?;
    play.served(0)?;
    play.moved_once()?;
    play.ends(0)
}

/// It comes and goes every few minutes, and nobody fences it.
pub(super) fn flaps_after_the_move(play: &mut Play) -> Ends {
    play.well()?;
    let old = play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    for round in 0..20 {
        play.set_dead(&old, round % 2 == 1);
        play.pass(3 * MIN)?;
        play.served(0)?;
    }
    play.not_held_by(0, &old)?;
    play.moved_once()?;
    play.ends(0)
}

/// The old holder never gets from stopping to stopped.
pub(super) fn end_hangs(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::EndHangs, 0)?;
    let old = play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.pass(30 * MIN)?;
    play.untold(&format!("Old instance {old} stopped"))?;
    play.served(0)?;
    play.moved_once()?;
    // The next failure isn't kept waiting by that.
    play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.moves(2)
}

/// The old holder is protected from termination.
pub(super) fn protected(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::Protects, 0)?;
    let old = play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.pass(10 * MIN)?;
    play.told(&format!("Old instance {old} kept"))?;
    play.runs(&old)?;
    play.served(0)?;
    play.moved_once()
}

/// Paused, and everything goes wrong.
pub(super) fn paused(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::Pauses, 0)?;
    play.pass(10 * SEC)?;
    play.mark_here();
    play.strike(Kind::CheckOn, 0)?;
    play.pass(5 * MIN)?;
    play.delete_route(0, 0);
    play.pass(5 * MIN)?;
    let stranger = play.world.account.stranger.clone();
    play.point(1, 0, &stranger);
    play.pass(5 * MIN)?;
    let old = play.kill_holder(0);
    play.pass(5 * MIN)?;
    play.crash(0);
    play.pass(40 * MIN)?;
    play.nothing_sent()?;
    play.nothing_moved()?;
    play.over(Kind::Pauses)?;
    play.until_moved(0, 3 * MIN)?;
    play.not_held_by(0, &old)?;
    play.pass(10 * MIN)?;
    play.moved_once()
}

/// Paused in the middle of a move, and the holder comes back meanwhile.
pub(super) fn paused_in_a_move(play: &mut Play) -> Ends {
    play.well()?;
    let old = play.kill_holder(0);
    play.until_told("launched", MIN)?;
    play.strike(Kind::Pauses, 0)?;
    play.pass(2 * SEC)?;
    play.mark_here();
    play.pass(10 * MIN)?;
    play.nothing_sent()?;
    play.set_dead(&old, false);
    play.pass(MIN)?;
    play.over(Kind::Pauses)?;
    play.pass(20 * MIN)?;
    play.held_by(0, &old)?;
    play.runs(&old)?;
    play.served(0)?;
    play.moved_once()?;
    // The candidate that nobody needs any more goes in the end.
    play.ends(1)
}

/// Paused for longer than a candidate or a cut has time, at each stage of a move.
pub(super) fn paused_for_long(play: &mut Play) -> Ends {
    play.well()?;
    play.kill_holder(0);
    play.until_told("launched", MIN)?;
    play.strike(Kind::Pauses, 0)?;
    play.pass(10 * MIN)?;
    play.over(Kind::Pauses)?;
    play.until_told("Updating static routes", MIN)?;
    play.strike(Kind::Pauses, 0)?;
    play.pass(10 * MIN)?;
    play.over(Kind::Pauses)?;
    play.until_served(0, MIN)?;
    play.pass(20 * MIN)?;
    play.served(0)?;
    play.moved_once()?;
    play.ends(1)
}

/// A zone dies with two addresses, and EC2's readings of it with it.
pub(super) fn a_zone_dies(play: &mut Play) -> Ends {
    play.well()?;
    // The second address comes to the zone of the first one.
    play.set_room(Some(0));
    let first = play.world.account.zones[0].clone();
    play.world.ec2.set_capacity(&first, None, None);
    play.kill_holder(1);
    play.until_moved(1, 2 * MIN)?;
    play.set_room(None);
    play.pass(5 * MIN)?;
    play.kill_zone(0);
    play.pass(MIN)?;
    for number in [0, 1] {
        play.until_served(number, 2 * MIN)?;
    }
    play.pass(20 * MIN)?;
    for number in [0, 1] {
        play.served(number)?;
    }
    play.moves(3)?;
    play.launches(3)
}

/// A zone dies with an address and with the only control target.
pub(super) fn a_zone_dies_with_the_witness(play: &mut Play) -> Ends {
    play.well()?;
    let witness = play.world.account.monitors[1].clone();
    play.kill_zone(1);
    play.pass(20 * MIN)?;
    play.told("we are blind: no control target answers")?;
    play.nothing_sent()?;
    play.served(0)?;
    // The witness is mended; the zone and the address's holder aren't.
    play.set_dead(&witness, false);
    play.until_moved(1, 2 * MIN)?;
    play.pass(10 * MIN)?;
    play.served(1)?;
    play.moved_once()
}

/// Every new home dies a minute after it came up.
pub(super) fn every_home_dies(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::NewbornsDie, 60)?;
    play.kill_holder(0);
    play.pass(50 * MIN)?;
    let most = Policy::default().moves_per_hour;
    play.moves(most)?;
    play.told("budget spent: 2 moves in the last hour")?;
    if play.counts().launches > most * Policy::default().launches_max {
        return unmet(format!("{} launches", play.counts().launches));
    }
    play.over(Kind::NewbornsDie)?;
    // The hour passes, and it goes on by itself.
    play.until_served(0, 20 * MIN)?;
    play.moves(most + 1)
}

/// EC2 announces the end of the holder's host, and then of nothing more.
pub(super) fn announced(play: &mut Play) -> Ends {
    play.well()?;
    let (holder, now) = (play.world.holder(0), model(play.world.now));
    let due = Time(now.0 + 3_600_000);
    let text = "The instance is running on degraded hardware";
    let event = play.world.ec2.schedule_event(now, &holder, "instance-retirement", text, due);
    if event.is_none() {
        return unmet("no event could be announced");
    }
    play.until_told("instance-retirement", 2 * MIN)?;
    play.pass(60 * MIN)?;
    play.nothing_sent()?;
    play.nothing_moved()?;
    play.served(0)
}
