//! What people are told: the mission's lines word for word, and lines of our own where rehome does
//! a step another way.

use alloc::string::String;
use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::{Az, InstanceId, TableId};
use crate::net::Cidr;
use crate::probe::Hearing;
use crate::time::Short;
use crate::verdict::Reason;
use crate::world::InstanceState;

/// EC2's word on the holder, as a status line has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateSeen {
    /// EC2 told.
    Known(InstanceState),
    /// EC2 doesn't list it.
    NotFound,
    /// EC2 could not be read.
    Unknown {
        /// Why.
        why: String,
        /// What it was when it could be read last, and how long ago.
        last: Option<(InstanceState, Duration)>,
    },
}

/// One event worth a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Line {
    /// How the holder is.
    Status {
        /// The holder.
        instance: InstanceId,
        /// Its primary address.
        address: Ipv4Addr,
        /// Its zone.
        az: Az,
        /// EC2's word.
        state: StateSeen,
        /// The probes' word.
        ping: Hearing,
    },
    /// Routes are being read and the holder's source/dest check and routes put right at the start.
    SourceDestCheckOff {
        /// Whose.
        instance: InstanceId,
    },
    /// The VIP has fallen silent and EC2 is being asked.
    Suspect {
        /// What is known.
        evidence: String,
    },
    /// A move begins.
    Moving {
        /// The standby that it goes to, where one is ready.
        #[serde(default)]
        standby: Option<InstanceId>,
        /// Why.
        reason: Reason,
        /// What it rests on.
        evidence: String,
    },
    /// What `--observe` would have done.
    WouldMove {
        /// The holder.
        instance: InstanceId,
        /// Why.
        reason: Reason,
        /// What it rests on.
        evidence: String,
    },
    /// A launch begins.
    Launching {
        /// Where.
        az: Az,
    },
    /// A launch brought an instance.
    Launched {
        /// Which.
        instance: InstanceId,
    },
    /// A launch was refused, or its instance is no good.
    AttemptFailed {
        /// Where.
        az: Az,
        /// Which instance, where there was one.
        instance: Option<InstanceId>,
        /// Why.
        why: String,
    },
    /// A candidate is on its way.
    Waiting {
        /// Which.
        instance: InstanceId,
        /// Where it has to answer.
        address: Ipv4Addr,
    },
    /// A candidate is ready.
    Ready {
        /// Which.
        instance: InstanceId,
        /// Whether it was a standby.
        #[serde(default)]
        standby: bool,
    },
    /// Routes are being pointed to the candidate.
    Cutting,
    /// A route was put in place.
    Routed {
        /// The block.
        destination: Cidr,
        /// Where it leads now.
        instance: InstanceId,
        /// In which table.
        table: TableId,
        /// Whether it was missing before.
        added: bool,
    },
    /// The VIP has to answer now.
    Verifying {
        /// The VIP.
        address: Ipv4Addr,
        /// Its new home.
        instance: InstanceId,
    },
    /// The VIP answers from its new home.
    Verified {
        /// The VIP.
        address: Ipv4Addr,
        /// Its new home.
        instance: InstanceId,
        /// How long no probe was answered, where this process saw it all.
        silent_for: Option<Duration>,
    },
    /// The holder came back before anything was cut.
    Cancelled {
        /// The holder.
        instance: InstanceId,
    },
    /// Routes go back.
    RollingBack {
        /// To whom.
        instance: InstanceId,
        /// Why.
        why: String,
    },
    /// An instance is being ended.
    Ending {
        /// Which.
        instance: InstanceId,
        /// Whether it held the VIP before.
        former: bool,
        /// Whether it is stopped rather than terminated.
        stop: bool,
    },
    /// An instance was seen to have ended.
    Ended {
        /// Which.
        instance: InstanceId,
        /// Whether it held the VIP before.
        former: bool,
        /// How it was seen.
        state: InstanceState,
    },
    /// An instance is left as it is.
    Kept {
        /// Which.
        instance: InstanceId,
        /// Whether it held the VIP before.
        former: bool,
        /// Why.
        why: String,
    },
    /// Another instance is watched from now on.
    NowMonitoring {
        /// Which.
        instance: InstanceId,
    },
    /// Nothing is done, and why; somebody should look.
    Held {
        /// Why.
        why: String,
    },
    /// A hold is over.
    Resumed,
    /// A standby is being launched.
    StandbyLaunching {
        /// Where.
        az: Az,
    },
    /// A standby is ready: a failover needs no launch.
    StandbyReady {
        /// Which.
        instance: InstanceId,
        /// Where.
        az: Az,
    },
    /// There is no standby: a failover has to launch.
    StandbyLost {
        /// Which it was, where there was one.
        instance: Option<InstanceId>,
        /// Why.
        why: String,
    },
    /// If the holder died now, it could not be replaced.
    CapabilityLost {
        /// Why.
        why: String,
    },
    /// It could be replaced again.
    CapabilityBack,
    /// Something worth knowing that stops nothing.
    Notice {
        /// What. (`text` is what every event has, rendered.)
        #[serde(rename = "notice")]
        text: String,
    },
    /// The last words.
    Stopping {
        /// Where things stand.
        standing: String,
    },
}

impl Line {
    /// Whether the mission prints this line with the time in front.
    #[must_use]
    pub fn is_stamped(&self) -> bool {
        match self {
            Line::Status { .. }
            | Line::Suspect { .. }
            | Line::Moving { .. }
            | Line::WouldMove { .. }
            | Line::Held { .. }
            | Line::Resumed
            | Line::CapabilityLost { .. }
            | Line::CapabilityBack
            | Line::StandbyLaunching { .. }
            | Line::StandbyReady { .. }
            | Line::StandbyLost { .. }
            | Line::Cancelled { .. }
            | Line::Notice { .. }
            | Line::Stopping { .. } => true,
            Line::SourceDestCheckOff { .. }
            | Line::Launching { .. }
            | Line::Launched { .. }
            | Line::AttemptFailed { .. }
            | Line::Waiting { .. }
            | Line::Ready { .. }
            | Line::Cutting
            | Line::Routed { .. }
            | Line::Verifying { .. }
            | Line::Verified { .. }
            | Line::RollingBack { .. }
            | Line::Ending { .. }
            | Line::Ended { .. }
            | Line::Kept { .. }
            | Line::NowMonitoring { .. } => false,
        }
    }

    /// The occasion that `--notify-exec` is called on, where this line is one.
    #[must_use]
    pub fn occasion(&self) -> Option<&'static str> {
        match self {
            Line::Suspect { .. } => Some("suspect"),
            Line::Cutting => Some("commit"),
            Line::Verified { .. } => Some("moved"),
            Line::Held { .. } => Some("held"),
            Line::CapabilityLost { .. } => Some("capability-lost"),
            Line::StandbyLost { .. } => Some("standby-lost"),
            Line::Status { .. }
            | Line::SourceDestCheckOff { .. }
            | Line::Moving { .. }
            | Line::WouldMove { .. }
            | Line::Launching { .. }
            | Line::Launched { .. }
            | Line::AttemptFailed { .. }
            | Line::Waiting { .. }
            | Line::Ready { .. }
            | Line::Routed { .. }
            | Line::Verifying { .. }
            | Line::Cancelled { .. }
            | Line::RollingBack { .. }
            | Line::Ending { .. }
            | Line::Ended { .. }
            | Line::Kept { .. }
            | Line::NowMonitoring { .. }
            | Line::Resumed
            | Line::CapabilityBack
            | Line::StandbyLaunching { .. }
            | Line::StandbyReady { .. }
            | Line::Notice { .. }
            | Line::Stopping { .. } => None,
        }
    }
}

fn word(state: &InstanceState) -> &str {
    match state {
        InstanceState::Pending => "PENDING",
        InstanceState::Running => "RUNNING",
        InstanceState::Stopping => "STOPPING",
        InstanceState::Stopped => "STOPPED",
        InstanceState::ShuttingDown => "SHUTTING-DOWN",
        InstanceState::Terminated => "TERMINATED",
        InstanceState::Other(word) => word,
    }
}

impl fmt::Display for StateSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateSeen::Known(state) => f.write_str(word(state)),
            StateSeen::NotFound => f.write_str("NOT FOUND"),
            StateSeen::Unknown { why, last: None } => write!(f, "STATE: unknown ({why})"),
            StateSeen::Unknown { why, last: Some((state, age)) } => {
                write!(f, "STATE: unknown ({why}, last seen {state} {} ago)", Short(*age))
            }
        }
    }
}

/// The probes' word, as a status line has it.
struct Ping<'a>(&'a Hearing);

impl fmt::Display for Ping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Hearing::Answers => f.write_str("REACHABLE"),
            Hearing::Silent { .. } => f.write_str("UNREACHABLE"),
            Hearing::Unknown(why) => write!(f, "UNKNOWN ({why})"),
        }
    }
}

impl Line {
    /// What is said from the decision to move until a candidate is ready, and of standbys.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are worded beside")]
    fn fmt_preparing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Moving { standby: None, reason, .. } => {
                write!(f, "Launching replacement due to: {reason}")
            }
            Line::Moving { standby: Some(standby), reason, .. } => {
                write!(f, "Moving to standby {standby} due to: {reason}")
            }
            Line::Launching { az } => write!(f, "Launching new instance in AZ: {az}"),
            Line::Launched { instance } => write!(f, "New instance {instance} launched"),
            Line::AttemptFailed { az, instance: None, why } => {
                write!(f, "Launch in AZ {az} failed: {why}")
            }
            Line::AttemptFailed { az, instance: Some(instance), why } => {
                write!(f, "New instance {instance} in AZ {az} given up: {why}")
            }
            Line::Waiting { instance, address } => {
                write!(f, "Waiting for {instance} to answer at {address}...")
            }
            Line::Ready { instance, standby: false } => {
                write!(f, "New instance {instance} is ready")
            }
            Line::Ready { instance, standby: true } => {
                write!(f, "Standby {instance} answers and is ready")
            }
            Line::StandbyLaunching { az } => write!(f, "Launching standby in AZ: {az}"),
            Line::StandbyReady { instance, az } => {
                write!(f, "Standby {instance} in AZ {az} is ready")
            }
            Line::StandbyLost { instance: Some(instance), why } => {
                write!(f, "Standby {instance} lost: {why}; a failover would have to launch")
            }
            Line::StandbyLost { instance: None, why } => {
                write!(f, "No standby: {why}; a failover would have to launch")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let old = |former: &bool| if *former { "old instance" } else { "instance" };
        match self {
            Line::Status { instance, address, az, state, ping } => {
                let ping = Ping(ping);
                write!(f, "Instance {instance} ({address}) in AZ {az} - {state}, PING: {ping}")
            }
            Line::SourceDestCheckOff { instance } => {
                write!(f, "Source/destination check of {instance} switched off")
            }
            Line::Suspect { evidence } => write!(f, "Suspect: {evidence}; asking EC2"),
            Line::Moving { .. }
            | Line::Launching { .. }
            | Line::Launched { .. }
            | Line::AttemptFailed { .. }
            | Line::Waiting { .. }
            | Line::Ready { .. }
            | Line::StandbyLaunching { .. }
            | Line::StandbyReady { .. }
            | Line::StandbyLost { .. } => self.fmt_preparing(f),
            Line::WouldMove { instance, reason, evidence } => {
                write!(f, "Would have moved away from {instance} because: {reason} ({evidence})")
            }
            Line::Cutting => f.write_str("Updating static routes..."),
            Line::Routed { destination, instance, table, added } => {
                let verb = if *added { "Added" } else { "Replaced" };
                write!(f, "{verb} route {destination} -> {instance} in route table {table}")
            }
            Line::Verifying { address, instance } => {
                write!(f, "Waiting for {address} to answer from {instance}...")
            }
            Line::Verified { address, instance, silent_for: Some(silent_for) } => {
                write!(f, "{address} answers from {instance} after {}", Short(*silent_for))
            }
            Line::Verified { address, instance, silent_for: None } => {
                write!(f, "{address} answers from {instance}")
            }
            Line::Cancelled { instance } => {
                write!(f, "Instance {instance} answers again; the move is cancelled")
            }
            Line::RollingBack { instance, why } => {
                write!(f, "Pointing routes back to {instance}: {why}")
            }
            Line::Ending { instance, former, stop } => {
                let verb = if *stop { "Stopping" } else { "Terminating" };
                write!(f, "{verb} {} {instance}", old(former))
            }
            Line::Ended { instance, former, state } => {
                let who = if *former { "Old instance" } else { "Instance" };
                write!(f, "{who} {instance} {state}")
            }
            Line::Kept { instance, former, why } => {
                let who = if *former { "Old instance" } else { "Instance" };
                write!(f, "{who} {instance} kept: {why}")
            }
            Line::NowMonitoring { instance } => write!(f, "Now monitoring instance {instance}"),
            Line::Held { why } => write!(f, "Held: {why}"),
            Line::Resumed => f.write_str("No longer held"),
            Line::CapabilityLost { why } => {
                write!(f, "Failover capability lost: a dead holder could not be replaced: {why}")
            }
            Line::CapabilityBack => f.write_str("Failover capability is back"),
            Line::Notice { text } => f.write_str(text),
            Line::Stopping { standing } => write!(f, "Stopping: {standing}"),
        }
    }
}
