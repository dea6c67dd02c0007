//! The packet filter: security groups, network ACLs, and what `break` cuts or thins out. Pure.
//!
//! ```text
//! from a port -> raw: cut? lost? -> forward: group of the sender (egress)
//!                                            ACL of its subnet (outbound)  } between
//!                                            ACL of the other  (inbound)   } subnets only
//!                                            group of the receiver (ingress) -> raw -> to a port
//! ```
//!
//! A group is stateful at its own interface: what it let through once, and the answers to it, pass
//! whatever its rules say later. One connection of the kernel's tracking stands for both ends, so
//! its mark notes which two ports let it through: the upper half is the number of the port that
//! the first packet came from, the lower half that of the port it went to. When a route moves, the
//! new port matches no half and its own rules decide.
//!
//! What is sent to the router itself (metadata and API) isn't forwarded and meets none of this, as
//! on AWS ("Security groups", VPC User Guide: neither they nor ACLs filter the metadata service).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use ec2_model::{AclRule, Admission, Admits, Cidr, PlaneAcl, Traffic};

use super::{API, METADATA};

/// Packets of a hundred that get lost, by direction as seen from the instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Of those it sends.
    pub(crate) from: u8,
    /// Of those sent to it.
    pub(crate) to: u8,
}

/// A port as the filter sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    /// The router's device.
    pub(crate) device: String,
    /// Its number in the marks of connections, from 1.
    pub(crate) number: u16,
    /// Its subnet.
    pub(crate) subnet: String,
    /// What its security groups let through.
    pub(crate) admits: Admits,
    /// It carries nothing in either direction.
    pub(crate) cut: bool,
    /// What gets lost on its wire.
    pub(crate) loss: Loss,
}

/// The whole filter, as text for `nft -f`. What isn't let through is dropped in silence, because
/// that is what a VPC does; a port that isn't among `guards` carries nothing between instances.
pub(crate) fn filter(guards: &[Guard], acls: &BTreeMap<String, PlaneAcl>) -> String {
    let mut text = String::from("add table ip rehome\ndelete table ip rehome\ntable ip rehome {\n");
    for guard in guards {
        text.push_str(&group_chains(guard));
    }
    let subnets = subnets(guards, acls);
    for subnet in &subnets {
        text.push_str(&acl_chain(&subnet.chain("leave"), &subnet.acl.outbound, "daddr"));
        text.push_str(&acl_chain(&subnet.chain("enter"), &subnet.acl.inbound, "saddr"));
    }
    text.push_str(&wires(guards));
    text.push_str(&forward(guards, &subnets));
    text.push_str(&own());
    text.push_str("}\n");
    text
}

/// A filter with every kind of expression that a lab may come to need, to learn in the beginning
/// whether the kernel has them all.
pub(crate) fn trial() -> String {
    let traffic = [
        Traffic::Any,
        Traffic::Tcp(1, 2),
        Traffic::Udp(3, 3),
        Traffic::Icmp(Some(8), Some(0)),
        Traffic::Protocol(50),
    ];
    let peers: Vec<Cidr> =
        ["10.0.0.0/24", "10.0.1.1/32"].iter().filter_map(|text| text.parse().ok()).collect();
    let admit = |traffic| Admission { traffic, peers: peers.clone() };
    let rules: Vec<Admission> = traffic.into_iter().map(admit).collect();
    let deny = |traffic| AclRule { allow: false, traffic, peer: peers[0] };
    let acl: Vec<AclRule> = traffic.into_iter().map(deny).collect();
    let guard = Guard {
        device: "trial".into(),
        number: 1,
        subnet: "trial".into(),
        admits: Admits { ingress: rules.clone(), egress: rules },
        cut: true,
        loss: Loss { from: 50, to: 50 },
    };
    let acls = PlaneAcl { inbound: acl.clone(), outbound: acl };
    filter(&[guard], &BTreeMap::from([("trial".to_owned(), acls)]))
}

/// A subnet with at least one port.
struct Subnet<'a> {
    /// Counts subnets, for the names of chains: an id has a minus, which a name can't have.
    number: usize,
    acl: &'a PlaneAcl,
    /// Its ports, as a set of nft's.
    devices: String,
}

impl Subnet<'_> {
    fn chain(&self, verb: &str) -> String {
        format!("{verb}_{}", self.number)
    }
}

fn subnets<'a>(guards: &[Guard], acls: &'a BTreeMap<String, PlaneAcl>) -> Vec<Subnet<'a>> {
    let of_subnet = |(number, (id, acl)): (usize, (&String, &'a PlaneAcl))| {
        let mine = guards.iter().filter(|guard| guard.subnet == *id);
        let devices: Vec<String> = mine.map(|guard| format!("\"{}\"", guard.device)).collect();
        let devices = format!("{{ {} }}", devices.join(", "));
        guards.iter().any(|guard| guard.subnet == *id).then_some(Subnet { number, acl, devices })
    };
    acls.iter().enumerate().filter_map(of_subnet).collect()
}

/// Which half of a connection's mark, and which packets' turn it is.
#[derive(Clone, Copy)]
enum Half {
    /// The port that the first packet came from.
    First,
    /// The port that it went to.
    Second,
}

impl Half {
    fn kept(self) -> &'static str {
        match self {
            Half::First => "0x0000ffff",
            Half::Second => "0xffff0000",
        }
    }

    fn own(self) -> &'static str {
        match self {
            Half::First => "0xffff0000",
            Half::Second => "0x0000ffff",
        }
    }

    fn of(self, number: u16) -> u32 {
        match self {
            Half::First => u32::from(number) << 16,
            Half::Second => u32::from(number),
        }
    }
}

/// The chains of one port: what it may send, and what may be sent to it.
fn group_chains(guard: &Guard) -> String {
    let Guard { device, number, admits, .. } = guard;
    let mut text = String::new();
    // What comes from the port of the opener is of the connection's own direction; what goes to it
    // is an answer. Of the other port the reverse is true.
    let ways = [
        ("from", Half::First, Half::Second, &admits.egress, "daddr"),
        ("to", Half::Second, Half::First, &admits.ingress, "saddr"),
    ];
    for (verb, opening, answering, rules, side) in ways {
        let turns = [("original", opening), ("reply", answering)];
        let mut known = String::new();
        let mut note = String::new();
        for (direction, half) in turns {
            let mark = format!("{:#010x}", half.of(*number));
            let (own, kept) = (half.own(), half.kept());
            line(
                &mut known,
                format_args!(
                    "ct state established,related ct direction {direction} ct mark and {own} == \
                     {mark} return"
                ),
            );
            line(
                &mut note,
                format_args!("ct direction {direction} ct mark set ct mark and {kept} or {mark}"),
            );
        }
        let mut admitted = String::new();
        for rule in rules {
            if let Some(peers) = peers(&rule.peers, side) {
                let what = joined(&[&peers, &kind(rule.traffic)]);
                line(&mut admitted, format_args!("{what}goto {verb}_{device}_noted"));
            }
        }
        write!(
            text,
            "  chain {verb}_{device}_noted {{\n{note}  }}\n  chain {verb}_{device} \
             {{\n{known}{admitted}    drop\n  }}\n"
        )
        .expect("writing to a String can't fail");
    }
    text
}

/// The rules of an ACL in one direction; who is let through goes on with what comes next.
fn acl_chain(name: &str, rules: &[AclRule], side: &str) -> String {
    let mut text = format!("  chain {name} {{\n");
    for rule in rules {
        let verdict = if rule.allow { "return" } else { "drop" };
        let peers = peers(&[rule.peer], side).unwrap_or_default();
        let what = joined(&[&peers, &kind(rule.traffic)]);
        line(&mut text, format_args!("{what}{verdict}"));
    }
    // Behind the last rule there is a deny for everything, whether or not the ACL tells it.
    text.push_str("    drop\n  }\n");
    text
}

/// What is dropped on the wires themselves, whatever it is and wherever it goes.
fn wires(guards: &[Guard]) -> String {
    let (mut from, mut to) = (String::new(), String::new());
    for guard in guards {
        let device = &guard.device;
        if guard.cut {
            line(&mut from, format_args!("iifname \"{device}\" drop"));
            line(&mut to, format_args!("oifname \"{device}\" drop"));
        }
        for (text, key, percent) in
            [(&mut from, "iifname", guard.loss.from), (&mut to, "oifname", guard.loss.to)]
        {
            match percent {
                0 => {}
                // nft takes no comparison that is always true.
                100.. => line(text, format_args!("{key} \"{device}\" drop")),
                _ => line(
                    text,
                    format_args!("{key} \"{device}\" numgen random mod 100 < {percent} drop"),
                ),
            }
        }
    }
    format!(
        "  chain from_ports {{\n    type filter hook prerouting priority raw; policy accept;\n\
         {from}  }}\n  chain to_ports {{\n    type filter hook postrouting priority raw; policy \
         accept;\n{to}  }}\n"
    )
}

/// What goes from port to port.
fn forward(guards: &[Guard], subnets: &[Subnet<'_>]) -> String {
    let mut rules = String::new();
    let jumps = |verb: &str| {
        let jump = |guard: &Guard| format!("\"{0}\" : jump {verb}_{0}", guard.device);
        guards.iter().map(jump).collect::<Vec<_>>().join(", ")
    };
    if !guards.is_empty() {
        line(&mut rules, format_args!("iifname vmap {{ {} }}", jumps("from")));
        for subnet in subnets {
            let (devices, chain) = (&subnet.devices, subnet.chain("leave"));
            line(&mut rules, format_args!("iifname {devices} oifname != {devices} jump {chain}"));
        }
        for subnet in subnets {
            let (devices, chain) = (&subnet.devices, subnet.chain("enter"));
            line(&mut rules, format_args!("oifname {devices} iifname != {devices} jump {chain}"));
        }
        line(&mut rules, format_args!("oifname vmap {{ {} }}", jumps("to")));
        let devices: BTreeSet<String> =
            guards.iter().map(|guard| format!("\"{}\"", guard.device)).collect();
        let devices = devices.into_iter().collect::<Vec<_>>().join(", ");
        line(&mut rules, format_args!("iifname {{ {devices} }} oifname {{ {devices} }} accept"));
    }
    format!(
        "  chain between_ports {{\n    type filter hook forward priority filter; policy drop;\n\
         {rules}  }}\n"
    )
}

/// What the router itself answers and says.
fn own() -> String {
    format!(
        "  chain to_router {{
    type filter hook input priority filter; policy drop;
    iifname \"lo\" accept
    ip daddr {{ {METADATA}, {API} }} tcp dport 80 accept
  }}
  chain from_router {{
    type filter hook output priority filter; policy accept;
    icmp type {{ destination-unreachable, redirect, time-exceeded, parameter-problem }} drop
  }}
"
    )
}

/// The match for the addresses at the other end; none where there are no such addresses, and an
/// empty one where all are meant.
fn peers(blocks: &[Cidr], side: &str) -> Option<String> {
    let blocks: BTreeSet<Cidr> = blocks.iter().copied().collect();
    if blocks.is_empty() {
        return None;
    }
    if blocks.iter().any(|block| block.prefix == 0) {
        return Some(String::new());
    }
    let list: Vec<String> = blocks.iter().map(Cidr::to_string).collect();
    Some(format!("ip {side} {{ {} }}", list.join(", ")))
}

/// The match for a kind of traffic; empty for everything.
fn kind(traffic: Traffic) -> String {
    match traffic {
        Traffic::Any => String::new(),
        Traffic::Tcp(from, to) => ports("tcp", from, to),
        Traffic::Udp(from, to) => ports("udp", from, to),
        Traffic::Icmp(None, _) => "meta l4proto icmp".into(),
        Traffic::Icmp(Some(kind), None) => format!("icmp type {kind}"),
        Traffic::Icmp(Some(kind), Some(code)) => format!("icmp type {kind} icmp code {code}"),
        Traffic::Protocol(number) => format!("meta l4proto {number}"),
    }
}

fn ports(protocol: &str, from: u16, to: u16) -> String {
    if (from, to) == (0, u16::MAX) {
        format!("meta l4proto {protocol}")
    } else if from == to {
        format!("{protocol} dport {from}")
    } else {
        format!("{protocol} dport {from}-{to}")
    }
}

/// The parts that say something, each with a blank behind it.
fn joined(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).map(|part| format!("{part} ")).collect()
}

fn line(text: &mut String, what: fmt::Arguments<'_>) {
    writeln!(text, "    {what}").expect("writing to a String can't fail");
}

#[cfg(test)]
mod tests;
