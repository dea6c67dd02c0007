//! The sockets behind the probes.
//!
//! Datagram ICMP sockets need no privilege where `net.ipv4.ping_group_range` admits our group
//! (icmp(7)); raw sockets need `CAP_NET_RAW`. One socket for each source address is opened when
//! that address is first used, and tried again at the next probe while the address isn't there.
//! Owned by the loop that decides; lives as long as the process.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use nix::errno::Errno;
use rehome_core::time::Mono;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::ReadBuf;
// Any IPv4 socket will do for it: what it does on sockets is recvfrom(2) and epoll(7).
use tokio::net::UdpSocket as AsyncSocket;

use crate::clock;
use crate::icmp::packet::{self, Nonce};

/// Packets read from one socket before the others get their turn: a flood of answers to other
/// programs (raw sockets see those too) must not starve the loop.
const BATCH: usize = 256;

/// Room for the longest IPv4 header and one message of ours; longer packets aren't ours.
const BUFFER_BYTES: usize = 60 + packet::LENGTH;

/// Source addresses in use at once: the primary and the overlay address, and room for more.
const SOURCES_MAX: usize = 16;

/// linux/icmp.h: the socket option, at level `SOL_RAW`, of a mask of types *not* delivered.
const ICMP_FILTER: libc::c_int = 1;

/// An answer to a probe, from the very address that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Which probe.
    pub(crate) probe: u64,
    /// Who answered.
    pub(crate) from: Ipv4Addr,
    /// When it was read.
    pub(crate) at: Mono,
}

/// Why there can be no probes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProberError {
    /// Neither kind of socket is permitted.
    #[error(
        "this process may not send pings: net.ipv4.ping_group_range doesn't admit its group, and \
         it has no CAP_NET_RAW"
    )]
    Denied,
    /// Anything else.
    #[error("there is no ICMP socket to be had")]
    Io(#[from] io::Error),
}

impl ProberError {
    /// The next step, where there is one.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            ProberError::Denied => Some(
                "either `sudo sysctl -w net.ipv4.ping_group_range='0 2147483647'`, or give the \
                 binary the capability: `sudo setcap cap_net_raw+ep <path of rehome>` (the unit \
                 that `rehome install-unit` writes grants it)",
            ),
            ProberError::Io(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The kernel picks the identifier and hands over only what answers it.
    Datagram,
    /// Everybody's packets, with their IP headers.
    Raw,
}

/// Sends echo requests and reads the answers to them.
#[derive(Debug)]
pub(crate) struct Prober {
    kind: Kind,
    nonce: Nonce,
    sockets: BTreeMap<Option<Ipv4Addr>, Channel>,
}

/// A socket, and the identifier of the probes that leave by it. Raw sockets see the answers to
/// each other's probes too: the identifier says whose an answer is, so that it counts once.
#[derive(Debug)]
struct Channel {
    socket: AsyncSocket,
    identifier: u16,
}

impl Prober {
    /// A prober with whichever kind of socket this process may open. Needs a Tokio runtime.
    ///
    /// # Errors
    /// Where neither kind is permitted, or there are no sockets to be had.
    pub(crate) fn open() -> Result<Prober, ProberError> {
        let (kind, socket) = match open(Kind::Datagram, None) {
            Ok(socket) => (Kind::Datagram, socket),
            Err(error) if is_denied(&error) => match open(Kind::Raw, None) {
                Ok(socket) => (Kind::Raw, socket),
                Err(error) if is_denied(&error) => return Err(ProberError::Denied),
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        };
        let nonce = random()?;
        let identifier = u16::from_be_bytes([nonce[0], nonce[1]]);
        let sockets = BTreeMap::from([(None, Channel { socket, identifier })]);
        Ok(Prober { kind, nonce, sockets })
    }

    /// Sends one probe, now or never; without `source` the kernel chooses the address.
    ///
    /// # Errors
    /// In people's words, why it couldn't even be sent: that is no evidence about the target.
    pub(crate) fn send(
        &mut self,
        probe: u64,
        source: Option<Ipv4Addr>,
        target: Ipv4Addr,
    ) -> Result<(), String> {
        let nonce = self.nonce;
        let address = SocketAddrV4::new(target, 0).into();
        self.channel(source)
            .and_then(|Channel { socket, identifier }| {
                let message = packet::request(&nonce, *identifier, probe, target);
                // Past Tokio, which doesn't know a new socket for writable before its next turn.
                SockRef::from(socket).send_to(&message, &address)
            })
            .map(|_| ())
            .map_err(|error| reason(&error, source, target))
    }

    /// Waits until at least one answer has come, and appends what is there, in bounded batches.
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn answers(&mut self, into: &mut Vec<Answer>) {
        poll_fn(|context| self.poll_answers(context, into)).await;
    }

    fn channel(&mut self, source: Option<Ipv4Addr>) -> io::Result<&Channel> {
        if !self.sockets.contains_key(&source) {
            if self.sockets.len() >= SOURCES_MAX {
                return Err(io::Error::other(format!("more than {SOURCES_MAX} source addresses")));
            }
            let socket = open(self.kind, source)?;
            let nth = u16::try_from(self.sockets.len()).expect("SOURCES_MAX is small");
            let identifier = self.sockets[&None].identifier.wrapping_add(nth);
            self.sockets.insert(source, Channel { socket, identifier });
        }
        Ok(&self.sockets[&source])
    }

    fn poll_answers(&mut self, context: &mut Context<'_>, into: &mut Vec<Answer>) -> Poll<()> {
        let before = into.len();
        let mut more = false;
        for channel in self.sockets.values() {
            more |= self.drain(channel, context, into);
        }
        if into.len() > before {
            return Poll::Ready(());
        }
        if more {
            // Only strangers' packets so far and still some to read: let others run, come back.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Reads up to a batch; true where the socket may have more.
    fn drain(&self, channel: &Channel, context: &mut Context<'_>, into: &mut Vec<Answer>) -> bool {
        let mut buffer = [0; BUFFER_BYTES];
        for _ in 0..BATCH {
            let mut packet = ReadBuf::new(&mut buffer);
            match channel.socket.poll_recv_from(context, &mut packet) {
                Poll::Ready(Ok(from)) => {
                    into.extend(self.answer(channel, packet.filled(), from.ip()));
                }
                // An error that the kernel kept for us about an earlier packet; it is gone now.
                Poll::Ready(Err(error)) => tracing::debug!(%error, "reading answers"),
                Poll::Pending => return false,
            }
        }
        true
    }

    fn answer(&self, channel: &Channel, packet: &[u8], from: IpAddr) -> Option<Answer> {
        let (from, message) = match (self.kind, from) {
            (Kind::Datagram, IpAddr::V4(from)) => (from, packet),
            (Kind::Datagram, IpAddr::V6(_)) => return None,
            (Kind::Raw, _) => packet::unwrap(packet)?,
        };
        let reply = packet::reply(message, &self.nonce)?;
        let identified = self.kind == Kind::Datagram || reply.identifier == channel.identifier;
        let asked = reply.target == from;
        (identified && asked).then(|| Answer { probe: reply.probe, from, at: clock::mono() })
    }
}

fn open(kind: Kind, source: Option<Ipv4Addr>) -> io::Result<AsyncSocket> {
    let kind_of_socket = match kind {
        Kind::Datagram => Type::DGRAM,
        Kind::Raw => Type::RAW,
    };
    let socket = Socket::new(Domain::IPV4, kind_of_socket, Some(Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    if kind == Kind::Raw {
        only_echo_replies(&socket)?;
    }
    if let Some(source) = source {
        socket.bind(&SocketAddrV4::new(source, 0).into())?;
    }
    AsyncSocket::from_std(UdpSocket::from(socket))
}

/// Spares us the wake-ups for everything but echo replies (type 0).
fn only_echo_replies(socket: &Socket) -> io::Result<()> {
    let dropped: u32 = !1;
    // SAFETY: the kernel reads exactly the four bytes of `dropped`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_RAW,
            ICMP_FILTER,
            (&raw const dropped).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn random() -> io::Result<Nonce> {
    let mut nonce = Nonce::default();
    // SAFETY: the kernel writes at most `nonce.len()` bytes into `nonce`, which outlives the call.
    let length = unsafe { libc::getrandom(nonce.as_mut_ptr().cast(), nonce.len(), 0) };
    match usize::try_from(length) {
        // Up to 256 bytes come whole (getrandom(2)).
        Ok(length) if length == nonce.len() => Ok(nonce),
        Ok(_) | Err(_) => Err(io::Error::last_os_error()),
    }
}

fn is_denied(error: &io::Error) -> bool {
    matches!(errno(error), Errno::EACCES | Errno::EPERM | Errno::EPROTONOSUPPORT)
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}

const NOT_OURS: &str = "is not an address of this machine";

/// In people's words, why a packet didn't leave.
fn reason(error: &io::Error, source: Option<Ipv4Addr>, target: Ipv4Addr) -> String {
    let from = source.map(|source| format!(" from {source}")).unwrap_or_default();
    match (errno(error), source) {
        (Errno::EADDRNOTAVAIL, Some(source)) => format!("{source} {NOT_OURS}"),
        // A socket's address may have gone away after the bind; kernels differ in what they say.
        (Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EINVAL, Some(source))
            if UdpSocket::bind((source, 0)).is_err() =>
        {
            format!("{source} {NOT_OURS}")
        }
        // EINVAL and EACCES are what routes of the kinds blackhole and prohibit say.
        (Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EINVAL | Errno::EACCES, _) => {
            format!("no route to {target}{from}")
        }
        (Errno::ENETDOWN, _) => format!("the interface towards {target} is down"),
        (Errno::EPERM, _) => format!("this machine's firewall drops packets to {target}{from}"),
        (Errno::ENOBUFS | Errno::EAGAIN, _) => "this machine's send queue is full".to_owned(),
        _ => format!("sending to {target}{from}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

    fn on_tokio<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    /// A prober; where this machine permits none, the error has to name both remedies.
    fn permitted() -> Option<Prober> {
        match Prober::open() {
            Ok(prober) => Some(prober),
            Err(error @ ProberError::Denied) => {
                let hint = error.hint().unwrap();
                assert!(hint.contains("ping_group_range") && hint.contains("cap_net_raw"));
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn answers(prober: &mut Prober, wanted: usize) -> Vec<Answer> {
        let mut all = Vec::new();
        while all.len() < wanted {
            let more = prober.answers(&mut all);
            tokio::time::timeout(Duration::from_secs(5), more).await.expect("loopback answers");
        }
        all
    }

    #[test]
    fn loopback_answers_each_probe_from_the_address_asked() {
        on_tokio(async {
            let Some(mut prober) = permitted() else { return };
            let began = clock::mono();
            prober.send(1, None, LOOPBACK).unwrap();
            prober.send(2, Some(Ipv4Addr::new(127, 0, 0, 5)), LOOPBACK).unwrap();
            prober.send(u64::MAX, None, Ipv4Addr::new(127, 0, 0, 9)).unwrap();
            let mut all = answers(&mut prober, 3).await;
            assert!(all.iter().all(|answer| answer.at >= began));
            all.sort_by_key(|answer| answer.probe);
            let told: Vec<_> = all.iter().map(|a| (a.probe, a.from.octets()[3])).collect();
            assert_eq!(told, [(1, 1), (2, 1), (u64::MAX, 9)]);
        });
    }

    #[test]
    fn answers_to_another_prober_are_not_ours() {
        on_tokio(async {
            let (Some(mut ours), Some(mut other)) = (permitted(), permitted()) else { return };
            other.send(1, None, LOOPBACK).unwrap();
            assert_eq!(answers(&mut other, 1).await.len(), 1);
            ours.send(2, None, LOOPBACK).unwrap();
            let all = answers(&mut ours, 1).await;
            assert_eq!(all.iter().map(|answer| answer.probe).collect::<Vec<_>>(), [2]);
        });
    }

    #[test]
    fn hundreds_of_answers_come_in_bounded_batches_and_none_is_lost() {
        on_tokio(async {
            let Some(mut prober) = permitted() else { return };
            let mut told = Vec::new();
            for round in 0..10 {
                for probe in 0..100 {
                    prober.send(round * 100 + probe, None, LOOPBACK).unwrap();
                }
                told.extend(answers(&mut prober, 100).await.iter().map(|answer| answer.probe));
            }
            told.sort_unstable();
            assert_eq!(told, (0..1000).collect::<Vec<u64>>());
        });
    }

    #[test]
    fn a_source_that_this_machine_lacks_is_named_and_tried_again_each_time() {
        on_tokio(async {
            let Some(mut prober) = permitted() else { return };
            for _ in 0..2 {
                // TEST-NET-3 (RFC 5737): nobody's address.
                let error = prober.send(1, Some(Ipv4Addr::new(203, 0, 113, 7)), LOOPBACK);
                assert_eq!(error.unwrap_err(), "203.0.113.7 is not an address of this machine");
            }
        });
    }

    #[test]
    fn what_keeps_a_probe_from_being_sent_is_said_in_words() {
        let target = Ipv4Addr::new(10, 0, 0, 10);
        let stranger = Ipv4Addr::new(203, 0, 113, 7);
        let said =
            |errno: i32, source| reason(&io::Error::from_raw_os_error(errno), source, target);
        for errno in [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EINVAL] {
            assert_eq!(said(errno, Some(LOOPBACK)), "no route to 10.0.0.10 from 127.0.0.1");
            assert_eq!(said(errno, None), "no route to 10.0.0.10");
            let gone = said(errno, Some(stranger));
            assert_eq!(gone, "203.0.113.7 is not an address of this machine");
        }
        assert_eq!(said(libc::EACCES, None), "no route to 10.0.0.10");
        assert_eq!(said(libc::ENOBUFS, None), "this machine's send queue is full");
        assert!(said(libc::EPERM, None).contains("firewall"));
        assert!(said(libc::EIO, None).contains("Input/output error"));
    }
}
