//! What the outside client heard: the answers among the lines of `ping -D -O`.

use std::time::Duration;

/// Without an answer for this long the address isn't steadily reachable. Far above what a busy
/// machine delays a packet by, far below any outage.
const HICCUP: Duration = Duration::from_millis(500);

/// A time without an answer, by the client's clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Silence {
    /// When the last answer before it came, since the epoch.
    pub(super) from: Duration,
    /// When the first answer after it came.
    pub(super) to: Duration,
}

impl Silence {
    pub(super) fn length(self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

/// When answers came, in their order.
#[derive(Debug, Default)]
pub(super) struct Client {
    answers: Vec<Duration>,
}

impl Client {
    /// Takes in a line; all but answers (`[1700000000.12] 64 bytes from …`) say nothing to us.
    pub(super) fn hear(&mut self, line: &str) {
        let answer = line.strip_prefix('[').and_then(|line| line.split_once(']'));
        let Some((stamp, rest)) = answer else { return };
        if !rest.contains(" bytes from ") {
            return;
        }
        let seconds = stamp.parse().ok();
        self.answers.extend(seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()));
    }

    /// Begins anew.
    pub(super) fn forget(&mut self) {
        let last = self.answers.last().copied();
        self.answers.clear();
        self.answers.extend(last);
    }

    /// How many answers came after this.
    pub(super) fn answers_since(&self, time: Duration) -> usize {
        self.answers.iter().filter(|answer| **answer > time).count()
    }

    /// Whether the address has answered without a break for `stretch` until `now`.
    pub(super) fn is_steady(&self, stretch: Duration, now: Duration) -> bool {
        let start = now.saturating_sub(stretch);
        let before = self.answers.partition_point(|answer| *answer <= start);
        // The last answer before the stretch belongs to it: a break may lie across its beginning.
        let Some(first) = before.checked_sub(1) else { return false };
        let mut times = self.answers[first..].to_vec();
        times.push(now);
        times.windows(2).all(|pair| pair[1].saturating_sub(pair[0]) < HICCUP)
    }

    /// The longest time between two answers; of equals the first.
    pub(super) fn longest_silence(&self) -> Option<Silence> {
        let mut longest: Option<Silence> = None;
        for pair in self.answers.windows(2) {
            let silence = Silence { from: pair[0], to: pair[1] };
            if longest.is_none_or(|longest| silence.length() > longest.length()) {
                longest = Some(silence);
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn client(answers: impl IntoIterator<Item = u64>) -> Client {
        Client { answers: answers.into_iter().map(ms).collect() }
    }

    #[test]
    fn only_answers_count() {
        let mut client = Client::default();
        for line in [
            "PING 10.0.0.10 (10.0.0.10) 56(84) bytes of data.",
            "[1700000000.500000] 64 bytes from 10.0.0.10: icmp_seq=7 ttl=63 time=0.1 ms",
            "[1700000000.510000] no answer yet for icmp_seq=8",
            "[1700000000.520000] From 172.31.16.1 icmp_seq=9 Destination Host Unreachable",
            "[soon] 64 bytes from 10.0.0.10: icmp_seq=10 ttl=63 time=0.1 ms",
            "[1700000002.750000] 64 bytes from 10.0.0.10: icmp_seq=11 ttl=63 time=0.1 ms",
        ] {
            client.hear(line);
        }
        assert_eq!(client.answers, [ms(1_700_000_000_500), ms(1_700_000_002_750)]);
        assert_eq!(client.longest_silence().unwrap().length(), ms(2_250));
    }

    #[test]
    fn the_outage_is_the_longest_of_all_silences() {
        let client = client([0, 10, 20, 900, 910, 3_000, 3_010, 3_500]);
        assert_eq!(client.longest_silence(), Some(Silence { from: ms(910), to: ms(3_000) }));
        assert_eq!(client.answers_since(ms(3_000)), 2);
    }

    #[test]
    fn one_answer_makes_no_silence() {
        assert_eq!(client([]).longest_silence(), None);
        assert_eq!(client([5]).longest_silence(), None);
    }

    #[test]
    fn steady_means_no_break_in_the_whole_stretch_and_none_now() {
        let even = || (600..1_000).map(|n| n * 10);
        assert!(client(even()).is_steady(ms(3_000), ms(10_000)));
        assert!(!client(even()).is_steady(ms(5_000), ms(10_000)), "not watched for that long");
        assert!(!client(even()).is_steady(ms(3_000), ms(10_600)), "silent now");
        let broken = even().filter(|at| !(8_000..8_600).contains(at));
        assert!(!client(broken).is_steady(ms(3_000), ms(10_000)), "a break inside");
        let across = even().filter(|at| !(6_700..7_300).contains(at));
        assert!(!client(across).is_steady(ms(3_000), ms(10_000)), "a break across the beginning");
        assert!(!client([]).is_steady(ms(3_000), ms(10_000)));
    }
}
