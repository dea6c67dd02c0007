//! Security groups and network ACLs on real packets, and what rehome makes of them.
//!
//! The trap is the mission's own: "add the monitoring machine to the security group". A rule that
//! names the group lets its members' interfaces in, by the addresses that EC2 knows of them. The
//! monitor's overlay address is none of these.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};

use crate::controller::{Controller, text};
use crate::harness::{Lab, PATIENCE, VIP, end_of, kill, poll};

const MONITOR: &str = "172.31.16.10";
const OVERLAY: &str = "10.0.0.100";
const HOLDER: &str = "172.31.48.10";
const AUTHORIZE: &str = "AuthorizeSecurityGroupIngress";
const REVOKE: &str = "RevokeSecurityGroupIngress";

/// The first text between two marks.
#[track_caller]
fn between(text: &str, from: &str, to: &str) -> String {
    let rest = text.split_once(from).map(|(_, rest)| rest).unwrap_or_else(|| panic!("{text}"));
    rest.split_once(to).map(|(found, _)| found.to_owned()).unwrap_or_else(|| panic!("{text}"))
}

impl Lab {
    /// The group of both machines.
    pub(crate) fn group(&self) -> String {
        self.holder.security_groups[0].clone()
    }

    /// Authorizes or revokes pings from a block.
    #[track_caller]
    fn pings_from(&self, action: &str, group: &str, block: &str) {
        self.api(
            action,
            &[
                ("GroupId", group),
                ("IpPermissions.1.IpProtocol", "icmp"),
                ("IpPermissions.1.FromPort", "-1"),
                ("IpPermissions.1.ToPort", "-1"),
                ("IpPermissions.1.IpRanges.1.CidrIp", block),
            ],
        );
    }

    /// Authorizes or revokes everything from the group's own members.
    #[track_caller]
    fn all_from_members(&self, action: &str, group: &str) {
        self.api(
            action,
            &[
                ("GroupId", group),
                ("IpPermissions.1.IpProtocol", "-1"),
                ("IpPermissions.1.Groups.1.GroupId", group),
            ],
        );
    }

    /// Whether a single ping, a flow of its own, is answered.
    #[track_caller]
    fn pings(&self, source: &str, target: &str) -> bool {
        let ping = ["ping", "-n", "-c", "1", "-W", "1", "-I", source, target];
        self.exec("monitor", &ping).code == Some(0)
    }

    /// The lab's only network ACL.
    fn acl(&self) -> String {
        let told = self.api("DescribeNetworkAcls", &[]);
        between(&told, "<networkAclId>", "</networkAclId>")
    }

    /// Adds an entry for ICMP of one type (-1 for all) in front of all others, or takes it away.
    #[track_caller]
    fn acl_denies(&self, acl: &str, egress: &str, kind: &str) {
        self.api(
            "CreateNetworkAclEntry",
            &[
                ("NetworkAclId", acl),
                ("RuleNumber", "50"),
                ("Egress", egress),
                ("Protocol", "1"),
                ("Icmp.Type", kind),
                ("Icmp.Code", "-1"),
                ("RuleAction", "deny"),
                ("CidrBlock", "0.0.0.0/0"),
            ],
        );
    }

    #[track_caller]
    fn acl_denies_no_more(&self, acl: &str, egress: &str) {
        let entry = [("NetworkAclId", acl), ("RuleNumber", "50"), ("Egress", egress)];
        self.api("DeleteNetworkAclEntry", &entry);
    }

    /// Launches an instance into the subnet of `like` with this group, and waits for it.
    #[track_caller]
    pub(crate) fn launch(&self, zone: &str, group: &str) -> (String, String) {
        let image = self.api("DescribeImages", &[]);
        let image = between(&image, "<imageId>", "</imageId>");
        let mut subnets = self.first.subnets.iter();
        let subnet = subnets.find(|subnet| subnet.az == zone).expect("it has a subnet");
        let made = self.api(
            "RunInstances",
            &[
                ("ImageId", &image),
                ("MinCount", "1"),
                ("MaxCount", "1"),
                ("InstanceType", "t3.micro"),
                ("SubnetId", &subnet.id),
                ("SecurityGroupId.1", group),
            ],
        );
        let id = between(&made, "<instanceId>", "</instanceId>");
        let runs = || (self.exec(&id, &["true"]).code == Some(0)).then_some(());
        assert!(poll(PATIENCE, runs).is_some(), "{id} never ran");
        let address = self.instance(&id).private_ip.expect("it has an address");
        (id, address)
    }
}

/// A ping that goes on, one flow.
struct Flow {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Flow {
    /// Begins on the monitor; returns when it was answered for the first time.
    #[track_caller]
    fn to(lab: &Lab, target: &str, count: &str) -> Flow {
        let ping = ["exec", "monitor", "--", "ping", "-n", "-c", count, "-i", "0.1", "-W", "1"];
        let mut command = lab.command(&[&ping[..], &["-I", OVERLAY, target]].concat());
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("rehome can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut line = String::new();
        while !line.contains("bytes from") {
            line.clear();
            let count = lines.read_line(&mut line).expect("text comes");
            assert!(count > 0, "{target} never answered");
        }
        Flow { child, lines }
    }

    /// How many were sent and how many were answered.
    #[track_caller]
    fn ends(mut self) -> (u32, u32) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("text comes");
        if end_of(&mut self.child, PATIENCE).is_none() {
            kill(&mut self.child);
        }
        let number = |before: &str, after: &str| -> u32 {
            let line = rest.lines().find(|line| line.contains(after)).unwrap_or_default();
            let words = line.split_once(after).map_or("", |(words, _)| words);
            words.rsplit(before).next().and_then(|word| word.trim().parse().ok()).expect(&rest)
        };
        (number("\n", " packets transmitted"), number(", ", " received"))
    }
}

#[test]
fn a_rule_that_names_the_group_admits_the_monitor_and_not_its_overlay_address() {
    let lab = Lab::up("instant");
    let group = lab.group();
    assert!(lab.monitor.security_groups.contains(&group), "the monitor was added to the group");
    assert!(lab.pings(MONITOR, HOLDER) && lab.pings(OVERLAY, VIP), "what the lab begins with");
    lab.pings_from(REVOKE, &group, "10.0.0.0/24");
    assert!(lab.pings(MONITOR, HOLDER), "a member, by its interface's address");
    assert!(lab.pings(MONITOR, VIP), "whatever it asks for");
    assert!(!lab.pings(OVERLAY, VIP), "no address of a member's interface");
    assert!(!lab.pings(OVERLAY, HOLDER));
    lab.pings_from(AUTHORIZE, &group, "10.0.0.100/32");
    assert!(lab.pings(OVERLAY, VIP) && lab.pings(OVERLAY, HOLDER), "the rule that works");
    lab.all_from_members(REVOKE, &group);
    assert!(!lab.pings(MONITOR, HOLDER));
    assert!(lab.pings(OVERLAY, VIP));
}

#[test]
fn what_an_instance_may_send_is_its_own_groups_affair() {
    let lab = Lab::up("instant");
    let group = lab.group();
    let everything = [
        ("GroupId", group.as_str()),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
    ];
    lab.api("RevokeSecurityGroupEgress", &everything);
    assert!(!lab.pings(OVERLAY, VIP));
    let out = [
        ("GroupId", group.as_str()),
        ("IpPermissions.1.IpProtocol", "icmp"),
        ("IpPermissions.1.FromPort", "8"),
        ("IpPermissions.1.ToPort", "-1"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.10/32"),
    ];
    lab.api("AuthorizeSecurityGroupEgress", &out);
    assert!(lab.pings(OVERLAY, VIP), "and the answer needs no rule");
    assert!(!lab.pings(OVERLAY, HOLDER), "another destination");
    let metadata = "curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
                    http://169.254.169.254/latest/api/token";
    assert!(!lab.script("monitor", metadata).is_empty(), "no group stands before metadata");
}

#[test]
fn a_flow_goes_on_after_its_rule_has_gone_and_no_new_one_begins() {
    let lab = Lab::up("instant");
    let group = lab.group();
    let flow = Flow::to(&lab, VIP, "30");
    lab.pings_from(REVOKE, &group, "10.0.0.0/24");
    assert!(!lab.pings(OVERLAY, VIP));
    assert_eq!(flow.ends(), (30, 30));
}

#[test]
fn a_moved_route_is_judged_by_the_new_holders_own_group() {
    let lab = Lab::up("instant");
    let vpc = ("VpcId", lab.first.vpc.as_str());
    let name = [("GroupName", "other"), ("GroupDescription", "admits nothing"), vpc];
    let made = lab.api("CreateSecurityGroup", &name);
    let other = between(&made, "<groupId>", "</groupId>");
    let (id, _) = lab.launch("us-east-1b", &other);
    let eni = lab.instance(&id).eni.expect("it has an interface");
    let off = [("NetworkInterfaceId", eni.as_str()), ("SourceDestCheck.Value", "false")];
    lab.api("ModifyNetworkInterfaceAttribute", &off);
    lab.script(&id, "ip address add 10.0.0.10/32 dev eth0");
    let flow = Flow::to(&lab, VIP, "40");
    lab.replace_route(&lab.first.route_tables[0].id, &eni);
    assert!(!lab.pings(OVERLAY, VIP), "nobody gets in there");
    let (sent, answered) = flow.ends();
    assert!(answered < sent, "the old flow doesn't either: {answered} of {sent}");
    lab.pings_from(AUTHORIZE, &other, "10.0.0.100/32");
    assert!(lab.pings(OVERLAY, VIP));
}

#[test]
fn an_acl_has_no_memory_and_stands_between_subnets_only() {
    let lab = Lab::up("instant");
    let acl = lab.acl();
    let (_, neighbor) = lab.launch("us-east-1c", &lab.group());
    let flow = Flow::to(&lab, VIP, "30");
    // Echo replies, on their way out of the holder's subnet and of every other.
    lab.acl_denies(&acl, "true", "0");
    assert!(!lab.pings(OVERLAY, VIP), "the request got in, its answer doesn't get out");
    assert!(lab.pings(MONITOR, &neighbor), "inside a subnet there is no ACL");
    let (sent, answered) = flow.ends();
    assert!(answered < sent, "nor does an old flow go on: {answered} of {sent}");
    lab.acl_denies_no_more(&acl, "true");
    assert!(lab.pings(OVERLAY, VIP));
    lab.acl_denies(&acl, "false", "8");
    assert!(!lab.pings(OVERLAY, VIP), "nor does a request that may not get in");
    assert!(lab.pings(MONITOR, &neighbor));
}

#[test]
fn rehome_holds_while_a_group_closes_the_path_and_goes_on_when_it_opens_it() {
    let lab = Lab::up("instant");
    lab.checks_lag();
    let group = lab.group();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.pings_from(REVOKE, &group, "10.0.0.0/24");
    lab.all_from_members(REVOKE, &group);
    let why = format!("the path is closed: security group {group} changed");
    let held = controller.says("held", &why);
    assert!(text(&held).contains("nothing is moved"), "{held}");
    controller.goes_on();
    controller.never(&["moving", "launching", "cutting"]);
    controller.launched(0);
    lab.pings_from(AUTHORIZE, &group, "10.0.0.0/24");
    lab.all_from_members(AUTHORIZE, &group);
    controller.is_well();
    controller.serves(&lab.holder.id);
    lab.break_(&lab.holder.id, "crash");
    controller.moves_because("unreachable");
}

#[test]
fn rehome_stays_where_it_is_when_only_the_rule_for_the_overlay_address_goes() {
    let lab = Lab::up("instant");
    let group = lab.group();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.pings_from(REVOKE, &group, "10.0.0.0/24");
    controller.goes_on();
    controller.goes_on();
    controller.says("status", "- RUNNING, PING: REACHABLE");
    controller.never(&["moving", "launching", "held"]);
    controller.launched(0);
}

#[test]
fn rehome_holds_while_an_acl_closes_the_path_and_goes_on_when_it_opens_it() {
    let lab = Lab::up("instant");
    lab.checks_lag();
    let acl = lab.acl();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.acl_denies(&acl, "false", "-1");
    controller.says("held", &format!("the path is closed: network ACL {acl} changed"));
    controller.goes_on();
    controller.never(&["moving", "launching", "cutting"]);
    controller.launched(0);
    lab.acl_denies_no_more(&acl, "false");
    controller.is_well();
    controller.serves(&lab.holder.id);
}
