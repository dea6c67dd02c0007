//! Requests: one variant per action, fields as the Query API names them.

use serde::{Deserialize, Serialize};

use super::{
    ChangeRules, CreateNetworkAcl, CreateSecurityGroup, DeleteNetworkAcl, DeleteNetworkAclEntry,
    DeleteSecurityGroup, PutNetworkAclEntry, ReplaceNetworkAclAssociation, RunInstances, Tag,
};

/// Who calls. Decides what `GetCallerIdentity` answers and whom a refusal names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// `arn:aws:sts::123456789012:assumed-role/role/session`, or a user's.
    pub arn: String,
    /// The unique id: `AROA...:session` or `AIDA...`.
    pub user_id: String,
}

impl Caller {
    /// A person with an IAM user.
    #[must_use]
    pub fn user(account: &str, name: &str) -> Caller {
        Caller {
            account: account.into(),
            arn: format!("arn:aws:iam::{account}:user/{name}"),
            user_id: format!("AIDA{:A<17}", name.to_ascii_uppercase().replace('-', "")),
        }
    }

    /// An instance (or another session) that assumed `role`.
    #[must_use]
    pub fn role(account: &str, role: &str, session: &str) -> Caller {
        let id = role.to_ascii_uppercase().replace('-', "");
        Caller {
            account: account.into(),
            arn: format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
            user_id: format!("AROA{id:A<17}:{session}"),
        }
    }
}

/// One API call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant is the EC2 or STS action of the same name")]
pub enum Request {
    DescribeInstances(Select),
    DescribeInstanceStatus(DescribeInstanceStatus),
    DescribeAvailabilityZones(DescribeAvailabilityZones),
    DescribeVpcs(Select),
    DescribeSubnets(Select),
    DescribeRouteTables(Select),
    DescribeNetworkInterfaces(Select),
    DescribeVolumes(Select),
    DescribeImages(DescribeImages),
    DescribeKeyPairs(DescribeKeyPairs),
    DescribeSecurityGroups(DescribeSecurityGroups),
    DescribeSecurityGroupRules(Select),
    DescribeNetworkAcls(Select),
    DescribeInstanceAttribute(DescribeInstanceAttribute),
    DescribeInstanceCreditSpecifications(Select),
    DescribeInstanceTypeOfferings(DescribeInstanceTypeOfferings),
    DescribeInstanceTypes(Select),
    DescribeTags(Select),
    DescribeAddresses(Select),
    DescribeSpotInstanceRequests(Select),
    RunInstances(Box<RunInstances>),
    StartInstances(StartInstances),
    StopInstances(StopInstances),
    RebootInstances(RebootInstances),
    TerminateInstances(TerminateInstances),
    ModifyNetworkInterfaceAttribute(ModifyNetworkInterfaceAttribute),
    ModifyInstanceAttribute(ModifyInstanceAttribute),
    CreateRoute(RouteSpec),
    ReplaceRoute(RouteSpec),
    DeleteRoute(DeleteRoute),
    CreateSecurityGroup(CreateSecurityGroup),
    DeleteSecurityGroup(DeleteSecurityGroup),
    AuthorizeSecurityGroupIngress(ChangeRules),
    AuthorizeSecurityGroupEgress(ChangeRules),
    RevokeSecurityGroupIngress(ChangeRules),
    RevokeSecurityGroupEgress(ChangeRules),
    CreateNetworkAcl(CreateNetworkAcl),
    DeleteNetworkAcl(DeleteNetworkAcl),
    CreateNetworkAclEntry(PutNetworkAclEntry),
    ReplaceNetworkAclEntry(PutNetworkAclEntry),
    DeleteNetworkAclEntry(DeleteNetworkAclEntry),
    ReplaceNetworkAclAssociation(ReplaceNetworkAclAssociation),
    CreateTags(CreateTags),
    DeleteTags(DeleteTags),
    GetCallerIdentity,
    /// Of IAM: the profile of this name.
    GetInstanceProfile(String),
}

impl Request {
    /// The action's name on the wire.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Request::DescribeInstances(_) => "DescribeInstances",
            Request::DescribeInstanceStatus(_) => "DescribeInstanceStatus",
            Request::DescribeAvailabilityZones(_) => "DescribeAvailabilityZones",
            Request::DescribeVpcs(_) => "DescribeVpcs",
            Request::DescribeSubnets(_) => "DescribeSubnets",
            Request::DescribeRouteTables(_) => "DescribeRouteTables",
            Request::DescribeNetworkInterfaces(_) => "DescribeNetworkInterfaces",
            Request::DescribeVolumes(_) => "DescribeVolumes",
            Request::DescribeImages(_) => "DescribeImages",
            Request::DescribeKeyPairs(_) => "DescribeKeyPairs",
            Request::DescribeSecurityGroups(_) => "DescribeSecurityGroups",
            Request::DescribeSecurityGroupRules(_) => "DescribeSecurityGroupRules",
            Request::DescribeNetworkAcls(_) => "DescribeNetworkAcls",
            Request::DescribeInstanceAttribute(_) => "DescribeInstanceAttribute",
            Request::DescribeInstanceCreditSpecifications(_) => {
                "DescribeInstanceCreditSpecifications"
            }
            Request::DescribeInstanceTypeOfferings(_) => "DescribeInstanceTypeOfferings",
            Request::DescribeInstanceTypes(_) => "DescribeInstanceTypes",
            Request::DescribeTags(_) => "DescribeTags",
            Request::DescribeAddresses(_) => "DescribeAddresses",
            Request::DescribeSpotInstanceRequests(_) => "DescribeSpotInstanceRequests",
            Request::RunInstances(_) => "RunInstances",
            Request::StartInstances(_) => "StartInstances",
            Request::StopInstances(_) => "StopInstances",
            Request::RebootInstances(_) => "RebootInstances",
            Request::TerminateInstances(_) => "TerminateInstances",
            Request::ModifyNetworkInterfaceAttribute(_) => "ModifyNetworkInterfaceAttribute",
            Request::ModifyInstanceAttribute(_) => "ModifyInstanceAttribute",
            Request::CreateRoute(_) => "CreateRoute",
            Request::ReplaceRoute(_) => "ReplaceRoute",
            Request::DeleteRoute(_) => "DeleteRoute",
            Request::CreateSecurityGroup(_) => "CreateSecurityGroup",
            Request::DeleteSecurityGroup(_) => "DeleteSecurityGroup",
            Request::AuthorizeSecurityGroupIngress(_) => "AuthorizeSecurityGroupIngress",
            Request::AuthorizeSecurityGroupEgress(_) => "AuthorizeSecurityGroupEgress",
            Request::RevokeSecurityGroupIngress(_) => "RevokeSecurityGroupIngress",
            Request::RevokeSecurityGroupEgress(_) => "RevokeSecurityGroupEgress",
            Request::CreateNetworkAcl(_) => "CreateNetworkAcl",
            Request::DeleteNetworkAcl(_) => "DeleteNetworkAcl",
            Request::CreateNetworkAclEntry(_) => "CreateNetworkAclEntry",
            Request::ReplaceNetworkAclEntry(_) => "ReplaceNetworkAclEntry",
            Request::DeleteNetworkAclEntry(_) => "DeleteNetworkAclEntry",
            Request::ReplaceNetworkAclAssociation(_) => "ReplaceNetworkAclAssociation",
            Request::CreateTags(_) => "CreateTags",
            Request::DeleteTags(_) => "DeleteTags",
            Request::GetCallerIdentity => "GetCallerIdentity",
            Request::GetInstanceProfile(_) => "GetInstanceProfile",
        }
    }

    /// Whether the call only asks if it would be allowed.
    #[must_use]
    pub fn dry_run(&self) -> bool {
        match self {
            Request::DescribeInstances(r)
            | Request::DescribeVpcs(r)
            | Request::DescribeSubnets(r)
            | Request::DescribeRouteTables(r)
            | Request::DescribeNetworkInterfaces(r)
            | Request::DescribeVolumes(r)
            | Request::DescribeSecurityGroupRules(r)
            | Request::DescribeNetworkAcls(r)
            | Request::DescribeInstanceCreditSpecifications(r)
            | Request::DescribeInstanceTypes(r)
            | Request::DescribeTags(r)
            | Request::DescribeAddresses(r)
            | Request::DescribeSpotInstanceRequests(r) => r.dry_run,
            Request::DescribeInstanceStatus(r) => r.select.dry_run,
            Request::DescribeAvailabilityZones(r) => r.select.dry_run,
            Request::DescribeImages(r) => r.select.dry_run,
            Request::DescribeKeyPairs(r) => r.select.dry_run,
            Request::DescribeSecurityGroups(r) => r.select.dry_run,
            Request::DescribeInstanceAttribute(r) => r.dry_run,
            Request::DescribeInstanceTypeOfferings(r) => r.select.dry_run,
            Request::RunInstances(r) => r.dry_run,
            Request::StartInstances(r) => r.dry_run,
            Request::StopInstances(r) => r.dry_run,
            Request::RebootInstances(r) => r.dry_run,
            Request::TerminateInstances(r) => r.dry_run,
            Request::ModifyNetworkInterfaceAttribute(r) => r.dry_run,
            Request::ModifyInstanceAttribute(r) => r.dry_run,
            Request::CreateRoute(r) | Request::ReplaceRoute(r) => r.dry_run,
            Request::DeleteRoute(r) => r.dry_run,
            Request::CreateSecurityGroup(r) => r.dry_run,
            Request::DeleteSecurityGroup(r) => r.dry_run,
            Request::AuthorizeSecurityGroupIngress(r)
            | Request::AuthorizeSecurityGroupEgress(r)
            | Request::RevokeSecurityGroupIngress(r)
            | Request::RevokeSecurityGroupEgress(r) => r.dry_run,
            Request::CreateNetworkAcl(r) => r.dry_run,
            Request::DeleteNetworkAcl(r) => r.dry_run,
            Request::CreateNetworkAclEntry(r) | Request::ReplaceNetworkAclEntry(r) => r.dry_run,
            Request::DeleteNetworkAclEntry(r) => r.dry_run,
            Request::ReplaceNetworkAclAssociation(r) => r.dry_run,
            Request::CreateTags(r) => r.dry_run,
            Request::DeleteTags(r) => r.dry_run,
            Request::GetCallerIdentity | Request::GetInstanceProfile(_) => false,
        }
    }
}

/// `Filter.N.Name` and `Filter.N.Value.M`. Values may hold the wildcards `*` and `?`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Filter {
    /// For example `instance-state-name` or `tag:Name`.
    pub name: String,
    /// Any of these is enough.
    pub values: Vec<String>,
}

/// What every Describe takes: ids, filters, paging.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Select {
    /// `DryRun`.
    pub dry_run: bool,
    /// The action's own id list: `InstanceId.N`, `SubnetId.N`, `RouteTableId.N`, ...
    pub ids: Vec<String>,
    /// `Filter.N`; all must match.
    pub filters: Vec<Filter>,
    /// `MaxResults`.
    pub max_results: Option<i64>,
    /// `NextToken`.
    pub next_token: Option<String>,
}

/// Parameters of `DescribeInstanceStatus`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeInstanceStatus {
    /// `InstanceId.N`, filters, paging.
    pub select: Select,
    /// `IncludeAllInstances`: also those that aren't running.
    pub include_all_instances: bool,
}

/// Parameters of `DescribeAvailabilityZones`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeAvailabilityZones {
    /// `ZoneId.N` as ids, filters; this action doesn't page.
    pub select: Select,
    /// `ZoneName.N`.
    pub zone_names: Vec<String>,
    /// `AllAvailabilityZones`: also those not opted into.
    pub all_availability_zones: bool,
}

/// Parameters of `DescribeImages`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeImages {
    /// `ImageId.N`, filters, paging.
    pub select: Select,
    /// `Owner.N`: `self`, `amazon`, or account ids.
    pub owners: Vec<String>,
}

/// Parameters of `DescribeKeyPairs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeKeyPairs {
    /// `KeyPairId.N` as ids, filters; this action doesn't page.
    pub select: Select,
    /// `KeyName.N`.
    pub key_names: Vec<String>,
}

/// Parameters of `DescribeSecurityGroups`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeSecurityGroups {
    /// `GroupId.N`, filters, paging.
    pub select: Select,
    /// `GroupName.N`: groups of the default VPC only.
    pub group_names: Vec<String>,
}

/// Parameters of `DescribeInstanceAttribute`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeInstanceAttribute {
    /// `DryRun`.
    pub dry_run: bool,
    /// `InstanceId`.
    pub instance_id: String,
    /// `Attribute`: `userData`, `disableApiTermination`, ...
    pub attribute: String,
}

/// Parameters of `DescribeInstanceTypeOfferings`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeInstanceTypeOfferings {
    /// Filters `instance-type` and `location`, paging; no ids.
    pub select: Select,
    /// `LocationType`: `region` (default), `availability-zone`, `availability-zone-id`.
    pub location_type: Option<String>,
}

/// Parameters of `StartInstances`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartInstances {
    /// `DryRun`.
    pub dry_run: bool,
    /// `InstanceId.N`.
    pub instance_ids: Vec<String>,
}

/// Parameters of `StopInstances`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopInstances {
    /// `DryRun`.
    pub dry_run: bool,
    /// `InstanceId.N`.
    pub instance_ids: Vec<String>,
    /// `Force`: no time for the file system.
    pub force: bool,
    /// `SkipOsShutdown`: the guest isn't asked at all.
    pub skip_os_shutdown: bool,
    /// `Hibernate`.
    pub hibernate: bool,
}

/// Parameters of `RebootInstances`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebootInstances {
    /// `DryRun`.
    pub dry_run: bool,
    /// `InstanceId.N`.
    pub instance_ids: Vec<String>,
}

/// Parameters of `TerminateInstances`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminateInstances {
    /// `DryRun`.
    pub dry_run: bool,
    /// `InstanceId.N`.
    pub instance_ids: Vec<String>,
    /// `Force`: for instances whose shutdown hangs.
    pub force: bool,
    /// `SkipOsShutdown`: the guest isn't asked at all.
    pub skip_os_shutdown: bool,
}

/// Parameters of `ModifyNetworkInterfaceAttribute`; one attribute a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModifyNetworkInterfaceAttribute {
    /// `DryRun`.
    pub dry_run: bool,
    /// `NetworkInterfaceId`.
    pub network_interface_id: String,
    /// `SourceDestCheck.Value`.
    pub source_dest_check: Option<bool>,
    /// `SecurityGroupId.N`: replaces all groups; empty means not asked for.
    pub groups: Vec<String>,
    /// `Description.Value`.
    pub description: Option<String>,
    /// `Attachment.AttachmentId` and `Attachment.DeleteOnTermination`.
    pub attachment: Option<AttachmentChange>,
}

/// `Attachment` of `ModifyNetworkInterfaceAttribute`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentChange {
    /// `AttachmentId`.
    pub attachment_id: String,
    /// `DeleteOnTermination`.
    pub delete_on_termination: bool,
}

/// Parameters of `ModifyInstanceAttribute`; one attribute a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModifyInstanceAttribute {
    /// `DryRun`.
    pub dry_run: bool,
    /// `InstanceId`.
    pub instance_id: String,
    /// The attributes to set; EC2 takes one a call.
    pub changes: Vec<AttributeChange>,
}

/// One attribute of an instance and its new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributeChange {
    /// `SourceDestCheck.Value`.
    SourceDestCheck(bool),
    /// `DisableApiTermination.Value`.
    DisableApiTermination(bool),
    /// `DisableApiStop.Value`.
    DisableApiStop(bool),
    /// `EbsOptimized.Value`; stopped instances only.
    EbsOptimized(bool),
    /// `EnaSupport.Value`; stopped instances only.
    EnaSupport(bool),
    /// `GroupId.N`.
    Groups(Vec<String>),
    /// `InstanceInitiatedShutdownBehavior.Value`.
    InstanceInitiatedShutdownBehavior(String),
    /// `InstanceType.Value`; stopped instances only.
    InstanceType(String),
    /// `UserData.Value`, base64 text; stopped instances only.
    UserData(String),
}

/// Parameters of `CreateRoute` and `ReplaceRoute`: a destination and exactly one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// `DryRun`.
    pub dry_run: bool,
    /// `RouteTableId`.
    pub route_table_id: String,
    /// `DestinationCidrBlock`.
    pub destination_cidr_block: Option<String>,
    /// `DestinationIpv6CidrBlock`.
    pub destination_ipv6_cidr_block: Option<String>,
    /// `DestinationPrefixListId`.
    pub destination_prefix_list_id: Option<String>,
    /// `GatewayId`: an internet or virtual private gateway.
    pub gateway_id: Option<String>,
    /// `InstanceId`.
    pub instance_id: Option<String>,
    /// `NetworkInterfaceId`.
    pub network_interface_id: Option<String>,
    /// `NatGatewayId`.
    pub nat_gateway_id: Option<String>,
    /// `TransitGatewayId`.
    pub transit_gateway_id: Option<String>,
    /// `VpcPeeringConnectionId`.
    pub vpc_peering_connection_id: Option<String>,
    /// `LocalTarget`, of `ReplaceRoute` only: back to the default `local` target.
    pub local_target: bool,
}

/// Parameters of `DeleteRoute`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRoute {
    /// `DryRun`.
    pub dry_run: bool,
    /// `RouteTableId`.
    pub route_table_id: String,
    /// `DestinationCidrBlock`.
    pub destination_cidr_block: Option<String>,
    /// `DestinationIpv6CidrBlock`.
    pub destination_ipv6_cidr_block: Option<String>,
    /// `DestinationPrefixListId`.
    pub destination_prefix_list_id: Option<String>,
}

/// Parameters of `CreateTags`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTags {
    /// `DryRun`.
    pub dry_run: bool,
    /// `ResourceId.N`.
    pub resources: Vec<String>,
    /// `Tag.N`.
    pub tags: Vec<Tag>,
}

/// Parameters of `DeleteTags`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteTags {
    /// `DryRun`.
    pub dry_run: bool,
    /// `ResourceId.N`.
    pub resources: Vec<String>,
    /// `Tag.N`; empty takes every tag that isn't `aws:`.
    pub tags: Vec<TagKey>,
}

/// A tag to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagKey {
    /// `Key`.
    pub key: String,
    /// `Value`; with it only a tag of exactly this value goes.
    pub value: Option<String>,
}

impl Request {
    /// Whether the action changes anything.
    #[must_use]
    pub fn mutates(&self) -> bool {
        let action = self.action();
        !(action.starts_with("Describe") || action.starts_with("Get"))
    }

    /// The instances that the call names by id.
    pub(crate) fn instance_ids(&self) -> &[String] {
        if let Request::DescribeInstances(r) | Request::DescribeInstanceCreditSpecifications(r) =
            self
        {
            &r.ids
        } else if let Request::DescribeInstanceStatus(r) = self {
            &r.select.ids
        } else if let Request::DescribeInstanceAttribute(r) = self {
            core::slice::from_ref(&r.instance_id)
        } else if let Request::StartInstances(r) = self {
            &r.instance_ids
        } else if let Request::StopInstances(r) = self {
            &r.instance_ids
        } else if let Request::RebootInstances(r) = self {
            &r.instance_ids
        } else if let Request::TerminateInstances(r) = self {
            &r.instance_ids
        } else if let Request::ModifyInstanceAttribute(r) = self {
            core::slice::from_ref(&r.instance_id)
        } else if let Request::CreateRoute(r) | Request::ReplaceRoute(r) = self {
            r.instance_id.as_slice()
        } else {
            &[]
        }
    }
}
