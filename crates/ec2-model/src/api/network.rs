//! Networks, as EC2 shows them: zones, VPCs, subnets, route tables, groups and ACLs.

use serde::{Deserialize, Serialize};

use super::{PrivateDnsNameOptions, Tag};

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
    /// `securityGroupArn`.
    pub security_group_arn: String,
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
    /// `groupName`: read only, instead of `groupId`.
    pub group_name: Option<String>,
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

/// An Elastic IP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// `publicIp`.
    pub public_ip: String,
    /// `allocationId`.
    pub allocation_id: String,
    /// `associationId`.
    pub association_id: String,
    /// `instanceId`.
    pub instance_id: Option<String>,
    /// `networkInterfaceId`.
    pub network_interface_id: String,
    /// `networkInterfaceOwnerId`.
    pub network_interface_owner_id: String,
    /// `privateIpAddress`.
    pub private_ip_address: String,
    /// `networkBorderGroup`: the region.
    pub network_border_group: String,
}
