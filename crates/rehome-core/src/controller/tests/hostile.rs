//! Hostile stories: each was once a way to lose the address, an instance or the truth.
use super::world::{World, az, id, secs};
use super::*;
use crate::record::{Disposal, Leftover, Stage};

fn refused(code: &str) -> CallError {
    CallError::Refused { code: code.into(), message: String::new() }
}
/// Whether the call replaces the route in table `n`.
fn is_route(call: &Call, n: u32) -> bool {
    matches!(call, Call::ReplaceRoute { table: id, .. } if *id == table(n))
}

fn table(n: u32) -> TableId {
    alloc::format!("rtb-0000000{n}").parse().unwrap()
}
fn tail(world: &World) -> String {
    let l: Vec<&str> = world
        .lines
        .iter()
        .map(String::as_str)
        .filter(|l| !l.contains("RUNNING, PING: REACH") && !l.contains("PING: UNREACH"))
        .collect();
    let n = l.len().saturating_sub(30);
    l[n..].join("\n")
}

#[test]
fn a_probe_that_could_not_be_sent_once_does_not_blind_for_ever() {
    let mut w = World::new();
    w.run(secs(30));
    w.unsendable.push(None);
    w.run(secs(2));
    w.kill("i-0000000a");
    w.run(secs(1));
    w.unsendable.clear();
    w.run(secs(3_600));
    assert_eq!(w.launches(), 1, "{}", tail(&w));
}

#[test]
fn what_cant_be_written_down_isnt_launched() {
    let mut w = World::new();
    w.run(secs(30));
    w.persist_fails = true;
    w.kill("i-0000000a");
    w.run(secs(9));
    let launched = w.launches();
    assert_eq!(launched, 0, "launched though nothing could be written: {}", tail(&w));
}

#[test]
fn a_full_disk_and_a_crash_leave_no_orphan() {
    let mut w = World::new();
    w.run(secs(30));
    w.persist_fails = true;
    w.kill("i-0000000a");
    w.run(secs(12));
    w.persist_fails = false;
    w.revive("i-0000000a");
    w.restart();
    w.run(secs(2000));
    let alive = w
        .machines
        .values()
        .filter(|m| m.token.is_some() && m.state == InstanceState::Running)
        .count();
    assert_eq!(alive, 0, "orphans; disposals {:?} {}", w.record.disposals, tail(&w));
}

#[test]
fn a_cut_that_changed_nothing_yet_is_looked_at_again_after_a_restart() {
    // find the action index at which Cutting is persisted and ReplaceRoute not sent
    for at in 0..400 {
        let mut w = World::new();
        w.run(secs(30));
        w.kill("i-0000000a");
        w.crash(at, true);
        w.until_crash();
        if w.crash_at.is_some() {
            panic!("no such crash");
        }
        let cutting = w.record.moving.as_ref().is_some_and(|m| m.stage == Stage::Cutting);
        if !cutting || w.calls_of("ReplaceRoute") > 0 {
            continue;
        }
        // the monitor is down for an hour; the holder has long been back and serves
        w.revive("i-0000000a");
        w.now = w.now + secs(3_600);
        w.restart();
        w.run(secs(60));
        assert_eq!(w.calls_of("ReplaceRoute"), 0, "cut away from a serving holder: {}", tail(&w));
        return;
    }
    panic!("not found");
}

#[test]
fn what_a_person_stopped_and_started_again_is_kept() {
    let mut w = World::new();
    w.run(secs(30));
    w.stop_by_user("i-0000000a");
    w.run_until_line("answers from i-00000001");
    // stop/start by the person: it boots now
    let m = w.instance("i-0000000a");
    m.state = InstanceState::Running;
    m.by_user = false;
    m.alive = false;
    w.run(secs(60));
    assert_ne!(w.state("i-0000000a"), InstanceState::Terminated, "{}", tail(&w));
}

#[test]
fn a_route_that_drifts_during_a_move_doesnt_stop_it() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("Waiting for i-00000001");
    w.tables.insert(table(2), None);
    w.run(secs(3_600));
    assert_eq!(
        w.holder(),
        id("i-00000001"),
        "launches {} stage {:?} {}",
        w.launches(),
        w.record.moving.as_ref().map(|m| m.stage),
        tail(&w)
    );
}

#[test]
fn a_cut_that_half_failed_is_brought_to_an_end() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("Waiting for i-00000001");
    let end = w.now + secs(60);
    w.fault = Some(Box::new(move |call, now| {
        (is_route(call, 2) && now < end).then(|| (refused("InternalError"), false))
    }));
    w.run(secs(7_200));
    assert!(
        w.record.moving.is_none() && w.launches() >= 1,
        "launches {} stage {:?} {}",
        w.launches(),
        w.record.moving,
        tail(&w)
    );
}

#[test]
fn drift_that_cant_be_healed_doesnt_hide_a_death() {
    let mut w = World::new();
    w.run(secs(30));
    w.add_stranger("i-0000000f");
    w.tables.insert(table(2), Some("eni-0000000f".parse().unwrap()));
    w.fault = Some(Box::new(|call, _| {
        is_route(call, 2).then(|| (refused("UnauthorizedOperation"), false))
    }));
    w.run(secs(30));
    w.lines.clear();
    w.kill("i-0000000a");
    w.run(secs(3_600));
    assert!(w.launches() > 0, "{}", tail(&w));
}

#[test]
fn a_second_move_leaves_the_zone_of_the_second_holder() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run(secs(120));
    assert_eq!(w.holder(), id("i-00000001"));
    w.kill("i-00000001");
    w.run(secs(120));
    assert_ne!(w.az_of("i-00000002"), w.az_of("i-00000001"), "own AZ first");
}

#[test]
fn an_answer_of_the_old_holder_isnt_credited_to_the_candidate() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.fault =
        Some(Box::new(|call, _| is_route(call, 1).then(|| (refused("InternalError"), false))));
    w.new_ones_have_vip = false;
    w.run_until_line("could not be replaced in time");
    w.fault = None;
    w.revive("i-0000000a");
    w.run(secs(60));
    assert_eq!(w.holder(), id("i-0000000a"), "{}", tail(&w));
}

#[test]
fn a_former_holder_that_serves_again_by_hand_is_left_alone() {
    let mut w = World::new();
    w.run(secs(30));
    w.stop_by_user("i-0000000a");
    w.run(secs(120));
    let m = w.instance("i-0000000a");
    m.state = InstanceState::Running;
    m.by_user = false;
    w.run(secs(30));
    w.mutations.clear();
    for _ in 0..5 {
        w.point_all_to("i-0000000a");
        w.run(secs(30));
    }
    assert_eq!(w.calls_of("ReplaceRoute"), 0, "{}", tail(&w));
}

#[test]
fn a_launch_that_shows_late_is_no_orphan() {
    let mut w = World::new();
    w.run(secs(30));
    w.lookup_lag = secs(8);
    w.fail_once = Some(("RunInstances", "timeout", true));
    w.kill("i-0000000a");
    w.run_until_line("Launching new instance");
    w.revive("i-0000000a");
    w.run(secs(2_000));
    assert_ne!(
        w.state("i-00000001"),
        InstanceState::Running,
        "orphan; disposals {:?}: {}",
        w.record.disposals,
        tail(&w)
    );
}

#[test]
fn a_refusal_after_an_unknown_outcome_launches_nothing_twice() {
    let mut w = World::new();
    w.run(secs(30));
    w.lookup_lag = secs(8);
    let mut n = 0;
    w.fault = Some(Box::new(move |call, _| {
        if !matches!(call, Call::Launch(_)) {
            return None;
        }
        n += 1;
        match n {
            1 => Some((CallError::NoAnswer("timed out".into()), true)),
            2 => Some((refused("RequestExpired"), false)),
            _ => None,
        }
    }));
    w.kill("i-0000000a");
    w.run(secs(2_000));
    assert_eq!(w.launches(), 1, "{:?} {}", w.record.disposals, tail(&w));
}

#[test]
fn our_own_order_isnt_taken_for_a_persons() {
    let mut w = World::new();
    w.slow_end = true;
    w.fail_once = Some(("TerminateInstances", "timeout", true));
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run(secs(120));
    assert!(!w.has_line("a person stopped it"), "{}", tail(&w));
}

#[test]
fn one_reading_without_an_instance_isnt_its_end() {
    let mut w = World::with(|s| s.policy.fence = crate::policy::FenceMode::Terminate);
    w.slow_end = false;
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("answers from i-00000001");
    w.event(Event::Paused(Some("x".into())));
    w.run(secs(60));
    w.instance("i-0000000a").hidden = 1;
    w.run(secs(5));
    assert!(
        !w.has_line("Old instance i-0000000a terminated"),
        "state {:?} {}",
        w.state("i-0000000a"),
        tail(&w)
    );
}

#[test]
fn a_hold_is_said_once_while_it_lasts() {
    let mut w = World::new();
    w.instance("i-0000000a").has_vip = false;
    w.run(secs(600));
    let n = w.lines.iter().filter(|l| l.starts_with("Held: 10.0.0.10 has never")).count();
    let r = w.lines.iter().filter(|l| l.contains("No longer held")).count();
    assert!(n <= 1 && r == 0, "held {n} times, resumed {r}");
}

#[test]
fn every_doubt_is_told() {
    let mut w = World::new();
    w.run(secs(30));
    w.path_open = false;
    w.run(Duration::from_millis(3_400));
    w.path_open = true;
    w.run(secs(3_600));
    assert!(w.has_line("Suspect"));
    w.lines.clear();
    w.kill("i-0000000a");
    w.run(secs(60));
    assert!(w.has_line("Suspect"), "{}", tail(&w));
}

#[test]
fn observing_tells_no_move_that_would_be_held() {
    let mut w = World::with(|s| s.policy.observe = true);
    w.instance("i-0000000a").has_vip = false;
    w.run(secs(600));
    assert!(!w.has_line("Would have moved"), "{}", tail(&w));
}

#[test]
fn routes_dont_go_back_to_a_stopped_holder() {
    let mut w = World::new();
    w.new_ones_have_vip = false;
    w.run(secs(30));
    w.stop_by_user("i-0000000a");
    w.run(secs(500));
    assert!(!w.has_line("could not be pointed back in time"), "tables {:?} {}", w.tables, tail(&w));
}

#[test]
fn throttling_doesnt_spend_the_right_to_take_a_route_back() {
    let mut w = World::new();
    w.run(secs(30));
    w.add_stranger("i-0000000f");
    let mut n = 0;
    w.fault = Some(Box::new(move |call, _| {
        if !matches!(call, Call::ReplaceRoute { .. }) {
            return None;
        }
        n += 1;
        (n <= 4).then(|| (refused("RequestLimitExceeded"), false))
    }));
    w.point_all_to("i-0000000f");
    w.run(secs(120));
    assert!(!w.has_line("again and again"), "{}", tail(&w));
}

#[test]
fn a_candidate_isnt_judged_while_ec2_cant_be_read() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("Waiting for i-00000001");
    w.api_error = Some("RequestLimitExceeded");
    w.run(secs(400));
    w.api_error = None;
    w.run(secs(200));
    assert_eq!(w.launches(), 1, "{}", tail(&w));
}

#[test]
fn a_candidate_whose_zone_is_full_now_isnt_forgotten() {
    let mut w = World::new();
    w.new_ones_have_vip = false;
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("Waiting for 10.0.0.10 to answer from i-00000001");
    w.run(secs(1));
    w.setup.sites.remove(0);
    w.restart();
    w.run(secs(200));
    let known = w.record.disposals.iter().any(|d| d.instance == id("i-00000001"))
        || w.record.former.contains(&id("i-00000001"));
    assert!(
        known || w.has_line("i-00000001 in AZ us-east-1b given up"),
        "{:?} {}",
        w.record.moving,
        tail(&w)
    );
}

#[test]
fn one_listing_without_a_table_doesnt_lose_it() {
    let mut w = World::new();
    w.run(secs(30));
    let t = w.tables.remove(&table(2)).unwrap();
    w.run(secs(10));
    w.tables.insert(table(2), t);
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run(secs(60));
    assert_eq!(w.tables[&table(2)], Some("eni-00000001".parse().unwrap()), "{}", tail(&w));
}

#[test]
fn a_strangers_route_in_a_clients_table_is_taken_back() {
    let mut w = World::new();
    w.run(secs(30));
    w.add_stranger("i-0000000f");
    w.tables.insert(table(2), Some("eni-0000000f".parse().unwrap()));
    w.run(secs(600));
    assert_eq!(w.tables[&table(2)], Some("eni-0000000a".parse().unwrap()), "{}", tail(&w));
}

#[test]
fn an_old_status_check_moves_nothing() {
    let mut w = World::new();
    w.run(secs(30));
    w.impaired = true;
    w.run(secs(15));
    w.impaired = false;
    w.fault = Some(Box::new(|call, _| {
        matches!(call, Call::Statuses { .. }).then(|| (refused("RequestLimitExceeded"), false))
    }));
    w.run(secs(3_600));
    w.path_lines.clear();
    w.path_open = false;
    w.run(secs(120));
    assert_eq!(w.launches(), 0, "{}", tail(&w));
}

#[test]
fn a_part_of_the_path_that_is_read_only_once_is_no_change() {
    // near group known before, not after: as the Path reading would show it
    let mut w = World::new();
    w.record.path = Vec::new();
    w.run(secs(60));
    let name = "security group sg-monitor".to_string();
    w.record.path.push(crate::world::PathPart::new(name, []));
    w.kill("i-0000000a");
    w.restart();
    w.run(secs(3_600));
    assert_eq!(w.launches(), 1, "{}", tail(&w));
}

#[test]
fn a_denied_reading_is_told_while_all_is_well() {
    let mut w = World::new();
    w.fault = Some(Box::new(|call, _| {
        matches!(call, Call::Path { .. }).then(|| (refused("UnauthorizedOperation"), false))
    }));
    w.run(secs(60));
    assert!(
        w.lines.iter().any(|l| l.contains("UnauthorizedOperation")),
        "never told while healthy"
    );
}

#[test]
fn a_silence_that_wasnt_seen_isnt_measured() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("Updating static routes...");
    w.event(Event::Stop);
    w.run(secs(6));
    w.restart();
    w.run(secs(60));
    assert!(!w.has_line("after 0 ms"), "{}", tail(&w));
}

#[test]
fn one_slow_leftover_doesnt_starve_another() {
    let mut w = World::new();
    w.run(secs(30));
    w.add_stranger("i-0000000e");
    w.add_stranger("i-0000000f");
    for (n, t) in [("i-0000000e", "a"), ("i-0000000f", "b")] {
        let m = w.instance(n);
        m.tags.insert("rehome:vip".into(), "10.0.0.10".into());
        m.token = Some(t.into());
        w.record.disposals.push(Disposal {
            instance: id(n),
            az: az("us-east-1a"),
            interface: None,
            address: None,
            why: Leftover::Failed,
            mode: crate::policy::FenceMode::Terminate,
            not_before: Unix(0),
            ordered: n.ends_with('e'),
            by_person: false,
        });
    }
    w.instance("i-0000000e").state = InstanceState::ShuttingDown;
    w.restart();
    w.run(secs(600));
    assert_eq!(w.state("i-0000000f"), InstanceState::Terminated, "{}", tail(&w));
}

#[test]
fn a_candidate_that_ec2_forgets_is_given_up() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("New instance i-00000001 launched");
    w.record.moving.as_mut().unwrap().attempt.as_mut().unwrap().home = None;
    w.machines.remove(&id("i-00000001"));
    w.restart();
    w.run(secs(7_200));
    assert!(w.launches() > 0 || w.has_line("given up"), "{}", tail(&w));
}

#[test]
fn leftovers_are_looked_at_within_the_budget_of_calls() {
    let mut w = World::new();
    w.new_ones_have_vip = false;
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run(secs(2000));
    let count = std::rc::Rc::new(core::cell::Cell::new(0));
    let c = count.clone();
    w.fault = Some(Box::new(move |call, _| {
        if matches!(call, Call::Instances { .. } | Call::Tables { .. }) {
            c.set(c.get() + 1);
        }
        None
    }));
    w.run(secs(100));
    assert!(
        count.get() < 200,
        "{} describes in 100 s; moving {:?} disposals {}",
        count.get(),
        w.record.moving.is_some(),
        w.record.disposals.len()
    );
}
#[test]
fn a_route_overwritten_during_the_cut_is_replaced_again() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("in route table rtb-00000001");
    w.tables.insert(table(1), Some("eni-0000000a".parse().unwrap()));
    w.run(secs(120));
    assert_eq!(w.calls_of("RunInstances"), 1, "{:?} {}", w.record.moving, tail(&w));
}
#[test]
fn routes_dont_go_back_to_a_holder_that_is_gone() {
    let mut w = World::new();
    w.new_ones_have_vip = false;
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("Waiting for 10.0.0.10 to answer from i-00000001");
    w.machines.remove(&id("i-0000000a"));
    w.run(secs(500));
    assert!(!w.has_line("Pointing routes back to i-0000000a"), "{:?} {}", w.tables, tail(&w));
}
#[test]
fn nothing_is_fenced_while_the_new_home_flaps() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("answers from i-00000001");
    w.instance("i-00000001").has_vip = false;
    w.run(secs(9));
    w.instance("i-00000001").has_vip = true;
    w.run(secs(3));
    assert_ne!(w.state("i-0000000a"), InstanceState::Terminated, "{}", tail(&w));
}
#[test]
fn a_cut_is_looked_at_again_after_a_pause() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.fault = Some(Box::new(|call, _| {
        matches!(call, Call::ReplaceRoute { .. }).then(|| (refused("RequestLimitExceeded"), false))
    }));
    w.run_until_line("Updating static routes...");
    w.event(Event::Paused(Some("x".into())));
    w.fault = None;
    w.revive("i-0000000a");
    w.run(secs(20));
    w.event(Event::Paused(None));
    w.run(secs(20));
    assert_eq!(w.calls_of("ReplaceRoute"), 0, "{}", tail(&w));
}
#[test]
fn expired_credentials_dont_spend_the_budget() {
    let mut w = World::new();
    w.run(secs(30));
    let mut n = 0;
    w.fault = Some(Box::new(move |call, _| {
        if !matches!(call, Call::Launch(_)) {
            return None;
        }
        n += 1;
        (n <= 2).then(|| (refused("RequestExpired"), false))
    }));
    w.kill("i-0000000a");
    w.run(secs(1_000));
    assert_eq!(w.launches(), 1, "{}", tail(&w));
}

#[test]
fn a_cut_whose_other_half_failed_is_brought_to_an_end() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("Waiting for i-00000001");
    let end = w.now + secs(60);
    w.fault = Some(Box::new(move |call, now| {
        (is_route(call, 1) && now < end).then(|| (refused("InternalError"), false))
    }));
    w.run(secs(7_200));
    assert!(
        w.launches() >= 2,
        "launches {} moving {:?} {}",
        w.launches(),
        w.record.moving.as_ref().map(|m| (m.stage, m.tried.clone())),
        tail(&w)
    );
}

#[test]
fn a_route_call_that_lands_after_a_restart_is_the_candidates() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("Updating static routes...");
    // The process dies with its calls under way; they land after the next one has looked.
    w.point_all_to("i-0000000a");
    w.restart();
    w.run(secs(1));
    w.point_all_to("i-00000001");
    w.run(secs(120));
    w.assert_moved("i-00000001");
    assert_eq!(w.state("i-0000000a"), InstanceState::Terminated, "{}", tail(&w));
}

#[test]
fn a_launch_that_was_put_off_for_long_has_all_its_time_when_it_comes() {
    // The record can't be written for half an hour; or launches fail for as long.
    let mut full = World::new();
    full.run(secs(30));
    full.persist_fails = true;
    full.kill("i-0000000a");
    full.run(secs(1_800));
    full.persist_fails = false;
    let mut failing = World::new();
    failing.run(secs(30));
    let end = failing.now + secs(1_800);
    failing.fault = Some(Box::new(move |call, now| {
        (matches!(call, Call::Launch(_)) && now < end).then(|| (refused("InternalError"), false))
    }));
    failing.kill("i-0000000a");
    failing.run(secs(1_800));
    for mut w in [full, failing] {
        assert_eq!(w.launches(), 0, "{}", tail(&w));
        w.run(secs(120));
        w.assert_moved("i-00000001");
        assert_eq!(w.launches(), 1, "{}", tail(&w));
    }
}

#[test]
fn a_pause_takes_no_time_from_a_candidate() {
    let mut w = World::new();
    w.run(secs(30));
    w.kill("i-0000000a");
    w.run_until_line("Waiting for i-00000001");
    w.event(Event::Paused(Some("x".into())));
    w.run(secs(1_200));
    w.event(Event::Paused(None));
    w.run(secs(60));
    w.assert_moved("i-00000001");
    assert_eq!(w.launches(), 1, "{}", tail(&w));
}
