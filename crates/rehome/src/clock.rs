//! The one file that reads clocks.
//!
//! Deadlines run on `CLOCK_BOOTTIME`: it counts the time a machine spends suspended, which
//! `std::time::Instant` on Linux doesn't, so a monitor that slept knows that its evidence is old.

use rehome_core::time::{Clocks, Mono, Unix};

/// Now, on the clock that deadlines run on.
#[must_use]
pub(crate) fn mono() -> Mono {
    let now = read(libc::CLOCK_BOOTTIME);
    let seconds = u64::try_from(now.tv_sec).expect("CLOCK_BOOTTIME counts up from zero");
    let nanos = u64::try_from(now.tv_nsec).expect("nanoseconds of a second are never negative");
    Mono(seconds * 1_000_000_000 + nanos)
}

/// Now, as the wall clock has it; 1970 where that is set to before 1970.
#[must_use]
pub(crate) fn unix() -> Unix {
    Unix(u64::try_from(read(libc::CLOCK_REALTIME).tv_sec).unwrap_or(0))
}

/// Both clocks at the same moment.
#[must_use]
pub(crate) fn both() -> Clocks {
    Clocks { mono: mono(), unix: unix() }
}

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec that outlives the call, which writes nothing else.
    let result = unsafe { libc::clock_gettime(clock, &raw mut now) };
    assert_eq!(result, 0, "Linux has had CLOCK_REALTIME and CLOCK_BOOTTIME since 2.6.39");
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_never_runs_backward_and_the_wall_clock_is_of_this_century() {
        let first = mono();
        let second = mono();
        assert!(first <= second && first > Mono(0));
        assert!(unix() > Unix(1_700_000_000));
    }
}
