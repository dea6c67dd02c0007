//! How a command ends when it can't do its work: one error each, with a hint, and an exit code.

use std::process::ExitCode;

/// It failed.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage, or a configuration that can't work.
pub(crate) const WRONG: u8 = 2;
/// It may work later (`EX_TEMPFAIL` of sysexits.h).
pub(crate) const TEMPORARY: u8 = 75;

/// One thing that is wrong, and the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem { what: what.into(), hint: Some(hint.into()) }
    }

    /// The whole chain of an error in one line: no `Display` of ours repeats its source.
    pub(crate) fn of(error: &dyn std::error::Error, hint: Option<String>) -> Problem {
        let mut what = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            what.push_str(": ");
            what.push_str(&cause.to_string());
            source = cause.source();
        }
        Problem { what, hint }
    }
}

/// Why a command ended without doing its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) problems: Vec<Problem>,
}

impl Failure {
    pub(crate) fn new(code: u8, problem: Problem) -> Failure {
        Failure { code, problems: vec![problem] }
    }

    pub(crate) fn wrong(problem: Problem) -> Failure {
        Failure::new(WRONG, problem)
    }

    /// Prints every problem to stderr.
    pub(crate) fn print(&self) -> ExitCode {
        for problem in &self.problems {
            eprintln!("error: {}", problem.what);
            if let Some(hint) = &problem.hint {
                eprintln!("hint: {hint}");
            }
        }
        ExitCode::from(self.code)
    }
}
