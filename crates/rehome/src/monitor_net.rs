//! `rehome monitor-net`: the monitoring machine's own overlay address, with its way out.
//!
//! [`plan`] says what to change, [`netlink`] reads and changes the kernel, [`persist`] keeps it
//! beyond a boot. Every command looks, compares and says before it does anything, so that running
//! it again changes nothing.

use std::io::{BufRead, IsTerminal, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

pub(crate) mod netlink;
mod persist;
mod plan;

use self::netlink::{Netlink, NetlinkError};
use self::persist::{Step, Target};
use self::plan::{Change, Observed, Overlay, Wanted, Way};
use crate::duration::parse;
use crate::fail::{FAILED, Failure, Problem};
use crate::run::unit::visible_to_services;
use crate::stdout::print_line;

/// Between two looks for a default route.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The capability that the kernel asks for (capabilities(7)): its number, in `CapEff` a bit.
const CAP_NET_ADMIN: u32 = 12;

/// The arguments of `monitor-net`.
#[derive(Debug, Args)]
pub(crate) struct MonitorNetArgs {
    #[command(subcommand)]
    command: MonitorNetCommand,
}

#[derive(Debug, Subcommand)]
enum MonitorNetCommand {
    /// Print what is wanted, the same as `ip` commands, and the unit; change nothing
    Print(TargetArgs),
    /// Show what is to be changed, ask, and change it; what is there already stays as it is
    Apply(ApplyArgs),
    /// Undo what `apply` made, and nothing else
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
struct TargetArgs {
    /// This machine's overlay address, with the prefix of the block that the VIPs are in
    #[arg(long, value_name = "IP/PREFIX")]
    address: Overlay,
    /// Interface to use [default: the default route's]
    #[arg(long, value_name = "NAME", value_parser = interface)]
    interface: Option<String>,
    /// Routing table that is used for nothing else
    #[arg(long, value_name = "N", default_value = "200", value_parser = plan::table)]
    table: u32,
}

#[derive(Debug, Args)]
struct ApplyArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Only until the next boot: no systemd unit
    #[arg(long)]
    no_persist: bool,
    /// How long to wait for a default route [default: not at all]
    #[arg(long, value_name = "TIME", value_parser = parse)]
    wait: Option<Duration>,
}

#[derive(Debug, Args)]
struct RemoveArgs {
    /// The overlay address, as it was given to `apply`
    #[arg(long, value_name = "IP/PREFIX")]
    address: Overlay,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// Runs a command of `monitor-net`.
pub(crate) fn run(args: &MonitorNetArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        MonitorNetCommand::Print(args) => print(args),
        MonitorNetCommand::Apply(args) => apply(args),
        MonitorNetCommand::Remove(args) => remove(args),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// An interface's name as the kernel allows it (net/core/dev.c, `dev_valid_name`).
fn interface(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_graphic() && c != '/' && c != ':';
    if text.is_empty() || text.len() > 15 || !text.chars().all(allowed) {
        return Err(format!("`{text}` is not the name of an interface (like enX0)"));
    }
    Ok(text.to_owned())
}

fn print(args: &TargetArgs) -> Result<(), Failure> {
    let mut netlink = Netlink::open().map_err(|error| failed(&error))?;
    let (way, observed) = look(&mut netlink, args, Duration::ZERO)?;
    let wanted = Wanted::new(args.address, args.table, &way);
    let exe =
        std::env::current_exe().map_err(|error| Failure::new(FAILED, Problem::of(&error, None)))?;
    let Wanted { address, rule, route } = &wanted;
    let by_hand = [
        format!("ip address add {}/{} dev {}", address.address, address.prefix, address.interface),
        format!("ip rule add to {} lookup {}", rule.destination, args.table),
        format!("ip {}", route.to_string().replacen("route", "route add", 1)),
    ];
    let changes = plan::plan(&wanted, &observed).map_err(refused)?;
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let changes = if changes.is_empty() { "nothing".to_owned() } else { changes.join("\n") };
    let sections = [
        format!("# Wanted on this machine: {}\n{address}\n{rule}\n{route}\n", told(&way)),
        format!("# The same by hand, until the next boot\n{}\n", by_hand.join("\n")),
        format!("# {}\n{}", persist::UNIT_PATH, persist::unit(&exe, &args.target())),
        format!("# {}\n{}", persist::NETWORKD_PATH, persist::NETWORKD),
        format!("# What apply would change in the network now\n{changes}"),
    ];
    print_line(&sections.join("\n"))
}

fn apply(args: &ApplyArgs) -> Result<(), Failure> {
    let target = &args.target;
    let mut netlink = Netlink::open().map_err(|error| failed(&error))?;
    let (way, observed) = look(&mut netlink, target, args.wait.unwrap_or_default())?;
    eprintln!("This machine: {}", told(&way));
    let wanted = Wanted::new(target.address, target.table, &way);
    let changes = plan::plan(&wanted, &observed).map_err(refused)?;
    let steps = if args.no_persist { Vec::new() } else { persistence(target)? };
    if changes.is_empty() && steps.is_empty() {
        print_line(&format!("Nothing to change: {} is set up", target.address))?;
        tell_if_astray(&mut netlink, target.address, &wanted, &observed);
        return Ok(());
    }
    agree(&changes, &steps, args.yes)?;
    make(&mut netlink, &changes)?;
    persist::make(&steps)?;
    // Level-triggered: done is what a second look finds, not what was asked for.
    let observed = netlink.observe().map_err(|error| failed(&error))?;
    let missing = plan::plan(&wanted, &observed).map_err(refused)?;
    if let Some(change) = missing.first() {
        let what = format!("the kernel took every change, and yet there is still to do: {change}");
        return Err(Failure::new(FAILED, Problem::new(what, "does something else undo it?")));
    }
    print_line(&format!("Done: {} is set up", target.address))?;
    let (_, left) = plan::undo(target.address, &observed);
    for found in left {
        eprintln!("note: somebody else made this, so `remove` will leave it: {found}");
    }
    tell_if_astray(&mut netlink, target.address, &wanted, &observed);
    Ok(())
}

/// Everything can be there, and another rule still send packets elsewhere: the kernel knows.
fn tell_if_astray(netlink: &mut Netlink, overlay: Overlay, wanted: &Wanted, observed: &Observed) {
    let neighbor = plan::neighbor(overlay, observed);
    let astray = match netlink.way_to(neighbor) {
        Ok(found) => plan::astray(wanted, neighbor, &found),
        Err(error) => {
            let what = Problem::of(&error, None).what;
            Some(format!("there is no way to {neighbor}: {what}; see `ip rule`"))
        }
    };
    if let Some(astray) = astray {
        eprintln!("warning: {astray}");
    }
}

fn remove(args: &RemoveArgs) -> Result<(), Failure> {
    let mut netlink = Netlink::open().map_err(|error| failed(&error))?;
    let observed = netlink.observe().map_err(|error| failed(&error))?;
    let (changes, mut left) = plan::undo(args.address, &observed);
    let (steps, other) = persist::undo(args.address, &persist::look());
    left.extend(other);
    for found in left {
        eprintln!("note: left, as `apply` for {} didn't make it: {found}", args.address);
    }
    if changes.is_empty() && steps.is_empty() {
        let nothing = "Nothing to remove: there is nothing of rehome's for";
        return print_line(&format!("{nothing} {}", args.address));
    }
    agree(&changes, &steps, args.yes)?;
    // The unit first, or a restart of the network in between would bring everything back.
    persist::make(&steps)?;
    make(&mut netlink, &changes)?;
    print_line(&format!("Done: {} is removed", args.address))
}

/// The default route and everything else, as soon as there is a default route.
fn look(
    netlink: &mut Netlink,
    args: &TargetArgs,
    wait: Duration,
) -> Result<(Way, Observed), Failure> {
    let mut looks = wait.as_millis() / LOOK_EVERY.as_millis();
    loop {
        let observed = netlink.observe().map_err(|error| failed(&error))?;
        match plan::way(&observed, args.interface.as_deref()) {
            Ok(way) => return Ok((way, observed)),
            Err(problem) if looks == 0 => return Err(Failure::wrong(problem)),
            Err(_not_yet) => {
                looks -= 1;
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }
}

fn told(way: &Way) -> String {
    let Way { interface, gateway, among } = way;
    let chosen = match among {
        1 => "its default route".to_owned(),
        more => format!("of its {more} default routes the one with the lowest metric"),
    };
    format!("interface {interface}, router {gateway} ({chosen})")
}

fn persistence(target: &TargetArgs) -> Result<Vec<Step>, Failure> {
    let exe =
        std::env::current_exe().map_err(|error| Failure::new(FAILED, Problem::of(&error, None)))?;
    visible_to_services(&exe)?;
    Ok(persist::plan(&persist::unit(&exe, &target.target()), &persist::look()))
}

impl TargetArgs {
    fn target(&self) -> Target<'_> {
        let interface = self.interface.as_deref();
        Target { overlay: self.address, table: self.table, interface }
    }
}

/// Shows what is to be done, and asks, where somebody can be asked and wasn't to be spared.
fn agree(changes: &[Change], steps: &[Step], yes: bool) -> Result<(), Failure> {
    for change in changes {
        print_line(&change.to_string())?;
    }
    for step in steps {
        print_line(&step.to_string())?;
    }
    if !changes.is_empty() && !may_change_the_network() {
        let what = "changing addresses, rules and routes needs CAP_NET_ADMIN, which this process \
                    doesn't have";
        return Err(Failure::new(FAILED, Problem::new(what, "run it with sudo")));
    }
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let what = "nobody can be asked here: standard input is no terminal";
        return Err(Failure::wrong(Problem::new(what, "agree with --yes")));
    }
    eprint!("Change this? [y/N] ");
    let mut answer = String::new();
    // Where nothing can be shown or read, nobody has agreed.
    let read = std::io::stderr().flush().and_then(|()| stdin.lock().read_line(&mut answer));
    if read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    let what = "nothing was changed: not agreed";
    Err(Failure::new(FAILED, Problem::new(what, "answer y, or run it with --yes")))
}

/// As the kernel tells it. Where it doesn't, it will say so when it is asked for the change.
fn may_change_the_network() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    bits.is_none_or(|bits| bits & (1 << CAP_NET_ADMIN) != 0)
}

fn make(netlink: &mut Netlink, changes: &[Change]) -> Result<(), Failure> {
    for change in changes {
        netlink.make(change).map_err(|error| {
            let shown = change.to_string().replace('\n', ", ");
            let Problem { what, .. } = Problem::of(&error, None);
            let hint = "run it again: it looks anew, and does only what is missing";
            Failure::new(FAILED, Problem::new(format!("`{shown}` failed: {what}"), hint))
        })?;
    }
    Ok(())
}

fn failed(error: &NetlinkError) -> Failure {
    Failure::new(FAILED, Problem::of(error, None))
}

fn refused(problems: Vec<Problem>) -> Failure {
    Failure { code: crate::fail::WRONG, problems }
}
