//! Somebody else changes what is ours while nothing moves.

use crate::controller::{Controller, text};
use crate::harness::{DESTINATION, Lab, PATIENCE, poll, routes};

#[test]
fn a_deleted_route_is_put_back() {
    let lab = Lab::up("instant");
    let table = lab.first.route_tables[0].id.clone();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.delete_route(&table);
    let routed = controller.next("routed");
    let holder = &lab.holder.id;
    let said = format!("Added route {DESTINATION} -> {holder} in route table {table}");
    assert_eq!(text(&routed), said);
    controller.says("status", "- RUNNING, PING: REACHABLE");
    controller.serves(holder);
    controller.never(&["moving"]);
    assert_eq!(routes(&lab.status()), routes(&lab.first));
}

#[test]
fn a_route_that_was_never_there_is_added_at_the_start() {
    let lab = Lab::up("instant");
    let table = lab.first.route_tables[0].id.clone();
    lab.delete_route(&table);
    let mut controller = Controller::start(&lab, &[]);
    let routed = controller.next("routed");
    assert!(text(&routed).starts_with("Added route 10.0.0.10/32 -> "), "{routed}");
    controller.is_well();
    controller.serves(&lab.holder.id);
}

#[test]
fn a_source_dest_check_that_somebody_switched_on_is_switched_off() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let interface = lab.holder.eni.clone().expect("the holder has an interface");
    lab.api(
        "ModifyNetworkInterfaceAttribute",
        &[("NetworkInterfaceId", &interface), ("SourceDestCheck.Value", "true")],
    );
    let off = controller.next("source-dest-check-off");
    let said = format!("Source/destination check of {} switched off", lab.holder.id);
    assert_eq!(text(&off), said);
    let look = || (lab.instance(&lab.holder.id).source_dest_check == Some(false)).then_some(());
    assert!(poll(PATIENCE, look).is_some(), "{:#?}", lab.instance(&lab.holder.id));
    controller.says("status", "- RUNNING, PING: REACHABLE");
    controller.serves(&lab.holder.id);
    controller.never(&["moving"]);
}

#[test]
fn a_route_that_leads_to_a_silent_stranger_is_taken_back() {
    let lab = Lab::up("instant");
    let table = lab.first.route_tables[0].id.clone();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let stranger = lab.monitor.eni.clone().expect("the monitor has an interface");
    lab.replace_route(&table, &stranger);
    let routed = controller.next("routed");
    let holder = &lab.holder.id;
    let said = format!("Replaced route {DESTINATION} -> {holder} in route table {table}");
    assert_eq!(text(&routed), said);
    controller.is_well();
    controller.serves(holder);
    controller.never(&["moving"]);
}
