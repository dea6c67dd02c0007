//! What lies between monitor and holder, boiled down to digests.
//!
//! EC2 lists rules in no particular order, so each is written out as one line, the lines are
//! sorted, and the digest is taken of that. Descriptions don't count: they change no packet's way.

use std::fmt::Write as _;

use aws_sdk_ec2::types as ec2;
use rehome_core::names::SubnetId;
use rehome_core::world::{Effect, PathPart};

/// The digest of a security group's rules, both ways.
pub(super) fn group(from: &ec2::SecurityGroup) -> Option<PathPart> {
    let inbound = from.ip_permissions().iter().flat_map(|rule| permission("in", rule));
    let outbound = from.ip_permissions_egress().iter().flat_map(|rule| permission("out", rule));
    let lines = inbound.chain(outbound).map(|line| (Effect::Passes, line));
    Some(PathPart::new(format!("security group {}", from.group_id()?), lines))
}

/// One line for each peer of a rule: EC2 merges and splits the peers of equal rules as it likes.
fn permission(way: &str, rule: &ec2::IpPermission) -> Vec<String> {
    let what = format!(
        "{way} {} {}-{}",
        rule.ip_protocol().unwrap_or("?"),
        number(rule.from_port()),
        number(rule.to_port())
    );
    let peers = rule
        .ip_ranges()
        .iter()
        .map(|range| range.cidr_ip())
        .chain(rule.ipv6_ranges().iter().map(|range| range.cidr_ipv6()))
        .chain(rule.prefix_list_ids().iter().map(|list| list.prefix_list_id()))
        .chain(rule.user_id_group_pairs().iter().map(|pair| pair.group_id().or(pair.group_name())));
    peers.map(|peer| format!("{what} {}", peer.unwrap_or("?"))).collect()
}

/// The digest of a network ACL's rules, and of which of `asked` it stands before.
pub(super) fn acl(from: &ec2::NetworkAcl, asked: &[SubnetId]) -> Option<PathPart> {
    let subnets = from
        .associations()
        .iter()
        .filter_map(|association| association.subnet_id())
        .filter(|id| asked.iter().any(|subnet| subnet.as_str() == *id))
        .map(|id| (Effect::Either, format!("subnet {id}")));
    let lines = from.entries().iter().map(entry).chain(subnets);
    Some(PathPart::new(format!("network ACL {}", from.network_acl_id()?), lines))
}

fn entry(from: &ec2::NetworkAclEntry) -> (Effect, String) {
    let mut line = format!(
        "{} {} {} {} {}",
        if from.egress() == Some(true) { "out" } else { "in" },
        number(from.rule_number()),
        from.rule_action().map_or("?", ec2::RuleAction::as_str),
        from.protocol().unwrap_or("?"),
        from.cidr_block().or(from.ipv6_cidr_block()).unwrap_or("?"),
    );
    if let Some(range) = from.port_range() {
        write!(line, " ports {}-{}", number(range.from()), number(range.to()))
            .expect("writing to a String can't fail");
    }
    if let Some(icmp) = from.icmp_type_code() {
        write!(line, " icmp {}/{}", number(icmp.r#type()), number(icmp.code()))
            .expect("writing to a String can't fail");
    }
    let effect = match from.rule_action() {
        Some(ec2::RuleAction::Allow) => Effect::Passes,
        Some(ec2::RuleAction::Deny) => Effect::Blocks,
        Some(_) | None => Effect::Either,
    };
    (effect, line)
}

/// The digest of what our own interface admits and carries: its groups, its addresses, its
/// source/destination check, and whether it hangs on its instance.
pub(super) fn interface(from: &ec2::NetworkInterface) -> Option<PathPart> {
    let groups = from.groups().iter().filter_map(|group| group.group_id());
    let addresses =
        from.private_ip_addresses().iter().filter_map(|address| address.private_ip_address());
    let mut lines: Vec<String> = groups.map(|id| format!("group {id}")).collect();
    lines.extend(addresses.map(|address| format!("address {address}")));
    lines.push(format!("check {}", from.source_dest_check() != Some(false)));
    lines
        .push(format!("status {}", from.status().map_or("?", ec2::NetworkInterfaceStatus::as_str)));
    lines.push(format!("subnet {}", from.subnet_id().unwrap_or("?")));
    let lines = lines.into_iter().map(|line| (Effect::Either, line));
    Some(PathPart::new(format!("network interface {}", from.network_interface_id()?), lines))
}

fn number(number: Option<i32>) -> String {
    number.map_or("*".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(protocol: &str, cidrs: &[&str]) -> ec2::IpPermission {
        let mut rule = ec2::IpPermission::builder().ip_protocol(protocol);
        for cidr in cidrs {
            let words = format!("for {cidr}, by somebody");
            let range = ec2::IpRange::builder().cidr_ip(*cidr).description(words);
            rule = rule.ip_ranges(range.build());
        }
        rule.from_port(-1).to_port(-1).build()
    }

    fn group_of(rules: Vec<ec2::IpPermission>) -> PathPart {
        let from = ec2::SecurityGroup::builder().group_id("sg-1").set_ip_permissions(Some(rules));
        group(&from.build()).unwrap()
    }

    #[test]
    fn order_and_grouping_of_rules_change_nothing() {
        let one =
            group_of(vec![rule("icmp", &["10.0.0.0/8", "172.16.0.0/12"]), rule("tcp", &["::"])]);
        let other = group_of(vec![
            rule("tcp", &["::"]),
            rule("icmp", &["172.16.0.0/12"]),
            rule("icmp", &["10.0.0.0/8"]),
        ]);
        assert_eq!(one, other);
        assert_eq!(one.name, "security group sg-1");
    }

    #[test]
    fn a_rule_less_or_turned_around_may_close_the_way_and_one_more_can_t() {
        let rules = || vec![rule("icmp", &["10.0.0.0/8"]), rule("tcp", &["10.0.0.0/8"])];
        let all = group_of(rules());
        let less = group_of(rules()[1..].to_vec());
        assert!(less.may_have_closed(&all) && !all.may_have_closed(&less));
        let turned = ec2::SecurityGroup::builder()
            .group_id("sg-1")
            .set_ip_permissions_egress(Some(rules()))
            .build();
        let turned = group(&turned).unwrap();
        assert!(turned.may_have_closed(&all) && all.may_have_closed(&turned));
    }

    #[test]
    fn our_interface_counts_its_groups_and_its_check() {
        let of = |group: &str, check| {
            let group = ec2::GroupIdentifier::builder().group_id(group).build();
            let from = ec2::NetworkInterface::builder()
                .network_interface_id("eni-1")
                .groups(group)
                .source_dest_check(check)
                .build();
            interface(&from).unwrap()
        };
        assert_eq!(of("sg-1", true), of("sg-1", true));
        assert_eq!(of("sg-1", true).name, "network interface eni-1");
        assert_ne!(of("sg-1", true).digest, of("sg-2", true).digest);
        assert_ne!(of("sg-1", true).digest, of("sg-1", false).digest);
    }

    #[test]
    fn an_acl_counts_its_rules_and_the_subnets_that_were_asked_for() {
        let subnets: Vec<SubnetId> =
            ["subnet-1a2b3c4d", "subnet-5a6b7c8d"].iter().map(|id| id.parse().unwrap()).collect();
        let association =
            |id: &SubnetId| ec2::NetworkAclAssociation::builder().subnet_id(id.as_str()).build();
        let entry = |action: ec2::RuleAction| {
            ec2::NetworkAclEntry::builder()
                .egress(false)
                .rule_number(100)
                .rule_action(action)
                .protocol("1")
                .cidr_block("0.0.0.0/0")
                .icmp_type_code(ec2::IcmpTypeCode::builder().r#type(8).code(-1).build())
                .build()
        };
        let part = |action, before: &[SubnetId]| {
            let from = ec2::NetworkAcl::builder()
                .network_acl_id("acl-1")
                .entries(entry(action))
                .set_associations(Some(before.iter().map(association).collect()))
                .build();
            acl(&from, &subnets[..1]).unwrap()
        };
        let open = part(ec2::RuleAction::Allow, &subnets[..1]);
        assert_eq!(open, part(ec2::RuleAction::Allow, &subnets), "the other wasn't asked for");
        assert!(part(ec2::RuleAction::Deny, &subnets[..1]).may_have_closed(&open));
        assert!(part(ec2::RuleAction::Allow, &[]).may_have_closed(&open));
    }
}
