//! Furnishing the network: VPC, subnets, route tables, groups, interfaces.

use crate::{
    api::{CidrAssociation, Vpc},
    cidr::Cidr,
    ec2::Ec2,
    setup::{SetupError, unknown},
    world::{
        Association, Attachment, Gateway, Interface, Origin, Route, RouteTable, Serves, Subnet,
        Target,
    },
};

impl Ec2 {
    /// Adds a VPC with what EC2 gives every VPC: a main route table, a default security group and
    /// a default network ACL (VPC User Guide, "VPC basics").
    pub fn create_vpc(&mut self, cidr: Cidr, is_default: bool) -> String {
        let vpc_id = self.generator.id("vpc");
        let association = CidrAssociation {
            association_id: self.generator.id("vpc-cidr-assoc"),
            cidr_block: cidr.to_string(),
            state: "associated".to_owned(),
        };
        let vpc = Vpc {
            vpc_id: vpc_id.clone(),
            state: "available".to_owned(),
            cidr_block: cidr.to_string(),
            cidr_block_associations: vec![association],
            ipv6_cidr_block_associations: Vec::new(),
            dhcp_options_id: self.generator.id("dopt"),
            instance_tenancy: "default".to_owned(),
            is_default,
            owner_id: self.account.clone(),
            tags: Vec::new(),
        };
        self.world.vpcs.insert(vpc_id.clone(), vpc);
        self.add_table(&vpc_id, Some(Serves::Main));
        self.add_default_group(&vpc_id);
        self.add_acl(&vpc_id, true);
        vpc_id
    }

    /// Adds a subnet; in a default VPC it is its zone's default.
    ///
    /// # Errors
    /// An unknown VPC or zone; a block that doesn't fit.
    pub fn create_subnet(
        &mut self,
        vpc: &str,
        zone: &str,
        cidr: Cidr,
    ) -> Result<String, SetupError> {
        let is_default = self.known_vpc(vpc)?.is_default;
        if !self.world.zones.contains_key(zone) {
            return Err(unknown("Availability Zone", zone));
        }
        let inside = self.world.vpc_blocks(vpc).iter().any(|block| block.covers(cidr));
        let overlaps = |other: &Subnet| {
            other.vpc == vpc && (other.cidr.covers(cidr) || cidr.covers(other.cidr))
        };
        if !inside || cidr.prefix > 28 || self.world.subnets.values().any(overlaps) {
            return Err(SetupError::BadBlock(cidr));
        }
        let subnet = Subnet {
            id: self.generator.id("subnet"),
            vpc: vpc.to_owned(),
            zone: zone.to_owned(),
            cidr,
            default_for_az: is_default,
            map_public_ip: false,
            tags: Vec::new(),
            free_at_most: None,
        };
        let id = subnet.id.clone();
        self.world.subnets.insert(id.clone(), subnet);
        let mut acls = self.world.acls.values();
        let default = acls.find(|acl| acl.vpc_id == vpc && acl.default);
        if let Some(acl) = default.map(|acl| acl.network_acl_id.clone()) {
            self.associate_acl(&acl, &id);
        }
        Ok(id)
    }

    /// New instances in this subnet get a public address.
    ///
    /// # Errors
    /// An unknown subnet.
    pub fn map_public_ip(&mut self, subnet: &str) -> Result<(), SetupError> {
        let found = self.world.subnets.get_mut(subnet);
        found.ok_or_else(|| unknown("subnet", subnet))?.map_public_ip = true;
        Ok(())
    }

    /// Adds an internet gateway and attaches it.
    ///
    /// # Errors
    /// An unknown VPC.
    pub fn create_internet_gateway(&mut self, vpc: &str) -> Result<String, SetupError> {
        self.known_vpc(vpc)?;
        let id = self.generator.id("igw");
        self.world.gateways.insert(id.clone(), Gateway { vpc: vpc.to_owned(), tags: Vec::new() });
        Ok(id)
    }

    /// Adds a virtual private gateway and attaches it.
    pub(crate) fn create_virtual_gateway(&mut self, vpc: &str) -> String {
        let id = self.generator.id("vgw");
        self.world.gateways.insert(id.clone(), Gateway { vpc: vpc.to_owned(), tags: Vec::new() });
        id
    }

    /// Adds a route table that serves nothing yet.
    ///
    /// # Errors
    /// An unknown VPC.
    pub fn create_route_table(&mut self, vpc: &str) -> Result<String, SetupError> {
        self.known_vpc(vpc)?;
        Ok(self.add_table(vpc, None))
    }

    /// The VPC's main route table.
    #[must_use]
    pub fn main_table(&self, vpc: &str) -> Option<&str> {
        let is_main =
            |table: &&RouteTable| table.associations.iter().any(|a| a.serves == Serves::Main);
        let mut tables = self.world.tables.values();
        tables.find(|table| table.vpc == vpc && is_main(table)).map(|table| table.id.as_str())
    }

    /// Lets a table serve a subnet, in place of the one that did.
    ///
    /// # Errors
    /// An unknown table or subnet.
    pub fn associate(&mut self, table: &str, subnet: &str) -> Result<(), SetupError> {
        if !self.world.subnets.contains_key(subnet) {
            return Err(unknown("subnet", subnet));
        }
        self.serve(table, Serves::Subnet(subnet.to_owned()))
    }

    /// Lets a table serve a gateway: traffic that enters the VPC by it.
    ///
    /// # Errors
    /// An unknown table or gateway.
    pub fn associate_gateway(&mut self, table: &str, gateway: &str) -> Result<(), SetupError> {
        if !self.world.gateways.contains_key(gateway) {
            return Err(unknown("gateway", gateway));
        }
        self.serve(table, Serves::Gateway(gateway.to_owned()))
    }

    /// Adds a route as a virtual private gateway's propagation does.
    ///
    /// # Errors
    /// An unknown table.
    pub fn propagate_route(
        &mut self,
        table: &str,
        destination: Cidr,
        gateway: &str,
    ) -> Result<(), SetupError> {
        let found = self.world.tables.edit(table, self.now);
        found.ok_or_else(|| unknown("route table", table))?.routes.push(Route {
            destination,
            target: Target::Gateway(gateway.to_owned()),
            origin: Origin::EnableVgwRoutePropagation,
        });
        Ok(())
    }

    /// Adds a network interface that hangs on nothing.
    ///
    /// # Errors
    /// An unknown subnet, or one without a free address.
    pub fn create_interface(&mut self, subnet: &str) -> Result<String, SetupError> {
        let found = self.world.subnets.get(subnet).cloned();
        let subnet = found.ok_or_else(|| unknown("subnet", subnet))?;
        let ip = self.pick_address(&subnet);
        let ip = ip.ok_or_else(|| unknown("free address in subnet", &subnet.id))?;
        let interface = Interface {
            id: self.generator.id("eni"),
            created: self.now,
            groups: self.groups_in(&subnet.vpc, &[], None).unwrap_or_default(),
            vpc: subnet.vpc,
            subnet: subnet.id,
            zone: subnet.zone,
            mac: self.generator.mac(),
            ip,
            description: String::new(),
            source_dest_check: true,
            wants_public_ip: false,
            public_ip: None,
            elastic_ip: None,
            attachment: None,
            tags: Vec::new(),
        };
        let id = interface.id.clone();
        self.world.interfaces.insert(&id, interface);
        Ok(id)
    }

    /// Attaches a free interface behind those that an instance has.
    ///
    /// # Errors
    /// An unknown instance or interface.
    pub fn attach_interface(&mut self, interface: &str, instance: &str) -> Result<(), SetupError> {
        let (now, id) = (self.now, self.generator.id("eni-attach"));
        let owner = self.world.instances.edit(instance, now);
        let owner = owner.ok_or_else(|| unknown("instance", instance))?;
        let found = self.world.interfaces.edit(interface, now);
        let found = found.ok_or_else(|| unknown("interface", interface))?;
        found.attachment = Some(Attachment {
            id,
            instance: instance.to_owned(),
            device_index: i64::try_from(owner.interfaces.len()).unwrap_or(i64::MAX),
            card_index: 0,
            since: now,
            delete_on_termination: false,
        });
        owner.interfaces.push(interface.to_owned());
        Ok(())
    }

    fn known_vpc(&self, id: &str) -> Result<&Vpc, SetupError> {
        self.world.vpcs.get(id).ok_or_else(|| unknown("VPC", id))
    }

    fn add_table(&mut self, vpc: &str, serves: Option<Serves>) -> String {
        let id = self.generator.id("rtb");
        let blocks = self.world.vpc_blocks(vpc);
        let local = |destination| Route {
            destination,
            target: Target::Local,
            origin: Origin::CreateRouteTable,
        };
        let table = RouteTable {
            id: id.clone(),
            vpc: vpc.to_owned(),
            routes: blocks.into_iter().map(local).collect(),
            associations: serves
                .map(|serves| Association { id: self.generator.id("rtbassoc"), serves })
                .into_iter()
                .collect(),
            tags: Vec::new(),
        };
        self.world.tables.insert(&id, table);
        id
    }

    fn serve(&mut self, table: &str, serves: Serves) -> Result<(), SetupError> {
        if self.world.tables.get(table).is_none() {
            return Err(unknown("route table", table));
        }
        let association = Association { id: self.generator.id("rtbassoc"), serves };
        for id in self.world.tables.ids() {
            let Some(found) = self.world.tables.edit(&id, self.now) else { continue };
            found.associations.retain(|a| a.serves != association.serves);
            if id == table {
                found.associations.push(association.clone());
            }
        }
        Ok(())
    }
}
