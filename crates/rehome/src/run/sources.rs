//! From which of our addresses the VIP is probed.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use rehome_core::net::Vip;

/// An address beyond every VPC, to learn which of ours leads out (RFC 5737, TEST-NET-3). Nothing is
/// sent there: connecting a UDP socket only chooses a route.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// The address that the kernel would choose towards the VIP, which is the overlay address where
/// there is one, and the primary one; the kernel's choice of the moment where neither is known.
pub(crate) fn sources(vip: Vip, wanted: &[Ipv4Addr]) -> Vec<Option<Ipv4Addr>> {
    if !wanted.is_empty() {
        return wanted.iter().copied().map(Some).collect();
    }
    let mut sources: Vec<Option<Ipv4Addr>> = Vec::new();
    for target in [vip.address, ELSEWHERE] {
        let chosen = towards(target);
        if chosen.is_some() && !sources.contains(&chosen) {
            sources.push(chosen);
        }
    }
    if sources.is_empty() {
        sources.push(None);
    }
    sources
}

fn towards(target: Ipv4Addr) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((target, 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(address) if !address.is_unspecified() => Some(address),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_sources_are_taken_as_they_are() {
        let wanted = [Ipv4Addr::new(10, 0, 0, 100)];
        assert_eq!(sources("10.0.0.10".parse().unwrap(), &wanted), [Some(wanted[0])]);
    }

    #[test]
    fn there_is_always_something_to_probe_from() {
        assert!(!sources("10.0.0.10".parse().unwrap(), &[]).is_empty());
    }
}
