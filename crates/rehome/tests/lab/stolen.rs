//! Somebody points the route to a machine of theirs: one that serves the address, one that is
//! silent, and one that is off.

use std::time::Instant;

use crate::controller::{Controller, text};
use crate::harness::{Lab, PATIENCE, VIP, poll, routes};
use crate::sight::figures;

/// A lab with a stranger's machine: its id and its interface.
#[track_caller]
fn with_stranger() -> (Lab, String, String) {
    let mut lab = Lab::up("instant");
    let (id, _) = lab.launch("us-east-1b", &lab.group());
    lab.first = lab.status();
    let eni = lab.instance(&id).eni.expect("it has an interface");
    (lab, id, eni)
}

#[test]
fn a_route_that_leads_to_a_stranger_that_serves_the_address_is_left_there_and_told() {
    let (lab, id, eni) = with_stranger();
    let table = lab.first.route_tables[0].id.clone();
    let holder = lab.holder.eni.clone().expect("the holder has an interface");
    let off = [("NetworkInterfaceId", eni.as_str()), ("SourceDestCheck.Value", "false")];
    lab.api("ModifyNetworkInterfaceAttribute", &off);
    lab.script(&id, &format!("ip address add {VIP}/32 dev eth0"));
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let began = Instant::now();
    lab.replace_route(&table, &eni);
    let held = controller.says("held", &format!("the route in {table} leads to "));
    assert!(text(&held).contains("it is left there"), "{held}");
    controller.goes_on();
    controller.never(&["routed", "moving"]);
    assert_eq!(routes(&lab.status())[0].1.eni.as_ref(), Some(&eni));
    // Not even when our own holder dies: the address is served.
    lab.break_(&lab.holder.id, "crash");
    controller.goes_on();
    controller.never(&["routed", "moving", "ending"]);
    assert!(lab.vip_answers());
    lab.heal(&lab.holder.id);
    lab.replace_route(&table, &holder);
    controller.is_well();
    controller.launched(0);
    figures("stolen by a stranger that serves it", &controller, &lab, began);
}

#[test]
fn a_route_that_leads_to_a_stranger_that_is_off_is_taken_back_at_once() {
    let (lab, id, eni) = with_stranger();
    let table = lab.first.route_tables[0].id.clone();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let began = Instant::now();
    lab.break_(&id, "stop");
    let stopped = poll(PATIENCE, || (lab.instance(&id).state == "stopped").then_some(()));
    assert!(stopped.is_some(), "{:#?}", lab.instance(&id));
    for _ in 0..3 {
        lab.replace_route(&table, &eni);
        controller.next("routed");
        controller.is_well();
        controller.serves(&lab.holder.id);
    }
    controller.never(&["moving", "held"]);
    controller.launched(0);
    figures("stolen three times by one that is off", &controller, &lab, began);
}

#[test]
fn a_route_that_leads_to_a_silent_stranger_again_and_again_is_told_in_the_end() {
    let (lab, id, eni) = with_stranger();
    let table = lab.first.route_tables[0].id.clone();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let began = Instant::now();
    lab.break_(&id, "crash");
    for _ in 0..2 {
        lab.replace_route(&table, &eni);
        controller.next("routed");
        controller.is_well();
    }
    lab.replace_route(&table, &eni);
    let held = controller.says("held", "again and again; somebody else writes it");
    assert!(text(&held).contains(&table), "{held}");
    controller.goes_on();
    controller.never(&["moving"]);
    assert_eq!(controller.seen("routed").len(), 2);
    controller.launched(0);
    figures("stolen three times by a dead one", &controller, &lab, began);
}
