//! Every dialect has its page and its section in the example configuration, and the reverse; no
//! dialect knows another.

use super::Tree;

const FOLDER: &str = "crates/countersign-http/src/dialects";
const EXAMPLE: &str = "countersign.example.toml";

pub(super) fn check(tree: &mut Tree) {
    let dialects = tree.folders(FOLDER);
    let example = tree.read(EXAMPLE);
    for dialect in &dialects {
        let page = format!("docs/dialects/{}.md", dialect.replace('_', "-"));
        if !tree.exists(&page) {
            tree.complain(format!("the dialect {dialect} has no page {page}"));
        }
        let section = format!("[dialects.{}]", dialect.replace('_', "-"));
        if !example.lines().any(|line| line.trim_start_matches(['#', ' ']) == section) {
            tree.complain(format!("{EXAMPLE} has no section {section}"));
        }
    }
    for page in tree.files_ending(".md") {
        let Some(name) = page.strip_prefix("docs/dialects/").and_then(|name| name.strip_suffix(".md")) else {
            continue;
        };
        if name != "README" && !dialects.contains(&name.replace('-', "_")) {
            tree.complain(format!("{page} describes a dialect that does not exist"));
        }
    }
    for dialect in &dialects {
        for file in tree.files_ending(".rs") {
            if !file.starts_with(&format!("{FOLDER}/{dialect}/")) {
                continue;
            }
            let text = tree.read(&file);
            for other in dialects.iter().filter(|other| *other != dialect) {
                if text.contains(&format!("dialects::{other}")) {
                    tree.complain(format!(
                        "{file} uses the dialect {other}: dialects do not know each other"
                    ));
                }
            }
        }
    }
}
