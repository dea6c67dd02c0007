//! Route tables: those that carry the address, those that don't, and the way back.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::case::{Case, read};
use super::{Judged, Judgment, TableDetails};
use crate::names::{InterfaceId, TableId};
use crate::net::Cidr;
use crate::placement::table_of;
use crate::preflight::{inside_the_vpc, is_ours};
use crate::record::Record;
use crate::verdict::list;
use crate::world::{Route, RouteState, RouteTable, Target};

/// Routes of a table that nobody has to ask for; a table may be allowed twice as many (VPC user
/// guide, "Amazon VPC quotas": 500 by default, at most 1,000, IPv4 for itself).
const ROUTES_DEFAULT: usize = 500;

/// See [`ROUTES_DEFAULT`].
const ROUTES_MAX: usize = 1_000;

/// A table this full is worth a word.
const ROUTES_MANY: usize = ROUTES_DEFAULT / 10 * 9;

pub(super) fn outside(case: &Case<'_>) -> Judgment {
    let blocks = read("DescribeVpcs", &case.facts.vpc_cidrs)?;
    let destination = case.order.vip.destination;
    Ok(alloc::vec![match inside_the_vpc(case.order, &case.snapshot) {
        Some(refusal) => (&refusal).into(),
        None => Judged::ok(format!("{destination} lies outside {}", list(blocks.iter()))),
    }])
}

/// The tables that would be ours, and where each one's route leads.
pub(super) fn route_set(case: &Case<'_>) -> Judgment {
    let tables = read("DescribeRouteTables", &case.facts.tables)?;
    let begun = case.begun()?;
    let ours = match &begun.route_set {
        Ok(ours) => ours,
        Err(refusals) => return Ok(refusals.iter().map(Judged::from).collect()),
    };
    if ours.is_empty() {
        return Ok(alloc::vec![Judged::failure(
            "no route table of the VPC serves a subnet",
            "name the tables that carry the address with --route-table",
        )]);
    }
    Ok(ours
        .iter()
        .map(|id| match tables.iter().find(|table| table.id == *id) {
            Some(table) => in_table(case, &begun.record, table),
            None => Judged::failure(
                format!("{id} is gone"),
                "name the tables that carry the address with --route-table",
            ),
        })
        .collect())
}

fn in_table(case: &Case<'_>, record: &Record, table: &RouteTable) -> Judged {
    let (id, destination) = (&table.id, record.vip.destination);
    let holder = &record.holder;
    let set = |action: &str| route_command(action, id, destination, &holder.interface);
    let Some(route) = table.route(destination) else {
        return Judged::warning(
            format!("{id} has no route for {destination}; `run` adds it at its start"),
            set("create-route"),
        );
    };
    let evidence = format!("{id} leads {destination} to {}", route.target);
    let to_holder =
        matches!(&route.target, Target::Interface { id, .. } if *id == holder.interface);
    match route.state {
        RouteState::Blackhole if to_holder => Judged::failure(
            format!(
                "{evidence}, which is a black hole: the instance is stopped, or the interface \
                     is detached"
            ),
            format!("aws ec2 start-instances --instance-ids {}", holder.instance),
        ),
        RouteState::Blackhole => {
            Judged::failure(format!("{evidence}, which is a black hole"), set("replace-route"))
        }
        RouteState::Other => Judged::unknown(format!("{evidence}, in a state EC2 doesn't name")),
        RouteState::Active if to_holder => Judged::ok(evidence),
        RouteState::Active if leads_to_ours(case, &route.target) => Judged::warning(
            format!("{evidence}, not to the holder; `run` points it there"),
            set("replace-route"),
        ),
        RouteState::Active => {
            Judged::failure(format!("{evidence}, not to the holder"), set("replace-route"))
        }
    }
}

fn leads_to_ours(case: &Case<'_>, target: &Target) -> bool {
    let Target::Interface { instance: Some(id), .. } = target else { return false };
    case.snapshot.instances.get(id).is_some_and(|instance| is_ours(instance, case.order.vip))
}

/// Routes that win over ours: longer ones. A route of the same length that a gateway propagates
/// or a prefix list brings loses against a static one (VPC user guide, "Route priority").
pub(super) fn shadowing(case: &Case<'_>) -> Judgment {
    let tables = read("DescribeRouteTables", &case.facts.tables)?;
    let destination = case.order.vip.destination;
    let mut judged = Vec::new();
    // Where it isn't clear which tables are ours, all are looked at.
    let ours = case.route_set().ok();
    let is_ours = |table: &&RouteTable| ours.is_none_or(|ours| ours.contains(&table.id));
    for table in tables.iter().filter(|table| table.gateways.is_empty()).filter(is_ours) {
        let longer = table.routes.iter().filter(|route| {
            route.destination.prefix() > destination.prefix()
                && destination.contains(route.destination.network())
        });
        judged.extend(longer.map(|route| {
            Judged::failure(
                format!(
                    "in {} the longer {} wins over {destination} and leads to {}",
                    table.id, route.destination, route.target
                ),
                delete_command(&table.id, route.destination),
            )
        }));
        let same = table.route(destination).filter(|route| !route.by_hand);
        judged.extend(same.map(|route| {
            Judged::failure(
                format!("in {} a gateway propagates {destination}: {}", table.id, route.target),
                "take the block out of what the other side announces, or name the tables that \
                 rehome shall own with --route-table",
            )
        }));
    }
    if judged.is_empty() {
        judged.push(Judged::ok(format!("nothing wins over {destination}")));
    }
    let details = read("DescribeRouteTables", &case.facts.table_details)?;
    let with_more = |of: &&TableDetails| !of.propagating.is_empty() || !of.prefix_lists.is_empty();
    judged.extend(details.iter().filter(with_more).map(|of| {
        let sources = list(of.propagating.iter().chain(&of.prefix_lists));
        Judged::ok(format!("{} also gets routes of {sources}; a static one wins", of.id))
    }));
    Ok(judged)
}

/// How full our tables are.
pub(super) fn quota(case: &Case<'_>) -> Judgment {
    let tables = read("DescribeRouteTables", &case.facts.tables)?;
    let ours = case.route_set()?;
    let destination = case.order.vip.destination;
    let judged = tables.iter().filter(|table| ours.contains(&table.id)).map(|table| {
        // Propagated routes have a quota of their own; the local one counts.
        let local = |route: &Route| matches!(&route.target, Target::Other(id) if id == "local");
        let count = table.routes.iter().filter(|route| route.by_hand || local(route)).count();
        let evidence = format!("{} has {count} of {ROUTES_DEFAULT} routes", table.id);
        let fix = "ask for more routes per table in Service Quotas (L-93826ACB, up to 1,000), or \
                   take some away";
        let missing = table.route(destination).is_none();
        if missing && count >= ROUTES_MAX {
            Judged::failure(format!("{evidence}, and none for {destination} yet"), fix)
        } else if count >= ROUTES_MANY {
            Judged::warning(evidence, fix)
        } else {
            Judged::ok(evidence)
        }
    });
    Ok(judged.collect())
}

/// Subnets whose machines can't reach the address: their table isn't one of ours.
pub(super) fn clients(case: &Case<'_>) -> Judgment {
    read("DescribeRouteTables", &case.facts.tables)?;
    let subnets = read("DescribeSubnets", &case.facts.subnets)?;
    let ours = case.route_set()?;
    let begun = case.begun()?;
    let destination = case.order.vip.destination;
    // A table of ours may have lost its route, or not have it yet.
    let carries =
        |table: &RouteTable| ours.contains(&table.id) && table.route(destination).is_some();
    let mut without: Vec<(&RouteTable, Vec<String>)> = Vec::new();
    for subnet in subnets {
        let Some(table) = case.table_of(&subnet.id).filter(|table| !carries(table)) else {
            continue;
        };
        match without.iter_mut().find(|(known, _)| known.id == table.id) {
            Some((_, of)) => of.push(subnet.id.to_string()),
            None => without.push((table, alloc::vec![subnet.id.to_string()])),
        }
    }
    if without.is_empty() {
        let count = subnets.len();
        let evidence = format!("the tables of all {count} subnets carry {destination}");
        return Ok(alloc::vec![Judged::ok(evidence)]);
    }
    let holder = &begun.record.holder.interface;
    Ok(without
        .into_iter()
        .map(|(table, of)| {
            let (id, of) = (&table.id, of.join(", "));
            let create = route_command("create-route", id, destination, holder);
            if ours.contains(id) {
                let evidence = format!(
                    "machines in {of} don't reach {destination} until `run` adds it to {id}"
                );
                return Judged::warning(evidence, create);
            }
            let evidence = match best(table, case.order.vip.address) {
                Some(route) if route.destination == destination => format!(
                    "machines in {of} are led to {} by {id}, which isn't rehome's to move",
                    route.target
                ),
                Some(route) if route.destination.prefix() > 0 => format!(
                    "machines in {of} don't reach {destination}: {id} leads {} to {}",
                    route.destination, route.target
                ),
                Some(_) | None => {
                    format!("machines in {of} don't reach {destination}: {id} has no route for it")
                }
            };
            let fix = format!("{create}; where --route-table is given, name {id} too");
            Judged::warning(evidence, fix)
        })
        .collect())
}

/// The route back to our overlay address, from the holder and from wherever a replacement may be.
pub(super) fn way_back(case: &Case<'_>) -> Judgment {
    read("DescribeRouteTables", &case.facts.tables)?;
    let sources = case.overlay_sources()?;
    if sources.is_empty() {
        return Ok(alloc::vec![Judged::ok(
            "probes leave from addresses of the VPC, which every table leads back to"
        )]);
    }
    let own = case.monitor().map(|(_, interface)| &interface.id);
    let mut judged: Vec<Judged> = Vec::new();
    for source in sources {
        for subnet in case.homes()? {
            let Some(table) = table_of(subnet, &case.snapshot.tables) else { continue };
            let Some(table) = case.snapshot.tables.iter().find(|of| of.id == *table) else {
                continue;
            };
            let one = match own {
                Some(own) => back(table, source, own),
                None => back_out(table, source),
            };
            // Several subnets may share a table.
            if !judged.contains(&one) {
                judged.push(one);
            }
        }
    }
    Ok(judged)
}

/// The way back to our own interface, for an address that nothing but a route leads to.
fn back(table: &RouteTable, source: Ipv4Addr, own: &InterfaceId) -> Judged {
    let (id, host) = (&table.id, Cidr::host(source));
    let Some(route) = best(table, source).filter(|route| route.destination.prefix() > 0) else {
        return Judged::failure(
            format!("{id} has no way back to {source}: answers to probes from there are lost"),
            route_command("create-route", id, host, own),
        );
    };
    let evidence = format!("{id} leads {} back to {}", route.destination, route.target);
    let action = if route.destination == host { "replace-route" } else { "create-route" };
    let mend = || route_command(action, id, host, own);
    match (&route.target, route.state) {
        (_, RouteState::Blackhole) => {
            Judged::failure(format!("{evidence}, which is a black hole"), mend())
        }
        (Target::Interface { id: to, .. }, RouteState::Active | RouteState::Other) if own == to => {
            Judged::ok(evidence)
        }
        // A gateway leads out of the VPC, in which we are.
        (Target::Interface { .. } | Target::Other(_), RouteState::Active | RouteState::Other) => {
            Judged::failure(format!("{evidence}, which isn't this machine"), mend())
        }
    }
}

/// The way back out of the VPC, where we are. What lies behind a gateway isn't seen from here, and
/// our address may be another one by the time it gets into the VPC.
fn back_out(table: &RouteTable, source: Ipv4Addr) -> Judged {
    let id = &table.id;
    let fix = format!(
        "lead {source} in {id} to the gateway by which this machine is reached: a transit or \
         virtual private gateway, or a peering connection"
    );
    let translated = "unless its address is translated on the way, answers are lost";
    match best(table, source) {
        None => Judged::warning(format!("{id} has no way back to {source}: {translated}"), fix),
        Some(Route { destination, target, state: RouteState::Blackhole, .. }) => Judged::warning(
            format!(
                "{id} leads {destination} back to {target}, which is a black hole: {translated}"
            ),
            fix,
        ),
        Some(Route {
            destination, target, state: RouteState::Active | RouteState::Other, ..
        }) => Judged::unproven(
            format!("that {source} is reached by {target}, to which {id} leads {destination}"),
            "see `answers`",
        ),
    }
}

/// The longest route for an address.
fn best(table: &RouteTable, address: Ipv4Addr) -> Option<&Route> {
    let fits = table.routes.iter().filter(|route| route.destination.contains(address));
    fits.max_by_key(|route| route.destination.prefix())
}

/// What else writes these tables, by the tags that such tools leave.
pub(super) fn writers(case: &Case<'_>) -> Judgment {
    let details = read("DescribeRouteTables", &case.facts.table_details)?;
    let ours = case.route_set()?;
    let mut judged: Vec<Judged> = Vec::new();
    for of in details.iter().filter(|of| ours.contains(&of.id)) {
        let Some((tool, by)) = writer(of) else { continue };
        judged.push(Judged::warning(
            format!("{tool} made {} ({by}): its next run may put the route back", of.id),
            "leave the address's route out of what it manages (Terraform: `aws_route` of its own, \
             with `ignore_changes`; CloudFormation: no AWS::EC2::Route for it)",
        ));
    }
    if judged.is_empty() {
        judged.push(Judged::ok("no tag of theirs names CloudFormation, Terraform or the like"));
    }
    Ok(judged)
}

/// The tool that a table's tags name, and the tag.
fn writer(of: &TableDetails) -> Option<(&'static str, String)> {
    const TOOLS: [(&str, &str); 5] = [
        ("aws:cloudformation:", "CloudFormation"),
        ("terraform", "Terraform"),
        ("opentofu", "OpenTofu"),
        ("pulumi", "Pulumi"),
        ("crossplane", "Crossplane"),
    ];
    // CloudFormation's tags first: it sets them itself, the others are people's habits.
    TOOLS.iter().find_map(|(mark, tool)| {
        let names = |text: &String| text.to_ascii_lowercase().contains(mark);
        let tag = of.tags.iter().find(|(key, value)| names(key) || names(value));
        tag.map(|(key, value)| (*tool, format!("tag {key} = {value}")))
    })
}

fn route_command(action: &str, table: &TableId, destination: Cidr, to: &InterfaceId) -> String {
    format!(
        "aws ec2 {action} --route-table-id {table} --destination-cidr-block {destination} \
         --network-interface-id {to}"
    )
}

fn delete_command(table: &TableId, destination: Cidr) -> String {
    format!("aws ec2 delete-route --route-table-id {table} --destination-cidr-block {destination}")
}
