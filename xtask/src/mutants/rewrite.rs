//! The text of a file with all its faults in it, each behind a question that is asked at run time.

use std::ops::Range;

use super::find::{Fault, ON};

/// A file with faults in it.
pub(super) struct Rewritten {
    pub(super) text: String,
    /// Where in the new text each fault is, as its number: as a whole, and what was inserted for it.
    places: Vec<(Range<usize>, u32)>,
}

impl Rewritten {
    /// The fault that a place in the new text belongs to: the smallest that has all of it.
    pub(super) fn fault_at(&self, place: &Range<usize>) -> Option<u32> {
        let around = self.places.iter().filter(|(of, _)| of.start <= place.start && place.end <= of.end);
        around.min_by_key(|(of, _)| of.len()).map(|(_, number)| *number)
    }
}

/// Puts faults into a file. `on` is the path of the function that says whether a number is switched on.
pub(super) fn rewrite<'f>(
    source: &str,
    faults: impl Iterator<Item = (u32, &'f Fault)>,
    on: &str,
) -> Rewritten {
    let mut all: Vec<_> =
        faults.flat_map(|(number, f)| f.insertions.iter().map(move |i| (i, number))).collect();
    all.sort_unstable();
    let mut text = String::with_capacity(source.len() * 2);
    let mut places: Vec<(Range<usize>, u32)> = Vec::new();
    let mut wholes: std::collections::BTreeMap<u32, Range<usize>> = std::collections::BTreeMap::new();
    let mut copied = 0;
    for (insertion, number) in all {
        text.push_str(&source[copied..insertion.at]);
        copied = insertion.at;
        let start = text.len();
        text.push_str(&insertion.text.replace(ON, &format!("{on}({number})")));
        places.push((start..text.len(), number));
        wholes.entry(number).or_insert(start..start).end = text.len();
    }
    text.push_str(&source[copied..]);
    places.extend(wholes.into_iter().map(|(number, place)| (place, number)));
    Rewritten { text, places }
}

#[cfg(test)]
mod tests {
    use super::super::find::find;
    use super::*;

    /// The body of a function with every fault in it, `on` written as `?`.
    fn sown(body: &str) -> String {
        let source = format!("fn f() {{ {body} }}");
        let found = find(&source).unwrap();
        let numbered = (1..).zip(&found.faults);
        let text = rewrite(&source, numbered, "?").text;
        syn::parse_file(&text.replace("?(", "on(")).expect("it is still Rust");
        text.strip_prefix("fn f() { ").unwrap().strip_suffix(" }").unwrap().to_owned()
    }

    fn changes(source: &str) -> Vec<(String, String)> {
        find(source).unwrap().faults.into_iter().map(|fault| (fault.from, fault.to)).collect()
    }

    #[test]
    fn a_comparison_is_negated_and_moved_by_one() {
        assert_eq!(sown("let x = a == b;"), "let x = ((a == b) ^ ?(1));");
        assert_eq!(sown("let x = a < b;"), "let x = (((if ?(1) { a <= b } else { a < b })) ^ ?(2));");
    }

    #[test]
    fn and_becomes_or_without_writing_either_side_twice() {
        assert_eq!(
            sown("let x = a && b;"),
            "let x = (((((a) ^ ?(1))) ^ ?(3) && (((b) ^ ?(2))) ^ ?(3)) ^ ?(3));"
        );
    }

    #[test]
    fn a_chain_with_let_stays_a_chain() {
        assert_eq!(sown("if let Some(x) = y && z {}"), "if let Some(x) = y && ((z) ^ ?(1)) {}");
    }

    #[test]
    fn a_statement_is_skipped_with_its_question_mark() {
        assert_eq!(sown("allowed(x)?;"), "if !?(1) { allowed(x)?; }");
        assert_eq!(sown("self.n += 1;"), "if !?(1) { self.n += 1; }");
        assert_eq!(sown("let x; x = 1;"), "let x; x = 1;");
    }

    #[test]
    fn arithmetic_and_named_methods_have_their_opposite() {
        assert_eq!(sown("let x = a + b;"), "let x = (if ?(1) { a - b } else { a + b });");
        assert_eq!(sown("let x = a.min(b);"), "let x = (if ?(1) { a.max(b) } else { a.min(b) });");
    }

    #[test]
    fn a_function_answers_at_once_what_its_result_can_be() {
        let returns = |source: &str| changes(source).into_iter().map(|(_, to)| to).collect::<Vec<_>>();
        assert_eq!(returns("fn f() -> bool { x }"), ["returns true", "returns false"]);
        assert_eq!(returns("fn f() -> bool { true }"), ["returns false"]);
        assert_eq!(returns("fn f() -> Option<u8> { x }"), ["returns None"]);
        assert_eq!(returns("fn f() -> Result<(), E> { x }"), ["returns Ok(())"]);
        assert_eq!(returns("fn f() -> E { x }"), [""; 0]);
    }

    #[test]
    fn guards_closures_and_names_of_bools_are_conditions() {
        assert_eq!(sown("match a { b if c => d, _ => e }"), "match a { b if ((c) ^ ?(1)) => d, _ => e }");
        assert_eq!(sown("let x = a.filter(|b| c);"), "let x = a.filter(|b| ((c) ^ ?(1)));");
        assert_eq!(sown("let x = a.is_none();"), "let x = ((a.is_none()) ^ ?(1));");
        assert_eq!(sown("if a.is_none() {}"), "if ((a.is_none()) ^ ?(1)) {}");
        assert_eq!(sown("let x = !a.is_none();"), "let x = ((!a.is_none()) ^ ?(1));");
    }

    #[test]
    fn what_is_const_or_a_test_is_left_alone() {
        assert_eq!(changes("const A: bool = 1 < 2; const fn f() -> bool { 1 < 2 }"), []);
        assert_eq!(find("const fn f() {}").unwrap().const_functions, 1);
        assert_eq!(changes("#[cfg(test)] mod tests { fn f() -> bool { 1 < 2 } }"), []);
        assert_eq!(changes("#[cfg(all(test, unix))] mod tests { fn f() -> bool { 1 < 2 } }"), []);
        assert_eq!(changes("fn f() { let a = [0; 1 + 2]; }"), []);
        assert_eq!(changes("impl Debug for A { fn f() -> bool { 1 < 2 } }"), []);
    }

    #[test]
    fn a_place_belongs_to_the_smallest_fault_around_it() {
        let source = "fn f() { a(b < c); }";
        let found = find(source).unwrap();
        let rewritten = rewrite(source, (1..).zip(&found.faults), "on");
        let inserted = rewritten.text.find("b <= c").unwrap();
        let of = |number: u32| found.faults[number as usize - 1].to.clone();
        assert_eq!(rewritten.fault_at(&(inserted..inserted + 6)).map(of).as_deref(), Some("<="));
        let call = rewritten.text.find("a(").unwrap();
        assert_eq!(rewritten.fault_at(&(call..call + 1)).map(of).as_deref(), Some("skipped"));
        assert_eq!(rewritten.fault_at(&(0..2)), None);
    }
}
