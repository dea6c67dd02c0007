//! Where a launch goes and the interfaces it gets.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::{NetworkInterfaceSpec, RunInstances, Tag},
    ec2::Ec2,
    error::ApiError,
    ids::Kind,
    world::{Attachment, Interface, Subnet},
};

/// One interface of every instance of a launch.
#[derive(Clone, Debug, Default)]
pub(super) struct Port {
    pub(super) device_index: i64,
    card_index: i64,
    /// An existing interface to attach.
    existing: Option<String>,
    subnet: Option<String>,
    ip: Option<Ipv4Addr>,
    groups: Vec<String>,
    description: String,
    /// Asked for or refused; `None` as the subnet has it.
    public_ip: Option<bool>,
    delete_on_termination: bool,
}

impl Ec2 {
    /// The zone that the request names, by itself or by a subnet: idempotency is zonal then.
    pub(super) fn explicit_zone(&self, r: &RunInstances) -> Option<String> {
        let subnet_zone = |id: &String| self.world.subnets.get(id).map(|s| s.zone.clone());
        let of_interface = r.network_interfaces.iter().find_map(|spec| {
            let existing = spec.network_interface_id.as_ref();
            let existing = existing.and_then(|id| self.world.interfaces.get(id));
            existing.map(|i| i.zone.clone()).or_else(|| subnet_zone(spec.subnet_id.as_ref()?))
        });
        let of_subnet = r.subnet_id.as_ref().and_then(subnet_zone);
        of_subnet
            .or(of_interface)
            .or_else(|| r.placement.as_ref().and_then(|p| p.availability_zone.clone()))
    }

    /// The interfaces asked for, by device index; the groups are ids and exist.
    pub(super) fn ports(&self, r: &RunInstances) -> Result<Vec<Port>, ApiError> {
        if r.ipv6_address_count.is_some_and(|n| n > 0)
            || r.network_interfaces.iter().any(|i| i.ipv6_address_count.is_some_and(|n| n > 0))
        {
            return Err(ApiError::invalid_value(
                "The subnet does not contain any IPv6 CIDR block ranges.",
            ));
        }
        if r.network_interfaces.is_empty() {
            return Ok(vec![self.plain_port(r)?]);
        }
        let conflict = |what: &str| {
            Err(ApiError::invalid_combination(format!(
                "Network interfaces and an instance-level {what} may not be specified on the \
                 same request"
            )))
        };
        if r.subnet_id.is_some() {
            return conflict("subnet ID");
        }
        if !r.security_group_ids.is_empty() || !r.security_groups.is_empty() {
            return conflict("security groups");
        }
        if r.private_ip_address.is_some() {
            return conflict("private address");
        }
        let mut ports = Vec::new();
        for spec in &r.network_interfaces {
            ports.push(self.port(spec, r)?);
        }
        ports.sort_by_key(|port| port.device_index);
        let indexes: BTreeSet<i64> = ports.iter().map(|port| port.device_index).collect();
        if indexes.len() != ports.len() || !indexes.contains(&0) {
            return Err(ApiError::invalid_value(
                "Each network interface requires a device index of its own, the primary one 0.",
            ));
        }
        Ok(ports)
    }

    fn plain_port(&self, r: &RunInstances) -> Result<Port, ApiError> {
        let vpc = match &r.subnet_id {
            Some(id) => self.known_subnet(id)?.vpc.clone(),
            None => self.default_vpc()?,
        };
        let mut groups = r.security_group_ids.clone();
        if !r.security_groups.is_empty() {
            if r.subnet_id.is_some() {
                return Err(ApiError::invalid_combination(
                    "The parameter groupName cannot be used with the parameter subnet",
                ));
            }
            for name in &r.security_groups {
                groups.push(self.group_named(name, &vpc)?);
            }
        }
        Ok(Port {
            ip: self.wanted_address(r.private_ip_address.as_deref(), r)?,
            groups: self.groups_in(&vpc, &groups, r.subnet_id.as_deref())?,
            subnet: r.subnet_id.clone(),
            delete_on_termination: true,
            ..Port::default()
        })
    }

    fn port(&self, spec: &NetworkInterfaceSpec, r: &RunInstances) -> Result<Port, ApiError> {
        let missing = || ApiError::missing_parameter("NetworkInterface.DeviceIndex");
        let device_index = spec.device_index.ok_or_else(missing)?;
        let card_index = spec.network_card_index.unwrap_or(0);
        if let Some(id) = &spec.network_interface_id {
            let interface = self.known_interface(id)?;
            if let Some(attachment) = &interface.attachment {
                return Err(ApiError::new(
                    400,
                    "InvalidNetworkInterface.InUse",
                    format!("Interface: [{id}] in use by {}", attachment.instance),
                ));
            }
            return Ok(Port {
                device_index,
                card_index,
                existing: Some(id.clone()),
                subnet: Some(interface.subnet.clone()),
                delete_on_termination: spec.delete_on_termination.unwrap_or(false),
                ..Port::default()
            });
        }
        if spec.associate_public_ip_address.is_some() && r.network_interfaces.len() > 1 {
            return Err(ApiError::invalid_combination(
                "The associatePublicIpAddress parameter cannot be specified when launching with \
                 multiple network interfaces.",
            ));
        }
        let vpc = match &spec.subnet_id {
            Some(id) => self.known_subnet(id)?.vpc.clone(),
            None => self.default_vpc()?,
        };
        Ok(Port {
            device_index,
            card_index,
            existing: None,
            subnet: spec.subnet_id.clone(),
            ip: self.wanted_address(spec.private_ip_address.as_deref(), r)?,
            groups: self.groups_in(&vpc, &spec.groups, spec.subnet_id.as_deref())?,
            description: spec.description.clone().unwrap_or_default(),
            public_ip: spec.associate_public_ip_address,
            delete_on_termination: spec.delete_on_termination.unwrap_or(true),
        })
    }

    /// The subnets a launch may go to, in the order in which they are tried.
    pub(super) fn subnets_for(
        &self,
        r: &RunInstances,
        ports: &[Port],
    ) -> Result<Vec<String>, ApiError> {
        let zone = r.placement.as_ref().and_then(|p| p.availability_zone.as_ref());
        let Some(id) = ports.iter().find_map(|port| port.subnet.as_ref()) else {
            let vpc = self.default_vpc()?;
            let suits = |s: &&Subnet| {
                s.vpc == vpc && s.default_for_az && zone.is_none_or(|zone| s.zone == *zone)
            };
            let found: Vec<String> =
                self.world.subnets.values().filter(suits).map(|s| s.id.clone()).collect();
            if found.is_empty() {
                return Err(ApiError::new(
                    400,
                    "MissingInput",
                    "No default subnet was found for this launch; specify a subnet.",
                ));
            }
            return Ok(found);
        };
        let subnet = self.known_subnet(id)?;
        if let Some(zone) = zone.filter(|zone| **zone != subnet.zone) {
            return Err(ApiError::invalid_value(format!(
                "Value ({zone}) for parameter availabilityZone is invalid. Subnet '{id}' is in \
                 the availability zone {}",
                subnet.zone
            )));
        }
        let mut fixed = BTreeSet::new();
        for port in ports {
            let other = port.subnet.as_ref().unwrap_or(id);
            let other = self.known_subnet(other)?;
            if other.zone != subnet.zone {
                return Err(ApiError::invalid_combination(
                    "All network interfaces of an instance must be in one Availability Zone.",
                ));
            }
            if let Some(ip) = port.ip {
                self.check_address(other, ip)?;
                if !fixed.insert((&other.id, ip)) {
                    return Err(address_in_use(ip));
                }
            }
        }
        Ok(vec![id.clone()])
    }

    /// How many instances with these interfaces the free addresses allow.
    pub(super) fn instances_addressable(&self, ports: &[Port], launch_subnet: &str) -> u32 {
        let mut needs: BTreeMap<&str, u32> = BTreeMap::new();
        for port in ports.iter().filter(|port| port.existing.is_none()) {
            *needs.entry(port.subnet.as_deref().unwrap_or(launch_subnet)).or_default() += 1;
        }
        let allowed = needs.into_iter().map(|(id, need)| {
            self.world.subnets.get(id).map_or(0, |subnet| self.world.free_addresses(subnet) / need)
        });
        allowed.min().unwrap_or(u32::MAX)
    }

    fn check_address(&self, subnet: &Subnet, ip: Ipv4Addr) -> Result<(), ApiError> {
        if self.world.address_is_free(subnet, ip) {
            return Ok(());
        }
        Err(if !subnet.cidr.contains(ip) {
            ApiError::invalid_value(format!(
                "Address {ip} does not fall within the subnet's address range"
            ))
        } else if self.world.interfaces.values().any(|i| i.subnet == subnet.id && i.ip == ip) {
            address_in_use(ip)
        } else {
            ApiError::invalid_value(format!("Address {ip} is in subnet's reserved address range"))
        })
    }

    fn wanted_address(
        &self,
        text: Option<&str>,
        r: &RunInstances,
    ) -> Result<Option<Ipv4Addr>, ApiError> {
        let Some(text) = text else { return Ok(None) };
        let ip = text.parse();
        let ip = ip.map_err(|_| ApiError::not_a("IPv4 address", "privateIpAddress", text))?;
        if r.max_count.is_some_and(|n| n > 1) {
            return Err(ApiError::invalid_combination(
                "The parameter privateIpAddress cannot be used when launching several instances",
            ));
        }
        Ok(Some(ip))
    }

    /// Makes or attaches one interface; returns its id.
    pub(super) fn make_port(
        &mut self,
        port: &Port,
        launch_subnet: &str,
        instance: &str,
        tags: &[Tag],
    ) -> String {
        let attachment = Attachment {
            id: self.generator.id("eni-attach"),
            instance: instance.to_owned(),
            device_index: port.device_index,
            card_index: port.card_index,
            since: self.now,
            delete_on_termination: port.delete_on_termination,
        };
        if let Some(id) = &port.existing {
            if let Some(interface) = self.world.interfaces.edit(id, self.now) {
                interface.attachment = Some(attachment);
            }
            return id.clone();
        }
        let subnet = port.subnet.as_deref().unwrap_or(launch_subnet);
        let subnet = self.world.subnets.get(subnet).cloned();
        let subnet = subnet.expect("the launch's subnets were looked up before");
        let ip = port.ip.or_else(|| self.pick_address(&subnet));
        let interface = Interface {
            id: self.generator.id("eni"),
            created: self.now,
            vpc: subnet.vpc.clone(),
            zone: subnet.zone.clone(),
            mac: self.generator.mac(),
            ip: ip.expect("the launch was given no more interfaces than free addresses"),
            description: port.description.clone(),
            groups: port.groups.clone(),
            source_dest_check: true,
            wants_public_ip: port.public_ip.unwrap_or(subnet.map_public_ip),
            public_ip: None,
            elastic_ip: None,
            attachment: Some(attachment),
            tags: tags.to_vec(),
            subnet: subnet.id,
        };
        let id = interface.id.clone();
        self.world.interfaces.insert(&id, interface);
        id
    }

    /// Any free address of the subnet. EC2 documents no order.
    pub(crate) fn pick_address(&mut self, subnet: &Subnet) -> Option<Ipv4Addr> {
        let size = subnet.cidr.size();
        let start = self.generator.below(size);
        let free = |ip: &Ipv4Addr| self.world.address_is_free(subnet, *ip);
        (0..size).map(|n| subnet.cidr.nth(start + n)).find(free)
    }

    /// Auto-assigned public addresses come with a start and go with a stop (EC2 User Guide,
    /// "Amazon EC2 instance IP addressing").
    pub(crate) fn give_public_addresses(&mut self, instance: &str) {
        let found = self.world.instances.get(instance).map(|i| i.interfaces.clone());
        for id in found.unwrap_or_default() {
            let wants = self.world.interfaces.get(&id);
            if wants.is_none_or(|i| !i.wants_public_ip || i.public_ip.is_some()) {
                continue;
            }
            // From 198.18.0.0/15, which nobody's Internet routes (RFC 2544).
            let start = self.generator.below(1 << 17);
            let pool = crate::cidr::Cidr::new(Ipv4Addr::new(198, 18, 0, 0), 15);
            let taken =
                |ip: &Ipv4Addr| self.world.interfaces.values().any(|i| i.public_ip == Some(*ip));
            let ip = (0..pool.size()).map(|n| pool.nth(start + n)).find(|ip| !taken(ip));
            if let Some(interface) = self.world.interfaces.edit(&id, self.now) {
                interface.public_ip = ip;
            }
        }
    }

    pub(crate) fn default_vpc(&self) -> Result<String, ApiError> {
        let found = self.world.vpcs.values().find(|vpc| vpc.is_default);
        found
            .map(|vpc| vpc.vpc_id.clone())
            .ok_or_else(|| ApiError::new(400, "VPCIdNotSpecified", "No default VPC for this user"))
    }

    pub(crate) fn known_subnet(&self, id: &str) -> Result<&Subnet, ApiError> {
        Kind::Subnet.check(id)?;
        self.world.subnets.get(id).ok_or_else(|| Kind::Subnet.not_found(&[id]))
    }

    pub(crate) fn known_interface(&self, id: &str) -> Result<&Interface, ApiError> {
        Kind::Interface.check(id)?;
        let known = self.world.interfaces.get(id).filter(|i| self.is_visible(i.created));
        known.ok_or_else(|| Kind::Interface.not_found(&[id]))
    }

    pub(crate) fn group_named(&self, name: &str, vpc: &str) -> Result<String, ApiError> {
        let mut groups = self.world.groups.values();
        let found = groups.find(|group| group.vpc == vpc && group.name == name);
        found.map(|group| group.id.clone()).ok_or_else(|| {
            ApiError::new(
                400,
                "InvalidGroup.NotFound",
                format!("The security group '{name}' does not exist in default VPC '{vpc}'"),
            )
        })
    }

    /// Checks that the groups exist in this VPC; none given means the VPC's default group.
    pub(crate) fn groups_in(
        &self,
        vpc: &str,
        ids: &[String],
        subnet: Option<&str>,
    ) -> Result<Vec<String>, ApiError> {
        if ids.is_empty() {
            return Ok(self.group_named("default", vpc).into_iter().collect());
        }
        for id in ids {
            Kind::Group.check(id)?;
            let group = self.world.groups.get(id);
            let group = group.ok_or_else(|| Kind::Group.not_found(&[id]))?;
            if group.vpc != vpc {
                let place = subnet.map_or_else(|| format!("VPC {vpc}"), |s| format!("subnet {s}"));
                return Err(ApiError::new(
                    400,
                    "InvalidParameter",
                    format!("Security group {id} and {place} belong to different networks."),
                ));
            }
        }
        Ok(ids.to_vec())
    }
}

fn address_in_use(ip: Ipv4Addr) -> ApiError {
    ApiError::new(400, "InvalidIPAddress.InUse", format!("Address {ip} is in use."))
}
