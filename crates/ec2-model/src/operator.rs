//! The operator's hands: what breaks, what is scarce, how far reads are behind.
//!
//! None of this is an API call; nothing is throttled or refused but for unknown names, which
//! answer `false`.

use crate::{
    api::Tag,
    ec2::{Ec2, Lag, MAX_LAG_MS},
    status::Check,
    time::Time,
    world::Event,
};

/// What reads can be behind on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// `DescribeInstances`, `DescribeInstanceStatus`.
    Instances,
    /// `DescribeNetworkInterfaces`.
    Interfaces,
    /// `DescribeRouteTables`.
    Routes,
}

impl Ec2 {
    /// Breaks one status check of an instance; it shows after its next cycle.
    pub fn impair_instance(&mut self, now: Time, id: &str, check: Check) -> bool {
        self.advance(now);
        let found = self.world.instances.edit(id, self.now);
        let known = found.map(|instance| instance.checks.set_broken(check, true)).is_some();
        self.settle_checks();
        known
    }

    /// A zone in trouble: its state is `impaired`, and Describe calls that name its instances, or
    /// none at all, fail.
    pub fn impair_zone(&mut self, now: Time, zone: &str) -> bool {
        self.advance(now);
        let region = self.region.clone();
        let Some(found) = self.world.zones.get_mut(zone) else { return false };
        "impaired".clone_into(&mut found.state);
        found.messages = vec![format!("{zone} in {region} is impaired")];
        self.knobs.failing_zones.insert(zone.to_owned());
        true
    }

    /// Ends what [`Ec2::impair_instance`], [`Ec2::impair_zone`] and [`Ec2::set_hanging`] began,
    /// for an instance or a zone.
    pub fn heal(&mut self, now: Time, target: &str) -> bool {
        self.advance(now);
        if let Some(zone) = self.world.zones.get_mut(target) {
            "available".clone_into(&mut zone.state);
            zone.messages.clear();
            self.knobs.failing_zones.remove(target);
            return true;
        }
        let found = self.world.instances.edit(target, self.now);
        let known = found.map(|instance| instance.checks.heal()).is_some();
        self.set_hangs(target, false);
        self.settle_checks();
        known
    }

    /// `stopping` and `shutting-down` of this instance never end by themselves.
    pub fn set_hanging(&mut self, now: Time, id: &str, hanging: bool) -> bool {
        self.advance(now);
        self.set_hangs(id, hanging);
        self.world.instances.get(id).is_some()
    }

    /// Announces a scheduled event, for example `instance-retirement`; returns its id.
    pub fn schedule_event(
        &mut self,
        now: Time,
        id: &str,
        code: &str,
        description: &str,
        not_before: Time,
    ) -> Option<String> {
        self.advance(now);
        let event = self.generator.id("instance-event");
        let instance = self.world.instances.edit(id, self.now)?;
        instance.events.push(Event {
            id: event.clone(),
            code: code.to_owned(),
            description: description.to_owned(),
            not_before,
            not_after: None,
        });
        Some(event)
    }

    /// A scheduled event is over: its description begins with `[Completed]` from now on (EC2 API,
    /// `InstanceStatusEvent`).
    pub fn complete_event(&mut self, now: Time, id: &str, event: &str) -> bool {
        self.advance(now);
        let Some(instance) = self.world.instances.edit(id, self.now) else { return false };
        let Some(event) = instance.events.iter_mut().find(|e| e.id == event) else { return false };
        event.description = format!("[Completed] {}", event.description);
        true
    }

    /// How many instances of a type (of all types together for `None`) a zone can run; `None`
    /// for as many as anybody likes.
    pub fn set_capacity(&mut self, zone: &str, instance_type: Option<&str>, most: Option<u32>) {
        let key = format!("{zone}/{}", instance_type.unwrap_or("*"));
        match most {
            Some(most) => self.world.capacity.insert(key, most),
            None => self.world.capacity.remove(&key),
        };
    }

    /// Whether a zone offers a type at all.
    pub fn set_offered(&mut self, zone: &str, instance_type: &str, offered: bool) -> bool {
        let known = self.world.zones.contains_key(zone);
        let Some(kind) = self.world.types.get_mut(instance_type) else { return false };
        if offered {
            kind.missing_in.remove(zone);
        } else {
            kind.missing_in.insert(zone.to_owned());
        }
        known
    }

    /// Leaves at most so many addresses of a subnet free; `None` for all that are.
    pub fn set_free_addresses(&mut self, subnet: &str, most: Option<u32>) -> bool {
        let found = self.world.subnets.get_mut(subnet);
        found.map(|subnet| subnet.free_at_most = most).is_some()
    }

    /// New instances and interfaces are unknown to calls for so long: `NotFound` by id, missing
    /// from lists ("Eventual consistency", EC2 Developer Guide).
    pub fn set_visibility_delay(&mut self, ms: u64) {
        self.knobs.visibility_ms = ms;
    }

    /// How far behind reads of one kind are.
    pub fn set_lag(&mut self, reads: Reads, lag: Lag) {
        let lag = Lag { ms: lag.ms.min(MAX_LAG_MS), percent: lag.percent.min(100) };
        let knobs = &mut self.knobs;
        match reads {
            Reads::Instances => knobs.instances = lag,
            Reads::Interfaces => knobs.interfaces = lag,
            Reads::Routes => knobs.routes = lag,
        }
        // An instance is told with its interfaces as of the same moment.
        let instances = knobs.instances.ms;
        self.world.instances.set_keep(instances);
        self.world.interfaces.set_keep(knobs.interfaces.ms.max(instances));
        self.world.tables.set_keep(knobs.routes.ms);
    }

    /// What somebody else in the account uses up of every token bucket, in percent.
    pub fn set_noisy_neighbor(&mut self, percent: u8) {
        self.buckets.neighbor_percent = percent.min(100);
    }

    /// Whether calls are throttled at all.
    pub fn set_throttling(&mut self, on: bool) {
        self.buckets.enabled = on;
    }

    /// A tag as AWS's own services set them, which `CreateTags` refuses: for example
    /// `aws:autoscaling:groupName`.
    pub fn tag_by_service(&mut self, now: Time, id: &str, key: &str, value: &str) -> bool {
        self.advance(now);
        let tag = Tag { key: key.to_owned(), value: value.to_owned() };
        let found = self.world.instances.edit(id, self.now);
        found.map(|instance| crate::tags::merge(&mut instance.tags, &[tag])).is_some()
    }

    /// Marks an instance as managed by a service provider: `Operator.Managed`.
    pub fn set_managed(&mut self, now: Time, id: &str, managed: bool) -> bool {
        self.advance(now);
        let found = self.world.instances.edit(id, self.now);
        found.map(|instance| instance.managed = managed).is_some()
    }
}
