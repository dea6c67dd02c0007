//! What people run on their machines: the mission's commands for the monitor, and our template.

use nix::sys::signal::Signal;

use crate::controller::Controller;
use crate::harness::{Lab, VIP};

/// The mission's *Monitoring Network Configuration*, first block, word for word.
pub(crate) const NETWORK: &str = r#"sudo tee /etc/rc.local <<'EOF'
#!/bin/bash

ip addr add 10.0.0.100/24 dev enX0

mkdir -p /etc/iproute2
echo "200 secondary" | sudo tee -a /etc/iproute2/rt_tables
ip rule add to 10.0.0.0/24 table secondary
ip route add default via 172.31.16.1 src 10.0.0.100 dev enX0 table secondary
EOF

sudo chmod +x /etc/rc.local
"#;

/// Second block, word for word.
const SERVICE: &str = r#"sudo tee /etc/systemd/system/rc-local.service <<'EOF'
[Unit]
Description=/etc/rc.local Compatibility
ConditionPathExists=/etc/rc.local
After=network-online.target
Wants=network-online.target

[Service]
Type=forking
ExecStart=/etc/rc.local start
TimeoutSec=0
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
EOF

sudo systemctl daemon-reload
sudo systemctl enable rc-local
sudo systemctl start rc-local
"#;

/// Takes away what the lab itself configured on the monitor.
pub(crate) const BARE: &str = "systemctl stop rc-local
ip address del 10.0.0.100/24 dev enX0
while ip rule del to 10.0.0.0/24 2>/dev/null; do :; done
ip route flush table 200
";

/// What the mission's commands are to bring about.
#[track_caller]
fn is_configured(lab: &Lab) {
    let addresses = lab.script("monitor", "ip -4 -o address show dev enX0\n");
    assert!(addresses.contains("inet 10.0.0.100/24 "), "{addresses}");
    let rules = lab.script("monitor", "ip rule show\n");
    let is_ours = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        words == ["from", "all", "to", "10.0.0.0/24", "lookup", "secondary"]
    };
    assert!(rules.lines().any(|line| is_ours(&line)), "{rules}");
    let routes = lab.script("monitor", "ip route show table secondary\n");
    let leads_out = |line: &str| {
        line.starts_with("default via 172.31.16.1 dev enX0 ") && line.contains("src 10.0.0.100")
    };
    assert!(routes.lines().any(leads_out), "{routes}");
    let way = lab.script("monitor", "ip -4 route get 10.0.0.10\n");
    assert!(way.contains("src 10.0.0.100"), "{way}");
}

#[test]
fn the_missions_commands_for_the_monitor_work_word_for_word_and_outlive_a_reboot() {
    let lab = Lab::up("instant");
    lab.script("monitor", BARE);
    assert!(!lab.script("monitor", "ip -4 -o address show dev enX0\n").contains("10.0.0.100"));
    lab.script("monitor", NETWORK);
    lab.script("monitor", SERVICE);
    is_configured(&lab);
    lab.wait_for_vip("configured by the mission's commands");
    lab.mark_boot("monitor");
    lab.break_("monitor", "reboot");
    lab.wait_for_boot("monitor");
    lab.wait_for_vip("after the monitor's reboot");
    is_configured(&lab);
}

/// Everything of a machine's network and of our template's files that could change.
const PICTURE: &str = "set -e
ip -4 -o address show
ip -4 rule show
ip -4 route show table 7010
ip -4 route show
ls -l --time-style=+ /etc/rehome /etc/systemd/system /etc/systemd/networkd.conf.d
cat /etc/rehome/* /etc/systemd/system/rehome* /etc/systemd/networkd.conf.d/*
systemctl is-enabled rehome-vip.service
systemctl is-active rehome-vip.service
";

/// Runs the user data of an instance once more.
const AGAIN: &str = "sh /var/lib/cloud/instance/user-data.txt\n";

#[test]
fn our_template_outlives_a_reboot_and_running_it_again_changes_nothing() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    let new = controller.moves();
    controller.ends_on(Signal::SIGTERM);

    let before = lab.script(&new, PICTURE);
    assert!(before.contains(&format!("inet {VIP}/32 ")), "{before}");
    for time in ["second", "third"] {
        lab.script(&new, AGAIN);
        assert_eq!(lab.script(&new, PICTURE), before, "run a {time} time");
    }

    lab.mark_boot(&new);
    lab.break_(&new, "reboot");
    lab.wait_for_boot(&new);
    lab.wait_for_vip("after the reboot of the new holder");
    assert_eq!(lab.script(&new, PICTURE), before, "after a reboot");

    lab.break_(&new, "lose-ip");
    assert!(!lab.vip_answers());
    lab.script(&new, AGAIN);
    lab.wait_for_vip("after the template has put the address back");
}
