//! A hot standby, on real packets: launched ahead, used, replaced.

use nix::sys::signal::Signal;

use crate::controller::{Controller, text};
use crate::harness::Lab;

const HOT: [&str; 2] = ["--standby", "hot"];

/// The standby that is told to be ready.
#[track_caller]
fn ready(controller: &mut Controller<'_>) -> String {
    let event = controller.next("standby-ready");
    event["instance"].as_str().expect("it is named").to_owned()
}

#[test]
fn a_crashed_holder_is_followed_by_the_standby_without_a_launch_and_the_next_is_launched() {
    let lab = Lab::up("fast");
    let mut controller = Controller::start(&lab, &HOT);
    let standby = ready(&mut controller);
    assert_eq!(lab.instance(&standby).az, "us-east-1b");
    assert!(lab.vip_answers(), "the routes lead to the holder");
    controller.launched(1);
    lab.break_(&lab.holder.id, "crash");
    let moving = controller.next("moving");
    assert_eq!(text(&moving), format!("Moving to standby {standby} due to: unreachable"));
    let verified = controller.next("verified");
    assert_eq!(verified["instance"], standby.as_str(), "{verified}");
    assert!(lab.vip_answers());
    controller.wait_for_state(&lab.holder.id, "terminated");
    let next = ready(&mut controller);
    assert_ne!(next, standby);
    assert_ne!(lab.instance(&next).az, lab.instance(&standby).az);
    controller.launched(2);
    controller.never(&["launching", "attempt-failed", "rolling-back", "held"]);
}

#[test]
fn a_standby_that_ends_is_told_and_replaced_and_the_holder_is_left_alone() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &HOT);
    let standby = ready(&mut controller);
    lab.api("TerminateInstances", &[("InstanceId.1", standby.as_str())]);
    let lost = controller.next("standby-lost");
    assert!(text(&lost).starts_with(&format!("Standby {standby} lost: ")), "{lost}");
    assert!(text(&lost).ends_with("; a failover would have to launch"), "{lost}");
    assert_ne!(ready(&mut controller), standby);
    controller.never(&["moving", "held"]);
    assert!(lab.vip_answers());
}

#[test]
fn a_kill_in_the_middle_of_a_standbys_launch_leaves_one_standby() {
    let lab = Lab::up("fast");
    let mut controller = Controller::start(&lab, &HOT);
    controller.next("standby-launching");
    controller.kill9();
    let mut again = Controller::start(&lab, &HOT);
    let standby = ready(&mut again);
    again.launched(1);
    assert_eq!(lab.launched()[0].id, standby);
    // The standby is known after a start in which nothing is launched.
    again.ends_on(Signal::SIGTERM);
    let mut third = Controller::start(&lab, &HOT);
    assert_eq!(ready(&mut third), standby);
    third.launched(1);
}

#[test]
fn a_standby_that_isnt_wanted_any_more_is_released_and_ended() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &HOT);
    let standby = ready(&mut controller);
    controller.ends_on(Signal::SIGTERM);
    let mut cold = Controller::start(&lab, &["--spare-kept", "1s"]);
    let lost = cold.next("standby-lost");
    let why = format!("Standby {standby} lost: none is wanted any more");
    assert!(text(&lost).starts_with(&why), "{lost}");
    cold.wait_for_state(&standby, "terminated");
    assert_eq!(lab.instance(&lab.holder.id).state, "running");
    assert!(lab.vip_answers());
}
