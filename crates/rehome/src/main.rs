//! rehome keeps a secondary (overlay) IP address alive on EC2.
//!
//! The one binary: thin shells around `rehome-core`, each translating one outside thing to the
//! core's words. Reading order: the command line ([`cli`]) and the file that stands for many of
//! them ([`config`]), watching ([`run`], with what it reads first in [`survey`] and what it prints
//! in [`output`]), AWS ([`aws`]), probes ([`icmp`]), the state file ([`store`]), user data
//! ([`template`]), and the smaller outlets.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

mod adopt;
mod aws;
mod cli;
mod clock;
mod config;
mod doctor;
mod duration;
mod fail;
mod hook;
mod iam_policy;
mod icmp;
mod lab;
mod manual;
mod monitor_net;
mod notify;
mod output;
mod pause;
mod redact;
mod replay;
mod run;
mod stdout;
mod store;
mod survey;
mod template;
mod trace;
mod unit;
mod userdata;
mod why;

use cli::{Cli, Command};

fn main() -> ExitCode {
    // Inside a lab's instance this binary is also `sudo`, `systemctl` and the instance's init;
    // those run before any thread exists.
    if let Some(code) = lab::guest_entry() {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let result = match cli.command {
        Command::Run(wanted) => run::run(*wanted),
        Command::CheckConfig(args) => config::check(&args),
        Command::Doctor(args) => doctor::doctor(*args),
        Command::InstallUnit(args) => run::unit::install_unit(*args),
        Command::MonitorNet(args) => monitor_net::run(&args),
        Command::IamPolicy(args) => iam_policy::print(*args),
        Command::Pause(args) => pause::pause(&args),
        Command::Resume(args) => pause::resume(&args),
        Command::Adopt(args) => adopt::adopt(*args),
        Command::Why(args) => why::why(&args),
        Command::History(args) => why::history(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::UserData(args) => userdata::run(args),
        Command::Lab(args) => lab::run(*args),
        Command::Man(args) => manual::man(&args),
        Command::Completions(args) => manual::completions(&args),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.print(),
    }
}

/// What the parser has to say: help, the version, or an error. The next step stands on a `hint:`
/// line, as with every other error.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.exit();
    }
    let text = error.render();
    let text =
        if std::io::stderr().is_terminal() { text.ansi().to_string() } else { text.to_string() };
    eprint!("{}", text.replace("For more information, try ", "hint: try "));
    ExitCode::from(fail::WRONG)
}
