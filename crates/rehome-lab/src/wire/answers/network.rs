//! VPCs, subnets, route tables, interfaces.

use ec2_model::api::{
    Address, CidrAssociation, InterfaceAssociation, InterfaceAttachment, NetworkInterface,
    PrivateIpAddress, Route, RouteTable, RouteTableAssociation, Subnet, Vpc,
};

use super::super::xml::Xml;
use super::instances::dns_options;
use super::{groups, tags};

pub(super) fn vpc(xml: &mut Xml, vpc: &Vpc) {
    xml.leaf("vpcId", &vpc.vpc_id);
    xml.leaf("ownerId", &vpc.owner_id);
    xml.leaf("state", &vpc.state);
    xml.leaf("cidrBlock", &vpc.cidr_block);
    xml.list("cidrBlockAssociationSet", &vpc.cidr_block_associations, |xml, block| {
        cidr(xml, block, "cidrBlock", "cidrBlockState")
    });
    ipv6_blocks(xml, &vpc.ipv6_cidr_block_associations);
    xml.leaf("dhcpOptionsId", &vpc.dhcp_options_id);
    xml.leaf("instanceTenancy", &vpc.instance_tenancy);
    xml.leaf("isDefault", vpc.is_default);
    tags(xml, &vpc.tags);
}

fn ipv6_blocks(xml: &mut Xml, blocks: &[CidrAssociation]) {
    xml.list("ipv6CidrBlockAssociationSet", blocks, |xml, block| {
        cidr(xml, block, "ipv6CidrBlock", "ipv6CidrBlockState");
    });
}

fn cidr(xml: &mut Xml, block: &CidrAssociation, name: &str, state: &str) {
    xml.leaf("associationId", &block.association_id);
    xml.leaf(name, &block.cidr_block);
    xml.nested(state, "state", &block.state);
}

pub(super) fn subnet(xml: &mut Xml, subnet: &Subnet) {
    xml.leaf("subnetId", &subnet.subnet_id);
    xml.leaf("subnetArn", &subnet.subnet_arn);
    xml.leaf("state", &subnet.state);
    xml.leaf("ownerId", &subnet.owner_id);
    xml.leaf("vpcId", &subnet.vpc_id);
    xml.leaf("cidrBlock", &subnet.cidr_block);
    ipv6_blocks(xml, &subnet.ipv6_cidr_block_associations);
    xml.leaf("availableIpAddressCount", subnet.available_ip_address_count);
    xml.leaf("availabilityZone", &subnet.availability_zone);
    xml.leaf("availabilityZoneId", &subnet.availability_zone_id);
    xml.leaf("defaultForAz", subnet.default_for_az);
    xml.leaf("mapPublicIpOnLaunch", subnet.map_public_ip_on_launch);
    xml.leaf("assignIpv6AddressOnCreation", subnet.assign_ipv6_address_on_creation);
    xml.leaf("ipv6Native", subnet.ipv6_native);
    xml.leaf("enableDns64", subnet.enable_dns64);
    xml.maybe("outpostArn", subnet.outpost_arn.as_ref());
    xml.element("privateDnsNameOptionsOnLaunch", |xml| {
        dns_options(xml, &subnet.private_dns_name_options);
    });
    tags(xml, &subnet.tags);
}

pub(super) fn route_table(xml: &mut Xml, table: &RouteTable) {
    xml.leaf("routeTableId", &table.route_table_id);
    xml.leaf("vpcId", &table.vpc_id);
    xml.leaf("ownerId", &table.owner_id);
    xml.list("routeSet", &table.routes, route);
    xml.list("associationSet", &table.associations, table_association);
    xml.list("propagatingVgwSet", &table.propagating_vgws, |xml, gateway| {
        xml.leaf("gatewayId", gateway)
    });
    tags(xml, &table.tags);
}

fn route(xml: &mut Xml, route: &Route) {
    let texts = [
        ("destinationCidrBlock", &route.destination_cidr_block),
        ("destinationIpv6CidrBlock", &route.destination_ipv6_cidr_block),
        ("destinationPrefixListId", &route.destination_prefix_list_id),
        ("gatewayId", &route.gateway_id),
        ("instanceId", &route.instance_id),
        ("instanceOwnerId", &route.instance_owner_id),
        ("networkInterfaceId", &route.network_interface_id),
        ("natGatewayId", &route.nat_gateway_id),
        ("transitGatewayId", &route.transit_gateway_id),
        ("vpcPeeringConnectionId", &route.vpc_peering_connection_id),
    ];
    for (name, text) in texts {
        xml.maybe(name, text.as_ref());
    }
    xml.leaf("origin", &route.origin);
    xml.leaf("state", &route.state);
}

fn table_association(xml: &mut Xml, association: &RouteTableAssociation) {
    xml.leaf("routeTableAssociationId", &association.association_id);
    xml.leaf("routeTableId", &association.route_table_id);
    xml.maybe("subnetId", association.subnet_id.as_ref());
    xml.maybe("gatewayId", association.gateway_id.as_ref());
    xml.leaf("main", association.main);
    xml.nested("associationState", "state", &association.state);
}

pub(super) fn interface(xml: &mut Xml, interface: &NetworkInterface) {
    xml.leaf("networkInterfaceId", &interface.network_interface_id);
    xml.leaf("subnetId", &interface.subnet_id);
    xml.leaf("vpcId", &interface.vpc_id);
    xml.leaf("availabilityZone", &interface.availability_zone);
    xml.leaf("description", &interface.description);
    xml.leaf("ownerId", &interface.owner_id);
    xml.maybe("requesterId", interface.requester_id.as_ref());
    xml.leaf("requesterManaged", interface.requester_managed);
    xml.leaf("status", &interface.status);
    xml.leaf("macAddress", &interface.mac_address);
    xml.leaf("privateIpAddress", interface.private_ip_address);
    xml.leaf("privateDnsName", &interface.private_dns_name);
    xml.leaf("sourceDestCheck", interface.source_dest_check);
    groups(xml, &interface.groups);
    if let Some(how) = &interface.attachment {
        attachment(xml, how);
    }
    association(xml, interface.association.as_ref());
    tags(xml, &interface.tags);
    addresses(xml, &interface.private_ip_addresses, &interface.ipv6_addresses);
    xml.leaf("interfaceType", &interface.interface_type);
}

/// How an interface hangs on its instance.
pub(super) fn attachment(xml: &mut Xml, attachment: &InterfaceAttachment) {
    xml.element("attachment", |xml| {
        xml.leaf("attachmentId", &attachment.attachment_id);
        xml.maybe("instanceId", attachment.instance_id.as_ref());
        xml.maybe("instanceOwnerId", attachment.instance_owner_id.as_ref());
        xml.leaf("deviceIndex", attachment.device_index);
        xml.leaf("networkCardIndex", attachment.network_card_index);
        xml.leaf("status", &attachment.status);
        xml.time("attachTime", attachment.attach_time);
        xml.leaf("deleteOnTermination", attachment.delete_on_termination);
    });
}

/// An interface's public address, where it has one.
pub(super) fn association(xml: &mut Xml, association: Option<&InterfaceAssociation>) {
    let Some(association) = association else {
        return;
    };
    xml.element("association", |xml| {
        xml.leaf("publicIp", association.public_ip);
        xml.leaf("publicDnsName", &association.public_dns_name);
        xml.leaf("ipOwnerId", &association.ip_owner_id);
    });
}

/// An interface's private addresses.
pub(super) fn addresses(xml: &mut Xml, private: &[PrivateIpAddress], ipv6: &[String]) {
    xml.list("privateIpAddressesSet", private, |xml, address| {
        xml.leaf("privateIpAddress", address.private_ip_address);
        xml.leaf("privateDnsName", &address.private_dns_name);
        xml.leaf("primary", address.primary);
        association(xml, address.association.as_ref());
    });
    xml.list("ipv6AddressesSet", ipv6, |xml, address| {
        xml.leaf("ipv6Address", address);
    });
}

pub(super) fn address(xml: &mut Xml, address: &Address) {
    xml.maybe("instanceId", address.instance_id.as_ref());
    xml.leaf("publicIp", &address.public_ip);
    xml.leaf("allocationId", &address.allocation_id);
    xml.leaf("associationId", &address.association_id);
    xml.leaf("domain", "vpc");
    xml.leaf("networkInterfaceId", &address.network_interface_id);
    xml.leaf("networkInterfaceOwnerId", &address.network_interface_owner_id);
    xml.leaf("privateIpAddress", &address.private_ip_address);
    xml.leaf("publicIpv4Pool", "amazon");
    xml.leaf("networkBorderGroup", &address.network_border_group);
}
