//! The memory: what must survive a crash, written before each side effect that needs it.
//!
//! AWS says where things stand, the record says what to build and what was begun. Together with
//! tags and client tokens it makes every step repeatable: nothing is launched twice, and nothing
//! that was launched is forgotten.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::digest::sha256_hex;
use crate::mutant::{self, Mutant};
use crate::names::{Az, GroupId, InstanceId, InterfaceId, SubnetId, TableId, VpcId};
use crate::net::Vip;
use crate::placement::Site;
use crate::policy::FenceMode;
use crate::spec::{LaunchSpec, TAG_PREFIX};
use crate::time::Unix;
use crate::verdict::Reason;
use crate::world::PathPart;

/// The form of the record that this version writes, and the only one it reads.
pub const FORMAT: u32 = 1;

/// Instances that lost the address and are remembered, so that a route that comes to point to one
/// of them again is known for what it is.
const FORMER_MAX: usize = 16;

/// An instance that holds the VIP or could: what probes and routes need to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// The instance.
    pub instance: InstanceId,
    /// Its primary interface.
    pub interface: InterfaceId,
    /// Its primary address.
    pub address: Ipv4Addr,
    /// Its zone.
    pub az: Az,
    /// Its subnet.
    pub subnet: SubnetId,
    /// The security groups of its primary interface: the far end of the path.
    pub groups: Vec<GroupId>,
    /// Whether its primary address has ever answered us; only then is its silence evidence.
    pub answered: bool,
}

/// Where a move stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// A candidate is launched and proven; nothing that serves is touched.
    Preparing,
    /// Routes are being pointed to the candidate and read back.
    Cutting,
    /// The VIP has to answer from its new home.
    Verifying,
    /// No candidate was good enough: routes go back to where they were.
    RollingBack,
}

/// One launch, named before it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts the launches of this generation, from 1.
    pub number: u64,
    /// Where.
    pub site: Site,
    /// The client token: the same launch repeated is the same instance.
    pub token: String,
    /// What the user data was.
    pub user_data_sha256: String,
    /// When it was begun; once its instance is known, since when that has been so.
    pub since: Unix,
    /// Whether the call may have left: then only its token can tell what it brought.
    pub maybe_sent: bool,
    /// What came of it.
    pub instance: Option<InstanceId>,
    /// What is known of that instance, once EC2 tells.
    pub home: Option<Home>,
    /// Whether it was launched ahead of need, as a standby.
    #[serde(default)]
    pub ahead: bool,
}

/// A move under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Why.
    pub reason: Reason,
    /// How far.
    pub stage: Stage,
    /// The present launch.
    pub attempt: Option<Attempt>,
    /// Where candidates go, in the order in which places are tried; the instance type is the
    /// spec's. Written down so that a restart goes on along the same order.
    #[serde(default)]
    pub order: Vec<Site>,
    /// Zones that have had their launch in this round.
    pub tried: Vec<Az>,
    /// Launches that brought an instance in this round.
    pub launches: u32,
    /// Who the routes were pointed to last, where any were.
    pub cut_to: Option<Home>,
    /// Whether a person stopped the holder: then it is moved away from, and kept.
    pub by_person: bool,
    /// Whether a standby was its candidate.
    #[serde(default)]
    pub used_standby: bool,
    /// Where each table's route led before the first cut.
    pub old_targets: BTreeMap<TableId, InterfaceId>,
}

/// Why an instance is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Leftover {
    /// It held the address before.
    Former,
    /// It was launched and proved no good.
    Failed,
    /// It was launched and not needed in the end.
    Spare,
}

/// An instance that is to be fenced or cleaned up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposal {
    /// Which.
    pub instance: InstanceId,
    /// Its zone.
    pub az: Az,
    /// Its interface; no route may point to it when it goes.
    pub interface: Option<InterfaceId>,
    /// Its primary address, where it has ever answered there.
    pub address: Option<Ipv4Addr>,
    /// Why.
    pub why: Leftover,
    /// How.
    pub mode: FenceMode,
    /// Not earlier than this.
    pub not_before: Unix,
    /// Whether the order was given already.
    pub ordered: bool,
    /// Whether a person stopped it once: then it is never ended, whatever it does later.
    pub by_person: bool,
}

/// A launch that was given up before it was known what it brought. EC2 may show its instance late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostLaunch {
    /// Its client token.
    pub token: String,
    /// When it was given up.
    pub since: Unix,
}

/// All that one VIP's controller remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`FORMAT`].
    pub format: u32,
    /// Counts what was written: each writing is made against the one before it, so that two who
    /// keep the same record find out.
    #[serde(default)]
    pub revision: u64,
    /// Whose.
    pub vip: Vip,
    /// Where.
    pub vpc: VpcId,
    /// The account.
    pub account: String,
    /// Counts the moves that were completed.
    pub generation: u64,
    /// Launches begun in this generation.
    pub attempts: u64,
    /// Who holds the VIP.
    pub holder: Home,
    /// The tables whose route for the VIP is ours.
    pub route_set: Vec<TableId>,
    /// Sources that have heard the VIP. While there are none it isn't failed over, because it
    /// never worked; once there are some, the silence of the others is nothing new.
    pub heard_by: Vec<Option<Ipv4Addr>>,
    /// The path between monitor and holder as it was when it last worked; empty where it has
    /// never been read while it did.
    pub path: Vec<PathPart>,
    /// What a replacement is built from.
    pub spec: LaunchSpec,
    /// The move under way.
    pub moving: Option<Move>,
    /// The standby, or its launch under way; the candidate of the next move.
    #[serde(default)]
    pub standby: Option<Attempt>,
    /// What the standby was built from.
    #[serde(default)]
    pub standby_spec: Option<LaunchSpec>,
    /// When standbys were launched, for the budget; a day's worth.
    #[serde(default)]
    pub standby_launches: Vec<Unix>,
    /// Instances on their way out.
    pub disposals: Vec<Disposal>,
    /// Launches whose instances may still turn up.
    pub lost_launches: Vec<LostLaunch>,
    /// Instances that held the VIP or were given up, the newest last; the first is the one that the
    /// command line named when the record was made. Ones with later tags than the record's, too,
    /// that were there then.
    pub former: Vec<InstanceId>,
    /// When moves were begun, for the budget; a day's worth.
    pub moves: Vec<Unix>,
}

impl Record {
    /// The client token of a launch: the same for the same launch, in whatever process.
    #[must_use]
    pub fn token(&self, attempt: u64) -> String {
        let (vpc, vip) = (&self.vpc, self.vip.destination);
        let all = mutant::is_alive(Mutant::TokenOfVip);
        let generation = if all { 0 } else { self.generation };
        let attempt = if mutant::is_alive(Mutant::SameToken) { 0 } else { attempt };
        sha256_hex(format!("rehome/{vpc}/{vip}/{generation}/{attempt}").as_bytes())
    }

    /// Our tags on the instance of a launch.
    #[must_use]
    pub fn tags(&self, attempt: u64) -> BTreeMap<String, String> {
        [
            ("vip", self.vip.address.to_string()),
            ("generation", (self.generation + 1).to_string()),
            ("attempt", attempt.to_string()),
            ("replaces", self.holder.instance.to_string()),
        ]
        .into_iter()
        .map(|(key, value)| (format!("{TAG_PREFIX}{key}"), value))
        .collect()
    }

    /// Adds an instance to those that once held the VIP.
    pub fn remember_former(&mut self, instance: &InstanceId) {
        if !self.former.contains(instance) {
            self.former.push(instance.clone());
        }
        if self.former.len() > FORMER_MAX {
            // The first is the one that the command line names for ever.
            self.former.remove(1);
        }
    }

    /// Takes over what AWS can't tell from the record whose place this one takes: the budget, which
    /// is for people's purses whatever became of the rest, and who held the VIP by it, so that the
    /// command that made it goes on with this one.
    pub fn succeed(&mut self, old: &Record) {
        self.moves.clone_from(&old.moves);
        self.standby_launches.clone_from(&old.standby_launches);
        let same = self.vpc == old.vpc
            && self.holder.instance == old.holder.instance
            && self.generation == old.generation;
        if same && old.account == self.account {
            self.standby.clone_from(&old.standby);
            self.standby_spec.clone_from(&old.standby_spec);
            self.attempts = self.attempts.max(old.attempts);
        }
        let since = core::mem::replace(&mut self.former, old.former.clone());
        for instance in [&old.holder.instance].into_iter().chain(&since) {
            self.remember_former(instance);
        }
    }

    /// How many moves began in the `seconds` before `now`.
    #[must_use]
    pub fn moves_within(&self, now: Unix, seconds: u64) -> usize {
        within(&self.moves, now, seconds)
    }

    /// How many standbys were launched in the `seconds` before `now`.
    #[must_use]
    pub fn standbys_within(&self, now: Unix, seconds: u64) -> usize {
        within(&self.standby_launches, now, seconds)
    }
}

fn within(times: &[Unix], now: Unix, seconds: u64) -> usize {
    times.iter().filter(|at| now.0.saturating_sub(at.0) < seconds).count()
}
