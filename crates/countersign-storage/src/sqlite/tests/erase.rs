//! Erasures of recipients that a lot is known of.

use std::time::Duration;

use countersign_core::engine::{ListQuery, NameConflict, PutUser, StorageError, StoredUser, UserKey};
use countersign_core::keys::Sealed;
use countersign_core::testkit::bench::{ALICE, BOB, Bench, EngineFixture};
use countersign_core::testkit::commands::{directory, recipient_keys};
use countersign_core::verification::StoredRecipient;

use super::{Store, quiet};
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
