//! The write-ahead log, and what must not stay in it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use countersign_core::engine::{IdempotencyClaim, StartCommand};
use countersign_core::testkit::bench::{ALICE, opened, taken};
use countersign_core::verification::StoredRecipient;
use tokio::task::JoinSet;

use super::{Store, quiet, recipient};
use crate::sqlite::SqliteOptions;
use crate::sqlite::files::beside;

/// Whether the bytes stand anywhere in the store's files.
fn holds(store: &Store, wanted: &[u8]) -> bool {
    let (_folder, path) = store.as_after_a_kill();
    let files = [fs::read(&path).unwrap(), fs::read(beside(&path, "-wal")).unwrap()];
    files.iter().any(|file| file.windows(wanted.len()).any(|window| window == wanted))
}

/// Shows: I9.
#[tokio::test]
async fn a_payload_is_nowhere_on_the_disk_soon_after_a_provider_took_it() {
    let bench = Store::bench(SqliteOptions { empty_log_every: Duration::from_millis(200), ..quiet() });
    let verification = bench.open(ALICE).await;
    for n in 0..20 {
        bench.open(&recipient(n)).await; // neighbours, so that its page is not rewritten as a whole
    }
    let message = bench.claim().await.remove(0);
    let sealed = message.payload.clone().unwrap();
    assert!(holds(&bench.fixture, sealed.as_bytes()), "the test looks in the wrong place");
    bench.report(&message, taken()).await;
    wait_until_gone(&bench.fixture, sealed.as_bytes()).await;
    assert_eq!(bench.record(verification.id).await.messages.len(), 1);
}

async fn wait_until_gone(store: &Store, wanted: &[u8]) {
    let begun = Instant::now();
    while holds(store, wanted) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Shows: O9.
#[tokio::test]
async fn an_erased_address_is_nowhere_on_the_disk_soon_after() {
    let bench = Store::bench(SqliteOptions { empty_log_every: Duration::from_millis(200), ..quiet() });
    let start = StartCommand {
        idempotency: Some(IdempotencyClaim { key: [1; 16], fingerprint: [1; 16] }),
        ..bench.start_of(ALICE)
    };
    let verification = opened(bench.start(start).await);
    for n in 0..20 {
        bench.open(&recipient(n)).await;
    }
    let StoredRecipient::Sealed(sealed) = &verification.destinations[0].recipient else { panic!("masked") };
    assert!(holds(&bench.fixture, sealed.as_bytes()), "the test looks in the wrong place");
    bench.engine().erase(bench.administer(ALICE, "recipient.erased")).await.unwrap();
    wait_until_gone(&bench.fixture, sealed.as_bytes()).await;
}

#[tokio::test]
async fn a_long_log_is_begun_anew_although_the_writer_never_pauses() {
    let bench = Store::bench(SqliteOptions { checkpoint_pages: 20, log_pages: 50, ..quiet() });
    let (next, bench) = (Arc::new(AtomicU32::new(0)), Arc::new(bench));
    let mut callers = JoinSet::new();
    for _ in 0..32 {
        let (next, bench) = (next.clone(), bench.clone());
        callers.spawn(async move {
            while let n @ ..8_000 = next.fetch_add(1, Ordering::Relaxed) {
                bench.open(&recipient(n)).await;
            }
        });
    }
    callers.join_all().await;
    // 8,000 starts at more than two pages each would be 70 MB.
    let length = fs::metadata(beside(&bench.fixture.path(), "-wal")).unwrap().len();
    assert!(length < 24 * 1024 * 1024, "{length} bytes");
}

#[tokio::test]
async fn a_closed_store_is_one_whole_file() {
    let mut bench = Store::bench(quiet());
    let verification = bench.open(ALICE).await;
    bench.fixture.engine = None;
    let log = fs::metadata(beside(&bench.fixture.path(), "-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0);
    let moved = tempfile::tempdir().unwrap();
    fs::copy(bench.fixture.path(), moved.path().join("store.db")).unwrap();
    let there = Store::bench_at(&moved.path().join("store.db"));
    assert_eq!(there.record(verification.id).await.verification.id, verification.id);
}
