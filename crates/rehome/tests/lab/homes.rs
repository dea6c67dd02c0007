//! Homes that turn out to be no good, holders that never were, and what becomes of old ones.

use crate::controller::{Controller, text};
use crate::harness::{Lab, routes};

/// A template that boots and configures nothing.
const BARREN: &str = "#!/bin/sh\necho no address\n";

#[test]
fn when_no_candidate_makes_the_address_answer_the_routes_go_back_and_nothing_is_fenced() {
    let lab = Lab::up("instant");
    lab.put("monitor", "/var/tmp/barren.sh", BARREN);
    let mut controller = Controller::start_with_template(
        &lab,
        "/var/tmp/barren.sh",
        &["--verify-within", "2s", "--hold", "1m"],
    );
    controller.is_well();
    lab.break_(&lab.holder.id, "network");
    let back = controller.next("rolling-back");
    assert_eq!(back["instance"], lab.holder.id.as_str());
    let held = controller.next("held");
    assert!(text(&held).contains("the routes lead to"), "{held}");
    assert_eq!(routes(&lab.status()), routes(&lab.first));
    assert_eq!(controller.seen("attempt-failed").len(), 3);
    controller.never(&["verified", "now-monitoring"]);
    controller.launched(3);
    assert_eq!(lab.instance(&lab.holder.id).state, "running");
    // The last candidate is kept for a look, and the holder serves again when it is back.
    let kept = controller.seen("kept");
    assert_eq!(kept.len(), 1, "{kept:?}");
    lab.heal(&lab.holder.id);
    controller.says("status", "- RUNNING, PING: REACHABLE");
    controller.is_well();
    controller.serves(&lab.holder.id);
    let last = kept[0]["instance"].as_str().expect("it names the instance");
    for launched in lab.launched() {
        let state = if launched.id == last { "running" } else { "terminated" };
        controller.wait_for_state(&launched.id, state);
    }
}

#[test]
fn an_address_that_has_never_answered_is_no_reason_to_move() {
    let lab = Lab::up("instant");
    lab.break_(&lab.holder.id, "crash");
    let mut controller = Controller::start(&lab, &["--unfamiliar", "1s"]);
    let held = controller.next("held");
    controller.goes_on();
    controller.never(&["moving", "launching"]);
    controller.launched(0);
    assert_eq!(lab.instance(&lab.holder.id).state, "running", "{held}");
}

#[test]
fn a_holder_that_is_stopped_already_at_the_start_is_moved_when_two_readings_agree() {
    let lab = Lab::up("instant");
    lab.break_(&lab.holder.id, "stop");
    let mut controller = Controller::start(&lab, &["--unfamiliar", "2s"]);
    controller.says("held", "no state file was found");
    controller.moves_because("state is stopped");
    controller.launched(1);
    assert_eq!(lab.instance(&lab.holder.id).state, "stopped");
}

#[test]
fn with_fence_stop_the_old_instance_is_stopped() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &["--fence", "stop"]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.moves();
    let ended = controller.seen("ended");
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(text(&ended[0]), format!("Old instance {} stopped", lab.holder.id));
    assert_eq!(lab.instance(&lab.holder.id).state, "stopped");
}

#[test]
fn with_fence_none_the_old_instance_is_left_as_it_is() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &["--fence", "none"]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.moves();
    let kept = controller.seen("kept");
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(text(&kept[0]), format!("Old instance {} kept: --fence none", lab.holder.id));
    controller.never(&["ending", "ended"]);
    assert_eq!(lab.instance(&lab.holder.id).state, "running");
}

#[test]
fn an_old_instance_that_is_protected_is_kept_and_said() {
    let lab = Lab::up("instant");
    lab.api(
        "ModifyInstanceAttribute",
        &[("InstanceId", &lab.holder.id), ("DisableApiTermination.Value", "true")],
    );
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.moves();
    let kept = controller.seen("kept");
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(text(&kept[0]).contains("OperationNotPermitted"), "{kept:?}");
    assert_eq!(lab.instance(&lab.holder.id).state, "running");
}

#[test]
fn the_successor_is_watched_as_well_and_replaced_in_its_turn() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    let second = controller.moves();
    controller.is_well();
    lab.break_(&second, "crash");
    let third = controller.moves();
    assert_ne!(second, third);
    assert_ne!(lab.instance(&second).az, lab.instance(&third).az);
    assert_eq!(lab.instance(&second).state, "terminated");
    controller.launched(2);
}
