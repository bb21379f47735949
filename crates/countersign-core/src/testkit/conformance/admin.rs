//! What administrators ask for: lists, erasure, the audit log.

use std::time::Duration;

use crate::audit::Verifier;
use crate::engine::{CheckCommand, CheckOutcome, ListQuery, NameConflict, PutUser, StartCommand, UserIndex};
use crate::names::{DirectoryName, TenantId};
use crate::testkit::bench::*;
use crate::testkit::commands::{audit_event, claim, directory, recipient_keys, user_key};
use crate::testkit::conformance::directory::user;
use crate::verification::disclose;
use crate::verification::{Status, StoredRecipient, Verification};

fn query<F: EngineFixture>(bench: &Bench<F>) -> ListQuery {
    ListQuery { identity: None, status: None, before: None, limit: 100, looks: 100, now: bench.now() }
}

async fn list<F: EngineFixture>(bench: &Bench<F>, query: ListQuery) -> Vec<Verification> {
    bench.engine().list(&bench.tenant, query).await.expect("list").found
}

pub(super) async fn a_list_is_newest_first_and_comes_in_pages<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let mut ids = Vec::new();
    for to in [ALICE, BOB, MAIL, "+12125550103", "+12125550104"] {
        ids.push(bench.open(to).await.id);
        bench.wait(SECOND);
    }
    ids.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = list(&bench, ListQuery { before, limit: 2, ..query(&bench) }).await;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().map(|v| v.id));
    }
    assert_eq!(seen, ids);
}

pub(super) async fn a_list_shows_the_tenants_own_only<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    bench.tenant = TenantId::parse("other").expect("a tenant id");
    assert!(list(&bench, query(&bench)).await.is_empty());
}

pub(super) async fn a_list_of_an_address_shows_its_own_in_every_purpose<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let login = bench.open(ALICE).await;
    bench.open(BOB).await;
    bench.wait(SECOND);
    let purpose = "payment".parse().expect("a purpose");
    let payment = opened(bench.start(StartCommand { purpose, ..bench.start_of(ALICE) }).await);
    let identity = Some(recipient_keys(&bench.tenant, ALICE).identity);
    let found = list(&bench, ListQuery { identity, ..query(&bench) }).await;
    assert_eq!(found.iter().map(|v| v.id).collect::<Vec<_>>(), [payment.id, login.id]);
    let second = ListQuery { identity, before: Some(payment.id), limit: 1, ..query(&bench) };
    assert_eq!(list(&bench, second).await[0].id, login.id);
}

/// Also by what stands only by the clock: a window that closed and was not written yet.
pub(super) async fn a_list_by_status_goes_by_the_present_instant<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let expired = bench.open(ALICE).await;
    bench.at_second(300);
    let approved = bench.open(BOB).await;
    bench.check(approved.id, &bench.code(approved.id).await).await;
    let pending = bench.open(MAIL).await;
    bench.at_second(600);
    for (status, id) in
        [(Status::Expired, expired.id), (Status::Approved, approved.id), (Status::Pending, pending.id)]
    {
        let found = list(&bench, ListQuery { status: Some(status), ..query(&bench) }).await;
        assert_eq!(found.iter().map(|v| v.id).collect::<Vec<_>>(), [id], "{status:?}");
    }
    assert!(list(&bench, ListQuery { status: Some(Status::Canceled), ..query(&bench) }).await.is_empty());
}

/// What is looked at is bounded; what lies beyond is the next page's, and nothing is left out.
///
/// Shows: F10.
pub(super) async fn f10_a_list_that_looked_at_enough_says_where_to_go_on<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let mut pending = Vec::new();
    for n in 0..10 {
        let verification = bench.open(&format!("user-{n}@example.com")).await;
        if n % 5 == 0 {
            pending.push(verification.id);
        } else {
            bench.cancel(verification.id).await;
        }
        bench.wait(SECOND);
    }
    pending.reverse();
    let (mut seen, mut pages, mut before) = (Vec::new(), 0, None);
    loop {
        let status = Some(Status::Pending);
        let query = ListQuery { status, before, looks: 3, limit: 5, ..query(&bench) };
        let page = bench.engine().list(&bench.tenant, query).await.expect("list");
        seen.extend(page.found.iter().map(|v| v.id));
        pages += 1;
        before = page.go_on;
        if before.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (pending, 4));
    let one = ListQuery { status: Some(Status::Canceled), looks: 3, limit: 1, ..query(&bench) };
    let page = bench.engine().list(&bench.tenant, one).await.expect("list");
    assert_eq!((page.found.len(), page.go_on), (1, None), "what was asked for is there");
}

/// The same of one address, whatever others have between. Some were opened in one millisecond.
///
/// Shows: F10.
pub(super) async fn f10_a_list_of_an_address_that_looked_at_enough_says_where_to_go_on<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    (bench.caps.recipient.starts_per_hour, bench.caps.recipient.starts_per_day) = (u32::MAX, u32::MAX);
    let mut ids = Vec::new();
    for n in 0..12 {
        let verification = bench.open(ALICE).await;
        bench.cancel(verification.id).await;
        ids.push(verification.id);
        if n % 3 != 0 {
            bench.open(&format!("user-{n}@example.com")).await;
            bench.wait(SECOND);
        }
    }
    ids.sort_unstable_by(|one, other| other.cmp(one));
    let identity = Some(recipient_keys(&bench.tenant, ALICE).identity);
    for (limit, most_pages) in [(100, 4), (2, 7)] {
        let (mut seen, mut pages, mut before) = (Vec::new(), 0, None);
        loop {
            let query = ListQuery { identity, before, looks: 3, limit, ..query(&bench) };
            let page = bench.engine().list(&bench.tenant, query).await.expect("list");
            assert!(page.found.len() <= 4, "of one millisecond some more");
            seen.extend(page.found.iter().map(|v| v.id));
            pages += 1;
            let full = page.found.len() == limit as usize;
            before = page.go_on.or(page.found.last().filter(|_| full).map(|last| last.id));
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, ids);
        assert!(pages > 1 && pages <= most_pages + 1, "{pages} pages");
    }
    let other = ListQuery { status: Some(Status::Pending), identity, looks: 3, ..query(&bench) };
    let page = bench.engine().list(&bench.tenant, other).await.expect("list");
    assert!(page.found.is_empty() && page.go_on.is_some(), "what was not looked at may be there");
}

/// Shows: O9.
pub(super) async fn an_erasure_wipes_who_it_was_and_cancels_what_is_pending<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let approved = bench.open(ALICE).await;
    bench.check(approved.id, &bench.code(approved.id).await).await;
    let pending = bench.open(ALICE).await;
    let others = bench.open(BOB).await;
    let erase = bench.administer(ALICE, "recipient.erased");
    assert_eq!(bench.engine().erase(erase).await.expect("erase"), 2);
    assert_eq!(bench.status(pending.id).await, Status::Canceled);
    for id in [approved.id, pending.id] {
        let record = bench.record(id).await;
        assert!(matches!(record.verification.destinations[0].recipient, StoredRecipient::Masked(_)));
        assert!(record.messages.iter().all(is_wiped));
    }
    let untouched = bench.record(others.id).await.verification;
    assert_eq!(disclose(&bench.keys, &untouched).expect("it opens").to, [BOB]);
}

/// Shows: O9.
pub(super) async fn an_erasure_keeps_the_counters_and_is_audited<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open_and_exhaust(ALICE).await;
    let before = bench.ledger(ALICE).await;
    bench.engine().erase(bench.administer(ALICE, "recipient.erased")).await.expect("erase");
    assert_eq!(bench.ledger(ALICE).await, before);
    assert_eq!(bench.audit().await.last().map(|event| event.action.as_str()), Some("recipient.erased"));
}

pub(super) async fn an_erasure_takes_the_users_of_every_directory_along<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let (engine, tenant) = (bench.engine(), &bench.tenant);
    for (id, to) in [(1, ALICE), (2, BOB)] {
        let put = engine.put_user(tenant, &directory(), user(&bench, id, to), None, NameConflict::Move).await;
        assert_eq!(put, Ok(PutUser::Written));
    }
    let elsewhere = DirectoryName::parse("elsewhere").expect("a directory's name");
    let put = engine.put_user(tenant, &elsewhere, user(&bench, 1, ALICE), None, NameConflict::Move).await;
    assert_eq!(put, Ok(PutUser::Written));
    engine.erase(bench.administer(ALICE, "recipient.erased")).await.expect("erase");
    assert_eq!(engine.find_user(tenant, &directory(), UserIndex::Id([1; 16])).await.expect("find"), None);
    assert_eq!(engine.find_user(tenant, &elsewhere, UserIndex::Id([1; 16])).await.expect("find"), None);
    assert!(engine.find_user(tenant, &directory(), UserIndex::Id([2; 16])).await.expect("find").is_some());
}

pub(super) async fn an_erasure_reaches_what_its_users_verify_for_themselves<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let stored = user(&bench, 1, ALICE);
    let put = bench.engine().put_user(&bench.tenant, &directory(), stored, None, NameConflict::Move).await;
    assert_eq!(put, Ok(PutUser::Written));
    let mut start = bench.start_of(ALICE);
    let address = start.destinations[0].keys.identity;
    start.destinations[0].keys.identity = bench.keys.users_own(&bench.tenant, &user_key(1), &address);
    let own = opened(bench.start(start).await);
    let wiped = bench.engine().erase(bench.administer(ALICE, "recipient.erased")).await;
    assert_eq!(wiped, Ok(1));
    let stored = bench.record(own.id).await;
    assert!(matches!(stored.verification.destinations[0].recipient, StoredRecipient::Masked(_)));
    assert!(stored.messages.iter().all(is_wiped));
}

pub(super) async fn an_erasure_reaches_the_answers_that_are_repeated<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let start = StartCommand { idempotency: Some(claim(1, 1)), ..bench.start_of(ALICE) };
    let id = opened(bench.start(start.clone()).await).id;
    bench.engine().erase(bench.administer(ALICE, "recipient.erased")).await.expect("erase");
    let told = opened(replayed(bench.engine().start(start).await.expect("start")));
    assert_eq!(told.id, id);
    assert_eq!(told.destinations[0].recipient, StoredRecipient::Masked("erased".into()));
}

pub(super) async fn a_masked_verification_is_masked_in_repeated_answers<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.keep_recipient = Duration::ZERO;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    let check = CheckCommand { idempotency: Some(claim(1, 1)), ..bench.check_of(verification.id, &code) };
    assert!(is_right(&bench.give(check.clone()).await));
    assert_eq!(bench.sweep().await.masked, 1);
    let again = replayed(bench.engine().check(check).await.expect("check"));
    let CheckOutcome::Right { verification: told } = again else { panic!("{again:?}") };
    let now_known = bench.record(verification.id).await.verification;
    assert_eq!(told.destinations[0].recipient, now_known.destinations[0].recipient);
}

/// Shows: K7.
pub(super) async fn the_audit_chain_holds_up_to_its_head<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let engine = bench.engine();
    assert_eq!(engine.audit_head().await.expect("read"), None);
    let event = |action| audit_event(&bench.tenant, action, bench.now());
    engine.append_audit(vec![event("one"), event("two")]).await.expect("append");
    engine.append_audit(vec![event("three")]).await.expect("append");
    let mut verifier = Verifier::new(&bench.keys);
    for entry in engine.audit_entries(0, 100).await.expect("read") {
        verifier.entry(&entry).expect("an unbroken chain");
    }
    let head = engine.audit_head().await.expect("read");
    assert_eq!(verifier.finish(head.as_ref()), Ok(3));
}

/// Also when nothing is added to the log: an older head fits no later store.
///
/// Shows: F17.
pub(super) async fn the_audit_head_goes_with_the_latest_instant<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let engine = bench.engine();
    engine.append_audit(vec![audit_event(&bench.tenant, "one", bench.now())]).await.expect("append");
    let mut seals = Vec::new();
    for _ in 0..3 {
        bench.open(ALICE).await;
        let sealed = engine.audit_head().await.expect("read").expect("a head");
        assert_eq!((Some(sealed.mark), sealed.head.seq), (engine.high_water().await.expect("read"), 1));
        assert!(sealed.holds(&bench.keys));
        assert!(!seals.contains(&sealed.seal));
        seals.push(sealed.seal);
        bench.wait(HOUR);
    }
}

pub(super) async fn audit_entries_come_in_order_and_in_pages<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let event = |n: u64| audit_event(&bench.tenant, &format!("event.{n}"), bench.now());
    bench.engine().append_audit((1..=5).map(event).collect()).await.expect("append");
    for (after, expected) in [(0, vec![1, 2]), (2, vec![3, 4]), (4, vec![5]), (5, vec![])] {
        let page = bench.engine().audit_entries(after, 2).await.expect("read");
        assert_eq!(page.iter().map(|entry| entry.seq).collect::<Vec<_>>(), expected);
    }
}
