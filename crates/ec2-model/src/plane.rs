//! What the data plane must look like, and what it saw.
//!
//! A [`Plane`] is the whole wanted picture at one moment: level-triggered, so the data plane
//! compares it with what is there and needs no history.

mod filters;

use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{
    api::{InstanceState, MetadataOptions},
    cidr::Cidr,
    ec2::Ec2,
    time::Time,
    world::{Instance, Origin, Route, RouteTable, Subnet, Target},
};

pub use filters::{AclRule, Admission, Admits, PlaneAcl, Traffic};

/// What was seen of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guest {
    /// It answers.
    Reachable,
    /// It has power but doesn't answer.
    Unreachable,
    /// Its operating system shut itself down.
    PoweredOff,
}

/// The wanted picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plane {
    /// All but terminated ones, by id.
    pub instances: Vec<PlaneInstance>,
    /// By id.
    pub subnets: Vec<PlaneSubnet>,
    /// By id.
    pub tables: Vec<PlaneTable>,
}

/// A machine and its primary interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaneInstance {
    /// `i-...`.
    pub id: String,
    /// The tag `Name`, or empty.
    pub name: String,
    /// EC2's state.
    pub state: InstanceState,
    /// Availability Zone.
    pub az: String,
    /// `subnet-...`.
    pub subnet: String,
    /// The primary interface, `eni-...`.
    pub eni: String,
    /// The primary interface's MAC address.
    pub mac: String,
    /// The primary interface's address.
    pub private_ip: Ipv4Addr,
    /// The auto-assigned public address.
    pub public_ip: Option<Ipv4Addr>,
    /// The host name EC2 gives it, for example `ip-172-31-48-10.eu-west-1.compute.internal`.
    pub hostname: String,
    /// The virtual machine has power now.
    pub powered: bool,
    /// The guest starts then.
    pub boot_at: Time,
    /// Grew: the guest is to be started anew at `boot_at`. 0 before the first start.
    pub boots: u32,
    /// Packets that aren't its own are dropped at the primary interface.
    pub source_dest_check: bool,
    /// Security groups of the primary interface.
    pub groups: Vec<String>,
    /// What these let through at the primary interface.
    pub admits: Admits,
    /// As given at launch, decoded.
    pub user_data: Option<Vec<u8>>,
    /// The role of its instance profile.
    pub iam_role: Option<String>,
    /// How metadata may be reached.
    pub metadata: MetadataOptions,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaneSubnet {
    /// `subnet-...`.
    pub id: String,
    /// `vpc-...`.
    pub vpc: String,
    /// Availability Zone.
    pub az: String,
    /// Its block.
    pub cidr: Cidr,
    /// The VPC router's address in it: the first after the network's.
    pub gateway: Ipv4Addr,
    /// What may enter it and leave it.
    pub acl: PlaneAcl,
}

/// A route table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaneTable {
    /// `rtb-...`.
    pub id: String,
    /// `vpc-...`.
    pub vpc: String,
    /// The subnets it serves, explicitly or as the main table.
    pub subnets: Vec<String>,
    /// In the order of their making; the longest prefix wins.
    pub routes: Vec<PlaneRoute>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaneRoute {
    /// Where packets are going.
    pub destination: Cidr,
    /// Where they go.
    pub target: PlaneTarget,
}

/// Where packets go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlaneTarget {
    /// To whoever in the VPC has the address.
    Local,
    /// To this interface, whose instance runs.
    Eni(String),
    /// Nowhere, silently.
    Blackhole,
    /// To a gateway out of the VPC.
    Internet,
}

impl Ec2 {
    /// The wanted picture at `now`.
    #[must_use]
    pub fn plane(&self, now: Time) -> Plane {
        let now = now.max(self.now);
        let world = &self.world;
        let subnet = |s: &Subnet| PlaneSubnet {
            id: s.id.clone(),
            vpc: s.vpc.clone(),
            az: s.zone.clone(),
            cidr: s.cidr,
            gateway: s.cidr.nth(1),
            acl: self.plane_acl(&s.id),
        };
        Plane {
            instances: world
                .instances
                .values()
                .filter_map(|instance| self.plane_instance(instance, now))
                .collect(),
            subnets: world.subnets.values().map(subnet).collect(),
            tables: world.tables.values().map(|table| self.plane_table(table, now)).collect(),
        }
    }

    fn plane_instance(&self, instance: &Instance, now: Time) -> Option<PlaneInstance> {
        let interface = self.world.interfaces.get(instance.primary()?)?;
        let name = instance.tags.iter().find(|tag| tag.key == "Name");
        let role = instance.spec.profile.as_ref().and_then(|p| self.world.profiles.get(p));
        Some(PlaneInstance {
            id: instance.id.clone(),
            name: name.map(|tag| tag.value.clone()).unwrap_or_default(),
            state: instance.state,
            az: instance.zone.clone(),
            subnet: instance.subnet.clone(),
            eni: interface.id.clone(),
            mac: interface.mac.clone(),
            private_ip: interface.ip,
            public_ip: interface.public_ip,
            hostname: self.private_dns_name(interface.ip),
            powered: instance.powered(now),
            boot_at: instance.boot_at,
            boots: instance.boots,
            source_dest_check: interface.source_dest_check,
            groups: interface.groups.clone(),
            admits: self.admits(interface),
            user_data: instance.spec.user_data.clone(),
            iam_role: role.map(|profile| profile.role.clone()),
            metadata: instance.spec.metadata.clone(),
        })
    }

    fn plane_table(&self, table: &RouteTable, now: Time) -> PlaneTable {
        let served = self.world.subnets.values().filter(|subnet| {
            self.world.table_of(subnet).is_some_and(|its_own| its_own.id == table.id)
        });
        let route = |route: &Route| PlaneRoute {
            destination: route.destination,
            target: match &route.target {
                Target::Local => PlaneTarget::Local,
                Target::Gateway(_) => PlaneTarget::Internet,
                Target::Interface(id) if self.world.interface_serves(id, now) => {
                    PlaneTarget::Eni(id.clone())
                }
                Target::Interface(_) => PlaneTarget::Blackhole,
            },
        };
        PlaneTable {
            id: table.id.clone(),
            vpc: table.vpc.clone(),
            subnets: served.map(|subnet| subnet.id.clone()).collect(),
            routes: table.routes.iter().filter(|one| wins(table, one)).map(route).collect(),
        }
    }

    /// The id of the instance that has this private address, primary or not.
    #[must_use]
    pub fn instance_at(&self, ip: Ipv4Addr) -> Option<&str> {
        let mut interfaces = self.world.interfaces.values();
        let interface = interfaces.find(|interface| interface.ip == ip)?;
        interface.attachment.as_ref().map(|attachment| attachment.instance.as_str())
    }

    /// An instance as EC2 tells it now, without throttling, faults or lag. `None` when unknown.
    #[must_use]
    pub fn instance(&self, id: &str) -> Option<crate::api::Instance> {
        self.world.instances.get(id).map(|instance| self.instance_view(instance, self.now))
    }
}

/// Whether packets meet a route at all: a propagated one loses against a static one for the same
/// block, and inside a local one ("Route priority", VPC User Guide).
fn wins(table: &RouteTable, route: &Route) -> bool {
    let beats = |other: &Route| {
        other.origin != Origin::EnableVgwRoutePropagation
            && (other.destination == route.destination
                || other.target == Target::Local && other.destination.covers(route.destination))
    };
    route.origin != Origin::EnableVgwRoutePropagation || !table.routes.iter().any(beats)
}
