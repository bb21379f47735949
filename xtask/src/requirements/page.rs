//! The pages: each row, what shows it, what is open.

use super::rows::{Group, Row, Table};
use super::shown::Shown;

/// What stands on a page before its tables.
const HEADS: [(&str, &str); 2] = [
    (
        "docs/requirements.md",
        "# What must hold, and which tests show it

Every requirement that Countersign sets itself, with the tests that show it and what no test shows. A row without tests says why.
*(should)* and *(later)* mark rows that 1.0 does not wait for, *[long]* tests that `cargo xtask test long` runs and CI does not. What is claimed in public is in [SECURITY.md](../SECURITY.md).
",
    ),
    (
        "docs/peer-faults.md",
        "# Faults of comparable products

Faults found in the source, the issue trackers, the advisories or the running instances of products that do what Countersign
does, and the tests that keep each of them out.
",
    ),
];

const GENERATED: &str = "
This page is generated: `cargo xtask requirements` joins [the rows](requirements.toml) with the lines `/// Shows: A6, I2.` that end
the comments of the tests.
";

/// All pages: path and text.
pub(super) fn pages(table: &Table, tests: &[Shown]) -> Vec<(String, String)> {
    HEADS.iter().map(|(path, head)| ((*path).to_owned(), page(table, tests, path, head))).collect()
}

fn page(table: &Table, tests: &[Shown], path: &str, head: &str) -> String {
    let mut text = format!("{head}{GENERATED}");
    for group in table.groups.iter().filter(|group| group.page == path) {
        text += &section(table, tests, group);
    }
    text
}

fn section(table: &Table, tests: &[Shown], group: &Group) -> String {
    let head =
        format!("\n## {}\n\n| | Must hold | Shown by | Open |\n| --- | --- | --- | --- |\n", group.title);
    let rows = table.rows_of(group).into_iter().map(|row| line(row, tests));
    head + &rows.collect::<String>()
}

fn line(row: &Row, tests: &[Shown]) -> String {
    let priority = if row.priority.is_empty() { String::new() } else { format!(" *({})*", row.priority) };
    let (says, open) = (cell(&row.says), cell(&row.open));
    format!("| {}{priority} | {says} | {} | {open} |\n", row.id, shown_by(row, tests))
}

fn shown_by(row: &Row, tests: &[Shown]) -> String {
    if !row.same_as.is_empty() {
        return format!("as {}", row.same_as);
    }
    let of_row = tests.iter().filter(|test| test.ids.contains(&row.id));
    of_row.map(link).collect::<Vec<_>>().join("<br>")
}

fn link(test: &Shown) -> String {
    let long = if test.only_in_long_runs { " *[long]*" } else { "" };
    format!("[{}](../{}){long}", cell(&test.name), test.file)
}

/// A text that stands in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_links_its_tests_and_says_what_is_open() {
        let table = "[[group]]\nletter = 'A'\ntitle = 'Attacks'\npage = 'docs/requirements.md'\nlast = 1\n\
                     [[row]]\nid = 'A1'\nsays = 'a|b'\nopen = 'c'\n";
        let table = Table::parse(table).unwrap();
        let test = Shown {
            file: "x/y.rs".to_owned(),
            name: "it_holds".to_owned(),
            ids: vec!["A1".to_owned()],
            only_in_long_runs: true,
        };
        let (_, page) = pages(&table, &[test]).remove(0);
        assert!(page.contains("| A1 | a\\|b | [it_holds](../x/y.rs) *[long]* | c |\n"), "{page}");
    }
}
