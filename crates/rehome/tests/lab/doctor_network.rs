//! What `rehome doctor` finds when routes or what lets packets through is broken: each thing on
//! purpose, once, in a lab.

use crate::doctor::{between, doctor};
use crate::harness::{DESTINATION, Lab};

const OVERLAY: &str = "10.0.0.100/32";

impl Lab {
    /// Adds or takes away a rule of everything for one peer, or of one protocol.
    #[track_caller]
    fn rule(&self, action: &str, group: &str, protocol: &str, peer: (&str, &str)) {
        let name = |rest: &str| format!("IpPermissions.1.{rest}");
        let (of, from, to, whom) =
            (name("IpProtocol"), name("FromPort"), name("ToPort"), name(peer.0));
        let mut rule = vec![("GroupId", group), (&*of, protocol), (&*whom, peer.1)];
        match protocol {
            "icmp" => rule.extend([(&*from, "-1"), (&*to, "-1")]),
            "tcp" => rule.extend([(&*from, "0"), (&*to, "65535")]),
            _ => {}
        }
        self.api(action, &rule);
    }
}

#[test]
fn an_address_of_a_block_that_the_vpc_got_later_is_found() {
    let lab = Lab::unthrottled(&[]);
    let inside = [("--route-destination", "100.64.0.10/32")];
    // Nobody answers there, and no table carries it.
    let others = ["route-set", "client-subnets", "answers", "monitor-address", "holder"];
    let found = doctor(&lab, &inside, &[]);
    found.has("vip-outside-vpc", "ok", "100.64.0.10/32 lies outside 172.31.0.0/16", "");
    found.only(4, &others);
    lab.arrange(&["block", "100.64.0.0/16"]);
    let found = doctor(&lab, &inside, &[]);
    let said = "100.64.0.10/32 lies inside the VPC's block 100.64.0.0/16";
    found.has("vip-outside-vpc", "failure", said, "");
    // EC2 itself refuses such a route.
    let refused = "more specific than one of this VPC's CIDR blocks";
    found.has("write-permissions", "failure", refused, "");
    lab.is_mended();
    lab.undo(&["block", "100.64.0.0/16"]);
    doctor(&lab, &inside, &[]).has("vip-outside-vpc", "ok", "", "").only(4, &others);
}

#[test]
fn propagated_and_longer_routes_full_tables_and_gateways_tables_are_found() {
    let lab = Lab::unthrottled(&[]);
    let (table, holder) = (lab.table(), lab.holders_interface());
    let named = ["--route-table", table.as_str()];
    let propagated = ["propagated", &table, DESTINATION];
    lab.arrange(&propagated);
    let found = doctor(&lab, &[], &[]);
    found.has("shadowing", "ok", "also gets routes of vgw-", "").only(0, &[]);
    lab.route("DeleteRoute", &table, DESTINATION, None);
    let found = doctor(&lab, &[], &named);
    let said = format!("in {table} a gateway propagates {DESTINATION}: vgw-");
    found.has("shadowing", "failure", &said, "what the other side announces");
    let found = doctor(&lab, &[], &[]);
    found.has("route-set", "failure", "leads to vgw-", "--route-table");
    lab.undo(&propagated);
    lab.route("CreateRoute", &table, DESTINATION, Some(&holder));
    lab.is_mended();

    let block = [("--route-destination", "10.0.0.0/28")];
    let probed = ["--probe-address", "10.0.0.10", "--route-table", &table];
    let found = doctor(&lab, &block, &probed);
    let said = format!("in {table} the longer {DESTINATION} wins over 10.0.0.0/28");
    let fix = format!("delete-route --route-table-id {table} --destination-cidr-block");
    found.has("shadowing", "failure", &said, &fix);

    lab.arrange(&["routes", &table, "450"]);
    let found = doctor(&lab, &[], &[]);
    found.has("route-quota", "warning", "has 450 of 500 routes", "Service Quotas");
    found.only(3, &["route-quota"]);
    lab.route("DeleteRoute", &table, DESTINATION, None);
    lab.arrange(&["routes", &table, "500"]);
    let found = doctor(&lab, &[], &[]);
    found.has("route-quota", "warning", "has 500 of 500 routes", "Service Quotas");
    found.has("write-permissions", "failure", "RouteLimitExceeded", "");
    found.only(4, &["route-quota", "write-permissions", "route-set", "client-subnets", "answers"]);
    lab.undo(&["routes", &table, "500"]);
    lab.route("CreateRoute", &table, DESTINATION, Some(&holder));

    let gateways = lab.arrange(&["gateway-table"]);
    lab.is_mended();
    let found = doctor(&lab, &[], &["--route-table", &gateways]);
    found.has("route-set", "failure", "belongs to the gateway igw-", "tables of subnets");

    let stack = ["service-tag", &table, "aws:cloudformation:stack-name", "net"];
    lab.arrange(&stack);
    let found = doctor(&lab, &[], &[]);
    let said = format!("CloudFormation made {table} (tag aws:cloudformation:stack-name = net)");
    found.has("route-writers", "warning", &said, "AWS::EC2::Route").only(3, &["route-writers"]);
    lab.undo(&stack);
    lab.is_mended();
}

#[test]
fn a_route_to_nobody_is_found() {
    let lab = Lab::unthrottled(&[]);
    let (subnet, group) = (lab.subnet_in("us-east-1b"), lab.holder.security_groups[0].clone());
    let launch =
        [("InstanceType", "t3.micro"), ("SubnetId", &*subnet), ("SecurityGroupId.1", &*group)];
    let (id, interface) = lab.launch_with(&launch);
    lab.replace_route(&lab.table(), &interface);
    lab.api("TerminateInstances", &[("InstanceId.1", &id)]);
    let found = doctor(&lab, &[], &[]);
    let said = format!("leads {DESTINATION} to {interface}, which is a black hole");
    let fix = format!("aws ec2 replace-route --route-table-id {}", lab.table());
    found.has("route-set", "failure", &said, &fix).only(4, &["route-set", "answers"]);
    lab.replace_route(&lab.table(), &lab.holders_interface());
    lab.is_mended();
}

#[test]
fn a_second_table_that_leads_elsewhere_or_not_back_is_found() {
    let lab = Lab::unthrottled(&["--tables", "2"]);
    let (holder, monitor) = (lab.holders_interface(), lab.monitors_interface());
    let tables = lab.api("DescribeRouteTables", &[]);
    let internet = format!("igw-{}", between(&tables, "<gatewayId>igw-", "</gatewayId>"));
    let far = lab.subnet_in("us-east-1c");
    let second = lab.first.route_tables.iter().find(|table| table.subnets == [far.clone()]);
    let second = second.expect("the monitor's subnet has a table of its own").id.clone();

    lab.replace_route(&second, &monitor);
    let found = doctor(&lab, &[], &[]);
    let said = format!("in {second} leads to {} ({monitor}), which isn't ours", lab.monitor.id);
    found.has("route-set", "failure", &said, "--route-table");
    lab.route("DeleteRoute", &second, DESTINATION, None);

    let elsewhere = [
        ("RouteTableId", &*second),
        ("DestinationCidrBlock", "10.0.0.0/8"),
        ("GatewayId", &*internet),
    ];
    lab.api("CreateRoute", &elsewhere);
    let found = doctor(&lab, &[], &[]);
    let said = format!("machines in {far} don't reach {DESTINATION}: {second} leads 10.0.0.0/8");
    let fix = format!("aws ec2 create-route --route-table-id {second}");
    found.has("client-subnets", "warning", &said, &fix);
    lab.route("DeleteRoute", &second, "10.0.0.0/8", None);
    lab.route("CreateRoute", &second, DESTINATION, Some(&holder));
    lab.is_mended();

    // Replacements in the monitor's own zone need the way back as well.
    lab.route("DeleteRoute", &second, OVERLAY, None);
    let found = doctor(&lab, &[], &[]);
    let said = format!("{second} has no way back to 10.0.0.100");
    found.has("way-back", "failure", &said, &fix).only(4, &["way-back"]);
    lab.route("CreateRoute", &second, OVERLAY, Some(&monitor));
    lab.is_mended();
}

#[test]
fn rules_of_the_wrong_kind_for_the_wrong_group_or_by_prefix_list_are_found() {
    let lab = Lab::unthrottled(&[]);
    let group = lab.holder.security_groups[0].clone();
    let (allow, revoke) = ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress");
    let (members, pings) = (("Groups.1.GroupId", &*group), ("IpRanges.1.CidrIp", "10.0.0.0/24"));

    let vpc = ("VpcId", &*lab.first.vpc);
    let name = [("GroupName", "other"), ("GroupDescription", "admits nothing"), vpc];
    let made = lab.api("CreateSecurityGroup", &name);
    let other = between(&made, "<groupId>", "</groupId>");
    let found = doctor(&lab, &[("--security-group", other)], &[]);
    let said = format!("no rule of {other} lets pings of 10.0.0.100 in to replacements");
    let fix = format!("--group-id {other} --ip-permissions");
    found.has("ingress", "failure", &said, &fix).only(4, &["ingress"]);

    lab.rule(revoke, &group, "icmp", pings);
    lab.rule(revoke, &group, "-1", members);
    lab.rule(allow, &group, "tcp", ("IpRanges.1.CidrIp", "0.0.0.0/0"));
    let found = doctor(&lab, &[], &[]);
    for source in ["10.0.0.100", "172.31.16.10"] {
        let said = format!("no rule of {group} lets pings of {source} in");
        found.has("ingress", "failure", &said, &format!("CidrIp={source}/32"));
    }
    found.only(4, &["ingress", "answers"]);

    // Packets pass, and doctor, which doesn't read the list, can't tell.
    let list = lab.arrange(&["prefix-list", "10.0.0.0/24", "172.31.16.0/20"]);
    lab.rule(allow, &group, "icmp", ("PrefixListIds.1.PrefixListId", &list));
    let found = doctor(&lab, &[], &[]);
    let said =
        format!("lets pings of 10.0.0.100 in to the holder and its replacements only if {list}");
    found.has("ingress", "unknown", &said, "").has("answers", "ok", "", "").only(5, &["ingress"]);
    lab.rule(revoke, &group, "icmp", ("PrefixListIds.1.PrefixListId", &list));
    lab.rule(allow, &group, "icmp", pings);
    lab.rule(allow, &group, "-1", members);
    lab.is_mended();

    let everybody = ("IpRanges.1.CidrIp", "0.0.0.0/0");
    lab.rule("RevokeSecurityGroupEgress", &group, "-1", everybody);
    lab.rule("AuthorizeSecurityGroupEgress", &group, "icmp", ("IpRanges.1.CidrIp", DESTINATION));
    let found = doctor(&lab, &[], &[]);
    let said = "172.31.48.10 from 10.0.0.100: silent, so a lost address";
    found.has("answers", "warning", said, "`network-acl`").has("answers", "ok", "10.0.0.10", "");
    let said = "this machine's, lets pings to 172.31.48.10 out";
    found.has("egress", "failure", said, "").only(4, &["egress", "answers"]);
    lab.rule("AuthorizeSecurityGroupEgress", &group, "-1", everybody);
    lab.is_mended();
}

#[test]
fn an_acl_before_the_monitor_and_one_that_denies_first_of_all_are_found() {
    let lab = Lab::unthrottled(&[]);
    let told = lab.api("DescribeNetworkAcls", &[]);
    let first = between(&told, "<networkAclId>", "</networkAclId>");
    let deny = [
        ("NetworkAclId", first),
        ("RuleNumber", "1"),
        ("Egress", "false"),
        ("Protocol", "-1"),
        ("CidrBlock", "0.0.0.0/0"),
        ("RuleAction", "deny"),
    ];
    lab.api("CreateNetworkAclEntry", &deny);
    let found = doctor(&lab, &[], &[]);
    let fix = format!(
        "aws ec2 delete-network-acl-entry --network-acl-id {first} --ingress --rule-number 1"
    );
    found.has("network-acl", "failure", "its entry 1 denies them", &fix);
    found.only(4, &["network-acl", "answers"]);
    lab.api("DeleteNetworkAclEntry", &deny[..3]);
    lab.is_mended();

    // One that was made and never given an entry.
    let made = lab.api("CreateNetworkAcl", &[("VpcId", &lab.first.vpc)]);
    let second = between(&made, "<networkAclId>", "</networkAclId>");
    let far = lab.subnet_in("us-east-1c");
    let mut associations = told.split("<networkAclAssociationId>").skip(1);
    let association = associations.find(|of| of.contains(&far)).expect("its subnet has one");
    let association = association.split_once('<').expect("it ends").0;
    let moved = lab.api(
        "ReplaceNetworkAclAssociation",
        &[("AssociationId", association), ("NetworkAclId", second)],
    );
    let found = doctor(&lab, &[], &[]);
    let said = format!("{second} lets no echo requests to 10.0.0.10 out: nothing allows them");
    let fix = format!("--network-acl-id {second} --egress");
    found.has("network-acl", "failure", &said, &fix).only(4, &["network-acl", "answers"]);
    let back = between(&moved, "<newAssociationId>", "</newAssociationId>");
    lab.api("ReplaceNetworkAclAssociation", &[("AssociationId", back), ("NetworkAclId", first)]);
    lab.is_mended();
}

#[test]
fn control_targets_that_do_not_answer_or_cannot_be_asked_are_found() {
    let lab = Lab::unthrottled(&[]);
    let check = "control-targets";
    let none = doctor(&lab, &[], &[]);
    none.has(check, "unproven", "no control target is named", "--control-target IP").only(0, &[]);

    // One whose group admits nobody, as a new group does.
    let name = [("GroupName", "shut"), ("GroupDescription", "admits nobody")];
    let made = lab.api("CreateSecurityGroup", &[&name[..], &[("VpcId", &lab.first.vpc)]].concat());
    let group = between(&made, "<groupId>", "</groupId>");
    let (_, near) = lab.launch("us-east-1b", group);
    let one = ["--control-target", &*near];
    let silent = format!("{near}: silent, and while no control target answers nothing is moved");
    let fix = "let it answer pings of this machine (its groups and ACLs)";
    let found = doctor(&lab, &[], &one);
    found.has(check, "failure", &silent, fix).only(4, &[check]);

    // Beside another one that answers it is only one fewer.
    let (far, other) = lab.launch("us-east-1a", &lab.group());
    let both = [&one[..], &["--control-target", &other]].concat();
    let found = doctor(&lab, &[], &both);
    let answers = format!("{other}: answers");
    found.has(check, "warning", &format!("{near}: silent"), fix).has(check, "ok", &answers, "");
    found.only(3, &[check]);
    lab.break_(&far, "crash");
    let found = doctor(&lab, &[], &both);
    found.has(check, "failure", &silent, fix);
    found.has(check, "failure", &format!("{other}: silent, and while no"), fix);
    found.only(4, &[check]);

    lab.rule("AuthorizeSecurityGroupIngress", group, "icmp", ("IpRanges.1.CidrIp", "0.0.0.0/0"));
    doctor(&lab, &[], &one).has(check, "ok", &format!("{near}: answers"), "").only(0, &[]);
    lab.script("monitor", &format!("ip route add unreachable {near}"));
    let found = doctor(&lab, &[], &one);
    found.has(check, "unknown", &format!("{near}: "), "").only(5, &[check]);
    lab.script("monitor", &format!("ip route del unreachable {near}"));
    doctor(&lab, &[], &one).only(0, &[]);
}
