//! What the core asks of AWS, and what comes back.
//!
//! A call is a value. The shell sends it once (no retries of its own), within the deadline of its
//! kind, and answers with a [`Reply`] or a [`CallError`](crate::fault::CallError); it decides
//! nothing.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::names::{Az, GroupId, InstanceId, InterfaceId, SubnetId, TableId, VpcId};
use crate::net::Cidr;
use crate::spec::LaunchSpec;
use crate::world::{Instance, PathPart, RouteTable, Status, Zone};

/// A request to AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// `DescribeInstances` naming ids of one AZ: when an AZ fails, so do calls that name its ids,
    /// and calls that name none (EC2 API reference, DescribeInstances).
    Instances {
        /// The AZ they all are in.
        az: Az,
        /// At most 1,000.
        ids: Vec<InstanceId>,
    },
    /// `DescribeInstances` by the filter `instance-id`: the second opinion on an id that EC2 calls
    /// unknown.
    Listed {
        /// Which.
        ids: Vec<InstanceId>,
    },
    /// `DescribeInstanceStatus` with `IncludeAllInstances`, naming ids of one AZ.
    Statuses {
        /// The AZ they all are in.
        az: Az,
        /// At most 100.
        ids: Vec<InstanceId>,
    },
    /// `DescribeRouteTables` of a VPC, all pages.
    Tables {
        /// Which VPC.
        vpc: VpcId,
    },
    /// Digests of what lies between monitor and holder: groups, network ACLs, our own interface.
    Path {
        /// The VPC of both.
        vpc: VpcId,
        /// The groups of both ends, as far as known.
        groups: Vec<GroupId>,
        /// The subnets of both ends, as far as known.
        subnets: Vec<SubnetId>,
        /// Our own interface, where known.
        interface: Option<InterfaceId>,
    },
    /// `DescribeAvailabilityZones`: whether EC2 itself calls a zone impaired.
    Zones,
    /// `DescribeInstances` by the filter `client-token`, terminated ones included.
    Launched {
        /// The token of the launch.
        token: String,
    },
    /// `RunInstances`.
    Launch(Box<Launch>),
    /// `ModifyNetworkInterfaceAttribute`: source/destination check off.
    DisableSourceDestCheck {
        /// Whose.
        interface: InterfaceId,
    },
    /// `ReplaceRoute` to an interface.
    ReplaceRoute {
        /// In which table.
        table: TableId,
        /// Which route.
        destination: Cidr,
        /// Where to.
        interface: InterfaceId,
    },
    /// `CreateRoute` to an interface.
    CreateRoute {
        /// In which table.
        table: TableId,
        /// Which route.
        destination: Cidr,
        /// Where to.
        interface: InterfaceId,
    },
    /// `StopInstances` with `Force`, of one instance.
    Stop {
        /// Which.
        instance: InstanceId,
        /// Whether the guest gets no chance to shut down (`SkipOsShutdown`).
        skip_os_shutdown: bool,
    },
    /// `TerminateInstances`, of one instance.
    Terminate {
        /// Which.
        instance: InstanceId,
    },
}

impl Call {
    /// The name of the API action, as error messages and logs have it.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Call::Instances { .. } | Call::Listed { .. } | Call::Launched { .. } => {
                "DescribeInstances"
            }
            Call::Statuses { .. } => "DescribeInstanceStatus",
            Call::Tables { .. } => "DescribeRouteTables",
            Call::Path { .. } => "DescribeSecurityGroups",
            Call::Zones => "DescribeAvailabilityZones",
            Call::Launch(_) => "RunInstances",
            Call::DisableSourceDestCheck { .. } => "ModifyNetworkInterfaceAttribute",
            Call::ReplaceRoute { .. } => "ReplaceRoute",
            Call::CreateRoute { .. } => "CreateRoute",
            Call::Stop { .. } => "StopInstances",
            Call::Terminate { .. } => "TerminateInstances",
        }
    }

    /// Whether the call changes anything.
    #[must_use]
    pub fn mutates(&self) -> bool {
        match self {
            Call::Instances { .. }
            | Call::Listed { .. }
            | Call::Statuses { .. }
            | Call::Tables { .. }
            | Call::Path { .. }
            | Call::Zones
            | Call::Launched { .. } => false,
            Call::Launch(_)
            | Call::DisableSourceDestCheck { .. }
            | Call::ReplaceRoute { .. }
            | Call::CreateRoute { .. }
            | Call::Stop { .. }
            | Call::Terminate { .. } => true,
        }
    }
}

/// All that `RunInstances` is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// What is built.
    pub spec: LaunchSpec,
    /// Where.
    pub subnet: SubnetId,
    /// The subnet's zone.
    pub az: Az,
    /// Makes a repeated call harmless: at most 64 ASCII characters.
    pub token: String,
    /// Our own tags, set together with the spec's.
    pub tags: BTreeMap<String, String>,
    /// SHA-256, in hexadecimal, of the rendered user data that the shell holds for this subnet.
    pub user_data_sha256: String,
}

/// What a [`Call`] brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To `Instances`, `Listed` and `Launched`.
    Instances(Vec<Instance>),
    /// To `Statuses`.
    Statuses(Vec<Status>),
    /// To `Tables`; complete, never a part of the pages.
    Tables(Vec<RouteTable>),
    /// To `Path`.
    Path(Vec<PathPart>),
    /// To `Zones`.
    Zones(Vec<Zone>),
    /// To `Launch`: the new instance as `RunInstances` shows it.
    Launched(Box<Instance>),
    /// To a mutation that answers with nothing but success.
    Done,
}
