//! The failover as it is told: phases with their times, and whether all ended well.

use std::fmt::Write as _;
use std::time::Instant;

use rehome_lab::Status;
use serde_json::{Value, json};

use super::pings::Pings;
use super::{VIP, failed};
use crate::cli::Standby;
use crate::fail::Failure;

/// The parts of a failover, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Healthy,
    Detect,
    Prepare,
    Cut,
    Verify,
    Fence,
    Done,
}

/// The phases that take time, with what they are called.
pub(super) const PHASES: [(Phase, &str, &str); 5] = [
    (Phase::Detect, "detect", "the silence is believed, EC2 and the way there were read"),
    (Phase::Prepare, "prepare", PREPARED),
    (Phase::Cut, "cut", "routes replaced in every table and read back"),
    (Phase::Verify, "verify", "the address answers from its new home"),
    (Phase::Fence, "fence", "the old instance is seen terminated"),
];

/// What a launch takes.
const PREPARED: &str = "launched in another AZ, source/dest check off, it answers";

/// What is left of it with a standby.
const READY: &str = "nothing: the standby answers already";

/// What happened so far.
pub(super) struct Story {
    pub(super) old: String,
    pub(super) group: String,
    pub(super) key: String,
    pub(super) standby: Standby,
    new: Option<String>,
    /// Whether a standby was called ready.
    ready: bool,
    phase: Phase,
    begun: Vec<(Phase, Instant)>,
    well: bool,
    before: Status,
    after: Option<Status>,
}

impl Story {
    pub(super) fn new(before: &Status, standby: Standby) -> Result<Story, Failure> {
        let old = before
            .instances
            .iter()
            .find(|instance| instance.name.as_deref() == Some("vip-a"))
            .ok_or_else(|| failed("the lab has no vip-a"))?;
        let group = old.security_groups.first().cloned();
        Ok(Story {
            old: old.id.clone(),
            group: group.ok_or_else(|| failed("vip-a has no security group"))?,
            key: old.key_name.clone().ok_or_else(|| failed("vip-a has no key pair"))?,
            standby,
            new: None,
            ready: false,
            phase: Phase::Healthy,
            begun: Vec::new(),
            well: false,
            before: before.clone(),
            after: None,
        })
    }

    /// The holder was crashed at this moment.
    pub(super) fn crashed(&mut self, at: Instant) {
        self.enter(Phase::Detect, at);
    }

    fn enter(&mut self, phase: Phase, at: Instant) {
        if phase > self.phase {
            self.phase = phase;
            self.begun.push((phase, at));
        }
    }

    /// Takes one of rehome's events in.
    pub(super) fn hear(&mut self, event: &Value, at: Instant) {
        match event["event"].as_str().unwrap_or_default() {
            "status" => {
                let text = event["text"].as_str().unwrap_or_default();
                self.well = text.ends_with("RUNNING, PING: REACHABLE");
            }
            "moving" => self.enter(Phase::Prepare, at),
            "launched" => self.new = event["instance"].as_str().map(str::to_owned),
            // The next one comes up while the failover is still told.
            "standby-ready" if self.phase == Phase::Healthy => {
                self.new = event["instance"].as_str().map(str::to_owned);
                self.ready = true;
            }
            "cutting" => self.enter(Phase::Cut, at),
            "verifying" => self.enter(Phase::Verify, at),
            "verified" => self.enter(Phase::Fence, at),
            "now-monitoring" => self.enter(Phase::Done, at),
            _other => {}
        }
    }

    /// How the lab was in the end.
    pub(super) fn after(&mut self, status: Status) {
        self.after = Some(status);
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether rehome has said that the address is reachable, and that its standby is ready.
    pub(super) fn is_well(&self) -> bool {
        self.well && (self.ready || self.standby == Standby::Cold)
    }

    /// The instance that was launched.
    pub(super) fn new_instance(&self) -> Option<&str> {
        self.new.as_deref()
    }

    /// How long a phase took, or has been taking by `now`.
    pub(super) fn phase_ms(&self, phase: Phase, now: Instant) -> Option<u64> {
        let at = self.begun.iter().position(|(begun, _)| *begun == phase)?;
        let begun = self.begun[at].1;
        let end = self.begun.get(at + 1).map_or(now, |(_, end)| *end);
        u64::try_from(end.duration_since(begun).as_millis()).ok()
    }

    fn zone(&self, instance: &str) -> Option<String> {
        let status = self.after.as_ref().unwrap_or(&self.before);
        let of = |status: &Status| {
            status.instances.iter().find(|one| one.id == instance).map(|one| one.az.clone())
        };
        of(status).or_else(|| of(&self.before))
    }

    /// What ought to hold in the end, and whether it does.
    fn checks(&self) -> Vec<(String, bool)> {
        let (Some(after), Some(new)) = (&self.after, &self.new) else {
            return vec![("the failover came to its end".to_owned(), false)];
        };
        let one = |id: &str| after.instances.iter().find(|instance| instance.id == id);
        let eni = one(new).and_then(|instance| instance.eni.clone());
        let destination = format!("{VIP}/32");
        let routes: Vec<_> = after
            .route_tables
            .iter()
            .flat_map(|table| &table.routes)
            .filter(|route| route.destination == destination)
            .collect();
        let routed = !routes.is_empty()
            && routes.iter().all(|route| route.state == "active" && route.eni == eni);
        let has_vip = one(new).is_some_and(|instance| {
            instance.addresses.iter().any(|address| address.split('/').next() == Some(VIP))
        });
        let gone = one(&self.old).is_none_or(|instance| instance.state == "terminated");
        vec![
            (format!("{VIP} answers from {new}"), has_vip && self.well),
            ("every table points to its interface".to_owned(), routed),
            (format!("{} is terminated", self.old), gone),
        ]
    }

    /// Whether everything ended well.
    pub(super) fn is_ok(&self) -> bool {
        self.phase == Phase::Done && self.checks().iter().all(|(_, ok)| *ok)
    }

    /// The document that scripts rely on.
    pub(super) fn json(&self, pings: &Pings, ok: bool) -> Value {
        let now = Instant::now();
        let phase = |phase| self.phase_ms(phase, now);
        json!({
            "ok": ok,
            "old": self.old,
            "new": self.new,
            "old_az": self.zone(&self.old),
            "new_az": self.new.as_deref().and_then(|new| self.zone(new)),
            "outage_ms": pings.outage_ms(),
            "phases": {
                "detect_ms": phase(Phase::Detect),
                "prepare_ms": phase(Phase::Prepare),
                "cut_ms": phase(Phase::Cut),
                "verify_ms": phase(Phase::Verify),
                "fence_ms": phase(Phase::Fence),
            },
            "probes": { "sent": pings.sent(), "lost": pings.lost() },
        })
    }

    /// The last page, for people.
    pub(super) fn summary(&self, pings: &Pings, ok: bool) -> String {
        let mut text = String::new();
        let zone = |id: &str| self.zone(id).unwrap_or_default();
        let new = self.new.as_deref().unwrap_or("nowhere");
        let outage = pings.outage_ms();
        let now = Instant::now();
        let mut line = |words: String| {
            writeln!(text, "{words}").expect("writing to a string can't fail");
        };
        line(String::new());
        line(format!(
            "{VIP} moved from {} ({}) to {new} ({})",
            self.old,
            zone(&self.old),
            zone(new)
        ));
        for (phase, name, what) in PHASES {
            if let Some(ms) = self.phase_ms(phase, now) {
                let ahead = what == PREPARED && self.standby == Standby::Hot;
                let what = if ahead { READY } else { what };
                line(format!("  {name:<8} {:>9}   {what}", seconds(ms)));
            }
        }
        line(format!(
            "A client that pings every 10 ms heard nothing for {}: {} of {} probes lost",
            seconds(outage),
            pings.lost(),
            pings.sent()
        ));
        for (what, held) in self.checks() {
            line(format!("  {} {what}", if held { "ok    " } else { "FAILED" }));
        }
        let last = if ok { "nothing is left behind" } else { "the demonstration FAILED" };
        line(format!("  {} {last}", if ok { "ok    " } else { "      " }));
        text
    }
}

/// Milliseconds as people say them.
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}
