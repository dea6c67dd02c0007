//! What the outside client saw: `ping -D -O` by its lines.

use std::collections::BTreeMap;

/// One line of `ping`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ping {
    /// Which probe.
    pub(super) sequence: u64,
    /// When the line was written, in seconds of the client's clock.
    pub(super) at: f64,
    /// Whether it is an answer, rather than word that there is none yet.
    pub(super) answered: bool,
}

/// All that was seen.
#[derive(Debug, Default)]
pub(super) struct Pings {
    seen: BTreeMap<u64, Ping>,
    /// How often the 16-bit sequence number began anew.
    wraps: u64,
    last: u64,
}

/// Reads a line like `[1700000000.123456] 64 bytes from 10.0.0.10: icmp_seq=7 ttl=63 time=0.1 ms`
/// or `[1700000000.123456] no answer yet for icmp_seq=8`.
pub(super) fn parse(line: &str) -> Option<Ping> {
    let (stamp, rest) = line.strip_prefix('[')?.split_once(']')?;
    let at = stamp.parse().ok()?;
    let (_, number) = rest.split_once("icmp_seq=")?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    let sequence = digits.parse().ok()?;
    let answered = rest.contains("bytes from");
    (answered || rest.contains("no answer yet")).then_some(Ping { sequence, at, answered })
}

impl Pings {
    pub(super) fn new() -> Pings {
        Pings::default()
    }

    /// Takes a line in; an answer counts more than word that there was none yet.
    pub(super) fn add(&mut self, mut ping: Ping) {
        if ping.sequence + 32_768 < self.last % 65_536 {
            self.wraps += 1;
        }
        ping.sequence += self.wraps * 65_536;
        self.last = self.last.max(ping.sequence);
        let seen = self.seen.entry(ping.sequence).or_insert(ping);
        if ping.answered {
            *seen = ping;
        }
    }

    /// How many were sent, as far as the client has said something about them.
    pub(super) fn sent(&self) -> usize {
        self.seen.len()
    }

    /// How many were not answered.
    pub(super) fn lost(&self) -> usize {
        self.seen.values().filter(|ping| !ping.answered).count()
    }

    /// The longest time between two answers, in milliseconds: what a client noticed.
    pub(super) fn outage_ms(&self) -> u64 {
        let answers: Vec<f64> =
            self.seen.values().filter(|ping| ping.answered).map(|ping| ping.at).collect();
        let gaps = answers.windows(2).map(|pair| pair[1] - pair[0]);
        let longest = gaps.fold(0.0_f64, f64::max);
        std::time::Duration::try_from_secs_f64(longest)
            .map_or(0, |gap| u64::try_from(gap.as_millis()).unwrap_or(u64::MAX))
    }

    /// For how long nothing has been heard, in milliseconds.
    pub(super) fn silence_ms(&self) -> u64 {
        let heard = self.seen.values().rfind(|ping| ping.answered).map_or(0.0, |ping| ping.at);
        let silence = self.seen.values().next_back().map_or(0.0, |ping| ping.at - heard);
        std::time::Duration::try_from_secs_f64(silence)
            .map_or(0, |gap| u64::try_from(gap.as_millis()).unwrap_or(u64::MAX))
    }

    /// The share of answered pings in each of `columns` equal stretches of time, the oldest first;
    /// `None` where there were none.
    pub(super) fn columns(&self, columns: usize) -> Vec<Option<f64>> {
        let (Some(first), Some(last)) = (self.seen.values().next(), self.seen.values().last())
        else {
            return Vec::new();
        };
        let width = ((last.at - first.at) / columns.max(1) as f64).max(0.05);
        let mut counts = vec![(0_u32, 0_u32); columns];
        for ping in self.seen.values() {
            let column = ((ping.at - first.at) / width).max(0.0).floor();
            // The last ping of all lies on the right edge.
            let index = (column as usize).min(columns.saturating_sub(1));
            counts[index].0 += u32::from(ping.answered);
            counts[index].1 += 1;
        }
        counts
            .into_iter()
            .map(|(answered, all)| (all > 0).then(|| f64::from(answered) / f64::from(all)))
            .collect()
    }

    /// How long the whole picture is, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        match (self.seen.values().next(), self.seen.values().last()) {
            (Some(first), Some(last)) => last.at - first.at,
            (None, _) | (_, None) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping(sequence: u64, at: f64, answered: bool) -> Ping {
        Ping { sequence, at, answered }
    }

    #[test]
    fn the_two_kinds_of_line_are_understood_and_nothing_else() {
        let answer = "[1700000000.5] 64 bytes from 10.0.0.10: icmp_seq=7 ttl=63 time=0.1 ms";
        assert_eq!(parse(answer), Some(ping(7, 1_700_000_000.5, true)));
        let none = "[1700000000.75] no answer yet for icmp_seq=8";
        assert_eq!(parse(none), Some(ping(8, 1_700_000_000.75, false)));
        for other in ["", "PING 10.0.0.10 (10.0.0.10) 56(84) bytes of data.", "[x] icmp_seq=1"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_outage_is_the_longest_time_between_two_answers() {
        let mut pings = Pings::new();
        for (sequence, at, answered) in
            [(1, 0.0, true), (2, 0.01, true), (3, 0.02, false), (4, 1.5, false), (5, 2.26, true)]
        {
            pings.add(ping(sequence, at, answered));
        }
        assert_eq!(pings.outage_ms(), 2_250);
        assert_eq!((pings.sent(), pings.lost()), (5, 2));
    }

    #[test]
    fn a_late_answer_makes_up_for_the_word_that_there_was_none() {
        let mut pings = Pings::new();
        pings.add(ping(1, 0.0, false));
        pings.add(ping(1, 0.1, true));
        assert_eq!(pings.lost(), 0);
    }

    #[test]
    fn sequence_numbers_go_on_after_65535() {
        let mut pings = Pings::new();
        pings.add(ping(65_535, 1.0, true));
        pings.add(ping(0, 1.1, true));
        pings.add(ping(1, 1.2, true));
        assert_eq!(pings.sent(), 3);
    }

    #[test]
    fn columns_show_the_share_that_was_answered() {
        let mut pings = Pings::new();
        for n in 0..100_u32 {
            pings.add(ping(n.into(), f64::from(n) / 10.0, n < 50));
        }
        let columns = pings.columns(10);
        assert_eq!(columns.first(), Some(&Some(1.0)));
        assert_eq!(columns.last(), Some(&Some(0.0)));
    }
}
