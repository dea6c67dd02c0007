//! Unit files: what of systemd's format a service on an instance may use.
//!
//! Pure. Settings that aren't known here are skipped, as systemd does with a warning.

use std::collections::BTreeMap;

/// How a service's first process relates to the service, see systemd.service(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The process is the service: `simple`, `exec`, `idle`, and `notify` and `dbus`, whose
    /// signals nobody waits for here.
    Simple,
    /// The service is up when the process has ended well.
    Oneshot,
    /// The process leaves others behind and ends.
    Forking,
}

/// One command of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Program and arguments, variables not yet filled in.
    pub(super) words: Vec<String>,
    /// A failure counts as success (`-` in front).
    pub(super) may_fail: bool,
}

/// `ConditionPathExists=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// Absolute path.
    pub(super) path: String,
    /// It must not exist (`!` in front).
    pub(super) negated: bool,
}

/// A service as its unit file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) description: String,
    pub(super) after: Vec<String>,
    pub(super) conditions: Vec<Condition>,
    pub(super) kind: Kind,
    pub(super) remain_after_exit: bool,
    /// `Environment=`, `NAME=value` each.
    pub(super) environment: Vec<String>,
    /// `EnvironmentFile=`, still with its `-`.
    pub(super) environment_files: Vec<String>,
    pub(super) working_directory: Option<String>,
    pub(super) start_pre: Vec<Line>,
    pub(super) start: Vec<Line>,
    pub(super) start_post: Vec<Line>,
    pub(super) stop: Vec<Line>,
    /// Seconds until a start that doesn't end has failed; `None` for never.
    pub(super) start_timeout: Option<u64>,
    /// `WantedBy=` and `RequiredBy=` of `[Install]`.
    pub(super) wanted_by: Vec<String>,
}

/// systemd's `DefaultTimeoutStartSec=`.
const DEFAULT_START_TIMEOUT_S: u64 = 90;

impl Default for Unit {
    fn default() -> Unit {
        Unit {
            description: String::new(),
            after: Vec::new(),
            conditions: Vec::new(),
            kind: Kind::Simple,
            remain_after_exit: false,
            environment: Vec::new(),
            environment_files: Vec::new(),
            working_directory: None,
            start_pre: Vec::new(),
            start: Vec::new(),
            start_post: Vec::new(),
            stop: Vec::new(),
            start_timeout: Some(DEFAULT_START_TIMEOUT_S),
            wanted_by: Vec::new(),
        }
    }
}

impl Unit {
    /// Reads a unit file. `name` fills in `%n` and `%N`.
    pub(super) fn parse(text: &str, name: &str) -> Unit {
        let mut unit = Unit::default();
        let mut kind_given = false;
        let mut section = String::new();
        for line in logical_lines(text) {
            if let Some(title) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                title.clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=') {
                let value = fill_specifiers(value.trim(), name);
                kind_given |= key.trim() == "Type";
                unit.set(&section, key.trim(), &value);
            }
        }
        // Without a command to be the service, it is what its other commands do.
        if !kind_given && unit.start.is_empty() {
            unit.kind = Kind::Oneshot;
        }
        unit
    }

    fn set(&mut self, section: &str, key: &str, value: &str) {
        match (section, key) {
            ("Unit", "Description") => value.clone_into(&mut self.description),
            ("Unit", "After") => extend_words(&mut self.after, value),
            ("Unit", "ConditionPathExists" | "AssertPathExists") => {
                let value = value.trim_start_matches('|').trim();
                let path = value.trim_start_matches('!').trim().to_owned();
                self.conditions.push(Condition { negated: value.starts_with('!'), path });
            }
            ("Service", "Type") => {
                self.kind = match value {
                    "oneshot" => Kind::Oneshot,
                    "forking" => Kind::Forking,
                    _others => Kind::Simple,
                }
            }
            ("Service", "RemainAfterExit") => self.remain_after_exit = is_true(value),
            ("Service", "Environment") => extend_words(&mut self.environment, value),
            ("Service", "EnvironmentFile") => push_or_clear(&mut self.environment_files, value),
            ("Service", "WorkingDirectory") => self.working_directory = Some(value.to_owned()),
            ("Service", "ExecStartPre") => extend_lines(&mut self.start_pre, value),
            ("Service", "ExecStart") => extend_lines(&mut self.start, value),
            ("Service", "ExecStartPost") => extend_lines(&mut self.start_post, value),
            ("Service", "ExecStop") => extend_lines(&mut self.stop, value),
            ("Service", "TimeoutSec" | "TimeoutStartSec") => self.start_timeout = seconds(value),
            ("Install", "WantedBy" | "RequiredBy") => extend_words(&mut self.wanted_by, value),
            _unknown => {}
        }
    }
}

/// Lines without comments, those that end in a backslash joined with the next.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pending: Option<String> = None;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(['#', ';']) || (line.is_empty() && pending.is_none()) {
            continue;
        }
        let (part, goes_on) = match line.strip_suffix('\\') {
            Some(part) => (part.trim_end(), true),
            None => (line, false),
        };
        let whole = match pending.take() {
            Some(before) => format!("{before} {part}"),
            None => part.to_owned(),
        };
        if goes_on {
            pending = Some(whole);
        } else {
            lines.push(whole);
        }
    }
    lines.extend(pending);
    lines
}

fn fill_specifiers(value: &str, name: &str) -> String {
    let mut filled = String::new();
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        filled.push_str(&rest[..at]);
        let known = match rest[at + 1..].chars().next() {
            Some('%') => "%",
            Some('n') => name,
            Some('N' | 'p') => name.strip_suffix(".service").unwrap_or(name),
            Some(_) | None => {
                filled.push('%');
                rest = &rest[at + 1..];
                continue;
            }
        };
        filled.push_str(known);
        rest = &rest[at + 2..];
    }
    filled + rest
}

fn is_true(value: &str) -> bool {
    ["yes", "true", "on", "1"].contains(&value.to_ascii_lowercase().as_str())
}

/// `90`, `90s`, `5min`, `0` and `infinity`. What isn't understood is systemd's default.
fn seconds(value: &str) -> Option<u64> {
    let digits = value.trim_end_matches(|c: char| c.is_alphabetic() || c == ' ');
    let unit = value[digits.len()..].trim();
    match (digits.parse::<u64>(), unit) {
        (Ok(0), _) => None,
        (Err(_), "infinity") => None,
        (Ok(count), "" | "s" | "sec" | "seconds") => Some(count),
        (Ok(count), "m" | "min" | "minutes") => Some(count.saturating_mul(60)),
        (Ok(count), "ms") => Some(count.div_ceil(1000)),
        (Ok(_) | Err(_), _) => Some(DEFAULT_START_TIMEOUT_S),
    }
}

/// An empty value empties the list, as in systemd.
fn push_or_clear(list: &mut Vec<String>, value: &str) {
    if value.is_empty() {
        list.clear();
    } else {
        list.push(value.to_owned());
    }
}

fn extend_words(list: &mut Vec<String>, value: &str) {
    if value.is_empty() {
        list.clear();
    }
    list.extend(words(value));
}

fn extend_lines(list: &mut Vec<Line>, value: &str) {
    if value.is_empty() {
        list.clear();
        return;
    }
    let command = value.trim_start_matches(['-', '@', '+', '!', ':']);
    let prefix = &value[..value.len() - command.len()];
    let mut words = words(command);
    if prefix.contains('@') && words.len() > 1 {
        // The second word is only the name that the program sees of itself.
        words.remove(1);
    }
    if !words.is_empty() {
        list.push(Line { words, may_fail: prefix.contains('-') });
    }
}

/// Splits at blanks, with quotes and backslashes as in a shell but nothing else.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (_, '\\') => {
                let next = match chars.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(other) => other,
                    None => '\\',
                };
                word.get_or_insert_default().push(next);
            }
            (Some(_) | None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Fills `${NAME}` into a word; a word that is only `$NAME` becomes as many words as its value
/// has.
pub(super) fn expand(word: &str, variables: &BTreeMap<String, String>) -> Vec<String> {
    let value = |name: &str| variables.get(name).map_or("", String::as_str);
    if let Some(name) = word.strip_prefix('$').filter(|name| is_name(name)) {
        return words(value(name));
    }
    let mut filled = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}').filter(|(name, _)| is_name(name)) else {
            break;
        };
        filled.push_str(before);
        filled.push_str(value(name));
        rest = behind;
    }
    vec![filled + rest]
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !text.is_empty() && text.chars().all(plain)
}

/// The variables of an `EnvironmentFile`: `NAME=value` lines, values perhaps quoted.
pub(super) fn parse_environment_file(text: &str) -> Vec<(String, String)> {
    let line = |line: &String| {
        let (name, value) = line.split_once('=')?;
        let value = value.trim();
        let unquoted = match value.chars().next() {
            Some('"' | '\'') => words(value).join(" "),
            Some(_) | None => value.to_owned(),
        };
        is_name(name.trim()).then(|| (name.trim().to_owned(), unquoted))
    };
    logical_lines(text).iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RC_LOCAL: &str = "[Unit]\nDescription=/etc/rc.local Compatibility\n\
        ConditionPathExists=/etc/rc.local\nAfter=network-online.target\n\
        Wants=network-online.target\n\n[Service]\nType=forking\nExecStart=/etc/rc.local start\n\
        TimeoutSec=0\nRemainAfterExit=yes\n\n[Install]\nWantedBy=multi-user.target\n";

    #[test]
    fn the_missions_unit_reads_as_it_is_meant() {
        let unit = Unit::parse(RC_LOCAL, "rc-local.service");
        assert_eq!(unit.kind, Kind::Forking);
        assert!(unit.remain_after_exit);
        assert_eq!(unit.conditions, [Condition { path: "/etc/rc.local".into(), negated: false }]);
        assert_eq!(unit.start[0].words, ["/etc/rc.local", "start"]);
        assert_eq!(unit.start_timeout, None);
        assert_eq!(unit.wanted_by, ["multi-user.target"]);
        assert_eq!(unit.after, ["network-online.target"]);
    }

    #[test]
    fn lines_continue_and_comments_and_unknown_settings_are_skipped() {
        let text = "# comment\n[Service]\nNonsense=1\nExecStart=-/bin/echo \\\n  # inside\n  \
            'two words' \"%n\" \\\n  a%%b\nExecStartPre=\nExecStop=@/bin/kill kill ${MAINPID}\n";
        let unit = Unit::parse(text, "x.service");
        assert_eq!(
            unit.start,
            [Line {
                words: ["/bin/echo", "two words", "x.service", "a%b"].map(String::from).to_vec(),
                may_fail: true,
            }]
        );
        assert_eq!(unit.stop[0].words, ["/bin/kill", "${MAINPID}"]);
        assert_eq!(unit.kind, Kind::Simple);
    }

    #[test]
    fn an_empty_value_forgets_what_was_set_before() {
        let text = "[Service]\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b\n";
        let unit = Unit::parse(text, "x.service");
        assert_eq!(unit.start.len(), 1);
        assert_eq!(unit.start[0].words, ["/bin/b"]);
    }

    #[test]
    fn types_and_conditions_are_told_apart() {
        for (text, kind) in [
            ("simple", Kind::Simple),
            ("notify", Kind::Simple),
            ("exec", Kind::Simple),
            ("oneshot", Kind::Oneshot),
            ("forking", Kind::Forking),
        ] {
            let unit = Unit::parse(&format!("[Service]\nType={text}\nExecStart=/x\n"), "x");
            assert_eq!(unit.kind, kind);
        }
        let unit = Unit::parse("[Unit]\nConditionPathExists=!/run/x\n", "x");
        assert_eq!(unit.conditions, [Condition { path: "/run/x".into(), negated: true }]);
        assert_eq!(unit.kind, Kind::Oneshot, "there is no process to be the service");
    }

    #[test]
    fn timeouts_have_units() {
        for (text, expected) in [
            ("0", None),
            ("infinity", None),
            ("30", Some(30)),
            ("5min", Some(300)),
            ("1500ms", Some(2)),
            ("rubbish", Some(90)),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn variables_fill_words() {
        let variables = BTreeMap::from([("OPTS".to_owned(), "-a 'b c'".to_owned())]);
        assert_eq!(expand("$OPTS", &variables), ["-a", "b c"]);
        assert_eq!(expand("x${OPTS}y", &variables), ["x-a 'b c'y"]);
        assert_eq!(expand("$NONE", &variables), Vec::<String>::new());
        assert_eq!(expand("${", &variables), ["${"]);
        assert_eq!(expand("a$5", &variables), ["a$5"]);
    }

    #[test]
    fn environment_files_may_quote_their_values() {
        let text = "# c\nA=1\nB=\"two words\"\n; d\nbad line\nC=\n";
        let pairs = parse_environment_file(text);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(pairs, [pair("A", "1"), pair("B", "two words"), pair("C", "")]);
    }
}
