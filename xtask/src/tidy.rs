//! The tidy stage: rules of the house that neither rustfmt nor clippy knows.
//!
//! Every rule is a function from a file to the lines that break it, so that each is tested on its
//! own. What is checked is what git tracks or would track.

mod failures;
mod source;
#[cfg(test)]
mod tests;

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use self::source::Source;
use crate::cargo;

/// Columns of Rust code. rustfmt leaves comments and strings alone; this doesn't.
const COLUMNS: usize = 100;

/// Lines of a function, signature and closing brace included: it fits one screen.
const FUNCTION_LINES: usize = 70;

/// Lines of a production file. A longer one is usually two machines.
const FILE_LINES: usize = 600;

/// Lines of ARCHITECTURE.md: about two pages, so that it is read.
const ARCHITECTURE_LINES: usize = 130;

/// Bytes of any file: what is bigger was committed by accident.
const FILE_BYTES: usize = 1024 * 1024;

/// The only folder that may name the AWS SDK, so that the SDK stays replaceable.
const SDK_FOLDER: &str = "crates/rehome/src/aws/";

/// Beginnings of the SDK's crate names.
const SDK_NAMES: [&str; 5] =
    ["aws_sdk_", "aws_config", "aws_smithy", "aws_types", "aws_credential"];

/// The only files with `unsafe`: each wraps system calls that neither std nor nix offers safely.
const UNSAFE_FILES: [&str; 3] = [
    "crates/rehome-lab/src/ns.rs", // fork, pidfd_open, setns in a child before exec
    "crates/rehome/src/clock.rs",  // clock_gettime(CLOCK_BOOTTIME)
    "crates/rehome/src/icmp/prober.rs", // sendmmsg, recvmmsg, getrandom
];

/// A line that breaks a rule; line 0 is the file as a whole.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Offense {
    line: usize,
    what: String,
}

fn offense(line: usize, what: impl Into<String>) -> Offense {
    Offense { line, what: what.into() }
}

/// Holds every file of the repository against every rule.
///
/// # Errors
///
/// Lists each line that breaks one.
pub(crate) fn check() -> Result<String> {
    let paths = tracked()?;
    // What git lists may have been deleted, or be a link to a folder.
    let read = |path: &String| Some((path.clone(), fs::read(cargo::root().join(path)).ok()?));
    let files: Vec<(String, Vec<u8>)> = paths.iter().filter_map(read).collect();
    let tests: Vec<String> = files.iter().flat_map(|(path, bytes)| tests_of(path, bytes)).collect();
    let mut wrong = Vec::new();
    for (path, bytes) in &files {
        for Offense { line, what } in check_file(path, bytes, &tests) {
            wrong.push(format!("{path}:{line}: {what}"));
        }
    }
    for Offense { line, what } in check_failures(&files) {
        wrong.push(format!("{}:{line}: {what}", failures::PAGE));
    }
    if !wrong.is_empty() {
        bail!("{}\n{} in all", wrong.join("\n"), wrong.len());
    }
    Ok(format!("{} files", paths.len()))
}

/// The rule that looks across files.
fn check_failures(files: &[(String, Vec<u8>)]) -> Vec<Offense> {
    let texts: Vec<(&str, &str)> = files
        .iter()
        .filter_map(|(path, bytes)| Some((path.as_str(), std::str::from_utf8(bytes).ok()?)))
        .collect();
    match texts.iter().find(|(path, _)| *path == failures::PAGE) {
        Some((_, page)) => failures::unfounded(page, &texts),
        None => vec![offense(0, "is missing")],
    }
}

fn tracked() -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(cargo::root())
        .stdin(Stdio::null())
        .output()
        .context("cannot start git")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Every rule that applies to a file of this name. `tests` are the modules that only tests compile,
/// as paths without an ending.
fn check_file(path: &str, bytes: &[u8], tests: &[String]) -> Vec<Offense> {
    let mut offenses = size(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return offenses;
    };
    if path == "ARCHITECTURE.md" {
        offenses.extend(length(text, ARCHITECTURE_LINES));
    }
    if is_script(path, text) {
        offenses.extend(careful_script(text));
    }
    if path.ends_with(".rs") || path.ends_with(".py") || is_script(path, text) {
        offenses.extend(postponed(text));
    }
    if path.ends_with(".rs") {
        offenses.extend(check_rust(path, &Source::new(text), tests));
    }
    offenses.sort_by_key(|offense| offense.line);
    offenses
}

fn check_rust(path: &str, source: &Source<'_>, tests: &[String]) -> Vec<Offense> {
    let mut offenses = columns(source.text);
    offenses.extend(sdk_names(path, source));
    offenses.extend(unsafe_code(path, source));
    offenses.extend(allowed_lints(source));
    if is_crate_root(path) {
        offenses.extend(crate_docs(source.text));
    }
    if !is_test_file(path, tests) {
        offenses.extend(function_length(source));
        offenses.extend(unwraps(source));
        offenses.extend(length(source.text, FILE_LINES));
        if path.starts_with("crates/rehome-core/src/") {
            offenses.extend(std_in_core(source));
        }
    }
    offenses
}

/// Integration tests, and modules that only tests compile.
fn is_test_file(path: &str, tests: &[String]) -> bool {
    let of_module = |module: &String| {
        path.strip_prefix(module).is_some_and(|rest| rest.starts_with(['.', '/']))
    };
    path.contains("/tests/") || tests.iter().any(of_module)
}

/// The modules that a file declares for tests only, as paths without an ending.
fn tests_of(path: &str, bytes: &[u8]) -> Vec<String> {
    let (Some(stem), Ok(text)) = (path.strip_suffix(".rs"), std::str::from_utf8(bytes)) else {
        return Vec::new();
    };
    // `mod x;` in a/lib.rs is a/x, in a/b.rs it is a/b/x.
    let own_folder = ["lib", "main", "mod"].iter().find_map(|name| stem.strip_suffix(name));
    let folder = own_folder.map_or_else(|| format!("{stem}/"), str::to_owned);
    let source = Source::new(text);
    source.test_modules().iter().map(|module| format!("{folder}{module}")).collect()
}

/// `src/lib.rs`, any `main.rs`, and each file directly in a crate's `tests` folder.
fn is_crate_root(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_test = folder.ends_with("/tests") && !folder.contains("/src/");
    path.ends_with("src/lib.rs") || path.ends_with("/main.rs") || is_test
}

fn is_script(path: &str, text: &str) -> bool {
    let shebang = text.lines().next().unwrap_or_default();
    path.ends_with(".sh")
        || shebang.starts_with("#!") && (shebang.ends_with("bash") || shebang.ends_with("/sh"))
}

fn size(bytes: &[u8]) -> Vec<Offense> {
    if bytes.len() <= FILE_BYTES {
        return Vec::new();
    }
    vec![offense(0, format!("{} bytes, at most {FILE_BYTES}", bytes.len()))]
}

fn length(text: &str, most: usize) -> Option<Offense> {
    let lines = text.lines().count();
    (lines > most).then(|| offense(lines, format!("{lines} lines, at most {most}")))
}

/// An address can't be broken, so a comment line may be as long as one makes it.
fn columns(text: &str) -> Vec<Offense> {
    let mut offenses = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let columns = line.chars().count();
        let is_address = line.trim_start().starts_with("//") && line.contains("https://");
        if columns > COLUMNS && !is_address {
            offenses.push(offense(index + 1, format!("{columns} columns, at most {COLUMNS}")));
        }
    }
    offenses
}

/// What is put off has an issue, as in `(#12)`; else it is put off for good.
fn postponed(text: &str) -> Vec<Offense> {
    let word = concat!("TO", "DO");
    let mut offenses = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices(word) {
            let issue = line[at + word.len()..].strip_prefix("(#").unwrap_or_default();
            if !issue.starts_with(|c: char| c.is_ascii_digit()) {
                offenses.push(offense(index + 1, format!("{word} without an issue: {word}(#12)")));
            }
        }
    }
    offenses
}

/// A script that goes on after an error does harm later.
fn careful_script(text: &str) -> Option<Offense> {
    let mut in_template_comment = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        // A template's comment is not in the script that comes of it.
        in_template_comment |= line.starts_with("{#");
        let skipped = in_template_comment || line.is_empty() || line.starts_with('#');
        in_template_comment &= !line.ends_with("#}");
        if !skipped {
            let careful = line.starts_with("set -eu");
            return (!careful).then(|| offense(index + 1, "a script starts with set -eu"));
        }
    }
    None
}

fn function_length(source: &Source<'_>) -> Vec<Offense> {
    let mut offenses = Vec::new();
    for function in source.functions() {
        if function.lines > FUNCTION_LINES && !source.is_test(function.at) {
            let what = format!(
                "fn {} has {} lines, at most {FUNCTION_LINES}",
                function.name, function.lines
            );
            offenses.push(offense(source.line(function.at), what));
        }
    }
    offenses
}

/// The core is `no_std`, so the compiler sees most of this; not what a `cfg` hides from it.
fn std_in_core(source: &Source<'_>) -> Vec<Offense> {
    let mut offenses = Vec::new();
    for word in ["extern crate std", "std::"] {
        for at in source.words(word).filter(|at| !source.is_test(*at)) {
            offenses.push(offense(source.line(at), format!("`{word}` in the core")));
        }
    }
    offenses
}

fn sdk_names(path: &str, source: &Source<'_>) -> Vec<Offense> {
    if path.starts_with(SDK_FOLDER) {
        return Vec::new();
    }
    let mut offenses = Vec::new();
    for name in SDK_NAMES {
        for (at, _) in source.code.match_indices(name) {
            let what = format!("the AWS SDK is named (`{name}…`) outside {SDK_FOLDER}");
            offenses.push(offense(source.line(at), what));
        }
    }
    offenses
}

fn unsafe_code(path: &str, source: &Source<'_>) -> Vec<Offense> {
    if UNSAFE_FILES.contains(&path) {
        return Vec::new();
    }
    let what = "`unsafe` in a file that UNSAFE_FILES (xtask/src/tidy.rs) doesn't name";
    source.words("unsafe").map(|at| offense(source.line(at), what)).collect()
}

/// An `expect` says so when it isn't needed any more; an `allow` stays for ever.
fn allowed_lints(source: &Source<'_>) -> Vec<Offense> {
    let mut offenses = Vec::new();
    for attribute in ["#[allow(", "#![allow("] {
        for (at, _) in source.code.match_indices(attribute) {
            let what = "`allow`: use #[expect(lint, reason = \"…\")]";
            offenses.push(offense(source.line(at), what));
        }
    }
    offenses
}

fn unwraps(source: &Source<'_>) -> Vec<Offense> {
    let places = source.code.match_indices(".unwrap()").map(|(at, _)| at);
    places
        .filter(|at| !source.is_test(*at))
        .map(|at| offense(source.line(at), "`.unwrap()` outside tests"))
        .collect()
}

fn crate_docs(text: &str) -> Option<Offense> {
    let documented = text.lines().any(|line| line.starts_with("//! "));
    (!documented).then(|| offense(1, "a crate starts with `//!` documentation"))
}
