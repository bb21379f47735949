//! What tests say that they show: the line `Shows: A6, I2.` that ends a test's comment.

use crate::tidy::Tree;

/// A test and the rows that it shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) file: String,
    pub(super) name: String,
    pub(super) ids: Vec<String>,
    /// Whether only `cargo xtask test long` runs it.
    pub(super) only_in_long_runs: bool,
}

/// Where cases are functions that one list turns into tests.
const CASES: &str = "crates/countersign-core/src/testkit/conformance/";

/// How tests are written in a language.
struct Language {
    extension: &'static str,
    comment: &'static str,
    name: fn(&str) -> Option<&str>,
}

const LANGUAGES: [Language; 3] = [
    Language { extension: ".rs", comment: "/// ", name: rust_name },
    Language { extension: ".py", comment: "# ", name: python_name },
    Language { extension: ".js", comment: "// ", name: javascript_name },
];

/// What all tests of the tree say, in order. Complains about lines that are not right above a test.
pub(super) fn all(tree: &mut Tree) -> Vec<Shown> {
    let cases = tree.read(format!("{CASES}mod.rs"));
    let mut shown = Vec::new();
    for language in &LANGUAGES {
        for file in tree.files_ending(language.extension) {
            for found in in_text(language, &tree.read(&file)) {
                match found {
                    Ok(mut test) => {
                        if !test.is_test && !is_case(&cases, &file, &test.shown.name) {
                            let name = &test.shown.name;
                            tree.complain(format!("{file}: {name} says what it shows and is no test"));
                        }
                        test.shown.file.clone_from(&file);
                        shown.push(test.shown);
                    }
                    Err(line) => tree.complain(format!(
                        "{file}:{line}: `Shows: A6, I2.` is the last line of a test's comment"
                    )),
                }
            }
        }
    }
    shown
}

/// Whether a function of the conformance suite is in the suite's list.
fn is_case(cases: &str, file: &str, name: &str) -> bool {
    let module = file.strip_prefix(CASES).and_then(|file| file.strip_suffix(".rs"));
    module.is_some_and(|module| cases.contains(&format!(" {module}::{name},")))
}

struct Found {
    shown: Shown,
    is_test: bool,
}

/// The tests of a text, or the number of a line that belongs to none.
fn in_text(language: &Language, text: &str) -> Vec<Result<Found, usize>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let start = format!("{}Shows: ", language.comment);
    let marked = lines.iter().enumerate().filter(|(_, line)| line.starts_with(&start));
    marked.map(|(at, line)| found_at(language, &lines, at, &line[start.len()..]).ok_or(at + 1)).collect()
}

fn found_at(language: &Language, lines: &[&str], at: usize, ids: &str) -> Option<Found> {
    let ids: Vec<String> = ids.strip_suffix('.')?.split(", ").map(str::to_owned).collect();
    let above = lines[..at].iter().rev().take_while(|line| is_above(line));
    let below = lines[at + 1..].iter().take_while(|line| is_attribute(line));
    let named = at + 1 + below.clone().count();
    let attributes: Vec<&&str> = above.chain(below).filter(|line| is_attribute(line)).collect();
    let has = |word: &str| attributes.iter().any(|line| line.contains(word));
    Some(Found {
        is_test: language.extension != ".rs" || has("#[test]") || has("::test"),
        shown: Shown {
            file: String::new(),
            name: (language.name)(lines.get(named)?)?.to_owned(),
            ids,
            only_in_long_runs: has("#[ignore"),
        },
    })
}

/// Whether a line belongs to the head of the function below it.
fn is_above(line: &str) -> bool {
    line.starts_with("///") || is_attribute(line)
}

fn is_attribute(line: &str) -> bool {
    line.starts_with("#[")
}

fn rust_name(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let only_words = before.chars().all(|c| c.is_ascii_alphabetic() || " ()".contains(c));
    let end = rest.find(['(', '<'])?;
    only_words.then(|| &rest[..end])
}

fn python_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix("def ")?.split_once('(')?.0;
    name.starts_with("test_").then_some(name)
}

fn javascript_name(line: &str) -> Option<&str> {
    Some(line.strip_prefix("test(\"")?.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(text: &str) -> Vec<Result<Found, usize>> {
        in_text(&LANGUAGES[0], text)
    }

    fn shown(name: &str, ids: &[&str], only_in_long_runs: bool) -> Shown {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Shown { file: String::new(), name: name.to_owned(), ids, only_in_long_runs }
    }

    #[test]
    fn a_test_is_found_under_its_line_with_attributes_on_either_side() {
        let text = "    /// It holds.\n    ///\n    /// Shows: A6, I2.\n    #[tokio::test]\n    async fn it_holds() {}\n\
                    #[test]\n/// Shows: F1.\n#[ignore = \"long\"]\nfn it_holds_long() {}\n";
        let found: Vec<Found> = rust(text).into_iter().map(Result::unwrap).collect();
        assert!(found.iter().all(|found| found.is_test));
        let found: Vec<Shown> = found.into_iter().map(|found| found.shown).collect();
        assert_eq!(found, [shown("it_holds", &["A6", "I2"], false), shown("it_holds_long", &["F1"], true)]);
    }

    #[test]
    fn a_line_that_ends_no_comment_of_a_function_is_refused() {
        for text in [
            "/// Shows: A6.\n/// And more.\nfn it() {}",
            "/// Shows: A6\nfn it() {}",
            "/// Shows: A6.\nlet x = 1;",
        ] {
            assert_eq!(rust(text).remove(0).err(), Some(1), "{text}");
        }
    }

    #[test]
    fn a_function_without_an_attribute_is_no_test() {
        let found = rust("/// Shows: A6.\npub(super) async fn a_case<F: Fixture>() {}").remove(0).unwrap();
        assert!(!found.is_test);
        assert_eq!(found.shown.name, "a_case");
    }

    #[test]
    fn a_case_counts_when_it_is_in_the_suites_list() {
        let list = "            check::a_case,\n";
        assert!(is_case(list, &format!("{CASES}check.rs"), "a_case"));
        assert!(!is_case(list, &format!("{CASES}start.rs"), "a_case"));
        assert!(!is_case(list, &format!("{CASES}check.rs"), "case"));
    }

    #[test]
    fn tests_in_other_languages_say_it_in_their_comments() {
        let python = in_text(&LANGUAGES[1], "    # Shows: W2.\n    def test_it(self):\n").remove(0).unwrap();
        assert_eq!(python.shown, shown("test_it", &["W2"], false));
        let javascript = in_text(&LANGUAGES[2], "  // Shows: W2.\n  test(\"it works\", async () => {\n");
        assert_eq!(javascript.into_iter().next().unwrap().unwrap().shown, shown("it works", &["W2"], false));
    }
}
