//! Filters and pages, as every Describe has them.
//!
//! EC2 API, "List and filter": a filter's values are alternatives, several filters must all
//! match, values are case-sensitive, `*` stands for any characters and `?` for one, `\` makes the
//! next one plain. "Paginating results": `MaxResults` and an id list exclude each other.

use crate::{
    api::{Filter, Page, Select, Tag},
    error::ApiError,
};

/// One filter of an action: its name and how to read it off an item.
pub(crate) type Column<T> = (&'static str, fn(&T) -> Vec<String>);

/// An item that filters and pages work on.
pub(crate) trait Listed: Clone + 'static {
    /// Filters besides the tag filters.
    const COLUMNS: &'static [Column<Self>];
    /// What `MaxResults` may be.
    const PAGE_SIZES: (i64, i64) = (5, 1000);
    /// The id parameter, as EC2's text about `MaxResults` calls it.
    const ID_SET: &'static str;

    /// What pages are ordered by.
    fn key(&self) -> String;

    /// For the filters `tag:<key>` and `tag-key`.
    fn tags(&self) -> &[Tag];
}

/// The items that match the filters, a page of them.
pub(crate) fn list<T: Listed>(items: Vec<T>, select: &Select) -> Result<Page<T>, ApiError> {
    if !select.ids.is_empty() && select.max_results.is_some() {
        return Err(ApiError::invalid_combination(format!(
            "The parameter {} cannot be used with the parameter maxResults",
            T::ID_SET
        )));
    }
    check_filters::<T>(&select.filters)?;
    let matching = items.into_iter().filter(|item| matches_all(item, &select.filters));
    page(matching.collect(), select)
}

/// Refuses a filter that the action doesn't have.
fn check_filters<T: Listed>(filters: &[Filter]) -> Result<(), ApiError> {
    for filter in filters {
        let name = filter.name.as_str();
        let known = name == "tag-key"
            || name == "tag-value"
            || name.starts_with("tag:")
            || T::COLUMNS.iter().any(|(column, _)| *column == name);
        if !known {
            return Err(ApiError::invalid_value(format!("The filter '{name}' is invalid")));
        }
        if filter.values.is_empty() {
            return Err(ApiError::invalid_value(format!("The filter '{name}' has no values")));
        }
    }
    Ok(())
}

fn matches_all<T: Listed>(item: &T, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| {
        let values = values_of(item, &filter.name);
        filter.values.iter().any(|pattern| values.iter().any(|value| wildcard(pattern, value)))
    })
}

fn values_of<T: Listed>(item: &T, name: &str) -> Vec<String> {
    let tags = item.tags().iter();
    if let Some(key) = name.strip_prefix("tag:") {
        return tags.filter(|tag| tag.key == key).map(|tag| tag.value.clone()).collect();
    }
    if let Some((_, read)) = T::COLUMNS.iter().find(|(column, _)| *column == name) {
        return read(item);
    }
    tags.map(|tag| if name == "tag-key" { tag.key.clone() } else { tag.value.clone() }).collect()
}

/// A token names the last item told, so that a page goes on there even when items come or go.
fn page<T: Listed>(mut items: Vec<T>, select: &Select) -> Result<Page<T>, ApiError> {
    items.sort_by_key(Listed::key);
    if let Some(token) = &select.next_token {
        let last = open_token(token)?;
        items.retain(|item| item.key() > last);
    }
    let Some(most) = select.max_results else { return Ok(Page { items, next_token: None }) };
    let (least, limit) = T::PAGE_SIZES;
    if most < least {
        return Err(ApiError::invalid_value(format!(
            "Value ( {most} ) for parameter maxResults is invalid. Expecting a value greater \
             than or equal to {least}."
        )));
    }
    let most = usize::try_from(most.min(limit)).unwrap_or(usize::MAX);
    let more = items.len() > most;
    items.truncate(most);
    let next_token = items.last().filter(|_| more).map(|item| seal_token(&item.key()));
    Ok(Page { items, next_token })
}

/// Callers can't read a token, nor make one.
fn seal_token(key: &str) -> String {
    crate::base64::encode(format!("{:08x}{key}", checksum(key)).as_bytes())
}

fn open_token(token: &str) -> Result<String, ApiError> {
    let text = crate::base64::decode(token).and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = text.as_deref().and_then(|text| text.split_at_checked(8));
    match parts {
        Some((sum, key)) if sum == format!("{:08x}", checksum(key)) => Ok(key.to_owned()),
        Some(_) | None => {
            Err(ApiError::new(400, "InvalidNextToken", format!("The token '{token}' is invalid")))
        }
    }
}

/// FNV-1a, 32 bits.
fn checksum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Whether `text` is what `pattern` says: `*` any characters, `?` one, `\` the next one plain.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    // Most values are ids, compared a hundred times in each listing.
    if !pattern.contains(['*', '?', '\\']) {
        return pattern == text;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // The positions in `pattern` that the text read so far can have reached.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    skip_stars(&pattern, &mut reached);
    for letter in text {
        let mut next = vec![false; pattern.len() + 1];
        for at in (0..pattern.len()).filter(|at| reached[*at]) {
            match pattern[at] {
                '*' => next[at] = true,
                '?' => next[at + 1] = true,
                '\\' if at + 1 < pattern.len() => {
                    if pattern[at + 1] == letter {
                        next[at + 2] = true;
                    }
                }
                plain => next[at + 1] |= plain == letter,
            }
        }
        skip_stars(&pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

/// A star may stand for nothing.
fn skip_stars(pattern: &[char], reached: &mut [bool]) {
    for at in 0..pattern.len() {
        if reached[at] && pattern[at] == '*' {
            reached[at + 1] = true;
        }
    }
}

/// A column's only value.
pub(crate) fn one(value: impl ToString) -> Vec<String> {
    vec![value.to_string()]
}

/// A column's value, if there is one.
pub(crate) fn maybe<T: ToString>(value: Option<&T>) -> Vec<String> {
    value.map(ToString::to_string).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_ec2() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("vip-?", "vip-a", true),
            ("vip-?", "vip-", false),
            ("10.0.0.*", "10.0.0.10/32", true),
            ("*a*b", "xxaxxb", true),
            ("*a*b", "xxaxxbc", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("", "", true),
            ("A", "a", false),
        ] {
            assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn a_token_that_nobody_was_given_is_refused() {
        assert_eq!(open_token(&seal_token("i-0123")).unwrap(), "i-0123");
        let mut forged = seal_token("i-0123");
        forged.replace_range(0..4, "AAAA");
        for token in ["", "abc", "None___20", &forged] {
            assert_eq!(open_token(token).unwrap_err().code, "InvalidNextToken");
        }
    }
}
