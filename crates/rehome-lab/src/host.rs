//! What the lab needs of its host: three programs and a handful of kernel steps.
//!
//! Programs are looked for before anything is started. Whether the kernel permits a step is found
//! out by taking it; a refusal becomes a [`Refusal`] that names the step and what to do about it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

/// The programs a lab runs, with the Debian package of each.
const PROGRAMS: [(&str, &str); 3] =
    [("ip", "iproute2"), ("nft", "nftables"), ("ping", "iputils-ping")];

/// Folders that an ordinary user's `PATH` may lack.
const SYSTEM_FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// Programs that a lab needs and this host lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPrograms(Vec<(&'static str, &'static str)>);

impl std::error::Error for MissingPrograms {}

impl fmt::Display for MissingPrograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| *name).collect();
        let packages: Vec<&str> = self.0.iter().map(|(_, package)| *package).collect();
        writeln!(f, "the lab needs {}, not found on this host", names.join(", "))?;
        write!(f, "hint: apt install {}", packages.join(" "))
    }
}

/// Looks for every program of the lab.
///
/// # Errors
/// All that are missing, with the line that installs exactly those.
pub fn find_programs() -> Result<(), MissingPrograms> {
    missing(|name| program(name).is_ok())
}

fn missing(found: impl Fn(&str) -> bool) -> Result<(), MissingPrograms> {
    let lacking: Vec<_> = PROGRAMS.into_iter().filter(|(name, _)| !found(name)).collect();
    if lacking.is_empty() { Ok(()) } else { Err(MissingPrograms(lacking)) }
}

/// The path of a program, looked for in `PATH` and where systems keep their own.
pub(crate) fn program(name: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM_FOLDERS.map(PathBuf::from));
    let mut candidates = folders.filter(|f| f.is_absolute()).map(|folder| folder.join(name));
    candidates
        .find(|file| nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} not found")))
}

/// A step that the kernel takes for the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A user namespace with its id maps.
    UserNamespace,
    /// Mount propagation switched off.
    PrivateMounts,
    /// The host's files made read-only.
    ReadOnlyHost,
    /// Mount, network, PID, UTS and IPC namespaces.
    Namespaces,
    /// A tmpfs on `/run`.
    PrivateRun,
    /// A `/proc` of the new PID namespace.
    Proc,
    /// Forwarding and ICMP of the new network namespace.
    Router,
    /// Its packet filter: tracked connections, marks, random numbers.
    Filter,
    /// A pair of virtual Ethernet devices.
    Wire,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::UserNamespace => "making a user namespace",
            Step::PrivateMounts => "making its mounts private",
            Step::ReadOnlyHost => "making the host's files read-only inside (needs Linux 5.12)",
            Step::Namespaces => "making mount, network and PID namespaces",
            Step::PrivateRun => "mounting a tmpfs on /run inside",
            Step::Proc => "mounting /proc inside",
            Step::Router => "setting up the router's network namespace",
            Step::Filter => {
                "loading the router's packet filter (nftables with connection tracking)"
            }
            Step::Wire => "making a pair of veth devices",
        })
    }
}

/// The host refused a step.
#[derive(Debug)]
pub(crate) struct Refusal {
    step: Step,
    cause: String,
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// For `map_err`: the refusal of `step` with what the kernel said.
    pub(crate) fn of<E: fmt::Display>(step: Step) -> impl FnOnce(E) -> Refusal {
        // The alternate form of an `anyhow::Error` is its whole chain.
        move |error| Refusal { step, cause: format!("{error:#}") }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this host refuses a step that the lab needs: {}: {}", self.step, self.cause)?;
        for remedy in remedies(self.step, &Facts::read()) {
            write!(f, "\nhint: {remedy}")?;
        }
        Ok(())
    }
}

/// What on this host may forbid a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    root: bool,
    container: bool,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu 23.10 and later).
    apparmor: bool,
    /// `kernel.unprivileged_userns_clone` is 0 (Debian's and Arch's kernels have it).
    clone_off: bool,
    /// `user.max_user_namespaces` is 0.
    none_allowed: bool,
}

impl Facts {
    fn read() -> Facts {
        let knob = |path: &str, value: &str| {
            fs::read_to_string(format!("/proc/sys/{path}")).is_ok_and(|text| text.trim() == value)
        };
        let marks = ["/.dockerenv", "/run/.containerenv"];
        Facts {
            root: geteuid().is_root(),
            container: marks.iter().any(|mark| Path::new(mark).exists()),
            apparmor: knob("kernel/apparmor_restrict_unprivileged_userns", "1"),
            clone_off: knob("kernel/unprivileged_userns_clone", "0"),
            none_allowed: knob("user/max_user_namespaces", "0"),
        }
    }
}

/// What may help, likeliest first.
fn remedies(step: Step, facts: &Facts) -> Vec<&'static str> {
    let mut remedies = Vec::new();
    if step == Step::Filter {
        remedies.push(
            "sudo modprobe -a nf_tables nf_conntrack nft_ct nft_numgen, on a kernel that has them \
             as modules",
        );
    }
    if facts.none_allowed {
        remedies.push("sudo sysctl user.max_user_namespaces=10000");
    }
    if facts.clone_off && !facts.root {
        remedies.push("sudo sysctl kernel.unprivileged_userns_clone=1");
    }
    if facts.apparmor && !facts.root {
        remedies.push(
            "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu lets only known \
             programs use user namespaces)",
        );
    }
    if facts.container {
        remedies.push(
            "start the container with --privileged, or with --security-opt seccomp=unconfined \
             --security-opt apparmor=unconfined --security-opt systempaths=unconfined",
        );
    }
    if remedies.is_empty() {
        remedies.push(if facts.root {
            "in a container or sandbox, allow namespaces and mounts (Docker: --privileged)"
        } else {
            "try it as root, or allow user namespaces, mounts and network devices in them"
        });
    }
    remedies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_missing_programs_are_named() {
        assert_eq!(missing(|_name| true), Ok(()));
        let error = missing(|name| name == "ip").expect_err("two are missing");
        assert_eq!(
            error.to_string(),
            "the lab needs nft, ping, not found on this host\n\
             hint: apt install nftables iputils-ping"
        );
    }

    #[test]
    fn a_refusal_names_the_step_the_cause_and_a_remedy() {
        let cause = io::Error::from_raw_os_error(1);
        let text = Refusal::of(Step::UserNamespace)(cause).to_string();
        assert!(text.contains("making a user namespace: Operation not permitted"), "{text}");
        assert!(text.contains("\nhint: "), "{text}");
    }

    #[test]
    fn each_knob_has_its_remedy() {
        let first = |facts: Facts| remedies(Step::UserNamespace, &facts)[0];
        assert!(remedies(Step::Filter, &Facts::default())[0].contains("nf_conntrack"));
        let none = Facts::default;
        assert!(first(Facts { none_allowed: true, ..none() }).contains("max_user_namespaces"));
        assert!(first(Facts { clone_off: true, ..none() }).contains("unprivileged_userns_clone"));
        assert!(first(Facts { apparmor: true, ..none() }).contains("apparmor_restrict"));
        assert!(first(Facts { container: true, ..none() }).contains("--privileged"));
        // Root isn't bound by what holds for unprivileged users.
        let root = Facts { root: true, apparmor: true, clone_off: true, ..none() };
        assert!(first(root).contains("--privileged"));
        assert!(first(none()).contains("as root"));
    }
}
