//! Running tests: once to see which faults each of them reaches, then each fault against those that do.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::build::{TestBinary, tests_of};

/// At least so long is waited for a test; one that takes so much longer than usual hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// So much memory may a test ask for, in KiB: a fault can make it ask for ever.
const MEMORY: &str = "8388608";

/// A test, and what it does without faults.
pub(super) struct Test {
    binary: PathBuf,
    folder: PathBuf,
    pub(super) name: String,
    pub(super) takes: Duration,
    reaches: BTreeSet<u32>,
}

/// What became of a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Killed,
    TimedOut,
    Survived,
    NotReached,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Ended {
    Passed,
    Failed,
    Hung,
}

/// Two at a time: a test has threads of its own.
const AT_ONCE: usize = 2;

/// Runs every test once, each by itself. Those that fail without a fault are named and left out.
///
/// # Errors
/// They cannot be started.
pub(super) fn record(binaries: &[TestBinary], with: Option<&str>, folder: &Path) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for binary in binaries {
        for name in tests_of(binary)?.into_iter().filter(|name| with.is_none_or(|word| name.contains(word))) {
            let (file, folder) = (binary.file.clone(), binary.folder.clone());
            tests.push(Test { binary: file, folder, name, takes: Duration::ZERO, reaches: BTreeSet::new() });
        }
    }
    eprintln!("recording what {} tests reach", tests.len());
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder)?;
    let recorded = in_parallel(&tests, |index, test| {
        let file = folder.join(index.to_string());
        let begun = Instant::now();
        let ended = run(test, ("SOWN_FAULTS_REACHED", &file.to_string_lossy()), Duration::from_secs(600))?;
        let reached = std::fs::read_to_string(&file).unwrap_or_default();
        let reached: BTreeSet<u32> = reached.lines().filter_map(|line| line.parse().ok()).collect();
        Ok((ended, begun.elapsed(), reached))
    })?;
    let mut usable = Vec::new();
    for (mut test, (ended, takes, reaches)) in tests.into_iter().zip(recorded) {
        if ended == Ended::Passed {
            (test.takes, test.reaches) = (takes, reaches);
            usable.push(test);
        } else {
            eprintln!("left out, it fails without any fault: {}", test.name);
        }
    }
    Ok(usable)
}

/// Runs the tests that reach a fault, until one notices. Those that noticed others of the same file come
/// first, then the quick ones.
///
/// # Errors
/// They cannot be started.
pub(super) fn judge(
    faults: &[(u32, &str, u64)],
    tests: &[Test],
    tell: impl Fn(u32, Fate) + Sync,
) -> Result<Vec<Fate>> {
    let noticed: Mutex<BTreeMap<(String, usize), u32>> = Mutex::default();
    in_parallel(faults, |_, (number, file, longest)| {
        let longest = Duration::from_secs(*longest);
        let mut reaching: Vec<usize> = (0..tests.len())
            .filter(|index| tests[*index].reaches.contains(number) && tests[*index].takes <= longest)
            .collect();
        {
            let noticed = noticed.lock().expect("nothing panics here");
            let count = |index: usize| noticed.get(&((*file).to_owned(), index)).copied().unwrap_or(0);
            reaching.sort_by_key(|index| (std::cmp::Reverse(count(*index)), tests[*index].takes));
        }
        let mut fate = if reaching.is_empty() { Fate::NotReached } else { Fate::Survived };
        for index in reaching {
            let limit = PATIENCE + tests[index].takes * 10;
            let ended = run(&tests[index], ("SOWN_FAULT", &number.to_string()), limit)?;
            if ended == Ended::Passed {
                continue;
            }
            fate = if ended == Ended::Hung { Fate::TimedOut } else { Fate::Killed };
            let key = ((*file).to_owned(), index);
            *noticed.lock().expect("nothing panics here").entry(key).or_default() += 1;
            break;
        }
        tell(*number, fate);
        Ok(fate)
    })
}

fn run(test: &Test, (variable, value): (&str, &str), limit: Duration) -> Result<Ended> {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"")]).arg(&test.binary);
    command.args(["--exact", &test.name, "--test-threads=1"]).current_dir(&test.folder);
    command.env(variable, value).env("CARGO_MANIFEST_DIR", &test.folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().context("a test does not start")?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > limit {
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let ended = match status {
        Some(status) if status.success() => return Ok(Ended::Passed),
        Some(_) => Ended::Failed,
        None => Ended::Hung,
    };
    // With all that it started.
    let group = format!("-{}", child.id());
    let mut kill = Command::new("kill");
    kill.args(["-KILL", "--", &group]).stdout(Stdio::null()).stderr(Stdio::null());
    kill.status().context("kill does not start")?;
    if status.is_none() {
        child.wait()?;
    }
    Ok(ended)
}

/// The results in the order of `items`.
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(usize, &T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, R)> = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let worker = || -> Result<Vec<(usize, R)>> {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return Ok(done) };
                done.push((index, work(index, item)?));
            }
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            done.extend(worker.join().expect("a worker does not panic")?);
        }
        Ok(())
    })?;
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}
