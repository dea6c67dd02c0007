//! Every scenario is as it must be, with several seeds for what is left to chance, and stands in
//! `docs/peers-scenarios.md`.

use rehome_sim::scenario::{Played, TABLE, run};

/// Seeds of a scenario.
const SEEDS: u64 = 5;

/// The last lines of its trace, but not the status lines.
fn brief(mut played: Played) -> Played {
    played.trace.retain(|line| !line.contains(" PING: "));
    let surplus = played.trace.len().saturating_sub(40);
    played.trace.drain(..surplus);
    played
}

#[test]
fn every_scenario_is_as_it_must_be() {
    let mut wrong = Vec::new();
    for scenario in TABLE {
        for seed in 1..=SEEDS {
            let played = run(scenario.name, seed, 400).unwrap();
            if played.wrong.is_some() {
                wrong.push(format!("\n{}", brief(played)));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), TABLE.len(), wrong.join("\n"));
}

/// The page that people read.
const PAGE: &str = include_str!("../../../docs/peers-scenarios.md");

/// Its rows: a thread's number, and the scenarios that are named there.
fn rows() -> Vec<(u8, Vec<&'static str>)> {
    let is_name = |span: &&str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        span.contains('-') && !span.starts_with('-') && span.bytes().all(plain)
    };
    let row = |line: &'static str| {
        let number = line.strip_prefix("| ")?.split(' ').next()?.parse().ok()?;
        // Odd parts are code spans.
        Some((number, line.split('`').skip(1).step_by(2).filter(is_name).collect()))
    };
    PAGE.lines().filter_map(row).collect()
}

#[test]
fn the_page_has_every_thread_and_each_scenario_with_its_threads() {
    let rows = rows();
    let numbers: Vec<u8> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=25).collect::<Vec<u8>>());
    for (number, names) in &rows {
        let of_thread = TABLE.iter().filter(|scenario| scenario.threads.contains(number));
        let wanted: Vec<&str> = of_thread.map(|scenario| scenario.name).collect();
        assert_eq!(*names, wanted, "thread {number}");
    }
}

#[test]
fn names_are_their_own_and_every_scenario_has_a_thread_and_a_sentence() {
    let mut names = std::collections::BTreeSet::new();
    for scenario in TABLE {
        assert!(names.insert(scenario.name), "{} is there twice", scenario.name);
        assert!(!scenario.threads.is_empty(), "{}", scenario.name);
        assert!(scenario.hurt.ends_with('.'), "{}", scenario.name);
    }
    assert!(run("no-such-scenario", 1, 0).is_none());
}
