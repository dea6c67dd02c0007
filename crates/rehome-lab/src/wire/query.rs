//! Query API calls to the model's requests: one table row or one function for each action.
//!
//! Names are those of AWS's own service model (botocore's `ec2/2016-11-15/service-2.json`,
//! `queryName`). Only the form is judged here; whether an id exists or a parameter is required is
//! the model's to say. Pure.

use ec2_model::ApiError;
use ec2_model::api::{
    DescribeAvailabilityZones, DescribeImages, DescribeInstanceAttribute, DescribeInstanceStatus,
    DescribeInstanceTypeOfferings, DescribeKeyPairs, DescribeSecurityGroups, Filter, Request,
    RouteSpec, Select, Tag, TagKey,
};

use super::credential::Service;
use super::parameters::{Parameters, client_error};
use super::{changes, launch, rules};

type Make = fn(Select) -> Request;

/// The actions that take ids, filters and paging and nothing else, with their id list's name.
const LISTS: &[(&str, &str, Make)] = &[
    ("DescribeInstances", "InstanceId", Request::DescribeInstances),
    ("DescribeVpcs", "VpcId", Request::DescribeVpcs),
    ("DescribeSubnets", "SubnetId", Request::DescribeSubnets),
    ("DescribeRouteTables", "RouteTableId", Request::DescribeRouteTables),
    ("DescribeNetworkInterfaces", "NetworkInterfaceId", Request::DescribeNetworkInterfaces),
    ("DescribeVolumes", "VolumeId", Request::DescribeVolumes),
    ("DescribeSecurityGroupRules", "SecurityGroupRuleId", Request::DescribeSecurityGroupRules),
    ("DescribeNetworkAcls", "NetworkAclId", Request::DescribeNetworkAcls),
    (
        "DescribeInstanceCreditSpecifications",
        "InstanceId",
        Request::DescribeInstanceCreditSpecifications,
    ),
    ("DescribeInstanceTypes", "InstanceType", Request::DescribeInstanceTypes),
    (
        "DescribeSpotInstanceRequests",
        "SpotInstanceRequestId",
        Request::DescribeSpotInstanceRequests,
    ),
];

/// Parameters of EC2's that change nothing the lab has: taken and dropped.
const WITHOUT_EFFECT: &[&str] = &[
    "AdditionalInfo",
    "ExecutableBy",
    "IncludeDeprecated",
    "IncludeDisabled",
    "IncludeManagedResources",
    "IncludePublicKey",
];

/// Parameters that EC2 knows and the model doesn't. They are refused as unsupported: a call that
/// means something on AWS must neither be called unknown here nor do half of what it says.
const NOT_MODELED: &[&str] = &[
    "AssociatePublicIpAddress",
    "AssociatedSubnetId",
    "Attachment",
    "BlockDeviceMapping",
    "CapacityReservationSpecification",
    "CarrierGatewayId",
    "ConnectionTrackingSpecification",
    "CoreNetworkArn",
    "CpuOptions",
    "EgressOnlyInternetGatewayId",
    "ElasticGpuSpecification",
    "ElasticInferenceAccelerator",
    "EnaSrdSpecification",
    "EnablePrimaryIpv6",
    "EnclaveOptions",
    "HibernationOptions",
    "InstanceMarketOptions",
    "IpPermissions",
    "Ipv6Address",
    "Kernel",
    "KernelId",
    "LaunchTemplate",
    "LicenseSpecification",
    "LocalGatewayId",
    "Monitoring",
    "NetworkInterface",
    "NetworkPerformanceOptions",
    "OdbNetworkArn",
    "Operator",
    "Placement",
    "Ramdisk",
    "RamdiskId",
    "SecondaryInterface",
    "SourceSecurityGroupName",
    "SourceSecurityGroupOwnerId",
    "SriovNetSupport",
    "VpcEndpointId",
];

/// Reads a call to `service` into what the model understands.
pub(super) fn request(service: Service, mut form: Parameters) -> Result<Request, ApiError> {
    let action = form.text("Action")?;
    let version = form.text("Version")?;
    let request = match service {
        Service::Ec2 => {
            check_ec2_version(&version)?;
            ec2_request(&action, &mut form)?
        }
        Service::Sts => sts_request(&action, &version)?,
        Service::Iam => iam_request(&action, &version, &mut form)?,
    };
    finish(form)?;
    Ok(request)
}

/// EC2 answers every version it ever had. One shape is enough here, and a date that never was
/// one is refused as EC2 does it.
fn check_ec2_version(version: &str) -> Result<(), ApiError> {
    if version == Service::Ec2.version() {
        return Ok(());
    }
    Err(client_error(
        "NoSuchVersion",
        format!("The requested version ({version}) of service AmazonEC2 does not exist"),
    ))
}

fn sts_request(action: &str, version: &str) -> Result<Request, ApiError> {
    if action == "GetCallerIdentity" && version == Service::Sts.version() {
        return Ok(Request::GetCallerIdentity);
    }
    Err(client_error(
        "InvalidAction",
        format!("Could not find operation {action} for version {version}"),
    ))
}

fn iam_request(action: &str, version: &str, form: &mut Parameters) -> Result<Request, ApiError> {
    if action == "GetInstanceProfile" && version == Service::Iam.version() {
        return Ok(Request::GetInstanceProfile(form.text("InstanceProfileName")?));
    }
    Err(client_error(
        "InvalidAction",
        format!("Could not find operation {action} for version {version}"),
    ))
}

fn ec2_request(action: &str, form: &mut Parameters) -> Result<Request, ApiError> {
    if let Some((_, ids, make)) = LISTS.iter().find(|(name, _, _)| *name == action) {
        return Ok(make(paged(form, ids)?));
    }
    if let Some(request) = rules::read(action, form)? {
        return Ok(request);
    }
    match action {
        "DescribeInstanceStatus" => describe_instance_status(form),
        "DescribeAvailabilityZones" => describe_availability_zones(form),
        "DescribeImages" => describe_images(form),
        "DescribeKeyPairs" => describe_key_pairs(form),
        "DescribeSecurityGroups" => describe_security_groups(form),
        "DescribeInstanceAttribute" => describe_instance_attribute(form),
        "DescribeInstanceTypeOfferings" => describe_instance_type_offerings(form),
        "DescribeTags" => Ok(Request::DescribeTags(paging(form, Vec::new())?)),
        "DescribeAddresses" => describe_addresses(form),
        "RunInstances" => launch::run_instances(form),
        "StartInstances" => changes::start_instances(form),
        "StopInstances" => changes::stop_instances(form),
        "RebootInstances" => changes::reboot_instances(form),
        "TerminateInstances" => changes::terminate_instances(form),
        "ModifyNetworkInterfaceAttribute" => changes::modify_network_interface_attribute(form),
        "ModifyInstanceAttribute" => changes::modify_instance_attribute(form),
        "CreateRoute" => Ok(Request::CreateRoute(changes::route(form)?)),
        "ReplaceRoute" => {
            let local_target = flag(form, "LocalTarget")?;
            Ok(Request::ReplaceRoute(RouteSpec { local_target, ..changes::route(form)? }))
        }
        "DeleteRoute" => changes::delete_route(form),
        "CreateTags" => changes::create_tags(form),
        "DeleteTags" => changes::delete_tags(form),
        unknown => Err(client_error(
            "InvalidAction",
            format!("The action {unknown} is not valid for this web service."),
        )),
    }
}

/// Refuses what no action took: unsupported where EC2 knows it, unknown elsewhere.
fn finish(mut form: Parameters) -> Result<(), ApiError> {
    for name in WITHOUT_EFFECT {
        form.ignore(name);
    }
    if let Some(name) = NOT_MODELED.iter().find(|name| form.has(name)) {
        return Err(client_error(
            "UnsupportedOperation",
            format!("The parameter {name}, as it is used here, is not supported by this lab."),
        ));
    }
    form.finish()
}

/// An optional `true` or `false`, false when left out.
pub(super) fn flag(form: &mut Parameters, name: &str) -> Result<bool, ApiError> {
    Ok(form.boolean(name)?.unwrap_or(false))
}

/// `Tag.N.Key` and `Tag.N.Value` below `prefix`.
pub(super) fn tags(form: &mut Parameters, prefix: &str) -> Vec<Tag> {
    tag_keys(form, prefix)
        .into_iter()
        .map(|tag| Tag { key: tag.key, value: tag.value.unwrap_or_default() })
        .collect()
}

pub(super) fn tag_keys(form: &mut Parameters, prefix: &str) -> Vec<TagKey> {
    let list = format!("{prefix}Tag");
    form.members(&list)
        .into_iter()
        .map(|number| TagKey {
            key: form.take(&format!("{list}.{number}.Key")).unwrap_or_default(),
            value: form.take(&format!("{list}.{number}.Value")),
        })
        .collect()
}

/// Ids, filters and paging.
fn paged(form: &mut Parameters, ids: &str) -> Result<Select, ApiError> {
    let ids = form.list(ids);
    paging(form, ids)
}

fn paging(form: &mut Parameters, ids: Vec<String>) -> Result<Select, ApiError> {
    Ok(Select {
        max_results: form.integer("MaxResults")?,
        next_token: form.take("NextToken"),
        ..whole(form, ids)?
    })
}

/// Ids and filters, for the actions that answer everything at once.
fn whole(form: &mut Parameters, ids: Vec<String>) -> Result<Select, ApiError> {
    let filters = form
        .members("Filter")
        .into_iter()
        .map(|number| Filter {
            name: form.take(&format!("Filter.{number}.Name")).unwrap_or_default(),
            values: form.list(&format!("Filter.{number}.Value")),
        })
        .collect();
    Ok(Select { dry_run: flag(form, "DryRun")?, ids, filters, max_results: None, next_token: None })
}

fn describe_instance_status(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::DescribeInstanceStatus(DescribeInstanceStatus {
        select: paged(form, "InstanceId")?,
        include_all_instances: flag(form, "IncludeAllInstances")?,
    }))
}

fn describe_availability_zones(form: &mut Parameters) -> Result<Request, ApiError> {
    let ids = form.list("ZoneId");
    Ok(Request::DescribeAvailabilityZones(DescribeAvailabilityZones {
        select: whole(form, ids)?,
        zone_names: form.list("ZoneName"),
        all_availability_zones: flag(form, "AllAvailabilityZones")?,
    }))
}

fn describe_images(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::DescribeImages(DescribeImages {
        select: paged(form, "ImageId")?,
        owners: form.list("Owner"),
    }))
}

fn describe_key_pairs(form: &mut Parameters) -> Result<Request, ApiError> {
    let ids = form.list("KeyPairId");
    Ok(Request::DescribeKeyPairs(DescribeKeyPairs {
        select: whole(form, ids)?,
        key_names: form.list("KeyName"),
    }))
}

fn describe_security_groups(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::DescribeSecurityGroups(DescribeSecurityGroups {
        select: paged(form, "GroupId")?,
        group_names: form.list("GroupName"),
    }))
}

fn describe_instance_attribute(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::DescribeInstanceAttribute(DescribeInstanceAttribute {
        dry_run: flag(form, "DryRun")?,
        instance_id: form.text("InstanceId")?,
        attribute: form.text("Attribute")?,
    }))
}

fn describe_instance_type_offerings(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::DescribeInstanceTypeOfferings(DescribeInstanceTypeOfferings {
        select: paging(form, Vec::new())?,
        location_type: form.take("LocationType"),
    }))
}

fn describe_addresses(form: &mut Parameters) -> Result<Request, ApiError> {
    let mut ids = form.list("AllocationId");
    ids.extend(form.list("PublicIp"));
    Ok(Request::DescribeAddresses(whole(form, ids)?))
}

#[cfg(test)]
mod tests;
