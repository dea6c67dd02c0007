//! Cargo as this program calls it, and what cargo says it built.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Variables that `cargo run` sets for this program and that must not reach the cargo it starts.
/// Build scripts watch some of them (ring's watches `CARGO_PKG_NAME` and `CARGO_MANIFEST_DIR`), so
/// everything above ring, the SDK included, would be compiled once more than in a plain shell.
const SET_BY_CARGO_RUN: [&str; 4] =
    ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_MANIFEST_", "CARGO_PKG_"];

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask lies in the repository").to_owned()
}

/// Where cargo builds: `CARGO_TARGET_DIR`, else `target`.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) if !folder.is_empty() => root().join(folder),
        _ => root().join("target"),
    }
}

/// Where the stages' logs go.
pub(crate) fn logs() -> PathBuf {
    target().join("xtask")
}

/// `cargo` with these arguments, at the root, in the environment of the shell that called us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if SET_BY_CARGO_RUN.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// One unit that cargo built, or found built: a line of `--message-format=json`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Artifact {
    /// The package's id, `registry+…#name@version` or `path+file://…`.
    pub(crate) package: String,
    /// `lib`, `bin`, `test`, `custom-build`, ..
    pub(crate) kind: String,
    /// The target's name.
    pub(crate) name: String,
    /// Built with the test harness.
    pub(crate) test: bool,
    /// The files, as cargo lists them. Their names carry a hash of features, profile and
    /// dependencies, so one package built in two ways shows as two lists.
    pub(crate) files: String,
    /// What can be run, of executables.
    pub(crate) executable: Option<PathBuf>,
    /// Found built, not built now.
    pub(crate) fresh: bool,
}

impl Artifact {
    /// Parses one line; `None` when it is no artifact.
    ///
    /// By plain search, as this crate has no JSON parser: cargo's lines have one field of each
    /// name that is asked for here, and no escapes in any that is used.
    fn parse(line: &str) -> Option<Artifact> {
        let line = line.strip_prefix("{\"reason\":\"compiler-artifact\",")?;
        let target = after(line, "\"target\":{")?;
        let profile = after(line, "\"profile\":{")?;
        Some(Artifact {
            package: string(line, "\"package_id\":\"")?,
            kind: string(target, "\"kind\":[\"")?,
            name: string(target, "\"name\":\"")?,
            test: after(profile, "\"test\":")?.starts_with("true"),
            files: after(line, "\"filenames\":[")?.split(']').next()?.to_owned(),
            executable: string(line, "\"executable\":\"").map(PathBuf::from),
            fresh: after(line, "\"fresh\":")?.starts_with("true"),
        })
    }

    /// A part of the AWS SDK: `aws-sdk-ec2`, `aws-config`, `aws-smithy-…` from the registry.
    pub(crate) fn is_sdk(&self) -> bool {
        self.package.rsplit_once('#').is_some_and(|(_, name)| name.starts_with("aws-"))
    }
}

/// Every artifact that cargo's messages name.
pub(crate) fn artifacts(messages: &str) -> Vec<Artifact> {
    messages.lines().filter_map(Artifact::parse).collect()
}

fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_once(key).map(|(_, after)| after)
}

fn string(text: &str, key: &str) -> Option<String> {
    after(text, key)?.split('"').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC2: &str = concat!(
        r#"{"reason":"compiler-artifact","package_id":"registry+https://github.com/rust-lang/"#,
        r#"crates.io-index#aws-sdk-ec2@1.274.0","manifest_path":"/r/Cargo.toml","target":{"#,
        r#""kind":["lib"],"crate_types":["lib"],"name":"aws_sdk_ec2","src_path":"/r/src/lib.rs","#,
        r#""edition":"2021","doc":true,"doctest":true,"test":true},"profile":{"opt_level":"0","#,
        r#""debuginfo":0,"debug_assertions":true,"overflow_checks":true,"test":false},"#,
        r#""features":["rt-tokio"],"filenames":["/t/libaws_sdk_ec2-1.rlib"],"#,
        r#""executable":null,"fresh":false}"#
    );

    const LAB: &str = concat!(
        r#"{"reason":"compiler-artifact","package_id":"path+file:///w/crates/rehome#0.0.0","#,
        r#""manifest_path":"/w/Cargo.toml","target":{"kind":["test"],"crate_types":["bin"],"#,
        r#""name":"lab","src_path":"/w/tests/lab/main.rs","edition":"2024","doc":false,"#,
        r#""doctest":false,"test":true},"profile":{"opt_level":"0","debuginfo":2,"test":true},"#,
        r#""features":[],"filenames":["/t/lab-2"],"executable":"/t/lab-2","fresh":true}"#
    );

    #[test]
    fn artifacts_are_read_from_cargos_messages() {
        let messages = format!("{EC2}\n{{\"reason\":\"build-finished\"}}\nrunning\n{LAB}\n");
        let [ec2, lab] = artifacts(&messages).try_into().unwrap();
        assert!(ec2.is_sdk() && !ec2.test && !ec2.fresh);
        assert_eq!((ec2.kind.as_str(), ec2.name.as_str()), ("lib", "aws_sdk_ec2"));
        assert_eq!(ec2.files, "\"/t/libaws_sdk_ec2-1.rlib\"");
        assert_eq!(ec2.executable, None);
        assert!(!lab.is_sdk() && lab.test && lab.fresh);
        assert_eq!((lab.kind.as_str(), lab.name.as_str()), ("test", "lab"));
        assert_eq!(lab.executable, Some(PathBuf::from("/t/lab-2")));
    }

    #[test]
    fn a_crate_of_ours_is_no_part_of_the_sdk_wherever_it_lies() {
        let elsewhere = LAB.replace("/w/crates", "/aws-work/crates");
        let [lab] = artifacts(&elsewhere).try_into().unwrap();
        assert!(!lab.is_sdk());
    }
}
