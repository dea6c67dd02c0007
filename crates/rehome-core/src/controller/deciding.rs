//! Decisions on their way out: what is told becomes a [`Decision`] with its evidence, once for
//! each time that the decision or its reason changes.
//!
//! A hold is found again at every step while it lasts, so what is in force is remembered; it is
//! over when it hasn't been found for a while, or when the address that was silent answers.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, Controller};
use crate::decision::{Decided, Decision, Fact, Moved, Phases};
use crate::names::InstanceId;
use crate::probe::Hearing;
use crate::record::{Home, Move, Stage};
use crate::say::Line;
use crate::time::{Mono, Short};
use crate::verdict::{Evidence, HolderSeen, Seen, list};

/// What holds is over when it hasn't been found for this long: longer than the longest wait between
/// two tries of the same thing.
const HOLD_OVER: Duration = Duration::from_secs(30);

/// Suspicions that pass are noted at most this often: under random loss there is one in minutes.
const PASSED_EVERY: Duration = Duration::from_secs(600);

/// Reasons in force at once that are told apart.
const STANDING_MAX: usize = 8;

/// What was decided last, so that nothing is decided twice in a row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Deciding {
    standing: Vec<Standing>,
    begun: bool,
    suspected: bool,
    hold_over: bool,
    losses: u32,
    passed_at: Option<Mono>,
    timing: Timing,
}

/// A decision that is in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Standing {
    decided: Decided,
    found: Mono,
    silent: bool,
}

/// When the phases of the present move began, as far as this process saw it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Timing {
    silent: Option<Mono>,
    decided: Option<Mono>,
    cut: Option<Mono>,
    verify: Option<Mono>,
}

impl Controller {
    /// Notes the decision that a line tells, if it tells one.
    pub(super) fn note_line(&mut self, line: &Line) {
        match line {
            Line::Moving { .. } => self.deciding.timing = self.timing_of_move(),
            Line::Cutting => self.deciding.timing.cut = Some(self.now),
            Line::Verifying { .. } => self.deciding.timing.verify = Some(self.now),
            Line::Suspect { .. } => self.deciding.suspected = true,
            Line::Status { .. }
            | Line::SourceDestCheckOff { .. }
            | Line::WouldMove { .. }
            | Line::Launching { .. }
            | Line::Launched { .. }
            | Line::AttemptFailed { .. }
            | Line::Waiting { .. }
            | Line::Ready { .. }
            | Line::Routed { .. }
            | Line::Verified { .. }
            | Line::Cancelled { .. }
            | Line::RollingBack { .. }
            | Line::Ending { .. }
            | Line::Ended { .. }
            | Line::Kept { .. }
            | Line::NowMonitoring { .. }
            | Line::Held { .. }
            | Line::Resumed
            | Line::CapabilityLost { .. }
            | Line::CapabilityBack
            | Line::StandbyLaunching { .. }
            | Line::StandbyReady { .. }
            | Line::StandbyLost { .. }
            | Line::Notice { .. }
            | Line::Stopping { .. } => {}
        }
        if let Some(decided) = self.decided_by(line) {
            self.note(decided);
        }
    }

    /// Notes the decision that a line tells which is found again at every step while it holds.
    pub(super) fn note_standing(&mut self, line: &Line) {
        let Some(decided) = self.decided_by(line) else {
            self.note_line(line);
            return;
        };
        let now = self.now;
        let silent = matches!(self.vip_hearing(now), Hearing::Silent { .. });
        let standing = &mut self.deciding.standing;
        if let Some(known) = standing.iter_mut().find(|one| one.decided == decided) {
            known.found = now;
            known.silent = silent;
            return;
        }
        if standing.len() >= STANDING_MAX {
            standing.remove(0);
        }
        standing.push(Standing { decided: decided.clone(), found: now, silent });
        self.note(decided);
    }

    /// Notes that nothing is wrong: at first, when a suspicion has passed, when a hold is over.
    pub(super) fn note_wellness(&mut self, now: Mono) {
        let well = self.vip_answers(now) && self.probing.vip_losses() == 0;
        let deciding = &mut self.deciding;
        let mut hold_over = false;
        deciding.standing.retain(|one| {
            let over = now.since(one.found) >= HOLD_OVER || (well && one.silent);
            let held = matches!(one.decided, Decided::Hold { .. } | Decided::WouldMove { .. });
            hold_over |= over && held;
            !over
        });
        deciding.hold_over |= hold_over;
        if !well {
            deciding.losses = deciding.losses.max(self.probing.vip_losses());
            return;
        }
        if self.record.moving.is_some() || !deciding.standing.is_empty() {
            return;
        }
        let losses = core::mem::take(&mut deciding.losses);
        let suspected = core::mem::take(&mut deciding.suspected);
        let hold_over = core::mem::take(&mut deciding.hold_over);
        let passed = deciding.passed_at.is_none_or(|at| now.since(at) >= PASSED_EVERY);
        let why = if !core::mem::replace(&mut deciding.begun, true) {
            "it answers".to_string()
        } else if hold_over {
            "it answers, and what held it is over".to_string()
        } else if suspected && passed {
            deciding.passed_at = Some(now);
            format!("it answers again; {losses} probes in a row were lost")
        } else {
            return;
        };
        self.note(Decided::Watch { why });
    }

    /// Notes a move that was completed; before the record has the new holder.
    pub(super) fn note_moved(&mut self, now: Mono, moving: &Move, to: &Home) {
        let timing = core::mem::take(&mut self.deciding.timing);
        let between = |from: Option<Mono>, to: Option<Mono>| Some(to?.since(from?));
        let phases = Phases {
            detect: between(timing.silent, timing.decided),
            prepare: between(timing.decided, timing.cut),
            cut: between(timing.cut, timing.verify),
            verify: between(timing.verify, Some(now)),
        };
        let from = &self.record.holder;
        let moved = Moved {
            from: from.instance.clone(),
            from_az: from.az.clone(),
            to: to.instance.clone(),
            to_az: to.az.clone(),
            reason: moving.reason.clone(),
            silent_for: timing.silent.map(|since| now.since(since)),
            phases,
        };
        self.deciding.standing.clear();
        self.deciding.suspected = false;
        self.deciding.hold_over = false;
        self.deciding.losses = 0;
        self.note(Decided::Moved(Box::new(moved)));
    }

    /// Notes a decision with what it rests on.
    pub(super) fn note(&mut self, decided: Decided) {
        self.deciding.begun = true;
        let now = self.now;
        let holder = &self.record.holder;
        let attempt = self.record.moving.as_ref().and_then(|moving| moving.attempt.as_ref());
        let mut evidence = self.facts(now);
        evidence.extend(self.facts_on(now, other_in(&decided)));
        let decision = Decision {
            at: now,
            time: self.unix(now),
            vip: self.record.vip,
            generation: self.record.generation,
            attempt: attempt.map(|attempt| attempt.number),
            holder: holder.instance.clone(),
            az: holder.az.clone(),
            verdict: self.verdict(now),
            decided,
            evidence,
        };
        self.actions.push(Action::Note(Box::new(decision)));
    }

    fn timing_of_move(&self) -> Timing {
        let silent = match self.vip_hearing(self.now) {
            Hearing::Silent { since, .. } => Some(since),
            Hearing::Answers | Hearing::Unknown(_) => None,
        };
        Timing { silent, decided: Some(self.now), ..Timing::default() }
    }

    fn decided_by(&self, line: &Line) -> Option<Decided> {
        Some(match line.clone() {
            Line::SourceDestCheckOff { instance } => Decided::Heal {
                what: format!("the source/destination check of {instance} was switched off"),
            },
            Line::Moving { reason, .. } => Decided::Move { reason },
            Line::WouldMove { reason, .. } => Decided::WouldMove { reason },
            Line::Launching { az } => Decided::Launch { az },
            Line::AttemptFailed { az, instance, why } => Decided::GiveUp { az, instance, why },
            Line::Cutting => {
                let moving = self.record.moving.as_ref();
                let to = moving.and_then(|moving| moving.cut_to.as_ref());
                Decided::Cut { to: to.map(|home| home.instance.clone()) }
            }
            Line::Routed { table, added, .. } if self.record.moving.is_none() => {
                let what = if added { "missing" } else { "wrong" };
                Decided::Heal { what: format!("the {what} route in {table} was put back") }
            }
            Line::Verifying { instance, .. } => Decided::Verify { to: instance },
            Line::Cancelled { .. } => Decided::Cancel,
            Line::RollingBack { instance, why } => Decided::RollBack { to: instance, why },
            Line::Ending { instance, former, stop } => Decided::Fence { instance, former, stop },
            Line::Ended { instance, former, state } => Decided::Ended { instance, former, state },
            Line::Kept { instance, former, why } => Decided::Keep { instance, former, why },
            Line::Held { why } => Decided::Hold { why },
            Line::CapabilityLost { why } => Decided::Incapable { why },
            Line::CapabilityBack => Decided::Capable,
            Line::Status { .. }
            | Line::Suspect { .. }
            | Line::Launched { .. }
            | Line::Waiting { .. }
            | Line::Ready { .. }
            | Line::Routed { .. }
            | Line::Verified { .. }
            | Line::NowMonitoring { .. }
            | Line::Resumed
            | Line::StandbyLaunching { .. }
            | Line::StandbyReady { .. }
            | Line::StandbyLost { .. }
            | Line::Notice { .. }
            | Line::Stopping { .. } => return None,
        })
    }

    /// What is known of the holder and the way there, with ages.
    fn facts(&self, now: Mono) -> Vec<Fact> {
        let evidence = self.evidence(now);
        let holder = &self.record.holder;
        let vip_word = self.probing.vip_last_word();
        let primary_word = self.probing.primary_last_word(&holder.instance);
        let mut facts = alloc::vec![
            heard(self.record.vip.to_string(), &evidence.vip, vip_word, now),
            heard(
                format!("{} ({})", holder.address, holder.instance),
                &evidence.primary,
                primary_word,
                now,
            ),
            seen(format!("EC2 on {}", holder.instance), evidence.holder.as_ref(), now, |seen| {
                match seen {
                    HolderSeen::Gone => "not found".to_string(),
                    HolderSeen::There { state, impaired: None } => state.to_string(),
                    HolderSeen::There { state, impaired: Some(check) } => {
                        format!("{state}, status check {check} impaired")
                    }
                }
            }),
        ];
        // From the cut on the routes are as the move puts them.
        let stage = self.record.moving.as_ref().map(|moving| moving.stage);
        if matches!(stage, None | Some(Stage::Preparing)) {
            let what = format!("routes for {}", self.record.vip.destination);
            facts.push(seen(what, self.views.tables.as_ref(), now, |tables| {
                let wrong = self.wrong_routes(tables, &holder.interface);
                if wrong.is_empty() {
                    "right".to_string()
                } else {
                    format!("not right in {}", list(wrong.iter()))
                }
            }));
        }
        let what = "groups, ACLs and tables on the way".to_string();
        facts.push(seen(what, evidence.path.as_ref(), now, |changed| {
            if changed.is_empty() {
                "as when it last worked".to_string()
            } else {
                format!("changed: {}", list(changed.iter()))
            }
        }));
        facts.extend(self.facts_on_sight(now, &evidence));
        facts
    }

    /// What tells our own end's silence from the holder's: control targets, and EC2 on the zone.
    fn facts_on_sight(&self, now: Mono, evidence: &Evidence) -> Vec<Fact> {
        let mut facts = Vec::new();
        if !self.setup.controls.is_empty() {
            let policy = &self.setup.policy;
            let lately = now - (policy.interval * 2 + policy.timeout);
            let word = self.probing.control(lately, lately, policy, now);
            let what = format!("control targets {}", list(self.setup.controls.iter()));
            facts.push(heard(what, &word, self.probing.control_last_word(), now));
        }
        let what = format!("EC2 on {}", self.record.holder.az);
        facts.push(seen(what, evidence.zone.as_ref(), now, |available| {
            if *available { "available".to_string() } else { "impaired".to_string() }
        }));
        facts
    }

    /// What is known of another instance that a decision is about.
    fn facts_on(&self, now: Mono, other: Option<&InstanceId>) -> Vec<Fact> {
        let mut facts = Vec::new();
        let Some(id) = other.filter(|id| **id != self.record.holder.instance) else {
            return facts;
        };
        let policy = &self.setup.policy;
        if let Some(hearing) = self.probing.primary_hearing(id, policy, now) {
            let word = self.probing.primary_last_word(id);
            facts.push(heard(format!("primary address of {id}"), &hearing, word, now));
        }
        if let Some(known) = self.views.others.get(id) {
            facts.push(seen(format!("EC2 on {id}"), Some(known), now, |instance| {
                instance.as_ref().map_or_else(|| "not found".to_string(), |i| i.state.to_string())
            }));
        }
        facts
    }
}

/// The instance that a decision is about, apart from the holder.
fn other_in(decided: &Decided) -> Option<&InstanceId> {
    match decided {
        Decided::GiveUp { instance, .. } => instance.as_ref(),
        Decided::Cut { to } => to.as_ref(),
        Decided::Verify { to } | Decided::RollBack { to, .. } => Some(to),
        Decided::Moved(moved) => Some(&moved.to),
        Decided::Fence { instance, .. }
        | Decided::Ended { instance, .. }
        | Decided::Keep { instance, .. } => Some(instance),
        Decided::Watch { .. }
        | Decided::Hold { .. }
        | Decided::Pause { .. }
        | Decided::Resume
        | Decided::WouldMove { .. }
        | Decided::Move { .. }
        | Decided::Cancel
        | Decided::Launch { .. }
        | Decided::Heal { .. }
        | Decided::Incapable { .. }
        | Decided::Capable => None,
    }
}

fn heard(what: String, hearing: &Hearing, word: Option<Mono>, now: Mono) -> Fact {
    let says = match hearing {
        Hearing::Answers => "answers".to_string(),
        Hearing::Silent { since, losses } => {
            format!("silent for {}, {losses} probes lost", Short(now.since(*since)))
        }
        Hearing::Unknown(why) => format!("unknown ({why})"),
    };
    Fact { what, says, age: word.map(|at| now.since(at)) }
}

fn seen<T>(
    what: String,
    seen: Option<&Seen<T>>,
    now: Mono,
    words: impl FnOnce(&T) -> String,
) -> Fact {
    match seen {
        None => Fact { what, says: "not read yet".to_string(), age: None },
        Some(Seen { asked, what: result }) => {
            let says = match result {
                Ok(it) => words(it),
                Err(why) => format!("unknown ({why})"),
            };
            Fact { what, says, age: Some(now.since(*asked)) }
        }
    }
}
