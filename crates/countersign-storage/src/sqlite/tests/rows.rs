//! Rows that cannot be read, and how rows are found.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::engine::{IdempotencyClaim, NonceOutcome, StartCommand, StorageError, UserIndex};
use countersign_core::names::Channel;
use countersign_core::outbox::{MessageState, Slots};
use countersign_core::provider::Provider;
use countersign_core::testkit::RecordingProvider;
use countersign_core::testkit::bench::{ALICE, BOB, EngineFixture, MAIL, taken, wrong};
use countersign_core::testkit::commands::{directory, nonce};
use countersign_core::time::Timestamp;
use countersign_core::verification::RecipientLedger;

use rusqlite::StatementStatus;

use super::{Store, quiet, recipient};
use crate::sqlite::claim::NEXT_LANE;
use crate::sqlite::outbox::ALL_OPEN;
use crate::sqlite::session::Session;

#[tokio::test]
async fn a_damaged_message_does_not_keep_the_others_waiting() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    let bobs = bench.open(BOB).await;
    bench
        .fixture
        .execute("UPDATE messages SET row = x'00' WHERE seq = (SELECT min(seq) FROM messages)")
        .await;
    let claimed = bench.claim().await;
    assert_eq!(claimed.iter().map(|message| message.verification).collect::<Vec<_>>(), [bobs.id]);
    bench.report(&claimed[0], taken()).await;
}

#[tokio::test]
async fn a_claim_takes_what_its_own_batch_queued_and_its_report_finds_it() {
    let bench = Arc::new(Store::bench(quiet()));
    let stall = bench.fixture.stall().await;
    let claim = {
        let bench = bench.clone();
        tokio::spawn(async move { bench.claim().await })
    };
    bench.fixture.wait_for_queue(1).await;
    let (engine, start) = (bench.engine(), bench.start_of(ALICE));
    let start = tokio::spawn(async move { engine.start(start).await });
    bench.fixture.wait_for_queue(2).await;
    drop(stall);
    start.await.unwrap().unwrap();
    let claimed = claim.await.unwrap();
    assert_eq!(claimed.iter().map(|message| message.submissions).collect::<Vec<_>>(), [1]);
    assert_eq!(bench.claim().await, []);
    bench.report(&claimed[0], taken()).await;
    let stored = &bench.record(claimed[0].verification).await.messages[0];
    assert!(matches!(stored.state, MessageState::Sent { .. }) && stored.payload.is_none());
}

#[tokio::test]
async fn a_batch_that_is_carried_out_again_queues_and_claims_a_message_once() {
    let bench = Arc::new(Store::bench(quiet()));
    let stall = bench.fixture.stall().await;
    let (engine, start) = (bench.engine(), bench.start_of(ALICE));
    let start = tokio::spawn(async move { engine.start(start).await });
    bench.fixture.wait_for_queue(1).await;
    let (claim, fails) = (bench.clone(), bench.clone());
    let claim = tokio::spawn(async move { claim.claim().await });
    bench.fixture.wait_for_queue(2).await;
    let fails = tokio::spawn(async move { fails.fixture.on_last::<()>(|_| panic!("a defect")).await });
    bench.fixture.wait_for_queue(3).await;
    drop(stall);
    assert!(start.await.unwrap().is_ok() && fails.await.unwrap().is_err());
    let claimed = claim.await.unwrap();
    assert_eq!(claimed.len(), 1);
    bench.report(&claimed[0], taken()).await;
    assert_eq!(bench.record(claimed[0].verification).await.messages.len(), 1);
}

/// 20,000 messages of a tenant whose route hangs.
///
/// Shows: F7.
#[tokio::test]
async fn f7_a_claim_jumps_over_a_lane_without_a_slot_however_long_it_is() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    let backlog = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                   INSERT INTO messages (seq, id, lane, due_at, row)
                   SELECT m.seq + ((n.i + 1000000) << 12), randomblob(16), m.lane, m.due_at, m.row FROM messages m, n";
    bench.fixture.execute(backlog).await;
    bench.open(MAIL).await;
    let phones = RecordingProvider::carrying("phones", &[Channel::Sms]);
    let left = HashMap::from([(phones.name().clone(), 0)]);
    let slots = Slots::in_all(100).over(Arc::new(phones.routes()), left);
    let claimed = bench.claim_into(slots.clone()).await;
    assert_eq!(claimed.iter().map(|message| message.channel).collect::<Vec<_>>(), [Channel::Email]);

    let steps = |session: &mut Session| {
        Ok(session.conn.prepare_cached(NEXT_LANE)?.reset_status(StatementStatus::VmStep))
    };
    bench.fixture.on_writer(steps).await.unwrap();
    assert_eq!(bench.claim_into(slots).await, []);
    let taken = bench.fixture.on_writer(steps).await.unwrap();
    assert!((1..200).contains(&taken), "{taken} steps");
    let unread = bench.fixture.on_writer(|session| {
        let open = "SELECT count(*) FROM messages WHERE due_at IS NOT NULL";
        Ok(session.conn.query_row(open, (), |row| row.get::<_, i64>(0))?)
    });
    assert_eq!(unread.await, Ok(20_002), "nobody touched them");
}

/// A store of before there were lanes.
///
/// Shows: F7.
#[tokio::test]
async fn f7_messages_that_were_queued_before_there_were_lanes_are_claimed() {
    let mut bench = Store::bench(quiet());
    bench.open(ALICE).await;
    bench.open(MAIL).await;
    bench.fixture.execute("UPDATE messages SET lane = 0").await;
    bench.fixture.reopen().await;
    assert_eq!(bench.claim().await.len(), 2);
}

#[tokio::test]
async fn a_damaged_verification_says_so_and_does_not_keep_the_sweep_from_the_others() {
    let bench = Store::bench(quiet());
    let alices = bench.open(ALICE).await;
    bench.open(BOB).await;
    let code = bench.code(alices.id).await;
    bench.fixture.execute("UPDATE verifications SET row = x'00' WHERE seq = 1").await;
    let check = bench.engine().check(bench.check_of(alices.id, &wrong(&code))).await;
    assert_eq!(check.unwrap_err(), StorageError::Corrupt { table: "verifications" });
    bench.wait(std::time::Duration::from_secs(600));
    assert_eq!(bench.sweep().await.expired, 1);
}

/// Half of the starts are approved, which takes back what was counted for their clients.
///
/// Shows: P2, F19.
#[tokio::test]
async fn a_store_is_as_small_as_before_once_everything_has_run_out() {
    let bench = Store::bench(quiet());
    let count = "SELECT (SELECT count(*) FROM verifications) + (SELECT count(*) FROM recipients)
         + (SELECT count(*) FROM messages) + (SELECT count(*) FROM client_ledgers)
         + (SELECT count(*) FROM answers) + (SELECT count(*) FROM nonces)
         + (SELECT sum(nonces) FROM tenants)";
    for n in 0..100 {
        let idempotency = Some(IdempotencyClaim { key: [n; 16], fingerprint: [0; 16] });
        let client = Some([n; 16]);
        let start = StartCommand { client, idempotency, ..bench.start_of(&recipient(u32::from(n))) };
        let id = countersign_core::testkit::bench::opened(bench.start(start).await).id;
        if n % 2 == 0 {
            let code = bench.code(id).await;
            bench.check(id, &code).await;
        }
        let nonce = nonce(&bench.tenant, n, bench.now(), bench.now());
        assert_eq!(bench.engine().spend_nonce(nonce).await, Ok(NonceOutcome::Fresh));
    }
    bench.wait(std::time::Duration::from_secs(40 * 86_400));
    let swept = bench.sweep().await;
    assert_eq!((swept.expired, swept.masked, swept.deleted, swept.forgotten), (50, 100, 100, 350));
    let left = bench
        .fixture
        .on_writer(move |session| Ok(session.conn.query_row(count, (), |row| row.get::<_, i64>(0))?));
    assert_eq!(left.await, Ok(0));
}

#[tokio::test]
async fn no_command_walks_through_a_table() {
    let mut bench = Store::bench(quiet());
    bench.terms.keep_recipient = std::time::Duration::ZERO;
    let claim = Some(IdempotencyClaim { key: [1; 16], fingerprint: [1; 16] });
    let start = StartCommand { client: Some([1; 16]), idempotency: claim, ..bench.start_of(ALICE) };
    let alices = countersign_core::testkit::bench::opened(bench.start(start).await);
    let bobs = bench.open(BOB).await;
    let code = bench.code(alices.id).await;
    bench.wait(std::time::Duration::from_secs(31));
    bench.resend(alices.id).await;
    bench.check(alices.id, &wrong(&code)).await;
    bench.check(alices.id, &code).await;
    bench.cancel(bobs.id).await;
    for message in bench.claim().await {
        bench.report(&message, taken()).await;
    }
    let engine = bench.engine();
    engine.release(bench.administer(ALICE, "recipient.released")).await.unwrap();
    engine.erase(bench.administer(ALICE, "recipient.erased")).await.unwrap();
    engine.find_user(&bench.tenant, &directory(), UserIndex::Id([1; 16])).await.unwrap();
    engine.spend_nonce(nonce(&bench.tenant, 1, bench.now(), bench.now())).await.unwrap();
    bench.wait(std::time::Duration::from_secs(40 * 86_400));
    bench.sweep().await;
    assert_eq!(bench.ledger(ALICE).await, RecipientLedger::default());
    engine.probe(Timestamp::from_millis(0)).await.unwrap();

    let walks = bench.fixture.on_writer(|session| {
        let mut walks = Vec::new();
        let statements = session.statements.borrow().clone();
        assert!(statements.len() > 30, "{} statements", statements.len());
        for sql in statements.iter().filter(|sql| !is_of_one_row(sql) && *sql != ALL_OPEN) {
            let mut plan = session.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let mut steps = plan.raw_query(); // the values do not matter
            while let Some(step) = steps.next()? {
                let step: String = step.get(3)?;
                // A walk in the order in which rows stand ends at its LIMIT; sorting looks at all.
                let walks_on = step.starts_with("SCAN") && !sql.contains("LIMIT");
                if walks_on || step.contains("TEMP B-TREE") {
                    walks.push(format!("{step}: {sql}"));
                }
            }
        }
        Ok(walks)
    });
    assert_eq!(walks.await.unwrap(), Vec::<String>::new());
}

/// Tables of a single row are walked through, and statements without a table have no plan.
fn is_of_one_row(sql: &str) -> bool {
    ["BEGIN", "COMMIT", "ROLLBACK", "UPDATE state", "SELECT restored_pending", "SELECT holds_listed"]
        .iter()
        .any(|start| sql.starts_with(start))
}
