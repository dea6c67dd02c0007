//! Instances from the outside: the lab's handle to one that runs.
//!
//! ```text
//!            start            wire laid          "up"
//!  (no disk) -----> Starting ----------> Wired ---------> Up
//!                       |                  |              |
//!                       +------------------+--------------+--> Dead  (crash, or its PID 1 ended)
//! ```
//!
//! A [`Machine`] is one start of an instance; a reboot makes a new one on the same disk. Owned by
//! `crate::lab`, which also receives what the instance says.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

use crate::guest::{BOOT_NAME, BootSpec, EXEC_NAME, ExecSpec};
use crate::host;
use crate::ns;
use crate::router::{Plug, kernel};
use crate::start::EXE;

/// Where the disks of instances are.
const DISKS: &str = "/run/rehome/disks";
/// How often the process list is gone through to stop everything: what forks faster than that
/// isn't stopped.
const STOP_ROUNDS: u32 = 50;

/// How far a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has no network yet.
    Starting,
    /// Its wire is laid.
    Wired,
    /// Its address is configured.
    Up,
    /// Nothing of it runs any more.
    Dead,
}

/// One start of an instance.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Tells this start from every other one of the lab.
    pub(crate) serial: u64,
    /// The model's count of starts that this one serves.
    pub(crate) boots: u32,
    pub(crate) stage: Stage,
    /// The router's device.
    pub(crate) device: String,
    /// Its PID 1 as the lab sees it.
    pub(crate) init: Option<Pid>,
    /// Services and user data have run, with the code of the latter.
    pub(crate) booted: Option<Option<i32>>,
    /// The process that becomes it.
    helper: Pid,
    interface: String,
    socket: UnixStream,
}

/// An address that was taken from a machine, with what the kernel took along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LostAddress {
    /// `10.0.0.10/24`.
    address: String,
    /// Routes with that source, as `ip route` takes them.
    routes: Vec<String>,
}

/// The folder that is an instance's disk.
pub(crate) fn disk(instance: &str) -> PathBuf {
    Path::new(DISKS).join(instance)
}

/// The number of a start in the marks of connections: as many as fit, and none of them 0.
pub(crate) fn mark_number(serial: u64) -> u16 {
    let rest = serial.wrapping_sub(1) % u64::from(u16::MAX) + 1;
    u16::try_from(rest).expect("the rest is smaller than the divisor")
}

/// Throws a disk away.
pub(crate) fn drop_disk(instance: &str) -> io::Result<()> {
    match fs::remove_dir_all(disk(instance)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) | Ok(()) => Ok(()),
    }
}

impl Machine {
    /// Starts an instance. The socket that is returned carries what it says.
    pub(crate) fn start(
        serial: u64,
        boots: u32,
        spec: &BootSpec,
    ) -> anyhow::Result<(Machine, UnixStream)> {
        fs::create_dir_all(&spec.disk)?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(EXE);
        command.arg0(BOOT_NAME).stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        // Everybody on the instance can read the environment of its PID 1.
        command.env_clear();
        let child = command.spawn().context("could not start an instance's process")?;
        let mut line = serde_json::to_vec(spec)?;
        line.push(b'\n');
        let mut socket = ours.try_clone()?;
        socket.write_all(&line)?;
        let machine = Machine {
            serial,
            boots,
            stage: Stage::Starting,
            device: format!("p{serial}"),
            init: None,
            booted: None,
            helper: pid(child.id()),
            interface: spec.interface.clone(),
            socket,
        };
        Ok((machine, ours))
    }

    /// Lays the wire from the router to the machine's network namespace.
    pub(crate) fn wire(
        &mut self,
        mac: &str,
        address: Ipv4Addr,
        gateway: Ipv4Addr,
    ) -> anyhow::Result<()> {
        kernel::plug(&Plug {
            device: &self.device,
            interface: &self.interface,
            mac,
            process: self.helper.as_raw(),
            address,
            gateway,
        })?;
        self.stage = Stage::Wired;
        Ok(())
    }

    /// Lets the machine go on booting, once the router is ready for it.
    pub(crate) fn go_on(&mut self) -> io::Result<()> {
        self.socket.write_all(b"wired\n")
    }

    /// Ends everything that runs on it and takes the wire away.
    pub(crate) fn kill(&mut self) {
        for process in self.init.iter().chain([&self.helper]) {
            // It may have ended by itself.
            let _gone = kill(*process, Signal::SIGKILL);
        }
        self.unplug();
    }

    /// Takes the wire away and counts it as dead.
    pub(crate) fn unplug(&mut self) {
        if matches!(self.stage, Stage::Wired | Stage::Up) {
            // The device goes with the machine's namespace, now or later.
            drop(kernel::ip(&[format!("link del {}", self.device)]));
        }
        self.stage = Stage::Dead;
    }

    /// Stops every process on it where it stands, or lets all go on.
    pub(crate) fn freeze(&self, frozen: bool) -> io::Result<()> {
        let Some(init) = self.init else { return Ok(()) };
        let signal = if frozen { Signal::SIGSTOP } else { Signal::SIGCONT };
        let space = fs::read_link(format!("/proc/{init}/ns/pid"))?;
        let mut done: Vec<Pid> = Vec::new();
        for _round in 0..STOP_ROUNDS {
            let new: Vec<Pid> =
                processes_in(&space)?.into_iter().filter(|pid| !done.contains(pid)).collect();
            if new.is_empty() {
                return Ok(());
            }
            for process in new {
                let _gone = kill(process, signal);
                done.push(process);
            }
        }
        Ok(())
    }

    /// A command that runs in the machine's network, with the lab's files.
    fn command(&self, program: &str) -> anyhow::Result<Command> {
        let init = self.init.context("the instance has no processes")?;
        let net = File::open(format!("/proc/{init}/ns/net"))?;
        let mut command = Command::new(host::program(program)?);
        ns::run_in_net(&mut command, net.into());
        Ok(command)
    }

    /// The IPv4 addresses of its interface with their prefix lengths, primary first.
    fn addresses_with_prefix(&self) -> anyhow::Result<Vec<String>> {
        let mut command = self.command("ip")?;
        command.args(["-4", "-json", "address", "show", "dev", &self.interface]);
        parse_addresses(&kernel::feed(&mut command, "")?)
    }

    /// The IPv4 addresses of its interface as they are now.
    pub(crate) fn addresses(&self) -> anyhow::Result<Vec<String>> {
        let bare = |address: String| match address.split_once('/') {
            Some((bare, _prefix)) => bare.to_owned(),
            None => address,
        };
        Ok(self.addresses_with_prefix()?.into_iter().map(bare).collect())
    }

    /// Takes every address but the primary one from its interface.
    pub(crate) fn take_addresses(&self, primary: Ipv4Addr) -> anyhow::Result<Vec<LostAddress>> {
        let mut listing = self.command("ip")?;
        listing.args(["-4", "route", "show", "table", "all"]);
        let routes = String::from_utf8(kernel::feed(&mut listing, "")?)?;
        let own = format!("{primary}/");
        let lost: Vec<LostAddress> = self
            .addresses_with_prefix()?
            .into_iter()
            .filter(|address| !address.starts_with(&own))
            .map(|address| LostAddress { routes: routes_from(&routes, &address), address })
            .collect();
        let line =
            |lost: &LostAddress| format!("address del {} dev {}", lost.address, self.interface);
        self.ip(&lost.iter().map(line).collect::<Vec<_>>())?;
        Ok(lost)
    }

    /// Gives back what [`Machine::take_addresses`] took.
    pub(crate) fn give_addresses(&self, lost: &[LostAddress]) -> anyhow::Result<()> {
        let mut lines = Vec::new();
        for LostAddress { address, routes } in lost {
            lines.push(format!("address replace {address} dev {}", self.interface));
            lines.extend(routes.iter().map(|route| format!("route replace {route}")));
        }
        self.ip(&lines)
    }

    fn ip(&self, lines: &[String]) -> anyhow::Result<()> {
        let mut command = self.command("ip")?;
        command.args(["-batch", "-"]);
        kernel::feed(&mut command, &lines.join("\n")).map(drop)
    }

    /// Starts a ping from the machine's network: one packet, one second.
    pub(crate) fn ping(&self, address: Ipv4Addr) -> anyhow::Result<Pid> {
        let mut command = self.command("ping")?;
        command.args(["-n", "-c", "1", "-W", "1", &address.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(pid(command.spawn()?.id()))
    }
}

/// Starts a command on an instance; the process to wait for.
pub(crate) fn exec(spec: &ExecSpec, streams: [OwnedFd; 3]) -> anyhow::Result<Pid> {
    let [stdin, stdout, stderr] = streams;
    let mut command = Command::new(EXE);
    command.arg0(EXEC_NAME).arg(serde_json::to_string(spec)?).env_clear();
    command.stdin(stdin).stdout(stdout).stderr(stderr);
    // The program is looked for in the command's own PATH, by this process's children.
    command.envs(spec.environment.iter().filter(|(name, _value)| *name == "PATH"));
    let child = command.spawn().context("could not start the command's process")?;
    Ok(pid(child.id()))
}

fn pid(raw: u32) -> Pid {
    Pid::from_raw(i32::try_from(raw).expect("the kernel's process ids are positive i32"))
}

/// The processes of the PID namespace that `space` names.
fn processes_in(space: &Path) -> io::Result<Vec<Pid>> {
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let inside =
        |pid: &i32| fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|found| found == space);
    Ok(fs::read_dir("/proc")?.filter_map(number).filter(inside).map(Pid::from_raw).collect())
}

#[derive(Deserialize)]
struct InterfaceLine {
    #[serde(default)]
    addr_info: Vec<AddressLine>,
}

#[derive(Deserialize)]
struct AddressLine {
    local: String,
    prefixlen: u8,
}

/// What `ip -json address show` prints; some versions add empty objects.
fn parse_addresses(listing: &[u8]) -> anyhow::Result<Vec<String>> {
    let lines: Vec<InterfaceLine> = serde_json::from_slice(listing)?;
    let addresses = lines.into_iter().flat_map(|line| line.addr_info);
    Ok(addresses.map(|found| format!("{}/{}", found.local, found.prefixlen)).collect())
}

/// Of `ip route show table all`, what has `address` as its source and isn't the kernel's own.
fn routes_from(listing: &str, address: &str) -> Vec<String> {
    let bare = address.split('/').next().unwrap_or(address);
    let has_source = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let pair = |first: &str, second: &str| words.windows(2).any(|w| w == [first, second]);
        pair("src", bare) && !pair("proto", "kernel")
    };
    listing.lines().filter(has_source).map(|line| line.trim().to_owned()).collect()
}

/// The socket of a machine for tokio.
pub(crate) fn into_async(socket: UnixStream) -> io::Result<tokio::net::UnixStream> {
    socket.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_what_ip_prints() {
        let listing = br#"[{},{"ifname":"eth0","addr_info":[
            {"family":"inet","local":"172.31.48.10","prefixlen":20,"scope":"global"},
            {"family":"inet","local":"10.0.0.10","prefixlen":24,"scope":"global"}]}]"#;
        let addresses = parse_addresses(listing).expect("it is JSON");
        assert_eq!(addresses, ["172.31.48.10/20", "10.0.0.10/24"]);
    }

    #[test]
    fn only_routes_that_somebody_made_come_back() {
        let listing = "default via 172.31.48.1 dev eth0 table secondary src 10.0.0.10 \n\
            10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.10 \n\
            default via 172.31.48.1 dev eth0 \n\
            local 10.0.0.10 dev eth0 table local proto kernel scope host src 10.0.0.10 \n\
            10.9.0.0/16 via 172.31.48.1 dev eth0 src 10.0.0.100\n";
        assert_eq!(
            routes_from(listing, "10.0.0.10/24"),
            ["default via 172.31.48.1 dev eth0 table secondary src 10.0.0.10"]
        );
    }
}
