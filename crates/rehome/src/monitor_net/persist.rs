//! The same at every boot: a small systemd unit that runs `rehome monitor-net apply`.
//!
//! The unit knows the overlay address and the table; interface and router it finds anew at every
//! boot, so it survives a machine that is started again from an image in another subnet. Whoever
//! restarts the network makes it run again. systemd-networkd (Amazon Linux 2023, Ubuntu) would take
//! away rules and routes that it didn't make (networkd.conf(5), `ManageForeignRoutes=`); a second
//! small file keeps it from that.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::plan::Overlay;
use crate::fail::{FAILED, Failure, Problem};
use crate::unit::{SANDBOX, install, quoted};

/// The unit's name.
pub(super) const SERVICE: &str = "rehome-monitor-net.service";

/// Where the unit lies.
pub(super) const UNIT_PATH: &str = "/etc/systemd/system/rehome-monitor-net.service";

/// Where networkd is told what isn't its own.
pub(super) const NETWORKD_PATH: &str = "/etc/systemd/networkd.conf.d/rehome-monitor-net.conf";

/// What it is told.
pub(super) const NETWORKD: &str = "\
[Network]
ManageForeignRoutes=no
ManageForeignRoutingPolicyRules=no
";

/// The services that are the network on one system or another. Those that aren't there don't
/// matter.
const NETWORKS: &str =
    "systemd-networkd.service NetworkManager.service network.service networking.service";

/// What the unit runs for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) overlay: Overlay,
    pub(super) table: u32,
    pub(super) interface: Option<&'a str>,
}

/// The unit that runs `exe`.
#[must_use]
pub(super) fn unit(exe: &Path, target: &Target<'_>) -> String {
    let Target { overlay, table, interface } = target;
    let exe = quoted(&exe.display().to_string(), false);
    let interface =
        interface.map(|name| format!(" --interface {}", quoted(name, true))).unwrap_or_default();
    format!(
        "[Unit]\n\
         Description=rehome: overlay address {overlay} of this monitoring machine\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         # Whoever restarts the network takes the address away: then it is put back.\n\
         PartOf={NETWORKS}\n\
         After={NETWORKS}\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         ExecStart={exe} monitor-net apply --yes --no-persist --wait 2m --address {overlay} \
         --table {table}{interface}\n\
         # Longer than it waits for a default route.\n\
         TimeoutStartSec=150\n\
         DynamicUser=yes\n\
         AmbientCapabilities=CAP_NET_ADMIN\n\
         CapabilityBoundingSet=CAP_NET_ADMIN\n\
         RestrictAddressFamilies=AF_NETLINK AF_UNIX\n\
         IPAddressDeny=any\n\
         {SANDBOX}\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

/// What is there of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) unit: Option<String>,
    pub(super) networkd: Option<String>,
    pub(super) enabled: bool,
    pub(super) active: bool,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Writes a file; true where there is an older one.
    Write(&'static str, String, bool),
    Enable,
    Start,
    /// Stops and disables.
    Disable,
    Delete(&'static str),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Write(path, _, false) => write!(f, "+ file {path}"),
            Step::Write(path, _, true) => write!(f, "~ file {path} (as this command makes it)"),
            Step::Enable => write!(f, "+ {SERVICE} at every boot"),
            Step::Start => write!(f, "+ {SERVICE} started"),
            Step::Disable => write!(f, "- {SERVICE} at every boot"),
            Step::Delete(path) => write!(f, "- file {path}"),
        }
    }
}

/// What has to be done so that this unit runs at every boot.
#[must_use]
pub(super) fn plan(unit: &str, seen: &Seen) -> Vec<Step> {
    let mut steps = Vec::new();
    for (path, text, there) in
        [(NETWORKD_PATH, NETWORKD, &seen.networkd), (UNIT_PATH, unit, &seen.unit)]
    {
        if there.as_deref() != Some(text) {
            steps.push(Step::Write(path, text.to_owned(), there.is_some()));
        }
    }
    if !seen.enabled {
        steps.push(Step::Enable);
    }
    // Active it is found by whoever restarts the network; and that it starts is proof that it can.
    if !seen.active || seen.unit.as_deref() != Some(unit) {
        steps.push(Step::Start);
    }
    steps
}

/// What has to be done so that nothing is left of it, and what is left because it is another's.
#[must_use]
pub(super) fn undo(overlay: Overlay, seen: &Seen) -> (Vec<Step>, Option<String>) {
    let words = |unit: &str| {
        let mut words = unit.split_whitespace().skip_while(|word| *word != "--address");
        words.nth(1).map(str::to_owned)
    };
    let (mut steps, own) = (Vec::new(), overlay.to_string());
    if let Some(unit) = &seen.unit {
        let of = words(unit).unwrap_or_default();
        if of != own {
            return (steps, Some(format!("{UNIT_PATH}, which is for {of}")));
        }
        steps.extend([Step::Disable, Step::Delete(UNIT_PATH)]);
    }
    if seen.networkd.is_some() {
        steps.push(Step::Delete(NETWORKD_PATH));
    }
    (steps, None)
}

/// Looks at the files, and asks systemd where there is a unit.
#[must_use]
pub(super) fn look() -> Seen {
    let unit = fs::read_to_string(UNIT_PATH).ok();
    let says = |verb: &str| unit.is_some() && systemctl(&["--quiet", verb, SERVICE]).is_ok();
    Seen {
        enabled: says("is-enabled"),
        active: says("is-active"),
        networkd: fs::read_to_string(NETWORKD_PATH).ok(),
        unit,
    }
}

/// Does every step.
///
/// # Errors
/// The first that failed. The others can be done by running the command again.
pub(super) fn make(steps: &[Step]) -> Result<(), Failure> {
    for step in steps {
        match step {
            Step::Write(path, text, _) => {
                write(Path::new(path), text).map_err(|error| file(path, &error))?;
                reload(path)?;
            }
            Step::Enable => systemctl(&["enable", SERVICE])?,
            Step::Start => systemctl(&["restart", SERVICE])?,
            Step::Disable => systemctl(&["disable", "--now", SERVICE])?,
            Step::Delete(path) => {
                fs::remove_file(path).map_err(|error| file(path, &error))?;
                if let Some(folder) = Path::new(path).parent().filter(|_| *path == NETWORKD_PATH) {
                    // Made for this file; whoever else uses it keeps it.
                    let _others_files = fs::remove_dir(folder);
                }
                reload(path)?;
            }
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    install(text, path)
}

fn reload(path: &str) -> Result<(), Failure> {
    if path == UNIT_PATH { systemctl(&["daemon-reload"]) } else { Ok(()) }
}

fn file(path: &str, error: &io::Error) -> Failure {
    let what = format!("{path} can't be changed: {error}");
    Failure::new(FAILED, Problem::new(what, "run it with sudo, or with --no-persist"))
}

fn systemctl(words: &[&str]) -> Result<(), Failure> {
    let shown = format!("systemctl {}", words.join(" "));
    let output = Command::new("systemctl").args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| {
        let hint = "where there is no systemd, --no-persist changes the network only";
        Failure::new(FAILED, Problem::new(format!("`{shown}` can't be run: {error}"), hint))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let what = format!("`{shown}` failed: {}", said.trim().replace('\n', "; "));
    Err(Failure::new(FAILED, Problem::new(what, format!("`journalctl -u {SERVICE}` may say why"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missions() -> String {
        let overlay = "10.0.0.100/24".parse().unwrap();
        let target = Target { overlay, table: 200, interface: None };
        unit(Path::new("/usr/local/bin/rehome"), &target)
    }

    #[test]
    fn the_unit_finds_interface_and_router_anew_at_every_boot() {
        let unit = missions();
        let wanted = "ExecStart=/usr/local/bin/rehome monitor-net apply --yes --no-persist \
                      --wait 2m --address 10.0.0.100/24 --table 200";
        assert!(unit.lines().any(|line| line == wanted), "{unit}");
        for absent in ["enX0", "172.31.", "CAP_NET_RAW"] {
            assert!(!unit.contains(absent), "{absent}\n{unit}");
        }
    }

    #[test]
    fn nothing_is_done_where_the_unit_is_there_enabled_and_active() {
        let unit = missions();
        let seen = Seen {
            unit: Some(unit.clone()),
            networkd: Some(NETWORKD.to_owned()),
            enabled: true,
            active: true,
        };
        assert_eq!(plan(&unit, &seen), []);
        let fresh = plan(&unit, &Seen::default());
        let shown: Vec<String> = fresh.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "+ file /etc/systemd/networkd.conf.d/rehome-monitor-net.conf",
                "+ file /etc/systemd/system/rehome-monitor-net.service",
                "+ rehome-monitor-net.service at every boot",
                "+ rehome-monitor-net.service started",
            ]
        );
        let older = Seen { unit: Some("old".to_owned()), ..seen };
        assert_eq!(plan(&unit, &older), [Step::Write(UNIT_PATH, unit.clone(), true), Step::Start,]);
    }

    #[test]
    fn undoing_takes_the_unit_of_this_address_only() {
        let seen = Seen { unit: Some(missions()), enabled: true, ..Seen::default() };
        let own = undo("10.0.0.100/24".parse().unwrap(), &seen);
        assert_eq!(own, (vec![Step::Disable, Step::Delete(UNIT_PATH)], None));
        let (steps, left) = undo("10.0.0.101/24".parse().unwrap(), &seen);
        assert_eq!(steps, []);
        assert!(left.unwrap().ends_with("which is for 10.0.0.100/24"));
        assert_eq!(undo("10.0.0.100/24".parse().unwrap(), &Seen::default()), (vec![], None));
    }

    /// systemd's own judgment, where systemd is there to give it.
    #[test]
    fn systemd_finds_no_fault_and_little_exposure() {
        let folder = std::env::temp_dir().join(format!("rehome-monitor-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(SERVICE);
        // The program has to be there, or `verify` says that it isn't.
        install(&missions().replace("/usr/local/bin/rehome", "/bin/true"), &path).unwrap();
        let analyze =
            |args: &[&str]| Command::new("systemd-analyze").args(args).arg(&path).output().ok();
        if let (Some(verify), Some(security)) = (
            analyze(&["verify", "--man=no"]),
            analyze(&["security", "--offline=true", "--threshold=16"]),
        ) {
            let said = String::from_utf8_lossy(&verify.stderr).into_owned();
            assert!(verify.status.success() && !said.contains(SERVICE), "{said}");
            // The threshold is in tenths: exposure of at most 1.6.
            assert!(security.status.success(), "{}", String::from_utf8_lossy(&security.stdout));
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
