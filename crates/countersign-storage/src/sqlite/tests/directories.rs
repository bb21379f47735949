//! Stores of before users were kept apart by directory.

use std::path::Path;

use countersign_core::codec::to_row;
use countersign_core::engine::{Engine, NameConflict, PutUser, StoredUser, UserIndex};
use countersign_core::keys::{RecipientKey, Sealed};
use countersign_core::names::{DirectoryName, TenantId};
use countersign_core::testkit::ManualClock;
use countersign_core::testkit::bench::ALICE;
use countersign_core::testkit::commands::{administer, recipient_keys};
use rusqlite::Connection;

use super::super::migrations::{MIGRATIONS, migrate};
use super::{open, quiet};

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn user(id: u8) -> StoredUser {
    StoredUser {
        id: [id; 16],
        username: Some([id; 16]),
        email: None,
        phone: Some(recipient_keys(&acme(), ALICE).identity),
        email_verified: false,
        phone_verified: true,
        sequence: 3,
        created_at: ManualClock::START,
        changed_at: ManualClock::START,
        body: Sealed::from_bytes(vec![id]),
        email_pending: false,
        phone_pending: false,
        confirmed: false,
        unproven_life: None,
    }
}

/// A store of the third schema, with users.
fn store_of_before(path: &Path, users: &[StoredUser]) {
    let conn = Connection::open(path).unwrap();
    migrate(&conn, &MIGRATIONS[..3], |_, _| Ok(())).unwrap();
    conn.execute("INSERT INTO tenants (number, name) VALUES (1, 'acme')", ()).unwrap();
    for user in users {
        let phone = user.phone.as_ref().map(RecipientKey::as_bytes);
        conn.execute(
            "INSERT INTO users (tenant, id, username, phone, changed_at, row) VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            (user.id, user.username, phone, user.changed_at.as_millis(), to_row(user)),
        )
        .unwrap();
    }
}

/// More of them than are filed in one commit: none is lost, each is found where it was filed and nowhere else, and
/// nobody finds one that was not filed yet.
///
/// Shows: F3.
#[tokio::test]
async fn f3_users_of_before_are_in_the_directory_that_they_are_filed_under() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let many = |n: u16| {
        let mut key = [0; 16];
        key[..2].copy_from_slice(&n.to_be_bytes());
        StoredUser { id: key, username: Some(key), ..user(0) }
    };
    let users: Vec<StoredUser> = (0..600).map(many).collect();
    store_of_before(&path, &users);
    let engine = open(&path, &quiet()).unwrap();
    let names = ["even", "odd"].map(|name| DirectoryName::parse(name).unwrap());
    for name in &names {
        let found = engine.find_user(&acme(), name, UserIndex::Id(users[0].id)).await;
        assert_eq!(found, Ok(None), "not filed yet");
    }
    let whose = |tenant: &TenantId, user: &StoredUser| {
        assert_eq!(*tenant, acme());
        names[usize::from(user.id[1] % 2)].clone()
    };
    assert_eq!(engine.file_users(whose).await, Ok(600));
    assert_eq!(engine.file_users(whose).await, Ok(0));
    for (n, user) in users.iter().enumerate() {
        let (own, other) = (&names[n % 2], &names[1 - n % 2]);
        for index in [UserIndex::Id(user.id), UserIndex::Username(user.id)] {
            assert_eq!(engine.find_user(&acme(), own, index).await, Ok(Some(user.clone())), "{n}");
            assert_eq!(engine.find_user(&acme(), other, index).await, Ok(None), "{n}");
        }
    }
}

/// What identifies somebody is erased, filed or not.
#[tokio::test]
async fn an_erasure_reaches_users_that_are_not_filed_yet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    store_of_before(&path, &[user(1)]);
    let engine = open(&path, &quiet()).unwrap();
    engine.erase(administer(&acme(), ALICE, "recipient.erased", ManualClock::START)).await.unwrap();
    let nobody = |_: &TenantId, _: &StoredUser| panic!("it was erased");
    assert_eq!(engine.file_users(nobody).await, Ok(0));
}

/// One that cannot be read, one whose id is taken, and more than an address has room for: the start goes on, none of
/// them is lost, and the others are filed.
///
/// Shows: F3.
#[tokio::test]
async fn f3_a_user_of_before_is_never_lost_and_stops_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let many = |n: u8| StoredUser { username: None, phone_verified: false, ..user(n) };
    let users: Vec<StoredUser> = (0..=250).map(many).collect();
    store_of_before(&path, &users);
    let conn = Connection::open(&path).unwrap();
    conn.execute("UPDATE users SET row = x'00' WHERE id = ?1", [[7; 16]]).unwrap();
    drop(conn);
    let engine = open(&path, &quiet()).unwrap();
    let into = DirectoryName::parse("users").unwrap();
    let namesake = StoredUser { phone: None, ..many(9) };
    let put = engine.put_user(&acme(), &into, namesake.clone(), None, NameConflict::Refuse).await;
    assert_eq!(put, Ok(PutUser::Written));

    assert_eq!(engine.file_users(|_, _| into.clone()).await, Ok(249));
    assert_eq!(engine.file_users(|_, _| into.clone()).await, Ok(0));
    for user in &users {
        let found = engine.find_user(&acme(), &into, UserIndex::Id(user.id)).await.unwrap();
        match user.id[0] {
            7 => assert_eq!(found, None),
            9 => assert_eq!(found.as_ref(), Some(&namesake)),
            _ => assert_eq!(found.as_ref(), Some(user)),
        }
    }
    drop(engine);
    let conn = Connection::open(&path).unwrap();
    let left = "SELECT count(*) FROM users WHERE directory = '' AND id IN (?1, ?2)";
    let left: i64 = conn.query_row(left, ([7; 16], [9; 16]), |row| row.get(0)).unwrap();
    assert_eq!(left, 2, "both are still there");
}
