//! From permissions, as callers write them, to rules with one peer each.
//!
//! EC2 API, `IpPermission` and `IpRange`: protocols by name or number, blocks made canonical.

use core::fmt;

use crate::{
    api::{IpPermission, IpRange, UserIdGroupPair},
    cidr::{Cidr, ipv6_block},
    ec2::Ec2,
    error::{ApiError, required},
    ids::Kind,
    world::{Peer, Rule},
};

/// A rule before it has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, another number, or `-1`.
    pub(super) protocol: String,
    /// First and last port, or ICMP type and code with -1 for all; none where the protocol has
    /// neither.
    pub(super) ports: Option<(i64, i64)>,
    pub(super) peer: Peer,
    pub(super) description: Option<String>,
}

impl Draft {
    pub(super) fn everything(peer: Peer) -> Draft {
        Draft { protocol: "-1".to_owned(), ports: None, peer, description: None }
    }

    /// Whether a rule says the same; descriptions don't count.
    pub(super) fn is_like(&self, rule: &Rule) -> bool {
        self.protocol == rule.protocol && self.ports == rule.ports && self.peer == rule.peer
    }

    /// The same as a permission.
    pub(super) fn permission(&self, account: &str) -> IpPermission {
        let mut permission = IpPermission {
            ip_protocol: self.protocol.clone(),
            from_port: self.ports.map(|(from, _)| from),
            to_port: self.ports.map(|(_, to)| to),
            ..IpPermission::default()
        };
        add_peer(&mut permission, &self.peer, self.description.as_ref(), account);
        permission
    }
}

/// As in EC2's text about a rule that is there already.
impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer: {}, ", self.peer)?;
        let all = |n: i64| if n < 0 { "ALL".to_owned() } else { n.to_string() };
        match (self.protocol.as_str(), self.ports) {
            ("-1", _) => write!(f, "ALL")?,
            ("tcp" | "udp", Some((from, to))) => {
                let name = self.protocol.to_ascii_uppercase();
                write!(f, "{name}, from port: {from}, to port: {to}")?;
            }
            ("icmp" | "icmpv6", ports) => {
                let (kind, code) = ports.unwrap_or((-1, -1));
                let name = self.protocol.to_ascii_uppercase();
                write!(f, "{name}, type: {}, code: {}", all(kind), all(code))?;
            }
            (number, _) => write!(f, "protocol: {number}")?,
        }
        write!(f, ", ALLOW")
    }
}

impl Ec2 {
    /// One draft for each peer of each permission.
    pub(super) fn drafts(
        &self,
        permissions: &[IpPermission],
        vpc: &str,
    ) -> Result<Vec<Draft>, ApiError> {
        let mut drafts: Vec<Draft> = Vec::new();
        for permission in permissions {
            let protocol = protocol(required(&permission.ip_protocol, "ipProtocol")?)?;
            let ports = ports(&protocol, permission.from_port, permission.to_port)?;
            let peers = self.peers(permission, vpc)?;
            if peers.is_empty() {
                return Err(ApiError::missing_parameter("ipRanges, ipv6Ranges or groups"));
            }
            for (peer, description) in peers {
                let draft = Draft { protocol: protocol.clone(), ports, peer, description };
                let same = |other: &Draft| {
                    (&other.protocol, other.ports, &other.peer)
                        == (&draft.protocol, draft.ports, &draft.peer)
                };
                if drafts.iter().any(same) {
                    return Err(ApiError::invalid_value(
                        "The same permission must not appear multiple times",
                    ));
                }
                drafts.push(draft);
            }
        }
        Ok(drafts)
    }

    fn peers(
        &self,
        permission: &IpPermission,
        vpc: &str,
    ) -> Result<Vec<(Peer, Option<String>)>, ApiError> {
        let mut peers = Vec::new();
        for range in &permission.ip_ranges {
            let block: Cidr = range.cidr.parse().map_err(|_| malformed_block(&range.cidr))?;
            peers.push((Peer::Ipv4(block), range.description.clone()));
        }
        for range in &permission.ipv6_ranges {
            let block = ipv6_block(&range.cidr).ok_or_else(|| malformed_block(&range.cidr))?;
            peers.push((Peer::Ipv6(block), range.description.clone()));
        }
        for pair in &permission.groups {
            let id = self.named_by(pair, vpc)?;
            peers.push((Peer::Group(id), pair.description.clone()));
        }
        for id in &permission.prefix_list_ids {
            if !self.world.prefix_lists.contains_key(id) {
                return Err(ApiError::new(
                    400,
                    "InvalidPrefixListID.NotFound",
                    format!("The prefix list ID '{id}' does not exist"),
                ));
            }
            peers.push((Peer::PrefixList(id.clone()), None));
        }
        Ok(peers)
    }

    /// The group that a pair names: of the same VPC, for want of peerings.
    fn named_by(&self, pair: &UserIdGroupPair, vpc: &str) -> Result<String, ApiError> {
        if let (true, Some(name)) = (pair.group_id.is_empty(), &pair.group_name) {
            return self.group_named(name, vpc);
        }
        let id = required(&pair.group_id, "groupId")?;
        Kind::Group.check(id)?;
        let found = self.world.groups.get(id).ok_or_else(|| Kind::Group.not_found(&[id]))?;
        if found.vpc != vpc {
            return Err(ApiError::new(
                400,
                "InvalidGroup.NotFound",
                "You have specified two resources that belong to different networks.",
            ));
        }
        Ok(id.to_owned())
    }
}

/// Adds a rule's peer to a permission.
pub(crate) fn add_peer(
    permission: &mut IpPermission,
    peer: &Peer,
    description: Option<&String>,
    account: &str,
) {
    let description = description.cloned();
    match peer {
        Peer::Ipv4(block) => {
            permission.ip_ranges.push(IpRange { cidr: block.to_string(), description });
        }
        Peer::Ipv6(block) => {
            permission.ipv6_ranges.push(IpRange { cidr: block.clone(), description });
        }
        Peer::PrefixList(id) => permission.prefix_list_ids.push(id.clone()),
        Peer::Group(id) => permission.groups.push(UserIdGroupPair {
            user_id: account.to_owned(),
            group_id: id.clone(),
            group_name: None,
            description,
        }),
    }
}

/// The name EC2 tells a protocol by: one of four, or its number.
fn protocol(text: &str) -> Result<String, ApiError> {
    let name = match text.to_ascii_lowercase().as_str() {
        "-1" | "all" => "-1",
        "tcp" | "6" => "tcp",
        "udp" | "17" => "udp",
        "icmp" | "1" => "icmp",
        "icmpv6" | "58" => "icmpv6",
        other => return Ok(other.parse::<u8>().map_err(|_| unknown_protocol(text))?.to_string()),
    };
    Ok(name.to_owned())
}

/// EC2's answer to what is neither a protocol's name nor its number.
pub(crate) fn unknown_protocol(text: &str) -> ApiError {
    ApiError::invalid_value(format!("Invalid value '{text}' for IP protocol. Unknown protocol."))
}

/// Texts: boto/boto3 issue 336, awsdocs/aws-cloudformation-user-guide pull request 217,
/// terraform-aws-modules/terraform-aws-security-group issue 7.
fn ports(
    protocol: &str,
    from: Option<i64>,
    to: Option<i64>,
) -> Result<Option<(i64, i64)>, ApiError> {
    let both = |what: &str| {
        from.zip(to).ok_or_else(|| {
            ApiError::invalid_value(format!(
                "Invalid value 'Must specify both from and to ports with {what}.' for portRange."
            ))
        })
    };
    match protocol {
        "tcp" | "udp" => {
            let (from, to) = both("TCP/UDP")?;
            for port in [from, to] {
                if !(0..=65_535).contains(&port) {
                    return Err(malformed(format!("TCP/UDP port ({port}) out of range")));
                }
            }
            if from > to {
                return Err(ApiError::invalid_value(format!(
                    "Invalid TCP/UDP port range ({from}:{to})"
                )));
            }
            Ok(Some((from, to)))
        }
        "icmp" => {
            let (kind, code) = both("ICMP")?;
            for (what, number) in [("type", kind), ("code", code)] {
                if !(-1..=255).contains(&number) {
                    return Err(ApiError::invalid_value(format!(
                        "ICMP {what} ({number}) out of range"
                    )));
                }
            }
            // EC2 API, `IpPermission`: all types go with all codes only.
            if kind == -1 && code != -1 {
                return Err(ApiError::invalid_value(format!("ICMP code ({code}) out of range")));
            }
            Ok(Some((kind, code)))
        }
        "icmpv6" => Ok(from.zip(to)),
        _all_ports => Ok(None),
    }
}

fn malformed(message: String) -> ApiError {
    ApiError::new(400, "InvalidPermission.Malformed", message)
}

pub(crate) fn malformed_block(text: &str) -> ApiError {
    ApiError::invalid_value(format!("CIDR block {text} is malformed"))
}
