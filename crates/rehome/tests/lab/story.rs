//! The story as it is told: the demonstration, the mission's own lines, and the defaults.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::controller::Controller;
use crate::harness::{DESTINATION, Lab, PATIENCE, finish, kill, poll, rehome};
use crate::labs::{are_gone, descendants};

#[test]
fn the_demonstration_moves_the_address_and_leaves_nothing_behind() {
    let mut demo = Command::new(rehome());
    demo.args(["lab", "demo", "--json"]).stdin(Stdio::null());
    let mut demo = demo.stdout(Stdio::piped()).spawn().expect("rehome can be started");
    let (id, mut family) = (demo.id(), BTreeSet::new());
    let ended = poll(PATIENCE * 2, || {
        family.extend(descendants(id));
        demo.try_wait().expect("it is our child")
    });
    if ended.is_none() {
        kill(&mut demo);
    }
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    assert!(family.len() > 10, "the lab, its machines, rehome and ping were seen: {family:?}");
    are_gone(&family);
    let name = format!("demo-{id}");
    let again = finish(Command::new(rehome()).args(["lab", "--lab", &name, "status"]), "");
    assert_ne!(again.code, Some(0), "{name} still answers: {again:#?}");
    let mut printed = String::new();
    let read = demo.stdout.take().map(|mut stdout| stdout.read_to_string(&mut printed));
    read.expect("it was asked for").expect("text comes");
    let told: Value = serde_json::from_str(&printed).expect("one JSON document");
    assert_eq!(told["ok"], true, "{told}");
    assert_eq!(told["old_az"], "us-east-1a");
    assert_eq!(told["new_az"], "us-east-1b");
    for id in ["old", "new"] {
        assert!(told[id].as_str().is_some_and(|id| id.starts_with("i-")), "{told}");
    }
    assert_ne!(told["old"], told["new"]);
    assert!(told["outage_ms"].as_u64().is_some_and(|ms| ms > 0), "{told}");
    for phase in ["detect_ms", "prepare_ms", "cut_ms", "verify_ms", "fence_ms"] {
        assert!(told["phases"][phase].is_u64(), "{phase}: {told}");
    }
    let (sent, lost) = (&told["probes"]["sent"], &told["probes"]["lost"]);
    assert!(lost.as_u64() > Some(0) && lost.as_u64() < sent.as_u64(), "{told}");
}

/// Whether a line begins with a time as in `[2024-11-09 16:15:30] `, and what follows it.
fn stamped(line: &str) -> Option<&str> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let fits = |(c, form): (char, char)| if form == '0' { c.is_ascii_digit() } else { c == form };
    let form = "0000-00-00 00:00:00";
    (time.len() == form.len() && time.chars().zip(form.chars()).all(fits)).then_some(rest)
}

#[test]
fn the_missions_lines_come_word_for_word_and_in_order_with_times_where_it_has_them() {
    let lab = Lab::up("instant");
    lab.checks_lag();
    let mut controller = Controller::start(&lab, &["--log-format", "text"]);
    let old = lab.holder.id.clone();
    let table = lab.first.route_tables[0].id.clone();
    let status = |ping: &str| {
        format!("Instance {old} (172.31.48.10) in AZ us-east-1a - RUNNING, PING: {ping}")
    };
    let well = status("REACHABLE");
    for _ in 0..4 {
        controller.wait_for_line(&well, |line| stamped(line) == Some(well.as_str()));
    }
    lab.break_(&lab.holder.id, "crash");
    let silent = status("UNREACHABLE");
    let (at, _) = controller.wait_for_line(&silent, |line| stamped(line) == Some(silent.as_str()));
    let why = "Launching replacement due to: unreachable";
    let (decided, _) = controller.wait_for_line(why, |line| stamped(line) == Some(why));
    assert!(at < decided);
    let launching = "Launching new instance in AZ: us-east-1b";
    let (begun, _) = controller.wait_for_line(launching, |line| line == launching);
    assert_eq!(begun, decided + 1, "nothing stands between the decision and the launch");
    let is_launched =
        |line: &str| line.starts_with("New instance i-") && line.ends_with(" launched");
    let (_, launched) = controller.wait_for_line("New instance i-… launched", is_launched);
    let new = launched.split(' ').nth(2).expect("its third word is the id").to_owned();
    let lines = [
        format!("Waiting for {new} to answer at {}...", address_of(&lab, &new)),
        format!("New instance {new} is ready"),
        "Updating static routes...".to_owned(),
        format!("Replaced route {DESTINATION} -> {new} in route table {table}"),
        format!("Waiting for 10.0.0.10 to answer from {new}..."),
        format!("Terminating old instance {old}"),
        format!("Old instance {old} terminated"),
        format!("Now monitoring instance {new}"),
    ];
    for line in lines {
        controller.wait_for_line(&line, |said| said == line);
    }
    let moved = "in AZ us-east-1b - RUNNING, PING: REACHABLE";
    controller.wait_for_line(moved, |line| {
        stamped(line).is_some_and(|line| {
            line.starts_with(&format!("Instance {new} (")) && line.ends_with(moved)
        })
    });
    controller.launched(1);
}

fn address_of(lab: &Lab, instance: &str) -> String {
    lab.instance(instance).private_ip.expect("a running instance has an address")
}

#[test]
fn what_is_known_before_watching_is_told_and_not_on_stdout() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let told = controller.stderr().join("\n");
    let (old, table) = (&lab.holder.id, &lab.first.route_tables[0].id);
    for words in [
        "Region us-east-1, endpoint http://".to_owned(),
        "Account 000000000000 as arn:aws:".to_owned(),
        format!("Holder of 10.0.0.10: {old} (172.31.48.10, eni-"),
        format!("Route set: {DESTINATION} in {table}"),
        "Replacements go to: us-east-1b (subnet-".to_owned(),
        "Fence: terminate".to_owned(),
        format!("nothing written to {old}'s disks comes along"),
    ] {
        assert!(told.contains(&words), "{words:?} is missing in:\n{told}");
    }
    let lines = controller.lines();
    let is_event = |line: &String| serde_json::from_str::<Value>(line).is_ok();
    assert!(lines.iter().all(is_event), "{lines:#?}");
}

#[test]
fn with_all_its_defaults_a_crashed_holder_is_replaced_and_terminated() {
    let lab = Lab::up("fast");
    let mut controller = Controller::with_defaults(&lab, &["--log-format", "json"]);
    controller.says("status", "- RUNNING, PING: REACHABLE");
    controller.says("status", "- RUNNING, PING: REACHABLE");
    lab.break_(&lab.holder.id, "crash");
    let new = controller.moves();
    assert_eq!(lab.instance(&new).az, "us-east-1b");
    assert_eq!(lab.instance(&lab.holder.id).state, "terminated");
    controller.launched(1);
    controller.never(&["attempt-failed", "rolling-back"]);
}
