//! End-to-end tests: the real binary against the lab's EC2, on real packets.
//!
//! Each test has a lab of its own, held by a pipe: when the test ends, however it ends, the lab
//! and everything in it ends too. Nothing of the source tree is needed at run time but the binary,
//! which `CARGO_BIN_EXE_rehome` names.
//!
//! Intervals and waits are short; one test runs the defaults. Nothing asserts how long a thing
//! took: every wait is for something to happen, with a bound that only a defect reaches.

mod api;
mod controller;
mod harness;

mod answers;
mod blind;
mod broken;
mod doctor;
mod doctor_account;
mod doctor_more;
mod doctor_network;
mod drift;
mod fleet;
mod groups;
mod guests;
mod homes;
mod killed;
mod labs;
mod loss;
mod monitor_net;
mod past;
mod people;
mod refusals;
mod returns;
mod sight;
mod standing;
mod stolen;
mod stopped;
mod story;
mod tables;
mod torture;
mod userdata;
mod zones;
