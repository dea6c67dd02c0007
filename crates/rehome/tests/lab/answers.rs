//! Calls whose answers are lost, and calls that are refused although they took effect.

use crate::controller::Controller;
use crate::harness::Lab;

/// One of each call that a move is made of goes wrong in this way.
#[track_caller]
fn every_call_once(way: &[&str]) {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    for action in
        ["RunInstances", "ModifyNetworkInterfaceAttribute", "ReplaceRoute", "TerminateInstances"]
    {
        lab.fault(&[&["--action", action, "--times", "1"], way].concat());
    }
    lab.break_(&lab.holder.id, "crash");
    controller.moves();
    controller.launched(1);
    controller.wait_for_state(&lab.holder.id, "terminated");
    let left = lab.ok(&["fault", "list"]);
    assert_eq!(left.trim(), "", "every fault has struck");
}

#[test]
fn calls_whose_answers_are_lost_after_they_took_effect_are_not_made_twice() {
    every_call_once(&["--lost", "--after"]);
}

#[test]
fn calls_that_are_lost_on_their_way_are_made_again() {
    every_call_once(&["--lost"]);
}

#[test]
fn calls_that_took_effect_and_answer_with_an_internal_error_are_not_made_twice() {
    every_call_once(&["--error", "InternalError", "--after"]);
}

#[test]
fn calls_that_are_throttled_are_made_again() {
    every_call_once(&["--error", "RequestLimitExceeded"]);
}

#[test]
fn readings_that_fail_now_and_then_move_nothing() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let readings = ["DescribeInstances", "DescribeInstanceStatus", "DescribeRouteTables"];
    for action in readings {
        lab.fault(&["--action", action, "--error", "InternalError", "--times", "2"]);
    }
    controller.says("status", "STATE: unknown (InternalError");
    controller.is_well();
    controller.never(&["suspect", "moving", "held"]);
    controller.launched(0);
}
