//! From the SDK's types to the core's.
//!
//! EC2 may leave out any field, and may say words that this version doesn't know. What has no
//! usable id is dropped with a warning; anything else that can't be read is left out or kept as the
//! word it was. Nothing here fails.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_ec2::types as ec2;
use rehome_core::names::NameError;
use rehome_core::spec::{CpuOptions, MetadataOptions};
use rehome_core::world::{
    AttachedVolume, Check, Group, Image, ImageDevice, Instance, InstanceState, Interface,
    Placement, PublicAddress, Route, RouteState, RouteTable, Status, Subnet, Target, Volume, Zone,
};

/// A name that EC2 sent, or nothing, with a warning where it isn't of the known form.
fn name<T: FromStr<Err = NameError>>(text: Option<&str>) -> Option<T> {
    parsed(text)
}

fn parsed<T: FromStr<Err: Display>>(text: Option<&str>) -> Option<T> {
    let text = text.filter(|text| !text.is_empty())?;
    text.parse().inspect_err(|error: &T::Err| tracing::warn!("EC2 sent {text:?}: {error}")).ok()
}

fn owned(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn tags(tags: &[ec2::Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or("").to_owned())))
        .collect()
}

/// An instance, unless its id can't be read.
pub(super) fn instance(from: &ec2::Instance) -> Option<Instance> {
    let placement = from.placement();
    Some(Instance {
        id: name(from.instance_id())?,
        state: instance_state(from.state().and_then(|state| state.name())),
        state_reason: owned(from.state_reason().and_then(|reason| reason.code())),
        az: name(placement.and_then(|placement| placement.availability_zone())),
        subnet: name(from.subnet_id()),
        vpc: name(from.vpc_id()),
        address: parsed(from.private_ip_address()),
        interfaces: from.network_interfaces().iter().filter_map(interface).collect(),
        image: name(from.image_id()),
        instance_type: name(from.instance_type().map(ec2::InstanceType::as_str)),
        key: name(from.key_name()),
        profile: owned(from.iam_instance_profile().and_then(|profile| profile.arn())),
        tags: tags(from.tags()),
        root_device_type: owned(from.root_device_type().map(ec2::DeviceType::as_str)),
        root_device: owned(from.root_device_name()),
        volumes: from.block_device_mappings().iter().filter_map(attached).collect(),
        ebs_optimized: from.ebs_optimized().unwrap_or(false),
        monitoring: from.monitoring().and_then(|monitoring| monitoring.state()).is_some_and(
            |state| matches!(state, ec2::MonitoringState::Enabled | ec2::MonitoringState::Pending),
        ),
        metadata: from.metadata_options().map(metadata),
        cpu: from.cpu_options().and_then(cpu),
        placement: placement.map(placed).unwrap_or_default(),
        spot_request: owned(from.spot_instance_request_id()),
        managed_by: from
            .operator()
            .filter(|operator| operator.managed() == Some(true))
            .map(|operator| operator.principal().unwrap_or("an AWS service").to_owned()),
    })
}

fn instance_state(state: Option<&ec2::InstanceStateName>) -> InstanceState {
    match state {
        Some(ec2::InstanceStateName::Pending) => InstanceState::Pending,
        Some(ec2::InstanceStateName::Running) => InstanceState::Running,
        Some(ec2::InstanceStateName::Stopping) => InstanceState::Stopping,
        Some(ec2::InstanceStateName::Stopped) => InstanceState::Stopped,
        Some(ec2::InstanceStateName::ShuttingDown) => InstanceState::ShuttingDown,
        Some(ec2::InstanceStateName::Terminated) => InstanceState::Terminated,
        Some(other) => InstanceState::Other(other.as_str().to_owned()),
        None => InstanceState::Other("unknown".to_owned()),
    }
}

fn interface(from: &ec2::InstanceNetworkInterface) -> Option<Interface> {
    let attachment = from.attachment();
    let is_secondary = |address: &&ec2::InstancePrivateIpAddress| address.primary() == Some(false);
    Some(Interface {
        id: name(from.network_interface_id())?,
        device_index: attachment.and_then(|attachment| attachment.device_index())?,
        address: parsed(from.private_ip_address()),
        source_dest_check: from.source_dest_check(),
        groups: from.groups().iter().filter_map(|group| name(group.group_id())).collect(),
        delete_on_termination: attachment
            .and_then(|attachment| attachment.delete_on_termination())
            .unwrap_or(false),
        ipv6_addresses: from.ipv6_addresses().len(),
        secondary_addresses: from.private_ip_addresses().iter().filter(is_secondary).count(),
        public: from.association().and_then(public),
    })
}

/// Lent addresses belong to `amazon`; Elastic IPs to the account that holds them
/// (EC2 API reference, InstanceNetworkInterfaceAssociation).
fn public(from: &ec2::InstanceNetworkInterfaceAssociation) -> Option<PublicAddress> {
    Some(PublicAddress {
        address: owned(from.public_ip())?,
        elastic: from.ip_owner_id() != Some("amazon"),
    })
}

fn attached(from: &ec2::InstanceBlockDeviceMapping) -> Option<AttachedVolume> {
    Some(AttachedVolume {
        device: owned(from.device_name())?,
        volume: owned(from.ebs()?.volume_id())?,
    })
}

fn metadata(from: &ec2::InstanceMetadataOptionsResponse) -> MetadataOptions {
    MetadataOptions {
        http_tokens: owned(from.http_tokens().map(|value| value.as_str())),
        hop_limit: from.http_put_response_hop_limit(),
        http_endpoint: owned(from.http_endpoint().map(|value| value.as_str())),
        http_protocol_ipv6: owned(from.http_protocol_ipv6().map(|value| value.as_str())),
        instance_tags: owned(from.instance_metadata_tags().map(|value| value.as_str())),
    }
}

fn cpu(from: &ec2::CpuOptions) -> Option<CpuOptions> {
    Some(CpuOptions { cores: from.core_count()?, threads_per_core: from.threads_per_core()? })
}

fn placed(from: &ec2::Placement) -> Placement {
    Placement {
        tenancy: owned(from.tenancy().map(ec2::Tenancy::as_str)),
        group: owned(from.group_name()),
        partition: from.partition_number(),
        host: owned(from.host_id()),
    }
}

/// The status checks of an instance, unless its id can't be read.
pub(super) fn status(from: &ec2::InstanceStatus) -> Option<Status> {
    let of = |summary: Option<&ec2::InstanceStatusSummary>| {
        check(summary.and_then(|summary| summary.status()))
    };
    Some(Status {
        instance: name(from.instance_id())?,
        system: of(from.system_status()),
        guest: of(from.instance_status()),
        ebs: check(from.attached_ebs_status().and_then(|summary| summary.status())),
        events: from.events().iter().filter_map(event).collect(),
    })
}

fn check(status: Option<&ec2::SummaryStatus>) -> Check {
    match status {
        Some(ec2::SummaryStatus::Ok) => Check::Ok,
        Some(ec2::SummaryStatus::Impaired) => Check::Impaired,
        Some(_) | None => Check::Unknown,
    }
}

/// A scheduled event in words. One that is over stays listed for a week, its description beginning
/// with `[Completed]` or `[Canceled]` (EC2 user guide, "Scheduled events for your instances").
fn event(from: &ec2::InstanceStatusEvent) -> Option<String> {
    let description = from.description().unwrap_or("");
    if description.starts_with("[Completed]") || description.starts_with("[Canceled]") {
        return None;
    }
    Some(format!("{}: {description}", from.code().map_or("event", ec2::EventCode::as_str)))
}

/// A route table, unless its id can't be read.
pub(super) fn table(from: &ec2::RouteTable) -> Option<RouteTable> {
    let associations = from.associations();
    Some(RouteTable {
        id: name(from.route_table_id())?,
        main: associations.iter().any(|association| association.main() == Some(true)),
        subnets: associations.iter().filter_map(|a| name(a.subnet_id())).collect(),
        gateways: associations.iter().filter_map(|a| owned(a.gateway_id())).collect(),
        routes: from.routes().iter().filter_map(route).collect(),
    })
}

fn route(from: &ec2::Route) -> Option<Route> {
    // Routes to IPv6 blocks and prefix lists have no such field.
    Some(Route {
        destination: parsed(from.destination_cidr_block())?,
        target: target(from),
        state: match from.state() {
            Some(ec2::RouteState::Active) => RouteState::Active,
            Some(ec2::RouteState::Blackhole) => RouteState::Blackhole,
            Some(_) | None => RouteState::Other,
        },
        by_hand: from.origin() == Some(&ec2::RouteOrigin::CreateRoute),
    })
}

fn target(from: &ec2::Route) -> Target {
    if let Some(id) = name(from.network_interface_id()) {
        return Target::Interface { id, instance: name(from.instance_id()) };
    }
    let others = [
        from.gateway_id(),
        from.nat_gateway_id(),
        from.transit_gateway_id(),
        from.vpc_peering_connection_id(),
        from.local_gateway_id(),
        from.carrier_gateway_id(),
        from.egress_only_internet_gateway_id(),
        from.core_network_arn(),
        from.odb_network_arn(),
        from.instance_id(),
        from.network_interface_id(),
    ];
    Target::Other(others.into_iter().find_map(owned).unwrap_or_else(|| "unknown".to_owned()))
}

/// A subnet, unless its id, zone or block can't be read (IPv6-only ones have no IPv4 block: EC2
/// user guide, "Subnet CIDR blocks").
pub(super) fn subnet(from: &ec2::Subnet) -> Option<Subnet> {
    Some(Subnet {
        id: name(from.subnet_id())?,
        az: name(from.availability_zone())?,
        cidr: parsed(from.cidr_block())?,
        free_addresses: from
            .available_ip_address_count()
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
        outpost: owned(from.outpost_arn()),
        ipv6_only: from.ipv6_native().unwrap_or(false),
        public_addresses: from.map_public_ip_on_launch().unwrap_or(false),
        tags: tags(from.tags()),
    })
}

/// A zone, unless its name can't be read.
pub(super) fn zone(from: &ec2::AvailabilityZone) -> Option<Zone> {
    Some(Zone {
        name: name(from.zone_name())?,
        kind: owned(from.zone_type()).unwrap_or_else(|| "availability-zone".to_owned()),
        available: from.state() == Some(&ec2::AvailabilityZoneState::Available),
    })
}

/// A security group, unless its id can't be read.
pub(super) fn group(from: &ec2::SecurityGroup) -> Option<Group> {
    Some(Group { id: name(from.group_id())?, vpc: name(from.vpc_id()) })
}

/// A volume, unless it has no id.
pub(super) fn volume(from: &ec2::Volume) -> Option<Volume> {
    Some(Volume {
        id: owned(from.volume_id())?,
        size_gib: from.size().unwrap_or(0),
        kind: owned(from.volume_type().map(ec2::VolumeType::as_str)).unwrap_or_default(),
        iops: from.iops(),
        throughput: from.throughput(),
        encrypted: from.encrypted().unwrap_or(false),
        kms_key: owned(from.kms_key_id()),
    })
}

/// An image, unless its id can't be read.
pub(super) fn image(from: &ec2::Image) -> Option<Image> {
    Some(Image {
        id: name(from.image_id())?,
        available: from.state() == Some(&ec2::ImageState::Available),
        devices: from.block_device_mappings().iter().filter_map(image_device).collect(),
    })
}

fn image_device(from: &ec2::BlockDeviceMapping) -> Option<ImageDevice> {
    Some(ImageDevice {
        device: owned(from.device_name())?,
        delete_on_termination: from.ebs()?.delete_on_termination().unwrap_or(true),
    })
}

#[cfg(test)]
mod tests;
