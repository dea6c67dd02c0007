//! `rehome install-unit`: the systemd unit of this very command line, or of a file.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::prepare;
use rehome_core::net::Vip;

use crate::cli::UnitArgs;
use crate::config::{One, Wanted};
use crate::fail::{FAILED, Failure, Problem, WRONG};
use crate::unit::{install, path, unit};

/// Settings of the environment that the service needs as well; never keys.
const CARRIED: [&str; 7] = [
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_EC2",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
];

/// Folders that the hardened unit hides from the service (systemd.exec(5): ProtectHome,
/// PrivateTmp).
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// Where the unit keeps its records (`StateDirectory=`).
const STATE: &str = "/var/lib/rehome";

/// Prints the unit, and installs it unless only the text was asked for.
pub(crate) fn install_unit(args: UnitArgs) -> Result<ExitCode, Failure> {
    let failed = |error| Failure::new(FAILED, Problem::of(&error, None));
    let exe = std::env::current_exe().map_err(failed)?;
    let (words, vip) = match args.run {
        Wanted::Flags(run) => {
            prepare::check(&run)?;
            let vip = run.vip();
            (words(std::env::args().skip(2), &run.user_data_file).map_err(failed)?, Some(vip))
        }
        Wanted::File { file, only, debug } => {
            let (file, all) = of_file(&file, only, debug)?;
            let mut words = vec!["run".to_owned(), "--config".to_owned(), file];
            words.extend(only.into_iter().flat_map(|vip| ["--vip".to_owned(), vip.to_string()]));
            words.extend(debug.then(|| "--debug".to_owned()));
            (words, only.or_else(|| (all.len() == 1).then(|| all[0].args.vip())))
        }
    };
    let env: Vec<(String, String)> = CARRIED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .chain([session(vip)])
        .collect();
    let text = unit(&exe, &words, &env);
    crate::stdout::print(&text)?;
    if args.print {
        return Ok(ExitCode::SUCCESS);
    }
    visible_to_services(&exe)?;
    let path = path(vip.map(|vip| vip.address));
    install(&text, &path).map_err(|error| {
        let hint = "run it with sudo, or take the text from --print";
        let what = format!("{} can't be written: {error}", path.display());
        Failure::new(FAILED, Problem::new(what, hint))
    })?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    eprintln!("Installed {}", path.display());
    eprintln!(
        "hint: systemctl daemon-reload && systemctl enable --now {}",
        name.unwrap_or_default()
    );
    Ok(ExitCode::SUCCESS)
}

/// A file with its absolute path, and what is in it, if the service can work with that: it reads
/// the file itself, so that it can do so again.
fn of_file(file: &Path, only: Option<Vip>, debug: bool) -> Result<(String, Vec<One>), Failure> {
    let all = Wanted::File { file: file.to_owned(), only, debug }.all()?;
    let mut problems = Vec::new();
    let failed = |error| Failure::new(FAILED, Problem::of(&error, None));
    let absolute = file.canonicalize().map_err(failed)?;
    problems.extend(unreadable(&absolute));
    for one in &all {
        prepare::check(&one.args)?;
        let template = one.args.user_data_file.canonicalize().map_err(failed)?;
        problems.extend(unreadable(&template));
        let state = one.args.operation.state_dir.as_deref();
        if state.is_some_and(|state| state != Path::new(STATE)) {
            problems.push(Problem::new(
                format!("the service can write nowhere but to {STATE}"),
                "leave `state_dir` out of the file",
            ));
        }
    }
    problems.dedup();
    if problems.is_empty() {
        Ok((absolute.display().to_string(), all))
    } else {
        Err(Failure { code: WRONG, problems })
    }
}

/// Why the service, a user of its own, can't read a file.
fn unreadable(file: &Path) -> Option<Problem> {
    let hidden = HIDDEN.iter().any(|folder| file.starts_with(folder));
    let mode = file.metadata().map_or(0, |metadata| metadata.mode());
    (hidden || mode & 0o004 == 0).then(|| {
        Problem::new(
            format!("the service, a user of its own, could not read {}", file.display()),
            "keep it under /etc/rehome, readable for everybody (chmod 644)",
        )
    })
}

/// What CloudTrail calls the session of a role that is assumed by a web identity: who moved a
/// route is told by its name (AWS SDKs and Tools reference, "Assume role credential provider").
fn session(vip: Option<Vip>) -> (String, String) {
    let name = vip.map_or("rehome".to_owned(), |vip| format!("rehome-{vip}"));
    ("AWS_ROLE_SESSION_NAME".to_owned(), name)
}

/// Whether our hardened units can run this program.
///
/// # Errors
/// Where it lies in a folder that they hide.
pub(crate) fn visible_to_services(exe: &Path) -> Result<(), Failure> {
    if !HIDDEN.iter().any(|folder| exe.starts_with(folder)) {
        return Ok(());
    }
    let what = format!("the service would not see {}", exe.display());
    let hint = "ProtectHome and PrivateTmp hide it; copy the binary to /usr/local/bin and run it \
                from there";
    Err(Failure::wrong(Problem::new(what, hint)))
}

/// The flags of `run` out of those of `install-unit`, with the template's path made absolute: the
/// unit starts in `/`.
fn words(
    given: impl Iterator<Item = String>,
    template: &Path,
) -> Result<Vec<String>, std::io::Error> {
    let absolute: PathBuf = template.canonicalize()?;
    let mut words = vec!["run".to_owned()];
    let mut is_template = false;
    for word in given {
        if word == "--print" {
            continue;
        }
        if is_template {
            is_template = false;
            words.push(absolute.display().to_string());
        } else if word.starts_with("--user-data-file=") {
            words.push("--user-data-file".to_owned());
            words.push(absolute.display().to_string());
        } else {
            is_template = word == "--user-data-file";
            words.push(word);
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_session_is_named_after_the_address() {
        let (_, name) = session(Some("10.0.0.10".parse().unwrap()));
        assert_eq!(name, "rehome-10.0.0.10");
        assert_eq!(session(None).1, "rehome");
    }

    #[test]
    fn the_units_words_are_the_given_ones_with_an_absolute_template() {
        let given = ["--print", "--user-data-file", "Cargo.toml", "--debug"];
        let words = words(given.iter().map(ToString::to_string), Path::new("Cargo.toml")).unwrap();
        assert_eq!(words[0], "run");
        assert!(Path::new(&words[2]).is_absolute(), "{words:?}");
        assert_eq!(words[3], "--debug");
        assert_eq!(words.len(), 4);
    }
}
