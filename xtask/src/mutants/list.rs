//! `tests/mutants/explained.toml`: the faults that no test notices, and why.

use anyhow::{Context, Result, ensure};
use toml::{Table, Value};

use super::find::Fault;

/// Where the list is.
pub(super) const LIST: &str = "tests/mutants/explained.toml";

/// An entry of the list.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Entry {
    file: String,
    function: String,
    from: String,
    to: String,
    /// Why no test notices it; `None` where nobody has found out yet.
    pub(super) why: Option<String>,
}

impl Entry {
    pub(super) fn is(&self, file: &str, fault: &Fault) -> bool {
        (self.file.as_str(), &self.function, &self.from, &self.to)
            == (file, &fault.function, &fault.from, &fault.to)
    }

    pub(super) fn shown(&self) -> String {
        format!("{} {}: {:?} {}", self.file, self.function, self.from, self.to)
    }
}

/// Reads the list.
///
/// # Errors
/// It is not of its form: an explained fault has a reason, an open one has none.
pub(super) fn read(text: &str) -> Result<Vec<Entry>> {
    let table: Table = text.parse().context(LIST)?;
    let mut entries = Vec::new();
    for (section, rows) in &table {
        ensure!(section == "explained" || section == "open", "{LIST}: there is no section {section}");
        for row in rows.as_array().into_iter().flatten() {
            let of = |name: &str| {
                let value = row.get(name).and_then(Value::as_str);
                value.map(str::to_owned).with_context(|| format!("{LIST}: no {name} in {row:?}"))
            };
            let why = if section == "explained" { Some(of("why")?) } else { None };
            ensure!(why.as_ref().is_none_or(|why| !why.trim().is_empty()), "{LIST}: no reason in {row:?}");
            let entry =
                Entry { file: of("file")?, function: of("function")?, from: of("from")?, to: of("to")?, why };
            ensure!(!entries.contains(&entry), "{LIST}: twice: {}", entry.shown());
            entries.push(entry);
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "file = 'a.rs'\nfunction = 'f'\nfrom = 'a < b'\nto = '<='\n";

    #[test]
    fn an_explained_fault_has_a_reason() {
        assert!(read(&format!("[[explained]]\n{ROW}")).is_err());
        assert!(read(&format!("[[explained]]\n{ROW}why = ' '")).is_err());
        assert_eq!(
            read(&format!("[[explained]]\n{ROW}why = 'same'")).unwrap()[0].why.as_deref(),
            Some("same")
        );
        assert_eq!(read(&format!("[[open]]\n{ROW}")).unwrap()[0].why, None);
        assert!(read(&format!("[[opne]]\n{ROW}")).is_err());
    }

    #[test]
    fn the_list_reads() {
        read(&crate::tidy::Tree::of_workspace().unwrap().read(LIST)).unwrap();
    }
}
