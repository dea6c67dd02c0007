//! Where a replacement goes: one subnet for each AZ, in the order they would be used.
//!
//! A subnet that routes otherwise than the holder's would give a replacement that can't be
//! reached or can't reach out, so an AZ in which no subnet, or more than one, fits is refused by
//! name rather than guessed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::names::{Az, SubnetId, TableId};
use crate::net::Cidr;
use crate::world::{RouteTable, Subnet, Target, Zone};

/// A subnet that a replacement may be launched into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The zone.
    pub az: Az,
    /// The subnet.
    pub subnet: SubnetId,
    /// Its addresses.
    pub cidr: Cidr,
}

/// A zone that can't be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The zone.
    pub az: Az,
    /// Why, naming the rivals where there are several.
    pub why: String,
}

/// The zones of a VPC, sorted out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sites {
    /// Usable ones, in order; the holder's own zone last.
    pub order: Vec<Site>,
    /// The others.
    pub refused: Vec<Refused>,
}

/// Sorts the subnets out: per zone the one that shares the holder's route table, else the one with
/// the same kind of default route and the same values of shared tags. `wanted` decides where it
/// names a subnet of the zone.
#[must_use]
pub fn sites(
    home: &SubnetId,
    subnets: &[Subnet],
    zones: &[Zone],
    tables: &[RouteTable],
    wanted: &[SubnetId],
) -> Sites {
    let Some(own) = subnets.iter().find(|subnet| subnet.id == *home) else {
        return Sites::default();
    };
    let names: BTreeSet<&Az> = subnets.iter().map(|subnet| &subnet.az).collect();
    let mut found = Sites::default();
    for az in names {
        let rivals: Vec<&Subnet> = subnets.iter().filter(|subnet| subnet.az == *az).collect();
        match choose(own, &rivals, zones, tables, wanted) {
            Ok(subnet) => found.order.push(Site {
                az: az.clone(),
                subnet: subnet.id.clone(),
                cidr: subnet.cidr,
            }),
            Err(why) => found.refused.push(Refused { az: az.clone(), why }),
        }
    }
    // The holder's own zone comes last: what took the holder down may be the zone.
    found.order.sort_by_key(|site| (site.az == own.az, site.az.clone()));
    found
}

fn choose<'a>(
    own: &Subnet,
    rivals: &[&'a Subnet],
    zones: &[Zone],
    tables: &[RouteTable],
    wanted: &[SubnetId],
) -> Result<&'a Subnet, String> {
    let zone = rivals.first().and_then(|subnet| zones.iter().find(|zone| zone.name == subnet.az));
    if zone.is_some_and(|zone| zone.kind != "availability-zone") {
        return Err("not an Availability Zone".to_string());
    }
    if zone.is_some_and(|zone| !zone.available) {
        return Err("EC2 calls the zone impaired".to_string());
    }
    if let Some(subnet) = rivals.iter().find(|subnet| wanted.contains(&subnet.id)) {
        return usable(subnet).map(|()| *subnet);
    }
    let usable: Vec<&Subnet> =
        rivals.iter().copied().filter(|subnet| usable(subnet).is_ok()).collect();
    if usable.is_empty() {
        return Err("no subnet with free IPv4 addresses".to_string());
    }
    let table = table_of(&own.id, tables);
    let like = default_route(table, tables);
    let tiers: [&dyn Fn(&Subnet) -> bool; 3] = [
        &|subnet| subnet.id == own.id,
        &|subnet| table_of(&subnet.id, tables) == table,
        &|subnet| {
            default_route(table_of(&subnet.id, tables), tables) == like
                && same_shared_tags(&own.tags, &subnet.tags)
        },
    ];
    for tier in tiers {
        let fit: Vec<&&Subnet> = usable.iter().filter(|subnet| tier(subnet)).collect();
        match fit.as_slice() {
            [] => {}
            [one] => return Ok(one),
            several => {
                let names = crate::verdict::list(several.iter().map(|subnet| &subnet.id));
                return Err(format!("several subnets fit: {names}; name one with --subnet"));
            }
        }
    }
    let names = crate::verdict::list(usable.iter().map(|subnet| &subnet.id));
    Err(format!("no subnet routes like the holder's: {names}; name one with --subnet"))
}

fn usable(subnet: &Subnet) -> Result<(), String> {
    let why = if subnet.outpost.is_some() {
        "lies on an Outpost"
    } else if subnet.ipv6_only {
        "has IPv6 addresses only"
    } else if subnet.free_addresses == 0 {
        "has no free addresses"
    } else {
        return Ok(());
    };
    Err(format!("{} {why}", subnet.id))
}

/// The table that serves a subnet: its own, else the VPC's main one.
#[must_use]
pub fn table_of<'a>(subnet: &SubnetId, tables: &'a [RouteTable]) -> Option<&'a TableId> {
    tables
        .iter()
        .find(|table| table.subnets.contains(subnet))
        .or_else(|| tables.iter().find(|table| table.main))
        .map(|table| &table.id)
}

/// What kind of thing the default route leads to: `igw`, `nat`, an interface, ... or nothing.
fn default_route(table: Option<&TableId>, tables: &[RouteTable]) -> Option<String> {
    let everywhere = Cidr::containing(core::net::Ipv4Addr::UNSPECIFIED, 0);
    let table = tables.iter().find(|other| Some(&other.id) == table)?;
    Some(match &table.route(everywhere)?.target {
        Target::Interface { .. } => "eni".to_string(),
        Target::Other(id) => id.split('-').next().unwrap_or_default().to_string(),
    })
}

/// Tags that both have must say the same; names differ by nature, and so may AWS's own.
fn same_shared_tags(one: &BTreeMap<String, String>, two: &BTreeMap<String, String>) -> bool {
    one.iter()
        .filter(|(key, _)| *key != "Name" && !key.starts_with("aws:"))
        .all(|(key, value)| two.get(key).is_none_or(|other| other == value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Route, RouteState};

    fn subnet(id: &str, az: &str, third: u8) -> Subnet {
        Subnet {
            id: id.parse().unwrap(),
            az: az.parse().unwrap(),
            cidr: alloc::format!("172.31.{third}.0/24").parse().unwrap(),
            free_addresses: 10,
            outpost: None,
            ipv6_only: false,
            public_addresses: false,
            tags: BTreeMap::new(),
        }
    }

    fn table(id: &str, main: bool, subnets: &[&str], default: &str) -> RouteTable {
        RouteTable {
            id: id.parse().unwrap(),
            main,
            subnets: subnets.iter().map(|id| id.parse().unwrap()).collect(),
            gateways: Vec::new(),
            routes: alloc::vec![Route {
                destination: "0.0.0.0/0".parse().unwrap(),
                target: Target::Other(default.into()),
                state: RouteState::Active,
                by_hand: true,
            }],
        }
    }

    const A: &str = "subnet-0000000a";
    const B: &str = "subnet-0000000b";
    const C: &str = "subnet-0000000c";

    fn of(subnets: &[Subnet], tables: &[RouteTable], wanted: &[&str]) -> Sites {
        let wanted: Vec<SubnetId> = wanted.iter().map(|id| id.parse().unwrap()).collect();
        sites(&A.parse().unwrap(), subnets, &[], tables, &wanted)
    }

    fn order(sites: &Sites) -> Vec<&str> {
        sites.order.iter().map(|site| site.subnet.as_str()).collect()
    }

    #[test]
    fn one_subnet_a_zone_and_the_holders_own_zone_last() {
        let subnets = [subnet(A, "us-east-1a", 1), subnet(B, "us-east-1b", 2)];
        let found = of(&subnets, &[table("rtb-00000001", true, &[], "igw-1")], &[]);
        assert_eq!(order(&found), [B, A]);
        assert!(found.refused.is_empty());
    }

    #[test]
    fn the_holders_table_decides_between_subnets_of_a_zone() {
        let subnets =
            [subnet(A, "us-east-1a", 1), subnet(B, "us-east-1b", 2), subnet(C, "us-east-1b", 3)];
        let tables = [
            table("rtb-00000001", true, &[], "igw-1"),
            table("rtb-00000002", false, &[A, C], "nat-1"),
        ];
        assert_eq!(order(&of(&subnets, &tables, &[])), [C, A]);
    }

    #[test]
    fn without_the_holders_table_the_kind_of_default_route_decides() {
        let subnets =
            [subnet(A, "us-east-1a", 1), subnet(B, "us-east-1b", 2), subnet(C, "us-east-1b", 3)];
        let tables = [
            table("rtb-00000001", true, &[], "igw-1"),
            table("rtb-00000002", false, &[A], "nat-1"),
            table("rtb-00000003", false, &[C], "nat-2"),
        ];
        assert_eq!(order(&of(&subnets, &tables, &[])), [C, A]);
    }

    #[test]
    fn rivals_are_named_and_a_word_decides() {
        let subnets =
            [subnet(A, "us-east-1a", 1), subnet(B, "us-east-1b", 2), subnet(C, "us-east-1b", 3)];
        let tables = [table("rtb-00000001", true, &[], "igw-1")];
        let found = of(&subnets, &tables, &[]);
        assert_eq!(order(&found), [A]);
        assert!(found.refused[0].why.contains("several subnets fit"), "{found:?}");
        assert!(found.refused[0].why.contains(B) && found.refused[0].why.contains(C));
        assert_eq!(order(&of(&subnets, &tables, &[C])), [C, A]);
    }

    #[test]
    fn a_full_subnet_is_no_place() {
        let mut full = subnet(B, "us-east-1b", 2);
        full.free_addresses = 0;
        let subnets = [subnet(A, "us-east-1a", 1), full];
        let found = of(&subnets, &[table("rtb-00000001", true, &[], "igw-1")], &[]);
        assert_eq!(order(&found), [A]);
        assert_eq!(found.refused[0].why, "no subnet with free IPv4 addresses");
    }
}
