//! Breakages that lie beside the plain ones: other subnets, other prefixes, other machines.

use super::breakages::{
    Row, answer, are_found, drop_route, entries, first_table, rules_of, second_table, vip_route,
};
use super::*;
use crate::net::Cidr;
use Verdict::{Failure, Unproven, Warning};

/// The one subnet's ACL apart from the others'.
fn acl_of_the_monitors_subnet(facts: &mut Facts) -> &mut Acl {
    let acls = facts.acls.as_mut().unwrap();
    let near = acls[0].subnets.pop().unwrap();
    let entries = acls[0].entries.clone();
    acls.push(Acl { id: "acl-00000002".into(), subnets: alloc::vec![near], entries });
    acls.last_mut().unwrap()
}

fn from_elsewhere(order: &mut Order, facts: &mut Facts) {
    facts.own_instance = None;
    order.sources = alloc::vec![address("192.0.2.1")];
}

fn wide_overlay(order: &mut Order, facts: &mut Facts) {
    order.vip = "10.8.5.10/32".parse().unwrap();
    order.sources = alloc::vec![address("10.8.0.100")];
    facts.machine.addresses = alloc::vec![own(PRIMARY, 20), own("10.8.0.100", 16)];
}

/// Two control targets, of which some answer.
fn control_targets(order: &mut Order, facts: &mut Facts, answers: [bool; 2]) {
    for (target, heard) in ["172.31.16.20", "172.31.32.20"].into_iter().zip(answers) {
        let target = address(target);
        order.controls.push(target);
        facts.pings.push(Ping { source: Some(address(PRIMARY)), target, heard: Ok(heard) });
    }
}

const PATHS: &[Row] = &[
    (
        "no control target answers",
        |o, f| control_targets(o, f, [false, false]),
        "control-targets",
        Failure,
        "172.31.16.20: silent, and while no control target answers nothing is moved",
        "name another",
    ),
    (
        "one control target is silent",
        |o, f| control_targets(o, f, [true, false]),
        "control-targets",
        Warning,
        "172.31.32.20: silent",
        "let it answer",
    ),
    (
        "requests to a candidate's subnet denied at the monitor's",
        |_, f| {
            let acl = acl_of_the_monitors_subnet(f);
            acl.entries.push(entry(50, true, false, "172.31.32.0/20"));
        },
        "network-acl",
        Failure,
        "acl-00000002 lets no echo requests to 172.31.32.0/20 out: its entry 50 denies them",
        "--egress --rule-number 49 --protocol 1 --icmp-type-code Type=8,Code=-1 --cidr-block \
         172.31.32.0/20 --rule-action allow",
    ),
    (
        "answers from a part of a candidate's subnet denied at the monitor's",
        |_, f| {
            let acl = acl_of_the_monitors_subnet(f);
            acl.entries.push(entry(50, false, false, "172.31.40.0/24"));
        },
        "network-acl",
        Failure,
        "lets no echo replies from 172.31.40.0/24 of 172.31.32.0/20, a replacement's in: its \
         entry 50 denies them",
        "--ingress --rule-number 49",
    ),
    (
        "pings to the holder alone may leave",
        |_, f| {
            rules_of(f).egress = alloc::vec![
                rule("icmp", (-1, -1), block("172.31.48.10/32")),
                rule("icmp", (-1, -1), block("10.0.0.0/24")),
            ];
        },
        "egress",
        Failure,
        "no rule of sg-0000000a, this machine's, lets pings to 172.31.32.0/20 out",
        "'IpProtocol=icmp,FromPort=-1,ToPort=-1,IpRanges=[{CidrIp=172.31.32.0/20}]'",
    ),
    (
        "replacements that may send nothing",
        |_, f| rules_of(f).egress.clear(),
        "egress",
        Warning,
        "no rule of sg-0000000a lets replacements send anything but answers",
        "aws ec2 authorize-security-group-egress --group-id sg-0000000a --ip-permissions \
         'IpProtocol=-1,IpRanges=[{CidrIp=0.0.0.0/0}]'",
    ),
    (
        "the same, from outside the VPC",
        |o, f| {
            from_elsewhere(o, f);
            rules_of(f).egress.clear();
        },
        "egress",
        Warning,
        "no rule of sg-0000000a lets replacements send anything but answers",
        "aws ec2 authorize-security-group-egress",
    ),
];

const WAYS: &[Row] = &[
    (
        "a way back to a gateway, while we are inside",
        |_, f| {
            drop_route(f, "10.0.0.100/32");
            first_table(f).routes.push(route("10.0.0.100/32", "igw-00000001"));
        },
        "way-back",
        Failure,
        "rtb-00000001 leads 10.0.0.100/32 back to igw-00000001, which isn't this machine",
        "aws ec2 replace-route --route-table-id rtb-00000001 --destination-cidr-block \
         10.0.0.100/32 --network-interface-id eni-0000000c",
    ),
    (
        "a gateway, while we are outside",
        |o, f| {
            from_elsewhere(o, f);
            first_table(f).routes[1] = route("0.0.0.0/0", "tgw-00000001");
        },
        "way-back",
        Unproven,
        "that 192.0.2.1 is reached by tgw-00000001, to which rtb-00000001 leads 0.0.0.0/0",
        "see `answers`",
    ),
    (
        "no way out at all",
        |o, f| {
            from_elsewhere(o, f);
            drop_route(f, "0.0.0.0/0");
        },
        "way-back",
        Warning,
        "rtb-00000001 has no way back to 192.0.2.1: unless its address is translated",
        "lead 192.0.2.1 in rtb-00000001 to the gateway",
    ),
    (
        "the address's own route is gone",
        |_, f| drop_route(f, "10.0.0.10/32"),
        "client-subnets",
        Warning,
        "machines in subnet-0000000a, subnet-0000000b, subnet-0000000c don't reach 10.0.0.10/32 \
         until `run` adds it to rtb-00000001",
        "aws ec2 create-route --route-table-id rtb-00000001 --destination-cidr-block \
         10.0.0.10/32 --network-interface-id eni-0000000a",
    ),
    (
        "a wide overlay network without its rule",
        |o, f| {
            wide_overlay(o, f);
            f.machine.towards_vip = Some(Way { gateway: None, ..by_router("10.8.0.100") });
        },
        "monitor-address",
        Failure,
        "takes 10.8.5.10 for a neighbor, because 10.8.0.100 is in 10.8.0.0/16",
        "rehome monitor-net apply --address 10.8.0.100/16",
    ),
    (
        "a source that isn't ours in a wide network",
        |o, f| {
            wide_overlay(o, f);
            f.machine.addresses.pop();
        },
        "monitor-address",
        Failure,
        "10.8.0.100 is to be probed from and is no address of this machine",
        "rehome monitor-net apply --address 10.8.0.100/21",
    ),
];

const CALLS: &[Row] = &[
    (
        "termination protection that a DryRun doesn't see",
        |_, f| f.protection = Ok(Protection { termination: true, stop: false }),
        "write-permissions",
        Warning,
        "permitted, but disableApiTermination is set; the old instance would be kept",
        "aws ec2 modify-instance-attribute --instance-id i-0000000a --no-disable-api-termination, \
         or --fence none",
    ),
    (
        "stop protection",
        |o, f| {
            o.fence = FenceMode::Stop;
            f.trials =
                trials(o, f).into_iter().map(|call| Trial { call, answer: Ok(()) }).collect();
            answer(f, "StopInstances", "OperationNotPermitted", "may not be stopped");
        },
        "write-permissions",
        Warning,
        "may not be stopped; the old instance would be kept",
        "aws ec2 modify-instance-attribute --instance-id i-0000000a --no-disable-api-stop",
    ),
    (
        "a type that doesn't exist: EC2's code says nothing of types",
        |_, f| {
            f.offered = Ok(Vec::new());
            answer(f, "RunInstances", "InvalidParameterValue", "Invalid value 'zz9.huge'");
        },
        "launch",
        Failure,
        "us-east-1b (subnet-0000000b), us-east-1c (subnet-0000000c), us-east-1a",
        "see `instance-type`",
    ),
    (
        "a code that nothing here explains",
        |_, f| answer(f, "RunInstances", "PendingVerification", "wait"),
        "launch",
        Failure,
        "PendingVerification: wait",
        "look PendingVerification up",
    ),
];

#[test]
fn what_lies_beside_the_plain_breakages_is_found_too() {
    for rows in [PATHS, WAYS, CALLS] {
        are_found(rows);
    }
}

fn verdicts(order: &Order, facts: &Facts, check: &str) -> Vec<Verdict> {
    let findings = examine(order, facts);
    findings.iter().filter(|f| f.check == check).map(|f| f.verdict).collect()
}

#[test]
fn what_only_looks_like_a_breakage_is_none() {
    type Row = (&'static str, fn(&mut Order, &mut Facts), &'static str);
    let rows: &[Row] = &[
        (
            "an ACL that lets the subnets pass in pieces",
            |_, f| {
                let acl = acl_of_the_monitors_subnet(f);
                acl.entries.retain(|entry| !entry.allow);
                for (egress, number) in [(true, 10), (false, 10)] {
                    acl.entries.push(entry(number, egress, true, "172.31.32.0/21"));
                    acl.entries.push(entry(number + 1, egress, true, "172.31.40.0/21"));
                    acl.entries.push(entry(number + 2, egress, true, "172.31.48.0/20"));
                    acl.entries.push(entry(number + 3, egress, true, "10.0.0.10/32"));
                }
            },
            "network-acl",
        ),
        (
            "what a later entry denies",
            |_, f| entries(f).push(entry(101, true, false, "172.31.32.0/20")),
            "network-acl",
        ),
        (
            "rules that admit the subnets in pieces and replacements by their group",
            |_, f| {
                rules_of(f).egress = alloc::vec![
                    rule("icmp", (-1, -1), block("10.0.0.0/24")),
                    rule("icmp", (-1, -1), Peer::Group(group_id())),
                ];
            },
            "egress",
        ),
        (
            "an overlay network wider than the mission's, with its rule",
            |o, f| {
                wide_overlay(o, f);
                f.machine.towards_vip = Some(by_router("10.8.0.100"));
            },
            "monitor-address",
        ),
        (
            "two overlay addresses, of which the kernel sends from one",
            |_, f| f.machine.addresses.push(own("10.0.0.101", 24)),
            "monitor-address",
        ),
        (
            "protection from what isn't done",
            |_, f| f.protection = Ok(Protection { termination: false, stop: true }),
            "write-permissions",
        ),
    ];
    for (name, change, check) in rows {
        let (mut order, mut facts) = (order(), facts());
        change(&mut order, &mut facts);
        let verdicts = verdicts(&order, &facts, check);
        assert!(verdicts.iter().all(|one| *one == Verdict::Ok), "{name}: {verdicts:?}");
    }
}

#[test]
fn one_refusal_of_all_launches_is_one_finding() {
    let mut facts = facts();
    answer(&mut facts, "RunInstances", "InvalidKeyPair.NotFound", "no such key");
    assert_eq!(verdicts(&order(), &facts, "launch"), [Failure]);
    facts.trials[0].answer = Err(refused("InsufficientFreeAddressesInSubnet", "full"));
    assert_eq!(verdicts(&order(), &facts, "launch"), [Failure, Failure]);
}

#[test]
fn a_subnet_of_our_table_without_the_route_is_no_client_of_the_address() {
    let (order, mut facts) = (order(), facts());
    let led = route("10.0.0.10/32", HOLDER);
    second_table(&mut facts).routes.push(led);
    assert_eq!(verdicts(&order, &facts, "client-subnets"), [Verdict::Ok]);
    drop_route(&mut facts, "10.0.0.10/32");
    assert_eq!(verdicts(&order, &facts, "client-subnets"), [Warning]);
}

#[test]
fn rules_cover_a_block_only_together_and_without_a_gap() {
    use rules::{Admission, End, admits};
    let wanted: Cidr = "172.31.32.0/20".parse().unwrap();
    for (blocks, admitted) in [
        (&["172.31.0.0/16"][..], true),
        (&["172.31.40.0/21", "172.31.32.0/21"], true),
        (&["172.31.32.0/21", "172.31.40.0/22", "172.31.44.0/23"], false),
        (&["172.31.32.1/32"], false),
        (&[], false),
    ] {
        let rules: Vec<Rule> =
            blocks.iter().map(|text| rule("icmp", (-1, -1), block(text))).collect();
        let said = admits(&rules, End { block: wanted, groups: &[] });
        assert_eq!(said == Admission::Admitted, admitted, "{blocks:?}");
    }
    let halves = wanted.halves().unwrap();
    assert_eq!(halves.map(|half| half.to_string()), ["172.31.32.0/21", "172.31.40.0/21"]);
    assert_eq!(Cidr::host(address(PRIMARY)).halves(), None);
    let all = Cidr::containing(address(PRIMARY), 0);
    assert_eq!(all.halves().unwrap()[1].to_string(), "128.0.0.0/1");
}

#[test]
fn a_state_file_that_is_an_old_copy_is_one_failure_and_what_rests_on_it_is_unknown() {
    let (order, mut facts) = (order(), facts());
    let begun = case::Case::new(&order, &facts);
    let begun = begun.begun().unwrap();
    let route_set = begun.route_set.clone().unwrap();
    facts.known = Ok(Some(crate::record::Record { route_set, ..begun.record.clone() }));
    assert_eq!(verdicts(&order, &facts, "state-file"), [Verdict::Ok]);
    let (next, instances) = ("i-0000000b", facts.instances.as_mut().unwrap());
    let mut later = instance(next, "subnet-0000000b", "us-east-1b", "172.31.32.10");
    for (key, value) in [("vip", "10.0.0.10"), ("generation", "1"), ("attempt", "1")] {
        later.tags.insert(format!("rehome:{key}"), value.into());
    }
    instances.insert(later.id.clone(), later);
    vip_route(&mut facts).target = route("10.0.0.10/32", next).target;
    let findings = examine(&order, &facts);
    let failures = || findings.iter().filter(|one| one.verdict == Failure);
    let failed: Vec<&str> = failures().map(|one| one.check.as_str()).collect();
    assert_eq!(failed, ["state-file"], "{findings:#?}");
    let failure = failures().next().unwrap();
    assert!(failure.evidence.contains("is older than what AWS shows"), "{failure:?}");
    assert!(failure.fix.as_ref().unwrap().contains("`rehome adopt`"), "{failure:?}");
    assert_eq!(verdicts(&order, &facts, "holder"), [Verdict::Unknown]);
}
