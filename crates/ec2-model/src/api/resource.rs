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

/// An Availability Zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailabilityZone {
    /// `zoneName`.
    pub zone_name: String,
    /// `zoneId`.
    pub zone_id: String,
    /// `zoneState`: `available`, `impaired`, `constrained`, `unavailable`.
    pub state: String,
    /// `regionName`.
    pub region_name: String,
    /// `groupName`.
    pub group_name: String,
    /// `networkBorderGroup`.
    pub network_border_group: String,
    /// `optInStatus`.
    pub opt_in_status: String,
    /// `zoneType`: `availability-zone`, `local-zone`, `wavelength-zone`.
    pub zone_type: String,
    /// `messageSet/item/message`.
    pub messages: Vec<String>,
}

/// A VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// `vpcId`.
    pub vpc_id: String,
    /// `state`.
    pub state: String,
    /// `cidrBlock`.
    pub cidr_block: String,
    /// `cidrBlockAssociationSet`.
    pub cidr_block_associations: Vec<CidrAssociation>,
    /// `ipv6CidrBlockAssociationSet`.
    pub ipv6_cidr_block_associations: Vec<CidrAssociation>,
    /// `dhcpOptionsId`.
    pub dhcp_options_id: String,
    /// `instanceTenancy`.
    pub instance_tenancy: String,
    /// `isDefault`.
    pub is_default: bool,
    /// `ownerId`.
    pub owner_id: String,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}

/// A CIDR block of a VPC or subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CidrAssociation {
    /// `associationId`.
    pub association_id: String,
    /// `cidrBlock` or `ipv6CidrBlock`.
    pub cidr_block: String,
    /// `associated`.
    pub state: String,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// `subnetId`.
    pub subnet_id: String,
    /// `subnetArn`.
    pub subnet_arn: String,
    /// `state`.
    pub state: String,
    /// `vpcId`.
    pub vpc_id: String,
    /// `cidrBlock`.
    pub cidr_block: String,
    /// `ipv6CidrBlockAssociationSet`.
    pub ipv6_cidr_block_associations: Vec<CidrAssociation>,
    /// `availableIpAddressCount`.
    pub available_ip_address_count: u32,
    /// `availabilityZone`.
    pub availability_zone: String,
    /// `availabilityZoneId`.
    pub availability_zone_id: String,
    /// `defaultForAz`.
    pub default_for_az: bool,
    /// `mapPublicIpOnLaunch`.
    pub map_public_ip_on_launch: bool,
    /// `assignIpv6AddressOnCreation`.
    pub assign_ipv6_address_on_creation: bool,
    /// `ipv6Native`.
    pub ipv6_native: bool,
    /// `enableDns64`.
    pub enable_dns64: bool,
    /// `outpostArn`.
    pub outpost_arn: Option<String>,
    /// `privateDnsNameOptionsOnLaunch`.
    pub private_dns_name_options: PrivateDnsNameOptions,
    /// `ownerId`.
    pub owner_id: String,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}

/// A route table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// `routeTableId`.
    pub route_table_id: String,
    /// `vpcId`.
    pub vpc_id: String,
    /// `ownerId`.
    pub owner_id: String,
    /// `routeSet`.
    pub routes: Vec<Route>,
    /// `associationSet`.
    pub associations: Vec<RouteTableAssociation>,
    /// `propagatingVgwSet/item/gatewayId`.
    pub propagating_vgws: Vec<String>,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}

/// A route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// `destinationCidrBlock`.
    pub destination_cidr_block: Option<String>,
    /// `destinationIpv6CidrBlock`.
    pub destination_ipv6_cidr_block: Option<String>,
    /// `destinationPrefixListId`.
    pub destination_prefix_list_id: Option<String>,
    /// `gatewayId`: `local`, `igw-...`, `vgw-...`.
    pub gateway_id: Option<String>,
    /// `instanceId`: of the interface's instance.
    pub instance_id: Option<String>,
    /// `instanceOwnerId`.
    pub instance_owner_id: Option<String>,
    /// `networkInterfaceId`.
    pub network_interface_id: Option<String>,
    /// `natGatewayId`.
    pub nat_gateway_id: Option<String>,
    /// `transitGatewayId`.
    pub transit_gateway_id: Option<String>,
    /// `vpcPeeringConnectionId`.
    pub vpc_peering_connection_id: Option<String>,
    /// `CreateRouteTable`, `CreateRoute`, `EnableVgwRoutePropagation`.
    pub origin: String,
    /// `active` or `blackhole`.
    pub state: String,
}

/// What a route table serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTableAssociation {
    /// `routeTableAssociationId`.
    pub association_id: String,
    /// `routeTableId`.
    pub route_table_id: String,
    /// `subnetId`.
    pub subnet_id: Option<String>,
    /// `gatewayId`.
    pub gateway_id: Option<String>,
    /// `main`.
    pub main: bool,
    /// `associationState/state`: `associated`.
    pub state: String,
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// `groupId`.
    pub group_id: String,
    /// `groupName`.
    pub group_name: String,
    /// `groupDescription`.
    pub description: String,
    /// `ownerId`.
    pub owner_id: String,
    /// `vpcId`.
    pub vpc_id: String,
    /// `ipPermissions`.
    pub ingress: Vec<IpPermission>,
    /// `ipPermissionsEgress`.
    pub egress: Vec<IpPermission>,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}

/// What a security group admits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpPermission {
    /// `tcp`, `udp`, `icmp`, a number, or `-1`.
    pub ip_protocol: String,
    /// `fromPort`.
    pub from_port: Option<i64>,
    /// `toPort`.
    pub to_port: Option<i64>,
    /// `ipRanges`.
    pub ip_ranges: Vec<IpRange>,
    /// `ipv6Ranges`.
    pub ipv6_ranges: Vec<IpRange>,
    /// `prefixListIds`.
    pub prefix_list_ids: Vec<String>,
    /// `groups`.
    pub groups: Vec<UserIdGroupPair>,
}

/// A CIDR of a permission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpRange {
    /// `cidrIp` or `cidrIpv6`.
    pub cidr: String,
    /// `description`.
    pub description: Option<String>,
}

/// A group of a permission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserIdGroupPair {
    /// `userId`.
    pub user_id: String,
    /// `groupId`.
    pub group_id: String,
    /// `description`.
    pub description: Option<String>,
}

/// A network ACL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAcl {
    /// `networkAclId`.
    pub network_acl_id: String,
    /// `vpcId`.
    pub vpc_id: String,
    /// `default`.
    pub default: bool,
    /// `ownerId`.
    pub owner_id: String,
    /// `entrySet`.
    pub entries: Vec<NetworkAclEntry>,
    /// `associationSet`.
    pub associations: Vec<NetworkAclAssociation>,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}

/// A rule of a network ACL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclEntry {
    /// `ruleNumber`.
    pub rule_number: i64,
    /// `protocol`: a number, or `-1`.
    pub protocol: String,
    /// `ruleAction`: `allow` or `deny`.
    pub rule_action: String,
    /// `egress`.
    pub egress: bool,
    /// `cidrBlock`.
    pub cidr_block: Option<String>,
    /// `ipv6CidrBlock`.
    pub ipv6_cidr_block: Option<String>,
    /// `icmpTypeCode`: type, code.
    pub icmp_type_code: Option<(i64, i64)>,
    /// `portRange`: from, to.
    pub port_range: Option<(i64, i64)>,
}

/// A subnet of a network ACL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclAssociation {
    /// `networkAclAssociationId`.
    pub network_acl_association_id: String,
    /// `networkAclId`.
    pub network_acl_id: String,
    /// `subnetId`.
    pub subnet_id: String,
}

/// A volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// `volumeId`.
    pub volume_id: String,
    /// `size`, GiB.
    pub size: i64,
    /// `snapshotId`; empty without one.
    pub snapshot_id: String,
    /// `availabilityZone`.
    pub availability_zone: String,
    /// `status`: `in-use`, `available`, ...
    pub state: String,
    /// `createTime`.
    pub create_time: Timestamp,
    /// `attachmentSet`.
    pub attachments: Vec<VolumeAttachment>,
    /// `tagSet`.
    pub tags: Vec<Tag>,
    /// `volumeType`.
    pub volume_type: String,
    /// `iops`.
    pub iops: Option<i64>,
    /// `throughput`.
    pub throughput: Option<i64>,
    /// `encrypted`.
    pub encrypted: bool,
    /// `kmsKeyId`.
    pub kms_key_id: Option<String>,
    /// `multiAttachEnabled`.
    pub multi_attach_enabled: bool,
}

/// How a volume hangs on an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeAttachment {
    /// `volumeId`.
    pub volume_id: String,
    /// `instanceId`.
    pub instance_id: String,
    /// `device`.
    pub device: String,
    /// `status`: `attached`.
    pub state: String,
    /// `attachTime`.
    pub attach_time: Timestamp,
    /// `deleteOnTermination`.
    pub delete_on_termination: bool,
}

/// An image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `imageId`.
    pub image_id: String,
    /// `imageLocation`.
    pub image_location: String,
    /// `imageState`: `available`, `pending`, `deregistered`.
    pub state: String,
    /// `imageOwnerId`.
    pub owner_id: String,
    /// `imageOwnerAlias`: `amazon`.
    pub owner_alias: Option<String>,
    /// `isPublic`.
    pub public: bool,
    /// `architecture`.
    pub architecture: String,
    /// `imageType`.
    pub image_type: String,
    /// `name`.
    pub name: String,
    /// `description`.
    pub description: Option<String>,
    /// `rootDeviceType`: `ebs` or `instance-store`.
    pub root_device_type: String,
    /// `rootDeviceName`.
    pub root_device_name: String,
    /// `blockDeviceMapping`.
    pub block_device_mappings: Vec<BlockDevice>,
    /// `virtualizationType`.
    pub virtualization_type: String,
    /// `hypervisor`.
    pub hypervisor: String,
    /// `enaSupport`.
    pub ena_support: bool,
    /// `sriovNetSupport`.
    pub sriov_net_support: Option<String>,
    /// `bootMode`.
    pub boot_mode: Option<String>,
    /// `imdsSupport`: `v2.0` makes tokens required.
    pub imds_support: Option<String>,
    /// `creationDate`.
    pub creation_date: Timestamp,
    /// `deprecationTime`.
    pub deprecation_time: Option<Timestamp>,
    /// `platformDetails`.
    pub platform_details: String,
    /// `usageOperation`.
    pub usage_operation: String,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}

/// A block device of an image or a launch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDevice {
    /// `deviceName`.
    pub device_name: String,
    /// `virtualName`: `ephemeral0`.
    pub virtual_name: Option<String>,
    /// `noDevice`: leave the image's out.
    pub no_device: bool,
    /// `ebs`.
    pub ebs: Option<EbsBlockDevice>,
}

/// The volume behind a block device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EbsBlockDevice {
    /// `snapshotId`.
    pub snapshot_id: Option<String>,
    /// `volumeSize`, GiB.
    pub volume_size: Option<i64>,
    /// `volumeType`.
    pub volume_type: Option<String>,
    /// `iops`.
    pub iops: Option<i64>,
    /// `throughput`.
    pub throughput: Option<i64>,
    /// `encrypted`.
    pub encrypted: Option<bool>,
    /// `kmsKeyId`.
    pub kms_key_id: Option<String>,
    /// `deleteOnTermination`.
    pub delete_on_termination: Option<bool>,
}

/// A key pair.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// `keyName`.
    pub key_name: String,
    /// `keyPairId`.
    pub key_pair_id: String,
    /// `keyFingerprint`.
    pub key_fingerprint: String,
    /// `keyType`: `rsa` or `ed25519`.
    pub key_type: String,
    /// `createTime`.
    pub create_time: Timestamp,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}
