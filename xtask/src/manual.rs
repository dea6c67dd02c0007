//! The manual stage: the man pages in the repository and the shells' completions say what the
//! program takes. `cargo xtask generate` writes the pages anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::build::Builds;
use crate::cargo;
use crate::process;
use crate::setup;

/// Where the pages are kept.
const FOLDER: &str = "docs/man";

/// The command that mends what this stage finds.
const REMEDY: &str = "cargo xtask generate";

/// Time for a program that only prints.
const LIMIT: Duration = Duration::from_secs(60);

/// A shell that completions are made for.
struct Shell {
    name: &'static str,
    /// How it reads a script without running it.
    reads: &'static str,
    /// What a script has before a long flag.
    mark: &'static str,
    /// Words of the longest command whose flags a script knows.
    words: usize,
}

const SHELLS: [Shell; 3] = [
    Shell { name: "bash", reads: "-n", mark: "--", words: usize::MAX },
    Shell { name: "zsh", reads: "-n", mark: "--", words: usize::MAX },
    // clap_complete's fish scripts know no flag of `rehome lab fault add`: it is too deep.
    Shell { name: "fish", reads: "--no-execute", mark: "-l ", words: 3 },
];

/// Pages by file name.
type Pages = BTreeMap<String, String>;

/// The pages are as the program makes them, groff and the shells have nothing to complain about.
pub(crate) fn check(builds: &mut Builds) -> Result<String> {
    let rehome = builds.rehome()?;
    let fresh_folder = make(&rehome)?;
    let fresh = read(&fresh_folder)?;
    let wrong = differences(&fresh, &read(&cargo::root().join(FOLDER))?);
    if !wrong.is_empty() {
        bail!("{}\nhint: `{REMEDY}` writes them anew", wrong.join("\n"));
    }
    let mut notes = vec![format!("{} pages", fresh.len())];
    if let Some(groff) = setup::program("groff") {
        typeset(&groff, &fresh_folder, &fresh)?;
    } else {
        notes.push("groff isn't here".to_owned());
    }
    for shell in &SHELLS {
        notes.push(completions(&rehome, shell, &flags(&fresh, shell.words))?);
    }
    Ok(notes.join(", "))
}

/// Writes the pages anew; what no command has any more goes.
pub(crate) fn generate() -> Result<bool> {
    let fresh = read(&make(&Builds::default().rehome()?)?)?;
    let folder = cargo::root().join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let before = read(&folder)?;
    for name in before.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    for (name, text) in &fresh {
        fs::write(folder.join(name), text)?;
    }
    let changed = differences(&fresh, &before);
    println!("{FOLDER}: {} pages, {} changed", fresh.len(), changed.len());
    Ok(true)
}

/// Has the program write its pages to a folder that nothing else is in.
fn make(rehome: &Path) -> Result<PathBuf> {
    let folder = cargo::logs().join("man");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut command = Command::new(rehome);
    command.arg("man").arg(&folder);
    process::run("man", &mut command, &cargo::logs(), LIMIT)?.success()?;
    Ok(folder)
}

fn read(folder: &Path) -> Result<Pages> {
    let mut pages = Pages::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(pages);
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        pages.insert(name, text);
    }
    Ok(pages)
}

/// A line for each page that isn't as it should be.
fn differences(fresh: &Pages, kept: &Pages) -> Vec<String> {
    let names: BTreeSet<&String> = fresh.keys().chain(kept.keys()).collect();
    let told = |name: &String| match (fresh.get(name), kept.get(name)) {
        (Some(_), None) => Some(format!("{FOLDER}/{name} is missing")),
        (None, Some(_)) => Some(format!("{FOLDER}/{name} is of no command")),
        (Some(fresh), Some(kept)) if fresh != kept => {
            let at = fresh.lines().zip(kept.lines()).take_while(|(new, old)| new == old).count();
            let line = fresh.lines().nth(at).unwrap_or("(its end)");
            Some(format!("{FOLDER}/{name}:{} should be: {line}", at + 1))
        }
        (Some(_), Some(_)) | (None, None) => None,
    };
    names.into_iter().filter_map(told).collect()
}

/// groff makes every page without a warning.
fn typeset(groff: &Path, folder: &Path, pages: &Pages) -> Result<()> {
    let mut command = Command::new(groff);
    command.args(["-man", "-ww", "-z", "-Tutf8", "-Kutf8"]).current_dir(folder).args(pages.keys());
    let finished = process::run("groff", &mut command, &cargo::logs(), LIMIT)?.success()?;
    if !finished.output.trim().is_empty() {
        bail!("groff complains:\n{}", finished.tail());
    }
    Ok(())
}

/// Every long flag that the pages of commands of at most so many words name, without its dashes.
fn flags(pages: &Pages, words: usize) -> BTreeSet<String> {
    let mut flags = BTreeSet::new();
    for text in pages.values().filter(|text| words_of_command(text) <= words) {
        let text = text.replace("\\-", "-");
        let after_dashes = text.split("\\fB--").skip(1);
        flags.extend(
            after_dashes
                .map(|after| after.chars().take_while(|c| is_of_flag(*c)).collect::<String>()),
        );
    }
    flags
}

/// How many words one types for the command of a page: what its synopsis begins with.
fn words_of_command(text: &str) -> usize {
    let synopsis = text.split_once(".SH SYNOPSIS\n\\fB").map_or("", |(_, after)| after);
    let command = synopsis.split("\\fR").next().unwrap_or_default();
    command.split_whitespace().count()
}

fn is_of_flag(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// A shell's script knows every flag, and the shell, where it is here, can read it.
fn completions(rehome: &Path, shell: &Shell, flags: &BTreeSet<String>) -> Result<String> {
    let name = format!("completions-{}", shell.name);
    let mut command = Command::new(rehome);
    command.args(["completions", shell.name]);
    let script = process::run(&name, &mut command, &cargo::logs(), LIMIT)?.success()?.stdout;
    let unknown = |flag: &&String| !knows(&script, shell.mark, flag);
    let missing: Vec<&str> = flags.iter().filter(unknown).map(String::as_str).collect();
    if flags.is_empty() || !missing.is_empty() {
        let missing = missing.join(", ");
        bail!("the completions for {} lack flags of the man pages: {missing}", shell.name);
    }
    let Some(program) = setup::program(shell.name) else {
        return Ok(format!("{} isn't here", shell.name));
    };
    let file = cargo::logs().join(&name);
    fs::write(&file, script)?;
    let mut command = Command::new(program);
    command.arg(shell.reads).arg(&file);
    process::run(&name, &mut command, &cargo::logs(), LIMIT)?.success()?;
    Ok(format!("{} reads its completions", shell.name))
}

/// Whether a script has the flag as a word of its own.
fn knows(script: &str, mark: &str, flag: &str) -> bool {
    let word = format!("{mark}{flag}");
    script.match_indices(&word).any(|(at, _)| !script[at + word.len()..].starts_with(is_of_flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(pages: &[(&str, &str)]) -> Pages {
        pages.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_changed_a_missing_and_a_stale_page_are_each_named() {
        let fresh = pages(&[("a.1", "one\ntwo\n"), ("b.1", "same\n"), ("new.1", "x\n")]);
        let kept = pages(&[("a.1", "one\n2\n"), ("b.1", "same\n"), ("old.1", "x\n")]);
        assert_eq!(
            differences(&fresh, &kept),
            [
                "docs/man/a.1:2 should be: two",
                "docs/man/new.1 is missing",
                "docs/man/old.1 is of no command",
            ]
        );
        assert!(differences(&fresh, &fresh).is_empty());
    }

    #[test]
    fn a_page_that_only_lost_its_end_differs() {
        let (fresh, kept) = (pages(&[("a.1", "one\n")]), pages(&[("a.1", "one\ntwo\n")]));
        assert_eq!(differences(&fresh, &kept), ["docs/man/a.1:2 should be: (its end)"]);
    }

    #[test]
    fn flags_are_found_in_pages_and_whole_words_of_them_in_scripts() {
        let page = ".SH SYNOPSIS\n\\fBa net apply\\fR [\\fB\\-h\\fR|\\fB\\-\\-help\\fR]\n\
                    \\fB\\-\\-no\\-persist\\fR \\-\\-quoted\n";
        let pages = pages(&[("a.1", page)]);
        assert_eq!(flags(&pages, 3).into_iter().collect::<Vec<_>>(), ["help", "no-persist"]);
        assert_eq!(flags(&pages, 2).len(), 0);
        assert!(knows("opts=\"--help --no-persist\"", "--", "no-persist"));
        assert!(!knows("opts=\"--no-persist\"", "--", "no"));
        assert!(knows("complete -c x -l no-persist -d 'y'", "-l ", "no-persist"));
    }
}
