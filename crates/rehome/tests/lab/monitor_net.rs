//! `rehome monitor-net` on the lab's monitoring machine: real addresses, rules, routes and packets.

use crate::guests::{BARE, NETWORK};
use crate::harness::{Finished, Lab, VIP, rehome};

/// The monitor's overlay address.
const ADDRESS: &str = "10.0.0.100/24";

/// Everything that `monitor-net` could change, as `ip` and systemd see it.
const PICTURE: &str = "set -e
ip -4 -o address show
ip -4 rule show
ip -4 route show table all
ls -l --time-style=+ /etc/systemd/system /etc/systemd/system/*.wants
ls /etc/systemd/networkd.conf.d 2>&1 || :
";

/// Takes the lab's own configuration away for good.
const NO_RC_LOCAL: &str = "systemctl disable --now rc-local
rm /etc/rc.local /etc/systemd/system/rc-local.service
";

/// Where the lab's systemd may see the binary: neither /tmp nor a home.
const INSTALLED: &str = "/var/opt/rehome/bin/rehome";

/// A lab whose monitor has no overlay address yet.
#[track_caller]
fn bare() -> Lab {
    let lab = Lab::up("instant");
    lab.script("monitor", BARE);
    assert!(!answers(&lab));
    lab
}

/// Runs `monitor-net` from where the binary is.
#[track_caller]
fn monitor_net(lab: &Lab, words: &[&str]) -> Finished {
    let exe = rehome().display().to_string();
    lab.exec("monitor", &[&[&exe, "monitor-net"], words].concat())
}

#[track_caller]
fn picture(lab: &Lab) -> String {
    lab.script("monitor", PICTURE)
}

/// Whether the VIP answers the monitor's overlay address.
#[track_caller]
fn answers(lab: &Lab) -> bool {
    let ping = ["ping", "-n", "-c", "1", "-W", "1", "-I", "10.0.0.100", VIP];
    lab.exec("monitor", &ping).code == Some(0)
}

/// The address, its rule and its route are there, marked, and lead through this router.
#[track_caller]
fn is_set_up(lab: &Lab, router: &str) {
    let addresses = lab.script("monitor", "ip -4 -o address show dev enX0\n");
    assert!(addresses.contains("inet 10.0.0.100/24 scope global enX0:rehome"), "{addresses}");
    let rules = lab.script("monitor", "ip -N rule show\n");
    let ours = |line: &&str| line.contains("from all to 10.0.0.0/24 lookup 200 proto 210");
    assert_eq!(rules.lines().filter(ours).count(), 1, "{rules}");
    let routes = lab.script("monitor", "ip -N -4 route show table 200\n");
    let lines: Vec<&str> = routes.lines().map(str::trim).collect();
    let only = format!("default via {router} dev enX0 proto 210 src 10.0.0.100");
    assert_eq!(lines, [only.as_str()], "{routes}");
    let way = lab.script("monitor", "ip -4 route get 10.0.0.10\n");
    assert!(way.contains(&format!("via {router} ")) && way.contains("src 10.0.0.100"), "{way}");
}

#[test]
fn applied_it_works_applied_again_it_changes_nothing_and_removed_it_leaves_nothing() {
    let lab = bare();
    let before = picture(&lab);
    let apply = ["apply", "--yes", "--no-persist", "--address", ADDRESS];
    let said = monitor_net(&lab, &apply).ok("apply");
    assert_eq!(
        said,
        "+ address 10.0.0.100/24 on enX0\n\
         + rule to 10.0.0.0/24 lookup 200\n\
         + route default via 172.31.16.1 dev enX0 src 10.0.0.100 table 200\n\
         Done: 10.0.0.100/24 is set up\n"
    );
    is_set_up(&lab, "172.31.16.1");
    assert!(answers(&lab) && lab.vip_answers());
    let after = picture(&lab);
    let again = monitor_net(&lab, &apply).ok("apply once more");
    assert_eq!(again, "Nothing to change: 10.0.0.100/24 is set up\n");
    assert_eq!(picture(&lab), after);
    // Into another table only after it is out of the first.
    let refused = monitor_net(&lab, &[&apply[..], &["--table", "300"]].concat());
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.hints()[0].contains("`rehome monitor-net remove`"), "{refused:#?}");

    let remove = ["remove", "--yes", "--address", ADDRESS];
    let said = monitor_net(&lab, &remove).ok("remove");
    assert_eq!(said.lines().filter(|line| line.starts_with("- ")).count(), 3, "{said}");
    assert_eq!(picture(&lab), before);
    assert!(!answers(&lab));
    let again = monitor_net(&lab, &remove).ok("remove once more");
    assert!(again.starts_with("Nothing to remove: "), "{again}");

    // A table whose number fits no byte is another attribute of the kernel's.
    let elsewhere = [&apply[..], &["--table", "70000"]].concat();
    monitor_net(&lab, &elsewhere).ok("apply to another table");
    assert!(answers(&lab));
    let again = monitor_net(&lab, &elsewhere).ok("apply to it once more");
    assert!(again.starts_with("Nothing to change: "), "{again}");
    monitor_net(&lab, &remove).ok("remove without naming the table");
    assert_eq!(picture(&lab), before);
}

#[test]
fn installed_it_outlives_a_reboot_and_removed_it_stays_away() {
    let lab = bare();
    lab.script("monitor", NO_RC_LOCAL);
    let copy = ["install", "-D", "-m", "755", &rehome().display().to_string(), INSTALLED];
    lab.exec("monitor", &copy).ok("install the binary");
    let before = picture(&lab);
    let run = |words: &[&str]| {
        let line = [&[INSTALLED, "monitor-net"], words, &["--yes", "--address", ADDRESS]].concat();
        lab.exec("monitor", &line).ok(&line.join(" "))
    };
    let said = run(&["apply"]);
    assert!(said.contains("+ file /etc/systemd/system/rehome-monitor-net.service\n"), "{said}");
    for verb in ["is-enabled", "is-active"] {
        let asked = ["systemctl", verb, "rehome-monitor-net.service"];
        lab.exec("monitor", &asked).ok(verb);
    }
    assert!(run(&["apply"]).starts_with("Nothing to change: "));

    let reboot = || {
        lab.mark_boot("monitor");
        lab.break_("monitor", "reboot");
        lab.wait_for_boot("monitor");
    };
    reboot();
    lab.wait_for_vip("after the monitor's reboot");
    is_set_up(&lab, "172.31.16.1");
    assert!(answers(&lab));
    assert!(run(&["apply"]).starts_with("Nothing to change: "));

    run(&["remove"]);
    assert_eq!(picture(&lab), before);
    assert!(run(&["remove"]).starts_with("Nothing to remove: "));
    reboot();
    assert_eq!(picture(&lab), before);
}

#[test]
fn what_the_missions_rc_local_made_counts_as_done_and_stays_its_own() {
    let lab = bare();
    lab.script("monitor", NETWORK);
    lab.script("monitor", "sudo /etc/rc.local start\n");
    assert!(answers(&lab));
    let before = picture(&lab);
    let said = monitor_net(&lab, &["apply", "--no-persist", "--address", ADDRESS]).ok("apply");
    assert_eq!(said, "Nothing to change: 10.0.0.100/24 is set up\n");
    let removed = monitor_net(&lab, &["remove", "--address", ADDRESS]);
    let left = removed.stderr.lines().filter(|line| line.starts_with("note: left, ")).count();
    assert_eq!(left, 3, "{removed:#?}");
    assert!(removed.ok("remove").starts_with("Nothing to remove: "));
    assert_eq!(picture(&lab), before);

    // What is missing is added beside it, and taken away again alone.
    lab.script("monitor", "ip rule del to 10.0.0.0/24\n");
    let said = monitor_net(&lab, &["apply", "--yes", "--no-persist", "--address", ADDRESS]);
    assert!(said.stderr.contains("note: somebody else made this"), "{said:#?}");
    assert!(said.ok("apply").starts_with("+ rule to 10.0.0.0/24 lookup 200\nDone: "));
    assert!(answers(&lab));
    monitor_net(&lab, &["remove", "--yes", "--address", ADDRESS]).ok("remove");
    lab.script("monitor", "! ip rule show | grep 'to 10.0.0.0/24'\n");
    lab.script("monitor", "ip address show dev enX0 | grep 10.0.0.100\n");
}

#[test]
fn behind_another_router_the_route_follows() {
    let lab = bare();
    let apply = ["apply", "--yes", "--no-persist", "--address", ADDRESS];
    monitor_net(&lab, &apply).ok("apply");
    lab.script("monitor", "ip route add default via 172.31.16.2 dev enX0 metric 50\n");
    lab.script("monitor", "ip route del default via 172.31.16.1 dev enX0\n");
    let said = monitor_net(&lab, &apply).ok("apply behind another router");
    assert_eq!(
        said,
        "- route default via 172.31.16.1 dev enX0 src 10.0.0.100 table 200\n\
         + route default via 172.31.16.2 dev enX0 src 10.0.0.100 table 200\n\
         Done: 10.0.0.100/24 is set up\n"
    );
    is_set_up(&lab, "172.31.16.2");
    // Of two the one with the lower metric counts, and it is said.
    lab.script("monitor", "ip route add default via 172.31.16.1 dev enX0 metric 40\n");
    let said = monitor_net(&lab, &apply);
    assert!(said.stderr.contains("router 172.31.16.1 (of its 2 default routes"), "{said:#?}");
    said.ok("apply with two default routes");
    is_set_up(&lab, "172.31.16.1");
    assert!(answers(&lab) && !said_is_astray(&lab, &apply));
    // A rule of another kind that comes first isn't ours to judge, but what it does is told.
    lab.script("monitor", "ip rule add from all priority 50 table 254\n");
    assert!(said_is_astray(&lab, &apply));
}

/// Whether `apply` finds nothing to do, and that packets take another way.
#[track_caller]
fn said_is_astray(lab: &Lab, apply: &[&str]) -> bool {
    let said = monitor_net(lab, apply);
    assert!(said.stdout.starts_with("Nothing to change: "), "{said:#?}");
    said.stderr.contains("warning: what is sent to 10.0.0.1 takes another way: ")
}

#[test]
fn what_is_in_the_way_is_named_with_a_hint_and_nothing_is_touched() {
    let lab = bare();
    for (script, undo, words, said) in [
        ("true", "true", &["apply", "--no-persist"][..], "nobody can be asked here"),
        (
            "ip rule add to 10.0.0.0/24 table 300",
            "ip rule del to 10.0.0.0/24 table 300",
            &["apply", "--yes", "--no-persist"],
            "there is another rule to 10.0.0.0/24 lookup 300",
        ),
        (
            "ip route add blackhole 192.168.0.0/16 table 200",
            "ip route flush table 200",
            &["apply", "--yes", "--no-persist"],
            "table 200 is in use: route 192.168.0.0/16",
        ),
        (
            "ip address add 10.0.0.100/32 dev enX0",
            "ip address del 10.0.0.100/32 dev enX0",
            &["apply", "--yes", "--no-persist"],
            "enX0 has 10.0.0.100/32 already, with another prefix than /24",
        ),
        (
            "ip address add 10.0.0.100/24 dev lo",
            "ip address del 10.0.0.100/24 dev lo",
            &["print"],
            "lo has 10.0.0.100/24 already, and not enX0",
        ),
        ("true", "true", &["apply", "--yes", "--interface", "lo"], "no IPv4 default route on lo"),
        (
            "ip route del default",
            "ip route add default via 172.31.16.1 dev enX0",
            &["apply", "--yes", "--wait", "300ms"],
            "there is no IPv4 default route",
        ),
    ] {
        lab.script("monitor", script);
        let before = picture(&lab);
        let refused = monitor_net(&lab, &[words, &["--address", ADDRESS]].concat());
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        assert_eq!((refused.errors().len(), refused.hints().len()), (1, 1), "{refused:#?}");
        assert!(refused.errors()[0].contains(said), "{refused:#?}");
        assert_eq!(picture(&lab), before, "{words:?}");
        lab.script("monitor", undo);
    }
    let subnet = ["apply", "--yes", "--address", "172.31.16.100/20"];
    let refused = monitor_net(&lab, &subnet);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.errors()[0].contains("is no overlay block"), "{refused:#?}");
    assert!(!answers(&lab));
}
