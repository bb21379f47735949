//! Verifications of one user's address, through the verbs: whose they are, what they share, what they prove.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use countersign_core::code::Code;
use countersign_core::directory::{Directories, Directory, NewUser, User, UserBy};
use countersign_core::engine::{
    AcceptedKind, CheckOutcome, Delivery, Idempotent, Intent, Refusal, SendOutcome,
};
use countersign_core::names::{DialectName, Purpose};
use countersign_core::pairs::Pairs;
use countersign_core::provider::Routes;
use countersign_core::recipient::{PhoneNumber, Recipient};
use countersign_core::template::Templates;
use countersign_core::tenant::Tenant;
use countersign_core::testkit::{ManualClock, MemoryEngine, SeededEntropy, keys, tenant};
use countersign_core::verifications::{Check, CheckOf, RequestError, Resend, Start, Target, Verifications};

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
        let target =
            Target::User { user: self.directory.account(user), recipient: Recipient::Phone(number()) };
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
            context: Pairs::default(),
            metadata: Pairs::default(),
            client_ip: None,
            trusted: false,
            ends_hold_of: None,
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
        let of = CheckOf::User {
            user: &self.directory.account(user),
            recipient: &recipient,
            purpose: self.purpose.clone(),
        };
        let check = Check {
            dialect: &self.dialect,
            tenant: &self.acme,
            of,
            code: code.clone(),
            only_of_length: false,
            context: Pairs::default(),
            client_ip: None,
            trusted: false,
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

/// In whatever order, with a user or without: nothing is decided.
///
/// Shows: F2.
#[tokio::test]
async fn f2_a_request_that_mixes_test_numbers_and_real_addresses_is_refused() {
    let mut app = App::new().await;
    app.acme.policy.test_numbers.ranges = vec![(12_125_550_100, 12_125_550_199)];
    let mail = || Recipient::from_canonical("ann@example.com");
    let test = || Target::Address(Recipient::Phone(number()));
    let claimed = || Target::Claimed { user: app.directory.account("ann"), recipient: mail() };
    for targets in [
        vec![test(), Target::Address(mail())],
        vec![Target::Address(mail()), test()],
        vec![claimed(), test()],
        vec![test(), Target::Nobody("nobody".into())],
    ] {
        for delivery in [Delivery::Send, Delivery::Return, Delivery::Pretend] {
            let request = Start {
                tenant: &app.acme,
                dialect: &app.dialect,
                purpose: app.purpose.clone(),
                intent: Intent::Start,
                delivery,
                targets: targets.iter().map(|target| (target.clone(), None)).collect(),
                locale: None,
                custom_code: None,
                link: None,
                context: Pairs::default(),
                metadata: Pairs::default(),
                client_ip: None,
                trusted: false,
                ends_hold_of: None,
                terms: None,
                idempotency: None,
            };
            let refused = app.verifications.start(request).await;
            assert_eq!(refused.unwrap_err(), RequestError::TestAndReal, "{targets:?} {delivery:?}");
        }
    }
    assert!(app.verifications.list(&app.acme, None, None, None, 10).await.unwrap().found.is_empty());
}

/// A number that has become one for tests since its verification was opened, or the other way round, is not sent
/// to again: a provider must not see it, and a public code must not prove it.
///
/// Shows: F2.
#[tokio::test]
async fn f2_by_id_nothing_is_sent_to_a_number_that_changed_sides() {
    for was_test in [false, true] {
        let mut app = App::new().await;
        let ranges = |test: bool| if test { vec![(12_125_550_100, 12_125_550_199)] } else { Vec::new() };
        app.acme.policy.test_numbers.ranges = ranges(was_test);
        let outcome = app.start("ann", Delivery::Return).await;
        let SendOutcome::Accepted(accepted) = outcome else { panic!("{outcome:?}") };
        app.acme.policy.test_numbers.ranges = ranges(!was_test);
        let resend = Resend {
            tenant: &app.acme,
            dialect: &app.dialect,
            id: accepted.verification.id,
            channel: None,
            trusted: false,
            idempotency: None,
        };
        assert_eq!(app.verifications.resend(resend).await.unwrap_err(), RequestError::TestAndReal);
    }
}

/// It is counted with the address, so that whatever that is held for or has used up, a caller learns the same.
///
/// Shows: F21.
#[tokio::test]
async fn f21_a_look_alike_of_somebody_shares_their_limits() {
    let app = App::new().await;
    let of = Recipient::Phone(number());
    let look_alike = async || {
        let target = Target::LookAlike { name: "somebody".into(), of: of.clone() };
        let request = Start {
            tenant: &app.acme,
            dialect: &app.dialect,
            purpose: app.purpose.clone(),
            intent: Intent::Start,
            delivery: Delivery::Pretend,
            targets: vec![(target, None)],
            locale: None,
            custom_code: None,
            link: None,
            context: Pairs::default(),
            metadata: Pairs::default(),
            client_ip: None,
            trusted: false,
            ends_hold_of: None,
            terms: None,
            idempotency: None,
        };
        app.verifications.start(request).await.unwrap()
    };
    for _ in 0..5 {
        assert!(matches!(app.start("ann", Delivery::Pretend).await, SendOutcome::Accepted(_)));
        app.clock.advance(Duration::from_secs(601));
    }
    let refused = look_alike().await;
    let Idempotent::Fresh { outcome: SendOutcome::Refused(refusal), .. } = refused else {
        panic!("{refused:?}")
    };
    assert!(matches!(refusal, Refusal::RecipientLimit { .. }), "{refusal:?}");
}
