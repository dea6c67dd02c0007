//! What lies between monitor and holder, boiled down to digests.
//!
//! The same lines as `rehome`'s own shell writes: what it would see as a change is one here.

use ec2_model::api as ec2;
use rehome_core::names::SubnetId;
use rehome_core::world::{Effect, PathPart};

/// The digest of a security group's rules, both ways.
pub(super) fn group(from: &ec2::SecurityGroup) -> PathPart {
    let inbound = from.ingress.iter().flat_map(|rule| permission("in", rule));
    let outbound = from.egress.iter().flat_map(|rule| permission("out", rule));
    let lines = inbound.chain(outbound).map(|line| (Effect::Passes, line));
    PathPart::new(format!("security group {}", from.group_id), lines)
}

fn permission(way: &str, rule: &ec2::IpPermission) -> Vec<String> {
    let what =
        format!("{way} {} {}-{}", rule.ip_protocol, number(rule.from_port), number(rule.to_port));
    let blocks = rule.ip_ranges.iter().chain(&rule.ipv6_ranges).map(|range| range.cidr.as_str());
    let lists = rule.prefix_list_ids.iter().map(String::as_str);
    let groups = rule.groups.iter().map(|pair| pair.group_id.as_str());
    blocks.chain(lists).chain(groups).map(|peer| format!("{what} {peer}")).collect()
}

/// The digest of a network ACL's rules, and of which of `asked` it stands before.
pub(super) fn acl(from: &ec2::NetworkAcl, asked: &[SubnetId]) -> PathPart {
    let subnets = from
        .associations
        .iter()
        .map(|association| association.subnet_id.as_str())
        .filter(|id| asked.iter().any(|subnet| subnet.as_str() == *id))
        .map(|id| (Effect::Either, format!("subnet {id}")));
    let lines = from.entries.iter().map(entry).chain(subnets);
    PathPart::new(format!("network ACL {}", from.network_acl_id), lines)
}

fn entry(from: &ec2::NetworkAclEntry) -> (Effect, String) {
    let way = if from.egress { "out" } else { "in" };
    let peer = from.cidr_block.as_ref().or(from.ipv6_cidr_block.as_ref());
    let peer = peer.map_or("?", String::as_str);
    let (number, action, protocol) = (from.rule_number, &from.rule_action, &from.protocol);
    let (ports, icmp) = (from.port_range, from.icmp_type_code);
    let effect = if action == "deny" { Effect::Blocks } else { Effect::Passes };
    (effect, format!("{way} {number} {action} {protocol} {peer} {ports:?} {icmp:?}"))
}

/// The digest of what our own interface admits and carries.
pub(super) fn interface(from: &ec2::NetworkInterface) -> PathPart {
    let mut lines: Vec<String> =
        from.groups.iter().map(|group| format!("group {}", group.group_id)).collect();
    lines.extend(
        from.private_ip_addresses.iter().map(|own| format!("address {}", own.private_ip_address)),
    );
    lines.push(format!("check {}", from.source_dest_check));
    lines.push(format!("status {}", from.status));
    lines.push(format!("subnet {}", from.subnet_id));
    let lines = lines.into_iter().map(|line| (Effect::Either, line));
    PathPart::new(format!("network interface {}", from.network_interface_id), lines)
}

fn number(number: Option<i64>) -> String {
    number.map_or("*".to_owned(), |number| number.to_string())
}
