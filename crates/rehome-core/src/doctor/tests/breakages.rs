//! One thing broken at a time: found by the check that is about it, with the fix.

use super::*;
use Verdict::{Failure, Unknown, Warning};

pub(super) type Breaking = fn(&mut Order, &mut Facts);

pub(super) fn holder_of(facts: &mut Facts) -> &mut Instance {
    facts.instances.as_mut().unwrap().get_mut(&HOLDER.parse().unwrap()).unwrap()
}

pub(super) fn monitor_of(facts: &mut Facts) -> &mut Instance {
    facts.instances.as_mut().unwrap().get_mut(&MONITOR.parse().unwrap()).unwrap()
}

pub(super) fn first_table(facts: &mut Facts) -> &mut RouteTable {
    &mut facts.tables.as_mut().unwrap()[0]
}

pub(super) fn vip_route(facts: &mut Facts) -> &mut Route {
    let destination = "10.0.0.10/32".parse().unwrap();
    let mut routes = first_table(facts).routes.iter_mut();
    routes.find(|route| route.destination == destination).unwrap()
}

pub(super) fn drop_route(facts: &mut Facts, destination: &str) {
    let destination = destination.parse().unwrap();
    first_table(facts).routes.retain(|route| route.destination != destination);
}

/// A table of its own for the subnet in us-east-1b, without routes for the overlay addresses.
pub(super) fn second_table(facts: &mut Facts) -> &mut RouteTable {
    facts.tables.as_mut().unwrap().push(RouteTable {
        id: "rtb-00000002".parse().unwrap(),
        main: false,
        subnets: alloc::vec!["subnet-0000000b".parse().unwrap()],
        gateways: Vec::new(),
        routes: alloc::vec![route("172.31.0.0/16", "local"), route("0.0.0.0/0", "igw-00000001"),],
    });
    facts.tables.as_mut().unwrap().last_mut().unwrap()
}

pub(super) fn rules_of(facts: &mut Facts) -> &mut GroupRules {
    &mut facts.groups.as_mut().unwrap()[0]
}

pub(super) fn entries(facts: &mut Facts) -> &mut Vec<AclEntry> {
    &mut facts.acls.as_mut().unwrap()[0].entries
}

pub(super) fn answer(facts: &mut Facts, action: &str, code: &str, message: &str) {
    for trial in facts.trials.iter_mut().filter(|trial| trial.call.action() == action) {
        trial.answer = Err(refused(code, message));
    }
}

/// What is broken, by which check it is found, how badly, and words of evidence and fix.
pub(super) type Row = (&'static str, Breaking, &'static str, Verdict, &'static str, &'static str);

const MACHINE: &[Row] = &[
    (
        "no pings",
        |_, f| f.machine.icmp = Err(Refusal::new("may not send pings", "sysctl")),
        "icmp",
        Failure,
        "may not send pings",
        "sysctl",
    ),
    (
        "state directory",
        |_, f| f.machine.state_directory = Err(Refusal::new("/x can't be written", "chmod")),
        "state-directory",
        Failure,
        "/x",
        "chmod",
    ),
    (
        "state file",
        |_, f| f.known = Err(Refusal::new("the state file is damaged", "mv it")),
        "state-file",
        Failure,
        "damaged",
        "mv it",
    ),
    (
        "hook",
        |_, f| f.machine.hook = Some(Err(Refusal::new("/tell is missing", "install it"))),
        "notify-exec",
        Failure,
        "/tell",
        "install",
    ),
    (
        "a source that isn't ours",
        |o, f| {
            o.sources = alloc::vec![address("10.0.0.101"), address(PRIMARY)];
            first_table(f).routes.push(route("10.0.0.101/32", MONITOR));
        },
        "monitor-address",
        Failure,
        "10.0.0.101 is to be probed from and is no address of this machine",
        "rehome monitor-net apply --address 10.0.0.101/24",
    ),
    (
        "no local rule",
        |o, f| {
            f.machine.towards_vip = Some(by_router(PRIMARY));
            o.sources = alloc::vec![address(PRIMARY)];
        },
        "monitor-address",
        Warning,
        "sends to 10.0.0.10 from 172.31.16.10: the rule or the route for 10.0.0.0/24 is missing",
        "rehome monitor-net apply --address 10.0.0.100/24",
    ),
    (
        "a neighbor that is none",
        |_, f| {
            f.machine.towards_vip = Some(Way { gateway: None, ..by_router(OVERLAY) });
        },
        "monitor-address",
        Failure,
        "takes 10.0.0.10 for a neighbor, because 10.0.0.100 is in 10.0.0.0/24",
        "rehome monitor-net apply --address 10.0.0.100/24",
    ),
    (
        "the address here",
        |_, f| f.machine.addresses.push(own("10.0.0.10", 32)),
        "monitor-address",
        Failure,
        "10.0.0.10 is an address of this very machine",
        "take the address away",
    ),
    (
        "no way out",
        |o, f| {
            f.machine.addresses = alloc::vec![own(PRIMARY, 20)];
            f.machine.towards_vip = None;
            o.sources = alloc::vec![address(PRIMARY)];
        },
        "monitor-address",
        Failure,
        "no route to 10.0.0.10",
        "default route",
    ),
    (
        "no region",
        |_, f| f.region = Err(Refusal::new("there is no AWS region", "export")),
        "region",
        Failure,
        "no AWS region",
        "export",
    ),
    (
        "another region",
        |_, f| f.region.as_mut().unwrap().own = Some("eu-west-1".into()),
        "region",
        Warning,
        "this machine is in eu-west-1",
        "export AWS_DEFAULT_REGION=eu-west-1",
    ),
    (
        "no credentials",
        |_, f| f.credentials = Credentials::Missing("nothing in the chain".into()),
        "credentials",
        Failure,
        "nothing in the chain",
        "instance profile",
    ),
    (
        "expired credentials",
        |_, f| f.caller = Err(refused("ExpiredToken", "The token is expired")),
        "credentials",
        Failure,
        "ExpiredToken",
        "aws sts get-caller-identity",
    ),
    (
        "clock somewhat off",
        |_, f| f.clock_ahead = Ok(45),
        "clock",
        Warning,
        "45 s ahead of AWS's",
        "chronyc makestep",
    ),
    (
        "clock too far off",
        |_, f| f.clock_ahead = Ok(-400),
        "clock",
        Failure,
        "400 s behind AWS's, and AWS refuses",
        "chronyc makestep",
    ),
];

const HOLDERS: &[Row] = &[
    (
        "nobody",
        |_, f| {
            f.instances.as_mut().unwrap().remove(&HOLDER.parse().unwrap());
            drop_route(f, "10.0.0.10/32");
        },
        "holder",
        Failure,
        "the instance i-0000000a does not exist here",
        "region",
    ),
    (
        "stopped",
        |_, f| holder_of(f).state = InstanceState::Stopped,
        "holder",
        Failure,
        "is stopped: `run` would move the address at once",
        "aws ec2 start-instances --instance-ids i-0000000a",
    ),
    (
        "pending",
        |_, f| holder_of(f).state = InstanceState::Pending,
        "holder",
        Warning,
        "is pending",
        "aws ec2 wait instance-running",
    ),
    (
        "an Elastic IP",
        |_, f| {
            holder_of(f).interfaces[0].public =
                Some(PublicAddress { address: "198.51.100.1".into(), elastic: true });
        },
        "replaceable",
        Failure,
        "the Elastic IP 198.51.100.1",
        "--accept-loss elastic-ip",
    ),
    (
        "an accepted loss",
        |o, f| {
            o.accepted = alloc::vec![Loss::Spot];
            holder_of(f).spot_request = Some("sir-1".into());
        },
        "replaceable",
        Warning,
        "would not have the persistent spot request sir-1",
        "--accept-loss spot",
    ),
    (
        "an Auto Scaling group",
        |_, f| {
            let tag = ("aws:autoscaling:groupName".to_string(), "web".to_string());
            holder_of(f).tags.extend([tag]);
        },
        "replaceable",
        Failure,
        "belongs to the Auto Scaling group web",
        "detach",
    ),
    (
        "the holder's check",
        |_, f| holder_of(f).interfaces[0].source_dest_check = Some(true),
        "holder-source-dest-check",
        Warning,
        "on, on eni-0000000a",
        "aws ec2 modify-network-interface-attribute --network-interface-id eni-0000000a \
         --no-source-dest-check",
    ),
    (
        "one zone for both",
        |_, f| monitor_of(f).az = Some("us-east-1a".parse().unwrap()),
        "shared-zone",
        Warning,
        "this machine (i-0000000c) and the holder are both in us-east-1a",
        "another Availability Zone",
    ),
    (
        "silence",
        |_, f| f.pings[0].heard = Ok(false),
        "answers",
        Failure,
        "10.0.0.10 from 10.0.0.100: silent",
        "`ingress`",
    ),
    (
        "a silent primary address",
        |_, f| {
            f.pings[0].target = address("172.31.48.10");
            f.pings[0].heard = Ok(false);
        },
        "answers",
        Warning,
        "172.31.48.10 from 10.0.0.100: silent",
        "`network-acl`",
    ),
];

const REPLACEMENTS: &[Row] = &[
    (
        "no group",
        |o, _| o.wishes.groups.push("sg-0000000b".parse().unwrap()),
        "security-group",
        Failure,
        "the security group sg-0000000b does not exist",
        "aws ec2 describe-security-groups",
    ),
    (
        "another VPC's group",
        |_, f| rules_of(f).vpc = Some("vpc-0000000b".parse().unwrap()),
        "security-group",
        Failure,
        "belongs to vpc-0000000b",
        "name a security group of the holder's VPC",
    ),
    (
        "no key pair",
        |_, f| f.key_exists = Ok(false),
        "key-pair",
        Failure,
        "the key pair my-keypair does not exist",
        "aws ec2 describe-key-pairs",
    ),
    (
        "the holder's key pair is gone",
        |o, f| {
            o.wishes.key = None;
            f.key_exists = Ok(false);
        },
        "key-pair",
        Failure,
        "the holder's key pair my-keypair no longer exists",
        "--keypair",
    ),
    (
        "no image",
        |_, f| f.image = Ok(None),
        "image",
        Failure,
        "ami-0000000a does not exist",
        "--image",
    ),
    (
        "a full subnet",
        |_, f| f.subnets.as_mut().unwrap()[1].free_addresses = 0,
        "subnets",
        Warning,
        "us-east-1b can't take a replacement: no subnet with free IPv4 addresses",
        "--subnet",
    ),
    (
        "a subnet that is nearly full",
        |_, f| f.subnets.as_mut().unwrap()[1].free_addresses = 2,
        "subnets",
        Warning,
        "subnet-0000000b has 2 free addresses",
        "--subnet",
    ),
    (
        "no other zone",
        |_, f| f.subnets.as_mut().unwrap().truncate(1),
        "subnets",
        Failure,
        "no subnet in another Availability Zone can take a replacement",
        "--subnet",
    ),
    (
        "a type that one zone lacks",
        |_, f| f.offered.as_mut().unwrap().retain(|az| az.as_str() != "us-east-1b"),
        "instance-type",
        Warning,
        "offered in us-east-1c, us-east-1a, but not in us-east-1b",
        "--instance-type",
    ),
    (
        "a type that no other zone has",
        |_, f| f.offered.as_mut().unwrap().truncate(1),
        "instance-type",
        Failure,
        "no other zone offers t3.micro",
        "--instance-type",
    ),
    (
        "a broken template",
        |_, f| {
            for of in &mut f.user_data {
                of.rendered = Err(Refusal::new("t.sh:3: undefined value", "the variables are"));
            }
        },
        "user-data",
        Failure,
        "t.sh:3",
        "the variables are",
    ),
    (
        "launches denied",
        |_, f| {
            let message = "You are not authorized. User: u is not authorized to perform: \
                           ec2:CreateTags on resource: r. Encoded authorization failure message: x";
            answer(f, "RunInstances", "UnauthorizedOperation", message);
        },
        "launch",
        Failure,
        "EC2 would refuse t3.micro",
        "allow ec2:CreateTags",
    ),
    (
        "launches refused everywhere",
        |_, f| answer(f, "RunInstances", "InvalidAMIID.NotFound", "no such image"),
        "launch",
        Failure,
        "us-east-1b (subnet-0000000b), us-east-1c (subnet-0000000c), us-east-1a (subnet-0000000a): \
         InvalidAMIID.NotFound: no such image",
        "see `image`",
    ),
    (
        "launches refused in one zone",
        |_, f| f.trials[0].answer = Err(refused("Unsupported", "not in that zone")),
        "launch",
        Warning,
        "us-east-1b (subnet-0000000b): Unsupported: not in that zone",
        "us-east-1c is enough",
    ),
    (
        "launches throttled",
        |_, f| answer(f, "RunInstances", "RequestLimitExceeded", "slow down"),
        "launch",
        Unknown,
        "RequestLimitExceeded",
        "",
    ),
];

const ROUTES: &[Row] = &[
    (
        "an address of the VPC",
        |_, f| f.vpc_cidrs.as_mut().unwrap().push("10.0.0.0/16".parse().unwrap()),
        "vip-outside-vpc",
        Failure,
        "10.0.0.10/32 lies inside the VPC's block 10.0.0.0/16",
        "choose another",
    ),
    (
        "no route",
        |_, f| drop_route(f, "10.0.0.10/32"),
        "route-set",
        Warning,
        "rtb-00000001 has no route for 10.0.0.10/32; `run` adds it",
        "aws ec2 create-route --route-table-id rtb-00000001 --destination-cidr-block 10.0.0.10/32 \
         --network-interface-id eni-0000000a",
    ),
    (
        "a black hole",
        |_, f| vip_route(f).state = RouteState::Blackhole,
        "route-set",
        Failure,
        "which is a black hole: the instance is stopped",
        "aws ec2 start-instances --instance-ids i-0000000a",
    ),
    (
        "a black hole to nobody",
        |_, f| {
            *vip_route(f) = Route {
                state: RouteState::Blackhole,
                target: Target::Interface { id: eni("i-0000000f"), instance: None },
                ..route("10.0.0.10/32", HOLDER)
            };
        },
        "route-set",
        Failure,
        "leads 10.0.0.10/32 to eni-0000000f, which is a black hole",
        "aws ec2 replace-route --route-table-id rtb-00000001",
    ),
    (
        "a stranger's route in a second table",
        |_, f| {
            let stranger = route("10.0.0.10/32", MONITOR);
            second_table(f).routes.push(stranger);
        },
        "route-set",
        Failure,
        "in rtb-00000002 leads to i-0000000c (eni-0000000c), which isn't ours",
        "--route-table",
    ),
    (
        "a gateway's table",
        |o, f| {
            o.tables = alloc::vec!["rtb-00000002".parse().unwrap()];
            second_table(f).gateways.push("igw-00000001".into());
        },
        "route-set",
        Failure,
        "belongs to the gateway igw-00000001",
        "name tables of subnets",
    ),
    (
        "a propagated route",
        |o, f| {
            o.tables = alloc::vec!["rtb-00000001".parse().unwrap()];
            *vip_route(f) = Route { by_hand: false, ..route("10.0.0.10/32", "vgw-00000001") };
        },
        "shadowing",
        Failure,
        "a gateway propagates 10.0.0.10/32: vgw-00000001",
        "announces",
    ),
    (
        "a full table",
        |_, f| {
            for third in 0..=255 {
                first_table(f).routes.push(route(&format!("192.168.{third}.0/24"), "tgw-1"));
                first_table(f).routes.push(route(&format!("198.18.{third}.0/24"), "tgw-1"));
            }
        },
        "route-quota",
        Warning,
        "rtb-00000001 has 516 of 500 routes",
        "Service Quotas",
    ),
    (
        "clients without a route",
        |_, f| _ = second_table(f),
        "client-subnets",
        Warning,
        "machines in subnet-0000000b don't reach 10.0.0.10/32: rtb-00000002 has no route for it",
        "aws ec2 create-route --route-table-id rtb-00000002",
    ),
    (
        "clients led elsewhere",
        |_, f| {
            let elsewhere = route("10.0.0.0/8", "tgw-00000001");
            second_table(f).routes.push(elsewhere);
        },
        "client-subnets",
        Warning,
        "rtb-00000002 leads 10.0.0.0/8 to tgw-00000001",
        "aws ec2 create-route --route-table-id rtb-00000002",
    ),
    (
        "no way back",
        |_, f| drop_route(f, "10.0.0.100/32"),
        "way-back",
        Failure,
        "rtb-00000001 has no way back to 10.0.0.100",
        "aws ec2 create-route --route-table-id rtb-00000001 --destination-cidr-block \
         10.0.0.100/32 --network-interface-id eni-0000000c",
    ),
    (
        "a way back to somebody else",
        |_, f| {
            drop_route(f, "10.0.0.100/32");
            first_table(f).routes.push(route("10.0.0.100/32", HOLDER));
        },
        "way-back",
        Failure,
        "back to i-0000000a (eni-0000000a), which isn't this machine",
        "aws ec2 replace-route --route-table-id rtb-00000001",
    ),
    (
        "no way back from another zone",
        |_, f| {
            let vip = route("10.0.0.10/32", HOLDER);
            second_table(f).routes.push(vip);
        },
        "way-back",
        Failure,
        "rtb-00000002 has no way back to 10.0.0.100",
        "aws ec2 create-route --route-table-id rtb-00000002",
    ),
    (
        "CloudFormation",
        |_, f| {
            let tag = ("aws:cloudformation:stack-name".to_string(), "net".to_string());
            f.table_details.as_mut().unwrap()[0].tags.extend([tag]);
        },
        "route-writers",
        Warning,
        "CloudFormation made rtb-00000001 (tag aws:cloudformation:stack-name = net)",
        "AWS::EC2::Route",
    ),
    (
        "Terraform",
        |_, f| {
            let tag = ("ManagedBy".to_string(), "Terraform".to_string());
            f.table_details.as_mut().unwrap()[0].tags.extend([tag]);
        },
        "route-writers",
        Warning,
        "Terraform made rtb-00000001 (tag ManagedBy = Terraform)",
        "ignore_changes",
    ),
];

const PACKETS: &[Row] = &[
    (
        "the monitor's check",
        |_, f| monitor_of(f).interfaces[0].source_dest_check = Some(true),
        "monitor-source-dest-check",
        Failure,
        "EC2 drops what is sent from and to 10.0.0.100",
        "--network-interface-id eni-0000000c --no-source-dest-check",
    ),
    (
        "the mission's trap: a rule that names the group",
        |_, f| rules_of(f).ingress = alloc::vec![rule("-1", (-1, -1), Peer::Group(group_id()))],
        "ingress",
        Failure,
        "no rule of sg-0000000a lets pings of 10.0.0.100 in to the holder and its replacements; \
         the rule for members of sg-0000000a admits the addresses of their interfaces",
        "aws ec2 authorize-security-group-ingress --group-id sg-0000000a --ip-permissions \
         'IpProtocol=icmp,FromPort=-1,ToPort=-1,IpRanges=[{CidrIp=10.0.0.100/32}]'",
    ),
    (
        "no ICMP",
        |_, f| rules_of(f).ingress = alloc::vec![rule("tcp", (0, 65_535), block("0.0.0.0/0"))],
        "ingress",
        Failure,
        "lets pings of 172.31.16.10 in",
        "CidrIp=172.31.16.10/32",
    ),
    (
        "replacements in another group",
        |o, f| {
            let other: GroupId = "sg-0000000b".parse().unwrap();
            o.wishes.groups = alloc::vec![other.clone()];
            let closed = GroupRules { id: other, ingress: Vec::new(), ..rules_of(f).clone() };
            f.groups.as_mut().unwrap().push(closed);
        },
        "ingress",
        Failure,
        "no rule of sg-0000000b lets pings of 10.0.0.100 in to replacements",
        "--group-id sg-0000000b",
    ),
    (
        "a prefix list",
        |_, f| {
            let list = Peer::PrefixList("pl-00000001".into());
            rules_of(f).ingress = alloc::vec![rule("icmp", (-1, -1), list)];
        },
        "ingress",
        Unknown,
        "only if pl-00000001 has that address",
        "",
    ),
    (
        "nothing out",
        |_, f| rules_of(f).egress = alloc::vec![rule("icmp", (8, 0), block("172.31.0.0/16"))],
        "egress",
        Failure,
        "no rule of sg-0000000a, this machine's, lets pings to 10.0.0.10 out",
        "aws ec2 authorize-security-group-egress --group-id sg-0000000a",
    ),
    (
        "an ACL that denies the overlay addresses",
        |_, f| entries(f).push(entry(90, false, false, "10.0.0.0/8")),
        "network-acl",
        Failure,
        "acl-00000001 lets no echo requests from 10.0.0.100 in: its entry 90 denies them",
        "aws ec2 create-network-acl-entry --network-acl-id acl-00000001 --ingress --rule-number \
         89 --protocol 1 --icmp-type-code Type=8,Code=-1 --cidr-block 10.0.0.100/32 \
         --rule-action allow",
    ),
    (
        "an ACL that lets no answers out",
        |_, f| entries(f).retain(|entry| !(entry.egress && entry.allow)),
        "network-acl",
        Failure,
        "lets no echo replies to 10.0.0.100 out: nothing allows them",
        "--egress --rule-number 32766 --protocol 1 --icmp-type-code Type=0,Code=-1",
    ),
    (
        "an ACL before the monitor",
        |_, f| {
            let acls = f.acls.as_mut().unwrap();
            let near = acls[0].subnets.pop().unwrap();
            let mut entries = acls[0].entries.clone();
            entries.retain(|entry| !(entry.allow && entry.egress));
            acls.push(Acl { id: "acl-00000002".into(), subnets: alloc::vec![near], entries });
        },
        "network-acl",
        Failure,
        "acl-00000002 lets no echo requests to 10.0.0.10 out",
        "--network-acl-id acl-00000002 --egress",
    ),
    (
        "an ACL that denies first of all",
        |_, f| entries(f).push(entry(1, false, false, "0.0.0.0/0")),
        "network-acl",
        Failure,
        "its entry 1 denies them",
        "aws ec2 delete-network-acl-entry --network-acl-id acl-00000001 --ingress --rule-number 1",
    ),
    (
        "a subnet without an ACL",
        |_, f| f.acls.as_mut().unwrap()[0].subnets.clear(),
        "network-acl",
        Unknown,
        "no ACL is shown before",
        "",
    ),
];

const PERMISSIONS: &[Row] = &[
    (
        "a reading that is denied",
        |_, f| {
            let answer = Err(refused("UnauthorizedOperation", "no"));
            f.reads.push(Read { action: "DescribeSubnets", answer, for_run: true });
        },
        "read-permissions",
        Failure,
        "ec2:DescribeSubnets is denied",
        "allow ec2:DescribeSubnets",
    ),
    (
        "a reading that only doctor makes",
        |_, f| {
            let answer = Err(refused("UnauthorizedOperation", "no"));
            let action = "DescribeInstanceTypeOfferings";
            f.reads.push(Read { action, answer, for_run: false });
        },
        "read-permissions",
        Warning,
        "only this examination needs it",
        "allow ec2:DescribeInstanceTypeOfferings",
    ),
    (
        "a reading without an answer",
        |_, f| {
            let answer = Err(CallError::NoAnswer("timed out".into()));
            f.reads.push(Read { action: "DescribeSubnets", answer, for_run: true });
        },
        "read-permissions",
        Unknown,
        "ec2:DescribeSubnets: no answer",
        "",
    ),
    (
        "routes",
        |_, f| answer(f, "ReplaceRoute", "UnauthorizedOperation", "You are not authorized"),
        "write-permissions",
        Failure,
        "ReplaceRoute in rtb-00000001: You are not authorized",
        "allow ec2:ReplaceRoute",
    ),
    (
        "the source/dest check",
        |_, f| answer(f, "ModifyNetworkInterfaceAttribute", "UnauthorizedOperation", "no"),
        "write-permissions",
        Failure,
        "ModifyNetworkInterfaceAttribute on eni-0000000a",
        "allow ec2:ModifyNetworkInterfaceAttribute",
    ),
    (
        "the fence",
        |_, f| answer(f, "TerminateInstances", "UnauthorizedOperation", "no"),
        "write-permissions",
        Failure,
        "TerminateInstances of i-0000000a",
        "allow ec2:TerminateInstances",
    ),
    (
        "termination protection",
        |_, f| answer(f, "TerminateInstances", "OperationNotPermitted", "may not be terminated"),
        "write-permissions",
        Warning,
        "the old instance would be kept",
        "aws ec2 modify-instance-attribute --instance-id i-0000000a --no-disable-api-termination",
    ),
];

#[test]
fn each_thing_that_is_broken_is_found_by_its_check_with_evidence_and_fix() {
    for rows in [MACHINE, HOLDERS, REPLACEMENTS, ROUTES, PACKETS, PERMISSIONS] {
        are_found(rows);
    }
}

pub(super) fn are_found(rows: &[Row]) {
    for (name, break_it, check, verdict, evidence, fix) in rows {
        let (mut order, mut facts) = (order(), facts());
        break_it(&mut order, &mut facts);
        let findings = examine(&order, &facts);
        let found = findings.iter().any(|finding| {
            finding.check == *check
                && finding.verdict == *verdict
                && finding.evidence.contains(evidence)
                && finding.fix.as_deref().unwrap_or_default().contains(fix)
        });
        assert!(found, "{name}: {:#?}", troubles(&findings));
    }
}

#[test]
fn a_route_that_is_there_already_or_not_yet_is_permitted_all_the_same() {
    let mut facts = facts();
    answer(&mut facts, "CreateRoute", "RouteAlreadyExists", "exists");
    let missing = "There is no route defined for '10.0.0.10/32' in the route table.";
    answer(&mut facts, "ReplaceRoute", "InvalidParameterValue", missing);
    assert_eq!(troubles(&examine(&order(), &facts)), Vec::<&Finding>::new());
}

#[test]
fn a_group_rule_admits_the_monitors_own_address_but_no_overlay_address() {
    let mut facts = facts();
    rules_of(&mut facts).ingress = alloc::vec![rule("icmp", (-1, -1), Peer::Group(group_id()))];
    let findings = examine(&order(), &facts);
    let of = |source: &str| {
        let about = |f: &&Finding| f.check == "ingress" && f.evidence.contains(source);
        findings.iter().find(about).unwrap().verdict
    };
    assert_eq!(of("pings of 10.0.0.100 "), Failure);
    assert_eq!(of("pings of 172.31.16.10 "), Verdict::Ok);
}

#[test]
fn a_monitor_elsewhere_is_told_what_cannot_be_seen_from_there() {
    let mut facts = facts();
    facts.own_instance = None;
    let mut order = order();
    order.sources = alloc::vec![address("192.0.2.1")];
    rules_of(&mut facts).ingress = Vec::new();
    let findings = examine(&order, &facts);
    let ingress = findings.iter().find(|f| f.check == "ingress").unwrap();
    assert_eq!(ingress.verdict, Warning, "it may be translated on the way: {ingress:?}");
    let unproven = |f: &&Finding| f.verdict == Verdict::Unproven;
    let said = findings.iter().filter(unproven).any(|f| f.evidence.contains("the way from this"));
    assert!(said, "{findings:#?}");
}

#[test]
fn icmp_rules_are_read_by_type_and_code() {
    use rules::{Admission, End, admits};
    let end = End { block: crate::net::Cidr::host(address(OVERLAY)), groups: &[] };
    for (protocol, ports, admitted) in [
        ("-1", (0, 0), true),
        ("icmp", (-1, -1), true),
        ("1", (8, 0), true),
        ("icmp", (8, -1), true),
        ("icmp", (0, -1), false),
        ("icmp", (8, 3), false),
        ("tcp", (0, 65_535), false),
        ("icmpv6", (-1, -1), false),
    ] {
        let rules = [rule(protocol, ports, block("10.0.0.0/24"))];
        let wanted = if admitted { Admission::Admitted } else { Admission::Refused };
        assert_eq!(admits(&rules, end), wanted, "{protocol} {ports:?}");
    }
}
