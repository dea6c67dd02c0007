//! The control socket: how commands reach a running lab.
//!
//! An abstract socket of the host's network namespace, named by user and lab. Either end looks
//! at who the other is (`SO_PEERCRED`), because anybody may bind or call an abstract name. A
//! client sends one [`Request`] as a line of JSON, for `exec` with its three standard streams
//! attached, and gets one [`Reply`]. While a command runs the client may send [`Followup`]s, and
//! a client that hangs up takes its command along.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ec2_model::{Arrangement, Fault};
use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg, sockopt};
use nix::unistd::{Uid, geteuid};
use serde::{Deserialize, Serialize};

use crate::name::LabName;
use crate::ns;
use crate::status::Status;

/// The longest request: a command with its environment. The kernel limits both to about 2 MiB,
/// of which the process between lab and command can take one argument of 128 KiB.
pub(crate) const LONGEST_LINE_BYTES: usize = 120 * 1024;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    Status,
    Env,
    Exec(Exec),
    Break { target: String, how: Break },
    Heal { target: String },
    Fault(FaultCommand),
    Arrange { what: Arrangement, undo: bool },
    Down,
}

/// A command to run on an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exec {
    /// Id or name.
    pub(crate) instance: String,
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// As the lab's rules leave it, see `crate::guest::clean`.
    pub(crate) environment: BTreeMap<String, String>,
    /// The caller's working folder.
    pub(crate) folder: String,
}

/// Ways in which an instance, or all of an Availability Zone, can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Break {
    /// The kernel dies: every process is gone and nothing is answered. EC2 still says running.
    Crash,
    /// Everything stands still and nothing is answered.
    Hang,
    /// An operator's `RebootInstances`.
    Reboot,
    /// Its network carries nothing in either direction.
    Network,
    /// Its interface loses every address but the primary one.
    LoseIp,
    /// An operator's `StopInstances`.
    Stop,
    /// An operator's `TerminateInstances`.
    Terminate,
    /// EC2 reports it as impaired: status checks of an instance, the state of a zone.
    Impair,
    /// So many packets of a hundred get lost, at random.
    Loss {
        /// 1 to 100.
        percent: u8,
        /// Which ones.
        side: Side,
    },
}

/// Packets of which direction, as seen from the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// Those it sends.
    From,
    /// Those sent to it.
    To,
    /// All.
    Both,
}

/// `lab fault`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultCommand {
    /// From now on calls fail, or are slow.
    Add(Fault),
    /// What is in force.
    List,
    /// Every call succeeds again.
    Clear,
}

/// What the lab answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    Status(Box<Status>),
    /// For tools on the host.
    Env {
        endpoint: String,
        region: String,
    },
    /// A command has ended with this code; 128 and more for a signal.
    Exited(i32),
    /// It is done; the text says what.
    Done(String),
    /// One line each.
    Lines(Vec<String>),
    /// It can't be done.
    Refused(String),
}

/// What a client may send while its command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Followup {
    /// A signal for the command, by number.
    Signal(i32),
}

/// Binds the control socket of a lab of this user.
pub(crate) fn listen(name: &LabName) -> anyhow::Result<UnixListener> {
    let address = address(name)?;
    match UnixListener::bind_addr(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
            "a lab named {name} is running already\n\
             hint: end it with `rehome lab --lab {name} down`, or give another name with --lab"
        ),
        bound => bound.context("could not bind the control socket"),
    }
}

/// Whether a lab of this name could be started now.
pub(crate) fn is_free(name: &LabName) -> io::Result<bool> {
    match UnixListener::bind_addr(&address(name)?) {
        Ok(_listener) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(false),
        Err(error) => Err(error),
    }
}

fn address(name: &LabName) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name.socket_name(geteuid()))
}

/// Whether the process at the other end is this user's. Inside a lab the one user outside is
/// root, so it is always the effective user that counts.
fn is_mine(socket: &impl AsFd) -> bool {
    getsockopt(socket, sockopt::PeerCredentials)
        .is_ok_and(|peer| Uid::from_raw(peer.uid()) == geteuid())
}

/// Takes a connection's request and the streams that came with it.
pub(crate) async fn receive(
    stream: &tokio::net::UnixStream,
) -> anyhow::Result<(Request, Vec<OwnedFd>)> {
    if !is_mine(stream) {
        bail!("another user's process");
    }
    let mut line = Vec::new();
    let mut streams = Vec::new();
    while !line.ends_with(b"\n") {
        let read = || ns::receive_with_descriptors(stream, &mut streams);
        let part = stream.async_io(tokio::io::Interest::READABLE, read).await?;
        if part.is_empty() || line.len() + part.len() > LONGEST_LINE_BYTES {
            bail!("no request, or one longer than {LONGEST_LINE_BYTES} bytes");
        }
        line.extend(part);
    }
    Ok((serde_json::from_slice(&line)?, streams))
}

/// A client's connection to a running lab.
pub(crate) struct Client {
    stream: UnixStream,
}

impl Client {
    /// Connects to a lab of this user.
    pub(crate) fn connect(name: &LabName) -> anyhow::Result<Client> {
        // The cause can only be that nobody listens.
        let Ok(stream) = UnixStream::connect_addr(&address(name)?) else {
            bail!("no lab named {name} is running\nhint: start one with `rehome lab up --detach`");
        };
        if !is_mine(&stream) {
            bail!("another user's process holds the name of lab {name}");
        }
        Ok(Client { stream })
    }

    /// Sends a request with up to three open streams.
    pub(crate) fn send(&self, request: &Request, streams: &[RawFd]) -> anyhow::Result<()> {
        let line = to_line(request)?;
        if line.len() > LONGEST_LINE_BYTES {
            bail!("the command and its environment are longer than {LONGEST_LINE_BYTES} bytes");
        }
        let rights = [ControlMessage::ScmRights(streams)];
        let attached = if streams.is_empty() { &rights[..0] } else { &rights[..] };
        let slices = [IoSlice::new(&line)];
        let socket = self.stream.as_raw_fd();
        let sent = sendmsg::<()>(socket, &slices, attached, MsgFlags::empty(), None)?;
        (&self.stream).write_all(&line[sent..])?;
        Ok(())
    }

    /// Hands a signal on to the running command.
    pub(crate) fn follow_up(&self, followup: Followup) -> anyhow::Result<()> {
        Ok((&self.stream).write_all(&to_line(&followup)?)?)
    }

    /// Waits for the answer.
    pub(crate) fn reply(&self) -> anyhow::Result<Reply> {
        let mut line = String::new();
        BufReader::new(&self.stream).read_line(&mut line)?;
        if line.is_empty() {
            bail!("the lab ended without an answer");
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Waits until the lab's process has gone, at most `limit`; whether it has.
    pub(crate) fn wait_for_end(&self, limit: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + limit;
        let mut rest = [0; 256];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.stream.set_read_timeout(Some(left))?;
            match (&self.stream).read(&mut rest) {
                Ok(0) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// A message as it goes over the socket.
pub(crate) fn to_line(message: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn round_trip(request: &Request, streams: &[RawFd]) -> (Request, Vec<OwnedFd>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            theirs.set_nonblocking(true).expect("a socket");
            let theirs = tokio::net::UnixStream::from_std(theirs).expect("a socket");
            Client { stream: ours }.send(request, streams).expect("it fits");
            receive(&theirs).await.expect("it was sent")
        })
    }

    #[test]
    fn a_request_arrives_with_its_streams() {
        let (mut read, write) = io::pipe().expect("a pipe");
        let exec = Request::Exec(Exec {
            instance: "monitor".into(),
            argv: vec!["echo".into(), "two words\n".into(), "x".repeat(50_000)],
            environment: BTreeMap::from([("A".into(), "1".into())]),
            folder: "/".into(),
        });
        let fd = write.as_raw_fd();
        let (request, streams) = round_trip(&exec, &[fd, fd, fd]);
        drop(write);
        assert_eq!(request, exec);
        assert_eq!(streams.len(), 3);
        for stream in streams {
            File::from(stream).write_all(b"x").expect("the pipe is open");
        }
        let mut text = String::new();
        read.read_to_string(&mut text).expect("the pipe ends");
        assert_eq!(text, "xxx");
    }

    #[test]
    fn requests_without_streams_bring_none() {
        let request = Request::Break { target: "vip-a".into(), how: Break::LoseIp };
        let (received, streams) = round_trip(&request, &[]);
        assert_eq!(received, request);
        assert!(streams.is_empty());
    }

    #[test]
    fn a_request_that_is_too_long_is_refused_by_the_client() {
        let (ours, _theirs) = UnixStream::pair().expect("a pair");
        let request = Request::Heal { target: "x".repeat(LONGEST_LINE_BYTES) };
        Client { stream: ours }.send(&request, &[]).expect_err("it is too long");
    }

    #[test]
    fn one_name_is_bound_once_and_by_nobody_else() {
        let name: LabName = format!("test-{}", std::process::id()).parse().expect("a name");
        Client::connect(&name).err().expect("nobody listens");
        let listener = listen(&name).expect("the name is free");
        let error = listen(&name).expect_err("the name is taken").to_string();
        assert!(error.contains("running already\nhint: "), "{error}");
        Client::connect(&name).expect("somebody listens");
        drop(listener);
        listen(&name).expect("the name is free again");
    }
}
