//! The user-data template: Jinja2 as the mission uses it.
//!
//! minijinja does the work; what it does otherwise than Jinja2 3.1 is put right here where that can
//! be done from outside: Python's `str` methods ([`text`]), filters and functions ([`builtins`]).
//! What stays different is listed in `docs/templates.md`, and the test command holds all of it
//! against the real Jinja2.
//!
//! Rendering depends on nothing but the template and the variables: no clock, no randomness, no
//! other files. A launch that is repeated with the same token must carry the very same bytes
//! ("Ensuring idempotency in Amazon EC2 API requests", EC2 developer guide).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use rehome_core::names::VpcId;
use rehome_core::net::{Cidr, Vip};
use rehome_core::placement::Site;

mod builtins;
mod format;
mod given;
mod json;
mod problem;
mod python;
mod strformat;
mod text;
mod unicode;
mod views;

pub(crate) use problem::TemplateError;
use problem::{jinja, shortened};

/// What EC2 takes before base64 ("Run commands when you launch an EC2 instance with user data
/// input", EC2 user guide).
pub(crate) const USER_DATA_BYTES_MAX: usize = 16_384;

/// A template may be longer than what it renders to (comments, branches), but not by much.
const TEMPLATE_BYTES_MAX: u64 = 1 << 20;

/// Steps that one rendering may take, and in 64 bytes the memory that it may use: user data needs
/// thousands, an endless loop stops within a second or two.
const STEPS_MAX: u64 = 2_000_000;

/// What cloud-init tells user data by ("User data formats", cloud-init documentation, and
/// `type_from_starts_with` in its `handlers`), apart from compressed data, which no template
/// renders to. It looks past white space, but hands the text on as it is, and a kernel wants `#!`
/// in front.
const HEADERS: [&str; 7] = [
    "#!",
    "#cloud-config",
    "#cloud-boothook",
    "#include",
    "#part-handler",
    "#upstart-job",
    "## template:",
];

/// How a mail begins. For cloud-init it is one if it says `MIME-Version:` early (`convert_string`
/// in its `user_data`).
const MAIL_HEADERS: [&str; 3] = ["Content-Type:", "MIME-Version:", "From "];

/// How early that is, in bytes.
const MIME_VERSION_WITHIN: usize = 4096;

/// What a template may use, and what it is.
pub(crate) const VARIABLES: [(&str, &str); 9] = [
    ("AZ_SUBNET_DEF_ROUTE", "the router of the subnet that the machine boots in"),
    ("ROUTE_DESTINATION", "--route-destination, as given"),
    ("VIP_ADDRESS", "the address in it"),
    ("VIP_PREFIX", "its prefix, a number"),
    ("AZ", "the Availability Zone"),
    ("SUBNET_ID", "the subnet"),
    ("SUBNET_CIDR", "its addresses"),
    ("VPC_ID", "the VPC"),
    ("REGION", "the region"),
];

/// Those of them that nobody knows before AWS was asked.
const OF_THE_SITE: [&str; 6] =
    ["AZ_SUBNET_DEF_ROUTE", "AZ", "SUBNET_ID", "SUBNET_CIDR", "VPC_ID", "REGION"];

/// What a template is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vars {
    /// `ROUTE_DESTINATION`, exactly as it was given on the command line.
    pub(crate) route_destination: String,
    /// What that means.
    pub(crate) vip: Vip,
    /// Where the machine boots.
    pub(crate) site: Site,
    /// The VPC of that.
    pub(crate) vpc: VpcId,
    /// The region of that.
    pub(crate) region: String,
}

impl Vars {
    /// Variables of the right form, for a look at a template before AWS was asked.
    pub(crate) fn sample(route_destination: &str, vip: Vip) -> Vars {
        let id = |kind: &str| format!("{kind}-00000000000000000");
        Vars {
            route_destination: route_destination.to_owned(),
            vip,
            site: Site {
                az: "us-east-1a".to_owned().try_into().expect("it is a zone's name"),
                subnet: id("subnet").try_into().expect("it is a subnet's id"),
                cidr: Cidr::containing([172, 31, 48, 0].into(), 20),
            },
            vpc: id("vpc").try_into().expect("it is a VPC's id"),
            region: "us-east-1".to_owned(),
        }
    }

    fn value(&self) -> Value {
        context! {
            AZ_SUBNET_DEF_ROUTE => self.site.cidr.router().to_string(),
            ROUTE_DESTINATION => &self.route_destination,
            VIP_ADDRESS => self.vip.address.to_string(),
            VIP_PREFIX => self.vip.destination.prefix(),
            AZ => self.site.az.as_str(),
            SUBNET_ID => self.site.subnet.as_str(),
            SUBNET_CIDR => self.site.cidr.to_string(),
            VPC_ID => self.vpc.as_str(),
            REGION => &self.region,
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
        let source = readable(name, bytes)?;
        if let Some(error) = carriage_return(name, &source, |line| line.contains('\r')) {
            return Err(error);
        }
        let mut environment = Environment::new();
        environment.set_debug(true);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(STEPS_MAX));
        builtins::add_to(&mut environment);
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
        let mut rendered = Bounded::default();
        if let Err(error) = template.render_captured_to(vars.value(), &mut rendered) {
            return Err(rendered.overflow(&self.name).unwrap_or_else(|| jinja(&self.name, &error)));
        }
        let rendered = readable(&self.name, rendered.bytes)?;
        if let Some(error) = carriage_return(&self.name, &rendered, |line| line.ends_with('\r')) {
            return Err(error);
        }
        match unfit(&rendered) {
            _ if rendered.is_empty() => Err(TemplateError::NotText {
                name: self.name.clone(),
                what: "rendered to nothing: it is empty".to_owned(),
            }),
            None => Ok(rendered),
            Some(mail) => {
                let first = shortened(rendered.lines().next().unwrap_or_default());
                Err(TemplateError::NoHeader { name: self.name.clone(), first, mail })
            }
        }
    }

    /// Renders with variables of the right form, before AWS was asked. Where the template asks for
    /// the place that it is rendered for, only a name that doesn't exist is surely wrong.
    ///
    /// # Errors
    /// As far as one is certain.
    pub(crate) fn check_early(&self, vars: &Vars) -> Result<(), TemplateError> {
        let template = self.environment.get_template(&self.name).expect("parse() added it");
        let used = template.undeclared_variables(false);
        let depends = OF_THE_SITE.iter().any(|name| used.contains(*name));
        match self.render(vars) {
            Err(error) if depends && !error.undefined_name().is_some_and(|n| used.contains(n)) => {
                Ok(())
            }
            other => other.map(drop),
        }
    }
}

/// Whether cloud-init wouldn't take this; `true` where it is a mail, and not quite one.
fn unfit(rendered: &str) -> Option<bool> {
    if HEADERS.iter().any(|header| rendered.starts_with(header)) {
        return None;
    }
    let early = &rendered.as_bytes()[..rendered.len().min(MIME_VERSION_WITHIN)];
    let early = String::from_utf8_lossy(early).to_lowercase();
    let mail = MAIL_HEADERS.iter().any(|header| rendered.starts_with(header));
    if mail && early.contains("mime-version:") { None } else { Some(mail) }
}

/// Takes as much as EC2 does.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    /// What didn't fit any more.
    refused: Option<Vec<u8>>,
}

impl Bounded {
    /// The rendered line at which it was too much, if it was.
    fn overflow(&self, name: &str) -> Option<TemplateError> {
        let all = [&self.bytes, self.refused.as_ref()?.as_slice()].concat();
        // The first byte that is too much stands in this line.
        let (within, beyond) = all.split_at(USER_DATA_BYTES_MAX);
        let begin = within.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = beyond.iter().position(|byte| *byte == b'\n').unwrap_or(beyond.len());
        let line = 1 + within.iter().filter(|byte| **byte == b'\n').count();
        let text = String::from_utf8_lossy(&all[begin..USER_DATA_BYTES_MAX + end]);
        let text = shortened(&text);
        Some(TemplateError::TooLong { name: name.to_owned(), line, text })
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > USER_DATA_BYTES_MAX {
            self.refused.get_or_insert_with(|| bytes.to_vec());
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn readable(name: &str, bytes: Vec<u8>) -> Result<String, TemplateError> {
    let not_text = |what: String| TemplateError::NotText { name: name.to_owned(), what };
    if u64::try_from(bytes.len()).is_ok_and(|length| length > TEMPLATE_BYTES_MAX) {
        return Err(not_text(format!("longer than {TEMPLATE_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| not_text("not UTF-8 text".to_owned()))?;
    if text.starts_with('\u{feff}') {
        return Err(not_text("text with a byte order mark".to_owned()));
    }
    Ok(text)
}

/// The first line with a carriage return where none may be.
fn carriage_return(name: &str, text: &str, has: fn(&str) -> bool) -> Option<TemplateError> {
    let (index, line) = text.split('\n').enumerate().find(|(_, line)| has(line))?;
    let text = shortened(&line.replace('\r', "\\r"));
    Some(TemplateError::CarriageReturn { name: name.to_owned(), line: index + 1, text })
}

#[cfg(test)]
mod tests;
