//! Instances as EC2 tells them, their status, and their credits.

use std::collections::BTreeMap;

use crate::{
    api::{
        DescribeInstanceStatus, Instance, InstanceBlockDevice, InstanceCreditSpecification,
        InstanceNetworkInterface, InstanceProfile, InstanceState, InstanceStatus,
        InstanceStatusEvent, Page, Placement, Reservation, Response, Select, Tag,
    },
    ec2::Ec2,
    error::ApiError,
    filter::{Column, Listed, list, maybe, one},
    ids::Kind,
    status::{Check, summary},
    time::Time,
    world,
};

/// `DescribeInstanceStatus` takes at most so many ids (EC2 API).
const STATUS_ID_LIMIT: usize = 100;

/// An instance with its reservation's id, which filters and pages can ask for.
#[derive(Clone)]
struct Row {
    reservation: String,
    instance: Instance,
}

impl Ec2 {
    pub(super) fn describe_instances(&mut self, select: &Select) -> Result<Response, ApiError> {
        self.check_zones(&select.ids)?;
        let moment = self.read_moment(self.knobs.instances);
        let rows = self.visible_rows(&select.ids, moment)?;
        let Page { items, next_token } = list(rows, select)?;
        let mut reservations: BTreeMap<String, Reservation> = BTreeMap::new();
        for row in items {
            let reservation =
                reservations.entry(row.reservation.clone()).or_insert_with(|| Reservation {
                    reservation_id: row.reservation,
                    owner_id: self.account.clone(),
                    groups: Vec::new(),
                    instances: Vec::new(),
                });
            reservation.instances.push(row.instance);
        }
        let items = reservations.into_values().collect();
        Ok(Response::DescribeInstances(Page { items, next_token }))
    }

    pub(super) fn describe_instance_status(
        &mut self,
        r: &DescribeInstanceStatus,
    ) -> Result<Response, ApiError> {
        let select = &r.select;
        if select.ids.len() > STATUS_ID_LIMIT {
            return Err(ApiError::new(
                400,
                "InvalidRequest",
                format!(
                    "{} exceeds the maximum number of instance IDs that can be specificied \
                     ({STATUS_ID_LIMIT}). Please specify fewer than {STATUS_ID_LIMIT} instance \
                     IDs.",
                    select.ids.len()
                ),
            ));
        }
        self.check_zones(&select.ids)?;
        let moment = self.read_moment(self.knobs.instances);
        let instances = self.visible_instances(&select.ids, moment)?;
        let rows = instances
            .into_iter()
            .filter(|i| r.include_all_instances || i.state == InstanceState::Running)
            .map(|instance| self.status_view(instance, moment));
        let rows = rows.collect();
        Ok(Response::DescribeInstanceStatus(list(rows, select)?))
    }

    pub(super) fn describe_credit_specifications(
        &mut self,
        select: &Select,
    ) -> Result<Response, ApiError> {
        self.check_zones(&select.ids)?;
        let instances = self.visible_instances(&select.ids, self.now)?;
        let rows = instances
            .into_iter()
            .filter(|instance| instance.state != InstanceState::Terminated)
            .filter_map(|instance| {
                Some(InstanceCreditSpecification {
                    instance_id: instance.id.clone(),
                    cpu_credits: instance.spec.cpu_credits.clone()?,
                })
            });
        let rows = rows.collect();
        Ok(Response::DescribeInstanceCreditSpecifications(list(rows, select)?))
    }

    fn visible_rows(&self, ids: &[String], moment: Time) -> Result<Vec<Row>, ApiError> {
        let instances = self.visible_instances(ids, moment)?;
        let row = |instance: &world::Instance| Row {
            reservation: instance.reservation.clone(),
            instance: self.instance_view(instance, moment),
        };
        Ok(instances.into_iter().map(row).collect())
    }

    /// The instances of these ids (all if none), as they were at `moment`.
    fn visible_instances(
        &self,
        ids: &[String],
        moment: Time,
    ) -> Result<Vec<&world::Instance>, ApiError> {
        let all = self.world.instances.all_at(moment);
        let seen: Vec<&world::Instance> =
            all.into_iter().filter(|i| self.is_visible(i.created)).collect();
        if ids.is_empty() {
            return Ok(seen);
        }
        for id in ids {
            Kind::Instance.check(id)?;
        }
        let unknown: Vec<&str> = ids
            .iter()
            .map(String::as_str)
            .filter(|id| !seen.iter().any(|instance| instance.id == *id))
            .collect();
        if !unknown.is_empty() {
            return Err(Kind::Instance.not_found(&unknown));
        }
        Ok(seen.into_iter().filter(|instance| ids.contains(&instance.id)).collect())
    }

    /// What EC2 tells of an instance, with its interfaces as of `moment`.
    pub(crate) fn instance_view(&self, instance: &world::Instance, moment: Time) -> Instance {
        let spec = &instance.spec;
        let ports = self.ports_view(instance, moment);
        let primary = ports.first();
        let told = instance.state != InstanceState::Terminated;
        let when = |text: &str| told.then(|| text.to_owned());
        Instance {
            instance_id: instance.id.clone(),
            image_id: spec.image.clone(),
            state: instance.state,
            private_dns_name: primary.map(|p| p.private_dns_name.clone()).unwrap_or_default(),
            dns_name: primary
                .and_then(|p| p.association.as_ref())
                .map(|a| a.public_dns_name.clone())
                .unwrap_or_default(),
            state_transition_reason: instance.transition_reason.clone(),
            state_reason: instance.state_reason.clone(),
            key_name: spec.key.clone(),
            ami_launch_index: instance.launch_index,
            instance_type: spec.instance_type.clone(),
            launch_time: self.timestamp(instance.started),
            placement: self.placement_view(instance),
            platform_details: "Linux/UNIX".to_owned(),
            monitoring: if spec.monitoring { "enabled" } else { "disabled" }.to_owned(),
            subnet_id: when(&instance.subnet),
            vpc_id: when(&instance.vpc),
            private_ip_address: primary.map(|p| p.private_ip_address),
            public_ip_address: primary.and_then(|p| p.association.as_ref()).map(|a| a.public_ip),
            ipv6_address: None,
            source_dest_check: primary.filter(|_| ports.len() == 1).map(|p| p.source_dest_check),
            groups: primary.map(|p| p.groups.clone()).unwrap_or_default(),
            architecture: spec.architecture.clone(),
            root_device_type: spec.root_device_type.clone(),
            root_device_name: spec.root_device_name.clone(),
            block_devices: self.block_devices(instance),
            virtualization_type: "hvm".to_owned(),
            hypervisor: "xen".to_owned(),
            client_token: instance.token.clone(),
            tags: instance.tags.clone(),
            network_interfaces: ports,
            ebs_optimized: spec.ebs_optimized,
            ena_support: spec.ena_support,
            iam_instance_profile: self.profile_view(instance),
            spot_instance_request_id: instance.spot_request.clone(),
            instance_lifecycle: spec.spot.then(|| "spot".to_owned()),
            cpu_options: told.then(|| spec.cpu.clone()),
            capacity_reservation_preference: "open".to_owned(),
            hibernation: false,
            metadata_options: told.then(|| spec.metadata.clone()),
            enclave: false,
            boot_mode: None,
            current_instance_boot_mode: told.then(|| "legacy-bios".to_owned()),
            usage_operation: "RunInstances".to_owned(),
            usage_operation_update_time: self.timestamp(instance.created),
            private_dns_name_options: told.then(|| spec.dns.clone()),
            auto_recovery: spec.auto_recovery.clone(),
            operator_managed: instance.managed,
        }
    }

    fn placement_view(&self, instance: &world::Instance) -> Placement {
        let spec = &instance.spec;
        Placement {
            availability_zone: instance.zone.clone(),
            availability_zone_id: self.zone_id(&instance.zone),
            group_name: spec.placement_group.clone(),
            partition_number: spec.partition,
            tenancy: spec.tenancy.clone(),
            host_id: spec.host_id.clone(),
            affinity: spec.affinity.clone(),
        }
    }

    fn profile_view(&self, instance: &world::Instance) -> Option<InstanceProfile> {
        let name = instance.spec.profile.as_ref()?;
        let told = instance.state != InstanceState::Terminated;
        self.world.profiles.get(name).filter(|_| told).map(|profile| profile.profile.clone())
    }

    fn ports_view(
        &self,
        instance: &world::Instance,
        moment: Time,
    ) -> Vec<InstanceNetworkInterface> {
        let known = instance.interfaces.iter();
        let known = known.filter_map(|id| self.world.interfaces.at(id, moment));
        known.map(|interface| self.port_view(interface)).collect()
    }

    /// The volumes of an instance: ids only.
    pub(crate) fn block_devices(&self, instance: &world::Instance) -> Vec<InstanceBlockDevice> {
        let view = |(device, id): &(String, String)| {
            let attachment = self.world.volumes.get(id)?.attachments.first()?;
            Some(InstanceBlockDevice {
                device_name: device.clone(),
                volume_id: id.clone(),
                status: attachment.state.clone(),
                attach_time: attachment.attach_time,
                delete_on_termination: attachment.delete_on_termination,
            })
        };
        instance.volumes.iter().filter_map(view).collect()
    }

    fn status_view(&self, instance: &world::Instance, moment: Time) -> InstanceStatus {
        let told = |check: Check| summary(instance, check, moment, |time| self.timestamp(time));
        let event = |event: &world::Event| InstanceStatusEvent {
            instance_event_id: event.id.clone(),
            code: event.code.clone(),
            description: event.description.clone(),
            not_before: self.timestamp(event.not_before),
            not_after: event.not_after.map(|time| self.timestamp(time)),
            not_before_deadline: None,
        };
        InstanceStatus {
            instance_id: instance.id.clone(),
            availability_zone: instance.zone.clone(),
            availability_zone_id: self.zone_id(&instance.zone),
            outpost_arn: None,
            events: instance.events.iter().map(event).collect(),
            state: instance.state,
            system_status: told(Check::System),
            instance_status: told(Check::Instance),
            attached_ebs_status: told(Check::AttachedEbs),
            operator_managed: instance.managed,
        }
    }

    pub(crate) fn zone_id(&self, zone: &str) -> String {
        self.world.zones.get(zone).map(|zone| zone.id.clone()).unwrap_or_default()
    }
}

/// A column over all interfaces of an instance.
fn ports(row: &Row, read: impl Fn(&InstanceNetworkInterface) -> Vec<String>) -> Vec<String> {
    row.instance.network_interfaces.iter().flat_map(read).collect()
}

impl Listed for Row {
    const ID_SET: &'static str = "instancesSet";
    const COLUMNS: &'static [Column<Row>] = &[
        ("affinity", |r| maybe(r.instance.placement.affinity.as_ref())),
        ("architecture", |r| one(&r.instance.architecture)),
        ("availability-zone", |r| one(&r.instance.placement.availability_zone)),
        ("availability-zone-id", |r| one(&r.instance.placement.availability_zone_id)),
        ("block-device-mapping.attach-time", |r| {
            r.instance.block_devices.iter().map(|d| d.attach_time.to_string()).collect()
        }),
        ("block-device-mapping.delete-on-termination", |r| {
            r.instance.block_devices.iter().map(|d| d.delete_on_termination.to_string()).collect()
        }),
        ("block-device-mapping.device-name", |r| {
            r.instance.block_devices.iter().map(|d| d.device_name.clone()).collect()
        }),
        ("block-device-mapping.status", |r| {
            r.instance.block_devices.iter().map(|d| d.status.clone()).collect()
        }),
        ("block-device-mapping.volume-id", |r| {
            r.instance.block_devices.iter().map(|d| d.volume_id.clone()).collect()
        }),
        ("client-token", |r| one(&r.instance.client_token)),
        ("dns-name", |r| one(&r.instance.dns_name)),
        ("group-id", |r| ports(r, |p| p.groups.iter().map(|g| g.group_id.clone()).collect())),
        ("group-name", |r| ports(r, |p| p.groups.iter().map(|g| g.group_name.clone()).collect())),
        ("hypervisor", |r| one(&r.instance.hypervisor)),
        ("iam-instance-profile.arn", |r| {
            r.instance.iam_instance_profile.iter().map(|p| p.arn.clone()).collect()
        }),
        ("iam-instance-profile.id", |r| {
            r.instance.iam_instance_profile.iter().map(|p| p.id.clone()).collect()
        }),
        ("image-id", |r| one(&r.instance.image_id)),
        ("instance-id", |r| one(&r.instance.instance_id)),
        ("instance-lifecycle", |r| maybe(r.instance.instance_lifecycle.as_ref())),
        ("instance-state-code", |r| one(r.instance.state.code())),
        ("instance-state-name", |r| one(r.instance.state.name())),
        ("instance-type", |r| one(&r.instance.instance_type)),
        ("instance.group-id", |r| r.instance.groups.iter().map(|g| g.group_id.clone()).collect()),
        ("instance.group-name", |r| {
            r.instance.groups.iter().map(|g| g.group_name.clone()).collect()
        }),
        ("ip-address", |r| maybe(r.instance.public_ip_address.as_ref())),
        ("key-name", |r| maybe(r.instance.key_name.as_ref())),
        ("launch-index", |r| one(r.instance.ami_launch_index)),
        ("launch-time", |r| one(r.instance.launch_time)),
        ("metadata-options.http-tokens", |r| {
            r.instance.metadata_options.iter().map(|m| m.http_tokens.clone()).collect()
        }),
        ("metadata-options.http-endpoint", |r| {
            r.instance.metadata_options.iter().map(|m| m.http_endpoint.clone()).collect()
        }),
        ("monitoring-state", |r| one(&r.instance.monitoring)),
        ("network-interface.addresses.private-ip-address", |r| {
            ports(r, |p| one(p.private_ip_address))
        }),
        ("network-interface.attachment.attachment-id", |r| {
            ports(r, |p| one(&p.attachment.attachment_id))
        }),
        ("network-interface.availability-zone", |r| one(&r.instance.placement.availability_zone)),
        ("network-interface.group-id", |r| {
            ports(r, |p| p.groups.iter().map(|g| g.group_id.clone()).collect())
        }),
        ("network-interface.mac-address", |r| ports(r, |p| one(&p.mac_address))),
        ("network-interface.network-interface-id", |r| ports(r, |p| one(&p.network_interface_id))),
        ("network-interface.source-dest-check", |r| ports(r, |p| one(p.source_dest_check))),
        ("network-interface.subnet-id", |r| ports(r, |p| one(&p.subnet_id))),
        ("network-interface.vpc-id", |r| ports(r, |p| one(&p.vpc_id))),
        ("owner-id", |r| ports(r, |p| one(&p.owner_id))),
        ("placement-group-name", |r| one(&r.instance.placement.group_name)),
        ("platform-details", |r| one(&r.instance.platform_details)),
        ("private-dns-name", |r| one(&r.instance.private_dns_name)),
        ("private-ip-address", |r| maybe(r.instance.private_ip_address.as_ref())),
        ("reason", |r| one(&r.instance.state_transition_reason)),
        ("reservation-id", |r| one(&r.reservation)),
        ("root-device-name", |r| one(&r.instance.root_device_name)),
        ("root-device-type", |r| one(&r.instance.root_device_type)),
        ("source-dest-check", |r| maybe(r.instance.source_dest_check.as_ref())),
        ("state-reason-code", |r| r.instance.state_reason.iter().map(|s| s.code.clone()).collect()),
        ("state-reason-message", |r| {
            r.instance.state_reason.iter().map(|s| s.message.clone()).collect()
        }),
        ("spot-instance-request-id", |r| maybe(r.instance.spot_instance_request_id.as_ref())),
        ("subnet-id", |r| maybe(r.instance.subnet_id.as_ref())),
        ("tenancy", |r| one(&r.instance.placement.tenancy)),
        ("virtualization-type", |r| one(&r.instance.virtualization_type)),
        ("vpc-id", |r| maybe(r.instance.vpc_id.as_ref())),
    ];

    fn key(&self) -> String {
        self.instance.instance_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.instance.tags
    }
}

/// A column over the scheduled events of an instance.
fn events(s: &InstanceStatus, read: impl Fn(&InstanceStatusEvent) -> String) -> Vec<String> {
    s.events.iter().map(read).collect()
}

impl Listed for InstanceStatus {
    const ID_SET: &'static str = "instancesSet";
    const COLUMNS: &'static [Column<InstanceStatus>] = &[
        ("attached-ebs-status.status", |s| one(&s.attached_ebs_status.status)),
        ("availability-zone", |s| one(&s.availability_zone)),
        ("availability-zone-id", |s| one(&s.availability_zone_id)),
        ("event.code", |s| events(s, |e| e.code.clone())),
        ("event.description", |s| events(s, |e| e.description.clone())),
        ("event.instance-event-id", |s| events(s, |e| e.instance_event_id.clone())),
        ("event.not-before", |s| events(s, |e| e.not_before.to_string())),
        ("instance-state-code", |s| one(s.state.code())),
        ("instance-state-name", |s| one(s.state.name())),
        ("instance-status.reachability", |s| {
            s.instance_status.details.iter().map(|d| d.status.clone()).collect()
        }),
        ("instance-status.status", |s| one(&s.instance_status.status)),
        ("system-status.reachability", |s| {
            s.system_status.details.iter().map(|d| d.status.clone()).collect()
        }),
        ("system-status.status", |s| one(&s.system_status.status)),
    ];

    fn key(&self) -> String {
        self.instance_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }
}

impl Listed for InstanceCreditSpecification {
    const ID_SET: &'static str = "instancesSet";
    const COLUMNS: &'static [Column<InstanceCreditSpecification>] =
        &[("instance-id", |s| one(&s.instance_id))];

    fn key(&self) -> String {
        self.instance_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }
}
