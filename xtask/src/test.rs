//! `cargo xtask test`: the stages, their order and which of them are asked for.

use anyhow::{Result, bail};

use crate::build::Builds;
use crate::lab;
use crate::manual;
use crate::readme;
use crate::setup;
use crate::sim;
use crate::stage::{Kind, Report};
use crate::tidy;

/// Every stage. The quick ones come first; clippy before doc, as doc uses what clippy checked;
/// the binary before the tests, as a newcomer does; and what needs a lab last.
const STAGES: [(&str, Kind); 14] = [
    ("set-up", Kind::SetUp),
    ("fmt", Kind::Tests),
    ("tidy", Kind::Tests),
    ("readme", Kind::Tests),
    ("clippy", Kind::Build),
    ("doc", Kind::Build),
    ("build", Kind::Build),
    ("manual", Kind::Tests),
    ("resolution", Kind::Build),
    ("tests", Kind::Tests),
    ("sim", Kind::Tests),
    ("mutants", Kind::Tests),
    ("lab", Kind::Tests),
    ("strangers", Kind::Tests),
];

/// What the command line asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Options {
    no_lab: bool,
    no_strangers: bool,
    /// Stages by name; empty means all.
    only: Vec<String>,
}

impl Options {
    /// Parses what follows `test`.
    ///
    /// # Errors
    ///
    /// Names the option or stage that isn't known.
    pub(crate) fn parse(words: &[&str]) -> Result<Options> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            match word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value))) {
                ("--no-lab", None) => options.no_lab = true,
                ("--no-strangers", None) => options.no_strangers = true,
                ("--only", value) => {
                    let Some(stages) = value.or_else(|| words.next().copied()) else {
                        bail!("--only needs stages, as in --only fmt,tidy");
                    };
                    options.only.extend(stages.split(',').map(str::to_owned));
                }
                _ => bail!("unknown option: {word}"),
            }
        }
        for stage in &options.only {
            if !STAGES.iter().any(|(name, _)| name == stage) {
                let names: Vec<&str> = STAGES.iter().map(|(name, _)| *name).collect();
                bail!("unknown stage: {stage}; there are {}", names.join(", "));
            }
        }
        Ok(options)
    }

    fn wants(&self, stage: &str) -> bool {
        let left_out = match stage {
            "lab" => self.no_lab,
            "strangers" => self.no_lab || self.no_strangers,
            _ => false,
        };
        !left_out && (self.only.is_empty() || self.only.iter().any(|only| only == stage))
    }
}

/// Runs the stages until one fails; true when none did.
///
/// # Errors
///
/// None of its own: a stage that can't run has failed.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let mut report = Report::default();
    let mut builds = Builds::default();
    // `--only set-up` prepares everything that isn't left out.
    let needs = |stage: &str| options.wants(stage) || options.only == ["set-up"];
    let with_lab = !options.no_lab && (needs("lab") || needs("strangers"));
    let with_strangers = !options.no_lab && !options.no_strangers && needs("strangers");
    let mut passed = true;
    for (name, kind) in STAGES {
        if !options.wants(name) {
            continue;
        }
        passed = report.stage(name, kind, |count| match name {
            "set-up" => setup::set_up(with_lab, with_strangers),
            "fmt" => builds.fmt(),
            "tidy" => tidy::check(),
            "readme" => readme::check(),
            "clippy" => builds.clippy(),
            "doc" => builds.doc(),
            "build" => builds.build(),
            "manual" => manual::check(&mut builds),
            "resolution" => builds.resolution(),
            "tests" => builds.run_tests(count),
            "sim" => sim::seeds(),
            "mutants" => sim::every_mutant(),
            "lab" => lab::end_to_end(&mut builds, count),
            "strangers" => lab::strangers(&mut builds),
            other => bail!("the stage {other} does nothing"),
        });
        if !passed {
            break;
        }
    }
    if options.no_lab && options.only.is_empty() {
        println!("    left out: lab and strangers, by --no-lab");
    } else if options.no_strangers && options.only.is_empty() {
        println!("    left out: strangers, by --no-strangers");
    }
    println!("{}{}", report.summary(), report.count);
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(words: &[&str]) -> Vec<&'static str> {
        let options = Options::parse(words).unwrap();
        STAGES.iter().map(|(name, _)| *name).filter(|name| options.wants(name)).collect()
    }

    #[test]
    fn without_options_every_stage_runs() {
        assert_eq!(wanted(&[]).len(), STAGES.len());
    }

    #[test]
    fn without_a_lab_there_are_no_strangers_either() {
        let stages = wanted(&["--no-lab"]);
        assert!(!stages.contains(&"lab") && !stages.contains(&"strangers"));
        assert!(stages.contains(&"tests"));
        assert!(wanted(&["--no-strangers"]).contains(&"lab"));
    }

    #[test]
    fn single_stages_can_be_asked_for() {
        assert_eq!(wanted(&["--only", "tidy,fmt"]), ["fmt", "tidy"]);
        assert_eq!(wanted(&["--only=doc"]), ["doc"]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for words in [&["--nolab"][..], &["--only"], &["--only", "tydy"], &["extra"]] {
            assert!(Options::parse(words).is_err(), "{words:?}");
        }
    }
}
