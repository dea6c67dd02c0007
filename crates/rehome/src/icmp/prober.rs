//! The sockets behind the probes.
//!
//! Datagram ICMP sockets need no privilege where `net.ipv4.ping_group_range` admits our group
//! (icmp(7)); raw sockets need `CAP_NET_RAW`. Sockets are opened for each source address when it is
//! first used, and tried again at the next probe while the address isn't there.
//!
//! Security groups remember flows: a ping that once was admitted goes on when its rule has gone
//! ("Security group connection tracking", VPC User Guide), and so would tell that a way is open by
//! which nobody else gets through. What makes pings one flow is their identifier; so none is kept
//! for long.
//! Owned by the loop that decides; lives as long as the process.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};
use std::time::Duration;

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

/// Probes sent within this time share an identifier, so that bursts don't use up descriptors. Far
/// below the time between two readings of the rules.
const FLOW_LIFE: Duration = Duration::from_millis(200);

/// Sockets of one source address that are kept for answers to come: those of 6.4 s of burst.
const KEPT_SOCKETS: usize = 32;

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
    channels: BTreeMap<Option<Ipv4Addr>, Channel>,
}

/// The sockets of one source address, the newest last. Raw ones need not be more than one: there
/// we choose the identifier.
#[derive(Debug)]
struct Channel {
    /// Counts channels, see [`identifier`].
    nth: u16,
    sockets: VecDeque<(Mono, AsyncSocket)>,
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
        let sockets = VecDeque::from([(clock::mono(), socket)]);
        let channels = BTreeMap::from([(None, Channel { nth: 0, sockets })]);
        Ok(Prober { kind, nonce, channels })
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
            .and_then(|Channel { nth, sockets }| {
                let message =
                    packet::request(&nonce, identifier(&nonce, *nth, probe), probe, target);
                let (_, socket) = sockets.back().expect("a channel has a socket");
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

    /// The channel of a source address, with a socket that is young enough.
    fn channel(&mut self, source: Option<Ipv4Addr>) -> io::Result<&Channel> {
        let now = clock::mono();
        let count = self.channels.len();
        let newest = self.channels.get(&source).and_then(|channel| channel.sockets.back());
        let stale = match (newest, self.kind) {
            (None, _) => true,
            (Some((opened, _)), Kind::Datagram) => now.since(*opened) >= FLOW_LIFE,
            (Some(_), Kind::Raw) => false,
        };
        if stale {
            if newest.is_none() && count >= SOURCES_MAX {
                return Err(io::Error::other(format!("more than {SOURCES_MAX} source addresses")));
            }
            let socket = open(self.kind, source)?;
            let nth = u16::try_from(count).expect("SOURCES_MAX is small");
            let fresh = || Channel { nth, sockets: VecDeque::new() };
            let channel = self.channels.entry(source).or_insert_with(fresh);
            channel.sockets.push_back((now, socket));
            if channel.sockets.len() > KEPT_SOCKETS {
                channel.sockets.pop_front();
            }
        }
        Ok(&self.channels[&source])
    }

    fn poll_answers(&mut self, context: &mut Context<'_>, into: &mut Vec<Answer>) -> Poll<()> {
        let before = into.len();
        let mut more = false;
        for channel in self.channels.values() {
            for (_, socket) in &channel.sockets {
                more |= self.drain(channel.nth, socket, context, into);
            }
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
    fn drain(
        &self,
        nth: u16,
        socket: &AsyncSocket,
        context: &mut Context<'_>,
        into: &mut Vec<Answer>,
    ) -> bool {
        let mut buffer = [0; BUFFER_BYTES];
        for _ in 0..BATCH {
            let mut packet = ReadBuf::new(&mut buffer);
            match socket.poll_recv_from(context, &mut packet) {
                Poll::Ready(Ok(from)) => {
                    into.extend(self.answer(nth, packet.filled(), from.ip()));
                }
                // An error that the kernel kept for us about an earlier packet; it is gone now.
                Poll::Ready(Err(error)) => tracing::debug!(%error, "reading answers"),
                Poll::Pending => return false,
            }
        }
        true
    }

    fn answer(&self, nth: u16, packet: &[u8], from: IpAddr) -> Option<Answer> {
        let (from, message) = match (self.kind, from) {
            (Kind::Datagram, IpAddr::V4(from)) => (from, packet),
            (Kind::Datagram, IpAddr::V6(_)) => return None,
            (Kind::Raw, _) => packet::unwrap(packet)?,
        };
        let reply = packet::reply(message, &self.nonce)?;
        let identified = self.kind == Kind::Datagram
            || reply.identifier == identifier(&self.nonce, nth, reply.probe);
        let asked = reply.target == from;
        (identified && asked).then(|| Answer { probe: reply.probe, from, at: clock::mono() })
    }
}

/// The identifier of a probe by a raw socket; datagram sockets have their own. Each probe has
/// another one, and no two channels the same: raw sockets see the answers to each other's probes
/// too, and the identifier says whose an answer is, so that it counts once.
fn identifier(nonce: &Nonce, nth: u16, probe: u64) -> u16 {
    let sources = u64::try_from(SOURCES_MAX).expect("SOURCES_MAX is small");
    let base = u64::from(u16::from_be_bytes([nonce[0], nonce[1]]));
    let number = base.wrapping_add(probe.wrapping_mul(sources)).wrapping_add(u64::from(nth));
    u16::try_from(number & u64::from(u16::MAX)).expect("sixteen bits")
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

    /// Lets the newest socket be as old as one can be that is used no more.
    fn age(prober: &mut Prober) {
        let channel = prober.channels.get_mut(&None).unwrap();
        channel.sockets.back_mut().unwrap().0 = clock::mono() - FLOW_LIFE;
    }

    #[test]
    fn no_identifier_is_kept_for_long_and_answers_to_older_ones_still_count() {
        on_tokio(async {
            let Some(mut prober) = permitted() else { return };
            for probe in 0..3 {
                prober.send(probe, None, LOOPBACK).unwrap();
                age(&mut prober);
            }
            let mut told: Vec<_> = answers(&mut prober, 3).await.iter().map(|a| a.probe).collect();
            told.sort_unstable();
            assert_eq!(told, [0, 1, 2]);
            let sockets = prober.channels[&None].sockets.len();
            assert_eq!(sockets, if prober.kind == Kind::Raw { 1 } else { 3 });
        });
    }

    #[test]
    fn the_sockets_of_a_source_are_bounded() {
        on_tokio(async {
            let Some(mut prober) = permitted() else { return };
            for probe in 0..2 * u64::try_from(KEPT_SOCKETS).unwrap() {
                prober.send(probe, None, LOOPBACK).unwrap();
                age(&mut prober);
            }
            assert!(prober.channels[&None].sockets.len() <= KEPT_SOCKETS);
        });
    }

    #[test]
    fn raw_identifiers_differ_by_probe_and_by_channel() {
        let nonce = [0xff; 16];
        let channels = u16::try_from(SOURCES_MAX).unwrap();
        let all: std::collections::BTreeSet<u16> = (0..100)
            .flat_map(|probe| (0..channels).map(move |nth| identifier(&nonce, nth, probe)))
            .collect();
        assert_eq!(all.len(), 100 * SOURCES_MAX);
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
