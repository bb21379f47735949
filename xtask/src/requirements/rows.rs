//! The rows: what must hold, and what no test shows yet.

use anyhow::{Context, Result};
use toml::Value;

use super::ROWS;
use super::shown::Shown;

/// How a row's `open` begins when nothing but a test is missing. Such a reason ends with the first test.
const NO_TEST_YET: &str = "no test yet";

/// `docs/requirements.toml`.
pub(super) struct Table {
    pub(super) groups: Vec<Group>,
    pub(super) rows: Vec<Row>,
}

/// The rows that begin with one letter.
pub(super) struct Group {
    pub(super) letter: String,
    pub(super) title: String,
    pub(super) page: String,
    /// The highest number: every row from 1 to here is in the table.
    last: u32,
}

/// One thing that must hold.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) says: String,
    /// "should" or "later"; empty: before 1.0.
    pub(super) priority: String,
    /// What no test shows, and why.
    pub(super) open: String,
    /// Another row that says the same and has the tests.
    pub(super) same_as: String,
}

impl Table {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = toml::from_str(text).context(ROWS)?;
        let groups = entries(&table, "group")
            .map(|group| Group {
                letter: text_of(group, "letter"),
                title: text_of(group, "title"),
                page: text_of(group, "page"),
                last: group.get("last").and_then(Value::as_integer).unwrap_or(0).try_into().unwrap_or(0),
            })
            .collect();
        let rows = entries(&table, "row")
            .map(|row| Row {
                id: text_of(row, "id"),
                says: text_of(row, "says"),
                priority: text_of(row, "priority"),
                open: text_of(row, "open"),
                same_as: text_of(row, "same_as"),
            })
            .collect();
        Ok(Self { groups, rows })
    }

    /// The rows of a group, in order of their numbers.
    pub(super) fn rows_of(&self, group: &Group) -> Vec<&Row> {
        let mut rows: Vec<&Row> =
            self.rows.iter().filter(|row| number(&row.id, &group.letter).is_some()).collect();
        rows.sort_by_key(|row| number(&row.id, &group.letter));
        rows
    }

    /// What is wrong with the table, and with what tests say about it.
    pub(super) fn complaints(&self, tests: &[Shown]) -> Vec<String> {
        let mut complaints = Vec::new();
        for group in &self.groups {
            let present: Vec<u32> =
                self.rows_of(group).iter().filter_map(|row| number(&row.id, &group.letter)).collect();
            let expected: Vec<u32> = (1..=group.last).collect();
            if present != expected {
                complaints.push(format!(
                    "{ROWS}: {letter}1 to {letter}{last} each have one row; found {present:?}",
                    letter = group.letter,
                    last = group.last
                ));
            }
        }
        for row in &self.rows {
            complaints
                .extend(self.complaint_about(row, tests).map(|what| format!("{ROWS}: {} {what}", row.id)));
        }
        for test in tests {
            for id in test.ids.iter().filter(|id| !self.rows.iter().any(|row| row.id == **id)) {
                complaints.push(format!(
                    "{}: {} says that it shows {id}, which is no row of {ROWS}",
                    test.file, test.name
                ));
            }
        }
        complaints
    }

    fn complaint_about(&self, row: &Row, tests: &[Shown]) -> Option<&'static str> {
        let shown = tests.iter().any(|test| test.ids.contains(&row.id));
        let known = |id: &str| self.rows.iter().any(|row| row.id == id);
        if row.says.is_empty() {
            return Some("does not say what must hold");
        }
        if !self.groups.iter().any(|group| number(&row.id, &group.letter).is_some()) {
            return Some("belongs to no group");
        }
        if !row.same_as.is_empty() {
            return (!known(&row.same_as)).then_some("is the same as a row that does not exist");
        }
        match (shown, row.open.as_str()) {
            (false, "") => Some("is shown by no test and does not say why it is open"),
            (true, open) if open.starts_with(NO_TEST_YET) => {
                Some("has a test now: take out what it says in `open`, or say what is still missing")
            }
            _ => None,
        }
    }
}

fn entries<'a>(table: &'a toml::Table, key: &str) -> impl Iterator<Item = &'a Value> {
    table.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text_of(entry: &Value, key: &str) -> String {
    entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The number of a row of the group `letter`.
fn number(id: &str, letter: &str) -> Option<u32> {
    id.strip_prefix(letter)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "
        [[group]]
        letter = 'A'
        title = 'Attacks'
        page = 'docs/a.md'
        last = 3
        [[row]]
        id = 'A1'
        says = 'shown'
        [[row]]
        id = 'A2'
        says = 'open'
        open = 'not built'
        [[row]]
        id = 'A3'
        says = 'not yet'
        open = 'no test yet'
    ";

    fn test_of(ids: &[&str]) -> Shown {
        Shown {
            file: "a.rs".to_owned(),
            name: "it_holds".to_owned(),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            only_in_long_runs: false,
        }
    }

    fn complaints(table: &str, ids: &[&str]) -> String {
        Table::parse(table).unwrap().complaints(&[test_of(ids)]).join("\n")
    }

    /// Shows: O13.
    #[test]
    fn every_row_has_a_test_or_a_reason() {
        assert_eq!(complaints(TABLE, &["A1"]), "");
        assert!(complaints(TABLE, &["A2"]).contains("A1 is shown by no test"));
    }

    /// Shows: O13.
    #[test]
    fn a_row_that_is_left_out_is_missed() {
        let shorter = TABLE.replace("last = 3", "last = 4");
        assert!(complaints(&shorter, &["A1"]).contains("A1 to A4 each have one row"));
    }

    #[test]
    fn a_test_of_an_unknown_row_is_found() {
        assert!(complaints(TABLE, &["A1", "A9"]).contains("it_holds says that it shows A9"));
    }

    #[test]
    fn no_test_yet_ends_with_the_first_test() {
        assert!(complaints(TABLE, &["A1", "A3"]).contains("A3 has a test now"));
    }
}
