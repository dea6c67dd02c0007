//! Our own end is broken: the monitor hears nobody, or not enough. Nothing is moved by that.

use std::time::{Duration, Instant};

use crate::controller::{Controller, text};
use crate::harness::{Lab, routes};

/// What nothing but a move brings.
const A_MOVE: [&str; 5] = ["moving", "launching", "launched", "cutting", "ending"];

/// A lab with a further machine that answers pings, for a control target: its address.
#[track_caller]
fn with_control() -> (Lab, String) {
    let mut lab = Lab::up("instant");
    let (_, address) = lab.launch("us-east-1b", &lab.group());
    lab.first = lab.status();
    lab.checks_lag();
    (lab, address)
}

/// The monitor sends pings, hears no answer any more, and still reaches EC2.
#[track_caller]
fn deafen(lab: &Lab) {
    let rules = "nft -f - <<'END'
table ip deaf {
    chain input { type filter hook input priority 0; icmp type echo-reply drop; }
}
END";
    lab.script("monitor", rules);
}

#[track_caller]
fn hear_again(lab: &Lab) {
    lab.script("monitor", "nft delete table ip deaf");
}

/// Puts right whatever was changed of the monitor's addresses, rules and routes.
#[track_caller]
fn repair_network(lab: &Lab) {
    let script = "ip address replace 172.31.16.10/20 dev enX0
ip route replace default via 172.31.16.1 dev enX0
ip route flush table 200 || :
/etc/rc.local start";
    lab.script("monitor", script);
}

/// Prints what came of a scenario, for whoever runs the tests with `--nocapture`.
pub(crate) fn figures(what: &str, controller: &Controller<'_>, lab: &Lab, began: Instant) {
    let count = |event: &str| controller.seen(event).len();
    let (moves, held) = (count("now-monitoring"), count("held"));
    let (launches, routed) = (lab.launched().len(), count("routed"));
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{what}: {seconds:.1} s, {moves} moves, {launches} launches, {routed} routes, {held} holds"
    );
}

/// Nothing was changed, and now all is as it was.
#[track_caller]
fn nothing_moved(lab: &Lab, controller: &mut Controller<'_>) {
    controller.is_well();
    controller.never(&A_MOVE);
    controller.launched(0);
    controller.serves(&lab.holder.id);
    assert_eq!(routes(&lab.status()), routes(&lab.first));
}

#[test]
fn a_monitor_that_hears_nobody_but_ec2_is_blind_and_not_even_a_route_is_put_back() {
    let (lab, target) = with_control();
    let mut controller = Controller::start(&lab, &["--control-target", &target]);
    controller.is_well();
    let began = Instant::now();
    deafen(&lab);
    let held = controller.says("held", "we are blind: no control target answers");
    assert!(text(&held).contains("nothing is changed"), "{held}");
    lab.delete_route(&lab.first.route_tables[0].id);
    controller.goes_on();
    controller.goes_on();
    controller.never(&["routed"]);
    controller.never(&A_MOVE);
    hear_again(&lab);
    controller.says("notice", "No longer blind");
    controller.next("routed");
    nothing_moved(&lab, &mut controller);
    figures("cut off from all but EC2", &controller, &lab, began);
    lab.break_(&lab.holder.id, "crash");
    controller.moves_because("unreachable");
    controller.launched(1);
}

#[test]
fn a_holder_that_dies_while_we_are_blind_is_moved_from_when_sight_is_back() {
    let (lab, target) = with_control();
    let mut controller = Controller::start(&lab, &["--control-target", &target]);
    controller.is_well();
    let began = Instant::now();
    deafen(&lab);
    controller.says("held", "we are blind");
    lab.break_(&lab.holder.id, "terminate");
    controller.goes_on();
    controller.never(&A_MOVE);
    hear_again(&lab);
    controller.decides(&["state is terminated"]);
    controller.completes();
    controller.launched(1);
    figures("the holder dies in the dark", &controller, &lab, began);
}

#[test]
fn sight_that_is_lost_in_the_middle_of_a_move_stops_it_until_it_is_back() {
    let (lab, target) = with_control();
    let flags = ["--control-target", &target, "--commit-after", "4s", "--ready-within", "6s"];
    let mut controller = Controller::start(&lab, &flags);
    controller.is_well();
    let began = Instant::now();
    lab.break_(&lab.holder.id, "crash");
    controller.next("launched");
    deafen(&lab);
    controller.says("held", "we are blind");
    // Longer than a candidate may take.
    for _ in 0..3 {
        controller.goes_on();
    }
    controller.never(&["cutting", "routed", "ending", "attempt-failed"]);
    hear_again(&lab);
    controller.completes();
    controller.launched(1);
    controller.wait_for_state(&lab.holder.id, "terminated");
    figures("cut off in the middle of a move", &controller, &lab, began);
}

#[test]
fn a_monitor_without_a_wire_or_with_half_of_one_moves_nothing() {
    // Not even a control target is needed: EC2 can't be read either.
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let began = Instant::now();
    for direction in [&[][..], &["--from"], &["--to"]] {
        lab.ok(&[&["break", "monitor", "loss", "--percent", "100"], direction].concat());
        controller.says("status", "PING: UNREACHABLE");
        // Longer than EC2's last word is good for.
        std::thread::sleep(Duration::from_secs(6));
        lab.heal("monitor");
        nothing_moved(&lab, &mut controller);
    }
    figures("no wire, none out, none in", &controller, &lab, began);
}

#[test]
fn a_monitor_that_lost_its_overlay_address_rule_or_route_still_hears_and_moves_nothing() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let began = Instant::now();
    for lost in [
        "ip address del 10.0.0.100/24 dev enX0",
        "ip rule del to 10.0.0.0/24 table 200",
        "ip route del default table 200",
    ] {
        lab.script("monitor", lost);
        controller.goes_on();
        controller.goes_on();
        controller.never(&["held"]);
        repair_network(&lab);
        nothing_moved(&lab, &mut controller);
    }
    figures("the monitor's overlay address, rule, route", &controller, &lab, began);
}

#[test]
fn a_monitor_that_cant_send_is_blind_and_moves_nothing() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let began = Instant::now();
    for lost in [
        "ip route replace unreachable 10.0.0.0/24 table 200",
        "ip route replace blackhole 10.0.0.0/24 table 200",
        "ip address del 10.0.0.100/24 dev enX0; ip address del 172.31.16.10/20 dev enX0",
    ] {
        lab.script("monitor", lost);
        controller.says("held", "we are blind: ");
        std::thread::sleep(Duration::from_secs(4));
        repair_network(&lab);
        nothing_moved(&lab, &mut controller);
    }
    figures("the monitor can't send", &controller, &lab, began);
}

#[test]
fn the_way_back_to_the_monitors_overlay_address_lost_or_stolen_moves_nothing() {
    let lab = Lab::up("instant");
    let table = lab.first.route_tables[0].id.clone();
    let monitor = lab.monitor.eni.clone().expect("the monitor has an interface");
    let holder = lab.holder.eni.clone().expect("the holder has an interface");
    let back = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "10.0.0.100/32")];
    let lead_to =
        |eni| lab.api("ReplaceRoute", &[&back[..], &[("NetworkInterfaceId", eni)]].concat());
    let began = Instant::now();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lead_to(&holder);
    controller.says("notice", "No answers reach 10.0.0.100");
    controller.goes_on();
    controller.never(&["held"]);
    lead_to(&monitor);
    nothing_moved(&lab, &mut controller);
    lab.api("DeleteRoute", &back);
    controller.says("notice", "No answers reach 10.0.0.100");
    controller.goes_on();
    lab.create_route(&table, "10.0.0.100/32", &monitor);
    nothing_moved(&lab, &mut controller);
    figures("the way back to the monitor", &controller, &lab, began);
    controller.kill9();
    // The same where the overlay address is all there is to probe from: nobody is heard then.
    let mut controller = Controller::start(&lab, &["--probe-source", "10.0.0.100"]);
    controller.is_well();
    lead_to(&holder);
    controller.says("held", "the path is closed");
    // Longer than a guest gets that lost its address.
    controller.goes_on();
    controller.goes_on();
    lead_to(&monitor);
    nothing_moved(&lab, &mut controller);
    figures("the only way back", &controller, &lab, began);
}

#[test]
fn a_holder_that_hears_and_cant_be_heard_is_unreachable() {
    let (lab, target) = with_control();
    let mut controller = Controller::start(&lab, &["--control-target", &target]);
    controller.is_well();
    let began = Instant::now();
    lab.ok(&["break", &lab.holder.id, "loss", "--percent", "100", "--from"]);
    controller.moves_because("unreachable");
    controller.launched(1);
    figures("one-way loss at the holder", &controller, &lab, began);
}

/// Three of ten packets of each direction are lost at `whom` for half a minute.
#[track_caller]
fn loses_three_of_ten(whom: &str) {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let began = Instant::now();
    lab.ok(&["break", whom, "loss", "--percent", "30"]);
    std::thread::sleep(Duration::from_secs(30));
    lab.heal(whom);
    controller.is_well();
    controller.never(&["moving", "launching", "cutting"]);
    nothing_moved(&lab, &mut controller);
    figures(&format!("30 % loss at {whom}"), &controller, &lab, began);
}

#[test]
fn three_of_ten_packets_lost_both_ways_at_the_holder_move_nothing() {
    loses_three_of_ten("vip-a");
}

#[test]
fn three_of_ten_packets_lost_both_ways_at_the_monitor_move_nothing() {
    loses_three_of_ten("monitor");
}

#[test]
fn an_api_that_is_down_for_a_minute_is_told_as_lost_capability_and_then_the_dead_one_is_moved() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let began = Instant::now();
    lab.fault(&["--action", "*", "--error", "ServiceUnavailable"]);
    controller.next("capability-lost");
    std::thread::sleep(Duration::from_secs(30));
    controller.never(&["suspect", "moving", "held"]);
    lab.break_(&lab.holder.id, "crash");
    controller.says("held", "while EC2 can't be read nothing is moved");
    std::thread::sleep(Duration::from_secs(30));
    controller.never(&A_MOVE);
    lab.clear_faults();
    controller.moves();
    controller.launched(1);
    controller.wait_for_state(&lab.holder.id, "terminated");
    figures("API down for 60 polls, death in the middle", &controller, &lab, began);
}

/// Nine tenths of the time every call is throttled.
#[track_caller]
fn crawl(lab: &Lab, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        lab.fault(&["--action", "*", "--error", "RequestLimitExceeded"]);
        std::thread::sleep(Duration::from_millis(900));
        lab.clear_faults();
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn an_api_throttled_to_a_crawl_delays_a_move_and_doubles_nothing() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let began = Instant::now();
    crawl(&lab, Duration::from_secs(10));
    controller.says("status", "STATE: unknown (RequestLimitExceeded");
    controller.never(&A_MOVE);
    lab.break_(&lab.holder.id, "crash");
    crawl(&lab, Duration::from_secs(20));
    controller.moves();
    controller.launched(1);
    controller.wait_for_state(&lab.holder.id, "terminated");
    controller.never(&["attempt-failed", "rolling-back"]);
    figures("throttled nine tenths of the time", &controller, &lab, began);
}
