//! Blindness: our own end is broken, so what we don't hear says nothing about anybody.
//!
//! While it lasts nothing is changed at all, and no deadline of a move runs. When it ends,
//! detection starts anew: what was lost in the dark doesn't count. A process that was stopped
//! (`SIGSTOP`, a suspended machine) was blind as well, and learns of it afterwards.

use alloc::format;
use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use super::telling::Found;
use super::{Controller, SEND_WITHIN};
use crate::mutant::{self, Mutant};
use crate::probe::Hearing;
use crate::say::Line;
use crate::time::{Mono, Unix};

/// What keeps us from judging the VIP's silence.
pub(super) enum Darkness<'a> {
    /// It can't be probed from anywhere.
    Unsendable(&'a str),
    /// Every control target is silent as well.
    Unwitnessed(&'a [Ipv4Addr]),
    /// It was found dark, and nothing has shown since that it isn't: what is forgotten in the dark,
    /// for one reason or another, is no light.
    Lasting,
}

impl fmt::Display for Darkness<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Darkness::Unsendable(why) => f.write_str(why),
            Darkness::Unwitnessed(targets) => {
                let targets = crate::verdict::list(targets.iter());
                write!(f, "no control target answers ({targets})")
            }
            Darkness::Lasting => f.write_str("nothing has been heard since"),
        }
    }
}

impl Controller {
    /// Why we are no judge of the VIP's silence. A VIP that answers shows that we see.
    pub(super) fn blindness(&self, now: Mono) -> Option<Darkness<'_>> {
        if self.vip_answers(now) {
            return None;
        }
        let found = self.probing.unsendable().map(Darkness::Unsendable);
        let lasting = || (self.blind && !self.is_lit(now)).then_some(Darkness::Lasting);
        found.or_else(|| self.no_witness(now)).or_else(lasting)
    }

    /// Whether something shows that probes leave, and would be answered.
    fn is_lit(&self, now: Mono) -> bool {
        if self.standby_vouches(Mono(0), Mono(0), now) {
            return true;
        }
        if self.setup.controls.is_empty() {
            return self.probing.leaves();
        }
        let control = self.probing.control(Mono(0), Mono(0), &self.setup.policy, now);
        control == Hearing::Answers || mutant::is_alive(Mutant::ActsWhileBlind)
    }

    /// That every control target is silent, where any is configured.
    pub(super) fn no_witness(&self, now: Mono) -> Option<Darkness<'_>> {
        if self.setup.controls.is_empty() || mutant::is_alive(Mutant::ActsWhileBlind) {
            return None;
        }
        match self.probing.control(now, now, &self.setup.policy, now) {
            Hearing::Silent { .. } if self.standby_vouches(Mono(0), Mono(0), now) => None,
            Hearing::Silent { .. } => Some(Darkness::Unwitnessed(&self.setup.controls)),
            Hearing::Answers | Hearing::Unknown(_) => None,
        }
    }

    /// Tells when sight is lost, at intervals while it is, and when it is back.
    pub(super) fn step_blindness(&mut self, now: Mono) {
        let (before, blind) = (self.blind, self.blindness(now).is_some());
        self.blind = blind;
        if blind {
            self.tell_blindness(now, !before);
        } else if before {
            self.probing.void();
            self.begin_anew(now);
            self.say(Line::Notice { text: "No longer blind; judging anew".into() });
        }
    }

    fn tell_blindness(&mut self, now: Mono, is_new: bool) {
        if !self.told.is_news(Found::Blindness, now) && !is_new {
            return;
        }
        let Some(why) = self.blindness(now) else { return };
        let line = Line::Held { why: format!("we are blind: {why}; nothing is changed") };
        if is_new {
            // What was told of an earlier time isn't told of this one.
            self.told.forget(&line);
        }
        self.say_once(line);
    }

    /// The deadlines of a move run from here: before, nothing could be seen.
    fn begin_anew(&mut self, now: Mono) {
        self.renew_attempt();
        self.look_again_before_cutting(now);
    }

    /// The loop didn't run for so long: what it missed doesn't count, and neither does the time.
    /// The deadlines of a move are put off by it, not begun anew: a machine that stalls again and
    /// again still comes to an end.
    pub(super) fn after_sleep(&mut self, now: Mono, asleep: Duration) {
        self.probing.void();
        if let Some(begun) = &mut self.cut.begun {
            *begun = *begun + asleep;
        }
        let candidate = self.record.moving.as_mut().and_then(|moving| moving.attempt.as_mut());
        let waiting = candidate.into_iter().chain(&mut self.record.standby);
        for attempt in waiting.filter(|_| asleep.as_secs() > 0) {
            attempt.since = Unix(attempt.since.0.saturating_add(asleep.as_secs()));
            self.unsaved = true;
        }
        // Nor has EC2 failed to answer what nobody asked.
        if let Some(read_at) = &mut self.views.read_at {
            *read_at = *read_at + asleep;
        }
        // The tables may have been changed by anybody meanwhile.
        if asleep > SEND_WITHIN && self.is_cutting() {
            self.look_again_before_cutting(now);
        }
    }
}
