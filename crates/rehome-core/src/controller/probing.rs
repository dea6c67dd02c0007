//! When what is probed from where, and what the probes say together.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, Controller, Wakeup};
use crate::names::InstanceId;
use crate::policy::Policy;
use crate::probe::{Hearing, PathLog, ProbeId};
use crate::record::{Home, Leftover, Stage};
use crate::time::Mono;

/// Where a probe goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Path {
    /// The VIP, from the source with this index.
    Vip(usize),
    /// An instance's primary address.
    Primary(InstanceId),
    /// A control target: from the source with the first index, the target with the second.
    Control(usize, usize),
}

/// The probes of one VIP.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Probing {
    /// In the order of their paths. A few, and gone through at every event: a list is the quickest.
    logs: Vec<(Path, PathLog)>,
    next_id: u64,
    due: Mono,
    sharp: bool,
    /// When the VIP last answered from anywhere, whatever became of that source since.
    #[serde(default)]
    heard_at: Option<Mono>,
}

impl Probing {
    pub(super) fn new(begun: Mono) -> Probing {
        Probing { logs: Vec::new(), next_id: 0, due: begun, sharp: false, heard_at: None }
    }

    /// They come first.
    fn vip_logs(&self) -> impl Iterator<Item = &PathLog> {
        let vips = self.logs.iter().take_while(|(path, _)| matches!(path, Path::Vip(_)));
        vips.map(|(_, log)| log)
    }

    fn primary_log(&self, instance: &InstanceId) -> Option<&PathLog> {
        let is_it = |path: &Path| matches!(path, Path::Primary(id) if id == instance);
        self.logs.iter().find(|(path, _)| is_it(path)).map(|(_, log)| log)
    }

    /// Keeps the logs of the `wanted` paths, in their order, and no others.
    fn follow(&mut self, wanted: &[(Path, Ipv4Addr)]) {
        let same = self.logs.iter().map(|(path, _)| path).eq(wanted.iter().map(|(path, _)| path));
        if same {
            return;
        }
        let mut known = core::mem::take(&mut self.logs);
        for (path, _) in wanted {
            let log = known.iter_mut().find(|(other, _)| other == path);
            let log = log.map(|(_, log)| core::mem::take(log)).unwrap_or_default();
            self.logs.push((path.clone(), log));
        }
    }

    pub(super) fn on_answer(&mut self, probe: ProbeId, at: Mono) {
        for (path, log) in &mut self.logs {
            if log.on_answer(probe, at) {
                if matches!(path, Path::Vip(_)) {
                    self.heard_at = self.heard_at.max(Some(at));
                }
                return;
            }
        }
    }

    pub(super) fn on_unsent(&mut self, probe: ProbeId, at: Mono, why: &str) {
        for (_, log) in &mut self.logs {
            if log.knows(probe) {
                log.on_unsent(probe, at, why.to_string());
                return;
            }
        }
    }

    pub(super) fn expire(&mut self, now: Mono) {
        for (_, log) in &mut self.logs {
            log.expire(now);
        }
    }

    /// Nothing that was sent or lost so far counts any more.
    pub(super) fn void(&mut self) {
        for (_, log) in &mut self.logs {
            log.void();
        }
    }

    /// From here on only probes count that are sent from here on.
    pub(super) fn forget_vip(&mut self) {
        for (path, log) in &mut self.logs {
            if matches!(path, Path::Vip(_)) {
                log.void();
            }
        }
    }

    /// The VIP from all sources together: any source that hears it means that it is served; what
    /// could not be sent from one source says nothing where another source could. Once some
    /// sources have `heard` it, the silence of the others is nothing new; and one that was silent
    /// while another heard it is deaf, and says nothing once the other can't be asked.
    pub(super) fn vip(&self, heard: impl Fn(usize) -> bool, policy: &Policy, now: Mono) -> Hearing {
        if self.vip_answers(policy, now) {
            return Hearing::Answers;
        }
        let any_heard = || {
            self.logs.iter().any(|(path, _)| match path {
                Path::Vip(source) => heard(*source),
                Path::Primary(_) | Path::Control(..) => false,
            })
        };
        let mut unknown = None;
        let mut deaf = false;
        let mut silent: Option<(Mono, u32)> = None;
        for (path, log) in &self.logs {
            let Path::Vip(source) = path else { continue };
            match log.hearing(policy, now) {
                Hearing::Answers => {}
                Hearing::Unknown(why) => unknown = unknown.or(Some(why)),
                Hearing::Silent { .. } if !heard(*source) && any_heard() => {
                    deaf = true;
                }
                Hearing::Silent { since, .. } if self.is_deaf_since(since, policy) => deaf = true,
                Hearing::Silent { since, losses } => {
                    let heard = self.heard_at.filter(|heard| *heard > since);
                    if heard.is_some_and(|heard| now.since(heard) < policy.silence_min()) {
                        unknown = unknown.or(Some("it was heard just now".into()));
                        continue;
                    }
                    let since = heard.unwrap_or(since);
                    silent = Some(match silent {
                        Some((at, n)) => (at.max(since), n.min(losses)),
                        None => (since, losses),
                    });
                }
            }
        }
        match (silent, unknown) {
            (Some((since, losses)), _) => Hearing::Silent { since, losses },
            (None, Some(why)) => Hearing::Unknown(why),
            (None, None) if deaf => Hearing::Unknown("no source that ever heard it".into()),
            (None, None) => Hearing::Unknown("not probed yet".into()),
        }
    }

    /// Whether a source that has been silent since then was so, long enough to be believed, while
    /// the VIP was heard from another one.
    fn is_deaf_since(&self, since: Mono, policy: &Policy) -> bool {
        self.heard_at.is_some_and(|heard| heard >= since + policy.silence_min())
    }

    /// Whether the VIP answers from any source.
    pub(super) fn vip_answers(&self, policy: &Policy, now: Mono) -> bool {
        self.vip_logs().any(|log| log.answers(policy, now))
    }

    /// Lost probes to the VIP since it last answered from anywhere.
    pub(super) fn vip_losses(&self) -> u32 {
        self.vip_logs().map(PathLog::losses).min().unwrap_or(0)
    }

    /// Answers of the VIP in a row, from the source that hears it best.
    pub(super) fn vip_answers_in_row(&self) -> u32 {
        self.vip_logs().map(PathLog::answers_in_row).max().unwrap_or(0)
    }

    /// Sources that have heard the VIP since this process began.
    pub(super) fn heard_by(&self) -> impl Iterator<Item = usize> {
        self.logs.iter().filter_map(|(path, log)| match path {
            Path::Vip(source) if log.answered_ever() => Some(*source),
            Path::Vip(_) | Path::Primary(_) | Path::Control(..) => None,
        })
    }

    /// Since when the VIP has answered steadily, from the source that hears it best.
    pub(super) fn vip_well_since(&self) -> Option<Mono> {
        self.vip_logs().filter_map(PathLog::well_since).min()
    }

    /// When the VIP last answered from anywhere.
    pub(super) fn vip_answered_at(&self) -> Option<Mono> {
        self.vip_logs().filter_map(PathLog::answered_at).max()
    }

    /// When the newest thing that is known of the VIP became known.
    pub(super) fn vip_last_word(&self) -> Option<Mono> {
        self.vip_logs().filter_map(PathLog::last_word).max()
    }

    /// The same of the control targets.
    pub(super) fn control_last_word(&self) -> Option<Mono> {
        let controls = self.logs.iter().filter(|(path, _)| matches!(path, Path::Control(..)));
        controls.filter_map(|(_, log)| log.last_word()).max()
    }

    /// The same of an instance's primary address.
    pub(super) fn primary_last_word(&self, instance: &InstanceId) -> Option<Mono> {
        self.primary_log(instance)?.last_word()
    }

    /// Whether the last word of the VIP's probes is at most `age` old.
    pub(super) fn vip_is_fresh(&self, now: Mono, age: Duration) -> bool {
        self.vip_logs().any(|log| log.is_fresh(now, age))
    }

    /// Sources that have been deaf for long while another one hears the VIP.
    pub(super) fn deaf_sources(&self, policy: &Policy, now: Mono) -> Vec<usize> {
        if !self.vip_answers(policy, now) {
            return Vec::new();
        }
        self.logs
            .iter()
            .filter_map(|(path, log)| match path {
                Path::Vip(source) => Some((*source, log)),
                Path::Primary(_) | Path::Control(..) => None,
            })
            .filter(|(_, log)| matches!(log.hearing(policy, now), Hearing::Silent { .. }))
            .map(|(source, _)| source)
            .collect()
    }

    /// The control targets from all sources together, as a witness for `since`: only an answer that
    /// came after it, and lately, shows that the network is well.
    pub(super) fn control(&self, since: Mono, lately: Mono, policy: &Policy, now: Mono) -> Hearing {
        let mut word = Hearing::Unknown("not probed yet".into());
        let mut silence: Option<(Mono, u32)> = None;
        let mut undecided = false;
        for (_, log) in self.logs.iter().filter(|(path, _)| matches!(path, Path::Control(..))) {
            match log.hearing(policy, now) {
                Hearing::Answers if log.answered_at().is_some_and(|at| at >= since.max(lately)) => {
                    return Hearing::Answers;
                }
                Hearing::Answers => {
                    undecided = true;
                    word = Hearing::Unknown("none has answered since it fell silent".into());
                }
                Hearing::Silent { since, losses } => {
                    silence =
                        Some(silence.map_or((since, losses), |(at, lost)| {
                            (at.max(since), lost.min(losses))
                        }));
                }
                Hearing::Unknown(why) if undecided => drop(why),
                Hearing::Unknown(why) => word = Hearing::Unknown(why),
            }
        }
        match silence {
            Some((since, losses)) if !undecided => Hearing::Silent { since, losses },
            Some(_) | None => word,
        }
    }

    /// Whether an instance's primary address has answered since `since`, and still does.
    pub(super) fn vouches(
        &self,
        instance: &InstanceId,
        since: Mono,
        policy: &Policy,
        now: Mono,
    ) -> bool {
        self.primary_log(instance).is_some_and(|log| {
            log.answers(policy, now) && log.answered_at().is_some_and(|at| at >= since)
        })
    }

    /// Why the VIP can't be probed from any source, where that is so.
    pub(super) fn unsendable(&self) -> Option<&str> {
        let mut why = None;
        for log in self.vip_logs() {
            why = Some(log.unsent()?);
        }
        why
    }

    /// Whether a probe to the VIP has left lately, from any source: it came back, or was lost.
    pub(super) fn leaves(&self) -> bool {
        self.vip_logs().any(|log| log.losses() > 0 || log.answered_at().is_some())
    }

    /// A primary address; silence there is evidence only where it has answered before.
    pub(super) fn primary(&self, home: &Home, policy: &Policy, now: Mono) -> Hearing {
        let Some(log) = self.primary_log(&home.instance) else {
            return Hearing::Unknown("not probed yet".into());
        };
        match log.hearing(policy, now) {
            Hearing::Silent { .. } if !home.answered && !log.answered_ever() => {
                Hearing::Unknown("it has never answered".into())
            }
            hearing @ (Hearing::Answers | Hearing::Silent { .. } | Hearing::Unknown(_)) => hearing,
        }
    }

    pub(super) fn answered_ever(&self, home: &Home) -> bool {
        self.primary_log(&home.instance).is_some_and(PathLog::answered_ever)
    }

    pub(super) fn primary_answers_in_row(&self, instance: &InstanceId) -> u32 {
        self.primary_log(instance).map_or(0, PathLog::answers_in_row)
    }

    pub(super) fn primary_hearing(
        &self,
        instance: &InstanceId,
        policy: &Policy,
        now: Mono,
    ) -> Option<Hearing> {
        self.primary_log(instance).map(|log| log.hearing(policy, now))
    }

    pub(super) fn next_wakeup(&self, policy: &Policy) -> Option<Wakeup> {
        let deadline = self.logs.iter().filter_map(|(_, log)| log.next_deadline()).min();
        // Silence is believed at a moment at which nothing else need happen.
        let belief = self
            .vip_logs()
            .filter_map(PathLog::silent_since)
            .map(|since| since + policy.silence_min())
            .filter(|at| *at > self.due)
            .min();
        [
            Some(Wakeup { at: self.due, why: "probe" }),
            deadline.map(|at| Wakeup { at, why: "probe overdue" }),
            belief.map(|at| Wakeup { at, why: "silence believed" }),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|wakeup| wakeup.at)
    }
}

impl Controller {
    /// Sends a round of probes when it is due: at ease while all is well, sharp while something is
    /// doubtful or a move is waiting for an answer.
    pub(super) fn step_probes(&mut self, now: Mono) {
        let policy = &self.setup.policy;
        let sharp = self.is_sharp(now);
        let step = if sharp { policy.burst_interval() } else { policy.interval };
        if sharp && !self.probing.sharp {
            self.probing.due = self.probing.due.min(now);
        }
        self.probing.sharp = sharp;
        if now < self.probing.due {
            return;
        }
        let deadline = now + policy.timeout;
        let wanted = self.wanted_paths();
        self.probing.follow(&wanted);
        self.actions.reserve(wanted.len());
        for (index, (path, target)) in wanted.into_iter().enumerate() {
            let probe = ProbeId(self.probing.next_id);
            self.probing.next_id += 1;
            let source = match &path {
                Path::Vip(index) | Path::Control(index, _) => self.setup.sources[*index],
                Path::Primary(_) => None,
            };
            self.probing.logs[index].1.on_sent(probe, now, deadline);
            self.actions.push(Action::Probe { probe, source, target });
        }
        self.probing.due = now + step;
    }

    fn is_sharp(&self, now: Mono) -> bool {
        let waiting = self.record.moving.as_ref().is_some_and(|moving| match moving.stage {
            Stage::Cutting | Stage::Verifying | Stage::RollingBack => true,
            Stage::Preparing => moving.attempt.is_some(),
        });
        if waiting && self.held_until.is_none() {
            return true;
        }
        self.probing.vip_losses() > 0
            && self
                .probing
                .vip_logs()
                .filter_map(PathLog::silent_since)
                .max()
                .is_some_and(|since| now.since(since) < self.setup.policy.burst_max)
    }

    /// Whether its word is that it answers: asked often, and known quickly.
    pub(super) fn vip_answers(&self, now: Mono) -> bool {
        self.probing.vip_answers(&self.setup.policy, now)
    }

    /// The VIP's word, from all sources together.
    pub(super) fn vip_hearing(&self, now: Mono) -> Hearing {
        let heard = |index: usize| {
            let source = self.setup.sources.get(index);
            source.is_some_and(|source| self.record.heard_by.contains(source))
        };
        self.probing.vip(heard, &self.setup.policy, now)
    }

    /// In the order of the paths, each once.
    fn wanted_paths(&self) -> Vec<(Path, Ipv4Addr)> {
        let sources = 0..self.setup.sources.len();
        let addresses = self.setup.sources.len() * (1 + self.setup.controls.len());
        let instances = 3 + self.record.disposals.len();
        let mut wanted: Vec<(Path, Ipv4Addr)> = Vec::with_capacity(addresses + instances);
        let vip = self.record.vip.address;
        wanted.extend(sources.clone().map(|source| (Path::Vip(source), vip)));
        let first = wanted.len();
        let mut primary = |instance: &InstanceId, address: Ipv4Addr| {
            wanted.push((Path::Primary(instance.clone()), address));
        };
        let holder = &self.record.holder;
        primary(&holder.instance, holder.address);
        let attempt = self.record.moving.as_ref().and_then(|moving| moving.attempt.as_ref());
        if let Some(home) = attempt.and_then(|attempt| attempt.home.as_ref()) {
            primary(&home.instance, home.address);
        }
        if let Some(home) = self.record.standby.as_ref().and_then(|s| s.home.as_ref()) {
            primary(&home.instance, home.address);
        }
        for disposal in &self.record.disposals {
            if let (Leftover::Former, Some(address)) = (disposal.why, disposal.address) {
                primary(&disposal.instance, address);
            }
        }
        wanted[first..].sort_by(|one, other| one.0.cmp(&other.0));
        wanted.dedup_by(|one, other| one.0 == other.0);
        let targets = |source| {
            let targets = self.setup.controls.iter().enumerate();
            targets.map(move |(index, target)| (Path::Control(source, index), *target))
        };
        wanted.extend(sources.flat_map(targets));
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000_000)
    }

    #[test]
    fn a_control_target_vouches_only_by_an_answer_after_the_silence_and_of_late() {
        let policy = Policy::default();
        for (answered, since, lately, vouches) in [
            (100, 90, 97, true),
            (100, 101, 97, false),
            (100, 90, 101, false),
            (100, 100, 100, true),
        ] {
            let mut log = PathLog::default();
            log.on_sent(ProbeId(1), at(answered), at(answered + 1));
            log.on_answer(ProbeId(1), at(answered));
            let mut probing = Probing::new(at(0));
            probing.logs.push((Path::Control(0, 0), log));
            let word = probing.control(at(since), at(lately), &policy, at(103));
            assert_eq!(word == Hearing::Answers, vouches, "{answered} {since} {lately}: {word:?}");
            assert!(vouches || matches!(word, Hearing::Unknown(_)), "nor is it silent: {word:?}");
        }
    }
}
