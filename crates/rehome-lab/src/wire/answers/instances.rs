//! Instances, their status and their attributes.

use ec2_model::api::{
    AttributeValue, CpuOptions, Instance, InstanceAttribute, InstanceBlockDevice,
    InstanceCreditSpecification, InstanceNetworkInterface, InstanceState, InstanceStateChange,
    InstanceStatus, InstanceStatusEvent, MetadataOptions, Placement, PrivateDnsNameOptions,
    Reservation, SpotInstanceRequest, StatusSummary,
};

use super::super::xml::Xml;
use super::network::{addresses, association, attachment};
use super::{groups, tags};

pub(super) fn reservation(xml: &mut Xml, reservation: &Reservation) {
    xml.leaf("reservationId", &reservation.reservation_id);
    xml.leaf("ownerId", &reservation.owner_id);
    groups(xml, &reservation.groups);
    xml.list("instancesSet", &reservation.instances, instance);
}

fn instance(xml: &mut Xml, instance: &Instance) {
    identity(xml, instance);
    machine(xml, instance);
    life(xml, instance);
    wires(xml, instance);
}

/// What it is and what it was made from.
fn identity(xml: &mut Xml, instance: &Instance) {
    xml.leaf("instanceId", &instance.instance_id);
    xml.leaf("imageId", &instance.image_id);
    xml.maybe("keyName", instance.key_name.as_ref());
    xml.leaf("amiLaunchIndex", instance.ami_launch_index);
    xml.leaf("instanceType", &instance.instance_type);
    xml.element("placement", |xml| placement(xml, &instance.placement));
    xml.leaf("clientToken", &instance.client_token);
    xml.maybe("spotInstanceRequestId", instance.spot_instance_request_id.as_ref());
    xml.maybe("instanceLifecycle", instance.instance_lifecycle.as_ref());
    if let Some(profile) = &instance.iam_instance_profile {
        xml.element("iamInstanceProfile", |xml| {
            xml.leaf("arn", &profile.arn);
            xml.leaf("id", &profile.id);
        });
    }
    tags(xml, &instance.tags);
    xml.nested("operator", "managed", instance.operator_managed);
}

/// What its hardware looks like.
fn machine(xml: &mut Xml, instance: &Instance) {
    xml.leaf("architecture", &instance.architecture);
    xml.leaf("platformDetails", &instance.platform_details);
    xml.leaf("usageOperation", &instance.usage_operation);
    xml.time("usageOperationUpdateTime", instance.usage_operation_update_time);
    xml.leaf("rootDeviceType", &instance.root_device_type);
    xml.leaf("rootDeviceName", &instance.root_device_name);
    xml.list("blockDeviceMapping", &instance.block_devices, block_device);
    xml.leaf("virtualizationType", &instance.virtualization_type);
    xml.leaf("hypervisor", &instance.hypervisor);
    xml.leaf("ebsOptimized", instance.ebs_optimized);
    xml.leaf("enaSupport", instance.ena_support);
    if let Some(options) = &instance.cpu_options {
        xml.element("cpuOptions", |xml| cpu_options(xml, options));
    }
    xml.maybe("bootMode", instance.boot_mode.as_ref());
    xml.maybe("currentInstanceBootMode", instance.current_instance_boot_mode.as_ref());
    xml.nested("enclaveOptions", "enabled", instance.enclave);
    xml.nested("hibernationOptions", "configured", instance.hibernation);
    xml.nested(
        "capacityReservationSpecification",
        "capacityReservationPreference",
        &instance.capacity_reservation_preference,
    );
}

/// What became of it.
fn life(xml: &mut Xml, instance: &Instance) {
    state(xml, "instanceState", instance.state);
    xml.leaf("reason", &instance.state_transition_reason);
    if let Some(reason) = &instance.state_reason {
        xml.element("stateReason", |xml| {
            xml.leaf("code", &reason.code);
            xml.leaf("message", &reason.message);
        });
    }
    xml.time("launchTime", instance.launch_time);
    xml.nested("monitoring", "state", &instance.monitoring);
    xml.nested("maintenanceOptions", "autoRecovery", &instance.auto_recovery);
    if let Some(options) = &instance.metadata_options {
        xml.element("metadataOptions", |xml| metadata_options(xml, options));
    }
}

/// How it is reached.
fn wires(xml: &mut Xml, instance: &Instance) {
    xml.leaf("privateDnsName", &instance.private_dns_name);
    xml.leaf("dnsName", &instance.dns_name);
    xml.maybe("subnetId", instance.subnet_id.as_ref());
    xml.maybe("vpcId", instance.vpc_id.as_ref());
    xml.maybe("privateIpAddress", instance.private_ip_address);
    xml.maybe("ipAddress", instance.public_ip_address);
    xml.maybe("ipv6Address", instance.ipv6_address.as_ref());
    xml.maybe("sourceDestCheck", instance.source_dest_check);
    groups(xml, &instance.groups);
    xml.list("networkInterfaceSet", &instance.network_interfaces, interface);
    if let Some(options) = &instance.private_dns_name_options {
        xml.element("privateDnsNameOptions", |xml| dns_options(xml, options));
    }
}

fn placement(xml: &mut Xml, placement: &Placement) {
    xml.leaf("availabilityZone", &placement.availability_zone);
    xml.leaf("availabilityZoneId", &placement.availability_zone_id);
    xml.leaf("groupName", &placement.group_name);
    xml.maybe("partitionNumber", placement.partition_number);
    xml.leaf("tenancy", &placement.tenancy);
    xml.maybe("hostId", placement.host_id.as_ref());
    xml.maybe("affinity", placement.affinity.as_ref());
}

fn block_device(xml: &mut Xml, device: &InstanceBlockDevice) {
    xml.leaf("deviceName", &device.device_name);
    xml.element("ebs", |xml| {
        xml.leaf("volumeId", &device.volume_id);
        xml.leaf("status", &device.status);
        xml.time("attachTime", device.attach_time);
        xml.leaf("deleteOnTermination", device.delete_on_termination);
    });
}

fn cpu_options(xml: &mut Xml, options: &CpuOptions) {
    xml.maybe("coreCount", options.core_count);
    xml.maybe("threadsPerCore", options.threads_per_core);
    xml.maybe("amdSevSnp", options.amd_sev_snp.as_ref());
}

fn metadata_options(xml: &mut Xml, options: &MetadataOptions) {
    xml.leaf("state", &options.state);
    xml.leaf("httpTokens", &options.http_tokens);
    xml.leaf("httpPutResponseHopLimit", options.http_put_response_hop_limit);
    xml.leaf("httpEndpoint", &options.http_endpoint);
    xml.leaf("httpProtocolIpv6", &options.http_protocol_ipv6);
    xml.leaf("instanceMetadataTags", &options.instance_metadata_tags);
}

/// How an instance, or a subnet's instances, are named.
pub(super) fn dns_options(xml: &mut Xml, options: &PrivateDnsNameOptions) {
    xml.leaf("hostnameType", &options.hostname_type);
    xml.leaf("enableResourceNameDnsARecord", options.enable_resource_name_dns_a_record);
    xml.leaf("enableResourceNameDnsAAAARecord", options.enable_resource_name_dns_aaaa_record);
}

fn interface(xml: &mut Xml, interface: &InstanceNetworkInterface) {
    xml.leaf("networkInterfaceId", &interface.network_interface_id);
    xml.leaf("subnetId", &interface.subnet_id);
    xml.leaf("vpcId", &interface.vpc_id);
    xml.leaf("description", &interface.description);
    xml.leaf("ownerId", &interface.owner_id);
    xml.leaf("status", &interface.status);
    xml.leaf("macAddress", &interface.mac_address);
    xml.leaf("privateIpAddress", interface.private_ip_address);
    xml.leaf("privateDnsName", &interface.private_dns_name);
    xml.leaf("sourceDestCheck", interface.source_dest_check);
    groups(xml, &interface.groups);
    attachment(xml, &interface.attachment);
    association(xml, interface.association.as_ref());
    addresses(xml, &interface.private_ip_addresses, &interface.ipv6_addresses);
    xml.leaf("interfaceType", &interface.interface_type);
}

fn state(xml: &mut Xml, name: &str, state: InstanceState) {
    xml.element(name, |xml| {
        xml.leaf("code", state.code());
        xml.leaf("name", state.name());
    });
}

pub(super) fn state_change(xml: &mut Xml, change: &InstanceStateChange) {
    xml.leaf("instanceId", &change.instance_id);
    state(xml, "currentState", change.current_state);
    state(xml, "previousState", change.previous_state);
}

pub(super) fn status(xml: &mut Xml, status: &InstanceStatus) {
    xml.leaf("instanceId", &status.instance_id);
    xml.leaf("availabilityZone", &status.availability_zone);
    xml.leaf("availabilityZoneId", &status.availability_zone_id);
    xml.maybe("outpostArn", status.outpost_arn.as_ref());
    xml.list("eventsSet", &status.events, event);
    state(xml, "instanceState", status.state);
    summary(xml, "systemStatus", &status.system_status);
    summary(xml, "instanceStatus", &status.instance_status);
    summary(xml, "attachedEbsStatus", &status.attached_ebs_status);
    xml.nested("operator", "managed", status.operator_managed);
}

fn summary(xml: &mut Xml, name: &str, summary: &StatusSummary) {
    xml.element(name, |xml| {
        xml.leaf("status", &summary.status);
        xml.list("details", &summary.details, |xml, detail| {
            xml.leaf("name", &detail.name);
            xml.leaf("status", &detail.status);
            xml.maybe_time("impairedSince", detail.impaired_since);
        });
    });
}

fn event(xml: &mut Xml, event: &InstanceStatusEvent) {
    xml.leaf("instanceEventId", &event.instance_event_id);
    xml.leaf("code", &event.code);
    xml.leaf("description", &event.description);
    xml.time("notBefore", event.not_before);
    xml.maybe_time("notAfter", event.not_after);
    xml.maybe_time("notBeforeDeadline", event.not_before_deadline);
}

pub(super) fn attribute(xml: &mut Xml, attribute: &InstanceAttribute) {
    xml.leaf("instanceId", &attribute.instance_id);
    match &attribute.value {
        AttributeValue::Flag { name, value } => xml.nested(name, "value", value),
        AttributeValue::Text { name, value } => {
            xml.element(name, |xml| xml.maybe("value", value.as_ref()));
        }
        AttributeValue::Groups(list) => groups(xml, list),
        AttributeValue::BlockDevices(devices) => {
            xml.list("blockDeviceMapping", devices, block_device);
        }
        AttributeValue::Empty { name } => xml.element(name, |_| {}),
    }
}

pub(super) fn credit(xml: &mut Xml, credit: &InstanceCreditSpecification) {
    xml.leaf("instanceId", &credit.instance_id);
    xml.leaf("cpuCredits", &credit.cpu_credits);
}

pub(super) fn spot_request(xml: &mut Xml, request: &SpotInstanceRequest) {
    xml.leaf("spotInstanceRequestId", &request.spot_instance_request_id);
    xml.leaf("type", &request.kind);
    xml.leaf("state", &request.state);
    xml.element("status", |xml| {
        xml.leaf("code", &request.status);
        xml.time("updateTime", request.create_time);
    });
    xml.leaf("instanceId", &request.instance_id);
    xml.leaf("launchedAvailabilityZone", &request.launched_availability_zone);
    xml.leaf("productDescription", "Linux/UNIX");
    xml.time("createTime", request.create_time);
}
