//! EC2's outside: the Query API for clients anywhere, instance metadata for the instances.
//!
//! Translation only: form parameters become requests of `ec2-model`, its responses become XML,
//! and what EC2 means by them is decided there. In reading order: [`server`] takes a call,
//! `credential` sees who calls, `parameters`, `query`, `changes`, `rules` and `launch` read what is
//! asked, `clock` holds it against AWS's, `answers` and `xml` write what the model says;
//! [`mod@metadata`] is the other service.

mod answers;
mod changes;
mod clock;
mod credential;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod lab;
mod launch;
pub mod metadata;
mod parameters;
mod query;
mod rules;
pub mod server;
mod xml;

pub use credential::{OPERATOR_KEY_ID, OPERATOR_SECRET_KEY};
pub use metadata::metadata;
pub use server::{api, serve};
