//! Python's `str` methods, as a table: those that return text, a number, a bool, a tuple or a list
//! of text. What they do follows "Text Sequence Type — str" of Python's library reference; strings
//! are counted in characters, as there.
//!
//! `encode` isn't among them: templates have no bytes.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "minijinja's enums may grow, and what isn't named is treated alike"
)]

use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::given::{Given, whole, wrong};
use super::strformat;
use super::unicode::{
    is_alpha, is_cased, is_decimal, is_digit, is_numeric, is_printable, is_space, is_title,
    push_folded, push_title,
};

/// What padding may grow a text to: far more than user data may hold.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;

type Outcome = Result<Value, Error>;

/// One method.
struct Method {
    name: &'static str,
    /// As [`Given::of`] has it.
    takes: &'static [&'static str],
    /// How many of them have to be there.
    needs: usize,
    run: fn(&str, &Given<'_>) -> Outcome,
}

const fn method(
    name: &'static str,
    takes: &'static [&'static str],
    needs: usize,
    run: fn(&str, &Given<'_>) -> Outcome,
) -> Method {
    Method { name, takes, needs, run }
}

const RANGE: &[&str] = &["/sub", "/start", "/end"];
const PADDING: &[&str] = &["/width", "/fillchar"];

/// Every method, in the order of the alphabet.
const METHODS: [Method; 46] = [
    method("capitalize", &[], 0, |text, _| Ok(capitalize(text).into())),
    method("casefold", &[], 0, |text, _| Ok(built(text, push_folded).into())),
    method("center", PADDING, 1, |text, given| pad(text, given, center)),
    method("count", RANGE, 1, |text, given| {
        let sub = given.text(0)?;
        let part = given.part(text, 1)?;
        Ok(part.map_or(0, |(_, part)| part.matches(sub).count()).into())
    }),
    method("endswith", RANGE, 1, |text, given| {
        any_affix(text, given, |part, end| part.ends_with(end))
    }),
    method("expandtabs", &["tabsize"], 0, |text, given| expand_tabs(text, given.integer(0, 8)?)),
    method("find", RANGE, 1, |text, given| Ok(find(text, given, Side::Left)?.unwrap_or(-1).into())),
    method("index", RANGE, 1, |text, given| found(find(text, given, Side::Left)?)),
    method("isalnum", &[], 0, |text, _| {
        all(text, |c| is_alpha(c) || is_decimal(c) || is_digit(c) || is_numeric(c))
    }),
    method("isalpha", &[], 0, |text, _| all(text, is_alpha)),
    method("isascii", &[], 0, |text, _| Ok(text.is_ascii().into())),
    method("isdecimal", &[], 0, |text, _| all(text, is_decimal)),
    method("isdigit", &[], 0, |text, _| all(text, is_digit)),
    method("isidentifier", &[], 0, |text, _| Ok(is_identifier(text).into())),
    method("islower", &[], 0, |text, _| {
        let capital = text.chars().any(|c| c.is_uppercase() || is_title(c));
        Ok((!capital && text.chars().any(char::is_lowercase)).into())
    }),
    method("isnumeric", &[], 0, |text, _| all(text, is_numeric)),
    method("isprintable", &[], 0, |text, _| Ok(text.chars().all(is_printable).into())),
    method("isspace", &[], 0, |text, _| all(text, is_space)),
    method("istitle", &[], 0, |text, _| Ok(is_titled(text).into())),
    method("isupper", &[], 0, |text, _| {
        let small = text.chars().any(|c| c.is_lowercase() || is_title(c));
        Ok((!small && text.chars().any(char::is_uppercase)).into())
    }),
    method("join", &["/iterable"], 1, join),
    method("ljust", PADDING, 1, |text, given| pad(text, given, |_, missing| (0, missing))),
    method("lower", &[], 0, |text, _| Ok(text.to_lowercase().into())),
    method("lstrip", &["/chars"], 0, |text, given| strip(text, given, &[Side::Left])),
    method("maketrans", &["/x", "/y", "/z"], 1, |_, given| make_translation(given)),
    method("partition", &["/sep"], 1, |text, given| partition(text, given.text(0)?, Side::Left)),
    method("removeprefix", &["/prefix"], 1, |text, given| {
        Ok(text.strip_prefix(given.text(0)?).unwrap_or(text).into())
    }),
    method("removesuffix", &["/suffix"], 1, |text, given| {
        Ok(text.strip_suffix(given.text(0)?).unwrap_or(text).into())
    }),
    method("replace", &["/old", "/new", "/count"], 2, replace),
    method("rfind", RANGE, 1, |text, given| {
        Ok(find(text, given, Side::Right)?.unwrap_or(-1).into())
    }),
    method("rindex", RANGE, 1, |text, given| found(find(text, given, Side::Right)?)),
    method("rjust", PADDING, 1, |text, given| pad(text, given, |_, missing| (missing, 0))),
    method("rpartition", &["/sep"], 1, |text, given| partition(text, given.text(0)?, Side::Right)),
    method("rsplit", &["sep", "maxsplit"], 0, |text, given| split(text, given, Side::Right)),
    method("rstrip", &["/chars"], 0, |text, given| strip(text, given, &[Side::Right])),
    method("split", &["sep", "maxsplit"], 0, |text, given| split(text, given, Side::Left)),
    method("splitlines", &["keepends"], 0, |text, given| {
        let keep = given.value(0).is_some_and(Value::is_true);
        Ok(lines(text, keep).into_iter().collect())
    }),
    method("startswith", RANGE, 1, |text, given| {
        any_affix(text, given, |part, start| part.starts_with(start))
    }),
    method("strip", &["/chars"], 0, |text, given| strip(text, given, &[Side::Left, Side::Right])),
    method("swapcase", &[], 0, |text, _| Ok(swap_case(text).into())),
    method("title", &[], 0, |text, _| Ok(title(text).into())),
    method("translate", &["/table"], 1, translate),
    method("upper", &[], 0, |text, _| Ok(text.to_uppercase().into())),
    method("zfill", &["/width"], 1, zero_fill),
    method("format_map", &["/mapping"], 1, format_map),
    // Its arguments are of any number and name, so `call` hands them on as they are.
    method("format", &[], 0, |_, _| Err(Error::from(ErrorKind::UnknownMethod))),
];

/// Calls a method of a text.
///
/// # Errors
/// Where Python would raise one, and for `encode` and what Python doesn't have either.
pub(super) fn call(text: &str, name: &str, arguments: &[Value]) -> Outcome {
    if name == "format" {
        return Ok(strformat::format(text, arguments)?.into());
    }
    let Some(method) = METHODS.iter().find(|method| method.name == name) else {
        return Err(Error::from(ErrorKind::UnknownMethod));
    };
    let given = Given::of(method.name, method.takes, method.needs, arguments)?;
    (method.run)(text, &given)
}

fn built(text: &str, push: fn(&mut String, char)) -> String {
    let mut new = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut new, c));
    new
}

/// True for a text of at least one character that are all so.
fn all(text: &str, is: impl Fn(char) -> bool) -> Outcome {
    Ok((!text.is_empty() && text.chars().all(is)).into())
}

/// Which end of a text is looked at first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

// Case.

/// Every character in small letters, in its context: at the end of a word sigma has another form.
fn lowered(text: &str) -> impl Iterator<Item = (char, String)> {
    let whole = text.to_lowercase();
    let mut at = 0;
    text.chars().map(move |c| {
        let length: usize = c.to_lowercase().map(char::len_utf8).sum();
        let small = whole[at..at + length].to_owned();
        at += length;
        (c, small)
    })
}

fn capitalize(text: &str) -> String {
    let mut new = String::with_capacity(text.len());
    for (index, (c, small)) in lowered(text).enumerate() {
        if index == 0 { push_title(&mut new, c) } else { new.push_str(&small) }
    }
    new
}

fn title(text: &str) -> String {
    let mut new = String::with_capacity(text.len());
    let mut inside = false;
    for (c, small) in lowered(text) {
        if inside {
            new.push_str(&small)
        } else {
            push_title(&mut new, c)
        }
        inside = is_cased(c);
    }
    new
}

fn swap_case(text: &str) -> String {
    let mut new = String::with_capacity(text.len());
    for (c, small) in lowered(text) {
        if c.is_uppercase() {
            new.push_str(&small);
        } else if c.is_lowercase() {
            new.extend(c.to_uppercase());
        } else {
            new.push(c);
        }
    }
    new
}

fn is_titled(text: &str) -> bool {
    let (mut any, mut inside) = (false, false);
    for c in text.chars() {
        let capital = c.is_uppercase() || is_title(c);
        if capital && inside || c.is_lowercase() && !inside {
            return false;
        }
        inside = capital || c.is_lowercase();
        any |= inside;
    }
    any
}

fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first == '_' || unicode_ident::is_xid_start(first))
        && chars.all(unicode_ident::is_xid_continue)
}

// Padding.

/// `pad` says how many fill characters go to the left and to the right.
fn pad(text: &str, given: &Given<'_>, sides: fn(usize, usize) -> (usize, usize)) -> Outcome {
    let width = given.integer(0, 0)?;
    let fill = match given.value(1) {
        None => ' ',
        Some(_) => {
            let fill = given.text(1)?;
            let mut chars = fill.chars();
            match (chars.next(), chars.next()) {
                (Some(only), None) => only,
                _ => return Err(given.refused(1, "exactly one character")),
            }
        }
    };
    let missing = missing(text, width)?;
    let (left, right) = sides(text.chars().count() + missing, missing);
    let repeated = |count| std::iter::repeat_n(fill, count);
    let padded: String = repeated(left).chain(text.chars()).chain(repeated(right)).collect();
    Ok(padded.into())
}

/// Python puts the odd one to the left where the width is odd.
fn center(width: usize, missing: usize) -> (usize, usize) {
    let left = missing / 2 + (missing & width & 1);
    (left, missing - left)
}

/// How many characters a text lacks to a width.
fn missing(text: &str, width: i64) -> Result<usize, Error> {
    let width = usize::try_from(width).unwrap_or(0);
    if width > TEXT_BYTES_MAX {
        return Err(wrong(format!("a text of {width} characters is too long")));
    }
    Ok(width.saturating_sub(text.chars().count()))
}

fn zero_fill(text: &str, given: &Given<'_>) -> Outcome {
    let zeros = "0".repeat(missing(text, given.integer(0, 0)?)?);
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => text.split_at(text.len() - digits.len()),
        None => ("", text),
    };
    Ok(format!("{sign}{zeros}{digits}").into())
}

fn expand_tabs(text: &str, size: i64) -> Outcome {
    let size = usize::try_from(size).unwrap_or(0);
    let mut new = String::with_capacity(text.len());
    let mut column: usize = 0;
    for c in text.chars() {
        match c {
            '\t' if size == 0 => {}
            '\t' => {
                let blanks = size - column % size;
                if new.len().saturating_add(blanks) > TEXT_BYTES_MAX {
                    return Err(wrong("the text with its tabs expanded is too long"));
                }
                new.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            '\n' | '\r' => {
                new.push(c);
                column = 0;
            }
            _ => {
                new.push(c);
                column += 1;
            }
        }
    }
    Ok(new.into())
}

fn strip(text: &str, given: &Given<'_>, sides: &[Side]) -> Outcome {
    let chars = given.text_or_none(0)?;
    let goes = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let mut rest = text;
    for side in sides {
        rest = match side {
            Side::Left => rest.trim_start_matches(goes),
            Side::Right => rest.trim_end_matches(goes),
        };
    }
    Ok(rest.into())
}

// Searching.

fn find(text: &str, given: &Given<'_>, side: Side) -> Result<Option<i64>, Error> {
    let sub = given.text(0)?;
    let Some((start, part)) = given.part(text, 1)? else { return Ok(None) };
    let at = match side {
        Side::Left => part.find(sub),
        Side::Right => part.rfind(sub),
    };
    let index = at.map(|at| start + part[..at].chars().count());
    Ok(index.and_then(|index| i64::try_from(index).ok()))
}

fn found(index: Option<i64>) -> Outcome {
    index.map(Value::from).ok_or_else(|| wrong("substring not found"))
}

/// `startswith` and `endswith`: one affix, or a tuple of them.
fn any_affix(text: &str, given: &Given<'_>, has: fn(&str, &str) -> bool) -> Outcome {
    let wanted = || given.refused(0, "a string or a tuple of strings");
    let affixes = match given.value(0) {
        Some(tuple) if tuple.is_tuple() => tuple.try_iter()?.collect(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let part = given.part(text, 1)?;
    for affix in &affixes {
        let affix = affix.as_str().ok_or_else(wanted)?;
        if part.is_some_and(|(_, part)| has(part, affix)) {
            return Ok(true.into());
        }
    }
    Ok(false.into())
}

fn replace(text: &str, given: &Given<'_>) -> Outcome {
    let (old, new) = (given.text(0)?, given.text(1)?);
    let count = usize::try_from(given.integer(2, -1)?).unwrap_or(usize::MAX);
    let hits = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    if hits.min(count).saturating_mul(new.len()) > TEXT_BYTES_MAX {
        return Err(wrong("the text with its replacements is too long"));
    }
    Ok(text.replacen(old, new, count).into())
}

// Taking apart and putting together.

fn no_empty_separator(separator: &str) -> Result<(), Error> {
    if separator.is_empty() { Err(wrong("empty separator")) } else { Ok(()) }
}

fn split(text: &str, given: &Given<'_>, side: Side) -> Outcome {
    let separator = given.text_or_none(0)?;
    // -1 stands for any number, as every negative one does.
    let most = usize::try_from(given.integer(1, -1)?).unwrap_or(usize::MAX - 1);
    let Some(separator) = separator else { return Ok(words(text, most, side)) };
    no_empty_separator(separator)?;
    Ok(match side {
        Side::Left => text.splitn(most.saturating_add(1), separator).collect(),
        Side::Right => {
            let mut parts: Vec<&str> = text.rsplitn(most.saturating_add(1), separator).collect();
            parts.reverse();
            parts.into_iter().collect()
        }
    })
}

/// Splits at runs of white space. What is left when `most` splits are made keeps its own, apart
/// from what lies towards the side that was split.
fn words(text: &str, most: usize, side: Side) -> Value {
    let trimmed = |text: &'_ str| match side {
        Side::Left => text.trim_start_matches(is_space).len(),
        Side::Right => text.trim_end_matches(is_space).len(),
    };
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let length = trimmed(rest);
        rest = match side {
            Side::Left => &rest[rest.len() - length..],
            Side::Right => &rest[..length],
        };
        if rest.is_empty() {
            break;
        }
        let cut = match side {
            Side::Left => rest.find(is_space),
            Side::Right => rest
                .rfind(is_space)
                .map(|at| at + rest[at..].chars().next().map_or(0, char::len_utf8)),
        };
        let Some(at) = cut.filter(|_| parts.len() < most) else {
            parts.push(rest);
            break;
        };
        let (left, right) = rest.split_at(at);
        let (word, others) = if side == Side::Left { (left, right) } else { (right, left) };
        parts.push(word);
        rest = others;
    }
    if side == Side::Right {
        parts.reverse();
    }
    parts.into_iter().collect()
}

/// Python's ends of lines ("str.splitlines" in its library reference).
pub(super) fn lines(text: &str, keep: bool) -> Vec<&str> {
    let is_end = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}')
            || matches!(c, '\u{2028}' | '\u{2029}')
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_end) {
        let end = if rest[at..].starts_with("\r\n") {
            at + 2
        } else {
            at + rest[at..].chars().next().map_or(0, char::len_utf8)
        };
        lines.push(if keep { &rest[..end] } else { &rest[..at] });
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

fn partition(text: &str, separator: &str, side: Side) -> Outcome {
    no_empty_separator(separator)?;
    let parts = match side {
        Side::Left => text.split_once(separator).ok_or([text, "", ""]),
        Side::Right => text.rsplit_once(separator).ok_or(["", "", text]),
    };
    let parts = match parts {
        Ok((before, after)) => [before, separator, after],
        Err(whole) => whole,
    };
    Ok(Tuple::from(parts.map(Value::from)).into())
}

fn join(text: &str, given: &Given<'_>) -> Outcome {
    let Some(parts) = given.value(0).filter(|parts| !parts.is_none()) else {
        return Err(given.refused(0, "a list"));
    };
    let mut new = String::new();
    for (index, part) in parts.try_iter()?.enumerate() {
        let Some(part) = part.as_str() else {
            let kind = part.kind();
            return Err(wrong(format!("join(): item {} is no string, but {kind}", index + 1)));
        };
        if new.len() + text.len() + part.len() > TEXT_BYTES_MAX {
            return Err(wrong("the joined text is too long"));
        }
        if index > 0 {
            new.push_str(text);
        }
        new.push_str(part);
    }
    Ok(new.into())
}

fn format_map(text: &str, given: &Given<'_>) -> Outcome {
    let mut named = Vec::new();
    // Anything goes as long as no field asks for it.
    let mapping = given.value(0).filter(|value| value.kind() == ValueKind::Map);
    let Some(mapping) = mapping else { return Ok(strformat::format(text, &[])?.into()) };
    for key in mapping.try_iter()? {
        if let Some(name) = key.as_str() {
            named.push((name.to_owned(), mapping.get_item(&key)?));
        }
    }
    let named: Kwargs = named.into_iter().collect();
    Ok(strformat::format(text, &[named.into()])?.into())
}

fn make_translation(given: &Given<'_>) -> Outcome {
    let ordinal = |c: char| Value::from(u32::from(c));
    let Some(values) = given.value(1) else {
        let table = given.value(0).filter(|value| value.kind() == ValueKind::Map);
        let Some(table) = table else { return Err(given.refused(0, "a dict")) };
        let mut pairs = Vec::new();
        for key in table.try_iter()? {
            let mut chars = key.as_str().unwrap_or_default().chars();
            let new = match (chars.next(), chars.next()) {
                (Some(only), None) => ordinal(only),
                _ if key.is_integer() => key.clone(),
                _ => return Err(wrong("maketrans(): keys are characters or whole numbers")),
            };
            pairs.push((new, table.get_item(&key)?));
        }
        return Ok(Value::from_pairs(pairs));
    };
    let from = given.text(0)?;
    let to = values.as_str().ok_or_else(|| given.refused(1, "a string"))?;
    if from.chars().count() != to.chars().count() {
        return Err(wrong("maketrans(): the first two arguments have to be of one length"));
    }
    let replaced = from.chars().zip(to.chars()).map(|(old, new)| (ordinal(old), ordinal(new)));
    let removed = given.text_or_none(2)?.unwrap_or_default();
    let removed = removed.chars().map(|old| (ordinal(old), Value::from(())));
    Ok(Value::from_pairs(replaced.chain(removed)))
}

fn translate(text: &str, given: &Given<'_>) -> Outcome {
    let Some(table) = given.value(0) else { return Err(given.refused(0, "a table")) };
    let mut new = String::with_capacity(text.len());
    for c in text.chars() {
        if !matches!(table.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::String) {
            return Err(given.refused(0, "a table"));
        }
        let entry = table.get_item(&Value::from(u32::from(c)))?;
        match entry.kind() {
            ValueKind::Undefined => new.push(c),
            ValueKind::None => {}
            ValueKind::String => new.push_str(entry.as_str().unwrap_or_default()),
            _ => {
                let code = whole(&entry).and_then(|code| u32::try_from(code).ok());
                let refused = || wrong("translate(): the table has to hold text, numbers or none");
                new.push(code.and_then(char::from_u32).ok_or_else(refused)?);
            }
        }
    }
    Ok(new.into())
}
