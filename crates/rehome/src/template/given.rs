//! The arguments of a call, as Python binds them: by place, then by name.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "minijinja's enums may grow, and what isn't named is treated alike"
)]

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

/// The most arguments that any method or filter takes.
const ARGUMENTS_MAX: usize = 4;

pub(super) fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

/// The arguments of a call, each at its place.
pub(super) struct Given<'a> {
    method: &'static str,
    values: [Option<&'a Value>; ARGUMENTS_MAX],
    /// Those given by name.
    by_name: [Option<Value>; ARGUMENTS_MAX],
}

impl<'a> Given<'a> {
    /// Sorts the arguments of a call by their places. `takes` names them in order, with a `/` in
    /// front of those that can't be given by name; the first `needs` have to be there.
    ///
    /// # Errors
    /// Where one is missing, or there is one too many.
    pub(super) fn of(
        method: &'static str,
        takes: &'static [&'static str],
        needs: usize,
        arguments: &'a [Value],
    ) -> Result<Given<'a>, Error> {
        let (positional, named) = match arguments.split_last() {
            Some((last, rest)) if last.is_kwargs() => (rest, Some(Kwargs::try_from(last.clone())?)),
            Some(_) | None => (arguments, None),
        };
        let mut given = Given {
            method,
            values: [None; ARGUMENTS_MAX],
            by_name: [const { None }; ARGUMENTS_MAX],
        };
        let count = positional.len();
        if count > takes.len() {
            let most = takes.len();
            return Err(wrong(format!("{method}() takes at most {most} arguments, not {count}")));
        }
        for (place, value) in given.values.iter_mut().zip(positional) {
            *place = Some(value);
        }
        for name in named.iter().flat_map(Kwargs::args) {
            let at = takes.iter().position(|taken| *taken == name);
            let Some(at) = at.filter(|at| *at >= count) else {
                return Err(wrong(format!("{method}() takes no argument {name}=")));
            };
            given.by_name[at] = named.as_ref().and_then(|named| named.get(name).ok());
        }
        if (0..needs).any(|at| given.value(at).is_none()) {
            return Err(wrong(format!("{method}() needs {needs} arguments")));
        }
        Ok(given)
    }

    pub(super) fn value(&self, at: usize) -> Option<&Value> {
        self.values[at].or(self.by_name[at].as_ref())
    }

    pub(super) fn refused(&self, at: usize, wanted: &str) -> Error {
        let kind = self.value(at).map_or(ValueKind::Undefined, Value::kind);
        wrong(format!("{}(): argument {} has to be {wanted}, not {kind}", self.method, at + 1))
    }

    /// An argument that has to be text.
    pub(super) fn text(&self, at: usize) -> Result<&str, Error> {
        self.value(at).and_then(Value::as_str).ok_or_else(|| self.refused(at, "a string"))
    }

    /// Text, where `none` is as good as nothing.
    pub(super) fn text_or_none(&self, at: usize) -> Result<Option<&str>, Error> {
        match self.value(at) {
            None => Ok(None),
            Some(value) if value.is_none() => Ok(None),
            Some(_) => self.text(at).map(Some),
        }
    }

    /// A number of any kind, by its truth.
    pub(super) fn truth(&self, at: usize) -> bool {
        self.value(at).is_some_and(Value::is_true)
    }

    /// A whole number, or a bool, which is one in Python.
    pub(super) fn integer(&self, at: usize, otherwise: i64) -> Result<i64, Error> {
        let Some(value) = self.value(at) else { return Ok(otherwise) };
        whole(value).ok_or_else(|| self.refused(at, "a whole number"))
    }

    /// A whole number that something may be long: not negative, and not beyond all measure.
    pub(super) fn size(&self, at: usize, otherwise: usize) -> Result<usize, Error> {
        const SIZE_MAX: usize = 1 << 16;
        if self.value(at).is_none() {
            return Ok(otherwise);
        }
        let size = usize::try_from(self.integer(at, 0)?).unwrap_or(0);
        if size > SIZE_MAX {
            return Err(wrong(format!("{}(): {size} is too much", self.method)));
        }
        Ok(size)
    }

    /// The argument, or what stands for it.
    pub(super) fn or(&self, at: usize, otherwise: impl Into<Value>) -> Value {
        self.value(at).cloned().unwrap_or_else(|| otherwise.into())
    }

    /// The arguments under these names, for a function that takes them so.
    pub(super) fn named(&self, names: &[&str]) -> Kwargs {
        let given =
            |(at, name): (usize, &&str)| Some(((*name).to_owned(), self.value(at)?.clone()));
        names.iter().enumerate().filter_map(given).collect()
    }

    /// The bounds that stand at `at` and behind it, of something with `count` items.
    pub(super) fn bounds(&self, count: usize, at: usize) -> Result<(usize, usize), Error> {
        let bound = |at: usize, otherwise: usize| match self.value(at) {
            None => Ok(otherwise),
            Some(value) if value.is_none() => Ok(otherwise),
            Some(_) => self.integer(at, 0).map(|index| absolute(index, count)),
        };
        Ok((bound(at, 0)?, bound(at + 1, count)?.min(count)))
    }

    /// The part of `text` between the bounds that stand at `at` and behind it, with the index of
    /// its first character; none where they leave nothing, not even an empty part.
    pub(super) fn part<'t>(
        &self,
        text: &'t str,
        at: usize,
    ) -> Result<Option<(usize, &'t str)>, Error> {
        let (start, end) = self.bounds(text.chars().count(), at)?;
        if start > end {
            return Ok(None);
        }
        Ok(Some((start, &text[byte_of(text, start)..byte_of(text, end)])))
    }
}

/// Floats aren't indices, not even 2.0.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value.kind() {
        ValueKind::Bool => Some(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => {
            // A number beyond 64 bits is as good as the biggest one, wherever these are used.
            let sign = value.to_string().starts_with('-');
            Some(value.as_i64().unwrap_or(if sign { i64::MIN } else { i64::MAX }))
        }
        _ => None,
    }
}

/// An index that may count from the end; it may lie behind the end.
fn absolute(index: i64, count: usize) -> usize {
    if index < 0 {
        let back = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
        count.saturating_sub(back)
    } else {
        usize::try_from(index).unwrap_or(usize::MAX)
    }
}

/// Where a character begins; the end, behind the last.
fn byte_of(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}
