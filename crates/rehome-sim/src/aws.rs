//! The shell's side of AWS, with the model in AWS's place: the core's [`Call`]s become requests of
//! the model, its answers become what the core observes.
//!
//! Everything here does what `crates/rehome/src/aws` and `survey.rs` do with the SDK. It decides
//! nothing.
//!
//! [`Call`]: rehome_core::call::Call

mod calls;
mod convert;
mod launch;
mod path;
mod survey;

pub(crate) use calls::{Api, Reading, route};
