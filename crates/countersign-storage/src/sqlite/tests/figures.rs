//! What large stores and loud tenants cost the others, in milliseconds. For a machine with nothing else
//! to do: `cargo xtask test long` runs these.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use countersign_core::engine::{Engine, ListQuery, StartCommand};
use countersign_core::names::TenantId;
use countersign_core::rate::{Meter, Rate};
use countersign_core::testkit::bench::{ALICE, Bench};
use countersign_core::testkit::commands::recipient_keys;
use countersign_core::time::Timestamp;
use countersign_core::verification::Status;

use super::{Store, quiet, recipient};
use crate::sqlite::SqliteOptions;
use crate::sqlite::failure::Failure;
use crate::sqlite::session::Session;

/// The store as it runs in production.
fn busy() -> SqliteOptions {
    let SqliteOptions { request_patience, background_patience, .. } = quiet();
    SqliteOptions { request_patience, background_patience, ..SqliteOptions::default() }
}

/// Adds copies of the newest verification, each a millisecond younger, that stand as `status` says.
async fn add_copies(bench: &Bench<Store>, copies: u32, status: u8) {
    let sql = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {copies})
         INSERT INTO verifications (id, tenant, status, expires_at, sweep_at, row)
         SELECT unhex(printf('%012x', {at} + n) || hex(randomblob(10))), tenant, {status}, expires_at,
                sweep_at + 86400000, row
         FROM n, (SELECT * FROM verifications ORDER BY seq DESC LIMIT 1)",
        at = bench.now().as_millis()
    );
    bench.fixture.on_writer(move |session| Ok(session.conn.execute_batch(&sql)?)).await.unwrap();
}

/// The longest that a start of other tenants takes, one after the other until `done`.
async fn longest_wait(engine: Arc<dyn Engine>, starts: Vec<StartCommand>, done: Arc<AtomicBool>) -> Duration {
    let mut longest = Duration::ZERO;
    for start in starts {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let asked = Instant::now();
        engine.start(start).await.unwrap();
        longest = longest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    longest
}

/// Shows: F10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, with a million rows; run by `cargo xtask test long`"]
async fn f10_a_list_by_status_over_a_million_rows_takes_fifty_milliseconds_a_page() {
    let bench = Store::bench(busy());
    bench.open(ALICE).await;
    add_copies(&bench, 1_000_000, 1).await;
    let (mut pages, mut longest, mut found, mut before) = (0, Duration::ZERO, 0, None);
    loop {
        let (limit, looks) = (100, ListQuery::LOOKS);
        let status = Some(Status::Pending);
        let query = ListQuery { identity: None, status, before, limit, looks, now: bench.now() };
        let asked = Instant::now();
        let page = bench.engine().list(&bench.tenant, query).await.unwrap();
        longest = longest.max(asked.elapsed());
        (pages, found) = (pages + 1, found + page.found.len());
        before = page.go_on;
        if before.is_none() {
            break;
        }
    }
    eprintln!("{pages} pages, the longest took {longest:?}");
    assert_eq!(found, 1, "the oldest of all");
    assert!(longest <= Duration::from_millis(50), "{longest:?}");
}

/// Shows: F10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, with 100,000 rows; run by `cargo xtask test long`"]
async fn f10_a_list_of_an_address_that_joined_a_hundred_thousand_takes_a_tenth_of_a_second_a_page() {
    let bench = Store::bench(busy());
    bench.cancel(bench.open(ALICE).await.id).await;
    bench.sweep().await;
    super::list::add_copies(&bench, 100_000).await;
    let of_alice = ListQuery { looks: ListQuery::LOOKS, ..super::list::query_of(&bench, ALICE) };
    for (status, expected) in [(None, 100), (Some(Status::Pending), 0)] {
        let (mut pages, mut longest, mut found, mut before) = (0, Duration::ZERO, 0, None);
        for _ in 0..30 {
            let query = ListQuery { status, before, ..of_alice.clone() };
            let asked = Instant::now();
            let page = bench.engine().list(&bench.tenant, query).await.unwrap();
            longest = longest.max(asked.elapsed());
            (pages, found) = (pages + 1, found + page.found.len());
            before = page.go_on;
            if before.is_none() {
                break;
            }
        }
        eprintln!("{status:?}: {pages} pages, the longest took {longest:?}");
        assert_eq!(found, expected);
        assert!(longest <= Duration::from_millis(100), "{longest:?}");
    }
}

/// Shows: F15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, with 100,000 rows; run by `cargo xtask test long`"]
async fn f15_while_a_hundred_thousand_rows_are_erased_nobody_waits_for_250_milliseconds() {
    let bench = Store::bench(busy());
    bench.open(ALICE).await;
    add_copies(&bench, 100_000, 0).await;
    let key = recipient_keys(&bench.tenant, ALICE).identity;
    let join = move |session: &mut Session| -> Result<(), Failure> {
        session.execute(
            "INSERT INTO recipients (tenant, key, purpose, joined, verification)
             SELECT tenant, ?1, 'login', seq, seq FROM verifications WHERE seq > 1",
            [key.as_bytes()],
        )?;
        Ok(())
    };
    bench.fixture.on_writer(join).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let starts = (0..20_000).map(|n| bench.start_of(&recipient(n))).collect();
    let others = tokio::spawn(longest_wait(bench.engine(), starts, done.clone()));
    let asked = Instant::now();
    let erased = bench.engine().erase(bench.administer(ALICE, "recipient.erased")).await.unwrap();
    let took = asked.elapsed();
    done.store(true, Ordering::Relaxed);
    let longest = others.await.unwrap();
    eprintln!("{erased} erased in {took:?}, meanwhile the longest start took {longest:?}");
    assert_eq!(erased, 100_001);
    assert!(longest <= Duration::from_millis(250), "{longest:?}");
}

/// What the loud tenant may ask, in requests a second.
const QUOTA: u32 = 200;

/// The 99th percentile of a quiet tenant's starts, while a loud one asks so many times its quota.
async fn quiet_p99(bench: &Arc<Bench<Store>>, times: u32, round: u32) -> Duration {
    const SECONDS: u32 = 4;
    let (meter, begun) = (Meter::default(), Instant::now());
    let rate = Rate { per_second: QUOTA, burst: QUOTA / 20 };
    let loud = TenantId::parse("loud").unwrap();
    let offered = QUOTA * times * SECONDS;
    let loads = bench.clone();
    let flood = tokio::spawn(async move {
        for n in 0..offered {
            let due = begun + Duration::from_secs(1) * n / (QUOTA * times);
            tokio::time::sleep_until(due.into()).await;
            let elapsed = i64::try_from(begun.elapsed().as_millis()).unwrap();
            if meter.admit(rate, Timestamp::from_millis(elapsed)).is_ok() {
                let to = recipient(1_000_000 + round * offered + n);
                let start = StartCommand { tenant: loud.clone(), ..loads.start_of(&to) };
                let engine = loads.engine();
                tokio::spawn(async move { engine.start(start).await });
            }
        }
    });
    let mut took = Vec::new();
    for n in 0..SECONDS * 200 {
        tokio::time::sleep_until((begun + Duration::from_millis(5) * n).into()).await;
        let start = bench.start_of(&recipient(round * SECONDS * 200 + n));
        let asked = Instant::now();
        bench.engine().start(start).await.unwrap();
        took.push(asked.elapsed());
    }
    flood.await.unwrap();
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

/// Shows: O4, F15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for a minute; run by `cargo xtask test long`"]
async fn o4_a_tenant_at_ten_times_its_quota_costs_another_one_a_fifth_at_most() {
    let bench = Arc::new(Store::bench(busy()));
    let (mut within, mut beyond) = (Vec::new(), Vec::new());
    quiet_p99(&bench, 1, 0).await; // warms up
    for round in 0..7 {
        within.push(quiet_p99(&bench, 1, 2 * round + 1).await);
        beyond.push(quiet_p99(&bench, 10, 2 * round + 2).await);
    }
    within.sort_unstable();
    beyond.sort_unstable();
    eprintln!("within its quota {within:?}, at ten times {beyond:?}");
    assert!(beyond[3] <= within[3] * 6 / 5, "{:?} became {:?}", within[3], beyond[3]);
}

/// Starts a second while so many commands a second fail.
async fn starts_a_second(bench: &Arc<Bench<Store>>, failing: u32, round: u32) -> u32 {
    const CALLERS: u32 = 64;
    let begun = Instant::now();
    let until = begun + Duration::from_secs(3);
    let fails = bench.clone();
    let failures = tokio::spawn(async move {
        for n in 0..failing * 3 {
            tokio::time::sleep_until((begun + Duration::from_secs(1) * n / failing).into()).await;
            let fail = |_: &mut Session| Err::<(), _>(Failure::Corrupt("test"));
            assert!(fails.fixture.on_writer(fail).await.is_err());
        }
    });
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let bench = bench.clone();
            tokio::spawn(async move {
                let mut n = 0;
                while Instant::now() < until {
                    let to = recipient((round * CALLERS + caller) * 10_000 + n);
                    bench.engine().start(bench.start_of(&to)).await.unwrap();
                    n += 1;
                }
                n
            })
        })
        .collect();
    let mut starts = 0;
    for caller in callers {
        starts += caller.await.unwrap();
    }
    failures.await.unwrap();
    starts / 3
}

/// Shows: E2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for a minute; run by `cargo xtask test long`"]
async fn e2_ten_failing_commands_a_second_slow_nobody_down() {
    let bench = Arc::new(Store::bench(busy()));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    starts_a_second(&bench, 0, 0).await; // warms up
    for round in 0..5 {
        without.push(starts_a_second(&bench, 0, 2 * round + 1).await);
        with.push(starts_a_second(&bench, 10, 2 * round + 2).await);
    }
    without.sort_unstable();
    with.sort_unstable();
    eprintln!("starts a second: {without:?} without, {with:?} with ten failing ones");
    assert!(with[2] * 10 >= without[2] * 9, "{} became {}", without[2], with[2]);
}
