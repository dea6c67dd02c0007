//! From a verdict to a move, or to the decision not to move.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::telling::Found;
use super::{Controller, Wakeup};
use crate::mutant::{self, Mutant};
use crate::probe::Hearing;
use crate::record::{Move, Stage};
use crate::say::Line;
use crate::time::{Mono, Short, Unix};
use crate::verdict::{HolderSeen, Reason, Seen, Verdict};
use crate::world::{Instance, InstanceState};

/// Seconds in an hour and in a day, for the budget.
pub(super) const HOUR: u64 = 3_600;
pub(super) const DAY: u64 = 86_400;

/// Why there is no place for a replacement, where there is none.
pub(super) const NOWHERE: &str = "no subnet is left that a replacement could go to";

/// A budget that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spent {
    moves: usize,
    /// In the last day; else in the last hour.
    of_day: bool,
}

/// What forbids a move that the evidence calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Hindrance {
    /// The VIP has never answered.
    NeverAnswered,
    /// There was no record, and AWS hasn't been seen the same twice.
    Unfamiliar,
    /// The budget is used up.
    Spent(Spent),
    /// There is no subnet for a replacement.
    Nowhere,
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.of_day { "day" } else { "hour" };
        write!(f, "budget spent: {} moves in the last {word}", self.moves)
    }
}

impl Controller {
    /// The next thing that the move under way needs; or its beginning.
    pub(super) fn step_move(&mut self, now: Mono) {
        match self.record.moving.as_ref().map(|moving| moving.stage) {
            None => self.consider_move(now),
            Some(Stage::Preparing) => self.step_preparing(now),
            Some(Stage::Cutting) => self.step_cutting(now),
            Some(Stage::Verifying) => self.step_verifying(now),
            Some(Stage::RollingBack) => self.step_rolling_back(now),
        }
    }

    pub(super) fn next_move_step(&self) -> Option<Wakeup> {
        let later = |wakeup: &Wakeup| wakeup.at > self.now;
        let hold = self.held_until.map(|at| Wakeup { at, why: "hold over" });
        let moving = self.record.moving.as_ref();
        let retry = self.retry_at.values().filter(|at| **at > self.now).min();
        let retry = retry.map(|at| Wakeup { at: *at, why: "try again" });
        let poll = moving.and_then(|moving| {
            let home = moving.attempt.as_ref()?.instance.as_ref()?;
            let asked = self.views.others.get(home).map_or(self.begun, |seen| seen.asked);
            Some(Wakeup { at: asked + self.poll_step(), why: "read the candidate" })
        });
        let pending = self.is_cutting() || self.flights.values().any(|f| f.call.mutates());
        let cut = self.cut_deadline();
        [hold, retry.filter(|_| moving.is_some()), poll.filter(|_| !pending), cut]
            .into_iter()
            .flatten()
            .filter(later)
            .min_by_key(|wakeup| wakeup.at)
    }

    fn consider_move(&mut self, now: Mono) {
        // Nothing is wrong, or nothing follows from it: blindness is told as it is.
        if self.vip_answers(now) || self.blind {
            return;
        }
        let verdict = self.verdict(now);
        let Some(reason) = verdict.reason_to_move(&self.setup.policy, now) else {
            self.tell_hold(now, &verdict);
            return;
        };
        if let Some(hindrance) = self.hindrance(now, &reason) {
            if self.told.is_news(Found::Hindrance(hindrance), now) {
                self.say_once(Line::Held { why: self.hindrance_as_told(hindrance) });
            }
            return;
        }
        let evidence = self.evidence(now).sentence(now);
        if self.setup.policy.observe {
            let instance = self.record.holder.instance.clone();
            self.say_once(Line::WouldMove { instance, reason, evidence });
            return;
        }
        if self.held_until.is_some() || !self.may_mutate() {
            return;
        }
        self.count_move(now, &reason);
        // What had to wait in quiet times says nothing about now.
        self.retries = 0;
        self.record.moving = Some(Move {
            reason: reason.clone(),
            by_person: self.views.instance.as_ref().is_some_and(Instance::stopped_by_user),
            stage: Stage::Preparing,
            attempt: None,
            order: self.order_of_places(),
            tried: Vec::new(),
            launches: 0,
            cut_to: None,
            used_standby: false,
            old_targets: BTreeMap::new(),
        });
        self.unsaved = true;
        let standby = self.ready_standby(now);
        self.say(Line::Moving { standby, reason, evidence });
        self.step_preparing(now);
    }

    /// After a hold: the zones are tried again, as a move of its own by the budget. Where the
    /// routes lead to a candidate because the old holder is gone, they stay there meanwhile.
    pub(super) fn renew_move(&mut self, now: Mono) {
        let order = self.order_of_places();
        let Some(moving) = &self.record.moving else { return };
        self.unsaved = true;
        if moving.cut_to.is_none() && moving.attempt.is_none() {
            // AWS gave nothing: a shortage of an hour isn't to cost the moves of a day. (A move out
            // of an impaired zone may not have been counted.)
            if moving.launches == 0 && !moving.used_standby && moving.reason != Reason::AzImpaired {
                self.record.moves.pop();
            }
            self.record.moving = None;
            return;
        }
        let reason = moving.reason.clone();
        if let Some(hindrance) = self.hindrance(now, &reason) {
            let why = self.hindrance_as_told(hindrance);
            // Its launches stay spent: a process that starts in this hold goes on with them.
            self.hold(now, self.setup.policy.hold, why);
            return;
        }
        self.count_move(now, &reason);
        if let Some(moving) = &mut self.record.moving {
            moving.tried.clear();
            moving.launches = 0;
            moving.order = order;
        }
    }

    /// A move against the budget. One out of a zone that EC2 itself calls impaired, while control
    /// targets show that the network is well, isn't the kind of flapping that the budget is for.
    fn count_move(&mut self, now: Mono, reason: &Reason) {
        let unix = self.unix(now);
        self.record.moves.retain(|begun| unix.0.saturating_sub(begun.0) < DAY);
        if !self.is_free(now, reason) {
            self.record.moves.push(unix);
        }
    }

    fn is_free(&self, now: Mono, reason: &Reason) -> bool {
        *reason == Reason::AzImpaired && self.evidence(now).control == Some(Hearing::Answers)
    }

    /// What forbids a move that the evidence calls for.
    fn hindrance(&self, now: Mono, reason: &Reason) -> Option<Hindrance> {
        let policy = &self.setup.policy;
        let running = !matches!(reason, Reason::State(_) | Reason::NotFound);
        if self.record.heard_by.is_empty() && running {
            return Some(Hindrance::NeverAnswered);
        }
        // An earlier process may have begun a move that AWS doesn't show yet. A VIP that answers
        // is a reading of its own: nothing can have been under way then.
        let unproven = !self.setup.familiar && self.record.heard_by.is_empty();
        if unproven && self.views.agreed_for() < policy.unfamiliar {
            return Some(Hindrance::Unfamiliar);
        }
        let spent = self.spent(self.unix(now)).filter(|_| !self.is_free(now, reason));
        let nowhere = self.setup.sites.is_empty().then_some(Hindrance::Nowhere);
        spent.map(Hindrance::Spent).or(nowhere)
    }

    fn hindrance_as_told(&self, hindrance: Hindrance) -> String {
        let (vip, unfamiliar) = (self.record.vip, Short(self.setup.policy.unfamiliar));
        match hindrance {
            Hindrance::NeverAnswered => format!(
                "{vip} has never answered, so its silence is no failure; make it answer once"
            ),
            Hindrance::Unfamiliar => format!(
                "no state file was found, so nothing is launched before two readings {unfamiliar} \
                 apart agree"
            ),
            Hindrance::Spent(spent) => spent.to_string(),
            Hindrance::Nowhere => NOWHERE.to_string(),
        }
    }

    /// The budget that is used up, where one is.
    pub(super) fn spent(&self, unix: Unix) -> Option<Spent> {
        if mutant::is_alive(Mutant::IgnoresBudget) {
            return None;
        }
        let policy = &self.setup.policy;
        [(HOUR, policy.moves_per_hour, false), (DAY, policy.moves_per_day, true)].iter().find_map(
            |(seconds, max, of_day)| {
                let moves = self.record.moves_within(unix, *seconds);
                (moves >= *max as usize).then_some(Spent { moves, of_day: *of_day })
            },
        )
    }

    /// Says why a silent VIP isn't moved; once, until the reason changes.
    pub(super) fn tell_hold(&mut self, now: Mono, verdict: &Verdict) {
        // What is just being read needn't be missed.
        let asking = matches!(verdict, Verdict::Unknown(_)) && self.is_asking(now);
        if asking
            || !matches!(self.vip_hearing(now), Hearing::Silent { .. })
            || !self.told.is_news(Found::Verdict(verdict.clone()), now)
        {
            return;
        }
        let running = matches!(
            self.views.holder.as_ref().map(|seen| &seen.what),
            Some(Ok(HolderSeen::There { state: InstanceState::Running, .. }))
        );
        if self.record.heard_by.is_empty() && running {
            let why = self.hindrance_as_told(Hindrance::NeverAnswered);
            self.say_once(Line::Held { why });
            return;
        }
        match verdict {
            Verdict::Unknown(_)
            | Verdict::PathClosed(_)
            | Verdict::Drift(_)
            | Verdict::AddressLost { .. } => {
                let evidence = self.evidence(now);
                let why = format!("{verdict}; {}", brief(&evidence.holder));
                self.say_once(Line::Held { why });
            }
            Verdict::Healthy | Verdict::HolderDead { .. } | Verdict::Blind(_) => {}
        }
    }
}

fn brief(holder: &Option<Seen<HolderSeen>>) -> &'static str {
    match holder {
        Some(Seen { what: Ok(_), .. }) => "nothing is moved on a guess",
        Some(Seen { what: Err(_), .. }) | None => "while EC2 can't be read nothing is moved",
    }
}
