//! The mission's own picture: the account that a lab begins with.
//!
//! ```text
//! VPC 172.31.0.0/16, main route table: local, internet,
//!                    10.0.0.10/32 -> vip-a, 10.0.0.100/32 -> monitor
//! |- us-east-1a 172.31.48.0/20   vip-a   172.31.48.10 with 10.0.0.10
//! |- us-east-1b 172.31.32.0/20
//! |- us-east-1c 172.31.16.0/20   monitor 172.31.16.10 with 10.0.0.100
//! `- us-east-1d 172.31.64.0/20, us-east-1e 172.31.80.0/20, ... for more zones
//! ```

use std::net::Ipv4Addr;
use std::time::SystemTime;

use anyhow::{Context, bail};
use ec2_model::api::{
    ChangeRules, CreateSecurityGroup, IpPermission, IpRange, ModifyNetworkInterfaceAttribute,
    ProfileSpec, Request, Response, RouteSpec, RunInstances, Tag, TagSpecification,
    UserIdGroupPair,
};
use ec2_model::{Cidr, Ec2, ImageSetup, Pace, Time, base64};

/// The lab's region.
pub(crate) const REGION: &str = "us-east-1";
/// The overlay address that the lab is about.
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
/// The instance that holds it at first.
pub(crate) const HOLDER_NAME: &str = "vip-a";
/// The instance that watches.
pub(crate) const MONITOR_NAME: &str = "monitor";

/// The monitor's overlay address.
const MONITOR_OVERLAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
/// The network of overlay addresses, outside the VPC's.
const OVERLAY_NETWORK: &str = "10.0.0.0/24";
/// Twelve digits; AWS gives no account such a number.
const ACCOUNT: &str = "000000000000";
const VPC: Cidr = Cidr { address: Ipv4Addr::new(172, 31, 0, 0), prefix: 16 };
const SUBNET_PREFIX: u8 = 20;
/// Third bytes of the subnets of the picture's three zones.
const PICTURE: [u8; 3] = [48, 32, 16];
/// Third byte of the fourth zone's subnet; each /20 is sixteen of them.
const FOURTH: u8 = 64;
/// As many zones as /20 blocks fit: those of the picture and 64 to 240.
const MOST_ZONES: u8 = 15;

const KEY: &str = "my-keypair";
const ROLE: &str = "EC2ControllerRole";
const GROUP: &str = "overlay";
const GROUP_DESCRIPTION: &str = "Holder and monitor, with their overlay addresses";
const INSTANCE_TYPE: &str = "t3.micro";

/// Run by both machines; names one overlay address.
const SCRIPT: &str = include_str!("topology/overlay.sh");

/// The account and what in it a lab needs to know.
pub(crate) struct Picture {
    pub(crate) ec2: Ec2,
}

/// Whether a lab can have so many Availability Zones.
pub(crate) fn check_zones(zones: u8) -> anyhow::Result<()> {
    let least = PICTURE.len();
    if usize::from(zones) < least || zones > MOST_ZONES {
        bail!("a lab has {least} to {MOST_ZONES} Availability Zones, not {zones}");
    }
    Ok(())
}

/// Builds the account. Its machines are running, and boot when the lab begins.
pub(crate) fn build(pace: Pace, zones: u8, tables: u8) -> anyhow::Result<Picture> {
    check_zones(zones)?;
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    // A seed of its own, so that no two labs have an id in common.
    let seed = u64::try_from(since_1970.as_nanos() & u128::from(u64::MAX))?;
    let mut ec2 = Ec2::new(pace, seed);
    ec2.set_identity(ACCOUNT, REGION);
    ec2.set_epoch(u64::try_from(since_1970.as_millis())?);
    furnish(&mut ec2, zones, tables)?;
    Ok(Picture { ec2 })
}

fn furnish(ec2: &mut Ec2, zones: u8, tables: u8) -> anyhow::Result<()> {
    let vpc = ec2.create_vpc(VPC, true);
    let mut subnets = Vec::new();
    for (index, third) in (0..zones).zip(third_bytes()) {
        let zone = format!("{REGION}{}", char::from(b'a' + index));
        ec2.create_zone(&zone, &format!("use1-az{}", index + 1));
        let block = Cidr::new(Ipv4Addr::new(172, 31, third, 0), SUBNET_PREFIX);
        subnets.push(ec2.create_subnet(&vpc, &zone, block)?);
    }
    let main = ec2.main_table(&vpc).context("a VPC has a main table")?.to_owned();
    let mut route_tables = vec![main];
    // Tables beyond the main one serve the last subnets of the picture: the monitor's first.
    for subnet in subnets[..PICTURE.len()].iter().rev().take(usize::from(tables.max(1)) - 1) {
        let table = ec2.create_route_table(&vpc)?;
        ec2.associate(&table, subnet)?;
        route_tables.push(table);
    }
    let gateway = ec2.create_internet_gateway(&vpc)?;
    let group = group(ec2, &vpc)?;
    ec2.create_key_pair(KEY);
    let image = ec2.register_image(&ImageSetup::default());
    ec2.create_instance_profile(ROLE, ROLE);
    for table in &route_tables {
        let gateway_id = Some(gateway.clone());
        let internet = RouteSpec { gateway_id, ..route(table, "0.0.0.0/0") };
        ec2.operate(Time::ZERO, &Request::CreateRoute(internet))?;
    }
    for (name, zone, overlay) in [(HOLDER_NAME, 0, VIP), (MONITOR_NAME, 2, MONITOR_OVERLAY)] {
        let address = Ipv4Addr::new(172, 31, PICTURE[zone], 10);
        let launch = RunInstances {
            subnet_id: Some(subnets[zone].clone()),
            security_group_ids: vec![group.clone()],
            ..launch(&image, name, address, overlay)
        };
        let destination = format!("{overlay}/32");
        let routes: Vec<_> = route_tables.iter().map(|table| route(table, &destination)).collect();
        place(ec2, &launch, &routes)?;
    }
    Ok(())
}

/// Third bytes of the subnets, in the order of their zones.
fn third_bytes() -> impl Iterator<Item = u8> {
    PICTURE.into_iter().chain((FOURTH..=240).step_by(16))
}

/// The group of both machines, as the mission asks for it. Its rule for its own members lets their
/// interfaces' addresses in and no overlay address: those have a rule of their own, by block.
fn group(ec2: &mut Ec2, vpc: &str) -> anyhow::Result<String> {
    let create = Request::CreateSecurityGroup(CreateSecurityGroup {
        group_name: GROUP.into(),
        description: GROUP_DESCRIPTION.into(),
        vpc_id: Some(vpc.into()),
        ..CreateSecurityGroup::default()
    });
    let Response::CreateSecurityGroup(made) = ec2.operate(Time::ZERO, &create)? else {
        bail!("another answer than a group");
    };
    let members = IpPermission {
        ip_protocol: "-1".into(),
        groups: vec![UserIdGroupPair {
            group_id: made.group_id.clone(),
            ..UserIdGroupPair::default()
        }],
        ..IpPermission::default()
    };
    let pings = IpPermission {
        ip_protocol: "icmp".into(),
        from_port: Some(-1),
        to_port: Some(-1),
        ip_ranges: vec![IpRange { cidr: OVERLAY_NETWORK.into(), description: None }],
        ..IpPermission::default()
    };
    let rules = ChangeRules {
        group_id: Some(made.group_id.clone()),
        permissions: vec![members, pings],
        ..ChangeRules::default()
    };
    ec2.operate(Time::ZERO, &Request::AuthorizeSecurityGroupIngress(rules))?;
    Ok(made.group_id)
}

fn route(table: &str, destination: &str) -> RouteSpec {
    RouteSpec {
        route_table_id: table.into(),
        destination_cidr_block: Some(destination.into()),
        ..RouteSpec::default()
    }
}

fn launch(image: &str, name: &str, address: Ipv4Addr, overlay: Ipv4Addr) -> RunInstances {
    let is_monitor = name == MONITOR_NAME;
    RunInstances {
        image_id: image.into(),
        instance_type: Some(INSTANCE_TYPE.into()),
        min_count: Some(1),
        max_count: Some(1),
        key_name: Some(KEY.into()),
        private_ip_address: Some(address.to_string()),
        user_data: Some(base64::encode(script(overlay).as_bytes())),
        // The controller runs on the monitor and needs its permissions there.
        iam_instance_profile: is_monitor
            .then(|| ProfileSpec { name: Some(ROLE.into()), arn: None }),
        tag_specifications: vec![TagSpecification {
            resource_type: "instance".into(),
            tags: vec![Tag { key: "Name".into(), value: name.into() }],
        }],
        ..RunInstances::default()
    }
}

fn script(overlay: Ipv4Addr) -> String {
    SCRIPT.replace("@ADDRESS@", &overlay.to_string()).replace("@NETWORK@", OVERLAY_NETWORK)
}

/// Adds a running machine and the routes to its overlay address.
fn place(ec2: &mut Ec2, launch: &RunInstances, routes: &[RouteSpec]) -> anyhow::Result<()> {
    let ids = ec2.place(Time::ZERO, launch)?;
    let instance = ids.first().and_then(|id| ec2.instance(id)).context("it was launched")?;
    let interface = instance.network_interfaces.first().context("it has an interface")?;
    let network_interface_id = interface.network_interface_id.clone();
    // With the check on, the interface would drop what is sent to the overlay address, which EC2
    // doesn't know. Whatever replaces the holder has to switch it off as well.
    let check_off = ModifyNetworkInterfaceAttribute {
        network_interface_id: network_interface_id.clone(),
        source_dest_check: Some(false),
        ..ModifyNetworkInterfaceAttribute::default()
    };
    ec2.operate(Time::ZERO, &Request::ModifyNetworkInterfaceAttribute(check_off))?;
    for route in routes {
        let network_interface_id = Some(network_interface_id.clone());
        let route = RouteSpec { network_interface_id, ..route.clone() };
        ec2.operate(Time::ZERO, &Request::CreateRoute(route))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ec2_model::{PlaneInstance, PlaneTarget};

    use super::*;

    #[test]
    fn the_picture_is_the_missions() {
        let plane = build(Pace::instant(), 3, 1).expect("it builds").ec2.plane(Time::ZERO);
        let mut blocks: Vec<(String, String)> =
            plane.subnets.iter().map(|s| (s.az.clone(), s.cidr.to_string())).collect();
        blocks.sort();
        let pair = |az: &str, block: &str| (az.to_owned(), block.to_owned());
        assert_eq!(
            blocks,
            [
                pair("us-east-1a", "172.31.48.0/20"),
                pair("us-east-1b", "172.31.32.0/20"),
                pair("us-east-1c", "172.31.16.0/20"),
            ]
        );
        let named = |name: &str| -> &PlaneInstance {
            plane.instances.iter().find(|i| i.name == name).expect(name)
        };
        let (holder, monitor) = (named("vip-a"), named("monitor"));
        assert_eq!(holder.private_ip, Ipv4Addr::new(172, 31, 48, 10));
        assert_eq!(monitor.private_ip, Ipv4Addr::new(172, 31, 16, 10));
        assert!(!holder.source_dest_check && !monitor.source_dest_check);
        assert!(holder.powered && monitor.powered);
        assert_eq!(monitor.iam_role.as_deref(), Some("EC2ControllerRole"));
        let target = |block: &str| {
            let routes = plane.tables.iter().flat_map(|table| &table.routes);
            let mut found = routes.filter(|route| route.destination.to_string() == block);
            found.next().map(|route| route.target.clone())
        };
        assert_eq!(target("10.0.0.10/32"), Some(PlaneTarget::Eni(holder.eni.clone())));
        assert_eq!(target("10.0.0.100/32"), Some(PlaneTarget::Eni(monitor.eni.clone())));
        assert_eq!(target("172.31.0.0/16"), Some(PlaneTarget::Local));
        assert_eq!(target("0.0.0.0/0"), Some(PlaneTarget::Internet));
    }

    #[test]
    fn more_zones_have_subnets_of_their_own() {
        let plane = build(Pace::instant(), MOST_ZONES, 1).expect("it builds").ec2.plane(Time::ZERO);
        assert_eq!(plane.subnets.len(), 15);
        let block =
            |az: &str| plane.subnets.iter().find(|s| s.az == az).expect(az).cidr.to_string();
        assert_eq!(block("us-east-1d"), "172.31.64.0/20");
        assert_eq!(block("us-east-1o"), "172.31.240.0/20");
        check_zones(2).expect_err("the monitor has no zone");
        check_zones(16).expect_err("the VPC is full");
    }

    #[test]
    fn the_script_names_its_own_address() {
        let script = script(VIP);
        assert!(script.starts_with("#!/bin/bash\n"));
        assert!(script.contains("\naddress=10.0.0.10\nnetwork=10.0.0.0/24\n"));
        assert!(!script.contains('@'));
    }
}
