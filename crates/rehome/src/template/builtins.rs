//! Filters, tests, functions and methods that Jinja2 has and minijinja lacks or does otherwise.
//!
//! What minijinja has beyond Jinja2 is taken away: a template shall render here as there, or fail.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "minijinja's enums may grow, and what isn't named is treated alike"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Object, Rest, ValueKind, ValueOrKwargs};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, Value};
use minijinja_contrib::globals::joiner;
use minijinja_contrib::pycompat;

use super::given::{Given, wrong};
use super::python::{escaped, str_of};
use super::views::{View, range, view};
use super::{format, json, text};

type Outcome = Result<Value, Error>;

/// A filter, with its arguments as [`Given::of`] has them.
struct Filter {
    name: &'static str,
    takes: &'static [&'static str],
    needs: usize,
    run: fn(&mut State<'_, '_>, &Value, &Given<'_>) -> Outcome,
}

const fn filter(
    name: &'static str,
    takes: &'static [&'static str],
    needs: usize,
    run: fn(&mut State<'_, '_>, &Value, &Given<'_>) -> Outcome,
) -> Filter {
    Filter { name, takes, needs, run }
}

/// The filters of Jinja2 that minijinja lacks, or takes other arguments for.
const FILTERS: [Filter; 22] = [
    filter("attr", &["name"], 1, |_, value, given| match value.kind() {
        // Their items are no attributes.
        ValueKind::Plain => minijinja::filters::attr(value, &given.or(0, "")),
        _ => Ok(Value::UNDEFINED),
    }),
    filter("center", &["width"], 0, |_, value, given| {
        let width = given.integer(0, 80)?;
        text::call(&str_of(value)?, "center", &[width.into()])
    }),
    filter("d", &["default_value", "boolean"], 0, default),
    filter("default", &["default_value", "boolean"], 0, default),
    filter("dictsort", &["case_sensitive", "by", "reverse"], 0, |_, value, given| {
        minijinja::filters::dictsort(value, given.named(&["case_sensitive", "by", "reverse"]))
    }),
    filter("e", &[], 0, |_, value, _| escape(value)),
    filter("escape", &[], 0, |_, value, _| escape(value)),
    filter("filesizeformat", &["binary"], 0, |_, value, given| {
        Ok(file_size(number(value).unwrap_or(f64::NAN), given.truth(0)).into())
    }),
    filter("float", &["default"], 0, |_, value, given| {
        Ok(number(value).map(Value::from).unwrap_or_else(|| given.or(0, 0.0)))
    }),
    filter("forceescape", &[], 0, |_, value, _| {
        Ok(Value::from_safe_string(escaped(&str_of(value)?)))
    }),
    filter("indent", &["width", "first", "blank"], 0, indent),
    filter("int", &["default", "base"], 0, |_, value, given| {
        let base = given.integer(1, 10)?;
        Ok(integer(value, base).map(Value::from).unwrap_or_else(|| given.or(0, 0)))
    }),
    filter("join", &["d", "attribute"], 0, join),
    filter("lower", &[], 0, |_, value, _| text::call(&str_of(value)?, "lower", &[])),
    filter("sort", &["reverse", "case_sensitive", "attribute"], 0, |state, value, given| {
        let named = given.named(&["reverse", "case_sensitive", "attribute"]);
        minijinja::filters::sort(state, value.clone(), named)
    }),
    filter("string", &[], 0, |_, value, _| match value.kind() {
        ValueKind::String => Ok(value.clone()),
        _ => Ok(str_of(value)?.into()),
    }),
    filter("tojson", &["indent"], 0, |_, value, given| {
        let blanks = given.value(0).filter(|indent| !indent.is_none());
        let blanks = blanks.map(|_| given.size(0, 0)).transpose()?.map(|count| " ".repeat(count));
        Ok(Value::from_safe_string(json::dumps(value, blanks.as_deref())?))
    }),
    filter("trim", &["chars"], 0, |_, value, given| {
        let chars = given.value(0).cloned().unwrap_or_default();
        let chars = if chars.is_undefined() { Value::from(()) } else { chars };
        text::call(&str_of(value)?, "strip", &[chars])
    }),
    filter("truncate", &["length", "killwords", "end", "leeway"], 0, truncate),
    filter("upper", &[], 0, |_, value, _| text::call(&str_of(value)?, "upper", &[])),
    filter("urlencode", &[], 0, |_, value, _| url_encode(value)),
    filter("wordcount", &[], 0, |_, value, _| {
        let text = str_of(value)?;
        let words = text.split(|c: char| !(super::unicode::is_word(c)));
        Ok(words.filter(|word| !word.is_empty()).count().into())
    }),
];

/// What minijinja has and Jinja2 hasn't, or has with another outcome.
const NO_FILTERS: [&str; 6] = ["bool", "chain", "lines", "pprint", "split", "zip"];
const NO_TESTS: [&str; 2] = ["startingwith", "endingwith"];
const NO_FUNCTIONS: [&str; 1] = ["debug"];

/// Makes an environment one of Jinja2's.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    NO_FILTERS.iter().for_each(|name| environment.remove_filter(name));
    NO_TESTS.iter().for_each(|name| environment.remove_test(name));
    NO_FUNCTIONS.iter().for_each(|name| environment.remove_global(name));
    for Filter { name, takes, needs, run } in &FILTERS {
        environment.add_filter(
            *name,
            move |state: &mut State<'_, '_>, value: &Value, given: Rest<ValueOrKwargs>| {
                let values = given.into_values();
                run(state, value, &Given::of(name, takes, *needs, &values)?)
            },
        );
    }
    environment.add_filter("format", |value: &Value, given: Rest<ValueOrKwargs>| {
        format::format(&str_of(value)?, &given.into_values())
    });
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::String | ValueKind::Map)
            || value.kind() == ValueKind::Iterable
                && value.len().is_some()
                && value.downcast_object_ref::<View>().is_none_or(View::is_range)
    });
    environment.add_function("cycler", |items: Rest<Value>| Cycler::of(items.0));
    environment.add_function("dict", dict);
    environment.add_function("joiner", joiner);
    environment.add_function("range", range);
    environment.set_formatter(print);
    environment.set_unknown_method_callback(method);
}

/// Prints a value as Python's `str` does.
fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return minijinja::escape_formatter(out, state, value);
    }
    let text = str_of(value)?;
    let text = match state.auto_escape() {
        AutoEscape::Html if !value.is_safe() => escaped(&text),
        _ => text,
    };
    Ok(out.write_str(&text)?)
}

/// A method of a value: our own of text, minijinja's and a few more of lists and dicts.
fn method(state: &mut State<'_, '_>, value: &Value, name: &str, given: &[Value]) -> Outcome {
    if let Some(of) = value.as_str() {
        return text::call(of, name, given);
    }
    if let Some(view) = view(value, name) {
        Given::of("view", &[], 0, given)?;
        return view;
    }
    match (value.kind(), name) {
        (ValueKind::Seq, "index") => {
            let given = Given::of("index", &["/value", "/start", "/end"], 1, given)?;
            let items: Vec<Value> = value.try_iter()?.collect();
            let (start, end) = given.bounds(items.len(), 1)?;
            let mut places = (0..items.len()).filter(|at| (start..end).contains(at));
            let found = places.find(|at| Some(&items[*at]) == given.value(0));
            found.map(Value::from).ok_or_else(|| wrong("index(): it is not in the list"))
        }
        (ValueKind::Seq | ValueKind::Map, "copy") if !value.is_tuple() => {
            Given::of("copy", &[], 0, given).map(|_| value.clone())
        }
        _ => pycompat::unknown_method_callback(state, value, name, given),
    }
}

fn default(_: &mut State<'_, '_>, value: &Value, given: &Given<'_>) -> Outcome {
    let none = value.is_undefined() || given.truth(1) && !value.is_true();
    Ok(if none { given.or(0, "") } else { value.clone() })
}

fn escape(value: &Value) -> Outcome {
    if value.is_safe() {
        return Ok(value.clone());
    }
    Ok(Value::from_safe_string(escaped(&str_of(value)?)))
}

fn file_size(bytes: f64, binary: bool) -> String {
    const UNITS: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return "1 Byte".to_owned();
    }
    if bytes < base {
        return format!("{} Bytes", bytes.trunc());
    }
    let mut unit = base;
    let mut letter = UNITS[0];
    for next in UNITS {
        letter = next;
        unit *= base;
        if bytes < unit {
            break;
        }
    }
    let letter = if binary { letter.to_uppercase() + "i" } else { letter.to_owned() };
    format!("{:.1} {letter}B", base * bytes / unit)
}

/// `float(value)`.
fn number(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::String => joined_digits(value.as_str()?.trim())?.parse().ok(),
        _ => None,
    }
}

/// `int(value, base)`, or `int(float(value))`.
pub(super) fn integer(value: &Value, base: i64) -> Option<i128> {
    if let Some(text) = value.as_str()
        && let Some(number) = parsed(text.trim(), base)
    {
        return Some(number);
    }
    if value.is_integer() {
        return i128::try_from(value.clone()).ok();
    }
    // The range of f64 is beyond that of i128, which saturates; user data has no such numbers.
    #[expect(clippy::cast_possible_truncation, reason = "cutting off is what `int` is for")]
    number(value).filter(|number| number.is_finite()).map(|number| number.trunc() as i128)
}

fn parsed(text: &str, base: i64) -> Option<i128> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text).to_lowercase();
    let prefixes = [("0b", 2), ("0o", 8), ("0x", 16)];
    let prefix = prefixes
        .iter()
        .find(|(prefix, of)| digits.starts_with(prefix) && (base == 0 || base == *of));
    let (digits, base) = match prefix {
        Some((prefix, of)) => (digits[prefix.len()..].trim_start_matches('_'), *of),
        // Without a base a leading zero could mean two things.
        None if base == 0 && is_ambiguous(&digits) => return None,
        None => (digits.as_str(), if base == 0 { 10 } else { base }),
    };
    if !(2..=36).contains(&base) || digits.starts_with(['+', '-']) {
        return None;
    }
    let number = i128::from_str_radix(&joined_digits(digits)?, u32::try_from(base).ok()?).ok()?;
    Some(if negative { -number } else { number })
}

/// `010` could be of two bases; `000` is nothing in any.
fn is_ambiguous(digits: &str) -> bool {
    digits.starts_with('0') && !digits.trim_matches(['0', '_']).is_empty()
}

/// Without the underscores that Python lets stand between digits; none where they stand elsewhere.
fn joined_digits(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let between = |at: usize| {
        at > 0
            && bytes[at - 1].is_ascii_alphanumeric()
            && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric)
    };
    let fine = (0..bytes.len()).all(|at| bytes[at] != b'_' || between(at));
    fine.then(|| text.replace('_', ""))
}

fn indent(_: &mut State<'_, '_>, value: &Value, given: &Given<'_>) -> Outcome {
    let blanks = match given.value(0).and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => " ".repeat(given.size(0, 4)?),
    };
    let text = str_of(value)? + "\n";
    let (first, blank) = (given.truth(1), given.truth(2));
    let mut new = String::with_capacity(text.len());
    for (index, line) in text::lines(&text, false).into_iter().enumerate() {
        if index > 0 {
            new.push('\n');
        }
        if index == 0 && first || index > 0 && (blank || !line.is_empty()) {
            new.push_str(&blanks);
        }
        new.push_str(line);
    }
    Ok(new.into())
}

fn join(_: &mut State<'_, '_>, value: &Value, given: &Given<'_>) -> Outcome {
    let between = given.value(0).map(str_of).transpose()?.unwrap_or_default();
    let mut new = String::new();
    for (index, item) in value.try_iter()?.enumerate() {
        if index > 0 {
            new.push_str(&between);
        }
        let item = match given.value(1).filter(|attribute| !attribute.is_none()) {
            Some(path) => attribute(&item, path)?,
            None => item,
        };
        new.push_str(&str_of(&item)?);
        if new.len() > text::TEXT_BYTES_MAX {
            return Err(wrong("join: the text is too long"));
        }
    }
    Ok(new.into())
}

/// A part of a value, by a path like `a.b` or a number.
fn attribute(item: &Value, path: &Value) -> Outcome {
    let Some(path) = path.as_str() else { return item.get_item(path) };
    path.split('.').try_fold(item.clone(), |of, part| match part.parse::<usize>() {
        Ok(index) => of.get_item(&Value::from(index)),
        Err(_) => of.get_attr(part),
    })
}

fn truncate(_: &mut State<'_, '_>, value: &Value, given: &Given<'_>) -> Outcome {
    let text = str_of(value)?;
    let length = given.size(0, 255)?;
    let end = given.text_or_none(2)?.unwrap_or("...");
    let leeway = if given.value(3).is_some_and(Value::is_none) { 5 } else { given.size(3, 5)? };
    let Some(kept) = length.checked_sub(end.chars().count()) else {
        return Err(wrong("truncate: the length is less than that of the end"));
    };
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text.into());
    }
    let head: String = text.chars().take(kept).collect();
    let head = match head.rsplit_once(' ') {
        Some((whole_words, _)) if !given.truth(1) => whole_words,
        Some(_) | None => &head,
    };
    Ok(format!("{head}{end}").into())
}

/// Percent-encoding of text, or of pairs for a query.
fn url_encode(value: &Value) -> Outcome {
    let pair = |key: &Value, value: &Value| -> Result<String, Error> {
        Ok(format!("{}={}", quoted(&str_of(key)?, true), quoted(&str_of(value)?, true)))
    };
    let pairs: Vec<String> = match value.kind() {
        ValueKind::Map => {
            let keys = value.try_iter()?;
            keys.map(|key| pair(&key, &value.get_item(&key)?)).collect::<Result<_, _>>()?
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let pairs = value.try_iter()?;
            let of = |both: Value| {
                if both.len() != Some(2) {
                    return Err(wrong("urlencode: a list has to hold pairs"));
                }
                pair(&both.get_item_by_index(0)?, &both.get_item_by_index(1)?)
            };
            pairs.map(of).collect::<Result<_, _>>()?
        }
        _ => return Ok(quoted(&str_of(value)?, false).into()),
    };
    Ok(pairs.join("&").into())
}

fn quoted(text: &str, in_query: bool) -> String {
    let mut new = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'/' if !in_query => new.push('/'),
            b' ' if in_query => new.push('+'),
            b'_' | b'.' | b'-' | b'~' => new.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => new.push(char::from(byte)),
            _ => new.push_str(&format!("%{byte:02X}")),
        }
    }
    new
}

/// `dict(...)`: of a dict or of pairs, and of names.
fn dict(given: Rest<ValueOrKwargs>) -> Outcome {
    let values = given.into_values();
    let mut pairs: Vec<(Value, Value)> = Vec::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 && !value.is_kwargs() {
            return Err(wrong("dict() takes one dict or list of pairs"));
        }
        for item in value.try_iter()? {
            if value.kind() == ValueKind::Map {
                pairs.push((item.clone(), value.get_item(&item)?));
            } else if item.len() == Some(2) {
                pairs.push((item.get_item_by_index(0)?, item.get_item_by_index(1)?));
            } else {
                return Err(wrong("dict() takes pairs"));
            }
        }
    }
    Ok(Value::from_pairs(pairs))
}

/// `cycler(...)`: hands its items out in turn.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Cycler {
    fn of(items: Vec<Value>) -> Outcome {
        if items.is_empty() {
            return Err(wrong("cycler() takes at least one item"));
        }
        Ok(Value::from_object(Cycler { items, at: AtomicUsize::new(0) }))
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = self.at.load(Ordering::Relaxed);
        (key.as_str() == Some("current")).then(|| self.items[at].clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        name: &str,
        given: &[Value],
    ) -> Outcome {
        let at = self.at.load(Ordering::Relaxed);
        let (then, value) = match name {
            "next" => ((at + 1) % self.items.len(), self.items[at].clone()),
            "reset" => (0, Value::from(())),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        Given::of("next", &[], 0, given)?;
        self.at.store(then, Ordering::Relaxed);
        Ok(value)
    }
}
