//! No file speaks of the machine it was written on.

use super::Tree;

/// Folders of somebody's own.
const WORDS: [&str; 3] = ["/home/", "/Users/", "/tmp/"];

/// This list itself.
const HERE: &str = "xtask/src/tidy/words.rs";

pub(super) fn check(tree: &mut Tree) {
    for file in tree.files.clone() {
        if file == HERE || file == "Cargo.lock" {
            continue;
        }
        for (number, line) in tree.read(&file).lines().enumerate() {
            if let Some(word) = WORDS.iter().find(|word| line.contains(**word)) {
                tree.complain(format!("{file}:{}: {word} means nothing to a stranger", number + 1));
            }
        }
    }
}
