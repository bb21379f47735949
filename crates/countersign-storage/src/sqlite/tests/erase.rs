//! Erasures of recipients that a lot is known of.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_core::engine::{ListQuery, NameConflict, PutUser, StorageError, StoredUser, UserKey};
use countersign_core::keys::Sealed;
use countersign_core::names::TenantId;
use countersign_core::testkit::bench::{ALICE, BOB, Bench, EngineFixture};
use countersign_core::testkit::commands::{directory, recipient_keys};
use countersign_core::verification::StoredRecipient;
use tokio::task::JoinSet;

use super::{Store, quiet};
use crate::sqlite::SqliteOptions;
use crate::sqlite::erase;
use crate::sqlite::session::Session;

/// Verifications of one number, some of them one user's own, and the users whose number it is.
async fn many(verifications: u32, users: u8) -> Bench<Store> {
    let mut bench = Store::bench(quiet());
    (bench.caps.recipient.starts_per_hour, bench.caps.recipient.starts_per_day) = (u32::MAX, u32::MAX);
    let phone = recipient_keys(&bench.tenant, ALICE).identity;
    for n in 0..verifications {
        let mut start = bench.start_of(ALICE);
        if n % 3 == 0 {
            let id = [u8::try_from(n % u32::from(users)).unwrap(); 16];
            let user = UserKey { directory: directory(), id };
            start.destinations[0].keys.identity = bench.keys.users_own(&bench.tenant, &user, &phone);
        }
        start.purpose = format!("purpose-{}", n % 7).parse().unwrap();
        let id = countersign_core::testkit::bench::opened(bench.start(start).await).id;
        bench.cancel(id).await;
    }
    bench.open(BOB).await;
    for id in 0..users {
        let stored = StoredUser {
            email_pending: false,
            phone_pending: true,
            confirmed: false,
            unproven_life: None,
            id: [id; 16],
            username: None,
            email: None,
            phone: Some(phone),
            email_verified: false,
            phone_verified: false,
            sequence: 1,
            created_at: bench.now(),
            changed_at: bench.now(),
            body: Sealed::from_bytes(vec![id]),
        };
        let put =
            bench.engine().put_user(&bench.tenant, &directory(), stored, None, NameConflict::Move).await;
        assert_eq!(put, Ok(PutUser::Written));
    }
    bench
}

/// How many verifications still know a recipient, and how many users there are.
async fn left<F: EngineFixture>(bench: &Bench<F>) -> usize {
    let (limit, now) = (10_000, bench.now());
    let query = ListQuery { identity: None, status: None, before: None, limit, looks: limit, now };
    let all = bench.engine().list(&bench.tenant, query).await.unwrap().found;
    all.iter().filter(|v| matches!(v.destinations[0].recipient, StoredRecipient::Sealed(_))).count()
}

async fn users(bench: &Bench<Store>) -> i64 {
    let count = |s: &mut Session| Ok(s.conn.query_row("SELECT count(*) FROM users", (), |row| row.get(0))?);
    bench.fixture.on_writer(count).await.unwrap()
}

/// Shows: F15.
#[tokio::test]
async fn f15_an_erasure_of_much_is_done_in_parts_and_answered_when_all_is_done() {
    let bench = many(400, 90).await;
    let before = bench.fixture.sqlite().shared.commits();
    let erased = bench.engine().erase(bench.administer(ALICE, "recipient.erased")).await;
    assert_eq!(erased, Ok(400));
    assert!(bench.fixture.sqlite().shared.commits() - before >= 7, "in one part");
    assert_eq!((left(&bench).await, users(&bench).await), (1, 0));
    let rows =
        |s: &mut Session| Ok(s.conn.query_row("SELECT count(*) FROM erasures", (), |row| row.get(0))?);
    assert_eq!(bench.fixture.on_writer::<i64>(rows).await, Ok(0));
}

/// Shows: F15.
#[tokio::test]
async fn f15_what_a_crash_leaves_of_an_erasure_is_done_after_the_start() {
    let bench = many(400, 20).await;
    for parts in 1..7 {
        let command = bench.administer(ALICE, "recipient.erased");
        let act = move |session: &mut Session| match parts {
            1 => erase::begin(session, &command),
            _ => erase::go_on(session, &command),
        };
        let part = bench.fixture.on_writer(act).await.unwrap();
        assert!(part.wiped <= 64 && !part.over, "{part:?}");
        let (_folder, path) = bench.fixture.as_after_a_kill();
        let again = Store::bench_at(&path);
        assert!(left(&again).await > 1, "after {parts} parts");
        again.wait(Duration::from_secs(3_599));
        again.engine().sweep(1, again.now()).await.unwrap();
        assert_eq!((left(&again).await, users(&again).await), (1, 0), "after {parts} parts");
    }
}

#[tokio::test]
async fn an_erasure_that_meets_a_damaged_row_keeps_nothing_from_being_cleared_up() {
    let bench = many(100, 1).await;
    let command = bench.administer(ALICE, "recipient.erased");
    let begin = move |session: &mut Session| erase::begin(session, &command);
    assert!(!bench.fixture.on_writer(begin).await.unwrap().over);
    bench.fixture.execute("UPDATE verifications SET row = x'00'").await;
    assert!(bench.engine().sweep(1, bench.now()).await.is_ok());
    let again = bench.engine().erase(bench.administer(ALICE, "recipient.erased")).await;
    assert_eq!(again, Err(StorageError::Corrupt { table: "verifications" }));
}

/// Notes down that erasures are under way which nobody waits for.
async fn abandon(bench: &Bench<Store>, of: &[&str]) {
    let keys: Vec<_> = of.iter().map(|to| recipient_keys(&bench.tenant, to).identity).collect();
    let note = move |session: &mut Session| {
        for key in &keys {
            session.execute(
                "INSERT INTO erasures (tenant, key, of, purpose, joined) VALUES (1, ?1, ?1, '', 0)",
                [key.as_bytes()],
            )?;
        }
        Ok(())
    };
    bench.fixture.on_writer(note).await.unwrap();
}

async fn abandoned(bench: &Bench<Store>) -> i64 {
    let count =
        |s: &mut Session| Ok(s.conn.query_row("SELECT count(*) FROM erasures", (), |row| row.get(0))?);
    bench.fixture.on_writer(count).await.unwrap()
}

/// The first one that could not go on was tried again and again, and no other one ever.
///
/// Shows: F15.
#[tokio::test]
async fn f15_an_erasure_that_cannot_go_on_keeps_no_other_one_from_being_finished() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    bench.open(BOB).await;
    let damaged = "INSERT INTO erasures (tenant, key, of, purpose, joined)
        VALUES (0, zeroblob(16), zeroblob(16), '', 0), (1, x'00', x'00', '', 0), (2, x'01', x'01', '', 0)";
    bench.fixture.execute(damaged).await;
    abandon(&bench, &[ALICE, BOB]).await;
    bench.engine().sweep(1, bench.now()).await.unwrap();
    assert_eq!((left(&bench).await, abandoned(&bench).await), (0, 3));
}

/// A tenant that erases all day long.
///
/// Shows: F15.
#[tokio::test]
async fn f15_what_was_abandoned_is_finished_although_somebody_waits_for_another_one() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    bench.open(BOB).await;
    abandon(&bench, &[ALICE, BOB]).await;
    let alice = recipient_keys(&bench.tenant, ALICE).identity;
    let waits = bench.fixture.sqlite().erasures.begin(&bench.tenant, &alice);
    bench.engine().sweep(1, bench.now()).await.unwrap();
    assert_eq!((left(&bench).await, abandoned(&bench).await), (1, 1));
    drop(waits);
    bench.engine().sweep(1, bench.now()).await.unwrap();
    assert_eq!((left(&bench).await, abandoned(&bench).await), (0, 0));
}

/// Shows: F15.
#[tokio::test]
async fn f15_a_tenants_erasures_keep_no_others_waiting_but_for_one() {
    let mut bench = Store::bench(quiet());
    bench.open(ALICE).await;
    let heavy = bench.fixture.sqlite().heavy.lock().await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut erasures = JoinSet::new();
    let mut ask = |bench: &Bench<Store>, to: &str| {
        let (engine, command) = (bench.engine(), bench.administer(to, "recipient.erased"));
        let (order, tenant) = (order.clone(), bench.tenant.clone());
        erasures.spawn(async move {
            engine.erase(command).await.unwrap();
            order.lock().unwrap().push(tenant);
        });
    };
    for n in 0..10 {
        ask(&bench, &super::recipient(n));
    }
    for _ in 0..100 {
        tokio::task::yield_now().await; // until all of them wait
    }
    bench.tenant = TenantId::parse("other").unwrap();
    ask(&bench, BOB);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop(heavy);
    erasures.join_all().await;
    let others = order.lock().unwrap().iter().position(|tenant| *tenant == bench.tenant).unwrap();
    assert!(others <= 1, "{others} went before");
}

/// Shows: F15.
#[tokio::test]
async fn f15_an_erasure_waits_for_its_turn_no_longer_than_anybody_does() {
    let bench = Store::bench(SqliteOptions { request_patience: Duration::from_millis(50), ..quiet() });
    bench.open(ALICE).await;
    let heavy = bench.fixture.sqlite().heavy.lock().await;
    let engine = bench.engine();
    let erase = engine.erase(bench.administer(ALICE, "recipient.erased"));
    let erased = tokio::time::timeout(super::PATIENCE / 6, erase).await;
    assert_eq!(erased, Ok(Err(StorageError::Overloaded)));
    drop(heavy);
}
