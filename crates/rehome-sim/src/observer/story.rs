//! What each process decided, launched and told, as far as the invariants need it.

use std::collections::{BTreeMap, BTreeSet};

use ec2_model::api::InstanceState;
use rehome_core::call::Launch;
use rehome_core::controller::CallId;
use rehome_core::policy::StandbyMode;
use rehome_core::record::Record;
use rehome_core::say::Line;
use rehome_core::verdict::Reason;

use super::{Invariant, Verdict, violated};
use crate::account::vip;
use crate::time::SEC;
use crate::world::World;

/// How long an instance of ours may be unknown to the record.
const UNKNOWN_FOR: u64 = 360 * SEC;

/// How long a spent budget may be untold.
const UNTOLD_FOR: u64 = 60 * SEC;

/// An instance that came of a launch of ours.
#[derive(Clone, Debug)]
pub(super) struct Launched {
    process: usize,
    lineage: u64,
    generation: String,
    attempt: String,
    token: String,
    instance: String,
    /// By the process's wall clock, and what that was off by.
    unix: u64,
    wall: i64,
    /// For a move that the budget isn't for.
    free: bool,
    unknown_since: Option<u64>,
}

impl Launched {
    pub(super) fn new(
        world: &World,
        process: usize,
        lineage: u64,
        launch: &Launch,
        instance: &str,
    ) -> Launched {
        let tag = |key: &str| launch.tags.get(key).cloned().unwrap_or_default();
        Launched {
            process,
            lineage,
            generation: tag("rehome:generation"),
            attempt: tag("rehome:attempt"),
            token: launch.token.clone(),
            instance: instance.to_owned(),
            unix: world.unix(process).0,
            wall: world.processes[process].wall,
            free: false,
            unknown_since: None,
        }
    }

    fn is_live(&self, world: &World) -> bool {
        let found = world.plane.instances.iter().find(|one| one.id == self.instance);
        found.is_some_and(|instance| match instance.state {
            InstanceState::Pending
            | InstanceState::Running
            | InstanceState::Stopping
            | InstanceState::Stopped => true,
            InstanceState::ShuttingDown | InstanceState::Terminated => false,
        })
    }

    fn is_known_to(&self, record: &Record) -> bool {
        let id = self.instance.as_str();
        let moving = record.moving.as_ref();
        let attempt = moving.and_then(|moving| moving.attempt.as_ref());
        record.holder.instance.as_str() == id
            || attempt.is_some_and(|a| a.token == self.token)
            || moving.and_then(|m| m.cut_to.as_ref()).is_some_and(|h| h.instance.as_str() == id)
            || record.disposals.iter().any(|disposal| disposal.instance.as_str() == id)
            || record.lost_launches.iter().any(|lost| lost.token == self.token)
            || record.standby.as_ref().is_some_and(|standby| standby.token == self.token)
            || record.former.iter().any(|former| former.as_str() == id)
    }
}

/// One process's story.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub(super) heard_at: Option<u64>,
    /// Whether the move under way leaves a zone that EC2 calls impaired.
    free: bool,
    /// Whether the candidate that was called ready last was a standby.
    pub(super) to_standby: bool,
    /// When launches were sent lately.
    pub(super) launches_sent: Vec<u64>,
    /// Whether people were told last that the capability is lost.
    lost_told: bool,
    spent_since: Option<u64>,
}

/// All of them.
pub(super) struct Stories {
    pub(super) of: Vec<Story>,
    pub(super) decided: BTreeMap<(usize, u64, CallId), u64>,
    launches: Vec<Launched>,
    /// Instances that people were told about: kept, or ended.
    told: BTreeSet<String>,
}

impl Stories {
    pub(super) fn new(processes: usize) -> Stories {
        Stories {
            of: vec![Story::default(); processes],
            decided: BTreeMap::new(),
            launches: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    pub(super) fn started(&mut self, _world: &World, process: usize) {
        self.of[process] = Story { heard_at: self.of[process].heard_at, ..Story::default() };
    }

    pub(super) fn ended(&mut self, process: usize) {
        self.of[process].spent_since = None;
    }

    pub(super) fn launched(&mut self, world: &World, new: Launched) -> Verdict {
        let name = &new.instance;
        let record = world.disks[new.process].record.as_ref();
        let same_story = world.disks[new.process].lineage == new.lineage;
        if same_story && !record.is_some_and(|record| new.is_known_to(record)) {
            let what = format!("{name} came of a launch that no durable record knows");
            return violated(world, Invariant::Unjournaled, what);
        }
        let key =
            |of: &Launched| (of.process, of.lineage, of.generation.clone(), of.attempt.clone());
        let twin = self.launches.iter().find(|old| key(old) == key(&new) && old.is_live(world));
        if let Some(twin) = twin {
            let what = format!(
                "{name} and {} are both live: generation {}, attempt {}",
                twin.instance, new.generation, new.attempt
            );
            return violated(world, Invariant::OneLivePerAttempt, what);
        }
        let new = Launched { free: self.of[new.process].free, ..new };
        self.launches.push(new.clone());
        self.within_budget(world, &new)
    }

    fn within_budget(&self, world: &World, new: &Launched) -> Verdict {
        let policy = &world.plan.policy;
        if world.processes[new.process].resumed {
            return Ok(());
        }
        for (seconds, moves) in [(3_600, policy.moves_per_hour), (86_400, policy.moves_per_day)] {
            // A move that began before the time looked at may launch within it.
            let standbys = if policy.standby == StandbyMode::Hot { moves } else { 0 };
            let most = ((moves + 1) * policy.launches_max + standbys) as usize;
            // What was launched before somebody turned the clock has no place in its hours.
            let ours = self.launches.iter().filter(|old| {
                (old.process, old.lineage, old.wall) == (new.process, new.lineage, new.wall)
                    && !old.free
                    && new.unix.saturating_sub(old.unix) < seconds
            });
            let count = ours.count();
            if count > most {
                let what = format!("{count} launches in {seconds} s, at most {most}");
                return violated(world, Invariant::Budget, what);
            }
        }
        Ok(())
    }

    pub(super) fn said(&mut self, _world: &World, process: usize, line: &Line) {
        let story = &mut self.of[process];
        if let Line::Moving { reason, .. } = line {
            story.free = *reason == Reason::AzImpaired;
        }
        if let Line::Ready { standby, .. } = line {
            story.to_standby = *standby;
        }
        let spent = |why: &str| why.starts_with("budget spent");
        let is_told = matches!(line, Line::Held { why } if spent(why));
        if is_told || matches!(line, Line::CapabilityLost { .. }) {
            story.lost_told = true;
        } else if let Line::CapabilityBack = line {
            story.lost_told = false;
        } else if let Line::Kept { instance, .. } | Line::Ended { instance, .. } = line {
            self.told.insert(instance.to_string());
        }
    }

    pub(super) fn persisted(&mut self, world: &World, process: usize) -> Verdict {
        self.find_forgotten(world)?;
        self.find_untold(world, process)
    }

    /// Live instances of ours that no record knows.
    pub(super) fn find_forgotten(&mut self, world: &World) -> Verdict {
        for launched in &mut self.launches {
            let disk = &world.disks[launched.process];
            let ours = disk.lineage == launched.lineage && launched.is_live(world);
            let known = disk.record.as_ref().is_some_and(|record| launched.is_known_to(record));
            if !ours || known || self.told.contains(&launched.instance) {
                launched.unknown_since = None;
                continue;
            }
            let since = *launched.unknown_since.get_or_insert(world.now);
            if world.now - since > UNKNOWN_FOR {
                let address = vip(world.processes[launched.process].vip);
                let what = format!("{} of {address} is live and forgotten", launched.instance);
                return violated(world, Invariant::Forgotten, what);
            }
        }
        Ok(())
    }

    fn find_untold(&mut self, world: &World, process: usize) -> Verdict {
        let own = &world.processes[process];
        let Some(controller) = &own.controller else { return Ok(()) };
        let policy = &world.plan.policy;
        let record = controller.record();
        let unix = world.unix(process);
        let spent = record.moves_within(unix, 3_600) >= policy.moves_per_hour as usize
            || record.moves_within(unix, 86_400) >= policy.moves_per_day as usize;
        let story = &mut self.of[process];
        if !spent || record.moving.is_some() || policy.observe || own.resumed || story.lost_told {
            story.spent_since = None;
            return Ok(());
        }
        let since = *story.spent_since.get_or_insert(world.now);
        if world.now - since > UNTOLD_FOR {
            let what = "the budget is spent and nobody was told".to_owned();
            return violated(world, Invariant::BudgetUntold, what);
        }
        Ok(())
    }
}
