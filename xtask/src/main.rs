//! The project's own commands: `cargo xtask test`, `generate`, `audit`, `bench`, `sim` and
//! `torture`.
//!
//! `test` is the one door: everything a change must pass, in an order that compiles the AWS SDK
//! once and checks it once. `audit` holds what needs tools that are slow to build. CI runs both.
//! `bench` measures what the documents quote, and `torture` does at length what one test does
//! briefly; both are run by hand.
//! Reading order: the commands ([`mod@test`], [`audit`], [`mod@bench`], [`torture`]), their stages
//! ([`setup`], [`tidy`], [`readme`], [`build`], [`manual`], [`sim`],
//! [`lab`]), what runs and reports them
//! ([`stage`], [`process`], [`cargo`]).

mod audit;
mod bench;
mod build;
mod cargo;
mod lab;
mod manual;
mod namespaces;
mod process;
mod readme;
mod setup;
mod sim;
mod stage;
mod test;
mod tidy;
mod torture;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  test [--no-lab] [--no-strangers] [--only STAGE,..]
        formatting, lints, docs, every test; stops at the first stage that fails
  generate
        writes the man pages in docs/man anew
  audit
        supply chain and unused dependencies; builds its tools under target/tools when missing
  bench outage [--json] [--pace real|fast] [--rehome FILE]
        what a client misses with rehome, beside the same failover step by step: four minutes in
        two labs; fast is for trying the bench itself, FILE a binary to measure as it is
  sim [--seeds N] [--first SEED] [--keep-going] [--trace LINES]
        seeds of the simulator; one that fails prints how to run it again
  sim scenario [NAME] [--seed N] [--trace LINES]
        what hurt the users of other tools, one story each
  sim search [--states N]
        small worlds, searched through
  sim mutants [NAME] [--seeds N]
        the core broken on purpose, one way at a time, until a seed sees it
  torture [--times N] [--seed S]
        kill -9 of the controller at N random moments of failovers (100), in labs; the lab's tests
        do the same twenty times

stages of test, in order: set-up, fmt, tidy, readme, clippy, doc, build, manual, resolution, tests,
sim, mutants, lab, strangers. --no-lab leaves out everything that needs namespaces, the strangers
included.";

/// Usage errors, as in the product's own command line.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test", options @ ..] => match test::Options::parse(options) {
            Ok(options) => test::run(&options),
            Err(error) => return usage(&error.to_string()),
        },
        ["bench", words @ ..] => match bench::parse(words) {
            Ok(asked) => bench::run(&asked),
            Err(error) => return usage(&error.to_string()),
        },
        ["sim", words @ ..] => sim::by_hand(words),
        ["torture", words @ ..] => match torture::Options::parse(words) {
            Ok(options) => torture::run(&options),
            Err(error) => return usage(&format!("{error:#}")),
        },
        ["generate"] => manual::generate(),
        ["audit"] => audit::run(),
        ["--help" | "-h" | "help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [] => return usage("a command is missing"),
        other => return usage(&format!("unknown command: {}", other.join(" "))),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage(error: &str) -> ExitCode {
    eprintln!("error: {error}\n\n{USAGE}");
    ExitCode::from(EXIT_USAGE)
}
