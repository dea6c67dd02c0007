//! The kernel's side of the router: reads its present state, runs `ip` and `nft`.
//!
//! Everything here forks a program and waits for it; each takes a few milliseconds.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use ec2_model::Cidr;
use serde::Deserialize;

use super::{
    FIRST_TABLE, Hop, PREFERENCE_CHECKED, PREFERENCE_OPEN, PREFERENCE_SILENCE, Plug, Rule, State,
    filter,
};
use crate::host;

/// Makes this network namespace a router. Before any port exists: a new device takes over what
/// `default` says.
pub(crate) fn prepare() -> anyhow::Result<()> {
    // First, because it resets some of those below.
    sysctl("ip_forward", "1")?;
    sysctl("icmp_echo_ignore_all", "1")?;
    sysctl("ping_group_range", "0 0")?;
    for scope in ["all", "default"] {
        // 1 and 2 would drop every packet to or from an overlay address.
        sysctl(&format!("conf/{scope}/rp_filter"), "0")?;
        sysctl(&format!("conf/{scope}/send_redirects"), "0")?;
        sysctl(&format!("conf/{scope}/accept_redirects"), "0")?;
        sysctl(&format!("conf/{scope}/log_martians"), "0")?;
        sysctl(&format!("conf/{scope}/arp_ignore"), "0")?;
        sysctl(&format!("conf/{scope}/arp_filter"), "0")?;
    }
    sysctl("conf/default/proxy_arp", "1")?;
    disable_ipv6();
    ip(&[
        "link set lo up".into(),
        format!("address add {}/32 dev lo", super::METADATA),
        format!("address add {}/32 dev lo", super::API),
    ])?;
    Ok(())
}

/// Loads the filter of a lab without instances. Before that, one that asks the kernel for all that
/// a lab may come to need: tracked connections with marks, and random numbers.
pub(crate) fn prepare_filter() -> anyhow::Result<()> {
    nft(&filter::trial())?;
    nft(&filter::filter(&[], &BTreeMap::new()))
}

/// Lays the wire to a new instance.
pub(crate) fn plug(wire: &Plug<'_>) -> anyhow::Result<()> {
    let (pair, rest) = super::plug(wire);
    ip(&[pair])?;
    // Else the first packet to each address that the router answers for waits for up to 0.8 s.
    // Namespaces other than the host's have no default for it to take over.
    sysctl(&format!("neigh/{}/proxy_delay", wire.device), "0")?;
    ip(&rest)
}

/// Sets a value below `/proc/sys/net/ipv4` of this process's network namespace.
pub(crate) fn sysctl(name: &str, value: &str) -> anyhow::Result<()> {
    let path = format!("/proc/sys/net/ipv4/{name}");
    fs::write(&path, value).with_context(|| format!("could not write {value:?} to {path}"))
}

/// Switches IPv6 off in this network namespace; a kernel without it needs nothing.
pub(crate) fn disable_ipv6() {
    for scope in ["all", "default"] {
        let written = fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1");
        drop(written);
    }
}

/// Runs lines of `ip -batch`, stopping at the first that fails.
pub(crate) fn ip(lines: &[String]) -> anyhow::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    feed(Command::new(host::program("ip")?).args(["-batch", "-"]), &lines.join("\n"))
        .with_context(|| format!("ip -batch with {lines:?}"))
        .map(drop)
}

/// Replaces the packet filter by what `text` says, at once or not at all.
pub(crate) fn nft(text: &str) -> anyhow::Result<()> {
    feed(Command::new(host::program("nft")?).args(["-f", "-"]), text).context("nft -f").map(drop)
}

/// Runs `command` with `input`; what it printed, or its complaint as the error.
pub(crate) fn feed(command: &mut Command, input: &str) -> anyhow::Result<Vec<u8>> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let written = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    match written {
        // A program that read no further and succeeded had what it needed.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Err(_) | Ok(()) => Ok(output.stdout),
    }
}

/// The router's state as the kernel has it now. Routes go by themselves when a port goes.
pub(crate) fn read() -> anyhow::Result<State> {
    let listing = feed(
        Command::new(host::program("ip")?).args(["-4", "-json", "-batch", "-"]),
        "rule list\nroute list table all\n",
    )?;
    parse(&listing).context("could not read what ip printed")
}

#[derive(Deserialize)]
struct RuleLine {
    priority: u32,
    #[serde(default)]
    src: String,
    iif: Option<String>,
    table: Option<String>,
}

#[derive(Deserialize)]
struct RouteLine {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    dst: String,
    gateway: Option<String>,
    dev: Option<String>,
    table: Option<String>,
}

/// Reads the two JSON lists that [`read`] asks for. What isn't the router's is left out.
pub(super) fn parse(listing: &[u8]) -> anyhow::Result<State> {
    let mut state = State::default();
    let mut lists = serde_json::Deserializer::from_slice(listing).into_iter::<serde_json::Value>();
    let mut next = || lists.next().context("a list is missing")?.context("no JSON");
    let rules: Vec<RuleLine> = serde_json::from_value(next()?)?;
    let routes: Vec<RouteLine> = serde_json::from_value(next()?)?;
    state.rules.extend(rules.into_iter().filter_map(rule));
    state.routes.extend(routes.into_iter().filter_map(route));
    Ok(state)
}

fn rule(line: RuleLine) -> Option<Rule> {
    let device = line.iif?;
    let table = || line.table.as_deref()?.parse().ok();
    match line.priority {
        PREFERENCE_OPEN => Some(Rule::Open { device, table: table()? }),
        PREFERENCE_CHECKED => {
            Some(Rule::Checked { device, source: line.src.parse().ok()?, table: table()? })
        }
        PREFERENCE_SILENCE => Some(Rule::Silence { device }),
        _others => None,
    }
}

fn route(line: RouteLine) -> Option<((u32, Cidr), Hop)> {
    let table = line.table?.parse::<u32>().ok().filter(|number| *number >= FIRST_TABLE)?;
    let destination = network(&line.dst)?;
    let hop = match (line.kind.as_deref(), line.gateway, line.dev) {
        (Some("blackhole"), _, _) => Hop::Blackhole,
        (_, Some(gateway), Some(device)) => Hop::Via(gateway.parse().ok()?, device),
        (_, None, Some(device)) => Hop::Direct(device),
        (_, _, None) => return None,
    };
    Some(((table, destination), hop))
}

/// Reads a network as `ip` prints it: `10.0.0.0/24`, `10.0.0.10`, `default`.
fn network(text: &str) -> Option<Cidr> {
    match text {
        "default" => Some(Cidr::new(Ipv4Addr::UNSPECIFIED, 0)),
        host if !host.contains('/') => Some(Cidr::new(host.parse().ok()?, 32)),
        block => block.parse().ok(),
    }
}
