//! Security groups and their rules.
//!
//! EC2 tells rules of equal protocol and ports as one permission with several peers.

use crate::{
    api::{
        DescribeSecurityGroups, IpPermission, Response, SecurityGroup, SecurityGroupRule, Select,
        Tag,
    },
    ec2::Ec2,
    error::ApiError,
    filter::{Column, Listed, maybe, one},
    groups::{Way, add_peer},
    ids::Kind,
    world::{Group, Peer, Rule},
};

impl Ec2 {
    pub(super) fn describe_groups(&self, r: &DescribeSecurityGroups) -> Result<Response, ApiError> {
        let groups = self.world.groups.values();
        let mut items: Vec<SecurityGroup> = groups.map(|group| self.group_view(group)).collect();
        if !r.group_names.is_empty() {
            for name in &r.group_names {
                if !items.iter().any(|group| group.group_name == *name) {
                    return Err(Kind::Group.not_found(&[name]));
                }
            }
            items.retain(|group| r.group_names.contains(&group.group_name));
        }
        let page = super::tell(items, &r.select, Kind::Group, |g: &SecurityGroup| &g.group_id)?;
        Ok(Response::DescribeSecurityGroups(page))
    }

    pub(super) fn describe_group_rules(&self, select: &Select) -> Result<Response, ApiError> {
        let groups = self.world.groups.values();
        let items = groups
            .flat_map(|group| group.rules.iter().map(|rule| self.rule_view(&group.id, rule)))
            .collect();
        let page = super::tell(items, select, Kind::GroupRule, |r: &SecurityGroupRule| {
            &r.security_group_rule_id
        })?;
        Ok(Response::DescribeSecurityGroupRules(page))
    }

    fn group_view(&self, group: &Group) -> SecurityGroup {
        SecurityGroup {
            group_id: group.id.clone(),
            group_name: group.name.clone(),
            description: group.description.clone(),
            owner_id: self.account.clone(),
            vpc_id: group.vpc.clone(),
            ingress: self.permissions(group, Way::Ingress),
            egress: self.permissions(group, Way::Egress),
            tags: group.tags.clone(),
            security_group_arn: self.arn("security-group", &group.id),
        }
    }

    fn permissions(&self, group: &Group, way: Way) -> Vec<IpPermission> {
        let mut permissions: Vec<IpPermission> = Vec::new();
        for rule in group.rules.iter().filter(|rule| rule.way() == way) {
            let (from_port, to_port) = rule.ports.unzip();
            let alike = |p: &IpPermission| {
                (&p.ip_protocol, p.from_port, p.to_port) == (&rule.protocol, from_port, to_port)
            };
            let at = permissions.iter().position(alike).unwrap_or_else(|| {
                let ip_protocol = rule.protocol.clone();
                permissions.push(IpPermission {
                    ip_protocol,
                    from_port,
                    to_port,
                    ..IpPermission::default()
                });
                permissions.len() - 1
            });
            add_peer(&mut permissions[at], &rule.peer, rule.description.as_ref(), &self.account);
        }
        permissions
    }

    pub(crate) fn rule_view(&self, group: &str, rule: &Rule) -> SecurityGroupRule {
        let (from_port, to_port) = rule.ports.unwrap_or((-1, -1));
        let mut view = SecurityGroupRule {
            security_group_rule_id: rule.id.clone(),
            security_group_rule_arn: self.arn("security-group-rule", &rule.id),
            group_id: group.to_owned(),
            group_owner_id: self.account.clone(),
            is_egress: rule.egress,
            ip_protocol: rule.protocol.clone(),
            from_port,
            to_port,
            description: rule.description.clone(),
            tags: rule.tags.clone(),
            ..SecurityGroupRule::default()
        };
        match &rule.peer {
            Peer::Ipv4(block) => view.cidr_ipv4 = Some(block.to_string()),
            Peer::Ipv6(block) => view.cidr_ipv6 = Some(block.clone()),
            Peer::Group(id) => view.referenced_group_id = Some(id.clone()),
            Peer::PrefixList(id) => view.prefix_list_id = Some(id.clone()),
        }
        view
    }
}

/// A column over the permissions of one direction.
fn each(permissions: &[IpPermission], read: fn(&IpPermission) -> Vec<String>) -> Vec<String> {
    permissions.iter().flat_map(read).collect()
}

fn blocks(p: &IpPermission) -> Vec<String> {
    p.ip_ranges.iter().map(|range| range.cidr.clone()).collect()
}

fn peers(p: &IpPermission) -> Vec<String> {
    p.groups.iter().map(|group| group.group_id.clone()).collect()
}

fn protocols(p: &IpPermission) -> Vec<String> {
    one(&p.ip_protocol)
}

fn first_ports(p: &IpPermission) -> Vec<String> {
    maybe(p.from_port.as_ref())
}

fn last_ports(p: &IpPermission) -> Vec<String> {
    maybe(p.to_port.as_ref())
}

impl Listed for SecurityGroup {
    const ID_SET: &'static str = "groupIds";
    const COLUMNS: &'static [Column<SecurityGroup>] = &[
        ("description", |g| one(&g.description)),
        ("egress.ip-permission.cidr", |g| each(&g.egress, blocks)),
        ("egress.ip-permission.from-port", |g| each(&g.egress, first_ports)),
        ("egress.ip-permission.group-id", |g| each(&g.egress, peers)),
        ("egress.ip-permission.protocol", |g| each(&g.egress, protocols)),
        ("egress.ip-permission.to-port", |g| each(&g.egress, last_ports)),
        ("group-id", |g| one(&g.group_id)),
        ("group-name", |g| one(&g.group_name)),
        ("ip-permission.cidr", |g| each(&g.ingress, blocks)),
        ("ip-permission.from-port", |g| each(&g.ingress, first_ports)),
        ("ip-permission.group-id", |g| each(&g.ingress, peers)),
        ("ip-permission.protocol", |g| each(&g.ingress, protocols)),
        ("ip-permission.to-port", |g| each(&g.ingress, last_ports)),
        ("owner-id", |g| one(&g.owner_id)),
        ("vpc-id", |g| one(&g.vpc_id)),
    ];

    fn key(&self) -> String {
        self.group_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }
}

impl Listed for SecurityGroupRule {
    const ID_SET: &'static str = "securityGroupRuleIds";
    const COLUMNS: &'static [Column<SecurityGroupRule>] = &[
        ("group-id", |r| one(&r.group_id)),
        ("security-group-rule-id", |r| one(&r.security_group_rule_id)),
    ];

    fn key(&self) -> String {
        self.security_group_rule_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }
}
