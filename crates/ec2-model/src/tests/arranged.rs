//! What somebody else has done to the account, and what AWS makes of it.

use super::*;
use crate::{
    ArrangeError, Arrangement, PlaneTarget,
    api::{ChangeRules, DescribeInstanceTypeOfferings, IpPermission, Page},
};

impl Lab {
    fn arrange(&mut self, what: &Arrangement) -> Option<String> {
        self.ec2.arrange(self.now, what, false).unwrap()
    }

    fn undo(&mut self, what: &Arrangement) {
        assert_eq!(self.ec2.arrange(self.now, what, true).unwrap(), None);
    }

    fn code(&mut self, what: &Arrangement) -> String {
        match self.ec2.arrange(self.now, what, false).unwrap_err() {
            ArrangeError::Refused(error) => error.code,
            other @ (ArrangeError::Setup(_) | ArrangeError::Stays(_)) => other.to_string(),
        }
    }

    fn tables(&mut self) -> Vec<crate::api::RouteTable> {
        let answer = self.call(&Request::DescribeRouteTables(Select::default())).unwrap();
        let Response::DescribeRouteTables(Page { items, .. }) = answer else { panic!() };
        items
    }

    fn gateway(&mut self) {
        let vpc = self.vpc.clone();
        self.ec2.create_internet_gateway(&vpc).unwrap();
    }

    fn target_of(&mut self, block: &str) -> Vec<PlaneTarget> {
        let plane = self.ec2.plane(self.now);
        let routes = plane.tables.into_iter().flat_map(|table| table.routes);
        let mut found = routes.filter(|route| route.destination.to_string() == block);
        found.by_ref().map(|route| route.target).collect()
    }
}

fn block(text: &str) -> crate::Cidr {
    text.parse().unwrap()
}

#[test]
fn the_clock_moves_the_whole_calendar_and_comes_back() {
    let mut lab = Lab::new(Pace::instant());
    let before = lab.ec2.timestamp(lab.now).0;
    lab.arrange(&Arrangement::Clock { ahead_s: -400 });
    assert_eq!(lab.ec2.timestamp(lab.now).0, before - 400_000);
    assert_eq!(lab.ec2.clock_ahead_s(), -400);
    lab.arrange(&Arrangement::Clock { ahead_s: 45 });
    assert_eq!(lab.ec2.timestamp(lab.now).0, before + 45_000);
    lab.undo(&Arrangement::Clock { ahead_s: 45 });
    assert_eq!(lab.ec2.timestamp(lab.now).0, before);
}

#[test]
fn what_is_full_or_gone_refuses_launches_until_it_is_undone() {
    let mut lab = Lab::new(Pace::instant());
    let launch = lab.launch('b');
    let rows = [
        (
            Arrangement::FreeAddresses { subnet: lab.subnets[&'b'].clone(), most: 0 },
            "InsufficientFreeAddressesInSubnet",
        ),
        (
            Arrangement::TypeGone { instance_type: "t3.micro".into(), zone: "eu-west-1b".into() },
            "Unsupported",
        ),
        (Arrangement::KeyGone { name: "key".into() }, "InvalidKeyPair.NotFound"),
        (Arrangement::ImageGone { image: lab.image.clone() }, "InvalidAMIID.NotFound"),
    ];
    for (what, code) in rows {
        lab.arrange(&what);
        assert_eq!(lab.try_run(&launch).unwrap_err().code, code, "{what:?}");
        lab.undo(&what);
        lab.wait(1_000);
        lab.try_run(&launch).unwrap();
    }
    let gone = Arrangement::KeyGone { name: "nobodys".into() };
    assert_eq!(lab.code(&gone), "there is no key pair nobodys");
    let zone = Arrangement::TypeGone { instance_type: "t3.micro".into(), zone: "b".into() };
    assert_eq!(lab.code(&zone), "there is no Availability Zone b");
}

#[test]
fn raised_limits_throttle_nothing() {
    let mut lab = Lab::new(Pace::instant());
    let launch = RunInstances { dry_run: true, ..lab.launch('b') };
    let codes = |lab: &mut Lab| {
        let tries = (0..20).map(|_| lab.try_run(&launch).unwrap_err().code);
        tries.filter(|code| code != "DryRunOperation").count()
    };
    assert_eq!(codes(&mut lab), 15);
    lab.arrange(&Arrangement::Unthrottled);
    assert_eq!(codes(&mut lab), 0);
    lab.undo(&Arrangement::Unthrottled);
    assert!(codes(&mut lab) > 0);
}

#[test]
fn a_zone_without_a_type_isnt_listed_for_it() {
    let mut lab = Lab::new(Pace::instant());
    let (instance_type, zone) = ("t3.micro".to_owned(), "eu-west-1b".to_owned());
    lab.arrange(&Arrangement::TypeGone { instance_type, zone });
    let request = Request::DescribeInstanceTypeOfferings(DescribeInstanceTypeOfferings {
        location_type: Some("availability-zone".into()),
        ..DescribeInstanceTypeOfferings::default()
    });
    let Response::DescribeInstanceTypeOfferings(page) = lab.call(&request).unwrap() else {
        panic!()
    };
    let zones = page.items.iter().filter(|offer| offer.instance_type == "t3.micro");
    let zones: Vec<&str> = zones.map(|offer| offer.location.as_str()).collect();
    assert_eq!(zones, ["eu-west-1a", "eu-west-1c"]);
}

#[test]
fn another_block_of_the_vpc_is_local_everywhere_and_has_to_go_with_the_first() {
    let mut lab = Lab::new(Pace::instant());
    let of = |text: &str| Arrangement::Block { cidr: block(text) };
    lab.arrange(&of("100.64.0.0/16"));
    assert_eq!(lab.target_of("100.64.0.0/16"), [PlaneTarget::Local]);
    assert_eq!(lab.code(&of("100.64.1.0/24")), "InvalidVpc.Range");
    let refused = lab.call(&Request::CreateRoute(route_to(&lab.table, "100.64.0.10/32")));
    assert_eq!(refused.unwrap_err().code, "InvalidParameterValue");
    lab.undo(&of("100.64.0.0/16"));
    assert_eq!(lab.target_of("100.64.0.0/16"), []);
    for restricted in ["10.0.0.0/16", "192.168.0.0/16", "198.19.1.0/24", "100.64.0.0/10"] {
        assert_eq!(lab.code(&of(restricted)), "InvalidVpc.Range", "{restricted}");
    }
    lab.arrange(&of("172.20.0.0/16"));
    lab.gateway();
    let table = lab.table.clone();
    lab.arrange(&Arrangement::Routes { table, total: 5 });
    assert_eq!(lab.code(&of("198.18.0.0/16")), "InvalidVpc.Range", "routes lead there");
}

fn route_to(table: &str, destination: &str) -> RouteSpec {
    RouteSpec {
        route_table_id: table.into(),
        destination_cidr_block: Some(destination.into()),
        local_target: true,
        ..RouteSpec::default()
    }
}

#[test]
fn a_propagated_route_is_told_and_loses_against_a_static_one_and_inside_the_vpc() {
    let mut lab = Lab::new(Pace::instant());
    lab.gateway();
    let table = lab.table.clone();
    let of = |text: &str| {
        let destination = block(text);
        Arrangement::Propagated { table: table.clone(), destination }
    };
    lab.arrange(&of("10.0.0.10/32"));
    lab.arrange(&of("172.31.48.0/24"));
    let told = lab.tables().remove(0);
    assert_eq!(told.propagating_vgws.len(), 1);
    assert!(told.propagating_vgws[0].starts_with("vgw-"));
    let origins = told.routes.iter().filter(|r| r.origin == "EnableVgwRoutePropagation").count();
    assert_eq!(origins, 2);
    assert_eq!(lab.target_of("10.0.0.10/32"), [PlaneTarget::Internet]);
    assert_eq!(lab.target_of("172.31.48.0/24"), [], "the local route wins");
    let (holder, now) = (lab.holder.clone(), lab.now);
    let eni = lab.ec2.instance(&holder).unwrap().network_interfaces[0].network_interface_id.clone();
    let route = RouteSpec {
        route_table_id: table.clone(),
        destination_cidr_block: Some("10.0.0.10/32".into()),
        network_interface_id: Some(eni.clone()),
        ..RouteSpec::default()
    };
    lab.ec2.operate(now, &Request::CreateRoute(route)).unwrap();
    assert_eq!(lab.target_of("10.0.0.10/32"), [PlaneTarget::Eni(eni)]);
    lab.undo(&of("10.0.0.10/32"));
    lab.undo(&of("172.31.48.0/24"));
    assert!(lab.tables().remove(0).propagating_vgws.is_empty());
}

#[test]
fn a_gateways_table_tells_its_gateway_and_a_full_table_takes_no_more() {
    let mut lab = Lab::new(Pace::instant());
    lab.gateway();
    let id = lab.arrange(&Arrangement::GatewayTable).unwrap();
    let tables = lab.tables();
    let table = tables.iter().find(|table| table.route_table_id == id).unwrap();
    assert!(table.associations[0].gateway_id.as_ref().unwrap().starts_with("igw-"));
    let undone = lab.ec2.arrange(lab.now, &Arrangement::GatewayTable, true).unwrap_err();
    assert_eq!(undone.to_string(), "a route table that was made stays");
    let full = Arrangement::Routes { table: lab.table.clone(), total: 500 };
    lab.arrange(&full);
    let routes = |lab: &mut Lab| {
        let table = lab.table.clone();
        lab.tables().into_iter().find(|t| t.route_table_id == table).unwrap().routes.len()
    };
    assert_eq!(routes(&mut lab), 500);
    let more = Arrangement::Routes { table: lab.table.clone(), total: 501 };
    assert_eq!(lab.code(&more), "RouteLimitExceeded");
    lab.undo(&full);
    assert_eq!(routes(&mut lab), 1);
}

#[test]
fn an_elastic_ip_is_the_accounts_and_outlives_a_stop() {
    let mut lab = Lab::new(Pace::instant());
    let holder = lab.holder.clone();
    let what = Arrangement::ElasticIp { instance: holder.clone() };
    lab.arrange(&what);
    let association =
        |lab: &Lab| lab.ec2.instance(&holder).unwrap().network_interfaces[0].association.clone();
    assert_eq!(association(&lab).unwrap().ip_owner_id, lab.ec2.account());
    let told = |lab: &mut Lab, ids: &[&str]| {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        lab.call(&Request::DescribeAddresses(Select { ids, ..Select::default() }))
    };
    let Response::DescribeAddresses(all) = told(&mut lab, &[]).unwrap() else { panic!() };
    assert_eq!(all[0].instance_id.as_ref(), Some(&holder));
    let by_id = told(&mut lab, &[&all[0].allocation_id, "203.0.113.1"]).unwrap();
    assert_eq!(by_id, Response::DescribeAddresses([all.clone(), all].concat()));
    assert_eq!(told(&mut lab, &["203.0.113.9"]).unwrap_err().code, "InvalidAddress.NotFound");
    lab.stop(&holder).unwrap();
    lab.wait(1);
    assert_eq!(association(&lab).unwrap().public_ip.to_string(), "203.0.113.1");
    lab.undo(&what);
    assert_eq!(association(&lab), None);
    let tag = Arrangement::ServiceTag {
        resource: lab.table.clone(),
        key: "aws:cloudformation:stack-name".into(),
        value: "net".into(),
    };
    lab.arrange(&tag);
    assert_eq!(lab.tables()[0].tags.len(), 1);
    lab.undo(&tag);
    assert_eq!(lab.tables()[0].tags.len(), 0);
}

#[test]
fn a_prefix_list_admits_its_blocks_and_is_told_by_its_id() {
    let mut lab = Lab::new(Pace::instant());
    let blocks = vec![block("10.0.0.100/32"), block("10.0.1.0/24")];
    let list = lab.arrange(&Arrangement::PrefixList { blocks: blocks.clone() }).unwrap();
    assert!(list.starts_with("pl-"));
    let groups = lab.ec2.instance(&lab.holder).unwrap().groups;
    let rules = |list: &str| {
        Request::AuthorizeSecurityGroupIngress(ChangeRules {
            group_id: Some(groups[0].group_id.clone()),
            permissions: vec![IpPermission {
                ip_protocol: "icmp".into(),
                from_port: Some(-1),
                to_port: Some(-1),
                prefix_list_ids: vec![list.into()],
                ..IpPermission::default()
            }],
            ..ChangeRules::default()
        })
    };
    let unknown = lab.call(&rules("pl-00000000000000000")).unwrap_err();
    assert_eq!(unknown.code, "InvalidPrefixListID.NotFound");
    let Response::AuthorizeSecurityGroup(made) = lab.call(&rules(&list)).unwrap() else { panic!() };
    assert_eq!(made[0].prefix_list_id.as_ref(), Some(&list));
    let plane = lab.ec2.plane(lab.now);
    assert!(plane.instances[0].admits.ingress.iter().any(|one| one.peers == blocks));
}
