//! The `rehome lab` commands, without their command line.
//!
//! [`run`] is called before any thread exists. Every command but `up` is a client of a running
//! lab.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ec2_model::{Arrangement, Pace};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, waitpid};

use crate::control::{self, Break, Client, Exec, FaultCommand, Followup, Reply, Request};
use crate::guest;
use crate::host;
use crate::lab::{self, Options};
use crate::name::LabName;
use crate::start::{self, Report};
use crate::topology;
use crate::wire::{OPERATOR_KEY_ID, OPERATOR_SECRET_KEY};

/// How long a lab may take to end. It kills everything at once; the kernel then takes its
/// namespaces apart.
const END_LIMIT: Duration = Duration::from_secs(10);
/// Exit code of `exec` when the lab itself couldn't run the command, as ssh has it.
const NO_COMMAND: u8 = 255;

/// How long things take in a lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaceName {
    /// As on a real account.
    Real,
    /// The same story in seconds.
    #[default]
    Fast,
    /// The same, and every call takes 150 to 300 ms.
    Brisk,
    /// Every transition is visible to the very next call.
    Instant,
}

impl PaceName {
    fn pace(self) -> Pace {
        match self {
            PaceName::Real => Pace::real(),
            PaceName::Fast => Pace::fast(),
            PaceName::Brisk => Pace::brisk(),
            PaceName::Instant => Pace::instant(),
        }
    }
}

/// `lab up`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Up {
    /// How long things take.
    pub pace: PaceName,
    /// Availability Zones, at least three.
    pub zones: u8,
    /// Route tables that carry the overlay addresses, 1 to 4.
    pub tables: u8,
    /// The API's port on the host's loopback; 0 for any free one.
    pub port: u16,
    /// Return when the lab is ready, and leave it running.
    pub detach: bool,
    /// End the lab when stdin ends: then whoever holds its other end owns the lab.
    pub until_eof: bool,
}

impl Default for Up {
    fn default() -> Up {
        Up {
            pace: PaceName::default(),
            zones: 3,
            tables: 1,
            port: 0,
            detach: false,
            until_eof: false,
        }
    }
}

/// What to do with a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start it.
    Up(Up),
    /// Print what tools on this host need to reach its API.
    Env,
    /// Print how it is.
    Status {
        /// As one JSON document.
        json: bool,
    },
    /// Run a command on an instance.
    Exec {
        /// Id or name.
        instance: String,
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// Break an instance, or all of an Availability Zone.
    Break {
        /// An instance's id or name, or a zone.
        target: String,
        /// How.
        how: Break,
    },
    /// Undo what was broken.
    Heal {
        /// An instance's id or name, or a zone.
        target: String,
    },
    /// Let API calls fail.
    Fault(FaultCommand),
    /// Leave the account as somebody else may have left it.
    Arrange {
        /// What is otherwise.
        what: Arrangement,
        /// Undo it instead.
        undo: bool,
    },
    /// End it.
    Down,
}

/// Runs a command on the lab of this name. Data goes to stdout, everything else to stderr.
///
/// # Errors
/// What went wrong; a second line that begins with `hint:` says what to do where that is known.
pub fn run(lab: &LabName, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(up) => self::up(lab, up),
        Command::Env => env(lab),
        Command::Status { json } => status(lab, *json),
        Command::Exec { instance, argv } => exec(lab, instance, argv),
        Command::Break { target, how } => {
            say(lab, &Request::Break { target: target.clone(), how: *how })
        }
        Command::Heal { target } => say(lab, &Request::Heal { target: target.clone() }),
        Command::Fault(fault) => say(lab, &Request::Fault(fault.clone())),
        Command::Arrange { what, undo } => {
            say(lab, &Request::Arrange { what: what.clone(), undo: *undo })
        }
        Command::Down => down(lab),
    }
}

fn up(name: &LabName, up: &Up) -> anyhow::Result<ExitCode> {
    host::find_programs()?;
    topology::check_zones(up.zones)?;
    let (api, control) = start::bind(name, up.port)?;
    // Blocked before the lab is forked off, so that no signal can fall between; the lab, which
    // has a group of its own, unblocks them again.
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block()?;
    let options = Options {
        pace: up.pace.pace(),
        zones: up.zones,
        tables: up.tables,
        detach: up.detach,
        name: name.to_string(),
    };
    // The lab's parent ends at once; its own end is then this process's to take note of.
    set_child_subreaper(true)?;
    let lab = start::launch(api, control, |inheritance| {
        if SigSet::empty().thread_set_mask().is_err() {
            return 1;
        }
        lab::main(inheritance, &options)
    })?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
    watch(lab, &signals, up)
}

/// Follows a lab from its start to its end, or until it is ready if it detaches.
fn watch(mut lab: UnixStream, signals: &SignalFd, up: &Up) -> anyhow::Result<ExitCode> {
    let mut pending = Vec::new();
    let stdin = std::io::stdin();
    loop {
        let mut fds = [
            PollFd::new(lab.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
        ];
        let count = if up.until_eof { 3 } else { 2 };
        poll(&mut fds[..count], PollTimeout::NONE)?;
        let over = up.until_eof && fds[2].any() == Some(true) && is_over(&stdin)?;
        if fds[1].any() == Some(true) || over {
            // The lab reads this as the launcher's end, and ends too.
            lab.shutdown(std::net::Shutdown::Write)?;
            return end(&mut lab);
        }
        if fds[0].any() != Some(true) {
            continue;
        }
        let mut part = [0; 4096];
        let count = lab.read(&mut part)?;
        if count == 0 {
            reap();
            bail!("the lab has ended without a word: was it killed?");
        }
        pending.extend_from_slice(&part[..count]);
        while let Some(at) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=at).collect();
            match serde_json::from_slice(&line)? {
                Report::Ready(text) => {
                    print(&format!("{text}\n"))?;
                    if up.detach {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                Report::Failed(why) => {
                    end(&mut lab)?;
                    bail!(why);
                }
                Report::Ended => return end(&mut lab),
            }
        }
    }
}

/// Whether a readable stdin has come to its end; what is written to it means nothing.
fn is_over(mut stdin: &std::io::Stdin) -> std::io::Result<bool> {
    Ok(stdin.read(&mut [0; 64])? == 0)
}

/// Waits until the lab has gone.
fn end(lab: &mut UnixStream) -> anyhow::Result<ExitCode> {
    lab.set_read_timeout(Some(END_LIMIT))?;
    let mut rest = String::new();
    BufReader::new(lab).read_to_string(&mut rest).context("the lab doesn't end")?;
    reap();
    Ok(ExitCode::SUCCESS)
}

/// Waits for the lab's process, which is on its way out: the kernel is taking its namespaces
/// apart.
fn reap() {
    let deadline = Instant::now() + END_LIMIT;
    while Instant::now() < deadline && waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Writes data to stdout. A reader that has seen enough is no error.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Asks a lab something and returns its answer; a refusal is an error.
fn ask(name: &LabName, request: &Request) -> anyhow::Result<Reply> {
    let client = Client::connect(name)?;
    client.send(request, &[])?;
    match client.reply()? {
        Reply::Refused(why) => bail!(why),
        reply @ (Reply::Status(_)
        | Reply::Env { .. }
        | Reply::Exited(_)
        | Reply::Done(_)
        | Reply::Lines(_)) => Ok(reply),
    }
}

fn say(name: &LabName, request: &Request) -> anyhow::Result<ExitCode> {
    match ask(name, request)? {
        Reply::Done(text) => eprintln!("{text}"),
        Reply::Lines(lines) => {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            print(&text)?;
        }
        Reply::Status(_) | Reply::Env { .. } | Reply::Exited(_) | Reply::Refused(_) => {
            bail!("the lab answered something else: is it of another version?")
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn status(name: &LabName, json: bool) -> anyhow::Result<ExitCode> {
    let Reply::Status(status) = ask(name, &Request::Status)? else {
        bail!("the lab answered something else: is it of another version?");
    };
    print(&if json {
        format!("{}\n", serde_json::to_string_pretty(&status)?)
    } else {
        status.to_string()
    })?;
    Ok(ExitCode::SUCCESS)
}

fn env(name: &LabName) -> anyhow::Result<ExitCode> {
    let Reply::Env { endpoint, region } = ask(name, &Request::Env)? else {
        bail!("the lab answered something else: is it of another version?");
    };
    print(&env_lines(&endpoint, &region))?;
    Ok(ExitCode::SUCCESS)
}

/// For `eval` in a shell. What could lead past the endpoint to a real account is unset.
fn env_lines(endpoint: &str, region: &str) -> String {
    format!(
        "export AWS_ENDPOINT_URL={endpoint}\n\
         export AWS_REGION={region}\n\
         export AWS_DEFAULT_REGION={region}\n\
         export AWS_ACCESS_KEY_ID={OPERATOR_KEY_ID}\n\
         export AWS_SECRET_ACCESS_KEY={OPERATOR_SECRET_KEY}\n\
         unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE\n\
         unset AWS_ENDPOINT_URL_EC2 AWS_ENDPOINT_URL_STS AWS_IGNORE_CONFIGURED_ENDPOINT_URLS\n"
    )
}

fn exec(name: &LabName, instance: &str, argv: &[String]) -> anyhow::Result<ExitCode> {
    let outside: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let folder = std::env::current_dir()
        .map_or_else(|_| "/".into(), |folder| folder.to_string_lossy().into_owned());
    let request = Request::Exec(Exec {
        instance: instance.to_owned(),
        argv: argv.to_vec(),
        environment: guest::clean(&outside),
        folder,
    });
    let client = Client::connect(name)?;
    // Before the command starts, so that none is lost.
    let handed_on: SigSet =
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect();
    handed_on.thread_block()?;
    let signals = SignalFd::with_flags(&handed_on, SfdFlags::SFD_CLOEXEC)?;
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    client.send(&request, &[stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()])?;
    match follow(&client, &signals)? {
        Reply::Exited(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(NO_COMMAND))),
        Reply::Refused(why) => {
            eprintln!("error: {why}");
            Ok(ExitCode::from(NO_COMMAND))
        }
        Reply::Status(_) | Reply::Env { .. } | Reply::Done(_) | Reply::Lines(_) => {
            bail!("the lab answered something else: is it of another version?")
        }
    }
}

/// Hands signals on until the command's end is told.
fn follow(client: &Client, signals: &SignalFd) -> anyhow::Result<Reply> {
    loop {
        let mut fds = [
            PollFd::new(client.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut fds, PollTimeout::NONE)?;
        if fds[1].any() == Some(true)
            && let Some(info) = signals.read_signal()?
        {
            client.follow_up(Followup::Signal(i32::try_from(info.ssi_signo)?))?;
        }
        if fds[0].any() == Some(true) {
            return client.reply();
        }
    }
}

fn down(name: &LabName) -> anyhow::Result<ExitCode> {
    let client = Client::connect(name)?;
    client.send(&Request::Down, &[])?;
    let limit = Instant::now() + END_LIMIT;
    if !client.wait_for_end(END_LIMIT)? {
        bail!("lab {name} doesn't end");
    }
    // The connection ends a moment before the name is free.
    while Instant::now() < limit {
        if control::is_free(name)? {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("lab {name} doesn't let go of its name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_for_the_host_leads_nowhere_else() {
        let lines = env_lines("http://127.0.0.1:4566", "us-east-1");
        assert!(lines.contains("export AWS_ENDPOINT_URL=http://127.0.0.1:4566\n"));
        assert!(lines.contains("export AWS_DEFAULT_REGION=us-east-1\n"));
        for line in lines.lines() {
            assert!(line.starts_with("export AWS_") || line.starts_with("unset AWS_"), "{line}");
        }
    }
}
