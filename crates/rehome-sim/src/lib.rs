//! rehome's core in a hostile world, in virtual time, from one seed.
//!
//! The real [`Controller`](rehome_core::controller::Controller) and the real
//! [`preflight`](rehome_core::preflight) run against the real model of EC2, a network that loses,
//! delays and cuts, guests that die, a disk that fails, clocks that jump, and people who change
//! things by hand. One seed decides everything: the account, the pace, the knobs, which faults
//! there are, when they strike. The same seed in the same program is the same story, to the last
//! event.
//!
//! ```text
//!   plan -> account, knobs        one seed, two streams of numbers
//!    |
//!   world: one queue of events <---- strike: what a fault does, and its end
//!    |   process: the shell's part: survey, preflight, core, disk, calls, probes
//!    |   aws: Call -> requests of ec2-model, answers -> what the core observes
//!    |   network, guest: whether a ping finds its way, and who answers
//!    v   facts: decisions, calls, effects, lines told
//!   observer: looks after every event; the invariants are there and nowhere else
//! ```
//!
//! A run is six hours. Faults strike from the second minute until 45 minutes before the end; then
//! all of them are over, what people broke is mended, people resume what is held, and the VIPs must
//! be served within [`SERVED_WITHIN`]. What must hold all the time is [`Invariant`], one doc
//! comment each. Inside a run there is no real time, no thread, no socket.
//!
//! # Running it
//!
//! `cargo xtask sim --seeds 1000` runs seeds over all cores and sums up; `cargo xtask test` runs
//! 5,000. A failing seed prints the invariant, the end of its trace and the command that replays it
//! (`cargo xtask sim --seeds 1 --first SEED --trace 400`). The commit is part of the seed: another
//! core, model or simulator tells another story.
//!
//! [`mod@search`] goes through every order of events in worlds that are small enough
//! (`cargo xtask sim search`). [`scenario`] has worlds without chance: what hurt the users of other
//! tools, step by step (`cargo xtask sim scenario`).
//!
//! # Reading a trace
//!
//! Each line has the virtual time since the world began. `fault: NAME (strength) for N s` and
//! `over: NAME` are the world's doing ([`fault::TABLE`] says what each means); `process N sends
//! ...` and `EC2: ...: answer` are the two ends of a mutation, which may be far apart; `process N:
//! ...` is what the controller told people. Process N is the controller of VIP N (10.0.0.10 + N);
//! a number from the number of VIPs on is a second controller that somebody started by mistake.
//!
//! # Adding a fault
//!
//! A row in `kinds!` (name, strikes in 100 hours, how long it lasts, strength, doc), an arm in
//! `strike/` that does it and says whether it lasts, and, if it does, an arm in `World::undo`. A
//! kind belongs to the family that its place in the table says. Nothing may come from outside the
//! world's own generator.
//!
//! # Mutants
//!
//! An observer that sees nothing passes every seed. So the core is broken on purpose, one way at a
//! time (`rehome_core::mutant`, behind the feature `mutants`), and each of the breakages has to be
//! caught within 250 seeds: `cargo xtask sim mutants`. One that lives is a hole in the faults or
//! in the invariants; that is how half of the invariants came to be.
//!
//! # What isn't here
//!
//! A monitor whose data paths die while its API path lives can't tell itself from a dead holder
//! without control targets: `Blind` covers what it can tell (its interface or its route is gone, or
//! its control targets are silent). A second controller elsewhere and a lost record may make two
//! stories of one VIP; launches are then counted for each story of its own, and what one of the two
//! moved the other leaves to people.

#![forbid(unsafe_code)]

mod account;
mod aws;
pub mod fault;
mod guest;
mod network;
mod observer;
mod plan;
mod process;
mod rng;
mod run;
pub mod scenario;
pub mod search;
mod strike;
mod time;
mod trace;
mod world;

pub use observer::{Counts, Invariant, Violation};
pub use plan::{LENGTH, SERVED_WITHIN};
pub use run::{Outcome, run};
pub use time::{MS, SEC};
