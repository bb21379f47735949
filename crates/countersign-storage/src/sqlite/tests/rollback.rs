//! Commands that fail: what they leave behind in memory and on the disk, and what they cost the others.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::audit::AuditEvent;
use countersign_core::code::Code;
use countersign_core::engine::StorageError;
use countersign_core::names::TenantId;
use countersign_core::outbox::Slots;
use countersign_core::testkit::bench::{ALICE, BOB, Bench, HOUR, SECOND, taken};
use countersign_core::testkit::commands::{claim_into, recipient_keys};
use countersign_core::verification::RecipientLedger;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use super::{Store, is_unavailable, quiet, recipient};
use crate::sqlite::SqliteOptions;
use crate::sqlite::failure::Failure;
use crate::sqlite::recipients::{self, gather};
use crate::sqlite::session::Session;
use crate::sqlite::sweep::{Room, sweep};
use crate::sqlite::{claim, commands};

/// How often memory was read.
async fn recalls(bench: &Bench<Store>) -> u32 {
    bench.fixture.on_writer(|session| Ok(session.recalls)).await.unwrap()
}

/// Whether memory says what the disk says.
async fn memory_agrees(bench: &Bench<Store>) {
    bench.fixture.on_writer(|session| session.agrees_with_store()).await.unwrap();
}

/// Changes all that memory holds: as many kinds of changes as there are commands.
fn change_everything(session: &mut Session, bench: &Bench<Store>, n: u32) -> Result<(), Failure> {
    let now = bench.now();
    let stranger = TenantId::parse(&format!("stranger-{n}")).unwrap();
    session.advance_to(now + HOUR);
    session.tenant_number(&stranger)?;
    let ledger = session.tenant_ledger(&bench.tenant)?;
    session.set_tenant_ledger(&stranger, ledger.clone())?;
    session.set_tenant_ledger(&bench.tenant, ledger)?;
    let event = AuditEvent {
        at: now,
        tenant: Some(stranger),
        actor: "test".into(),
        action: "test".into(),
        subject: String::new(),
    };
    session.append_audit(&[event])?;
    for to in [ALICE.to_owned(), recipient(n), recipient(500 + n)] {
        commands::start(session, &mut bench.start_of(&to))?;
    }
    let number = session.tenant_number(&bench.tenant)?;
    let alice = recipient_keys(&bench.tenant, ALICE);
    recipients::put_ledger(session, number, &alice.budget, &RecipientLedger::default());
    claim::claim(session, &claim_into(Slots::in_all(2), now))?;
    gather(session, 5, now + HOUR)?;
    sweep(session, Room::new(3), now)?;
    Ok(())
}

/// Ten failing commands cost the others nothing that they could see: memory is not read again.
///
/// Shows: E2.
#[tokio::test]
async fn e2_failing_commands_reload_nothing_and_leave_the_others_alone() {
    let bench = Arc::new(Store::bench(quiet()));
    bench.open(ALICE).await;
    let before = recalls(&bench).await;
    for n in 0..10 {
        let stall = bench.fixture.stall().await;
        let mut others = JoinSet::new();
        for k in 0..10 {
            let (engine, start) = (bench.engine(), bench.start_of(&recipient(10 * n + k)));
            others.spawn(async move { engine.start(start).await });
        }
        bench.fixture.wait_for_queue(10).await;
        let fails = bench.clone();
        let fails = tokio::spawn(async move { fails.fixture.on_last::<()>(|_| panic!("a defect")).await });
        bench.fixture.wait_for_queue(11).await;
        drop(stall);
        assert!(is_unavailable(fails.await.unwrap()));
        assert!(others.join_all().await.iter().all(Result::is_ok));
    }
    assert_eq!(recalls(&bench).await - before, 0, "memory was read again");
    memory_agrees(&bench).await;
    for n in 0..100 {
        assert_eq!(bench.windows(&recipient(n)).await.starts_hour, 1, "recipient {n}");
    }
}

/// Shows: E2.
#[tokio::test]
async fn e2_a_failing_command_leaves_nothing_of_its_changes_in_memory() {
    for mark_every in [Duration::ZERO, Duration::from_secs(3600)] {
        let options = SqliteOptions { mark_every, recipients_round: 6, ..quiet() };
        let bench = Arc::new(Store::bench(options));
        for n in 0..20 {
            bench.open(&recipient(n)).await;
        }
        bench.open(ALICE).await;
        for message in bench.claim().await.into_iter().take(10) {
            bench.report(&message, taken()).await;
        }
        let high_water = bench.engine().high_water().await.unwrap();
        let (before, audit) = (bench.ledger(ALICE).await, bench.audit().await);
        let stall = bench.fixture.stall().await;
        let (engine, start) = (bench.engine(), bench.start_of(BOB));
        let bobs = tokio::spawn(async move { engine.start(start).await });
        bench.fixture.wait_for_queue(1).await;
        let mut failing = JoinSet::new();
        for n in 0..5 {
            let fails = bench.clone();
            failing.spawn(async move {
                let inside = fails.clone();
                let fail = move |session: &mut Session| {
                    change_everything(session, &inside, n)?;
                    Err::<(), _>(Failure::Corrupt("test"))
                };
                fails.fixture.on_writer(fail).await
            });
        }
        bench.fixture.wait_for_queue(6).await;
        drop(stall);
        assert!(bobs.await.unwrap().is_ok());
        let failed = failing.join_all().await;
        assert!(failed.iter().all(|end| *end == Err(StorageError::Corrupt { table: "test" })));
        memory_agrees(&bench).await;
        assert_eq!(recalls(&bench).await, 1);
        assert_eq!(bench.engine().high_water().await.unwrap(), high_water);
        assert_eq!((bench.ledger(ALICE).await, bench.audit().await), (before, audit));
        let strangers = "SELECT count(*) FROM tenants";
        let strangers =
            move |s: &mut Session| Ok(s.conn.query_row(strangers, (), |row| row.get::<_, i64>(0))?);
        assert_eq!(bench.fixture.on_writer(strangers).await, Ok(1));
    }
}

/// Batches by chance, with failures, marks, rounds and a tour of the tree in between: afterwards memory
/// says what the disk says.
///
/// Shows: E2.
#[tokio::test]
async fn e2_memory_agrees_with_the_store_whatever_fails_in_whatever_order() {
    for seed in 0..12 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mark_every = Duration::from_micros([0, 100, 3_600_000_000][rng.random_range(0..3)]);
        let recipients_round = rng.random_range(1..30);
        let mut bench = Store::bench(SqliteOptions { mark_every, recipients_round, ..quiet() });
        (bench.terms.keep_recipient, bench.terms.keep_record) = (Duration::ZERO, 90 * SECOND);
        let bench = Arc::new(bench);
        for n in 0..30 {
            bench.open(&recipient(n)).await;
        }
        for _ in 0..15 {
            let stall = bench.fixture.stall().await;
            let mut running = JoinSet::new();
            for queued in 0..rng.random_range(2..8) {
                let (what, n, keys) =
                    (rng.random_range(0..9), rng.random_range(0..40), rng.random_range(0..12));
                let bench = bench.clone();
                let wanted = bench.clone();
                running.spawn(async move {
                    let (engine, inside) = (bench.engine(), bench.clone());
                    match what {
                        0..3 => drop(engine.start(bench.start_of(&recipient(n))).await.unwrap()),
                        3 => {
                            let guess = Code::parse("999999").unwrap();
                            drop(engine.check(bench.check_of_address(&recipient(n), &guess)).await.unwrap());
                        }
                        4 => drop(
                            engine.claim_messages(claim_into(Slots::in_all(3), bench.now())).await.unwrap(),
                        ),
                        5 => {
                            let now = bench.now();
                            let some = move |session: &mut Session| gather(session, keys, now);
                            bench.fixture.on_writer(some).await.unwrap();
                        }
                        6 => {
                            let now = bench.now();
                            let clear = move |session: &mut Session| sweep(session, Room::new(9), now);
                            bench.fixture.on_writer(clear).await.unwrap();
                        }
                        _ => {
                            let fail = move |session: &mut Session| {
                                change_everything(session, &inside, n)?;
                                Err::<(), _>(Failure::Panicked)
                            };
                            assert!(bench.fixture.on_writer(fail).await.is_err());
                        }
                    }
                });
                wanted.fixture.wait_for_queue(queued + 1).await;
            }
            drop(stall);
            running.join_all().await;
            memory_agrees(&bench).await;
            bench.wait(Duration::from_secs(rng.random_range(0..60)));
        }
        assert_eq!(recalls(&bench).await, 1, "seed {seed}");
    }
}
