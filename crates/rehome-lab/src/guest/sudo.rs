//! What answers to `sudo` on an instance: every process there is root already.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::unistd::User;

/// Exit code of a program that isn't there, as a shell gives it.
const NOT_FOUND: u8 = 127;

/// A command line, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    user: Option<String>,
    shell: bool,
    variables: Vec<(OsString, OsString)>,
    command: Vec<OsString>,
}

impl Asked {
    /// Takes `-u USER`, `-i`, `-s`, `NAME=value` and `--`; of the other flags those with a value
    /// lose it too. All change nothing here.
    fn parse(args: &[OsString]) -> Asked {
        let mut asked = Asked::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("--") => break,
                Some("-u" | "--user") => {
                    asked.user = args.next().map(|user| user.to_string_lossy().into_owned());
                }
                Some("-g" | "-p" | "-h" | "-C" | "-r" | "-t" | "-D" | "-R" | "-T" | "-U") => {
                    args.next();
                }
                Some("-i" | "-s" | "--login" | "--shell") => asked.shell = true,
                Some(flag) if flag.starts_with("--user=") => {
                    asked.user = flag.split_once('=').map(|(_, user)| user.to_owned());
                }
                Some(flag) if flag.starts_with("-u") => asked.user = Some(flag[2..].to_owned()),
                Some(flag) if flag.starts_with('-') && flag.len() > 1 => {}
                Some(_) | None => match variable(arg) {
                    Some(pair) => asked.variables.push(pair),
                    None => {
                        asked.command.push(arg.clone());
                        break;
                    }
                },
            }
        }
        for arg in args {
            match variable(arg).filter(|_| asked.command.is_empty()) {
                Some(pair) => asked.variables.push(pair),
                None => asked.command.push(arg.clone()),
            }
        }
        asked
    }
}

/// `NAME=value` taken apart.
fn variable(arg: &OsStr) -> Option<(OsString, OsString)> {
    let bytes = arg.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=')?;
    let name = &bytes[..at];
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let is_name = !name.is_empty() && !name[0].is_ascii_digit() && name.iter().all(plain);
    is_name.then(|| {
        (OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(&bytes[at + 1..]).to_owned())
    })
}

/// Becomes the command that `args` asks for; returns only if that fails.
pub(super) fn main(args: &[OsString]) -> ExitCode {
    let mut asked = Asked::parse(args);
    if asked.command.is_empty() {
        if !asked.shell {
            // `sudo -v` and the like: there is no password to remember.
            return ExitCode::SUCCESS;
        }
        asked.command.push("/bin/sh".into());
    }
    let program = asked.command.remove(0);
    let mut command = Command::new(&program);
    command.args(asked.command).envs(asked.variables);
    if let Some(user) = asked.user.as_deref().filter(|user| *user != "root") {
        match find_user(user) {
            // The ids come before the program is looked for, so the error may be either's.
            Some(found) => command.uid(found.uid.as_raw()).gid(found.gid.as_raw()),
            None => {
                eprintln!("sudo: unknown user {user}");
                return ExitCode::FAILURE;
            }
        };
    }
    let error = command.exec();
    eprintln!("sudo: {}: {error}", program.to_string_lossy());
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    if missing { ExitCode::from(NOT_FOUND) } else { ExitCode::FAILURE }
}

/// By name, or by `#` and a number.
fn find_user(user: &str) -> Option<User> {
    match user.strip_prefix('#') {
        Some(number) => User::from_uid(number.parse::<u32>().ok()?.into()).ok().flatten(),
        None => User::from_name(user).ok().flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        Asked::parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn flags_end_where_the_command_begins() {
        let tee = asked("tee -a /etc/iproute2/rt_tables");
        assert_eq!(tee.command, ["tee", "-a", "/etc/iproute2/rt_tables"]);
        let same = asked("-n -E -u root -- tee -a /etc/iproute2/rt_tables");
        assert_eq!(same.command, tee.command);
        assert_eq!(same.user.as_deref(), Some("root"));
        assert_eq!(asked("-uadmin id -u").user.as_deref(), Some("admin"));
        assert_eq!(asked("-uadmin id -u").command, ["id", "-u"]);
    }

    #[test]
    fn variables_stand_before_the_command_only() {
        let line = asked("-E A=1 B_2=x=y env C=3");
        let pair = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        assert_eq!(line.variables, [pair("A", "1"), pair("B_2", "x=y")]);
        assert_eq!(line.command, ["env", "C=3"]);
        assert_eq!(asked("-- A=1 env").command, ["env"]);
    }

    #[test]
    fn a_login_shell_needs_no_command() {
        assert!(asked("-i").shell);
        assert!(asked("-i").command.is_empty());
    }
}
