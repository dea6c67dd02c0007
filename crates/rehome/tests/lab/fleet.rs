//! Several addresses in one process, by a file.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::controller::{Controller, QUICK, text};
use crate::harness::{Lab, PATIENCE, TEMPLATE_PATH, VIP, poll, rehome};

/// The second address, and the file.
const OTHER: &str = "10.0.0.11";
const FILE: &str = "/var/tmp/rehome.toml";

/// A lab with a second address on a machine of its own; that machine's id.
#[track_caller]
fn with_two() -> (Lab, String) {
    let mut lab = Lab::up("instant");
    let (id, _) = lab.launch("us-east-1b", &lab.group());
    let eni = lab.instance(&id).eni.expect("it has an interface");
    let off = [("NetworkInterfaceId", eni.as_str()), ("SourceDestCheck.Value", "false")];
    lab.api("ModifyNetworkInterfaceAttribute", &off);
    lab.script(&id, &format!("ip address add {OTHER}/32 dev eth0"));
    lab.create_route(&lab.first.route_tables[0].id, &format!("{OTHER}/32"), &eni);
    lab.first = lab.status();
    (lab, id)
}

/// A file for both addresses, with the short interval of all tests.
fn file(lab: &Lab, second: &str) -> String {
    let mut text = "log_format = \"json\"\n[defaults]\n".to_owned();
    for (flag, value) in QUICK.iter().filter(|(flag, _)| *flag != "--log-format") {
        let key = flag.trim_start_matches("--").replace('-', "_");
        let number = value.parse::<u32>().is_ok();
        let value = if number { (*value).to_owned() } else { format!("{value:?}") };
        text.push_str(&format!("{key} = {value}\n"));
    }
    let key = lab.holder.key_name.as_ref().expect("the holder has a key pair");
    text.push_str(&format!(
        "security_group = [{:?}]\nkeypair = {key:?}\nuser_data_file = {TEMPLATE_PATH:?}\n",
        lab.group()
    ));
    for (address, instance) in [(VIP, lab.holder.id.as_str()), (OTHER, second)] {
        text.push_str(&format!(
            "[[vip]]\naddress = \"{address}/32\"\ninstance_id = {instance:?}\n"
        ));
    }
    text
}

#[track_caller]
fn start<'a>(lab: &'a Lab, text: &str) -> Controller<'a> {
    lab.put("monitor", FILE, text);
    Controller::start_with_file(lab, FILE)
}

fn of<'e>(events: &'e [Value], vip: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["vip"] == vip).collect()
}

#[test]
fn of_two_addresses_in_one_process_the_one_whose_holder_dies_is_moved_and_the_other_is_not() {
    let (lab, second) = with_two();
    let mut controller = start(&lab, &file(&lab, &second));
    for vip in [VIP, OTHER, VIP, OTHER, VIP, OTHER, VIP, OTHER] {
        controller.wait_for("status", |event| {
            event["vip"] == vip && text(event).ends_with("- RUNNING, PING: REACHABLE")
        });
    }
    lab.break_(&second, "crash");
    let moving = controller.next("moving");
    assert_eq!(moving["vip"], OTHER, "{moving}");
    let new = controller.next("now-monitoring");
    assert_eq!(new["vip"], OTHER, "{new}");
    controller.wait_for_state(&second, "terminated");
    let launched = controller.seen("launched");
    assert_eq!((launched.len(), of(&launched, OTHER).len()), (1, 1), "{launched:?}");
    assert!(of(&controller.seen("moving"), VIP).is_empty());
    assert_eq!(lab.instance(&lab.holder.id).state, "running");
    assert!(lab.vip_answers());
    // Each has a record of its own, and a signal ends both.
    let last = controller.ends_on(Signal::SIGTERM);
    assert!(last.starts_with("Stopping: 10.0.0.1"), "{last}");
}

#[test]
fn an_address_that_cannot_be_watched_is_told_and_the_other_one_is_watched() {
    let (lab, _) = with_two();
    let mut controller = start(&lab, &file(&lab, "i-0123456789abcdef0"));
    controller.is_well();
    let told = controller.stderr().join("\n");
    assert!(told.contains("error: 10.0.0.11/32 is not watched: "), "{told}");
    lab.break_(&lab.holder.id, "crash");
    let moving = controller.next("moving");
    assert_eq!(moving["vip"], VIP, "{moving}");
    controller.next("now-monitoring");
    controller.signal(Signal::SIGTERM);
    assert_eq!(controller.exit_code(), Some(2), "the end says that one wasn't watched");
}

#[test]
fn a_file_with_mistakes_starts_nothing_and_tells_all_of_them() {
    let lab = Lab::up("instant");
    let text = file(&lab, "i-0123456789abcdef0").replace("interval = \"200ms\"", "interval = 5");
    lab.put("monitor", FILE, &format!("{text}colour = 1\n"));
    let exe = rehome().display().to_string();
    for words in [["run", "--config", FILE].as_slice(), &["check-config", FILE]] {
        let ran = lab.exec("monitor", &[&[exe.as_str()], words].concat());
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert_eq!(ran.errors().len(), 2, "{ran:?}");
        assert_eq!(ran.hints().len(), 2, "{ran:?}");
        assert!(ran.stdout.is_empty(), "{ran:?}");
    }
    assert_eq!(lab.status(), lab.first);
}

/// Has the file read again, and waits until it tells this.
#[track_caller]
fn reload(lab: &Lab, controller: &Controller<'_>, text: &str, told: &str) {
    lab.put("monitor", FILE, text);
    let before = controller.stderr().len();
    controller.signal(Signal::SIGHUP);
    let said = poll(PATIENCE, || {
        controller.stderr()[before..].iter().any(|line| line.contains(told)).then_some(())
    });
    assert!(said.is_some(), "{told:?} isn't among {:#?}", controller.stderr());
}

#[test]
fn a_hangup_reads_the_file_again_and_changes_what_can_be_changed_safely() {
    let (lab, second) = with_two();
    let text = file(&lab, &second);
    let mut controller = start(&lab, &text);
    let serves = |controller: &mut Controller<'_>, vip: &str| {
        for _ in 0..3 {
            controller.wait_for("status", |event| {
                event["vip"] == vip && text_ends(event, "- RUNNING, PING: REACHABLE")
            });
        }
    };
    serves(&mut controller, VIP);
    serves(&mut controller, OTHER);
    reload(&lab, &controller, &text, "Reload: nothing changed");
    reload(&lab, &controller, "interval = 5", "Not reloaded: everything goes on as before");
    let elsewhere = format!("state_dir = \"/var/tmp/elsewhere\"\n{text}");
    reload(&lab, &controller, &elsewhere, "Not reloaded: everything goes on as before");
    let untemplated = text.replace(TEMPLATE_PATH, "/var/tmp/no-such-template");
    reload(&lab, &controller, &untemplated, "Not reloaded: everything goes on as before");
    controller.never(&["stopping"]);
    // One key of one address: that one begins anew.
    let changed = format!("{text}fall = 4\n");
    reload(&lab, &controller, &changed, "Reload: 10.0.0.11/32: fall: not given -> 4");
    assert_eq!(controller.next("stopping")["vip"], OTHER);
    serves(&mut controller, OTHER);
    // In the middle of a move nothing is touched.
    lab.fault(&["--action", "RunInstances", "--latency", "2s"]);
    lab.break_(&second, "crash");
    controller.next("moving");
    let unsafe_now = "Reload: 10.0.0.11/32 is being moved and isn't changed";
    reload(&lab, &controller, &text, unsafe_now);
    lab.clear_faults();
    assert_eq!(controller.next("now-monitoring")["vip"], OTHER);
    assert_eq!(controller.seen("launched").len(), 1);
    // What isn't in the file any more is watched no more; the other one is, all the time.
    let (one, _) = changed.rsplit_once("[[vip]]").expect("there are two");
    reload(&lab, &controller, one, "Reload: 10.0.0.11/32 removed");
    assert_eq!(controller.next("stopping")["vip"], OTHER);
    serves(&mut controller, VIP);
    assert!(of(&controller.seen("stopping"), VIP).is_empty());
    assert!(of(&controller.seen("moving"), VIP).is_empty());
    reload(&lab, &controller, &changed, "Reload: 10.0.0.11/32 added");
    serves(&mut controller, OTHER);
    controller.ends_on(Signal::SIGTERM);
}

fn text_ends(event: &Value, end: &str) -> bool {
    text(event).ends_with(end)
}
