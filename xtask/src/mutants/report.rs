//! What became of all faults, beside what the list says of them.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::find::Fault;
use super::list::Entry;
use super::run::Fate;

/// A fault that was judged.
pub(super) struct Judged<'f> {
    pub(super) file: &'f str,
    pub(super) fault: &'f Fault,
    pub(super) fate: Fate,
}

impl Judged<'_> {
    pub(super) fn lives(&self) -> bool {
        matches!(self.fate, Fate::Survived | Fate::NotReached)
    }
}

/// The report and what is wrong.
#[derive(Default)]
pub(super) struct Report {
    pub(super) text: String,
    /// Faults that live and are not in the list, as entries for it.
    pub(super) unknown: Vec<String>,
    /// Entries of the list that no living fault fits.
    pub(super) stale: Vec<String>,
}

#[derive(Default)]
struct Row {
    killed: u32,
    timed_out: u32,
    explained: u32,
    open: u32,
    unknown: u32,
    not_reached: u32,
}

/// Compares. `all` is whether every fault was judged: else an entry may be about another one.
pub(super) fn report(judged: &[Judged<'_>], entries: &[Entry], all: bool) -> Report {
    let mut report = Report::default();
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for one in judged {
        let row = rows.entry(one.file).or_default();
        row.not_reached += u32::from(one.fate == Fate::NotReached);
        let entry = entries.iter().find(|entry| entry.is(one.file, one.fault));
        match (one.fate, entry) {
            (Fate::Killed, _) => row.killed += 1,
            (Fate::TimedOut, _) => row.timed_out += 1,
            (_, Some(entry)) if entry.why.is_some() => row.explained += 1,
            (_, Some(_)) => row.open += 1,
            (_, None) => {
                row.unknown += 1;
                report.unknown.push(as_entry(one));
            }
        }
    }
    for entry in entries {
        let fits = |one: &Judged<'_>| entry.is(one.file, one.fault);
        let lives = judged.iter().any(|one| one.lives() && fits(one));
        let was_judged = all || judged.iter().any(fits);
        if was_judged && !lives {
            report.stale.push(entry.shown());
        }
    }
    let columns = ["killed", "timed out", "explained", "open", "survived", "(not reached)"];
    let _ = writeln!(
        report.text,
        "{:>8} {:>9} {:>9} {:>6} {:>8} {:>13}",
        columns[0], columns[1], columns[2], columns[3], columns[4], columns[5]
    );
    let mut sum = Row::default();
    for (file, row) in &rows {
        line(&mut report.text, row, file);
        sum.killed += row.killed;
        sum.timed_out += row.timed_out;
        sum.explained += row.explained;
        sum.open += row.open;
        sum.unknown += row.unknown;
        sum.not_reached += row.not_reached;
    }
    line(&mut report.text, &sum, "in all");
    report
}

fn line(text: &mut String, row: &Row, name: &str) {
    let Row { killed, timed_out, explained, open, unknown, not_reached } = row;
    let _ = writeln!(
        text,
        "{killed:>8} {timed_out:>9} {explained:>9} {open:>6} {unknown:>8} {not_reached:>13}  {name}"
    );
}

/// A living fault as an entry of the list; where it is and how it lived stand above.
fn as_entry(one: &Judged<'_>) -> String {
    // What JSON quotes, TOML reads.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let how = if one.fate == Fate::NotReached { "no test reaches it" } else { "it survived" };
    format!(
        "# line {}, {how}\n[[open]]\nfile = {}\nfunction = {}\nfrom = {}\nto = {}\n",
        one.fault.line,
        quoted(one.file),
        quoted(&one.fault.function),
        quoted(&one.fault.from),
        quoted(&one.fault.to),
    )
}

#[cfg(test)]
mod tests {
    use super::super::{find, list};
    use super::*;

    fn stale_and_unknown(fate: Fate, list: &str) -> (usize, usize) {
        let found = find::find("fn f() { let a = b == c; }").unwrap();
        let judged = [Judged { file: "a.rs", fault: &found.faults[0], fate }];
        let report = report(&judged, &list::read(list).unwrap(), true);
        (report.stale.len(), report.unknown.len())
    }

    /// Shows: R13.
    #[test]
    fn what_lives_is_in_the_list_and_what_is_in_the_list_lives() {
        let entry = "[[open]]\nfile = 'a.rs'\nfunction = 'f'\nfrom = 'b == c'\nto = 'negated'\n";
        assert_eq!(stale_and_unknown(Fate::Survived, ""), (0, 1));
        assert_eq!(stale_and_unknown(Fate::NotReached, entry), (0, 0));
        assert_eq!(stale_and_unknown(Fate::Killed, entry), (1, 0));
        assert_eq!(stale_and_unknown(Fate::TimedOut, ""), (0, 0));
    }
}
