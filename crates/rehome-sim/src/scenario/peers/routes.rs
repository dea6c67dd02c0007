//! Routes that others write, that are missing, that lead nowhere, that aren't ours.

use crate::account::vip;
use crate::fault::Kind;
use crate::scenario::MIN;
use crate::scenario::play::{Ends, Play, unmet};
use crate::time::SEC;

/// Somebody takes the routes of one table after the other for a moment.
pub(super) fn moved_for_a_moment(play: &mut Play) -> Ends {
    play.well()?;
    let holder = play.world.holder(0);
    let (stranger, own) = (play.world.account.stranger.clone(), play.interface(&holder)?);
    for table in [0, 1] {
        // Gone again before anybody looked.
        play.point(table, 0, &stranger);
        play.pass(SEC)?;
        play.point(table, 0, &own);
        play.pass(MIN)?;
        play.served(0)?;
        // And never given back.
        play.point(table, 0, &stranger);
        play.unserved(0)?;
        play.until_served(0, 15 * SEC)?;
    }
    play.pass(10 * MIN)?;
    play.held_by(0, &holder)?;
    play.nothing_moved()
}

/// Every minute somebody points a table to a machine that doesn't serve the address.
pub(super) fn stolen_again_and_again(play: &mut Play) -> Ends {
    play.well()?;
    let stranger = play.world.account.stranger.clone();
    for _ in 0..20 {
        play.point(0, 0, &stranger);
        play.pass(MIN)?;
    }
    play.told("again and again; somebody else writes it")?;
    // Twice in ten minutes, and in twenty no more than four or five times.
    let taken = play.times_told("Replaced route");
    if !(2..=6).contains(&taken) {
        return unmet(format!("taken back {taken} times"));
    }
    play.nothing_moved()?;
    // Once that ends it takes the route back a last time by itself.
    play.until_served(0, 11 * MIN)?;
    play.nothing_moved()
}

/// After a move an old plan is applied again and again: back to the stopped machine.
pub(super) fn plan_applied_again(play: &mut Play) -> Ends {
    play.well()?;
    let old = play.kill_holder(0);
    let eni = play.interface(&old)?;
    play.until_moved(0, 2 * MIN)?;
    play.until_told(&format!("Old instance {old} stopped"), 3 * MIN)?;
    let new = play.world.holder(0);
    for _ in 0..20 {
        for table in [0, 1] {
            play.point(table, 0, &eni);
        }
        play.unserved(0)?;
        play.until_served(0, 15 * SEC)?;
        play.pass(2 * MIN)?;
    }
    play.held_by(0, &new)?;
    play.moved_once()
}

/// The same plan while the old machine runs and its guest is dead.
pub(super) fn plan_to_a_dead_guest(play: &mut Play) -> Ends {
    play.well()?;
    let old = play.kill_holder(0);
    let eni = play.interface(&old)?;
    play.until_moved(0, 2 * MIN)?;
    let new = play.world.holder(0);
    play.pass(2 * MIN)?;
    for _ in 0..2 {
        play.point(0, 0, &eni);
        play.until_served(0, 15 * SEC)?;
    }
    play.point(0, 0, &eni);
    play.until_told("again and again; somebody else writes it", 30 * SEC)?;
    play.until_served(0, 11 * MIN)?;
    play.held_by(0, &new)?;
    play.moved_once()
}

/// A third table, not ours, has the same destination; our own has other routes to the holder.
pub(super) fn not_ours(play: &mut Play) -> Ends {
    let vpc = play.world.plane.tables[0].vpc.clone();
    let Ok(foreign) = play.world.ec2.create_route_table(&vpc) else {
        return unmet("no table can be made");
    };
    let (stranger, address) = (play.world.account.stranger.clone(), format!("{}/32", vip(0)));
    play.create_route(&foreign, &address, &stranger);
    let own = play.interface(&play.world.holder(0))?;
    let ours = play.world.account.tables[0].clone();
    play.create_route(&ours, "10.9.0.0/24", &own);
    play.well()?;
    play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.pass(30 * SEC)?;
    // The other destination in our own table is somebody's affair, even where it dies with the
    // machine; so is the same destination in the other table.
    for _ in 0..10 {
        let there = play.leads_to(&foreign, &address);
        if there.as_ref() != Some(&stranger) {
            return unmet(format!("the foreign table leads to {there:?}"));
        }
        let other = play.leads_to(&ours, "10.9.0.0/24");
        if other.as_ref() != Some(&own) && other.is_some() {
            return unmet(format!("another route leads to {other:?}"));
        }
        play.pass(MIN)?;
    }
    play.moved_once()
}

/// The same foreign table, and nobody named ours: it doesn't start before somebody does.
pub(super) fn unnamed_stranger(play: &mut Play) -> Ends {
    let vpc = play.world.plane.tables[0].vpc.clone();
    let Ok(foreign) = play.world.ec2.create_route_table(&vpc) else {
        return unmet("no table can be made");
    };
    let (stranger, address) = (play.world.account.stranger.clone(), format!("{}/32", vip(0)));
    play.create_route(&foreign, &address, &stranger);
    play.pass(30 * MIN)?;
    play.nothing_sent()?;
    if play.counts().starts > 0 {
        return unmet("it started");
    }
    if play.leads_to(&foreign, &address) != Some(stranger) {
        return unmet("the foreign table was changed");
    }
    Ok(())
}

/// A named table has no route: at the start, while it watches, and right before a cut.
pub(super) fn missing(play: &mut Play) -> Ends {
    play.delete_route(1, 0);
    play.pass(30 * SEC)?;
    play.told("Added route 10.0.0.10/32")?;
    play.well()?;
    for table in [0, 1] {
        play.delete_route(table, 0);
        play.until_told("Added route 10.0.0.10/32", 15 * SEC)?;
        play.served(0)?;
    }
    play.nothing_moved()?;
    play.kill_holder(0);
    play.until_told("launched", MIN)?;
    play.delete_route(0, 0);
    play.until_moved(0, 2 * MIN)?;
    play.moved_once()
}

/// A route leads to an interface that hangs on nothing.
pub(super) fn black_hole(play: &mut Play) -> Ends {
    play.well()?;
    let nowhere = play.world.account.dead_end.clone();
    for _ in 0..5 {
        for table in [0, 1] {
            play.point(table, 0, &nowhere);
        }
        play.until_served(0, 15 * SEC)?;
        play.pass(3 * MIN)?;
    }
    play.nothing_moved()
}

/// The holder's source/destination check is switched on again and again.
pub(super) fn check_on(play: &mut Play) -> Ends {
    play.well()?;
    let holder = play.world.holder(0);
    for _ in 0..10 {
        play.strike(Kind::CheckOn, 0)?;
        play.until_served(0, 15 * SEC)?;
        play.pass(2 * MIN)?;
    }
    play.held_by(0, &holder)?;
    play.nothing_moved()
}

/// It is switched on at the new home right after a move.
pub(super) fn check_on_after_a_move(play: &mut Play) -> Ends {
    play.well()?;
    play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.strike(Kind::CheckOn, 0)?;
    play.unserved(0)?;
    play.until_served(0, 15 * SEC)?;
    play.pass(10 * MIN)?;
    play.moved_once()
}

/// The old plan is applied while the new home has to prove itself.
pub(super) fn plan_in_a_move(play: &mut Play) -> Ends {
    play.well()?;
    let old = play.kill_holder(0);
    let eni = play.interface(&old)?;
    play.until_told("Replaced route", 2 * MIN)?;
    for table in [0, 1] {
        play.point(table, 0, &eni);
    }
    play.until_moved(0, 2 * MIN)?;
    play.not_held_by(0, &old)?;
    play.pass(10 * MIN)?;
    play.served(0)?;
    play.moved_once()
}

/// The way back to the monitor's overlay address is lost at the holder.
pub(super) fn way_back(play: &mut Play) -> Ends {
    play.well()?;
    for table in play.world.account.tables.clone() {
        play.delete(&table, "10.0.0.100/32");
    }
    play.pass(30 * MIN)?;
    play.told("our own return path")?;
    play.nothing_sent()?;
    play.nothing_moved()?;
    play.served(0)
}
