//! Pages name only files that are there.

use super::Tree;

/// Where paths of the project begin.
const ROOTS: [&str; 7] = ["crates/", "tests/", "xtask/", "docs/", "fuzz/", ".ci/", ".config/"];

pub(super) fn check(tree: &mut Tree) {
    for page in tree.files_ending(".md") {
        let text = tree.read(&page);
        for path in code_spans(&text).filter(|span| is_path(span)) {
            if !is_there(tree, path) {
                tree.complain(format!("{page} names `{path}`, which does not exist"));
            }
        }
    }
}

/// Whether something in backticks is a path from the root. One with a placeholder in it is not.
pub(super) fn is_path(span: &str) -> bool {
    ROOTS.iter().any(|root| span.starts_with(root)) && !span.contains(['<', '*', ' ', '…'])
}

/// Whether a path is there. It may end in a test or an item, as in `crates/a/src/b.rs::c`.
fn is_there(tree: &Tree, path: &str) -> bool {
    match path.split_once("::") {
        Some((file, item)) => {
            let text = tree.read(file);
            ["fn ", "struct ", "enum ", "trait ", "const ", "mod "].iter().any(|kind| {
                let named = format!("{kind}{item}");
                let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
                text.match_indices(&named).any(|(at, _)| ends(&text[at + named.len()..]))
            })
        }
        None => tree.exists(path),
    }
}

/// What stands between backticks.
pub(super) fn code_spans(page: &str) -> impl Iterator<Item = &str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_backticks_is_named() {
        let spans: Vec<&str> = code_spans("see `crates/a` and `b`\n`docs/c` not d").collect();
        assert_eq!(spans, ["crates/a", "b", "docs/c"]);
    }

    #[test]
    fn a_placeholder_is_no_path() {
        assert!(is_path("docs/dialects/zap.md"));
        assert!(!is_path("docs/dialects/<name>.md"));
        assert!(!is_path("crates/countersign/src/*.rs"));
        assert!(!is_path("/readyz"));
    }
}
