//! What the model knows: the things of one account in one region.
//!
//! These are the facts; `api` has the forms in which EC2 tells them. Owned by [`crate::Ec2`].

use core::{fmt, net::Ipv4Addr};
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    api::{
        self, CpuOptions, Image, InstanceState, KeyPair, MetadataOptions, NetworkAcl, RunInstances,
        StateReason, Tag, Volume, Vpc,
    },
    cidr::Cidr,
    plane::Guest,
    shelf::Shelf,
    status::Checks,
    time::Time,
};

/// The account's things, by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) zones: BTreeMap<String, Zone>,
    pub(crate) vpcs: BTreeMap<String, Vpc>,
    pub(crate) gateways: BTreeMap<String, Gateway>,
    pub(crate) subnets: BTreeMap<String, Subnet>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) acls: BTreeMap<String, NetworkAcl>,
    /// By name.
    pub(crate) keys: BTreeMap<String, KeyPair>,
    pub(crate) images: BTreeMap<String, Image>,
    /// Key pairs that were deleted, by name.
    pub(crate) deleted_keys: BTreeMap<String, KeyPair>,
    /// Images that were deregistered.
    pub(crate) recycle_bin: BTreeMap<String, Image>,
    pub(crate) prefix_lists: BTreeMap<String, Vec<Cidr>>,
    /// By name.
    pub(crate) types: BTreeMap<String, InstanceType>,
    /// By name.
    pub(crate) profiles: BTreeMap<String, Profile>,
    pub(crate) volumes: BTreeMap<String, Volume>,
    pub(crate) tables: Shelf<RouteTable>,
    pub(crate) instances: Shelf<Instance>,
    pub(crate) interfaces: Shelf<Interface>,
    /// By client token: what was launched with it.
    pub(crate) launches: BTreeMap<String, Vec<Launch>>,
    /// How many instances fit, by `zone/type` or `zone/*`; absent means any number.
    pub(crate) capacity: BTreeMap<String, u32>,
}

/// An Availability Zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Zone {
    pub(crate) id: String,
    /// `available`, `impaired`, ...
    pub(crate) state: String,
    pub(crate) messages: Vec<String>,
}

/// An internet gateway, or a virtual private one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gateway {
    pub(crate) vpc: String,
    pub(crate) tags: Vec<Tag>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) zone: String,
    pub(crate) cidr: Cidr,
    pub(crate) default_for_az: bool,
    pub(crate) map_public_ip: bool,
    pub(crate) tags: Vec<Tag>,
    /// At most so many addresses count as free: the rest is taken by somebody unseen.
    pub(crate) free_at_most: Option<u32>,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) vpc: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) tags: Vec<Tag>,
}

/// What a security group admits: one protocol, one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) egress: bool,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, another number, or `-1`.
    pub(crate) protocol: String,
    /// First and last port, or ICMP type and code with -1 for all; none where the protocol has
    /// neither.
    pub(crate) ports: Option<(i64, i64)>,
    pub(crate) peer: Peer,
    pub(crate) description: Option<String>,
    pub(crate) tags: Vec<Tag>,
}

/// Who may be at the other end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Peer {
    Ipv4(Cidr),
    /// Told and never met: the account's VPCs have IPv4 only.
    Ipv6(String),
    /// The interfaces that have this security group.
    Group(String),
    /// The blocks of this prefix list.
    PrefixList(String),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Ipv4(block) => block.fmt(f),
            Peer::Ipv6(text) | Peer::Group(text) | Peer::PrefixList(text) => f.write_str(text),
        }
    }
}

/// An instance type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InstanceType {
    pub(crate) cores: i64,
    pub(crate) threads_per_core: i64,
    /// Credits unless told otherwise; `None` for types that don't burst.
    pub(crate) cpu_credits: Option<String>,
    /// `x86_64` or `arm64`.
    pub(crate) architecture: String,
    /// The size of its instance store, in GB; 0 for types without one.
    pub(crate) store_gb: i64,
    /// The zones that don't offer it.
    pub(crate) missing_in: BTreeSet<String>,
}

/// An IAM instance profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) profile: api::InstanceProfile,
    pub(crate) role: String,
}

/// A route table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RouteTable {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) routes: Vec<Route>,
    pub(crate) associations: Vec<Association>,
    pub(crate) tags: Vec<Tag>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) destination: Cidr,
    pub(crate) target: Target,
    pub(crate) origin: Origin,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Target {
    /// The VPC itself.
    Local,
    /// An internet or virtual private gateway.
    Gateway(String),
    /// A network interface.
    Interface(String),
}

/// How a route came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    CreateRouteTable,
    CreateRoute,
    EnableVgwRoutePropagation,
}

/// What a route table serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Association {
    pub(crate) id: String,
    pub(crate) serves: Serves,
}

/// See [`Association`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Serves {
    /// Every subnet of the VPC without a table of its own.
    Main,
    Subnet(String),
    Gateway(String),
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) id: String,
    pub(crate) created: Time,
    pub(crate) vpc: String,
    pub(crate) subnet: String,
    pub(crate) zone: String,
    pub(crate) mac: String,
    pub(crate) ip: Ipv4Addr,
    pub(crate) description: String,
    pub(crate) groups: Vec<String>,
    /// True on every new interface (EC2 API, ModifyNetworkInterfaceAttribute).
    pub(crate) source_dest_check: bool,
    /// Asked for an auto-assigned public address, given while the instance runs.
    pub(crate) wants_public_ip: bool,
    pub(crate) public_ip: Option<Ipv4Addr>,
    /// Where the public address is the account's own.
    pub(crate) elastic_ip: Option<ElasticIp>,
    pub(crate) attachment: Option<Attachment>,
    pub(crate) tags: Vec<Tag>,
}

/// An Elastic IP that is associated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ElasticIp {
    pub(crate) allocation: String,
    pub(crate) association: String,
}

/// How an interface hangs on its instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) id: String,
    pub(crate) instance: String,
    pub(crate) device_index: i64,
    pub(crate) card_index: i64,
    pub(crate) since: Time,
    pub(crate) delete_on_termination: bool,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) reservation: String,
    pub(crate) launch_index: u32,
    pub(crate) token: String,
    pub(crate) spec: Spec,
    pub(crate) zone: String,
    pub(crate) subnet: String,
    pub(crate) vpc: String,
    pub(crate) created: Time,
    /// Of the last start.
    pub(crate) started: Time,
    pub(crate) state: InstanceState,
    /// The next transition, if one is under way.
    pub(crate) due: Option<Due>,
    /// `reason` in EC2's answers.
    pub(crate) transition_reason: String,
    pub(crate) state_reason: Option<StateReason>,
    /// The guest stops serving then.
    pub(crate) power_off: Option<Time>,
    /// The guest starts serving then.
    pub(crate) boot_at: Time,
    /// Grows with every start and reboot.
    pub(crate) boots: u32,
    pub(crate) guest: Option<Guest>,
    pub(crate) checks: Checks,
    /// `stopping` and `shutting-down` never end by themselves.
    pub(crate) hangs: bool,
    /// Interface ids by device index; emptied by termination.
    pub(crate) interfaces: Vec<String>,
    /// Device name and volume id; emptied by termination.
    pub(crate) volumes: Vec<(String, String)>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) events: Vec<Event>,
    /// A service provider manages it: `Operator.Managed`.
    pub(crate) managed: bool,
    /// The spot request that it came from, `sir-...`.
    pub(crate) spot_request: Option<String>,
}

/// A transition to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Due {
    pub(crate) at: Time,
    pub(crate) step: Step,
}

/// What happens to an instance by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// `pending` to `running`.
    Run,
    /// `pending` to `terminated`, with the reason.
    Die(StateReason),
    /// `stopping` to `stopped`.
    Stopped,
    /// `shutting-down` to `terminated`.
    Terminated,
    /// A terminated instance loses its tags.
    DropTags,
    /// A terminated instance is forgotten.
    Forget,
}

/// What an instance was launched with, as settled by defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) image: String,
    pub(crate) architecture: String,
    pub(crate) root_device_type: String,
    pub(crate) root_device_name: String,
    pub(crate) instance_type: String,
    pub(crate) key: Option<String>,
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) profile: Option<String>,
    pub(crate) ebs_optimized: bool,
    pub(crate) monitoring: bool,
    pub(crate) metadata: MetadataOptions,
    pub(crate) cpu: CpuOptions,
    pub(crate) cpu_credits: Option<String>,
    pub(crate) shutdown_behavior: String,
    pub(crate) disable_api_termination: bool,
    pub(crate) disable_api_stop: bool,
    pub(crate) ena_support: bool,
    pub(crate) tenancy: String,
    pub(crate) placement_group: String,
    pub(crate) partition: Option<i64>,
    pub(crate) host_id: Option<String>,
    pub(crate) affinity: Option<String>,
    pub(crate) spot: bool,
    /// `one-time` or `persistent`, of a spot request.
    pub(crate) spot_kind: String,
    pub(crate) auto_recovery: String,
    pub(crate) dns: api::PrivateDnsNameOptions,
}

/// A scheduled event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) description: String,
    pub(crate) not_before: Time,
    pub(crate) not_after: Option<Time>,
}

/// What was launched with a client token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// The zone for zonal idempotency, `None` for regional.
    pub(crate) zone: Option<String>,
    pub(crate) request: RunInstances,
    /// Empty when the launch was refused after its parameters had been taken.
    pub(crate) instances: Vec<String>,
    pub(crate) reservation: String,
    pub(crate) at: Time,
}

/// EC2 reserves the first four addresses of a subnet and the last (VPC User Guide, "Subnet CIDR
/// blocks").
pub(crate) const RESERVED_ADDRESSES: u64 = 5;

impl World {
    /// The addresses of a subnet that a new interface may get.
    pub(crate) fn free_addresses(&self, subnet: &Subnet) -> u32 {
        let used = self.interfaces.values().filter(|i| i.subnet == subnet.id).count() as u64;
        let free = subnet.cidr.size().saturating_sub(RESERVED_ADDRESSES + used);
        let free = u32::try_from(free).unwrap_or(u32::MAX);
        subnet.free_at_most.map_or(free, |most| most.min(free))
    }

    /// Whether `ip` may be given to an interface of `subnet` now.
    pub(crate) fn address_is_free(&self, subnet: &Subnet, ip: Ipv4Addr) -> bool {
        let offset = u64::from(ip.to_bits().wrapping_sub(subnet.cidr.address.to_bits()));
        subnet.cidr.contains(ip)
            && (4..subnet.cidr.size() - 1).contains(&offset)
            && !self.interfaces.values().any(|i| i.subnet == subnet.id && i.ip == ip)
    }

    /// The table that serves a subnet: its own, else the VPC's main one.
    pub(crate) fn table_of<'a>(&'a self, subnet: &Subnet) -> Option<&'a RouteTable> {
        let serves = |table: &RouteTable, what: &Serves| {
            table.vpc == subnet.vpc && table.associations.iter().any(|a| a.serves == *what)
        };
        let own = Serves::Subnet(subnet.id.clone());
        let find = |what: &Serves| self.tables.values().find(|table| serves(table, what));
        find(&own).or_else(|| find(&Serves::Main))
    }

    /// Whether packets for this interface reach a machine that has power.
    ///
    /// A route to an interface that is gone, or whose instance is stopped, is a black hole (VPC
    /// User Guide, "Route table concepts": the target isn't available). For a `pending` instance
    /// nothing is published; taken as a black hole too.
    pub(crate) fn interface_serves(&self, id: &str, now: Time) -> bool {
        let attached = self.interfaces.get(id).and_then(|i| i.attachment.as_ref());
        attached
            .and_then(|a| self.instances.get(&a.instance))
            .is_some_and(|instance| instance.powered(now))
    }

    /// The CIDR blocks of a VPC.
    pub(crate) fn vpc_blocks(&self, vpc: &str) -> Vec<Cidr> {
        let blocks = self.vpcs.get(vpc).map(|vpc| &vpc.cidr_block_associations[..]);
        blocks.unwrap_or(&[]).iter().filter_map(|a| a.cidr_block.parse().ok()).collect()
    }

    /// Instances that occupy a host of this type in this zone.
    pub(crate) fn occupied(&self, zone: &str, instance_type: Option<&str>) -> u32 {
        let counts = |i: &&Instance| {
            matches!(i.state, InstanceState::Pending | InstanceState::Running)
                && i.zone == zone
                && instance_type.is_none_or(|t| i.spec.instance_type == t)
        };
        u32::try_from(self.instances.values().filter(counts).count()).unwrap_or(u32::MAX)
    }

    /// How many more instances of this type fit into this zone.
    pub(crate) fn room(&self, zone: &str, instance_type: &str) -> u32 {
        let left = |key: String, of: Option<&str>| {
            let most = self.capacity.get(&key)?;
            Some(most.saturating_sub(self.occupied(zone, of)))
        };
        let typed = left(format!("{zone}/{instance_type}"), Some(instance_type));
        let any = left(format!("{zone}/*"), None);
        typed.unwrap_or(u32::MAX).min(any.unwrap_or(u32::MAX))
    }
}

impl Instance {
    /// Whether the guest has power at `now`.
    pub(crate) fn powered(&self, now: Time) -> bool {
        match self.state {
            InstanceState::Running | InstanceState::Stopping | InstanceState::ShuttingDown => {
                self.power_off.is_none_or(|off| now < off)
            }
            InstanceState::Pending | InstanceState::Stopped | InstanceState::Terminated => false,
        }
    }

    /// The primary interface's id.
    pub(crate) fn primary(&self) -> Option<&str> {
        self.interfaces.first().map(String::as_str)
    }

    /// Whether it is on its way out or gone.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.state, InstanceState::ShuttingDown | InstanceState::Terminated)
    }
}
