//! `docs/failure-modes.md` names the test that shows each of its claims: those tests have to exist.

use super::{Offense, offense};

/// The page.
pub(super) const PAGE: &str = "docs/failure-modes.md";

/// Rows of its tables: the numbers that other pages call the failures by.
const ROWS: usize = 43;

/// Rows that are missing or there twice, and tests that no source file has.
///
/// A test is named by two code spans, `file` and `test`; the file's name is part of the path of the
/// source that has the function. `sources` are paths with their texts.
pub(super) fn unfounded(page: &str, sources: &[(&str, &str)]) -> Vec<Offense> {
    let mut offenses = Vec::new();
    let mut seen = [0_usize; ROWS + 1];
    for (at, line) in (1..).zip(page.lines()) {
        let first = line.strip_prefix("| ").and_then(|rest| rest.split(' ').next());
        let Some(row) = first.and_then(|word| word.parse::<usize>().ok()) else {
            continue;
        };
        match seen.get_mut(row) {
            Some(count) => *count += 1,
            None => offenses.push(offense(at, format!("there is no row {row}, only 1 to {ROWS}"))),
        }
        for (file, test) in tests_named(line) {
            if !sources.iter().any(|(path, text)| has_test(path, text, file, test)) {
                offenses.push(offense(at, format!("`{file}` has no test `{test}`")));
            }
        }
    }
    for (row, count) in seen.iter().enumerate().skip(1).filter(|(_, count)| **count != 1) {
        offenses.push(offense(0, format!("row {row} is there {count} times")));
    }
    offenses
}

/// Pairs of code spans with nothing but a space between them.
fn tests_named(line: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = line.split('`').collect();
    // Odd parts are code spans.
    let pairs = parts.windows(3).enumerate().filter(|(at, part)| at % 2 == 1 && part[1] == " ");
    pairs.map(|(_, part)| (part[0], part[2])).collect()
}

fn has_test(path: &str, text: &str, file: &str, test: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    let here = path.split('/').any(|part| part == name || part.strip_suffix(".rs") == Some(name));
    here && text.contains(&format!("fn {test}("))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(cell: &str) -> String {
        let row = |number| format!("| {number} | a failure | what is done | {cell} |\n");
        (1..=ROWS).map(row).collect()
    }

    const SOURCES: &[(&str, &str)] = &[("crates/x/tests/lab/loss.rs", "#[test]\nfn a_b() {}")];

    #[test]
    fn tests_that_exist_where_they_are_said_to_be_are_fine() {
        assert_eq!(unfounded(&page("`lab/loss` `a_b`; not yet: `anything`"), SOURCES), []);
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        for cell in ["`lab/loss` `a_c`", "`lab/gain` `a_b`", "`x`, `lab/loss` `a`"] {
            assert_eq!(unfounded(&page(cell), SOURCES).len(), ROWS, "{cell}");
        }
    }

    #[test]
    fn every_row_is_there_once() {
        let missing = page("").replace("| 7 |", "| 8 |");
        assert_eq!(unfounded(&missing, SOURCES).len(), 2);
        assert_eq!(unfounded(&format!("{}| 44 | |\n", page("")), SOURCES).len(), 1);
    }
}
