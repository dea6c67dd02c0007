//! Which way the kernel would send: rtnetlink(7)'s `RTM_GETROUTE` for one address.

use std::io;
use std::net::Ipv4Addr;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rehome_core::doctor::Way;

/// One route with all its attributes.
const ANSWER_BYTES: usize = 8_192;

/// The way to `target`; none where there is none.
pub(super) fn way(target: Ipv4Addr) -> Option<Way> {
    let route = ask(target).inspect_err(|error| tracing::debug!(%error, "no way")).ok()??;
    let mut source = None;
    let mut gateway = None;
    for attribute in &route.attributes {
        if let RouteAttribute::PrefSource(RouteAddress::Inet(address)) = attribute {
            source = Some(*address);
        } else if let RouteAttribute::Gateway(RouteAddress::Inet(address)) = attribute {
            gateway = Some(*address);
        }
    }
    Some(Way { source: source?, gateway })
}

fn ask(target: Ipv4Addr) -> io::Result<Option<RouteMessage>> {
    let mut route = RouteMessage::default();
    route.header.address_family = AddressFamily::Inet;
    route.header.destination_prefix_length = 32;
    route.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(target)));
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::GetRoute(route));
    message.header.flags = NLM_F_REQUEST;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    // The kernel answers before `send` returns.
    socket.set_non_blocking(true)?;
    socket.send(&bytes, 0)?;
    let mut answer = Vec::with_capacity(ANSWER_BYTES);
    socket.recv(&mut answer, 0)?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer);
    Ok(match answer.map_err(io::Error::other)?.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) => Some(route),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_this_machine_needs_no_gateway() {
        let home = Ipv4Addr::LOCALHOST;
        assert_eq!(way(home), Some(Way { source: home, gateway: None }));
    }
}
