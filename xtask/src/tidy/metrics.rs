//! The operators' page lists every metric that the program has, and no other.

use std::collections::BTreeSet;

use super::Tree;
use super::paths::code_spans;

const PAGE: &str = "docs/operations.md";
const PREFIX: &str = "countersign_";

pub(super) fn check(tree: &mut Tree) {
    let page = tree.read(PAGE);
    // Written `name` or `name{label,label}`.
    let spans = code_spans(&page).map(|span| span.split_once('{').map_or(span, |(name, _)| name));
    let named: BTreeSet<&str> = spans.filter(|name| is_metric(name)).collect();
    let mut emitted = BTreeSet::new();
    for file in tree.files_ending(".rs").iter().filter(|file| file.contains("/src/")) {
        emitted.extend(emitted_in(&tree.read(file)));
    }
    for name in emitted.iter().filter(|name| !named.contains(name.as_str())) {
        tree.complain(format!("{PAGE} does not list the metric {name}"));
    }
    for name in named.iter().filter(|name| !emitted.contains(**name)) {
        tree.complain(format!("{PAGE} lists the metric {name}, which does not exist"));
    }
}

fn is_metric(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

/// The names that are counted or recorded somewhere in a file.
fn emitted_in(text: &str) -> BTreeSet<String> {
    let calls = ["counter!(", "gauge!(", "histogram!("].into_iter().flat_map(|call| text.split(call).skip(1));
    let names = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'));
    names.map(|(name, _)| name.to_owned()).filter(|name| name.starts_with(PREFIX)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_metric_is_found_where_it_is_counted() {
        let text = "metrics::counter!(\"countersign_a_total\", \"x\" => 1); // \"countersign_b\"";
        assert_eq!(super::emitted_in(text).into_iter().collect::<Vec<_>>(), ["countersign_a_total"]);
    }
}
