//! Keys that are missing while rows need them.

use std::sync::Arc;

use countersign_core::keys::{KeyMaterial, KeyRing, SecretKey};
use countersign_core::testkit::ManualClock;
use countersign_core::testkit::bench::{ALICE, BOB, Bench};

use super::{Store, quiet};
use crate::sqlite::{OpenError, SqliteEngine, key_use};

/// The keys of the tests, with these versions of the sealing key and the pepper. The first are theirs.
fn ring(versions: std::ops::RangeInclusive<u8>) -> KeyRing {
    let key = |n: u8| SecretKey::new([n; 32]);
    let own = |n: u8, kind: u8| key(100 * kind + n);
    KeyRing::new(KeyMaterial {
        pepper: versions.clone().map(|n| (n, own(n, 1))).collect(),
        seal: versions.map(|n| (n, own(n, 2))).collect(),
        index: key(98),
        audit: key(99),
    })
    .unwrap()
}

fn open(store: &Store, ring: KeyRing) -> Result<SqliteEngine, OpenError> {
    SqliteEngine::open(&store.path(), Arc::new(ring), quiet(), ManualClock::START)
}

fn bench_with(ring: impl Fn() -> KeyRing) -> Bench<Store> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let engine = SqliteEngine::open(&path, Arc::new(ring()), quiet(), ManualClock::START).unwrap();
    let mut bench = Bench::over(Store { engine: Some(Arc::new(engine)), options: quiet(), folder });
    bench.keys = ring();
    bench
}

/// The node was ready, and reading said that the store does not answer.
#[tokio::test]
async fn a_key_that_rows_still_need_is_missed_at_the_start_and_named() {
    let mut bench = bench_with(|| ring(1..=1));
    bench.open(ALICE).await;
    bench.fixture.engine = None;
    bench.fixture.engine = Some(Arc::new(open(&bench.fixture, ring(1..=2)).unwrap()));
    bench.keys = ring(1..=2);
    let second = bench.open(BOB).await;
    let needed = key_use(&bench.fixture.path(), bench.now()).unwrap();
    assert_eq!((needed.rows("seal.1"), needed.rows("seal.2")), (2, 2), "a verification and a message each");
    assert_eq!((needed.rows("pepper.1"), needed.rows("pepper.2")), (1, 1));
    bench.fixture.engine = None;

    let refused = open(&bench.fixture, ring(2..=2)).unwrap_err();
    assert!(matches!(&refused, OpenError::NeededKey { name, rows: 1 } if name == "pepper.1"), "{refused}");
    bench.fixture.engine = Some(Arc::new(open(&bench.fixture, ring(1..=2)).unwrap()));
    bench.cancel(second.id).await;
    bench.fixture.engine = None;
    let refused = open(&bench.fixture, ring(2..=2)).unwrap_err();
    assert!(refused.to_string().contains("pepper.1"), "{refused}");
}

/// Once no row needs it, a version is forgotten, and no start looks for it again.
#[tokio::test]
async fn a_key_that_no_row_needs_may_go() {
    let mut bench = bench_with(|| ring(1..=2));
    bench.open(ALICE).await;
    bench.fixture.engine = None;
    bench.fixture.engine = Some(Arc::new(open(&bench.fixture, ring(2..=2)).unwrap()));
    let known = bench.fixture.on_writer(|session| {
        let sql = "SELECT group_concat(name, ' ') FROM (SELECT name FROM key_fingerprints ORDER BY name)";
        Ok(session.conn.query_row(sql, (), |row| row.get::<_, String>(0))?)
    });
    assert_eq!(known.await.unwrap(), "audit index pepper.2 seal.2");
}

/// A code that has died needs no pepper, but the address behind it is sealed for longer.
#[tokio::test]
async fn a_pepper_may_go_before_the_sealing_key() {
    let mut bench = bench_with(|| ring(1..=1));
    let verification = bench.open(ALICE).await;
    bench.cancel(verification.id).await;
    bench.fixture.engine = None;
    let refused = open(&bench.fixture, ring(2..=2)).unwrap_err();
    assert!(matches!(refused, OpenError::MissingKey { .. }), "all at once is a mistake: {refused}");
    drop(open(&bench.fixture, ring(1..=2)).unwrap());
    let refused = open(&bench.fixture, ring(2..=2)).unwrap_err();
    assert!(matches!(&refused, OpenError::NeededKey { name, rows: 1 } if name == "seal.1"), "{refused}");
    assert!(refused.to_string().contains("1 row in the store"), "{refused}");
}
