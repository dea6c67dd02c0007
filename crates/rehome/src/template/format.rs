//! The filter `format`: Python's `%` for text. Numbers are minijinja's to format, one at a time.

use minijinja::formatting::{FormatStyle, format as formatted};
use minijinja::value::Kwargs;
use minijinja::{Error, Value};

use super::builtins::integer;
use super::given::{whole, wrong};
use super::python::{repr_of, str_of};

/// What a width or a precision may be: far more than user data may hold.
const WIDTH_MAX: usize = 1 << 16;

/// Where the values come from.
enum Values<'a> {
    Places(std::slice::Iter<'a, Value>),
    Names(Kwargs),
}

impl Values<'_> {
    fn next(&mut self) -> Result<Value, Error> {
        match self {
            Values::Places(values) => values.next().cloned(),
            Values::Names(_) => None,
        }
        .ok_or_else(|| wrong("format: not enough values for the format"))
    }

    fn named(&self, name: &str) -> Result<Value, Error> {
        match self {
            Values::Places(_) => {
                Err(wrong("format: the format names values, so give them by name"))
            }
            Values::Names(values) => values
                .get::<Value>(name)
                .map_err(|_| wrong(format!("format: there is no value `{name}`"))),
        }
    }
}

/// One conversion, as `%-5.2f`.
#[derive(Default)]
struct Conversion {
    flags: String,
    width: Option<usize>,
    precision: Option<usize>,
    kind: char,
}

/// `text % values`.
///
/// # Errors
/// Where Python would raise one.
pub(super) fn format(text: &str, arguments: &[Value]) -> Result<String, Error> {
    let mut values = match arguments.split_last() {
        Some((last, [])) if last.is_kwargs() => Values::Names(Kwargs::try_from(last.clone())?),
        Some((last, _)) if last.is_kwargs() => {
            return Err(wrong("format: give values by place or by name, not both"));
        }
        Some(_) | None => Values::Places(arguments.iter()),
    };
    let mut new = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        new.push_str(before);
        rest = conversion(&mut new, after, &mut values)?;
    }
    new.push_str(rest);
    match &values {
        Values::Places(left) if left.len() > 0 => {
            Err(wrong("format: there are more values than the format has places for"))
        }
        Values::Places(_) | Values::Names(_) => Ok(new),
    }
}

/// Formats what stands behind a `%`; returns what stands behind that.
fn conversion<'t>(
    new: &mut String,
    text: &'t str,
    values: &mut Values<'_>,
) -> Result<&'t str, Error> {
    let incomplete = || wrong("format: the format is incomplete");
    let mut rest = text;
    let mut name = None;
    if let Some(after) = rest.strip_prefix('(') {
        let (key, after) = after.split_once(')').ok_or_else(incomplete)?;
        name = Some(key);
        rest = after;
    }
    let mut one = Conversion::default();
    let flags = rest.len() - rest.trim_start_matches(['-', '+', ' ', '0', '#']).len();
    one.flags = rest[..flags].to_owned();
    rest = &rest[flags..];
    one.width = size(&mut rest, values, &mut one.flags)?;
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        one.precision = Some(size(&mut rest, values, &mut String::new())?.unwrap_or(0));
    }
    rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
    one.kind = rest.chars().next().ok_or_else(incomplete)?;
    rest = &rest[one.kind.len_utf8()..];
    if one.kind == '%' {
        new.push('%');
        return Ok(rest);
    }
    let value = match name {
        Some(name) => values.named(name)?,
        None => values.next()?,
    };
    new.push_str(&one.of(&value)?);
    Ok(rest)
}

/// A width or a precision: digits, or `*` for the next value; a negative one flushes left.
fn size(
    rest: &mut &str,
    values: &mut Values<'_>,
    flags: &mut String,
) -> Result<Option<usize>, Error> {
    let too_long = || wrong(format!("format: a width is at most {WIDTH_MAX}"));
    let number = if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        let value =
            whole(&values.next()?).ok_or_else(|| wrong("format: * wants a whole number"))?;
        if value < 0 {
            flags.push('-');
        }
        usize::try_from(value.unsigned_abs()).map_err(|_| too_long())?
    } else {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return Ok(None);
        }
        let (number, after) = rest.split_at(digits);
        *rest = after;
        number.parse().map_err(|_| too_long())?
    };
    if number > WIDTH_MAX { Err(too_long()) } else { Ok(Some(number)) }
}

impl Conversion {
    fn of(&self, value: &Value) -> Result<String, Error> {
        let text = match self.kind {
            's' => str_of(value)?,
            'r' => repr_of(value)?,
            // `ascii` is `repr` with everything beyond ASCII escaped, which no user data needs.
            'a' => return Err(wrong("format: there is no %a here; use %r")),
            'd' | 'i' | 'u' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'c' => {
                let number =
                    |number: Option<usize>| number.map_or(String::new(), |n| n.to_string());
                let precision = self.precision.map_or(String::new(), |n| format!(".{n}"));
                let kind = if self.kind == 'u' { 'd' } else { self.kind };
                let one = format!("%{}{}{precision}{kind}", self.flags, number(self.width));
                // Decimals are cut off where a whole number is wanted.
                let whole = matches!(self.kind, 'd' | 'i' | 'u').then(|| integer(value, 10));
                let value = match whole.flatten().filter(|_| value.as_str().is_none()) {
                    Some(whole) => Value::from(whole),
                    None => value.clone(),
                };
                return formatted(FormatStyle::Printf, &one, &[value]);
            }
            other => return Err(wrong(format!("format: there is no conversion %{other}"))),
        };
        let text: String = text.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
        let blanks = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        let blanks = " ".repeat(blanks);
        Ok(if self.flags.contains('-') { text + &blanks } else { blanks + &text })
    }
}
