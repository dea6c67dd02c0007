//! The stages that need namespaces: the lab's end-to-end tests, and strangers' clients in a lab.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::build::{self, Builds};
use crate::cargo;
use crate::namespaces::{Home, Identity};
use crate::process;
use crate::setup;
use crate::stage::Count;

/// Time for the end-to-end tests of one identity. Each test bounds itself far below this.
const LAB_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Time for the strangers' clients, which wait at the SDKs' own pace.
const STRANGERS_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Labs at the same time, per core: a test of the lab mostly waits. With four, two cores are busy
/// for half of the time.
const THREADS_PER_CORE: usize = 4;

/// The lab's end-to-end tests, once per identity.
///
/// They are the executable that is already built, with the binary in a folder that the identity
/// can read: a clone in root's home is closed to everybody else. So these tests may need nothing
/// of the source tree at run time, and take the binary from `CARGO_BIN_EXE_rehome` in their
/// environment, as under `cargo test`.
pub(crate) fn end_to_end(builds: &mut Builds, count: &mut Count) -> Result<String> {
    let tests = builds.lab_tests()?;
    let rehome = builds.rehome()?;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut notes = Vec::new();
    for identity in Identity::all() {
        let home = Home::new(&identity)?;
        let programs = Programs::copy(&tests, &rehome, &identity)?;
        let mut command = identity.command(&programs.path("lab"), home.path());
        command
            .env("CARGO_BIN_EXE_rehome", programs.path("rehome"))
            .env("RUST_BACKTRACE", "1")
            .args(["--test-threads", &(cores * THREADS_PER_CORE).to_string()]);
        let name = match identity {
            Identity::Caller => "lab",
            Identity::Ordinary => "lab-ordinary",
        };
        let finished = process::run(name, &mut command, &cargo::logs(), LAB_LIMIT)?;
        let mut ran = Count::default();
        ran.add_results(&finished.stdout);
        count.passed += ran.passed;
        count.failed += ran.failed;
        if !finished.status.success() {
            let report = build::report_of_failures(&finished.stdout);
            let report = report.unwrap_or_else(|| finished.tail());
            let log = finished.log.display();
            bail!("as {} ({}); all of it is in {log}\n{report}", identity.name(), finished.status);
        }
        if ran.passed == 0 {
            bail!("as {}: not one test ran", identity.name());
        }
        notes.push(format!("as {} {} passed", identity.name(), ran.passed));
    }
    Ok(notes.join(", "))
}

/// Copies of the programs where everybody may read them; gone when dropped.
struct Programs(std::path::PathBuf);

impl Programs {
    fn copy(tests: &Path, rehome: &Path, identity: &Identity) -> Result<Programs> {
        let name = format!("rehome-programs-{}-{identity:?}", std::process::id());
        let folder = std::env::temp_dir().join(name.to_lowercase());
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let programs = Programs(folder);
        fs::set_permissions(&programs.0, fs::Permissions::from_mode(0o755))?;
        for (from, to) in [(tests, "lab"), (rehome, "rehome")] {
            fs::copy(from, programs.0.join(to))
                .with_context(|| format!("cannot copy {}", from.display()))?;
            fs::set_permissions(programs.0.join(to), fs::Permissions::from_mode(0o755))?;
        }
        Ok(programs)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        // Nothing more can be done about a folder that resists; it lies in the temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An operator's own boto3 script and the AWS CLI do their work in a lab.
pub(crate) fn strangers(builds: &mut Builds) -> Result<String> {
    let rehome = builds.rehome()?;
    let mut command = Command::new(setup::python());
    command.arg(cargo::root().join("tests/strangers/run.py")).arg("--rehome").arg(rehome);
    command.arg("--agents").arg(setup::agents());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    // Python's compiled files don't belong in the source tree.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let finished =
        process::run("strangers", &mut command, &cargo::logs(), STRANGERS_LIMIT)?.success()?;
    Ok(finished.stdout.lines().last().unwrap_or_default().to_owned())
}
