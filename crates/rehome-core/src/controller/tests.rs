//! The machine in a small world of its own: every story is told in virtual time.

use super::*;
use crate::policy::FenceMode;
use crate::world::InstanceState;

mod canary;
mod decisions;
mod hostile;
mod limits;
mod matrix;
mod sight;
mod standing;
mod world;

use world::{World, az, id, secs};

#[test]
fn a_healthy_holder_is_watched_and_nothing_is_changed() {
    let mut world = World::new();
    world.run(secs(3_600));
    assert_eq!(world.mutations, Vec::<String>::new());
    assert_eq!(
        world.lines[0],
        "Instance i-0000000a (172.31.48.10) in AZ us-east-1a - RUNNING, PING: REACHABLE"
    );
}

#[test]
fn a_dead_holder_is_replaced_in_the_next_az_and_the_lines_are_the_missions() {
    let mut world = World::new();
    world.run(secs(30));
    world.kill("i-0000000a");
    world.lines.clear();
    world.run(secs(120));
    let told: Vec<&str> =
        world.lines.iter().map(String::as_str).filter(|line| !line.contains(" in AZ us")).collect();
    assert_eq!(
        told,
        [
            "Suspect: 3 probes to 10.0.0.10 lost in a row; asking EC2",
            "Launching replacement due to: unreachable",
            "Launching new instance in AZ: us-east-1b",
            "New instance i-00000001 launched",
            "Waiting for i-00000001 to answer at 172.31.32.1...",
            "New instance i-00000001 is ready",
            "Updating static routes...",
            "Replaced route 10.0.0.10/32 -> i-00000001 in route table rtb-00000001",
            "Replaced route 10.0.0.10/32 -> i-00000001 in route table rtb-00000002",
            "Waiting for 10.0.0.10 to answer from i-00000001...",
            "10.0.0.10 answers from i-00000001 after 10 s",
            "Terminating old instance i-0000000a",
            "Old instance i-0000000a terminated",
            "Now monitoring instance i-00000001",
        ]
    );
    world.assert_moved("i-00000001");
    assert_eq!(world.state("i-0000000a"), InstanceState::Terminated);
}

#[test]
fn readings_wait_for_others_only_while_nothing_depends_on_them() {
    let mut world = World::new();
    world.run(secs(60));
    assert!(world.at_leisure.0 > 0, "a round in ten seconds, all well");
    world.kill("i-0000000a");
    world.run(secs(2));
    world.at_leisure = (0, 0);
    world.run(secs(7));
    assert_eq!(world.at_leisure.0, 0, "a silent address, then a move");
    assert!(world.at_leisure.1 > 0);
}

#[test]
fn twenty_percent_loss_on_every_path_moves_nothing() {
    let mut world = World::new();
    world.loss_percent = 20;
    world.run(secs(4 * 3_600));
    assert_eq!(world.mutations, Vec::<String>::new());
}

#[test]
fn while_ec2_cant_be_read_nothing_is_launched_and_then_exactly_once() {
    let mut world = World::new();
    world.run(secs(30));
    world.api_error = Some("RequestLimitExceeded");
    world.kill("i-0000000a");
    world.run(secs(3_600));
    assert_eq!(world.mutations, Vec::<String>::new());
    let unknown = "STATE: unknown (RequestLimitExceeded, last seen running";
    assert!(world.lines.iter().any(|line| line.contains(unknown)), "{:?}", world.lines.last());
    world.api_error = None;
    world.run(secs(120));
    world.assert_moved("i-00000001");
    assert_eq!(world.launches(), 1);
}

#[test]
fn a_refused_az_costs_one_call_and_the_next_one_is_taken() {
    for code in ["InsufficientInstanceCapacity", "Unsupported", "InsufficientFreeAddressesInSubnet"]
    {
        let mut world = World::new();
        world.refuse.insert(az("us-east-1b"), code);
        world.run(secs(30));
        world.kill("i-0000000a");
        world.run(secs(120));
        world.assert_moved("i-00000001");
        assert_eq!(world.az_of("i-00000001"), az("us-east-1c"));
        assert_eq!(world.calls_of("RunInstances"), 2, "{code}");
    }
}

#[test]
fn a_launch_that_dies_pending_makes_way_for_the_next_az() {
    let mut world = World::new();
    world.dies_pending.push(az("us-east-1b"));
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(120));
    world.assert_moved("i-00000002");
}

#[test]
fn a_launch_that_would_die_in_every_zone_is_held_after_the_first() {
    let mut world = World::new();
    world.dies_pending = alloc::vec![az("us-east-1b"), az("us-east-1c"), az("us-east-1a")];
    world.dies_of = "Client.InvalidSnapshot.NotFound";
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(120));
    assert_eq!(world.launches(), 1);
    assert!(world.has_line("no other zone would help: Client.InvalidSnapshot.NotFound"));
}

#[test]
fn what_cant_be_stopped_takes_the_next_rung() {
    let mut world = World::with(|setup| setup.policy.fence = FenceMode::Stop);
    world.fail_once = Some(("StopInstances", "UnsupportedOperation", false));
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(120));
    world.assert_moved("i-00000001");
    assert!(world.has_line("i-0000000a can't be stopped; it is terminated instead"));
    assert_eq!(world.state("i-0000000a"), InstanceState::Terminated);
}

#[test]
fn a_holder_that_comes_back_in_time_cancels_the_move_and_the_spare_goes_later() {
    let mut world = World::new();
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(7));
    world.revive("i-0000000a");
    world.run(secs(60));
    assert!(world.has_line("the move is cancelled"), "{:#?}", world.lines);
    assert_eq!(world.holder(), id("i-0000000a"));
    assert_eq!(world.state("i-00000001"), InstanceState::Running);
    world.run(secs(660));
    assert_eq!(world.state("i-00000001"), InstanceState::Terminated);
    assert_eq!(world.state("i-0000000a"), InstanceState::Running);
}

#[test]
fn a_guest_that_lost_the_address_gets_its_time_and_then_is_moved_from_but_not_ended() {
    let mut world = World::new();
    world.run(secs(30));
    world.instance("i-0000000a").has_vip = false;
    world.run(secs(29));
    assert_eq!(world.launches(), 0);
    world.run(secs(120));
    assert!(world.has_line("Launching replacement due to: address lost"));
    world.assert_moved("i-00000001");
    assert!(world.has_line("Old instance i-0000000a kept: it still answers at 172.31.48.10"));
    assert_eq!(world.state("i-0000000a"), InstanceState::Running);
}

#[test]
fn what_a_person_stopped_is_moved_away_from_and_kept() {
    let mut world = World::new();
    world.run(secs(30));
    world.stop_by_user("i-0000000a");
    world.run(secs(120));
    assert!(world.has_line("Launching replacement due to: state is stopped"));
    world.assert_moved("i-00000001");
    assert!(world.has_line("Old instance i-0000000a kept: a person stopped it"));
}

#[test]
fn a_candidate_without_the_vip_is_given_up_and_when_all_are_the_routes_go_back() {
    let mut world = World::new();
    world.new_ones_have_vip = false;
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(400));
    assert!(world.has_line("New instance i-00000001 in AZ us-east-1b given up"));
    assert!(world.has_line("Pointing routes back to i-0000000a"), "{:#?}", world.lines);
    assert!(world.has_line("Held: no replacement made 10.0.0.10 answer"));
    assert_eq!(world.holder(), id("i-0000000a"));
    assert_ne!(world.state("i-0000000a"), InstanceState::Terminated, "nothing is fenced");
    assert_eq!(world.launches(), 3);
    // The next rounds count as moves: a bad image doesn't launch for ever.
    world.run(secs(3_000));
    assert_eq!(world.launches(), 6);
}

#[test]
fn a_vip_that_never_answered_is_held_while_its_holder_runs() {
    let mut world = World::new();
    world.instance("i-0000000a").has_vip = false;
    world.run(secs(600));
    assert_eq!(world.launches(), 0);
    assert!(world.has_line("10.0.0.10 has never answered"));
    world.stop_by_user("i-0000000a");
    world.run(secs(120));
    world.assert_moved("i-00000001");
}

#[test]
fn a_path_that_changed_is_held_and_named() {
    let mut world = World::new();
    world.run(secs(60));
    world.path_lines.clear();
    world.path_open = false;
    world.run(secs(600));
    assert_eq!(world.launches(), 0);
    assert!(world.has_line("the path is closed: security group sg-0000000a changed"));
}

#[test]
fn a_move_of_another_address_in_the_same_table_closes_no_path() {
    let mut world = World::new();
    world.other_destination = "10.0.0.11/32";
    world.other_route = Some("eni-0000000c".into());
    world.run(secs(60));
    world.kill("i-0000000a");
    world.other_route = Some("eni-0000000d".into());
    world.run(secs(120));
    world.assert_moved("i-00000001");
}

#[test]
fn a_changed_table_on_the_way_is_held_and_named() {
    let mut world = World::new();
    world.run(secs(60));
    world.other_route = Some("igw-2".into());
    world.path_open = false;
    world.run(secs(600));
    assert_eq!(world.launches(), 0);
    assert!(world.has_line("the path is closed: route table rtb-00000001 changed"));
}

#[test]
fn a_lost_route_is_put_back_at_once() {
    let mut world = World::new();
    world.run(secs(30));
    world.tables.insert("rtb-00000001".parse().unwrap(), None);
    world.run(secs(20));
    assert!(world.has_line("Added route 10.0.0.10/32 -> i-0000000a in route table rtb-00000001"));
    assert_eq!(world.launches(), 0);
    world.assert_all_routed("i-0000000a");
}

#[test]
fn a_source_dest_check_that_is_on_is_switched_off() {
    let mut world = World::new();
    world.instance("i-0000000a").check = true;
    world.run(secs(30));
    assert!(!world.instance("i-0000000a").check);
    assert_eq!(world.mutations, ["ModifyNetworkInterfaceAttribute"]);
}

#[test]
fn a_route_taken_by_a_living_stranger_is_taken_back_twice_and_no_more() {
    let mut world = World::new();
    world.run(secs(30));
    world.add_stranger("i-0000000f");
    for _ in 0..6 {
        world.point_all_to("i-0000000f");
        world.run(secs(40));
    }
    assert_eq!(world.calls_of("ReplaceRoute"), 4, "two tables, twice each");
    assert!(world.has_line("again and again"));
    assert_eq!(world.launches(), 0);
}

#[test]
fn a_vip_that_was_moved_by_hand_and_answers_there_is_left_there() {
    let mut world = World::new();
    world.run(secs(30));
    world.add_stranger("i-0000000f");
    world.instance("i-0000000f").has_vip = true;
    world.point_all_to("i-0000000f");
    world.run(secs(300));
    assert_eq!(world.mutations, Vec::<String>::new());
    assert!(world.has_line("and 10.0.0.10 answers; it is left there"));
}

#[test]
fn paused_means_no_mutation_at_all() {
    let mut world = World::new();
    world.run(secs(30));
    world.event(Event::Paused(Some("until 12:00".into())));
    world.kill("i-0000000a");
    world.tables.insert("rtb-00000001".parse().unwrap(), None);
    world.run(secs(600));
    assert_eq!(world.mutations, Vec::<String>::new());
    world.event(Event::Paused(None));
    world.run(secs(120));
    world.assert_moved("i-00000001");
}

#[test]
fn observing_says_what_would_be_done_and_does_nothing() {
    let mut world = World::with(|setup| setup.policy.observe = true);
    world.instance("i-0000000a").check = false;
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(600));
    assert_eq!(world.mutations, Vec::<String>::new());
    assert!(world.has_line("Would have moved away from i-0000000a because: unreachable"));
}

#[test]
fn a_protected_instance_is_kept_and_its_protection_named() {
    let mut world = World::new();
    world.instance("i-0000000a").protected = true;
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(120));
    world.assert_moved("i-00000001");
    assert!(world.has_line("Old instance i-0000000a kept: OperationNotPermitted"));
}

#[test]
fn fence_none_and_stop_do_what_they_say() {
    for (mode, line, state) in [
        (FenceMode::None, "kept: --fence none", InstanceState::Running),
        (FenceMode::Stop, "Old instance i-0000000a stopped", InstanceState::Stopped),
    ] {
        let mut world = World::with(|setup| setup.policy.fence = mode);
        world.run(secs(30));
        world.kill("i-0000000a");
        world.run(secs(120));
        world.assert_moved("i-00000001");
        assert!(world.has_line(line), "{:#?}", world.lines);
        assert_eq!(world.state("i-0000000a"), state);
    }
}

#[test]
fn the_budget_bounds_moves_and_says_so() {
    let mut world = World::new();
    world.run(secs(30));
    for n in 0..4 {
        let holder = world.holder();
        world.kill(holder.as_str());
        world.run(secs(300));
        assert_eq!(world.launches(), (n + 1).min(2));
    }
    assert!(world.has_line("Held: budget spent: 2 moves in the last hour"));
}

#[test]
fn a_monitor_whose_own_address_is_gone_moves_nothing() {
    let mut world = World::with(|setup| {
        setup.sources = alloc::vec![None, Some("10.0.0.100".parse().unwrap())];
    });
    world.deaf_sources.push(None);
    world.run(secs(60));
    world.unsendable.push(Some("10.0.0.100".parse().unwrap()));
    world.run(secs(600));
    assert_eq!(world.launches(), 0, "{:#?}", world.lines);
    assert!(world.lines.iter().any(|line| line.contains("PING: UNKNOWN (no such address)")));
}

#[test]
fn a_loop_that_slept_voids_what_it_missed() {
    let mut world = World::new();
    world.run(secs(30));
    world.sleep(secs(60));
    world.run(secs(60));
    assert_eq!(world.mutations, Vec::<String>::new());
}

#[test]
fn a_signal_during_a_cut_finishes_it_and_a_restart_goes_on() {
    let mut world = World::new();
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run_until_line("Updating static routes...");
    world.event(Event::Stop);
    world.run(secs(6));
    assert!(world.stopped);
    world.assert_all_routed("i-00000001");
    world.restart();
    world.run(secs(120));
    world.assert_moved("i-00000001");
    assert_eq!(world.launches(), 1);
    assert_eq!(world.state("i-0000000a"), InstanceState::Terminated);
}

/// The crash matrix: the process dies before and after each of its actions and is started again.
#[test]
fn a_crash_at_any_action_launches_nothing_twice_and_loses_nothing() {
    let mut reached_end = false;
    let mut crashes = 0;
    for at in 0..600 {
        for performed in [false, true] {
            let mut world = World::new();
            world.run(secs(30));
            world.kill("i-0000000a");
            world.crash(at, performed);
            world.run(secs(400));
            if world.crash_at.is_some() {
                reached_end = true;
                continue;
            }
            crashes += 1;
            let context = alloc::format!("crash at action {at}, performed: {performed}");
            assert_eq!(world.launches(), 1, "{context}: {:#?}", world.lines);
            world.assert_moved("i-00000001");
            assert_eq!(world.state("i-0000000a"), InstanceState::Terminated, "{context}");
        }
        if reached_end {
            break;
        }
    }
    assert!(crashes > 100, "only {crashes} crashes were made");
}

/// Each mutation fails once in each way, with and without having happened.
#[test]
fn an_error_at_any_mutation_is_survived() {
    for call in
        ["RunInstances", "ModifyNetworkInterfaceAttribute", "ReplaceRoute", "TerminateInstances"]
    {
        for code in ["RequestLimitExceeded", "InternalError", "timeout", "not sent"] {
            for happened in [false, true] {
                let mut world = World::new();
                world.fail_once = Some((call, code, happened));
                world.run(secs(30));
                world.kill("i-0000000a");
                world.run(secs(400));
                let context = alloc::format!("{call} {code} happened: {happened}");
                assert!(world.fail_once.is_none(), "{context}");
                assert_eq!(world.launches(), 1, "{context}: {:#?}", world.lines);
                world.assert_moved("i-00000001");
                let old = world.state("i-0000000a");
                assert_eq!(old, InstanceState::Terminated, "{context}");
            }
        }
    }
}

#[test]
fn no_wakeup_is_ever_in_the_past() {
    let mut world = World::new();
    world.run(secs(30));
    world.kill("i-0000000a");
    let before = world.steps;
    world.run(secs(120));
    // Bursts send ten rounds a second; a machine that spins would take millions of steps.
    assert!(world.steps - before < 20_000, "{} steps", world.steps - before);
}

#[test]
fn status_lines_come_at_intervals_and_at_changes() {
    let mut world = World::new();
    world.run(secs(60));
    let lines = world.lines.len();
    assert!((10..=14).contains(&lines), "{lines} lines in a minute");
}
