//! The kernel's addresses, rules and routes, by rtnetlink(7): reads them, and makes single changes.
//!
//! One request at a time on a blocking socket: a command that runs for milliseconds needs no
//! runtime. The packets are `netlink-packet-route`'s, the socket is nix's.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kernel's attributes grow with its versions; what is not looked at is passed over"
)]

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST,
    NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::net::if_::{if_indextoname, if_nametoindex};
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, setsockopt, socket,
};
use nix::sys::time::TimeVal;
use rehome_core::net::Cidr;

use super::plan::{Address, Change, Observed, Route, Rule};

/// Who made a rule or a route: a number that no routing daemon claims (linux/rtnetlink.h names
/// those in use; the kernel keeps every one from 4 on as it is told).
pub(super) const OURS: u8 = 210;

/// The kernel fills at most 32 KiB at once (net/netlink/af_netlink.c, `netlink_dump`).
const BUFFER_BYTES: usize = 64 * 1024;

/// Datagrams of one answer: a hundred thousand routes take about half of them.
const DATAGRAMS_MAX: usize = 1_000;

/// Readings that may be interrupted by somebody's change before it is no use.
const READINGS_MAX: usize = 5;

/// The kernel answers at once; this long it takes only if it never will.
const PATIENCE_S: i64 = 5;

/// Why the kernel couldn't be asked, or refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetlinkError {
    #[error("the kernel's network settings can't be reached")]
    Socket(#[source] io::Error),
    #[error("the kernel refuses")]
    Refused(#[source] io::Error),
    #[error("the kernel's answer can't be read: {0}")]
    Answer(String),
    #[error("there is no interface {0}")]
    Interface(String, #[source] io::Error),
}

/// A conversation with the kernel.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Begins one. Needs no privilege.
    ///
    /// # Errors
    /// Where the system forbids such sockets.
    pub(crate) fn open() -> Result<Netlink, NetlinkError> {
        let failed = |error: nix::Error| NetlinkError::Socket(error.into());
        let (family, protocol) =
            (nix::sys::socket::AddressFamily::Netlink, SockProtocol::NetlinkRoute);
        let socket =
            socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).map_err(failed)?;
        let patience = TimeVal::new(PATIENCE_S, 0);
        setsockopt(&socket, ReceiveTimeout, &patience).map_err(failed)?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// Reads everything that the plan looks at.
    ///
    /// # Errors
    /// Where the kernel doesn't answer, or in a way that can't be read.
    pub(crate) fn observe(&mut self) -> Result<Observed, NetlinkError> {
        let mut observed = Observed::default();
        let mut address = AddressMessage::default();
        address.header.family = AddressFamily::Inet;
        for message in self.dump(&RouteNetlinkMessage::GetAddress(address))? {
            if let RouteNetlinkMessage::NewAddress(message) = message {
                observed.addresses.extend(address_of(&message));
            }
        }
        let mut rule = RuleMessage::default();
        rule.header.family = AddressFamily::Inet;
        for message in self.dump(&RouteNetlinkMessage::GetRule(rule))? {
            if let RouteNetlinkMessage::NewRule(message) = message {
                observed.rules.extend(rule_of(&message));
            }
        }
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet;
        for message in self.dump(&RouteNetlinkMessage::GetRoute(route))? {
            if let RouteNetlinkMessage::NewRoute(message) = message {
                observed.routes.extend(route_of(&message));
            }
        }
        Ok(observed)
    }

    /// The route that a packet of this machine's takes, whatever rules there are.
    ///
    /// # Errors
    /// Where there is none, or the kernel doesn't answer.
    pub(crate) fn way_to(&mut self, address: Ipv4Addr) -> Result<Route, NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.destination_prefix_length = 32;
        message.header.flags = RouteFlags::LookupTable;
        message.attributes = vec![RouteAttribute::Destination(RouteAddress::Inet(address))];
        self.send(&RouteNetlinkMessage::GetRoute(message), NLM_F_ACK)?;
        for answer in self.receive()?.unwrap_or_default() {
            if let RouteNetlinkMessage::NewRoute(mut message) = answer {
                // It is a route for one packet, not one that the kernel remembers.
                message.header.flags.remove(RouteFlags::Cloned);
                if let Some(route) = route_of(&message) {
                    return Ok(route);
                }
            }
        }
        Err(NetlinkError::Answer(format!("it names no route to {address}")))
    }

    /// Makes one change.
    ///
    /// # Errors
    /// Where the kernel refuses it. Nothing has changed then.
    pub(crate) fn make(&mut self, change: &Change) -> Result<(), NetlinkError> {
        use RouteNetlinkMessage as Message;
        let create = NLM_F_CREATE | NLM_F_EXCL;
        let (message, flags) = match change {
            Change::AddAddress(address) => (Message::NewAddress(address_message(address)?), create),
            Change::RemoveAddress(address) => (Message::DelAddress(address_message(address)?), 0),
            Change::AddRule(rule) => (Message::NewRule(rule_message(rule)), create),
            Change::RemoveRule(rule) => (Message::DelRule(rule_message(rule)), 0),
            Change::AddRoute(route) => (Message::NewRoute(route_message(route)?), create),
            Change::ReplaceRoute(new, _old) => {
                (Message::NewRoute(route_message(new)?), NLM_F_CREATE | NLM_F_REPLACE)
            }
            Change::RemoveRoute(route) => {
                let mut message = route_message(route)?;
                // Of whatever scope it is (net/ipv4/fib_trie.c, `fib_table_delete`).
                message.header.scope = RouteScope::NoWhere;
                (Message::DelRoute(message), 0)
            }
        };
        self.send(&message, NLM_F_ACK | flags)?;
        self.receive().map(drop)
    }

    /// Everything of a kind, read again where somebody changed something meanwhile.
    fn dump(
        &mut self,
        request: &RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        for _ in 0..READINGS_MAX {
            self.send(request, NLM_F_DUMP)?;
            if let Some(messages) = self.receive()? {
                return Ok(messages);
            }
        }
        Err(NetlinkError::Answer("it changes all the time".to_owned()))
    }

    fn send(&mut self, message: &RouteNetlinkMessage, flags: u16) -> Result<(), NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let payload = NetlinkPayload::InnerMessage(message.clone());
        let mut packet = NetlinkMessage::new(header, payload);
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.socket.as_raw_fd(), &bytes, &kernel, MsgFlags::empty())
            .map_err(|error| NetlinkError::Socket(error.into()))?;
        Ok(())
    }

    /// The answer to the last request; none where it was interrupted by a change.
    fn receive(&mut self) -> Result<Option<Vec<RouteNetlinkMessage>>, NetlinkError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let (mut messages, mut interrupted) = (Vec::new(), false);
        for _ in 0..DATAGRAMS_MAX {
            let length = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty())
                .map_err(|error| NetlinkError::Socket(error.into()))?;
            let mut rest = &buffer[..length];
            while !rest.is_empty() {
                let packet = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|error| NetlinkError::Answer(error.to_string()))?;
                rest = rest.get(padded(packet.header.length)..).unwrap_or_default();
                // What is left of an answer that was given up.
                if packet.header.sequence_number != self.sequence {
                    continue;
                }
                interrupted |= packet.header.flags & NLM_F_DUMP_INTR != 0;
                match packet.payload {
                    NetlinkPayload::InnerMessage(message) => messages.push(message),
                    NetlinkPayload::Done(_) => return Ok((!interrupted).then_some(messages)),
                    NetlinkPayload::Error(error) if error.code.is_none() => {
                        return Ok(Some(messages));
                    }
                    NetlinkPayload::Error(error) => {
                        return Err(NetlinkError::Refused(error.to_io()));
                    }
                    other => return Err(NetlinkError::Answer(format!("{other:?}"))),
                }
            }
        }
        Err(NetlinkError::Answer(format!("it has more than {DATAGRAMS_MAX} parts")))
    }
}

/// Messages begin at multiples of four bytes (netlink(7), `NLMSG_ALIGN`).
fn padded(length: u32) -> usize {
    usize::try_from(length).map_or(usize::MAX, |length| length.max(1).next_multiple_of(4))
}

fn name(index: u32) -> Option<String> {
    if_indextoname(index).ok()?.into_string().ok()
}

fn index(name: &str) -> Result<u32, NetlinkError> {
    if_nametoindex(name).map_err(|error| NetlinkError::Interface(name.to_owned(), error.into()))
}

fn address_of(message: &AddressMessage) -> Option<Address> {
    let (mut local, mut peer, mut label) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(IpAddr::V4(address)) => local = Some(*address),
            AddressAttribute::Address(IpAddr::V4(address)) => peer = Some(*address),
            AddressAttribute::Label(text) => label = Some(text.clone()),
            _ => {}
        }
    }
    // Gone since the kernel listed it, where its index has no name any more.
    let interface = name(message.header.index)?;
    Some(Address {
        label: label.unwrap_or_else(|| interface.clone()),
        interface,
        address: local.or(peer)?,
        prefix: message.header.prefix_len,
    })
}

fn address_message(address: &Address) -> Result<AddressMessage, NetlinkError> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = address.prefix;
    message.header.index = index(&address.interface)?;
    let local = IpAddr::V4(address.address);
    message.attributes = vec![
        AddressAttribute::Local(local),
        AddressAttribute::Address(local),
        AddressAttribute::Label(address.label.clone()),
    ];
    Ok(message)
}

/// None for rules that look at anything but the destination.
fn rule_of(message: &RuleMessage) -> Option<Rule> {
    let header = &message.header;
    let (mut destination, mut table) = (None, u32::from(header.table));
    let (mut priority, mut ours) = (0, false);
    let mut plain = header.dst_len > 0
        && header.src_len == 0
        && header.tos == 0
        && !header.flags.contains(RuleFlags::Invert);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Destination(IpAddr::V4(address)) => destination = Some(*address),
            RuleAttribute::Priority(number) => priority = *number,
            RuleAttribute::Table(number) => table = *number,
            RuleAttribute::Protocol(protocol) => ours = u8::from(*protocol) == OURS,
            // The kernel always tells this one; all ones stand for none.
            RuleAttribute::SuppressPrefixLen(u32::MAX) => {}
            _ => plain = false,
        }
    }
    let table = (header.action == RuleAction::ToTable).then_some(table);
    let destination = Cidr::containing(destination?, header.dst_len);
    plain.then_some(Rule { priority, destination, table, ours })
}

fn rule_message(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.dst_len = rule.destination.prefix();
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Destination(IpAddr::V4(rule.destination.network())),
        RuleAttribute::Protocol(RouteProtocol::from(OURS)),
    ];
    message.attributes.extend(rule.table.map(RuleAttribute::Table));
    // A new one has none: the kernel puts it before all others.
    if rule.priority != 0 {
        message.attributes.push(RuleAttribute::Priority(rule.priority));
    }
    message
}

/// None for what the kernel remembers of single destinations.
fn route_of(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    if header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let mut route = Route {
        table: u32::from(header.table),
        destination: Cidr::containing(Ipv4Addr::UNSPECIFIED, header.destination_prefix_length),
        gateway: None,
        interface: None,
        source: None,
        metric: 0,
        ours: u8::from(header.protocol) == OURS,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => {
                route.destination = Cidr::containing(*address, header.destination_prefix_length);
            }
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => route.gateway = Some(*address),
            RouteAttribute::PrefSource(RouteAddress::Inet(address)) => {
                route.source = Some(*address);
            }
            RouteAttribute::Oif(number) => route.interface = name(*number),
            RouteAttribute::Priority(number) => route.metric = *number,
            RouteAttribute::Table(number) => route.table = *number,
            _ => {}
        }
    }
    // A blackhole and its like forward to nobody.
    route.gateway = route.gateway.filter(|_| header.kind == RouteType::Unicast);
    Some(route)
}

fn route_message(route: &Route) -> Result<RouteMessage, NetlinkError> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = route.destination.prefix();
    message.header.kind = RouteType::Unicast;
    message.header.scope = RouteScope::Universe;
    message.header.protocol = RouteProtocol::from(OURS);
    // In an attribute: the header's field holds only the first 255.
    message.attributes = vec![RouteAttribute::Table(route.table)];
    if route.destination.prefix() > 0 {
        let address = RouteAddress::Inet(route.destination.network());
        message.attributes.push(RouteAttribute::Destination(address));
    }
    if let Some(gateway) = route.gateway {
        message.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
    }
    if let Some(source) = route.source {
        message.attributes.push(RouteAttribute::PrefSource(RouteAddress::Inet(source)));
    }
    if let Some(interface) = &route.interface {
        message.attributes.push(RouteAttribute::Oif(index(interface)?));
    }
    if route.metric != 0 {
        message.attributes.push(RouteAttribute::Priority(route.metric));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Through the packet's bytes, as the kernel would hand them back.
    fn again(message: RouteNetlinkMessage) -> RouteNetlinkMessage {
        let mut packet = NetlinkMessage::from(message);
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        let packet = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes).unwrap();
        let NetlinkPayload::InnerMessage(message) = packet.payload else { panic!("{packet:?}") };
        message
    }

    #[test]
    fn a_rule_reads_as_it_was_written_and_a_choosier_one_is_no_rule_of_ours() {
        let destination = "10.0.0.0/24".parse().unwrap();
        let rule = Rule { priority: 32_765, destination, table: Some(4_711), ours: true };
        let RouteNetlinkMessage::NewRule(mut message) =
            again(RouteNetlinkMessage::NewRule(rule_message(&rule)))
        else {
            panic!("it is a rule")
        };
        assert_eq!(rule_of(&message), Some(rule));
        message.attributes.push(RuleAttribute::FwMark(1));
        assert_eq!(rule_of(&message), None);
    }

    #[test]
    fn a_route_reads_as_it_was_written_and_a_blackhole_has_no_gateway() {
        let route = Route {
            table: 70_000,
            destination: "0.0.0.0/0".parse().unwrap(),
            gateway: Some(Ipv4Addr::new(172, 31, 16, 1)),
            interface: None,
            source: Some(Ipv4Addr::new(10, 0, 0, 100)),
            metric: 5,
            ours: true,
        };
        let RouteNetlinkMessage::NewRoute(mut message) =
            again(RouteNetlinkMessage::NewRoute(route_message(&route).unwrap()))
        else {
            panic!("it is a route")
        };
        assert_eq!(route_of(&message), Some(route));
        message.header.kind = RouteType::BlackHole;
        assert_eq!(route_of(&message).unwrap().gateway, None);
        message.header.flags = RouteFlags::Cloned;
        assert_eq!(route_of(&message), None);
    }

    #[test]
    fn every_machine_can_be_read_without_privilege() {
        let observed = Netlink::open().unwrap().observe().unwrap();
        // The local table has the kernel's own routes, at least as soon as `lo` is up.
        assert!(observed.addresses.is_empty() || !observed.routes.is_empty(), "{observed:?}");
    }

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        let address = Address {
            interface: "no-such-if0".to_owned(),
            address: Ipv4Addr::new(10, 0, 0, 100),
            prefix: 24,
            label: "no-such-if0".to_owned(),
        };
        let error = address_message(&address).unwrap_err();
        assert_eq!(error.to_string(), "there is no interface no-such-if0");
    }
}
