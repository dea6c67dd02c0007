//! The readme stage: what the documents promise a newcomer is there.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::cargo;

/// The two commands that a newcomer is told to type, in this order.
const COMMANDS: [&str; 2] = ["cargo run --bin rehome -- lab demo", "cargo xtask test"];

/// Documents whose links are checked.
const DOCUMENTS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

/// The README gives its two commands first, and no document links to a file that isn't there.
pub(crate) fn check() -> Result<String> {
    let root = cargo::root();
    let mut wrong = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root.join(document))
            .with_context(|| format!("cannot read {document}"))?;
        if document == "README.md" {
            wrong.extend(check_commands(&text));
        }
        wrong.extend(
            dead_links(&text, &root).map(|link| format!("{document}: {link} does not exist")),
        );
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(format!("{} documents", DOCUMENTS.len()))
}

/// The first two commands of the README's code blocks are the two; what's wrong otherwise.
fn check_commands(readme: &str) -> Option<String> {
    let mut fenced = false;
    let mut commands = Vec::new();
    for line in readme.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced && line.trim_start().starts_with("cargo ") {
            commands.push(line.split('#').next().unwrap_or_default().trim());
        }
    }
    let first: Vec<&str> = commands.into_iter().take(COMMANDS.len()).collect();
    (first != COMMANDS).then(|| format!("README.md: its first commands are {first:?}"))
}

/// Links to files of this repository that it doesn't have.
fn dead_links<'a>(text: &'a str, root: &'a Path) -> impl Iterator<Item = &'a str> {
    text.split("](").skip(1).filter_map(move |after| {
        let link = after.split([')', '#', ' ']).next()?;
        let elsewhere = link.is_empty() || link.contains("://") || link.starts_with("mailto:");
        (!elsewhere && !root.join(link).exists()).then_some(link)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_commands_come_first_and_in_order() {
        let good = "# x\n```sh\ncargo run --bin rehome -- lab demo   # see it\n\
                    cargo xtask test\n```\n`cargo install x`\n```\ncargo build\n```\n";
        assert_eq!(check_commands(good), None);
        assert!(check_commands("cargo run --bin rehome -- lab demo\ncargo xtask test\n").is_some());
        assert!(check_commands("```\ncargo xtask test\ncargo build\n```\n").is_some());
    }

    #[test]
    fn links_into_the_repository_must_lead_somewhere() {
        let text = "[a](Cargo.toml) [b](gone.md#part) [c](https://example.com/x) [d](#here)";
        let root = cargo::root();
        let dead: Vec<&str> = dead_links(text, &root).collect();
        assert_eq!(dead, ["gone.md"]);
    }
}
