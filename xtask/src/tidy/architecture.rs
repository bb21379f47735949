//! ARCHITECTURE.md names every crate, engine, provider and dialect.

use super::Tree;
use super::paths::{code_spans, is_path};

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
    for shelf in SHELVES {
        for part in tree.folders(shelf) {
            let path = format!("{shelf}/{part}");
            if !named.iter().any(|named| named.trim_end_matches('/') == path) {
                tree.complain(format!("{PAGE} does not name `{path}`"));
            }
        }
    }
}
