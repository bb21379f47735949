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
