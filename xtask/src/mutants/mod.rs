//! `cargo xtask mutants`: are the tests worth their name? Faults are sown into the code that counts, caps,
//! compares, remembers, signs, seals and commits; each has to be noticed by a test.
//!
//! All faults are built at once, into a copy of the tree, and switched on one by one when the tests run:
//! on few cores, a build for each would take days. Each fault is run against the tests that reach it.

mod build;
mod find;
mod guess;
mod list;
mod report;
mod rewrite;
mod run;
mod scope;

use std::sync::Mutex;

use anyhow::{Result, bail, ensure};

use self::build::Sown;
use self::report::Judged;
use self::run::Fate;
use crate::process;
use crate::tidy::Tree;

/// Which faults, against which tests.
#[derive(Default)]
struct Options<'a> {
    /// Only files with this in their path.
    only: Option<&'a str>,
    /// Only tests with this in their name.
    with: Option<&'a str>,
    /// Only those that lived the last time.
    again: bool,
    /// Show what there is, and do nothing.
    list: bool,
}

/// Sows, builds, runs and reports.
///
/// # Errors
/// A fault lives that the list does not know, the list has an entry too many, or the copy does not build.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let options = options(arguments)?;
    let tree = Tree::of_workspace()?;
    let entries = list::read(&tree.read(list::LIST))?;
    let mut sown = Sown::find(&tree)?;
    if options.list {
        for (number, (file, fault)) in &sown.faults {
            println!("{number} {}", fault.shown(file));
        }
        return Ok(());
    }
    // Under the project's folder, so that cargo finds the same settings.
    let folder = process::root().join("target/mutants");
    let binaries = sown.build(&tree, &folder.join("tree"))?;
    println!(
        "{} faults; {} did not compile; {} functions are const and left out",
        sown.faults.len() - sown.refused.len(),
        sown.refused.len(),
        sown.const_functions
    );
    let tests = run::record(&binaries, options.with, &folder.join("reached"))?;

    let lived = folder.join("lived");
    let before = std::fs::read_to_string(&lived).unwrap_or_default();
    let chosen: Vec<_> = sown
        .faults
        .iter()
        .filter(|(number, _)| !sown.refused.contains(number))
        .filter(|(_, (file, _))| options.only.is_none_or(|word| file.contains(word)))
        .filter(|(_, (file, fault))| !options.again || before.lines().any(|line| line == fault.shown(file)))
        .collect();
    let faults: Vec<_> = chosen
        .iter()
        .map(|(number, (file, _))| (**number, file.as_str(), scope::longest_test(file).unwrap_or(0)))
        .collect();
    eprintln!("{} faults against {} tests", faults.len(), tests.len());
    let done = Mutex::new(0);
    let fates = run::judge(&faults, &tests, |number, fate| {
        let mut done = done.lock().expect("nothing panics here");
        *done += 1;
        if *done % 100 == 0 {
            eprintln!("[{done}/{}]", faults.len());
        }
        if matches!(fate, Fate::Survived | Fate::NotReached) {
            let (file, fault) = &sown.faults[&number];
            eprintln!("[{done}/{}] {fate:?} {}", faults.len(), fault.shown(file));
        }
    })?;
    let judged: Vec<_> =
        chosen.iter().zip(fates).map(|((_, (file, fault)), fate)| Judged { file, fault, fate }).collect();

    let all = options.only.is_none() && options.with.is_none() && !options.again;
    if options.with.is_none() {
        let names: Vec<String> =
            judged.iter().filter(|one| one.lives()).map(|one| one.fault.shown(one.file)).collect();
        std::fs::write(&lived, names.join("\n"))?;
    }
    let report = report::report(&judged, &entries, all);
    println!("{}", report.text);
    for entry in &report.unknown {
        println!("{entry}");
    }
    for entry in &report.stale {
        println!("take it out of {}, it is noticed or gone: {entry}", list::LIST);
    }
    let open = entries.iter().filter(|entry| entry.why.is_none()).count();
    println!("{open} faults of the list are open: nobody has found out why no test notices them");
    ensure!(
        report.unknown.is_empty() && report.stale.is_empty(),
        "{} faults lived that {} does not know; {} of its entries are too many",
        report.unknown.len(),
        list::LIST,
        report.stale.len()
    );
    Ok(())
}

fn options<'a>(arguments: &[&'a str]) -> Result<Options<'a>> {
    let mut options = Options::default();
    let mut rest = arguments;
    loop {
        rest = match rest {
            [] => return Ok(options),
            ["--only", word, more @ ..] => {
                options.only = Some(word);
                more
            }
            ["--with", word, more @ ..] => {
                options.with = Some(word);
                more
            }
            ["--again", more @ ..] => {
                options.again = true;
                more
            }
            ["--list", more @ ..] => {
                options.list = true;
                more
            }
            _ => bail!("mutants knows --only FILE, --with TEST, --again and --list"),
        };
    }
}
