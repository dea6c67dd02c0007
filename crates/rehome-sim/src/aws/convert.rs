//! From the model's answers to the core's values, as `rehome`'s own shell reads EC2's.
//!
//! What has no usable id is dropped, as there: nothing here fails.

use std::collections::BTreeMap;
use std::str::FromStr;

use ec2_model::api as ec2;
use rehome_core::spec::{CpuOptions, MetadataOptions};
use rehome_core::world::{
    AttachedVolume, Check, Image, ImageDevice, Instance, InstanceState, Interface, Placement,
    PublicAddress, Route, RouteState, RouteTable, Status, Subnet, Target, Volume, Zone,
};

fn name<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn optional<T: FromStr>(text: Option<&String>) -> Option<T> {
    text.and_then(|text| text.parse().ok())
}

fn owned(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn small(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn tags(tags: &[ec2::Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// An instance, unless its id can't be read.
pub(super) fn instance(from: &ec2::Instance) -> Option<Instance> {
    Some(Instance {
        id: name(&from.instance_id)?,
        state: state(from.state),
        state_reason: from.state_reason.as_ref().and_then(|reason| owned(&reason.code)),
        az: name(&from.placement.availability_zone),
        subnet: optional(from.subnet_id.as_ref()),
        vpc: optional(from.vpc_id.as_ref()),
        address: from.private_ip_address,
        interfaces: from.network_interfaces.iter().filter_map(interface).collect(),
        image: name(&from.image_id),
        instance_type: name(&from.instance_type),
        key: optional(from.key_name.as_ref()),
        profile: from.iam_instance_profile.as_ref().map(|profile| profile.arn.clone()),
        tags: tags(&from.tags),
        root_device_type: owned(&from.root_device_type),
        root_device: owned(&from.root_device_name),
        volumes: from.block_devices.iter().map(attached).collect(),
        ebs_optimized: from.ebs_optimized,
        monitoring: matches!(from.monitoring.as_str(), "enabled" | "pending"),
        metadata: from.metadata_options.as_ref().map(metadata),
        cpu: from.cpu_options.as_ref().and_then(|cpu| {
            Some(CpuOptions {
                cores: small(cpu.core_count?),
                threads_per_core: small(cpu.threads_per_core?),
            })
        }),
        placement: Placement {
            tenancy: owned(&from.placement.tenancy),
            group: owned(&from.placement.group_name),
            partition: from.placement.partition_number.map(small),
            host: from.placement.host_id.clone(),
        },
        spot_request: None,
        managed_by: from.operator_managed.then(|| "an AWS service".to_owned()),
    })
}

fn state(from: ec2::InstanceState) -> InstanceState {
    match from {
        ec2::InstanceState::Pending => InstanceState::Pending,
        ec2::InstanceState::Running => InstanceState::Running,
        ec2::InstanceState::Stopping => InstanceState::Stopping,
        ec2::InstanceState::Stopped => InstanceState::Stopped,
        ec2::InstanceState::ShuttingDown => InstanceState::ShuttingDown,
        ec2::InstanceState::Terminated => InstanceState::Terminated,
    }
}

fn interface(from: &ec2::InstanceNetworkInterface) -> Option<Interface> {
    Some(Interface {
        id: name(&from.network_interface_id)?,
        device_index: small(from.attachment.device_index),
        address: Some(from.private_ip_address),
        source_dest_check: Some(from.source_dest_check),
        groups: from.groups.iter().filter_map(|group| name(&group.group_id)).collect(),
        delete_on_termination: from.attachment.delete_on_termination,
        ipv6_addresses: from.ipv6_addresses.len(),
        secondary_addresses: from.private_ip_addresses.iter().filter(|a| !a.primary).count(),
        public: from.association.as_ref().map(|association| PublicAddress {
            address: association.public_ip.to_string(),
            elastic: association.ip_owner_id != "amazon",
        }),
    })
}

fn attached(from: &ec2::InstanceBlockDevice) -> AttachedVolume {
    AttachedVolume { device: from.device_name.clone(), volume: from.volume_id.clone() }
}

fn metadata(from: &ec2::MetadataOptions) -> MetadataOptions {
    MetadataOptions {
        http_tokens: owned(&from.http_tokens),
        hop_limit: Some(small(from.http_put_response_hop_limit)),
        http_endpoint: owned(&from.http_endpoint),
        http_protocol_ipv6: owned(&from.http_protocol_ipv6),
        instance_tags: owned(&from.instance_metadata_tags),
    }
}

/// The status checks of an instance.
pub(super) fn status(from: &ec2::InstanceStatus) -> Option<Status> {
    let is_past = |event: &&ec2::InstanceStatusEvent| {
        event.description.starts_with("[Completed]") || event.description.starts_with("[Canceled]")
    };
    Some(Status {
        instance: name(&from.instance_id)?,
        system: check(&from.system_status),
        guest: check(&from.instance_status),
        ebs: check(&from.attached_ebs_status),
        events: from
            .events
            .iter()
            .filter(|event| !is_past(event))
            .map(|event| format!("{}: {}", event.code, event.description))
            .collect(),
    })
}

fn check(from: &ec2::StatusSummary) -> Check {
    match from.status.as_str() {
        "ok" => Check::Ok,
        "impaired" => Check::Impaired,
        _ => Check::Unknown,
    }
}

/// A route table.
pub(super) fn table(from: &ec2::RouteTable) -> Option<RouteTable> {
    Some(RouteTable {
        id: name(&from.route_table_id)?,
        main: from.associations.iter().any(|association| association.main),
        subnets: from.associations.iter().filter_map(|a| optional(a.subnet_id.as_ref())).collect(),
        gateways: from.associations.iter().filter_map(|a| a.gateway_id.clone()).collect(),
        routes: from.routes.iter().filter_map(route).collect(),
    })
}

fn route(from: &ec2::Route) -> Option<Route> {
    Some(Route {
        destination: optional(from.destination_cidr_block.as_ref())?,
        target: target(from),
        state: match from.state.as_str() {
            "active" => RouteState::Active,
            "blackhole" => RouteState::Blackhole,
            _ => RouteState::Other,
        },
        by_hand: from.origin == "CreateRoute",
    })
}

fn target(from: &ec2::Route) -> Target {
    if let Some(id) = optional(from.network_interface_id.as_ref()) {
        return Target::Interface { id, instance: optional(from.instance_id.as_ref()) };
    }
    let others = [
        &from.gateway_id,
        &from.nat_gateway_id,
        &from.transit_gateway_id,
        &from.vpc_peering_connection_id,
        &from.instance_id,
    ];
    Target::Other(others.into_iter().flatten().next().map_or("unknown", String::as_str).to_owned())
}

/// A subnet.
pub(super) fn subnet(from: &ec2::Subnet) -> Option<Subnet> {
    Some(Subnet {
        id: name(&from.subnet_id)?,
        az: name(&from.availability_zone)?,
        cidr: name(&from.cidr_block)?,
        free_addresses: from.available_ip_address_count,
        outpost: from.outpost_arn.clone(),
        ipv6_only: from.ipv6_native,
        public_addresses: from.map_public_ip_on_launch,
        tags: tags(&from.tags),
    })
}

/// A zone.
pub(super) fn zone(from: &ec2::AvailabilityZone) -> Option<Zone> {
    Some(Zone {
        name: name(&from.zone_name)?,
        kind: from.zone_type.clone(),
        available: from.state == "available",
    })
}

/// A volume.
pub(super) fn volume(from: &ec2::Volume) -> Volume {
    Volume {
        id: from.volume_id.clone(),
        size_gib: small(from.size),
        kind: from.volume_type.clone(),
        iops: from.iops.map(small),
        throughput: from.throughput.map(small),
        encrypted: from.encrypted,
        kms_key: from.kms_key_id.clone(),
    }
}

/// An image.
pub(super) fn image(from: &ec2::Image) -> Option<Image> {
    Some(Image {
        id: name(&from.image_id)?,
        available: from.state == "available",
        devices: from
            .block_device_mappings
            .iter()
            .filter_map(|device| {
                Some(ImageDevice {
                    device: device.device_name.clone(),
                    delete_on_termination: device.ebs.as_ref()?.delete_on_termination?,
                })
            })
            .collect(),
    })
}
