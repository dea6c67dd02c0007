//! `doctor` beside the plain breakages: what `run` reads, other subnets, ways back, other prefixes,
//! protection; several in one lab, each undone before the next.

use crate::controller::{Controller, mission};
use crate::doctor::{Examined, between, doctor};
use crate::harness::{DESTINATION, Lab, rehome};

const OVERLAY: &str = "10.0.0.100/32";

#[track_caller]
fn is_well_again(lab: &Lab) {
    doctor(lab, &[], &[]).only(0, &[]);
}

/// How many findings a check has.
fn count(found: &Examined, check: &str) -> usize {
    found.findings.iter().filter(|one| one["check"] == check).count()
}

#[test]
fn what_run_reads_in_doubt_is_a_row_here_and_is_asked_for_again_after_a_move() {
    let lab = Lab::up("instant");
    let read = "DescribeNetworkInterfaces";
    lab.fault(&["--action", read, "--deny"]);
    let found = doctor(&lab, &[], &[]);
    let said = format!("ec2:{read} is denied");
    found.has("read-permissions", "failure", &said, &format!("allow ec2:{read} "));
    found.only(4, &["read-permissions"]);
    let mut controller = Controller::start(&lab, &[]);
    assert_eq!(controller.exit_code(), Some(2));
    lab.clear_faults();
    is_well_again(&lab);

    // The named instance is gone after a move; the reads are about the holder of now.
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "terminate");
    controller.completes();
    controller.kill9();
    lab.fault(&["--action", read, "--deny"]);
    let mut again = Controller::start(&lab, &[]);
    assert_eq!(again.exit_code(), Some(2), "{}", again.stderr().join("\n"));
}

#[test]
fn paths_to_replacements_and_ways_back_are_looked_at_too() {
    let lab = Lab::up("instant");
    let group = lab.holder.security_groups[0].clone();
    let (table, monitor) = (lab.table(), lab.monitors_interface());

    let acls = lab.api("DescribeNetworkAcls", &[]);
    let acl = between(&acls, "<networkAclId>", "</networkAclId>");
    let deny = [
        ("NetworkAclId", acl),
        ("RuleNumber", "50"),
        ("Egress", "true"),
        ("Protocol", "-1"),
        ("CidrBlock", "172.31.32.0/20"),
        ("RuleAction", "deny"),
    ];
    lab.api("CreateNetworkAclEntry", &deny);
    let found = doctor(&lab, &[], &[]);
    let said = format!("{acl} lets no echo requests to 172.31.32.0/20 out: its entry 50 denies");
    found.has("network-acl", "failure", &said, "--egress --rule-number 49");
    found.only(4, &["network-acl"]);
    let entry = [("NetworkAclId", acl), ("RuleNumber", "50"), ("Egress", "true")];
    lab.api("DeleteNetworkAclEntry", &entry);

    let rule = |action: &str, cidr: &str| {
        let rule = [
            ("GroupId", &*group),
            ("IpPermissions.1.IpProtocol", "-1"),
            ("IpPermissions.1.IpRanges.1.CidrIp", cidr),
        ];
        lab.api(action, &rule);
    };
    rule("RevokeSecurityGroupEgress", "0.0.0.0/0");
    let none = doctor(&lab, &[], &[]);
    none.has(
        "egress",
        "warning",
        "lets replacements send anything but answers",
        "CidrIp=0.0.0.0/0",
    );
    none.has("egress", "failure", "lets pings to 172.31.32.0/20 out", "CidrIp=172.31.32.0/20");
    for cidr in ["172.31.48.10/32", "10.0.0.0/24"] {
        rule("AuthorizeSecurityGroupEgress", cidr);
    }
    let found = doctor(&lab, &[], &[]);
    found.has("egress", "failure", "lets pings to 172.31.32.0/20 out", "CidrIp=172.31.32.0/20");
    found.only(4, &["egress"]);
    rule("AuthorizeSecurityGroupEgress", "0.0.0.0/0");
    is_well_again(&lab);

    let gateways = lab.api("DescribeRouteTables", &[]);
    let gateway = between(&gateways, "<gatewayId>igw-", "</gatewayId>");
    let gateway = format!("igw-{gateway}");
    lab.api("DeleteRoute", &[("RouteTableId", &table), ("DestinationCidrBlock", OVERLAY)]);
    let to = [("RouteTableId", &*table), ("DestinationCidrBlock", OVERLAY)];
    lab.api("CreateRoute", &[to[0], to[1], ("GatewayId", &gateway)]);
    let found = doctor(&lab, &[], &[]);
    let said = format!("leads {OVERLAY} back to {gateway}, which isn't this machine");
    let fix = format!("--network-interface-id {monitor}");
    found.has("way-back", "failure", &said, &fix).only(4, &["way-back", "answers"]);
    lab.api("ReplaceRoute", &[to[0], to[1], ("NetworkInterfaceId", &monitor)]);
    is_well_again(&lab);

    lab.api("DeleteRoute", &[to[0], ("DestinationCidrBlock", DESTINATION)]);
    let found = doctor(&lab, &[], &[]);
    let said = format!("until `run` adds it to {table}");
    found.has("client-subnets", "warning", &said, "aws ec2 create-route");
}

#[test]
fn one_cause_is_one_finding_and_protection_is_read() {
    let lab = Lab::up("instant");
    for (changes, extra, check) in [
        (&[("--keypair", "nobodys")][..], &[][..], "key-pair"),
        (&[("--security-group", "sg-00000000000000000")], &[], "security-group"),
        (&[], &["--image", "ami-00000000000000000"], "image"),
        (&[], &["--instance-type", "zz9.huge"], "instance-type"),
    ] {
        let found = doctor(&lab, changes, extra);
        found.has("launch", "failure", "us-east-1b (", &format!("see `{check}`"));
        assert_eq!(count(&found, "launch"), 1, "{check}");
    }

    let holder = &lab.holder.id;
    for (attribute, fence, option) in [
        ("DisableApiTermination.Value", "terminate", "--no-disable-api-termination"),
        ("DisableApiStop.Value", "stop", "--no-disable-api-stop"),
    ] {
        lab.api("ModifyInstanceAttribute", &[("InstanceId", holder), (attribute, "true")]);
        let found = doctor(&lab, &[], &["--fence", fence]);
        let fix = format!("aws ec2 modify-instance-attribute --instance-id {holder} {option}");
        found.has("write-permissions", "warning", "the old instance would be kept", &fix);
        found.only(3, &["write-permissions"]);
        lab.api("ModifyInstanceAttribute", &[("InstanceId", holder), (attribute, "false")]);
    }
    is_well_again(&lab);

    let nowhere = doctor(&lab, &[], &["--state-dir", "/proc/x"]);
    nowhere.has("state-directory", "failure", "the state can't be kept at /proc/x", "");

    // A network wider than the mission's, without its rule: everything in it is a neighbor.
    lab.script("monitor", "ip address add 10.8.0.100/16 dev enX0");
    let wide = [("--route-destination", "10.8.5.10/32")];
    let finished = crate::doctor::run(&lab, &[], &wide, &["--json"]);
    let said = "takes 10.8.5.10 for a neighbor, because 10.8.0.100 is in 10.8.0.0/16";
    let fix = "rehome monitor-net apply --address 10.8.0.100/16";
    for words in [said, fix] {
        assert!(finished.stdout.contains(words), "{words}: {finished:#?}");
    }
}

#[test]
fn a_role_that_cannot_be_in_the_holders_profile_is_refused() {
    let lab = Lab::up("instant");
    let exe = rehome().display().to_string();
    let mission = mission(&lab);
    let mut words = vec![exe.as_str(), "iam-policy"];
    words.extend(mission.iter().map(String::as_str));
    words.extend(["--holder-role", "arn:aws:iam::123456789012:role/web"]);
    let refused = lab.exec("monitor", &words);
    assert_eq!((refused.code, refused.errors().len(), refused.hints().len()), (Some(2), 1, 1));
    assert!(refused.stderr.contains("has no instance profile"), "{refused:#?}");
    words.truncate(words.len() - 2);
    let printed = lab.exec("monitor", &words);
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    assert!(!printed.stdout.contains("DescribeSpotInstanceRequests"), "{printed:#?}");
}
