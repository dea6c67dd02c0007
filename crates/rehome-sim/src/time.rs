//! Virtual time: nanoseconds since the world began.

use ec2_model::Time;

/// A second.
pub const SEC: u64 = 1_000_000_000;

/// A millisecond.
pub const MS: u64 = 1_000_000;

/// The model's clock at `now`.
pub(crate) fn model(now: u64) -> Time {
    Time(now / MS)
}

/// The moment at which the model's clock shows `time`.
pub(crate) fn of_model(time: Time) -> u64 {
    time.0.saturating_mul(MS)
}
