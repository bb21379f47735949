//! Debian's packages, for the steps that drive other programs.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{installed, run};

/// Installs the packages if one of the programs is missing and we may.
///
/// # Errors
/// One is missing and cannot be installed.
pub(crate) fn ensure(who: &str, programs: &[&str], packages: &[&str]) -> Result<()> {
    if programs.iter().all(|program| installed(program)) {
        return Ok(());
    }
    install(who, packages)
}

/// Installs packages.
///
/// # Errors
/// We may not, or it fails.
pub(crate) fn install(who: &str, packages: &[&str]) -> Result<()> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !(root && installed("apt-get")) {
        bail!(
            "{who}: install {} (Debian's names), or leave the step out: see cargo xtask help",
            packages.join(" and "),
        );
    }
    eprintln!("installing {}, for {who}", packages.join(" and "));
    run(apt_get().arg("update"))?;
    run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
    command
}
