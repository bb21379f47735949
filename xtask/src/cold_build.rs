//! `cargo xtask cold-build`: how long a newcomer waits for the release build, and what comes out.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::process::{self, cargo, target};

/// Builds the program into an empty folder, measures, and clears the folder away again.
///
/// # Errors
/// The build fails.
pub(crate) fn run() -> Result<()> {
    process::run(&mut cargo(&["fetch", "--locked"]))?; // the network is not what is measured
    let folder = target().join("cold-build");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let started = Instant::now();
    let build = ["build", "--release", "--locked", "--package", "countersign"];
    let outcome = process::run(cargo(&build).env("CARGO_TARGET_DIR", &folder));
    let seconds = started.elapsed().as_secs_f64();
    let size = std::fs::metadata(folder.join("release/countersign")).map(|file| file.len());
    std::fs::remove_dir_all(&folder).context("cannot clear the folder of the cold build")?;
    outcome?;
    let cores = std::thread::available_parallelism()?;
    println!(
        "{seconds:.0} s on {cores} cores, {} crates, binary of {} MB",
        crate::crates::count()?,
        size? / 1_000_000,
    );
    Ok(())
}
