//! The exhaustive search finds nothing wrong, and has been everywhere.

use rehome_sim::search;

/// A minute of two cores: all orders of events with one fault, and with a dead holder and one more
/// fault, and a part of those with two more.
const STATES: u64 = 1_000_000;

#[test]
fn no_order_of_events_in_a_small_world_breaks_a_law() {
    let report = search::run(STATES, false);
    println!("{report}");
    assert!(report.trails.is_empty(), "{report}");
    assert!(report.states >= STATES);
    assert!(report.rounds.iter().take(2).all(|(_, all)| *all), "the first rounds aren't complete");
    let counts = &report.counts;
    let stages =
        [counts.watching, counts.preparing, counts.cutting, counts.verifying, counts.rolling_back];
    assert!(stages.iter().all(|states| *states > 0), "a stage wasn't reached");
    let ends = [counts.moved, counts.cancelled, counts.rolled_back, counts.fenced, counts.crashed];
    assert!(ends.iter().all(|times| *times > 0), "something never happened");
    assert!(counts.calmed > 100, "few states were asked whether all ends well");
}
