//! Two outages as a table and as bars on one scale, for a terminal without colors.

use std::fmt::Write as _;
use std::time::Duration;

/// The parts of an outage, in their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub(super) enum Phase {
    Detect,
    Launch,
    Boot,
    Wait,
    Routes,
}

/// Every phase: its name in the table and in JSON, its letter in the bars, what happens in it.
pub(super) const PHASES: [(Phase, &str, char, &str); 5] = [
    (Phase::Detect, "detect", 'D', "until the silence is acted upon"),
    (Phase::Launch, "launch", 'L', "until EC2 has accepted the launch"),
    (Phase::Boot, "boot", 'B', "until it answers, or its status checks pass"),
    (Phase::Wait, "wait", 'W', "a fixed time for the user data"),
    (Phase::Routes, "routes", 'R', "until the client hears the address again"),
];

/// Columns of a bar. With its label and seconds a line stays below 80.
const BAR_COLUMNS: usize = 56;

/// Columns of the labels.
const LABEL_COLUMNS: usize = 13;

/// An outage in its phases; those that a story doesn't have are missing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Outage {
    pub(super) name: &'static str,
    pub(super) phases: Vec<(Phase, Duration)>,
}

impl Outage {
    pub(super) fn phase(&self, wanted: Phase) -> Option<Duration> {
        self.phases.iter().find(|(phase, _)| *phase == wanted).map(|(_, took)| *took)
    }

    pub(super) fn length(&self) -> Duration {
        self.phases.iter().map(|(_, took)| *took).sum()
    }
}

/// How many times shorter the first outage is than the second.
pub(super) fn ratio(short: Duration, long: Duration) -> f64 {
    long.as_secs_f64() / short.as_secs_f64().max(0.001)
}

/// The phases of both, side by side.
pub(super) fn table(pair: &[Outage; 2]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, [first, second]: [String; 2], note: &str| {
        let row = format!("{name:<LABEL_COLUMNS$} {first:>10} {second:>13}   {note}");
        writeln!(text, "{}", row.trim_end()).expect("writing to a string can't fail");
    };
    line("", [pair[0].name.to_owned(), pair[1].name.to_owned()], "");
    for (phase, name, _, what) in PHASES {
        let cell = |outage: &Outage| outage.phase(phase).map_or("-".to_owned(), seconds);
        line(name, [cell(&pair[0]), cell(&pair[1])], what);
    }
    let outages = [seconds(pair[0].length()), seconds(pair[1].length())];
    let times = ratio(pair[0].length(), pair[1].length());
    line("outage", outages, &format!("{times:.2} times shorter"));
    text
}

/// Both as bars on one scale, a letter for each phase.
pub(super) fn timeline(pair: &[Outage; 2]) -> String {
    let scale = pair.iter().map(Outage::length).max().unwrap_or_default();
    let mut text = String::new();
    for outage in pair {
        let (name, bar, length) = (outage.name, bar(outage, scale), seconds(outage.length()));
        writeln!(text, "{name:<LABEL_COLUMNS$} {bar} {length}").expect("as above");
    }
    let legend = PHASES.map(|(_, name, letter, _)| format!("{letter} {name}"));
    writeln!(text, "{:LABEL_COLUMNS$} {}", "", legend.join("  ")).expect("as above");
    text
}

/// A bar whose length is in proportion; every phase that took time is seen, however short.
fn bar(outage: &Outage, scale: Duration) -> String {
    let scale_s = scale.as_secs_f64().max(0.001);
    let columns = |took: Duration| (took.as_secs_f64() / scale_s * BAR_COLUMNS as f64).round();
    let mut parts: Vec<(char, usize)> = PHASES
        .iter()
        .filter_map(|(phase, _, letter, _)| Some((*letter, outage.phase(*phase)?)))
        .filter(|(_, took)| !took.is_zero())
        .map(|(letter, took)| (letter, (columns(took) as usize).max(1)))
        .collect();
    let target = columns(outage.length()) as usize;
    let sum: usize = parts.iter().map(|(_, columns)| *columns).sum();
    // The longest phase pays for roundings: there a column matters least.
    if let Some((_, longest)) = parts.iter_mut().max_by_key(|(_, columns)| *columns) {
        *longest = (*longest + target).saturating_sub(sum).max(1);
    }
    parts.iter().flat_map(|(letter, columns)| std::iter::repeat_n(*letter, *columns)).collect()
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outage(name: &'static str, ms: [u64; 5]) -> Outage {
        let phases = PHASES.iter().zip(ms).filter(|(_, ms)| *ms > 0);
        let phases = phases.map(|((phase, ..), ms)| (*phase, Duration::from_millis(ms))).collect();
        Outage { name, phases }
    }

    fn pair() -> [Outage; 2] {
        [
            outage("rehome", [4_000, 200, 29_000, 0, 300]),
            outage("step by step", [5_000, 300, 160_000, 30_000, 1_000]),
        ]
    }

    #[test]
    fn bars_share_one_scale_and_show_every_phase() {
        let text = timeline(&pair());
        let lines: Vec<&str> = text.lines().collect();
        let bars: Vec<&str> =
            lines[..2].iter().map(|line| line[14..].split(' ').next().unwrap()).collect();
        assert_eq!(bars[1].len(), BAR_COLUMNS, "{text}");
        // 33.5 s of 196.3 s on 56 columns.
        assert_eq!(bars[0].len(), 10, "{text}");
        let letters = |bar: &str| {
            let mut letters: Vec<char> = bar.chars().collect();
            letters.dedup();
            letters.into_iter().collect::<String>()
        };
        assert_eq!((letters(bars[0]), letters(bars[1])), ("DLBR".to_owned(), "DLBWR".to_owned()));
        // 30 s of 196.3 s on 56 columns.
        assert_eq!(bars[1].matches('W').count(), 9, "{text}");
        assert!(lines.iter().all(|line| line.len() < 80), "{text}");
    }

    #[test]
    fn a_bar_of_next_to_nothing_is_drawn_all_the_same() {
        let bars = timeline(&[outage("a", [1, 1, 1, 1, 1]), outage("b", [0, 0, 900_000, 0, 0])]);
        assert!(bars.starts_with("a             DLBWR 0.0 s\n"), "{bars}");
        assert_eq!(timeline(&[outage("a", [0; 5]), outage("b", [0; 5])]).lines().count(), 3);
    }

    #[test]
    fn the_table_has_both_sides_of_every_phase_and_the_sum() {
        let text = table(&pair());
        let row = |name: &str| -> Vec<&str> {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().take(5).collect()
        };
        assert_eq!(row("boot"), ["boot", "29.0", "s", "160.0", "s"]);
        assert_eq!(row("wait")[..4], ["wait", "-", "30.0", "s"]);
        assert_eq!(row("outage"), ["outage", "33.5", "s", "196.3", "s"]);
        assert!(text.contains("5.86 times shorter"), "{text}");
        assert!(text.lines().all(|line| line.len() < 90), "{text}");
    }
}
