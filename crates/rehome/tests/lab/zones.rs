//! Zones that refuse a launch, and a launch that is refused everywhere.

use crate::controller::{Controller, text};
use crate::harness::{Lab, routes};

/// The first zone refuses once with `code`; the second call has to go to the next zone already, or
/// it would succeed in the first.
#[track_caller]
fn refused_by_the_first_zone(code: &str) {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let fault = ["--action", "RunInstances", "--error", code, "--az", "us-east-1b"];
    lab.fault(&[&fault[..], &["--times", "1"]].concat());
    lab.break_(&lab.holder.id, "crash");
    let failed = controller.next("attempt-failed");
    let said = format!("Launch in AZ us-east-1b failed: {code}: ");
    assert!(text(&failed).starts_with(&said), "{failed}");
    let new = controller.completes();
    assert_eq!(lab.instance(&new).az, "us-east-1c");
    assert_eq!(controller.seen("attempt-failed").len(), 1);
    controller.launched(1);
}

#[test]
fn a_zone_without_capacity_costs_one_call() {
    refused_by_the_first_zone("InsufficientInstanceCapacity");
}

#[test]
fn a_zone_without_the_instance_type_costs_one_call() {
    refused_by_the_first_zone("Unsupported");
}

#[test]
fn a_zone_without_free_addresses_costs_one_call() {
    refused_by_the_first_zone("InsufficientFreeAddressesInSubnet");
}

#[test]
fn a_launch_that_dies_pending_is_followed_by_one_in_the_next_zone() {
    let lab = Lab::up("fast");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let code = "Server.InsufficientInstanceCapacity";
    lab.fault(&["--action", "RunInstances", "--error", code, "--az", "us-east-1b"]);
    lab.break_(&lab.holder.id, "crash");
    let dead = controller.next("launched");
    let failed = controller.next("attempt-failed");
    assert_eq!(failed["instance"], dead["instance"]);
    assert!(text(&failed).contains(code), "{failed}");
    let new = controller.completes();
    assert_eq!(lab.instance(&new).az, "us-east-1c");
    controller.launched(2);
    let dead = dead["instance"].as_str().expect("a launch brings an instance");
    assert_eq!(lab.instance(dead).state, "terminated");
}

#[test]
fn when_every_zone_refuses_the_holder_is_kept_and_the_zones_are_tried_again_later() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.fault(&["--action", "RunInstances", "--error", "InsufficientInstanceCapacity"]);
    lab.break_(&lab.holder.id, "crash");
    let held = controller.next("held");
    for zone in ["us-east-1a", "us-east-1b", "us-east-1c"] {
        assert!(text(&held).contains(zone), "{held}");
    }
    assert_eq!(controller.seen("attempt-failed").len(), 3);
    controller.never(&["cutting", "ending"]);
    controller.launched(0);
    lab.clear_faults();
    controller.completes();
    controller.launched(1);
}

#[test]
fn a_launch_without_permission_is_held_and_said_and_changes_nothing() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.fault(&["--action", "RunInstances", "--deny"]);
    lab.break_(&lab.holder.id, "crash");
    let held = controller.next("held");
    assert!(text(&held).contains("UnauthorizedOperation"), "{held}");
    assert_eq!(controller.seen("attempt-failed").len(), 1, "a refusal for good is asked once");
    controller.goes_on();
    controller.launched(0);
    controller.never(&["cutting", "routed", "ending"]);
    assert_eq!(routes(&lab.status()), routes(&lab.first));
    assert_eq!(lab.instance(&lab.holder.id).state, "running");
    // Somebody grants it: the hold ends by itself.
    lab.clear_faults();
    controller.completes();
    controller.launched(1);
}
