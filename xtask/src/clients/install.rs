//! Getting what the clients need. Each says what it does, and does it once: a stamp beside what is
//! installed holds the pins it was installed by.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{cache, source};
use crate::apt;
use crate::process::{cargo, output, run};

/// Python itself, for the reference clients.
pub(super) fn python() -> Result<()> {
    apt::ensure("the reference clients", &["python3"], &["python3"])
}

/// What a client's folder asks of `PyPI`, in a virtual environment of its own; answers that environment's `python`.
pub(super) fn python_with(folder: &str, what: &str) -> Result<PathBuf> {
    python()?;
    let environment = cache(folder);
    let requirements = source(folder).join("requirements.txt");
    installed_once(&environment, &[&requirements], || {
        if output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
            apt::install(&format!("the virtual environment of {what}"), &["python3-venv"])?;
        }
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            // A registry that does not answer is found out in a minute or two.
            "--timeout",
            "20",
            "--retries",
            "2",
            "--requirement",
        ]);
        registry("PyPI", run(pip.arg(&requirements)))
    })?;
    Ok(environment.join("bin/python"))
}

/// ZITADEL's JavaScript client, with the tests copied beside it: a module is looked for beside the file
/// that imports it. Answers the folder.
pub(super) fn zitadel_javascript() -> Result<PathBuf> {
    apt::ensure("ZITADEL's JavaScript client", &["node", "npm"], &["nodejs", "npm"])?;
    let folder = cache("zitadel-javascript");
    let (package, lock) =
        (source("zitadel-javascript/package.json"), source("zitadel-javascript/package-lock.json"));
    installed_once(&folder, &[&package, &lock], || {
        for file in [&package, &lock] {
            copy_into(&folder, file)?;
        }
        let words = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"];
        // As above.
        let patience = ["--fetch-timeout", "20000", "--fetch-retries", "2"];
        registry("npm", run(Command::new("npm").args(words).args(patience).current_dir(&folder)))
    })?;
    for entry in std::fs::read_dir(source("zitadel-javascript"))? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "js") {
            copy_into(&folder, &file)?;
        }
    }
    Ok(folder)
}

/// The crates that ZITADEL's Rust client is built from.
pub(super) fn zitadel_rust(manifest: &Path) -> Result<()> {
    registry("crates.io", run(cargo(&["fetch", "--locked", "--manifest-path"]).arg(manifest)))
}

/// Says what to do where a registry does not give what was asked of it.
fn registry(name: &str, installed: Result<()>) -> Result<()> {
    installed.with_context(|| {
        format!(
            "nothing came from {name}; where it cannot be reached, `cargo xtask test --without-clients` \
             leaves the clients out"
        )
    })
}

/// Installs into a folder unless that was done with the same pins before.
fn installed_once(folder: &Path, pins: &[&Path], install: impl FnOnce() -> Result<()>) -> Result<()> {
    let pins = pins.iter().map(std::fs::read_to_string).collect::<Result<String, _>>()?;
    let stamp = folder.with_extension("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|before| before == pins) && folder.exists() {
        return Ok(());
    }
    // Half an installation must not look like one.
    let _missing = std::fs::remove_file(&stamp);
    std::fs::create_dir_all(folder)?;
    eprintln!("installing into {}", folder.display());
    install()?;
    std::fs::write(&stamp, pins).with_context(|| stamp.display().to_string())
}

fn copy_into(folder: &Path, file: &Path) -> Result<()> {
    let Some(name) = file.file_name() else { bail!("{} has no name", file.display()) };
    std::fs::copy(file, folder.join(name)).with_context(|| file.display().to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_registry_that_cannot_be_reached_leads_to_the_flag_and_to_what_happened() {
        let failed = super::registry("npm", Err(anyhow::anyhow!("npm ci ended with exit status: 1")));
        let said = format!("{:#}", failed.unwrap_err());
        assert!(said.starts_with("nothing came from npm") && said.contains(" --without-clients`"), "{said}");
        assert!(said.ends_with(": npm ci ended with exit status: 1"), "{said}");
    }
}
