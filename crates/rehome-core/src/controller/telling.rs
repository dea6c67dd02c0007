//! Status lines: at every change, and at intervals while nothing changes.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::capability::Incapacity;
use super::moving::Hindrance;
use super::{Controller, Wakeup};
use crate::names::InstanceId;
use crate::probe::Hearing;
use crate::record::Stage;
use crate::say::{Line, StateSeen};
use crate::time::Mono;
use crate::verdict::Verdict;

/// What was told last, so that nothing is told twice in a row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Told {
    status_at: Option<Mono>,
    status: Option<(u8, StateSeen)>,
    once: Vec<(Line, Mono)>,
    deaf: Vec<usize>,
    /// What was worded last of that which is found at every event, and when.
    #[serde(default)]
    found: Option<(Found, Mono)>,
    /// Why no failover could be made, where that was told and still holds.
    pub(super) incapable: Option<Incapacity>,
}

/// After this a line that still holds is told again.
const REMIND_AFTER: Duration = Duration::from_secs(600);

/// Why nothing is moved: found again at every event while it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Found {
    /// The evidence doesn't call for it.
    Verdict(Verdict),
    /// Something forbids it.
    Hindrance(Hindrance),
    /// We are no judge.
    Blindness,
}

/// What is found again is put into words no more often than this.
const FOUND_AGAIN: Duration = Duration::from_secs(1);

/// Lines that are remembered so as not to be repeated.
const ONCE_MAX: usize = 8;

impl Told {
    /// The next time this is said it is news.
    pub(super) fn forget(&mut self, line: &Line) {
        self.once.retain(|(told, _)| told != line);
    }

    /// Whether this wasn't found a moment ago already.
    pub(super) fn is_news(&mut self, found: Found, now: Mono) -> bool {
        let again = |(told, at): &(Found, Mono)| *told == found && now.since(*at) < FOUND_AGAIN;
        if self.found.as_ref().is_some_and(again) {
            return false;
        }
        self.found = Some((found, now));
        true
    }
}

impl Controller {
    pub(super) fn next_report(&self) -> Option<Wakeup> {
        let at = self.told.status_at? + self.setup.policy.report_interval;
        Some(Wakeup { at, why: "report" })
    }

    /// Tells how the holder is, when that changed or when it is time.
    pub(super) fn step_report(&mut self, now: Mono) {
        if self.probing.vip_losses() == 0 {
            // What comes next is a doubt of its own.
            self.told.once.retain(|(line, _)| !matches!(line, Line::Suspect { .. }));
        }
        // Half way the address is nobody's: the lines of the move tell.
        let stage = self.record.moving.as_ref().map(|moving| moving.stage);
        if matches!(stage, Some(Stage::Cutting | Stage::Verifying | Stage::RollingBack)) {
            return;
        }
        let ping = self.ping(now);
        let state = self.state_seen(now);
        if matches!(&state, StateSeen::Unknown { last: None, .. }) && self.views.holder.is_none() {
            return;
        }
        let same = |told: &(u8, StateSeen)| told.0 == kind_of(&ping) && is_same(&told.1, &state);
        let changed = !self.told.status.as_ref().is_some_and(same);
        let due =
            self.told.status_at.is_none_or(|at| now.since(at) >= self.setup.policy.report_interval);
        if !changed && !due {
            return;
        }
        self.told.status = Some((kind_of(&ping), state.clone()));
        self.told.status_at = Some(now);
        let holder = &self.record.holder;
        let line = Line::Status {
            instance: holder.instance.clone(),
            address: holder.address,
            az: holder.az.clone(),
            state,
            ping,
        };
        // The line that explains a decision stands before it.
        let first_decision = self.actions.iter().position(|action| {
            matches!(action, super::Action::Say(Line::Moving { .. } | Line::WouldMove { .. }))
        });
        match first_decision {
            Some(index) => self.actions.insert(index, super::Action::Say(line)),
            None => self.say(line),
        }
        self.tell_deaf(now);
    }

    fn ping(&self, now: Mono) -> Hearing {
        match self.vip_hearing(now) {
            Hearing::Unknown(why) => Hearing::Unknown(why),
            hearing @ (Hearing::Answers | Hearing::Silent { .. }) => hearing,
        }
    }

    /// An overlay source of ours that hears nothing while another one does: our own way back.
    fn tell_deaf(&mut self, now: Mono) {
        let deaf = self.probing.deaf_sources(&self.setup.policy, now);
        if deaf == self.told.deaf {
            return;
        }
        for index in &deaf {
            if let Some(Some(source)) = self.setup.sources.get(*index) {
                let text = format!(
                    "No answers reach {source}, though {} is served: our own return path",
                    self.record.vip
                );
                self.say(Line::Notice { text });
            }
        }
        self.told.deaf = deaf;
    }

    /// Tells a line unless it was told a short while ago.
    pub(super) fn say_once(&mut self, line: Line) {
        let same = |told: &Line| match (told, &line) {
            (Line::WouldMove { reason: one, .. }, Line::WouldMove { reason: two, .. }) => {
                one == two
            }
            (Line::Suspect { .. }, Line::Suspect { .. }) => true,
            (one, two) => one == two,
        };
        self.note_standing(&line);
        let now = self.now;
        self.told.once.retain(|(_, at)| now.since(*at) < REMIND_AFTER);
        if self.told.once.iter().any(|(told, _)| same(told)) {
            return;
        }
        if self.told.once.len() >= ONCE_MAX {
            self.told.once.remove(0);
        }
        self.told.once.push((line.clone(), now));
        self.actions.push(super::Action::Say(line));
    }

    /// Where things stand, in one sentence, for the last words.
    pub(super) fn standing(&self) -> String {
        let (vip, holder) = (self.record.vip, &self.record.holder);
        let (instance, az) = (&holder.instance, &holder.az);
        let mut text = match &self.record.moving {
            None => format!("{vip} is on {instance} in {az}"),
            Some(moving) => {
                let stage = match moving.stage {
                    Stage::Preparing => "a replacement is being prepared",
                    Stage::Cutting => "its routes are being replaced",
                    Stage::Verifying => "its new home is being verified",
                    Stage::RollingBack => "its routes are being pointed back",
                };
                let to = moving
                    .attempt
                    .as_ref()
                    .and_then(|attempt| attempt.instance.as_ref())
                    .map_or_else(|| "no instance yet".to_string(), ToString::to_string);
                format!(
                    "{vip} was on {instance} in {az}; {stage} ({to}); start again to go on there"
                )
            }
        };
        let left: Vec<&InstanceId> = self.leftovers().collect();
        if !left.is_empty() {
            let left = crate::verdict::list(left.into_iter());
            text.push_str(&format!("; still to be ended: {left}"));
        }
        text
    }
}

fn kind_of(ping: &Hearing) -> u8 {
    match ping {
        Hearing::Answers => 0,
        Hearing::Silent { .. } => 1,
        Hearing::Unknown(_) => 2,
    }
}

/// Whether the two say the same of the holder, ages apart.
fn is_same(one: &StateSeen, other: &StateSeen) -> bool {
    match (one, other) {
        (StateSeen::Known(one), StateSeen::Known(other)) => one == other,
        (StateSeen::NotFound, StateSeen::NotFound) => true,
        (StateSeen::Unknown { why: one, .. }, StateSeen::Unknown { why: other, .. }) => {
            one == other
        }
        (StateSeen::Known(_) | StateSeen::NotFound | StateSeen::Unknown { .. }, _) => false,
    }
}
