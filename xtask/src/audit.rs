//! `cargo xtask audit`: what needs tools that have to be built first.
//!
//! Apart from `test` so that a change is tested without waiting for them. The tools are pinned,
//! and built without optimization: they run for seconds and would compile for minutes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cargo;
use crate::process;
use crate::stage::{Kind, Report};

/// Time to build a tool: about ten times what two cores need.
const TOOL_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Time for a check; it may fetch what other platforms' dependencies declare.
const CHECK_LIMIT: Duration = Duration::from_secs(10 * 60);

/// A program from crates.io.
struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Licenses, bans and sources of everything in `Cargo.lock`.
const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

/// Dependencies that no source file names. Chosen over cargo-shear, which parses Rust properly but
/// needs the newest compiler to build, newer than the one this project asks for; over cargo-udeps,
/// which needs a nightly one.
const CARGO_MACHETE: Tool = Tool { name: "cargo-machete", version: "0.9.2" };

/// Runs the audit; true when nothing was found.
///
/// # Errors
///
/// None of its own: a stage that can't run has failed.
pub(crate) fn run() -> Result<bool> {
    let mut report = Report::default();
    let mut passed = report.stage("tools", Kind::SetUp, |_| {
        let notes = [CARGO_DENY.install()?, CARGO_MACHETE.install()?];
        Ok(notes.join(", "))
    });
    passed = passed && report.stage("deny", Kind::Tests, |_| deny());
    passed = passed && report.stage("unused", Kind::Tests, |_| unused_dependencies());
    print!("{}", report.summary());
    Ok(passed)
}

/// Known vulnerabilities are not among the checks: `cargo deny check advisories` clones a database
/// from GitHub, which isn't reachable from every machine that runs this. Where it is, run that
/// before a release.
fn deny() -> Result<String> {
    let mut command = CARGO_DENY.command();
    command.args(["--locked", "check", "bans", "licenses", "sources"]);
    let finished = process::run("deny", &mut command, &cargo::logs(), CHECK_LIMIT)?.success()?;
    let duplicates = finished.output.matches("warning[duplicate]").count();
    Ok(format!("licenses, bans, sources; {duplicates} crates in two versions"))
}

fn unused_dependencies() -> Result<String> {
    let mut command = CARGO_MACHETE.command();
    command.args(["crates", "xtask"]);
    process::run("unused", &mut command, &cargo::logs(), CHECK_LIMIT)?.success()?;
    Ok("every dependency is used".to_owned())
}

impl Tool {
    /// Builds the tool unless exactly this version is there.
    fn install(&self) -> Result<String> {
        if self.is_installed() {
            return Ok(format!("{} {} present", self.name, self.version));
        }
        let crate_version = format!("{}@{}", self.name, self.version);
        let build = folder().join("build");
        let mut command = cargo::cargo(&["install", "--locked", "--debug", "--force", "--root"]);
        command
            .arg(folder())
            .arg(&crate_version)
            // A target folder of their own: in ours, their dependencies would only be in the way.
            .env("CARGO_TARGET_DIR", &build)
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        process::run(self.name, &mut command, &cargo::logs(), TOOL_LIMIT)?
            .success()
            .with_context(|| format!("cannot install {crate_version}"))?;
        // Half a gigabyte that nothing needs any more.
        fs::remove_dir_all(&build)?;
        Ok(format!("{crate_version} installed"))
    }

    fn is_installed(&self) -> bool {
        let Ok(output) = Command::new(self.executable()).arg("--version").output() else {
            return false;
        };
        // `cargo-deny 0.20.2`, or the number alone.
        String::from_utf8_lossy(&output.stdout).split_whitespace().last() == Some(self.version)
    }

    fn executable(&self) -> PathBuf {
        folder().join("bin").join(self.name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.executable());
        command.current_dir(cargo::root());
        command
    }
}

fn folder() -> PathBuf {
    cargo::target().join("tools")
}
