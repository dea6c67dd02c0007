//! Whether this host lets the lab's namespaces be made, and for whom.
//!
//! Found by trying each step, as the answer depends on more than one setting: a container may
//! forbid `unshare` or only the mounts after it, and Ubuntu's AppArmor lets an ordinary user
//! unshare and then denies everything that makes it useful.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::setup;

/// The account that runs the lab's tests as an ordinary user where the caller is root.
const ORDINARY_USER: &str = "rehome-test";

/// The PATH of an ordinary user on Debian: without the administrators' folders.
const ORDINARY_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Root's PATH on Debian.
const ROOT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the lab does to a host, one step building on the other, and what to do where it's denied.
const STEPS: [(&str, &str, &str); 6] = [
    (
        "make a user namespace",
        "true",
        "in a container, allow it (Docker: --security-opt seccomp=unconfined); on a host, \
         sysctl user.max_user_namespaces",
    ),
    (
        "mount a tmpfs in it",
        "mount -t tmpfs none /run",
        "Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0; \
         Docker: --security-opt apparmor=unconfined",
    ),
    (
        "mount /proc in it",
        "mount -t proc proc /proc",
        "in a container, /proc must not be masked (Docker: --security-opt systempaths=unconfined)",
    ),
    (
        "make a pair of virtual interfaces",
        "ip link add name probe0 type veth peer name probe1",
        "modprobe veth",
    ),
    (
        "allow ping in a network namespace",
        "echo 0 0 > /proc/sys/net/ipv4/ping_group_range",
        "/proc/sys must be writable inside (Docker: --security-opt systempaths=unconfined)",
    ),
    ("make an nftables table", "nft add table ip probe", "modprobe nf_tables"),
];

/// Somebody the lab's tests run as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Identity {
    /// Whoever called, root or not.
    Caller,
    /// An account without rights; only root can lend its name.
    Ordinary,
}

impl Identity {
    /// Everybody the tests run as here: an ordinary user as itself; root as itself and as an
    /// ordinary user, since the lab works differently for the two.
    pub(crate) fn all() -> Vec<Identity> {
        if setup::is_root() {
            vec![Identity::Caller, Identity::Ordinary]
        } else {
            vec![Identity::Caller]
        }
    }

    /// For messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Identity::Caller if setup::is_root() => "root",
            Identity::Caller => "this user",
            Identity::Ordinary => "an ordinary user",
        }
    }

    /// A command run by this identity, knowing nothing of the caller's environment: no AWS
    /// settings, no cargo, another home.
    pub(crate) fn command(&self, program: &str, home: &std::path::Path) -> Command {
        let root = setup::is_root() && *self == Identity::Caller;
        let mut command = match self {
            Identity::Caller => Command::new(program),
            Identity::Ordinary => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={ORDINARY_USER}"));
                command.arg(format!("--regid={ORDINARY_USER}"));
                command.args(["--clear-groups", "--inh-caps=-all", "--", program]);
                command
            }
        };
        command
            .env_clear()
            .env("PATH", if root { ROOT_PATH } else { ORDINARY_PATH })
            .env("HOME", home)
            .env("TMPDIR", home)
            .env("LANG", "C.UTF-8")
            .current_dir(home);
        command
    }

    /// Makes the account if there is none.
    fn prepare(&self) -> Result<()> {
        if *self == Identity::Caller || user_id().is_ok() {
            return Ok(());
        }
        let arguments = ["--system", "--no-create-home", "--user-group"];
        let status = Command::new("useradd")
            .args(arguments)
            .args(["--shell", "/usr/sbin/nologin", ORDINARY_USER])
            .stdin(Stdio::null())
            .status()
            .context("cannot start useradd")?;
        if !status.success() {
            bail!("useradd could not make the account {ORDINARY_USER}: {status}");
        }
        Ok(())
    }
}

/// A folder of an identity's own, gone when dropped.
pub(crate) struct Home(PathBuf);

impl Home {
    /// Makes the folder, and the account where one is needed.
    ///
    /// # Errors
    ///
    /// When the account or the folder can't be made.
    pub(crate) fn new(identity: &Identity) -> Result<Home> {
        identity.prepare()?;
        let name = format!("rehome-test-{}-{:?}", std::process::id(), identity);
        let path = std::env::temp_dir().join(name.to_lowercase());
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let home = Home(path);
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700))?;
        if *identity == Identity::Ordinary {
            let id = user_id()?;
            chown(home.path(), Some(id), Some(id))
                .with_context(|| format!("cannot give a folder to {ORDINARY_USER}"))?;
        }
        Ok(home)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Nothing more can be done about a folder that resists; it lies in the temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The ordinary account's user id, which is its group's too.
fn user_id() -> Result<u32> {
    let accounts = fs::read_to_string("/etc/passwd")?;
    let prefix = format!("{ORDINARY_USER}:");
    let account = accounts.lines().find_map(|line| line.strip_prefix(&prefix));
    let id = account.and_then(|fields| fields.split(':').nth(1)).context("no such account")?;
    Ok(id.parse()?)
}

/// Tries every step as everybody the tests run as.
///
/// # Errors
///
/// Names who may not do what, and how to change that or go on without the lab.
pub(crate) fn probe_all() -> Result<()> {
    let mut refused = Vec::new();
    for identity in Identity::all() {
        if let Err(error) = probe(&identity) {
            refused.push(format!("  as {}: {error:#}", identity.name()));
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    bail!(
        "this host forbids what the lab needs, so its end-to-end tests and the strangers' clients \
         cannot run:\n{}\nhint: --no-lab runs everything else",
        refused.join("\n")
    )
}

fn probe(identity: &Identity) -> Result<()> {
    let home = Home::new(identity)?;
    // Each step is tried with all before it, so the first that fails is the one that is denied.
    let mut script = String::from("set -e; PATH=$PATH:/usr/sbin:/sbin");
    for (step, commands, remedy) in STEPS {
        script = format!("{script}; {commands}");
        let output = identity
            .command("unshare", home.path())
            .args(["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork"])
            .args(["sh", "-c", &script])
            .stdin(Stdio::null())
            .output()
            .context("cannot start unshare")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("cannot {step}: {}\n    hint: {remedy}", said.trim());
        }
    }
    Ok(())
}
