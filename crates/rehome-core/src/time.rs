//! Time as a value.
//!
//! The core never asks what time it is. [`Mono`] is a point on the clock of the process that runs
//! it (the shell reads `CLOCK_BOOTTIME`, which counts suspend); [`Unix`] is wall time, used only
//! where a fact has to outlive the process.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on a monotonic clock, in nanoseconds since an arbitrary beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mono(pub u64);

impl Mono {
    /// The time from `earlier` to `self`; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;

    fn add(self, duration: Duration) -> Mono {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Mono(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;

    fn sub(self, duration: Duration) -> Mono {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Mono(self.0.saturating_sub(nanos))
    }
}

/// Wall time in whole seconds since 1970-01-01T00:00:00Z, for facts that outlive the process.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct Unix(pub u64);

/// Where the two clocks met once, so that a wall time can be computed for any [`Mono`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// The monotonic reading.
    pub mono: Mono,
    /// The wall clock at the same moment.
    pub unix: Unix,
}

impl Clocks {
    /// The wall time of `at`, as this pair of readings has it.
    #[must_use]
    pub fn unix_at(self, at: Mono) -> Unix {
        if at >= self.mono {
            Unix(self.unix.0.saturating_add(at.since(self.mono).as_secs()))
        } else {
            Unix(self.unix.0.saturating_sub(self.mono.since(at).as_secs()))
        }
    }
}

/// A duration as people write it: `250ms`, `3s`, `2m`, `1h`.
pub struct Short(pub Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        match ms {
            0..1_000 => write!(f, "{ms} ms"),
            1_000..10_000 if !ms.is_multiple_of(1_000) => {
                write!(f, "{}.{} s", ms / 1_000, ms % 1_000 / 100)
            }
            1_000..120_000 => write!(f, "{} s", ms / 1_000),
            120_000..7_200_000 => write!(f, "{} min", ms / 60_000),
            _ => write!(f, "{} h", ms / 3_600_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_saturates_instead_of_wrapping() {
        assert_eq!(Mono(5).since(Mono(9)), Duration::ZERO);
        assert_eq!(Mono(5) - Duration::from_secs(1), Mono(0));
        assert_eq!(Mono(u64::MAX) + Duration::from_secs(1), Mono(u64::MAX));
    }

    #[test]
    fn wall_time_follows_the_monotonic_clock_in_both_directions() {
        let clocks = Clocks { mono: Mono(10_000_000_000), unix: Unix(1_000) };
        assert_eq!(clocks.unix_at(Mono(12_500_000_000)), Unix(1_002));
        assert_eq!(clocks.unix_at(Mono(7_000_000_000)), Unix(997));
    }

    #[test]
    fn durations_read_as_people_say_them() {
        for (ms, text) in [
            (250, "250 ms"),
            (3_000, "3 s"),
            (3_600, "3.6 s"),
            (90_000, "90 s"),
            (300_000, "5 min"),
        ] {
            assert_eq!(Short(Duration::from_millis(ms)).to_string(), text);
        }
    }
}
