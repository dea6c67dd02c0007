//! How Python prints a value: `str` and `repr`.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "minijinja's enums may grow, and what isn't named is treated alike"
)]

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::given::wrong;
use super::unicode::is_printable;
use super::views::View;

/// `str(value)`.
///
/// # Errors
/// For what prints as an address in memory, or as nothing sensible: iterators, loops, macros.
pub(super) fn str_of(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => repr_of(value),
    }
}

/// `repr(value)`.
///
/// # Errors
/// As with [`str_of`].
pub(super) fn repr_of(value: &Value) -> Result<String, Error> {
    let mut text = String::new();
    push_repr(&mut text, value)?;
    Ok(text)
}

fn push_repr(into: &mut String, value: &Value) -> Result<(), Error> {
    if let Some(view) = value.downcast_object_ref::<View>() {
        into.push_str(view.text());
        return Ok(());
    }
    match value.kind() {
        ValueKind::String if value.is_safe() => {
            into.push_str("Markup(");
            push_quoted(into, value.as_str().unwrap_or_default());
            into.push(')');
        }
        ValueKind::String => push_quoted(into, value.as_str().unwrap_or_default()),
        ValueKind::Number if !value.is_integer() => {
            into.push_str(&f64::try_from(value.clone()).map(float)?);
        }
        ValueKind::None | ValueKind::Bool | ValueKind::Number => into.push_str(&value.to_string()),
        ValueKind::Seq | ValueKind::Iterable if value.len().is_some() => {
            let tuple = value.is_tuple() || is_group(value);
            let (open, close) = if tuple { ('(', ')') } else { ('[', ']') };
            into.push(open);
            let mut count = 0;
            for item in value.try_iter()? {
                if count > 0 {
                    into.push_str(", ");
                }
                push_repr(into, &item)?;
                count += 1;
            }
            if tuple && count == 1 {
                into.push(',');
            }
            into.push(close);
        }
        ValueKind::Map => {
            into.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                if index > 0 {
                    into.push_str(", ");
                }
                push_repr(into, &key)?;
                into.push_str(": ");
                push_repr(into, &value.get_item(&key)?)?;
            }
            into.push('}');
        }
        ValueKind::Undefined => return Err(minijinja::ErrorKind::UndefinedError.into()),
        _ => {
            return Err(wrong(format!(
                "what is printed is no text, number, list or dict (it is a {}); after `|list` an \
                 iterator is a list",
                value.kind()
            )));
        }
    }
    Ok(())
}

/// What `groupby` lists is a tuple with names.
fn is_group(value: &Value) -> bool {
    value.get_attr("grouper").is_ok_and(|grouper| !grouper.is_undefined())
}

/// Single quotes, unless there are such in the text and no double ones.
fn push_quoted(into: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    into.push(quote);
    for c in text.chars() {
        match c {
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            _ if c == quote => into.extend(['\\', c]),
            _ if is_printable(c) => into.push(c),
            _ => match u32::from(c) {
                code @ 0..=0xff => into.push_str(&format!("\\x{code:02x}")),
                code @ 0x100..=0xffff => into.push_str(&format!("\\u{code:04x}")),
                code => into.push_str(&format!("\\U{code:08x}")),
            },
        }
    }
    into.push(quote);
}

/// The shortest digits that read back as the same number; with an exponent below 0.0001 and from
/// 1e16 on.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = number.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// HTML's special characters as MarkupSafe writes them.
pub(super) fn escaped(text: &str) -> String {
    let mut new = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => new.push_str("&amp;"),
            '<' => new.push_str("&lt;"),
            '>' => new.push_str("&gt;"),
            '\'' => new.push_str("&#39;"),
            '"' => new.push_str("&#34;"),
            _ => new.push(c),
        }
    }
    new
}
