//! The account: one door for callers, one for time, one for the data plane.

use core::mem;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    acls::Put,
    api::{Caller, CallerIdentity, Request, Response},
    bucket::Buckets,
    error::ApiError,
    faults::{Blow, Faults, Scope, When},
    generator::Generator,
    groups::Way,
    pace::Pace,
    plane::Guest,
    time::{Time, Timestamp},
    world::World,
};

/// EC2 for one account in one region, with its own virtual time.
///
/// Time goes forward only: a call with an earlier `now` than an one before is taken as made at
/// the latest moment seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ec2 {
    pub(crate) account: String,
    pub(crate) region: String,
    /// What AWS's calendar said when the model began.
    pub(crate) epoch: Timestamp,
    /// How far that is ahead of the callers' clocks.
    pub(crate) clock_ahead_s: i64,
    pub(crate) pace: Pace,
    pub(crate) now: Time,
    pub(crate) generator: Generator,
    pub(crate) world: World,
    pub(crate) buckets: Buckets,
    pub(crate) faults: Faults,
    pub(crate) knobs: Knobs,
    #[serde(default)]
    published: u64,
}

/// What is wrong with reads. By default nothing: a read sees every write before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Knobs {
    /// New ids are unknown for so long.
    pub(crate) visibility_ms: u64,
    pub(crate) instances: Lag,
    pub(crate) interfaces: Lag,
    pub(crate) routes: Lag,
    /// Describe calls that name instances of these zones, or none at all, fail.
    pub(crate) failing_zones: BTreeSet<String>,
}

/// Some reads come from a replica that is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// How far behind, at most [`MAX_LAG_MS`].
    pub ms: u64,
    /// How many reads in a hundred are stale.
    pub percent: u8,
}

/// The longest lag that can be asked for. No page says how stale a read may be; thirty seconds
/// is the most that is simulated, ten minutes the most that is kept.
pub const MAX_LAG_MS: u64 = 600_000;

/// 2026-01-01T00:00:00Z: what the calendar says at [`Time::ZERO`] unless told otherwise.
const DEFAULT_EPOCH: Timestamp = Timestamp(1_767_225_600_000);

impl Ec2 {
    /// An empty account, in region `eu-west-1` unless told otherwise. Same seed, same ids.
    #[must_use]
    pub fn new(pace: Pace, seed: u64) -> Ec2 {
        Ec2 {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            epoch: DEFAULT_EPOCH,
            clock_ahead_s: 0,
            pace,
            now: Time::ZERO,
            generator: Generator::new(seed),
            world: World { types: crate::setup::common_types(), ..World::default() },
            buckets: Buckets::new(),
            faults: Faults::default(),
            knobs: Knobs::default(),
            published: 0,
        }
    }

    /// One API call, at `now`.
    ///
    /// Throttling comes first, then injected faults, then the action itself.
    ///
    /// # Errors
    /// As EC2 answers them: code, text and HTTP status.
    pub fn call(
        &mut self,
        now: Time,
        caller: &Caller,
        request: &Request,
    ) -> Result<Response, ApiError> {
        self.advance(now);
        if !self.buckets.admit(self.now, request) {
            return Err(ApiError::request_limit_exceeded());
        }
        let scope = self.scope(request);
        if let Some(blow) = self.faults.strike(When::Before, request.action(), &scope) {
            return Err(self.answer_blow(blow, caller, request));
        }
        self.check_tagging(caller, request, &scope)?;
        let answer = self.perform(caller, request);
        match self.faults.strike(When::After, request.action(), &scope) {
            Some(blow) => Err(self.answer_blow(blow, caller, request)),
            None => answer,
        }
    }

    /// A launch with tags needs the permission to tag as well (EC2 User Guide, "Grant permission to
    /// tag Amazon EC2 resources during creation").
    fn check_tagging(
        &mut self,
        caller: &Caller,
        request: &Request,
        scope: &Scope,
    ) -> Result<(), ApiError> {
        let Request::RunInstances(r) = request else { return Ok(()) };
        let tags = "CreateTags";
        if r.tag_specifications.is_empty() || !self.faults.denies(tags, scope) {
            return Ok(());
        }
        let encoded = self.generator.opaque(ENCODED_MESSAGE_LENGTH);
        Err(ApiError::unauthorized(caller, tags, &self.arn("instance", "*"), &encoded))
    }

    /// The door that [`Ec2::call`] goes through, without what is behind it: throttling and injected
    /// faults. For a caller that reads again what nothing has changed since, and knows the answer.
    ///
    /// # Errors
    /// As [`Ec2::call`], before the action itself.
    pub fn knock(&mut self, now: Time, caller: &Caller, request: &Request) -> Result<(), ApiError> {
        self.advance(now);
        if !self.buckets.admit(self.now, request) {
            return Err(ApiError::request_limit_exceeded());
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        let scope = self.scope(request);
        for when in [When::Before, When::After] {
            if let Some(blow) = self.faults.strike(when, request.action(), &scope) {
                return Err(self.answer_blow(blow, caller, request));
            }
        }
        Ok(())
    }

    /// The same by the operator's own hand: never throttled, struck by no fault, never stale,
    /// and not held up by a zone in trouble.
    ///
    /// # Errors
    /// As [`Ec2::call`], without what the doors in front of it refuse.
    pub fn operate(&mut self, now: Time, request: &Request) -> Result<Response, ApiError> {
        self.advance(now);
        let faults = mem::take(&mut self.faults);
        let knobs = mem::take(&mut self.knobs);
        let operator = Caller::user(&self.account, "operator");
        let answer = self.perform(&operator, request);
        self.faults = faults;
        self.knobs = knobs;
        answer
    }

    /// How long this call takes, in milliseconds, by pace and injected latency.
    pub fn latency(&mut self, request: &Request) -> u64 {
        let range = if request.mutates() { self.pace.mutate_ms } else { self.pace.read_ms };
        let own = self.generator.between(range);
        let scope = self.scope(request);
        own.saturating_add(self.faults.latency(request.action(), &scope))
    }

    /// Performs every transition due by `now`, in the order of their times.
    pub fn advance(&mut self, now: Time) {
        let now = now.max(self.now);
        while let Some((at, id)) = self.earliest_due().filter(|(at, _)| *at <= now) {
            self.now = self.now.max(at);
            self.settle_checks();
            self.take_step(&id);
        }
        self.now = now;
        self.settle_checks();
    }

    /// When the next transition or change of the data plane is due; not later than now if one
    /// waits already.
    #[must_use]
    pub fn next_change(&self) -> Option<Time> {
        let moments = self.world.instances.values().flat_map(|instance| {
            let due = instance.due.as_ref().map(|due| due.at);
            let running = instance.powered(self.now).then_some(instance.boot_at);
            let later = [running, instance.power_off].into_iter().flatten();
            due.into_iter().chain(later.filter(|at| *at > self.now))
        });
        moments.min()
    }

    /// The latest moment the model has seen.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// What AWS's calendar says at `time`.
    #[must_use]
    pub fn timestamp(&self, time: Time) -> Timestamp {
        Timestamp(self.epoch.0.saturating_add(time.0))
    }

    /// The account's twelve digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The region's name.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The durations in force.
    #[must_use]
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// What the data plane saw of a guest. Feeds the instance status check; a guest that powers
    /// itself off stops or terminates its instance, as its shutdown behavior says (EC2 API,
    /// `InstanceInitiatedShutdownBehavior`). Ignored for instances that don't run.
    pub fn report(&mut self, now: Time, id: &str, guest: Guest) {
        self.advance(now);
        let now = self.now;
        let Some(instance) = self.world.instances.get(id) else { return };
        if !instance.powered(now) || instance.power_off.is_some() || now < instance.boot_at {
            return;
        }
        if instance.guest != Some(guest)
            && let Some(instance) = self.world.instances.edit(id, now)
        {
            instance.guest = Some(guest);
        }
        if guest == Guest::PoweredOff {
            self.shut_down_from_inside(id);
        }
    }

    fn earliest_due(&self) -> Option<(Time, String)> {
        let due = self.world.instances.iter();
        due.filter_map(|(id, instance)| Some((instance.due.as_ref()?.at, id)))
            .min()
            .map(|(at, id)| (at, id.clone()))
    }

    pub(crate) fn settle_checks(&mut self) {
        let (now, pace) = (self.now, &self.pace);
        let mut changes = 0;
        self.world.instances.refresh(|instance| {
            changes += u64::from(instance.checks.settle(now, pace, instance.guest));
        });
        self.published += changes;
    }

    /// Grows whenever a status check's published result changes: what was read of them stays true
    /// until then.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.published
    }

    fn answer_blow(&mut self, blow: Blow, caller: &Caller, request: &Request) -> ApiError {
        match blow {
            Blow::Error(error) => error,
            Blow::Lost => ApiError::lost(),
            Blow::Deny => {
                let encoded = self.generator.opaque(ENCODED_MESSAGE_LENGTH);
                let resource = self.resource_arn(request);
                ApiError::unauthorized(caller, request.action(), &resource, &encoded)
            }
        }
    }

    /// The resource that a refusal names.
    fn resource_arn(&self, request: &Request) -> String {
        let arn = |kind: &str, id: &str| self.arn(kind, id);
        let first = |ids: &[String]| ids.first().map_or_else(|| "*".to_owned(), String::clone);
        if let Request::RunInstances(_) = request {
            arn("instance", "*")
        } else if let Request::StartInstances(r) = request {
            arn("instance", &first(&r.instance_ids))
        } else if let Request::StopInstances(r) = request {
            arn("instance", &first(&r.instance_ids))
        } else if let Request::RebootInstances(r) = request {
            arn("instance", &first(&r.instance_ids))
        } else if let Request::TerminateInstances(r) = request {
            arn("instance", &first(&r.instance_ids))
        } else if let Request::ModifyInstanceAttribute(r) = request {
            arn("instance", &r.instance_id)
        } else if let Request::ModifyNetworkInterfaceAttribute(r) = request {
            arn("network-interface", &r.network_interface_id)
        } else if let Request::CreateRoute(r) | Request::ReplaceRoute(r) = request {
            arn("route-table", &r.route_table_id)
        } else if let Request::DeleteRoute(r) = request {
            arn("route-table", &r.route_table_id)
        } else if let Request::AuthorizeSecurityGroupIngress(r)
        | Request::AuthorizeSecurityGroupEgress(r)
        | Request::RevokeSecurityGroupIngress(r)
        | Request::RevokeSecurityGroupEgress(r) = request
        {
            arn("security-group", r.group_id.as_deref().unwrap_or("*"))
        } else if let Request::CreateNetworkAclEntry(r) | Request::ReplaceNetworkAclEntry(r) =
            request
        {
            arn("network-acl", &r.network_acl_id)
        } else {
            "*".to_owned()
        }
    }

    fn perform(&mut self, caller: &Caller, request: &Request) -> Result<Response, ApiError> {
        if request.dry_run() && !request.mutates() {
            return Err(ApiError::dry_run());
        }
        match request {
            Request::RunInstances(r) => self.run_instances(r),
            Request::StartInstances(r) => self.start_instances(r),
            Request::StopInstances(r) => self.stop_instances(r),
            Request::RebootInstances(r) => self.reboot_instances(r),
            Request::TerminateInstances(r) => self.terminate_instances(r),
            Request::ModifyNetworkInterfaceAttribute(r) => self.modify_interface(r),
            Request::ModifyInstanceAttribute(r) => self.modify_instance(r),
            Request::CreateRoute(r) => self.create_route(r),
            Request::ReplaceRoute(r) => self.replace_route(r),
            Request::DeleteRoute(r) => self.delete_route(r),
            Request::CreateSecurityGroup(r) => self.create_security_group(r),
            Request::DeleteSecurityGroup(r) => self.delete_security_group(r),
            Request::AuthorizeSecurityGroupIngress(r) => self.authorize(r, Way::Ingress),
            Request::AuthorizeSecurityGroupEgress(r) => self.authorize(r, Way::Egress),
            Request::RevokeSecurityGroupIngress(r) => self.revoke(r, Way::Ingress),
            Request::RevokeSecurityGroupEgress(r) => self.revoke(r, Way::Egress),
            Request::CreateNetworkAcl(r) => self.create_network_acl(r),
            Request::DeleteNetworkAcl(r) => self.delete_network_acl(r),
            Request::CreateNetworkAclEntry(r) => self.put_acl_entry(r, Put::Create),
            Request::ReplaceNetworkAclEntry(r) => self.put_acl_entry(r, Put::Replace),
            Request::DeleteNetworkAclEntry(r) => self.delete_acl_entry(r),
            Request::ReplaceNetworkAclAssociation(r) => self.replace_acl_association(r),
            Request::CreateTags(r) => self.create_tags(r),
            Request::DeleteTags(r) => self.delete_tags(r),
            Request::GetCallerIdentity => Ok(Response::GetCallerIdentity(CallerIdentity {
                account: caller.account.clone(),
                arn: caller.arn.clone(),
                user_id: caller.user_id.clone(),
            })),
            Request::GetInstanceProfile(name) => self.get_instance_profile(name),
            Request::DescribeInstances(_)
            | Request::DescribeInstanceStatus(_)
            | Request::DescribeAvailabilityZones(_)
            | Request::DescribeVpcs(_)
            | Request::DescribeSubnets(_)
            | Request::DescribeRouteTables(_)
            | Request::DescribeNetworkInterfaces(_)
            | Request::DescribeVolumes(_)
            | Request::DescribeImages(_)
            | Request::DescribeKeyPairs(_)
            | Request::DescribeSecurityGroups(_)
            | Request::DescribeSecurityGroupRules(_)
            | Request::DescribeNetworkAcls(_)
            | Request::DescribeInstanceAttribute(_)
            | Request::DescribeInstanceCreditSpecifications(_)
            | Request::DescribeInstanceTypeOfferings(_)
            | Request::DescribeInstanceTypes(_)
            | Request::DescribeTags(_)
            | Request::DescribeAddresses(_)
            | Request::DescribeSpotInstanceRequests(_) => self.describe(request),
        }
    }

    /// Whether an id made at `created` is known to callers yet.
    pub(crate) fn is_visible(&self, created: Time) -> bool {
        self.now >= created.plus(self.knobs.visibility_ms)
    }
}

/// Letters of an encoded authorization message; real ones are longer, and say no more.
const ENCODED_MESSAGE_LENGTH: usize = 200;
