//! Security groups and network ACLs, and what changes of them answer.

use ec2_model::api::{
    CreatedSecurityGroup, IpPermission, IpRange, NetworkAcl, NetworkAclEntry, RevokedRules,
    SecurityGroup, SecurityGroupRule,
};

use super::super::xml::Xml;
use super::tags;

pub(super) fn security_group(xml: &mut Xml, group: &SecurityGroup) {
    xml.leaf("groupId", &group.group_id);
    xml.leaf("groupName", &group.group_name);
    xml.leaf("groupDescription", &group.description);
    xml.leaf("ownerId", &group.owner_id);
    xml.leaf("vpcId", &group.vpc_id);
    xml.list("ipPermissions", &group.ingress, permission);
    xml.list("ipPermissionsEgress", &group.egress, permission);
    tags(xml, &group.tags);
    xml.leaf("securityGroupArn", &group.security_group_arn);
}

pub(super) fn created_group(xml: &mut Xml, group: &CreatedSecurityGroup) {
    xml.leaf("groupId", &group.group_id);
    tags(xml, &group.tags);
    xml.leaf("securityGroupArn", &group.security_group_arn);
}

pub(super) fn authorized(xml: &mut Xml, rules: &[SecurityGroupRule]) {
    xml.leaf("return", true);
    xml.list("securityGroupRuleSet", rules, rule);
}

/// One rule, as `DescribeSecurityGroupRules` tells it.
pub(super) fn rule(xml: &mut Xml, rule: &SecurityGroupRule) {
    rule_head(xml, rule);
    xml.leaf("groupOwnerId", &rule.group_owner_id);
    if let Some(group) = &rule.referenced_group_id {
        xml.element("referencedGroupInfo", |xml| {
            xml.leaf("groupId", group);
            xml.leaf("userId", &rule.group_owner_id);
        });
    }
    tags(xml, &rule.tags);
    xml.leaf("securityGroupRuleArn", &rule.security_group_rule_arn);
}

fn rule_head(xml: &mut Xml, rule: &SecurityGroupRule) {
    xml.leaf("securityGroupRuleId", &rule.security_group_rule_id);
    xml.leaf("groupId", &rule.group_id);
    xml.leaf("isEgress", rule.is_egress);
    xml.leaf("ipProtocol", &rule.ip_protocol);
    xml.leaf("fromPort", rule.from_port);
    xml.leaf("toPort", rule.to_port);
    xml.maybe("cidrIpv4", rule.cidr_ipv4.as_ref());
    xml.maybe("cidrIpv6", rule.cidr_ipv6.as_ref());
    xml.maybe("prefixListId", rule.prefix_list_id.as_ref());
    xml.maybe("description", rule.description.as_ref());
}

pub(super) fn revoked(xml: &mut Xml, rules: &RevokedRules) {
    xml.leaf("return", true);
    if !rules.unknown.is_empty() {
        xml.list("unknownIpPermissionSet", &rules.unknown, permission);
    }
    xml.list("revokedSecurityGroupRuleSet", &rules.revoked, |xml, rule| {
        rule_head(xml, rule);
        xml.maybe("referencedGroupId", rule.referenced_group_id.as_ref());
    });
}

fn permission(xml: &mut Xml, permission: &IpPermission) {
    xml.leaf("ipProtocol", &permission.ip_protocol);
    xml.maybe("fromPort", permission.from_port);
    xml.maybe("toPort", permission.to_port);
    xml.list("ipRanges", &permission.ip_ranges, |xml, range| {
        ip_range(xml, range, "cidrIp");
    });
    xml.list("ipv6Ranges", &permission.ipv6_ranges, |xml, range| {
        ip_range(xml, range, "cidrIpv6");
    });
    xml.list("prefixListIds", &permission.prefix_list_ids, |xml, id| {
        xml.leaf("prefixListId", id);
    });
    xml.list("groups", &permission.groups, |xml, group| {
        xml.leaf("userId", &group.user_id);
        xml.leaf("groupId", &group.group_id);
        xml.maybe("description", group.description.as_ref());
    });
}

fn ip_range(xml: &mut Xml, range: &IpRange, name: &str) {
    xml.leaf(name, &range.cidr);
    xml.maybe("description", range.description.as_ref());
}

pub(super) fn acl(xml: &mut Xml, acl: &NetworkAcl) {
    xml.leaf("networkAclId", &acl.network_acl_id);
    xml.leaf("vpcId", &acl.vpc_id);
    xml.leaf("default", acl.default);
    xml.leaf("ownerId", &acl.owner_id);
    xml.list("entrySet", &acl.entries, acl_entry);
    xml.list("associationSet", &acl.associations, |xml, association| {
        xml.leaf("networkAclAssociationId", &association.network_acl_association_id);
        xml.leaf("networkAclId", &association.network_acl_id);
        xml.leaf("subnetId", &association.subnet_id);
    });
    tags(xml, &acl.tags);
}

fn acl_entry(xml: &mut Xml, entry: &NetworkAclEntry) {
    xml.leaf("ruleNumber", entry.rule_number);
    xml.leaf("protocol", &entry.protocol);
    xml.leaf("ruleAction", &entry.rule_action);
    xml.leaf("egress", entry.egress);
    xml.maybe("cidrBlock", entry.cidr_block.as_ref());
    xml.maybe("ipv6CidrBlock", entry.ipv6_cidr_block.as_ref());
    if let Some((kind, code)) = entry.icmp_type_code {
        xml.element("icmpTypeCode", |xml| {
            xml.leaf("type", kind);
            xml.leaf("code", code);
        });
    }
    if let Some((from, to)) = entry.port_range {
        xml.element("portRange", |xml| {
            xml.leaf("from", from);
            xml.leaf("to", to);
        });
    }
}
