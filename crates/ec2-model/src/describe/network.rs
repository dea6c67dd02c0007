//! VPCs, subnets, route tables, network ACLs.

use crate::{
    api::{
        CidrAssociation, NetworkAcl, PrivateDnsNameOptions, Response, Route, RouteTable,
        RouteTableAssociation, Select, Subnet, Tag, Vpc,
    },
    ec2::Ec2,
    error::ApiError,
    filter::{Column, Listed, maybe, one},
    ids::Kind,
    world::{self, Origin, Serves, Target},
};

impl Ec2 {
    pub(super) fn describe_vpcs(&self, select: &Select) -> Result<Response, ApiError> {
        let items = self.world.vpcs.values().cloned().collect();
        Ok(Response::DescribeVpcs(super::tell(items, select, Kind::Vpc, |v: &Vpc| &v.vpc_id)?))
    }

    pub(super) fn describe_subnets(&self, select: &Select) -> Result<Response, ApiError> {
        let items = self.world.subnets.values().map(|s| self.subnet_view(s)).collect();
        let page = super::tell(items, select, Kind::Subnet, |s: &Subnet| &s.subnet_id)?;
        Ok(Response::DescribeSubnets(page))
    }

    pub(super) fn describe_route_tables(&mut self, select: &Select) -> Result<Response, ApiError> {
        let moment = self.read_moment(self.knobs.routes);
        let tables = self.world.tables.all_at(moment);
        let items = tables.into_iter().map(|table| self.table_view(table)).collect();
        let page =
            super::tell(items, select, Kind::RouteTable, |t: &RouteTable| &t.route_table_id)?;
        Ok(Response::DescribeRouteTables(page))
    }

    pub(super) fn describe_acls(&self, select: &Select) -> Result<Response, ApiError> {
        let items = self.world.acls.values().cloned().collect();
        let page = super::tell(items, select, Kind::Acl, |a: &NetworkAcl| &a.network_acl_id)?;
        Ok(Response::DescribeNetworkAcls(page))
    }

    fn subnet_view(&self, subnet: &world::Subnet) -> Subnet {
        let world::Subnet { id, zone, .. } = subnet;
        Subnet {
            subnet_id: id.clone(),
            subnet_arn: format!("arn:aws:ec2:{}:{}:subnet/{id}", self.region, self.account),
            state: "available".to_owned(),
            vpc_id: subnet.vpc.clone(),
            cidr_block: subnet.cidr.to_string(),
            ipv6_cidr_block_associations: Vec::new(),
            available_ip_address_count: self.world.free_addresses(subnet),
            availability_zone: zone.clone(),
            availability_zone_id: self.zone_id(zone),
            default_for_az: subnet.default_for_az,
            map_public_ip_on_launch: subnet.map_public_ip,
            assign_ipv6_address_on_creation: false,
            ipv6_native: false,
            enable_dns64: false,
            outpost_arn: None,
            private_dns_name_options: PrivateDnsNameOptions {
                hostname_type: "ip-name".to_owned(),
                enable_resource_name_dns_a_record: false,
                enable_resource_name_dns_aaaa_record: false,
            },
            owner_id: self.account.clone(),
            tags: subnet.tags.clone(),
        }
    }

    fn table_view(&self, table: &world::RouteTable) -> RouteTable {
        let association = |a: &world::Association| RouteTableAssociation {
            association_id: a.id.clone(),
            route_table_id: table.id.clone(),
            subnet_id: match &a.serves {
                Serves::Subnet(id) => Some(id.clone()),
                Serves::Main | Serves::Gateway(_) => None,
            },
            gateway_id: match &a.serves {
                Serves::Gateway(id) => Some(id.clone()),
                Serves::Main | Serves::Subnet(_) => None,
            },
            main: a.serves == Serves::Main,
            state: "associated".to_owned(),
        };
        let propagated =
            table.routes.iter().filter(|r| r.origin == Origin::EnableVgwRoutePropagation);
        let mut propagating_vgws: Vec<String> = propagated
            .filter_map(|route| match &route.target {
                Target::Gateway(id) => Some(id.clone()),
                Target::Local | Target::Interface(_) => None,
            })
            .collect();
        propagating_vgws.dedup();
        RouteTable {
            route_table_id: table.id.clone(),
            vpc_id: table.vpc.clone(),
            owner_id: self.account.clone(),
            routes: table.routes.iter().map(|route| self.route_view(route)).collect(),
            associations: table.associations.iter().map(association).collect(),
            propagating_vgws,
            tags: table.tags.clone(),
        }
    }

    /// A route to an interface tells the instance behind it too, while there is one.
    fn route_view(&self, route: &world::Route) -> Route {
        let mut view = Route {
            destination_cidr_block: Some(route.destination.to_string()),
            origin: match route.origin {
                Origin::CreateRouteTable => "CreateRouteTable",
                Origin::CreateRoute => "CreateRoute",
                Origin::EnableVgwRoutePropagation => "EnableVgwRoutePropagation",
            }
            .to_owned(),
            state: "active".to_owned(),
            ..Route::default()
        };
        match &route.target {
            Target::Local => view.gateway_id = Some("local".to_owned()),
            Target::Gateway(id) => view.gateway_id = Some(id.clone()),
            Target::Interface(id) => {
                view.network_interface_id = Some(id.clone());
                let interface = self.world.interfaces.get(id);
                if let Some(attachment) = interface.and_then(|i| i.attachment.as_ref()) {
                    view.instance_id = Some(attachment.instance.clone());
                    view.instance_owner_id = Some(self.account.clone());
                }
                if !self.world.interface_serves(id, self.now) {
                    "blackhole".clone_into(&mut view.state);
                }
            }
        }
        view
    }
}

/// A column of the CIDR associations.
fn blocks(
    associations: &[CidrAssociation],
    read: impl Fn(&CidrAssociation) -> String,
) -> Vec<String> {
    associations.iter().map(read).collect()
}

impl Listed for Vpc {
    const ID_SET: &'static str = "vpcIds";
    const COLUMNS: &'static [Column<Vpc>] = &[
        ("cidr", |v| one(&v.cidr_block)),
        ("cidr-block-association.association-id", |v| {
            blocks(&v.cidr_block_associations, |a| a.association_id.clone())
        }),
        ("cidr-block-association.cidr-block", |v| {
            blocks(&v.cidr_block_associations, |a| a.cidr_block.clone())
        }),
        ("cidr-block-association.state", |v| {
            blocks(&v.cidr_block_associations, |a| a.state.clone())
        }),
        ("dhcp-options-id", |v| one(&v.dhcp_options_id)),
        ("is-default", |v| one(v.is_default)),
        ("isDefault", |v| one(v.is_default)),
        ("owner-id", |v| one(&v.owner_id)),
        ("state", |v| one(&v.state)),
        ("vpc-id", |v| one(&v.vpc_id)),
    ];

    fn key(&self) -> String {
        self.vpc_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }
}

impl Listed for Subnet {
    const ID_SET: &'static str = "subnetIds";
    const COLUMNS: &'static [Column<Subnet>] = &[
        ("availability-zone", |s| one(&s.availability_zone)),
        ("availabilityZone", |s| one(&s.availability_zone)),
        ("availability-zone-id", |s| one(&s.availability_zone_id)),
        ("availabilityZoneId", |s| one(&s.availability_zone_id)),
        ("available-ip-address-count", |s| one(s.available_ip_address_count)),
        ("cidr", |s| one(&s.cidr_block)),
        ("cidr-block", |s| one(&s.cidr_block)),
        ("cidrBlock", |s| one(&s.cidr_block)),
        ("default-for-az", |s| one(s.default_for_az)),
        ("defaultForAz", |s| one(s.default_for_az)),
        ("ipv6-native", |s| one(s.ipv6_native)),
        ("map-public-ip-on-launch", |s| one(s.map_public_ip_on_launch)),
        ("outpost-arn", |s| maybe(s.outpost_arn.as_ref())),
        ("owner-id", |s| one(&s.owner_id)),
        ("state", |s| one(&s.state)),
        ("subnet-arn", |s| one(&s.subnet_arn)),
        ("subnet-id", |s| one(&s.subnet_id)),
        ("vpc-id", |s| one(&s.vpc_id)),
    ];

    fn key(&self) -> String {
        self.subnet_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }
}

/// A column over the routes of a table.
fn routes(t: &RouteTable, read: impl Fn(&Route) -> Option<&String>) -> Vec<String> {
    t.routes.iter().filter_map(read).cloned().collect()
}

impl Listed for RouteTable {
    const ID_SET: &'static str = "routeTableIds";
    const PAGE_SIZES: (i64, i64) = (5, 100);
    const COLUMNS: &'static [Column<RouteTable>] = &[
        ("association.gateway-id", |t| {
            t.associations.iter().filter_map(|a| a.gateway_id.clone()).collect()
        }),
        ("association.main", |t| t.associations.iter().map(|a| a.main.to_string()).collect()),
        ("association.route-table-association-id", |t| {
            t.associations.iter().map(|a| a.association_id.clone()).collect()
        }),
        ("association.route-table-id", |t| {
            t.associations.iter().map(|a| a.route_table_id.clone()).collect()
        }),
        ("association.subnet-id", |t| {
            t.associations.iter().filter_map(|a| a.subnet_id.clone()).collect()
        }),
        ("owner-id", |t| one(&t.owner_id)),
        ("route-table-id", |t| one(&t.route_table_id)),
        ("route.destination-cidr-block", |t| routes(t, |r| r.destination_cidr_block.as_ref())),
        ("route.destination-ipv6-cidr-block", |t| {
            routes(t, |r| r.destination_ipv6_cidr_block.as_ref())
        }),
        ("route.destination-prefix-list-id", |t| {
            routes(t, |r| r.destination_prefix_list_id.as_ref())
        }),
        ("route.gateway-id", |t| routes(t, |r| r.gateway_id.as_ref())),
        ("route.instance-id", |t| routes(t, |r| r.instance_id.as_ref())),
        ("route.nat-gateway-id", |t| routes(t, |r| r.nat_gateway_id.as_ref())),
        ("route.origin", |t| routes(t, |r| Some(&r.origin))),
        ("route.state", |t| routes(t, |r| Some(&r.state))),
        ("route.transit-gateway-id", |t| routes(t, |r| r.transit_gateway_id.as_ref())),
        ("route.vpc-peering-connection-id", |t| {
            routes(t, |r| r.vpc_peering_connection_id.as_ref())
        }),
        ("vpc-id", |t| one(&t.vpc_id)),
    ];

    fn key(&self) -> String {
        self.route_table_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }
}

impl Listed for NetworkAcl {
    const ID_SET: &'static str = "networkAclIds";
    const COLUMNS: &'static [Column<NetworkAcl>] = &[
        ("association.association-id", |a| {
            a.associations.iter().map(|s| s.network_acl_association_id.clone()).collect()
        }),
        ("association.network-acl-id", |a| one(&a.network_acl_id)),
        ("association.subnet-id", |a| a.associations.iter().map(|s| s.subnet_id.clone()).collect()),
        ("default", |a| one(a.default)),
        ("entry.cidr", |a| a.entries.iter().filter_map(|e| e.cidr_block.clone()).collect()),
        ("entry.egress", |a| a.entries.iter().map(|e| e.egress.to_string()).collect()),
        ("entry.protocol", |a| a.entries.iter().map(|e| e.protocol.clone()).collect()),
        ("entry.rule-action", |a| a.entries.iter().map(|e| e.rule_action.clone()).collect()),
        ("entry.rule-number", |a| a.entries.iter().map(|e| e.rule_number.to_string()).collect()),
        ("network-acl-id", |a| one(&a.network_acl_id)),
        ("owner-id", |a| one(&a.owner_id)),
        ("vpc-id", |a| one(&a.vpc_id)),
    ];

    fn key(&self) -> String {
        self.network_acl_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }
}
