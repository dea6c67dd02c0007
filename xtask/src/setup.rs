//! The set-up stage: what the tests need that isn't in the repository.
//!
//! As root on Debian or Ubuntu what is missing is installed; for everybody else the line that
//! installs it is printed. Python packages go to a venv under `target/strangers`, pinned exactly
//! by `tests/strangers/requirements.txt` and installed again only when that file or the Python
//! changes. Pacemaker's agents are taken from the system's own archive and unpacked beside it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::cargo;
use crate::namespaces;
use crate::process;

/// Time for one installation step, with a slow mirror in mind.
const INSTALL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Where Debian keeps programs for administrators; an ordinary user's PATH lacks them.
const ADMINISTRATORS_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// A Debian package and the proof that what we need of it is there.
struct Package {
    name: &'static str,
    present: fn() -> bool,
}

const LAB_PACKAGES: [Package; 3] = [
    Package { name: "iproute2", present: || program("ip").is_some() },
    Package { name: "iputils-ping", present: || program("ping").is_some() },
    Package { name: "nftables", present: || program("nft").is_some() },
];

const STRANGERS_PACKAGES: [Package; 2] = [
    Package {
        // On Debian `import venv` works without this package, and then venv fails for want of pip.
        name: "python3-venv",
        present: || succeeds("python3", &["-c", "import venv, ensurepip"]),
    },
    // What the agent asks the metadata service with.
    Package { name: "curl", present: || program("curl").is_some() },
];

/// Packages of Debian and Ubuntu that have the agent or what it is built on: one, or several since
/// Ubuntu split it. They are unpacked and not installed, so they bring no cluster along.
const AGENT_PACKAGES: [&str; 3] =
    ["resource-agents", "resource-agents-base", "resource-agents-extra"];

/// What of them is needed, below the folder they are unpacked to.
const AGENT_FILES: [&str; 2] = [
    "usr/lib/ocf/resource.d/heartbeat/aws-vpc-move-ip",
    "usr/lib/ocf/lib/heartbeat/ocf-shellfuncs",
];

/// True for root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The Python of the strangers' venv.
pub(crate) fn python() -> PathBuf {
    venv().join("bin/python3")
}

/// Prepares what the chosen stages need; the note says what that was.
///
/// # Errors
///
/// When something is missing and can't be installed, or the host forbids what the lab needs.
pub(crate) fn set_up(lab: bool, strangers: bool) -> Result<String> {
    let mut notes = Vec::new();
    if lab {
        notes.push(packages(&LAB_PACKAGES)?);
        // Known before anything is compiled: ten minutes later is a bad time to learn it.
        namespaces::probe_all()?;
        notes.push("namespaces allowed".to_owned());
    }
    if strangers {
        notes.push(packages(&STRANGERS_PACKAGES)?);
        notes.push(python_packages()?);
        notes.push(agent_packages()?);
    }
    Ok(notes.join("; "))
}

/// Prepares what a bench needs: the lab, and Python with an SDK in it.
///
/// # Errors
///
/// As [`set_up`].
pub(crate) fn for_bench() -> Result<()> {
    set_up(true, false)?;
    packages(&STRANGERS_PACKAGES)?;
    python_packages()?;
    Ok(())
}

fn packages(wanted: &[Package]) -> Result<String> {
    let missing: Vec<&str> =
        wanted.iter().filter(|package| !(package.present)()).map(|package| package.name).collect();
    if missing.is_empty() {
        let names: Vec<&str> = wanted.iter().map(|package| package.name).collect();
        return Ok(format!("{} present", names.join(" ")));
    }
    let missing = missing.join(" ");
    let hint = format!("apt install {missing}");
    if !is_root() || program("apt-get").is_none() {
        bail!("missing here: {missing}\nhint: {hint} (as root; on other systems its like)");
    }
    // The lists come first: a container's image is shipped without any.
    let script =
        format!("apt-get -q update && apt-get -q install -y --no-install-recommends {missing}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env("DEBIAN_FRONTEND", "noninteractive");
    process::run("packages", &mut command, &cargo::logs(), INSTALL_LIMIT)?
        .success()
        .with_context(|| format!("cannot install {missing}"))?;
    if let Some(absent) = wanted.iter().find(|package| !(package.present)()) {
        bail!("{} is installed, yet what it brings is not found", absent.name);
    }
    Ok(format!("{missing} installed"))
}

fn python_packages() -> Result<String> {
    let requirements = cargo::root().join("tests/strangers/requirements.txt");
    let pins = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let version = Command::new("python3").arg("--version").stdin(Stdio::null()).output()?;
    let stamp = format!("{}{pins}", String::from_utf8_lossy(&version.stdout));
    let stamp_file = venv().join("stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|of_last_time| of_last_time == stamp) {
        return Ok("Python packages present".to_owned());
    }
    if venv().exists() {
        fs::remove_dir_all(venv())?;
    }
    let folder = venv();
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&folder);
    process::run("venv", &mut make, &cargo::logs(), INSTALL_LIMIT)?.success()?;
    let mut install = Command::new(python());
    install
        .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"])
        // The file pins everything, indirect dependencies too; nothing else is to come along.
        .args(["--no-deps", "--only-binary", ":all:", "--requirement"])
        .arg(&requirements);
    process::run("pip", &mut install, &cargo::logs(), INSTALL_LIMIT)?
        .success()
        .context("cannot install the strangers' Python packages")?;
    // Written last, so that an installation cut short is done again.
    fs::write(&stamp_file, stamp)?;
    Ok("Python packages installed".to_owned())
}

/// Fetches Pacemaker's agents from the system's own archive, which needs no root.
fn agent_packages() -> Result<String> {
    let folder = agents();
    let complete = || AGENT_FILES.iter().all(|file| folder.join(file).is_file());
    if complete() {
        return Ok("resource-agents present".to_owned());
    }
    let hint = "the agent's tests need the archive of Debian or Ubuntu (apt-get update, as root, \
                where its lists are missing); --no-strangers leaves all strangers out";
    if program("apt-get").is_none() || program("dpkg-deb").is_none() {
        bail!("no apt-get here to fetch resource-agents with\nhint: {hint}");
    }
    fs::create_dir_all(&folder)?;
    if is_root() && !succeeds("sh", &["-c", "apt-cache show resource-agents | grep -q ."]) {
        let mut lists = Command::new("apt-get");
        lists.args(["-q", "update"]);
        process::run("agents", &mut lists, &cargo::logs(), INSTALL_LIMIT)?.success()?;
    }
    for package in AGENT_PACKAGES {
        if complete() {
            break;
        }
        let script = format!(
            "apt-get -q download {package} && dpkg-deb -x {package}_*.deb . && rm {package}_*.deb"
        );
        let mut fetch = Command::new("sh");
        fetch.args(["-c", &script]).current_dir(&folder);
        // Not every system has every one of them: what counts is what is there in the end.
        let _ = process::run("agents", &mut fetch, &cargo::logs(), INSTALL_LIMIT)?;
    }
    if !complete() {
        let log = cargo::logs().join("agents.log");
        bail!("cannot fetch resource-agents; see {}\nhint: {hint}", log.display());
    }
    Ok("resource-agents fetched".to_owned())
}

/// Where they are unpacked.
pub(crate) fn agents() -> PathBuf {
    cargo::target().join("strangers/resource-agents")
}

fn venv() -> PathBuf {
    cargo::target().join("strangers/venv")
}

/// Where a program is, administrators' folders included.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path)
        .chain(ADMINISTRATORS_FOLDERS.iter().map(|folder| Path::new(folder).to_owned()));
    folders.map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_where_an_ordinary_path_does_not_look() {
        assert!(program("sh").is_some());
        assert_eq!(program("no-such-program-anywhere"), None);
    }

    #[test]
    fn every_requirement_is_pinned_to_one_version() {
        let file = cargo::root().join("tests/strangers/requirements.txt");
        let pins = fs::read_to_string(file).unwrap();
        let lines: Vec<&str> =
            pins.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert!(lines.iter().any(|line| line.starts_with("boto3==")), "{lines:?}");
        for line in lines {
            let (_, version) = line.split_once("==").unwrap_or_else(|| panic!("{line}: no pin"));
            assert!(!version.contains(['*', ',', ' ']), "{line}: no exact pin");
        }
    }
}
