//! What isn't evidence: probes that are lost, late or deaf, a process that stands still, a link.

use crate::fault::Kind;
use crate::scenario::MIN;
use crate::scenario::play::{Ends, Play};
use crate::time::SEC;

/// The rules don't admit pings from the first day, so nobody has ever heard the address.
pub(super) fn never_heard(play: &mut Play) -> Ends {
    play.strike(Kind::GroupClosed, 0)?;
    play.pass(30 * MIN)?;
    play.told("10.0.0.10 has never answered")?;
    play.nothing_moved()?;
    play.nothing_sent()?;
    // Somebody adds the rule: from now on its silence means something.
    play.over(Kind::GroupClosed)?;
    play.pass(2 * MIN)?;
    play.served(0)?;
    play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.moved_once()
}

/// Rules that admitted pings are closed while both ends are well.
pub(super) fn rules_closed(play: &mut Play) -> Ends {
    for (kind, name) in [(Kind::GroupClosed, "security group sg-"), (Kind::AclClosed, "ACL acl-")] {
        play.well()?;
        play.strike(kind, 0)?;
        play.pass(20 * MIN)?;
        play.told("the path is closed")?;
        play.told(name)?;
        play.nothing_sent()?;
        play.over(kind)?;
        play.until_served(0, 10 * SEC)?;
    }
    play.pass(5 * MIN)?;
    play.nothing_moved()
}

/// The process stands still again and again, for longer than any silence needs.
pub(super) fn stalls(play: &mut Play) -> Ends {
    play.well()?;
    for seconds in [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144] {
        play.strike(Kind::Paused, seconds)?;
        play.pass(seconds * SEC + 30 * SEC)?;
    }
    play.strike(Kind::Suspended, 600)?;
    play.pass(12 * MIN)?;
    play.strike(Kind::Sluggish, 2_000)?;
    play.pass(30 * MIN)?;
    play.over(Kind::Sluggish)?;
    play.pass(2 * MIN)?;
    play.nothing_moved()?;
    play.nothing_sent()?;
    play.nothing_told()
}

/// The holder dies while the process stands still.
pub(super) fn dies_in_a_stall(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::Paused, 60)?;
    play.pass(20 * SEC)?;
    let old = play.kill_holder(0);
    // Nothing before it wakes up, and then on evidence of its own.
    play.pass(40 * SEC)?;
    play.nothing_sent()?;
    play.until_told("Suspect", 10 * SEC)?;
    play.until_moved(0, 2 * MIN)?;
    play.not_held_by(0, &old)?;
    play.moved_once()
}

/// All answers of a second are lost.
pub(super) fn a_second_of_loss(play: &mut Play) -> Ends {
    play.well()?;
    for _ in 0..60 {
        play.strike(Kind::Loss, 1_000)?;
        play.pass(1_100 * crate::time::MS)?;
        play.over(Kind::Loss)?;
        play.pass(10 * SEC)?;
    }
    play.nothing_moved()?;
    play.nothing_told()
}

/// Three of ten packets are lost each way, as where pings are limited in their rate.
pub(super) fn loss_for_hours(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::Loss, 300)?;
    play.pass(180 * MIN)?;
    play.nothing_moved()?;
    play.nothing_sent()?;
    play.untold("Held")
}

/// A third of the answers comes seconds late, some twice, some overtaken.
pub(super) fn late_answers(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::LateAnswers, 4_000)?;
    play.strike(Kind::Duplicates, 900)?;
    play.strike(Kind::Reordered, 900)?;
    play.pass(60 * MIN)?;
    play.nothing_moved()?;
    play.nothing_sent()
}

/// A guest that hangs takes every probe and answers none.
pub(super) fn hangs(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::GuestHang, 0)?;
    play.until_told("Launching replacement due to: unreachable", 30 * SEC)?;
    play.until_served(0, 2 * MIN)?;
    play.moved_once()
}

/// Pings from the monitor die on their way while the API lives; a control target is as silent.
pub(super) fn deaf_with_a_witness(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::LossIn, 1_000)?;
    play.pass(60 * MIN)?;
    play.told("we are blind: no control target answers")?;
    play.nothing_sent()?;
    play.over(Kind::LossIn)?;
    play.until_told("No longer blind", 10 * SEC)?;
    play.pass(5 * MIN)?;
    play.nothing_moved()?;
    play.served(0)
}

/// The same without a control target: one vantage point can't tell this from a dead holder.
pub(super) fn deaf_without_a_witness(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::LossIn, 1_000)?;
    // It moves in the dark, within the budget, and no candidate can convince it. But whatever the
    // routes lead to serves at every moment, and as long as nobody is heard nobody is ended.
    for _ in 0..60 {
        play.pass(MIN)?;
        play.served(0)?;
        play.ends(0)?;
    }
    play.told("no replacement made 10.0.0.10 answer")?;
    play.over(Kind::LossIn)?;
    for _ in 0..30 {
        play.pass(MIN)?;
        play.served(0)?;
    }
    Ok(())
}

/// Only the link to the holder's zone breaks; a control target in a third zone answers.
pub(super) fn link_to_the_holders_zone(play: &mut Play) -> Ends {
    play.well()?;
    let old = play.world.holder(0);
    play.cut_zone(Some(0));
    // From here this is a dead holder: the address moves, once, to where it is heard.
    play.until_moved(0, 2 * MIN)?;
    play.not_held_by(0, &old)?;
    play.pass(10 * MIN)?;
    play.moved_once()?;
    // What was ended wasn't serving any more, which the observer watches; the link comes back.
    play.cut_zone(None);
    play.pass(30 * MIN)?;
    play.moved_once()?;
    play.served(0)
}

/// The same for less than it takes to launch anything.
pub(super) fn link_for_seconds(play: &mut Play) -> Ends {
    play.well()?;
    let old = play.world.holder(0);
    play.cut_zone(Some(0));
    play.pass(8 * SEC)?;
    play.cut_zone(None);
    play.pass(15 * MIN)?;
    play.held_by(0, &old)?;
    play.runs(&old)?;
    play.untold("Updating static routes")?;
    play.served(0)
}

/// The zone of the control target and of one table's clients is cut off, not the holder's.
pub(super) fn link_to_another_zone(play: &mut Play) -> Ends {
    play.well()?;
    play.cut_zone(Some(1));
    play.pass(30 * MIN)?;
    play.told("Failover capability lost")?;
    play.nothing_moved()?;
    play.nothing_sent()?;
    play.cut_zone(None);
    play.until_told("Failover capability is back", MIN)?;
    play.served(0)
}
