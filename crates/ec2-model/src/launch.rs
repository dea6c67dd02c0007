//! `RunInstances`: what is checked, what a client token means, what comes to be.

mod disks;
mod network;
mod spec;

pub(crate) use spec::{one_of, user_data};

use crate::{
    api::{InstanceState, Reservation, Response, RunInstances, StateReason, Tag},
    ec2::Ec2,
    error::{ApiError, required, unless_dry},
    faults::Scope,
    launch::{disks::Disk, network::Port},
    status::Checks,
    tags::{check_tags, merge},
    time::Time,
    world::{Due, Instance, Launch, Spec, Step},
};

/// Everything about a launch that is settled before anything is made.
struct Plan {
    spec: Spec,
    ports: Vec<Port>,
    disks: Vec<Disk>,
    tags: Vec<Tag>,
    disk_tags: Vec<Tag>,
    port_tags: Vec<Tag>,
}

/// The longest client token: "up to 64 ASCII characters" (EC2 Developer Guide, "Ensuring
/// idempotency").
const TOKEN_LIMIT: usize = 64;

/// How long a token is remembered. EC2 documents no period; a day is longer than any launch is
/// retried.
const TOKEN_RETENTION_MS: u64 = 86_400_000;

/// How many resource types a launch can tag (EC2 API, `RunInstances`).
const TAGGABLE: [&str; 4] = ["instance", "volume", "network-interface", "spot-instances-request"];

impl Ec2 {
    pub(crate) fn run_instances(&mut self, r: &RunInstances) -> Result<Response, ApiError> {
        required(&r.image_id, "ImageId")?;
        let (min, max) = counts(r)?;
        let token = r.client_token.as_deref().unwrap_or_default();
        check_token(token)?;
        let zone = self.explicit_zone(r);
        if let Some(known) = self.replay(token, zone.as_deref(), r)? {
            unless_dry(r.dry_run)?;
            return Ok(known);
        }
        let plan = self.plan(r)?;
        unless_dry(r.dry_run)?;
        let asked = (min, max);
        let subnets = self.subnets_for(r, &plan.ports)?;
        let settled = self.settle(&plan.spec.instance_type, &subnets, &plan.ports, asked);
        let (subnet, count) = match settled {
            Ok(settled) => settled,
            Err(refusal) => {
                // A launch refused for want of room has used its token up for these parameters
                // all the same: ubicloud/ubicloud pull request 5898 saw
                // IdempotentParameterMismatch when the retry asked for another type.
                self.remember_launch(token, zone, r, Vec::new(), String::new());
                return Err(refusal);
            }
        };
        let reservation = self.generator.id("r");
        let mut ids = Vec::new();
        for index in 0..count {
            ids.push(self.make_instance(r, &plan, &subnet, &reservation, index));
        }
        let answer = self.reservation_of(&reservation, &ids);
        self.remember_launch(token, zone, r, ids, reservation);
        Ok(Response::RunInstances(answer))
    }

    /// What a used client token means (EC2 Developer Guide, "Ensuring idempotency"): the same
    /// parameters get the same instances; others are refused. With a subnet or zone in the
    /// request a token counts per zone only, so that the same token in another zone launches
    /// again. Since January 2025 a token whose instances are terminated is refused (boto/boto3
    /// issue 4406).
    fn replay(
        &self,
        token: &str,
        zone: Option<&str>,
        r: &RunInstances,
    ) -> Result<Option<Response>, ApiError> {
        let launches = self.world.launches.get(token).map_or(&[][..], |launches| &launches[..]);
        let fresh = |l: &&Launch| self.now < l.at.plus(TOKEN_RETENTION_MS);
        let same_scope = |l: &&Launch| l.zone.as_deref() == zone;
        let Some(launch) = launches.iter().filter(fresh).rfind(same_scope) else {
            return Ok(None);
        };
        let asked = RunInstances { dry_run: false, ..r.clone() };
        if launch.request != asked {
            return Err(ApiError::new(
                400,
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in \
                 previous request(s).",
            ));
        }
        if launch.instances.is_empty() {
            return Ok(None);
        }
        let alive = |id: &String| self.world.instances.get(id).is_some_and(|i| !i.is_ending());
        if !launch.instances.iter().any(alive) {
            return Err(ApiError::new(
                400,
                "IdempotentInstanceTerminated",
                "The client token you have provided is associated with a terminated instance. \
                 Please use a different client token.",
            ));
        }
        let answer = self.reservation_of(&launch.reservation, &launch.instances);
        Ok(Some(Response::RunInstances(answer)))
    }

    fn remember_launch(
        &mut self,
        token: &str,
        zone: Option<String>,
        r: &RunInstances,
        instances: Vec<String>,
        reservation: String,
    ) {
        if token.is_empty() {
            return;
        }
        let request = RunInstances { dry_run: false, ..r.clone() };
        let at = self.now;
        for launches in self.world.launches.values_mut() {
            launches.retain(|l| at < l.at.plus(TOKEN_RETENTION_MS));
        }
        self.world.launches.retain(|_, launches| !launches.is_empty());
        let launches = self.world.launches.entry(token.to_owned()).or_default();
        launches.retain(|l| l.zone != zone || !l.instances.is_empty());
        launches.push(Launch { zone, request, instances, reservation, at });
    }

    fn plan(&self, r: &RunInstances) -> Result<Plan, ApiError> {
        let spec = self.spec(r)?;
        let in_metadata = spec.metadata.instance_metadata_tags == "enabled";
        for specification in &r.tag_specifications {
            let kind = &specification.resource_type;
            if !TAGGABLE.contains(&kind.as_str()) {
                return Err(ApiError::invalid_value(format!(
                    "'{kind}' is not a valid taggable resource type for this operation."
                )));
            }
            check_tags(&specification.tags, in_metadata && kind == "instance")?;
        }
        let tags_of = |kind: &str| {
            let mut tags = Vec::new();
            for specification in r.tag_specifications.iter().filter(|s| s.resource_type == kind) {
                merge(&mut tags, &specification.tags);
            }
            tags
        };
        Ok(Plan {
            ports: self.ports(r)?,
            disks: self.disks(r)?,
            tags: tags_of("instance"),
            disk_tags: tags_of("volume"),
            port_tags: tags_of("network-interface"),
            spec,
        })
    }

    /// Chooses the first subnet whose zone offers the type and has room, and how many fit.
    fn settle(
        &self,
        instance_type: &str,
        subnets: &[String],
        ports: &[Port],
        (min, max): (u32, u32),
    ) -> Result<(String, u32), ApiError> {
        let mut refusal = None;
        for id in subnets {
            let Some(subnet) = self.world.subnets.get(id) else { continue };
            if !self.offers(&subnet.zone, instance_type) {
                refusal = refusal.or_else(|| Some(self.not_offered(&subnet.zone, instance_type)));
                continue;
            }
            let free = self.instances_addressable(ports, id);
            let room = self.world.room(&subnet.zone, instance_type);
            let count = max.min(free).min(room);
            if count >= min {
                return Ok((id.clone(), count));
            }
            refusal = Some(if free < min {
                not_enough_addresses(id)
            } else {
                self.insufficient_capacity(&subnet.zone, instance_type)
            });
        }
        Err(refusal.unwrap_or_else(|| ApiError::of_code("InsufficientInstanceCapacity")))
    }

    fn make_instance(
        &mut self,
        r: &RunInstances,
        plan: &Plan,
        subnet: &str,
        reservation: &str,
        index: u32,
    ) -> String {
        let id = self.generator.id("i");
        let now = self.now;
        let interfaces: Vec<String> = plan
            .ports
            .iter()
            .map(|port| self.make_port(port, subnet, &id, &plan.port_tags))
            .collect();
        let (zone, vpc) = self
            .world
            .subnets
            .get(subnet)
            .map(|s| (s.zone.clone(), s.vpc.clone()))
            .expect("the subnet was chosen among those that exist");
        let volumes = plan
            .disks
            .iter()
            .map(|disk| self.make_volume(disk, &id, &zone, &plan.disk_tags))
            .collect();
        let death = self.faults.death(&Scope {
            zones: [zone.clone()].into(),
            types: [plan.spec.instance_type.clone()].into(),
        });
        let due = match death {
            Some(reason) => Due { at: now.plus(self.pace.die_ms), step: Step::Die(reason) },
            None => Due { at: now.plus(self.pace.launch_ms), step: Step::Run },
        };
        let spot_request = plan.spec.spot.then(|| self.generator.id("sir"));
        let instance = Instance {
            id: id.clone(),
            spot_request,
            reservation: reservation.to_owned(),
            launch_index: index,
            token: r.client_token.clone().unwrap_or_default(),
            spec: plan.spec.clone(),
            zone,
            subnet: subnet.to_owned(),
            vpc,
            created: now,
            started: now,
            state: InstanceState::Pending,
            due: Some(due),
            transition_reason: String::new(),
            state_reason: Some(StateReason { code: "pending".into(), message: "pending".into() }),
            power_off: None,
            boot_at: Time::ZERO,
            boots: 0,
            guest: None,
            checks: Checks::default(),
            hangs: false,
            interfaces,
            volumes,
            tags: plan.tags.clone(),
            events: Vec::new(),
            managed: false,
        };
        self.world.instances.insert(&id, instance);
        self.give_public_addresses(&id);
        id
    }

    fn reservation_of(&self, reservation: &str, ids: &[String]) -> Reservation {
        let known = ids.iter().filter_map(|id| self.world.instances.get(id));
        Reservation {
            reservation_id: reservation.to_owned(),
            owner_id: self.account.clone(),
            groups: Vec::new(),
            instances: known.map(|i| self.instance_view(i, self.now)).collect(),
        }
    }

    pub(crate) fn offers(&self, zone: &str, instance_type: &str) -> bool {
        let known = self.world.types.get(instance_type);
        known.is_some_and(|known| !known.missing_in.contains(zone))
    }

    fn zones_where(&self, suits: impl Fn(&str) -> bool) -> Vec<&str> {
        self.world.zones.keys().map(String::as_str).filter(|zone| suits(zone)).collect()
    }

    /// EC2's text names the zones that offer the type.
    fn not_offered(&self, zone: &str, instance_type: &str) -> ApiError {
        let others = self.zones_where(|other| self.offers(other, instance_type));
        let message = format!(
            "Your requested instance type ({instance_type}) is not supported in your requested \
             Availability Zone ({zone}). Please retry your request by not specifying an \
             Availability Zone or choosing {}.",
            others.join(", ")
        );
        ApiError::new(400, "Unsupported", message)
    }

    /// EC2's text names the zones that have room; its HTTP status is a server's.
    pub(crate) fn insufficient_capacity(&self, zone: &str, instance_type: &str) -> ApiError {
        let others = self.zones_where(|other| {
            other != zone
                && self.offers(other, instance_type)
                && self.world.room(other, instance_type) > 0
        });
        let mut message = format!(
            "We currently do not have sufficient {instance_type} capacity in the Availability \
             Zone you requested ({zone}). Our system will be working on provisioning additional \
             capacity."
        );
        if !others.is_empty() {
            message += &format!(
                " You can currently get {instance_type} capacity by not specifying an \
                 Availability Zone in your request or choosing {}.",
                others.join(", ")
            );
        }
        ApiError::new(500, "InsufficientInstanceCapacity", message)
    }
}

fn not_enough_addresses(subnet: &str) -> ApiError {
    ApiError::new(
        400,
        "InsufficientFreeAddressesInSubnet",
        format!(
            "There are not enough free addresses in subnet '{subnet}' to satisfy the requested \
             number of instances."
        ),
    )
}

fn counts(r: &RunInstances) -> Result<(u32, u32), ApiError> {
    let min = r.min_count.ok_or_else(|| ApiError::missing_parameter("MinCount"))?;
    let max = r.max_count.ok_or_else(|| ApiError::missing_parameter("MaxCount"))?;
    let positive = |value: i64, name: &str| match u32::try_from(value) {
        Ok(count) if count > 0 => Ok(count),
        Ok(_) | Err(_) => Err(ApiError::invalid_value(format!(
            "Value ({value}) for parameter {name} is invalid. Expecting a positive number."
        ))),
    };
    let (min, max) = (positive(min, "minCount")?, positive(max, "maxCount")?);
    if min > max {
        return Err(ApiError::invalid_combination(
            "The parameter minCount may not be greater than the parameter maxCount",
        ));
    }
    Ok((min, max))
}

fn check_token(token: &str) -> Result<(), ApiError> {
    if token.len() <= TOKEN_LIMIT && token.is_ascii() {
        return Ok(());
    }
    Err(ApiError::new(
        400,
        "InvalidClientToken",
        format!("The client token is not valid: at most {TOKEN_LIMIT} ASCII characters."),
    ))
}
