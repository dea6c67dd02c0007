//! Every check, on a healthy account and on one with a single thing broken.

use alloc::format;
use alloc::string::ToString;

use super::*;
use crate::names::GroupId;
use crate::policy::FenceMode;
use crate::preflight::Loss;
use crate::spec::Wishes;
use crate::testing::{eni, instance, subnet};
use crate::world::{
    AttachedVolume, Image, ImageDevice, InstanceState, PublicAddress, Route, RouteState, Target,
    Volume,
};

mod breakages;
mod more;
mod unread;

pub(super) const HOLDER: &str = "i-0000000a";
pub(super) const MONITOR: &str = "i-0000000c";
pub(super) const OVERLAY: &str = "10.0.0.100";
pub(super) const PRIMARY: &str = "172.31.16.10";

pub(super) fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

pub(super) fn own(text: &str, prefix: u8) -> OwnAddress {
    OwnAddress { address: address(text), prefix }
}

pub(super) fn by_router(source: &str) -> Way {
    Way { source: address(source), gateway: Some(address("172.31.16.1")) }
}

pub(super) fn group_id() -> GroupId {
    "sg-0000000a".parse().unwrap()
}

pub(super) fn route(destination: &str, to: &str) -> Route {
    let target = if to.starts_with("i-") {
        Target::Interface { id: eni(to), instance: Some(to.parse().unwrap()) }
    } else {
        Target::Other(to.into())
    };
    Route {
        destination: destination.parse().unwrap(),
        target,
        state: RouteState::Active,
        by_hand: to != "local",
    }
}

fn table() -> RouteTable {
    RouteTable {
        id: "rtb-00000001".parse().unwrap(),
        main: true,
        subnets: Vec::new(),
        gateways: Vec::new(),
        routes: alloc::vec![
            route("172.31.0.0/16", "local"),
            route("0.0.0.0/0", "igw-00000001"),
            route("10.0.0.10/32", HOLDER),
            route("10.0.0.100/32", MONITOR),
        ],
    }
}

pub(super) fn rule(protocol: &str, ports: (i32, i32), peer: Peer) -> Rule {
    Rule {
        protocol: protocol.into(),
        from_port: Some(ports.0),
        to_port: Some(ports.1),
        peers: alloc::vec![peer],
    }
}

pub(super) fn block(text: &str) -> Peer {
    Peer::Block(text.parse().unwrap())
}

pub(super) fn entry(number: i32, egress: bool, allow: bool, cidr: &str) -> AclEntry {
    AclEntry {
        number,
        egress,
        allow,
        protocol: "-1".into(),
        block: Some(cidr.parse().unwrap()),
        icmp: None,
    }
}

pub(super) fn order() -> Order {
    Order {
        instance: HOLDER.parse().unwrap(),
        vip: "10.0.0.10/32".parse().unwrap(),
        wishes: Wishes {
            groups: alloc::vec![group_id()],
            key: Some("my-keypair".parse().unwrap()),
            ..Wishes::default()
        },
        subnets: Vec::new(),
        tables: Vec::new(),
        accepted: Vec::new(),
        fence: FenceMode::Terminate,
        sources: alloc::vec![address(OVERLAY), address(PRIMARY)],
        controls: Vec::new(),
        canary: None,
    }
}

/// An account in which all is well: the mission's picture.
pub(super) fn facts() -> Facts {
    let subnets = alloc::vec![
        subnet("subnet-0000000a", "us-east-1a", 48),
        subnet("subnet-0000000b", "us-east-1b", 32),
        subnet("subnet-0000000c", "us-east-1c", 16),
    ];
    let mut holder = instance(HOLDER, "subnet-0000000a", "us-east-1a", "172.31.48.10");
    let mut monitor = instance(MONITOR, "subnet-0000000c", "us-east-1c", PRIMARY);
    for one in [&mut holder, &mut monitor] {
        one.key = Some("my-keypair".parse().unwrap());
    }
    let all = || rule("-1", (-1, -1), block("0.0.0.0/0"));
    let image = Image { id: "ami-0000000a".parse().unwrap(), available: true, devices: Vec::new() };
    let caller = Caller { account: "123456789012".into(), arn: "arn:aws:iam::1:user/x".into() };
    let mut facts = Facts {
        machine: Machine {
            icmp: Ok(()),
            state_directory: Ok("/var/lib/rehome can be written to".into()),
            hook: None,
            addresses: alloc::vec![own(PRIMARY, 20), own(OVERLAY, 24)],
            towards_vip: Some(by_router(OVERLAY)),
        },
        region: Ok(Region {
            name: "us-east-1".into(),
            endpoint: "https://ec2.us-east-1.amazonaws.com".into(),
            own: Some("us-east-1".into()),
        }),
        credentials: Credentials::Found,
        caller: Ok(caller),
        clock_ahead: Ok(-1),
        known: Ok(None),
        observing: false,
        own_instance: Some(monitor.id.clone()),
        vpc: holder.vpc.clone(),
        instances: Ok([(holder.id.clone(), holder), (monitor.id.clone(), monitor)].into()),
        vpc_cidrs: Ok(alloc::vec!["172.31.0.0/16".parse().unwrap()]),
        acls: Ok(alloc::vec![Acl {
            id: "acl-00000001".into(),
            subnets: subnets.iter().map(|subnet| subnet.id.clone()).collect(),
            entries: [false, true]
                .into_iter()
                .flat_map(|egress| {
                    let last = rules::LAST_ENTRY;
                    [entry(100, egress, true, "0.0.0.0/0"), entry(last, egress, false, "0.0.0.0/0")]
                })
                .collect(),
        }]),
        subnets: Ok(subnets),
        zones: Ok(Vec::new()),
        tables: Ok(alloc::vec![table()]),
        table_details: Ok(alloc::vec![TableDetails {
            id: "rtb-00000001".parse().unwrap(),
            tags: BTreeMap::new(),
            propagating: Vec::new(),
            prefix_lists: Vec::new(),
        }]),
        groups: Ok(alloc::vec![GroupRules {
            id: group_id(),
            vpc: Some("vpc-0000000a".parse().unwrap()),
            ingress: alloc::vec![all()],
            egress: alloc::vec![all()],
        }]),
        key_exists: Ok(true),
        image: Ok(Some(image)),
        parts: Ok(Parts::default()),
        offered: Ok(["us-east-1a", "us-east-1b", "us-east-1c"]
            .map(|az| az.parse().unwrap())
            .to_vec()),
        protection: Ok(Protection::default()),
        reads: alloc::vec![Read { action: "DescribeInstances", answer: Ok(()), for_run: true }],
        user_data: Vec::new(),
        trials: Vec::new(),
        pings: alloc::vec![Ping {
            source: Some(address(OVERLAY)),
            target: address("10.0.0.10"),
            heard: Ok(true),
        }],
    };
    facts.user_data = wanted(&order(), &facts)
        .sites
        .into_iter()
        .map(|site| UserData {
            az: site.az,
            subnet: site.subnet,
            rendered: Ok(Rendered { bytes: 900, sha256: "00".into() }),
        })
        .collect();
    facts.trials =
        trials(&order(), &facts).into_iter().map(|call| Trial { call, answer: Ok(()) }).collect();
    facts
}

pub(super) fn refused(code: &str, message: &str) -> CallError {
    CallError::Refused { code: code.into(), message: message.into() }
}

/// The findings that aren't well.
pub(super) fn troubles(findings: &[Finding]) -> Vec<&Finding> {
    let well = |finding: &&Finding| !matches!(finding.verdict, Verdict::Ok | Verdict::Unproven);
    findings.iter().filter(well).collect()
}

#[test]
fn a_healthy_account_has_no_findings_but_what_cannot_be_proven() {
    let findings = examine(&order(), &facts());
    assert_eq!(troubles(&findings), Vec::<&Finding>::new());
    assert_eq!(worst(&findings), Verdict::Ok, "what nothing can prove never counts");
    let of = |check: &str| findings.iter().find(|finding| finding.check == check).unwrap();
    assert_eq!(
        of("monitor-address").evidence,
        "the kernel sends to 10.0.0.10 from 10.0.0.100 by 172.31.16.1"
    );
    assert_eq!(of("route-quota").evidence, "rtb-00000001 has 4 of 500 routes");
    assert!(of("launch").evidence.starts_with("EC2 would launch t3.micro of ami-0000000a in "));
}

/// An encrypted root volume, as the image has it.
fn encrypt(facts: &mut Facts) {
    let device = "/dev/xvda".to_string();
    let holder = facts.instances.as_mut().unwrap().get_mut(&HOLDER.parse().unwrap()).unwrap();
    holder.root_device = Some(device.clone());
    holder.volumes =
        alloc::vec![AttachedVolume { device: device.clone(), volume: "vol-1".to_string() }];
    let of_image = ImageDevice { device, delete_on_termination: true };
    facts.image.as_mut().unwrap().as_mut().unwrap().devices.push(of_image);
    facts.parts.as_mut().unwrap().volumes.push(Volume {
        id: "vol-1".to_string(),
        size_gib: 8,
        kind: "gp3".to_string(),
        iops: None,
        throughput: None,
        encrypted: true,
        kms_key: Some("arn:aws:kms:us-east-1:1:key/k".to_string()),
    });
}

#[test]
fn every_check_says_something_and_has_a_name_of_its_own() {
    let mut facts = facts();
    facts.machine.hook = Some(Ok("/usr/local/bin/tell".into()));
    let holder = facts.instances.as_mut().unwrap().get_mut(&HOLDER.parse().unwrap()).unwrap();
    holder.profile = Some("arn:aws:iam::1:instance-profile/p".into());
    encrypt(&mut facts);
    let mut findings = examine(&order(), &facts);
    facts.own_instance = None;
    findings.extend(examine(&order(), &facts));
    for (check, area, _) in CHECKS {
        assert!(findings.iter().any(|f| f.check == *check && f.area == *area), "{check}");
        assert_eq!(CHECKS.iter().filter(|(other, ..)| other == check).count(), 1, "{check}");
    }
}

#[test]
fn the_worst_verdict_is_a_failure_then_what_is_unknown_then_a_warning() {
    let order =
        [Verdict::Ok, Verdict::Unproven, Verdict::Warning, Verdict::Unknown, Verdict::Failure];
    assert!(order.is_sorted());
    assert_eq!(worst(&[]), Verdict::Ok);
}

#[test]
fn the_calls_of_a_move_are_tried_and_nothing_else() {
    let made = trials(&order(), &facts());
    let names: Vec<&str> = made.iter().map(Call::action).collect();
    assert_eq!(
        names,
        [
            "RunInstances",
            "RunInstances",
            "RunInstances",
            "ModifyNetworkInterfaceAttribute",
            "ReplaceRoute",
            "CreateRoute",
            "TerminateInstances",
        ]
    );
    let Call::Launch(launch) = &made[0] else { panic!("a launch") };
    assert_eq!(launch.az.as_str(), "us-east-1b", "the holder's own zone comes last");
    assert_eq!(launch.tags["rehome:vip"], "10.0.0.10");
    let stop = Order { fence: FenceMode::Stop, ..order() };
    assert_eq!(trials(&stop, &facts()).last().unwrap().action(), "StopInstances");
    let none = Order { fence: FenceMode::None, ..order() };
    assert_eq!(trials(&none, &facts()).last().unwrap().action(), "CreateRoute");
}

#[test]
fn observing_nothing_is_tried_and_that_is_well() {
    let mut facts = facts();
    facts.observing = true;
    assert_eq!(trials(&order(), &facts), Vec::new());
    facts.trials.clear();
    assert_eq!(troubles(&examine(&order(), &facts)), Vec::<&Finding>::new());
}

#[test]
fn a_trial_never_uses_the_token_of_a_launch() {
    let known = case::Case::new(&order(), &facts()).begun().ok().unwrap().record.clone();
    for call in trials(&order(), &facts()) {
        if let Call::Launch(launch) = call {
            assert!((0..10).all(|attempt| known.token(attempt) != launch.token));
        }
    }
}

#[test]
fn before_it_begins_run_tries_one_launch_and_each_route_and_heeds_denials_only() {
    let facts = facts();
    let order = order();
    let case = case::Case::new(&order, &facts);
    let begun = case.begun().ok().unwrap();
    let mut record = begun.record.clone();
    record.route_set = begun.route_set.clone().unwrap();
    let digests = [("subnet-0000000b".parse().unwrap(), "00".to_string())].into();
    let calls = quick_trials(&record, &begun.sites.order, &digests);
    let names: Vec<&str> = calls.iter().map(Call::action).collect();
    assert_eq!(names, ["RunInstances", "ReplaceRoute"]);
    let tried = |error: CallError| {
        let one = |call: &Call| Trial { call: call.clone(), answer: Err(error.clone()) };
        denials(&calls.iter().map(one).collect::<Vec<_>>())
    };
    assert!(tried(refused("InsufficientInstanceCapacity", "full")).is_empty());
    assert!(tried(refused("RequestLimitExceeded", "slow down")).is_empty());
    assert!(tried(CallError::NoAnswer("timed out".into())).is_empty());
    let denied = tried(refused("UnauthorizedOperation", "You are not authorized"));
    assert_eq!(denied.len(), 2);
    assert!(denied[0].hint.starts_with("allow ec2:RunInstances "), "{denied:?}");
}
