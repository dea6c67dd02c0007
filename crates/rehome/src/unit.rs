//! `rehome install-unit`: the systemd unit of a configuration.
//!
//! The process gets a user of its own that exists while it runs, one directory to write to, raw
//! ICMP as its only capability, and a watchdog that only the decision loop feeds. The template is
//! handed over as a credential: systemd reads it as root and shows a copy to the process, so that
//! it may lie under /root or /home, which the process itself can't see. That needs systemd 247 or
//! later (Amazon Linux 2023, Debian 11, Ubuntu 22.04 have it; Amazon Linux 2 doesn't).

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The flag whose file becomes a credential.
const TEMPLATE_FLAG: &str = "--user-data-file";

/// The flag that `StateDirectory=` makes superfluous: nothing else could be written to.
const STATE_FLAG: &str = "--state-dir";

/// The flag whose file can be read again.
const CONFIG_FLAG: &str = "--config";

/// What this service may do and reach.
const RIGHTS: &str = "\
DynamicUser=yes
StateDirectory=rehome
StateDirectoryMode=0700
AmbientCapabilities=CAP_NET_RAW
CapabilityBoundingSet=CAP_NET_RAW
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
";

/// What no service of ours needs.
pub(crate) const SANDBOX: &str = "\
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateIPC=yes
PrivateMounts=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes
DevicePolicy=closed
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
KeyringMode=private
LimitCORE=0
MemoryMax=256M
TasksMax=64
";

/// Room for the many addresses of a file: the last word on a setting counts.
const ROOM: &str = "\
MemoryMax=4G
TasksMax=16384
LimitNOFILE=262144
";

/// The unit that runs `exe` with `args` (those after the program's name) and `env`.
///
/// Paths in `exe` and behind `--user-data-file` have to be absolute: the unit starts in `/`.
#[must_use]
pub(crate) fn unit(exe: &Path, args: &[String], env: &[(String, String)]) -> String {
    let (args, template) = without_files(args);
    let mut text = String::from(
        "[Unit]\n\
         Description=rehome: keeps an overlay IP address alive on EC2\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         # It must never be given up: nobody else watches.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=notify\n\
         NotifyAccess=main\n\
         WatchdogSec=10\n\
         Restart=always\n\
         RestartSec=2\n\
         # A configuration that can't work (exit 2) isn't cured by starting it again.\n\
         RestartPreventExitStatus=2\n\
         # SIGTERM in the middle of a cut finishes or rolls back that cut within 5 s.\n\
         TimeoutStopSec=15\n",
    );
    for (name, value) in env {
        line(&mut text, "Environment", &quoted(&format!("{name}={value}"), false));
    }
    if let Some(template) = template {
        // The path is taken as it stands but for specifiers: no quotes, up to the line's end.
        line(&mut text, "LoadCredential", &format!("user-data:{}", specifiers(&template)));
    }
    let mut command = quoted(&exe.display().to_string(), false);
    for arg in &args {
        command.push(' ');
        command.push_str(&match arg {
            Arg::Given(text) => quoted(text, true),
            // systemd.exec(5), "LoadCredential=", recommends exactly this for command lines.
            Arg::Credential => "${CREDENTIALS_DIRECTORY}/user-data".to_owned(),
        });
    }
    line(&mut text, "ExecStart", &command);
    let of_file = args.contains(&Arg::Given(CONFIG_FLAG.to_owned()));
    if of_file {
        line(&mut text, "ExecReload", "/bin/kill -HUP $MAINPID");
    }
    text.push('\n');
    text.push_str(RIGHTS);
    text.push_str(SANDBOX);
    if of_file {
        text.push_str(ROOM);
    }
    text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
    text
}

/// Where the unit is installed: that of one address, or of all addresses of a file.
#[must_use]
pub(crate) fn path(vip: Option<Ipv4Addr>) -> PathBuf {
    let name = vip.map_or("rehome".to_owned(), |vip| format!("rehome-{vip}"));
    PathBuf::from(format!("/etc/systemd/system/{name}.service"))
}

/// Writes the unit to `path` in one step, readable for everybody as units are.
///
/// # Errors
/// Where it can't be written; the old unit is then still there.
pub(crate) fn install(text: &str, path: &Path) -> io::Result<()> {
    // systemd ignores files that don't end like a unit.
    let temporary = path.with_extension("service.new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

#[derive(Debug, PartialEq, Eq)]
enum Arg {
    Given(String),
    Credential,
}

/// The arguments for the unit, and the template's path, which it gets as a credential.
fn without_files(args: &[String]) -> (Vec<Arg>, Option<String>) {
    let (mut kept, mut template) = (Vec::new(), None);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) if flag == TEMPLATE_FLAG || flag == STATE_FLAG => {
                (flag, Some(value.to_owned()))
            }
            Some(_) | None => (arg.as_str(), None),
        };
        if flag != TEMPLATE_FLAG && flag != STATE_FLAG {
            kept.push(Arg::Given(arg.clone()));
            continue;
        }
        let value = value.or_else(|| rest.next().cloned());
        if flag == TEMPLATE_FLAG {
            kept.extend([Arg::Given(TEMPLATE_FLAG.to_owned()), Arg::Credential]);
            template = value;
        }
    }
    (kept, template)
}

fn line(text: &mut String, key: &str, value: &str) {
    writeln!(text, "{key}={value}").expect("writing to a String can't fail");
}

/// One word of a unit file's command line (systemd.service(5), "Command lines", and
/// systemd.syntax(7), "Quoting"): nothing in it is split, expanded or taken for a specifier.
pub(crate) fn quoted(word: &str, variables: bool) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut text = String::from("\"");
    for c in specifiers(word).chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '$' if variables => text.push_str("$$"),
            _ => text.push(c),
        }
    }
    text.push('"');
    text
}

fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn missions() -> String {
        unit(
            Path::new("/usr/local/bin/rehome"),
            &words(
                "run --instance-id i-1234567890abcdef0 --security-group sg-0123456789abcdef0 \
                 --keypair my-keypair --user-data-file /root/userdata_template.sh \
                 --route-destination 10.0.0.10/32",
            ),
            &[("AWS_DEFAULT_REGION".to_owned(), "us-east-1".to_owned())],
        )
    }

    #[test]
    fn the_missions_command_becomes_a_unit_with_its_template_as_a_credential() {
        let unit = missions();
        for line in [
            "Type=notify",
            "WatchdogSec=10",
            "Environment=AWS_DEFAULT_REGION=us-east-1",
            "LoadCredential=user-data:/root/userdata_template.sh",
            "ExecStart=/usr/local/bin/rehome run --instance-id i-1234567890abcdef0 \
             --security-group sg-0123456789abcdef0 --keypair my-keypair \
             --user-data-file ${CREDENTIALS_DIRECTORY}/user-data --route-destination 10.0.0.10/32",
        ] {
            assert!(unit.lines().any(|of_unit| of_unit == line), "{line}\n{unit}");
        }
    }

    #[test]
    fn the_template_is_found_in_both_spellings_and_a_state_directory_goes() {
        for args in ["run --user-data-file=/a b", "run --state-dir=/x --user-data-file /a b"] {
            let (kept, template) = without_files(&words(args));
            assert_eq!(template.as_deref(), Some("/a"));
            let given = |text: &str| Arg::Given(text.to_owned());
            let wanted = [given("run"), given(TEMPLATE_FLAG), Arg::Credential, given("b")];
            assert_eq!(kept, wanted, "{args}");
        }
        assert_eq!(without_files(&words("run --state-dir /x")).0.len(), 1);
    }

    #[test]
    fn nothing_in_an_argument_is_split_expanded_or_ends_the_line() {
        for (word, wanted) in [
            ("plain-word_1./:=,@+", "plain-word_1./:=,@+"),
            ("", "\"\""),
            ("my key", "\"my key\""),
            ("100%", "\"100%%\""),
            ("$HOME", "\"$$HOME\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("a\nExecStop=/bin/false", "\"a\\nExecStop=/bin/false\""),
            (";", "\";\""),
        ] {
            assert_eq!(quoted(word, true), wanted);
        }
    }

    #[test]
    fn the_unit_is_there_as_a_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("rehome-unit-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("rehome-10.0.0.10.service");
        install("old", &path).unwrap();
        install("new", &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    /// systemd's own judgment, where systemd is there to give it.
    #[test]
    fn systemd_finds_no_fault_and_little_exposure() {
        let folder = std::env::temp_dir().join(format!("rehome-judged-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("rehome-10.0.0.10.service");
        // The program has to be there, or `verify` says that it isn't.
        install(&missions().replace("/usr/local/bin/rehome", "/bin/true"), &path).unwrap();
        let analyze =
            |args: &[&str]| Command::new("systemd-analyze").args(args).arg(&path).output().ok();
        if let (Some(verify), Some(security)) = (
            analyze(&["verify", "--man=no"]),
            analyze(&["security", "--offline=true", "--threshold=16"]),
        ) {
            let said = String::from_utf8_lossy(&verify.stderr).into_owned();
            assert!(verify.status.success() && !said.contains("rehome-10.0.0.10"), "{said}");
            // The threshold is in tenths: exposure of at most 1.6.
            assert!(security.status.success(), "{}", String::from_utf8_lossy(&security.stdout));
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_unit_of_a_file_can_read_it_again_and_has_room() {
        let args = ["run", "--config", "/etc/rehome/rehome.toml"].map(str::to_owned);
        let text = unit(Path::new("/usr/local/bin/rehome"), &args, &[]);
        let start = "ExecStart=/usr/local/bin/rehome run --config /etc/rehome/rehome.toml\n";
        assert!(text.contains(start), "{text}");
        assert!(text.contains("ExecReload=/bin/kill -HUP $MAINPID\n"), "{text}");
        assert!(text.rfind("TasksMax=16384") > text.rfind("TasksMax=64\n"), "{text}");
        assert!(!text.contains("LoadCredential"), "{text}");
        assert_eq!(path(None), Path::new("/etc/systemd/system/rehome.service"));
    }
}
