//! What EC2 tells of its resources. `Option` and empty lists are elements left out.

use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// `key`.
    pub key: String,
    /// `value`.
    pub value: String,
}

/// Where an instance is in its life.
///
/// ```text
/// pending -> running <-> stopping -> stopped -> pending
///    |          |                        |
///    +----------+---> shutting-down <----+
///                          |
///                     terminated
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "EC2's own state names")]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    /// EC2's numeric code, for example 16 for `running`.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            InstanceState::Pending => 0,
            InstanceState::Running => 16,
            InstanceState::ShuttingDown => 32,
            InstanceState::Terminated => 48,
            InstanceState::Stopping => 64,
            InstanceState::Stopped => 80,
        }
    }

    /// EC2's name, for example `shutting-down`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            InstanceState::Pending => "pending",
            InstanceState::Running => "running",
            InstanceState::ShuttingDown => "shutting-down",
            InstanceState::Terminated => "terminated",
            InstanceState::Stopping => "stopping",
            InstanceState::Stopped => "stopped",
        }
    }
}

/// Why an instance changed its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateReason {
    /// For example `Client.UserInitiatedShutdown`.
    pub code: String,
    /// `message`.
    pub message: String,
}

/// A security group as others name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupRef {
    /// `groupId`.
    pub group_id: String,
    /// `groupName`.
    pub group_name: String,
}

/// `cpuOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuOptions {
    /// `coreCount`.
    pub core_count: Option<i64>,
    /// `threadsPerCore`.
    pub threads_per_core: Option<i64>,
    /// `amdSevSnp`.
    pub amd_sev_snp: Option<String>,
}

/// What one launch made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// `reservationId`.
    pub reservation_id: String,
    /// `ownerId`.
    pub owner_id: String,
    /// `groupSet`: empty in a VPC.
    pub groups: Vec<GroupRef>,
    /// `instancesSet`.
    pub instances: Vec<Instance>,
}

/// An instance. A terminated one tells little: see each field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// `instanceId`.
    pub instance_id: String,
    /// `imageId`.
    pub image_id: String,
    /// `instanceState`: code and name.
    pub state: InstanceState,
    /// `privateDnsName`; empty when it has no address.
    pub private_dns_name: String,
    /// `dnsName` (public); empty without a public address.
    pub dns_name: String,
    /// `reason`, for example `User initiated (2026-01-01 00:00:00 GMT)`.
    pub state_transition_reason: String,
    /// `stateReason`.
    pub state_reason: Option<StateReason>,
    /// `keyName`.
    pub key_name: Option<String>,
    /// `amiLaunchIndex`.
    pub ami_launch_index: u32,
    /// `instanceType`.
    pub instance_type: String,
    /// `launchTime`: of the last start.
    pub launch_time: Timestamp,
    /// `placement`.
    pub placement: Placement,
    /// `platformDetails`.
    pub platform_details: String,
    /// `monitoring/state`: `disabled` or `enabled`.
    pub monitoring: String,
    /// `subnetId`; gone when terminated.
    pub subnet_id: Option<String>,
    /// `vpcId`; gone when terminated.
    pub vpc_id: Option<String>,
    /// `privateIpAddress`; gone when terminated.
    pub private_ip_address: Option<Ipv4Addr>,
    /// `ipAddress`; not while stopped.
    pub public_ip_address: Option<Ipv4Addr>,
    /// `ipv6Address`; gone when terminated.
    pub ipv6_address: Option<String>,
    /// `sourceDestCheck` of the primary interface; left out with several.
    pub source_dest_check: Option<bool>,
    /// `groupSet`; empty when terminated.
    pub groups: Vec<GroupRef>,
    /// `architecture`.
    pub architecture: String,
    /// `rootDeviceType`.
    pub root_device_type: String,
    /// `rootDeviceName`.
    pub root_device_name: String,
    /// `blockDeviceMapping`; empty when terminated.
    pub block_devices: Vec<InstanceBlockDevice>,
    /// `virtualizationType`.
    pub virtualization_type: String,
    /// `hypervisor`.
    pub hypervisor: String,
    /// `clientToken`; empty when none was given.
    pub client_token: String,
    /// `tagSet`, by key; gone some time after termination.
    pub tags: Vec<Tag>,
    /// `networkInterfaceSet`; empty when terminated.
    pub network_interfaces: Vec<InstanceNetworkInterface>,
    /// `ebsOptimized`.
    pub ebs_optimized: bool,
    /// `enaSupport`.
    pub ena_support: bool,
    /// `iamInstanceProfile`; gone when terminated.
    pub iam_instance_profile: Option<InstanceProfile>,
    /// `spotInstanceRequestId`.
    pub spot_instance_request_id: Option<String>,
    /// `instanceLifecycle`: `spot`, or left out.
    pub instance_lifecycle: Option<String>,
    /// `cpuOptions`.
    pub cpu_options: Option<CpuOptions>,
    /// `capacityReservationSpecification/capacityReservationPreference`: `open`.
    pub capacity_reservation_preference: String,
    /// `hibernationOptions/configured`.
    pub hibernation: bool,
    /// `metadataOptions`.
    pub metadata_options: Option<MetadataOptions>,
    /// `enclaveOptions/enabled`.
    pub enclave: bool,
    /// `bootMode`.
    pub boot_mode: Option<String>,
    /// `currentInstanceBootMode`.
    pub current_instance_boot_mode: Option<String>,
    /// `usageOperation`.
    pub usage_operation: String,
    /// `usageOperationUpdateTime`.
    pub usage_operation_update_time: Timestamp,
    /// `privateDnsNameOptions`.
    pub private_dns_name_options: Option<PrivateDnsNameOptions>,
    /// `maintenanceOptions/autoRecovery`.
    pub auto_recovery: String,
    /// `operator/managed`.
    pub operator_managed: bool,
}

/// Where an instance stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// `availabilityZone`.
    pub availability_zone: String,
    /// `availabilityZoneId`.
    pub availability_zone_id: String,
    /// `groupName`; empty without one.
    pub group_name: String,
    /// `partitionNumber`.
    pub partition_number: Option<i64>,
    /// `tenancy`.
    pub tenancy: String,
    /// `hostId`.
    pub host_id: Option<String>,
    /// `affinity`.
    pub affinity: Option<String>,
}

/// An instance's profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// `arn`.
    pub arn: String,
    /// `id`, for example `AIPA...`.
    pub id: String,
}

/// How the instance reaches its metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    /// `state`: `pending` or `applied`.
    pub state: String,
    /// `httpTokens`.
    pub http_tokens: String,
    /// `httpPutResponseHopLimit`.
    pub http_put_response_hop_limit: i64,
    /// `httpEndpoint`.
    pub http_endpoint: String,
    /// `httpProtocolIpv6`.
    pub http_protocol_ipv6: String,
    /// `instanceMetadataTags`.
    pub instance_metadata_tags: String,
}

/// How the instance is named inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateDnsNameOptions {
    /// `hostnameType`.
    pub hostname_type: String,
    /// `enableResourceNameDnsARecord`.
    pub enable_resource_name_dns_a_record: bool,
    /// `enableResourceNameDnsAAAARecord`.
    pub enable_resource_name_dns_aaaa_record: bool,
}

/// A volume as its instance tells it: the id only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceBlockDevice {
    /// `deviceName`.
    pub device_name: String,
    /// `ebs/volumeId`.
    pub volume_id: String,
    /// `ebs/status`: `attaching`, `attached`, `detaching`.
    pub status: String,
    /// `ebs/attachTime`.
    pub attach_time: Timestamp,
    /// `ebs/deleteOnTermination`.
    pub delete_on_termination: bool,
}

/// An interface as its instance tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceNetworkInterface {
    /// `networkInterfaceId`.
    pub network_interface_id: String,
    /// `subnetId`.
    pub subnet_id: String,
    /// `vpcId`.
    pub vpc_id: String,
    /// `description`.
    pub description: String,
    /// `ownerId`.
    pub owner_id: String,
    /// `status`: `in-use`.
    pub status: String,
    /// `macAddress`.
    pub mac_address: String,
    /// `privateIpAddress`.
    pub private_ip_address: Ipv4Addr,
    /// `privateDnsName`.
    pub private_dns_name: String,
    /// `sourceDestCheck`.
    pub source_dest_check: bool,
    /// `groupSet`.
    pub groups: Vec<GroupRef>,
    /// `attachment`.
    pub attachment: InterfaceAttachment,
    /// `association`.
    pub association: Option<InterfaceAssociation>,
    /// `privateIpAddressesSet`.
    pub private_ip_addresses: Vec<PrivateIpAddress>,
    /// `ipv6AddressesSet`.
    pub ipv6_addresses: Vec<String>,
    /// `interfaceType`: `interface`.
    pub interface_type: String,
}

/// How an interface hangs on its instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAttachment {
    /// `attachmentId`.
    pub attachment_id: String,
    /// `instanceId`: in `DescribeNetworkInterfaces` only.
    pub instance_id: Option<String>,
    /// `instanceOwnerId`: in `DescribeNetworkInterfaces` only.
    pub instance_owner_id: Option<String>,
    /// `deviceIndex`.
    pub device_index: i64,
    /// `networkCardIndex`.
    pub network_card_index: i64,
    /// `status`.
    pub status: String,
    /// `attachTime`.
    pub attach_time: Timestamp,
    /// `deleteOnTermination`.
    pub delete_on_termination: bool,
}

/// An interface's public address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAssociation {
    /// `publicIp`.
    pub public_ip: Ipv4Addr,
    /// `publicDnsName`.
    pub public_dns_name: String,
    /// `ipOwnerId`: `amazon` when auto-assigned.
    pub ip_owner_id: String,
}

/// One private address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateIpAddress {
    /// `privateIpAddress`.
    pub private_ip_address: Ipv4Addr,
    /// `privateDnsName`.
    pub private_dns_name: String,
    /// `primary`.
    pub primary: bool,
    /// `association`.
    pub association: Option<InterfaceAssociation>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// `networkInterfaceId`.
    pub network_interface_id: String,
    /// `subnetId`.
    pub subnet_id: String,
    /// `vpcId`.
    pub vpc_id: String,
    /// `availabilityZone`.
    pub availability_zone: String,
    /// `description`.
    pub description: String,
    /// `ownerId`.
    pub owner_id: String,
    /// `requesterId`.
    pub requester_id: Option<String>,
    /// `requesterManaged`.
    pub requester_managed: bool,
    /// `status`: `available`, `in-use`, ...
    pub status: String,
    /// `macAddress`.
    pub mac_address: String,
    /// `privateIpAddress`.
    pub private_ip_address: Ipv4Addr,
    /// `privateDnsName`.
    pub private_dns_name: String,
    /// `sourceDestCheck`.
    pub source_dest_check: bool,
    /// `groupSet`.
    pub groups: Vec<GroupRef>,
    /// `attachment`.
    pub attachment: Option<InterfaceAttachment>,
    /// `association`.
    pub association: Option<InterfaceAssociation>,
    /// `tagSet`.
    pub tags: Vec<Tag>,
    /// `privateIpAddressesSet`.
    pub private_ip_addresses: Vec<PrivateIpAddress>,
    /// `ipv6AddressesSet`.
    pub ipv6_addresses: Vec<String>,
    /// `interfaceType`: `interface`.
    pub interface_type: String,
}

/// One row of `DescribeInstanceStatus`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// `instanceId`.
    pub instance_id: String,
    /// `availabilityZone`.
    pub availability_zone: String,
    /// `availabilityZoneId`.
    pub availability_zone_id: String,
    /// `outpostArn`.
    pub outpost_arn: Option<String>,
    /// `eventsSet`.
    pub events: Vec<InstanceStatusEvent>,
    /// `instanceState`.
    pub state: InstanceState,
    /// `systemStatus`.
    pub system_status: StatusSummary,
    /// `instanceStatus`.
    pub instance_status: StatusSummary,
    /// `attachedEbsStatus`.
    pub attached_ebs_status: StatusSummary,
    /// `operator/managed`.
    pub operator_managed: bool,
}

/// One status check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusSummary {
    /// `ok`, `impaired`, `initializing`, `insufficient-data`, `not-applicable`.
    pub status: String,
    /// `details`.
    pub details: Vec<StatusDetail>,
}

/// One test of a status check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDetail {
    /// `name`: `reachability`.
    pub name: String,
    /// `passed`, `failed`, `initializing`, `insufficient-data`.
    pub status: String,
    /// `impairedSince`.
    pub impaired_since: Option<Timestamp>,
}

/// A scheduled event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceStatusEvent {
    /// `instanceEventId`.
    pub instance_event_id: String,
    /// For example `instance-retirement`.
    pub code: String,
    /// `description`; a past event's begins `[Completed]` or `[Canceled]`.
    pub description: String,
    /// `notBefore`.
    pub not_before: Timestamp,
    /// `notAfter`.
    pub not_after: Option<Timestamp>,
    /// `notBeforeDeadline`.
    pub not_before_deadline: Option<Timestamp>,
}

/// A spot request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpotInstanceRequest {
    /// `spotInstanceRequestId`.
    pub spot_instance_request_id: String,
    /// `type`: `one-time` or `persistent`.
    pub kind: String,
    /// `state`: `active`, or `closed` once its instance has gone.
    pub state: String,
    /// `status/code`.
    pub status: String,
    /// `instanceId`.
    pub instance_id: String,
    /// `launchedAvailabilityZone`.
    pub launched_availability_zone: String,
    /// `createTime`.
    pub create_time: Timestamp,
}
