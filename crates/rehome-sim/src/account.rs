//! The account that a run begins with: the mission's picture, for one to three VIPs.
//!
//! ```text
//! VPC 172.31.0.0/16: one to three route tables, all with a route for each VIP
//! |- zone a 172.31.48.0/20   holder 0 (10.0.0.10)   a stranger
//! |- zone b 172.31.32.0/20   holder 1 (10.0.0.11)   a second monitor
//! |- zone c 172.31.16.0/20   holder 2 (10.0.0.12)   the monitor (10.0.0.100)
//! `- zone d 172.31.64.0/20
//! ```

use std::net::Ipv4Addr;

use ec2_model::api::{
    ChangeRules, CreateSecurityGroup, IpPermission, IpRange, ModifyNetworkInterfaceAttribute,
    Request, Response, RouteSpec, RunInstances, Tag, TagSpecification,
};
use ec2_model::{Cidr, Ec2, ImageSetup, Time, base64};

use crate::aws::route;
use crate::plan::Plan;

/// The monitor's overlay address.
pub(crate) const OVERLAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);

const VPC: Cidr = Cidr { address: Ipv4Addr::new(172, 31, 0, 0), prefix: 16 };
const THIRDS: [u8; 4] = [48, 32, 16, 64];

/// The parts of the account that a run has to name.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) zones: Vec<String>,
    pub(crate) subnets: Vec<String>,
    pub(crate) tables: Vec<String>,
    /// The group of every machine.
    pub(crate) group: String,
    /// One holder for each VIP.
    pub(crate) holders: Vec<String>,
    /// The machines that controllers run on: the usual one, and another.
    pub(crate) monitors: [String; 2],
    /// A live interface that is nobody's holder.
    pub(crate) stranger: String,
    /// An interface that hangs on nothing.
    pub(crate) dead_end: String,
}

/// The VIP of this number.
pub(crate) fn vip(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, 10 + u8::try_from(number).unwrap_or(0))
}

/// What a holder of the VIP runs at its first boot. Replacements run the same.
pub(crate) fn user_data(number: usize) -> String {
    format!("#!/bin/sh\nip address add {}/32 dev lo\n", vip(number))
}

/// The VIP that a guest with this user data sets up.
pub(crate) fn vip_of(user_data: &[u8]) -> Option<Ipv4Addr> {
    let text = core::str::from_utf8(user_data).ok()?;
    let (_, rest) = text.split_once("address add ")?;
    rest.split_once('/')?.0.parse().ok()
}

/// The rule that admits pings from everywhere they come from here.
pub(crate) fn pings() -> Vec<IpPermission> {
    let range = |cidr: &str| IpRange { cidr: cidr.to_owned(), description: None };
    vec![IpPermission {
        ip_protocol: "icmp".to_owned(),
        from_port: Some(-1),
        to_port: Some(-1),
        ip_ranges: vec![range("10.0.0.0/24"), range("172.31.0.0/16")],
        ..IpPermission::default()
    }]
}

/// Builds the account. Its machines run.
pub(crate) fn build(ec2: &mut Ec2, plan: &Plan) -> Account {
    let vpc = ec2.create_vpc(VPC, true);
    let (mut zones, mut subnets) = (Vec::new(), Vec::new());
    for (index, third) in (0..plan.zones).zip(THIRDS) {
        let zone = format!("eu-west-1{}", char::from(b'a' + index));
        ec2.create_zone(&zone, &format!("euw1-az{}", index + 1));
        let block = Cidr::new(Ipv4Addr::new(172, 31, third, 0), 20);
        subnets.push(ec2.create_subnet(&vpc, &zone, block).expect("the blocks fit"));
        zones.push(zone);
    }
    let mut tables = vec![ec2.main_table(&vpc).expect("a VPC has one").to_owned()];
    for subnet in subnets.iter().rev().take(plan.tables - 1) {
        let table = ec2.create_route_table(&vpc).expect("the VPC is there");
        ec2.associate(&table, subnet).expect("both are there");
        tables.push(table);
    }
    let group = group(ec2, &vpc);
    let image = ec2.register_image(&ImageSetup::default());
    let place = |ec2: &mut Ec2, zone: usize, last: u8, name: &str, user_data: Option<String>| {
        let address = Ipv4Addr::new(172, 31, THIRDS[zone], last);
        launch(ec2, &image, &group, &subnets[zone], address, name, user_data)
    };
    let mut holders = Vec::new();
    for number in 0..plan.vips {
        let id = place(ec2, number, 10, &format!("vip-{number}"), Some(user_data(number)));
        point(ec2, &tables, &format!("{}/32", vip(number)), &id);
        holders.push(id);
    }
    let monitor = place(ec2, 2, 100, "monitor", None);
    if plan.overlay {
        point(ec2, &tables, &format!("{OVERLAY}/32"), &monitor);
    }
    let other = place(ec2, 1, 101, "other-monitor", None);
    let stranger = place(ec2, 0, 102, "stranger", None);
    check_off(ec2, &interface(ec2, &stranger));
    Account {
        stranger: interface(ec2, &stranger),
        dead_end: ec2.create_interface(&subnets[0]).expect("there is room"),
        zones,
        subnets,
        tables,
        group,
        holders,
        monitors: [monitor, other],
    }
}

fn group(ec2: &mut Ec2, vpc: &str) -> String {
    let create = Request::CreateSecurityGroup(CreateSecurityGroup {
        group_name: "overlay".to_owned(),
        description: "Holders and monitors".to_owned(),
        vpc_id: Some(vpc.to_owned()),
        ..CreateSecurityGroup::default()
    });
    let made = ec2.operate(Time::ZERO, &create);
    let Ok(Response::CreateSecurityGroup(made)) = made else { panic!("no group: {made:?}") };
    let rules = ChangeRules {
        group_id: Some(made.group_id.clone()),
        permissions: pings(),
        ..ChangeRules::default()
    };
    ec2.operate(Time::ZERO, &Request::AuthorizeSecurityGroupIngress(rules)).expect("a good rule");
    made.group_id
}

fn launch(
    ec2: &mut Ec2,
    image: &str,
    group: &str,
    subnet: &str,
    address: Ipv4Addr,
    name: &str,
    user_data: Option<String>,
) -> String {
    let request = RunInstances {
        image_id: image.to_owned(),
        instance_type: Some("t3.micro".to_owned()),
        min_count: Some(1),
        max_count: Some(1),
        subnet_id: Some(subnet.to_owned()),
        private_ip_address: Some(address.to_string()),
        security_group_ids: vec![group.to_owned()],
        user_data: user_data.map(|text| base64::encode(text.as_bytes())),
        tag_specifications: vec![TagSpecification {
            resource_type: "instance".to_owned(),
            tags: vec![Tag { key: "Name".to_owned(), value: name.to_owned() }],
        }],
        ..RunInstances::default()
    };
    let ids = ec2.place(Time::ZERO, &request).expect("an ordinary launch");
    ids.into_iter().next().expect("one was asked for")
}

fn interface(ec2: &Ec2, instance: &str) -> String {
    let instance = ec2.instance(instance).expect("it was launched");
    instance.network_interfaces[0].network_interface_id.clone()
}

fn check_off(ec2: &mut Ec2, interface: &str) {
    let change = ModifyNetworkInterfaceAttribute {
        network_interface_id: interface.to_owned(),
        source_dest_check: Some(false),
        ..ModifyNetworkInterfaceAttribute::default()
    };
    let request = Request::ModifyNetworkInterfaceAttribute(change);
    ec2.operate(Time::ZERO, &request).expect("the interface is there");
}

/// Points routes in all tables to an instance, and switches its source/dest check off.
fn point(ec2: &mut Ec2, tables: &[String], destination: &str, instance: &str) {
    let interface = interface(ec2, instance);
    check_off(ec2, &interface);
    for table in tables {
        let route: RouteSpec = route(table, destination, &interface);
        ec2.operate(Time::ZERO, &Request::CreateRoute(route)).expect("a good route");
    }
}
