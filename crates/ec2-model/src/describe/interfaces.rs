//! Network interfaces as EC2 tells them.

use core::net::Ipv4Addr;

use crate::{
    api::{
        InstanceNetworkInterface, InterfaceAssociation, InterfaceAttachment, NetworkInterface,
        PrivateIpAddress, Response, Select, Tag,
    },
    ec2::Ec2,
    error::ApiError,
    filter::{Column, Listed, maybe, one},
    ids::Kind,
    world::{Attachment, Interface},
};

impl Ec2 {
    pub(super) fn describe_interfaces(&mut self, select: &Select) -> Result<Response, ApiError> {
        let moment = self.read_moment(self.knobs.interfaces);
        let all = self.world.interfaces.all_at(moment);
        let seen = all.into_iter().filter(|i| self.is_visible(i.created));
        let items = seen.map(|interface| self.interface_view(interface)).collect();
        let page = super::tell(items, select, Kind::Interface, |i: &NetworkInterface| {
            &i.network_interface_id
        })?;
        Ok(Response::DescribeNetworkInterfaces(page))
    }

    fn interface_view(&self, interface: &Interface) -> NetworkInterface {
        let port = self.port_view(interface);
        NetworkInterface {
            network_interface_id: port.network_interface_id,
            subnet_id: port.subnet_id,
            vpc_id: port.vpc_id,
            availability_zone: interface.zone.clone(),
            description: port.description,
            owner_id: port.owner_id,
            requester_id: None,
            requester_managed: false,
            status: port.status,
            mac_address: port.mac_address,
            private_ip_address: port.private_ip_address,
            private_dns_name: port.private_dns_name,
            source_dest_check: port.source_dest_check,
            groups: port.groups,
            attachment: interface.attachment.as_ref().map(|a| InterfaceAttachment {
                instance_id: Some(a.instance.clone()),
                instance_owner_id: Some(self.account.clone()),
                ..self.attachment_view(a)
            }),
            association: port.association,
            tags: interface.tags.clone(),
            private_ip_addresses: port.private_ip_addresses,
            ipv6_addresses: port.ipv6_addresses,
            interface_type: port.interface_type,
        }
    }

    /// An interface as its instance tells it.
    pub(super) fn port_view(&self, interface: &Interface) -> InstanceNetworkInterface {
        let name = self.private_dns_name(interface.ip);
        let association = interface.public_ip.map(|ip| InterfaceAssociation {
            public_ip: ip,
            public_dns_name: self.public_dns_name(ip),
            // An Elastic IP is its account's (EC2 API, `InstanceNetworkInterfaceAssociation`).
            ip_owner_id: if interface.elastic_ip.is_some() {
                self.account.clone()
            } else {
                "amazon".into()
            },
        });
        let status = if interface.attachment.is_some() { "in-use" } else { "available" };
        InstanceNetworkInterface {
            network_interface_id: interface.id.clone(),
            subnet_id: interface.subnet.clone(),
            vpc_id: interface.vpc.clone(),
            description: interface.description.clone(),
            owner_id: self.account.clone(),
            status: status.to_owned(),
            mac_address: interface.mac.clone(),
            private_ip_address: interface.ip,
            private_dns_name: name.clone(),
            source_dest_check: interface.source_dest_check,
            groups: self.group_refs(&interface.groups),
            attachment: interface
                .attachment
                .as_ref()
                .map(|a| self.attachment_view(a))
                .unwrap_or_default(),
            association: association.clone(),
            private_ip_addresses: vec![PrivateIpAddress {
                private_ip_address: interface.ip,
                private_dns_name: name,
                primary: true,
                association,
            }],
            ipv6_addresses: Vec::new(),
            interface_type: "interface".to_owned(),
        }
    }

    fn attachment_view(&self, attachment: &Attachment) -> InterfaceAttachment {
        InterfaceAttachment {
            attachment_id: attachment.id.clone(),
            instance_id: None,
            instance_owner_id: None,
            device_index: attachment.device_index,
            network_card_index: attachment.card_index,
            status: "attached".to_owned(),
            attach_time: self.timestamp(attachment.since),
            delete_on_termination: attachment.delete_on_termination,
        }
    }

    /// `ip-172-31-48-10.eu-west-1.compute.internal` (EC2 User Guide, "EC2 instance hostnames").
    pub(crate) fn private_dns_name(&self, ip: Ipv4Addr) -> String {
        let [a, b, c, d] = ip.octets();
        match self.region.as_str() {
            "us-east-1" => format!("ip-{a}-{b}-{c}-{d}.ec2.internal"),
            region => format!("ip-{a}-{b}-{c}-{d}.{region}.compute.internal"),
        }
    }

    fn public_dns_name(&self, ip: Ipv4Addr) -> String {
        let [a, b, c, d] = ip.octets();
        match self.region.as_str() {
            "us-east-1" => format!("ec2-{a}-{b}-{c}-{d}.compute-1.amazonaws.com"),
            region => format!("ec2-{a}-{b}-{c}-{d}.{region}.compute.amazonaws.com"),
        }
    }
}

/// A column of the attachment.
fn attached(i: &NetworkInterface, read: impl Fn(&InterfaceAttachment) -> String) -> Vec<String> {
    i.attachment.iter().map(read).collect()
}

impl Listed for NetworkInterface {
    const ID_SET: &'static str = "networkInterfaceIds";
    const COLUMNS: &'static [Column<NetworkInterface>] = &[
        ("addresses.private-ip-address", |i| one(i.private_ip_address)),
        ("association.public-ip", |i| maybe(i.association.as_ref().map(|a| &a.public_ip))),
        ("attachment.attachment-id", |i| attached(i, |a| a.attachment_id.clone())),
        ("attachment.delete-on-termination", |i| {
            attached(i, |a| a.delete_on_termination.to_string())
        }),
        ("attachment.device-index", |i| attached(i, |a| a.device_index.to_string())),
        ("attachment.instance-id", |i| {
            maybe(i.attachment.as_ref().and_then(|a| a.instance_id.as_ref()))
        }),
        ("attachment.status", |i| attached(i, |a| a.status.clone())),
        ("availability-zone", |i| one(&i.availability_zone)),
        ("description", |i| one(&i.description)),
        ("group-id", |i| i.groups.iter().map(|g| g.group_id.clone()).collect()),
        ("group-name", |i| i.groups.iter().map(|g| g.group_name.clone()).collect()),
        ("interface-type", |i| one(&i.interface_type)),
        ("mac-address", |i| one(&i.mac_address)),
        ("network-interface-id", |i| one(&i.network_interface_id)),
        ("owner-id", |i| one(&i.owner_id)),
        ("private-dns-name", |i| one(&i.private_dns_name)),
        ("private-ip-address", |i| one(i.private_ip_address)),
        ("requester-managed", |i| one(i.requester_managed)),
        ("source-dest-check", |i| one(i.source_dest_check)),
        ("status", |i| one(&i.status)),
        ("subnet-id", |i| one(&i.subnet_id)),
        ("vpc-id", |i| one(&i.vpc_id)),
    ];

    fn key(&self) -> String {
        self.network_interface_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }
}
