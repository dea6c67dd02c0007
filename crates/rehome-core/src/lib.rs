//! The mind of rehome: observations in, actions out.
//!
//! One [`Controller`](controller::Controller) keeps one VIP alive. Its shell calls
//! [`handle`](controller::Controller::handle) with what it observed and performs the actions that
//! come back, in order. Nothing here reads a clock, opens a socket or draws a random number: time
//! is an argument, and the compiler guards the border (`no_std`).
//!
//! Reading order: the words ([`time`], [`names`], [`net`]), what is observed ([`world`],
//! [`fault`]), what is wanted ([`spec`], [`placement`], [`policy`]), what is asked of the outside
//! ([`call`]), the judgment ([`probe`], [`verdict`]), the memory ([`record`]), the
//! beginning ([`preflight`]), the machine ([`controller`]) and what it decided ([`decision`]).
//! Beside it: what has to be so before any of it can work ([`doctor`]), and what all that may do
//! ([`permissions`]). [`mutant`] is for the simulator's own proof.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod call;
pub mod controller;
pub mod decision;
pub mod digest;
pub mod doctor;
pub mod fault;
pub mod mutant;
pub mod names;
pub mod net;
pub mod permissions;
pub mod placement;
pub mod policy;
pub mod preflight;
pub mod probe;
pub mod record;
pub mod say;
pub mod spec;
#[cfg(test)]
mod testing;
pub mod time;
pub mod verdict;
pub mod world;
