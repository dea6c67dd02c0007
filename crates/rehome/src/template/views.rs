//! `range` and the views of a dict: like lists, but Python prints them by other names.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, Tuple, ValueKind};
use minijinja::{Error, Value};

use super::given::{Given, wrong};
use super::python::repr_of;

/// As many numbers as minijinja's own `range` has at most.
const RANGE_MAX: i64 = 100_000;

/// `range(start, stop, step)`, and `dict.keys()`, `.values()` and `.items()`.
#[derive(Debug)]
pub(super) struct View {
    items: Vec<Value>,
    /// What it prints as.
    text: String,
    range: bool,
}

impl View {
    /// What it prints as.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it can be indexed.
    pub(super) fn is_range(&self) -> bool {
        self.range
    }
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if self.range { ObjectRepr::Seq } else { ObjectRepr::Iterable }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items.get(key.as_usize().filter(|_| self.range)?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if self.range {
            Enumerator::Seq(self.items.len())
        } else {
            Enumerator::Values(self.items.clone())
        }
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }
}

/// `range(...)`.
///
/// # Errors
/// Where Python would raise one, and for very long ones.
pub(super) fn range(given: Rest<Value>) -> Result<Value, Error> {
    let given = Given::of("range", &["/start", "/stop", "/step"], 1, &given)?;
    let first = given.integer(0, 0)?;
    let (start, stop) = match given.value(1) {
        Some(_) => (first, given.integer(1, 0)?),
        None => (0, first),
    };
    let step = given.integer(2, 1)?;
    if step == 0 {
        return Err(wrong("range(): the step must not be zero"));
    }
    let mut items = Vec::new();
    let mut at = start;
    while if step > 0 { at < stop } else { at > stop } {
        if items.len() as i64 >= RANGE_MAX {
            return Err(wrong(format!("range() has at most {RANGE_MAX} numbers here")));
        }
        items.push(Value::from(at));
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    let text = match step {
        1 => format!("range({start}, {stop})"),
        _ => format!("range({start}, {stop}, {step})"),
    };
    Ok(Value::from_object(View { items, text, range: true }))
}

/// A view of a dict; none for other methods than those.
///
/// # Errors
/// Where the dict holds what can't be printed.
pub(super) fn view(dict: &Value, name: &str) -> Option<Result<Value, Error>> {
    if dict.kind() != ValueKind::Map || !matches!(name, "keys" | "values" | "items") {
        return None;
    }
    Some(viewed(dict, name))
}

fn viewed(dict: &Value, name: &str) -> Result<Value, Error> {
    let mut items = Vec::new();
    for key in dict.try_iter()? {
        items.push(match name {
            "keys" => key,
            "values" => dict.get_item(&key)?,
            _ => Tuple::from([key.clone(), dict.get_item(&key)?]).into(),
        });
    }
    let printed = repr_of(&items.iter().cloned().collect::<Value>());
    // Whoever never prints it isn't to fail for what it holds.
    let text = printed.map_or_else(|_| String::new(), |list| format!("dict_{name}({list})"));
    Ok(Value::from_object(View { items, text, range: false }))
}
