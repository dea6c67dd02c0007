//! `ModifyNetworkInterfaceAttribute`, `ModifyInstanceAttribute`, `DescribeInstanceAttribute`.

use crate::{
    api::{
        AttributeChange, AttributeValue, DescribeInstanceAttribute, GroupRef, InstanceAttribute,
        InstanceState, ModifyInstanceAttribute, ModifyNetworkInterfaceAttribute, Response,
    },
    base64,
    ec2::Ec2,
    error::{ApiError, required, unless_dry},
    launch::{one_of, user_data},
    routes::several_interfaces,
    world::Instance,
};

impl Ec2 {
    /// One attribute a call (EC2 API, `ModifyNetworkInterfaceAttribute`).
    pub(crate) fn modify_interface(
        &mut self,
        r: &ModifyNetworkInterfaceAttribute,
    ) -> Result<Response, ApiError> {
        let id = required(&r.network_interface_id, "NetworkInterfaceId")?;
        let interface = self.known_interface(id)?;
        let asked = usize::from(r.source_dest_check.is_some())
            + usize::from(!r.groups.is_empty())
            + usize::from(r.description.is_some())
            + usize::from(r.attachment.is_some());
        check_one_attribute(asked)?;
        if !r.groups.is_empty() {
            self.groups_in(&interface.vpc, &r.groups, Some(&interface.subnet))?;
        }
        if let Some(change) = &r.attachment
            && interface.attachment.as_ref().is_none_or(|a| a.id != change.attachment_id)
        {
            return Err(ApiError::new(
                400,
                "InvalidAttachmentID.NotFound",
                format!("The attachment ID '{}' does not exist", change.attachment_id),
            ));
        }
        unless_dry(r.dry_run)?;
        let Some(interface) = self.world.interfaces.edit(id, self.now) else {
            return Ok(Response::Return);
        };
        if let Some(check) = r.source_dest_check {
            interface.source_dest_check = check;
        }
        if !r.groups.is_empty() {
            interface.groups.clone_from(&r.groups);
        }
        if let Some(description) = &r.description {
            interface.description.clone_from(description);
        }
        if let (Some(change), Some(attachment)) = (&r.attachment, &mut interface.attachment) {
            attachment.delete_on_termination = change.delete_on_termination;
        }
        Ok(Response::Return)
    }

    /// One attribute a call (EC2 API, `ModifyInstanceAttribute`).
    pub(crate) fn modify_instance(
        &mut self,
        r: &ModifyInstanceAttribute,
    ) -> Result<Response, ApiError> {
        let id = required(&r.instance_id, "InstanceId")?;
        self.known_instances(&[id.to_owned()])?;
        check_one_attribute(r.changes.len())?;
        let Some(instance) = self.world.instances.get(id) else { return Ok(Response::Return) };
        for change in &r.changes {
            self.check_change(instance, change)?;
        }
        unless_dry(r.dry_run)?;
        for change in &r.changes {
            self.change(id, change);
        }
        Ok(Response::Return)
    }

    fn check_change(&self, instance: &Instance, change: &AttributeChange) -> Result<(), ApiError> {
        let id = &instance.id;
        if instance.is_ending() {
            return Err(ApiError::incorrect_state(format!(
                "Unable to modify attributes of instance '{id}' in state '{}'.",
                instance.state.name()
            )));
        }
        let stopped = || match instance.state {
            InstanceState::Stopped => Ok(()),
            InstanceState::Pending
            | InstanceState::Running
            | InstanceState::ShuttingDown
            | InstanceState::Terminated
            | InstanceState::Stopping => Err(ApiError::incorrect_state(format!(
                "The instance '{id}' is not in the 'stopped' state."
            ))),
        };
        match change {
            AttributeChange::SourceDestCheck(_) if instance.interfaces.len() > 1 => {
                Err(several_interfaces(id))
            }
            AttributeChange::Groups(groups) => {
                if instance.interfaces.len() > 1 {
                    return Err(several_interfaces(id));
                }
                self.groups_in(&instance.vpc, groups, Some(&instance.subnet)).map(|_| ())
            }
            AttributeChange::InstanceInitiatedShutdownBehavior(value) => {
                one_of("attribute", Some(value), "", &["stop", "terminate"]).map(|_| ())
            }
            AttributeChange::InstanceType(name) => {
                self.known_type(name)?;
                stopped()
            }
            AttributeChange::UserData(text) => {
                user_data(Some(text))?;
                stopped()
            }
            AttributeChange::EbsOptimized(_) | AttributeChange::EnaSupport(_) => stopped(),
            AttributeChange::SourceDestCheck(_)
            | AttributeChange::DisableApiTermination(_)
            | AttributeChange::DisableApiStop(_) => Ok(()),
        }
    }

    fn change(&mut self, id: &str, change: &AttributeChange) {
        let now = self.now;
        let types = &self.world.types;
        let Some(instance) = self.world.instances.edit(id, now) else { return };
        let primary = instance.primary().map(str::to_owned).unwrap_or_default();
        match change {
            AttributeChange::SourceDestCheck(check) => {
                if let Some(interface) = self.world.interfaces.edit(&primary, now) {
                    interface.source_dest_check = *check;
                }
            }
            AttributeChange::Groups(groups) => {
                if let Some(interface) = self.world.interfaces.edit(&primary, now) {
                    interface.groups.clone_from(groups);
                }
            }
            AttributeChange::DisableApiTermination(on) => {
                instance.spec.disable_api_termination = *on;
            }
            AttributeChange::DisableApiStop(on) => instance.spec.disable_api_stop = *on,
            AttributeChange::EbsOptimized(on) => instance.spec.ebs_optimized = *on,
            AttributeChange::EnaSupport(on) => instance.spec.ena_support = *on,
            AttributeChange::InstanceInitiatedShutdownBehavior(value) => {
                instance.spec.shutdown_behavior.clone_from(value);
            }
            AttributeChange::InstanceType(name) => {
                instance.spec.instance_type.clone_from(name);
                if let Some(kind) = types.get(name) {
                    instance.spec.cpu.core_count = Some(kind.cores);
                    instance.spec.cpu.threads_per_core = Some(kind.threads_per_core);
                    instance.spec.cpu_credits.clone_from(&kind.cpu_credits);
                }
            }
            AttributeChange::UserData(text) => {
                instance.spec.user_data = user_data(Some(text)).unwrap_or_default();
            }
        }
    }

    pub(crate) fn describe_instance_attribute(
        &self,
        r: &DescribeInstanceAttribute,
    ) -> Result<Response, ApiError> {
        let id = required(&r.instance_id, "InstanceId")?;
        let name = required(&r.attribute, "Attribute")?;
        self.known_instances(&[id.to_owned()])?;
        let unknown = || {
            ApiError::invalid_value(format!(
                "Value ({name}) for parameter attribute is invalid. Unknown attribute."
            ))
        };
        let value = self
            .world
            .instances
            .get(id)
            .and_then(|instance| self.attribute(instance, name))
            .ok_or_else(unknown)?;
        let instance_id = id.to_owned();
        Ok(Response::DescribeInstanceAttribute(InstanceAttribute { instance_id, value }))
    }

    fn attribute(&self, instance: &Instance, name: &str) -> Option<AttributeValue> {
        let spec = &instance.spec;
        let flag = |value: bool| Some(AttributeValue::Flag { name: name.to_owned(), value });
        let text =
            |value: Option<String>| Some(AttributeValue::Text { name: name.to_owned(), value });
        let interface = instance.primary().and_then(|id| self.world.interfaces.get(id));
        match name {
            "userData" => text(spec.user_data.as_ref().map(|bytes| base64::encode(bytes))),
            "disableApiTermination" => flag(spec.disable_api_termination),
            "disableApiStop" => flag(spec.disable_api_stop),
            "sourceDestCheck" => flag(interface.is_none_or(|i| i.source_dest_check)),
            "ebsOptimized" => flag(spec.ebs_optimized),
            "enaSupport" => flag(spec.ena_support),
            "enclaveOptions" => flag(false),
            "instanceType" => text(Some(spec.instance_type.clone())),
            "instanceInitiatedShutdownBehavior" => text(Some(spec.shutdown_behavior.clone())),
            "rootDeviceName" => text(Some(spec.root_device_name.clone())),
            "kernel" | "ramdisk" | "sriovNetSupport" => text(None),
            "productCodes" => Some(AttributeValue::Empty { name: name.to_owned() }),
            "groupSet" => {
                let ids = interface.map_or(&[][..], |i| &i.groups[..]);
                Some(AttributeValue::Groups(self.group_refs(ids)))
            }
            "blockDeviceMapping" => {
                Some(AttributeValue::BlockDevices(self.block_devices(instance)))
            }
            _ => None,
        }
    }

    /// Ids with their names.
    pub(crate) fn group_refs(&self, ids: &[String]) -> Vec<GroupRef> {
        let name = |id: &String| self.world.groups.get(id).map(|group| group.name.clone());
        ids.iter()
            .map(|id| GroupRef { group_id: id.clone(), group_name: name(id).unwrap_or_default() })
            .collect()
    }
}

fn check_one_attribute(asked: usize) -> Result<(), ApiError> {
    match asked {
        1 => Ok(()),
        0 => Err(ApiError::invalid_combination("No attributes specified.")),
        _ => Err(ApiError::invalid_combination("Fields for multiple attribute types specified")),
    }
}
