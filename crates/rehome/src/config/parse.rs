//! From a table of the file to a command line.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::ops::Range;
use std::rc::Rc;

use clap::FromArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::keys::{Key, Place};
use super::{File, One, text_of};
use crate::cli::RunArgs;

/// Two names that are alike from here on are taken for a slip.
const ALIKE: f64 = 0.8;

/// What was given so far: by key, its line and the words of a command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    given: BTreeMap<String, (Range<usize>, Vec<String>)>,
    /// Keys that were given something wrong: they are told, and not missing.
    wrong: BTreeSet<String>,
}

/// Takes one entry in.
pub(super) fn take(
    file: &mut File<'_>,
    place: Place,
    key: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
    words: &mut Words,
) {
    let (name, span) = (text_of(key), key.span());
    let Some(known) = file.keys.iter().find(|known| known.name == name).cloned() else {
        let hint = unknown(file, name);
        file.wrong(&span, &format!("`{name}` is no key of rehome"), hint);
        return;
    };
    if !known.places.contains(&place) {
        let here = match place {
            Place::File => "at the top of the file",
            Place::Defaults => "in [defaults]",
            Place::Vip => "in [[vip]]",
        };
        let hint = format!("`{name}` stands {}", known.place());
        file.wrong(&span, &format!("`{name}` can't stand {here}"), hint);
        return;
    }
    match spoken(file, &known, value.get_ref()) {
        Ok(spoken) => {
            words.wrong.remove(name);
            words.given.insert(name.to_owned(), (span, spoken));
        }
        Err(what) => {
            let hint = format!("accepted: {}; {}", known.accepts(), known.help());
            file.wrong(&span, &format!("`{name}`: {what}"), hint);
            words.wrong.insert(name.to_owned());
        }
    }
}

fn unknown(file: &File<'_>, name: &str) -> String {
    let alike = |key: &Key| (strsim::jaro(&key.name, &name.replace('-', "_")), key.name.clone());
    let best = file.keys.iter().map(alike).max_by(|one, two| one.0.total_cmp(&two.0));
    match best {
        Some((how, key)) if how >= ALIKE => format!("did you mean `{key}`?"),
        Some(_) | None => "`man rehome.toml` tells every key".to_owned(),
    }
}

/// A value as words of a command line.
fn spoken(file: &File<'_>, key: &Key, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let flag = key.arg.get_long().unwrap_or_default();
    if key.is_switch() {
        let on = value.as_bool().ok_or_else(|| format!("{} is given", value.type_str()))?;
        return Ok(if on { vec![format!("--{flag}")] } else { Vec::new() });
    }
    let word = |value: &DeValue<'_>| -> Result<String, String> {
        let text = match value {
            DeValue::String(text) if key.is_path() && !text.is_empty() => {
                file.folder().join(text.as_ref()).to_string_lossy().into_owned()
            }
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().replace('_', ""),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => return Err(format!("{} is given", value.type_str())),
        };
        Ok(format!("--{flag}={text}"))
    };
    match value.as_array() {
        Some(list) if key.is_list() => list.iter().map(|one| word(one.get_ref())).collect(),
        Some(_) => Err("a list is given where one value is expected".to_owned()),
        None => word(value).map(|word| vec![word]),
    }
}

/// The command line of one address. Everything that is wrong with it is told.
pub(super) fn command_line(
    file: &mut File<'_>,
    span: &Range<usize>,
    mut words: Words,
) -> Option<One> {
    loop {
        let spoken = words.given.values().flat_map(|(_, spoken)| spoken.clone());
        let matched = file.command.try_get_matches_from_mut(spoken);
        let error = match matched.and_then(|matches| RunArgs::from_arg_matches(&matches)) {
            Ok(args) => {
                let spoken = words.given.into_iter().map(|(key, (_, spoken))| (key, spoken));
                let one = One { args: Rc::new(args), words: spoken.collect() };
                return words.wrong.is_empty().then_some(one);
            }
            Err(error) => error,
        };
        if error.kind() == ErrorKind::MissingRequiredArgument {
            missing(file, span, &words);
            return None;
        }
        let Some(key) = blamed(file, &error) else {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            file.wrong(span, first, "`man rehome.toml` tells every key");
            return None;
        };
        let place = words.given.remove(&key.name).map_or_else(|| span.clone(), |(place, _)| place);
        if !words.wrong.insert(key.name.clone()) {
            return None;
        }
        let hint = format!("accepted: {}; {}", key.accepts(), key.help());
        file.wrong(&place, &format!("`{}`: {}", key.name, reason(&error)), hint);
    }
}

fn missing(file: &mut File<'_>, span: &Range<usize>, words: &Words) {
    for key in file.keys.iter().filter(|key| key.is_required()).cloned().collect::<Vec<_>>() {
        let hint = format!("accepted: {}; {}", key.accepts(), key.help());
        match words.given.get(&key.name) {
            Some((place, spoken)) if spoken.is_empty() => {
                file.wrong(place, &format!("`{}` is empty", key.name), hint);
            }
            None if !words.wrong.contains(&key.name) => {
                file.wrong(span, &format!("`{}` is missing", key.name), hint);
            }
            Some(_) | None => {}
        }
    }
}

/// The key that an error is about.
fn blamed(file: &File<'_>, error: &clap::Error) -> Option<Key> {
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = shown.trim_start_matches("--").split([' ', '=']).next()?;
    file.keys.iter().find(|key| key.arg.get_long() == Some(flag)).cloned()
}

/// Why a value isn't accepted.
fn reason(error: &clap::Error) -> String {
    if let Some(cause) = error.source() {
        return cause.to_string();
    }
    match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) if value.is_empty() => "it is empty".to_owned(),
        Some(ContextValue::String(value)) => format!("`{value}` is not accepted"),
        _ => error.kind().as_str().unwrap_or("it isn't accepted").to_owned(),
    }
}
