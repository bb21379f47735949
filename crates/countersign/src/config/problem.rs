//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong: which setting, on which line, and why. It never shows the setting's
/// value, which may be a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The setting's path, e.g. `tenants[0].policy.code_length`; empty for the file as a whole.
    pub setting: String,
    /// Where it stands in the file, as bytes; `None` for what is missing as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem of a setting that stands at `span`.
    pub fn at(setting: impl Into<String>, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { setting: setting.into(), span: Some(span), message: message.into() }
    }
}

/// What serde and toml say of a value, without the value. `invalid type: integer `12345`, expected a string` is no
/// message for a setting that may be a secret, and the line tells which value it is.
pub(crate) fn without_value(message: &str) -> String {
    for kind in ["invalid type: ", "invalid value: "] {
        // The last one: a value may hold the words itself.
        if let Some((found, expected)) =
            message.strip_prefix(kind).and_then(|rest| rest.rsplit_once(", expected "))
        {
            let what = found.split(['`', '"']).next().unwrap_or_default().trim_end();
            return format!("{kind}{what}, expected {expected}");
        }
    }
    message.to_owned()
}

/// A configuration that cannot be used: every problem that was found.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file's name as it was given.
    file: String,
    /// Line and column from 1, where the place is known, and the problem.
    problems: Vec<(Option<(usize, usize)>, Problem)>,
}

impl ConfigError {
    /// Names `problems` by their lines in `text`, which was read from `file`.
    pub fn new(file: &str, text: &str, problems: Vec<Problem>) -> Self {
        let place = |span: &Range<usize>| {
            let before = text.get(..span.start).unwrap_or(text);
            let column = before.rsplit('\n').next().unwrap_or(before).chars().count();
            (1 + before.matches('\n').count(), 1 + column)
        };
        let problems = problems.into_iter().map(|p| (p.span.as_ref().map(place), p)).collect();
        Self { file: file.to_owned(), problems }
    }
}

/// One line per problem: `countersign.toml:12:15: tenants[0].policy.code_length: …`.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (place, problem)) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            if let Some((line, column)) = place {
                write!(f, ":{line}:{column}")?;
            }
            if !problem.setting.is_empty() {
                write!(f, ": {}", problem.setting)?;
            }
            write!(f, ": {}", problem.message)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::without_value;

    /// Shows: F25.
    #[test]
    fn f25_what_is_said_of_a_value_does_not_show_it() {
        for (said, shown) in [
            ("invalid type: integer `12345`, expected a string", "invalid type: integer, expected a string"),
            (
                "invalid type: floating point `1.5`, expected a text",
                "invalid type: floating point, expected a text",
            ),
            (
                "invalid type: string \"a, expected b`\", expected a list",
                "invalid type: string, expected a list",
            ),
            ("invalid value: string \"s3cret\", expected 8", "invalid value: string, expected 8"),
            ("invalid type: sequence, expected a string", "invalid type: sequence, expected a string"),
            ("must be from 0 to 60", "must be from 0 to 60"),
        ] {
            assert_eq!(without_value(said), shown);
        }
    }
}
