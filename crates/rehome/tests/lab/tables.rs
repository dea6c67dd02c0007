//! More than one route table carries the VIP; and tables that aren't ours.

use rehome_lab::Status;

use crate::controller::Controller;
use crate::harness::{Lab, TEMPLATE, TEMPLATE_PATH, VIP, routes};

/// A lab with two tables: the monitor's own, and the one of everybody else.
struct Two {
    lab: Lab,
    monitors: String,
    others: String,
}

fn two_tables() -> Two {
    let lab = Lab::up_with(&["--pace", "instant", "--tables", "2"]);
    let subnet_of = |id: &str| {
        let subnets = &lab.first.subnets;
        let found = subnets.iter().find(|subnet| subnet.az == lab.instance(id).az);
        found.expect("every zone has a subnet").id.clone()
    };
    let subnet = subnet_of(&lab.monitor.id);
    let is_monitors = |table: &&rehome_lab::TableStatus| table.subnets.contains(&subnet);
    let (monitors, others): (Vec<_>, Vec<_>) = lab.first.route_tables.iter().partition(is_monitors);
    assert_eq!((monitors.len(), others.len()), (1, 1), "{:#?}", lab.first);
    let (monitors, others) = (monitors[0].id.clone(), others[0].id.clone());
    Two { lab, monitors, others }
}

/// The instance that a table's route to the VIP leads to.
fn target(status: &Status, table: &str) -> Option<String> {
    let route = routes(status).into_iter().find(|(id, _)| id == table);
    route.and_then(|(_, route)| route.instance)
}

#[test]
fn every_table_that_carries_the_address_is_replaced() {
    let Two { lab, monitors, others } = two_tables();
    assert_eq!(routes(&lab.first).len(), 2);
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    let new = controller.moves();
    let mut tables: Vec<String> = controller
        .seen("routed")
        .iter()
        .map(|event| event["table"].as_str().expect("it names the table").to_owned())
        .collect();
    tables.sort();
    let mut both = vec![monitors.clone(), others.clone()];
    both.sort();
    assert_eq!(tables, both);
    let after = lab.status();
    for table in [&monitors, &others] {
        assert_eq!(target(&after, table).as_ref(), Some(&new));
    }
    controller.launched(1);
}

#[test]
fn the_canary_table_is_cut_first_and_the_others_follow_when_the_address_answers_through_it() {
    let Two { lab, monitors, others } = two_tables();
    let mut controller = Controller::start(&lab, &["--canary-table", &monitors]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    let new = controller.moves();
    let told = controller.lines().join("\n");
    let proven = told.find(&format!("answers from {new} through {monitors}"));
    let followed = told.find(&format!("in route table {others}"));
    assert!(proven.is_some() && proven < followed, "{told}");
    let after = lab.status();
    for table in [&monitors, &others] {
        assert_eq!(target(&after, table).as_ref(), Some(&new));
    }
}

#[test]
fn no_client_meets_a_replacement_that_is_no_good() {
    let Two { lab, monitors, others } = two_tables();
    let template = "/var/tmp/idle.sh";
    lab.put("monitor", template, "#!/bin/sh\nexit 0\n");
    let flags = ["--canary-table", &monitors, "--verify-within", "3s"];
    let mut controller = Controller::start_with_template(&lab, template, &flags);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.next("attempt-failed");
    controller.next("rolling-back");
    let routed = controller.seen("routed");
    let to_clients = |event: &&serde_json::Value| event["table"] == others.as_str();
    let strangers = routed.iter().filter(to_clients).filter(|e| e["instance"] != lab.holder.id);
    assert_eq!(strangers.count(), 0, "{routed:#?}");
    assert_eq!(target(&lab.status(), &others).as_ref(), Some(&lab.holder.id));
}

#[test]
fn a_canary_table_that_isnt_owned_or_serves_others_is_refused() {
    let Two { lab, monitors, others } = two_tables();
    for (table, what) in [
        ("rtb-0123456789abcdef0", "is none of the tables that are owned"),
        (others.as_str(), &format!("doesn't serve this machine, {monitors} does")),
    ] {
        let mut controller = Controller::start(&lab, &["--canary-table", table]);
        assert_eq!(controller.exit_code(), Some(2));
        let stderr = controller.stderr().join("\n");
        assert!(stderr.contains(&format!("--canary-table {table} {what}")), "{stderr}");
    }
    assert!(lab.vip_answers());
}

#[test]
fn a_table_whose_answer_is_lost_does_not_keep_the_other_from_being_replaced() {
    let Two { lab, .. } = two_tables();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.fault(&["--action", "ReplaceRoute", "--error", "InternalError", "--times", "3"]);
    lab.break_(&lab.holder.id, "crash");
    controller.moves();
    controller.launched(1);
}

#[test]
fn a_table_that_leads_to_a_stranger_blocks_the_start_and_is_named() {
    let Two { lab, monitors, others } = two_tables();
    let stranger = lab.monitor.eni.clone().expect("the monitor has an interface");
    lab.replace_route(&others, &stranger);
    let mut controller = Controller::start(&lab, &[]);
    assert_eq!(controller.exit_code(), Some(2));
    let stderr = controller.stderr().join("\n");
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert!(errors[0].contains(&others) && errors[0].contains(&lab.monitor.id), "{stderr}");
    assert!(!errors[0].contains(&monitors), "{stderr}");
    assert!(stderr.contains("hint: ") && stderr.contains("--route-table"), "{stderr}");
    assert!(controller.lines().is_empty(), "{:#?}", controller.lines());
    controller.launched(0);
}

#[test]
fn with_its_own_table_named_a_strangers_table_is_left_alone() {
    let Two { lab, monitors, others } = two_tables();
    let stranger = lab.monitor.eni.clone().expect("the monitor has an interface");
    lab.replace_route(&others, &stranger);
    let mut controller = Controller::start(&lab, &["--route-table", &monitors]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.next("moving");
    let last = controller.next("now-monitoring");
    let new = last["instance"].as_str().expect("it names the instance");
    let after = lab.status();
    assert_eq!(target(&after, &monitors).as_deref(), Some(new));
    assert_eq!(target(&after, &others), Some(lab.monitor.id.clone()));
    lab.wait_for_vip("moved in the monitor's own table");
    controller.launched(1);
    controller.wait_for_state(&lab.holder.id, "terminated");
}

#[test]
fn a_block_is_moved_like_one_address_when_it_is_said_where_to_probe_it() {
    let lab = Lab::up("instant");
    let table = routes(&lab.first).remove(0).0;
    let holder = lab.holder.eni.clone().expect("the holder has an interface");
    let block = "10.0.0.8/29";
    lab.create_route(&table, block, &holder);
    lab.delete_route(&table);
    let template = "/var/tmp/block.sh";
    let address = TEMPLATE.replace("{{ ROUTE_DESTINATION.split(\"/\")[0] }}", VIP);
    assert_ne!(address, TEMPLATE);
    lab.put("monitor", template, &address);
    let flags = ["--probe-address", VIP, "--route-table", &table];
    let mut controller = Controller::start_for(&lab, block, template, &flags);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.next("moving");
    let last = controller.next("now-monitoring");
    let new = last["instance"].as_str().expect("it names the instance");
    let after = lab.status();
    let tables = after.route_tables.iter().find(|one| one.id == table).expect("it is there");
    let route = tables.routes.iter().find(|route| route.destination == block).expect("it is kept");
    assert_eq!(route.instance.as_deref(), Some(new));
    lab.wait_for_vip("the block was moved");
}

#[test]
fn a_block_without_an_address_to_probe_or_tables_is_refused_twice() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start_for(&lab, "10.0.0.8/29", TEMPLATE_PATH, &[]);
    assert_eq!(controller.exit_code(), Some(2));
    let stderr = controller.stderr().join("\n");
    assert!(stderr.contains("--probe-address") && stderr.contains("--route-table"), "{stderr}");
    controller.launched(0);
}
