//! The machine that rehome runs on.

use alloc::format;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::case::{Case, read};
use super::{Judged, Judgment, Machine, OwnAddress, Way};
use crate::net::Cidr;
use crate::preflight::outdated;

/// The network in which the mission has its overlay addresses, `10.0.0.100/24` beside `10.0.0.10`:
/// meant where no address of this machine says another.
const OVERLAY_PREFIX: u8 = 24;

/// The widest network that `monitor-net` takes.
const OVERLAY_PREFIX_LEAST: u8 = 8;

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
        Ok(Some(record)) => match outdated(case.order, record, &case.snapshot) {
            Some(refusal) => (&refusal).into(),
            None => Judged::ok(format!(
                "{vip} is on {} after {} moves, by the state file",
                record.holder.instance, record.generation
            )),
        },
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
    if machine.has(vip) {
        return Ok(alloc::vec![Judged::failure(
            format!("{vip} is an address of this very machine, so it would answer itself"),
            "take the address away here, or run rehome on another machine",
        )]);
    }
    let blocks = read("DescribeVpcs", &case.facts.vpc_cidrs)?;
    let absent = |source: &&Ipv4Addr| !machine.has(**source);
    let mut judged: Vec<Judged> = case
        .order
        .sources
        .iter()
        .filter(absent)
        .map(|source| {
            Judged::failure(
                format!("{source} is to be probed from and is no address of this machine"),
                mend(*source, block_with(*source, vip)),
            )
        })
        .collect();
    let overlay = overlay(machine, vip, blocks);
    judged.push(match (overlay, machine.towards_vip) {
        // A VPC has no neighbors: everything goes by the subnet's router.
        (Some((overlay, near)), Some(Way { gateway: None, .. })) => Judged::failure(
            format!(
                "the kernel takes {vip} for a neighbor, because {overlay} is in {near}: the rule \
                 or the route that leads {near} to the router is missing"
            ),
            mend(overlay, near),
        ),
        (Some((overlay, _)), Some(Way { source, gateway: Some(router) })) if source == overlay => {
            Judged::ok(format!("the kernel sends to {vip} from {overlay} by {router}"))
        }
        (Some((overlay, near)), way) => Judged::warning(
            format!(
                "{overlay} is an address of this machine, but the kernel sends to {vip} {}: the \
                 rule or the route for {near} is missing",
                way.map_or_else(|| "not at all".into(), |way| format!("from {}", way.source))
            ),
            mend(overlay, near),
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

/// Our overlay address and its network: the one of an interface, where it has the VIP (of several
/// the one that the kernel sends from), else the one that is meant. The kernel takes for neighbors
/// what the interface's network has.
fn overlay(machine: &Machine, vip: Ipv4Addr, vpc: &[Cidr]) -> Option<(Ipv4Addr, Cidr)> {
    let outside = |own: &&OwnAddress| !vpc.iter().any(|block| block.contains(own.address));
    let of = |own: &OwnAddress, prefix| (own.address, Cidr::containing(own.address, prefix));
    let with_vip = |(_, near): &(Ipv4Addr, Cidr)| near.contains(vip);
    let all = || machine.addresses.iter().filter(outside);
    let sent_from = machine.towards_vip.map(|way| way.source);
    let networks = all().filter(|own| own.prefix >= OVERLAY_PREFIX_LEAST);
    let networks = networks.map(|own| of(own, own.prefix)).filter(with_vip);
    networks
        .max_by_key(|(own, near)| (sent_from == Some(*own), near.prefix()))
        .or_else(|| all().map(|own| of(own, OVERLAY_PREFIX)).find(with_vip))
}

/// The network that has both, not smaller than the mission's.
fn block_with(source: Ipv4Addr, vip: Ipv4Addr) -> Cidr {
    (OVERLAY_PREFIX_LEAST..=OVERLAY_PREFIX)
        .rev()
        .map(|prefix| Cidr::containing(source, prefix))
        .find(|block| block.contains(vip))
        .unwrap_or_else(|| Cidr::containing(source, OVERLAY_PREFIX))
}

fn mend(address: Ipv4Addr, block: Cidr) -> alloc::string::String {
    format!("rehome monitor-net apply --address {address}/{}", block.prefix())
}
