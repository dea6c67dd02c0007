//! `kill -9` of the controller at every step of a move, and the mission's same command again: the
//! move ends well, one instance was launched, and the old one is terminated.

use crate::controller::Controller;
use crate::harness::Lab;

/// Calls that change something take their time, so that most kills hit one under way.
const SLOW: [&str; 4] =
    ["RunInstances", "ModifyNetworkInterfaceAttribute", "ReplaceRoute", "TerminateInstances"];

#[track_caller]
fn killed_at(event: &str) {
    let lab = Lab::up("instant");
    for action in SLOW {
        lab.fault(&["--action", action, "--latency", "400ms"]);
    }
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.next(event);
    controller.kill9();
    let mut again = Controller::start(&lab, &[]);
    again.completes();
    again.launched(1);
    again.wait_for_state(&lab.holder.id, "terminated");
    let last = again.ends_on(nix::sys::signal::Signal::SIGTERM);
    assert!(last.contains("10.0.0.10 is on ") && !last.contains("still to be ended"), "{last}");
}

#[test]
fn killed_while_it_suspects_it_moves_after_a_restart() {
    killed_at("suspect");
}

#[test]
fn killed_when_it_has_decided_it_moves_after_a_restart() {
    killed_at("moving");
}

#[test]
fn killed_while_a_launch_is_under_way_it_finds_what_that_brought() {
    killed_at("launching");
}

#[test]
fn killed_when_the_launch_was_answered_it_goes_on_with_that_instance() {
    killed_at("launched");
}

#[test]
fn killed_while_it_waits_for_the_candidate_it_goes_on_waiting() {
    killed_at("waiting");
}

#[test]
fn killed_when_the_candidate_is_ready_it_goes_on_to_the_cut() {
    killed_at("ready");
}

#[test]
fn killed_while_routes_are_being_replaced_it_replaces_them() {
    killed_at("cutting");
}

#[test]
fn killed_when_a_route_was_replaced_it_goes_on_from_there() {
    killed_at("routed");
}

#[test]
fn killed_while_the_new_home_is_verified_it_verifies_it() {
    killed_at("verifying");
}

#[test]
fn killed_when_the_new_home_answers_it_still_ends_the_old_one() {
    killed_at("verified");
}

#[test]
fn killed_while_the_old_one_is_being_ended_it_sees_that_through() {
    killed_at("ending");
}

#[test]
fn killed_again_and_again_it_still_launches_once() {
    let lab = Lab::up("instant");
    for action in SLOW {
        lab.fault(&["--action", action, "--latency", "400ms"]);
    }
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    for event in ["launching", "waiting", "cutting", "ending"] {
        controller.next(event);
        controller.kill9();
        controller = Controller::start(&lab, &[]);
    }
    controller.completes();
    controller.launched(1);
    controller.wait_for_state(&lab.holder.id, "terminated");
}

#[test]
fn without_its_state_file_the_same_command_finds_the_holder_by_its_tags_and_routes() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    let new = controller.moves();
    controller.kill9();
    let mut again = Controller::start(&lab, &["--state-dir", "/var/tmp/another"]);
    let status = again.says("status", "- RUNNING, PING: REACHABLE");
    assert_eq!(status["instance"], new.as_str());
    again.is_well();
    again.launched(1);
    again.serves(&new);
}
