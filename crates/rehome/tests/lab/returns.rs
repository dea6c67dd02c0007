//! A holder that comes back before anything was cut.

use crate::controller::{Controller, text};
use crate::harness::{Lab, routes};

#[test]
fn a_holder_that_comes_back_in_time_is_kept_and_the_spare_is_ended_later() {
    let lab = Lab::up("instant");
    let flags = ["--commit-after", "60s", "--spare-kept", "2s"];
    let mut controller = Controller::start(&lab, &flags);
    controller.is_well();
    lab.break_(&lab.holder.id, "network");
    let launched = controller.next("launched");
    let spare = launched["instance"].as_str().expect("a launch brings an instance");
    lab.heal(&lab.holder.id);
    let cancelled = controller.next("cancelled");
    assert_eq!(cancelled["instance"], lab.holder.id.as_str());
    let ended = controller.next("ended");
    assert_eq!(text(&ended), format!("Instance {spare} terminated"));
    controller.never(&["cutting", "routed", "verified", "now-monitoring"]);
    controller.launched(1);
    assert_eq!(lab.instance(spare).state, "terminated");
    assert_eq!(lab.instance(&lab.holder.id).state, "running");
    assert_eq!(routes(&lab.status()), routes(&lab.first));
    controller.is_well();
    controller.serves(&lab.holder.id);
}

#[test]
fn after_a_cancelled_move_the_next_failure_is_a_move() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &["--commit-after", "3s"]);
    controller.is_well();
    lab.break_(&lab.holder.id, "network");
    controller.next("launching");
    lab.heal(&lab.holder.id);
    controller.next("cancelled");
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    let new = controller.moves();
    assert_eq!(lab.instance(&lab.holder.id).state, "terminated");
    controller.serves(&new);
}
