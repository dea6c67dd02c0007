//! Every knob with its default and the reason for it.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// What is done to an instance that lost the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FenceMode {
    /// Nothing.
    None,
    /// It is stopped; its disks are kept.
    Stop,
    /// It is terminated.
    Terminate,
}

impl FenceMode {
    /// The word of the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            FenceMode::None => "none",
            FenceMode::Stop => "stop",
            FenceMode::Terminate => "terminate",
        }
    }
}

/// What is kept ready for a failover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StandbyMode {
    /// Nothing: a replacement is launched when it is needed.
    #[default]
    Cold,
    /// One instance more, running and probed all the time, in another zone than the holder.
    Hot,
}

impl StandbyMode {
    /// The word of the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            StandbyMode::Cold => "cold",
            StandbyMode::Hot => "hot",
        }
    }
}

/// The numbers that decisions follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Between two probes while all is well.
    pub interval: Duration,
    /// After this a probe without an answer is lost.
    pub timeout: Duration,
    /// Intervals without one answer before silence is believed. Together with
    /// [`losses_min`](Self::losses_min): three plain losses in a row would be false every 155 s at
    /// 20 % random loss.
    pub fall: u32,
    /// Answers in a row before an address is believed to be back.
    pub rise: u32,
    /// Lost probes before silence is believed: 0.2^12 is one false alarm in years.
    pub losses_min: u32,
    /// After a loss, probes come this many times as often.
    pub burst_factor: u32,
    /// But never more often than this.
    pub burst_interval_min: Duration,
    /// Silence that has lasted this long is probed at the ordinary interval again.
    #[serde(default = "a_minute")]
    pub burst_max: Duration,
    /// Silence before routes are cut when the replacement had to be launched: the launch hides it.
    pub commit_after: Duration,
    /// How long an instance whose primary address answers may be without the VIP: boot scripts and
    /// network restarts take this long.
    pub address_lost_after: Duration,
    /// Launches of one move; also at most one for each AZ.
    pub launches_max: u32,
    /// The pause after a spent launch budget.
    pub hold: Duration,
    /// Moves in an hour.
    pub moves_per_hour: u32,
    /// Moves in a day.
    pub moves_per_day: u32,
    /// Between two readings of EC2 while all is well: probes lead, the API confirms.
    pub poll_interval: Duration,
    /// Between two readings of EC2 while a candidate is on its way: 10 % of the refill of the
    /// `Describe` bucket (20 a second).
    pub poll_interval_moving: Duration,
    /// A candidate that isn't ready by then is given up. A cold launch takes about 26 s; images
    /// that load their disks lazily take minutes.
    pub ready_within: Duration,
    /// All routes replaced and read back by then, or the candidate is given up.
    pub cut_within: Duration,
    /// The VIP answers from its new home by then: the guest may still be running its user data.
    pub verify_within: Duration,
    /// How long the VIP has to answer from its new home before the old one is fenced.
    pub fence_after: Duration,
    /// How long a candidate is kept that wasn't needed in the end.
    pub spare_kept: Duration,
    /// How long a leftover is read again as often as during a move; one that takes longer to end
    /// is read as rarely as all else.
    #[serde(default = "a_minute")]
    pub look_often: Duration,
    /// How long a signal waits for a cut under way.
    pub stop_within: Duration,
    /// Without a state file, two readings this far apart must agree before anything is launched.
    pub unfamiliar: Duration,
    /// How long a new id may be invisible (AWS: "Eventual consistency in the Amazon EC2 API").
    pub invisible_max: Duration,
    /// Between two status lines while nothing changes.
    pub report_interval: Duration,
    /// What is done to an instance that lost the address.
    pub fence: FenceMode,
    /// What is kept ready for a failover.
    #[serde(default)]
    pub standby: StandbyMode,
    /// Whether only to say what would be done.
    pub observe: bool,
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            fall: 3,
            rise: 3,
            losses_min: 12,
            burst_factor: 10,
            burst_interval_min: Duration::from_millis(20),
            burst_max: a_minute(),
            commit_after: Duration::from_secs(10),
            address_lost_after: Duration::from_secs(30),
            launches_max: 3,
            hold: Duration::from_secs(300),
            moves_per_hour: 2,
            moves_per_day: 4,
            poll_interval: Duration::from_secs(10),
            poll_interval_moving: Duration::from_secs(1),
            ready_within: Duration::from_secs(300),
            cut_within: Duration::from_secs(30),
            verify_within: Duration::from_secs(90),
            fence_after: Duration::from_secs(10),
            spare_kept: Duration::from_secs(600),
            look_often: a_minute(),
            stop_within: Duration::from_secs(5),
            unfamiliar: Duration::from_secs(60),
            invisible_max: Duration::from_secs(300),
            report_interval: Duration::from_secs(5),
            fence: FenceMode::Terminate,
            standby: StandbyMode::Cold,
            observe: false,
        }
    }
}

impl Policy {
    /// Between two probes after a loss.
    #[must_use]
    pub fn burst_interval(&self) -> Duration {
        (self.interval / self.burst_factor.max(1)).max(self.burst_interval_min).min(self.interval)
    }

    /// How long silence must last, at least, to be believed.
    #[must_use]
    pub fn silence_min(&self) -> Duration {
        self.interval * self.fall
    }
}
