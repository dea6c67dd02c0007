//! The filter `tojson`: Python's `json.dumps(value, sort_keys=True)`, with HTML's characters
//! escaped, as Jinja2 writes it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "minijinja's enums may grow, and what isn't named is treated alike"
)]

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::given::wrong;
use super::python::float;

/// How deep lists and dicts may lie in each other.
const DEPTH_MAX: usize = 100;

/// Writes `value`, with `indent` where every item is to have a line of its own.
///
/// # Errors
/// For what JSON can't say.
pub(super) fn dumps(value: &Value, indent: Option<&str>) -> Result<String, Error> {
    let mut text = String::new();
    push(&mut text, value, indent, 0)?;
    Ok(text)
}

fn push(into: &mut String, value: &Value, indent: Option<&str>, depth: usize) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(wrong("tojson: lists and dicts lie too deep in each other"));
    }
    match value.kind() {
        ValueKind::String => push_text(into, value.as_str().unwrap_or_default()),
        ValueKind::Seq => {
            let items: Vec<Value> = value.try_iter()?.collect();
            push_all(into, '[', ']', items.len(), indent, depth, |into, at| {
                push(into, &items[at], indent, depth + 1)
            })?;
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            if keys.iter().any(|key| key.kind() != keys[0].kind()) {
                return Err(wrong("tojson: the keys are of several kinds, which can't be sorted"));
            }
            keys.sort();
            push_all(into, '{', '}', keys.len(), indent, depth, |into, at| {
                match keys[at].as_str() {
                    Some(key) => push_text(into, key),
                    None => push_text(into, &plain(&keys[at])?),
                }
                into.push_str(": ");
                push(into, &value.get_item(&keys[at])?, indent, depth + 1)
            })?;
        }
        _ => into.push_str(&plain(value)?),
    }
    Ok(())
}

/// What stands between brackets.
fn push_all(
    into: &mut String,
    open: char,
    close: char,
    count: usize,
    indent: Option<&str>,
    depth: usize,
    item: impl Fn(&mut String, usize) -> Result<(), Error>,
) -> Result<(), Error> {
    let line = |into: &mut String, depth: usize| {
        if let Some(indent) = indent {
            into.push('\n');
            into.push_str(&indent.repeat(depth));
        }
    };
    into.push(open);
    for at in 0..count {
        if at > 0 {
            into.push_str(if indent.is_some() { "," } else { ", " });
        }
        line(into, depth + 1);
        item(into, at)?;
    }
    if count > 0 {
        line(into, depth);
    }
    into.push(close);
    Ok(())
}

fn plain(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool => Ok(if value.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::Number if value.is_integer() => Ok(value.to_string()),
        ValueKind::Number => {
            let number = f64::try_from(value.clone())?;
            Ok(if number.is_nan() {
                "NaN".to_owned()
            } else if number.is_infinite() {
                if number < 0.0 { "-Infinity" } else { "Infinity" }.to_owned()
            } else {
                float(number)
            })
        }
        kind => Err(wrong(format!("tojson: {kind} can't be said in JSON"))),
    }
}

fn push_text(into: &mut String, text: &str) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            ' '..='~' if !matches!(c, '<' | '>' | '&' | '\'') => into.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    into.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    into.push('"');
}
