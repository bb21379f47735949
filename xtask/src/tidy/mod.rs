//! `cargo xtask tidy`: what no compiler checks. Pages drift from the tree in even the best projects,
//! so each promise that a page makes about the tree is looked up in the tree.

mod architecture;
mod claims;
mod dialects;
mod links;
mod manifest;
mod metrics;
mod sizes;
mod words;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;

/// The files of the project, and what was found wrong with them.
struct Tree {
    root: PathBuf,
    /// Paths from the root, with `/`: everything that git tracks or would track.
    files: Vec<String>,
    complaints: Vec<String>,
}

/// Runs all checks and prints what they found.
///
/// # Errors
/// Something is untidy, or git does not list the files.
pub(crate) fn run() -> Result<()> {
    let mut tree = Tree::of(process::root())?;
    sizes::check(&tree);
    words::check(&mut tree);
    manifest::check(&mut tree)?;
    links::check(&mut tree);
    architecture::check(&mut tree);
    dialects::check(&mut tree);
    claims::check(&mut tree)?;
    metrics::check(&mut tree);
    for complaint in &tree.complaints {
        eprintln!("untidy: {complaint}");
    }
    match tree.complaints.len() {
        0 => Ok(()),
        count => bail!("{count} untidy places"),
    }
}

impl Tree {
    fn of(root: PathBuf) -> Result<Self> {
        let mut git = std::process::Command::new("git");
        git.current_dir(&root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
        let listed = process::output(&mut git).context("tidy asks git for the project's files")?;
        let mut files: Vec<String> =
            listed.lines().filter(|file| root.join(file).is_file()).map(str::to_owned).collect();
        files.sort_unstable();
        files.dedup();
        Ok(Self { root, files, complaints: Vec::new() })
    }

    /// The text of a file; empty for one that is missing or not text.
    fn read(&self, file: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.root.join(file)).unwrap_or_default()
    }

    fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The project's files of a kind, e.g. `.rs`.
    fn files_ending(&self, end: &str) -> Vec<String> {
        self.files.iter().filter(|file| file.ends_with(end)).cloned().collect()
    }

    /// The names of the folders right under `folder`, in order.
    fn folders(&self, folder: &str) -> Vec<String> {
        let inside = format!("{folder}/");
        let mut names: Vec<String> = self
            .files
            .iter()
            .filter_map(|file| file.strip_prefix(&inside)?.split_once('/'))
            .map(|(name, _)| name.to_owned())
            .collect();
        names.dedup();
        names
    }

    fn complain(&mut self, complaint: impl Into<String>) {
        self.complaints.push(complaint.into());
    }
}
