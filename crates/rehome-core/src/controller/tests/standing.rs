//! A standby: launched ahead of need, looked after, used, replaced.

use super::world::{NEIGHBOR, World, az, id, secs, throttled};
use super::*;
use crate::policy::StandbyMode;
use crate::world::InstanceState;

/// A world with a standby that is ready.
fn hot() -> World {
    hot_with(|_| {})
}

fn hot_with(change: impl FnOnce(&mut Setup)) -> World {
    let mut world = World::with(|setup| {
        setup.policy.standby = StandbyMode::Hot;
        change(setup);
    });
    world.run(secs(120));
    assert!(world.has_line("Standby i-00000001 in AZ us-east-1b is ready"), "{}", world.tail());
    world
}

fn silent_for(world: &World) -> Duration {
    let text = world.lines.iter().find_map(|line| Some(line.split_once("answers from")?.1));
    let text = text.and_then(|text| text.split_once("after ")).unwrap().1;
    let (number, unit) = text.split_once(' ').unwrap();
    let number: f64 = number.parse().unwrap();
    Duration::from_secs_f64(if unit == "ms" { number / 1_000.0 } else { number })
}

#[test]
fn a_failover_goes_to_the_standby_at_once_and_the_next_one_is_launched() {
    let mut world = hot();
    assert_eq!((world.launches(), world.holder()), (1, id("i-0000000a")));
    world.kill("i-0000000a");
    world.run(secs(30));
    assert!(world.has_line("Moving to standby i-00000001 due to: unreachable"), "{}", world.tail());
    assert!(!world.has_line("Launching replacement"), "{}", world.tail());
    world.assert_moved("i-00000001");
    assert!(silent_for(&world) < secs(8), "{:?}", silent_for(&world));
    world.run(secs(120));
    assert!(world.has_line("Standby i-00000002 in AZ us-east-1c is ready"), "{}", world.tail());
    assert_eq!(world.launches(), 2);
    assert_eq!(world.state("i-0000000a"), InstanceState::Terminated);
    assert_eq!(world.record.standby_launches.len(), 2);
}

#[test]
fn a_standby_that_answers_is_a_witness_that_we_see() {
    let mut world = hot_with(|setup| setup.controls = alloc::vec![NEIGHBOR]);
    // The only control target dies with the holder.
    world.neighbors.clear();
    world.kill("i-0000000a");
    world.run(secs(30));
    world.assert_moved("i-00000001");
    assert!(!world.has_line("we are blind"), "{}", world.tail());
}

#[test]
fn who_hears_neither_vip_nor_standby_changes_nothing() {
    let mut world = hot_with(|setup| setup.controls = alloc::vec![NEIGHBOR]);
    world.mutations.clear();
    world.path_open = false;
    world.run(secs(600));
    assert_eq!(world.mutations, Vec::<String>::new(), "{}", world.tail());
    world.path_open = true;
    world.run(secs(60));
    assert_eq!(world.holder(), id("i-0000000a"));
    assert_eq!(world.record.standby.as_ref().unwrap().instance, Some(id("i-00000001")));
}

#[test]
fn a_standby_that_falls_silent_is_replaced_and_ended() {
    let mut world = hot();
    world.kill("i-00000001");
    world.run(secs(60));
    assert!(!world.has_line("Standby i-00000001 lost"), "a reboot is no loss");
    world.run(secs(600));
    assert!(world.has_line("Standby i-00000001 lost: it doesn't answer any more"));
    assert!(world.has_line("Standby i-00000002 in AZ us-east-1c is ready"), "{}", world.tail());
    assert_eq!(world.state("i-00000001"), InstanceState::Terminated);
    assert_eq!(world.holder(), id("i-0000000a"));
}

#[test]
fn a_standby_that_somebody_stopped_is_theirs_and_one_that_ended_is_gone() {
    for (state, kept) in [(InstanceState::Stopped, true), (InstanceState::Terminated, false)] {
        let mut world = hot();
        world.instance("i-00000001").state = state.clone();
        world.instance("i-00000001").alive = false;
        world.run(secs(600));
        assert!(world.has_line("Standby i-00000001 lost"), "{}", world.tail());
        assert_eq!(world.has_line("i-00000001 kept: somebody stopped it"), kept);
        assert_eq!(world.state("i-00000001"), state);
        assert!(world.has_line("Standby i-00000002 in AZ us-east-1c is ready"), "{}", world.tail());
    }
}

#[test]
fn where_the_standby_dies_with_the_holder_a_replacement_is_launched() {
    let mut world = hot();
    world.kill("i-00000001");
    world.run(secs(10));
    world.kill("i-0000000a");
    world.run(secs(200));
    assert!(world.has_line("Launching replacement due to: unreachable"), "{}", world.tail());
    world.assert_moved("i-00000002");
}

/// Found by `bench outage --standby hot`: the doubt about the old holder kept EC2 from being asked
/// about the new one for as long as ten seconds.
#[test]
fn a_new_holder_that_dies_soon_is_left_as_quickly_as_the_first() {
    let mut world = hot_with(|setup| setup.policy.poll_interval = secs(60));
    world.kill("i-0000000a");
    world.run_until_line("Standby i-00000002 in AZ us-east-1c is ready");
    world.lines.clear();
    world.kill("i-00000001");
    world.run(secs(30));
    world.assert_moved("i-00000002");
    assert!(silent_for(&world) < secs(5), "{}", world.tail());
}

/// The cut is begun, and then the standby is no good after all.
#[test]
fn a_standby_that_dies_during_the_cut_is_given_up_like_any_candidate() {
    let mut world = hot();
    world.kill("i-0000000a");
    world.run_until_line("Updating static routes...");
    world.kill("i-00000001");
    world.run(secs(400));
    let told = "New instance i-00000001 in AZ us-east-1b given up";
    assert!(world.has_line(told), "{}", world.tail());
    world.assert_moved("i-00000002");
    world.run(secs(600));
    assert_eq!(world.state("i-00000001"), InstanceState::Terminated, "{}", world.tail());
}

#[test]
fn a_restart_at_any_moment_keeps_the_one_standby() {
    for after in (0..90).step_by(3) {
        let mut world = World::with(|setup| setup.policy.standby = StandbyMode::Hot);
        world.run(secs(after));
        world.restart();
        world.run(secs(240));
        let live = |name: &&InstanceId| world.machines[*name].state == InstanceState::Running;
        let live: Vec<_> = world.machines.keys().filter(live).cloned().collect();
        assert_eq!(live, [id("i-00000001"), id("i-0000000a")], "{after}: {}", world.tail());
        assert_eq!(world.launches(), 1, "{after}: {}", world.tail());
        let standby = world.record.standby.as_ref().unwrap();
        assert_eq!(standby.instance, Some(id("i-00000001")));
    }
}

#[test]
fn a_standbys_launch_without_an_answer_is_looked_up_and_not_made_twice() {
    for took_effect in [true, false] {
        let mut world = World::with(|setup| setup.policy.standby = StandbyMode::Hot);
        world.fail_once = Some(("RunInstances", "timeout", took_effect));
        world.run(secs(240));
        assert!(world.has_line("Standby i-00000001 in AZ us-east-1b is ready"), "{}", world.tail());
        assert_eq!(world.machines.len(), 2, "{took_effect}: {}", world.tail());
    }
}

#[test]
fn a_zone_without_room_is_told_and_the_next_one_is_tried() {
    let mut world = World::with(|setup| setup.policy.standby = StandbyMode::Hot);
    world.fault = Some(Box::new(|call, _| {
        let Call::Launch(launch) = call else { return None };
        let code = "InsufficientInstanceCapacity".to_string();
        let full = CallError::Refused { code, message: String::new() };
        (launch.az == az("us-east-1b")).then_some((full, false))
    }));
    world.run(secs(240));
    let told = "No standby: a launch in AZ us-east-1b was refused: InsufficientInstanceCapacity";
    assert!(world.has_line(told), "{}", world.tail());
    assert!(world.has_line("in AZ us-east-1c is ready"), "{}", world.tail());
    assert_eq!(world.record.standby_launches.len(), 1, "what was refused costs nothing");
}

#[test]
fn standbys_that_never_come_up_end_with_their_budget() {
    let mut world = World::with(|setup| setup.policy.standby = StandbyMode::Hot);
    for _ in 0..6 * 60 {
        world.run(secs(60));
        for name in ["i-00000001", "i-00000002", "i-00000003", "i-00000004"] {
            if world.machines.contains_key(&id(name)) {
                world.kill(name);
            }
        }
    }
    assert!(world.has_line("No standby: budget spent"), "{}", world.tail());
    assert!(world.launches() <= 4, "{}", world.launches());
    let live = |machine: &&super::world::Machine| machine.state == InstanceState::Running;
    assert_eq!(world.machines.values().filter(live).count(), 1, "{}", world.tail());
}

#[test]
fn one_that_isnt_wanted_or_is_of_an_earlier_template_is_released() {
    type Change = fn(&mut Setup);
    let cold: Change = |setup| setup.policy.standby = StandbyMode::Cold;
    let template: Change = |setup| {
        for digest in setup.user_data.values_mut() {
            *digest = "another".into();
        }
    };
    for (change, why) in [(cold, "none is wanted any more"), (template, "the template has changed")]
    {
        let mut world = hot();
        change(&mut world.setup);
        world.restart();
        world.run(secs(1_200));
        assert!(world.has_line(&alloc::format!("i-00000001 lost: {why}")), "{}", world.tail());
        assert_eq!(world.state("i-00000001"), InstanceState::Terminated, "{}", world.tail());
        assert_eq!(world.holder(), id("i-0000000a"));
    }
}

#[test]
fn a_pause_keeps_the_standby_as_it_is() {
    let mut world = hot();
    world.event(Event::Paused(Some("until noon".into())));
    world.mutations.clear();
    world.kill("i-00000001");
    world.run(secs(900));
    assert_eq!(world.mutations, Vec::<String>::new(), "{}", world.tail());
}

/// One reading that fails in the wrong moment isn't to cost the standby.
#[test]
fn a_standby_that_answers_is_used_though_ec2_could_not_be_asked_about_it_just_now() {
    let mut world = hot();
    world.fault = Some(Box::new(|call, _| {
        let Call::Instances { ids, .. } = call else { return None };
        (*ids == [id("i-00000001")]).then(|| (throttled(), false))
    }));
    world.run(secs(30));
    world.kill("i-0000000a");
    world.run(secs(5));
    assert!(world.has_line("Moving to standby i-00000001"), "{}", world.tail());
    world.fault = None;
    world.run(secs(60));
    world.assert_moved("i-00000001");
}

#[test]
fn one_that_comes_up_while_nothing_can_be_launched_is_used_after_the_hold() {
    let mut world = World::with(|setup| setup.policy.standby = StandbyMode::Hot);
    world.run_until_line("Launching standby");
    world.run(secs(1));
    world.instance("i-00000001").born = world.now + secs(100);
    world.fault = Some(Box::new(|call, _| {
        let code = "InsufficientInstanceCapacity".to_string();
        let full = CallError::Refused { code, message: String::new() };
        matches!(call, Call::Launch(_)).then_some((full, false))
    }));
    world.kill("i-0000000a");
    world.run(secs(400));
    assert!(world.has_line("Launching replacement due to: unreachable"), "{}", world.tail());
    world.assert_moved("i-00000001");
    assert_eq!(world.launches(), 1);
}

#[test]
fn a_standby_that_admits_no_pings_is_ready_by_its_status_checks_and_only_so_long() {
    let mut world = World::with(|setup| setup.policy.standby = StandbyMode::Hot);
    world.mute = alloc::vec![id("i-00000001")];
    world.run(secs(300));
    assert!(world.has_line("Standby i-00000001 in AZ us-east-1b is ready"), "{}", world.tail());
    world.failing_checks = alloc::vec![id("i-00000001")];
    world.run(secs(300));
    assert!(world.has_line("Standby i-00000001 lost: it doesn't answer any more"));
}

#[test]
fn one_of_another_specification_is_replaced_and_tags_are_none() {
    let mut world = hot();
    let restart = |world: &mut World, change: fn(&mut crate::spec::LaunchSpec)| {
        change(&mut world.record.spec);
        world.setup.wishes.image = Some(world.record.spec.image.clone());
        world.restart();
        world.run(secs(60));
    };
    restart(&mut world, |spec| {
        spec.tags.insert("team".into(), "blue".into());
    });
    assert!(!world.has_line("Standby i-00000001 lost"), "{}", world.tail());
    restart(&mut world, |spec| spec.image = "ami-0000000b".parse().unwrap());
    let why = "Standby i-00000001 lost: what a replacement is built from has changed";
    assert!(world.has_line(why), "{}", world.tail());
}

/// The standby is pinged from the kernel's choice of source, and so is the holder.
#[test]
fn a_standby_is_no_witness_where_the_holder_answers_from_the_same_source() {
    let overlay = Some(Ipv4Addr::new(10, 0, 0, 100));
    let mut world = hot_with(|setup| {
        setup.controls = alloc::vec![NEIGHBOR];
        setup.sources = alloc::vec![overlay];
    });
    // Whatever was sent from the overlay address doesn't come back.
    world.deaf_sources = alloc::vec![overlay];
    world.neighbors.clear();
    world.mutations.clear();
    world.run(secs(600));
    assert!(world.has_line("we are blind: no control target answers"), "{}", world.tail());
    assert_eq!(world.mutations, Vec::<String>::new(), "{}", world.tail());
}

#[test]
fn a_standby_that_wasnt_needed_in_the_end_is_the_standby_again() {
    let mut world = hot();
    // What is cut is read back as not cut, until the holder is back.
    world.fault = Some(Box::new(|call, _| {
        matches!(call, Call::ReplaceRoute { .. }).then(|| (throttled(), false))
    }));
    world.kill("i-0000000a");
    world.run_until_line("Updating static routes...");
    world.run(secs(2));
    world.restart();
    world.revive("i-0000000a");
    world.fault = None;
    world.run(secs(900));
    assert!(world.has_line("the move is cancelled"), "{}", world.tail());
    assert_eq!(world.holder(), id("i-0000000a"));
    let standby = world.record.standby.as_ref().unwrap();
    assert_eq!(standby.instance, Some(id("i-00000001")));
    assert_eq!((world.launches(), world.state("i-00000001")), (1, InstanceState::Running));
}

/// Throttled calls of quiet times would have made the first route call wait for twenty seconds.
#[test]
fn what_had_to_wait_before_a_move_doesnt_slow_it_down() {
    let mut world = hot();
    world.controller.as_mut().unwrap().retries = 7;
    world.fail_once = Some(("ReplaceRoute", "RequestLimitExceeded", false));
    world.kill("i-0000000a");
    world.run(secs(30));
    world.assert_moved("i-00000001");
    assert!(silent_for(&world) < secs(6), "{}", world.tail());
}

/// What can't be read, and what a stalled loop missed, is no reason to end what comes up.
#[test]
fn neither_an_unreadable_ec2_nor_a_stall_ends_a_standby_that_comes_up() {
    let unread: fn(&mut World) = |world| {
        world.api_error = Some("RequestLimitExceeded");
        world.run(secs(400));
        world.api_error = None;
    };
    let stalled: fn(&mut World) = |world| world.sleep(secs(400));
    for away in [unread, stalled] {
        let mut world = World::with(|setup| setup.policy.standby = StandbyMode::Hot);
        world.run_until_line("Launching standby");
        world.run(secs(1));
        world.instance("i-00000001").born = world.now + secs(350);
        away(&mut world);
        world.run(secs(120));
        assert!(!world.has_line("Standby i-00000001 lost"), "{}", world.tail());
        assert!(world.has_line("Standby i-00000001 in AZ us-east-1b is ready"), "{}", world.tail());
    }
}
