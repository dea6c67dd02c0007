//! Answers: one variant per kind.

use serde::{Deserialize, Serialize};

use super::*;
use crate::time::Timestamp;

/// What a call answers. The wire names the root element after the request's action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant answers the action of the same name")]
pub enum Response {
    DescribeInstances(Page<Reservation>),
    DescribeInstanceStatus(Page<InstanceStatus>),
    DescribeAvailabilityZones(Vec<AvailabilityZone>),
    DescribeVpcs(Page<Vpc>),
    DescribeSubnets(Page<Subnet>),
    DescribeRouteTables(Page<RouteTable>),
    DescribeNetworkInterfaces(Page<NetworkInterface>),
    DescribeVolumes(Page<Volume>),
    DescribeImages(Page<Image>),
    DescribeKeyPairs(Vec<KeyPair>),
    DescribeSecurityGroups(Page<SecurityGroup>),
    DescribeSecurityGroupRules(Page<SecurityGroupRule>),
    DescribeNetworkAcls(Page<NetworkAcl>),
    DescribeInstanceAttribute(InstanceAttribute),
    DescribeInstanceCreditSpecifications(Page<InstanceCreditSpecification>),
    DescribeInstanceTypeOfferings(Page<InstanceTypeOffering>),
    DescribeInstanceTypes(Page<InstanceTypeInfo>),
    DescribeTags(Page<TagDescription>),
    DescribeAddresses(Vec<Address>),
    DescribeSpotInstanceRequests(Page<SpotInstanceRequest>),
    RunInstances(Reservation),
    StartInstances(Vec<InstanceStateChange>),
    StopInstances(Vec<InstanceStateChange>),
    TerminateInstances(Vec<InstanceStateChange>),
    CreateSecurityGroup(CreatedSecurityGroup),
    /// With the id of the group.
    DeleteSecurityGroup(String),
    /// AuthorizeSecurityGroupIngress, AuthorizeSecurityGroupEgress: the rules that were made.
    AuthorizeSecurityGroup(Vec<SecurityGroupRule>),
    /// RevokeSecurityGroupIngress, RevokeSecurityGroupEgress.
    RevokeSecurityGroup(RevokedRules),
    CreateNetworkAcl(NetworkAcl),
    /// With the id of the new association.
    ReplaceNetworkAclAssociation(String),
    /// `<return>true</return>`: RebootInstances, ModifyNetworkInterfaceAttribute,
    /// ModifyInstanceAttribute, CreateRoute, ReplaceRoute, DeleteRoute, CreateTags, DeleteTags,
    /// DeleteNetworkAcl, CreateNetworkAclEntry, ReplaceNetworkAclEntry, DeleteNetworkAclEntry.
    Return,
    GetCallerIdentity(CallerIdentity),
    GetInstanceProfile(ProfileWithRole),
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// This page's items.
    pub items: Vec<T>,
    /// `nextToken`, when there are more.
    pub next_token: Option<String>,
}

/// What `StartInstances`, `StopInstances` and `TerminateInstances` say of each instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceStateChange {
    /// `instanceId`.
    pub instance_id: String,
    /// `currentState`.
    pub current_state: InstanceState,
    /// `previousState`.
    pub previous_state: InstanceState,
}

/// What `DescribeInstanceAttribute` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceAttribute {
    /// `instanceId`.
    pub instance_id: String,
    /// The attribute asked for.
    pub value: AttributeValue,
}

/// The value of an instance's attribute, under its element's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributeValue {
    /// `<name><value>true</value></name>`.
    Flag {
        /// The element's name, for example `disableApiTermination`.
        name: String,
        /// Its value.
        value: bool,
    },
    /// `<name><value>text</value></name>`, or `<name/>`; `userData` is base64.
    Text {
        /// The element's name, for example `userData`.
        name: String,
        /// Its value, if any.
        value: Option<String>,
    },
    /// `<groupSet>`.
    Groups(Vec<GroupRef>),
    /// `<blockDeviceMapping>`.
    BlockDevices(Vec<InstanceBlockDevice>),
    /// An empty list element: `productCodes`.
    Empty {
        /// The element's name.
        name: String,
    },
}

/// What STS `GetCallerIdentity` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerIdentity {
    /// `Account`.
    pub account: String,
    /// `Arn`.
    pub arn: String,
    /// `UserId`.
    pub user_id: String,
}

/// What IAM `GetInstanceProfile` answers: a profile and the one role in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileWithRole {
    /// `InstanceProfileName`.
    pub name: String,
    /// `Arn` and `InstanceProfileId`.
    pub profile: InstanceProfile,
    /// `RoleName` of its role.
    pub role_name: String,
    /// `Arn` of its role.
    pub role_arn: String,
    /// `RoleId` of its role.
    pub role_id: String,
    /// `CreateDate` of both.
    pub created: Timestamp,
}

/// `cpuCredits` of one burstable instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceCreditSpecification {
    /// `instanceId`.
    pub instance_id: String,
    /// `cpuCredits`: `standard` or `unlimited`.
    pub cpu_credits: String,
}

/// An instance type and a place that offers it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceTypeOffering {
    /// `instanceType`.
    pub instance_type: String,
    /// `locationType`.
    pub location_type: String,
    /// `location`: a region, AZ name or AZ id.
    pub location: String,
}

/// What an instance type has, as far as anything here depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceTypeInfo {
    /// `instanceType`.
    pub instance_type: String,
    /// `burstablePerformanceSupported`.
    pub burstable: bool,
    /// `processorInfo.supportedArchitectures`: the one it has.
    pub architecture: String,
    /// `vCpuInfo.defaultCores`.
    pub cores: i64,
    /// `vCpuInfo.defaultThreadsPerCore`.
    pub threads_per_core: i64,
    /// `instanceStorageInfo.totalSizeInGB`; 0 where `instanceStorageSupported` is false.
    pub store_gb: i64,
}

/// One row of `DescribeTags`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagDescription {
    /// `key`.
    pub key: String,
    /// `value`.
    pub value: String,
    /// `resourceId`.
    pub resource_id: String,
    /// `resourceType`: `instance`, `route-table`, ...
    pub resource_type: String,
}
