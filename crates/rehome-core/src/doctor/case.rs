//! The facts put together: who holds the VIP, which tables, where replacements would go.
//!
//! Made by the rules that `run` begins with. What couldn't be read is empty in the snapshot; every
//! check asks for the readings it rests on first, so that emptiness is never taken for absence.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::{Facts, GroupRules, Reading};
use crate::fault::CallError;
use crate::names::{GroupId, SubnetId, TableId};
use crate::placement::{Sites, sites, table_of};
use crate::preflight::{Order, Refusal, Snapshot, holder, outdated, routes};
use crate::record::Record;
use crate::spec::Parts;
use crate::world::{Caller, Group, Instance, Interface, RouteTable};

/// What the checks look at.
pub(super) struct Case<'a> {
    pub(super) order: &'a Order,
    pub(super) facts: &'a Facts,
    pub(super) snapshot: Snapshot,
    /// The beginning as `run` would make it, or why it wouldn't.
    beginning: Result<Beginning, Missing>,
}

/// Who holds the VIP, and what follows from that.
pub(super) struct Beginning {
    pub(super) record: Record,
    pub(super) route_set: Result<Vec<TableId>, Vec<Refusal>>,
    pub(super) sites: Sites,
    pub(super) notes: Vec<String>,
}

/// Why there is no beginning.
pub(super) enum Missing {
    /// It is refused.
    Refused(Refusal),
    /// Something couldn't be read.
    Unread(String),
}

impl<'a> Case<'a> {
    pub(super) fn new(order: &'a Order, facts: &'a Facts) -> Case<'a> {
        let snapshot = snapshot(facts);
        let beginning = beginning(order, facts, &snapshot);
        Case { order, facts, snapshot, beginning }
    }

    /// The beginning, for checks that need a holder.
    pub(super) fn begun(&self) -> Result<&Beginning, String> {
        self.beginning.as_ref().map_err(|missing| match missing {
            Missing::Refused(_) => "there is no holder to look at".to_string(),
            Missing::Unread(why) => why.clone(),
        })
    }

    /// The beginning or why there is none, for the check that is about that.
    pub(super) fn beginning(&self) -> Result<&Beginning, &Missing> {
        self.beginning.as_ref()
    }

    /// The tables that would be ours.
    pub(super) fn route_set(&self) -> Result<&[TableId], String> {
        let refused = |_| "it isn't clear which tables are rehome's".to_string();
        self.begun()?.route_set.as_deref().map_err(refused)
    }

    /// The holder as EC2 shows it.
    pub(super) fn holder(&self) -> Result<&Instance, String> {
        let id = &self.begun()?.record.holder.instance;
        read("DescribeInstances", &self.facts.instances)?
            .get(id)
            .ok_or_else(|| format!("EC2 no longer shows {id}"))
    }

    /// The instance that we run on, where it is one of the holder's VPC.
    pub(super) fn monitor(&self) -> Option<(&Instance, &Interface)> {
        let own = self.facts.own_instance.as_ref()?;
        let own = self.facts.instances.as_ref().ok()?.get(own)?;
        let interface = own.primary_interface()?;
        (self.facts.vpc.is_some() && own.vpc == self.facts.vpc).then_some((own, interface))
    }

    /// The addresses that are probed from and that no VPC block contains.
    pub(super) fn overlay_sources(&self) -> Result<Vec<Ipv4Addr>, String> {
        let blocks = read("DescribeVpcs", &self.facts.vpc_cidrs)?;
        let outside = |source: &&Ipv4Addr| !blocks.iter().any(|block| block.contains(**source));
        Ok(self.order.sources.iter().filter(outside).copied().collect())
    }

    /// The table that serves a subnet.
    pub(super) fn table_of(&self, subnet: &SubnetId) -> Option<&RouteTable> {
        let tables = &self.snapshot.tables;
        let id = table_of(subnet, tables)?;
        tables.iter().find(|table| table.id == *id)
    }

    /// The subnets that hold the VIP now or may later, each once, the holder's first.
    pub(super) fn homes(&self) -> Result<Vec<&SubnetId>, String> {
        let begun = self.begun()?;
        let mut homes = alloc::vec![&begun.record.holder.subnet];
        for site in &begun.sites.order {
            if !homes.contains(&&site.subnet) {
                homes.push(&site.subnet);
            }
        }
        Ok(homes)
    }

    /// The rules of these groups.
    pub(super) fn rules_of(&self, ids: &[GroupId]) -> Result<Vec<&GroupRules>, String> {
        let groups = read("DescribeSecurityGroups", &self.facts.groups)?;
        ids.iter()
            .map(|id| {
                let found = groups.iter().find(|group| group.id == *id);
                found.ok_or_else(|| format!("the rules of {id} can't be read"))
            })
            .collect()
    }
}

/// A reading, or the sentence that says what it failed with.
pub(super) fn read<'a, T>(action: &str, reading: &'a Reading<T>) -> Result<&'a T, String> {
    reading.as_ref().map_err(|error| unread(action, error))
}

fn unread(action: &str, error: &CallError) -> String {
    match error {
        CallError::Refused { code, .. } => format!("{action} was refused: {code}"),
        CallError::NoAnswer(why) => format!("{action} got no answer: {why}"),
        // What couldn't be asked says itself why.
        CallError::NotSent(why) => format!("not asked: {why}"),
    }
}

fn snapshot(facts: &Facts) -> Snapshot {
    let unknown = || Caller { account: "unknown".into(), arn: "unknown".into() };
    let groups = facts.groups.as_deref().unwrap_or_default();
    Snapshot {
        caller: facts.caller.clone().unwrap_or_else(|_| unknown()),
        vpc: facts.vpc.clone(),
        vpc_cidrs: facts.vpc_cidrs.clone().unwrap_or_default(),
        instances: facts.instances.clone().unwrap_or_default(),
        subnets: facts.subnets.clone().unwrap_or_default(),
        zones: facts.zones.clone().unwrap_or_default(),
        tables: facts.tables.clone().unwrap_or_default(),
        groups: groups
            .iter()
            .map(|group| Group { id: group.id.clone(), vpc: group.vpc.clone() })
            .collect(),
        key_exists: facts.key_exists.clone().unwrap_or(true),
        parts: Parts {
            image: facts.image.clone().ok().flatten(),
            ..facts.parts.clone().unwrap_or_default()
        },
        own_instance: facts.own_instance.clone(),
    }
}

fn beginning(order: &Order, facts: &Facts, snapshot: &Snapshot) -> Result<Beginning, Missing> {
    read("DescribeInstances", &facts.instances).map_err(Missing::Unread)?;
    let mut notes = Vec::new();
    let known = facts.known.clone().ok().flatten();
    let found = match known {
        Some(record) if outdated(order, &record, snapshot).is_some() => {
            let why = "the state file is older than what AWS shows: see `state-file`";
            return Err(Missing::Unread(why.into()));
        }
        Some(record) => {
            // Who can't be asked who we are can't contradict the file.
            let account = match &facts.caller {
                Ok(caller) => caller.account.clone(),
                Err(_) => record.account.clone(),
            };
            let caller = Caller { account, ..snapshot.caller.clone() };
            holder::resumed(order, record, &Snapshot { caller, ..snapshot.clone() }, &mut notes)
        }
        None => holder::found(order, snapshot, &mut notes),
    };
    let record = match (found, &facts.tables) {
        (Ok(record), _) => record,
        (Err(refusal), Ok(_)) => return Err(Missing::Refused(refusal)),
        // Nobody tells in which VPC to look: no table will name another holder.
        (Err(refusal), _) if snapshot.vpc.is_none() => return Err(Missing::Refused(refusal)),
        (Err(_), Err(error)) => return Err(Missing::Unread(unread("DescribeRouteTables", error))),
    };
    let sites = sites(
        &record.holder.subnet,
        &snapshot.subnets,
        &snapshot.zones,
        &snapshot.tables,
        &order.subnets,
    );
    let route_set = routes::route_set(order, &record, snapshot, &mut notes);
    Ok(Beginning { record, route_set, sites, notes })
}
