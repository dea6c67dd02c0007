//! `str.format` ("Format String Syntax" in Python's library reference). Text is padded here, in
//! characters; numbers are minijinja's to format, one at a time, and are padded here too.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "minijinja's enums may grow, and what isn't named is treated alike"
)]

use minijinja::formatting::{FormatStyle, format as formatted};
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, Value};

use super::given::wrong;
use super::python::{repr_of, str_of};

/// What a width may be: far more than user data may hold.
const WIDTH_MAX: usize = 1 << 16;

/// Where the fields take their values from.
struct Values<'a> {
    places: &'a [Value],
    names: Option<Kwargs>,
    /// The next place, while fields aren't numbered.
    next: usize,
    numbered: bool,
}

/// `text.format(...)`.
///
/// # Errors
/// Where Python would raise one.
pub(super) fn format(text: &str, arguments: &[Value]) -> Result<String, Error> {
    let (places, names) = match arguments.split_last() {
        Some((last, places)) if last.is_kwargs() => (places, Some(Kwargs::try_from(last.clone())?)),
        Some(_) | None => (arguments, None),
    };
    fields(text, &mut Values { places, names, next: 0, numbered: false }, 0)
}

/// Replaces the fields of a text; those of a field's own format may be nested once.
fn fields(text: &str, values: &mut Values<'_>, depth: usize) -> Result<String, Error> {
    let mut new = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        new.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if after.starts_with(brace) {
            new.push_str(brace);
            rest = &after[1..];
            continue;
        }
        if brace == "}" {
            return Err(wrong("format(): a single } in the format"));
        }
        if depth > 1 {
            return Err(wrong("format(): fields lie too deep in each other"));
        }
        let end = closing(after).ok_or_else(|| wrong("format(): a { without its }"))?;
        new.push_str(&field(&after[..end], values, depth)?);
        rest = &after[end + 1..];
    }
    new.push_str(rest);
    Ok(new)
}

/// Where the brace is that closes a field.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

fn field(text: &str, values: &mut Values<'_>, depth: usize) -> Result<String, Error> {
    let end = text.find(['!', ':']).unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    let mut value = values.at(path)?;
    let spec = match rest.strip_prefix('!') {
        Some(rest) => {
            let (kind, spec) = rest.split_once(':').unwrap_or((rest, ""));
            value = match kind {
                "s" => str_of(&value)?.into(),
                "r" => repr_of(&value)?.into(),
                other => {
                    return Err(wrong(format!("format(): there is no conversion !{other} here")));
                }
            };
            spec
        }
        None => rest.strip_prefix(':').unwrap_or(""),
    };
    one(&value, &fields(spec, values, depth + 1)?)
}

impl Values<'_> {
    /// The value that a field names, as `0`, `name.attribute[key]`, or nothing for the next.
    fn at(&mut self, path: &str) -> Result<Value, Error> {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (name, mut rest) = path.split_at(end);
        let mut value = if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) {
            if self.numbered && name.is_empty() || self.next > 0 && !name.is_empty() {
                return Err(wrong("format(): either all fields are numbered, or none"));
            }
            let place =
                if name.is_empty() { self.next } else { name.parse().unwrap_or(usize::MAX) };
            self.numbered = !name.is_empty();
            self.next += usize::from(name.is_empty());
            self.places.get(place).cloned()
        } else {
            self.names.as_ref().and_then(|names| names.get(name).ok())
        }
        .ok_or_else(|| wrong(format!("format(): there is no value for {{{path}}}")))?;
        while !rest.is_empty() {
            let (key, after) = if let Some(inside) = rest.strip_prefix('[') {
                let (key, after) =
                    inside.split_once(']').ok_or_else(|| wrong("format(): a [ without its ]"))?;
                (key.parse::<usize>().map(Value::from).unwrap_or_else(|_| key.into()), after)
            } else {
                let rest = &rest[1..];
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                (Value::from(&rest[..end]), &rest[end..])
            };
            value = value.get_item(&key)?;
            if value.is_undefined() {
                return Err(wrong(format!("format(): there is no {{{path}}}")));
            }
            rest = after;
        }
        Ok(value)
    }
}

/// How one value is to look: `[[fill]align][sign][#][0][width][grouping][.precision][type]`.
struct Spec<'a> {
    fill: char,
    align: Option<char>,
    /// Sign and `#`.
    sign: &'a str,
    width: usize,
    /// Grouping, precision and type.
    kind: &'a str,
}

impl<'a> Spec<'a> {
    fn of(text: &'a str) -> Result<Spec<'a>, Error> {
        let mut chars = text.chars();
        let (first, second) = (chars.next(), chars.next());
        let is_align = |c: Option<char>| c.filter(|c| matches!(c, '<' | '>' | '=' | '^'));
        let (mut fill, mut align, rest) =
            if let (Some(fill), Some(align)) = (first, is_align(second)) {
                (fill, Some(align), chars.as_str())
            } else if let Some(align) = is_align(first) {
                (' ', Some(align), &text[1..])
            } else {
                (' ', None, text)
            };
        let after = rest.trim_start_matches(['+', '-', ' ', '#']);
        let sign = &rest[..rest.len() - after.len()];
        let unpadded = after.trim_start_matches('0');
        if unpadded.len() < after.len() && align.is_none() {
            (fill, align) = ('0', Some('='));
        }
        let kind = unpadded.trim_start_matches(|c: char| c.is_ascii_digit());
        let width = match &unpadded[..unpadded.len() - kind.len()] {
            "" => 0,
            digits => digits.parse().unwrap_or(usize::MAX),
        };
        if width > WIDTH_MAX {
            return Err(wrong(format!("format(): a width is at most {WIDTH_MAX}")));
        }
        Ok(Spec { fill, align, sign, width, kind })
    }

    fn padded(&self, text: &str, otherwise: char) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let fill = |count| std::iter::repeat_n(self.fill, count).collect::<String>();
        match self.align.unwrap_or(otherwise) {
            '<' => text.to_owned() + &fill(missing),
            '^' => fill(missing / 2) + text + &fill(missing - missing / 2),
            '=' => {
                let digits = text.trim_start_matches(['+', '-', ' ']);
                let prefix =
                    ["0x", "0X", "0b", "0o"].iter().any(|prefix| digits.starts_with(prefix));
                let prefix = if prefix && self.sign.contains('#') { 2 } else { 0 };
                let (front, digits) = text.split_at(text.len() - digits.len() + prefix);
                format!("{front}{}{digits}", fill(missing))
            }
            _ => fill(missing) + text,
        }
    }
}

fn one(value: &Value, spec: &str) -> Result<String, Error> {
    if spec.is_empty() {
        return str_of(value);
    }
    let parsed = Spec::of(spec)?;
    match value.kind() {
        ValueKind::String => {
            let kind = parsed.kind.strip_suffix('s').unwrap_or(parsed.kind);
            let most = match kind.strip_prefix('.') {
                Some(digits) => digits.parse().ok(),
                None => kind.is_empty().then_some(usize::MAX),
            };
            let refused = || wrong(format!("format(): text can't be formatted by `{spec}`"));
            let most = most.filter(|_| parsed.sign.is_empty()).ok_or_else(refused)?;
            // Zeros in front of the width fill behind the text.
            let aligned = if parsed.align == Some('=') {
                if !spec.starts_with('0') {
                    return Err(refused());
                }
                Spec { align: None, ..parsed }
            } else {
                parsed
            };
            let text: String = str_of(value)?.chars().take(most).collect();
            Ok(aligned.padded(&text, '<'))
        }
        ValueKind::Number | ValueKind::Bool => number(value, spec, &parsed),
        kind => Err(wrong(format!("format(): a {kind} takes no format"))),
    }
}

fn number(value: &Value, spec: &str, parsed: &Spec<'_>) -> Result<String, Error> {
    let of = |value: &Value, spec: &str| {
        formatted(FormatStyle::StrFormat, &format!("{{:{spec}}}"), std::slice::from_ref(value))
    };
    let value = match value.kind() {
        ValueKind::Bool => Value::from(u8::from(value.is_true())),
        _ => value.clone(),
    };
    // Zeros are grouped as well.
    if parsed.align == Some('=') && parsed.fill == '0' && parsed.kind.contains([',', '_']) {
        return of(&value, spec);
    }
    let text = match parsed.kind.strip_suffix(['%', 'n']) {
        Some(kind) if parsed.kind.ends_with('%') => {
            let hundredfold = Value::from(f64::try_from(value)? * 100.0);
            of(&hundredfold, &format!("{}{kind}f", parsed.sign))? + "%"
        }
        Some(kind) => {
            let letter = if value.is_integer() { 'd' } else { 'g' };
            of(&value, &format!("{}{kind}{letter}", parsed.sign))?
        }
        None if parsed.sign.is_empty() && parsed.kind.is_empty() => str_of(&value)?,
        None => of(&value, &format!("{}{}", parsed.sign, parsed.kind))?,
    };
    Ok(parsed.padded(&text, '>'))
}
