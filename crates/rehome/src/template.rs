//! The user-data template: Jinja2, with the two variables of the mission.
//!
//! Rendering depends on nothing but the template and the variables: no clock, no randomness, no
//! other files. A launch that is repeated with the same token must carry the very same bytes
//! ("Ensuring idempotency in Amazon EC2 API requests", EC2 developer guide).

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context};
use minijinja_contrib::pycompat;

/// What EC2 takes before base64 ("Run commands when you launch an EC2 instance with user data
/// input", EC2 user guide).
pub(crate) const USER_DATA_BYTES_MAX: usize = 16_384;

/// A template may be longer than what it renders to (comments, branches), but not by much.
const TEMPLATE_BYTES_MAX: u64 = 1 << 20;

/// What cloud-init tells user data by ("User data formats", cloud-init documentation), apart from
/// compressed data, which no template renders to.
const HEADERS: [&str; 10] = [
    "#!",
    "#cloud-config",
    "#cloud-boothook",
    "#include",
    "#part-handler",
    "#upstart-job",
    "## template:",
    "Content-Type:",
    "MIME-Version:",
    "From ",
];

/// What a template is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vars {
    /// `AZ_SUBNET_DEF_ROUTE`: the router of the subnet it boots in.
    pub(crate) az_subnet_def_route: Ipv4Addr,
    /// `ROUTE_DESTINATION`, exactly as it was given on the command line.
    pub(crate) route_destination: String,
}

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
    #[error("{name}:{line}: the line ends with CR LF")]
    CarriageReturn {
        /// The template.
        name: String,
        /// Its first such line.
        line: usize,
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
        /// Whether a name isn't known.
        undefined: bool,
    },
    /// It renders to more than EC2 takes.
    #[error("{name} renders to more than {USER_DATA_BYTES_MAX} bytes, which is all that EC2 takes")]
    TooLong {
        /// The template.
        name: String,
    },
    /// cloud-init wouldn't know what to do with it.
    #[error("{name} renders to text that cloud-init would ignore: it begins with `{first}`")]
    NoHeader {
        /// The template.
        name: String,
        /// The first line of the rendered text.
        first: String,
    },
}

impl TemplateError {
    /// The next step.
    #[must_use]
    pub(crate) fn hint(&self) -> String {
        match self {
            TemplateError::Read { .. } => "--user-data-file names a Jinja2 template".to_owned(),
            TemplateError::NotText { .. } => {
                "a template is UTF-8 text without a byte order mark".to_owned()
            }
            TemplateError::CarriageReturn { name, .. } => {
                format!("convert it: sed -i 's/\\r$//' {name}")
            }
            TemplateError::Jinja { undefined: true, .. } => {
                "the variables are AZ_SUBNET_DEF_ROUTE and ROUTE_DESTINATION".to_owned()
            }
            TemplateError::Jinja { .. } => {
                "shell text that Jinja2 misreads goes between {% raw %} and {% endraw %}".to_owned()
            }
            TemplateError::TooLong { .. } => {
                "let a short script fetch the long one at boot".to_owned()
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
}

/// A template, read and understood.
#[derive(Debug)]
pub(crate) struct Template {
    name: String,
    environment: Environment<'static>,
}

impl Template {
    /// Reads and parses the template at `path`.
    ///
    /// # Errors
    /// Where it can't be read, isn't text, or isn't Jinja2.
    pub(crate) fn load(path: &Path) -> Result<Template, TemplateError> {
        let read = |source| TemplateError::Read { path: path.to_path_buf(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(read)?;
        file.take(TEMPLATE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(read)?;
        Template::parse(&path.display().to_string(), bytes)
    }

    /// Parses the template that stands in `bytes`; `name` is for messages.
    ///
    /// # Errors
    /// Where it isn't text, or isn't Jinja2.
    pub(crate) fn parse(name: &str, bytes: Vec<u8>) -> Result<Template, TemplateError> {
        let source = text(name, bytes)?;
        let mut environment = Environment::new();
        environment.set_debug(true);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(pycompat::unknown_method_callback);
        environment
            .add_template_owned(name.to_owned(), source)
            .map_err(|error| jinja(name, &error))?;
        Ok(Template { name: name.to_owned(), environment })
    }

    /// The user data of an instance.
    ///
    /// # Errors
    /// Where a variable isn't there, or the result is no user data.
    pub(crate) fn render(&self, vars: &Vars) -> Result<String, TemplateError> {
        let template = self.environment.get_template(&self.name).expect("parse() added it");
        let context = context! {
            AZ_SUBNET_DEF_ROUTE => vars.az_subnet_def_route.to_string(),
            ROUTE_DESTINATION => &vars.route_destination,
        };
        let mut rendered = Bounded(Vec::new());
        if let Err(error) = template.render_captured_to(context, &mut rendered) {
            return Err(if error.kind() == ErrorKind::WriteFailure {
                TemplateError::TooLong { name: self.name.clone() }
            } else {
                jinja(&self.name, &error)
            });
        }
        let rendered = text(&self.name, rendered.0)?;
        if HEADERS.iter().any(|header| rendered.starts_with(header)) {
            Ok(rendered)
        } else {
            let first = shortened(rendered.lines().next().unwrap_or_default());
            Err(TemplateError::NoHeader { name: self.name.clone(), first })
        }
    }
}

/// Takes as much as EC2 does.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > USER_DATA_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn text(name: &str, bytes: Vec<u8>) -> Result<String, TemplateError> {
    let not_text = |what: String| TemplateError::NotText { name: name.to_owned(), what };
    if u64::try_from(bytes.len()).is_ok_and(|length| length > TEMPLATE_BYTES_MAX) {
        return Err(not_text(format!("longer than {TEMPLATE_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| not_text("not UTF-8 text".to_owned()))?;
    if text.starts_with('\u{feff}') {
        return Err(not_text("text with a byte order mark".to_owned()));
    }
    match text.split('\n').position(|line| line.ends_with('\r')) {
        Some(index) => {
            Err(TemplateError::CarriageReturn { name: name.to_owned(), line: index + 1 })
        }
        None => Ok(text),
    }
}

fn jinja(name: &str, error: &minijinja::Error) -> TemplateError {
    let line = error.line().unwrap_or(1);
    let source = error.template_source().unwrap_or_default();
    let whole_line = source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let exact = error.range().and_then(|range| source.get(range)).filter(|text| !text.is_empty());
    let kind = error.kind();
    let undefined = kind == ErrorKind::UndefinedError;
    // The detail of an undefined value is its name, which is the offending text.
    let detail = error.detail().filter(|_| !undefined);
    TemplateError::Jinja {
        name: name.to_owned(),
        line,
        why: detail.map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
        text: shortened(exact.unwrap_or(whole_line)),
        undefined,
    }
}

/// The first line of `text`, as long as fits into a message.
fn shortened(text: &str) -> String {
    const COLUMNS: usize = 60;
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(COLUMNS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars() -> Vars {
        Vars {
            az_subnet_def_route: Ipv4Addr::new(172, 31, 48, 1),
            route_destination: "10.0.0.10/32".to_owned(),
        }
    }

    fn rendered(source: &str) -> Result<String, TemplateError> {
        Template::parse("t.sh", source.as_bytes().to_vec())?.render(&vars())
    }

    fn refused(source: &str) -> (String, String) {
        let error = rendered(source).expect_err(source);
        (error.to_string(), error.hint())
    }

    #[test]
    fn the_missions_variables_are_filled_in_and_nothing_is_escaped() {
        let text = "#!/bin/bash\nip route add default via {{AZ_SUBNET_DEF_ROUTE}} # <&\">\n\
                    VIP={{ ROUTE_DESTINATION.split('/')[0] }}\n";
        assert_eq!(
            rendered(text).unwrap(),
            "#!/bin/bash\nip route add default via 172.31.48.1 # <&\">\nVIP=10.0.0.10",
            "one newline at the end goes, as in Jinja2"
        );
    }

    #[test]
    fn what_the_file_is_called_changes_nothing() {
        for name in ["t.html", "t.json", "t.yaml", "t"] {
            let source = b"#!\n{{ '<' ~ ROUTE_DESTINATION ~ '\"' }}".to_vec();
            let text = Template::parse(name, source).unwrap().render(&vars()).unwrap();
            assert_eq!(text, "#!\n<10.0.0.10/32\"");
        }
    }

    #[test]
    fn a_name_that_is_not_there_is_an_error_with_its_line() {
        let (error, hint) = refused("#!/bin/bash\n\nip addr add {{ ROUTE_DESTINATON }}\n");
        assert_eq!(error, "t.sh:3: undefined value: `ROUTE_DESTINATON`");
        assert!(hint.contains("AZ_SUBNET_DEF_ROUTE and ROUTE_DESTINATION"));
    }

    #[test]
    fn what_jinja_cannot_parse_is_an_error_with_its_line() {
        let (error, hint) = refused("#!/bin/bash\necho ${#array[@]}\n");
        assert!(error.starts_with("t.sh:"), "{error}");
        assert!(hint.contains("{% raw %}"), "{hint}");
        let (error, _) = refused("#!/bin/bash\n{% if %}\n");
        assert!(error.starts_with("t.sh:2: syntax error"), "{error}");
    }

    #[test]
    fn other_files_the_time_and_chance_are_out_of_reach() {
        for text in ["{% include '/etc/passwd' %}", "{{ now() }}", "{{ [1, 2]|random }}"] {
            rendered(&format!("#!/bin/bash\n{text}\n")).expect_err(text);
        }
    }

    #[test]
    fn sixteen_kibibytes_are_taken_and_not_one_byte_more() {
        let fill = |length: usize| "#!".to_owned() + &"x".repeat(length - 2);
        assert_eq!(rendered(&fill(16_384)).unwrap().len(), USER_DATA_BYTES_MAX);
        let (error, _) = refused(&fill(16_385));
        assert!(error.contains("16384 bytes"), "{error}");
        refused(
            "#!{% for i in range(99999) %}{% for i in range(99999) %}x{% endfor %}{% endfor %}",
        );
    }

    #[test]
    fn only_what_cloud_init_runs_is_accepted() {
        for header in HEADERS {
            rendered(&format!("{header}\nx")).expect(header);
        }
        let (error, _) = refused("echo hello\n");
        assert!(error.contains("begins with `echo hello`"), "{error}");
        let (_, hint) = refused("\n#!/bin/bash\n");
        assert!(hint.contains("no blank line"), "{hint}");
        let (_, hint) = refused("{# what this is #}\n#!/bin/bash\n");
        assert!(hint.contains("{#- ... -#}"), "{hint}");
        rendered("{#- what this is -#}\n#!/bin/bash\n").expect("no blank line is left");
        refused("");
    }

    #[test]
    fn windows_line_ends_byte_order_marks_and_bytes_that_are_no_text_are_refused() {
        let (error, hint) = refused("#!/bin/bash\necho\r\n");
        assert_eq!(error, "t.sh:2: the line ends with CR LF");
        assert!(hint.contains("sed"));
        assert!(refused("\u{feff}#!/bin/bash\n").0.contains("byte order mark"));
        let error = Template::parse("t.sh", vec![b'#', b'!', 0xff]).unwrap_err();
        assert_eq!(error.to_string(), "t.sh is not UTF-8 text");
    }

    #[test]
    fn our_own_example_takes_both_spellings_of_the_vip_and_is_a_shell_script() {
        let source = include_bytes!("../../../examples/userdata_template.sh");
        let template = Template::parse("userdata_template.sh", source.to_vec()).unwrap();
        let of = |destination: &str| {
            let route_destination = destination.to_owned();
            template.render(&Vars { route_destination, ..vars() }).unwrap()
        };
        let script = of("10.0.0.10/32");
        assert_eq!(script, of("10.0.0.10"));
        assert!(script.starts_with("#!/bin/sh\n#\n"), "no comment of Jinja2's is left");
        for line in ["VIP='10.0.0.10'", "ROUTER='172.31.48.1'"] {
            assert!(script.lines().any(|of_script| of_script == line), "{line}");
        }
        let checked = std::process::Command::new("sh").args(["-n", "-c", &script]).status();
        assert!(checked.unwrap().success());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Template::load(Path::new("/nonexistent/t.sh")).unwrap_err();
        assert_eq!(error.to_string(), "the template /nonexistent/t.sh can't be read");
    }
}
