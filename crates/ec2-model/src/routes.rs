//! `CreateRoute`, `ReplaceRoute`, `DeleteRoute`.
//!
//! Rules: VPC User Guide, "Configure route tables"; EC2 API, the three actions.

use crate::{
    api::{DeleteRoute, Response, RouteSpec},
    cidr::Cidr,
    ec2::Ec2,
    error::{ApiError, required, unless_dry},
    ids::Kind,
    world::{Origin, Route, RouteTable, Serves, Target},
};

/// Routes a table may hold ("Amazon VPC quotas": 500 by default, up to 1,000 on request).
const ROUTES_PER_TABLE: usize = 500;

impl Ec2 {
    /// An existing route is in the way even when it has the same target.
    pub(crate) fn create_route(&mut self, r: &RouteSpec) -> Result<Response, ApiError> {
        let table = self.known_table(&r.route_table_id)?;
        let destination = destination(
            r.destination_cidr_block.as_deref(),
            r.destination_ipv6_cidr_block.as_deref(),
            r.destination_prefix_list_id.as_deref(),
        )?;
        let target = self.target(r, table)?;
        self.check_destination(table, destination, &target)?;
        let static_route = |route: &&Route| {
            route.destination == destination && route.origin != Origin::EnableVgwRoutePropagation
        };
        if table.routes.iter().any(|route| static_route(&route)) {
            return Err(ApiError::new(
                400,
                "RouteAlreadyExists",
                format!("The route identified by {destination} already exists."),
            ));
        }
        if table.routes.len() >= ROUTES_PER_TABLE {
            return Err(ApiError::new(
                400,
                "RouteLimitExceeded",
                "The maximum number of routes has been reached.",
            ));
        }
        unless_dry(r.dry_run)?;
        if let Some(table) = self.world.tables.edit(&r.route_table_id, self.now) {
            table.routes.push(Route { destination, target, origin: Origin::CreateRoute });
        }
        Ok(Response::Return)
    }

    /// A missing route answers `InvalidParameterValue`, not a NotFound (getmoto/moto pull request
    /// 6425 tried it by hand). A propagated route can't be replaced.
    pub(crate) fn replace_route(&mut self, r: &RouteSpec) -> Result<Response, ApiError> {
        let table = self.known_table(&r.route_table_id)?;
        let destination = destination(
            r.destination_cidr_block.as_deref(),
            r.destination_ipv6_cidr_block.as_deref(),
            r.destination_prefix_list_id.as_deref(),
        )?;
        let target = self.target(r, table)?;
        let own = |route: &Route| {
            route.destination == destination && route.origin != Origin::EnableVgwRoutePropagation
        };
        let Some(at) = table.routes.iter().position(own) else {
            return Err(ApiError::invalid_value(format!(
                "There is no route defined for '{destination}' in the route table. Use \
                 CreateRoute instead."
            )));
        };
        // The VPC's own range may change its target, but only for an interface (VPC User Guide,
        // "Replace or restore the target for a local route").
        if table.routes[at].origin != Origin::CreateRouteTable {
            self.check_destination(table, destination, &target)?;
        }
        unless_dry(r.dry_run)?;
        if let Some(table) = self.world.tables.edit(&r.route_table_id, self.now) {
            table.routes[at].target = target;
        }
        Ok(Response::Return)
    }

    pub(crate) fn delete_route(&mut self, r: &DeleteRoute) -> Result<Response, ApiError> {
        let table = self.known_table(&r.route_table_id)?;
        let destination = destination(
            r.destination_cidr_block.as_deref(),
            r.destination_ipv6_cidr_block.as_deref(),
            r.destination_prefix_list_id.as_deref(),
        )?;
        let route = table.routes.iter().find(|route| route.destination == destination);
        match route.map(|route| route.origin) {
            None | Some(Origin::EnableVgwRoutePropagation) => {
                return Err(ApiError::new(
                    400,
                    "InvalidRoute.NotFound",
                    format!(
                        "no route with destination-cidr-block {destination} in route table {}",
                        r.route_table_id
                    ),
                ));
            }
            Some(Origin::CreateRouteTable) => {
                return Err(ApiError::invalid_value(format!(
                    "cannot remove local route {destination} in route table {}",
                    r.route_table_id
                )));
            }
            Some(Origin::CreateRoute) => {}
        }
        unless_dry(r.dry_run)?;
        if let Some(table) = self.world.tables.edit(&r.route_table_id, self.now) {
            table.routes.retain(|route| {
                route.destination != destination || route.origin != Origin::CreateRoute
            });
        }
        Ok(Response::Return)
    }

    fn known_table(&self, id: &str) -> Result<&RouteTable, ApiError> {
        required(id, "RouteTableId")?;
        Kind::RouteTable.check(id)?;
        self.world.tables.get(id).ok_or_else(|| Kind::RouteTable.not_found(&[id]))
    }

    /// Exactly one target, in the table's VPC.
    fn target(&self, r: &RouteSpec, table: &RouteTable) -> Result<Target, ApiError> {
        let named = [
            &r.gateway_id,
            &r.instance_id,
            &r.network_interface_id,
            &r.nat_gateway_id,
            &r.transit_gateway_id,
            &r.vpc_peering_connection_id,
        ];
        let count = named.iter().filter(|id| id.is_some()).count() + usize::from(r.local_target);
        if count == 0 {
            return Err(ApiError::missing_parameter("gatewayId, instanceId or another target"));
        }
        if count > 1 {
            return Err(ApiError::invalid_combination(
                "The request must contain exactly one target of the route.",
            ));
        }
        if let Some(id) = &r.instance_id {
            return self.instance_target(id, table);
        }
        if let Some(id) = &r.network_interface_id {
            let interface = self.known_interface(id)?;
            check_network(&interface.vpc, id, table)?;
            return Ok(Target::Interface(id.clone()));
        }
        if r.local_target || r.gateway_id.as_deref() == Some("local") {
            return Ok(Target::Local);
        }
        if let Some(id) = &r.gateway_id {
            let gateway = self.world.gateways.get(id).ok_or_else(|| {
                ApiError::new(
                    400,
                    "InvalidGatewayID.NotFound",
                    format!("The gateway ID '{id}' does not exist"),
                )
            })?;
            check_network(&gateway.vpc, id, table)?;
            return Ok(Target::Gateway(id.clone()));
        }
        Err(unknown_target(r))
    }

    /// An instance id means its only interface; with several the call is refused. A terminated
    /// instance has none (nothing is published for that; taken as unknown to the call).
    fn instance_target(&self, id: &str, table: &RouteTable) -> Result<Target, ApiError> {
        self.known_instances(&[id.to_owned()])?;
        let instance = self.world.instances.get(id);
        let interfaces = instance.map_or(&[][..], |i| &i.interfaces[..]);
        match interfaces {
            [] => Err(Kind::Instance.not_found(&[id])),
            [interface] => {
                let vpc = instance.map_or("", |i| &i.vpc);
                check_network(vpc, id, table)?;
                Ok(Target::Interface(interface.clone()))
            }
            _ => Err(several_interfaces(id)),
        }
    }

    /// Inside the VPC's range a route must match a whole subnet and lead to an interface; a table
    /// that serves a gateway takes nothing outside it (VPC User Guide, "Gateway route tables").
    fn check_destination(
        &self,
        table: &RouteTable,
        destination: Cidr,
        target: &Target,
    ) -> Result<(), ApiError> {
        let blocks = self.world.vpc_blocks(&table.vpc);
        let inside = blocks.iter().any(|block| block.covers(destination));
        let is_local = table
            .routes
            .iter()
            .any(|r| r.destination == destination && r.origin == Origin::CreateRouteTable);
        if inside && !is_local {
            let whole = self
                .world
                .subnets
                .values()
                .any(|subnet| subnet.vpc == table.vpc && subnet.cidr == destination);
            if !whole || !matches!(target, Target::Interface(_)) {
                return Err(ApiError::invalid_value(format!(
                    "The destination CIDR block {destination} is equal to or more specific than \
                     one of this VPC's CIDR blocks. This route can target only an interface or \
                     an instance."
                )));
            }
        }
        let serves_gateway =
            table.associations.iter().any(|a| matches!(a.serves, Serves::Gateway(_)));
        if serves_gateway && !inside {
            return Err(ApiError::invalid_value(format!(
                "Route table {} is associated with a gateway: the destination {destination} must \
                 be within one of this VPC's CIDR blocks.",
                table.id
            )));
        }
        Ok(())
    }
}

/// What EC2 says when an instance id stands for an interface and there are several.
pub(crate) fn several_interfaces(instance: &str) -> ApiError {
    ApiError::new(
        400,
        "InvalidInstanceID",
        format!(
            "There are multiple interfaces attached to instance '{instance}'. Please specify an \
             interface ID for the operation instead."
        ),
    )
}

fn check_network(vpc: &str, id: &str, table: &RouteTable) -> Result<(), ApiError> {
    if vpc == table.vpc {
        return Ok(());
    }
    Err(ApiError::invalid_value(format!(
        "route table {} and network resource {id} belong to different networks",
        table.id
    )))
}

/// The account has no NAT gateways, transit gateways or peerings.
fn unknown_target(r: &RouteSpec) -> ApiError {
    let (code, noun, id) = if let Some(id) = &r.nat_gateway_id {
        ("NatGatewayNotFound", "NatGateway", id)
    } else if let Some(id) = &r.transit_gateway_id {
        ("InvalidTransitGatewayID.NotFound", "transitGateway ID", id)
    } else if let Some(id) = &r.vpc_peering_connection_id {
        ("InvalidVpcPeeringConnectionID.NotFound", "vpcPeeringConnection ID", id)
    } else {
        return ApiError::missing_parameter("gatewayId, instanceId or another target");
    };
    ApiError::new(400, code, format!("The {noun} '{id}' does not exist"))
}

/// The model's VPCs have IPv4 only, and no prefix lists.
fn destination(
    ipv4: Option<&str>,
    ipv6: Option<&str>,
    prefix_list: Option<&str>,
) -> Result<Cidr, ApiError> {
    match (ipv4, ipv6, prefix_list) {
        (Some(text), None, None) => {
            text.parse().map_err(|_| ApiError::not_a("CIDR block", "destinationCidrBlock", text))
        }
        (None, Some(text), None) => Err(ApiError::invalid_value(format!(
            "Value ({text}) for parameter destinationIpv6CidrBlock is invalid. The VPC has no \
             IPv6 CIDR block."
        ))),
        (None, None, Some(id)) => Err(ApiError::new(
            400,
            "InvalidPrefixListID.NotFound",
            format!("The prefix list ID '{id}' does not exist"),
        )),
        (None, None, None) => Err(ApiError::missing_parameter("destinationCidrBlock")),
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            Err(ApiError::invalid_combination(
                "The request must contain exactly one destination of the route.",
            ))
        }
    }
}
