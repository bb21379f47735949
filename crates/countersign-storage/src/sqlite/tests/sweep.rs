//! Clearing up: what it costs the others, and what it does about rows that cannot be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_core::engine::{NameConflict, PutUser, StartCommand, StoredUser};
use countersign_core::keys::Sealed;
use countersign_core::names::TenantId;
use countersign_core::testkit::bench::{ALICE, BOB, Bench, EngineFixture, opened};
use countersign_core::testkit::commands::{directory, recipient_keys};

use super::{Store, quiet};
use crate::sqlite::session::Session;
use crate::sqlite::sweep::{Room, sweep};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How many rows a query counts.
async fn count(bench: &Bench<Store>, what: &'static str) -> i64 {
    let sql = format!("SELECT count(*) FROM {what}");
    let count = move |session: &mut Session| Ok(session.conn.query_row(&sql, (), |row| row.get(0))?);
    bench.fixture.on_writer(count).await.unwrap()
}

/// Each of them was looked for among all that its address had joined, while everybody waited.
///
/// Shows: F15.
#[tokio::test]
async fn f15_what_is_cleared_up_of_an_address_costs_little_however_much_there_is_of_it() {
    let mut bench = Store::bench(quiet());
    bench.terms.keep_recipient = Duration::ZERO;
    let verification = bench.open(ALICE).await;
    bench.cancel(verification.id).await;
    assert_eq!(bench.sweep().await.masked, 1);
    let copies = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
        INSERT INTO verifications (id, tenant, status, expires_at, sweep_at, row)
        SELECT randomblob(16), tenant, status, expires_at, sweep_at, row FROM n, (SELECT * FROM verifications);
        INSERT INTO recipients (tenant, key, purpose, joined, verification)
        SELECT r.tenant, r.key, r.purpose, v.seq, v.seq FROM recipients r, verifications v
        WHERE r.verification = 1 AND v.seq > 1";
    bench.fixture.execute(copies).await;
    bench.wait(31 * DAY);

    let (steps, now) = (Arc::new(AtomicU64::new(0)), bench.now());
    let counted = steps.clone();
    let clear = move |session: &mut Session| {
        let counts = counted.clone();
        session.conn.progress_handler(
            100,
            Some(move || {
                counts.fetch_add(100, Ordering::Relaxed);
                false
            }),
        )?;
        let room = Room { verifications: 64, ..Room::new(0) };
        let swept = sweep(session, room, now);
        session.conn.progress_handler(0, None::<fn() -> bool>)?;
        swept
    };
    let (report, _) = bench.fixture.on_writer(clear).await.unwrap();
    assert_eq!(report.deleted, 64);
    assert_eq!(count(&bench, "recipients WHERE verification IS NOT NULL").await, 20_001 - 64);
    let steps = steps.load(Ordering::Relaxed);
    assert!((1..200_000).contains(&steps), "{steps} steps");
}

/// Rows of before have the purpose alone, whatever the wire API; and an address may be named twice.
#[tokio::test]
async fn whatever_a_verification_joined_goes_with_it() {
    let bench = Store::bench(quiet());
    let twice = bench.start_of_all(&[ALICE, ALICE]);
    opened(bench.start(StartCommand { dialect: "zap".parse().unwrap(), ..twice }).await);
    bench.open(ALICE).await;
    bench.sweep().await;
    bench.fixture.execute("UPDATE recipients SET purpose = 'login', joined = 7 WHERE verification = 1").await;
    assert_eq!(count(&bench, "recipients WHERE purpose = 'login'").await, 2);
    bench.wait(40 * DAY);
    assert_eq!(bench.sweep().await.deleted, 2);
    assert_eq!(count(&bench, "recipients").await, 0);
}

fn unproven(bench: &Bench<Store>, id: u8) -> StoredUser {
    StoredUser {
        id: [id; 16],
        username: None,
        email: None,
        phone: Some(recipient_keys(&bench.tenant, ALICE).identity),
        email_verified: false,
        phone_verified: false,
        sequence: 1,
        created_at: bench.now(),
        changed_at: bench.now(),
        body: Sealed::from_bytes(vec![id]),
        email_pending: false,
        phone_pending: false,
        confirmed: false,
        unproven_life: Some(30 * DAY),
    }
}

/// One such row undid every round of clearing up, of all tenants.
///
/// Shows: E12.
#[tokio::test]
async fn e12_a_user_that_cannot_be_read_keeps_nothing_else_from_being_cleared_up() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    for id in [1, 2] {
        let user = unproven(&bench, id);
        let put = bench.engine().put_user(&bench.tenant, &directory(), user, None, NameConflict::Move).await;
        assert_eq!(put, Ok(PutUser::Written));
    }
    bench
        .fixture
        .execute("UPDATE users SET row = x'00' WHERE id = x'01010101010101010101010101010101'")
        .await;
    bench.wait(40 * DAY);
    let swept = bench.sweep().await;
    assert_eq!((swept.expired, swept.masked, swept.deleted), (1, 1, 1));
    assert_eq!(count(&bench, "users").await, 1, "somebody has to look at it");
    assert_eq!(count(&bench, "users WHERE forget_at IS NOT NULL").await, 0, "it is not looked at each time");
}

/// Shows: E12.
#[tokio::test]
async fn e12_a_tenant_that_cannot_be_read_is_cleared_up_like_all_others() {
    let mut bench = Store::bench(quiet());
    bench.open(ALICE).await;
    bench.tenant = TenantId::parse("other").unwrap();
    bench.open(BOB).await;
    bench.fixture.execute("UPDATE tenants SET ledger = x'00' WHERE name = 'acme'").await;
    bench.fixture.reopen().await;
    bench.wait(40 * DAY);
    let swept = bench.sweep().await;
    assert_eq!((swept.expired, swept.masked, swept.deleted), (2, 2, 2));
    assert_eq!(count(&bench, "verifications").await, 0);
}
