//! `rehome doctor`: a healthy lab, and one thing broken after the other, each found and named.
//!
//! Each breakage says which checks may speak up: silence elsewhere is asserted as well.

use serde_json::Value;

use crate::controller::{Controller, mission};
use crate::harness::{DESTINATION, Finished, Lab, VIP, rehome};

/// The overlay address of the monitor.
const OVERLAY: &str = "10.0.0.100/32";

/// What `doctor --json` printed.
pub(crate) struct Examined {
    pub(crate) code: Option<i32>,
    vip: String,
    pub(crate) findings: Vec<Value>,
}

fn text<'v>(finding: &'v Value, name: &str) -> &'v str {
    finding[name].as_str().unwrap_or_default()
}

impl Examined {
    /// The findings that aren't well.
    pub(crate) fn troubles(&self) -> Vec<&Value> {
        let well = |finding: &&Value| matches!(text(finding, "verdict"), "ok" | "unproven");
        self.findings.iter().filter(|finding| !well(finding)).collect()
    }

    /// A finding of `check` with this verdict, these words in its evidence and these in its fix.
    #[track_caller]
    pub(crate) fn has(&self, check: &str, verdict: &str, evidence: &str, fix: &str) -> &Examined {
        let found = self.findings.iter().any(|finding| {
            text(finding, "check") == check
                && text(finding, "verdict") == verdict
                && text(finding, "evidence").contains(evidence)
                && text(finding, "fix").contains(fix)
        });
        assert!(found, "{check} {verdict} {evidence:?} {fix:?}: {:#?}", self.troubles());
        self
    }

    /// Only these checks have trouble, and the exit code is the worst of it.
    #[track_caller]
    pub(crate) fn only(&self, code: i32, checks: &[&str]) {
        let troubles = self.troubles();
        let others: Vec<_> =
            troubles.iter().filter(|one| !checks.contains(&text(one, "check"))).collect();
        assert!(others.is_empty(), "{others:#?}");
        assert_eq!(self.code, Some(code), "{troubles:#?}");
    }
}

/// In place of a flag's value: the flag is left out.
pub(crate) const LEFT_OUT: &str = "";

/// Runs `doctor` on the monitor through `wrapper`, with some of the mission's flags replaced.
#[track_caller]
pub(crate) fn run(
    lab: &Lab,
    wrapper: &[&str],
    changes: &[(&str, &str)],
    extra: &[&str],
) -> Finished {
    let exe = rehome().display().to_string();
    let mut words = wrapper.to_vec();
    words.extend([exe.as_str(), "doctor"]);
    let mission = mission(lab);
    for pair in mission.chunks(2) {
        let change = changes.iter().find(|(name, _)| *name == pair[0]);
        let value = change.map_or(pair[1].as_str(), |(_, value)| value);
        if value != LEFT_OUT {
            words.extend([pair[0].as_str(), value]);
        }
    }
    words.extend(extra);
    lab.exec("monitor", &words)
}

#[track_caller]
fn examined(finished: Finished) -> Examined {
    let document: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {finished:#?}"));
    let findings = document["findings"].as_array().expect("findings are a list").clone();
    assert_eq!(document["exit_code"].as_i64(), finished.code.map(i64::from));
    Examined { code: finished.code, vip: text(&document, "vip").to_owned(), findings }
}

#[track_caller]
pub(crate) fn doctor(lab: &Lab, changes: &[(&str, &str)], extra: &[&str]) -> Examined {
    examined(run(lab, &[], changes, &[&["--json"], extra].concat()))
}

/// The same with settings of the environment.
#[track_caller]
fn doctor_with_env(lab: &Lab, env: &[&str]) -> Examined {
    examined(run(lab, &[&["env"], env].concat(), &[], &["--json"]))
}

impl Lab {
    pub(crate) fn table(&self) -> String {
        self.first.route_tables[0].id.clone()
    }

    pub(crate) fn holders_interface(&self) -> String {
        self.holder.eni.clone().expect("the holder has an interface")
    }

    pub(crate) fn monitors_interface(&self) -> String {
        self.monitor.eni.clone().expect("the monitor has an interface")
    }

    #[track_caller]
    pub(crate) fn route(
        &self,
        action: &str,
        table: &str,
        destination: &str,
        interface: Option<&str>,
    ) {
        let mut parameters = vec![("RouteTableId", table), ("DestinationCidrBlock", destination)];
        parameters.extend(interface.map(|interface| ("NetworkInterfaceId", interface)));
        self.api(action, &parameters);
    }

    #[track_caller]
    pub(crate) fn check(&self, interface: &str, on: &str) {
        let parameters = [("NetworkInterfaceId", interface), ("SourceDestCheck.Value", on)];
        self.api("ModifyNetworkInterfaceAttribute", &parameters);
    }
}

#[test]
fn a_healthy_lab_has_no_findings_and_nothing_is_changed_or_left_behind() {
    let lab = Lab::up("instant");
    let well = doctor(&lab, &[], &[]);
    assert_eq!(well.vip, VIP);
    well.only(0, &[]);
    well.has("capacity", "unproven", "quotas", "");
    assert_eq!(lab.status(), lab.first);
    let left = lab.exec("monitor", &["bash", "-c", "ls -A ~/.local/state/rehome"]);
    assert_ne!(left.code, Some(0), "{left:#?}");

    let list = run(&lab, &[], &[], &[]);
    assert_eq!((list.code, list.stderr.as_str()), (Some(0), ""), "{list:#?}");
    assert!(list.stdout.contains("\n  ok        vip-outside-vpc: "), "{list:#?}");
    assert!(!list.stdout.contains('\u{1b}'), "no color in a pipe: {list:#?}");
    let last = list.stdout.lines().last().expect("a summary");
    assert!(last.ends_with(" unproven") && last.contains(" ok, "), "{last}");

    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let beside = doctor(&lab, &[], &[]);
    beside.has("state-directory", "ok", "is in use by process ", "").only(0, &[]);
    beside.has("state-file", "ok", &lab.holder.id, "");
}

#[test]
fn flags_that_cannot_be_meant_end_it_with_2() {
    let lab = Lab::unthrottled(&[]);
    for (changes, extra) in
        [(&[("--route-destination", "10.0.0.10/24")][..], &[][..]), (&[], &["--timeout", "10s"])]
    {
        let finished = run(&lab, &[], changes, extra);
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert_eq!((finished.errors().len(), finished.hints().len()), (1, 1), "{finished:#?}");
    }
}

#[test]
fn what_is_named_and_does_not_exist_or_cannot_work_is_found() {
    let lab = Lab::unthrottled(&[]);
    lab.put("monitor", "/var/tmp/broken.sh", "#!/bin/sh\n\necho {{ NOBODY }}\n");
    type Row<'r> = (&'r [(&'r str, &'r str)], &'r [&'r str], &'r str, &'r str, &'r [&'r str]);
    let rows: &[Row<'_>] = &[
        (
            &[("--keypair", "nobodys")],
            &[],
            "key-pair",
            "the key pair nobodys does not exist",
            &["launch"],
        ),
        (
            &[("--security-group", "sg-00000000000000000")],
            &[],
            "security-group",
            "sg-00000000000000000 does not exist",
            &["launch", "ingress"],
        ),
        (
            &[],
            &["--image", "ami-00000000000000000"],
            "image",
            "ami-00000000000000000 does not exist",
            &["launch"],
        ),
        (
            &[],
            &["--instance-type", "zz9.huge"],
            "instance-type",
            "no other zone offers zz9.huge",
            &["launch"],
        ),
        (
            &[],
            &["--subnet", "subnet-00000000000000000"],
            "subnets",
            "subnet-00000000000000000 is not one of the holder's VPC",
            &[],
        ),
        (
            &[],
            &["--route-table", "rtb-00000000000000000"],
            "route-set",
            "rtb-00000000000000000 is not one of the holder's VPC",
            &["route-quota", "client-subnets", "route-writers"],
        ),
        (
            &[("--user-data-file", "/var/tmp/broken.sh")],
            &[],
            "user-data",
            "/var/tmp/broken.sh:3",
            &["launch"],
        ),
        (
            &[],
            &["--state-dir", "/var/tmp/broken.sh/state"],
            "state-directory",
            "the state can't be kept at /var/tmp/broken.sh/state",
            &["state-file"],
        ),
        (&[], &["--notify-exec", "tell"], "notify-exec", "tell", &[]),
        (
            &[],
            &["--probe-source", "10.0.0.101"],
            "monitor-address",
            "10.0.0.101 is to be probed from and is no address of this machine",
            &["answers", "way-back"],
        ),
    ];
    for (changes, extra, check, evidence, also) in rows {
        let found = doctor(&lab, changes, extra);
        found.has(check, "failure", evidence, "").only(4, &[&[*check], *also].concat());
    }
    let inside = run(&lab, &[], &[("--route-destination", "172.31.48.99/32")], &["--json"]);
    assert_eq!(inside.code, Some(4), "{inside:#?}");
    assert!(inside.stdout.contains("172.31.48.99/32 lies inside the VPC's block 172.31.0.0/16"));
    assert_eq!(lab.status(), lab.first);
}

#[test]
fn routes_that_are_missing_or_lead_elsewhere_are_found() {
    let lab = Lab::unthrottled(&[]);
    let (table, holder, monitor) = (lab.table(), lab.holders_interface(), lab.monitors_interface());

    lab.route("DeleteRoute", &table, DESTINATION, None);
    let create = format!("aws ec2 create-route --route-table-id {table}");
    let found = doctor(&lab, &[], &[]);
    found.has("route-set", "warning", "has no route for 10.0.0.10/32", &create);
    found.has("answers", "failure", "10.0.0.10 from 10.0.0.100: silent", "route-set");
    found.only(4, &["route-set", "client-subnets", "answers"]);
    let own = doctor(&lab, &[("--instance-id", &lab.monitor.id)], &[]);
    own.has("replaceable", "failure", "is the machine that rehome runs on", "another machine");
    lab.route("CreateRoute", &table, DESTINATION, Some(&monitor));
    let replace = format!("aws ec2 replace-route --route-table-id {table}");
    let unnamed = doctor(&lab, &[], &[]);
    let leads = format!("leads to {}, not to {}", lab.monitor.id, lab.holder.id);
    unnamed.has("holder", "failure", &leads, "--instance-id");
    lab.route("ReplaceRoute", &table, DESTINATION, Some(&holder));
    doctor(&lab, &[], &[]).only(0, &[]);

    lab.route("DeleteRoute", &table, OVERLAY, None);
    let lost = doctor(&lab, &[], &[]);
    let fix =
        format!("{create} --destination-cidr-block {OVERLAY} --network-interface-id {monitor}");
    lost.has("way-back", "failure", "has no way back to 10.0.0.100", &fix);
    lost.only(4, &["way-back", "answers"]);
    lab.route("CreateRoute", &table, OVERLAY, Some(&holder));
    let wrong = doctor(&lab, &[], &[]);
    wrong.has("way-back", "failure", "which isn't this machine", &replace);
    lab.route("ReplaceRoute", &table, OVERLAY, Some(&monitor));
    doctor(&lab, &[], &[]).only(0, &[]);

    let tag = [("ResourceId.1", &*table), ("Tag.1.Key", "ManagedBy"), ("Tag.1.Value", "Terraform")];
    lab.api("CreateTags", &tag);
    let written = doctor(&lab, &[], &[]);
    written.has("route-writers", "warning", "Terraform made rtb-", "ignore_changes");
    written.only(3, &["route-writers"]);
}

#[test]
fn clients_whose_table_does_not_carry_the_address_are_found() {
    let lab = Lab::unthrottled(&["--tables", "2"]);
    doctor(&lab, &[], &[]).only(0, &[]);
    let monitors = lab.first.route_tables.iter().find(|table| !table.subnets.is_empty());
    // Which of both serves the monitor doesn't matter: each serves somebody.
    let table = monitors.expect("a table names a subnet").id.clone();
    lab.route("DeleteRoute", &table, DESTINATION, None);
    let found = doctor(&lab, &[], &[]);
    let create = format!("aws ec2 create-route --route-table-id {table}");
    found.has("client-subnets", "warning", "don't reach 10.0.0.10/32", &create);
    found.only(found.code.expect("it ended"), &["client-subnets", "answers"]);
}

#[test]
fn source_dest_checks_and_the_monitors_own_rule_are_found() {
    let lab = Lab::unthrottled(&[]);
    let (holder, monitor) = (lab.holders_interface(), lab.monitors_interface());
    for (interface, check, verdict) in [
        (&holder, "holder-source-dest-check", "warning"),
        (&monitor, "monitor-source-dest-check", "failure"),
    ] {
        lab.check(interface, "true");
        let found = doctor(&lab, &[], &[]);
        let fix = format!("--network-interface-id {interface} --no-source-dest-check");
        found.has(check, verdict, "EC2 drops what is sent", &fix).only(4, &[check, "answers"]);
        lab.check(interface, "false");
    }
    doctor(&lab, &[], &[]).only(0, &[]);

    lab.script("monitor", "ip rule del to 10.0.0.0/24");
    let found = doctor(&lab, &[], &[]);
    let said = "takes 10.0.0.10 for a neighbor, because 10.0.0.100 is in 10.0.0.0/24";
    let fix = "rehome monitor-net apply --address 10.0.0.100/24";
    // The lab's router answers for everybody; a VPC's doesn't.
    found.has("monitor-address", "failure", said, fix).only(4, &["monitor-address"]);
    lab.script("monitor", "ip address del 10.0.0.100/24 dev enX0; ip route flush table 200");
    let found = doctor(&lab, &[], &[]);
    let said = "this machine has no overlay address; probes leave from 172.31.16.10";
    found.has("monitor-address", "ok", said, "").only(0, &[]);
}

#[test]
fn a_process_that_may_not_ping_is_found() {
    let lab = Lab::unthrottled(&[]);
    // A network of its own, where the kernel admits nobody to ping sockets; without raw ones too.
    let alone = ["unshare", "--net", "setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];
    let found = examined(run(&lab, &alone, &[], &["--json"]));
    found.has("icmp", "failure", "may not send pings", "ping_group_range");
    found.has("answers", "unknown", "no probe could be sent", "");
    assert_eq!(found.code, Some(4));
}

#[test]
fn a_holder_that_is_down_or_shares_the_monitors_zone_is_found() {
    let lab = Lab::unthrottled(&[]);
    let home = |id: &str| lab.instance(id).az;
    let subnets = &lab.first.subnets;
    let near = subnets.iter().find(|subnet| subnet.az == home(&lab.monitor.id)).expect("a subnet");
    let group = lab.holder.security_groups[0].clone();
    let status = lab.api("DescribeInstances", &[("InstanceId.1", &lab.holder.id)]);
    let image = between(&status, "<imageId>", "</imageId>");
    let made = lab.api(
        "RunInstances",
        &[
            ("ImageId", image),
            ("InstanceType", "t3.micro"),
            ("KeyName", "my-keypair"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("NetworkInterface.1.DeviceIndex", "0"),
            ("NetworkInterface.1.SubnetId", &near.id),
            ("NetworkInterface.1.SecurityGroupId.1", &group),
        ],
    );
    let (id, eni) = (
        between(&made, "<instanceId>", "</instanceId>"),
        between(&made, "<networkInterfaceId>", "</networkInterfaceId>"),
    );
    lab.check(eni, "false");
    lab.replace_route(&lab.table(), eni);
    let found = doctor(&lab, &[("--instance-id", id)], &[]);
    let both = format!("and the holder are both in {}", near.az);
    found.has("shared-zone", "warning", &both, "another Availability Zone");
    found.only(4, &["shared-zone", "answers"]);
    lab.replace_route(&lab.table(), &lab.holders_interface());

    lab.break_(&lab.holder.id, "stop");
    let found = doctor(&lab, &[], &[]);
    let start = format!("aws ec2 start-instances --instance-ids {}", lab.holder.id);
    found.has("holder", "failure", "is stopped: `run` would move the address at once", &start);
    found.has("route-set", "failure", "which is a black hole", &start);
    lab.break_(&lab.holder.id, "terminate");
    let found = doctor(&lab, &[], &[]);
    found.has("holder", "failure", "", "");
    assert_eq!(found.code, Some(4));
}

pub(crate) fn between<'t>(text: &'t str, open: &str, close: &str) -> &'t str {
    let (_, rest) = text.split_once(open).expect(open);
    rest.split_once(close).expect(close).0
}

#[test]
fn each_permission_that_is_missing_is_named_and_run_does_not_begin_without_what_a_move_needs() {
    let lab = Lab::unthrottled(&[]);
    for (action, check) in [
        ("RunInstances", "launch"),
        // A launch with tags needs this one too.
        ("CreateTags", "launch"),
        ("ModifyNetworkInterfaceAttribute", "write-permissions"),
        ("ReplaceRoute", "write-permissions"),
        ("CreateRoute", "write-permissions"),
        ("TerminateInstances", "write-permissions"),
    ] {
        lab.fault(&["--action", action, "--deny"]);
        let found = doctor(&lab, &[], &[]);
        found.has(check, "failure", "not authorized", &format!("allow ec2:{action} "));
        found.only(4, &[check]);
        doctor(&lab, &[], &["--observe"]).only(0, &[]);
        if matches!(action, "RunInstances" | "ReplaceRoute") {
            refuses_to_begin(&lab, action);
        }
        lab.clear_faults();
    }
    // The fence that is asked for is the one that is tried.
    lab.fault(&["--action", "StopInstances", "--deny"]);
    doctor(&lab, &[], &[]).only(0, &[]);
    let found = doctor(&lab, &[], &["--fence", "stop"]);
    found.has("write-permissions", "failure", "not authorized", "allow ec2:StopInstances ");
    lab.clear_faults();
    let protected = [("InstanceId", &*lab.holder.id), ("DisableApiTermination.Value", "true")];
    lab.api("ModifyInstanceAttribute", &protected);
    let found = doctor(&lab, &[], &[]);
    found.has("write-permissions", "warning", "the old instance would be kept", "--fence none");
    found.only(3, &["write-permissions"]);
    assert_eq!(lab.launched(), []);
}

#[track_caller]
fn refuses_to_begin(lab: &Lab, action: &str) {
    let mut controller = Controller::start(lab, &[]);
    assert_eq!(controller.exit_code(), Some(2));
    let stderr = controller.stderr().join("\n");
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert!(errors[0].starts_with(&format!("error: AWS would refuse {action}: ")), "{stderr}");
    assert!(stderr.contains(&format!("hint: allow ec2:{action} ")), "{stderr}");
    assert!(controller.lines().is_empty(), "{:#?}", controller.lines());
}

#[test]
fn each_reading_that_is_denied_is_named_and_only_what_rests_on_it_is_unknown() {
    let lab = Lab::unthrottled(&[]);
    for (action, unknown) in [
        (
            "DescribeSubnets",
            &["subnets", "client-subnets", "instance-type", "user-data", "launch"][..],
        ),
        ("DescribeAvailabilityZones", &["subnets"]),
        (
            "DescribeVpcs",
            &["monitor-address", "vip-outside-vpc", "way-back", "monitor-source-dest-check"],
        ),
        (
            "DescribeRouteTables",
            &["subnets", "route-set", "shadowing", "route-quota", "client-subnets", "way-back"],
        ),
        ("DescribeSecurityGroups", &["security-group", "ingress", "egress"]),
        ("DescribeNetworkAcls", &["network-acl"]),
        ("DescribeKeyPairs", &["key-pair"]),
        ("DescribeImages", &["image", "replaceable"]),
        ("DescribeVolumes", &["replaceable"]),
        ("DescribeInstanceAttribute", &["replaceable", "write-permissions"]),
        ("DescribeInstanceStatus", &[]),
    ] {
        lab.fault(&["--action", action, "--deny"]);
        let found = doctor(&lab, &[], &[]);
        let said = format!("ec2:{action} is denied");
        found.has("read-permissions", "failure", &said, &format!("allow ec2:{action} "));
        let mut may = unknown.to_vec();
        // Without the tables it isn't known either which ones would be moved.
        may.extend(["read-permissions", "route-writers"]);
        found.only(4, &may);
        for check in unknown {
            found.has(check, "unknown", "", "");
        }
        lab.clear_faults();
    }
    let only_here = "DescribeInstanceTypeOfferings";
    lab.fault(&["--action", only_here, "--deny"]);
    let found = doctor(&lab, &[], &[]);
    found.has("read-permissions", "warning", "only this examination needs it", only_here);
    found.only(5, &["read-permissions", "instance-type"]);
}

#[test]
fn launches_that_a_zone_refuses_are_found_zone_by_zone() {
    let lab = Lab::unthrottled(&[]);
    for code in ["Unsupported", "InsufficientFreeAddressesInSubnet"] {
        lab.fault(&["--action", "RunInstances", "--error", code, "--az", "us-east-1b"]);
        let found = doctor(&lab, &[], &[]);
        found.has("launch", "warning", code, "us-east-1c is enough").only(3, &["launch"]);
        lab.clear_faults();
    }
}

#[test]
fn an_api_that_cannot_answer_is_unknown_and_missing_credentials_and_region_are_failures() {
    let lab = Lab::unthrottled(&[]);
    lab.fault(&["--action", "*", "--error", "ServiceUnavailable"]);
    let found = doctor(&lab, &[], &[]);
    found.has("holder", "unknown", "DescribeInstances was refused: ServiceUnavailable", "");
    assert_eq!(found.code, Some(5), "{:#?}", found.troubles());
    assert!(found.troubles().iter().all(|one| text(one, "verdict") == "unknown"));
    lab.clear_faults();

    let offline = "AWS_EC2_METADATA_DISABLED=true";
    let found = doctor_with_env(&lab, &[offline]);
    found.has("credentials", "failure", "", "instance profile");
    assert_eq!(found.code, Some(4));
    found.has("icmp", "ok", "", "");
    let found = doctor_with_env(&lab, &[offline, "AWS_CONFIG_FILE=/dev/null"]);
    found.has("region", "failure", "no AWS region", "AWS_DEFAULT_REGION");
    found.has("holder", "unknown", "not asked: ", "");
    assert_eq!(found.code, Some(4));
    let elsewhere = doctor_with_env(&lab, &["AWS_REGION=eu-west-1"]);
    elsewhere.has("region", "warning", "this machine is in us-east-1", "us-east-1");
}

#[test]
fn groups_and_acls_that_stop_pings_are_found_with_the_commands_that_mend_them() {
    let lab = Lab::unthrottled(&[]);
    let group = lab.holder.security_groups[0].clone();
    let allow = |action: &str, peer: (&str, &str)| {
        let rule = [("GroupId", &*group), ("IpPermissions.1.IpProtocol", "-1"), (peer.0, peer.1)];
        lab.api(action, &rule);
    };
    let everybody = ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0");

    // The mission's trap: the monitor is a member, and its overlay address is not admitted.
    let pings = [
        ("GroupId", &*group),
        ("IpPermissions.1.IpProtocol", "icmp"),
        ("IpPermissions.1.FromPort", "-1"),
        ("IpPermissions.1.ToPort", "-1"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/24"),
    ];
    lab.api("RevokeSecurityGroupIngress", &pings);
    let found = doctor(&lab, &[], &[]);
    let fix = format!("--group-id {group} --ip-permissions");
    let said = format!("the rule for members of {group} admits the addresses of their interfaces");
    found.has("ingress", "failure", &said, &fix).has("ingress", "ok", "pings of 172.31.16.10", "");
    found.only(4, &["ingress", "answers"]);
    let overlay = ("IpPermissions.1.IpRanges.1.CidrIp", OVERLAY);
    allow("AuthorizeSecurityGroupIngress", overlay);
    doctor(&lab, &[], &[]).only(0, &[]);

    allow("RevokeSecurityGroupEgress", everybody);
    let found = doctor(&lab, &[], &[]);
    found.has("egress", "failure", "lets pings to 10.0.0.10 out", "security-group-egress");
    found.only(4, &["egress", "answers"]);
    allow("AuthorizeSecurityGroupEgress", everybody);
    doctor(&lab, &[], &[]).only(0, &[]);

    let acls = lab.api("DescribeNetworkAcls", &[]);
    let acl = between(&acls, "<networkAclId>", "</networkAclId>");
    for (egress, way, echo) in [("false", "--ingress", "requests"), ("true", "--egress", "replies")]
    {
        let deny = [
            ("NetworkAclId", acl),
            ("RuleNumber", "90"),
            ("Egress", egress),
            ("Protocol", "1"),
            ("Icmp.Type", "-1"),
            ("Icmp.Code", "-1"),
            ("CidrBlock", "10.0.0.0/24"),
            ("RuleAction", "deny"),
        ];
        lab.api("CreateNetworkAclEntry", &deny);
        let found = doctor(&lab, &[], &[]);
        let fix = format!("--network-acl-id {acl} {way} --rule-number 89");
        let said = format!("{acl} lets no echo {echo}");
        found.has("network-acl", "failure", &said, &fix).only(4, &["network-acl", "answers"]);
        let entry = [("NetworkAclId", acl), ("RuleNumber", "90"), ("Egress", egress)];
        lab.api("DeleteNetworkAclEntry", &entry);
    }
    doctor(&lab, &[], &[]).only(0, &[]);
}
