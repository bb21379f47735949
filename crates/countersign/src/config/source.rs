//! From text to typed sections, so that every error knows its setting and its line.
//!
//! Any text setting may point elsewhere: `"env:NAME"` takes an environment variable, `"file:PATH"`
//! the content of a file (without its last line break). That is how secrets stay out of the file.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, without_value};

/// Looks up environment variables. An argument, because a test cannot change the real ones.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Parses a document and follows the pointers in its values.
///
/// # Errors
/// It is not TOML, or a pointer leads nowhere.
pub(super) fn document<'t>(
    text: &'t str,
    folder: &Path,
    env: Env<'_>,
) -> Result<Spanned<DeTable<'t>>, Vec<Problem>> {
    let mut root = DeTable::parse(text).map_err(|e| {
        vec![Problem { setting: String::new(), span: e.span(), message: e.message().to_owned() }]
    })?;
    let mut problems = Vec::new();
    let mut follow = Follow { folder, env, problems: &mut problems };
    follow.table(root.get_mut(), "");
    if problems.is_empty() { Ok(root) } else { Err(problems) }
}

/// Reads a part of the document into its type; `prefix` is its place in the whole.
///
/// # Errors
/// A setting is missing, unknown, or has a value that cannot be.
pub(super) fn section<T: DeserializeOwned>(value: Spanned<DeValue<'_>>, prefix: &str) -> Result<T, Problem> {
    let deserializer = toml::de::ValueDeserializer::from(value);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let mut setting = prefix.to_owned();
        for segment in error.path() {
            use serde_path_to_error::Segment;
            match segment {
                Segment::Seq { index } => setting.extend(["[", &index.to_string(), "]"]),
                // A wrapper around a value that keeps its place; no setting of ours.
                Segment::Map { key } if key.starts_with("$__serde_spanned") => {}
                Segment::Map { key } | Segment::Enum { variant: key } => {
                    if !setting.is_empty() {
                        setting.push('.');
                    }
                    setting.push_str(key);
                }
                Segment::Unknown => {}
            }
        }
        let error = error.into_inner();
        Problem { setting, span: error.span(), message: without_value(error.message()) }
    })
}

/// Replaces pointers by what they point to.
struct Follow<'a, 'p> {
    folder: &'a Path,
    env: Env<'a>,
    problems: &'p mut Vec<Problem>,
}

impl Follow<'_, '_> {
    fn table(&mut self, table: &mut DeTable<'_>, path: &str) {
        for (key, value) in table.iter_mut() {
            let path =
                if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
            self.value(value, &path);
        }
    }

    fn value(&mut self, value: &mut Spanned<DeValue<'_>>, path: &str) {
        let span = value.span();
        match value.get_mut() {
            DeValue::String(text) => {
                if let Some(found) = self.pointer(text, path, &span) {
                    *text = Cow::Owned(found);
                }
            }
            DeValue::Array(items) => {
                for (i, item) in items.iter_mut().enumerate() {
                    self.value(item, &format!("{path}[{i}]"));
                }
            }
            DeValue::Table(table) => self.table(table, path),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
    }

    fn pointer(&mut self, text: &str, path: &str, span: &Range<usize>) -> Option<String> {
        let mut wrong = |message| self.problems.push(Problem::at(path, span.clone(), message));
        if let Some(name) = text.strip_prefix("env:") {
            let found = (self.env)(name).filter(|value| !value.is_empty());
            if found.is_none() {
                wrong(format!("the environment variable {name} is not set"));
            }
            found
        } else if let Some(file) = text.strip_prefix("file:") {
            match std::fs::read_to_string(self.folder.join(file)) {
                Ok(mut content) => {
                    content.truncate(content.trim_end_matches(['\r', '\n']).len());
                    Some(content)
                }
                Err(error) => {
                    wrong(format!("the file {file} cannot be read: {error}"));
                    None
                }
            }
        } else {
            None
        }
    }
}
