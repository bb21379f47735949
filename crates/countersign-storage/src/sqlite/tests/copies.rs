//! Kills, backups and restores.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use countersign_core::audit::Verifier;
use countersign_core::engine::{NonceOutcome, Rejection, StartCommand};
use countersign_core::outbox::{Abandoned, MessageState};
use countersign_core::testkit::bench::{
    ALICE, BOB, Bench, EngineFixture, HOUR, fresh, opened, rejection, replayed, wrong,
};
use countersign_core::testkit::commands::{claim, nonce};
use countersign_core::verification::Status;

use super::{Store, quiet, recipient};
use crate::sqlite::{BackupError, backup};

/// Shows: I3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_answered_survives_a_kill_at_any_moment() {
    let bench = Arc::new(Store::bench(quiet()));
    let (answered, stop) = (Arc::new(std::sync::Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let (bench, answered, stop) = (bench.clone(), answered.clone(), stop.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let verification = bench.open(&recipient(caller * 100_000 + n)).await;
                    answered.lock().unwrap().push(verification.id);
                }
            })
        })
        .collect();
    let mut kills = Vec::new();
    for _ in 0..5 {
        let known = answered.lock().unwrap().len();
        while answered.lock().unwrap().len() < known + 8 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let answered_before = answered.lock().unwrap().clone();
        kills.push((answered_before, bench.fixture.as_after_a_kill()));
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    for (answered, (_folder, path)) in kills {
        assert!(!answered.is_empty());
        let after = Store::bench_at(&path);
        for id in answered {
            assert_eq!(after.record(id).await.messages.len(), 1);
        }
    }
}

/// Shows: I3.
#[tokio::test]
async fn a_kill_inside_a_commit_leaves_all_or_nothing() {
    let bench = Store::bench(quiet());
    let verification = bench.open(ALICE).await;
    let half = |session: &mut crate::sqlite::session::Session| {
        session.execute("DELETE FROM messages", ())?;
        session.execute("UPDATE verifications SET row = x'00'", ())?;
        Ok(session.conn.cache_flush()?) // it stands in the log, without its end
    };
    let stall = bench.fixture.stall_after(half).await;
    let (_folder, path) = bench.fixture.as_after_a_kill();
    let after = Store::bench_at(&path);
    assert_eq!(after.record(verification.id).await.messages.len(), 1);
    drop(stall);
}

async fn backed_up(bench: &Bench<Store>) -> std::path::PathBuf {
    let to = bench.fixture.folder.path().join("backup.db");
    let (engine, target) = (bench.fixture.sqlite().clone(), to.clone());
    tokio::task::spawn_blocking(move || engine.backup(&target)).await.unwrap().unwrap();
    to
}

/// Shows: R17.
#[tokio::test]
async fn a_backup_is_one_private_file_and_overwrites_nothing() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    let to = backed_up(&bench).await;
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&to).unwrap();
    assert!(matches!(backup(&bench.fixture.path(), &to), Err(BackupError::Exists(path)) if path == to));
    assert_eq!(fs::read(&to).unwrap(), before);
    let names = fs::read_dir(bench.fixture.folder.path()).unwrap();
    let leftovers = names.filter(|name| {
        let name = name.as_ref().unwrap().file_name().into_string().unwrap();
        name.starts_with("backup.db") && name != "backup.db"
    });
    assert_eq!(leftovers.count(), 0);
}

/// Nor does it forget what must not be taken or done again.
///
/// Shows: I1, R17, A8.
#[tokio::test]
async fn a_restored_backup_revives_no_code() {
    let bench = Store::bench(quiet());
    let (alices, bobs) = (bench.open(ALICE).await, bench.open(BOB).await);
    let (used, unused) = (bench.code(alices.id).await, bench.code(bobs.id).await);
    bench.check(bobs.id, &wrong(&unused)).await;
    let counted = bench.ledger(BOB).await;
    // What was presented once, and an answer that is kept.
    let spend = |bench: &Bench<Store>| nonce(&bench.tenant, 1, bench.now() + HOUR, bench.now());
    assert_eq!(bench.engine().spend_nonce(spend(&bench)).await, Ok(NonceOutcome::Fresh));
    let claiming = |bench: &Bench<Store>| StartCommand {
        idempotency: Some(claim(1, 1)),
        ..bench.start_of("carol@example.com")
    };
    let answer = fresh(bench.engine().start(claiming(&bench)).await.unwrap());
    let to = backed_up(&bench).await;
    bench.check(alices.id, &used).await; // after the backup, which knows nothing of it

    let mut restored = Store::bench_at(&to);
    for (id, code) in [(alices.id, &used), (bobs.id, &unused)] {
        assert_eq!(rejection(&restored.check(id, code).await), Rejection::Canceled);
        let record = restored.record(id).await;
        assert!(
            record.verification.destinations.iter().all(|d| d.digest.is_none() && d.sealed_code.is_none())
        );
        let dropped = MessageState::Abandoned { reason: Abandoned::Superseded };
        assert_eq!((&record.messages[0].state, &record.messages[0].payload), (&dropped, &None));
    }
    assert_eq!(restored.ledger(BOB).await, counted);
    let seen = NonceOutcome::Seen { same_request: true };
    assert_eq!(restored.engine().spend_nonce(spend(&restored)).await, Ok(seen));
    assert_eq!(replayed(restored.engine().start(claiming(&restored)).await.unwrap()), answer);
    assert!(restored.claim().await.is_empty());
    assert_eq!(restored.audit().await.last().unwrap().action, "store.restored");

    // Only once: what is opened after the restore stays.
    restored.wait(Duration::from_secs(1)); // equal seeds draw equal ids at one instant
    let fresh = opened(restored.start(restored.start_of(ALICE)).await);
    restored.fixture.folder = tempfile::tempdir().unwrap();
    let path = to.clone();
    restored.fixture.engine = None;
    restored.fixture.engine = Some(Arc::new(super::open(&path, &quiet()).unwrap()));
    assert_eq!(restored.status(fresh.id).await, Status::Pending);
    assert_eq!(restored.audit().await.len(), 1);
    // And the original goes on as if nothing had been copied.
    assert_eq!(bench.status(bobs.id).await, Status::Pending);
}

/// Shows: R17.
#[tokio::test]
async fn a_restored_backup_sends_nothing_of_before() {
    let bench = Store::bench(quiet());
    let verification = bench.open(ALICE).await;
    bench.wait(Duration::from_secs(600)); // its window closes, and nobody has written that yet
    bench.engine().probe(bench.now()).await.unwrap();
    let restored = Store::bench_at(&backed_up(&bench).await);
    assert_eq!(restored.open_messages(verification.id).await, []);
}

/// Shows: R17.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_one_state() {
    let bench = Arc::new(Store::bench(quiet()));
    let stop = Arc::new(AtomicBool::new(false));
    let caller = {
        let (bench, stop) = (bench.clone(), stop.clone());
        tokio::spawn(async move {
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                bench.open(&recipient(n)).await;
                let event = bench.administer(ALICE, "recipient.released").audit;
                bench.engine().append_audit(vec![event]).await.unwrap();
            }
        })
    };
    while bench.audit().await.len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let to = backed_up(&bench).await;
    stop.store(true, Ordering::Relaxed);
    caller.await.unwrap();
    let restored = Store::bench_at(&to);
    let mut verifier = Verifier::new(&restored.keys);
    for entry in restored.engine().audit_entries(0, 100_000).await.unwrap() {
        verifier.entry(&entry).unwrap();
    }
    let head = restored.engine().audit_head().await.unwrap();
    assert!(verifier.finish(head.as_ref()).unwrap() > 1);
}

/// Shows: R17.
#[tokio::test]
async fn a_closed_store_can_be_backed_up_too() {
    let mut bench = Store::bench(quiet());
    let verification = bench.open(ALICE).await;
    bench.fixture.engine = None;
    let to = bench.fixture.folder.path().join("backup.db");
    backup(&bench.fixture.path(), &to).unwrap();
    assert_eq!(Store::bench_at(&to).status(verification.id).await, Status::Canceled);
    bench.fixture.engine = Some(Arc::new(super::open(&bench.fixture.path(), &quiet()).unwrap()));
    assert_eq!(bench.status(verification.id).await, Status::Pending);
    bench.fixture.reopen().await;
}
