//! Finding thousands of texts in megabytes.

use std::collections::{BTreeSet, HashMap, HashSet};

/// How the log of the HTTP/2 library names the sizes of its windows: numbers of six digits that nobody chose.
const SIZES: [&str; 5] = ["target=", "new=", "available=", "connection=", "window="];

/// Bytes that must not be found anywhere, and codes of six digits, which other numbers may contain by
/// chance and which count as found only where they stand alone in a text.
pub(super) struct Needles {
    /// By their first four bytes.
    bytes: HashMap<[u8; 4], Vec<Vec<u8>>>,
    /// Whether any of them begins with these two bytes.
    begins: Vec<bool>,
    digits: HashSet<String>,
}

/// The first two bytes as one number.
fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

impl Needles {
    pub(super) fn new() -> Self {
        Self { bytes: HashMap::new(), begins: vec![false; 1 << 16], digits: HashSet::new() }
    }

    /// Adds a text; six digits alone become a word to look for.
    pub(super) fn add(&mut self, text: &str) {
        if text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) {
            self.digits.insert(text.to_owned());
        } else {
            self.add_bytes(text.as_bytes());
        }
    }

    /// Adds any bytes, four at least.
    pub(super) fn add_bytes(&mut self, needle: &[u8]) {
        let start = *needle.first_chunk().expect("a needle of some length");
        self.begins[pair(needle)] = true;
        self.bytes.entry(start).or_default().push(needle.to_vec());
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.values().map(Vec::len).sum::<usize>() + self.digits.len()
    }

    /// Those that these bytes contain; words not among them.
    pub(super) fn in_bytes(&self, hay: &[u8]) -> BTreeSet<String> {
        let starts = hay.windows(4).enumerate().filter(|(_, window)| self.begins[pair(window)]);
        let mut found = BTreeSet::new();
        for (at, window) in starts {
            let candidates = window.try_into().ok().and_then(|start: [u8; 4]| self.bytes.get(&start));
            for needle in candidates.into_iter().flatten().filter(|needle| hay[at..].starts_with(needle)) {
                found.insert(needle.escape_ascii().to_string());
            }
        }
        found
    }

    /// Those that this text contains.
    pub(super) fn in_text(&self, text: &str) -> BTreeSet<String> {
        let mut found = self.in_bytes(text.as_bytes());
        for line in text.lines() {
            let (by_library, mut before) = (line.contains(" h2::"), "");
            for piece in line.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
                let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
                if self.digits.contains(word) && !(by_library && SIZES.contains(&before)) {
                    found.insert(word.to_owned());
                }
                before = piece;
            }
        }
        found
    }
}

#[test]
fn what_is_there_is_found() {
    let mut needles = Needles::new();
    for needle in ["Quillfeather", "7700900123", "123456"] {
        needles.add(needle);
    }
    needles.add_bytes(&[0, 255, 7, 1, 2]);
    let hay = b"\x01+447700900123\0\xff\x07\x01\x02 123456 xQuillfeather@";
    assert_eq!(needles.in_bytes(hay).len(), 3);
    assert_eq!(needles.in_bytes(&hay[..13]), BTreeSet::new());
    assert!(needles.in_text("a:123456,").contains("123456"));
    assert!(needles.in_text("code=123456").contains("123456"));
    assert!(needles.in_text("TRACE h2::proto: inc_window; sz=65537; new=123456").is_empty());
    assert!(needles.in_text("INFO ours: new=123456").contains("123456"));
    assert!(needles.in_text("1123456 123456Z QUILLFEATHER").is_empty());
}
