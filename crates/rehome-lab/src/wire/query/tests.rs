use ec2_model::api::{
    AttributeChange, BlockDevice, EbsBlockDevice, MetadataOptionsSpec, NetworkInterfaceSpec,
    PlacementSpec, ProfileSpec, RunInstances, TagSpecification,
};

use super::*;

fn read(form: &str) -> Result<Request, ApiError> {
    let form = format!("Version=2016-11-15&{form}");
    request(Service::Ec2, Parameters::parse(form.as_bytes()).expect("few parameters"))
}

fn refusal(form: &str) -> (String, String) {
    let error = read(form).unwrap_err();
    assert_eq!(error.status, 400, "{form}");
    (error.code, error.message)
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn every_action_is_read_into_the_request_of_its_own_name() {
    let forms = [
        "Action=DescribeInstances",
        "Action=DescribeInstanceStatus",
        "Action=DescribeAvailabilityZones",
        "Action=DescribeVpcs",
        "Action=DescribeSubnets",
        "Action=DescribeRouteTables",
        "Action=DescribeNetworkInterfaces",
        "Action=DescribeVolumes",
        "Action=DescribeImages",
        "Action=DescribeKeyPairs",
        "Action=DescribeSecurityGroups",
        "Action=DescribeNetworkAcls",
        "Action=DescribeInstanceAttribute&InstanceId=i-1&Attribute=userData",
        "Action=DescribeInstanceCreditSpecifications",
        "Action=DescribeInstanceTypeOfferings",
        "Action=DescribeInstanceTypes",
        "Action=DescribeTags",
        "Action=DescribeAddresses",
        "Action=DescribeSpotInstanceRequests",
        "Action=RunInstances",
        "Action=StartInstances&InstanceId.1=i-1",
        "Action=StopInstances&InstanceId.1=i-1",
        "Action=RebootInstances&InstanceId.1=i-1",
        "Action=TerminateInstances&InstanceId.1=i-1",
        "Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=eni-1",
        "Action=ModifyInstanceAttribute&InstanceId=i-1",
        "Action=CreateRoute&RouteTableId=rtb-1",
        "Action=ReplaceRoute&RouteTableId=rtb-1",
        "Action=DeleteRoute&RouteTableId=rtb-1",
        "Action=CreateTags&ResourceId.1=i-1",
        "Action=DeleteTags&ResourceId.1=i-1",
    ];
    for form in forms {
        for dry in ["", "&DryRun=true"] {
            let request = read(&format!("{form}{dry}")).unwrap();
            assert!(form.starts_with(&format!("Action={}", request.action())));
            assert_eq!(request.dry_run(), !dry.is_empty(), "{form}{dry}");
        }
    }
    let sts = Parameters::parse(b"Action=GetCallerIdentity&Version=2011-06-15").unwrap();
    assert_eq!(request(Service::Sts, sts).unwrap(), Request::GetCallerIdentity);
}

#[test]
fn a_describe_takes_ids_filters_and_paging() {
    let request = read(
        "Action=DescribeInstances&InstanceId.1=i-1&InstanceId.2=i-2&MaxResults=5&NextToken=abc\
         &Filter.1.Name=instance-state-name&Filter.1.Value.1=running&Filter.1.Value.2=pending\
         &Filter.2.Name=tag%3AName&Filter.2.Value.1=vip-*",
    );
    let expected = Request::DescribeInstances(Select {
        dry_run: false,
        ids: strings(&["i-1", "i-2"]),
        filters: vec![
            Filter {
                name: "instance-state-name".to_owned(),
                values: strings(&["running", "pending"]),
            },
            Filter { name: "tag:Name".to_owned(), values: strings(&["vip-*"]) },
        ],
        max_results: Some(5),
        next_token: Some("abc".to_owned()),
    });
    assert_eq!(request.unwrap(), expected);
}

#[test]
fn the_describes_with_two_kinds_of_names_keep_them_apart() {
    let Ok(Request::DescribeAvailabilityZones(zones)) = read(
        "Action=DescribeAvailabilityZones&ZoneName.1=us-east-1a&ZoneId.1=use1-az2\
         &AllAvailabilityZones=true",
    ) else {
        panic!("another request");
    };
    assert_eq!(zones.zone_names, ["us-east-1a"]);
    assert_eq!(zones.select.ids, ["use1-az2"]);
    assert!(zones.all_availability_zones);
    let Ok(Request::DescribeSecurityGroups(groups)) =
        read("Action=DescribeSecurityGroups&GroupId.1=sg-1&GroupName.1=web")
    else {
        panic!("another request");
    };
    assert_eq!(groups.select.ids, ["sg-1"]);
    assert_eq!(groups.group_names, ["web"]);
}

#[test]
fn run_instances_is_read_whole() {
    let request = read(
        "Action=RunInstances&ImageId=ami-1&InstanceType=t3.micro&MinCount=1&MaxCount=2\
         &KeyName=k&UserData=IyEvYmluL3No&ClientToken=t-1&EbsOptimized=true&Monitoring.Enabled=true\
         &NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.SubnetId=subnet-1\
         &NetworkInterface.1.SecurityGroupId.1=sg-1&NetworkInterface.1.SecurityGroupId.2=sg-2\
         &NetworkInterface.1.AssociatePublicIpAddress=false\
         &TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name\
         &TagSpecification.1.Tag.1.Value=vip&TagSpecification.2.ResourceType=volume\
         &IamInstanceProfile.Name=web&MetadataOptions.HttpTokens=required\
         &MetadataOptions.HttpPutResponseHopLimit=1&Placement.Tenancy=default\
         &BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.VolumeSize=8\
         &BlockDeviceMapping.1.Ebs.Encrypted=true&CreditSpecification.CpuCredits=unlimited\
         &InstanceMarketOptions.MarketType=spot&InstanceMarketOptions.SpotOptions.MaxPrice=1\
         &InstanceMarketOptions.SpotOptions.SpotInstanceType=persistent\
         &MaintenanceOptions.AutoRecovery=default&PrivateDnsNameOptions.HostnameType=ip-name\
         &DisableApiTermination=true&InstanceInitiatedShutdownBehavior=terminate",
    );
    let text = |value: &str| Some(value.to_owned());
    let expected = RunInstances {
        image_id: "ami-1".to_owned(),
        instance_type: text("t3.micro"),
        min_count: Some(1),
        max_count: Some(2),
        key_name: text("k"),
        user_data: text("IyEvYmluL3No"),
        client_token: text("t-1"),
        ebs_optimized: Some(true),
        monitoring: Some(true),
        network_interfaces: vec![NetworkInterfaceSpec {
            device_index: Some(0),
            subnet_id: text("subnet-1"),
            groups: strings(&["sg-1", "sg-2"]),
            associate_public_ip_address: Some(false),
            ..NetworkInterfaceSpec::default()
        }],
        tag_specifications: vec![
            TagSpecification {
                resource_type: "instance".to_owned(),
                tags: vec![Tag { key: "Name".to_owned(), value: "vip".to_owned() }],
            },
            TagSpecification { resource_type: "volume".to_owned(), tags: Vec::new() },
        ],
        iam_instance_profile: Some(ProfileSpec { arn: None, name: text("web") }),
        metadata_options: Some(MetadataOptionsSpec {
            http_tokens: text("required"),
            http_put_response_hop_limit: Some(1),
            ..MetadataOptionsSpec::default()
        }),
        placement: Some(PlacementSpec { tenancy: text("default"), ..PlacementSpec::default() }),
        block_device_mappings: vec![BlockDevice {
            device_name: "/dev/xvda".to_owned(),
            ebs: Some(EbsBlockDevice {
                volume_size: Some(8),
                encrypted: Some(true),
                ..EbsBlockDevice::default()
            }),
            ..BlockDevice::default()
        }],
        cpu_credits: text("unlimited"),
        market_type: text("spot"),
        spot_instance_type: text("persistent"),
        auto_recovery: text("default"),
        hostname_type: text("ip-name"),
        disable_api_termination: Some(true),
        instance_initiated_shutdown_behavior: text("terminate"),
        ..RunInstances::default()
    };
    assert_eq!(request.unwrap(), Request::RunInstances(Box::new(expected)));
}

#[test]
fn a_route_has_its_destination_and_its_target() {
    let request = read(
        "Action=ReplaceRoute&RouteTableId=rtb-1&DestinationCidrBlock=10.0.0.10%2F32\
         &NetworkInterfaceId=eni-1",
    );
    let expected = RouteSpec {
        route_table_id: "rtb-1".to_owned(),
        destination_cidr_block: Some("10.0.0.10/32".to_owned()),
        network_interface_id: Some("eni-1".to_owned()),
        ..RouteSpec::default()
    };
    assert_eq!(request.unwrap(), Request::ReplaceRoute(expected));
    let local = read("Action=ReplaceRoute&RouteTableId=rtb-1&LocalTarget=true");
    assert!(matches!(local, Ok(Request::ReplaceRoute(spec)) if spec.local_target));
    assert_eq!(
        refusal("Action=CreateRoute&RouteTableId=rtb-1&LocalTarget=true").0,
        "UnknownParameter",
        "only ReplaceRoute has it"
    );
}

#[test]
fn attributes_are_set_by_name_or_by_element() {
    let off = vec![AttributeChange::SourceDestCheck(false)];
    for form in ["SourceDestCheck.Value=false", "Attribute=sourceDestCheck&Value=False"] {
        let request = read(&format!("Action=ModifyInstanceAttribute&InstanceId=i-1&{form}"));
        let Ok(Request::ModifyInstanceAttribute(change)) = request else {
            panic!("{form} was not read");
        };
        assert_eq!(change.changes, off, "{form}");
    }
    let request = read(
        "Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=eni-1\
         &SourceDestCheck.Value=false",
    );
    let Ok(Request::ModifyNetworkInterfaceAttribute(change)) = request else {
        panic!("another request");
    };
    assert_eq!(change.source_dest_check, Some(false));
}

#[test]
fn tags_to_delete_may_go_without_a_value() {
    let request = read("Action=DeleteTags&ResourceId.1=i-1&Tag.1.Key=a&Tag.2.Key=b&Tag.2.Value=");
    let Ok(Request::DeleteTags(tags)) = request else {
        panic!("another request");
    };
    let values: Vec<_> = tags.tags.iter().map(|tag| tag.value.as_deref()).collect();
    assert_eq!(values, [None, Some("")]);
}

#[test]
fn the_envelope_is_refused_as_ec2_refuses_it() {
    assert_eq!(
        refusal("Action=DescribeFlorins"),
        (
            "InvalidAction".to_owned(),
            "The action DescribeFlorins is not valid for this web service.".to_owned()
        )
    );
    assert_eq!(refusal("InstanceId.1=i-1").1, "The request must contain the parameter Action");
    let old = Parameters::parse(b"Action=DescribeVpcs&Version=2010-13-99").unwrap();
    assert_eq!(
        request(Service::Ec2, old).unwrap_err().message,
        "The requested version (2010-13-99) of service AmazonEC2 does not exist"
    );
    let sts = Parameters::parse(b"Action=AssumeRole&Version=2011-06-15").unwrap();
    assert_eq!(
        request(Service::Sts, sts).unwrap_err().message,
        "Could not find operation AssumeRole for version 2011-06-15"
    );
}

#[test]
fn parameters_are_unknown_unsupported_or_without_effect() {
    assert_eq!(
        refusal("Action=DescribeVpcs&Flavor=sweet"),
        ("UnknownParameter".to_owned(), "The parameter Flavor is not recognized".to_owned())
    );
    assert_eq!(
        refusal("Action=DescribeKeyPairs&MaxResults=5").0,
        "UnknownParameter",
        "DescribeKeyPairs doesn't page"
    );
    assert_eq!(
        refusal("Action=RunInstances&LaunchTemplate.LaunchTemplateId=lt-1").0,
        "UnsupportedOperation"
    );
    assert_eq!(
        refusal("Action=RunInstances&Placement.SpreadDomain=x").0,
        "UnsupportedOperation",
        "the rest of a parameter that is known in part"
    );
    assert!(read("Action=DescribeInstances&IncludeManagedResources=true").is_ok());
}

#[test]
fn required_parameters_are_asked_for_by_name() {
    for (form, name) in [
        ("Action=StartInstances", "InstanceId"),
        ("Action=DescribeInstanceAttribute&InstanceId=i-1", "Attribute"),
        ("Action=CreateRoute", "RouteTableId"),
        ("Action=ModifyNetworkInterfaceAttribute", "NetworkInterfaceId"),
        ("Action=CreateTags&Tag.1.Key=a", "ResourceId"),
    ] {
        assert_eq!(
            refusal(form),
            (
                "MissingParameter".to_owned(),
                format!("The request must contain the parameter {name}")
            ),
            "{form}"
        );
    }
}
