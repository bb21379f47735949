//! `cargo xtask audit`: licences, bans and sources of all dependencies, by cargo-deny and `deny.toml`;
//! with `--advisories` also known vulnerabilities, from a list that has to be fetched.

use anyhow::Result;

use crate::process::{self, cargo, installed, target};

/// Runs cargo-deny, installed first where it is missing.
///
/// # Errors
/// It finds something, or cannot be installed.
pub(crate) fn run(advisories: bool) -> Result<()> {
    let tools = target().join("tools");
    let own = tools.join("bin/cargo-deny");
    let mut deny = if installed("cargo-deny") {
        cargo(&["deny"])
    } else {
        if !own.is_file() {
            process::run(cargo(&["install", "cargo-deny", "--locked", "--root"]).arg(&tools))?;
        }
        let mut command = std::process::Command::new(own);
        command.current_dir(process::root());
        command
    };
    deny.args(["--all-features", "check", "bans", "licenses", "sources"]);
    process::run(deny.args(advisories.then_some("advisories")))
}
