//! Where rehome holds back: first starts, signals, and what it says of its own limits.

use super::*;
use crate::record::LostLaunch;
use crate::world::InstanceState;

use super::world::{World, az, id, secs, throttled};

fn is_cut_of(call: &Call, name: &str) -> bool {
    matches!(call, Call::ReplaceRoute { table, .. } if table.as_str() == name)
}

#[test]
fn without_a_past_two_readings_a_minute_apart_have_to_agree_before_a_launch() {
    let mut world = World::with(|setup| setup.familiar = false);
    world.instance("i-0000000a").state = InstanceState::Stopping;
    world.run(secs(30));
    assert!(world.has_line("nothing is launched before two readings 60 s apart agree"));
    // What changes begins to agree anew.
    world.instance("i-0000000a").state = InstanceState::Stopped;
    world.run(secs(55));
    assert_eq!(world.launches(), 0);
    world.run(secs(60));
    assert_eq!(world.launches(), 1);
}

#[test]
fn without_a_past_an_ec2_that_cant_be_read_agrees_with_nothing() {
    let mut world = World::with(|setup| setup.familiar = false);
    world.instance("i-0000000a").state = InstanceState::Stopped;
    world.run(secs(15));
    world.api_error = Some("RequestLimitExceeded");
    world.run(secs(600));
    assert_eq!(world.launches(), 0);
}

#[test]
fn an_instance_that_a_list_still_has_isnt_gone() {
    let mut world = World::new();
    world.run(secs(30));
    world.kill("i-0000000a");
    world.instance("i-0000000a").hidden = 1_000;
    world.run(secs(120));
    assert_eq!(world.launches(), 1, "both addresses are silent, which is another reason");
    assert!(!world.has_line("due to: not found"), "{:#?}", world.lines);
}

#[test]
fn an_instance_isnt_gone_while_no_list_can_be_read() {
    let mut world = World::new();
    world.run(secs(30));
    world.kill("i-0000000a");
    world.instance("i-0000000a").hidden = 1_000;
    world.unlisted.push(id("i-0000000a"));
    world.fault =
        Some(Box::new(|call, _| matches!(call, Call::Listed { .. }).then(|| (throttled(), false))));
    world.run(secs(120));
    assert!(!world.has_line("due to: not found"), "{:#?}", world.lines);
}

#[test]
fn an_instance_that_no_list_has_any_more_is_gone() {
    let mut world = World::new();
    world.run(secs(30));
    world.kill("i-0000000a");
    world.instance("i-0000000a").hidden = 1_000;
    world.unlisted.push(id("i-0000000a"));
    world.run(secs(120));
    assert!(world.has_line("due to: not found"), "{:#?}", world.lines);
    world.assert_moved("i-00000001");
}

#[test]
fn a_signal_takes_back_a_cut_that_cant_be_finished_and_a_start_goes_on() {
    let mut world = World::new();
    world.run(secs(30));
    world.fault = Some(Box::new(|call, _| {
        let candidate = matches!(call, Call::ReplaceRoute { interface, .. }
            if interface.as_str() == "eni-00000001");
        (is_cut_of(call, "rtb-00000002") && candidate).then(|| (throttled(), false))
    }));
    world.kill("i-0000000a");
    world.run_until_line("Updating static routes...");
    world.run(secs(1));
    world.event(Event::Stop);
    world.run(secs(5));
    assert!(world.stopped);
    world.assert_all_routed("i-0000000a");
    world.fault = None;
    world.restart();
    world.run(secs(120));
    world.assert_moved("i-00000001");
    assert_eq!(world.launches(), 1);
}

#[test]
fn a_signal_in_a_cut_that_goes_neither_way_loses_nothing() {
    let mut world = World::new();
    world.run(secs(30));
    let stuck = |call: &Call, _| is_cut_of(call, "rtb-00000002").then(|| (throttled(), false));
    world.fault = Some(Box::new(stuck));
    world.kill("i-0000000a");
    world.run_until_line("Updating static routes...");
    world.run(secs(1));
    world.event(Event::Stop);
    world.run(secs(6));
    assert!(world.stopped);
    world.fault = None;
    world.restart();
    world.run(secs(120));
    world.assert_moved("i-00000001");
    assert_eq!(world.launches(), 1);
}

#[test]
fn a_spent_budget_is_told_before_it_is_needed_and_so_is_its_end() {
    let mut world = World::with(|setup| setup.policy.moves_per_hour = 1);
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(120));
    let lost = "Failover capability lost: a dead holder could not be replaced: budget spent";
    assert!(world.has_line(lost), "{:#?}", world.lines);
    assert!(!world.has_line("Failover capability is back"));
    world.run(secs(3_600));
    assert!(world.has_line("Failover capability is back"));
}

#[test]
fn an_ec2_that_cant_be_read_for_a_minute_is_told_while_the_holder_is_well() {
    let mut world = World::new();
    world.run(secs(30));
    world.api_error = Some("AuthFailure");
    world.run(secs(50));
    assert!(!world.has_line("capability lost"));
    world.run(secs(30));
    assert!(world.has_line("capability lost: a dead holder could not be replaced: EC2 has not"));
    world.api_error = None;
    world.run(secs(30));
    assert!(world.has_line("Failover capability is back"));
}

#[test]
fn leftovers_of_one_zone_are_read_with_one_call() {
    let mut world = World::new();
    for name in ["i-0000000b", "i-0000000c"] {
        world.add_stranger(name);
        world.record.disposals.push(crate::record::Disposal {
            instance: id(name),
            az: az("us-east-1a"),
            interface: None,
            address: None,
            why: crate::record::Leftover::Spare,
            mode: crate::policy::FenceMode::Terminate,
            not_before: Unix(0),
            ordered: false,
            by_person: false,
        });
    }
    world.restart();
    let most = alloc::rc::Rc::new(core::cell::Cell::new(0));
    let seen = alloc::rc::Rc::clone(&most);
    world.fault = Some(Box::new(move |call, _| {
        if let Call::Instances { ids, .. } = call {
            seen.set(seen.get().max(ids.len()));
        }
        None
    }));
    world.run(secs(60));
    assert_eq!(most.get(), 2);
    assert!(world.has_line("i-0000000b kept: it doesn't carry our tags"), "{:#?}", world.lines);
}

#[test]
fn a_start_within_the_hold_of_a_spent_budget_launches_nothing_more() {
    let mut world = World::with(|setup| setup.policy.moves_per_hour = 1);
    world.run(secs(60));
    world.dies_pending = ["us-east-1a", "us-east-1b", "us-east-1c"].map(az).into();
    world.kill("i-0000000a");
    world.run(secs(500));
    assert!(world.has_line("budget spent: 1 moves in the last hour"), "{:#?}", world.lines);
    let launched = world.launches();
    world.restart();
    world.run(secs(200));
    assert_eq!(world.launches(), launched, "{:#?}", world.lines);
}

#[test]
fn launches_that_aws_refuses_cost_no_move_of_the_budget() {
    // No zone has room for half a day; or the permission to launch is gone for as long.
    for code in ["InsufficientInstanceCapacity", "UnauthorizedOperation"] {
        let mut world = World::new();
        for zone in ["us-east-1a", "us-east-1b", "us-east-1c"] {
            world.refuse.insert(az(zone), code);
        }
        world.run(secs(60));
        world.kill("i-0000000a");
        world.run(secs(43_200));
        assert!(!world.has_line("budget spent"), "{:#?}", world.lines);
        assert!(world.calls_of("RunInstances") <= 3 * 43_200 / 300, "it hammers");
        world.refuse.clear();
        world.run(secs(420));
        world.assert_moved("i-00000001");
        // What was really moved counts.
        assert_eq!(world.record.moves.len(), 1);
    }
}

#[test]
fn a_launch_without_an_answer_is_looked_for_after_its_attempt_has_ended() {
    let mut world = World::new();
    world.run(secs(60));
    let token = world.record.token(1);
    let mut calls = 0;
    world.fault = Some(alloc::boxed::Box::new(move |call, _| {
        if !matches!(call, Call::Launch(_)) {
            return None;
        }
        calls += 1;
        let code = "InsufficientInstanceCapacity".into();
        match calls {
            1 => Some((CallError::NoAnswer("timeout".into()), false)),
            2 => Some((CallError::Refused { code, message: String::new() }, false)),
            _ => None,
        }
    }));
    world.kill("i-0000000a");
    world.run(secs(60));
    world.assert_moved("i-00000001");
    let lost = |world: &World| world.record.lost_launches.iter().any(|lost| lost.token == token);
    assert!(lost(&world), "{:#?}", world.lines);
    world.run(secs(400));
    assert!(!lost(&world), "it can't turn up any more");
}

#[test]
fn of_what_a_lost_launch_brought_the_live_one_is_found() {
    let mut world = World::new();
    let token = world.record.token(7);
    let since = Unix(1_800_000_010);
    world.record.lost_launches.push(LostLaunch { token: token.clone(), since });
    let tags = world.record.tags(7);
    for (name, state) in
        [("i-00000007", InstanceState::Terminated), ("i-00000008", InstanceState::Running)]
    {
        world.add_stranger(name);
        let machine = world.instance(name);
        (machine.token, machine.state) = (Some(token.clone()), state);
        machine.tags.clone_from(&tags);
    }
    world.restart();
    world.run(secs(900));
    assert_eq!(world.state("i-00000008"), InstanceState::Terminated, "{:#?}", world.lines);
}

#[test]
fn an_instance_of_the_same_token_in_another_zone_is_not_this_launchs() {
    let mut world = World::new();
    world.run(secs(60));
    world.add_stranger("i-0000000f");
    let token = world.record.token(1);
    let other = world.instance("i-0000000f");
    (other.token, other.az) = (Some(token), az("us-east-1c"));
    world.fail_once = Some(("RunInstances", "timeout", false));
    world.kill("i-0000000a");
    world.run(secs(120));
    assert_ne!(world.holder(), id("i-0000000f"), "{:#?}", world.lines);
    assert_eq!(world.az_of(world.holder().as_str()), az("us-east-1b"));
}

/// Found by the search of small worlds: once such a launch was given up, its move counted for
/// nothing, and another one was free.
#[test]
fn a_launch_that_may_have_left_is_paid_for_even_when_it_is_refused_later() {
    let mut w = World::new();
    w.run(secs(30));
    let mut sent = 0;
    w.fault = Some(Box::new(move |call, _| {
        let Call::Launch(_) = call else { return None };
        sent += 1;
        let code = "UnauthorizedOperation".to_string();
        let refused = CallError::Refused { code, message: String::new() };
        let unknown = CallError::NoAnswer("timeout".to_string());
        Some((if sent % 2 == 1 { unknown } else { refused }, false))
    }));
    w.kill("i-0000000a");
    w.run(secs(6 * 3_600));
    let policy = &w.setup.policy;
    let paid_for = u64::from(policy.moves_per_day * policy.launches_max);
    assert!((1..=paid_for).contains(&w.record.attempts), "{}: {}", w.record.attempts, w.tail());
}

/// Found by seed 1887 of the simulator: the VIP came to answer from a candidate that had been given
/// up, and the one that was being prepared by then was forgotten.
#[test]
fn a_candidate_that_is_overtaken_by_an_earlier_one_is_cleaned_up() {
    let mut w = World::new();
    w.new_ones_have_vip = false;
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("i-00000001 in AZ us-east-1b given up");
    w.run_until_line("Waiting for i-00000002");
    // One route is still the first candidate's, which answers at last.
    w.tables.insert("rtb-00000002".parse().unwrap(), Some("eni-0000000a".parse().unwrap()));
    w.instance("i-00000001").has_vip = true;
    w.run(secs(900));
    w.assert_moved("i-00000001");
    assert_eq!(w.state("i-00000002"), InstanceState::Terminated, "{}", w.tail());
}

/// Found by seed 1967 of the simulator: ids that were seen came to be unknown again.
#[test]
fn a_new_holder_that_ec2_does_not_list_for_a_while_is_not_gone() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("answers from i-00000001");
    w.machines.remove(&id("i-00000001"));
    w.run(secs(200));
    assert!(!w.has_line("due to: not found"), "{}", w.tail());
    w.run(secs(300));
    assert!(w.has_line("due to: not found"), "gone for good: {}", w.tail());
}
