//! Faults put in front of the API or behind it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    api::{Request, StateReason},
    ec2::Ec2,
    error::ApiError,
    filter::wildcard,
};

/// Something that shall go wrong with matching calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The action's name; `*` and `?` are wildcards, which match EC2's actions only (STS is
    /// another service and must be named).
    pub action: String,
    /// Only calls that concern this Availability Zone.
    pub zone: Option<String>,
    /// Only calls that concern this instance type.
    pub instance_type: Option<String>,
    /// How often it strikes; `None` without end.
    pub times: Option<u32>,
    /// It strikes after the call has taken effect: the outcome is unknown to the caller.
    pub after: bool,
    /// What goes wrong.
    pub effect: FaultEffect,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultEffect {
    /// EC2 answers this code, with EC2's text unless another is given.
    ///
    /// For `RunInstances`, a code that begins with `Server.` or `Client.` is a state reason: the
    /// launch is accepted and then dies, `pending` to `terminated`, with it.
    Error {
        /// For example `InsufficientInstanceCapacity`.
        code: String,
        /// The text, if not EC2's own.
        message: Option<String>,
    },
    /// The call takes so many milliseconds longer.
    Latency(u64),
    /// The caller lacks the permission.
    Deny,
    /// The connection ends without an answer.
    Lost,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// What a fault does to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Error(ApiError),
    Deny,
    Lost,
}

/// What a call concerns; empty when it names nothing in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) zones: BTreeSet<String>,
    pub(crate) types: BTreeSet<String>,
}

/// The faults in force, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Faults {
    list: BTreeMap<u64, Fault>,
    last: u64,
}

impl FaultEffect {
    /// The reason with which a launch dies, if that is what this fault is about.
    fn death(&self) -> Option<&str> {
        match self {
            FaultEffect::Error { code, .. }
                if code.starts_with("Server.") || code.starts_with("Client.") =>
            {
                Some(code)
            }
            FaultEffect::Error { .. }
            | FaultEffect::Latency(_)
            | FaultEffect::Deny
            | FaultEffect::Lost => None,
        }
    }

    fn blow(&self) -> Option<Blow> {
        match self {
            FaultEffect::Error { .. } if self.death().is_some() => None,
            FaultEffect::Error { code, message } => {
                let mut error = ApiError::of_code(code);
                if let Some(message) = message {
                    error.message.clone_from(message);
                }
                Some(Blow::Error(error))
            }
            FaultEffect::Latency(_) => None,
            FaultEffect::Deny => Some(Blow::Deny),
            FaultEffect::Lost => Some(Blow::Lost),
        }
    }
}

impl Faults {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn strike(&mut self, when: When, action: &str, scope: &Scope) -> Option<Blow> {
        let after = when == When::After;
        self.first(action, scope, |f| if f.after == after { f.effect.blow() } else { None })
    }

    /// Whether the caller lacks the permission for an action that another one brings along.
    pub(crate) fn denies(&mut self, action: &str, scope: &Scope) -> bool {
        let denies =
            |fault: &Fault| (fault.effect == FaultEffect::Deny && !fault.after).then_some(());
        self.first(action, scope, denies).is_some()
    }

    /// How much longer the call takes, by all latency faults together.
    pub(crate) fn latency(&mut self, action: &str, scope: &Scope) -> u64 {
        let delay = |fault: &Fault| match fault.effect {
            FaultEffect::Latency(ms) => Some(ms),
            FaultEffect::Error { .. } | FaultEffect::Deny | FaultEffect::Lost => None,
        };
        let matching = self.list.iter().filter(|(_, fault)| fault.concerns(action, scope));
        let found: Vec<(u64, u64)> =
            matching.filter_map(|(id, fault)| Some((*id, delay(fault)?))).collect();
        for (id, _) in &found {
            self.use_up(*id);
        }
        found.iter().fold(0, |sum: u64, (_, ms)| sum.saturating_add(*ms))
    }

    /// The reason with which the launch of one instance dies.
    pub(crate) fn death(&mut self, scope: &Scope) -> Option<StateReason> {
        self.first("RunInstances", scope, |fault| fault.effect.death().map(state_reason))
    }

    fn first<T>(
        &mut self,
        action: &str,
        scope: &Scope,
        pick: impl Fn(&Fault) -> Option<T>,
    ) -> Option<T> {
        let mut matching = self.list.iter().filter(|(_, fault)| fault.concerns(action, scope));
        let (id, picked) = matching.find_map(|(id, fault)| Some((*id, pick(fault)?)))?;
        self.use_up(id);
        Some(picked)
    }

    fn use_up(&mut self, id: u64) {
        if let Some(Fault { times: Some(times), .. }) = self.list.get_mut(&id) {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.list.remove(&id);
            }
        }
    }
}

impl Fault {
    fn concerns(&self, action: &str, scope: &Scope) -> bool {
        // Other services fail only when they are named.
        let named = if matches!(action, "GetCallerIdentity" | "GetInstanceProfile") {
            self.action == action
        } else {
            wildcard(&self.action, action)
        };
        let among = |wanted: &Option<String>, there: &BTreeSet<String>| {
            wanted.as_ref().is_none_or(|wanted| there.contains(wanted))
        };
        named && among(&self.zone, &scope.zones) && among(&self.instance_type, &scope.types)
    }
}

/// The code and EC2's text of why a launch died (EC2 API, `StateReason`).
fn state_reason(code: &str) -> StateReason {
    let text = match code {
        "Server.InsufficientInstanceCapacity" => {
            "Insufficient capacity to satisfy instance request"
        }
        "Server.InternalError" => "Internal error on launch",
        "Client.InternalError" => "Client error on launch",
        "Client.VolumeLimitExceeded" => "Volume limit exceeded",
        "Client.InvalidSnapshot.NotFound" => "The specified snapshot was not found",
        "Server.SpotInstanceTermination" => "Spot instance termination",
        _ => "Instance launch failed",
    };
    StateReason { code: code.to_owned(), message: format!("{code}: {text}") }
}

impl Ec2 {
    /// Adds a fault; returns its number.
    pub fn add_fault(&mut self, fault: Fault) -> u64 {
        self.faults.last += 1;
        self.faults.list.insert(self.faults.last, fault);
        self.faults.last
    }

    /// The faults in force, with their numbers.
    pub fn faults(&self) -> impl Iterator<Item = (u64, &Fault)> {
        self.faults.list.iter().map(|(id, fault)| (*id, fault))
    }

    /// Takes one fault away; `false` if there is none of this number.
    pub fn remove_fault(&mut self, number: u64) -> bool {
        self.faults.list.remove(&number).is_some()
    }

    /// Takes all faults away.
    pub fn clear_faults(&mut self) {
        self.faults.list.clear();
    }

    /// The zones and instance types that a call concerns.
    pub(crate) fn scope(&self, request: &Request) -> Scope {
        let mut scope = Scope::default();
        let instances = request.instance_ids();
        if let Request::RunInstances(r) = request {
            scope.types.extend(r.instance_type.clone());
            scope.zones.extend(r.placement.as_ref().and_then(|p| p.availability_zone.clone()));
            let subnets = r.network_interfaces.iter().filter_map(|i| i.subnet_id.as_ref());
            for subnet in subnets.chain(&r.subnet_id) {
                scope.zones.extend(self.world.subnets.get(subnet).map(|s| s.zone.clone()));
            }
        } else if let Request::CreateRoute(r) | Request::ReplaceRoute(r) = request {
            let interface = r.network_interface_id.as_ref();
            let interface = interface.and_then(|id| self.world.interfaces.get(id));
            scope.zones.extend(interface.map(|i| i.zone.clone()));
        } else if let Request::ModifyNetworkInterfaceAttribute(r) = request {
            let interface = self.world.interfaces.get(&r.network_interface_id);
            scope.zones.extend(interface.map(|i| i.zone.clone()));
        }
        for id in instances {
            if let Some(instance) = self.world.instances.get(id) {
                scope.zones.insert(instance.zone.clone());
                scope.types.insert(instance.spec.instance_type.clone());
            }
        }
        scope
    }
}
