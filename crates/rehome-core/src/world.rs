//! What was observed of AWS: plain values, filled in by the shell, judged elsewhere.
//!
//! A field is an `Option` where EC2 may leave it out. A terminated instance, for one, answers
//! without subnet, VPC, profile, interfaces and volumes (EC2 user guide, "Terminate instances").

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::digest::{digest_u64, sha256_hex};
use crate::names::{
    Az, GroupId, ImageId, InstanceId, InstanceType, InterfaceId, KeyName, SubnetId, TableId, VpcId,
};
use crate::net::Cidr;
use crate::spec::{CpuOptions, MetadataOptions};

/// The life cycle of an instance as EC2 names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InstanceState {
    /// Being started.
    Pending,
    /// On; says nothing about the guest.
    Running,
    /// Going down, to be started again later.
    Stopping,
    /// Off; its volumes and interfaces are kept.
    Stopped,
    /// Going down for good.
    ShuttingDown,
    /// Gone for good; still listed for about an hour.
    Terminated,
    /// A word that isn't known here.
    Other(String),
}

impl InstanceState {
    /// Whether the instance can't answer and won't come back by itself.
    #[must_use]
    pub fn is_down(&self) -> bool {
        match self {
            InstanceState::Stopped | InstanceState::Terminated => true,
            InstanceState::Pending
            | InstanceState::Running
            | InstanceState::Stopping
            | InstanceState::ShuttingDown
            | InstanceState::Other(_) => false,
        }
    }

    /// Whether the instance is off or on its way there.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        match self {
            InstanceState::Stopping | InstanceState::ShuttingDown => true,
            InstanceState::Pending | InstanceState::Running | InstanceState::Other(_) => false,
            InstanceState::Stopped | InstanceState::Terminated => true,
        }
    }

    /// Whether the instance will never run again.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        matches!(self, InstanceState::ShuttingDown | InstanceState::Terminated)
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InstanceState::Pending => "pending",
            InstanceState::Running => "running",
            InstanceState::Stopping => "stopping",
            InstanceState::Stopped => "stopped",
            InstanceState::ShuttingDown => "shutting-down",
            InstanceState::Terminated => "terminated",
            InstanceState::Other(word) => word,
        })
    }
}

/// A network interface as `DescribeInstances` shows it on its instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// What routes point to.
    pub id: InterfaceId,
    /// 0 is the primary interface.
    pub device_index: i32,
    /// Its primary private address.
    pub address: Option<Ipv4Addr>,
    /// Whether EC2 drops packets that are neither from nor to the interface's own addresses.
    pub source_dest_check: Option<bool>,
    /// Its security groups.
    pub groups: Vec<GroupId>,
    /// Whether EC2 deletes it with the instance.
    pub delete_on_termination: bool,
    /// How many IPv6 addresses it has.
    pub ipv6_addresses: usize,
    /// How many secondary private IPv4 addresses it has.
    pub secondary_addresses: usize,
    /// Its public address, where it has one.
    pub public: Option<PublicAddress>,
}

/// A public address and who keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAddress {
    /// The address.
    pub address: String,
    /// Whether it is an Elastic IP (owned by the account) rather than lent by Amazon.
    pub elastic: bool,
}

/// A volume attached to an instance, as the instance's own mapping has it (ids only).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedVolume {
    /// The device name, like `/dev/xvda`.
    pub device: String,
    /// The volume's id.
    pub volume: String,
}

/// Where and how an instance is placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// `default`, `dedicated` or `host`.
    pub tenancy: Option<String>,
    /// The placement group's name.
    pub group: Option<String>,
    /// The partition in a partition placement group.
    pub partition: Option<i32>,
    /// The Dedicated Host.
    pub host: Option<String>,
}

/// An instance as `DescribeInstances` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Where in its life it is.
    pub state: InstanceState,
    /// `StateReason.Code`, like `Client.UserInitiatedShutdown`.
    pub state_reason: Option<String>,
    /// Its Availability Zone.
    pub az: Option<Az>,
    /// The subnet of its primary interface.
    pub subnet: Option<SubnetId>,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// Its primary private address.
    pub address: Option<Ipv4Addr>,
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
    /// The image it booted from.
    pub image: Option<ImageId>,
    /// Its type.
    pub instance_type: Option<InstanceType>,
    /// Its key pair.
    pub key: Option<KeyName>,
    /// The ARN of its instance profile.
    pub profile: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// `ebs` or `instance-store`.
    pub root_device_type: Option<String>,
    /// The root volume's device name.
    pub root_device: Option<String>,
    /// Its volumes.
    pub volumes: Vec<AttachedVolume>,
    /// Whether it is EBS-optimised.
    pub ebs_optimized: bool,
    /// Whether detailed monitoring is on.
    pub monitoring: bool,
    /// How its metadata service answers.
    pub metadata: Option<MetadataOptions>,
    /// Its cores and threads.
    pub cpu: Option<CpuOptions>,
    /// Its placement.
    pub placement: Placement,
    /// The spot request it came from.
    pub spot_request: Option<String>,
    /// The service that manages it (`Operator.Principal`), where one does.
    pub managed_by: Option<String>,
}

impl Instance {
    /// The interface with device index 0.
    #[must_use]
    pub fn primary_interface(&self) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.device_index == 0)
    }

    /// The interface whose id this is.
    #[must_use]
    pub fn interface(&self, id: &InterfaceId) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.id == *id)
    }

    /// Whether a person or another program stopped or terminated it by the API.
    #[must_use]
    pub fn stopped_by_user(&self) -> bool {
        self.state_reason.as_deref() == Some("Client.UserInitiatedShutdown")
    }

    /// The Auto Scaling group it belongs to, by the tag that Auto Scaling sets.
    #[must_use]
    pub fn scaling_group(&self) -> Option<&str> {
        self.tags.get("aws:autoscaling:groupName").map(String::as_str)
    }
}

/// One of EC2's status checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Check {
    /// Passed.
    Ok,
    /// Failed.
    Impaired,
    /// Still starting, not applicable, or not told.
    Unknown,
}

/// The status checks of an instance (EC2 user guide, "Status checks").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whose.
    pub instance: InstanceId,
    /// The host and its network.
    pub system: Check,
    /// The guest.
    pub guest: Check,
    /// Its EBS volumes.
    pub ebs: Check,
    /// Scheduled events that aren't over.
    pub events: Vec<String>,
}

impl Status {
    /// The first check that says impaired, by the name EC2's console gives it.
    #[must_use]
    pub fn impaired(&self) -> Option<&'static str> {
        [("system", self.system), ("instance", self.guest), ("ebs", self.ebs)]
            .into_iter()
            .find_map(|(name, check)| (check == Check::Impaired).then_some(name))
    }

    /// Whether the two checks that every instance has passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.system == Check::Ok && self.guest == Check::Ok && self.ebs != Check::Impaired
    }
}

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// An interface, with the instance it hangs on where EC2 tells.
    Interface {
        /// The interface.
        id: InterfaceId,
        /// Its instance.
        instance: Option<InstanceId>,
    },
    /// Anything else by its id: a gateway, a peering, `local`.
    Other(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Interface { id, instance: Some(instance) } => write!(f, "{instance} ({id})"),
            Target::Interface { id, instance: None } => id.fmt(f),
            Target::Other(id) => f.write_str(id),
        }
    }
}

/// Whether EC2 forwards along a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RouteState {
    /// It does.
    Active,
    /// The target is gone, detached or stopped.
    Blackhole,
    /// Anything else (`filtered`).
    Other,
}

/// A route to an IPv4 block. Others (IPv6, prefix lists) are no concern of rehome's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The block.
    pub destination: Cidr,
    /// Where it leads.
    pub target: Target,
    /// Whether it works.
    pub state: RouteState,
    /// Whether somebody made it by `CreateRoute`, rather than the table itself or propagation.
    pub by_hand: bool,
}

/// A route table of the VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Its id.
    pub id: TableId,
    /// Whether it serves every subnet without a table of its own.
    pub main: bool,
    /// The subnets that name it.
    pub subnets: Vec<SubnetId>,
    /// The gateways that name it: then it isn't ours to touch.
    pub gateways: Vec<String>,
    /// Its IPv4 routes.
    pub routes: Vec<Route>,
}

impl RouteTable {
    /// The route for exactly this block. Where a gateway propagates one too, the static one, which
    /// packets go by (VPC user guide, "Route priority").
    #[must_use]
    pub fn route(&self, destination: Cidr) -> Option<&Route> {
        let exact = self.routes.iter().filter(|route| route.destination == destination);
        exact.min_by_key(|route| !route.by_hand)
    }
}

/// A subnet of the VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// Its zone.
    pub az: Az,
    /// Its addresses.
    pub cidr: Cidr,
    /// How many addresses are free.
    pub free_addresses: u32,
    /// Its Outpost, where it lies on one.
    pub outpost: Option<String>,
    /// Whether it has IPv6 addresses only.
    pub ipv6_only: bool,
    /// Whether it lends public addresses to new interfaces.
    pub public_addresses: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A zone of the region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Its name.
    pub name: Az,
    /// `availability-zone`, `local-zone` or `wavelength-zone`.
    pub kind: String,
    /// Whether EC2 says `available`.
    pub available: bool,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its VPC.
    pub vpc: Option<VpcId>,
}

/// A volume as `DescribeVolumes` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its id.
    pub id: String,
    /// Gibibytes.
    pub size_gib: i32,
    /// `gp3`, `io2`, ...
    pub kind: String,
    /// Provisioned operations a second.
    pub iops: Option<i32>,
    /// Provisioned MiB/s.
    pub throughput: Option<i32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Its key's ARN.
    pub kms_key: Option<String>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Whether EC2 says `available`.
    pub available: bool,
    /// The device names of its EBS mapping, with what EC2 would do to them at termination.
    pub devices: Vec<ImageDevice>,
}

/// One EBS volume of an image's mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageDevice {
    /// The device name.
    pub device: String,
    /// Whether its volume goes with the instance.
    pub delete_on_termination: bool,
}

/// What one line of a part of the way does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It lets some pass.
    Passes,
    /// It stops some.
    Blocks,
    /// Either, or it can't be told.
    Either,
}

/// One thing on the way between monitor and holder, boiled down to digests, so that a change can be
/// told without keeping the whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathPart {
    /// What it is, as people name it: `security group sg-…`, `network ACL acl-…`.
    pub name: String,
    /// A digest of the lines of which it can't be told what a change of them does.
    pub digest: String,
    /// Digests of the lines that let packets pass; in order, each once. A list, because it is
    /// compared after every event.
    #[serde(default)]
    pub passes: Vec<u64>,
    /// Digests of the lines that stop packets, likewise.
    #[serde(default)]
    pub blocks: Vec<u64>,
}

impl PathPart {
    /// The part of this name that consists of `lines`, in whatever order.
    #[must_use]
    pub fn new(name: String, lines: impl IntoIterator<Item = (Effect, String)>) -> PathPart {
        let (mut passes, mut blocks) = (BTreeSet::new(), BTreeSet::new());
        let mut others = BTreeSet::new();
        for (effect, line) in lines {
            match effect {
                Effect::Passes => passes.insert(digest_u64(line.as_bytes())),
                Effect::Blocks => blocks.insert(digest_u64(line.as_bytes())),
                Effect::Either => others.insert(line),
            };
        }
        let others: Vec<String> = others.into_iter().collect();
        let digest = sha256_hex(others.join("\n").as_bytes());
        let in_order = |set: BTreeSet<u64>| set.into_iter().collect();
        PathPart { name, digest, passes: in_order(passes), blocks: in_order(blocks) }
    }

    /// Whether something that passed `before` may be stopped now. A part that has only been opened
    /// further explains no silence.
    #[must_use]
    pub fn may_have_closed(&self, before: &PathPart) -> bool {
        self.digest != before.digest
            || !is_subset(&before.passes, &self.passes)
            || !is_subset(&self.blocks, &before.blocks)
    }

    /// Whether it is a network ACL.
    #[must_use]
    pub fn is_acl(&self) -> bool {
        self.name.starts_with("network ACL ")
    }
}

/// Whether each of `some` is among `all`, which is in order.
fn is_subset(some: &[u64], all: &[u64]) -> bool {
    some == all || some.iter().all(|one| all.binary_search(one).is_ok())
}

/// Who calls, by `sts:GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The account's number.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}
