//! `cargo xtask crates`: how many crates the program is made of.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::process::{cargo, output};

/// More than this, and a dependency has to go before one may come.
const MOST: usize = 320;

/// Counts, and fails above the limit.
///
/// # Errors
/// There are too many, or cargo does not say.
pub(crate) fn run() -> Result<()> {
    let count = count()?;
    println!("{count} crates in the program and its build scripts (at most {MOST})");
    if count > MOST {
        bail!("{count} crates are more than {MOST}");
    }
    Ok(())
}

/// Every crate that is compiled for the program, build scripts and macros included.
///
/// # Errors
/// cargo does not say.
pub(crate) fn count() -> Result<usize> {
    let words = ["tree", "--package", "countersign", "--edges", "normal,build", "--prefix", "none"];
    Ok(distinct(&output(&mut cargo(&words))?))
}

fn distinct(tree: &str) -> usize {
    let crates = tree.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty());
    crates.collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_crate_that_is_shown_twice_counts_once() {
        assert_eq!(super::distinct("a v1.0.0 (/a)\nb v1.0.0\nb v1.0.0 (*)\nb v2.0.0\n\n"), 3);
    }
}
