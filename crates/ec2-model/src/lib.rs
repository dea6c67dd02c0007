//! EC2 as a pure state machine with its own virtual time.
//!
//! [`Ec2`] is one account in one region: instances and their life, interfaces, subnets with their
//! addresses, route tables with their black holes, status checks, token buckets, client tokens,
//! reads that are behind, and every fault that can be put on it. No clock, socket, thread or file
//! is in here: time is an argument, randomness comes from a seed, and the whole account is a value
//! that can be cloned, compared and serialized.
//!
//! Whoever owns an [`Ec2`] calls [`Ec2::call`] for its clients, [`Ec2::advance`] when
//! [`Ec2::next_change`] is due, makes the data plane look like [`Ec2::plane`], and tells with
//! [`Ec2::report`] what became of the guests. What a real account is assumed to do names its
//! source in the doc comment of the code that does it; "AWS" pages are meant by their titles.
#![forbid(unsafe_code)]

pub mod api;
pub mod error;
pub mod plane;
pub mod time;

mod acls;
mod arrange;
mod attributes;
pub mod base64;
mod bucket;
mod cidr;
mod describe;
mod ec2;
mod faults;
mod filter;
mod generator;
mod groups;
mod ids;
mod launch;
mod life;
mod operator;
mod pace;
mod profiles;
mod routes;
mod setup;
mod shelf;
mod status;
mod tags;
mod world;

pub use api::{Caller, Request, Response};
pub use arrange::{ArrangeError, Arrangement};
pub use cidr::{Cidr, NotACidr};
pub use ec2::{Ec2, Lag, MAX_LAG_MS};
pub use error::ApiError;
pub use faults::{Fault, FaultEffect};
pub use operator::Reads;
pub use pace::Pace;
pub use plane::{
    AclRule, Admission, Admits, Guest, Plane, PlaneAcl, PlaneInstance, PlaneRoute, PlaneSubnet,
    PlaneTable, PlaneTarget, Traffic,
};
pub use setup::{ImageSetup, SetupError};
pub use status::Check;
pub use time::{Time, Timestamp};

#[cfg(test)]
mod tests;
