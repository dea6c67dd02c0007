//! Packets that get lost at random.

use std::time::{Duration, Instant};

use crate::controller::Controller;
use crate::harness::{Lab, VIP};

#[test]
fn a_fifth_of_the_packets_lost_both_ways_moves_nothing() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.ok(&["break", "vip-a", "loss", "--percent", "20"]);
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        controller.next("status");
    }
    controller.never(&["moving", "launching", "cutting"]);
    controller.launched(0);
    controller.serves(&lab.holder.id);
}

#[test]
fn loss_is_of_the_direction_that_was_asked_for_until_it_is_healed() {
    let lab = Lab::up("instant");
    let lost = |direction: &str| {
        lab.heal("vip-a");
        lab.ok(&["break", "vip-a", "loss", "--percent", "100", direction]);
        let up = |instance: &str| format!("cat /proc/net/snmp | grep ^Icmp: # {instance}");
        let requests = |instance: &str| -> u64 {
            let table = lab.script(instance, &up(instance));
            let rows: Vec<Vec<&str>> =
                table.lines().map(|line| line.split_whitespace().collect()).collect();
            let at = rows[0].iter().position(|name| *name == "InEchos").expect("it is counted");
            rows[1][at].parse().expect("a number")
        };
        let before = requests("vip-a");
        assert!(!lab.vip_answers(), "{direction}");
        requests("vip-a") - before
    };
    assert_eq!(lost("--to"), 0, "no request arrives");
    assert!(lost("--from") > 0, "requests arrive, answers don't");
    lab.heal("vip-a");
    assert!(lab.vip_answers(), "{VIP} answers again");
}

#[test]
fn a_holder_to_which_nothing_gets_through_is_unreachable() {
    let lab = Lab::up("instant");
    lab.checks_lag();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.ok(&["break", "vip-a", "loss", "--percent", "100", "--to"]);
    controller.moves_because("unreachable");
    controller.launched(1);
}

#[test]
fn a_percentage_goes_with_loss_alone_and_loss_with_nothing_less() {
    let lab = Lab::up("instant");
    let refused = |words: &[&str]| {
        let finished = lab.run(&[&["break", "vip-a"], words].concat());
        assert_ne!(finished.code, Some(0), "{finished:#?}");
        assert_eq!(finished.errors().len(), 1, "{finished:#?}");
        assert!(!finished.hints().is_empty(), "{finished:#?}");
        finished.stderr
    };
    assert!(refused(&["loss"]).contains("--percent"));
    assert!(refused(&["loss", "--percent", "0"]).contains("1..=100"));
    assert!(refused(&["loss", "--percent", "101"]).contains("1..=100"));
    assert!(refused(&["crash", "--percent", "20"]).contains("`crash`"));
    refused(&["loss", "--percent", "20", "--from", "--to"]);
    refused(&["loss", "--from"]);
    assert!(lab.vip_answers());
}
