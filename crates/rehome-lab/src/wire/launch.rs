//! `RunInstances`, the one call with a tree of parameters. Pure; see [`query`](super::query).

use ec2_model::ApiError;
use ec2_model::api::{
    BlockDevice, CpuOptions, EbsBlockDevice, MetadataOptionsSpec, NetworkInterfaceSpec,
    PlacementSpec, ProfileSpec, Request, RunInstances, TagSpecification,
};

use super::parameters::Parameters;
use super::query::{flag, tags};

/// Reads the parameters of `RunInstances`.
pub(super) fn run_instances(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::RunInstances(Box::new(RunInstances {
        dry_run: flag(form, "DryRun")?,
        image_id: form.take("ImageId").unwrap_or_default(),
        instance_type: form.take("InstanceType"),
        min_count: form.integer("MinCount")?,
        max_count: form.integer("MaxCount")?,
        key_name: form.take("KeyName"),
        subnet_id: form.take("SubnetId"),
        private_ip_address: form.take("PrivateIpAddress"),
        ipv6_address_count: form.integer("Ipv6AddressCount")?,
        security_group_ids: form.list("SecurityGroupId"),
        security_groups: form.list("SecurityGroup"),
        network_interfaces: network_interfaces(form)?,
        user_data: form.take("UserData"),
        client_token: form.take("ClientToken"),
        tag_specifications: tag_specifications(form),
        iam_instance_profile: profile(form),
        ebs_optimized: form.boolean("EbsOptimized")?,
        monitoring: form.boolean("Monitoring.Enabled")?,
        metadata_options: metadata_options(form)?,
        cpu_options: cpu_options(form)?,
        cpu_credits: form.take("CreditSpecification.CpuCredits"),
        instance_initiated_shutdown_behavior: form.take("InstanceInitiatedShutdownBehavior"),
        disable_api_termination: form.boolean("DisableApiTermination")?,
        disable_api_stop: form.boolean("DisableApiStop")?,
        placement: placement(form)?,
        block_device_mappings: block_devices(form)?,
        spot_instance_type: form.take("InstanceMarketOptions.SpotOptions.SpotInstanceType"),
        market_type: market_type(form),
        auto_recovery: form.take("MaintenanceOptions.AutoRecovery"),
        hostname_type: form.take("PrivateDnsNameOptions.HostnameType"),
        resource_name_dns_a_record: form
            .boolean("PrivateDnsNameOptions.EnableResourceNameDnsARecord")?,
        resource_name_dns_aaaa_record: form
            .boolean("PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord")?,
    })))
}

fn network_interfaces(form: &mut Parameters) -> Result<Vec<NetworkInterfaceSpec>, ApiError> {
    let mut interfaces = Vec::new();
    for number in form.members("NetworkInterface") {
        let name = |field: &str| format!("NetworkInterface.{number}.{field}");
        interfaces.push(NetworkInterfaceSpec {
            device_index: form.integer(&name("DeviceIndex"))?,
            network_card_index: form.integer(&name("NetworkCardIndex"))?,
            network_interface_id: form.take(&name("NetworkInterfaceId")),
            subnet_id: form.take(&name("SubnetId")),
            description: form.take(&name("Description")),
            private_ip_address: form.take(&name("PrivateIpAddress")),
            groups: form.list(&name("SecurityGroupId")),
            associate_public_ip_address: form.boolean(&name("AssociatePublicIpAddress"))?,
            delete_on_termination: form.boolean(&name("DeleteOnTermination"))?,
            ipv6_address_count: form.integer(&name("Ipv6AddressCount"))?,
            interface_type: form.take(&name("InterfaceType")),
        });
    }
    Ok(interfaces)
}

/// `TagSpecification.N`.
pub(super) fn tag_specifications(form: &mut Parameters) -> Vec<TagSpecification> {
    form.members("TagSpecification")
        .into_iter()
        .map(|number| {
            let prefix = format!("TagSpecification.{number}.");
            TagSpecification {
                resource_type: form.take(&format!("{prefix}ResourceType")).unwrap_or_default(),
                tags: tags(form, &prefix),
            }
        })
        .collect()
}

fn profile(form: &mut Parameters) -> Option<ProfileSpec> {
    form.has("IamInstanceProfile").then(|| ProfileSpec {
        arn: form.take("IamInstanceProfile.Arn"),
        name: form.take("IamInstanceProfile.Name"),
    })
}

fn metadata_options(form: &mut Parameters) -> Result<Option<MetadataOptionsSpec>, ApiError> {
    if !form.has("MetadataOptions") {
        return Ok(None);
    }
    Ok(Some(MetadataOptionsSpec {
        http_tokens: form.take("MetadataOptions.HttpTokens"),
        http_put_response_hop_limit: form.integer("MetadataOptions.HttpPutResponseHopLimit")?,
        http_endpoint: form.take("MetadataOptions.HttpEndpoint"),
        http_protocol_ipv6: form.take("MetadataOptions.HttpProtocolIpv6"),
        instance_metadata_tags: form.take("MetadataOptions.InstanceMetadataTags"),
    }))
}

fn cpu_options(form: &mut Parameters) -> Result<Option<CpuOptions>, ApiError> {
    if !form.has("CpuOptions") {
        return Ok(None);
    }
    Ok(Some(CpuOptions {
        core_count: form.integer("CpuOptions.CoreCount")?,
        threads_per_core: form.integer("CpuOptions.ThreadsPerCore")?,
        amd_sev_snp: form.take("CpuOptions.AmdSevSnp"),
    }))
}

fn placement(form: &mut Parameters) -> Result<Option<PlacementSpec>, ApiError> {
    if !form.has("Placement") {
        return Ok(None);
    }
    Ok(Some(PlacementSpec {
        availability_zone: form.take("Placement.AvailabilityZone"),
        tenancy: form.take("Placement.Tenancy"),
        group_name: form.take("Placement.GroupName"),
        partition_number: form.integer("Placement.PartitionNumber")?,
        host_id: form.take("Placement.HostId"),
        affinity: form.take("Placement.Affinity"),
    }))
}

fn block_devices(form: &mut Parameters) -> Result<Vec<BlockDevice>, ApiError> {
    let mut devices = Vec::new();
    for number in form.members("BlockDeviceMapping") {
        let device = format!("BlockDeviceMapping.{number}");
        devices.push(BlockDevice {
            device_name: form.take(&format!("{device}.DeviceName")).unwrap_or_default(),
            virtual_name: form.take(&format!("{device}.VirtualName")),
            no_device: form.take(&format!("{device}.NoDevice")).is_some(),
            ebs: volume(form, &format!("{device}.Ebs"))?,
        });
    }
    Ok(devices)
}

fn volume(form: &mut Parameters, ebs: &str) -> Result<Option<EbsBlockDevice>, ApiError> {
    if !form.has(ebs) {
        return Ok(None);
    }
    Ok(Some(EbsBlockDevice {
        snapshot_id: form.take(&format!("{ebs}.SnapshotId")),
        volume_size: form.integer(&format!("{ebs}.VolumeSize"))?,
        volume_type: form.take(&format!("{ebs}.VolumeType")),
        iops: form.integer(&format!("{ebs}.Iops"))?,
        throughput: form.integer(&format!("{ebs}.Throughput"))?,
        encrypted: form.boolean(&format!("{ebs}.Encrypted"))?,
        kms_key_id: form.take(&format!("{ebs}.KmsKeyId")),
        delete_on_termination: form.boolean(&format!("{ebs}.DeleteOnTermination"))?,
    }))
}

/// A spot request's price, validity and interruption behavior bind nobody here: the lab has no
/// market.
fn market_type(form: &mut Parameters) -> Option<String> {
    form.ignore("InstanceMarketOptions.SpotOptions");
    form.take("InstanceMarketOptions.MarketType")
}
