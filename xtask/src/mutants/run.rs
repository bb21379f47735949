//! Running tests: once to see which faults each of them reaches, then each fault against those that do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
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

/// Longer than any test takes that is run against a fault.
const RECORDING: Duration = Duration::from_secs(60);

/// A fault that lives would meet every test that reaches it, of the keys' faults nearly all there are. The best
/// ones are run until they have taken so many times the longest.
const BUDGET: u32 = 4;

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

/// So many at a time: most tests wait for the disk now and then.
const AT_ONCE: usize = 3;

/// Runs every test once, each by itself. Those that fail without a fault, or take too long
/// to be run often, are named and left out.
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
    let recording = folder.join("recorded");
    let of = build_of(binaries, with)?;
    if let Some(recorded) = recorded(&recording, &of, &mut tests) {
        return Ok(recorded);
    }
    eprintln!("recording what {} tests reach", tests.len());
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder)?;
    let recorded = in_parallel(&tests, |index, test| {
        let file = folder.join(index.to_string());
        let begun = Instant::now();
        let ended = run(test, ("SOWN_FAULTS_REACHED", &file.to_string_lossy()), RECORDING)?;
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
            let why = if ended == Ended::Hung { "takes too long" } else { "fails without any fault" };
            eprintln!("left out, it {why}: {}", test.name);
        }
    }
    let lines: Vec<String> = std::iter::once(of).chain(usable.iter().map(line)).collect();
    std::fs::write(&recording, lines.join("\n"))?;
    Ok(usable)
}

/// What tells one build from another.
fn build_of(binaries: &[TestBinary], with: Option<&str>) -> Result<String> {
    let mut all = with.unwrap_or_default().to_owned();
    for binary in binaries {
        let built = std::fs::metadata(&binary.file)?.modified()?;
        let since = built.duration_since(std::time::UNIX_EPOCH)?.as_nanos();
        let _ = write!(all, " {} {since}", binary.file.display());
    }
    Ok(all)
}

fn line(test: &Test) -> String {
    let reaches: Vec<String> = test.reaches.iter().map(u32::to_string).collect();
    format!("{}\t{}\t{}\t{}", test.binary.display(), test.name, test.takes.as_millis(), reaches.join(" "))
}

/// What was recorded of the same build, for those of the tests that are usable.
fn recorded(file: &Path, of: &str, tests: &mut Vec<Test>) -> Option<Vec<Test>> {
    let text = std::fs::read_to_string(file).ok()?;
    let (_, lines) = text.split_once('\n').filter(|(build, _)| *build == of)?;
    let mut known = BTreeMap::new();
    for line in lines.lines() {
        let [binary, name, millis, reaches] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
        let reaches = reaches.split(' ').filter_map(|number| number.parse().ok()).collect::<BTreeSet<u32>>();
        let takes = Duration::from_millis(millis.parse().ok()?);
        known.insert((PathBuf::from(binary), name.to_owned()), (takes, reaches));
    }
    let usable = std::mem::take(tests).into_iter().filter_map(|mut test| {
        let key = (test.binary.clone(), test.name.clone());
        (test.takes, test.reaches) = known.remove(&key)?;
        Some(test)
    });
    Some(usable.collect())
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
        let mut left = longest * BUDGET;
        for index in reaching {
            let Some(rest) = left.checked_sub(tests[index].takes) else { break };
            left = rest;
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
    // The model's ten thousand histories take minutes; a few hundred notice nearly as much.
    command.env("COUNTERSIGN_MODEL_CASES", "200");
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
