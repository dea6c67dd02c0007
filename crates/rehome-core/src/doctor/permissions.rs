//! What AWS lets us do: each reading that was made, each change that was tried.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::case::{Case, read};
use super::{Judged, Judgment, Protection, Trial};
use crate::call::Call;
use crate::fault::{CallError, ErrorClass};
use crate::names::InstanceId;
use crate::verdict::list;

/// What a DryRun says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It is permitted; the words say how that was seen.
    Allowed(String),
    /// It isn't.
    Denied {
        /// Which permission is missing.
        permission: String,
        /// EC2's sentence.
        message: String,
    },
    /// EC2 refuses it for another reason.
    Refused(String),
    /// EC2 couldn't be asked.
    Unknown(String),
}

/// Codes with which AWS says that a policy stands in the way (EC2 developer guide, "Error codes";
/// the last two are other services').
const DENIALS: [&str; 3] = ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"];

/// Sorts the answer to a DryRun.
pub(super) fn tried(trial: &Trial) -> Tried {
    let error = match &trial.answer {
        Ok(()) => return Tried::Allowed("would be done".to_string()),
        Err(error) => error,
    };
    if let CallError::Refused { code, message } = error
        && DENIALS.contains(&code.as_str())
    {
        let permission = named(message).unwrap_or_else(|| format!("ec2:{}", trial.call.action()));
        return Tried::Denied { permission, message: first_sentence(message) };
    }
    match error.class() {
        // Authorization comes first; these are about what is there already.
        ErrorClass::RouteExists | ErrorClass::RouteMissing => {
            Tried::Allowed(format!("permitted; {}", error.brief()))
        }
        ErrorClass::Throttle
        | ErrorClass::UnknownOutcome
        | ErrorClass::NotSent
        | ErrorClass::Credentials => Tried::Unknown(error.to_string()),
        ErrorClass::NextAz
        | ErrorClass::Quota
        | ErrorClass::Fatal
        | ErrorClass::NotFound
        | ErrorClass::Token
        | ErrorClass::Protected => Tried::Refused(error.to_string()),
    }
}

/// The action that EC2 names: a launch needs more than `RunInstances`. Only words depend on it.
fn named(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("perform: ")?;
    let action = rest.split_whitespace().next()?.trim_end_matches('.');
    action.contains(':').then(|| action.to_string())
}

/// Without the encoded message, which is long and for `sts decode-authorization-message`.
fn first_sentence(message: &str) -> String {
    message.split(" Encoded authorization").next().unwrap_or(message).trim().to_string()
}

/// One line for all that may be read, one for each reading that may not.
pub(super) fn reads(case: &Case<'_>) -> Judgment {
    let mut allowed: Vec<&str> = Vec::new();
    let mut judged = Vec::new();
    let mut told: Vec<&str> = Vec::new();
    for read in &case.facts.reads {
        match &read.answer {
            Ok(()) if !allowed.contains(&read.action) => allowed.push(read.action),
            Ok(()) => {}
            Err(CallError::Refused { code, .. })
                if DENIALS.contains(&code.as_str()) && !told.contains(&read.action) =>
            {
                told.push(read.action);
                let evidence = format!("ec2:{} is denied ({code})", read.action);
                let fix = format!("allow ec2:{} (docs/permissions.md)", read.action);
                judged.push(if read.for_run {
                    Judged::failure(evidence, fix)
                } else {
                    let evidence = format!("{evidence}; only this examination needs it");
                    Judged::warning(evidence, fix)
                });
            }
            // That EC2 looked at what is asked for shows that it may be asked for.
            Err(error) if is_looked_at(error) => {
                if !allowed.contains(&read.action) {
                    allowed.push(read.action);
                }
            }
            Err(_) if told.contains(&read.action) => {}
            Err(error) => {
                told.push(read.action);
                judged.push(Judged::unknown(format!("ec2:{}: {error}", read.action)));
            }
        }
    }
    if !allowed.is_empty() {
        judged.insert(0, Judged::ok(format!("ec2: {}", list(allowed.iter()))));
    }
    if judged.is_empty() { Err("nothing could be read".to_string()) } else { Ok(judged) }
}

/// Whether a refusal is about what was asked for, rather than about the asking.
fn is_looked_at(error: &CallError) -> bool {
    match error.class() {
        ErrorClass::Throttle
        | ErrorClass::UnknownOutcome
        | ErrorClass::NotSent
        | ErrorClass::Credentials => false,
        ErrorClass::NextAz
        | ErrorClass::Quota
        | ErrorClass::Fatal
        | ErrorClass::NotFound
        | ErrorClass::Token
        | ErrorClass::RouteMissing
        | ErrorClass::RouteExists
        | ErrorClass::Protected => {
            !matches!(error, CallError::Refused { code, .. } if DENIALS.contains(&code.as_str()))
        }
    }
}

/// One line for each change but the launches, which are judged zone by zone.
pub(super) fn writes(case: &Case<'_>) -> Judgment {
    if case.facts.observing {
        return Ok(alloc::vec![Judged::ok("nothing is changed with --observe")]);
    }
    let judged: Vec<Judged> =
        case.facts.trials.iter().filter_map(|trial| write(case, trial)).collect();
    if judged.is_empty() {
        case.begun()?;
        return Err("there was nothing to try".to_string());
    }
    Ok(judged)
}

fn write(case: &Case<'_>, trial: &Trial) -> Option<Judged> {
    let what = format!("{} {}", trial.call.action(), subject(&trial.call)?);
    let fence = fence(&trial.call);
    Some(match (tried(trial), fence) {
        (Tried::Allowed(how), Some(fence)) => fence.judged(case, &what, &how),
        (Tried::Allowed(how), None) => Judged::ok(format!("{what}: {how}")),
        (Tried::Denied { permission, message }, _) => Judged::failure(
            format!("{what}: {message}"),
            format!("allow {permission} (docs/permissions.md)"),
        ),
        (Tried::Refused(why), Some(fence)) => {
            Judged::warning(format!("{what}: {why}; the old instance would be kept"), fence.mend())
        }
        (Tried::Refused(why), None) => {
            Judged::failure(format!("{what}: {why}"), "see EC2's error codes for what is wrong")
        }
        (Tried::Unknown(why), _) => Judged::unknown(format!("{what}: {why}")),
    })
}

/// How the holder is ended, and which attribute keeps it from that.
struct Fence<'a> {
    instance: &'a InstanceId,
    attribute: &'static str,
    option: &'static str,
    protects: fn(&Protection) -> bool,
}

fn fence(call: &Call) -> Option<Fence<'_>> {
    match call {
        Call::Stop { instance, .. } => Some(Fence {
            instance,
            attribute: "disableApiStop",
            option: "--no-disable-api-stop",
            protects: |protection| protection.stop,
        }),
        Call::Terminate { instance } => Some(Fence {
            instance,
            attribute: "disableApiTermination",
            option: "--no-disable-api-termination",
            protects: |protection| protection.termination,
        }),
        Call::DisableSourceDestCheck { .. }
        | Call::ReplaceRoute { .. }
        | Call::CreateRoute { .. }
        | Call::Launch(_)
        | Call::Instances { .. }
        | Call::Listed { .. }
        | Call::Statuses { .. }
        | Call::Tables { .. }
        | Call::Path { .. }
        | Call::Zones
        | Call::Launched { .. } => None,
    }
}

impl Fence<'_> {
    /// What is permitted may still be kept from: AWS promises of a DryRun only that it looks at
    /// permissions (EC2 API reference, "Common query parameters", `DryRun`), so the attribute is
    /// read.
    fn judged(&self, case: &Case<'_>, what: &str, how: &str) -> Judged {
        match read("DescribeInstanceAttribute", &case.facts.protection) {
            Ok(protection) if (self.protects)(protection) => Judged::warning(
                format!(
                    "{what}: permitted, but {} is set; the old instance would be kept",
                    self.attribute
                ),
                self.mend(),
            ),
            Ok(_) => Judged::ok(format!("{what}: {how}")),
            Err(why) => Judged::unknown(format!(
                "{what}: {how}, unless {} keeps it from that: {why}",
                self.attribute
            )),
        }
    }

    fn mend(&self) -> String {
        format!(
            "aws ec2 modify-instance-attribute --instance-id {} {}, or --fence none",
            self.instance, self.option
        )
    }
}

/// What a change is made to; none of reads and launches.
fn subject(call: &Call) -> Option<String> {
    match call {
        Call::DisableSourceDestCheck { interface } => Some(format!("on {interface}")),
        Call::ReplaceRoute { table, .. } | Call::CreateRoute { table, .. } => {
            Some(format!("in {table}"))
        }
        Call::Stop { instance, .. } | Call::Terminate { instance } => {
            Some(format!("of {instance}"))
        }
        Call::Launch(_)
        | Call::Instances { .. }
        | Call::Listed { .. }
        | Call::Statuses { .. }
        | Call::Tables { .. }
        | Call::Path { .. }
        | Call::Zones
        | Call::Launched { .. } => None,
    }
}
