//! Long files are pointed out, not refused: past about 400 lines, look for the second subject.

use super::Tree;

const LONG: usize = 400;

pub(super) fn check(tree: &Tree) {
    for file in tree.files_ending(".rs") {
        let lines = lines_of_code(&tree.read(&file));
        if lines > LONG && !file.contains("/tests/") && !file.ends_with("/tests.rs") {
            eprintln!("note: {file} has {lines} lines before its tests: is there a second subject in it?");
        }
    }
}

/// The lines before the unit tests.
fn lines_of_code(text: &str) -> usize {
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count()
}

#[cfg(test)]
mod tests {
    #[test]
    fn unit_tests_do_not_make_a_file_long() {
        assert_eq!(super::lines_of_code("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    }
}
