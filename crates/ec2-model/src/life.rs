//! The life of an instance after its launch.
//!
//! States and transitions: EC2 User Guide, "Amazon EC2 instance state changes".
//!
//! | call | pending | running | stopping | stopped | shutting-down | terminated |
//! |---|---|---|---|---|---|---|
//! | start | same | same | refused | pending | refused | refused |
//! | stop | refused | stopping | same | same | refused | refused |
//! | reboot | refused | boots again | refused | refused | refused | refused |
//! | terminate | shutting-down | shutting-down | shutting-down | shutting-down | same | same |

use std::collections::BTreeSet;

use crate::{
    api::{
        InstanceState, InstanceStateChange, RebootInstances, Response, StartInstances, StateReason,
        StopInstances, TerminateInstances,
    },
    ec2::Ec2,
    error::{ApiError, required_list, unless_dry},
    ids::Kind,
    time::Time,
    world::{Due, Instance, Step},
};

/// Who ends an instance's running, which its reasons tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// An API call.
    User,
    /// The guest shut itself down.
    Guest,
}

impl Ec2 {
    pub(crate) fn start_instances(&mut self, r: &StartInstances) -> Result<Response, ApiError> {
        let ids = self.known_instances(&r.instance_ids)?;
        let mut wanted = Vec::new();
        for id in &ids {
            match self.state_of(id) {
                InstanceState::Stopped => wanted.push(id.clone()),
                InstanceState::Pending | InstanceState::Running => {}
                InstanceState::Stopping
                | InstanceState::ShuttingDown
                | InstanceState::Terminated => {
                    return Err(ApiError::incorrect_state(format!(
                        "The instance '{id}' is not in a state from which it can be started."
                    )));
                }
            }
        }
        unless_dry(r.dry_run)?;
        for id in &wanted {
            if let Some(instance) = self.world.instances.get(id) {
                let (zone, kind) = (&instance.zone, &instance.spec.instance_type);
                if self.world.room(zone, kind) == 0 {
                    return Err(self.insufficient_capacity(zone, kind));
                }
            }
        }
        let changes = self.change_all(&ids, |ec2, id| ec2.start(id));
        Ok(Response::StartInstances(changes))
    }

    pub(crate) fn stop_instances(&mut self, r: &StopInstances) -> Result<Response, ApiError> {
        let ids = self.known_instances(&r.instance_ids)?;
        for id in &ids {
            if let Some(instance) = self.world.instances.get(id) {
                may_stop(instance, r.hibernate)?;
            }
        }
        unless_dry(r.dry_run)?;
        let changes = self.change_all(&ids, |ec2, id| match ec2.state_of(id) {
            InstanceState::Running => ec2.stop(id, r.skip_os_shutdown || r.force, By::User),
            // A stop that hangs is ended by force (EC2 User Guide, "Troubleshoot instance stop
            // issues").
            InstanceState::Stopping if r.force => ec2.unhang(id),
            InstanceState::Stopping
            | InstanceState::Stopped
            | InstanceState::Pending
            | InstanceState::ShuttingDown
            | InstanceState::Terminated => {}
        });
        Ok(Response::StopInstances(changes))
    }

    /// A reboot keeps host, addresses and disks; the instance stays `running` (EC2 User Guide,
    /// "Reboot your instance").
    pub(crate) fn reboot_instances(&mut self, r: &RebootInstances) -> Result<Response, ApiError> {
        let ids = self.known_instances(&r.instance_ids)?;
        for id in &ids {
            if self.state_of(id) != InstanceState::Running {
                return Err(ApiError::incorrect_state(format!(
                    "The instance '{id}' is not in the 'running' state."
                )));
            }
        }
        unless_dry(r.dry_run)?;
        let (now, after) = (self.now, self.pace.reboot_ms);
        for id in &ids {
            if let Some(instance) = self.world.instances.edit(id, now) {
                instance.boots += 1;
                instance.boot_at = now.plus(after);
                instance.guest = None;
            }
        }
        Ok(Response::Return)
    }

    /// One unknown id refuses the whole call. A protected instance refuses it too, but only the
    /// instances of its own zone are spared; those of other zones go (EC2 API,
    /// `TerminateInstances`).
    pub(crate) fn terminate_instances(
        &mut self,
        r: &TerminateInstances,
    ) -> Result<Response, ApiError> {
        let ids = self.known_instances(&r.instance_ids)?;
        let protected: Vec<Instance> = ids
            .iter()
            .filter_map(|id| self.world.instances.get(id))
            .filter(|i| i.spec.disable_api_termination && !i.is_ending())
            .cloned()
            .collect();
        if r.dry_run {
            return Err(protected.first().map_or_else(ApiError::dry_run, termination_protected));
        }
        let spared: BTreeSet<&String> = protected.iter().map(|i| &i.zone).collect();
        let doomed: Vec<String> = ids
            .into_iter()
            .filter(|id| {
                let zone = self.world.instances.get(id).map(|i| &i.zone);
                zone.is_some_and(|zone| !spared.contains(zone))
            })
            .collect();
        let changes = self.change_all(&doomed, |ec2, id| match ec2.state_of(id) {
            InstanceState::ShuttingDown if r.force => ec2.unhang(id),
            InstanceState::ShuttingDown | InstanceState::Terminated => {}
            InstanceState::Pending
            | InstanceState::Running
            | InstanceState::Stopping
            | InstanceState::Stopped => ec2.terminate(id, r.skip_os_shutdown, By::User),
        });
        match protected.first() {
            Some(instance) => Err(termination_protected(instance)),
            None => Ok(Response::TerminateInstances(changes)),
        }
    }

    /// The guest powered itself off. Termination protection doesn't hold it (EC2 User Guide,
    /// "Change instance termination protection").
    pub(crate) fn shut_down_from_inside(&mut self, id: &str) {
        let Some(instance) = self.world.instances.get(id) else { return };
        let ends = instance.spec.shutdown_behavior == "terminate"
            || instance.spec.root_device_type == "instance-store";
        if ends {
            self.terminate(id, true, By::Guest);
        } else {
            self.stop(id, true, By::Guest);
        }
    }

    /// Performs the transition that is due.
    pub(crate) fn take_step(&mut self, id: &str) {
        let now = self.now;
        let Some(due) = self.world.instances.get(id).and_then(|i| i.due.clone()) else { return };
        match due.step {
            Step::Run => self.run(id, due.at),
            Step::Die(reason) => self.bury(id, Some(reason)),
            Step::Stopped => self.power_down(id),
            Step::Terminated => self.bury(id, None),
            Step::DropTags => {
                let left =
                    self.pace.terminated_visible_ms.saturating_sub(self.pace.terminated_tags_ms);
                if let Some(instance) = self.world.instances.edit(id, now) {
                    instance.tags.clear();
                    instance.due = Some(Due { at: due.at.plus(left), step: Step::Forget });
                }
            }
            Step::Forget => {
                self.world.instances.remove(id, now);
            }
        }
    }

    fn run(&mut self, id: &str, at: Time) {
        let pace = self.pace.clone();
        let Some(instance) = self.world.instances.edit(id, self.now) else { return };
        instance.state = InstanceState::Running;
        instance.due = None;
        instance.state_reason = None;
        instance.power_off = None;
        instance.guest = None;
        instance.boots += 1;
        instance.boot_at = at.plus(pace.boot_ms);
        instance.checks.begin(at, pace.status_ms);
    }

    fn start(&mut self, id: &str) {
        if self.state_of(id) != InstanceState::Stopped {
            return;
        }
        let (now, after) = (self.now, self.pace.start_ms);
        if let Some(instance) = self.world.instances.edit(id, now) {
            instance.state = InstanceState::Pending;
            instance.started = now;
            instance.state_reason = Some(reason("pending", "pending"));
            instance.transition_reason.clear();
            instance.hangs = false;
            instance.due = Some(Due { at: now.plus(after), step: Step::Run });
        }
        self.give_public_addresses(id);
    }

    fn stop(&mut self, id: &str, at_once: bool, by: By) {
        let after = self.pace.stop_ms;
        self.leave(id, at_once, by, InstanceState::Stopping, after, Step::Stopped);
    }

    fn terminate(&mut self, id: &str, at_once: bool, by: By) {
        let after = self.pace.terminate_ms;
        self.leave(id, at_once, by, InstanceState::ShuttingDown, after, Step::Terminated);
    }

    /// Leaves `running` (or any other living state) for `state`, which ends with `step`.
    fn leave(
        &mut self,
        id: &str,
        at_once: bool,
        by: By,
        state: InstanceState,
        after_ms: u64,
        step: Step,
    ) {
        let now = self.now;
        let guest_ms = if at_once { 0 } else { self.pace.guest_shutdown_ms };
        let (transition_reason, state_reason) = self.farewell(by);
        let Some(instance) = self.world.instances.edit(id, now) else { return };
        let off = match instance.state {
            InstanceState::Running | InstanceState::Stopping | InstanceState::ShuttingDown => {
                now.plus(guest_ms)
            }
            InstanceState::Pending | InstanceState::Stopped | InstanceState::Terminated => now,
        };
        instance.power_off = Some(instance.power_off.map_or(off, |earlier| earlier.min(off)));
        instance.state = state;
        instance.transition_reason = transition_reason;
        instance.state_reason = Some(state_reason);
        instance.checks.end();
        instance.due = (!instance.hangs).then(|| Due { at: now.plus(after_ms), step });
    }

    /// What EC2 tells about why an instance left `running` (EC2 API, `StateReason`).
    fn farewell(&self, by: By) -> (String, StateReason) {
        match by {
            By::User => (
                format!("User initiated ({})", self.timestamp(self.now).gmt()),
                reason(
                    "Client.UserInitiatedShutdown",
                    "Client.UserInitiatedShutdown: User initiated shutdown",
                ),
            ),
            By::Guest => (
                String::new(),
                reason(
                    "Client.InstanceInitiatedShutdown",
                    "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
                ),
            ),
        }
    }

    fn unhang(&mut self, id: &str) {
        let now = self.now;
        let (stop_ms, terminate_ms) = (self.pace.stop_ms, self.pace.terminate_ms);
        let Some(instance) = self.world.instances.edit(id, now) else { return };
        instance.hangs = false;
        if instance.due.is_none() {
            instance.due = match instance.state {
                InstanceState::Stopping => Some(Due { at: now.plus(stop_ms), step: Step::Stopped }),
                InstanceState::ShuttingDown => {
                    Some(Due { at: now.plus(terminate_ms), step: Step::Terminated })
                }
                InstanceState::Pending
                | InstanceState::Running
                | InstanceState::Terminated
                | InstanceState::Stopped => None,
            };
        }
    }

    /// Makes `stopping` and `shutting-down` of this instance last for ever, or lets them end.
    pub(crate) fn set_hangs(&mut self, id: &str, hangs: bool) {
        if !hangs {
            self.unhang(id);
        } else if let Some(instance) = self.world.instances.edit(id, self.now) {
            instance.hangs = true;
            let leaving = [InstanceState::Stopping, InstanceState::ShuttingDown];
            if leaving.contains(&instance.state) {
                instance.due = None;
            }
        }
    }

    fn power_down(&mut self, id: &str) {
        let now = self.now;
        let Some(instance) = self.world.instances.edit(id, now) else { return };
        instance.state = InstanceState::Stopped;
        instance.due = None;
        instance.power_off = None;
        // An auto-assigned public address is released, an Elastic IP stays (EC2 User Guide, "Stop
        // and start").
        for interface in instance.interfaces.clone() {
            if let Some(interface) = self.world.interfaces.edit(&interface, now) {
                interface.public_ip =
                    interface.public_ip.filter(|_| interface.elastic_ip.is_some());
            }
        }
    }

    /// `terminated`: interfaces and volumes that should go with it go, and it tells little more.
    /// What is missing from a terminated instance was seen on real accounts: subnet, VPC, private
    /// address, profile, interfaces, volumes; later its tags; then the id itself.
    fn bury(&mut self, id: &str, died_of: Option<StateReason>) {
        let now = self.now;
        let tags_ms = self.pace.terminated_tags_ms.min(self.pace.terminated_visible_ms);
        let Some(instance) = self.world.instances.edit(id, now) else { return };
        instance.state = InstanceState::Terminated;
        instance.due = Some(Due { at: now.plus(tags_ms), step: Step::DropTags });
        instance.checks.end();
        if let Some(reason) = died_of {
            instance.transition_reason.clone_from(&reason.code);
            instance.state_reason = Some(reason);
        }
        let interfaces = core::mem::take(&mut instance.interfaces);
        let volumes = core::mem::take(&mut instance.volumes);
        for interface in interfaces {
            self.release_interface(&interface);
        }
        for (_, volume) in volumes {
            let attached = self.world.volumes.get(&volume).and_then(|v| v.attachments.first());
            if attached.is_some_and(|a| a.delete_on_termination) {
                self.world.volumes.remove(&volume);
            } else if let Some(volume) = self.world.volumes.get_mut(&volume) {
                volume.attachments.clear();
                "available".clone_into(&mut volume.state);
            }
        }
    }

    fn release_interface(&mut self, id: &str) {
        let attachment = self.world.interfaces.get(id).and_then(|i| i.attachment.as_ref());
        if attachment.is_some_and(|a| a.delete_on_termination) {
            self.world.interfaces.remove(id, self.now);
        } else if let Some(interface) = self.world.interfaces.edit(id, self.now) {
            interface.attachment = None;
            interface.public_ip = None;
            interface.elastic_ip = None;
        }
    }

    /// The ids of a call, each once; unknown or malformed ones refuse the call.
    pub(crate) fn known_instances(&self, ids: &[String]) -> Result<Vec<String>, ApiError> {
        required_list(ids, "InstanceId")?;
        for id in ids {
            Kind::Instance.check(id)?;
        }
        let known = |id: &String| {
            self.world.instances.get(id).is_some_and(|instance| self.is_visible(instance.created))
        };
        let unknown: Vec<&str> = ids.iter().filter(|id| !known(id)).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(Kind::Instance.not_found(&unknown));
        }
        let mut seen = BTreeSet::new();
        Ok(ids.iter().filter(|id| seen.insert(*id)).cloned().collect())
    }

    fn state_of(&self, id: &str) -> InstanceState {
        self.world.instances.get(id).map_or(InstanceState::Terminated, |instance| instance.state)
    }

    fn change_all(
        &mut self,
        ids: &[String],
        mut change: impl FnMut(&mut Ec2, &str),
    ) -> Vec<InstanceStateChange> {
        ids.iter()
            .map(|id| {
                let previous_state = self.state_of(id);
                change(self, id);
                let current_state = self.state_of(id);
                InstanceStateChange { instance_id: id.clone(), current_state, previous_state }
            })
            .collect()
    }
}

fn reason(code: &str, message: &str) -> StateReason {
    StateReason { code: code.to_owned(), message: message.to_owned() }
}

fn termination_protected(instance: &Instance) -> ApiError {
    ApiError::new(
        400,
        "OperationNotPermitted",
        format!(
            "The instance '{}' may not be terminated. Modify its 'disableApiTermination' \
             instance attribute and try again.",
            instance.id
        ),
    )
}

/// Refuses a stop that EC2 refuses.
fn may_stop(instance: &Instance, hibernate: bool) -> Result<(), ApiError> {
    let id = &instance.id;
    match instance.state {
        InstanceState::Running => {}
        InstanceState::Stopping | InstanceState::Stopped => return Ok(()),
        InstanceState::Pending => {
            return Err(ApiError::incorrect_state(format!(
                "Instance '{id}' cannot be stopped as it has never reached the 'running' state."
            )));
        }
        InstanceState::ShuttingDown | InstanceState::Terminated => {
            return Err(ApiError::incorrect_state(format!(
                "This instance '{id}' is not in a state from which it can be stopped."
            )));
        }
    }
    let refuse = |code: &str, message: String| Err(ApiError::new(400, code, message));
    if instance.spec.root_device_type == "instance-store" {
        return refuse(
            "UnsupportedOperation",
            format!(
                "The instance '{id}' does not have an 'ebs' root device type and cannot be \
                 stopped."
            ),
        );
    }
    if instance.spec.spot {
        return refuse(
            "UnsupportedOperation",
            format!(
                "You can't stop the Spot Instance '{id}' because it is associated with a \
                 one-time Spot Instance request. You can only stop Spot Instances associated \
                 with persistent Spot Instance requests."
            ),
        );
    }
    if instance.spec.disable_api_stop {
        return refuse(
            "OperationNotPermitted",
            format!(
                "The instance '{id}' may not be stopped. Modify its 'disableApiStop' instance \
                 attribute and try again."
            ),
        );
    }
    if hibernate {
        return refuse(
            "UnsupportedHibernationConfiguration",
            format!("The instance '{id}' is not configured for hibernation."),
        );
    }
    Ok(())
}
