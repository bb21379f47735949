//! The users that a tenant registered.

use crate::engine::{CheckCommand, StartCommand, UserIndex};
use crate::engine::{NameConflict, PutUser, StoredUser, UserAddress};
use crate::keys::Sealed;
use crate::names::{DirectoryName, TenantId};
use crate::recipient::Recipient;
use crate::testkit::bench::*;
use crate::testkit::commands::{directory, recipient_keys, user_key};

/// A user with one address.
pub(super) fn user<F: EngineFixture>(bench: &Bench<F>, id: u8, to: &str) -> StoredUser {
    let key = recipient_keys(&bench.tenant, to).identity;
    let is_mail = matches!(Recipient::from_canonical(to), Recipient::Email(_));
    StoredUser {
        email_pending: false,
        phone_pending: true,
        id: [id; 16],
        username: None,
        email: is_mail.then_some(key),
        phone: (!is_mail).then_some(key),
        email_verified: false,
        phone_verified: false,
        sequence: 1,
        created_at: bench.now(),
        changed_at: bench.now(),
        body: Sealed::from_bytes(vec![id]),
    }
}

async fn put<F: EngineFixture>(bench: &Bench<F>, user: StoredUser, expected: Option<u64>) -> bool {
    let put = bench.engine().put_user(&bench.tenant, &directory(), user, expected, NameConflict::Move).await;
    put.expect("put") == PutUser::Written
}

async fn find<F: EngineFixture>(bench: &Bench<F>, index: UserIndex) -> Option<StoredUser> {
    bench.engine().find_user(&bench.tenant, &directory(), index).await.expect("find")
}

/// User 1 with both addresses, one code sent to `to` alone, and its right check.
async fn prove<F: EngineFixture>(bench: &Bench<F>, start: StartCommand, record_proof: bool) -> StoredUser {
    let both = StoredUser { email: user(bench, 1, MAIL).email, ..user(bench, 1, ALICE) };
    assert!(put(bench, both, None).await);
    let verification = opened(bench.start(start).await);
    let code = bench.code(verification.id).await;
    let wrong = CheckCommand { record_proof, ..bench.check_of(verification.id, &wrong(&code)) };
    bench.give(wrong).await;
    let unproven = find(bench, UserIndex::Id([1; 16])).await.expect("it is there");
    assert!(!unproven.phone_verified && !unproven.email_verified);
    bench.wait(SECOND);
    let right = CheckCommand { record_proof, ..bench.check_of(verification.id, &code) };
    assert!(is_right(&bench.give(right).await));
    find(bench, UserIndex::Id([1; 16])).await.expect("it is there")
}

pub(super) async fn a_user_is_found_by_id_name_and_either_address<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let both = StoredUser { email: user(&bench, 1, MAIL).email, ..user(&bench, 1, ALICE) };
    let stored = StoredUser { username: Some([7; 16]), ..both };
    assert!(put(&bench, stored.clone(), None).await);
    let address = |to| UserIndex::Address(recipient_keys(&bench.tenant, to).identity);
    for index in [UserIndex::Id([1; 16]), UserIndex::Username([7; 16]), address(ALICE), address(MAIL)] {
        assert_eq!(find(&bench, index).await.as_ref(), Some(&stored), "{index:?}");
    }
    for index in [UserIndex::Id([7; 16]), UserIndex::Username([1; 16]), address(BOB)] {
        assert_eq!(find(&bench, index).await, None, "{index:?}");
    }
}

pub(super) async fn a_user_is_another_tenants_nobody<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    assert!(put(&bench, user(&bench, 1, ALICE), None).await);
    bench.tenant = TenantId::parse("other").expect("a tenant id");
    assert_eq!(find(&bench, UserIndex::Id([1; 16])).await, None);
    assert!(put(&bench, user(&bench, 1, ALICE), None).await);
}

/// Neither by its id nor by its name nor by an address; and the same id and name are somebody else's there.
pub(super) async fn f3_a_user_is_another_directorys_nobody<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let stored = StoredUser { username: Some([7; 16]), ..user(&bench, 1, ALICE) };
    assert!(put(&bench, stored.clone(), None).await);
    let elsewhere = DirectoryName::parse("elsewhere").expect("a directory's name");
    let (engine, tenant) = (bench.engine(), &bench.tenant);
    let address = UserIndex::Address(recipient_keys(tenant, ALICE).identity);
    for index in [UserIndex::Id([1; 16]), UserIndex::Username([7; 16]), address] {
        assert_eq!(engine.find_user(tenant, &elsewhere, index).await, Ok(None), "{index:?}");
    }
    let other = StoredUser { username: Some([7; 16]), ..user(&bench, 1, BOB) };
    let put = engine.put_user(tenant, &elsewhere, other.clone(), None, NameConflict::Refuse).await;
    assert_eq!(put, Ok(PutUser::Written));
    for index in [UserIndex::Id([1; 16]), UserIndex::Username([7; 16])] {
        assert_eq!(find(&bench, index).await.as_ref(), Some(&stored), "{index:?}");
        assert_eq!(engine.find_user(tenant, &elsewhere, index).await, Ok(Some(other.clone())), "{index:?}");
    }
}

pub(super) async fn a_write_over_a_change_it_did_not_see_is_refused<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let first = user(&bench, 1, ALICE);
    assert!(!put(&bench, first.clone(), Some(1)).await, "there is none yet");
    assert!(put(&bench, first.clone(), None).await);
    assert!(!put(&bench, first.clone(), None).await, "there is one already");
    let second = StoredUser { sequence: 2, ..user(&bench, 1, BOB) };
    assert!(put(&bench, second.clone(), Some(1)).await);
    assert!(!put(&bench, StoredUser { sequence: 2, ..first }, Some(1)).await);
    assert_eq!(find(&bench, UserIndex::Id([1; 16])).await, Some(second));
}

pub(super) async fn a_changed_address_is_no_longer_found<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    assert!(put(&bench, user(&bench, 1, ALICE), None).await);
    assert!(put(&bench, StoredUser { sequence: 2, ..user(&bench, 1, BOB) }, Some(1)).await);
    let address = |to| UserIndex::Address(recipient_keys(&bench.tenant, to).identity);
    assert_eq!(find(&bench, address(ALICE)).await, None);
    assert!(find(&bench, address(BOB)).await.is_some());
}

pub(super) async fn a_name_moves_to_the_user_written_last<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let named = |id, to| StoredUser { username: Some([7; 16]), ..user(&bench, id, to) };
    assert!(put(&bench, named(1, ALICE), None).await);
    assert!(put(&bench, named(2, BOB), None).await);
    let holder = find(&bench, UserIndex::Username([7; 16])).await.expect("somebody has it");
    assert_eq!(holder.id, [2; 16]);
    let loser = find(&bench, UserIndex::Id([1; 16])).await.expect("it is still there");
    assert_eq!(loser.username, None);
}

pub(super) async fn of_several_users_of_an_address_the_last_changed_is_found<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    assert!(put(&bench, user(&bench, 2, ALICE), None).await);
    bench.wait(SECOND);
    assert!(put(&bench, user(&bench, 1, ALICE), None).await);
    bench.wait(SECOND);
    let address = UserIndex::Address(recipient_keys(&bench.tenant, ALICE).identity);
    assert_eq!(find(&bench, address).await.map(|user| user.id), Some([1; 16]));
    assert!(put(&bench, StoredUser { sequence: 2, ..user(&bench, 2, ALICE) }, Some(1)).await);
    assert_eq!(find(&bench, address).await.map(|user| user.id), Some([2; 16]));
}

/// Shows: P14.
pub(super) async fn who_has_proven_an_address_is_found_before_who_only_claims_it<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    assert!(put(&bench, StoredUser { phone_verified: true, ..user(&bench, 1, ALICE) }, None).await);
    bench.wait(SECOND);
    assert!(put(&bench, user(&bench, 2, ALICE), None).await);
    let address = UserIndex::Address(recipient_keys(&bench.tenant, ALICE).identity);
    assert_eq!(find(&bench, address).await.map(|user| user.id), Some([1; 16]));
}

pub(super) async fn a_right_code_proves_the_address_it_was_sent_to<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let proven = prove(&bench, bench.start_of(ALICE), true).await;
    assert!(proven.phone_verified && !proven.email_verified);
    assert_eq!((proven.sequence, proven.changed_at), (2, bench.now()));
}

pub(super) async fn a_shared_code_proves_every_address_it_was_sent_to<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let proven = prove(&bench, bench.start_of_all(&[ALICE, MAIL]), true).await;
    assert!(proven.phone_verified && proven.email_verified);
}

/// The new shared code is good for both, but reached one only.
pub(super) async fn a_code_proves_no_address_it_was_not_sent_to<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.resend_code = crate::policy::ResendCode::New;
    let both = StoredUser { email: user(&bench, 1, MAIL).email, ..user(&bench, 1, ALICE) };
    assert!(put(&bench, both, None).await);
    let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    bench.at_second(30);
    resent(bench.start(bench.start_of(MAIL)).await);
    let code = bench.code(verification.id).await;
    let right = CheckCommand { record_proof: true, ..bench.check_of(verification.id, &code) };
    assert!(is_right(&bench.give(right).await));
    let proven = find(&bench, UserIndex::Id([1; 16])).await.expect("it is there");
    assert!(proven.email_verified && !proven.phone_verified);
}

pub(super) async fn one_users_proof_is_recorded_with_nobody_else<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    assert!(put(&bench, user(&bench, 1, ALICE), None).await);
    assert!(put(&bench, user(&bench, 2, ALICE), None).await);
    let verification = opened(bench.start(bench.start_of(ALICE)).await);
    let code = bench.code(verification.id).await;
    let address = recipient_keys(&bench.tenant, ALICE).identity;
    let right = CheckCommand {
        record_proof: true,
        user: Some(UserAddress { user: user_key(2), address }),
        ..bench.check_of(verification.id, &code)
    };
    assert!(is_right(&bench.give(right).await));
    let other = find(&bench, UserIndex::Id([1; 16])).await.expect("it is there");
    let proven = find(&bench, UserIndex::Id([2; 16])).await.expect("it is there");
    assert!(!other.phone_verified && other.phone_pending);
    assert!(proven.phone_verified && !proven.phone_pending);
}

pub(super) async fn a_name_is_not_taken_from_another_where_it_was_not_to_move<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let named = |id, to| StoredUser { username: Some([7; 16]), ..user(&bench, id, to) };
    assert!(put(&bench, named(1, ALICE), None).await);
    let refuse = NameConflict::Refuse;
    let second = bench.engine().put_user(&bench.tenant, &directory(), named(2, BOB), None, refuse).await;
    assert_eq!(second, Ok(PutUser::NameTaken));
    assert_eq!(find(&bench, UserIndex::Id([2; 16])).await, None);
    let own = StoredUser { sequence: 2, ..named(1, ALICE) };
    let own = bench.engine().put_user(&bench.tenant, &directory(), own, Some(1), refuse).await;
    assert_eq!(own, Ok(PutUser::Written));
}

pub(super) async fn nothing_is_proven_unless_it_was_asked_for<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let unproven = prove(&bench, bench.start_of(ALICE), false).await;
    assert!(!unproven.phone_verified);
    assert_eq!(unproven.sequence, 1);
}
