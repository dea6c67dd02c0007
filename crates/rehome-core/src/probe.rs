//! What the probes of one path say.
//!
//! A path is a source and a target. Its log knows what was sent, what came back and what is
//! overdue, and says one of three things: it answers, it is silent, or we don't know. What could
//! not be sent is never counted as lost.

use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::string::String;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::mutant::{self, Mutant};
use crate::policy::Policy;
use crate::time::Mono;

/// Probes of a path that are remembered: enough for a minute of bursts, so that a late answer
/// still finds its probe.
const SENT_MAX: usize = 64;

/// Losses in a row after which an address no longer counts as answering steadily.
pub const DOUBT: u32 = 3;

/// Names one probe, for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProbeId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    probe: ProbeId,
    at: Mono,
    deadline: Mono,
}

/// The history of one path, as short as the questions asked of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathLog {
    /// Under way, in the order of their names and of their deadlines.
    sent: VecDeque<Sent>,
    /// Overdue, in the order of their names; an answer may still come.
    lost: VecDeque<ProbeId>,
    answered_at: Option<Mono>,
    answered_ever: bool,
    answers_in_row: u32,
    losses: u32,
    /// When the first of the losses was sent.
    silent_since: Option<Mono>,
    lost_at: Option<Mono>,
    unsent: Option<(Mono, String)>,
    /// Since when it has answered without a doubt: no [`DOUBT`] losses in a row.
    well_since: Option<Mono>,
}

/// What a path says at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hearing {
    /// It answered, and hasn't been silent for long enough to be called so.
    Answers,
    /// It is silent: enough time and enough lost probes.
    Silent {
        /// When the first lost probe was sent.
        since: Mono,
        /// How many were lost since the last answer.
        losses: u32,
    },
    /// Too little to say, with the reason.
    Unknown(Cow<'static, str>),
}

impl PathLog {
    /// Notes a probe on its way; its name comes after those of all earlier ones.
    pub fn on_sent(&mut self, probe: ProbeId, at: Mono, deadline: Mono) {
        while self.sent.len() + self.lost.len() >= SENT_MAX {
            if self.lost.pop_front().is_none() {
                self.sent.pop_front();
            }
        }
        self.sent.push_back(Sent { probe, at, deadline });
    }

    /// Notes that a probe could not be sent.
    pub fn on_unsent(&mut self, probe: ProbeId, at: Mono, why: String) {
        if mutant::is_alive(Mutant::UnsentMeansLost) {
            return;
        }
        self.forget(probe);
        self.unsent = Some((at, why));
        // What was heard before is old by the time something can be sent again.
        self.answered_at = None;
        self.well_since = None;
        self.answers_in_row = 0;
        self.losses = 0;
        self.silent_since = None;
    }

    /// Notes an answer; false where the probe isn't one of this path's. A late answer counts:
    /// whatever answers is alive.
    pub fn on_answer(&mut self, probe: ProbeId, at: Mono) -> bool {
        if !self.forget(probe) {
            return false;
        }
        self.answered_at = Some(self.answered_at.map_or(at, |before| before.max(at)));
        self.answered_ever = true;
        self.unsent = None;
        self.well_since.get_or_insert(at);
        self.answers_in_row = self.answers_in_row.saturating_add(1);
        self.losses = 0;
        self.silent_since = None;
        true
    }

    fn forget(&mut self, probe: ProbeId) -> bool {
        if let Ok(index) = self.sent.binary_search_by_key(&probe, |sent| sent.probe) {
            self.sent.remove(index);
            return true;
        }
        let overdue = self.lost.binary_search(&probe);
        if let Ok(index) = overdue {
            self.lost.remove(index);
        }
        overdue.is_ok()
    }

    /// Counts the probes that are overdue at `now` as lost, and says how many there were.
    pub fn expire(&mut self, now: Mono) -> u32 {
        let mut expired = 0;
        while let Some(sent) = self.sent.pop_front_if(|sent| sent.deadline <= now) {
            self.lost.push_back(sent.probe);
            expired += 1;
            // A probe that was sent before the last answer came says nothing about now.
            if self.answered_at.is_some_and(|answered| answered > sent.at) {
                continue;
            }
            // What can be sent again is lost or answered again, and no longer unknown.
            if self.unsent.as_ref().is_some_and(|(at, _)| *at > sent.at) {
                continue;
            }
            self.unsent = None;
            self.losses = self.losses.saturating_add(1);
            if self.losses >= DOUBT {
                self.well_since = None;
            }
            self.answers_in_row = 0;
            self.lost_at = Some(now);
            let since = self.silent_since.map_or(sent.at, |since| since.min(sent.at));
            self.silent_since = Some(since);
        }
        expired
    }

    /// Forgets what is under way, every loss and every answer: from here on it is unknown until
    /// something new is heard or missed.
    pub fn void(&mut self) {
        self.sent.clear();
        self.lost.clear();
        self.unsent = None;
        self.well_since = None;
        self.answered_at = None;
        self.losses = 0;
        self.silent_since = None;
        self.answers_in_row = 0;
    }

    /// When the next probe under way is overdue.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Mono> {
        self.sent.front().map(|sent| sent.deadline)
    }

    /// Whether `probe` is one of this path's that hasn't been answered.
    #[must_use]
    pub fn knows(&self, probe: ProbeId) -> bool {
        self.sent.binary_search_by_key(&probe, |sent| sent.probe).is_ok()
            || self.lost.binary_search(&probe).is_ok()
    }

    /// When the first probe was sent that was lost since the last answer.
    #[must_use]
    pub fn silent_since(&self) -> Option<Mono> {
        self.silent_since
    }

    /// Lost probes since the last answer.
    #[must_use]
    pub fn losses(&self) -> u32 {
        self.losses
    }

    /// Answers since the last loss.
    #[must_use]
    pub fn answers_in_row(&self) -> u32 {
        self.answers_in_row
    }

    /// Whether it has answered at any time.
    #[must_use]
    pub fn answered_ever(&self) -> bool {
        self.answered_ever
    }

    /// Since when it has answered steadily.
    #[must_use]
    pub fn well_since(&self) -> Option<Mono> {
        self.well_since
    }

    /// When it last answered.
    #[must_use]
    pub fn answered_at(&self) -> Option<Mono> {
        self.answered_at
    }

    /// Why the last probe could not be sent, where it couldn't.
    #[must_use]
    pub fn unsent(&self) -> Option<&str> {
        self.unsent.as_ref().map(|(_, why)| why.as_str())
    }

    /// When the last thing that is known of this path became known.
    #[must_use]
    pub fn last_word(&self) -> Option<Mono> {
        [self.answered_at, self.lost_at].into_iter().flatten().max()
    }

    /// Whether the last thing known of this path is at most `age` old.
    #[must_use]
    pub fn is_fresh(&self, now: Mono, age: Duration) -> bool {
        self.last_word().is_some_and(|at| now.since(at) <= age)
    }

    /// Whether it says [`Hearing::Answers`]: what is asked most often, by far.
    #[must_use]
    pub fn answers(&self, policy: &Policy, now: Mono) -> bool {
        let quiet = self.silent_since.is_none() && self.unsent.is_none();
        if quiet {
            self.answered_at.is_some()
        } else {
            self.hearing(policy, now) == Hearing::Answers
        }
    }

    /// What the path says.
    #[must_use]
    pub fn hearing(&self, policy: &Policy, now: Mono) -> Hearing {
        if let Some((_, why)) = &self.unsent {
            return Hearing::Unknown(why.clone().into());
        }
        match self.silent_since {
            Some(since) if mutant::is_alive(Mutant::OneLossIsSilence) => {
                Hearing::Silent { since, losses: self.losses }
            }
            Some(since)
                if self.losses >= policy.losses_min && now.since(since) >= policy.silence_min() =>
            {
                Hearing::Silent { since, losses: self.losses }
            }
            _ if self.answered_at.is_some() => Hearing::Answers,
            _ => Hearing::Unknown("no answer yet".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    /// Sends a probe every `step` ms from `from` on, `count` times, none of which is answered.
    fn lose(log: &mut PathLog, from: u64, step: u64, count: u64) -> u64 {
        for n in 0..count {
            let sent = from + n * step;
            log.on_sent(ProbeId(sent), at(sent), at(sent + 1_000));
        }
        let end = from + count.saturating_sub(1) * step + 1_000;
        log.expire(at(end));
        end
    }

    #[test]
    fn silence_needs_both_time_and_losses() {
        let policy = Policy::default();
        let mut log = PathLog::default();
        log.on_sent(ProbeId(0), at(0), at(1_000));
        assert!(log.on_answer(ProbeId(0), at(1)));
        let end = lose(&mut log, 1_000, 100, 11);
        assert_eq!(log.hearing(&policy, at(end + 5_000)), Hearing::Answers, "11 losses");
        lose(&mut log, 2_100, 100, 1);
        assert!(matches!(log.hearing(&policy, at(3_100)), Hearing::Answers), "2.1 s");
        assert!(matches!(log.hearing(&policy, at(4_000)), Hearing::Silent { losses: 12, .. }));
    }

    #[test]
    fn one_answer_ends_silence_even_when_it_comes_late() {
        let policy = Policy::default();
        let mut log = PathLog::default();
        let end = lose(&mut log, 0, 300, 12);
        assert!(matches!(log.hearing(&policy, at(end)), Hearing::Silent { .. }));
        assert!(log.on_answer(ProbeId(3_300), at(end + 1)));
        assert_eq!(log.hearing(&policy, at(end + 1)), Hearing::Answers);
        assert_eq!(log.answers_in_row(), 1);
    }

    #[test]
    fn a_loss_that_an_answer_has_overtaken_counts_for_nothing() {
        let mut log = PathLog::default();
        log.on_sent(ProbeId(1), at(0), at(1_000));
        log.on_sent(ProbeId(2), at(100), at(1_100));
        log.on_answer(ProbeId(2), at(101));
        assert_eq!(log.expire(at(1_000)), 1);
        assert_eq!(log.losses(), 0);
    }

    #[test]
    fn what_could_not_be_sent_is_unknown_and_not_lost() {
        let mut log = PathLog::default();
        for n in 0..50 {
            log.on_sent(ProbeId(n), at(n * 100), at(n * 100 + 1_000));
            log.on_unsent(ProbeId(n), at(n * 100), "no route".into());
        }
        log.expire(at(60_000));
        assert_eq!(
            log.hearing(&Policy::default(), at(60_000)),
            Hearing::Unknown("no route".into())
        );
    }

    /// Found by seed 2672 of the simulator: the first loss after minutes in which nothing could be
    /// sent passed for an address that answers, and what could have served was ended.
    #[test]
    fn an_answer_from_before_nothing_could_be_sent_is_no_answer_after_it() {
        let policy = Policy::default();
        let mut log = PathLog::default();
        log.on_sent(ProbeId(0), at(0), at(1_000));
        assert!(log.on_answer(ProbeId(0), at(1)));
        log.on_sent(ProbeId(1), at(1_000), at(2_000));
        log.on_unsent(ProbeId(1), at(1_000), "no route".into());
        lose(&mut log, 160_000, 100, 1);
        assert!(matches!(log.hearing(&policy, at(161_000)), Hearing::Unknown(_)));
        assert_eq!(log.well_since(), None);
        log.on_sent(ProbeId(2), at(162_000), at(163_000));
        assert!(log.on_answer(ProbeId(2), at(162_001)));
        assert_eq!(log.hearing(&policy, at(162_001)), Hearing::Answers);
    }

    #[test]
    fn a_path_that_never_answered_is_silent_only_by_its_losses() {
        let policy = Policy::default();
        let mut log = PathLog::default();
        assert!(matches!(log.hearing(&policy, at(0)), Hearing::Unknown(_)));
        let end = lose(&mut log, 0, 300, 12);
        assert!(matches!(log.hearing(&policy, at(end)), Hearing::Silent { .. }));
        assert!(!log.answered_ever());
    }

    proptest! {
        /// Against the plainest model: the list of outcomes in sending order.
        #[test]
        fn losses_are_those_since_the_last_answered_probe(
            outcomes in proptest::collection::vec(any::<bool>(), 1..60),
        ) {
            let mut log = PathLog::default();
            for (n, answered) in outcomes.iter().enumerate() {
                let sent = n as u64 * 2_000;
                log.on_sent(ProbeId(n as u64), at(sent), at(sent + 1_000));
                if *answered {
                    log.on_answer(ProbeId(n as u64), at(sent + 1));
                }
                log.expire(at(sent + 1_000));
            }
            let trailing = outcomes.iter().rev().take_while(|answered| !**answered).count();
            prop_assert_eq!(log.losses() as usize, trailing);
            let rising = outcomes.iter().rev().take_while(|answered| **answered).count();
            prop_assert_eq!(log.answers_in_row() as usize, rising);
        }

        /// 20 % independent loss at the default policy: no silence in an hour of probing, bursts
        /// included.
        #[test]
        fn twenty_percent_loss_is_not_silence(seed: u64) {
            let policy = Policy::default();
            let (mut log, mut state, mut now, mut id) = (PathLog::default(), seed | 1, 0u64, 0u64);
            while now < 3_600_000 {
                state ^= state << 13; state ^= state >> 7; state ^= state << 17;
                log.on_sent(ProbeId(id), at(now), at(now + 1_000));
                if state % 5 != 0 { log.on_answer(ProbeId(id), at(now)); }
                log.expire(at(now));
                let silent = matches!(log.hearing(&policy, at(now)), Hearing::Silent { .. });
                prop_assert!(!silent);
                now += if log.losses() > 0 { 100 } else { 1_000 };
                id += 1;
            }
        }
    }
}
