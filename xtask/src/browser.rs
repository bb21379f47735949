//! The browser that the page tests drive: Debian's Chromium with its driver.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{installed, run};

const PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// Installs the browser if it is missing and we may.
///
/// # Errors
/// It is missing and cannot be installed.
pub(crate) fn ensure() -> Result<()> {
    if PROGRAMS.iter().all(|program| installed(program)) {
        return Ok(());
    }
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !(root && installed("apt-get")) {
        bail!(
            "the page tests need {}: install the packages {} (Debian's names), or pass --without-browser",
            PROGRAMS.join(" and "),
            PACKAGES.join(" and "),
        );
    }
    eprintln!("installing {}", PACKAGES.join(" and "));
    run(apt_get().arg("update"))?;
    run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(PACKAGES))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
    command
}
