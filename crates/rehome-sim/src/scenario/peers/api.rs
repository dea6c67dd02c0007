//! EC2's interface is away, slow, throttled or refuses us: unknown is never dead.

use super::super::deeds::lost;
use crate::fault::Kind;
use crate::scenario::MIN;
use crate::scenario::play::{Ends, Play};
use crate::time::SEC;

/// The API is away for three hours while the address answers.
pub(super) fn away_while_well(play: &mut Play) -> Ends {
    for how in [0, 1] {
        play.well()?;
        play.strike(Kind::ApiDown, how)?;
        play.pass(90 * MIN)?;
        play.told("Failover capability lost")?;
        play.nothing_sent()?;
        play.untold("Held")?;
        play.over(Kind::ApiDown)?;
        play.until_told("Failover capability is back", MIN)?;
        play.served(0)?;
    }
    play.nothing_moved()
}

/// The holder dies while the API is away; it is moved once it can be read again.
pub(super) fn away_while_dead(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::ApiDown, 1)?;
    play.pass(30 * MIN)?;
    play.kill_holder(0);
    play.pass(90 * MIN)?;
    play.told("while EC2 can't be read nothing is moved")?;
    play.nothing_sent()?;
    play.moves(0)?;
    play.over(Kind::ApiDown)?;
    play.until_moved(0, 3 * MIN)?;
    play.pass(10 * MIN)?;
    play.moved_once()
}

/// The store of the record and EC2 are away at the same time, and the address is well.
pub(super) fn away_with_the_store(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::ApiDown, 0)?;
    play.strike(Kind::StoreFails, 0)?;
    play.pass(120 * MIN)?;
    play.nothing_sent()?;
    play.served(0)?;
    play.over(Kind::StoreFails)?;
    play.over(Kind::ApiDown)?;
    play.pass(5 * MIN)?;
    play.nothing_moved()?;
    play.served(0)
}

/// Credentials expire for two hours; in the middle of it the process is started anew.
pub(super) fn expired_while_well(play: &mut Play) -> Ends {
    for code in [0, 1, 2] {
        play.well()?;
        play.strike(Kind::Expired, code)?;
        play.pass(40 * MIN)?;
        play.told("Failover capability lost")?;
        play.nothing_sent()?;
        play.over(Kind::Expired)?;
        play.until_told("Failover capability is back", MIN)?;
    }
    play.nothing_moved()?;
    play.served(0)
}

/// Credentials expire in the middle of a move, for ten minutes.
pub(super) fn expired_in_a_move(play: &mut Play) -> Ends {
    play.well()?;
    play.kill_holder(0);
    play.until_told("launched", MIN)?;
    play.strike(Kind::Expired, 0)?;
    play.pass(4 * MIN)?;
    play.over(Kind::Expired)?;
    play.until_moved(0, 2 * MIN)?;
    play.pass(10 * MIN)?;
    play.moved_once()
}

/// One call in a while fails, each time another way, for an hour.
pub(super) fn hiccups(play: &mut Play) -> Ends {
    play.well()?;
    let codes = ["RequestLimitExceeded", "InternalError", "AuthFailure", "UnauthorizedOperation"];
    for round in 0..60 {
        let code = codes[round % codes.len()];
        let fault = play.refuse("*", Some(3), code);
        play.pass(MIN)?;
        play.mend(fault);
    }
    play.nothing_moved()?;
    play.nothing_sent()?;
    play.untold("Held")
}

/// Others in the account use up every token, and the holder dies.
pub(super) fn throttled(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::Throttled, 100)?;
    play.pass(30 * MIN)?;
    play.nothing_moved()?;
    play.kill_holder(0);
    play.pass(30 * MIN)?;
    play.over(Kind::Throttled)?;
    play.until_served(0, 3 * MIN)?;
    play.pass(10 * MIN)?;
    play.moved_once()
}

/// Each call takes three seconds, and the holder dies.
pub(super) fn slow(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::SlowAnswers, 3_000)?;
    play.pass(10 * MIN)?;
    play.nothing_sent()?;
    play.kill_holder(0);
    play.until_moved(0, 2 * MIN)?;
    play.pass(10 * MIN)?;
    play.moved_once()
}

/// Each call takes longer than anybody waits: that is no answer, and no reason for anything.
pub(super) fn too_slow(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::SlowAnswers, 8_000)?;
    play.pass(10 * MIN)?;
    play.told("Failover capability lost")?;
    play.kill_holder(0);
    play.pass(20 * MIN)?;
    play.moves(0)?;
    play.nothing_sent()?;
    play.over(Kind::SlowAnswers)?;
    play.until_moved(0, 3 * MIN)?;
    play.pass(10 * MIN)?;
    play.moved_once()
}

/// Half of the readings tell the past, before, during and after a move.
pub(super) fn stale(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::StaleInstances, 10_000)?;
    play.strike(Kind::StaleRoutes, 10_000)?;
    play.pass(20 * MIN)?;
    play.nothing_sent()?;
    let old = play.kill_holder(0);
    play.until_moved(0, 4 * MIN)?;
    play.not_held_by(0, &old)?;
    play.pass(30 * MIN)?;
    play.moved_once()?;
    play.ended_only(&old)?;
    play.served(0)
}

/// Answers to the calls of a whole move are lost after they took effect, one of each kind.
pub(super) fn answers_lost(play: &mut Play) -> Ends {
    play.well()?;
    let actions = ["RunInstances", "ReplaceRoute", "ModifyNetworkInterfaceAttribute"];
    for action in actions.into_iter().chain(["TerminateInstances"]) {
        play.fail(action, Some(2), true, lost());
    }
    play.kill_holder(0);
    play.until_moved(0, 3 * MIN)?;
    play.pass(20 * MIN)?;
    play.moved_once()?;
    play.served(0)
}

/// The process dies while the API is away, and so does the holder.
pub(super) fn restarted_while_away(play: &mut Play) -> Ends {
    play.well()?;
    play.strike(Kind::ApiDown, 0)?;
    play.pass(5 * MIN)?;
    let old = play.kill_holder(0);
    play.crash(0);
    play.pass(30 * MIN)?;
    play.nothing_sent()?;
    play.over(Kind::ApiDown)?;
    play.until_moved(0, 2 * MIN)?;
    play.not_held_by(0, &old)?;
    play.pass(10 * MIN)?;
    play.moved_once()
}

/// Routes can't be written for the first five seconds of a cut.
pub(super) fn routes_refused(play: &mut Play) -> Ends {
    play.well()?;
    play.kill_holder(0);
    let fault = play.refuse("ReplaceRoute", None, "InternalError");
    play.until_told("Updating static routes", 2 * MIN)?;
    play.pass(5 * SEC)?;
    play.mend(fault);
    play.until_moved(0, 30 * SEC)?;
    play.pass(10 * MIN)?;
    play.moved_once()?;
    play.served(0)
}
