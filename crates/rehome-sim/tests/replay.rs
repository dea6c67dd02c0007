//! What a seed promises: the same story every time.

use rehome_sim::{LENGTH, run};

#[test]
fn a_seed_replays_exactly_and_another_tells_another_story() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in [2, 8, 11, 95] {
        let (once, again) = (run(seed, 0), run(seed, 0));
        assert_eq!(once, again, "seed {seed}");
        assert!(hashes.insert(once.hash), "seed {seed} is the story of another one");
    }
}

#[test]
fn reading_along_changes_nothing() {
    let (unread, read) = (run(8, 0), run(8, 50));
    assert_eq!(unread.hash, read.hash);
    assert_eq!(unread.counts, read.counts);
    assert_eq!((unread.trace.len(), read.trace.len()), (0, 50));
}

#[test]
fn the_first_seeds_pass_and_really_do_something() {
    let (mut strikes, mut moved) = (0, 0);
    for seed in 1..=30 {
        let outcome = run(seed, 40);
        let trace = outcome.trace.join("\n");
        assert_eq!(outcome.violation, None, "seed {seed}\n{trace}");
        assert_eq!(outcome.simulated, LENGTH);
        strikes += outcome.strikes.iter().sum::<u32>();
        moved += outcome.counts.moved;
    }
    assert!(strikes > 1_000 && moved > 30, "{strikes} faults, {moved} moves");
}
