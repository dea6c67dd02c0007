//! Each way in which a holder breaks, and what comes of it.

use crate::controller::{Controller, text};
use crate::harness::Lab;

/// Breaks the holder in a way that only its silence tells, and follows the move: to the next zone,
/// with one launch, and the end of the old one.
#[track_caller]
fn is_unreachable_and_terminated(how: &str) {
    let lab = Lab::up("instant");
    lab.checks_lag();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, how);
    let new = controller.moves_because("unreachable");
    controller.launched(1);
    assert_eq!(lab.instance(&new).az, "us-east-1b");
    assert_eq!(lab.instance(&lab.holder.id).state, "terminated");
    controller.never(&["attempt-failed", "rolling-back", "cancelled", "kept", "held"]);
}

#[test]
fn a_crashed_holder_is_unreachable_and_gets_replaced_and_terminated() {
    is_unreachable_and_terminated("crash");
}

#[test]
fn a_hung_holder_is_unreachable_and_gets_replaced_and_terminated() {
    is_unreachable_and_terminated("hang");
}

#[test]
fn a_holder_without_network_is_unreachable_and_gets_replaced_and_terminated() {
    is_unreachable_and_terminated("network");
}

#[test]
fn a_holder_that_lost_the_address_is_replaced_and_kept_because_it_still_answers() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "lose-ip");
    controller.moves_because("address lost");
    let kept = controller.seen("kept");
    assert_eq!(kept.len(), 1, "{kept:?}");
    let said = format!("Old instance {} kept: it still answers at 172.31.48.10", lab.holder.id);
    assert_eq!(text(&kept[0]), said);
    controller.never(&["ending", "ended"]);
    assert_eq!(lab.instance(&lab.holder.id).state, "running");
}

#[test]
fn a_holder_that_a_person_stopped_is_replaced_and_kept() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "stop");
    controller.decides(&["state is stopped", "state is stopping"]);
    controller.completes();
    let kept = controller.seen("kept");
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(text(&kept[0]).ends_with("kept: a person stopped it"), "{kept:?}");
    controller.never(&["ending", "ended"]);
    controller.launched(1);
    assert_eq!(lab.instance(&lab.holder.id).state, "stopped");
}

#[test]
fn a_holder_that_a_person_terminated_is_replaced_and_its_state_is_the_reason() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "terminate");
    controller.decides(&["state is terminated", "state is shutting-down"]);
    controller.completes();
    controller.launched(1);
    assert_eq!(lab.instance(&lab.holder.id).state, "terminated");
}

#[test]
fn a_reboot_shorter_than_a_launch_moves_nothing_and_ends_nothing() {
    let lab = Lab::up("fast");
    // Silence is believed sooner than here the guest is back; nothing is cut so soon.
    let mut controller = Controller::start(&lab, &["--commit-after", "60s"]);
    controller.is_well();
    lab.mark_boot(&lab.holder.id);
    lab.break_(&lab.holder.id, "reboot");
    controller.says("status", "PING: UNREACHABLE");
    lab.wait_for_boot(&lab.holder.id);
    controller.says("status", "- RUNNING, PING: REACHABLE");
    controller.goes_on();
    let moves = controller.seen("moving").len();
    assert_eq!(controller.seen("cancelled").len(), moves, "{:#?}", controller.lines());
    controller.never(&["cutting", "routed", "ending"]);
    controller.serves(&lab.holder.id);
    assert_eq!(lab.instance(&lab.holder.id).state, "running");
}

#[test]
fn an_impaired_holder_stays_while_its_address_answers_and_then_the_check_is_the_reason() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "impair");
    let status = lab.api("DescribeInstanceStatus", &[("InstanceId.1", &lab.holder.id)]);
    assert!(status.contains("<status>impaired</status>"), "{status}");
    controller.goes_on();
    controller.never(&["suspect", "moving", "held"]);
    controller.serves(&lab.holder.id);
    lab.break_(&lab.holder.id, "crash");
    controller.moves_because("status check system impaired");
    assert_eq!(lab.instance(&lab.holder.id).state, "terminated");
}

#[test]
fn a_holder_whose_whole_zone_crashed_is_replaced_in_another_zone() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_("us-east-1a", "crash");
    let new = controller.moves();
    assert_eq!(lab.instance(&new).az, "us-east-1b");
    controller.launched(1);
    assert_eq!(lab.instance(&lab.holder.id).state, "terminated");
}
