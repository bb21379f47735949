//! Named texts of a caller's.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

/// What a caller says besides, by name: notes, or what a code is bound to. It may be anything, an account number
/// or a person's name, so that only its size is printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Pairs(BTreeMap<String, String>);

impl Pairs {
    /// Hands the texts over.
    pub fn into_inner(self) -> BTreeMap<String, String> {
        self.0
    }
}

impl Deref for Pairs {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl From<BTreeMap<String, String>> for Pairs {
    fn from(pairs: BTreeMap<String, String>) -> Self {
        Self(pairs)
    }
}

impl<const N: usize> From<[(String, String); N]> for Pairs {
    fn from(pairs: [(String, String); N]) -> Self {
        Self(pairs.into())
    }
}

impl fmt::Debug for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pairs({})", self.0.len())
    }
}
