//! A recording: what happened to a controller, event by event, a JSON line each.
//!
//! A head has a whole controller, so that a replay can begin there; a step has an event, when it
//! was handled, and a digest of what the controller did. Secrets are taken out before anything is
//! written, digests included, so that a replay of what is left comes to the same digests.

use rehome_core::controller::{Action, Controller, Event};
use rehome_core::digest::sha256_hex;
use rehome_core::time::{Clocks, Mono};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::redact::Redactor;

/// The form of the lines.
pub(crate) const FORMAT: u32 = 2;

/// The version that writes them.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A line as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    Head(Box<Head>),
    Step(Box<Step>),
}

/// Where a replay can begin.
#[derive(Debug, Deserialize)]
pub(crate) struct Head {
    pub(crate) format: u32,
    pub(crate) version: String,
    pub(crate) clocks: Clocks,
    /// A controller, if the format is ours.
    pub(crate) controller: Value,
}

/// One event that was handled.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) at: Mono,
    pub(crate) event: Event,
    /// What was done, as [`digest`] has it.
    pub(crate) did: String,
}

/// A head, as a line.
pub(crate) fn head(controller: &Controller, clocks: Clocks, redactor: &Redactor) -> String {
    let head = serde_json::json!({
        "format": FORMAT,
        "version": VERSION,
        "clocks": clocks,
        "controller": without_secrets(controller, redactor),
    });
    serde_json::json!({ "head": head }).to_string()
}

/// An event before it is handled.
pub(crate) fn event(event: &Event, redactor: &Redactor) -> Value {
    without_secrets(event, redactor)
}

/// A step, as a line.
pub(crate) fn step(at: Mono, event: Value, actions: &[Action], redactor: &Redactor) -> String {
    let did = digest_of(&without_secrets(&actions, redactor));
    serde_json::json!({ "step": { "at": at, "event": event, "did": did } }).to_string()
}

/// A digest of what a replay did, which has no secrets to begin with.
pub(crate) fn digest(actions: &[Action]) -> String {
    digest_of(&serde_json::to_value(actions).expect("actions are made of plain values"))
}

fn digest_of(actions: &Value) -> String {
    sha256_hex(actions.to_string().as_bytes()).get(..16).unwrap_or_default().to_owned()
}

fn without_secrets(value: &impl Serialize, redactor: &Redactor) -> Value {
    let mut value = serde_json::to_value(value).expect("all of it is made of plain values");
    redactor.redact(&mut value);
    value
}
