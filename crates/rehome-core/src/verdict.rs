//! From evidence to a verdict, and to the cheapest repair that suffices.
//!
//! [`judge`] is a table read from the top: what speaks for the holder comes before what speaks
//! against it, and evidence that is missing or older than the silence it should explain makes the
//! verdict [`Verdict::Unknown`], which never moves anything.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::mutant::{self, Mutant};
use crate::names::TableId;
use crate::policy::Policy;
use crate::probe::Hearing;
use crate::time::{Mono, Short};
use crate::world::InstanceState;

/// Why an address is moved: a closed set, so that scripts can rely on the words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// VIP and primary address are silent, and the way there hasn't changed.
    Unreachable,
    /// EC2 doesn't know the instance any more.
    NotFound,
    /// EC2 says that it doesn't run.
    State(InstanceState),
    /// A status check failed.
    StatusCheck(String),
    /// The guest runs and has lost the address.
    AddressLost,
    /// EC2 says that its zone is impaired, and it is silent.
    AzImpaired,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Unreachable => f.write_str("unreachable"),
            Reason::NotFound => f.write_str("not found"),
            Reason::State(state) => write!(f, "state is {state}"),
            Reason::StatusCheck(name) => write!(f, "status check {name} impaired"),
            Reason::AddressLost => f.write_str("address lost"),
            Reason::AzImpaired => f.write_str("AZ impaired"),
        }
    }
}

/// A fact with the moment it was asked for; the call that brought it may have taken a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen<T> {
    /// When it was asked for.
    pub asked: Mono,
    /// What came; or why nothing did.
    pub what: Result<T, String>,
}

/// What EC2 says of the holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HolderSeen {
    /// It is there.
    There {
        /// Its state.
        state: InstanceState,
        /// The status check that says impaired, where one does.
        impaired: Option<String>,
    },
    /// EC2 doesn't know it.
    Gone,
}

/// Everything a verdict rests on, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was asked for before this moment is too old to prove anything.
    pub not_before: Mono,
    /// Why our own end is no judge of anybody: nothing can be sent, or what has to answer us if
    /// the network is well doesn't either.
    pub blind: Option<String>,
    /// The control targets together; none where none is configured. They are reached from the same
    /// sources through the same fabric, so their answer proves that silence isn't our own.
    pub control: Option<Hearing>,
    /// Whether EC2 calls the holder's zone available.
    pub zone: Option<Seen<bool>>,
    /// The VIP, from all sources together.
    pub vip: Hearing,
    /// The holder's primary address; unknown until it has answered once.
    pub primary: Hearing,
    /// EC2's word on the holder.
    pub holder: Option<Seen<HolderSeen>>,
    /// Tables of the route set whose route is missing, blackholed or points elsewhere.
    pub routes: Option<Seen<Vec<TableId>>>,
    /// What changed on the way since it last worked.
    pub path: Option<Seen<Vec<String>>>,
}

/// What the evidence amounts to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The VIP answers from some source. Repair: none.
    Healthy,
    /// The VIP is silent and routes of the set are wrong. Repair: put them back.
    Drift(Vec<TableId>),
    /// The VIP is silent, the primary address answers, the routes are right. Repair: move, after
    /// its own grace period.
    AddressLost {
        /// Since when.
        since: Mono,
    },
    /// Repair: move.
    HolderDead {
        /// What says so.
        reason: Reason,
        /// Since when the VIP has been silent.
        since: Mono,
    },
    /// The VIP is silent, alone or with the primary address, EC2 says ok, and the way there
    /// changed. Repair: none; name it.
    PathClosed(Vec<String>),
    /// Our own end is broken, so silence says nothing. Repair: none; say so, change nothing.
    Blind(String),
    /// Too little evidence. Repair: none; keep looking.
    Unknown(String),
}

impl Verdict {
    /// The reason to move that this verdict gives at `now`, if it gives one.
    #[must_use]
    pub fn reason_to_move(&self, policy: &Policy, now: Mono) -> Option<Reason> {
        match self {
            Verdict::HolderDead { reason, .. } => Some(reason.clone()),
            Verdict::AddressLost { since } if now.since(*since) >= policy.address_lost_after => {
                Some(Reason::AddressLost)
            }
            Verdict::Healthy
            | Verdict::Drift(_)
            | Verdict::AddressLost { .. }
            | Verdict::PathClosed(_)
            | Verdict::Blind(_)
            | Verdict::Unknown(_) => None,
        }
    }
}

/// Judges the evidence. Facts asked for before the silence began are too old to explain it.
#[must_use]
pub fn judge(evidence: &Evidence) -> Verdict {
    let silent_since = match (&evidence.vip, &evidence.blind) {
        (Hearing::Answers, _) => return Verdict::Healthy,
        (_, Some(why)) => return Verdict::Blind(why.clone()),
        (Hearing::Unknown(why), None) => return Verdict::Unknown(why.clone().into_owned()),
        (Hearing::Silent { since, .. }, None) => *since,
    };
    if let Some(Hearing::Unknown(why)) = &evidence.control {
        return Verdict::Unknown(format!("the control targets: {why}"));
    }
    // Every fact has to be younger than the silence that it explains, and not old by itself.
    let young = silent_since.max(evidence.not_before);
    judge_silence(evidence, silent_since, young)
}

/// Judges a silence that isn't our own.
fn judge_silence(evidence: &Evidence, since: Mono, young: Mono) -> Verdict {
    let silent = matches!(evidence.primary, Hearing::Silent { .. });
    let zone_fails = fresh(evidence.zone.as_ref(), young) == Ok(&false);
    // A zone in trouble takes EC2's readings of its instances along, so with somebody else's
    // answer to show that the network is well, its own word on the zone is enough.
    if silent && zone_fails && evidence.control == Some(Hearing::Answers) {
        return Verdict::HolderDead { reason: Reason::AzImpaired, since };
    }
    let (state, impaired) = match fresh(evidence.holder.as_ref(), young) {
        Err(why) => return Verdict::Unknown(format!("EC2's word on the holder: {why}")),
        Ok(HolderSeen::Gone) => {
            return Verdict::HolderDead { reason: Reason::NotFound, since };
        }
        Ok(HolderSeen::There { state, impaired }) => (state, impaired),
    };
    match state {
        InstanceState::Running => {}
        InstanceState::Pending => return Verdict::Unknown("the holder is being started".into()),
        InstanceState::Other(word) => {
            return Verdict::Unknown(format!("EC2 calls the holder {word}"));
        }
        InstanceState::Stopping
        | InstanceState::Stopped
        | InstanceState::ShuttingDown
        | InstanceState::Terminated => {
            return Verdict::HolderDead { reason: Reason::State(state.clone()), since };
        }
    }
    // A holder that is deaf on both addresses isn't mended by a route.
    if !silent {
        match fresh(evidence.routes.as_ref(), young) {
            Err(why) => return Verdict::Unknown(format!("the route tables: {why}")),
            Ok(wrong) if !wrong.is_empty() => return Verdict::Drift(wrong.clone()),
            Ok(_) => {}
        }
    }
    if evidence.primary == Hearing::Answers {
        // A rule that closes the way to the overlay address alone looks like a guest without it.
        return match way(evidence, young) {
            Err(verdict) => verdict,
            Ok(()) => Verdict::AddressLost { since },
        };
    }
    if let Some(check) = impaired {
        return Verdict::HolderDead { reason: Reason::StatusCheck(check.clone()), since };
    }
    if zone_fails {
        return Verdict::HolderDead { reason: Reason::AzImpaired, since };
    }
    if let Hearing::Unknown(why) = &evidence.primary {
        return Verdict::Unknown(format!("the holder's primary address: {why}"));
    }
    match way(evidence, young) {
        Err(verdict) => verdict,
        Ok(()) => Verdict::HolderDead { reason: Reason::Unreachable, since },
    }
}

/// Whether the way to the holder is as it was when it last worked; else the verdict that follows.
fn way(evidence: &Evidence, young: Mono) -> Result<(), Verdict> {
    if mutant::is_alive(Mutant::IgnoresPath) {
        return Ok(());
    }
    match fresh(evidence.path.as_ref(), young) {
        Err(why) => Err(Verdict::Unknown(format!("groups and ACLs on the way: {why}"))),
        Ok(changed) if !changed.is_empty() => Err(Verdict::PathClosed(changed.clone())),
        Ok(_) => Ok(()),
    }
}

fn fresh<T>(seen: Option<&Seen<T>>, young: Mono) -> Result<&T, &str> {
    match seen {
        Some(seen) if seen.asked >= young => seen.what.as_ref().map_err(String::as_str),
        Some(_) | None => Err("not read since it fell silent"),
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Healthy => f.write_str("healthy"),
            Verdict::Drift(tables) => {
                write!(f, "route drift in {}", list(tables.iter()))
            }
            Verdict::AddressLost { .. } => f.write_str("the guest lost the address"),
            Verdict::HolderDead { reason, .. } => write!(f, "the holder is dead: {reason}"),
            Verdict::PathClosed(changed) => {
                write!(f, "the path is closed: {} changed", list(changed.iter()))
            }
            Verdict::Blind(why) => write!(f, "we are blind: {why}"),
            Verdict::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

/// The items, separated by commas.
pub(crate) fn list<T: fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&item.to_string());
    }
    text
}

impl Evidence {
    /// The evidence in one sentence, with ages at `now`.
    #[must_use]
    pub fn sentence(&self, now: Mono) -> String {
        let hearing = |hearing: &Hearing| match hearing {
            Hearing::Answers => "answers".to_string(),
            Hearing::Silent { since, losses } => {
                format!("silent for {} ({losses} probes lost)", Short(now.since(*since)))
            }
            Hearing::Unknown(why) => format!("unknown ({why})"),
        };
        let holder = match &self.holder {
            None => "not read".to_string(),
            Some(seen) => match &seen.what {
                Err(why) => format!("unknown ({why})"),
                Ok(HolderSeen::Gone) => "not found".to_string(),
                Ok(HolderSeen::There { state, impaired: None }) => state.to_string(),
                Ok(HolderSeen::There { state, impaired: Some(check) }) => {
                    format!("{state}, {check} check impaired")
                }
            },
        };
        let (vip, primary) = (hearing(&self.vip), hearing(&self.primary));
        let mut text = format!("VIP {vip}, primary address {primary}, EC2 says {holder}");
        if let Some(control) = &self.control {
            text.push_str(&format!(", control targets: {}", hearing(control)));
        }
        text
    }
}

#[cfg(test)]
mod tests;
