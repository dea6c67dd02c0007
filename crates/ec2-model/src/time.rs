//! The model's clock: virtual milliseconds, and how AWS writes an instant.
//!
//! Nothing here reads a real clock. Callers hand in a [`Time`] with every call; the model turns
//! it into a [`Timestamp`] with the epoch it was given.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds of virtual time since the model began.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// The moment the model began.
    pub const ZERO: Time = Time(0);

    /// This moment and `ms` milliseconds more; saturates at the end of time.
    #[must_use]
    pub fn plus(self, ms: u64) -> Time {
        Time(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// An instant as AWS tells it: milliseconds since 1970-01-01T00:00:00Z.
///
/// `Display` writes RFC 3339 in UTC with milliseconds, as EC2's answers do.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

/// A calendar date and a time of day in UTC.
struct Civil {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Timestamp {
    /// `2026-01-31 23:59:59 GMT`, the form that EC2 uses inside state transition reasons.
    #[must_use]
    pub fn gmt(self) -> String {
        let c = self.civil();
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02} GMT",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        )
    }

    fn civil(self) -> Civil {
        let seconds = self.0 / 1000;
        let of_day = seconds % 86_400;
        // Counts years from March, so that the leap day is a year's last; a 400-year cycle has
        // 146,097 days and 1970-01-01 is day 719,468 of the count that begins at 0000-03-01.
        let days = seconds / 86_400 + 719_468;
        let (cycle, in_cycle) = (days / 146_097, days % 146_097);
        let year_of_cycle =
            (in_cycle - in_cycle / 1_460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
        let in_year = in_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        let march_month = (5 * in_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Civil {
            year: cycle * 400 + year_of_cycle + u64::from(month <= 2),
            month,
            day: in_year - (153 * march_month + 2) / 5 + 1,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            c.year,
            c.month,
            c.day,
            c.hour,
            c.minute,
            c.second,
            self.0 % 1000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_read_as_aws_writes_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_123, "2000-02-29T00:00:00.123Z"),
            (1_709_251_199_000, "2024-02-29T23:59:59.000Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
            (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp(ms).to_string(), text);
        }
        assert_eq!(Timestamp(1_767_225_600_000).gmt(), "2026-01-01 00:00:00 GMT");
    }
}
