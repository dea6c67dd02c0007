//! The machine that rehome runs on.

use alloc::format;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::case::{Case, read};
use super::{Judged, Judgment, Way};
use crate::net::Cidr;

/// The network in which the mission has its overlay addresses: `10.0.0.100/24` beside `10.0.0.10`.
const OVERLAY_PREFIX: u8 = 24;

pub(super) fn icmp(case: &Case<'_>) -> Judgment {
    Ok(alloc::vec![match &case.facts.machine.icmp {
        Ok(()) => Judged::ok("this process may send pings"),
        Err(refusal) => refusal.into(),
    }])
}

pub(super) fn state_directory(case: &Case<'_>) -> Judgment {
    Ok(alloc::vec![match &case.facts.machine.state_directory {
        Ok(evidence) => Judged::ok(evidence.clone()),
        Err(refusal) => refusal.into(),
    }])
}

pub(super) fn state_file(case: &Case<'_>) -> Judgment {
    let vip = case.order.vip;
    Ok(alloc::vec![match &case.facts.known {
        Ok(None) => Judged::ok(format!("there is none for {vip} yet; `run` makes it")),
        Ok(Some(record)) => Judged::ok(format!(
            "{vip} is on {} after {} moves, by the state file",
            record.holder.instance, record.generation
        )),
        Err(refusal) => refusal.into(),
    }])
}

pub(super) fn hook(case: &Case<'_>) -> Judgment {
    let hook = case.facts.machine.hook.iter();
    Ok(hook
        .map(|hook| match hook {
            Ok(path) => Judged::ok(format!("{path} can be run")),
            Err(refusal) => refusal.into(),
        })
        .collect())
}

/// The addresses that are probed from, the local rule, and the local route: the mission's
/// *Monitoring Network Configuration*.
pub(super) fn address(case: &Case<'_>) -> Judgment {
    let machine = &case.facts.machine;
    let vip = case.order.vip.address;
    if machine.addresses.contains(&vip) {
        return Ok(alloc::vec![Judged::failure(
            format!("{vip} is an address of this very machine, so it would answer itself"),
            "take the address away here, or run rehome on another machine",
        )]);
    }
    let blocks = read("DescribeVpcs", &case.facts.vpc_cidrs)?;
    let absent = |source: &&Ipv4Addr| !machine.addresses.contains(source);
    let mut judged: Vec<Judged> = case
        .order
        .sources
        .iter()
        .filter(absent)
        .map(|source| {
            Judged::failure(
                format!("{source} is to be probed from and is no address of this machine"),
                mend(*source),
            )
        })
        .collect();
    let near = Cidr::containing(vip, OVERLAY_PREFIX);
    let overlay = machine.addresses.iter().find(|address| {
        near.contains(**address) && !blocks.iter().any(|block| block.contains(**address))
    });
    judged.push(match (overlay, machine.towards_vip) {
        // A VPC has no neighbors: everything goes by the subnet's router.
        (Some(overlay), Some(Way { gateway: None, .. })) => Judged::failure(
            format!(
                "the kernel takes {vip} for a neighbor, because {overlay} is in {near}: the rule \
                 or the route that leads {near} to the router is missing"
            ),
            mend(*overlay),
        ),
        (Some(overlay), Some(Way { source, gateway: Some(router) })) if source == *overlay => {
            Judged::ok(format!("the kernel sends to {vip} from {overlay} by {router}"))
        }
        (Some(overlay), way) => Judged::warning(
            format!(
                "{overlay} is an address of this machine, but the kernel sends to {vip} {}: the \
                 rule or the route for {near} is missing",
                way.map_or_else(|| "not at all".into(), |way| format!("from {}", way.source))
            ),
            mend(*overlay),
        ),
        (None, Some(Way { source, .. })) => Judged::ok(format!(
            "this machine has no overlay address; probes leave from {source}, which is enough"
        )),
        (None, None) => Judged::failure(
            format!("this machine has no route to {vip}"),
            "give it a default route in the VPC",
        ),
    });
    Ok(judged)
}

fn mend(address: Ipv4Addr) -> alloc::string::String {
    format!("rehome monitor-net apply --address {address}/{OVERLAY_PREFIX}")
}
