//! Counting what test runners report.

use std::fmt;
use std::ops::AddAssign;

/// How many checks passed, failed and were left out.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    /// One check that passed.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// One check that failed.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    /// One check that was left out.
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// What a line of a test runner's output adds: nothing, unless it is a closing line of one of them.
    pub(crate) fn from_line(line: &str) -> Self {
        let readers = [Self::from_nextest, Self::from_libtest, Self::from_unittest, Self::from_node];
        readers.iter().find_map(|read| read(line)).unwrap_or_default()
    }

    /// Reads the closing line of nextest, e.g.
    /// `Summary [   0.044s] 3 tests run: 1 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
    fn from_nextest(line: &str) -> Option<Self> {
        let (_, counts) = line.trim().strip_prefix("Summary [")?.split_once(" run: ")?;
        Some(Self::from_counts(&without_parentheses(counts), ','))
    }

    /// Reads the closing line of one test binary of `cargo test`, e.g.
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    /// Nextest shows, indented, what a failed test printed, and this line with it: it has counted that test.
    fn from_libtest(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        Some(Self::from_counts(counts, ';'))
    }

    /// Reads the line that Python's unittest prints for each test with `--verbose`, e.g.
    /// `test_it (zap_test.ZapFlow.test_it) ... ok`; its closing lines count failures only.
    fn from_unittest(line: &str) -> Option<Self> {
        let (_, result) = line.split_once(") ... ")?;
        Some(match result.split(' ').next()? {
            "ok" => Self::PASSED,
            "skipped" => Self::SKIPPED,
            _ => Self::FAILED, // FAIL, ERROR, unexpected success
        })
    }

    /// Reads one of the closing lines of node's test runner in its TAP form, e.g. `# pass 3`.
    fn from_node(line: &str) -> Option<Self> {
        let (what, number) = line.strip_prefix("# ")?.split_once(' ')?;
        let number = number.parse().ok()?;
        match what {
            "pass" => Some(Self { passed: number, ..Self::default() }),
            "fail" | "cancelled" => Some(Self { failed: number, ..Self::default() }),
            "skipped" | "todo" => Some(Self { skipped: number, ..Self::default() }),
            _ => None, // tests, suites, duration_ms
        }
    }

    fn from_counts(counts: &str, separator: char) -> Self {
        let mut tally = Self::default();
        for count in counts.split(separator) {
            let Some((number, what)) = count.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u32>() else { continue };
            match what {
                "passed" => tally.passed += number,
                "skipped" | "ignored" => tally.skipped += number,
                "measured" | "filtered out" => {}
                _ => tally.failed += number, // failed, timed out, exec failed
            }
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| {
            depth += u32::from(*c == '(');
            let outside = depth == 0;
            depth -= u32::from(*c == ')' && depth > 0);
            outside
        })
        .collect::<String>()
        .replace(" ,", ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_counts_time_outs_as_failures() {
        let line = "     Summary [   0.044s] 4/5 tests run: 2 passed (1 slow, 1 leaky), 1 failed, 1 timed out, 3 skipped";
        assert_eq!(Tally::from_nextest(line), Some(Tally { passed: 2, failed: 2, skipped: 3 }));
    }

    #[test]
    fn libtest_counts_ignored_tests_as_skipped() {
        let line = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 9 filtered out; finished in 0.01s";
        assert_eq!(Tally::from_libtest(line), Some(Tally { passed: 3, failed: 1, skipped: 2 }));
        assert_eq!(Tally::from_line(&format!("    {line}")), Tally::default(), "nextest has counted it");
    }

    #[test]
    fn unittest_counts_errors_as_failures() {
        let lines =
            ["test_a (x.Y.test_a) ... ok", "test_b (x.Y.test_b) ... ERROR", "test_c (x.Y.test_c) ... FAIL"];
        let mut tally = Tally::default();
        for line in lines {
            tally += Tally::from_line(line);
        }
        assert_eq!(tally, Tally { passed: 1, failed: 2, skipped: 0 });
        assert_eq!(Tally::from_line("test_d (x.Y.test_d) ... skipped 'why'"), Tally::SKIPPED);
    }

    #[test]
    fn node_counts_cancelled_tests_as_failures() {
        let lines =
            ["# tests 6", "# pass 3", "# fail 1", "# cancelled 1", "# skipped 1", "# duration_ms 87.9"];
        let mut tally = Tally::default();
        for line in lines {
            tally += Tally::from_line(line);
        }
        assert_eq!(tally, Tally { passed: 3, failed: 2, skipped: 1 });
    }

    #[test]
    fn other_lines_are_not_summaries() {
        assert_eq!(Tally::from_nextest("        PASS [   0.005s] core it_passes"), None);
        assert_eq!(Tally::from_libtest("test it ... ok"), None);
        assert_eq!(Tally::from_line("test it ... ok"), Tally::default());
    }

    #[test]
    fn the_summary_line_keeps_its_form() {
        let tally = Tally { passed: 12, failed: 0, skipped: 1 };
        assert_eq!(tally.to_string(), "12 passed, 0 failed, 1 skipped");
    }
}
