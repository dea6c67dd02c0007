//! Security-group rules and network-ACL entries, as far as they let pings through.
//!
//! A group's rules are looked at as a whole, allow only, and replies pass by themselves; an ACL's
//! entries are asked in the order of their numbers, the first that fits decides, and replies need
//! entries of their own (VPC user guide, "Security groups", "Network ACLs").

use alloc::string::String;
use alloc::vec::Vec;

use crate::names::{GroupId, SubnetId, VpcId};
use crate::net::Cidr;

/// ICMP's types of a ping (RFC 792).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Echo {
    /// Type 8.
    Request,
    /// Type 0.
    Reply,
}

impl Echo {
    /// The number on the wire.
    #[must_use]
    pub fn icmp_type(self) -> i32 {
        match self {
            Echo::Request => 8,
            Echo::Reply => 0,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Echo::Request => "echo requests",
            Echo::Reply => "echo replies",
        }
    }
}

/// A security group with its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRules {
    /// Its id.
    pub id: GroupId,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// What may come in.
    pub ingress: Vec<Rule>,
    /// What may go out.
    pub egress: Vec<Rule>,
}

/// One rule (EC2 API reference, `IpPermission`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `tcp`, `icmp`, a number, or `-1` for all.
    pub protocol: String,
    /// Of ICMP: the type, -1 for all.
    pub from_port: Option<i32>,
    /// Of ICMP: the code, -1 for all.
    pub to_port: Option<i32>,
    /// Whoever is at the other end.
    pub peers: Vec<Peer>,
}

/// The other end of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Addresses.
    Block(Cidr),
    /// The interfaces that are members of a group: their own addresses, so no overlay address
    /// (EC2 user guide, "Security group rules": the private addresses of the members).
    Group(GroupId),
    /// A prefix list, whose entries aren't read.
    PrefixList(String),
    /// IPv6 and the like.
    Other(String),
}

/// Who is at the other end of a packet.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// Its address, or all that it may get.
    pub block: Cidr,
    /// The groups of the interface that this address belongs to; none of an overlay address.
    pub groups: &'a [GroupId],
}

/// What a set of rules says to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It passes.
    Admitted,
    /// It doesn't; of several addresses, for at least one.
    Refused,
    /// It does if one of these prefix lists has the address.
    Unclear(Vec<String>),
}

/// Whether `rules` let an echo request from or to `end` pass.
pub fn admits<'r>(rules: impl IntoIterator<Item = &'r Rule>, end: End<'_>) -> Admission {
    let mut blocks = Vec::new();
    let mut lists = Vec::new();
    for rule in rules.into_iter().filter(|rule| rule.is_for_pings()) {
        for peer in &rule.peers {
            match peer {
                Peer::Block(block) => blocks.push(*block),
                Peer::Group(group) if end.groups.contains(group) => return Admission::Admitted,
                Peer::PrefixList(list) => lists.push(list.clone()),
                Peer::Group(_) | Peer::Other(_) => {}
            }
        }
    }
    if together(&blocks, end.block) {
        Admission::Admitted
    } else if lists.is_empty() {
        Admission::Refused
    } else {
        Admission::Unclear(lists)
    }
}

/// Whether `blocks` together have every address of `wanted`: halved until one covers a piece or
/// none touches it, so at most 32 times for each of them.
fn together(blocks: &[Cidr], wanted: Cidr) -> bool {
    if blocks.iter().any(|block| block.covers(wanted)) {
        return true;
    }
    let touched = blocks.iter().any(|block| block.overlaps(wanted));
    touched
        && wanted.halves().is_some_and(|halves| halves.iter().all(|half| together(blocks, *half)))
}

impl Rule {
    fn is_for_pings(&self) -> bool {
        let all = |port: Option<i32>| port.is_none_or(|port| port == -1);
        match self.protocol.as_str() {
            "-1" => true,
            "icmp" | "1" => {
                (all(self.from_port) || self.from_port == Some(Echo::Request.icmp_type()))
                    && (all(self.to_port) || self.to_port == Some(0))
            }
            _ => false,
        }
    }

    /// The groups that the rule admits pings of.
    pub(super) fn ping_groups(&self) -> impl Iterator<Item = &GroupId> {
        let peers = self.is_for_pings().then_some(&self.peers).into_iter().flatten();
        peers.filter_map(|peer| match peer {
            Peer::Group(group) => Some(group),
            Peer::Block(_) | Peer::PrefixList(_) | Peer::Other(_) => None,
        })
    }
}

/// A network ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// Its id.
    pub id: String,
    /// The subnets that it stands before.
    pub subnets: Vec<SubnetId>,
    /// Its entries, in any order.
    pub entries: Vec<AclEntry>,
}

/// One entry (EC2 API reference, `NetworkAclEntry`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// Its place in the order; 32767 is the last, which denies.
    pub number: i32,
    /// Whether it is about packets that leave the subnet.
    pub egress: bool,
    /// Whether it lets them pass.
    pub allow: bool,
    /// A number, or `-1` for all.
    pub protocol: String,
    /// The other end; none of an entry for IPv6.
    pub block: Option<Cidr>,
    /// ICMP's type and code, -1 for all.
    pub icmp: Option<(i32, i32)>,
}

/// The number of the last entry of every ACL, which nobody can change.
pub(super) const LAST_ENTRY: i32 = 32_767;

impl Acl {
    /// The first addresses of `other`, at the other end, that such a packet doesn't pass for, and
    /// the number of the entry that stops it: the last one where none fits.
    #[must_use]
    pub fn stops(&self, egress: bool, echo: Echo, other: Cidr) -> Option<(Cidr, i32)> {
        let mut entries: Vec<(Cidr, &AclEntry)> = self
            .entries
            .iter()
            .filter(|entry| entry.egress == egress && entry.is_for(echo))
            .filter_map(|entry| Some((entry.block?, entry)))
            .collect();
        entries.sort_by_key(|(_, entry)| entry.number);
        stopped(&entries, other)
    }

    /// A number that no entry of this direction has, below `number`.
    pub(super) fn free_below(&self, egress: bool, number: i32) -> Option<i32> {
        let taken = |n: &i32| self.entries.iter().any(|e| e.egress == egress && e.number == *n);
        (1..number).rev().find(|n| !taken(n))
    }
}

/// As [`Acl::stops`], by entries in their order. The first that touches a block decides about the
/// part that it has; a block that it cuts is halved, so at most 32 times for each entry.
fn stopped(entries: &[(Cidr, &AclEntry)], other: Cidr) -> Option<(Cidr, i32)> {
    let Some((block, entry)) = entries.iter().find(|(block, _)| block.overlaps(other)) else {
        return Some((other, LAST_ENTRY));
    };
    if block.covers(other) {
        return (!entry.allow).then_some((other, entry.number));
    }
    other.halves()?.into_iter().find_map(|half| stopped(entries, half))
}

impl AclEntry {
    fn is_for(&self, echo: Echo) -> bool {
        match self.protocol.as_str() {
            "-1" => true,
            "1" | "icmp" => self.icmp.is_none_or(|(kind, code)| {
                (kind == -1 || kind == echo.icmp_type()) && (code == -1 || code == 0)
            }),
            _ => false,
        }
    }
}
