//! Just enough Rust to tell code from text: comments and literals blanked out, and where
//! functions and test code lie.

use std::ops::Range;

/// A source file in the forms that rules read.
pub(super) struct Source<'a> {
    /// As it stands.
    pub(super) text: &'a str,
    /// Byte for byte as long as the text, with comments and the insides of literals blank. Line
    /// breaks stay, so that both have the same lines.
    pub(super) code: String,
    /// Bytes that only tests compile: what `#[cfg(test)]` and `#[test]` stand before.
    tests: Vec<Range<usize>>,
}

/// A function with a body.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Function<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Where `fn` stands, in bytes.
    pub(super) at: usize,
    /// Lines from `fn` to the closing brace.
    pub(super) lines: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Source<'a> {
        let code = blank(text);
        let mut tests: Vec<Range<usize>> = Vec::new();
        for attribute in ["#[cfg(test)]", "#[test]"] {
            for (at, _) in code.match_indices(attribute) {
                tests.push(at..end_of_item(&code, at + attribute.len()));
            }
        }
        Source { text, code, tests }
    }

    /// True where only tests compile what stands here.
    pub(super) fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// The modules in files of their own that only tests compile: `#[cfg(test)] mod x;`.
    pub(super) fn test_modules(&self) -> Vec<&str> {
        let names = self.tests.iter().filter_map(|range| {
            let item = self.code[range.clone()].split_once(']')?.1.strip_suffix(';')?;
            item.trim_start().trim_start_matches("pub(crate)").trim().strip_prefix("mod ")
        });
        names.map(str::trim).collect()
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// Every place where `word` stands in the code and isn't a part of a longer name.
    pub(super) fn words<'b>(&'b self, word: &'b str) -> impl Iterator<Item = usize> + 'b {
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            let bytes = self.code.as_bytes();
            let before = at.checked_sub(1).map(|before| bytes[before]);
            let after = bytes.get(at + word.len()).copied();
            let starts = !word.starts_with(is_name) || !before.is_some_and(is_name_byte);
            let ends = !word.ends_with(is_name) || !after.is_some_and(is_name_byte);
            starts && ends
        })
    }

    /// Every function with a body, in order.
    pub(super) fn functions(&self) -> Vec<Function<'_>> {
        let mut functions = Vec::new();
        for at in self.words("fn") {
            let rest = &self.code[at + "fn".len()..];
            let name = rest.trim_start().split(|c| !is_name(c)).next().unwrap_or_default();
            // `fn(u32) -> u32` is a type.
            if name.is_empty() {
                continue;
            }
            let end = end_of_item(&self.code, at);
            if self.code[..end].ends_with('}') {
                let lines = self.line(end - 1) - self.line(at) + 1;
                functions.push(Function { name, at, lines });
            }
        }
        functions
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The end of the item that starts at `from`: after its `;`, or after the brace that closes its
/// first block outside of parentheses and brackets.
fn end_of_item(code: &str, from: usize) -> usize {
    let mut nested = 0_usize;
    let mut braces = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested = nested.saturating_sub(1),
            b'{' => braces += 1,
            b'}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 && nested == 0 {
                    return at + 1;
                }
            }
            b';' if braces == 0 && nested == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Blanks comments and the insides of string, byte and character literals.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !follows_name(bytes, at) => raw_string_end(bytes, at).unwrap_or(at),
            b'\'' => character_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("whole characters are blanked, byte by byte")
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length)
}

/// Block comments nest.
fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => depth += 1,
            Some(b"*/") => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut inside = at + 1;
    while inside < bytes.len() {
        match bytes[inside] {
            b'\\' => inside += 2,
            b'"' => return inside + 1,
            _ => inside += 1,
        }
    }
    bytes.len()
}

/// `r"…"` and `r#"…"#`, from the `r`; `None` where there is another thing, as in `r#type`.
fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let inside = open + 1;
    let length = bytes[inside..].windows(close.len()).position(|window| window == close)?;
    Some(inside + length + close.len())
}

/// A character literal; `None` for a lifetime.
fn character_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'\\' => {
            let close = bytes[at + 3..].iter().position(|byte| *byte == b'\'')?;
            Some(at + 3 + close + 1)
        }
        // One character of one to four bytes, and then the closing quote.
        _ => (at + 3..=at + 6)
            .find(|end| bytes.get(end - 1) == Some(&b'\''))
            .filter(|end| std::str::from_utf8(&bytes[at + 1..end - 1]).is_ok_and(is_one)),
    }
}

fn is_one(text: &str) -> bool {
    text.chars().count() == 1
}

fn follows_name(bytes: &[u8], at: usize) -> bool {
    // `br"…"` and `cr"…"` are raw strings too.
    let prefixed = |before: usize| {
        matches!(bytes[before], b'b' | b'c')
            && !before.checked_sub(1).is_some_and(|two| is_name_byte(bytes[two]))
    };
    at.checked_sub(1).is_some_and(|before| is_name_byte(bytes[before]) && !prefixed(before))
}
