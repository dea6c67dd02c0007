//! What Python knows of a character and Rust's standard library doesn't say in the same words.
//!
//! Python's definitions: "str" in "Built-in Types" of its library reference. Where a general
//! category decides, the crate `unicode-properties` has it; the rest is small enough to be written
//! down, and is held against Python's own answers by the comparison with Jinja2.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// `str.isalpha`: the categories Lm, Lt, Lu, Ll and Lo. Rust's `is_alphabetic` counts marks too.
pub(super) fn is_alpha(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter
}

/// `str.isdecimal`: category Nd.
pub(super) fn is_decimal(c: char) -> bool {
    c.general_category() == GeneralCategory::DecimalNumber
}

/// `str.isdigit`: decimal, or Numeric_Type=Digit (superscripts, circled digits, ...).
pub(super) fn is_digit(c: char) -> bool {
    const RANGES: [(u32, u32); 20] = [
        (0xb2, 0xb3),
        (0xb9, 0xb9),
        (0x1369, 0x1371),
        (0x19da, 0x19da),
        (0x2070, 0x2070),
        (0x2074, 0x2079),
        (0x2080, 0x2089),
        (0x2460, 0x2468),
        (0x2474, 0x247c),
        (0x2488, 0x2490),
        (0x24ea, 0x24ea),
        (0x24f5, 0x24fd),
        (0x24ff, 0x24ff),
        (0x2776, 0x277e),
        (0x2780, 0x2788),
        (0x278a, 0x2792),
        (0x10a40, 0x10a43),
        (0x10e60, 0x10e68),
        (0x11052, 0x1105a),
        (0x1f100, 0x1f10a),
    ];
    is_decimal(c) || RANGES.iter().any(|&(first, last)| (first..=last).contains(&u32::from(c)))
}

/// `str.isnumeric`: every number, and the ideographs that stand for one.
pub(super) fn is_numeric(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Number || NUMBER_IDEOGRAPHS.contains(c)
}

/// `str.isspace`: White_Space, and the separators of information of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `str.isprintable`: neither "Other" nor a separator other than the blank.
pub(super) fn is_printable(c: char) -> bool {
    let group = c.general_category_group();
    c == ' ' || !matches!(group, GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator)
}

/// `\w` of Python's regular expressions.
pub(super) fn is_word(c: char) -> bool {
    c == '_' || is_alpha(c) || is_decimal(c) || is_digit(c) || is_numeric(c)
}

/// Category Lt: digraphs of which the first letter is a capital.
pub(super) fn is_title(c: char) -> bool {
    c.general_category() == GeneralCategory::TitlecaseLetter
}

/// Whether a character has case (Unicode's "Cased").
pub(super) fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || is_title(c)
}

/// The full title case of a character (`SpecialCasing.txt`): the capital, apart from these.
pub(super) fn push_title(into: &mut String, c: char) {
    match c {
        '\u{1c4}'..='\u{1c6}' => into.push('\u{1c5}'),
        '\u{1c7}'..='\u{1c9}' => into.push('\u{1c8}'),
        '\u{1ca}'..='\u{1cc}' => into.push('\u{1cb}'),
        '\u{1f1}'..='\u{1f3}' => into.push('\u{1f2}'),
        // Georgian has capitals only for whole words.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => into.push(c),
        // Greek with iota below, and beside the capital.
        '\u{1f80}'..='\u{1faf}' => into.extend(char::from_u32(u32::from(c) | 8)),
        '\u{1fb3}' | '\u{1fbc}' => into.push('\u{1fbc}'),
        '\u{1fc3}' | '\u{1fcc}' => into.push('\u{1fcc}'),
        '\u{1ff3}' | '\u{1ffc}' => into.push('\u{1ffc}'),
        '\u{1fb7}' => into.push_str("\u{391}\u{342}\u{345}"),
        '\u{1fc7}' => into.push_str("\u{397}\u{342}\u{345}"),
        '\u{1ff7}' => into.push_str("\u{3a9}\u{342}\u{345}"),
        '\u{1fb2}' => into.push_str("\u{1fba}\u{345}"),
        '\u{1fb4}' => into.push_str("\u{386}\u{345}"),
        '\u{1fc2}' => into.push_str("\u{1fca}\u{345}"),
        '\u{1fc4}' => into.push_str("\u{389}\u{345}"),
        '\u{1ff2}' => into.push_str("\u{1ffa}\u{345}"),
        '\u{1ff4}' => into.push_str("\u{38f}\u{345}"),
        // Sharp s and ligatures: a capital, then small letters.
        'ß' | '\u{587}' | '\u{fb00}'..='\u{fb06}' | '\u{fb13}'..='\u{fb17}' => {
            let mut capitals = c.to_uppercase();
            into.extend(capitals.next());
            into.extend(capitals.flat_map(char::to_lowercase));
        }
        _ => into.extend(c.to_uppercase()),
    }
}

/// The full case folding of a character (`CaseFolding.txt`, C and F): the small letters of its
/// capitals, apart from these.
pub(super) fn push_folded(into: &mut String, c: char) {
    match c {
        'ı' => into.push(c),
        'ẞ' => into.push_str("ss"),
        // Cherokee folds to its capitals, which are older.
        '\u{13a0}'..='\u{13f5}' => into.push(c),
        '\u{13f8}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => into.extend(c.to_uppercase()),
        _ => into.extend(c.to_uppercase().flat_map(char::to_lowercase)),
    }
}

/// Ideographs with a numeric value (`Unihan_NumericValues.txt`).
const NUMBER_IDEOGRAPHS: &str = "\
    \u{3405}\u{3483}\u{382a}\u{3b4d}\u{4e00}\u{4e03}\u{4e07}\u{4e09}\u{4e5d}\u{4e8c}\u{4e94}\
    \u{4e96}\u{4ebf}\u{4ec0}\u{4edf}\u{4ee8}\u{4f0d}\u{4f70}\u{5104}\u{5146}\u{5169}\u{516b}\
    \u{516d}\u{5341}\u{5343}\u{5344}\u{5345}\u{534c}\u{53c1}\u{53c2}\u{53c3}\u{53c4}\u{56db}\
    \u{58f1}\u{58f9}\u{5e7a}\u{5efe}\u{5eff}\u{5f0c}\u{5f0d}\u{5f0e}\u{5f10}\u{62fe}\u{634c}\
    \u{67d2}\u{6f06}\u{7396}\u{767e}\u{8086}\u{842c}\u{8cae}\u{8cb3}\u{8d30}\u{9621}\u{9646}\
    \u{964c}\u{9678}\u{96f6}\u{f96b}\u{f973}\u{f978}\u{f9b2}\u{f9d1}\u{f9d3}\u{f9fd}\u{20001}\
    \u{20064}\u{200e2}\u{20121}\u{2092a}\u{20983}\u{2098c}\u{2099c}\u{20aea}\u{20afd}\u{20b19}\
    \u{22390}\u{22998}\u{23b1b}\u{2626d}\u{2f890}";
