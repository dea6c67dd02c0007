//! Routes: made, replaced, deleted, black.

use super::*;
use crate::{
    Cidr, PlaneTarget,
    api::{DeleteRoute, ModifyNetworkInterfaceAttribute},
};

const VIP: &str = "10.0.0.10/32";

fn create(lab: &mut Lab, spec: RouteSpec) -> Result<Response, ApiError> {
    lab.call(&Request::CreateRoute(spec))
}

fn replace(lab: &mut Lab, spec: RouteSpec) -> Result<Response, ApiError> {
    lab.call(&Request::ReplaceRoute(spec))
}

fn delete(lab: &mut Lab, destination: &str) -> Result<Response, ApiError> {
    let route_table_id = lab.table.clone();
    lab.call(&Request::DeleteRoute(DeleteRoute {
        route_table_id,
        destination_cidr_block: Some(destination.into()),
        ..DeleteRoute::default()
    }))
}

/// The holder's route, in place.
fn routed() -> (Lab, RouteSpec) {
    let mut lab = Lab::new(Pace::instant());
    let spec = lab.route_to(VIP, &lab.eni(&lab.holder));
    create(&mut lab, spec.clone()).unwrap();
    (lab, spec)
}

#[test]
fn a_route_exists_once_and_is_replaced_only_if_it_exists() {
    let (mut lab, spec) = routed();
    let route = lab.route(VIP).unwrap();
    assert_eq!((route.origin.as_str(), route.state.as_str()), ("CreateRoute", "active"));
    assert_eq!(route.instance_id, Some(lab.holder.clone()));
    let message = refused(create(&mut lab, spec.clone()), "RouteAlreadyExists", 400);
    assert_eq!(message, "The route identified by 10.0.0.10/32 already exists.");

    let missing = lab.route_to("10.0.0.11/32", &lab.eni(&lab.holder));
    let message = refused(replace(&mut lab, missing), "InvalidParameterValue", 400);
    assert_eq!(
        message,
        "There is no route defined for '10.0.0.11/32' in the route table. Use CreateRoute instead."
    );
    let id = lab.run('b');
    let moved = lab.route_to(VIP, &lab.eni(&id));
    replace(&mut lab, moved).unwrap();
    assert_eq!(lab.route(VIP).unwrap().instance_id, Some(id));

    delete(&mut lab, VIP).unwrap();
    let message = refused(delete(&mut lab, VIP), "InvalidRoute.NotFound", 400);
    let table = &lab.table;
    let wanted =
        format!("no route with destination-cidr-block 10.0.0.10/32 in route table {table}");
    assert_eq!(message, wanted);
    refused(delete(&mut lab, "172.31.0.0/16"), "InvalidParameterValue", 400);
}

#[test]
fn an_instance_id_is_a_target_only_with_one_interface() {
    let mut lab = Lab::new(Pace::instant());
    let holder = lab.holder.clone();
    let by_instance = |lab: &Lab| RouteSpec {
        instance_id: Some(lab.holder.clone()),
        network_interface_id: None,
        ..lab.route_to(VIP, "")
    };
    let spec = by_instance(&lab);
    create(&mut lab, spec.clone()).unwrap();
    assert_eq!(lab.route(VIP).unwrap().network_interface_id, Some(lab.eni(&holder)));

    let second = lab.ec2.create_interface(&lab.subnets[&'a'].clone()).unwrap();
    lab.ec2.attach_interface(&second, &holder).unwrap();
    let message = refused(replace(&mut lab, spec), "InvalidInstanceID", 400);
    assert_eq!(
        message,
        format!(
            "There are multiple interfaces attached to instance '{holder}'. Please specify an \
             interface ID for the operation instead."
        )
    );
    assert_eq!(lab.instance(&holder).source_dest_check, None);
}

#[test]
fn a_route_to_a_stopped_or_vanished_machine_is_a_black_hole() {
    let (mut lab, spec) = routed();
    let holder = lab.holder.clone();
    lab.stop(&holder).unwrap();
    assert_eq!(lab.route(VIP).unwrap().state, "blackhole");
    replace(&mut lab, spec.clone()).unwrap();
    assert_eq!(lab.route(VIP).unwrap().state, "blackhole", "accepted, and black all the same");
    let plane = lab.ec2.plane(lab.now);
    let table = plane.tables.iter().find(|table| table.id == lab.table).unwrap();
    assert_eq!(table.routes[1].target, PlaneTarget::Blackhole);

    lab.terminate(&[&holder]).unwrap();
    let route = lab.route(VIP).unwrap();
    assert_eq!((route.state.as_str(), route.instance_id), ("blackhole", None));
    assert_eq!(route.network_interface_id, spec.network_interface_id);
    refused(replace(&mut lab, spec), "InvalidNetworkInterfaceID.NotFound", 400);
    let id = lab.run('b');
    let moved = lab.route_to(VIP, &lab.eni(&id));
    replace(&mut lab, moved).unwrap();
    assert_eq!(lab.route(VIP).unwrap().state, "active");
}

#[test]
fn destinations_inside_the_vpc_must_be_whole_subnets() {
    let mut lab = Lab::new(Pace::instant());
    let eni = lab.eni(&lab.holder);
    let inside = lab.route_to("172.31.48.77/32", &eni);
    let message = refused(create(&mut lab, inside), "InvalidParameterValue", 400);
    assert!(message.contains("is equal to or more specific than one of this VPC's CIDR blocks"));
    let subnet = lab.route_to("172.31.48.0/20", &eni);
    create(&mut lab, subnet).unwrap();
    let canonical = lab.route_to("100.68.0.18/18", &eni);
    create(&mut lab, canonical).unwrap();
    assert!(lab.route("100.68.0.0/18").is_some());
    let wrong = lab.route_to("10.0.0.10", &eni);
    refused(create(&mut lab, wrong), "InvalidParameterValue", 400);
}

#[test]
fn a_gateways_table_takes_nothing_outside_the_vpc() {
    let mut lab = Lab::new(Pace::instant());
    let gateway = lab.ec2.create_internet_gateway(&lab.vpc.clone()).unwrap();
    let table = lab.ec2.create_route_table(&lab.vpc.clone()).unwrap();
    lab.ec2.associate_gateway(&table, &gateway).unwrap();
    let spec = RouteSpec { route_table_id: table, ..lab.route_to(VIP, &lab.eni(&lab.holder)) };
    refused(create(&mut lab, spec), "InvalidParameterValue", 400);
}

#[test]
fn unknown_tables_and_targets_have_their_own_codes() {
    let mut lab = Lab::new(Pace::instant());
    let eni = lab.eni(&lab.holder);
    let plain = lab.route_to(VIP, &eni);
    let none = RouteSpec { network_interface_id: None, ..plain.clone() };
    let cases = [
        (
            RouteSpec { route_table_id: "rtb-00000000".into(), ..plain.clone() },
            "InvalidRouteTableID.NotFound",
        ),
        (RouteSpec { route_table_id: String::new(), ..plain.clone() }, "MissingParameter"),
        (lab.route_to(VIP, "eni-00000000"), "InvalidNetworkInterfaceID.NotFound"),
        (none.clone(), "MissingParameter"),
        (
            RouteSpec { instance_id: Some(lab.holder.clone()), ..plain.clone() },
            "InvalidParameterCombination",
        ),
        (
            RouteSpec { gateway_id: Some("igw-00000000".into()), ..none.clone() },
            "InvalidGatewayID.NotFound",
        ),
        (RouteSpec { nat_gateway_id: Some("nat-1".into()), ..none }, "NatGatewayNotFound"),
        (RouteSpec { dry_run: true, ..plain }, "DryRunOperation"),
    ];
    for (spec, code) in cases {
        assert_eq!(create(&mut lab, spec).unwrap_err().code, code);
    }
    assert_eq!(lab.routes().len(), 1);
}

#[test]
fn a_table_holds_500_routes() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.set_throttling(false);
    let eni = lab.eni(&lab.holder);
    for n in 1..500 {
        let spec = lab.route_to(&format!("10.{}.{}.0/24", n / 250, n % 250), &eni);
        create(&mut lab, spec).unwrap();
    }
    let spec = lab.route_to(VIP, &eni);
    refused(create(&mut lab, spec), "RouteLimitExceeded", 400);
}

#[test]
fn propagated_routes_are_nobodys_to_replace_or_delete() {
    let mut lab = Lab::new(Pace::instant());
    let (table, vip) = (lab.table.clone(), VIP.parse::<Cidr>().unwrap());
    lab.ec2.propagate_route(&table, vip, "vgw-00000000").unwrap();
    let spec = lab.route_to(VIP, &lab.eni(&lab.holder));
    refused(replace(&mut lab, spec.clone()), "InvalidParameterValue", 400);
    refused(delete(&mut lab, VIP), "InvalidRoute.NotFound", 400);
    create(&mut lab, spec).unwrap();
    let origins: Vec<String> = lab.routes().into_iter().map(|route| route.origin).collect();
    assert_eq!(origins, ["CreateRouteTable", "EnableVgwRoutePropagation", "CreateRoute"]);
}

#[test]
fn tables_serve_their_own_subnets_and_the_main_one_the_rest() {
    let mut lab = Lab::new(Pace::instant());
    let table = lab.ec2.create_route_table(&lab.vpc.clone()).unwrap();
    lab.ec2.associate(&table, &lab.subnets[&'b'].clone()).unwrap();
    let plane = lab.ec2.plane(lab.now);
    let served = |id: &str| {
        let table = plane.tables.iter().find(|table| table.id == id).unwrap();
        table.subnets.clone()
    };
    assert_eq!(served(&table), [lab.subnets[&'b'].clone()]);
    let mut rest = [lab.subnets[&'a'].clone(), lab.subnets[&'c'].clone()];
    rest.sort();
    assert_eq!(served(&lab.table), rest);
    assert_eq!(plane.subnets.len(), 3);
    let subnet = plane.subnets.iter().find(|s| s.az == "eu-west-1a").unwrap();
    assert_eq!(subnet.gateway.to_string(), "172.31.48.1");
}

#[test]
fn the_source_dest_check_is_an_interfaces_own() {
    let mut lab = Lab::new(Pace::instant());
    let eni = lab.eni(&lab.holder);
    assert!(lab.ec2.plane(lab.now).instances[0].source_dest_check);
    let modify = |dry_run| {
        Request::ModifyNetworkInterfaceAttribute(ModifyNetworkInterfaceAttribute {
            dry_run,
            network_interface_id: eni.clone(),
            source_dest_check: Some(false),
            ..ModifyNetworkInterfaceAttribute::default()
        })
    };
    refused(lab.call(&modify(true)), "DryRunOperation", 412);
    assert!(lab.ec2.plane(lab.now).instances[0].source_dest_check);
    lab.call(&modify(false)).unwrap();
    assert!(!lab.ec2.plane(lab.now).instances[0].source_dest_check);
    let holder = lab.holder.clone();
    assert_eq!(lab.instance(&holder).source_dest_check, Some(false));
}
