//! EC2 on one machine: `ec2-model` behind the Query API, network namespaces as its data plane.
//!
//! In reading order: `commands` is what the `rehome lab` commands do; `start` makes the lab's
//! process with namespaces of its own, with `ns` for the system calls and `host` for what hosts
//! refuse; `lab` is that process, `topology` the account it begins with, [`world`] the model with
//! its clock, [`wire`] the model's API and metadata over HTTP; `router` forwards packets,
//! `machine` is an instance from the outside and `guest` from the inside; `control` joins
//! commands and lab, `status` is what it tells.

mod commands;
mod control;
mod guest;
mod host;
mod lab;
mod machine;
mod name;
mod ns;
mod router;
mod start;
mod status;
mod topology;
pub mod wire;
pub mod world;

pub use commands::{Command, PaceName, Up, run};
pub use control::{Break, FaultCommand, Side};
pub use ec2_model::{Arrangement, Cidr, Fault, FaultEffect};
pub use guest::guest_entry;
pub use host::{MissingPrograms, find_programs};
pub use name::{BadName, LabName};
pub use start::check_host;
pub use status::{InstanceStatus, RouteStatus, Status, SubnetStatus, TableStatus};
