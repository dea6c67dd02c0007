//! The API is down, before and during a failover: nothing is done on a guess, and all goes on
//! where it stood when EC2 can be read again.

use crate::controller::{Controller, text};
use crate::harness::{Lab, routes};

/// Every call to EC2 fails with `code`.
#[track_caller]
fn api_down(lab: &Lab, code: &str) {
    lab.fault(&["--action", "*", "--error", code]);
}

/// Rehome starts without EC2, says so, and goes on when EC2 is back.
#[track_caller]
fn starts_blind(fault: &[&str], why: &str) {
    let lab = Lab::up("instant");
    lab.fault(fault);
    let mut controller = Controller::start(&lab, &[]);
    let said = controller.next("notice");
    let state = format!("Instance {} - STATE: unknown ({why}", lab.holder.id);
    assert!(text(&said).starts_with(&state), "{said}");
    assert!(text(&said).ends_with("PING: REACHABLE"), "{said}");
    controller.next("notice");
    controller.never(&["moving", "source-dest-check-off", "routed"]);
    lab.clear_faults();
    controller.is_well();
    controller.launched(0);
    controller.never(&["suspect", "moving"]);
    assert_eq!(routes(&lab.status()), routes(&lab.first));
    lab.break_(&lab.holder.id, "crash");
    controller.moves();
    controller.launched(1);
}

#[test]
fn an_unavailable_api_before_the_start_is_unknown_and_waited_for() {
    starts_blind(&["--action", "*", "--error", "ServiceUnavailable"], "ServiceUnavailable");
}

#[test]
fn an_api_with_internal_errors_before_the_start_is_unknown_and_waited_for() {
    starts_blind(&["--action", "*", "--error", "InternalError"], "InternalError");
}

#[test]
fn an_api_slower_than_the_deadline_before_the_start_is_unknown_and_waited_for() {
    starts_blind(&["--action", "DescribeInstances", "--latency", "8s"], "");
}

#[test]
fn a_holder_that_dies_while_ec2_cannot_be_read_is_moved_only_when_it_can_be_read_again() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    api_down(&lab, "ServiceUnavailable");
    controller.says("status", "STATE: unknown (ServiceUnavailable, last seen running ");
    lab.break_(&lab.holder.id, "crash");
    let held = controller.says("held", "while EC2 can't be read nothing is moved");
    assert!(text(&held).contains("ServiceUnavailable"), "{held}");
    controller.goes_on();
    controller.never(&["moving", "launching"]);
    controller.launched(0);
    lab.clear_faults();
    controller.moves();
    controller.launched(1);
    assert_eq!(lab.instance(&lab.holder.id).state, "terminated");
}

#[test]
fn an_api_that_goes_down_while_all_is_well_moves_nothing() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    api_down(&lab, "InternalError");
    for _ in 0..4 {
        let status = controller.says("status", "STATE: unknown (InternalError, ");
        assert!(text(&status).ends_with("PING: REACHABLE"), "{status}");
    }
    lab.clear_faults();
    controller.is_well();
    controller.never(&["suspect", "moving", "held"]);
    controller.launched(0);
}

/// A failover during which the API goes down right after `event`, for a while.
#[track_caller]
fn goes_down_after(event: &str, flags: &[&str]) {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, flags);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.next(event);
    api_down(&lab, "InternalError");
    controller.goes_on();
    lab.clear_faults();
    let new = controller.completes();
    controller.launched(1);
    assert_eq!(lab.instance(&new).az, "us-east-1b");
    assert_eq!(lab.instance(&lab.holder.id).state, "terminated");
}

#[test]
fn an_api_that_goes_down_after_the_launch_delays_the_move_and_no_more() {
    goes_down_after("launched", &[]);
}

#[test]
fn an_api_that_goes_down_before_the_cut_delays_the_move_and_no_more() {
    goes_down_after("waiting", &["--commit-after", "3s"]);
}

#[test]
fn an_api_that_goes_down_during_the_cut_delays_the_move_and_no_more() {
    goes_down_after("cutting", &[]);
}

#[test]
fn an_api_that_goes_down_before_the_fence_delays_the_end_of_the_old_instance() {
    goes_down_after("verified", &[]);
}
