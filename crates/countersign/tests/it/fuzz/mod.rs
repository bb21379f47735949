//! Bytes that nobody meant: everything that reads what comes from outside gets inputs that were made by changing
//! good ones, and must neither panic nor take long.
//!
//! - `COUNTERSIGN_FUZZ_CASES`: how many inputs each target gets (3 000).
//! - `COUNTERSIGN_FUZZ_SEED`: from which seed (0).
//!
//! Inputs begin with the files of `fuzz/corpus/<target>` and, for wire APIs, with the requests of their recorded
//! exchanges. An input that failed is written to `target/fuzz/<target>` and belongs into the corpus once it is
//! fixed.

mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_core::codec::to_row;
use countersign_core::engine::{CheckTarget, Engine};
use countersign_core::entropy::Entropy;
use countersign_core::outbox::Slots;
use countersign_core::testkit::{ManualClock, MemoryEngine, SeededEntropy, commands, keys, tenant};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// No input takes longer.
const LONGEST: Duration = Duration::from_millis(100);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |n| n.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The inputs that a target begins with.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |folder: PathBuf| -> Vec<Vec<u8>> {
        let files = std::fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path());
        let mut files: Vec<PathBuf> = files.collect();
        files.sort();
        files.iter().map(|file| std::fs::read(file).unwrap()).collect()
    };
    let mut seeds = read(root.join("fuzz/corpus").join(target));
    let recorded = read(root.join("crates/countersign-http/src/dialects").join(target).join("golden"));
    seeds.extend(recorded.iter().map(|exchange| request_of(exchange)));
    if target == "row" {
        seeds.extend(rows());
    }
    assert!(!seeds.is_empty(), "{target} has no corpus");
    seeds
}

/// What a store holds after a start and a guess.
fn rows() -> Vec<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (engine, tenant) = (MemoryEngine::new(keys()), tenant("t").id);
        let to = "+12125550123";
        let now = ManualClock::START;
        let started = commands::start(&tenant, to, now, SeededEntropy::default().seed());
        engine.start(started).await.unwrap();
        let claim = commands::claim_into(Slots::in_all(1), now);
        let message = engine.claim_messages(claim).await.unwrap().remove(0);
        let wrong = CheckTarget::Id(message.verification);
        engine.check(commands::check(&tenant, wrong, commands::code("wrong0"), now)).await.unwrap();
        let record = engine.verification(&tenant, message.verification).await.unwrap().unwrap();
        let budget = commands::recipient_keys(&tenant, to).budget;
        let ledger = engine.recipient(&tenant, &budget).await.unwrap();
        vec![to_row(&record.verification), to_row(&message), to_row(&ledger)]
    })
}

/// The request of a recorded exchange.
fn request_of(exchange: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(exchange);
    let lines = text.lines().skip_while(|line| line.starts_with('#'));
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("HTTP/1.1 ")).collect();
    lines.join("\n").trim_end().as_bytes().to_vec()
}

/// Runs one target over its corpus and over what becomes of it.
fn run(name: &str) {
    let (_, target) = targets::TARGETS.iter().find(|(own, _)| *own == name).expect("a target");
    let seeds = seeds(name);
    for seed in &seeds {
        judge(name, *target, seed);
    }
    let mut chance = StdRng::seed_from_u64(number("COUNTERSIGN_FUZZ_SEED", 0));
    // With each text of an operator's, all built-in ones are read again.
    let cost = if name == "template" { 30 } else { 1 };
    for _ in 0..number("COUNTERSIGN_FUZZ_CASES", 3_000) / cost {
        judge(name, *target, &mutate::mutated(&seeds, &mut chance));
    }
}

/// How long this thread has been at work: a busy machine makes nothing of it longer.
fn worked() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
}

fn judge(name: &str, target: fn(&[u8]), input: &[u8]) {
    let time = || {
        let started = worked();
        let ended = catch_unwind(AssertUnwindSafe(|| target(input)));
        (worked().saturating_sub(started), ended)
    };
    // With each text of an operator's, all built-in ones are read again.
    let longest = if name == "template" { 5 * LONGEST } else { LONGEST };
    let (mut taken, ended) = time();
    // The cores may have been shared with something else: the best of several is the input's own.
    for _ in 0..5 {
        if taken > longest && ended.is_ok() {
            taken = taken.min(time().0);
        }
    }
    if let (Ok(()), true) = (&ended, taken <= longest) {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fuzz").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let file =
        folder.join(data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(input)[..8]));
    std::fs::write(&file, input).unwrap();
    let input = input.escape_ascii();
    let what = if ended.is_ok() { format!("{taken:?}") } else { "a panic".to_owned() };
    panic!("{name}: {what} at {input}, kept as {}", file.display());
}

#[test]
fn every_target_is_run() {
    let targets = targets::TARGETS.map(|(name, _)| name);
    let tests = include_str!("mod.rs");
    for target in targets {
        assert!(tests.contains(&format!("run(\"{target}\")")), "{target}");
    }
}

/// Shows: R11.
#[test]
fn phone() {
    run("phone");
}

/// Shows: R11.
#[test]
fn email() {
    run("email");
}

/// Shows: R11.
#[test]
fn code() {
    run("code");
}

/// Shows: R11.
#[test]
fn template() {
    run("template");
}

/// Shows: R11.
#[test]
fn config() {
    run("config");
}

/// Shows: R11.
#[test]
fn row() {
    run("row");
}

/// Shows: R11.
#[test]
fn native() {
    run("native");
}

/// Shows: R11.
#[test]
fn zap() {
    run("zap");
}

/// Shows: R11.
#[test]
fn crypterium() {
    run("crypterium");
}

/// Shows: R11.
#[test]
fn enduserapi() {
    run("enduserapi");
}

/// Shows: R11.
#[test]
fn zitadel() {
    run("zitadel");
}

/// Shows: R11.
#[test]
fn grpc() {
    run("grpc");
}

/// Shows: R11.
#[test]
fn http1() {
    run("http1");
}
