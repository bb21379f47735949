//! Pages that say "this is tested by that": every test they name exists, and every row names one or
//! says why there is none.

use anyhow::{Context, Result};

use super::Tree;
use super::architecture::code_spans;

const FAULTS: &str = "docs/peer-faults.md";
const REQUIREMENTS: &str = "docs/requirements.toml";

/// What a row without a test begins its reason with.
const NOT_YET: &str = "not applicable yet: ";

pub(super) fn check(tree: &mut Tree) -> Result<()> {
    check_faults(tree);
    check_requirements(tree)
}

fn check_faults(tree: &mut Tree) {
    let page = tree.read(FAULTS);
    let rows: Vec<&str> = page.lines().filter(|line| row_number(line).is_some()).collect();
    for (place, row) in rows.iter().enumerate() {
        let number = row_number(row).unwrap_or_default();
        if number != place + 1 {
            tree.complain(format!("{FAULTS}: row {number} stands where {} belongs", place + 1));
        }
        let named: Vec<&str> = code_spans(row).filter(|span| span.contains(".rs::")).collect();
        if named.is_empty() && !row.contains(NOT_YET) {
            tree.complain(format!("{FAULTS}: row {number} names no test and no reason"));
        }
        for test in named {
            check_test(tree, FAULTS, test);
        }
    }
    if rows.is_empty() {
        tree.complain(format!("{FAULTS} has no rows"));
    }
}

fn check_requirements(tree: &mut Tree) -> Result<()> {
    let table: toml::Table = toml::from_str(&tree.read(REQUIREMENTS)).context(REQUIREMENTS)?;
    let rows = table.get("requirement").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let mut seen = Vec::new();
    for row in rows {
        let text = |key: &str| row.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let id = text("id");
        if id.is_empty() || text("says").is_empty() || seen.contains(&id) {
            tree.complain(format!("{REQUIREMENTS}: a row needs an id of its own and what it says ({id})"));
        }
        let tests: Vec<&str> = row
            .get("tests")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|t| t.as_str())
            .collect();
        if tests.is_empty() && text("open").is_empty() {
            tree.complain(format!("{REQUIREMENTS}: {id} has no tests and does not say why it is open"));
        }
        for test in tests {
            check_test(tree, REQUIREMENTS, test);
        }
        seen.push(id);
    }
    Ok(())
}

/// `test` is written `path/of/file.rs::name`.
fn check_test(tree: &mut Tree, page: &str, test: &str) {
    let found = test.split_once("::").is_some_and(|(file, name)| has_function(&tree.read(file), name));
    if !found {
        tree.complain(format!("{page} names the test {test}, which does not exist"));
    }
}

fn has_function(text: &str, name: &str) -> bool {
    let start = format!("fn {name}");
    text.match_indices(&start).any(|(at, _)| text[at + start.len()..].starts_with(['(', '<']))
}

/// The number in the first cell of a table's row.
fn row_number(line: &str) -> Option<usize> {
    line.strip_prefix('|')?.split('|').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_found_by_its_whole_name() {
        let text = "async fn right_code_wins() {}";
        assert!(has_function(text, "right_code_wins"));
        assert!(!has_function(text, "right_code"));
    }

    #[test]
    fn a_heading_is_not_a_row() {
        assert_eq!(row_number("| 12 | fault | test |"), Some(12));
        assert_eq!(row_number("| # | fault | test |"), None);
    }
}
