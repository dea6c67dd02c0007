//! The calls that change something, but for `RunInstances`. Pure; see [`query`](super::query).

use ec2_model::ApiError;
use ec2_model::api::{
    AttachmentChange, AttributeChange, CreateTags, DeleteRoute, DeleteTags,
    ModifyInstanceAttribute, ModifyNetworkInterfaceAttribute, RebootInstances, Request, RouteSpec,
    StartInstances, StopInstances, TerminateInstances,
};

use super::parameters::{Parameters, missing};
use super::query::{flag, tag_keys, tags};

/// Reads `StartInstances`.
pub(super) fn start_instances(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::StartInstances(StartInstances {
        dry_run: flag(form, "DryRun")?,
        instance_ids: form.some_list("InstanceId")?,
    }))
}

/// Reads `StopInstances`.
pub(super) fn stop_instances(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::StopInstances(StopInstances {
        dry_run: flag(form, "DryRun")?,
        instance_ids: form.some_list("InstanceId")?,
        force: flag(form, "Force")?,
        skip_os_shutdown: flag(form, "SkipOsShutdown")?,
        hibernate: flag(form, "Hibernate")?,
    }))
}

/// Reads `RebootInstances`.
pub(super) fn reboot_instances(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::RebootInstances(RebootInstances {
        dry_run: flag(form, "DryRun")?,
        instance_ids: form.some_list("InstanceId")?,
    }))
}

/// Reads `TerminateInstances`.
pub(super) fn terminate_instances(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::TerminateInstances(TerminateInstances {
        dry_run: flag(form, "DryRun")?,
        instance_ids: form.some_list("InstanceId")?,
        force: flag(form, "Force")?,
        skip_os_shutdown: flag(form, "SkipOsShutdown")?,
    }))
}

/// Reads `ModifyNetworkInterfaceAttribute`.
pub(super) fn modify_network_interface_attribute(
    form: &mut Parameters,
) -> Result<Request, ApiError> {
    let attachment = match form.take("Attachment.AttachmentId") {
        None => None,
        Some(attachment_id) => Some(AttachmentChange {
            attachment_id,
            delete_on_termination: form
                .boolean("Attachment.DeleteOnTermination")?
                .ok_or_else(|| missing("Attachment.DeleteOnTermination"))?,
        }),
    };
    Ok(Request::ModifyNetworkInterfaceAttribute(ModifyNetworkInterfaceAttribute {
        dry_run: flag(form, "DryRun")?,
        network_interface_id: form.text("NetworkInterfaceId")?,
        source_dest_check: form.boolean("SourceDestCheck.Value")?,
        groups: form.list("SecurityGroupId"),
        description: form.take("Description.Value"),
        attachment,
    }))
}

/// Reads `ModifyInstanceAttribute`.
pub(super) fn modify_instance_attribute(form: &mut Parameters) -> Result<Request, ApiError> {
    rename_attribute(form);
    let mut changes = Vec::new();
    type Flag = fn(bool) -> AttributeChange;
    let flags: [(&str, Flag); 5] = [
        ("SourceDestCheck", AttributeChange::SourceDestCheck),
        ("DisableApiTermination", AttributeChange::DisableApiTermination),
        ("DisableApiStop", AttributeChange::DisableApiStop),
        ("EbsOptimized", AttributeChange::EbsOptimized),
        ("EnaSupport", AttributeChange::EnaSupport),
    ];
    for (name, change) in flags {
        changes.extend(form.boolean(&format!("{name}.Value"))?.map(change));
    }
    type Text = fn(String) -> AttributeChange;
    let texts: [(&str, Text); 3] = [
        ("InstanceInitiatedShutdownBehavior", AttributeChange::InstanceInitiatedShutdownBehavior),
        ("InstanceType", AttributeChange::InstanceType),
        ("UserData", AttributeChange::UserData),
    ];
    for (name, change) in texts {
        changes.extend(form.take(&format!("{name}.Value")).map(change));
    }
    let groups = form.list("GroupId");
    if !groups.is_empty() {
        changes.push(AttributeChange::Groups(groups));
    }
    Ok(Request::ModifyInstanceAttribute(ModifyInstanceAttribute {
        dry_run: flag(form, "DryRun")?,
        instance_id: form.text("InstanceId")?,
        changes,
    }))
}

/// The older way to say the same: `Attribute=disableApiStop&Value=true`.
fn rename_attribute(form: &mut Parameters) {
    let (Some(attribute), Some(value)) = (form.take("Attribute"), form.take("Value")) else {
        return;
    };
    let mut letters = attribute.chars();
    let capital = letters.next().into_iter().flat_map(char::to_uppercase);
    let name: String = capital.chain(letters).collect();
    form.put(&format!("{name}.Value"), value);
}

/// The destination and the target of a route, as far as both actions share them.
pub(super) fn route(form: &mut Parameters) -> Result<RouteSpec, ApiError> {
    Ok(RouteSpec {
        dry_run: flag(form, "DryRun")?,
        route_table_id: form.text("RouteTableId")?,
        destination_cidr_block: form.take("DestinationCidrBlock"),
        destination_ipv6_cidr_block: form.take("DestinationIpv6CidrBlock"),
        destination_prefix_list_id: form.take("DestinationPrefixListId"),
        gateway_id: form.take("GatewayId"),
        instance_id: form.take("InstanceId"),
        network_interface_id: form.take("NetworkInterfaceId"),
        nat_gateway_id: form.take("NatGatewayId"),
        transit_gateway_id: form.take("TransitGatewayId"),
        vpc_peering_connection_id: form.take("VpcPeeringConnectionId"),
        local_target: false,
    })
}

/// Reads `DeleteRoute`.
pub(super) fn delete_route(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::DeleteRoute(DeleteRoute {
        dry_run: flag(form, "DryRun")?,
        route_table_id: form.text("RouteTableId")?,
        destination_cidr_block: form.take("DestinationCidrBlock"),
        destination_ipv6_cidr_block: form.take("DestinationIpv6CidrBlock"),
        destination_prefix_list_id: form.take("DestinationPrefixListId"),
    }))
}

/// Reads `CreateTags`.
pub(super) fn create_tags(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::CreateTags(CreateTags {
        dry_run: flag(form, "DryRun")?,
        resources: form.some_list("ResourceId")?,
        tags: tags(form, ""),
    }))
}

/// Reads `DeleteTags`.
pub(super) fn delete_tags(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::DeleteTags(DeleteTags {
        dry_run: flag(form, "DryRun")?,
        resources: form.some_list("ResourceId")?,
        tags: tag_keys(form, ""),
    }))
}
