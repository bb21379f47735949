//! `cargo xtask openapi`: the OpenAPI documents under `docs/api`, which the program itself prints.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::{cargo, output, root};

/// The documents: the file, and what the program is asked for.
const DOCUMENTS: &[(&str, &[&str])] = &[("native.openapi.json", &["openapi"])];

/// Writes the documents.
///
/// # Errors
/// The program does not print one, or it cannot be written.
pub(crate) fn write() -> Result<()> {
    std::fs::create_dir_all(folder())?;
    for (file, arguments) in DOCUMENTS {
        std::fs::write(folder().join(file), printed(arguments)?)?;
        println!("wrote docs/api/{file}");
    }
    Ok(())
}

/// Compares the documents with what the program prints.
///
/// # Errors
/// One differs or is missing.
pub(crate) fn check() -> Result<()> {
    for (file, arguments) in DOCUMENTS {
        let path = folder().join(file);
        let stored =
            std::fs::read_to_string(path).with_context(|| format!("docs/api/{file} cannot be read"))?;
        if stored != printed(arguments)? {
            bail!("docs/api/{file} is not what the program prints: run cargo xtask openapi");
        }
    }
    Ok(())
}

fn folder() -> PathBuf {
    root().join("docs/api")
}

fn printed(arguments: &[&str]) -> Result<String> {
    let mut command = cargo(&["run", "--quiet", "--package", "countersign", "--"]);
    let document = output(command.args(arguments))?;
    serde_json::from_str::<serde_json::Value>(&document).context("not JSON")?;
    Ok(document)
}
