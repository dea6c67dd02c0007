//! User data: run once in a disk's life, as cloud-init does with scripts.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use super::environment;

/// Where cloud-init keeps what belongs to this instance.
const FOLDER: &str = "/var/lib/cloud/instance";

/// What user data is, by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `#!` and an interpreter.
    Script,
    /// Nothing but blanks.
    Empty,
    /// What the lab doesn't run, by its name.
    Foreign(&'static str),
}

/// The forms that cloud-init knows, see "User data formats" in its documentation.
fn form(data: &[u8]) -> Form {
    let begins = |mark: &str| data.starts_with(mark.as_bytes());
    if begins("#!") {
        Form::Script
    } else if data.iter().all(u8::is_ascii_whitespace) {
        Form::Empty
    } else if begins("#cloud-config") {
        Form::Foreign("cloud-config")
    } else if begins("Content-Type:") || begins("MIME-Version:") {
        Form::Foreign("MIME")
    } else if data.starts_with(&[0x1f, 0x8b]) {
        Form::Foreign("gzip")
    } else {
        Form::Foreign("data that doesn't begin with #!")
    }
}

/// Runs user data unless an earlier boot has. Its exit code; 128 and more for a signal.
///
/// What it prints goes to this process's output, which is the instance's console log.
pub(super) fn run_once(data: &[u8]) -> Option<i32> {
    match run_in(Path::new(FOLDER), data) {
        Ok(code) => code,
        Err(error) => {
            println!("user data could not be run: {error}");
            Some(1)
        }
    }
}

fn run_in(folder: &Path, data: &[u8]) -> io::Result<Option<i32>> {
    let mark = folder.join("sem/config_scripts_user");
    if mark.exists() {
        return Ok(None);
    }
    fs::create_dir_all(folder.join("sem"))?;
    fs::create_dir_all(folder.join("scripts"))?;
    fs::write(folder.join("user-data.txt"), data)?;
    // Before it runs: a machine that reboots in the middle doesn't begin again either.
    fs::write(mark, "")?;
    match form(data) {
        Form::Empty => Ok(None),
        Form::Foreign(name) => {
            println!("user data is {name}: the lab runs scripts that begin with #! and no other");
            Ok(Some(1))
        }
        Form::Script => {
            let script = folder.join("scripts/part-001");
            fs::write(&script, data)?;
            fs::set_permissions(&script, Permissions::from_mode(0o700))?;
            let mut command = Command::new(script);
            let status =
                command.env_clear().envs(environment::basic()).current_dir("/").status()?;
            let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
            if code != 0 {
                println!("user data ended with exit code {code}");
            }
            Ok(Some(code))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_is_known_by_how_it_begins() {
        assert_eq!(form(b"#!/bin/bash\n"), Form::Script);
        assert_eq!(form(b" \n"), Form::Empty);
        assert_eq!(form(b""), Form::Empty);
        assert_eq!(form(b"#cloud-config\n"), Form::Foreign("cloud-config"));
        assert_eq!(form(b"MIME-Version: 1.0\n"), Form::Foreign("MIME"));
        assert_eq!(form(&[0x1f, 0x8b, 8]), Form::Foreign("gzip"));
        let other = Form::Foreign("data that doesn't begin with #!");
        assert_eq!(form(b"echo hello"), other);
    }

    #[test]
    fn a_script_runs_by_its_interpreter_and_only_once() {
        let folder = std::env::temp_dir().join(format!("rehome-user-data-{}", std::process::id()));
        let out = folder.join("out");
        let script = format!("#!/bin/sh\necho \"$0 $HOME\" >> {}\nexit 7\n", out.display());
        let run = || run_in(&folder, script.as_bytes()).expect("it can be run");
        assert_eq!(run(), Some(7));
        assert_eq!(run(), None);
        let printed = fs::read_to_string(out).expect("it ran");
        let path = folder.join("scripts/part-001");
        assert_eq!(printed, format!("{} {}\n", path.display(), environment::HOME));
        fs::remove_dir_all(folder).expect("the folder goes");
    }

    #[test]
    fn a_script_whose_interpreter_is_missing_is_an_error() {
        let folder = std::env::temp_dir().join(format!("rehome-no-shell-{}", std::process::id()));
        run_in(&folder, b"#!/nonexistent/shell\n").expect_err("there is no such shell");
        fs::remove_dir_all(folder).expect("the folder goes");
    }
}
