//! The model's responses as EC2 and STS write them.
//!
//! Names come from AWS's service model, as [`xml`] says; an absent value is an absent
//! element. One function for each shape, by family. Pure.

mod instances;
mod network;
mod rules;
mod storage;

use ec2_model::Response;
use ec2_model::api::{
    AvailabilityZone, CallerIdentity, GroupRef, InstanceTypeInfo, InstanceTypeOffering, KeyPair,
    Page, ProfileWithRole, Tag, TagDescription,
};

use super::credential::Service;
use super::xml::{self, Xml};

/// The whole document that answers `action`.
pub(super) fn document(action: &str, request_id: &str, response: &Response) -> String {
    let mut body = Xml::default();
    match write(&mut body, response) {
        Service::Ec2 => xml::ec2_answer(action, request_id, body),
        service @ (Service::Sts | Service::Iam) => {
            xml::query_answer(service, action, request_id, body)
        }
    }
}

/// Writes what the response holds and says whose envelope it wants.
fn write(xml: &mut Xml, response: &Response) -> Service {
    use Response as R;
    match response {
        R::DescribeInstances(page) => paged(xml, "reservationSet", page, instances::reservation),
        R::DescribeInstanceStatus(page) => {
            paged(xml, "instanceStatusSet", page, instances::status);
        }
        R::DescribeAvailabilityZones(zones) => xml.list("availabilityZoneInfo", zones, zone),
        R::DescribeVpcs(page) => paged(xml, "vpcSet", page, network::vpc),
        R::DescribeSubnets(page) => paged(xml, "subnetSet", page, network::subnet),
        R::DescribeRouteTables(page) => paged(xml, "routeTableSet", page, network::route_table),
        R::DescribeNetworkInterfaces(page) => {
            paged(xml, "networkInterfaceSet", page, network::interface);
        }
        R::DescribeVolumes(page) => paged(xml, "volumeSet", page, storage::volume),
        R::DescribeImages(page) => paged(xml, "imagesSet", page, storage::image),
        R::DescribeKeyPairs(pairs) => xml.list("keySet", pairs, key_pair),
        R::DescribeSecurityGroups(page) => {
            paged(xml, "securityGroupInfo", page, rules::security_group);
        }
        R::DescribeNetworkAcls(page) => paged(xml, "networkAclSet", page, rules::acl),
        R::DescribeSecurityGroupRules(page) => {
            paged(xml, "securityGroupRuleSet", page, rules::rule);
        }
        R::DescribeInstanceAttribute(attribute) => instances::attribute(xml, attribute),
        R::DescribeInstanceCreditSpecifications(page) => {
            paged(xml, "instanceCreditSpecificationSet", page, instances::credit);
        }
        R::DescribeInstanceTypeOfferings(page) => {
            paged(xml, "instanceTypeOfferingSet", page, offering);
        }
        R::DescribeInstanceTypes(page) => paged(xml, "instanceTypeSet", page, instance_type),
        R::DescribeTags(page) => paged(xml, "tagSet", page, tag_description),
        R::DescribeAddresses(all) => xml.list("addressesSet", all, network::address),
        R::DescribeSpotInstanceRequests(page) => {
            paged(xml, "spotInstanceRequestSet", page, instances::spot_request);
        }
        R::RunInstances(reservation) => instances::reservation(xml, reservation),
        R::StartInstances(changes) | R::StopInstances(changes) | R::TerminateInstances(changes) => {
            xml.list("instancesSet", changes, instances::state_change);
        }
        R::CreateSecurityGroup(group) => rules::created_group(xml, group),
        R::DeleteSecurityGroup(id) => {
            xml.leaf("return", true);
            xml.leaf("groupId", id);
        }
        R::AuthorizeSecurityGroup(made) => rules::authorized(xml, made),
        R::RevokeSecurityGroup(gone) => rules::revoked(xml, gone),
        R::CreateNetworkAcl(acl) => xml.element("networkAcl", |xml| rules::acl(xml, acl)),
        R::ReplaceNetworkAclAssociation(id) => xml.leaf("newAssociationId", id),
        R::Return => xml.leaf("return", true),
        R::GetCallerIdentity(identity) => {
            caller_identity(xml, identity);
            return Service::Sts;
        }
        R::GetInstanceProfile(found) => {
            xml.element("InstanceProfile", |xml| profile(xml, found));
            return Service::Iam;
        }
    }
    Service::Ec2
}

/// A list and, where there is more, the token for it.
fn paged<T>(xml: &mut Xml, name: &str, page: &Page<T>, each: fn(&mut Xml, &T)) {
    xml.list(name, &page.items, each);
    xml.maybe("nextToken", page.next_token.as_ref());
}

fn tags(xml: &mut Xml, tags: &[Tag]) {
    xml.list("tagSet", tags, |xml, tag| {
        xml.leaf("key", &tag.key);
        xml.leaf("value", &tag.value);
    });
}

fn groups(xml: &mut Xml, groups: &[GroupRef]) {
    xml.list("groupSet", groups, |xml, group| {
        xml.leaf("groupId", &group.group_id);
        xml.leaf("groupName", &group.group_name);
    });
}

fn zone(xml: &mut Xml, zone: &AvailabilityZone) {
    xml.leaf("zoneName", &zone.zone_name);
    xml.leaf("zoneId", &zone.zone_id);
    xml.leaf("zoneState", &zone.state);
    xml.leaf("regionName", &zone.region_name);
    xml.leaf("groupName", &zone.group_name);
    xml.leaf("networkBorderGroup", &zone.network_border_group);
    xml.leaf("optInStatus", &zone.opt_in_status);
    xml.leaf("zoneType", &zone.zone_type);
    xml.list("messageSet", &zone.messages, |xml, message| {
        xml.leaf("message", message);
    });
}

fn key_pair(xml: &mut Xml, pair: &KeyPair) {
    xml.leaf("keyPairId", &pair.key_pair_id);
    xml.leaf("keyName", &pair.key_name);
    xml.leaf("keyFingerprint", &pair.key_fingerprint);
    xml.leaf("keyType", &pair.key_type);
    xml.time("createTime", pair.create_time);
    tags(xml, &pair.tags);
}

fn offering(xml: &mut Xml, offering: &InstanceTypeOffering) {
    xml.leaf("instanceType", &offering.instance_type);
    xml.leaf("locationType", &offering.location_type);
    xml.leaf("location", &offering.location);
}

fn instance_type(xml: &mut Xml, kind: &InstanceTypeInfo) {
    xml.leaf("instanceType", &kind.instance_type);
    xml.leaf("burstablePerformanceSupported", kind.burstable);
    xml.leaf("instanceStorageSupported", kind.store_gb > 0);
    if kind.store_gb > 0 {
        xml.element("instanceStorageInfo", |xml| xml.leaf("totalSizeInGB", kind.store_gb));
    }
    xml.element("processorInfo", |xml| {
        xml.element("supportedArchitectures", |xml| xml.leaf("item", &kind.architecture));
    });
    xml.element("vCpuInfo", |xml| {
        xml.leaf("defaultVCpus", kind.cores * kind.threads_per_core);
        xml.leaf("defaultCores", kind.cores);
        xml.leaf("defaultThreadsPerCore", kind.threads_per_core);
    });
}

fn tag_description(xml: &mut Xml, tag: &TagDescription) {
    xml.leaf("resourceId", &tag.resource_id);
    xml.leaf("resourceType", &tag.resource_type);
    xml.leaf("key", &tag.key);
    xml.leaf("value", &tag.value);
}

/// Every role here is for instances.
const TRUST: &str = concat!(
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","#,
    r#""Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#
);

fn profile(xml: &mut Xml, found: &ProfileWithRole) {
    // IAM writes policies percent-encoded (IAM API reference, `Role`).
    let trust: String = form_urlencoded::byte_serialize(TRUST.as_bytes()).collect();
    xml.leaf("InstanceProfileName", &found.name);
    xml.leaf("InstanceProfileId", &found.profile.id);
    xml.leaf("Arn", &found.profile.arn);
    xml.leaf("Path", "/");
    xml.time("CreateDate", found.created);
    xml.element("Roles", |xml| {
        xml.element("member", |xml| {
            xml.leaf("RoleName", &found.role_name);
            xml.leaf("RoleId", &found.role_id);
            xml.leaf("Arn", &found.role_arn);
            xml.leaf("Path", "/");
            xml.time("CreateDate", found.created);
            xml.leaf("AssumeRolePolicyDocument", &trust);
        });
    });
}

fn caller_identity(xml: &mut Xml, identity: &CallerIdentity) {
    xml.leaf("Arn", &identity.arn);
    xml.leaf("UserId", &identity.user_id);
    xml.leaf("Account", &identity.account);
}

#[cfg(test)]
mod tests;
