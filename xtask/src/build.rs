//! The stages that run the compiler, and the gate that it runs once over the AWS SDK.
//!
//! `aws-sdk-ec2` alone takes minutes, so a newcomer's two commands must share it. They do as long
//! as every command resolves the same features: they are all chosen in `[workspace.dependencies]`
//! and every command says `--workspace` (`cargo run --bin` at the root of a virtual workspace
//! selects all members too). What could break it: a dev-dependency that switches a feature of a
//! shared crate on, a `-p`, another profile, a variable that a build script watches.
//!
//! The gate doesn't measure time: it compares what cargo says it built. The name of an artifact
//! carries a hash of features, profile and dependencies, so two resolutions show as two names,
//! also when both are already built and nothing is compiled at all.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::cargo::{self, Artifact};
use crate::process;
use crate::stage::Count;

/// Time for one cargo call with everything to compile: about four times what two cores need.
const BUILD_LIMIT: Duration = Duration::from_secs(45 * 60);

/// Time for the unit, property and documentation tests.
const TESTS_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Time for a command that only prints what it could do.
const HELP_LIMIT: Duration = Duration::from_secs(30);

/// Diagnostics stay text for people, on standard error.
const MESSAGES: &str = "--message-format=json-render-diagnostics";

/// The end-to-end tests: a stage of their own, since they need namespaces.
pub(crate) const LAB_TESTS: &str = "lab";

/// What cargo said it built, kept from one stage to the next.
#[derive(Default)]
pub(crate) struct Builds {
    clippy: Option<Vec<Artifact>>,
    binary: Option<Vec<Artifact>>,
    tests: Option<Vec<Artifact>>,
}

impl Builds {
    /// `cargo fmt --check`.
    pub(crate) fn fmt(&self) -> Result<String> {
        let mut command = cargo::cargo(&["fmt", "--all", "--check", "--", "--color", "never"]);
        process::run("fmt", &mut command, &cargo::logs(), BUILD_LIMIT)?.success()?;
        Ok(String::new())
    }

    /// `cargo clippy`, every warning an error.
    pub(crate) fn clippy(&mut self) -> Result<String> {
        let arguments =
            ["clippy", "--workspace", "--all-targets", MESSAGES, "--", "-D", "warnings"];
        let artifacts = run_cargo("clippy", &mut cargo::cargo(&arguments))?;
        let note = format!("{} units checked", artifacts.len());
        self.clippy = Some(artifacts);
        Ok(note)
    }

    /// `cargo doc`, which must take the SDK's metadata from clippy's run: it is checked once.
    pub(crate) fn doc(&mut self) -> Result<String> {
        let arguments = ["doc", "--workspace", "--no-deps", "--document-private-items", MESSAGES];
        let mut command = cargo::cargo(&arguments);
        command.env("RUSTDOCFLAGS", "-D warnings");
        let artifacts = run_cargo("doc", &mut command)?;
        match &self.clippy {
            Some(clippy) => same_sdk("cargo clippy", clippy, "cargo doc", &artifacts),
            None => Ok(String::new()),
        }
    }

    /// The build of the README's first command, and the proof that there is such a command.
    pub(crate) fn build(&mut self) -> Result<String> {
        let mut demo = Command::new(self.rehome()?);
        demo.args(["lab", "demo", "--help"]);
        process::run("demo-help", &mut demo, &cargo::logs(), HELP_LIMIT)?.success()?;
        Ok("cargo build --bin rehome".to_owned())
    }

    /// The build of the tests, which must find the first command's SDK.
    pub(crate) fn resolution(&mut self) -> Result<String> {
        let binary = self.binary()?.to_vec();
        same_sdk("cargo build --bin rehome", &binary, "cargo test --workspace", self.tests()?)
    }

    /// Every test but the lab's, and the examples in the documentation.
    pub(crate) fn run_tests(&mut self, count: &mut Count) -> Result<String> {
        let mut arguments = vec!["test", "--workspace", "--no-fail-fast", "--lib", "--bins"];
        let targets: BTreeSet<String> = self
            .tests()?
            .iter()
            .filter(|artifact| artifact.kind == "test" && artifact.name != LAB_TESTS)
            .map(|artifact| artifact.name.clone())
            .collect();
        for target in &targets {
            arguments.extend(["--test", target]);
        }
        let before = count.passed;
        // --doc can't be asked for together with other targets.
        let mut failures = String::new();
        for arguments in [&arguments[..], &["test", "--workspace", "--no-fail-fast", "--doc"]] {
            let name = if arguments.contains(&"--doc") { "doc-tests" } else { "tests" };
            let mut command = cargo::cargo(arguments);
            let finished = process::run(name, &mut command, &cargo::logs(), TESTS_LIMIT)?;
            count.add_results(&finished.output);
            if !finished.status.success() {
                let report = report_of_failures(&finished.output);
                failures += &report.unwrap_or_else(|| finished.tail() + "\n");
            }
        }
        if !failures.is_empty() {
            bail!("{failures}\nall of it is in {}", cargo::logs().join("tests.log").display());
        }
        Ok(format!("{} passed", count.passed - before))
    }

    /// The product's binary.
    pub(crate) fn rehome(&mut self) -> Result<PathBuf> {
        let is_binary = |artifact: &&Artifact| {
            artifact.kind == "bin" && artifact.name == "rehome" && !artifact.test
        };
        let found = self.binary()?.iter().find(is_binary).cloned();
        found.and_then(|artifact| artifact.executable).context("cargo built no binary `rehome`")
    }

    /// The executable of the lab's tests.
    pub(crate) fn lab_tests(&mut self) -> Result<PathBuf> {
        let is_lab = |artifact: &&Artifact| artifact.kind == "test" && artifact.name == LAB_TESTS;
        let found = self.tests()?.iter().find(is_lab).cloned();
        found
            .and_then(|artifact| artifact.executable)
            .with_context(|| format!("the workspace has no test target `{LAB_TESTS}`"))
    }

    fn binary(&mut self) -> Result<&[Artifact]> {
        if self.binary.is_none() {
            let mut command = cargo::cargo(&["build", "--bin", "rehome", MESSAGES]);
            self.binary = Some(run_cargo("build", &mut command)?);
        }
        Ok(self.binary.as_deref().unwrap_or_default())
    }

    fn tests(&mut self) -> Result<&[Artifact]> {
        if self.tests.is_none() {
            let mut command = cargo::cargo(&["test", "--workspace", "--no-run", MESSAGES]);
            self.tests = Some(run_cargo("tests-build", &mut command)?);
        }
        Ok(self.tests.as_deref().unwrap_or_default())
    }
}

fn run_cargo(name: &str, command: &mut Command) -> Result<Vec<Artifact>> {
    let finished = process::run(name, command, &cargo::logs(), BUILD_LIMIT)?.success()?;
    Ok(cargo::artifacts(&finished.stdout))
}

/// Fails when the second command has an SDK of its own, or had to compile the first one's again.
fn same_sdk(
    first_name: &str,
    first: &[Artifact],
    second_name: &str,
    second: &[Artifact],
) -> Result<String> {
    let sdk = |artifacts: &[Artifact]| -> Vec<Artifact> {
        artifacts.iter().filter(|artifact| artifact.is_sdk()).cloned().collect()
    };
    let known: BTreeSet<String> = sdk(first).into_iter().map(|artifact| artifact.files).collect();
    if known.is_empty() {
        bail!("`{first_name}` built no part of the AWS SDK: this gate compares nothing");
    }
    let mut again = Vec::new();
    for artifact in sdk(second) {
        if !known.contains(&artifact.files) {
            again.push(format!("  {} as {}: another resolution", artifact.name, artifact.files));
        } else if !artifact.fresh {
            again.push(format!("  {}: the same, compiled once more", artifact.name));
        }
    }
    if again.is_empty() {
        return Ok(format!("{} units of the SDK shared with `{first_name}`", known.len()));
    }
    bail!(
        "`{second_name}` compiles parts of the AWS SDK that `{first_name}` had compiled:\n{}\n\
         hint: choose features in [workspace.dependencies] only, and compare\n\
         `cargo tree --workspace -e features,no-dev -i <crate>` with the same without `no-dev`",
        again.join("\n")
    )
}

/// The harness's own report of what failed, of every executable; `None` when none says so.
pub(crate) fn report_of_failures(output: &str) -> Option<String> {
    let mut report = String::new();
    let mut inside = false;
    for line in output.lines() {
        inside |= line == "failures:";
        if inside {
            report.push_str(line);
            report.push('\n');
        }
        inside &= !line.starts_with("test result:");
    }
    (!report.is_empty()).then_some(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(package: &str, files: &str, fresh: bool) -> Artifact {
        Artifact {
            package: format!("registry+https://x#{package}@1.0.0"),
            kind: "lib".to_owned(),
            name: package.replace('-', "_"),
            test: false,
            files: files.to_owned(),
            executable: None,
            fresh,
        }
    }

    #[test]
    fn one_resolution_shares_the_sdk() {
        let first = [unit("aws-sdk-ec2", "ec2-1", false), unit("tokio", "tokio-1", false)];
        let second = [unit("aws-sdk-ec2", "ec2-1", true), unit("tokio", "tokio-2", false)];
        assert!(same_sdk("a", &first, "b", &second).unwrap().starts_with("1 units"));
    }

    #[test]
    fn a_second_resolution_is_seen_even_when_it_is_already_built() {
        let first = [unit("aws-sdk-ec2", "ec2-1", true)];
        let second = [unit("aws-sdk-ec2", "ec2-2", true)];
        let error = same_sdk("a", &first, "b", &second).unwrap_err().to_string();
        assert!(error.contains("another resolution"), "{error}");
    }

    #[test]
    fn compiling_the_same_again_is_seen() {
        let first = [unit("aws-sdk-ec2", "ec2-1", false)];
        let second = [unit("aws-sdk-ec2", "ec2-1", false)];
        let error = same_sdk("a", &first, "b", &second).unwrap_err().to_string();
        assert!(error.contains("once more"), "{error}");
    }

    #[test]
    fn a_gate_with_nothing_to_compare_fails() {
        assert!(same_sdk("a", &[unit("tokio", "t", true)], "b", &[]).is_err());
    }

    #[test]
    fn only_the_report_of_failures_is_shown() {
        let output = "running 2 tests\ntest a ... FAILED\n\nfailures:\n\n---- a stdout ----\nno\n\
                      test result: FAILED. 1 passed; 1 failed\nrunning 1 test\n\
                      test result: ok. 1 passed; 0 failed\n";
        let report = report_of_failures(output).unwrap();
        assert!(report.contains("---- a stdout ----") && !report.contains("running"), "{report}");
        assert_eq!(report_of_failures("test result: ok. 1 passed; 0 failed\n"), None);
    }
}
