//! The way of a ping through the VPC as the model has it, and what happens to it on that way.

use std::net::Ipv4Addr;

use ec2_model::{AclRule, Admission, Plane, PlaneInstance, PlaneTarget, Traffic};

/// What the network does to packets between the monitor and the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// Round trips in a thousand that are lost whatever else happens.
    pub(crate) plain_loss: u32,
    /// Packets in a thousand that are lost, each way.
    pub(crate) loss: u32,
    /// The same, away from the monitor only.
    pub(crate) loss_out: u32,
    /// The same, towards the monitor only.
    pub(crate) loss_in: u32,
    /// Nothing passes to and from this zone.
    pub(crate) cut_zone: Option<String>,
    /// The monitor's interface is dead.
    pub(crate) cut_off: bool,
    /// No ping of the monitor finds its way back.
    pub(crate) deaf: bool,
    /// A third of the answers is this late.
    pub(crate) late: u64,
    /// Answers in a thousand that come twice.
    pub(crate) twice: u32,
    /// Answers in a thousand that others overtake.
    pub(crate) reordered: u32,
    /// No answer reaches the monitor's overlay address.
    pub(crate) overlay_deaf: bool,
    /// Nothing can be sent from this address.
    pub(crate) lost_address: Option<Ipv4Addr>,
    /// Nothing can be sent.
    pub(crate) no_route: bool,
}

/// Echo request and echo reply.
const REQUEST: u8 = 8;
const REPLY: u8 = 0;

/// The index, in the plane, of the instance that a ping from `source` at the instance `monitor`
/// reaches at `target`, if its answer finds the way back as well.
pub(crate) fn way(
    plane: &Plane,
    monitor: &str,
    source: Option<Ipv4Addr>,
    target: Ipv4Addr,
    overlay: Option<Ipv4Addr>,
) -> Option<usize> {
    let near = plane.instances.iter().position(|instance| instance.id == monitor)?;
    let own = plane.instances[near].private_ip;
    // The kernel chooses the overlay address towards overlay addresses, where there is one.
    let in_vpc = plane.subnets.iter().any(|subnet| subnet.cidr.contains(target));
    let source = source.unwrap_or_else(|| overlay.filter(|_| !in_vpc).unwrap_or(own));
    let far = leads(plane, near, target)?;
    passes(plane, near, far, source, target, REQUEST).then_some(())?;
    (leads(plane, far, source)? == near).then_some(())?;
    passes(plane, far, near, target, source, REPLY).then_some(far)
}

/// Where the table of `from`'s subnet leads towards `target`.
fn leads(plane: &Plane, from: usize, target: Ipv4Addr) -> Option<usize> {
    let subnet = &plane.instances[from].subnet;
    let table = plane.tables.iter().find(|table| table.subnets.contains(subnet))?;
    let routes = table.routes.iter().filter(|route| route.destination.contains(target));
    let best = routes.max_by_key(|route| route.destination.prefix)?;
    match &best.target {
        PlaneTarget::Local => plane.instances.iter().position(|i| i.private_ip == target),
        PlaneTarget::Eni(eni) => plane.instances.iter().position(|i| i.eni == *eni),
        PlaneTarget::Blackhole | PlaneTarget::Internet => None,
    }
}

/// Whether the checks, groups and ACLs at both ends let a packet pass.
fn passes(
    plane: &Plane,
    from: usize,
    to: usize,
    source: Ipv4Addr,
    target: Ipv4Addr,
    kind: u8,
) -> bool {
    let (from, to) = (&plane.instances[from], &plane.instances[to]);
    let checks = |instance: &PlaneInstance, address: Ipv4Addr| {
        instance.private_ip == address || !instance.source_dest_check
    };
    if !checks(from, source) || !checks(to, target) || !from.powered || !to.powered {
        return false;
    }
    if from.subnet != to.subnet {
        let acl = |id: &str| plane.subnets.iter().find(|subnet| subnet.id == id).map(|s| &s.acl);
        let (Some(leaving), Some(entering)) = (acl(&from.subnet), acl(&to.subnet)) else {
            return false;
        };
        if !allows(&leaving.outbound, target, kind) || !allows(&entering.inbound, source, kind) {
            return false;
        }
    }
    // An answer to what was admitted passes: groups are stateful.
    kind == REPLY
        || (admits(&from.admits.egress, target, kind) && admits(&to.admits.ingress, source, kind))
}

fn concerns(traffic: Traffic, kind: u8) -> bool {
    match traffic {
        Traffic::Any | Traffic::Icmp(None, _) | Traffic::Protocol(1) => true,
        Traffic::Icmp(Some(wanted), _) => wanted == kind,
        Traffic::Tcp(..) | Traffic::Udp(..) | Traffic::Protocol(_) => false,
    }
}

fn allows(rules: &[AclRule], peer: Ipv4Addr, kind: u8) -> bool {
    let first = rules.iter().find(|r| concerns(r.traffic, kind) && r.peer.contains(peer));
    first.is_some_and(|rule| rule.allow)
}

fn admits(rules: &[Admission], peer: Ipv4Addr, kind: u8) -> bool {
    let meets = |rule: &Admission| rule.peers.iter().any(|block| block.contains(peer));
    rules.iter().any(|rule| concerns(rule.traffic, kind) && meets(rule))
}
