use super::*;

const ENI: &str = "eni-1a2b3c4d";

fn attachment(index: i32) -> ec2::InstanceNetworkInterfaceAttachment {
    ec2::InstanceNetworkInterfaceAttachment::builder()
        .device_index(index)
        .delete_on_termination(true)
        .build()
}

fn association(owner: &str) -> ec2::InstanceNetworkInterfaceAssociation {
    ec2::InstanceNetworkInterfaceAssociation::builder()
        .public_ip("203.0.113.5")
        .ip_owner_id(owner)
        .build()
}

fn address(primary: bool) -> ec2::InstancePrivateIpAddress {
    ec2::InstancePrivateIpAddress::builder().primary(primary).build()
}

fn whole_instance() -> ec2::Instance {
    let state = ec2::InstanceState::builder().name(ec2::InstanceStateName::Running).build();
    let interface = ec2::InstanceNetworkInterface::builder()
        .network_interface_id(ENI)
        .attachment(attachment(0))
        .private_ip_address("172.31.48.10")
        .source_dest_check(false)
        .groups(ec2::GroupIdentifier::builder().group_id("sg-1a2b3c4d").build())
        .private_ip_addresses(address(true))
        .private_ip_addresses(address(false))
        .ipv6_addresses(ec2::InstanceIpv6Address::builder().build())
        .association(association("amazon"));
    let volume = ec2::EbsInstanceBlockDevice::builder().volume_id("vol-1").build();
    ec2::Instance::builder()
        .instance_id("i-1a2b3c4d")
        .state(state)
        .placement(
            ec2::Placement::builder()
                .availability_zone("us-east-1a")
                .tenancy(ec2::Tenancy::Default)
                .group_name("")
                .build(),
        )
        .subnet_id("subnet-1a2b3c4d")
        .vpc_id("vpc-1a2b3c4d")
        .private_ip_address("172.31.48.10")
        .network_interfaces(interface.build())
        .instance_type(ec2::InstanceType::T3Micro)
        .root_device_type(ec2::DeviceType::Ebs)
        .block_device_mappings(
            ec2::InstanceBlockDeviceMapping::builder().device_name("/dev/xvda").ebs(volume).build(),
        )
        .monitoring(ec2::Monitoring::builder().state(ec2::MonitoringState::Pending).build())
        .metadata_options(
            ec2::InstanceMetadataOptionsResponse::builder()
                .http_tokens(ec2::HttpTokensState::Required)
                .http_put_response_hop_limit(1)
                .build(),
        )
        .tags(ec2::Tag::builder().key("Name").value("vip-a").build())
        .operator(ec2::OperatorResponse::builder().managed(false).build())
        .build()
}

#[test]
fn an_instance_is_told_with_all_that_matters() {
    let instance = instance(&whole_instance()).unwrap();
    assert_eq!(instance.state, InstanceState::Running);
    assert_eq!(instance.az.as_ref().unwrap().as_str(), "us-east-1a");
    assert_eq!(instance.instance_type.as_ref().unwrap().as_str(), "t3.micro");
    assert_eq!(instance.root_device_type.as_deref(), Some("ebs"));
    assert!(instance.monitoring && instance.managed_by.is_none());
    assert_eq!(instance.placement.group, None, "EC2 sends an empty name for no group");
    assert_eq!(instance.volumes[0].volume, "vol-1");
    assert_eq!(instance.tags["Name"], "vip-a");
    let metadata = instance.metadata.as_ref().unwrap();
    assert_eq!(metadata.http_tokens.as_deref(), Some("required"));
    let interface = instance.primary_interface().unwrap();
    assert_eq!(interface.id.as_str(), ENI);
    assert_eq!(interface.source_dest_check, Some(false));
    assert_eq!((interface.secondary_addresses, interface.ipv6_addresses), (1, 1));
    assert!(interface.delete_on_termination && !interface.public.as_ref().unwrap().elastic);
}

#[test]
fn a_terminated_instance_tells_little_and_that_is_no_error() {
    let state = ec2::InstanceState::builder().name(ec2::InstanceStateName::Terminated).build();
    let reason = ec2::StateReason::builder().code("Client.UserInitiatedShutdown").build();
    let from = ec2::Instance::builder()
        .instance_id("i-1a2b3c4d")
        .state(state)
        .state_reason(reason)
        .build();
    let instance = instance(&from).unwrap();
    assert_eq!(instance.state, InstanceState::Terminated);
    assert!(instance.stopped_by_user());
    assert!(instance.subnet.is_none() && instance.interfaces.is_empty());
}

#[test]
fn every_state_is_known_and_a_new_one_is_kept_as_the_word_it_was() {
    for word in ["pending", "running", "stopping", "stopped", "shutting-down", "terminated"] {
        let state = instance_state(Some(&ec2::InstanceStateName::from(word)));
        assert_eq!(state.to_string(), word);
        assert!(!matches!(state, InstanceState::Other(_)));
    }
    let new = instance_state(Some(&ec2::InstanceStateName::from("hibernating")));
    assert_eq!(new, InstanceState::Other("hibernating".to_owned()));
    assert_eq!(instance_state(None).to_string(), "unknown");
}

#[test]
fn what_has_no_usable_id_is_dropped_and_the_rest_stays() {
    for id in [None, Some(""), Some("i-"), Some("m-1a2b3c4d")] {
        let from = ec2::Instance::builder().set_instance_id(id.map(str::to_owned)).build();
        assert!(instance(&from).is_none(), "{id:?}");
    }
    let mut from = whole_instance();
    let odd = ec2::InstanceNetworkInterface::builder().network_interface_id("nic-1").build();
    from.network_interfaces.as_mut().unwrap().insert(0, odd);
    from.vpc_id = Some("cloud-7".to_owned());
    let instance = instance(&from).unwrap();
    assert_eq!(instance.interfaces.len(), 1);
    assert_eq!(instance.vpc, None);
}

#[test]
fn a_public_address_is_elastic_unless_amazon_lends_it() {
    assert!(!public(&association("amazon")).unwrap().elastic);
    assert!(public(&association("123456789012")).unwrap().elastic);
}

#[test]
fn a_service_that_manages_an_instance_is_named() {
    let mut from = whole_instance();
    let operator = ec2::OperatorResponse::builder().managed(true).principal("eks.amazonaws.com");
    from.operator = Some(operator.build());
    assert_eq!(instance(&from).unwrap().managed_by.as_deref(), Some("eks.amazonaws.com"));
    from.operator = Some(ec2::OperatorResponse::builder().managed(true).build());
    assert!(instance(&from).unwrap().managed_by.is_some());
}

fn summary(status: ec2::SummaryStatus) -> ec2::InstanceStatusSummary {
    ec2::InstanceStatusSummary::builder().status(status).build()
}

#[test]
fn three_checks_are_told_and_only_ok_and_impaired_are_evidence() {
    let from = |guest: &str| {
        ec2::InstanceStatus::builder()
            .instance_id("i-1a2b3c4d")
            .system_status(summary(ec2::SummaryStatus::Ok))
            .instance_status(summary(ec2::SummaryStatus::from(guest)))
            .attached_ebs_status(
                ec2::EbsStatusSummary::builder().status(ec2::SummaryStatus::Impaired).build(),
            )
            .build()
    };
    let checks = |guest: &str| status(&from(guest)).unwrap();
    assert_eq!(checks("ok").guest, Check::Ok);
    assert_eq!(checks("impaired").guest, Check::Impaired);
    for word in ["initializing", "insufficient-data", "not-applicable", "puzzled"] {
        assert_eq!(checks(word).guest, Check::Unknown, "{word}");
    }
    assert_eq!((checks("ok").system, checks("ok").ebs), (Check::Ok, Check::Impaired));
}

#[test]
fn events_that_are_over_are_not_told() {
    let event = |words: &str| {
        ec2::InstanceStatusEvent::builder()
            .code(ec2::EventCode::SystemReboot)
            .description(words)
            .build()
    };
    let from = ec2::InstanceStatus::builder()
        .instance_id("i-1a2b3c4d")
        .events(event("[Completed] scheduled reboot"))
        .events(event("[Canceled] scheduled reboot"))
        .events(event("scheduled reboot"))
        .build();
    assert_eq!(status(&from).unwrap().events, ["system-reboot: scheduled reboot"]);
}

fn a_route(destination: &str) -> ec2::builders::RouteBuilder {
    ec2::Route::builder()
        .destination_cidr_block(destination)
        .state(ec2::RouteState::Active)
        .origin(ec2::RouteOrigin::CreateRoute)
}

#[test]
fn a_table_is_told_with_its_ipv4_routes_and_whom_it_serves() {
    let association = |main: bool| ec2::RouteTableAssociation::builder().main(main);
    let from = ec2::RouteTable::builder()
        .route_table_id("rtb-1a2b3c4d")
        .associations(association(true).build())
        .associations(association(false).subnet_id("subnet-1a2b3c4d").build())
        .associations(association(false).gateway_id("igw-1a2b3c4d").build())
        .routes(a_route("10.0.0.10/32").network_interface_id(ENI).instance_id("i-1a2b3c4d").build())
        .routes(ec2::Route::builder().destination_ipv6_cidr_block("::/0").build())
        .routes(ec2::Route::builder().destination_prefix_list_id("pl-1").build())
        .build();
    let table = table(&from).unwrap();
    assert!(table.main);
    assert_eq!((table.subnets.len(), table.gateways.len(), table.routes.len()), (1, 1, 1));
    let route = table.route("10.0.0.10/32".parse().unwrap()).unwrap();
    assert_eq!(route.target.to_string(), "i-1a2b3c4d (eni-1a2b3c4d)");
    assert!(route.by_hand && route.state == RouteState::Active);
}

#[test]
fn a_target_is_an_interface_or_whatever_else_it_is() {
    let told = |from: ec2::builders::RouteBuilder| target(&from.build()).to_string();
    let route = || a_route("10.0.0.10/32");
    // What is left of a route when its instance is gone.
    assert_eq!(told(route().network_interface_id(ENI)), ENI);
    assert_eq!(told(route().gateway_id("local")), "local");
    assert_eq!(told(route().nat_gateway_id("nat-1")), "nat-1");
    assert_eq!(told(route().transit_gateway_id("tgw-1")), "tgw-1");
    assert_eq!(told(route().vpc_peering_connection_id("pcx-1")), "pcx-1");
    assert_eq!(told(route().instance_id("i-1a2b3c4d")), "i-1a2b3c4d");
    assert_eq!(told(route()), "unknown");
}

#[test]
fn a_route_that_is_neither_active_nor_black_is_other_and_propagated_ones_are_not_by_hand() {
    let of = |state: &str, origin: ec2::RouteOrigin| {
        let from = a_route("10.0.0.10/32").state(ec2::RouteState::from(state)).origin(origin);
        let route = route(&from.build()).unwrap();
        (route.state, route.by_hand)
    };
    assert_eq!(of("blackhole", ec2::RouteOrigin::CreateRoute), (RouteState::Blackhole, true));
    assert_eq!(of("filtered", ec2::RouteOrigin::CreateRouteTable), (RouteState::Other, false));
    let propagated = ec2::RouteOrigin::EnableVgwRoutePropagation;
    assert_eq!(of("active", propagated), (RouteState::Active, false));
}

#[test]
fn a_subnet_without_ipv4_is_dropped() {
    let subnet_of = |cidr: Option<&str>| {
        let from = ec2::Subnet::builder()
            .subnet_id("subnet-1a2b3c4d")
            .availability_zone("us-east-1a")
            .set_cidr_block(cidr.map(str::to_owned))
            .available_ip_address_count(4091);
        subnet(&from.build())
    };
    let with = subnet_of(Some("172.31.48.0/20")).unwrap();
    assert_eq!((with.free_addresses, with.ipv6_only, with.outpost), (4091, false, None));
    assert!(subnet_of(None).is_none() && subnet_of(Some("")).is_none());
}

#[test]
fn an_image_tells_its_ebs_devices_only() {
    let ebs = ec2::EbsBlockDevice::builder().delete_on_termination(true).build();
    let device = |name: &str| ec2::BlockDeviceMapping::builder().device_name(name);
    let from = ec2::Image::builder()
        .image_id("ami-1a2b3c4d")
        .state(ec2::ImageState::Available)
        .block_device_mappings(device("/dev/xvda").ebs(ebs).build())
        .block_device_mappings(device("/dev/sdb").virtual_name("ephemeral0").build())
        .build();
    let image = image(&from).unwrap();
    assert!(image.available);
    assert_eq!(image.devices.len(), 1);
}
