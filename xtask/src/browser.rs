//! The browser that the page tests drive: Debian's Chromium with its driver.

use anyhow::Result;

use crate::apt;

/// Installs the browser if it is missing and we may.
///
/// # Errors
/// It is missing and cannot be installed.
pub(crate) fn ensure() -> Result<()> {
    apt::ensure("the page tests", &["chromium", "chromedriver"], &["chromium", "chromium-driver"])
}
