//! How long things take.

use serde::{Deserialize, Serialize};

/// The durations of the model, all in milliseconds.
///
/// [`Pace::real`] has figures seen on real accounts; where AWS publishes none the doc comment
/// says so. [`Pace::fast`] tells the same story in seconds. [`Pace::instant`] makes every
/// transition visible to the very next call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// `pending` to `running` after a launch.
    pub launch_ms: u64,
    /// `pending` to `running` after `StartInstances`; nothing published, taken as a launch's.
    pub start_ms: u64,
    /// `pending` to `terminated` of a launch that dies.
    pub die_ms: u64,
    /// `running` to the guest's first instruction that answers pings.
    pub boot_ms: u64,
    /// From the reboot call to the guest running again.
    pub reboot_ms: u64,
    /// How long a guest that is asked to shut down still serves; nothing published.
    pub guest_shutdown_ms: u64,
    /// `stopping` to `stopped`; nothing published, usually under a minute.
    pub stop_ms: u64,
    /// `shutting-down` to `terminated`; nothing published, usually under a minute.
    pub terminate_ms: u64,
    /// `running` to the first result of the status checks: `initializing` until then.
    pub status_ms: u64,
    /// Status checks run "every minute" (EC2 User Guide, "Status checks for your instances").
    pub check_cycle_ms: u64,
    /// How long a terminated instance keeps its tags; "after a short while" in the User Guide.
    pub terminated_tags_ms: u64,
    /// How long a terminated instance stays visible: "usually less than one hour" (User Guide,
    /// "Terminate your instance").
    pub terminated_visible_ms: u64,
    /// Shortest and longest time a mutating call takes.
    pub mutate_ms: (u64, u64),
    /// Shortest and longest time a read takes.
    pub read_ms: (u64, u64),
}

impl Pace {
    /// As on a real account.
    #[must_use]
    pub fn real() -> Pace {
        Pace {
            launch_ms: 16_500,
            start_ms: 16_500,
            die_ms: 5_000,
            boot_ms: 9_000,
            reboot_ms: 12_000,
            guest_shutdown_ms: 4_000,
            stop_ms: 40_000,
            terminate_ms: 35_000,
            status_ms: 150_000,
            check_cycle_ms: 60_000,
            terminated_tags_ms: 600_000,
            terminated_visible_ms: 3_600_000,
            mutate_ms: (150, 300),
            read_ms: (60, 150),
        }
    }

    /// The same story in seconds.
    #[must_use]
    pub fn fast() -> Pace {
        Pace {
            launch_ms: 1_500,
            start_ms: 1_500,
            die_ms: 500,
            boot_ms: 1_000,
            reboot_ms: 1_500,
            guest_shutdown_ms: 300,
            stop_ms: 2_000,
            terminate_ms: 2_000,
            status_ms: 8_000,
            check_cycle_ms: 4_000,
            terminated_tags_ms: 120_000,
            terminated_visible_ms: 600_000,
            mutate_ms: (20, 40),
            read_ms: (5, 15),
        }
    }

    /// As `fast`, but every call takes its time, as an API that isn't at its best.
    #[must_use]
    pub fn brisk() -> Pace {
        Pace { mutate_ms: (150, 300), read_ms: (150, 300), ..Pace::fast() }
    }

    /// Every transition visible to the very next call; terminated instances fade as in `fast`.
    #[must_use]
    pub fn instant() -> Pace {
        Pace {
            launch_ms: 0,
            start_ms: 0,
            die_ms: 0,
            boot_ms: 0,
            reboot_ms: 0,
            guest_shutdown_ms: 0,
            stop_ms: 0,
            terminate_ms: 0,
            status_ms: 0,
            check_cycle_ms: 0,
            terminated_tags_ms: 120_000,
            terminated_visible_ms: 600_000,
            mutate_ms: (0, 0),
            read_ms: (0, 0),
        }
    }
}
