//! The requests that change something, each put together once: sent by [`calls`](super::calls), and
//! tried, with `DryRun`, by [`dry`](super::dry).

use aws_sdk_ec2::operation::create_route::builders::CreateRouteInputBuilder;
use aws_sdk_ec2::operation::modify_network_interface_attribute::builders as modify;
use aws_sdk_ec2::operation::replace_route::builders::ReplaceRouteInputBuilder;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesInputBuilder;
use aws_sdk_ec2::operation::stop_instances::builders::StopInstancesInputBuilder;
use aws_sdk_ec2::operation::terminate_instances::builders::TerminateInstancesInputBuilder;
use aws_sdk_ec2::types as ec2;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rehome_core::call::Launch;
use rehome_core::names::{InstanceId, InterfaceId, TableId};
use rehome_core::net::Cidr;
use rehome_core::spec::{BlockDevice, LaunchSpec, MetadataOptions};

/// Source/destination check off.
pub(super) fn check_off(
    interface: &InterfaceId,
) -> modify::ModifyNetworkInterfaceAttributeInputBuilder {
    modify::ModifyNetworkInterfaceAttributeInputBuilder::default()
        .network_interface_id(interface.as_str())
        .source_dest_check(ec2::AttributeBooleanValue::builder().value(false).build())
}

/// A route to an interface, never to an instance, where there is one for the block already.
pub(super) fn replace_route(
    table: &TableId,
    destination: Cidr,
    interface: &InterfaceId,
) -> ReplaceRouteInputBuilder {
    ReplaceRouteInputBuilder::default()
        .route_table_id(table.as_str())
        .destination_cidr_block(destination.to_string())
        .network_interface_id(interface.as_str())
}

/// The same where there is none.
pub(super) fn create_route(
    table: &TableId,
    destination: Cidr,
    interface: &InterfaceId,
) -> CreateRouteInputBuilder {
    CreateRouteInputBuilder::default()
        .route_table_id(table.as_str())
        .destination_cidr_block(destination.to_string())
        .network_interface_id(interface.as_str())
}

/// A stop that doesn't wait for the guest; with `skip` it isn't even asked.
pub(super) fn stop(instance: &InstanceId, skip: bool) -> StopInstancesInputBuilder {
    StopInstancesInputBuilder::default()
        .instance_ids(instance.as_str())
        .force(true)
        .set_skip_os_shutdown(skip.then_some(true))
}

/// The end of one instance.
pub(super) fn terminate(instance: &InstanceId) -> TerminateInstancesInputBuilder {
    TerminateInstancesInputBuilder::default().instance_ids(instance.as_str())
}

/// The request that builds exactly one instance of `launch`, with `user_data` as it was rendered.
pub(super) fn run_instances(launch: &Launch, user_data: &str) -> RunInstancesInputBuilder {
    let spec = &launch.spec;
    let devices: Vec<_> = spec.devices.iter().map(device).collect();
    RunInstancesInputBuilder::default()
        .image_id(spec.image.as_str())
        .instance_type(spec.instance_type.as_str().into())
        .min_count(1)
        .max_count(1)
        .client_token(&launch.token)
        .user_data(STANDARD.encode(user_data))
        .network_interfaces(interface(launch))
        .set_tag_specifications(tags(launch))
        .set_key_name(spec.key.as_ref().map(ToString::to_string))
        .set_iam_instance_profile(
            spec.profile
                .as_ref()
                .map(|arn| ec2::IamInstanceProfileSpecification::builder().arn(arn).build()),
        )
        // EC2 refuses the flag on types that don't know it, even to say no.
        .set_ebs_optimized(spec.ebs_optimized.then_some(true))
        .monitoring(ec2::RunInstancesMonitoringEnabled::builder().enabled(spec.monitoring).build())
        .set_metadata_options(Some(metadata(spec.metadata.as_ref())))
        .set_cpu_options(spec.cpu.as_ref().map(|cpu| {
            ec2::CpuOptionsRequest::builder()
                .core_count(cpu.cores)
                .threads_per_core(cpu.threads_per_core)
                .build()
        }))
        .set_credit_specification(
            spec.credits.as_ref().map(|credits| {
                ec2::CreditSpecificationRequest::builder().cpu_credits(credits).build()
            }),
        )
        .set_instance_initiated_shutdown_behavior(
            spec.shutdown_behavior.as_deref().map(ec2::ShutdownBehavior::from),
        )
        .set_placement(placement(spec))
        .set_block_device_mappings((!devices.is_empty()).then_some(devices))
}

/// Subnet, groups and addresses belong to the interface: the same parameters beside it are refused.
fn interface(launch: &Launch) -> ec2::InstanceNetworkInterfaceSpecification {
    let spec = &launch.spec;
    let groups = spec.groups.iter().map(ToString::to_string).collect();
    ec2::InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .subnet_id(launch.subnet.as_str())
        .set_groups(Some(groups))
        .associate_public_ip_address(spec.public_address)
        .delete_on_termination(true)
        .set_ipv6_address_count(i32::try_from(spec.ipv6_addresses).ok().filter(|count| *count > 0))
        .build()
}

/// All tags on all that is made: what a launch leaves behind has to be found again.
fn tags(launch: &Launch) -> Option<Vec<ec2::TagSpecification>> {
    let tags: Vec<_> = launch
        .spec
        .tags
        .iter()
        .chain(&launch.tags)
        .map(|(key, value)| ec2::Tag::builder().key(key).value(value).build())
        .collect();
    let on = |kind| {
        ec2::TagSpecification::builder().resource_type(kind).set_tags(Some(tags.clone())).build()
    };
    (!tags.is_empty()).then(|| {
        vec![
            on(ec2::ResourceType::Instance),
            on(ec2::ResourceType::Volume),
            on(ec2::ResourceType::NetworkInterface),
        ]
    })
}

/// The metadata service as the holder has it; sessions are required where nothing is known of it.
fn metadata(options: Option<&MetadataOptions>) -> ec2::InstanceMetadataOptionsRequest {
    let builder = ec2::InstanceMetadataOptionsRequest::builder();
    let Some(options) = options else {
        return builder.http_tokens(ec2::HttpTokensState::Required).build();
    };
    builder
        .http_tokens(
            options.http_tokens.as_deref().map_or(ec2::HttpTokensState::Required, Into::into),
        )
        .set_http_put_response_hop_limit(options.hop_limit)
        .set_http_endpoint(options.http_endpoint.as_deref().map(Into::into))
        .set_http_protocol_ipv6(options.http_protocol_ipv6.as_deref().map(Into::into))
        .set_instance_metadata_tags(options.instance_tags.as_deref().map(Into::into))
        .build()
}

fn placement(spec: &LaunchSpec) -> Option<ec2::Placement> {
    let placed = spec.dedicated || spec.placement_group.is_some();
    placed.then(|| {
        ec2::Placement::builder()
            .set_tenancy(spec.dedicated.then_some(ec2::Tenancy::Dedicated))
            .set_group_name(spec.placement_group.clone())
            .set_partition_number(spec.partition)
            .build()
    })
}

fn device(device: &BlockDevice) -> ec2::BlockDeviceMapping {
    let kind = ec2::VolumeType::from(device.kind.as_str());
    // EC2 reports IOPS for gp2 too, but takes them only where they are provisioned; throughput for
    // gp3 only (EC2 API reference, EbsBlockDevice).
    let provisioned =
        matches!(kind, ec2::VolumeType::Gp3 | ec2::VolumeType::Io1 | ec2::VolumeType::Io2);
    let throughput = device.throughput.filter(|_| kind == ec2::VolumeType::Gp3);
    let volume = ec2::EbsBlockDevice::builder()
        .volume_size(device.size_gib)
        .volume_type(kind)
        .set_iops(device.iops.filter(|_| provisioned))
        .set_throughput(throughput)
        // Only ever to turn it on: a copy of an encrypted snapshot can't be unencrypted.
        .set_encrypted(device.encrypted.then_some(true))
        .set_kms_key_id(device.kms_key.clone().filter(|_| device.encrypted))
        .delete_on_termination(device.delete_on_termination)
        .build();
    ec2::BlockDeviceMapping::builder().device_name(&device.device).ebs(volume).build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rehome_core::spec::CpuOptions;

    use super::*;

    fn launch() -> Launch {
        let map = |key: &str| BTreeMap::from([(key.to_owned(), "x".to_owned())]);
        Launch {
            spec: LaunchSpec {
                image: "ami-1a2b3c4d".parse().unwrap(),
                instance_type: "t3.micro".parse().unwrap(),
                key: None,
                groups: vec!["sg-1a2b3c4d".parse().unwrap(), "sg-5a6b7c8d".parse().unwrap()],
                profile: None,
                ebs_optimized: false,
                monitoring: false,
                metadata: None,
                cpu: None,
                credits: None,
                shutdown_behavior: None,
                dedicated: false,
                placement_group: None,
                partition: None,
                devices: Vec::new(),
                ipv6_addresses: 0,
                public_address: false,
                tags: map("Name"),
            },
            subnet: "subnet-1a2b3c4d".parse().unwrap(),
            az: "us-east-1b".parse().unwrap(),
            token: "token".to_owned(),
            tags: map("rehome:vip"),
            user_data_sha256: String::new(),
        }
    }

    #[test]
    fn a_plain_launch_says_where_by_its_one_interface_and_nothing_superfluous() {
        let request = run_instances(&launch(), "#!/bin/sh\n").build().unwrap();
        assert_eq!((request.min_count(), request.max_count()), (Some(1), Some(1)));
        assert_eq!(request.client_token(), Some("token"));
        assert_eq!(request.user_data(), Some("IyEvYmluL3NoCg=="));
        assert_eq!(request.subnet_id(), None, "would be refused beside an interface");
        assert!(request.security_group_ids().is_empty());
        let [interface] = request.network_interfaces() else { panic!("one interface") };
        assert_eq!(interface.subnet_id(), Some("subnet-1a2b3c4d"));
        assert_eq!(interface.groups(), ["sg-1a2b3c4d", "sg-5a6b7c8d"]);
        assert_eq!(interface.device_index(), Some(0));
        assert_eq!(interface.associate_public_ip_address(), Some(false));
        assert_eq!(interface.delete_on_termination(), Some(true));
        assert_eq!(interface.ipv6_address_count(), None);
        assert_eq!((request.ebs_optimized(), request.key_name()), (None, None));
        assert!(request.block_device_mappings().is_empty() && request.placement().is_none());
    }

    #[test]
    fn every_thing_that_is_made_carries_the_holders_tags_and_ours() {
        let request = run_instances(&launch(), "").build().unwrap();
        let kinds: Vec<_> = request
            .tag_specifications()
            .iter()
            .map(|of| {
                let keys: Vec<_> = of.tags().iter().filter_map(|tag| tag.key()).collect();
                assert_eq!(keys, ["Name", "rehome:vip"]);
                of.resource_type().unwrap().as_str()
            })
            .collect();
        assert_eq!(kinds, ["instance", "volume", "network-interface"]);
    }

    #[test]
    fn sessions_are_required_wherever_the_holder_required_them_or_did_not_say() {
        let tokens = |metadata: Option<MetadataOptions>| {
            let mut launch = launch();
            launch.spec.metadata = metadata;
            let request = run_instances(&launch, "").build().unwrap();
            let options = request.metadata_options().unwrap();
            (options.http_tokens().unwrap().to_string(), options.http_put_response_hop_limit())
        };
        let options = |http_tokens: Option<&str>| {
            Some(MetadataOptions {
                http_tokens: http_tokens.map(str::to_owned),
                hop_limit: Some(2),
                http_endpoint: Some("enabled".to_owned()),
                http_protocol_ipv6: None,
                instance_tags: None,
            })
        };
        assert_eq!(tokens(None), ("required".to_owned(), None));
        assert_eq!(tokens(options(None)), ("required".to_owned(), Some(2)));
        assert_eq!(tokens(options(Some("required"))), ("required".to_owned(), Some(2)));
        assert_eq!(tokens(options(Some("optional"))), ("optional".to_owned(), Some(2)));
    }

    #[test]
    fn what_the_spec_has_is_asked_for() {
        let mut launch = launch();
        launch.spec = LaunchSpec {
            key: Some("my key".parse().unwrap()),
            profile: Some("arn:aws:iam::1:instance-profile/p".to_owned()),
            ebs_optimized: true,
            monitoring: true,
            cpu: Some(CpuOptions { cores: 2, threads_per_core: 1 }),
            credits: Some("unlimited".to_owned()),
            shutdown_behavior: Some("terminate".to_owned()),
            dedicated: true,
            placement_group: Some("spread".to_owned()),
            partition: Some(3),
            ipv6_addresses: 1,
            public_address: true,
            ..launch.spec
        };
        let request = run_instances(&launch, "").build().unwrap();
        assert_eq!(request.key_name(), Some("my key"));
        assert_eq!(request.ebs_optimized(), Some(true));
        assert_eq!(request.monitoring().unwrap().enabled(), Some(true));
        assert_eq!(request.cpu_options().unwrap().threads_per_core(), Some(1));
        assert_eq!(request.credit_specification().unwrap().cpu_credits(), Some("unlimited"));
        let behavior = request.instance_initiated_shutdown_behavior();
        assert_eq!(behavior, Some(&ec2::ShutdownBehavior::Terminate));
        let placement = request.placement().unwrap();
        assert_eq!(placement.tenancy(), Some(&ec2::Tenancy::Dedicated));
        assert_eq!(placement.group_name(), Some("spread"));
        assert_eq!(placement.partition_number(), Some(3));
        let interface = &request.network_interfaces()[0];
        assert_eq!(interface.ipv6_address_count(), Some(1));
        assert_eq!(interface.associate_public_ip_address(), Some(true));
    }

    #[test]
    fn volumes_ask_only_for_what_their_kind_can_have() {
        let mapped = |kind: &str, encrypted| {
            device(&BlockDevice {
                device: "/dev/xvda".to_owned(),
                size_gib: 8,
                kind: kind.to_owned(),
                iops: Some(3_000),
                throughput: Some(125),
                encrypted,
                kms_key: Some("key".to_owned()),
                delete_on_termination: true,
            })
            .ebs()
            .cloned()
            .unwrap()
        };
        let gp3 = mapped("gp3", true);
        assert_eq!((gp3.iops(), gp3.throughput()), (Some(3_000), Some(125)));
        assert_eq!((gp3.encrypted(), gp3.kms_key_id()), (Some(true), Some("key")));
        let gp2 = mapped("gp2", false);
        assert_eq!((gp2.iops(), gp2.throughput()), (None, None));
        assert_eq!((gp2.encrypted(), gp2.kms_key_id()), (None, None));
        assert_eq!(
            (mapped("io2", false).iops(), mapped("io2", false).throughput()),
            (Some(3_000), None)
        );
    }
}
