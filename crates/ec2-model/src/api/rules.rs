//! Changes of security groups and network ACLs, and security group rules one by one.

use serde::{Deserialize, Serialize};

use super::{IpPermission, Tag, TagSpecification};

/// Parameters of `CreateSecurityGroup`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSecurityGroup {
    /// `DryRun`.
    pub dry_run: bool,
    /// `GroupName`.
    pub group_name: String,
    /// `GroupDescription`.
    pub description: String,
    /// `VpcId`; without it the default VPC.
    pub vpc_id: Option<String>,
    /// `TagSpecification.N`.
    pub tag_specifications: Vec<TagSpecification>,
}

/// Parameters of `DeleteSecurityGroup`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteSecurityGroup {
    /// `DryRun`.
    pub dry_run: bool,
    /// `GroupId`.
    pub group_id: Option<String>,
    /// `GroupName`: of the default VPC.
    pub group_name: Option<String>,
}

/// Parameters of `AuthorizeSecurityGroupIngress`, `AuthorizeSecurityGroupEgress`,
/// `RevokeSecurityGroupIngress` and `RevokeSecurityGroupEgress`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRules {
    /// `DryRun`.
    pub dry_run: bool,
    /// `GroupId`.
    pub group_id: Option<String>,
    /// `GroupName`: of the default VPC.
    pub group_name: Option<String>,
    /// `IpPermissions.N`, or one of the older parameters beside it.
    pub permissions: Vec<IpPermission>,
    /// `SecurityGroupRuleId.N`, of the revoking actions only.
    pub rule_ids: Vec<String>,
    /// `TagSpecification.N`, of the authorizing actions only.
    pub tag_specifications: Vec<TagSpecification>,
}

/// A rule of a security group: one protocol, one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupRule {
    /// `securityGroupRuleId`.
    pub security_group_rule_id: String,
    /// `securityGroupRuleArn`.
    pub security_group_rule_arn: String,
    /// `groupId`.
    pub group_id: String,
    /// `groupOwnerId`.
    pub group_owner_id: String,
    /// `isEgress`.
    pub is_egress: bool,
    /// `ipProtocol`.
    pub ip_protocol: String,
    /// `fromPort`: -1 where a rule has none.
    pub from_port: i64,
    /// `toPort`: -1 where a rule has none.
    pub to_port: i64,
    /// `cidrIpv4`.
    pub cidr_ipv4: Option<String>,
    /// `cidrIpv6`.
    pub cidr_ipv6: Option<String>,
    /// `prefixListId`.
    pub prefix_list_id: Option<String>,
    /// `referencedGroupInfo/groupId`.
    pub referenced_group_id: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}

/// What `CreateSecurityGroup` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedSecurityGroup {
    /// `groupId`.
    pub group_id: String,
    /// `securityGroupArn`.
    pub security_group_arn: String,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}

/// What the revoking actions answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedRules {
    /// `revokedSecurityGroupRuleSet`.
    pub revoked: Vec<SecurityGroupRule>,
    /// `unknownIpPermissionSet`: what no rule was like.
    pub unknown: Vec<IpPermission>,
}

/// Parameters of `CreateNetworkAcl`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateNetworkAcl {
    /// `DryRun`.
    pub dry_run: bool,
    /// `VpcId`.
    pub vpc_id: String,
    /// `TagSpecification.N`.
    pub tag_specifications: Vec<TagSpecification>,
}

/// Parameters of `DeleteNetworkAcl`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteNetworkAcl {
    /// `DryRun`.
    pub dry_run: bool,
    /// `NetworkAclId`.
    pub network_acl_id: String,
}

/// Parameters of `CreateNetworkAclEntry` and `ReplaceNetworkAclEntry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutNetworkAclEntry {
    /// `DryRun`.
    pub dry_run: bool,
    /// `NetworkAclId`.
    pub network_acl_id: String,
    /// `RuleNumber`.
    pub rule_number: Option<i64>,
    /// `Egress`.
    pub egress: Option<bool>,
    /// `Protocol`: a number, or `-1`.
    pub protocol: String,
    /// `RuleAction`.
    pub rule_action: String,
    /// `CidrBlock`.
    pub cidr_block: Option<String>,
    /// `Ipv6CidrBlock`.
    pub ipv6_cidr_block: Option<String>,
    /// `Icmp.Type` and `Icmp.Code`.
    pub icmp_type_code: Option<(i64, i64)>,
    /// `PortRange.From` and `PortRange.To`.
    pub port_range: Option<(i64, i64)>,
}

/// Parameters of `DeleteNetworkAclEntry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteNetworkAclEntry {
    /// `DryRun`.
    pub dry_run: bool,
    /// `NetworkAclId`.
    pub network_acl_id: String,
    /// `RuleNumber`.
    pub rule_number: Option<i64>,
    /// `Egress`.
    pub egress: Option<bool>,
}

/// Parameters of `ReplaceNetworkAclAssociation`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceNetworkAclAssociation {
    /// `DryRun`.
    pub dry_run: bool,
    /// `AssociationId`: of the subnet with the ACL it has now.
    pub association_id: String,
    /// `NetworkAclId`: the ACL it gets.
    pub network_acl_id: String,
}
