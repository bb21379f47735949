//! Who may be held: where it is listed, and how that is found.

use countersign_core::engine::HeldQuery;
use countersign_core::testkit::bench::{ALICE, BOB, Bench, EngineFixture, HOUR, MINUTE};
use countersign_core::testkit::commands::{code, recipient_keys};

use super::{Store, quiet, recipient};
use crate::sqlite::recipients::NEWEST_HOLDS;

/// All who are held.
fn everybody(bench: &Bench<Store>) -> HeldQuery {
    HeldQuery { caps: bench.caps.recipient, before: None, limit: 9, looks: 9, now: bench.now() }
}

/// So many wrong guesses at a verification of its own.
async fn fail(bench: &Bench<Store>, to: &str, times: u32) {
    let verification = bench.open(to).await;
    for _ in 0..times {
        bench.check(verification.id, &code("wrong0")).await;
    }
}

/// Those whose hold lasts and those of the day are two walks, merged: nothing is sorted, whoever else has failed.
///
/// Shows: F12.
#[tokio::test]
async fn f12_a_list_of_holds_walks_along_an_index() {
    let bench = Store::bench(quiet());
    let steps = bench.fixture.on_writer(|session| {
        let mut plan = session.conn.prepare(&format!("EXPLAIN QUERY PLAN {NEWEST_HOLDS}"))?;
        let mut rows = plan.raw_query();
        let mut steps = Vec::new();
        while let Some(step) = rows.next()? {
            steps.push(step.get::<_, String>(3)?);
        }
        Ok(steps)
    });
    let steps = steps.await.unwrap();
    let all = steps.join("\n");
    assert!(!all.contains("SCAN") && !all.contains("TEMP B-TREE"), "{all}");
    assert_eq!(all.matches("holds_by_time").count(), 2, "{all}");
}

/// A hold that lasts is listed when a store of before is opened, from wherever its ledger is.
///
/// Shows: F12, R16.
#[tokio::test]
async fn f12_holds_of_before_there_was_a_list_are_listed() {
    let mut bench = Store::bench(quiet());
    bench.caps.recipient.hold_after = 5;
    bench.open_and_exhaust(ALICE).await;
    bench.wait(MINUTE);
    bench.sweep().await; // sorted into the tree
    bench.open_and_exhaust(BOB).await;
    bench.fixture.execute("DELETE FROM holds; UPDATE state SET holds_listed = 0").await;
    let query = everybody(&bench);
    assert_eq!(bench.engine().held(&bench.tenant, query.clone()).await.unwrap().found, []);
    bench.fixture.reopen().await;
    let page = bench.engine().held(&bench.tenant, query).await.unwrap();
    let found: Vec<_> = page.found.iter().map(|held| held.place.budget).collect();
    assert_eq!(found, [BOB, ALICE].map(|to| recipient_keys(&bench.tenant, to).budget));
}

/// What is looked at is bounded; what lies beyond is the next page's. Six failed enough within a day, most of it
/// more than a day ago; behind them in the list is one who is held.
///
/// Shows: F12.
#[tokio::test]
async fn f12_a_list_of_holds_that_looked_at_enough_says_where_to_go_on() {
    let mut bench = Store::bench(quiet());
    bench.caps.recipient.failed_checks_per_day = 5;
    for n in 0..6 {
        fail(&bench, &recipient(n), 4).await;
    }
    bench.wait(22 * HOUR);
    fail(&bench, ALICE, 5).await;
    bench.wait(HOUR);
    for n in 0..6 {
        fail(&bench, &recipient(n), 1).await;
    }
    bench.wait(2 * HOUR);
    let query = HeldQuery { looks: 4, ..everybody(&bench) };
    let first = bench.engine().held(&bench.tenant, query.clone()).await.unwrap();
    assert_eq!(first.found, []);
    let query = HeldQuery { before: Some(first.go_on.unwrap()), ..query };
    let second = bench.engine().held(&bench.tenant, query).await.unwrap();
    assert_eq!(second.go_on, None);
    let found: Vec<_> = second.found.iter().map(|held| held.place.budget).collect();
    assert_eq!(found, [recipient_keys(&bench.tenant, ALICE).budget]);
}
