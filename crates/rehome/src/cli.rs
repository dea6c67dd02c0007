//! The command line, as typed. What it means is decided elsewhere.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rehome_core::names::{GroupId, ImageId, InstanceId, InstanceType, KeyName, SubnetId, TableId};
use rehome_core::net::{Vip, VipError};
use rehome_core::policy::{FenceMode, Policy, StandbyMode};
use rehome_core::preflight::{Loss, Order};
use rehome_core::spec::Wishes;

use crate::adopt::AdoptArgs;
use crate::config::{CheckArgs, Wanted};
use crate::doctor::DoctorArgs;
use crate::duration::{parse, parse_positive};
use crate::iam_policy::PolicyArgs;
use crate::lab::LabArgs;
use crate::manual::{CompletionsArgs, ManArgs};
use crate::monitor_net::MonitorNetArgs;
use crate::replay::ReplayArgs;
use crate::userdata::UserDataArgs;
use crate::why::{HistoryArgs, WhyArgs};

/// Keeps a secondary (overlay) IP address alive on EC2.
#[derive(Debug, Parser)]
#[command(name = "rehome", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch the holder of an address, and give the address a new home when it fails
    Run(Box<Wanted>),
    /// Say what is wrong with a configuration file, or what it means
    CheckConfig(CheckArgs),
    /// Prove every precondition of a move, by reads and DryRuns, and say how to mend what is wrong
    Doctor(Box<DoctorArgs>),
    /// Print the hardened systemd unit for `run` with these flags, and install it
    InstallUnit(Box<UnitArgs>),
    /// Set up this monitoring machine's own overlay address, its rule and its route
    MonitorNet(Box<MonitorNetArgs>),
    /// Print the least privilege for `run` with these flags: policy, role and instance profile
    IamPolicy(Box<PolicyArgs>),
    /// Stop every change for a while; watching goes on
    Pause(PauseArgs),
    /// End a pause
    Resume(ResumeArgs),
    /// Accept what AWS shows as the truth: make the state file of an address anew
    Adopt(Box<AdoptArgs>),
    /// Tell the last decision about an address, and the evidence it rests on
    Why(WhyArgs),
    /// Tell the moves of an address, and what held or ended them
    History(HistoryArgs),
    /// Go through a recorded incident step by step: state, evidence, decision
    Replay(ReplayArgs),
    /// What a replacement is told at its first boot
    UserData(UserDataArgs),
    /// EC2 on this machine: real packets, no account
    Lab(Box<LabArgs>),
    /// Write the man pages of all commands to a folder
    Man(ManArgs),
    /// Print the completion script for a shell
    Completions(CompletionsArgs),
}

/// How events are written to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// An object a line.
    Json,
}

/// The flags of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// EC2 instance that holds the address now (after a move the same command finds its successor)
    #[arg(long, value_name = "ID")]
    pub(crate) instance_id: InstanceId,
    /// Security group of replacements; may be repeated
    #[arg(long, value_name = "ID", required = true)]
    pub(crate) security_group: Vec<GroupId>,
    /// Key pair for SSH access to replacements [default: the holder's, if it has one]
    #[arg(long, value_name = "NAME")]
    pub(crate) keypair: Option<KeyName>,
    /// Jinja2 template of the user data that configures a replacement
    #[arg(long, value_name = "FILE")]
    pub(crate) user_data_file: PathBuf,
    /// The address, as routes carry it (like 10.0.0.10/32); a wider block needs --probe-address and
    /// --route-table
    #[arg(long, value_name = "CIDR", value_parser = destination)]
    pub(crate) route_destination: Given<Vip>,
    /// Tell every probe, every API call and what each verdict rests on (stderr)
    #[arg(long)]
    pub(crate) debug: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) knobs: KnobArgs,
    #[command(flatten)]
    pub(crate) operation: OperationArgs,
}

/// A value together with the text it was given as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given<T> {
    pub(crate) text: String,
    pub(crate) value: T,
}

/// What `--route-destination` takes.
pub(crate) fn destination(text: &str) -> Result<Given<Vip>, VipError> {
    Ok(Given { text: text.to_owned(), value: Vip::of_destination(text)? })
}

/// Where replacements go, and what they are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Replacements")]
pub(crate) struct PlaceArgs {
    /// Subnet to use in its AZ; may be repeated [default: the one that routes like the holder's]
    #[arg(long, value_name = "ID")]
    pub(crate) subnet: Vec<SubnetId>,
    /// Address in a wide destination that answers probes
    #[arg(long, value_name = "IP")]
    pub(crate) probe_address: Option<Ipv4Addr>,
    /// Route table to own; may be repeated [default: those whose route leads to the holder]
    #[arg(long, value_name = "ID")]
    pub(crate) route_table: Vec<TableId>,
    /// Route table that serves this machine and no client: cut first, and the address has to answer
    /// through it before any other follows
    #[arg(long, value_name = "ID")]
    pub(crate) canary_table: Option<TableId>,
    /// Image [default: the holder's]
    #[arg(long, value_name = "ID")]
    pub(crate) image: Option<ImageId>,
    /// Instance type [default: the holder's]
    #[arg(long, value_name = "TYPE")]
    pub(crate) instance_type: Option<InstanceType>,
    /// What happens to an instance that lost the address
    #[arg(long, value_enum, default_value = "terminate")]
    pub(crate) fence: Fence,
    /// What is kept ready for a failover
    #[arg(long, value_enum, default_value = "cold")]
    pub(crate) standby: Standby,
    /// Agree to a replacement without this; may be repeated
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) accept_loss: Vec<AcceptedLoss>,
}

/// `--fence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fence {
    /// Leave it
    None,
    /// Stop it
    Stop,
    /// Terminate it
    Terminate,
}

/// `--standby`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Standby {
    /// Nothing: a replacement is launched when it is needed
    Cold,
    /// One instance more, running and probed all the time, in another AZ than the holder
    Hot,
}

/// `--accept-loss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AcceptedLoss {
    /// More than one network interface
    Interfaces,
    /// Data volumes outside the image's mapping
    Volumes,
    /// An Elastic IP
    ElasticIp,
    /// Data in an instance store
    InstanceStore,
    /// A Dedicated Host
    Placement,
    /// A spot request
    Spot,
}

/// Detection, waits and budgets.
#[derive(Debug, Args)]
#[command(next_help_heading = "Detection, waits and budgets")]
pub(crate) struct KnobArgs {
    /// Between two probes while all is well
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_positive)]
    pub(crate) interval: Duration,
    /// After this a probe is lost [default: the interval, at most 1s]
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    pub(crate) timeout: Option<Duration>,
    /// Intervals without one answer before silence is believed
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) fall: u32,
    /// Answers in a row before an address is believed to be back
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rise: u32,
    /// Lost probes, at least, before silence is believed
    #[arg(long, value_name = "N", default_value_t = 12)]
    #[arg(value_parser = clap::value_parser!(u32).range(3..=1000))]
    pub(crate) losses: u32,
    /// Silence before routes are cut
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse)]
    pub(crate) commit_after: Duration,
    /// How long a running instance may be without the address
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse)]
    pub(crate) address_lost_after: Duration,
    /// Between two readings of EC2
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_positive)]
    pub(crate) poll_interval: Duration,
    /// Between two readings of EC2 during a move
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_positive)]
    pub(crate) poll_interval_moving: Duration,
    /// Launches of one move (and one for each AZ)
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) launches: u32,
    /// The pause after a spent launch budget
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_positive)]
    pub(crate) hold: Duration,
    /// Moves in an hour, and as many launches of standbys
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) moves_per_hour: u32,
    /// Moves in a day, and as many launches of standbys
    #[arg(long, value_name = "N", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub(crate) moves_per_day: u32,
    /// A candidate that isn't ready by then is given up
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_positive)]
    pub(crate) ready_within: Duration,
    /// A candidate that the routes can't all be pointed to by then is given up
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_positive)]
    pub(crate) cut_within: Duration,
    /// The address has to answer from its new home by then
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = parse_positive)]
    pub(crate) verify_within: Duration,
    /// How long it has to answer there before the old instance is fenced
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse)]
    pub(crate) fence_after: Duration,
    /// How long an instance is kept that wasn't needed in the end
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse)]
    pub(crate) spare_kept: Duration,
    /// Without a state file: how long readings must agree before the first launch
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse)]
    pub(crate) unfamiliar: Duration,
    /// Between two status lines while nothing changes
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_positive)]
    pub(crate) status_interval: Duration,
}

/// How rehome itself is run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Operation")]
pub(crate) struct OperationArgs {
    /// Only say what would be done
    #[arg(long)]
    pub(crate) observe: bool,
    /// Address of this machine to probe from; may be repeated [default: its own ones on the way]
    #[arg(long, value_name = "IP")]
    pub(crate) probe_source: Vec<Ipv4Addr>,
    /// Machine of yours in the VPC that always answers pings: while none of them does, the silence
    /// is our own and nothing is changed; may be repeated
    #[arg(long, value_name = "IP")]
    pub(crate) control_target: Vec<Ipv4Addr>,
    /// Where the state is kept [default: $STATE_DIRECTORY, else $XDG_STATE_HOME/rehome, else
    /// ~/.local/state/rehome]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Program that is told when something happens (absolute path, facts in its environment)
    #[arg(long, value_name = "CMD")]
    pub(crate) notify_exec: Option<PathBuf>,
    /// How events are written to stdout
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// The flags of `install-unit`.
#[derive(Debug, Args)]
pub(crate) struct UnitArgs {
    /// Only print it
    #[arg(long)]
    pub(crate) print: bool,
    #[command(flatten)]
    pub(crate) run: Wanted,
}

/// The flags of `pause`.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    pub(crate) whom: WhomArgs,
    /// How long
    #[arg(long = "for", value_name = "TIME", value_parser = parse_positive)]
    pub(crate) time: Duration,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

/// The flags of `resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) whom: WhomArgs,
}

/// One VIP or all.
#[derive(Debug, Args)]
pub(crate) struct WhomArgs {
    /// The address
    #[arg(value_name = "VIP", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) vip: Option<Vip>,
    /// Every address whose state is in the directory
    #[arg(long)]
    pub(crate) all: bool,
    /// Where the state is kept [default: $STATE_DIRECTORY, else ~/.local/state/rehome]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

impl RunArgs {
    /// What is moved and where it is probed.
    ///
    /// # Errors
    /// Where `--probe-address` doesn't fit the destination.
    pub(crate) fn checked_vip(&self) -> Result<Vip, VipError> {
        let vip = self.route_destination.value;
        self.place.probe_address.map_or(Ok(vip), |address| vip.probed_at(address))
    }

    /// The same, once it has been checked.
    pub(crate) fn vip(&self) -> Vip {
        self.checked_vip().unwrap_or(self.route_destination.value)
    }

    /// What the core is asked for.
    pub(crate) fn order(&self) -> Order {
        Order {
            instance: self.instance_id.clone(),
            vip: self.vip(),
            wishes: Wishes {
                groups: self.security_group.clone(),
                key: self.keypair.clone(),
                image: self.place.image.clone(),
                instance_type: self.place.instance_type.clone(),
            },
            subnets: self.place.subnet.clone(),
            tables: self.place.route_table.clone(),
            canary: self.place.canary_table.clone(),
            accepted: self.place.accept_loss.iter().map(|loss| loss.loss()).collect(),
            fence: self.place.fence.mode(),
            sources: self.operation.probe_source.clone(),
            controls: self.operation.control_target.clone(),
        }
    }

    /// The numbers that the core decides by.
    pub(crate) fn policy(&self) -> Policy {
        let knobs = &self.knobs;
        Policy {
            interval: knobs.interval,
            timeout: knobs.timeout.unwrap_or(knobs.interval.min(Duration::from_secs(1))),
            fall: knobs.fall,
            rise: knobs.rise,
            losses_min: knobs.losses,
            commit_after: knobs.commit_after,
            address_lost_after: knobs.address_lost_after,
            launches_max: knobs.launches,
            hold: knobs.hold,
            moves_per_hour: knobs.moves_per_hour,
            moves_per_day: knobs.moves_per_day,
            poll_interval: knobs.poll_interval,
            poll_interval_moving: knobs.poll_interval_moving,
            ready_within: knobs.ready_within,
            cut_within: knobs.cut_within,
            verify_within: knobs.verify_within,
            fence_after: knobs.fence_after,
            spare_kept: knobs.spare_kept,
            unfamiliar: knobs.unfamiliar,
            report_interval: knobs.status_interval,
            fence: self.place.fence.mode(),
            standby: self.place.standby.mode(),
            observe: self.operation.observe,
            ..Policy::default()
        }
    }
}

impl Fence {
    fn mode(self) -> FenceMode {
        match self {
            Fence::None => FenceMode::None,
            Fence::Stop => FenceMode::Stop,
            Fence::Terminate => FenceMode::Terminate,
        }
    }
}

impl Standby {
    pub(crate) fn mode(self) -> StandbyMode {
        match self {
            Standby::Cold => StandbyMode::Cold,
            Standby::Hot => StandbyMode::Hot,
        }
    }

    /// The word of the command line.
    pub(crate) fn word(self) -> &'static str {
        self.mode().word()
    }
}

impl AcceptedLoss {
    fn loss(self) -> Loss {
        match self {
            AcceptedLoss::Interfaces => Loss::Interfaces,
            AcceptedLoss::Volumes => Loss::Volumes,
            AcceptedLoss::ElasticIp => Loss::ElasticIp,
            AcceptedLoss::InstanceStore => Loss::InstanceStore,
            AcceptedLoss::Placement => Loss::Placement,
            AcceptedLoss::Spot => Loss::Spot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    const MISSION: [&str; 12] = [
        "rehome",
        "run",
        "--instance-id",
        "i-1234567890abcdef0",
        "--security-group",
        "sg-0123456789abcdef0",
        "--keypair",
        "my-keypair",
        "--user-data-file",
        "userdata_template.sh",
        "--route-destination",
        "10.0.0.10/32",
    ];

    fn parsed(extra: &[&str]) -> Result<RunArgs, String> {
        let words = MISSION.iter().chain(extra);
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let Command::Run(wanted) = cli.command else { panic!("parsed as {cli:?}") };
        match *wanted {
            Wanted::Flags(args) => Ok(*args),
            Wanted::File { .. } => panic!("no file was named"),
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_missions_flags_are_understood_and_the_defaults_are_the_cores() {
        let args = parsed(&["--debug"]).unwrap();
        assert!(args.debug);
        assert_eq!(args.route_destination.text, "10.0.0.10/32");
        assert_eq!(args.policy(), Policy::default());
    }

    #[test]
    fn a_short_interval_shortens_the_timeout_with_it() {
        let policy = parsed(&["--interval", "200ms"]).unwrap().policy();
        assert_eq!(policy.timeout, Duration::from_millis(200));
    }

    #[test]
    fn nonsense_is_named_together_with_what_is_accepted() {
        for (flag, value, said) in [
            ("--route-table", "table", "is not a route table id"),
            ("--interval", "5", "is not a duration with a unit"),
            ("--interval", "0s", "no time at all"),
            ("--fall", "0", "1..=1000"),
            ("--fence", "detach", "possible values: none, stop, terminate"),
            ("--accept-loss", "everything", "possible values"),
            ("--probe-source", "monitor", "invalid"),
        ] {
            let error = parsed(&[flag, value]).unwrap_err();
            assert!(error.contains(said), "{flag} {value}: {error}");
        }
    }

    #[test]
    fn a_missing_flag_is_named() {
        let error = Cli::try_parse_from(&MISSION[..10]).unwrap_err().to_string();
        assert!(error.contains("--route-destination <CIDR>"), "{error}");
    }

    #[test]
    fn a_file_stands_in_the_place_of_all_flags_but_one() {
        let with = |words: &[&str]| Cli::try_parse_from([&["rehome", "run"], words].concat());
        let cli = with(&["--config", "rehome.toml", "--debug"]).unwrap();
        let Command::Run(wanted) = cli.command else { panic!("parsed as {cli:?}") };
        assert!(wanted.debug());
        assert!(matches!(*wanted, Wanted::File { .. }));
        for flag in [["--interval", "1s"], ["--instance-id", "i-1234567890abcdef0"]] {
            let error = with(&["--config", "rehome.toml", flag[0], flag[1]]).unwrap_err();
            assert!(error.to_string().contains("cannot be used with"), "{error}");
        }
    }

    #[test]
    fn a_wide_destination_is_probed_where_it_is_said() {
        let words = MISSION[..11].iter().chain(&["10.0.0.8/29", "--probe-address", "10.0.0.10"]);
        let cli = Cli::try_parse_from(words).unwrap();
        let Command::Run(wanted) = cli.command else { panic!("parsed as {cli:?}") };
        let args = &wanted.all().unwrap()[0].args;
        assert_eq!(args.vip().address, Ipv4Addr::new(10, 0, 0, 10));
        assert_eq!(args.vip().destination.to_string(), "10.0.0.8/29");
    }
}
