//! `rehome lab`: the command line of the lab, and the demonstration that runs in one.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use rehome_lab::{Break, Command, Fault, FaultCommand, FaultEffect, LabName, PaceName, Side, Up};

use crate::cli::Standby;
use crate::duration::parse;
use crate::fail::{FAILED, Failure, Problem, WRONG};

mod arrange;
mod demo;

/// Lets this binary be what the processes inside an instance need it to be; `None` for users.
pub(crate) fn guest_entry() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    let name = words.next()?.to_string_lossy().into_owned();
    let rest: Vec<_> = words.collect();
    rehome_lab::guest_entry(&name, &rest)
}

/// The flags of `lab`.
#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    /// Name of the lab
    #[arg(long, value_name = "NAME", env = "REHOME_LAB", default_value = "default", global = true)]
    lab: LabName,
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Start a lab: the VPC of the mission's picture, with the instances vip-a and monitor
    Up {
        /// How long things take
        #[arg(long, value_enum, default_value = "fast")]
        pace: Pace,
        /// Availability Zones
        #[arg(long, value_name = "N", default_value_t = 3,
              value_parser = clap::value_parser!(u8).range(3..=16))]
        azs: u8,
        /// Route tables that carry the overlay addresses; those beyond the first serve the last
        /// subnets
        #[arg(long, value_name = "N", default_value_t = 1, hide = true,
              value_parser = clap::value_parser!(u8).range(1..=4))]
        tables: u8,
        /// Port of the EC2 API on 127.0.0.1 [default: any free one]
        #[arg(long, value_name = "P", default_value_t = 0, hide_default_value = true)]
        port: u16,
        /// Return when it is ready, and leave it running
        #[arg(long)]
        detach: bool,
        /// End the lab when stdin ends
        #[arg(long, hide = true, conflicts_with = "detach")]
        until_eof: bool,
    },
    /// Print export lines for tools on this host
    Env,
    /// Print how the lab is
    Status {
        /// As one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Run a command on an instance
    Exec {
        /// Name or id
        instance: String,
        /// Program and arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Break an instance, or all of an Availability Zone
    Break {
        /// Instance (name or id) or AZ
        target: String,
        /// How
        #[arg(value_enum)]
        how: How,
        #[command(flatten)]
        loss: LossArgs,
    },
    /// Undo what was broken
    Heal {
        /// Instance (name or id) or AZ
        target: String,
    },
    /// Let calls to the EC2 API fail
    #[command(subcommand)]
    Fault(FaultCli),
    /// Leave the account as somebody else may have left it: what no call of the lab's API does
    Arrange(arrange::ArrangeArgs),
    /// End the lab
    Down,
    /// The whole story: a lab, `rehome run`, a crash, a failover, a summary
    Demo {
        /// How long things take
        #[arg(long, value_enum, default_value = "fast")]
        pace: Pace,
        /// What is kept ready for the failover; with hot the address is probed every 200 ms
        #[arg(long, value_enum, default_value = "cold")]
        standby: Standby,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pace {
    /// As on a real account
    Real,
    /// The same story in seconds
    Fast,
    /// The same, and every call of the API takes 150 to 300 ms
    Brisk,
    /// Every transition visible to the very next call
    Instant,
}

impl Pace {
    fn name(self) -> PaceName {
        match self {
            Pace::Real => PaceName::Real,
            Pace::Fast => PaceName::Fast,
            Pace::Brisk => PaceName::Brisk,
            Pace::Instant => PaceName::Instant,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Pace::Real => "real",
            Pace::Fast => "fast",
            Pace::Brisk => "brisk",
            Pace::Instant => "instant",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// Every process dies, nothing is answered, EC2 still says running
    Crash,
    /// Everything stands still, nothing is answered
    Hang,
    /// Reboot it
    Reboot,
    /// Its network carries nothing
    Network,
    /// Its interface loses every address but the primary one
    LoseIp,
    /// Stop it by the API, as a person would
    Stop,
    /// Terminate it by the API, as a person would
    Terminate,
    /// EC2 reports it as impaired
    Impair,
    /// Packets get lost at random; --percent says how many
    Loss,
}

/// How much `break … loss` takes.
#[derive(Clone, Debug, Args)]
struct LossArgs {
    /// Packets of a hundred that get lost, with `loss`
    #[arg(long, value_name = "N", required_if_eq("how", "loss"),
          value_parser = clap::value_parser!(u8).range(1..=100))]
    percent: Option<u8>,
    /// Only of those that it sends
    #[arg(long, requires = "percent", conflicts_with = "to")]
    from: bool,
    /// Only of those that are sent to it
    #[arg(long, requires = "percent")]
    to: bool,
}

impl LossArgs {
    fn side(&self) -> Side {
        match (self.from, self.to) {
            (true, _) => Side::From,
            (false, true) => Side::To,
            (false, false) => Side::Both,
        }
    }
}

impl How {
    fn break_(self, loss: &LossArgs) -> Result<Break, Failure> {
        let broken = match (self, loss.percent) {
            (How::Loss, percent) => {
                // The command line requires it.
                Break::Loss { percent: percent.unwrap_or(100), side: loss.side() }
            }
            (other, Some(_)) => return Err(other.loses_nothing()),
            (How::Crash, None) => Break::Crash,
            (How::Hang, None) => Break::Hang,
            (How::Reboot, None) => Break::Reboot,
            (How::Network, None) => Break::Network,
            (How::LoseIp, None) => Break::LoseIp,
            (How::Stop, None) => Break::Stop,
            (How::Terminate, None) => Break::Terminate,
            (How::Impair, None) => Break::Impair,
        };
        Ok(broken)
    }

    fn loses_nothing(self) -> Failure {
        let word = self.to_possible_value().map(|value| value.get_name().to_owned());
        let word = word.unwrap_or_default();
        let problem = Problem {
            what: format!("--percent goes with `loss` only, not with `{word}`"),
            hint: Some("for example: rehome lab break vip-a loss --percent 20".to_owned()),
        };
        Failure::new(WRONG, problem)
    }
}

#[derive(Debug, Subcommand)]
enum FaultCli {
    /// From now on matching calls fail, or are slow
    Add(FaultArgs),
    /// What is in force
    List,
    /// Every call succeeds again
    Clear,
}

#[derive(Debug, Args)]
struct FaultArgs {
    /// API action; `*` stands for any
    #[arg(long, value_name = "A")]
    action: String,
    #[command(flatten)]
    effect: EffectArgs,
    /// Only calls that concern this AZ
    #[arg(long, value_name = "AZ")]
    az: Option<String>,
    /// Only calls that concern this instance type
    #[arg(long = "type", value_name = "T")]
    instance_type: Option<String>,
    /// How often [default: until cleared]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    times: Option<u32>,
    /// Let the call take effect first: its outcome is then unknown to the caller
    #[arg(long)]
    after: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct EffectArgs {
    /// Answer with this error code
    #[arg(long, value_name = "CODE")]
    error: Option<String>,
    /// Take this much longer
    #[arg(long, value_name = "TIME", value_parser = parse)]
    latency: Option<std::time::Duration>,
    /// Lack the permission
    #[arg(long)]
    deny: bool,
    /// End the connection without an answer
    #[arg(long)]
    lost: bool,
}

impl FaultArgs {
    fn fault(self) -> Fault {
        let effect = match (self.effect.error, self.effect.latency) {
            (Some(code), _) => FaultEffect::Error { code, message: None },
            (None, Some(time)) => {
                FaultEffect::Latency(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
            }
            (None, None) if self.effect.deny => FaultEffect::Deny,
            (None, None) => FaultEffect::Lost,
        };
        Fault {
            action: self.action,
            zone: self.az,
            instance_type: self.instance_type,
            times: self.times,
            after: self.after,
            effect,
        }
    }
}

/// Runs a command of the lab.
pub(crate) fn run(args: LabArgs) -> Result<ExitCode, Failure> {
    let command = match args.command {
        LabCommand::Up { pace, azs, tables, port, detach, until_eof } => {
            Command::Up(Up { pace: pace.name(), zones: azs, tables, port, detach, until_eof })
        }
        LabCommand::Env => Command::Env,
        LabCommand::Status { json } => Command::Status { json },
        LabCommand::Exec { instance, command } => Command::Exec { instance, argv: command },
        LabCommand::Break { target, how, loss } => {
            Command::Break { target, how: how.break_(&loss)? }
        }
        LabCommand::Heal { target } => Command::Heal { target },
        LabCommand::Fault(FaultCli::Add(args)) => Command::Fault(FaultCommand::Add(args.fault())),
        LabCommand::Fault(FaultCli::List) => Command::Fault(FaultCommand::List),
        LabCommand::Fault(FaultCli::Clear) => Command::Fault(FaultCommand::Clear),
        LabCommand::Arrange(args) => Command::Arrange { what: args.what.into(), undo: args.undo },
        LabCommand::Down => Command::Down,
        LabCommand::Demo { pace, standby, json } => return demo::run(pace, standby, json),
    };
    rehome_lab::run(&args.lab, &command).map_err(|error| problem(&error))
}

/// The lab's errors carry their hint on a line of its own.
pub(crate) fn problem(error: &anyhow::Error) -> Failure {
    let text = format!("{error:#}");
    let (what, hint) = match text.split_once("\nhint: ") {
        Some((what, hint)) => (what.to_owned(), Some(hint.to_owned())),
        None => (text, None),
    };
    let code = if hint.is_some() { WRONG } else { FAILED };
    Failure::new(code, Problem { what, hint })
}
