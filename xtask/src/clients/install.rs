//! Getting what the clients need. Each says what it does, and does it once.

use anyhow::Result;

use crate::apt;

/// Python itself, for the reference clients.
pub(super) fn python() -> Result<()> {
    apt::ensure("the reference clients", &["python3"], &["python3"])
}
