//! `cargo xtask tidy`: what no compiler checks. Pages drift from the tree in even the best projects,
//! so each promise that a page makes about the tree is looked up in the tree.

mod architecture;
mod dialects;
mod links;
mod manifest;
mod metrics;
mod paths;
mod sizes;
mod words;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{process, requirements};

/// The files of the project, and what was found wrong with them.
pub(crate) struct Tree {
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
    let mut tree = Tree::of_workspace()?;
    sizes::check(&tree);
    words::check(&mut tree);
    manifest::check(&mut tree)?;
    links::check(&mut tree);
    architecture::check(&mut tree);
    dialects::check(&mut tree);
    paths::check(&mut tree);
    requirements::check(&mut tree)?;
    metrics::check(&mut tree);
    tree.report()
}

impl Tree {
    /// The files of the workspace.
    ///
    /// # Errors
    /// Git does not list them.
    pub(crate) fn of_workspace() -> Result<Self> {
        let root = process::root();
        let mut git = std::process::Command::new("git");
        git.current_dir(&root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
        let listed = process::output(&mut git).context("tidy asks git for the project's files")?;
        let mut files: Vec<String> =
            listed.lines().filter(|file| root.join(file).is_file()).map(str::to_owned).collect();
        files.sort_unstable();
        files.dedup();
        Ok(Self { root, files, complaints: Vec::new() })
    }

    /// Where a file of the project is.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    /// The text of a file; empty for one that is missing or not text.
    pub(crate) fn read(&self, file: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.root.join(file)).unwrap_or_default()
    }

    fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The project's files of a kind, e.g. `.rs`.
    pub(crate) fn files_ending(&self, end: &str) -> Vec<String> {
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

    /// Notes something untidy.
    pub(crate) fn complain(&mut self, complaint: impl Into<String>) {
        self.complaints.push(complaint.into());
    }

    /// Prints what was found.
    ///
    /// # Errors
    /// Something was.
    pub(crate) fn report(&self) -> Result<()> {
        for complaint in &self.complaints {
            eprintln!("untidy: {complaint}");
        }
        match self.complaints.len() {
            0 => Ok(()),
            count => bail!("{count} untidy places"),
        }
    }
}
