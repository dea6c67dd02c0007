//! Durations as people type them: a number and a unit, always.

use std::time::Duration;

/// Units, the longest word first where one begins another.
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads `250ms`, `1s`, `1.5s`, `30m`, `2h`, `1d`.
///
/// # Errors
/// What is accepted, where the text is anything else.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits =
        text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("`{text}` is not a duration with a unit (like 250ms, 1s, 5m, 2h)");
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, ms)| *ms);
    let factor = factor.ok_or_else(wrong)?;
    let number: f64 = number.parse().map_err(|_| wrong())?;
    // A year is longer than any wait here, and keeps the arithmetic far from its limits.
    let ms = number * u32::try_from(factor).map_or(f64::MAX, f64::from);
    if !(0.0..=31_536_000_000.0).contains(&ms) {
        return Err(format!("`{text}` is longer than a year"));
    }
    Ok(Duration::from_secs_f64(ms / 1_000.0))
}

/// The same for durations that must be longer than nothing.
///
/// # Errors
/// As [`parse`], and for zero.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err(format!("`{text}` is no time at all; give more than 0")),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_make_a_duration() {
        for (text, ms) in [("250ms", 250), ("1s", 1_000), ("1.5s", 1_500), ("5m", 300_000)] {
            assert_eq!(parse(text).unwrap(), Duration::from_millis(ms), "{text}");
        }
    }

    #[test]
    fn anything_else_says_what_is_accepted() {
        for text in ["", "1", "s", "1 s", "-1s", "1x", "1.2.3s", "NaNs", "infs", "9999999d"] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
        assert!(parse("5").unwrap_err().contains("with a unit"));
        assert!(parse_positive("0s").is_err());
    }
}
