//! No file speaks of the machine it was written on.

use super::Tree;

/// Home folders, and private package mirrors.
const WORDS: [&str; 7] = ["/home/", "/root/", "/Users/", "/tmp/", "/work/", "artifactory", "jfrog.io"];

/// This list itself.
const HERE: &str = "xtask/src/tidy/words.rs";

pub(super) fn check(tree: &mut Tree) {
    for file in tree.files.clone() {
        if file == HERE || file == "Cargo.lock" {
            continue;
        }
        for (number, line) in tree.read(&file).lines().enumerate() {
            if let Some(word) = WORDS.iter().find(|word| line.contains(**word)) {
                tree.complain(format!("{file}:{}: {word} belongs to somebody's machine", number + 1));
            }
        }
    }
}
