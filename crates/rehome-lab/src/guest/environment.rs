//! The environment of processes on an instance.
//!
//! No setting that could lead to a real account gets in: what is let in is listed, everything
//! else of the caller's environment stays out.

use std::collections::BTreeMap;

use crate::start::STAND_INS;

/// Root's home on every instance. Not `/root`, which is the host's.
pub(crate) const HOME: &str = "/var/home/root";

/// Where Linux systems keep programs.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a command keeps of its caller's environment: how to talk to the terminal, and where the
/// caller's interpreters are.
const KEPT: [&str; 19] = [
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "COLUMNS",
    "LINES",
    "LANG",
    "LANGUAGE",
    "TZ",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "PYTHONUSERBASE",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "REHOME_LOG",
];

/// The environment in which a command of somebody with `outside` runs on an instance.
pub(crate) fn clean(outside: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let kept = |name: &str| KEPT.contains(&name) || name.starts_with("LC_");
    let mut inside: BTreeMap<String, String> = outside
        .iter()
        .filter(|(name, _value)| kept(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // Packages that the caller installed for himself belong to the home he has outside.
    if let (None, Some(home)) = (inside.get("PYTHONUSERBASE"), outside.get("HOME")) {
        inside.insert("PYTHONUSERBASE".into(), format!("{home}/.local"));
    }
    inside.extend(basic());
    if let Some(path) = outside.get("PATH").filter(|path| !path.is_empty()) {
        inside.insert("PATH".into(), format!("{STAND_INS}:{path}:{SYSTEM_PATH}"));
    }
    inside
}

/// The environment of services and user data.
pub(super) fn basic() -> BTreeMap<String, String> {
    [
        ("PATH", format!("{STAND_INS}:{SYSTEM_PATH}")),
        ("HOME", HOME.to_owned()),
        ("USER", "root".to_owned()),
        ("LOGNAME", "root".to_owned()),
        ("SHELL", "/bin/sh".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_leads_to_a_real_account_gets_in() {
        let outside: BTreeMap<String, String> = [
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_PROFILE", "production"),
            ("AWS_CONFIG_FILE", "/home/me/.aws/config"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1"),
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("BOTO_CONFIG", "/home/me/.boto"),
            ("XDG_CONFIG_HOME", "/home/me/.config"),
            ("HOME", "/home/me"),
            ("PATH", "/home/me/.pyenv/shims:/usr/bin"),
            ("TERM", "xterm"),
            ("LC_ALL", "C.UTF-8"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let inside = clean(&outside);
        assert!(!inside.keys().any(|name| name.starts_with("AWS_")));
        for gone in ["HTTPS_PROXY", "BOTO_CONFIG", "XDG_CONFIG_HOME"] {
            assert!(!inside.contains_key(gone), "{gone}");
        }
        assert_eq!(inside["HOME"], HOME);
        assert_eq!(inside["TERM"], "xterm");
        assert_eq!(inside["LC_ALL"], "C.UTF-8");
        assert_eq!(inside["PYTHONUSERBASE"], "/home/me/.local");
        assert!(inside["PATH"].starts_with("/run/rehome/bin:/home/me/.pyenv/shims:/usr/bin:"));
    }

    #[test]
    fn a_caller_without_environment_still_finds_programs() {
        assert!(clean(&BTreeMap::new())["PATH"].starts_with("/run/rehome/bin:/usr/local/sbin:"));
    }
}
