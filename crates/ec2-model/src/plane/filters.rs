//! What security groups admit at an interface, and network ACLs at a subnet, as plain data.
//!
//! Groups are stateful: an answer to what was admitted passes whatever the rules say. ACLs have no
//! memory: each packet that enters or leaves a subnet meets them ("Security groups" and "Network
//! ACLs", VPC User Guide). Neither sees traffic to the metadata service.

use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{
    api::NetworkAclEntry,
    cidr::Cidr,
    ec2::Ec2,
    groups::Way,
    world::{Interface, Peer, Rule},
};

/// What an interface's security groups admit together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admits {
    /// From whom, by source address.
    pub ingress: Vec<Admission>,
    /// To whom, by destination address.
    pub egress: Vec<Admission>,
}

/// One rule of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Of what kind.
    pub traffic: Traffic,
    /// The addresses at the other end. A rule that names a group means those of its members'
    /// interfaces, which an overlay address is none of (VPC User Guide, "Security group
    /// referencing"); empty where no member is left.
    pub peers: Vec<Cidr>,
}

/// What kind of packets a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Traffic {
    /// Everything.
    Any,
    /// TCP to these ports, both included.
    Tcp(u16, u16),
    /// UDP to these ports, both included.
    Udp(u16, u16),
    /// ICMP of this type and code; none stands for all.
    Icmp(Option<u8>, Option<u8>),
    /// Everything of another protocol.
    Protocol(u8),
}

/// The network ACL of a subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaneAcl {
    /// What may enter, by source address; the first that matches decides.
    pub inbound: Vec<AclRule>,
    /// What may leave, by destination address; the first that matches decides.
    pub outbound: Vec<AclRule>,
}

/// One rule of a network ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclRule {
    /// Lets pass what matches; else drops it.
    pub allow: bool,
    /// Of what kind.
    pub traffic: Traffic,
    /// The addresses at the other end.
    pub peer: Cidr,
}

impl Ec2 {
    pub(super) fn admits(&self, interface: &Interface) -> Admits {
        let groups = interface.groups.iter().filter_map(|id| self.world.groups.get(id));
        let rules: Vec<&Rule> = groups.flat_map(|group| &group.rules).collect();
        let of = |way| {
            let mine = rules.iter().filter(|rule| rule.way() == way);
            mine.filter_map(|rule| self.admission(rule)).collect()
        };
        Admits { ingress: of(Way::Ingress), egress: of(Way::Egress) }
    }

    fn admission(&self, rule: &Rule) -> Option<Admission> {
        let traffic = traffic(&rule.protocol, rule.ports)?;
        let peers = match &rule.peer {
            Peer::Ipv4(block) => vec![*block],
            Peer::Ipv6(_) => return None,
            Peer::Group(id) => self.members(id).map(|ip| Cidr::new(ip, 32)).collect(),
            Peer::PrefixList(id) => self.world.prefix_lists.get(id).cloned().unwrap_or_default(),
        };
        Some(Admission { traffic, peers })
    }

    /// The addresses that EC2 knows of a group's interfaces.
    fn members(&self, group: &str) -> impl Iterator<Item = Ipv4Addr> {
        let interfaces = self.world.interfaces.values();
        interfaces.filter(move |i| i.groups.iter().any(|id| id == group)).map(|i| i.ip)
    }

    pub(super) fn plane_acl(&self, subnet: &str) -> PlaneAcl {
        let mut acls = self.world.acls.values();
        let mine = acls.find(|acl| acl.associations.iter().any(|a| a.subnet_id == subnet));
        let entries = mine.map_or(&[][..], |acl| &acl.entries);
        let of = |egress| {
            let mut rules: Vec<&NetworkAclEntry> =
                entries.iter().filter(|entry| entry.egress == egress).collect();
            rules.sort_by_key(|entry| entry.rule_number);
            rules.into_iter().filter_map(acl_rule).collect()
        };
        PlaneAcl { inbound: of(false), outbound: of(true) }
    }
}

/// None where the entry is about IPv6.
fn acl_rule(entry: &NetworkAclEntry) -> Option<AclRule> {
    let peer = entry.cidr_block.as_ref()?.parse().ok()?;
    let name = match entry.protocol.as_str() {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        other => other,
    };
    let traffic = traffic(name, entry.port_range.or(entry.icmp_type_code))?;
    Some(AclRule { allow: entry.rule_action == "allow", traffic, peer })
}

/// None where no packet of IPv4 can be meant.
fn traffic(protocol: &str, ports: Option<(i64, i64)>) -> Option<Traffic> {
    let port = |n: i64| u16::try_from(n).ok();
    let part = |n: i64| u8::try_from(n).ok();
    Some(match (protocol, ports) {
        ("-1", _) => Traffic::Any,
        ("tcp", Some((from, to))) => Traffic::Tcp(port(from)?, port(to)?),
        ("udp", Some((from, to))) => Traffic::Udp(port(from)?, port(to)?),
        ("icmp", Some((kind, code))) => Traffic::Icmp(part(kind), part(code)),
        ("tcp" | "udp" | "icmp" | "icmpv6", _) => return None,
        (number, _) => Traffic::Protocol(number.parse().ok()?),
    })
}
