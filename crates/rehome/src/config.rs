//! `rehome.toml`: many addresses in one file.
//!
//! A key is a flag of `rehome run` with underscores, so a table of the file is a command line: what
//! is accepted, what is missing and what is the default is said in one place, by [`crate::cli`].
//! What is wrong is told all at once, each with its line.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use clap::{Args, Command};
use rehome_core::names::InstanceId;
use rehome_core::net::Cidr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cli::RunArgs;
use crate::fail::{Failure, Problem, WRONG};
use crate::run::prepare;
use crate::stdout::print;

mod keys;
mod page;
mod parse;
mod wanted;

use keys::{Key, Place, keys};
use parse::Words;

pub(crate) use page::page;
pub(crate) use wanted::Wanted;

/// More than this is no configuration of ours.
const SIZE_MAX: u64 = 4 << 20;

/// The arguments of `check-config`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Says what is wrong with a file, or what it means.
///
/// # Errors
/// Everything that is wrong with it, with file, line and key.
pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let all = load(&args.file)?;
    let mut problems = Vec::new();
    for One { args: one, .. } in &all {
        if let Err(failure) = prepare::check(one) {
            problems.extend(of_vip(one, failure.problems));
        }
    }
    if !problems.is_empty() {
        return Err(Failure { code: WRONG, problems });
    }
    let mut text = format!("{}: {}\n", args.file.display(), counted(all.len()));
    for One { args: one, .. } in &all {
        let policy = one.policy();
        text.push_str(&format!(
            "{} on {}: probed every {:?}, silent after {:?}, {} standby, fence {}{}\n",
            one.route_destination.text,
            one.instance_id,
            policy.interval,
            policy.silence_min(),
            policy.standby.word(),
            policy.fence.word(),
            if policy.observe { ", only observed" } else { "" },
        ));
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn counted(addresses: usize) -> String {
    if addresses == 1 { "1 address".to_owned() } else { format!("{addresses} addresses") }
}

/// Problems of one of several addresses, each with the address it is about.
pub(crate) fn of_vip(args: &RunArgs, problems: Vec<Problem>) -> Vec<Problem> {
    let about = |problem: Problem| Problem {
        what: format!("{}: {}", args.route_destination.text, problem.what),
        ..problem
    };
    problems.into_iter().map(about).collect()
}

/// One address: the command line that it stands for.
#[derive(Debug)]
pub(crate) struct One {
    pub(crate) args: Rc<RunArgs>,
    /// The words of that command line, by key; none where it was typed.
    words: BTreeMap<String, Vec<String>>,
}

impl One {
    /// As it was typed.
    pub(crate) fn typed(args: RunArgs) -> One {
        One { args: Rc::new(args), words: BTreeMap::new() }
    }

    /// Its name among the addresses.
    pub(crate) fn address(&self) -> &str {
        &self.args.route_destination.text
    }

    /// Whether every probe and call is told.
    pub(crate) fn set_debug(&mut self, debug: bool) {
        if let Some(args) = Rc::get_mut(&mut self.args) {
            args.debug = debug;
        }
    }

    /// What is other in `new`, key by key.
    pub(crate) fn changes(&self, new: &One) -> Vec<String> {
        let keys: BTreeSet<&String> = self.words.keys().chain(new.words.keys()).collect();
        let shown = |words: Option<&Vec<String>>| {
            let value = |word: &String| match word.split_once('=') {
                Some((_, value)) => value.to_owned(),
                None => "true".to_owned(),
            };
            words.map_or("not given".to_owned(), |words| {
                words.iter().map(value).collect::<Vec<_>>().join(", ")
            })
        };
        let change = |key: &String| {
            let (before, after) = (self.words.get(key), new.words.get(key));
            (before != after).then(|| format!("{key}: {} -> {}", shown(before), shown(after)))
        };
        keys.into_iter().filter_map(change).collect()
    }
}

/// The addresses of the file.
///
/// # Errors
/// Everything that is wrong with the file, with its lines.
pub(crate) fn load(file: &Path) -> Result<Vec<One>, Failure> {
    let text = read(file).map_err(Failure::wrong)?;
    of_text(file, &text).map_err(|problems| Failure { code: WRONG, problems })
}

fn read(file: &Path) -> Result<String, Problem> {
    let wrong = |error: std::io::Error| {
        Problem::new(
            format!("{} can't be read: {error}", file.display()),
            "name a file that this user may read; `man rehome.toml` has an example",
        )
    };
    let size = std::fs::metadata(file).map_err(wrong)?.len();
    if size > SIZE_MAX {
        return Err(Problem::new(
            format!("{} is larger than {SIZE_MAX} bytes", file.display()),
            "a table for each address is all that is expected",
        ));
    }
    std::fs::read_to_string(file).map_err(wrong)
}

/// A file as it is gone through.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    keys: Vec<Key>,
    /// What takes the words of an address.
    command: Command,
    /// With their lines.
    problems: Vec<(usize, Problem)>,
}

impl File<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    fn wrong(&mut self, span: &Range<usize>, what: &str, hint: impl Into<String>) {
        let line = self.line(span);
        let what = format!("{}:{line}: {what}", self.path.display());
        // Something wrong in [defaults] is told once, and not for every address.
        if self.problems.iter().all(|(_, problem)| problem.what != what) {
            self.problems.push((line, Problem::new(what, hint)));
        }
    }

    /// What is wrong, from the first line to the last.
    fn told(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|(line, _)| *line);
        self.problems.into_iter().map(|(_, problem)| problem).collect()
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }
}

fn of_text(path: &Path, text: &str) -> Result<Vec<One>, Vec<Problem>> {
    let command = RunArgs::augment_args(Command::new("run").no_binary_name(true));
    let mut file = File { path, text, keys: keys(), command, problems: Vec::new() };
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            file.wrong(&span, error.message(), "the file is TOML: https://toml.io");
            return Err(file.told());
        }
    };
    let mut common = Words::default();
    let (mut defaults, mut vips) = (None, Vec::new());
    for (key, value) in table.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("defaults", DeValue::Table(inner)) => defaults = Some(inner),
            ("vip", DeValue::Array(list)) => {
                for entry in list {
                    match entry.get_ref().as_table() {
                        Some(inner) => vips.push((entry.span(), inner)),
                        None => {
                            file.wrong(&entry.span(), "`vip` is not a list of tables", VIP_TABLES);
                        }
                    }
                }
            }
            ("defaults", _) => {
                file.wrong(&key.span(), "`defaults` is not a table", "write it as [defaults]");
            }
            ("vip", _) => {
                file.wrong(&key.span(), "`vip` is not a list of tables", VIP_TABLES);
            }
            _ => parse::take(&mut file, Place::File, key, value, &mut common),
        }
    }
    if let Some(defaults) = defaults {
        for (key, value) in defaults {
            parse::take(&mut file, Place::Defaults, key, value, &mut common);
        }
    }
    if vips.is_empty() && file.problems.is_empty() {
        file.wrong(&(0..0), "no address is named", VIP_TABLES);
    }
    let expected = vips.len();
    let mut all = Vec::new();
    for (span, table) in vips {
        let mut words = common.clone();
        for (key, value) in table {
            parse::take(&mut file, Place::Vip, key, value, &mut words);
        }
        if let Some(one) = parse::command_line(&mut file, &span, words) {
            all.push((span, one));
        }
    }
    find_clashes(&mut file, &all);
    if file.problems.is_empty() {
        assert_eq!(all.len(), expected, "what isn't taken is told");
        Ok(all.into_iter().map(|(_, one)| one).collect())
    } else {
        Err(file.told())
    }
}

const VIP_TABLES: &str = "begin a table for each address with [[vip]]";

/// Two addresses that can't be kept apart.
fn find_clashes(file: &mut File<'_>, all: &[(Range<usize>, One)]) {
    let mut addresses: BTreeMap<Ipv4Addr, &Range<usize>> = BTreeMap::new();
    let mut blocks: Vec<(Cidr, &Range<usize>)> = Vec::new();
    let mut holders: BTreeMap<&InstanceId, &Range<usize>> = BTreeMap::new();
    for (span, One { args, .. }) in all {
        let vip = args.vip();
        let mut same = addresses.get(&vip.address).copied();
        if vip.is_wide() {
            let inside = |(address, _): &(&Ipv4Addr, _)| vip.destination.contains(**address);
            same = same.or_else(|| addresses.iter().find(inside).map(|(_, place)| *place));
        }
        let around = blocks.iter().find(|(block, _)| block.contains(vip.address));
        same = same.or_else(|| around.map(|(_, place)| *place));
        if let Some(place) = same {
            let what = format!("`address`: {vip} is in line {} already", file.line(place));
            file.wrong(span, &what, "an address is kept by one table of the file");
        } else if let Some(place) = holders.get(&args.instance_id) {
            // The end of a move ends the instance that lost the address, and with it the other.
            let line = file.line(place);
            let what =
                format!("`instance_id`: {} holds the address of line {line}", args.instance_id);
            file.wrong(span, &what, "give each address an instance of its own");
        }
        addresses.entry(vip.address).or_insert(span);
        holders.entry(&args.instance_id).or_insert(span);
        if vip.is_wide() {
            blocks.push((vip.destination, span));
        }
    }
}

/// The text of a key or of a value as it stands in the file.
fn text_of<'a>(spanned: &'a Spanned<std::borrow::Cow<'_, str>>) -> &'a str {
    spanned.get_ref().as_ref()
}

#[cfg(test)]
mod tests;
