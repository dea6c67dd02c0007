//! One stage after the other: a line each, and a table of where the time went.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

/// What a stage's time is spent on. The three sums are what a first run costs a newcomer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Getting what isn't in the repository: system packages, Python packages, tools.
    SetUp,
    /// The compiler's work, lints and documentation included.
    Build,
    /// Running what was built, and reading the sources.
    Tests,
}

/// How many tests ran in a stage, as the test harness counted them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Count {
    /// Tests that passed.
    pub(crate) passed: u32,
    /// Tests that failed.
    pub(crate) failed: u32,
}

impl Count {
    /// Adds every `test result:` line of the harness's output.
    pub(crate) fn add_results(&mut self, output: &str) {
        for line in output.lines() {
            let Some(result) = line.trim().strip_prefix("test result: ") else {
                continue;
            };
            self.passed += number_before(result, " passed");
            self.failed += number_before(result, " failed");
        }
    }
}

/// The plain line that scripts may look for.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

fn number_before(text: &str, word: &str) -> u32 {
    let Some((before, _)) = text.split_once(word) else {
        return 0;
    };
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

struct Done {
    name: &'static str,
    kind: Kind,
    took: Duration,
    failed: bool,
}

/// The stages run so far.
#[derive(Default)]
pub(crate) struct Report {
    done: Vec<Done>,
    /// Tests counted in all stages.
    pub(crate) count: Count,
}

impl Report {
    /// Runs a stage, prints its line and keeps its time; false when it failed.
    pub(crate) fn stage(
        &mut self,
        name: &'static str,
        kind: Kind,
        stage: impl FnOnce(&mut Count) -> Result<String>,
    ) -> bool {
        let start = Instant::now();
        let outcome = stage(&mut self.count);
        let took = start.elapsed();
        let failed = outcome.is_err();
        let word = if failed { "FAILED" } else { "ok" };
        let note = outcome.as_ref().map_or("", String::as_str);
        let line = format!("{name:>12} {:>7.1} s  {word:<6}  {note}", took.as_secs_f64());
        println!("{}", line.trim_end());
        if let Err(error) = outcome {
            println!("\n{error:#}\n");
        }
        self.done.push(Done { name, kind, took, failed });
        !failed
    }

    /// The table of times.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::from("\n       stage     time\n");
        for done in &self.done {
            let mark = if done.failed { "  FAILED" } else { "" };
            text += &format!("{:>12} {:>7.1} s{mark}\n", done.name, done.took.as_secs_f64());
        }
        let spent = |kind: Kind| -> Duration {
            self.done.iter().filter(|done| done.kind == kind).map(|done| done.took).sum()
        };
        let [set_up, build, tests] = [Kind::SetUp, Kind::Build, Kind::Tests].map(spent);
        text += &format!(
            "\nset-up {:.1} s, build {:.1} s, tests {:.1} s, in all {:.1} s\n",
            set_up.as_secs_f64(),
            build.as_secs_f64(),
            tests.as_secs_f64(),
            (set_up + build + tests).as_secs_f64()
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_executables_are_summed() {
        let mut count = Count::default();
        count.add_results(
            "running 3 tests\n\
             test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
             noise: 9 passed\n\
             test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n",
        );
        assert_eq!(count, Count { passed: 13, failed: 2 });
    }

    #[test]
    fn time_is_split_by_kind_and_tests_are_counted() {
        let mut report = Report::default();
        assert!(report.stage("one", Kind::Build, |count| {
            count.passed += 2;
            Ok(String::new())
        }));
        assert!(!report.stage("two", Kind::Tests, |count| {
            count.failed += 1;
            anyhow::bail!("no")
        }));
        let summary = report.summary();
        assert!(summary.contains("two     0.0 s  FAILED"), "{summary}");
        assert!(summary.contains("set-up 0.0 s, build 0.0 s, tests 0.0 s"), "{summary}");
        assert_eq!(report.count.to_string(), "2 passed, 1 failed");
    }
}
