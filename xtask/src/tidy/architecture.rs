//! ARCHITECTURE.md names every crate, engine, provider and dialect, and nothing that is not there.

use super::Tree;

const PAGE: &str = "ARCHITECTURE.md";

/// Folders whose sub-folders are the parts that the page must name.
const SHELVES: [&str; 4] = [
    "crates",
    "crates/countersign-http/src/dialects",
    "crates/countersign-providers/src",
    "crates/countersign-storage/src",
];

pub(super) fn check(tree: &mut Tree) {
    let page = tree.read(PAGE);
    let named: Vec<&str> = code_spans(&page).filter(|span| is_path(span)).collect();
    for path in &named {
        if !tree.exists(path) {
            tree.complain(format!("{PAGE} names `{path}`, which does not exist"));
        }
    }
    for shelf in SHELVES {
        for part in tree.folders(shelf) {
            let path = format!("{shelf}/{part}");
            if !named.iter().any(|named| named.trim_end_matches('/') == path) {
                tree.complain(format!("{PAGE} does not name `{path}`"));
            }
        }
    }
}

fn is_path(span: &str) -> bool {
    ["crates/", "tests/", "xtask/", "docs/", ".ci/", ".config/"].iter().any(|start| span.starts_with(start))
        && !span.contains(['<', '*', ' '])
}

/// What stands between backticks.
pub(super) fn code_spans(page: &str) -> impl Iterator<Item = &str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_stands_between_backticks_is_named() {
        let spans: Vec<&str> = super::code_spans("see `crates/a` and `b`\n`docs/c` not d").collect();
        assert_eq!(spans, ["crates/a", "b", "docs/c"]);
    }
}
