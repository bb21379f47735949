//! Relative links in the pages lead somewhere.

use std::path::Path;

use super::Tree;

pub(super) fn check(tree: &mut Tree) {
    for page in tree.files_ending(".md") {
        let folder = Path::new(&page).parent().unwrap_or(Path::new("")).to_owned();
        let text = tree.read(&page);
        for target in targets(&text) {
            if !tree.root.join(&folder).join(target).exists() {
                tree.complain(format!("{page} links to {target}, which does not exist"));
            }
        }
    }
}

/// The files that a page links to: not the web, not a heading of its own.
fn targets(text: &str) -> Vec<&str> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    links
        .map(|(target, _)| target.split_once('#').map_or(target, |(file, _)| file))
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_links_to_files_are_followed() {
        let text = "[a](b.md) [c](https://example.com) [d](#here) [e](f/g.md#part)";
        assert_eq!(super::targets(text), ["b.md", "f/g.md"]);
    }
}
