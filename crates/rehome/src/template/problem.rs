//! What can be wrong with a template: one error each, with the template's name, the line, the
//! offending text and the next step.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "minijinja's enums may grow, and what isn't named is treated alike"
)]

use std::io;
use std::path::PathBuf;

use minijinja::ErrorKind;

use super::{USER_DATA_BYTES_MAX, VARIABLES};

/// Why there is no user data.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    /// The file can't be read.
    #[error("the template {} can't be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file isn't text of a sensible length.
    #[error("{name} is {what}")]
    NotText {
        /// The template.
        name: String,
        /// What it is instead.
        what: String,
    },
    /// A line ends as on Windows: `#!/bin/bash\r` names no interpreter.
    #[error("{name}:{line}: the line has a carriage return (CR LF, as on Windows): `{text}`")]
    CarriageReturn {
        /// The template.
        name: String,
        /// Its first such line.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// Jinja2 can't make sense of it, or a variable isn't there.
    #[error("{name}:{line}: {why}: `{text}`")]
    Jinja {
        /// The template.
        name: String,
        /// Which line.
        line: usize,
        /// What is wrong.
        why: String,
        /// The offending text.
        text: String,
        /// What kind of wrong it is.
        fault: Fault,
    },
    /// It renders to more than EC2 takes.
    #[error(
        "{name} renders to more than {USER_DATA_BYTES_MAX} bytes, which is all that EC2 takes; \
         line {line} of the rendered text is beyond that: `{text}`"
    )]
    TooLong {
        /// The template.
        name: String,
        /// The rendered line that was one too many.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// cloud-init wouldn't know what to do with it.
    #[error("{name}:1: cloud-init would ignore what this renders to, which begins with `{first}`")]
    NoHeader {
        /// The template.
        name: String,
        /// The first line of the rendered text.
        first: String,
        /// Whether it is a mail header, only without `MIME-Version:`.
        mail: bool,
    },
}

/// What Jinja2 objects to, as far as the next step depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A name, or a part of a value, that isn't there.
    Undefined,
    /// `"%s" % x`.
    Percent,
    /// It can't be read as Jinja2.
    Syntax,
    /// A filter, test, function or method that isn't there, or is used as it can't be.
    Unknown,
}

impl TemplateError {
    /// The next step.
    #[must_use]
    pub(crate) fn hint(&self) -> String {
        match self {
            TemplateError::Read { .. } => "--user-data-file names a Jinja2 template".to_owned(),
            TemplateError::NotText { .. } => {
                "a template is UTF-8 text without a byte order mark that begins like `#!/bin/bash`"
                    .to_owned()
            }
            TemplateError::CarriageReturn { name, .. } => {
                format!("convert it: sed -i 's/\\r$//' {name}")
            }
            TemplateError::Jinja { fault, .. } => fault.hint(),
            TemplateError::TooLong { .. } => {
                "let a short script fetch the long one at boot".to_owned()
            }
            TemplateError::NoHeader { mail: true, .. } => {
                "cloud-init takes a mail for one only with a line `MIME-Version: 1.0` in its first \
                 4096 bytes"
                    .to_owned()
            }
            TemplateError::NoHeader { first, .. } if first.is_empty() => {
                "the very first line has to be `#!/bin/bash` or another cloud-init header: no \
                 blank line or comment before it ({#- ... -#} leaves no blank line behind)"
                    .to_owned()
            }
            TemplateError::NoHeader { .. } => {
                "begin with `#!/bin/bash`, `#cloud-config` or another cloud-init header".to_owned()
            }
        }
    }

    /// The text of a name that isn't known, if that is what is wrong.
    pub(super) fn undefined_name(&self) -> Option<&str> {
        match self {
            TemplateError::Jinja { fault: Fault::Undefined, text, .. } => Some(text),
            TemplateError::Jinja { .. }
            | TemplateError::Read { .. }
            | TemplateError::NotText { .. }
            | TemplateError::CarriageReturn { .. }
            | TemplateError::TooLong { .. }
            | TemplateError::NoHeader { .. } => None,
        }
    }
}

impl Fault {
    fn hint(self) -> String {
        match self {
            Fault::Undefined => {
                let names: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
                format!(
                    "the variables are {}; {{{{ x|default('') }}}} takes what isn't there",
                    names.join(", ")
                )
            }
            Fault::Percent => {
                "use the filter `format`: {{ \"%s\"|format(x) }} instead of {{ \"%s\" % x }}"
                    .to_owned()
            }
            Fault::Unknown => {
                "docs/templates.md tells what there is, and what differs from Jinja2".to_owned()
            }
            Fault::Syntax => {
                "shell text that Jinja2 misreads goes between {% raw %} and {% endraw %}".to_owned()
            }
        }
    }
}

/// Puts an error of minijinja into our words.
pub(super) fn jinja(name: &str, error: &minijinja::Error) -> TemplateError {
    let line = error.line().unwrap_or(1);
    let source = error.template_source().unwrap_or_default();
    let whole_line = source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let exact = error.range().and_then(|range| source.get(range)).filter(|text| !text.is_empty());
    let kind = error.kind();
    let fault = match kind {
        ErrorKind::UndefinedError => Fault::Undefined,
        ErrorKind::UnknownFilter
        | ErrorKind::UnknownTest
        | ErrorKind::UnknownFunction
        | ErrorKind::UnknownMethod => Fault::Unknown,
        // Nothing but its words tells this error from others; a test reads them.
        _ if error.detail().is_some_and(|detail| detail.starts_with(PERCENT)) => Fault::Percent,
        ErrorKind::SyntaxError => Fault::Syntax,
        _ => Fault::Unknown,
    };
    // The detail of an undefined value is its name, which is the offending text.
    let detail = error.detail().filter(|_| fault != Fault::Undefined);
    let mut why = detail.map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}"));
    // What is below, as the failing part of a loop or of a macro, says the more exact reason.
    let mut source_of = std::error::Error::source(error);
    while let Some(cause) = source_of {
        why = format!("{why}: {cause}");
        source_of = cause.source();
    }
    TemplateError::Jinja {
        name: name.to_owned(),
        line,
        why: shortened(&why.replace('\n', " ")),
        text: shortened(exact.unwrap_or(whole_line)),
        fault,
    }
}

/// How minijinja's complaint about `"%s" % x` begins.
const PERCENT: &str = "tried to use % operator on unsupported types string";

/// The first line of `text`, as long as fits into a message.
pub(super) fn shortened(text: &str) -> String {
    const COLUMNS: usize = 160;
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(COLUMNS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
