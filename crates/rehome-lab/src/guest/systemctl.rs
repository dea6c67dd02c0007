//! What answers to `systemctl`, `reboot` and `poweroff` on an instance.
//!
//! The commands and exit codes that scripts rely on, see systemctl(1). Everything else is
//! refused by name.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::sys::signal::SigSet;

use super::boot::{POWER_OFF, REBOOT};
use super::service::{self, Activity, ServiceError, UNIT_FOLDERS};

/// `systemctl is-active` and `status` of what isn't running.
const NOT_RUNNING: u8 = 3;
/// `systemctl status` of what doesn't exist.
const NO_SUCH_UNIT: u8 = 4;
/// `systemctl start` and others of what doesn't exist.
const NOT_INSTALLED: u8 = 5;

/// A command line, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    verb: String,
    units: Vec<String>,
    now: bool,
    quiet: bool,
}

impl Asked {
    /// Flags that change nothing here are skipped.
    fn parse(args: &[String]) -> Asked {
        let mut asked = Asked::default();
        for arg in args {
            match arg.as_str() {
                "--now" => asked.now = true,
                "--quiet" | "-q" => asked.quiet = true,
                flag if flag.starts_with('-') => {}
                verb if asked.verb.is_empty() => verb.clone_into(&mut asked.verb),
                unit => asked.units.push(full_name(unit)),
            }
        }
        asked
    }
}

/// Names without a type are services.
fn full_name(unit: &str) -> String {
    if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") }
}

/// Runs `systemctl` with `args`.
pub(super) fn main(args: &[String]) -> ExitCode {
    let asked = Asked::parse(args);
    match asked.verb.as_str() {
        "daemon-reload" | "daemon-reexec" | "reset-failed" => ExitCode::SUCCESS,
        "start" => each(&asked, service::start),
        "stop" => each(&asked, service::stop),
        "restart" | "reload-or-restart" | "try-restart" => each(&asked, restart),
        "enable" | "reenable" => each(&asked, |unit| {
            enable(unit)?;
            if asked.now { service::start(unit) } else { Ok(()) }
        }),
        "disable" => each(&asked, |unit| {
            disable(unit)?;
            if asked.now { service::stop(unit) } else { Ok(()) }
        }),
        "is-active" => any_code(&asked, is_active),
        "is-failed" => any_code(&asked, is_failed),
        "is-enabled" => any_code(&asked, is_enabled),
        "status" => any_code(&asked, status),
        "is-system-running" => {
            println!("running");
            ExitCode::SUCCESS
        }
        verb @ ("reboot" | "poweroff" | "halt") => power(verb, &[]),
        other => {
            eprintln!("systemctl: {other:?} is not known on an instance of the lab");
            ExitCode::FAILURE
        }
    }
}

/// `reboot`, `poweroff`, `halt` and `shutdown`: the machine ends by its own will.
pub(super) fn power(name: &str, args: &[String]) -> ExitCode {
    let again = name == "reboot" || args.iter().any(|arg| arg == "-r" || arg == "--reboot");
    // The end of the machine begins with a signal to every process, and this one has succeeded.
    let patient = SigSet::all().thread_block();
    if let Err(error) = patient {
        eprintln!("{name}: {error}");
    }
    match service::tell_init(if again { REBOOT } else { POWER_OFF }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does something with every unit; fails with the last failure's code.
fn each(asked: &Asked, act: impl Fn(&str) -> Result<(), ServiceError>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for unit in &asked.units {
        if let Err(error) = act(unit) {
            eprintln!("{error}");
            code = match error {
                ServiceError::NotFound(_) => ExitCode::from(NOT_INSTALLED),
                ServiceError::Command { .. } | ServiceError::State(..) => ExitCode::FAILURE,
            };
        }
    }
    code
}

fn restart(unit: &str) -> Result<(), ServiceError> {
    service::stop(unit)?;
    service::start(unit)
}

/// Prints a word for every unit; the code is 0 if any unit's is.
fn any_code(asked: &Asked, tell: fn(&str) -> (String, u8)) -> ExitCode {
    let mut code = None;
    for unit in &asked.units {
        let (text, own) = tell(unit);
        if !asked.quiet {
            println!("{text}");
        }
        code = Some(code.map_or(own, |before: u8| before.min(own)));
    }
    ExitCode::from(code.unwrap_or(1))
}

fn word(activity: Activity) -> &'static str {
    match activity {
        Activity::Active => "active",
        Activity::Inactive => "inactive",
        Activity::Failed => "failed",
    }
}

fn is_active(unit: &str) -> (String, u8) {
    let activity = service::activity(unit);
    let code = if activity == Activity::Active { 0 } else { NOT_RUNNING };
    (word(activity).to_owned(), code)
}

fn is_failed(unit: &str) -> (String, u8) {
    let activity = service::activity(unit);
    (word(activity).to_owned(), u8::from(activity != Activity::Failed))
}

fn is_enabled(unit: &str) -> (String, u8) {
    let Ok(loaded) = service::load(unit) else { return ("not-found".into(), NO_SUCH_UNIT) };
    if links(unit, &loaded.wanted_by).iter().any(|link| fs::symlink_metadata(link).is_ok()) {
        ("enabled".into(), 0)
    } else if loaded.wanted_by.is_empty() {
        ("static".into(), 0)
    } else {
        ("disabled".into(), 1)
    }
}

fn status(unit: &str) -> (String, u8) {
    let Ok(loaded) = service::load(unit) else {
        return (format!("Unit {unit} could not be found."), NO_SUCH_UNIT);
    };
    let activity = service::activity(unit);
    let file = service::find(unit).unwrap_or_default();
    let text = format!(
        "● {unit} - {}\n     Loaded: loaded ({}; {})\n     Active: {}",
        loaded.description,
        file.display(),
        is_enabled(unit).0,
        word(activity),
    );
    (text, if activity == Activity::Active { 0 } else { NOT_RUNNING })
}

/// The links that enable a unit, whether they exist or not.
fn links(unit: &str, wanted_by: &[String]) -> Vec<PathBuf> {
    let folder = |target: &String| Path::new(UNIT_FOLDERS[0]).join(format!("{target}.wants"));
    wanted_by.iter().map(|target| folder(target).join(unit)).collect()
}

fn enable(unit: &str) -> Result<(), ServiceError> {
    let loaded = service::load(unit)?;
    let file = service::find(unit).ok_or_else(|| ServiceError::NotFound(unit.to_owned()))?;
    if loaded.wanted_by.is_empty() {
        eprintln!("{unit} has no [Install] section that says what wants it; nothing to enable");
    }
    for link in links(unit, &loaded.wanted_by) {
        if make_link(&file, &link).map_err(|error| ServiceError::State(unit.to_owned(), error))? {
            eprintln!("Created symlink {} → {}.", link.display(), file.display());
        }
    }
    Ok(())
}

/// Whether the link had to be made.
fn make_link(file: &Path, link: &Path) -> io::Result<bool> {
    if let Some(folder) = link.parent() {
        fs::create_dir_all(folder)?;
    }
    match symlink(file, link) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn disable(unit: &str) -> Result<(), ServiceError> {
    let loaded = service::load(unit)?;
    for link in links(unit, &loaded.wanted_by) {
        if fs::remove_file(&link).is_ok() {
            eprintln!("Removed \"{}\".", link.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        Asked::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_may_stand_anywhere() {
        let expected = Asked {
            verb: "enable".into(),
            units: vec!["rc-local.service".into()],
            now: true,
            quiet: true,
        };
        assert_eq!(asked("enable --now -q rc-local"), expected);
        assert_eq!(asked("--quiet --no-block enable rc-local.service --now"), expected);
    }

    #[test]
    fn names_without_a_type_are_services() {
        assert_eq!(
            asked("start a b.service c.target").units,
            ["a.service", "b.service", "c.target"]
        );
    }

    #[test]
    fn a_unit_is_enabled_by_links_from_its_targets() {
        let wanted_by = ["multi-user.target".to_owned(), "x.target".to_owned()];
        assert_eq!(
            links("a.service", &wanted_by),
            [
                Path::new("/etc/systemd/system/multi-user.target.wants/a.service"),
                Path::new("/etc/systemd/system/x.target.wants/a.service"),
            ]
        );
    }
}
