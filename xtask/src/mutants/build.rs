//! One build of the workspace with all faults in it, in a copy of the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::find::{self, Fault};
use super::rewrite::{Rewritten, rewrite};
use super::scope;
use crate::process;
use crate::tidy::Tree;

/// What says in the built program which fault is switched on.
const SWITCH: &str = include_str!("switch.txt");

/// The crate that the switch is put into; all others depend on it.
const CORE: &str = "crates/countersign-core/src/";

/// The faults of all files, by their numbers.
pub(super) struct Sown {
    pub(super) faults: BTreeMap<u32, (String, Fault)>,
    /// The files with their texts.
    sources: BTreeMap<String, String>,
    /// Functions that are left out.
    pub(super) const_functions: usize,
    /// What the compiler would not have.
    pub(super) refused: BTreeSet<u32>,
}

/// A program of tests.
pub(super) struct TestBinary {
    pub(super) file: PathBuf,
    /// The folder of its package, which it runs in.
    pub(super) folder: PathBuf,
}

impl Sown {
    /// Finds the faults of all files.
    ///
    /// # Errors
    /// A file is not Rust.
    pub(super) fn find(tree: &Tree) -> Result<Self> {
        let mut sown = Self {
            faults: BTreeMap::new(),
            sources: BTreeMap::new(),
            const_functions: 0,
            refused: BTreeSet::new(),
        };
        let mut number = 0;
        for file in scope::files(tree) {
            let source = tree.read(&file);
            let found = find::find(&source).with_context(|| file.clone())?;
            sown.const_functions += found.const_functions;
            for fault in found.faults {
                number += 1;
                sown.faults.insert(number, (file.clone(), fault));
            }
            sown.sources.insert(file, source);
        }
        Ok(sown)
    }

    fn rewritten(&self, file: &str) -> Rewritten {
        let of_file =
            self.faults.iter().filter(|(number, (of, _))| of == file && !self.refused.contains(number));
        let on = if file.starts_with(CORE) { "crate::seeded::on" } else { "countersign_core::seeded::on" };
        rewrite(&self.sources[file], of_file.map(|(number, (_, fault))| (*number, fault)), on)
    }

    /// Builds the tests, without the faults that do not compile.
    ///
    /// # Errors
    /// Something else does not compile.
    pub(super) fn build(&mut self, tree: &Tree, copy: &Path) -> Result<Vec<TestBinary>> {
        copy_tree(tree, &self.sources, copy)?;
        // To find them again costs a build or two.
        let known = copy.with_file_name("refused");
        let names = std::fs::read_to_string(&known).unwrap_or_default();
        let names: BTreeSet<&str> = names.lines().collect();
        let name = |number: &u32| self.faults.get(number).map(|(file, fault)| fault.shown(file));
        let refused =
            self.faults.keys().copied().filter(|n| name(n).is_some_and(|n| names.contains(n.as_str())));
        self.refused = refused.collect();
        loop {
            let texts: BTreeMap<_, _> =
                self.sources.keys().map(|file| (file, self.rewritten(file))).collect();
            for (file, rewritten) in &texts {
                write_if_new(&copy.join(file), rewritten.text.as_bytes())?;
            }
            let (binaries, errors) = cargo_build(copy)?;
            if errors.is_empty() {
                let names = self.refused.iter().map(|number| &self.faults[number]);
                let names: Vec<String> = names.map(|(file, fault)| fault.shown(file)).collect();
                std::fs::write(&known, names.join("\n"))?;
                return Ok(binaries);
            }
            let before = self.refused.len();
            for error in &errors {
                for place in &error.places {
                    let rewritten = texts.get(&place.0);
                    self.refused.extend(rewritten.and_then(|rewritten| rewritten.fault_at(&place.1)));
                }
            }
            ensure!(self.refused.len() > before, "the copy does not build:\n{}", errors[0].text);
            eprintln!("{} faults do not compile and are left out", self.refused.len());
        }
    }
}

struct CompileError {
    text: String,
    /// Files and where in them.
    places: Vec<(String, std::ops::Range<usize>)>,
}

fn cargo_build(copy: &Path) -> Result<(Vec<TestBinary>, Vec<CompileError>)> {
    let mut command = process::cargo(&["test", "--workspace", "--no-run", "--message-format=json"]);
    command.current_dir(copy).env("CARGO_TARGET_DIR", copy.with_file_name("build"));
    // Cargo's own variables of this process are about another tree.
    command.env_remove("CARGO_MANIFEST_DIR").stdout(Stdio::piped());
    eprintln!("$ cargo test --workspace --no-run, in {}", copy.display());
    let output = command.stderr(Stdio::null()).output().context("cargo does not start")?;
    let (mut binaries, mut errors) = (Vec::new(), Vec::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        match message["reason"].as_str() {
            Some("compiler-artifact") => binaries.extend(test_binary(&message)),
            Some("compiler-message") if message["message"]["level"] == "error" => {
                errors.push(compile_error(&message["message"]));
            }
            _ => {}
        }
    }
    errors.retain(|error| !error.places.is_empty());
    if !output.status.success() && errors.is_empty() {
        bail!("the copy does not build; look there with `cargo test --workspace --no-run`");
    }
    Ok((binaries, errors))
}

fn test_binary(message: &Value) -> Option<TestBinary> {
    let file = PathBuf::from(message["executable"].as_str()?);
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
    // The tests of the project's own commands and of the pages see none of the faults.
    let is_product = folder.parent()?.ends_with("crates");
    (message["profile"]["test"] == true && is_product).then_some(TestBinary { file, folder })
}

fn compile_error(message: &Value) -> CompileError {
    let spans = message["spans"].as_array().into_iter().flatten().filter(|span| span["is_primary"] == true);
    let places = spans.filter_map(|span| {
        let at = |name: &str| usize::try_from(span[name].as_u64()?).ok();
        Some((span["file_name"].as_str()?.to_owned(), at("byte_start")?..at("byte_end")?))
    });
    CompileError {
        places: places.collect(),
        text: message["rendered"].as_str().unwrap_or_default().to_owned(),
    }
}

/// Copies the project's files but those that get faults; what is there and the same is left alone, so that
/// the next build is short.
fn copy_tree(tree: &Tree, sown: &BTreeMap<String, String>, copy: &Path) -> Result<()> {
    // Cargo also reads the settings of the folders above, and would take them twice.
    let files = tree.files_ending("").into_iter().filter(|file| !file.starts_with(".cargo/"));
    let mut wanted = BTreeSet::from([copy.join(CORE).join("seeded.rs")]);
    for file in files {
        let to = copy.join(&file);
        if !sown.contains_key(&file) {
            let mut bytes = std::fs::read(tree.path(&file))?;
            if file == format!("{CORE}lib.rs") {
                bytes.extend_from_slice(b"\n#[doc(hidden)]\npub mod seeded;\n");
            }
            write_if_new(&to, &bytes)?;
        }
        wanted.insert(to);
    }
    write_if_new(&copy.join(CORE).join("seeded.rs"), SWITCH.as_bytes())?;
    remove_others(copy, &wanted)
}

fn write_if_new(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    std::fs::create_dir_all(path.parent().context("files have folders")?)?;
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn remove_others(folder: &Path, wanted: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_others(&entry.path(), wanted)?;
        } else if !wanted.contains(&entry.path()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The tests of a binary that run without being asked for by name.
///
/// # Errors
/// It does not list them.
pub(super) fn tests_of(binary: &TestBinary) -> Result<Vec<String>> {
    let list = |more: &[&str]| -> Result<BTreeSet<String>> {
        let mut command = Command::new(&binary.file);
        command.current_dir(&binary.folder).args(["--list", "--format", "terse"]).args(more);
        let lines = process::output(&mut command)?;
        Ok(lines.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    };
    let (all, ignored) = (list(&[])?, list(&["--ignored"])?);
    Ok(all.difference(&ignored).cloned().collect())
}
