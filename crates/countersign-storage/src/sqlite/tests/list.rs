//! Lists of what one address has joined, however much that is.

use std::time::Duration;

use countersign_core::engine::{ListQuery, StorageError};
use countersign_core::ids::VerificationId;
use countersign_core::testkit::bench::{ALICE, BOB, Bench};
use countersign_core::testkit::commands::recipient_keys;
use countersign_core::verification::Status;

use super::{Store, quiet};
use crate::sqlite::SqliteOptions;
use crate::sqlite::session::Session;

/// Adds verifications of the address whose newest verification is the newest of all: three in each millisecond.
pub(super) async fn add_copies(bench: &Bench<Store>, copies: u32) {
    let sql = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {copies})
         INSERT INTO verifications (id, tenant, status, expires_at, sweep_at, row)
         SELECT unhex(printf('%012x', {at} + n / 3) || hex(randomblob(10))), tenant, status, expires_at, sweep_at, row
         FROM n, (SELECT * FROM verifications ORDER BY seq DESC LIMIT 1);
         INSERT INTO recipients (tenant, key, purpose, joined, verification)
         SELECT r.tenant, r.key, r.purpose, v.seq, v.seq FROM verifications v,
           (SELECT * FROM recipients WHERE verification IS NOT NULL ORDER BY verification DESC LIMIT 1) r
         WHERE v.seq > r.verification",
        at = bench.now().as_millis() + 1
    );
    bench.fixture.on_writer(move |session| Ok(session.conn.execute_batch(&sql)?)).await.unwrap();
}

pub(super) fn query_of(bench: &Bench<Store>, to: &str) -> ListQuery {
    let identity = Some(recipient_keys(&bench.tenant, to).identity);
    ListQuery { identity, status: None, before: None, limit: 100, looks: 1_000, now: bench.now() }
}

/// How much all pages of a list show, and how many pages there are.
async fn pages(bench: &Bench<Store>, mut query: ListQuery) -> (usize, usize) {
    let (mut found, mut pages) = (0, 0);
    loop {
        let page = bench.engine().list(&bench.tenant, query.clone()).await.unwrap();
        (found, pages) = (found + page.found.len(), pages + 1);
        query.before = page.go_on;
        if query.before.is_none() {
            return (found, pages);
        }
    }
}

/// What is looked at is bounded, and nothing is left out between two pages: neither of several verifications of one
/// millisecond, nor one that was joined late, nor what is new.
///
/// Shows: F10.
#[tokio::test]
async fn f10_a_list_of_an_address_looks_at_no_more_than_it_may_and_leaves_nothing_out() {
    let bench = Store::bench(quiet());
    let oldest = bench.open(ALICE).await;
    bench.cancel(oldest.id).await;
    bench.open(BOB).await;
    bench.wait(Duration::from_millis(1));
    bench.cancel(bench.open(ALICE).await.id).await;
    bench.sweep().await;
    bench.fixture.execute("UPDATE recipients SET joined = 1000000 WHERE verification = 1").await;
    add_copies(&bench, 5_000).await;
    bench.wait(Duration::from_secs(60));
    bench.open(ALICE).await;
    let everything = ListQuery { limit: 10_000, ..query_of(&bench, ALICE) };
    assert_eq!(pages(&bench, everything).await, (5_003, 5));
    let pending = ListQuery { status: Some(Status::Pending), ..query_of(&bench, ALICE) };
    assert_eq!(pages(&bench, pending).await, (1, 5));
    let all_at_once = ListQuery { limit: 10_000, looks: 10_000, ..query_of(&bench, ALICE) };
    let page = bench.engine().list(&bench.tenant, all_at_once).await.unwrap();
    assert_eq!((page.found.len(), page.go_on), (5_003, None));
    assert_eq!(page.found.last().map(|v| v.id), Some(oldest.id));
}

/// The cursor of a page is the last one on it: the next page begins behind it also when it was deleted meanwhile.
///
/// Shows: F10.
#[tokio::test]
async fn f10_a_list_of_an_address_goes_on_behind_what_was_deleted() {
    let bench = Store::bench(quiet());
    bench.cancel(bench.open(ALICE).await.id).await;
    bench.sweep().await;
    add_copies(&bench, 1_000).await;
    let ids = bench.fixture.on_writer(|session: &mut Session| {
        let mut statement = session.conn.prepare("SELECT id FROM verifications ORDER BY id DESC")?;
        let ids = statement.query_map((), |row| row.get(0).map(VerificationId::from_bytes))?;
        Ok(ids.collect::<Result<Vec<_>, _>>()?)
    });
    let ids = ids.await.unwrap();
    let behind = async |at: usize| {
        let query = ListQuery { before: Some(ids[at]), limit: 10_000, ..query_of(&bench, ALICE) };
        pages(&bench, query).await.0
    };
    for at in [0, 1, 2, 3, 500, 998, 999, 1_000] {
        assert_eq!(behind(at).await, 1_000 - at, "behind {at}");
    }
    bench.fixture.execute("DELETE FROM verifications WHERE seq % 3 = 0").await;
    for at in [0, 1, 2, 3, 500, 501, 502] {
        let sql = format!("SELECT count(*) FROM verifications WHERE id < x'{}'", hex(&ids[at]));
        let left = move |session: &mut Session| Ok(session.conn.query_row(&sql, (), |row| row.get(0))?);
        let left: i64 = bench.fixture.on_writer(left).await.unwrap();
        assert_eq!(i64::try_from(behind(at).await).unwrap(), left, "behind {at}");
    }
}

fn hex(id: &VerificationId) -> String {
    format!("{:032x}", u128::from_be_bytes(*id.as_bytes()))
}

/// Somebody's own few are not kept waiting by it, least of all a check.
///
/// Shows: F10.
#[tokio::test]
async fn f10_a_list_of_an_address_that_joined_much_waits_for_its_tenants_turn() {
    let bench = Store::bench(SqliteOptions { request_patience: Duration::from_secs(5), ..quiet() });
    bench.open(BOB).await;
    bench.cancel(bench.open(ALICE).await.id).await;
    bench.sweep().await;
    add_copies(&bench, 2_000).await;
    let turn = bench.fixture.sqlite().scans.turn(&bench.tenant, Duration::ZERO).await.unwrap();
    let bobs = bench.engine().list(&bench.tenant, query_of(&bench, BOB)).await.unwrap();
    assert_eq!(bobs.found.len(), 1);
    let alices = bench.engine().list(&bench.tenant, query_of(&bench, ALICE)).await;
    assert_eq!(alices, Err(StorageError::Overloaded));
    drop(turn);
    let alices = bench.engine().list(&bench.tenant, query_of(&bench, ALICE)).await.unwrap();
    assert_eq!(alices.found.len(), 100);
}
