//! What is decided is told as a value: once, with its evidence, for moves and for holds alike.

use super::world::{World, id, secs};
use super::*;
use crate::decision::Decided;
use crate::verdict::Reason;

fn words(world: &World) -> Vec<&'static str> {
    world.decisions.iter().map(|decision| decision.decided.word()).collect()
}

fn sentences(world: &World) -> Vec<String> {
    world.decisions.iter().map(alloc::string::ToString::to_string).collect()
}

#[test]
fn an_hour_of_health_is_one_decision() {
    let mut world = World::new();
    world.run(secs(3_600));
    assert_eq!(sentences(&world), ["10.0.0.10 stays on i-0000000a in us-east-1a: it answers"]);
}

#[test]
fn a_failover_is_told_step_by_step_and_each_step_has_its_evidence() {
    let mut world = World::new();
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(120));
    assert_eq!(
        words(&world),
        ["watch", "move", "launch", "cut", "verify", "moved", "fence", "ended"]
    );
    let moved = &world.decisions[5];
    let Decided::Moved(told) = &moved.decided else { panic!("{moved}") };
    assert_eq!((told.from.clone(), told.to.clone()), (id("i-0000000a"), id("i-00000001")));
    assert_eq!(told.reason, Reason::Unreachable);
    let phases = [told.phases.detect, told.phases.prepare, told.phases.cut, told.phases.verify];
    let sum: Duration = phases.into_iter().map(Option::unwrap).sum();
    assert_eq!(Some(sum), told.silent_for, "{told:?}");
    let holder = &world.decisions[1].evidence;
    let told: Vec<String> = holder.iter().map(alloc::string::ToString::to_string).collect();
    assert!(told[0].starts_with("10.0.0.10: silent for 3"), "{told:#?}");
    assert!(told[1].starts_with("172.31.48.10 (i-0000000a): silent for 3"), "{told:#?}");
    assert!(told[2].starts_with("EC2 on i-0000000a: running ("), "{told:#?}");
    assert!(told[3].starts_with("routes for 10.0.0.10/32: right ("), "{told:#?}");
    assert!(told[4].ends_with("as when it last worked (900 ms old)"), "{told:#?}");
    assert!(holder.iter().all(|fact| fact.age.is_some_and(|age| age < secs(4))), "{told:#?}");
    // What was ended is itself a part of the evidence.
    let fence = &world.decisions[6].evidence;
    assert!(fence.iter().any(|fact| fact.what == "EC2 on i-0000000a"), "{fence:#?}");
}

#[test]
fn a_hold_is_decided_once_however_long_it_lasts_and_so_is_its_end() {
    let mut world = World::new();
    world.run(secs(30));
    world.api_error = Some("RequestLimitExceeded");
    world.kill("i-0000000a");
    world.run(secs(1_800));
    world.api_error = None;
    world.revive("i-0000000a");
    world.run(secs(60));
    let told = sentences(&world);
    let holds: Vec<&String> = told.iter().filter(|text| text.contains("is not moved")).collect();
    assert!((1..=3).contains(&holds.len()), "{told:#?}");
    assert!(holds.iter().any(|text| text.contains("RequestLimitExceeded")), "{told:#?}");
    let over = "10.0.0.10 stays on i-0000000a in us-east-1a: it answers, and what held it is over";
    assert_eq!(told.iter().filter(|text| *text == over).count(), 1, "{told:#?}");
}

#[test]
fn a_suspicion_that_passed_is_a_decision_and_random_loss_makes_few_of_them() {
    let mut world = World::new();
    world.run(secs(30));
    world.path_open = false;
    world.run(Duration::from_millis(3_400));
    world.path_open = true;
    world.run(secs(30));
    assert_eq!(words(&world), ["watch", "watch"], "{:#?}", world.lines);
    assert!(sentences(&world)[1].contains("it answers again; "), "{:#?}", sentences(&world));
    let mut world = World::new();
    world.loss_percent = 20;
    world.run(secs(3_600));
    assert!(words(&world).iter().all(|word| *word == "watch"), "{:#?}", sentences(&world));
    assert!(world.decisions.len() <= 8, "{:#?}", sentences(&world));
}

#[test]
fn healed_drift_refusals_pauses_and_would_be_moves_are_decisions_too() {
    let mut world = World::new();
    world.run(secs(30));
    world.tables.insert("rtb-00000002".parse().unwrap(), None);
    world.run(secs(30));
    assert!(
        sentences(&world).iter().any(|text| text.ends_with("route in rtb-00000002 was put back")),
        "{:#?}",
        sentences(&world)
    );
    world.event(Event::Paused(Some("by ann".into())));
    world.event(Event::Paused(None));
    assert!(words(&world).ends_with(&["pause", "resume"]), "{:?}", words(&world));

    let mut world = World::with(|setup| setup.policy.moves_per_day = 0);
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(1_200));
    let budget = |text: &&String| text.contains("is not moved") && text.contains("budget spent");
    assert_eq!(sentences(&world).iter().filter(budget).count(), 1, "{:#?}", sentences(&world));

    let mut world = World::with(|setup| setup.policy.observe = true);
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(1_200));
    assert_eq!(words(&world), ["watch", "would-move"], "{:#?}", sentences(&world));
}

#[test]
fn a_restart_in_the_middle_of_a_move_measures_nothing_it_didnt_see() {
    let mut world = World::new();
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run_until_line("Waiting for 10.0.0.10 to answer");
    world.restart();
    world.run(secs(120));
    let is_moved = |one: &&Decision| one.decided.word() == "moved";
    let decision = world.decisions.iter().find(is_moved).expect("it was moved");
    let Decided::Moved(moved) = &decision.decided else { panic!("{decision}") };
    assert_eq!((moved.silent_for, moved.phases.detect, moved.phases.verify), (None, None, None));
}

#[test]
fn a_controller_restored_at_any_event_goes_on_as_the_one_that_was_written_down() {
    let mut world = World::new();
    world.restored = true;
    world.loss_percent = 5;
    world.refuse.insert(super::world::az("us-east-1b"), "InsufficientInstanceCapacity");
    world.run(secs(20));
    world.fail_once = Some(("ReplaceRoute", "RequestLimitExceeded", false));
    world.kill("i-0000000a");
    world.run(secs(90));
    world.assert_moved("i-00000001");
}
