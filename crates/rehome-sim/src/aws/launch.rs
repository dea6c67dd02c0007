//! `RunInstances` as `rehome`'s own shell words it.

use ec2_model::api as ec2;
use ec2_model::base64;
use rehome_core::call::Launch;
use rehome_core::spec::{BlockDevice, LaunchSpec, MetadataOptions};

/// The request that builds exactly one instance of `launch`, with `user_data` as it was rendered.
pub(super) fn run_instances(launch: &Launch, user_data: &str) -> ec2::RunInstances {
    let spec = &launch.spec;
    ec2::RunInstances {
        image_id: spec.image.to_string(),
        instance_type: Some(spec.instance_type.to_string()),
        min_count: Some(1),
        max_count: Some(1),
        client_token: Some(launch.token.clone()),
        user_data: Some(base64::encode(user_data.as_bytes())),
        network_interfaces: vec![interface(launch)],
        tag_specifications: tags(launch),
        key_name: spec.key.as_ref().map(ToString::to_string),
        iam_instance_profile: spec
            .profile
            .as_ref()
            .map(|arn| ec2::ProfileSpec { arn: Some(arn.clone()), name: None }),
        ebs_optimized: spec.ebs_optimized.then_some(true),
        monitoring: Some(spec.monitoring),
        metadata_options: Some(metadata(spec.metadata.as_ref())),
        cpu_options: spec.cpu.as_ref().map(|cpu| ec2::CpuOptions {
            core_count: Some(cpu.cores.into()),
            threads_per_core: Some(cpu.threads_per_core.into()),
            amd_sev_snp: None,
        }),
        cpu_credits: spec.credits.clone(),
        instance_initiated_shutdown_behavior: spec.shutdown_behavior.clone(),
        placement: placement(spec),
        block_device_mappings: spec.devices.iter().map(device).collect(),
        ..ec2::RunInstances::default()
    }
}

fn interface(launch: &Launch) -> ec2::NetworkInterfaceSpec {
    let spec = &launch.spec;
    ec2::NetworkInterfaceSpec {
        device_index: Some(0),
        subnet_id: Some(launch.subnet.to_string()),
        groups: spec.groups.iter().map(ToString::to_string).collect(),
        associate_public_ip_address: Some(spec.public_address),
        delete_on_termination: Some(true),
        ..ec2::NetworkInterfaceSpec::default()
    }
}

fn tags(launch: &Launch) -> Vec<ec2::TagSpecification> {
    let pairs = launch.spec.tags.iter().chain(&launch.tags);
    let tags: Vec<ec2::Tag> =
        pairs.map(|(key, value)| ec2::Tag { key: key.clone(), value: value.clone() }).collect();
    ["instance", "volume", "network-interface"]
        .into_iter()
        .map(|kind| ec2::TagSpecification { resource_type: kind.to_owned(), tags: tags.clone() })
        .collect()
}

fn metadata(options: Option<&MetadataOptions>) -> ec2::MetadataOptionsSpec {
    let required = || Some("required".to_owned());
    match options {
        None => ec2::MetadataOptionsSpec {
            http_tokens: required(),
            ..ec2::MetadataOptionsSpec::default()
        },
        Some(options) => ec2::MetadataOptionsSpec {
            http_tokens: options.http_tokens.clone().or_else(required),
            http_put_response_hop_limit: options.hop_limit.map(i64::from),
            http_endpoint: options.http_endpoint.clone(),
            http_protocol_ipv6: options.http_protocol_ipv6.clone(),
            instance_metadata_tags: options.instance_tags.clone(),
        },
    }
}

fn placement(spec: &LaunchSpec) -> Option<ec2::PlacementSpec> {
    let placed = spec.dedicated || spec.placement_group.is_some();
    placed.then(|| ec2::PlacementSpec {
        tenancy: spec.dedicated.then(|| "dedicated".to_owned()),
        group_name: spec.placement_group.clone(),
        partition_number: spec.partition.map(i64::from),
        ..ec2::PlacementSpec::default()
    })
}

fn device(device: &BlockDevice) -> ec2::BlockDevice {
    let provisioned = matches!(device.kind.as_str(), "gp3" | "io1" | "io2");
    let volume = ec2::EbsBlockDevice {
        snapshot_id: None,
        volume_size: Some(device.size_gib.into()),
        volume_type: Some(device.kind.clone()),
        iops: device.iops.filter(|_| provisioned).map(i64::from),
        throughput: device.throughput.filter(|_| device.kind == "gp3").map(i64::from),
        encrypted: device.encrypted.then_some(true),
        kms_key_id: device.kms_key.clone().filter(|_| device.encrypted),
        delete_on_termination: Some(device.delete_on_termination),
    };
    ec2::BlockDevice {
        device_name: device.device.clone(),
        ebs: Some(volume),
        ..ec2::BlockDevice::default()
    }
}
