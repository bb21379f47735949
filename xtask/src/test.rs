//! `cargo xtask test`: everything that CI runs, in the order in which it fails fastest.
//!
//! A step without tests of its own (formatting, lints, …) counts as one check. All steps run, also
//! after one has failed. The last line is the summary, alone: `N passed, N failed, N skipped`.

use std::fmt;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::process::{cargo, installed, run_seeing};
use crate::tally::Tally;
use crate::{browser, clients, crates, mutants, openapi, process, tidy};

/// The crate of the tests that need a browser.
const BROWSER: &str = "countersign-browser-tests";

/// The long tests that hold a release build to its figures.
const FIGURES: &str = "test(/figures::/) | test(/^(dispatch_load|findings::f9)::/)";

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Tally,
}

const STEPS: &[Step] = &[
    step("fmt", "the formatting is rustfmt's", || once(fmt())),
    step("tidy", "pages, lists, links and layers agree with the tree", || once(tidy::run())),
    step("crates", "the program is made of few crates", || once(crates::run())),
    step("clippy", "no lint has anything to say", || once(clippy())),
    step("doc", "the documentation builds, private items included", || once(doc())),
    step("build", "the program builds", || once(build())),
    step("openapi", "the checked-in OpenAPI documents are current", || once(openapi::check())),
    step("tests", "the tests of all crates", tests),
    step("doctests", "the examples in the documentation", doctests),
    step("clients", "the wire APIs, by their own clients", client_tests),
    step("browser", "the pages, in Chromium", browser_tests),
];

/// The steps that need programs from elsewhere. `--without-<step>` leaves one out, and counts it as skipped.
const OPTIONAL: [&str; 2] = ["browser", "clients"];

/// What a release runs besides; only when it is named.
const LONG: Step = step(
    "long",
    "the tests once more, with more rounds and with sown faults, and those that need strace",
    long,
);

const fn step(name: &'static str, about: &'static str, run: fn() -> Tally) -> Step {
    Step { name, about, run }
}

/// At least one check failed; the summary has said so.
#[derive(Debug)]
pub(crate) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some checks failed")
    }
}

impl std::error::Error for Failed {}

/// Runs the steps that `arguments` name, or all of them.
///
/// # Errors
/// [`Failed`], or an argument that means nothing.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let mut without = Vec::new();
    let mut named = Vec::new();
    for argument in arguments {
        match argument.strip_prefix("--without-") {
            Some(name) if OPTIONAL.contains(&name) => without.push(name),
            None if steps().any(|step| step.name == *argument) => named.push(*argument),
            _ => bail!("there is no step {argument}; there are {}", names()),
        }
    }
    let mut total = Tally::default();
    let mut failed = Vec::new();
    let wanted = |step: &&Step| named.contains(&step.name) || named.is_empty() && step.name != LONG.name;
    for step in steps().filter(wanted) {
        eprintln!("\n=== {}: {} ===", step.name, step.about);
        if without.contains(&step.name) {
            eprintln!("--- {}: skipped, as asked", step.name);
            total += Tally::SKIPPED;
            continue;
        }
        let started = Instant::now();
        let tally = (step.run)();
        eprintln!("--- {}: {tally} ({:.0} s)", step.name, started.elapsed().as_secs_f64());
        if tally.failed > 0 {
            failed.push(step.name);
        }
        total += tally;
    }
    if !failed.is_empty() {
        eprintln!("\nfailed: {}", failed.join(", "));
    }
    println!("\n{total}");
    if total.failed > 0 { Err(Failed.into()) } else { Ok(()) }
}

fn steps() -> impl Iterator<Item = &'static Step> {
    STEPS.iter().chain(std::iter::once(&LONG))
}

fn names() -> String {
    steps().map(|step| step.name).collect::<Vec<_>>().join(", ")
}

fn once(result: Result<()>) -> Tally {
    match result {
        Ok(()) => Tally::PASSED,
        Err(error) => {
            eprintln!("error: {error:#}");
            Tally::FAILED
        }
    }
}

fn fmt() -> Result<()> {
    process::run(&mut cargo(&["fmt", "--all", "--check"]))?;
    clients::fmt()
}

fn clippy() -> Result<()> {
    let words = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    process::run(&mut cargo(&words))
}

fn doc() -> Result<()> {
    let words = ["doc", "--workspace", "--no-deps", "--all-features", "--document-private-items"];
    // Private items are documented here, so that links to them lead somewhere.
    process::run(cargo(&words).env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"))
}

fn build() -> Result<()> {
    process::run(&mut cargo(&["build", "--package", "countersign"]))
}

/// All crates but the one that needs a browser.
const CRATES: [&str; 4] = ["--workspace", "--all-features", "--exclude", BROWSER];

fn tests() -> Tally {
    if installed("cargo-nextest") {
        return counted(&mut cargo(&[&["nextest", "run", "--profile", "ci"], &CRATES[..]].concat()));
    }
    eprintln!("cargo-nextest is not installed: cargo test does, more slowly");
    counted(&mut cargo(&[&["test", "--no-fail-fast", "--lib", "--bins", "--tests"], &CRATES[..]].concat()))
}

fn long() -> Tally {
    let words =
        ["nextest", "run", "--profile", "long", "--run-ignored", "all", "--filterset", "not test(=child)"];
    let mut tally = counted(
        cargo(&[&words, &CRATES[..]].concat())
            .env("COUNTERSIGN_CRASH_CYCLES", "1000")
            .env("COUNTERSIGN_RACE_ROUNDS", "1000")
            .env("COUNTERSIGN_FUZZ_CASES", "1000000")
            .env("COUNTERSIGN_MODEL_CASES", "200000"),
    );
    // How long something takes says something of a release build only.
    let words = ["nextest", "run", "--release", "--profile", "long", "--run-ignored", "only"];
    tally += counted(&mut cargo(&[&words, &["--filterset", FIGURES][..], &CRATES[..]].concat()));
    tally += once(mutants::run(&[]));
    tally
}

/// nextest does not run these.
fn doctests() -> Tally {
    counted(&mut cargo(&[&["test", "--doc", "--no-fail-fast"], &CRATES[..]].concat()))
}

fn client_tests() -> Tally {
    if let Err(error) = build() {
        return once(Err(error));
    }
    clients::drive(counted)
}

fn browser_tests() -> Tally {
    if let Err(missing) = browser::ensure() {
        return once(Err(missing));
    }
    // One at a time: several browsers fight for cores until the slowest one fails.
    let words: &[&str] = if installed("cargo-nextest") {
        &["nextest", "run", "--profile", "ci", "--test-threads", "1", "--package", BROWSER]
    } else {
        &["test", "--no-fail-fast", "--package", BROWSER]
    };
    counted(&mut cargo(words))
}

/// Runs tests and adds up what the runner reports. A run that ends badly without naming a failed
/// test (it did not compile, a binary crashed) is one failure, and so is one that names no test at all.
fn counted(command: &mut Command) -> Tally {
    let mut tally = Tally::default();
    let result = run_seeing(command, |line| tally += Tally::from_line(line));
    if result.is_ok() && tally == Tally::default() {
        eprintln!("error: not one test was reported");
        tally += Tally::FAILED;
    }
    if let Err(error) = result {
        eprintln!("error: {error:#}");
        if tally.failed == 0 {
            tally += Tally::FAILED;
        }
    }
    tally
}
