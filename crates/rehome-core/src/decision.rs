//! Decisions as values: what was decided, on which evidence, in one plain sentence.
//!
//! One is made for each decision to move and for each decision not to. The same value goes to the
//! log, to the history that `rehome why` and `rehome history` read, to replays and to tests.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::{Az, InstanceId};
use crate::net::Vip;
use crate::time::{Mono, Short, Unix};
use crate::verdict::{Reason, Verdict};
use crate::world::InstanceState;

/// One decision about one VIP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When, on the clock of the process that decided.
    pub at: Mono,
    /// When, by wall time.
    pub time: Unix,
    /// About which address.
    pub vip: Vip,
    /// How many moves it had completed.
    pub generation: u64,
    /// The launch under way, where one was.
    pub attempt: Option<u64>,
    /// Who held the address.
    pub holder: InstanceId,
    /// The holder's zone.
    pub az: Az,
    /// What the evidence amounted to.
    pub verdict: Verdict,
    /// What was decided.
    pub decided: Decided,
    /// What it rested on.
    pub evidence: Vec<Fact>,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What was asked, or listened to.
    pub what: String,
    /// What it said.
    pub says: String,
    /// How old its word was; none where there was no word.
    pub age: Option<Duration>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "kebab-case")]
pub enum Decided {
    /// Nothing is wrong any more, or yet: watching goes on.
    Watch {
        /// Why.
        why: String,
    },
    /// Something is wrong, and nothing is moved.
    Hold {
        /// Why.
        why: String,
    },
    /// A person stopped every change.
    Pause {
        /// Who, until when, and why.
        why: String,
    },
    /// The pause is over.
    Resume,
    /// What `--observe` would have done.
    WouldMove {
        /// Why.
        reason: Reason,
    },
    /// A move begins: a candidate is prepared, nothing that serves is touched.
    Move {
        /// Why.
        reason: Reason,
    },
    /// The holder came back before anything was cut.
    Cancel,
    /// A candidate is launched.
    Launch {
        /// Where.
        az: Az,
    },
    /// A launch was refused, or its instance is no good.
    GiveUp {
        /// Where.
        az: Az,
        /// Which instance, where there was one.
        instance: Option<InstanceId>,
        /// Why.
        why: String,
    },
    /// The second look agreed: the routes are pointed to the candidate.
    Cut {
        /// To whom.
        to: Option<InstanceId>,
    },
    /// The routes were read back; the address has to answer from there.
    Verify {
        /// From whom.
        to: InstanceId,
    },
    /// The address answers from its new home.
    Moved(Box<Moved>),
    /// The routes go back.
    RollBack {
        /// To whom.
        to: InstanceId,
        /// Why.
        why: String,
    },
    /// Something that drifted is put right.
    Heal {
        /// What.
        what: String,
    },
    /// The third look agreed: an instance is ended.
    Fence {
        /// Which.
        instance: InstanceId,
        /// Whether it held the address before.
        former: bool,
        /// Whether it is stopped rather than terminated.
        stop: bool,
    },
    /// An instance was seen to have ended.
    Ended {
        /// Which.
        instance: InstanceId,
        /// Whether it held the address before.
        former: bool,
        /// How it was seen.
        state: InstanceState,
    },
    /// An instance is left as it is.
    Keep {
        /// Which.
        instance: InstanceId,
        /// Whether it held the address before.
        former: bool,
        /// Why.
        why: String,
    },
    /// A dead holder could not be replaced.
    Incapable {
        /// Why.
        why: String,
    },
    /// It could be replaced again.
    Capable,
}

/// A move that was completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// From whom.
    pub from: InstanceId,
    /// Its zone.
    pub from_az: Az,
    /// To whom.
    pub to: InstanceId,
    /// Its zone.
    pub to_az: Az,
    /// Why.
    pub reason: Reason,
    /// How long no probe was answered, where one process saw it all.
    pub silent_for: Option<Duration>,
    /// How long each phase took, where one process saw it all.
    pub phases: Phases,
}

/// How long the phases of a move took; none for one that no single process saw from end to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// From the first lost probe to the decision to move.
    pub detect: Option<Duration>,
    /// From there to the cut: the launch, and whatever else was waited for.
    pub prepare: Option<Duration>,
    /// From there until every route was read back.
    pub cut: Option<Duration>,
    /// From there until the address answered steadily.
    pub verify: Option<Duration>,
}

impl Decided {
    /// The word for scripts; the same as in the serialized form.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Decided::Watch { .. } => "watch",
            Decided::Hold { .. } => "hold",
            Decided::Pause { .. } => "pause",
            Decided::Resume => "resume",
            Decided::WouldMove { .. } => "would-move",
            Decided::Move { .. } => "move",
            Decided::Cancel => "cancel",
            Decided::Launch { .. } => "launch",
            Decided::GiveUp { .. } => "give-up",
            Decided::Cut { .. } => "cut",
            Decided::Verify { .. } => "verify",
            Decided::Moved(_) => "moved",
            Decided::RollBack { .. } => "roll-back",
            Decided::Heal { .. } => "heal",
            Decided::Fence { .. } => "fence",
            Decided::Ended { .. } => "ended",
            Decided::Keep { .. } => "keep",
            Decided::Incapable { .. } => "incapable",
            Decided::Capable => "capable",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (vip, holder, az) = (self.vip, &self.holder, &self.az);
        let old = |former: &bool| if *former { "the old instance" } else { "the instance" };
        match &self.decided {
            Decided::Watch { why } => write!(f, "{vip} stays on {holder} in {az}: {why}"),
            Decided::Hold { why } => write!(f, "{vip} is not moved from {holder} in {az}: {why}"),
            Decided::Pause { why } => write!(f, "Nothing is changed about {vip}: paused {why}"),
            Decided::Resume => write!(f, "Changes to {vip} are allowed again: no longer paused"),
            Decided::WouldMove { reason } => {
                write!(f, "{vip} would be moved from {holder} in {az} due to: {reason} (--observe)")
            }
            Decided::Move { reason } => {
                write!(f, "{vip} is moved from {holder} in {az} due to: {reason}")
            }
            Decided::Cancel => write!(f, "{vip} stays on {holder} in {az}: it answers again"),
            Decided::Launch { az } => write!(f, "A new home for {vip} is launched in {az}"),
            Decided::GiveUp { az, instance: Some(instance), why } => {
                write!(f, "{instance} in {az} is given up as a home for {vip}: {why}")
            }
            Decided::GiveUp { az, instance: None, why } => {
                write!(f, "No home for {vip} could be had in {az}: {why}")
            }
            Decided::Cut { to: Some(to) } => {
                write!(f, "The routes for {vip} are pointed from {holder} to {to}")
            }
            Decided::Cut { to: None } => write!(f, "The routes for {vip} are pointed away"),
            Decided::Verify { to } => write!(f, "{vip} has to answer from {to} now"),
            Decided::Moved(moved) => write!(f, "{vip} was moved {moved}"),
            Decided::RollBack { to, why } => {
                write!(f, "The routes for {vip} are pointed back to {to}: {why}")
            }
            Decided::Heal { what } => write!(f, "{vip} stays on {holder} in {az}: {what}"),
            Decided::Fence { instance, former, stop } => {
                let verb = if *stop { "stopped" } else { "terminated" };
                write!(f, "{vip} is served elsewhere, so {} {instance} is {verb}", old(former))
            }
            Decided::Ended { instance, former, state } => {
                write!(f, "{} {instance} was seen as: {state}", Capital(old(former)))
            }
            Decided::Keep { instance, former, why } => {
                write!(f, "{} {instance} is kept: {why}", Capital(old(former)))
            }
            Decided::Incapable { why } => {
                write!(f, "If {holder} failed now, {vip} could not be moved: {why}")
            }
            Decided::Capable => write!(f, "If {holder} failed now, {vip} could be moved again"),
        }
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moved { from, from_az, to, to_az, reason, silent_for, .. } = self;
        write!(f, "from {from} in {from_az} to {to} in {to_az} due to: {reason}")?;
        match silent_for {
            Some(silent_for) => write!(f, "; it was silent for {}", Short(*silent_for)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.says)?;
        match self.age {
            Some(age) => write!(f, " ({} old)", Short(age)),
            None => Ok(()),
        }
    }
}

/// A phrase at the beginning of a sentence.
struct Capital<'a>(&'a str);

impl fmt::Display for Capital<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = self.0.chars();
        match letters.next() {
            Some(first) => write!(f, "{}{}", first.to_uppercase(), letters.as_str()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<Decided> {
        let why = || String::from("a reason");
        let id = || "i-0000000b".parse::<InstanceId>().unwrap();
        let az = || "us-east-1b".parse::<Az>().unwrap();
        let reason = Reason::Unreachable;
        let moved = Moved {
            from: "i-0000000a".parse().unwrap(),
            from_az: "us-east-1a".parse().unwrap(),
            to: id(),
            to_az: az(),
            reason: reason.clone(),
            silent_for: Some(Duration::from_millis(10_400)),
            phases: Phases { detect: Some(Duration::from_secs(3)), ..Phases::default() },
        };
        let state = InstanceState::Other("odd".into());
        alloc::vec![
            Decided::Watch { why: why() },
            Decided::Hold { why: why() },
            Decided::Pause { why: why() },
            Decided::Resume,
            Decided::WouldMove { reason: reason.clone() },
            Decided::Move { reason },
            Decided::Cancel,
            Decided::Launch { az: az() },
            Decided::GiveUp { az: az(), instance: None, why: why() },
            Decided::GiveUp { az: az(), instance: Some(id()), why: why() },
            Decided::Cut { to: Some(id()) },
            Decided::Verify { to: id() },
            Decided::Moved(Box::new(moved)),
            Decided::RollBack { to: id(), why: why() },
            Decided::Heal { what: why() },
            Decided::Fence { instance: id(), former: true, stop: false },
            Decided::Ended { instance: id(), former: true, state },
            Decided::Keep { instance: id(), former: false, why: why() },
            Decided::Incapable { why: why() },
            Decided::Capable,
        ]
    }

    fn decision(decided: Decided) -> Decision {
        Decision {
            at: Mono(1),
            time: Unix(2),
            vip: "10.0.0.10".parse().unwrap(),
            generation: 3,
            attempt: None,
            holder: "i-0000000a".parse().unwrap(),
            az: "us-east-1a".parse().unwrap(),
            verdict: Verdict::Healthy,
            decided,
            evidence: alloc::vec![Fact {
                what: "10.0.0.10".into(),
                says: "answers".into(),
                age: Some(Duration::from_millis(250)),
            }],
        }
    }

    #[test]
    fn every_decision_survives_being_written_down_and_its_word_is_the_written_one() {
        for decided in every() {
            let decision = decision(decided);
            let text = serde_json::to_string(&decision).unwrap();
            assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["decided"]["did"], decision.decided.word());
        }
    }

    #[test]
    fn every_decision_is_one_sentence() {
        for decided in every() {
            let text = alloc::format!("{}", decision(decided));
            let proper = text.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
                || text.starts_with("i-");
            assert!(proper && !text.ends_with('.') && !text.contains('\n'), "{text}");
        }
        let moved = alloc::format!("{}", decision(every().swap_remove(12)));
        assert_eq!(
            moved,
            "10.0.0.10 was moved from i-0000000a in us-east-1a to i-0000000b in us-east-1b due \
             to: unreachable; it was silent for 10 s"
        );
    }
}
