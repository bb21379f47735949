//! Verifications of one user's address, through the verbs: whose they are, what they share, what they prove.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::code::Code;
use countersign_core::directory::{Directories, Directory, NewUser, User, UserBy};
use countersign_core::engine::{
    AcceptedKind, CheckOutcome, Delivery, Idempotent, Intent, Refusal, SendOutcome,
};
use countersign_core::names::{DialectName, Purpose};
use countersign_core::provider::Routes;
use countersign_core::recipient::{PhoneNumber, Recipient};
use countersign_core::template::Templates;
use countersign_core::tenant::Tenant;
use countersign_core::testkit::{ManualClock, MemoryEngine, SeededEntropy, keys, tenant};
use countersign_core::verifications::{Check, CheckOf, Start, Target, Verifications};

struct App {
    verifications: Verifications,
    directory: Directory,
    clock: Arc<ManualClock>,
    acme: Tenant,
    dialect: DialectName,
    purpose: Purpose,
}

fn number() -> PhoneNumber {
    match Recipient::from_canonical("+12125550123") {
        Recipient::Phone(phone) => phone,
        Recipient::Email(_) => panic!("a number"),
    }
}

impl App {
    /// Two users with one number.
    async fn new() -> Self {
        let (clock, entropy) = (Arc::new(ManualClock::default()), Arc::new(SeededEntropy::default()));
        let (engine, ring) = (Arc::new(MemoryEngine::new(keys())), Arc::new(keys()));
        let (routes, templates) = (Arc::new(Routes::default()), Arc::new(Templates::builtin()));
        let verifications = Verifications::new(
            engine.clone(),
            ring.clone(),
            clock.clone(),
            entropy.clone(),
            routes,
            templates,
        );
        let directories = Directories::new(engine, ring, clock.clone(), entropy);
        let directory = directories.named("users".parse().unwrap());
        let acme = tenant("acme");
        for id in ["ann", "bob"] {
            let new = NewUser { id: id.into(), phone: Some(number()), ..NewUser::default() };
            directory.create(&acme.id, new).await.unwrap();
        }
        let (dialect, purpose) = (DialectName::parse("zitadel").unwrap(), Purpose::parse("phone").unwrap());
        Self { verifications, directory, clock, acme, dialect, purpose }
    }

    async fn start(&self, user: &str, delivery: Delivery) -> SendOutcome {
        let target = Target::User { user: self.directory.account(user), recipient: Recipient::Phone(number()) };
        let request = Start {
            tenant: &self.acme,
            dialect: &self.dialect,
            purpose: self.purpose.clone(),
            intent: Intent::Start,
            delivery,
            targets: vec![(target, None)],
            locale: None,
            custom_code: None,
            link: None,
            context: BTreeMap::new(),
            metadata: BTreeMap::new(),
            client_ip: None,
            terms: None,
            idempotency: None,
        };
        match self.verifications.start(request).await.unwrap() {
            Idempotent::Fresh { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// Opens a verification of a user's number; its code.
    async fn code(&self, user: &str) -> Code {
        match self.start(user, Delivery::Return).await {
            SendOutcome::Accepted(accepted) => accepted.code.unwrap(),
            SendOutcome::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    async fn check(&self, user: &str, code: &Code) -> CheckOutcome {
        let recipient = Recipient::Phone(number());
        let of = CheckOf::User { user: &self.directory.account(user), recipient: &recipient, purpose: self.purpose.clone() };
        let check = Check {
            dialect: &self.dialect,
            tenant: &self.acme,
            of,
            code: code.clone(),
            context: BTreeMap::new(),
            consume: true,
            record_proof: true,
            idempotency: None,
        };
        match self.verifications.check(check).await.unwrap() {
            Idempotent::Fresh { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    async fn user(&self, id: &str) -> User {
        self.directory.find(&self.acme.id, UserBy::Id(id)).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_users_code_proves_that_users_number_and_nobody_elses() {
    let app = App::new().await;
    let (anns, bobs) = (app.code("ann").await, app.code("bob").await);
    assert!(matches!(app.check("ann", &bobs).await, CheckOutcome::Rejected { .. }));
    assert!(matches!(app.check("ann", &anns).await, CheckOutcome::Right { .. }));
    assert!(app.user("ann").await.phone_verified && !app.user("bob").await.phone_verified);
}

#[tokio::test]
async fn a_number_that_is_no_longer_the_users_is_not_proven_by_its_code() {
    let app = App::new().await;
    let code = app.code("ann").await;
    let remove = |user: &mut User| {
        user.set_phone(None);
        Ok::<_, ()>(())
    };
    app.directory.update(&app.acme.id, "ann", remove).await.unwrap().unwrap();
    app.check("ann", &code).await;
    assert!(!app.user("ann").await.phone_verified);
}

#[tokio::test]
async fn users_with_one_number_wait_for_themselves_and_share_its_budget() {
    let app = App::new().await;
    let opened = |outcome: &SendOutcome| matches!(outcome, SendOutcome::Accepted(accepted) if accepted.kind == AcceptedKind::Opened);
    assert!(
        opened(&app.start("ann", Delivery::Pretend).await)
            && opened(&app.start("bob", Delivery::Pretend).await)
    );
    for _ in 0..3 {
        app.clock.advance(Duration::from_secs(601));
        assert!(opened(&app.start("ann", Delivery::Pretend).await));
    }
    let sixth = app.start("bob", Delivery::Pretend).await;
    assert!(matches!(sixth, SendOutcome::Refused(Refusal::RecipientLimit { .. })), "{sixth:?}");
}
