//! What to change on the monitoring machine's network: pure, from what is wanted and what is there.
//!
//! Wanted are three things, as in the mission's *Monitoring Network Configuration*: the overlay
//! address on the primary interface, a rule that sends what goes to overlay addresses to a table of
//! its own, and in that table the way out, with the overlay address as the source. What rehome made
//! carries its mark in the kernel (an address its label, a rule and a route their protocol), so
//! that [`undo`] takes away this and nothing else.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use rehome_core::net::Cidr;

use crate::fail::Problem;

/// The kernel's tables with a meaning of their own (rtnetlink(7): `RT_TABLE_DEFAULT`, `_MAIN`,
/// `_LOCAL`).
const RESERVED_TABLES: std::ops::RangeInclusive<u32> = 253..=255;

/// The table that decides where no rule says otherwise.
const MAIN_TABLE: u32 = 254;

/// Longest label of an address (linux/if.h: `IFNAMSIZ` without its zero).
const LABEL_MAX: usize = 15;

/// An address with its prefix, as an interface has it: `10.0.0.100/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overlay {
    /// The monitoring machine's overlay address.
    pub(crate) address: Ipv4Addr,
    /// The overlay addresses' block, the VIPs in it.
    pub(crate) block: Cidr,
}

impl FromStr for Overlay {
    type Err = String;

    fn from_str(text: &str) -> Result<Overlay, String> {
        let wrong = |why: &str| {
            let accepted = "the address with the overlay block's prefix, like 10.0.0.100/24";
            format!("`{text}` {why}; give {accepted}")
        };
        let (address, prefix) = text.split_once('/').ok_or_else(|| wrong("has no prefix"))?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong("is no IPv4 address"))?;
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().map_err(|_| wrong("has no prefix of 8 to 30"))?;
        if !digits || !(8..=30).contains(&prefix) {
            // A block of one address has no room for a VIP; one wider than /8 isn't a private one.
            return Err(wrong("has no prefix of 8 to 30"));
        }
        let block = Cidr::containing(address, prefix);
        let host_bits = u32::MAX >> prefix;
        if address.to_bits() & host_bits == 0 || address.to_bits() & host_bits == host_bits {
            return Err(wrong("is the block's first or last address, which no machine can have"));
        }
        if address.is_loopback() || address.is_multicast() || address.is_link_local() {
            return Err(wrong("can't be routed in a VPC"));
        }
        Ok(Overlay { address, block })
    }
}

impl fmt::Display for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.block.prefix())
    }
}

/// Reads a routing table's number.
///
/// # Errors
/// What is accepted, where it is none that can be ours.
pub(crate) fn table(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!(
            "`{text}` is not a routing table's number (1 to 4294967295; names stand in files)"
        )),
        Ok(table) if RESERVED_TABLES.contains(&table) => {
            Err(format!("table {table} is the kernel's own; take another, like 200"))
        }
        Ok(table) => Ok(table),
    }
}

/// An address that an interface has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) interface: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix: u8,
    pub(crate) label: String,
}

impl Address {
    fn block(&self) -> Cidr {
        Cidr::containing(self.address, self.prefix)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "address {}/{} on {}", self.address, self.prefix, self.interface)
    }
}

/// A rule that looks at nothing but the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) priority: u32,
    pub(crate) destination: Cidr,
    /// None where it does something else than look into a table.
    pub(crate) table: Option<u32>,
    /// It carries our mark.
    pub(crate) ours: bool,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table {
            Some(table) => write!(f, "rule to {} lookup {table}", self.destination),
            None => write!(f, "rule to {} that looks into no table", self.destination),
        }
    }
}

/// A route of any table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) table: u32,
    pub(crate) destination: Cidr,
    /// None where it has none, or several, or isn't for forwarding at all.
    pub(crate) gateway: Option<Ipv4Addr>,
    pub(crate) interface: Option<String>,
    pub(crate) source: Option<Ipv4Addr>,
    pub(crate) metric: u32,
    /// It carries our mark.
    pub(crate) ours: bool,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.destination.prefix() == 0 {
            f.write_str("route default")?;
        } else {
            write!(f, "route {}", self.destination)?;
        }
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        if let Some(interface) = &self.interface {
            write!(f, " dev {interface}")?;
        }
        if let Some(source) = self.source {
            write!(f, " src {source}")?;
        }
        write!(f, " table {}", self.table)
    }
}

/// What the kernel has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) addresses: Vec<Address>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) routes: Vec<Route>,
}

/// The way out of this machine: its default route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) interface: String,
    pub(crate) gateway: Ipv4Addr,
    /// Among how many default routes it was chosen.
    pub(crate) among: usize,
}

/// Everything that is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) address: Address,
    pub(crate) rule: Rule,
    pub(crate) route: Route,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    AddAddress(Address),
    RemoveAddress(Address),
    AddRule(Rule),
    RemoveRule(Rule),
    AddRoute(Route),
    /// The first one takes the place of the second at once.
    ReplaceRoute(Route, Route),
    RemoveRoute(Route),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::AddAddress(address) => write!(f, "+ {address}"),
            Change::RemoveAddress(address) => write!(f, "- {address}"),
            Change::AddRule(rule) => write!(f, "+ {rule}"),
            Change::RemoveRule(rule) => write!(f, "- {rule}"),
            Change::AddRoute(route) => write!(f, "+ {route}"),
            Change::ReplaceRoute(new, old) => write!(f, "- {old}\n+ {new}"),
            Change::RemoveRoute(route) => write!(f, "- {route}"),
        }
    }
}

/// The label that says that rehome made an address; none where the interface's name leaves no room.
///
/// The kernel keeps labels since long before it kept who made an address (`IFA_PROTO`, 5.18).
#[must_use]
pub(crate) fn label(interface: &str) -> Option<String> {
    let full = format!("{interface}:rehome");
    let cut = full.get(..full.len().min(LABEL_MAX))?;
    // At least one letter after the colon, or it says nothing.
    (cut.len() > interface.len() + 1).then(|| cut.to_owned())
}

/// The default route that counts: of the main table, the one with the lowest metric.
///
/// # Errors
/// Where there is none through a gateway.
pub(crate) fn way(observed: &Observed, interface: Option<&str>) -> Result<Way, Problem> {
    let counts = |route: &&Route| {
        let on = interface.is_none_or(|wanted| route.interface.as_deref() == Some(wanted));
        route.table == MAIN_TABLE && route.destination.prefix() == 0 && on
    };
    let mut routes: Vec<&Route> = observed.routes.iter().filter(counts).collect();
    // Stable: of equal ones the kernel takes the one it lists first.
    routes.sort_by_key(|route| route.metric);
    let on = interface.map(|name| format!(" on {name}")).unwrap_or_default();
    let Some(first) = routes.first() else {
        let what = format!("there is no IPv4 default route{on}, so the router isn't known");
        let hint = "wait for the network (`--wait 2m`), look at `ip route`, or name another \
                    interface with --interface";
        return Err(Problem::new(what, hint));
    };
    let (Some(interface), Some(gateway)) = (first.interface.clone(), first.gateway) else {
        let what = format!("the {first} doesn't lead to one router");
        let hint = "name the VPC's interface with --interface";
        return Err(Problem::new(what, hint));
    };
    Ok(Way { interface, gateway, among: routes.len() })
}

impl Wanted {
    /// What `overlay` needs on a machine with this way out.
    #[must_use]
    pub(crate) fn new(overlay: Overlay, table: u32, way: &Way) -> Wanted {
        let interface = way.interface.clone();
        Wanted {
            address: Address {
                label: label(&interface).unwrap_or_else(|| interface.clone()),
                interface: interface.clone(),
                address: overlay.address,
                prefix: overlay.block.prefix(),
            },
            // The kernel puts it before every other one: it counts down from the first.
            rule: Rule { priority: 0, destination: overlay.block, table: Some(table), ours: true },
            route: Route {
                table,
                destination: Cidr::containing(Ipv4Addr::UNSPECIFIED, 0),
                gateway: Some(way.gateway),
                interface: Some(interface),
                source: Some(overlay.address),
                metric: 0,
                ours: true,
            },
        }
    }
}

/// What has to be done so that what is there is what is wanted; nothing where it is, whoever made
/// it.
///
/// # Errors
/// Everything that is in the way. Nothing of it is touched.
pub(crate) fn plan(wanted: &Wanted, observed: &Observed) -> Result<Vec<Change>, Vec<Problem>> {
    let parts = [
        address_change(wanted, observed),
        rule_change(&wanted.rule, observed),
        route_change(wanted, observed),
    ];
    let mut changes = Vec::new();
    let mut problems = in_its_own_subnet(wanted, observed);
    for part in parts {
        match part {
            Ok(change) => changes.extend(change),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(changes) } else { Err(problems) }
}

/// An overlay block lies outside of every subnet that this machine is in: else its rule would lead
/// away what is next door, the router included.
fn in_its_own_subnet(wanted: &Wanted, observed: &Observed) -> Vec<Problem> {
    let block = wanted.rule.destination;
    let gateway = wanted.route.gateway;
    let is_in_the_way = |other: &&Address| {
        let is_ours = other.address == wanted.address.address;
        // Other overlay addresses of the same block are no subnet.
        let is_overlay = other.interface == wanted.address.interface
            && other.block() == block
            && !gateway.is_some_and(|gateway| block.contains(gateway));
        other.block().overlaps(block) && !is_ours && !is_overlay
    };
    let problem = |other: &Address| {
        let what = format!(
            "{block} is no overlay block on this machine: {} has {}/{} in {}",
            other.interface,
            other.address,
            other.prefix,
            other.block(),
        );
        let hint = "an overlay address lies outside of the VPC's blocks, as 10.0.0.100/24 does \
                    with a VPC of 172.31.0.0/16";
        Problem::new(what, hint)
    };
    observed.addresses.iter().filter(is_in_the_way).map(problem).collect()
}

type Part = Result<Option<Change>, Vec<Problem>>;

fn address_change(wanted: &Wanted, observed: &Observed) -> Part {
    let wanted = &wanted.address;
    let mut same = observed.addresses.iter().filter(|other| other.address == wanted.address);
    let Some(found) = same.next() else {
        return Ok(Some(Change::AddAddress(wanted.clone())));
    };
    if found.interface == wanted.interface && found.prefix == wanted.prefix {
        return Ok(None);
    }
    let own = format!("{}/{}", found.address, found.prefix);
    let what = if found.interface == wanted.interface {
        format!(
            "{} has {own} already, with another prefix than /{}",
            found.interface, wanted.prefix
        )
    } else {
        format!("{} has {own} already, and not {}", found.interface, wanted.interface)
    };
    let undo = if is_ours(found) {
        format!("rehome monitor-net remove --address {own}")
    } else {
        format!("ip address del {own} dev {}", found.interface)
    };
    Err(vec![Problem::new(what, format!("take it away first: `{undo}`"))])
}

fn rule_change(wanted: &Rule, observed: &Observed) -> Part {
    let (same, others): (Vec<&Rule>, Vec<&Rule>) =
        observed.rules.iter().partition(|rule| is_same_rule(rule, wanted));
    // The kernel puts a new rule before all others, so what overlaps is in an old one's way only.
    let first = same.iter().map(|rule| rule.priority).min();
    let is_in_the_way = |other: &&&Rule| {
        let comes_first = first.is_some_and(|first| other.priority < first);
        other.destination == wanted.destination
            || comes_first && other.destination.overlaps(wanted.destination)
    };
    let problem = |other: &&Rule| {
        let undo = match other.table {
            _ if other.ours => "rehome monitor-net remove".to_owned(),
            Some(table) => format!("ip rule del to {} lookup {table}", other.destination),
            None => format!("ip rule del priority {}", other.priority),
        };
        let what = format!("there is another {other} (priority {})", other.priority);
        Problem::new(what, format!("if nothing needs it, take it away first: `{undo}`"))
    };
    let problems: Vec<Problem> = others.iter().filter(is_in_the_way).map(problem).collect();
    match (problems.is_empty(), first) {
        (false, _) => Err(problems),
        (true, Some(_)) => Ok(None),
        (true, None) => Ok(Some(Change::AddRule(wanted.clone()))),
    }
}

fn is_same_rule(one: &Rule, other: &Rule) -> bool {
    (one.destination, one.table) == (other.destination, other.table)
}

fn route_change(wanted: &Wanted, observed: &Observed) -> Part {
    let wanted = &wanted.route;
    let in_table = observed.routes.iter().filter(|route| route.table == wanted.table);
    let (same, others): (Vec<&Route>, Vec<&Route>) =
        in_table.partition(|route| is_same_route(route, wanted));
    let (stale, foreign): (Vec<&Route>, Vec<&Route>) = others.into_iter().partition(|route| {
        route.ours && route.source == wanted.source && route.destination == wanted.destination
    });
    let problem = |other: &Route| {
        let what = format!("table {} is in use: {other}", wanted.table);
        let hint = match other.source.filter(|_| other.ours) {
            Some(source) => format!(
                "it is rehome's for another address: `rehome monitor-net remove` with {source}, \
                 or take another table with --table"
            ),
            None => "take another table with --table".to_owned(),
        };
        Problem::new(what, hint)
    };
    if !foreign.is_empty() {
        return Err(foreign.into_iter().map(problem).collect());
    }
    Ok(match (same.is_empty(), stale.first()) {
        (true, None) => Some(Change::AddRoute(wanted.clone())),
        (true, Some(old)) => Some(Change::ReplaceRoute(wanted.clone(), (*old).clone())),
        (false, Some(old)) => Some(Change::RemoveRoute((*old).clone())),
        (false, None) => None,
    })
}

/// Who made it and its metric don't matter: the way is the same.
fn is_same_route(one: &Route, other: &Route) -> bool {
    let way = |route: &Route| (route.destination, route.gateway, route.interface.clone());
    way(one) == way(other) && one.source == other.source
}

/// An address of the block that none of this machine's is: what is sent there has to take our way.
#[must_use]
pub(crate) fn neighbor(overlay: Overlay, observed: &Observed) -> Ipv4Addr {
    let own = |address: Ipv4Addr| observed.addresses.iter().any(|own| own.address == address);
    let first = overlay.block.network().to_bits() + 1;
    // The smallest block has two addresses for machines, and one of them may be ours.
    let mut hosts =
        (0..(u32::MAX >> overlay.block.prefix()) - 1).map(|n| Ipv4Addr::from(first + n));
    hosts.find(|address| !own(*address)).unwrap_or(overlay.block.network())
}

/// What the kernel does with packets to `neighbor`, where that isn't what is wanted: some rule that
/// looks at more than the destination comes before ours.
#[must_use]
pub(crate) fn astray(wanted: &Wanted, neighbor: Ipv4Addr, found: &Route) -> Option<String> {
    let wanted = &wanted.route;
    let same = (found.gateway, &found.interface, found.source)
        == (wanted.gateway, &wanted.interface, wanted.source);
    (!same).then(|| {
        let hint = "`ip rule` shows what comes first";
        format!("what is sent to {neighbor} takes another way: {found}; {hint}")
    })
}

fn is_ours(address: &Address) -> bool {
    label(&address.interface).is_some_and(|label| label == address.label)
}

/// What has to be done so that nothing is left of what rehome made, and what somebody else made.
/// The marks tell, so it needn't be known which table was used.
#[must_use]
pub(crate) fn undo(overlay: Overlay, observed: &Observed) -> (Vec<Change>, Vec<String>) {
    let (mut changes, mut left) = (Vec::new(), Vec::new());
    let other = |table: u32| belongs_to_another(overlay, observed, table);
    // The rule first: what is sent meanwhile goes the ordinary way, not into an empty table.
    for rule in observed.rules.iter().filter(|rule| rule.destination == overlay.block) {
        if rule.ours && rule.table.is_some_and(other) {
            continue;
        }
        if rule.ours {
            changes.push(Change::RemoveRule(rule.clone()));
        } else {
            left.push(rule.to_string());
        }
    }
    let mut route_is_ours = false;
    let leads_out =
        |route: &&Route| route.destination.prefix() == 0 && route.source == Some(overlay.address);
    for route in observed.routes.iter().filter(leads_out) {
        if route.ours && other(route.table) {
            continue;
        }
        route_is_ours |= route.ours;
        if route.ours {
            changes.push(Change::RemoveRoute(route.clone()));
        } else {
            left.push(route.to_string());
        }
    }
    for address in observed.addresses.iter().filter(|a| a.address == overlay.address) {
        // Where no label fits, the route that leads out from it tells.
        let unlabeled = label(&address.interface).is_none() && route_is_ours;
        if address.prefix == overlay.block.prefix() && (is_ours(address) || unlabeled) {
            changes.push(Change::RemoveAddress(address.clone()));
        } else {
            left.push(address.to_string());
        }
    }
    (changes, left)
}

/// Whether a table of rehome's was set up for another overlay address than this one: its rule leads
/// another block there, or its route sends from another address.
fn belongs_to_another(overlay: Overlay, observed: &Observed, table: u32) -> bool {
    let rules = observed.rules.iter().filter(|rule| rule.ours && rule.table == Some(table));
    let routes = observed.routes.iter().filter(|route| route.ours && route.table == table);
    rules.map(|rule| rule.destination).any(|block| block != overlay.block)
        || routes
            .filter(|route| route.destination.prefix() == 0)
            .any(|route| route.source != Some(overlay.address))
}

#[cfg(test)]
mod tests;
