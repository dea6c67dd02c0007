//! Services of an instance: starting, stopping, and remembering how they are.
//!
//! There is no service manager that runs all the time: whoever starts a service writes its state
//! to a file in the instance's `/run`, and the next who asks reads it and looks for the process.
//! So nothing restarts a service that dies (`Restart=` is ignored).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::environment;
use super::unit::{Condition, Kind, Line, Unit, expand, parse_environment_file};

/// Where unit files are looked for, first wins. The host's own units are no instance's.
pub(super) const UNIT_FOLDERS: [&str; 2] = ["/etc/systemd/system", "/run/systemd/system"];
/// One file for each service that was ever started since boot.
const STATE_FOLDER: &str = "/run/rehome/units";
/// How long a process that is asked to end may take.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How often a process that is waited for is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How a service is, in systemd's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    Active,
    Inactive,
    Failed,
}

/// What is remembered of a started service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Leader of the process group that is the service.
    group: Option<i32>,
    /// Counts as active without any process.
    remains: bool,
    failed: bool,
}

/// Why a service couldn't be started or stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServiceError {
    #[error("Unit {0} could not be found.")]
    NotFound(String),
    #[error("Job for {unit} failed: {command}: {cause}")]
    Command { unit: String, command: String, cause: String },
    #[error("{0}: {1}")]
    State(String, io::Error),
}

/// The unit file of `name`, which ends in `.service`.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    UNIT_FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|file| file.exists())
}

/// Reads the unit file of `name`.
pub(super) fn load(name: &str) -> Result<Unit, ServiceError> {
    let text = find(name).and_then(|file| fs::read_to_string(file).ok());
    let text = text.ok_or_else(|| ServiceError::NotFound(name.to_owned()))?;
    Ok(Unit::parse(&text, name))
}

fn read_record(name: &str) -> Option<Record> {
    let text = fs::read(Path::new(STATE_FOLDER).join(name)).ok()?;
    serde_json::from_slice(&text).ok()
}

fn write_record(name: &str, record: &Record) -> Result<(), ServiceError> {
    let text = serde_json::to_vec(record).expect("a record has only numbers and flags");
    fs::write(Path::new(STATE_FOLDER).join(name), text)
        .map_err(|error| ServiceError::State(name.to_owned(), error))
}

/// How a service is now.
pub(super) fn activity(name: &str) -> Activity {
    let Some(record) = read_record(name) else { return Activity::Inactive };
    let alive = record.group.is_some_and(|group| killpg(Pid::from_raw(group), None).is_ok());
    match record {
        Record { failed: true, .. } => Activity::Failed,
        Record { remains: true, .. } => Activity::Active,
        Record { .. } if alive => Activity::Active,
        Record { .. } => Activity::Inactive,
    }
}

/// Starts a service unless it is active. A condition that isn't met is no error, as in systemd.
pub(super) fn start(name: &str) -> Result<(), ServiceError> {
    let unit = load(name)?;
    if activity(name) == Activity::Active || !unit.conditions.iter().all(is_met) {
        return Ok(());
    }
    let run = Run { name, unit: &unit, variables: variables(&unit) };
    match run.start() {
        Ok(record) => write_record(name, &record),
        Err(error) => {
            write_record(name, &Record { failed: true, ..Record::default() })?;
            Err(error)
        }
    }
}

/// Stops a service: its own commands first, then signals to what is left of it.
pub(super) fn stop(name: &str) -> Result<(), ServiceError> {
    let unit = load(name)?;
    let Some(record) = read_record(name) else { return Ok(()) };
    let mut variables = variables(&unit);
    if let Some(group) = record.group {
        variables.insert("MAINPID".into(), group.to_string());
    }
    let run = Run { name, unit: &unit, variables };
    let stopped = unit.stop.iter().try_for_each(|line| run.to_the_end(line).map(drop));
    if let Some(group) = record.group.map(Pid::from_raw) {
        end_group(group);
    }
    write_record(name, &Record::default())?;
    stopped
}

fn end_group(group: Pid) {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        if killpg(group, signal).is_err() {
            return;
        }
        let deadline = Instant::now() + STOP_GRACE;
        while Instant::now() < deadline {
            if killpg(group, None).is_err() {
                return;
            }
            sleep(LOOK_AGAIN);
        }
    }
}

fn is_met(condition: &Condition) -> bool {
    Path::new(&condition.path).exists() != condition.negated
}

fn variables(unit: &Unit) -> BTreeMap<String, String> {
    let mut variables = environment::basic();
    let pair = |text: &String| {
        text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    variables.extend(unit.environment.iter().filter_map(pair));
    for file in &unit.environment_files {
        let text = fs::read_to_string(file.trim_start_matches('-')).unwrap_or_default();
        variables.extend(parse_environment_file(&text));
    }
    variables
}

/// One service being started or stopped.
struct Run<'a> {
    name: &'a str,
    unit: &'a Unit,
    variables: BTreeMap<String, String>,
}

impl Run<'_> {
    fn start(&self) -> Result<Record, ServiceError> {
        for line in &self.unit.start_pre {
            self.to_the_end(line)?;
        }
        let mut record = Record { remains: self.unit.remain_after_exit, ..Record::default() };
        match self.unit.kind {
            Kind::Oneshot | Kind::Forking => {
                for line in &self.unit.start {
                    let group = self.to_the_end(line)?;
                    if self.unit.kind == Kind::Forking {
                        record.group = Some(group);
                    }
                }
            }
            Kind::Simple => {
                if let Some(line) = self.unit.start.first() {
                    let child = self.command(line)?.spawn();
                    let child = child.map_err(|error| self.failure(line, &error))?;
                    record.group = i32::try_from(child.id()).ok();
                }
            }
        }
        for line in &self.unit.start_post {
            self.to_the_end(line)?;
        }
        Ok(record)
    }

    /// Runs a command until it has ended well. Its process group, which others may still be in.
    fn to_the_end(&self, line: &Line) -> Result<i32, ServiceError> {
        let mut child = match self.command(line)?.spawn() {
            Ok(child) => child,
            Err(_missing) if line.may_fail => return Ok(i32::MAX),
            Err(error) => return Err(self.failure(line, &error)),
        };
        let group = i32::try_from(child.id()).unwrap_or(i32::MAX);
        let limit = self.unit.start_timeout.map(Duration::from_secs);
        let ended = wait_at_most(&mut child, limit).map_err(|error| {
            end_group(Pid::from_raw(group));
            self.failure(line, &error)
        })?;
        if ended.success() || line.may_fail { Ok(group) } else { Err(self.failure(line, &ended)) }
    }

    fn command(&self, line: &Line) -> Result<Command, ServiceError> {
        let mut words = line.words.iter().flat_map(|word| expand(word, &self.variables));
        let program = words.next().unwrap_or_default();
        let open = |path: String| File::options().create(true).append(true).open(path);
        let stem = self.name.strip_suffix(".service").unwrap_or(self.name);
        let log = open(format!("/var/log/{stem}.log"))
            .and_then(|log| Ok((log.try_clone()?, log)))
            .map_err(|error| ServiceError::State(self.name.to_owned(), error))?;
        let mut command = Command::new(program);
        command.args(words).env_clear().envs(&self.variables);
        command.stdin(Stdio::null()).stdout(log.0).stderr(log.1);
        // A group of its own, so that it survives the command that started it.
        command.process_group(0);
        command.current_dir(self.unit.working_directory.as_deref().unwrap_or("/"));
        Ok(command)
    }

    fn failure(&self, line: &Line, cause: &impl ToString) -> ServiceError {
        let (unit, command) = (self.name.to_owned(), line.words.join(" "));
        ServiceError::Command { unit, command, cause: cause.to_string() }
    }
}

fn wait_at_most(
    child: &mut std::process::Child,
    limit: Option<Duration>,
) -> io::Result<ExitStatus> {
    let Some(limit) = limit else { return child.wait() };
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        sleep(LOOK_AGAIN);
    }
}

/// Starts every enabled service, one after the other, those that others name in `After=` first.
/// What fails is logged and doesn't keep the rest from starting.
pub(super) fn start_enabled() {
    let units: BTreeMap<String, Unit> = enabled()
        .into_iter()
        .filter_map(|name| load(&name).ok().map(|unit| (name, unit)))
        .collect();
    for name in in_order(&units) {
        if let Err(error) = start(&name) {
            println!("{error}");
        }
    }
}

/// The names of enabled services: those linked from a target's folder.
fn enabled() -> BTreeSet<String> {
    let folders = fs::read_dir(UNIT_FOLDERS[0]).into_iter().flatten().flatten();
    let targets = folders.map(|entry| entry.path()).filter(|path| {
        path.extension().is_some_and(|extension| extension == "wants" || extension == "requires")
    });
    let links = targets.flat_map(|target| fs::read_dir(target).into_iter().flatten().flatten());
    links
        .filter_map(|link| link.file_name().into_string().ok())
        .filter(|name| name.ends_with(".service"))
        .collect()
}

/// Names so that each comes after those its unit names; in a circle, by name.
fn in_order(units: &BTreeMap<String, Unit>) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let mut left: BTreeSet<&String> = units.keys().collect();
    while !left.is_empty() {
        let waits = |name: &&&String| {
            units[**name].after.iter().any(|other| other != **name && left.contains(other))
        };
        let next = left.iter().find(|name| !waits(name)).or_else(|| left.first());
        let next: &String = next.copied().expect("something is left");
        left.remove(next);
        order.push(next.clone());
    }
    order
}

/// Sends `signal` to this instance's PID 1.
pub(super) fn tell_init(signal: Signal) -> io::Result<()> {
    Ok(kill(Pid::from_raw(1), signal)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_start_after_those_they_name() {
        let unit = |after: &[&str]| Unit {
            after: after.iter().map(|name| (*name).to_owned()).collect(),
            ..Unit::default()
        };
        let units = BTreeMap::from([
            ("a.service".to_owned(), unit(&["c.service", "network.target"])),
            ("b.service".to_owned(), unit(&["b.service"])),
            ("c.service".to_owned(), unit(&[])),
        ]);
        assert_eq!(in_order(&units), ["b.service", "c.service", "a.service"]);
        let circle = BTreeMap::from([
            ("x.service".to_owned(), unit(&["y.service"])),
            ("y.service".to_owned(), unit(&["x.service"])),
        ]);
        assert_eq!(in_order(&circle), ["x.service", "y.service"]);
    }

    #[test]
    fn a_process_that_does_not_end_is_given_up() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep is there");
        let waited = wait_at_most(&mut child, Some(Duration::from_millis(20)));
        assert_eq!(waited.expect_err("it sleeps").kind(), io::ErrorKind::TimedOut);
        child.kill().expect("it is ours");
        assert!(!wait_at_most(&mut child, None).expect("it ended").success());
    }
}
