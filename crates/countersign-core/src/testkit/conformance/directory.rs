//! The users that a tenant registered.

use std::time::Duration;

use crate::engine::{CLAIMS_PER_ADDRESS, NameConflict, PutUser, StoredUser};
use crate::engine::{CheckCommand, StartCommand, UserIndex};
use crate::keys::Sealed;
use crate::names::{DirectoryName, TenantId};
use crate::policy::CodeSharing;
use crate::recipient::Recipient;
use crate::testkit::bench::*;
use crate::testkit::commands::{directory, recipient_keys};

/// A user with one address.
pub(super) fn user<F: EngineFixture>(bench: &Bench<F>, id: u8, to: &str) -> StoredUser {
    let key = recipient_keys(&bench.tenant, to).identity;
    let is_mail = matches!(Recipient::from_canonical(to), Recipient::Email(_));
    StoredUser {
        email_pending: false,
        phone_pending: true,
        confirmed: false,
        unproven_life: None,
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
///
/// Shows: F3.
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
    let proven = prove(&bench, bench.start_for(ALICE, 1), true).await;
    assert!(proven.phone_verified && !proven.email_verified);
    assert_eq!((proven.sequence, proven.changed_at), (2, bench.now()));
}

/// Whoever read one of the addresses has it.
///
/// Shows: F1.
pub(super) async fn f1_a_shared_code_proves_the_user_and_no_address<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.sharing = CodeSharing::Shared;
    let proven = prove(&bench, bench.start_of_all(&[ALICE, MAIL]), true).await;
    assert!(!proven.phone_verified && !proven.email_verified);
    assert!(proven.confirmed && proven.is_proven());
}

pub(super) async fn a_code_of_several_proves_the_address_it_was_sent_to<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    // The newest message is the mailbox'.
    let proven = prove(&bench, bench.start_of_all(&[ALICE, MAIL]), true).await;
    assert!(proven.email_verified && !proven.phone_verified);
}

/// Two users claim one number; the code was asked for by the second. So it is where it is sent again without
/// a word about the user, while it runs and after it expired.
///
/// Shows: F3.
pub(super) async fn f3_a_proof_is_recorded_with_the_user_it_was_asked_for_and_nobody_else<
    F: EngineFixture,
>() {
    for (wait, again) in [(0, false), (30, true), (700, true)] {
        let bench = Bench::<F>::new().await;
        assert!(put(&bench, user(&bench, 1, ALICE), None).await);
        assert!(put(&bench, user(&bench, 2, ALICE), None).await);
        let mut verification = opened(bench.start(bench.start_for(ALICE, 2)).await);
        bench.at_second(wait);
        if again {
            verification = accepted(bench.start(bench.start_of(ALICE)).await).1;
        }
        let code = bench.code(verification.id).await;
        let right = CheckCommand { record_proof: true, ..bench.check_of(verification.id, &code) };
        assert!(is_right(&bench.give(right).await));
        let other = find(&bench, UserIndex::Id([1; 16])).await.expect("it is there");
        let proven = find(&bench, UserIndex::Id([2; 16])).await.expect("it is there");
        assert!(!other.phone_verified && other.phone_pending, "after {wait} s");
        assert!(proven.phone_verified && !proven.phone_pending, "after {wait} s");
    }
}

/// Nobody asked for it in a user's name, so that it proves nothing of any user who claims the address.
///
/// Shows: F3.
pub(super) async fn f3_what_nobody_asked_for_proves_nothing_of_who_claims_it<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let claims = prove(&bench, bench.start_of(ALICE), true).await;
    assert!(!claims.phone_verified && claims.phone_pending);
    assert_eq!(claims.sequence, 1);
}

/// The same id in another directory is another user.
///
/// Shows: F3.
pub(super) async fn f3_a_proof_stays_in_its_directory<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let elsewhere = DirectoryName::parse("elsewhere").expect("a directory's name");
    let twin = user(&bench, 1, ALICE);
    let (engine, tenant) = (bench.engine(), &bench.tenant);
    let put = engine.put_user(tenant, &elsewhere, twin.clone(), None, NameConflict::Move).await;
    assert_eq!(put, Ok(PutUser::Written));
    assert!(prove(&bench, bench.start_for(ALICE, 1), true).await.phone_verified);
    let found = engine.find_user(tenant, &elsewhere, UserIndex::Id([1; 16])).await;
    assert_eq!(found, Ok(Some(twin)));
}

/// Nothing is written, also where the name was to move.
///
/// Shows: F20.
pub(super) async fn f20_a_name_moves_only_from_who_has_proven_nothing<F: EngineFixture>() {
    for (proven, moves) in [("", true), ("phone", false), ("confirmed", false)] {
        let bench = Bench::<F>::new().await;
        let named = |id, to| StoredUser { username: Some([7; 16]), ..user(&bench, id, to) };
        let holder = StoredUser {
            phone_verified: proven == "phone",
            confirmed: proven == "confirmed",
            ..named(1, ALICE)
        };
        assert!(put(&bench, holder, None).await);
        assert_eq!(put(&bench, named(2, BOB), None).await, moves, "{proven:?}");
        let holder = find(&bench, UserIndex::Username([7; 16])).await.expect("somebody has it");
        assert_eq!(holder.id, if moves { [2; 16] } else { [1; 16] }, "{proven:?}");
        assert_eq!(find(&bench, UserIndex::Id([2; 16])).await.is_some(), moves, "{proven:?}");
    }
}

/// To the millisecond; a proof keeps it, and so does having no such time.
///
/// Shows: F20.
pub(super) async fn f20_a_user_of_whom_nothing_is_proven_ends<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let ending = |id, to| StoredUser { unproven_life: Some(30 * DAY), ..user(&bench, id, to) };
    for stored in [ending(1, ALICE), ending(2, BOB), user(&bench, 3, BOB)] {
        assert!(put(&bench, stored, None).await);
    }
    let verification = opened(bench.start(bench.start_for(BOB, 2)).await);
    let code = bench.code(verification.id).await;
    let right = CheckCommand { record_proof: true, ..bench.check_of(verification.id, &code) };
    assert!(is_right(&bench.give(right).await));
    bench.wait(30 * DAY - Duration::from_millis(1));
    bench.sweep().await;
    let there = async |id| find(&bench, UserIndex::Id([id; 16])).await.is_some();
    assert!(there(1).await && there(2).await && there(3).await);
    bench.wait(Duration::from_millis(1));
    bench.sweep().await;
    assert!(!there(1).await && there(2).await && there(3).await);
    bench.wait(365 * DAY);
    bench.sweep().await;
    assert!(there(2).await && there(3).await);
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
    let unproven = prove(&bench, bench.start_for(ALICE, 1), false).await;
    assert!(!unproven.phone_verified);
    assert_eq!(unproven.sequence, 1);
}

/// A stranger's claims do not keep the owner out where users end by themselves: hers is the newest.
///
/// Shows: F15.
pub(super) async fn f15_a_claim_too_many_ends_the_oldest_claim<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let month = Some(30 * DAY);
    let most = u8::try_from(CLAIMS_PER_ADDRESS).expect("few");
    for id in 1..=most + 1 {
        let ending = StoredUser { unproven_life: month, ..user(&bench, id, MAIL) };
        assert!(put(&bench, ending, None).await, "{id}");
        bench.wait(SECOND);
    }
    assert_eq!(find(&bench, UserIndex::Id([1; 16])).await, None);
    assert!(find(&bench, UserIndex::Id([2; 16])).await.is_some());
    // Who is there already changes as before, and who proves the address needs no room.
    let stored = find(&bench, UserIndex::Id([3; 16])).await.expect("it is there");
    assert!(put(&bench, StoredUser { sequence: 2, ..stored }, Some(1)).await);
    assert!(put(&bench, StoredUser { email_verified: true, ..user(&bench, 200, MAIL) }, None).await);
    assert!(find(&bench, UserIndex::Id([2; 16])).await.is_some());
}

/// Shows: F15.
pub(super) async fn f15_a_refused_claim_takes_no_name<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let most = u8::try_from(CLAIMS_PER_ADDRESS).expect("few");
    for id in 1..=most {
        assert!(put(&bench, StoredUser { username: Some([id; 16]), ..user(&bench, id, MAIL) }, None).await);
    }
    let refused = StoredUser { username: Some([1; 16]), ..user(&bench, most + 1, MAIL) };
    assert!(!put(&bench, refused, None).await);
    assert_eq!(find(&bench, UserIndex::Username([1; 16])).await.expect("it is there").id, [1; 16]);
}

/// Shows: F15.
pub(super) async fn f15_users_that_do_not_end_give_way_to_no_claim<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let most = u8::try_from(CLAIMS_PER_ADDRESS).expect("few");
    for id in 1..=most {
        assert!(put(&bench, user(&bench, id, MAIL), None).await, "{id}");
    }
    let refused = user(&bench, most + 1, MAIL);
    let refused =
        bench.engine().put_user(&bench.tenant, &directory(), refused, None, NameConflict::Refuse).await;
    assert_eq!(refused, Ok(PutUser::AddressFull));
    assert_eq!(find(&bench, UserIndex::Id([most + 1; 16])).await, None);
    assert!(put(&bench, user(&bench, most + 1, ALICE), None).await, "another address has room");
}
