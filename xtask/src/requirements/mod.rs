//! `cargo xtask requirements`: which test shows what.
//!
//! The rows and what is open about them are in `docs/requirements.toml`. The tests are not: each says
//! so itself, in the last line of its comment (`/// Shows: A6, I2.`). The pages that join the two are
//! written here and checked in; `cargo xtask tidy` refuses pages that are behind.

mod page;
mod rows;
mod shown;

use anyhow::Result;

use crate::tidy::Tree;
use rows::Table;
use shown::Shown;

const ROWS: &str = "docs/requirements.toml";

/// Writes the pages.
///
/// # Errors
/// The rows cannot be read, or a page cannot be written.
pub(crate) fn write() -> Result<()> {
    let mut tree = Tree::of_workspace()?;
    let (table, tests) = joined(&mut tree)?;
    for (path, text) in page::pages(&table, &tests) {
        std::fs::write(tree.path(&path), text)?;
    }
    tree.report()
}

/// Complains about rows without tests and reasons, tests of unknown rows, and pages that are behind.
///
/// # Errors
/// The rows cannot be read.
pub(crate) fn check(tree: &mut Tree) -> Result<()> {
    let (table, tests) = joined(tree)?;
    for (path, text) in page::pages(&table, &tests) {
        if tree.read(&path) != text {
            tree.complain(format!("{path} is not what the tests say: run `cargo xtask requirements`"));
        }
    }
    Ok(())
}

fn joined(tree: &mut Tree) -> Result<(Table, Vec<Shown>)> {
    let table = Table::parse(&tree.read(ROWS))?;
    let tests = shown::all(tree);
    for complaint in table.complaints(&tests) {
        tree.complain(complaint);
    }
    Ok((table, tests))
}
