//! The VPC router: what the kernel must hold, and the commands that bring it there.
//!
//! The router is the lab's own network namespace. A route table of the VPC is a kernel table; the
//! association of a subnet is a rule on each port of that subnet; behind every rule of a port
//! stands a blackhole, because a VPC drops in silence. This file is pure: [`wanted`] computes a
//! [`State`] from the model's view, [`changes`] the commands from one state to another.
//! [`kernel`] reads the present state and runs the commands; [`filter`] says which packets pass.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use ec2_model::Cidr;

pub(crate) mod filter;
pub(crate) mod kernel;
#[cfg(test)]
mod tests;

/// The metadata service's address, the same on every instance of AWS.
pub(crate) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Where the EC2 API listens for instances. Ours: on AWS it is a public name.
pub(crate) const API: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 250);
/// Kernel tables from this number on are route tables of the VPC.
const FIRST_TABLE: u32 = 1000;
/// Rules of ports that may send from any address. A number of its own, because the kernel takes
/// a rule without source for a copy of an equal one with a source.
const PREFERENCE_OPEN: u32 = 99;
/// Rules of ports with the source/dest check.
const PREFERENCE_CHECKED: u32 = 100;
/// The blackholes behind them.
const PREFERENCE_SILENCE: u32 = 101;

/// One instance's end of the wire, as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    /// The router's device.
    pub(crate) device: String,
    /// The instance's interface id.
    pub(crate) eni: String,
    /// The instance's primary address.
    pub(crate) address: Ipv4Addr,
    /// Whether the source/dest check is on.
    pub(crate) checked: bool,
    /// The route table of its subnet.
    pub(crate) table: String,
}

/// Where a route of the VPC leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Inside the VPC: to every port by its primary address.
    Local,
    /// To an interface.
    Interface(String),
    /// Nowhere: a blackhole, or a way out of the VPC, of which a lab has none.
    Nowhere,
}

/// A route table as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its id on EC2.
    pub(crate) id: String,
    /// Destinations with their targets.
    pub(crate) routes: Vec<(Cidr, Target)>,
}

/// Which kernel table stands for which route table. A number is kept while its table exists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    /// Gives each of `tables` a number and forgets those of tables that are gone.
    pub(crate) fn assign(&mut self, tables: &[Table]) {
        self.0.retain(|id, _number| tables.iter().any(|table| table.id == *id));
        for table in tables {
            if !self.0.contains_key(&table.id) {
                let used: BTreeSet<u32> = self.0.values().copied().collect();
                let free = (FIRST_TABLE..).find(|number| !used.contains(number));
                self.0.insert(table.id.clone(), free.expect("fewer tables than numbers"));
            }
        }
    }
}

/// A rule on what comes in by one port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// Anything looks up `table`.
    Open { device: String, table: u32 },
    /// What is sent from `source` looks up `table`.
    Checked { device: String, source: Ipv4Addr, table: u32 },
    /// Anything is dropped.
    Silence { device: String },
}

impl fmt::Display for Rule {
    /// As an argument of `ip rule add` and `ip rule del`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Open { device, table } => {
                write!(f, "pref {PREFERENCE_OPEN} iif {device} lookup {table}")
            }
            Rule::Checked { device, source, table } => {
                write!(f, "pref {PREFERENCE_CHECKED} from {source} iif {device} lookup {table}")
            }
            Rule::Silence { device } => {
                write!(f, "pref {PREFERENCE_SILENCE} iif {device} blackhole")
            }
        }
    }
}

/// Where a kernel route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    /// To the destination itself on a device.
    Direct(String),
    /// Through an address on a device.
    Via(Ipv4Addr, String),
    /// Dropped in silence.
    Blackhole,
}

/// The routing policy of the kernel, as far as it is the router's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Rules of ports.
    pub(crate) rules: BTreeSet<Rule>,
    /// Routes by kernel table and destination.
    pub(crate) routes: BTreeMap<(u32, Cidr), Hop>,
}

/// The state that `ports` and `tables` ask for. Every table must have a number.
pub(crate) fn wanted(ports: &[Port], tables: &[Table], numbers: &Numbers) -> State {
    let mut state = State::default();
    for port in ports {
        let device = port.device.clone();
        state.rules.insert(Rule::Silence { device: device.clone() });
        if let Some(&table) = numbers.0.get(&port.table) {
            state.rules.insert(if port.checked {
                Rule::Checked { device, source: port.address, table }
            } else {
                Rule::Open { device, table }
            });
        }
    }
    for table in tables {
        let number = numbers.0[&table.id];
        for (destination, target) in &table.routes {
            state.routes.extend(
                routes_to(*destination, target, ports).map(|(to, hop)| ((number, to), hop)),
            );
        }
        // Last, so that no route can take a machine's own address from it: in a VPC the local
        // route wins over every overlapping one but those to whole subnets.
        for port in ports {
            let own = Cidr::new(port.address, 32);
            state.routes.insert((number, own), Hop::Direct(port.device.clone()));
        }
    }
    state
}

/// The kernel routes for one entry of a route table.
fn routes_to(
    destination: Cidr,
    target: &Target,
    ports: &[Port],
) -> impl Iterator<Item = (Cidr, Hop)> {
    let hop = match target {
        Target::Local => None,
        Target::Nowhere => Some(Hop::Blackhole),
        Target::Interface(eni) => {
            // A port with the check refuses what isn't addressed to it, and a machine that is
            // off has no port.
            let open = ports.iter().find(|port| port.eni == *eni && !port.checked);
            Some(open.map_or(Hop::Blackhole, |p| Hop::Via(p.address, p.device.clone())))
        }
    };
    hop.map(|hop| (destination, hop)).into_iter()
}

/// The lines for `ip -batch` that bring a kernel from `have` to `want`, in an order that never
/// opens a way that neither state has, nor closes one that both have.
pub(crate) fn changes(have: &State, want: &State) -> Vec<String> {
    let mut lines = Vec::new();
    let (silences, lookups): (Vec<&Rule>, Vec<&Rule>) =
        want.rules.difference(&have.rules).partition(|rule| matches!(rule, Rule::Silence { .. }));
    lines.extend(silences.iter().map(|rule| format!("rule add {rule}")));
    for ((table, destination), hop) in &want.routes {
        if have.routes.get(&(*table, *destination)) != Some(hop) {
            lines.push(replace_route(*table, *destination, hop));
        }
    }
    lines.extend(lookups.iter().map(|rule| format!("rule add {rule}")));
    // Rules sort by kind, so a port's lookups go before the silence behind them.
    lines.extend(have.rules.difference(&want.rules).map(|rule| format!("rule del {rule}")));
    for (table, destination) in have.routes.keys() {
        if !want.routes.contains_key(&(*table, *destination)) {
            lines.push(format!("route del {destination} table {table}"));
        }
    }
    lines
}

fn replace_route(table: u32, destination: Cidr, hop: &Hop) -> String {
    match hop {
        Hop::Blackhole => format!("route replace blackhole {destination} table {table}"),
        Hop::Direct(device) => format!("route replace {destination} dev {device} table {table}"),
        Hop::Via(address, device) => {
            format!("route replace {destination} via {address} dev {device} onlink table {table}")
        }
    }
}

/// The wire to a new instance, before and after its router end exists.
pub(crate) struct Plug<'a> {
    /// The router's device, not yet there.
    pub(crate) device: &'a str,
    /// The name of the instance's interface.
    pub(crate) interface: &'a str,
    /// The interface's MAC address, colon notation.
    pub(crate) mac: &'a str,
    /// A process in the instance's network namespace.
    pub(crate) process: i32,
    /// The instance's primary address.
    pub(crate) address: Ipv4Addr,
    /// The subnet's router address.
    pub(crate) gateway: Ipv4Addr,
}

/// The lines for `ip -batch` that lay the wire: the one that makes the devices, and the rest. The
/// way back from the router itself (metadata, API) is in the main table; the neighbor entry is
/// permanent, so that nobody waits for ARP.
fn plug(wire: &Plug<'_>) -> (String, Vec<String>) {
    let Plug { device, interface, mac, process, address, gateway } = wire;
    let pair =
        format!("link add {device} type veth peer name {interface} address {mac} netns {process}");
    let rest = vec![
        format!("link set {device} up"),
        format!("address add {gateway}/32 dev {device}"),
        format!("route replace {address}/32 dev {device}"),
        format!("neighbor replace {address} lladdr {mac} dev {device} nud permanent"),
    ];
    (pair, rest)
}
