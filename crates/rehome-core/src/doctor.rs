//! Every precondition of a move, judged from what was read: verdict, evidence, fix.
//!
//! The shell reads and asks (reads, and DryRuns of the very calls that a move would make), and puts
//! what came into [`Facts`]; [`examine`] judges. A reading that failed makes only those findings
//! unknown that rest on it. What neither a reading nor a DryRun can prove is listed as
//! [`Verdict::Unproven`], so that nobody takes silence for proof.
//!
//! ```text
//! shell: read ---> Facts ---> trials() ---> shell: DryRun each ---> Facts ---> examine()
//! ```

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::fault::CallError;
use crate::names::{Az, InstanceId, SubnetId, TableId, VpcId};
use crate::net::Cidr;
use crate::preflight::{Order, Refusal};
use crate::record::Record;
use crate::spec::Parts;
use crate::world::{Caller, Image, Instance, RouteTable, Subnet, Zone};

mod account;
mod case;
mod holder;
mod launch;
mod machine;
mod path;
mod permissions;
mod routes;
pub mod rules;
mod trials;
mod unproven;

use case::Case;
pub use rules::{Acl, AclEntry, GroupRules, Peer, Rule};
pub use trials::{Wanted, denials, quick_trials, trials, wanted};

/// What a reading brought, or why it brought nothing.
pub type Reading<T> = Result<T, CallError>;

/// Everything that was read and tried.
#[derive(Clone, Debug)]
pub struct Facts {
    /// This machine.
    pub machine: Machine,
    /// The region, or why there is none.
    pub region: Result<Region, Refusal>,
    /// Whether the standard chain has credentials.
    pub credentials: Credentials,
    /// Who we are.
    pub caller: Reading<Caller>,
    /// By how many seconds this machine's clock is ahead of AWS's.
    pub clock_ahead: Reading<i64>,
    /// What the state file remembers.
    pub known: Result<Option<Record>, Refusal>,
    /// Whether nothing is to be changed (`--observe`): then nothing is tried.
    pub observing: bool,
    /// The instance that we run on, where we run on one.
    pub own_instance: Option<InstanceId>,
    /// The VPC of the holder, where anything tells it.
    pub vpc: Option<VpcId>,
    /// As [`Snapshot::instances`](crate::preflight::Snapshot::instances), and our own.
    pub instances: Reading<BTreeMap<InstanceId, Instance>>,
    /// The VPC's blocks.
    pub vpc_cidrs: Reading<Vec<Cidr>>,
    /// The VPC's subnets.
    pub subnets: Reading<Vec<Subnet>>,
    /// The region's zones.
    pub zones: Reading<Vec<Zone>>,
    /// The VPC's route tables.
    pub tables: Reading<Vec<RouteTable>>,
    /// What those tables have beside routes that a move is decided by.
    pub table_details: Reading<Vec<TableDetails>>,
    /// The rules of the groups that were asked for, the holder's, and our own.
    pub groups: Reading<Vec<GroupRules>>,
    /// The network ACLs before the holder, before each site, and before us.
    pub acls: Reading<Vec<Acl>>,
    /// Whether the key pair that replacements get exists; true where they get none.
    pub key_exists: Reading<bool>,
    /// The image of a replacement, where it is there.
    pub image: Reading<Option<Image>>,
    /// What else the launch spec is built from.
    pub parts: Reading<Parts>,
    /// The zones that offer the type of a replacement.
    pub offered: Reading<Vec<Az>>,
    /// What the holder is protected from.
    pub protection: Reading<Protection>,
    /// Each action that was read with, and what AWS said to it.
    pub reads: Vec<Read>,
    /// User data for each site.
    pub user_data: Vec<UserData>,
    /// The calls of a move, each tried with `DryRun`.
    pub trials: Vec<Trial>,
    /// Probes of the VIP and of the holder's primary address.
    pub pings: Vec<Ping>,
}

impl Facts {
    /// Facts of which nothing of AWS has been read, because of `why`.
    #[must_use]
    pub fn unread(machine: Machine, why: &CallError) -> Facts {
        Facts {
            machine,
            region: Err(Refusal::new("the region isn't known", "export AWS_DEFAULT_REGION")),
            credentials: Credentials::Unknown(why.brief().into()),
            caller: Err(why.clone()),
            clock_ahead: Err(why.clone()),
            known: Ok(None),
            observing: false,
            own_instance: None,
            vpc: None,
            instances: Err(why.clone()),
            vpc_cidrs: Err(why.clone()),
            subnets: Err(why.clone()),
            zones: Err(why.clone()),
            tables: Err(why.clone()),
            table_details: Err(why.clone()),
            groups: Err(why.clone()),
            acls: Err(why.clone()),
            key_exists: Err(why.clone()),
            image: Err(why.clone()),
            parts: Err(why.clone()),
            offered: Err(why.clone()),
            protection: Err(why.clone()),
            reads: Vec::new(),
            user_data: Vec::new(),
            trials: Vec::new(),
            pings: Vec::new(),
        }
    }
}

/// What this machine tells about itself.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Whether pings may be sent.
    pub icmp: Result<(), Refusal>,
    /// Where the state is kept, or why it can't be.
    pub state_directory: Result<String, Refusal>,
    /// What is wrong with `--notify-exec`, where it was given.
    pub hook: Option<Result<String, Refusal>>,
    /// Its IPv4 addresses, loopback left out.
    pub addresses: Vec<OwnAddress>,
    /// The way that the kernel would send to the VIP.
    pub towards_vip: Option<Way>,
}

impl Machine {
    /// Whether an address is one of this machine's.
    fn has(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|own| own.address == address)
    }
}

/// An address of this machine, as its interface has it: `10.0.0.100/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// How many bits its neighbors share with it.
    pub prefix: u8,
}

/// What EC2 keeps an instance from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// `disableApiStop`.
    pub stop: bool,
    /// `disableApiTermination`.
    pub termination: bool,
}

/// Which way the kernel sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// From which of our addresses.
    pub source: Ipv4Addr,
    /// By which router; none where the target is taken for a neighbor.
    pub gateway: Option<Ipv4Addr>,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Where EC2 is reached.
    pub endpoint: String,
    /// The region of the machine that we run on, where it tells one.
    pub own: Option<String>,
}

/// What the standard chain says about credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// It has some.
    Found,
    /// It has none.
    Missing(String),
    /// It couldn't say.
    Unknown(String),
}

/// A route table's further properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDetails {
    /// Which table.
    pub id: TableId,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Virtual private gateways that put routes into it.
    pub propagating: Vec<String>,
    /// Prefix lists that it has routes for.
    pub prefix_lists: Vec<String>,
}

/// A reading as a permission: the action, and whether AWS let us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The action's name.
    pub action: &'static str,
    /// What AWS said.
    pub answer: Result<(), CallError>,
    /// Whether `run` needs it, or only this examination.
    pub for_run: bool,
}

/// User data rendered for a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData {
    /// The zone.
    pub az: Az,
    /// The subnet.
    pub subnet: SubnetId,
    /// Its size and digest, or what is wrong with the template.
    pub rendered: Result<Rendered, Refusal>,
}

/// A rendered text, without the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Its length.
    pub bytes: usize,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A call of a move, tried with `DryRun`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The call.
    pub call: Call,
    /// Whether EC2 would have done it (`DryRunOperation`).
    pub answer: Result<(), CallError>,
}

/// A few probes from one of our addresses to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// From where; the kernel's choice where there is none.
    pub source: Option<Ipv4Addr>,
    /// To where.
    pub target: Ipv4Addr,
    /// Whether one was answered, or why none could be sent.
    pub heard: Result<bool, String>,
}

/// What a finding comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it has to be.
    Ok,
    /// Nothing here can prove it.
    Unproven,
    /// It works, and not as well as it could, or not for long.
    Warning,
    /// It couldn't be read.
    Unknown,
    /// A move would fail, or its probes would mislead.
    Failure,
}

impl Verdict {
    /// The word that stands in the list.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Unproven => "unproven",
            Verdict::Warning => "warning",
            Verdict::Unknown => "unknown",
            Verdict::Failure => "FAILED",
        }
    }
}

/// What a check is about: the headings of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// The machine that rehome runs on.
    Machine,
    /// Account, region, credentials.
    Account,
    /// Who has the address now.
    Holder,
    /// Who would get it.
    Replacements,
    /// Route tables.
    Routes,
    /// What lets packets through.
    Path,
    /// What AWS allows.
    Permissions,
    /// What can't be proven.
    Unproven,
}

impl Area {
    /// The heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Area::Machine => "This machine",
            Area::Account => "Account",
            Area::Holder => "Holder",
            Area::Replacements => "Replacements",
            Area::Routes => "Routes",
            Area::Path => "Packets",
            Area::Permissions => "Permissions",
            Area::Unproven => "What can't be proven without doing it",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which check: a stable name.
    pub check: String,
    /// What the check is about.
    pub area: Area,
    /// What it came to.
    pub verdict: Verdict,
    /// What was seen.
    pub evidence: String,
    /// What to do about it, where something is to be done.
    pub fix: Option<String>,
}

/// What a check says of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Judged {
    verdict: Verdict,
    evidence: String,
    fix: Option<String>,
}

impl Judged {
    fn ok(evidence: impl Into<String>) -> Judged {
        Judged { verdict: Verdict::Ok, evidence: evidence.into(), fix: None }
    }

    fn unproven(evidence: impl Into<String>, fix: impl Into<String>) -> Judged {
        let fix = Some(fix.into());
        Judged { verdict: Verdict::Unproven, evidence: evidence.into(), fix }
    }

    fn unknown(evidence: impl Into<String>) -> Judged {
        Judged { verdict: Verdict::Unknown, evidence: evidence.into(), fix: None }
    }

    fn warning(evidence: impl Into<String>, fix: impl Into<String>) -> Judged {
        let fix = Some(fix.into());
        Judged { verdict: Verdict::Warning, evidence: evidence.into(), fix }
    }

    fn failure(evidence: impl Into<String>, fix: impl Into<String>) -> Judged {
        let fix = Some(fix.into());
        Judged { verdict: Verdict::Failure, evidence: evidence.into(), fix }
    }
}

impl From<&Refusal> for Judged {
    fn from(refusal: &Refusal) -> Judged {
        Judged::failure(refusal.what.clone(), refusal.hint.clone())
    }
}

/// What a check says, or the reading that it is missing.
type Judgment = Result<Vec<Judged>, String>;

/// A check: its name, what it is about, and its rule.
type Check = (&'static str, Area, fn(&Case<'_>) -> Judgment);

/// Every check, in the order of the list.
const CHECKS: &[Check] = &[
    ("icmp", Area::Machine, machine::icmp),
    ("state-directory", Area::Machine, machine::state_directory),
    ("state-file", Area::Machine, machine::state_file),
    ("notify-exec", Area::Machine, machine::hook),
    ("monitor-address", Area::Machine, machine::address),
    ("region", Area::Account, account::region),
    ("credentials", Area::Account, account::credentials),
    ("clock", Area::Account, account::clock),
    ("holder", Area::Holder, holder::holder),
    ("replaceable", Area::Holder, holder::replaceable),
    ("holder-source-dest-check", Area::Holder, holder::source_dest_check),
    ("shared-zone", Area::Holder, holder::shared_zone),
    ("answers", Area::Holder, holder::answers),
    ("security-group", Area::Replacements, launch::groups),
    ("key-pair", Area::Replacements, launch::key),
    ("image", Area::Replacements, launch::image),
    ("subnets", Area::Replacements, launch::subnets),
    ("instance-type", Area::Replacements, launch::offered),
    ("user-data", Area::Replacements, launch::user_data),
    ("launch", Area::Replacements, launch::trials),
    ("vip-outside-vpc", Area::Routes, routes::outside),
    ("route-set", Area::Routes, routes::route_set),
    ("shadowing", Area::Routes, routes::shadowing),
    ("route-quota", Area::Routes, routes::quota),
    ("client-subnets", Area::Routes, routes::clients),
    ("way-back", Area::Routes, routes::way_back),
    ("route-writers", Area::Routes, routes::writers),
    ("monitor-source-dest-check", Area::Path, path::source_dest_check),
    ("ingress", Area::Path, path::ingress),
    ("egress", Area::Path, path::egress),
    ("network-acl", Area::Path, path::network_acl),
    ("control-targets", Area::Path, path::control_targets),
    ("read-permissions", Area::Permissions, permissions::reads),
    ("write-permissions", Area::Permissions, permissions::writes),
    ("capacity", Area::Unproven, unproven::capacity),
    ("boot", Area::Unproven, unproven::boot),
    ("successors", Area::Unproven, unproven::successors),
    ("application", Area::Unproven, unproven::application),
    ("pass-role", Area::Unproven, unproven::pass_role),
    ("volume-key", Area::Unproven, unproven::volume_key),
    ("way-here", Area::Unproven, unproven::way_here),
];

/// Judges everything that was read.
#[must_use]
pub fn examine(order: &Order, facts: &Facts) -> Vec<Finding> {
    let case = Case::new(order, facts);
    let mut findings = Vec::new();
    for (check, area, judge) in CHECKS {
        let judged = judge(&case).unwrap_or_else(|why| alloc::vec![Judged::unknown(why)]);
        findings.extend(judged.into_iter().map(|one| Finding {
            check: (*check).into(),
            area: *area,
            verdict: one.verdict,
            evidence: one.evidence,
            fix: one.fix,
        }));
    }
    findings
}

/// What all findings together come to: the worst of them. What nothing can prove never counts.
#[must_use]
pub fn worst(findings: &[Finding]) -> Verdict {
    let verdicts = findings.iter().map(|finding| finding.verdict);
    verdicts.filter(|verdict| *verdict != Verdict::Unproven).max().unwrap_or(Verdict::Ok)
}

#[cfg(test)]
mod tests;
