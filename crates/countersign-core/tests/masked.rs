//! Nothing prints what it must not: `Debug` ends up in logs, panics and bug reports.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use countersign_core::code::Code;
use countersign_core::directory::{Directories, NewUser, UserBy};
use countersign_core::engine::{
    Accepted, AcceptedKind, CheckTarget, Delivery, DestinationRequest, Engine, Idempotent, Intent, ListQuery,
    SendOutcome, StartCommand, UserAddress, UserIndex, UserKey,
};
use countersign_core::entropy::Entropy;
use countersign_core::ids::VerificationId;
use countersign_core::keys::{KeyMaterial, SecretKey};
use countersign_core::link::{LinkPart, LinkTemplate};
use countersign_core::names::{Channel, DialectName, Purpose};
use countersign_core::outbox::{Payload, Slots};
use countersign_core::policy::TestNumbers;
use countersign_core::provider::Routes;
use countersign_core::recipient::{EmailAddress, PhoneNumber, Recipient};
use countersign_core::template::Templates;
use countersign_core::tenant::Tenant;
use countersign_core::testkit::{ManualClock, MemoryEngine, SeededEntropy, commands, keys, tenant};
use countersign_core::time::Clock;
use countersign_core::verifications::{
    Account, Check, CheckOf, IdempotencyKey, Resend, Start, Target, Verifications,
};

const PHONE: &str = "+12125550187";
const MAIL: &str = "canary.person@example.com";
const CODE: &str = "918273";
const LINK: &str = "https://example.com/canary-link?c=";
const USER: &str = "canary-user";
const KEY: &str = "canary-idempotency-key";
const PAIR: (&str, &str) = ("canary-name", "canary-value");
const BYTE: u8 = 0xA7;

/// What no `Debug` may show. A seed is 32 equal bytes here, printed as a list of numbers or as digits.
fn canaries() -> Vec<String> {
    let (decimal, hex) = (format!("{BYTE}, {BYTE}"), format!("{BYTE:x}{BYTE:x}"));
    let texts = ["2125550187", "canary", CODE, &decimal, &hex, "a7, a7", "A7A7"];
    texts.map(str::to_owned).to_vec()
}

fn assert_masked(what: &str, value: &dyn Debug) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        let bytes = shown.replace([' ', '\n'], "");
        for canary in canaries() {
            let found = shown.contains(&canary) || bytes.contains(&canary.replace([' ', '\n'], ""));
            assert!(!found, "the Debug of {what} shows {canary:?}: {shown}");
        }
        // The same texts as bytes: a body or a row that was not opened.
        for text in [PHONE, MAIL, CODE, KEY, PAIR.1] {
            let list = format!("{:?}", text.as_bytes()).replace([' ', '[', ']'], "");
            assert!(!bytes.contains(&list), "the Debug of {what} shows the bytes of {text:?}: {shown}");
        }
    }
}

fn phone() -> PhoneNumber {
    match Recipient::from_canonical(PHONE) {
        Recipient::Phone(phone) => phone,
        Recipient::Email(_) => panic!("a number"),
    }
}

fn mail() -> EmailAddress {
    match Recipient::from_canonical(MAIL) {
        Recipient::Email(mail) => mail,
        Recipient::Phone(_) => panic!("a mailbox"),
    }
}

fn account() -> Account {
    Account { directory: commands::directory(), id: USER.to_owned() }
}

fn code() -> Code {
    Code::parse(CODE).unwrap()
}

fn link() -> LinkTemplate {
    LinkTemplate::new([LinkPart::Literal(LINK), LinkPart::Code]).unwrap()
}

fn pairs() -> BTreeMap<String, String> {
    BTreeMap::from([(PAIR.0.to_owned(), PAIR.1.to_owned())])
}

/// A tenant with everything that may be secret.
fn acme() -> Tenant {
    let mut acme = tenant("acme");
    acme.policy.test_numbers = TestNumbers { ranges: Vec::new(), code: Some(code()) };
    acme
}

fn start_command() -> StartCommand {
    let (clock, acme) = (ManualClock::default(), acme());
    let destination = |recipient: Recipient, channel| DestinationRequest {
        channel,
        ..commands::destination_of(&acme.id, recipient.expose(), 1)
    };
    StartCommand {
        destinations: vec![
            destination(Recipient::Phone(phone()), Channel::Sms),
            destination(Recipient::Email(mail()), Channel::Email),
        ],
        custom_code: Some(code()),
        link: Some(link()),
        metadata: pairs().into(),
        idempotency: Some(commands::claim(1, 2)),
        ..commands::start(&acme.id, PHONE, clock.now(), [BYTE; 32])
    }
}

/// Whoever has a seed has the code that was drawn from it.
#[test]
fn no_command_to_an_engine_prints_a_seed_an_address_a_code_a_link_or_a_callers_text() {
    let (clock, acme) = (ManualClock::default(), acme());
    let now = clock.now();
    let id = VerificationId::from_bytes([1; 16]);
    let keys_of = Recipient::Phone(phone()).keys(&acme.id, &keys());
    assert_masked("a start", &start_command());
    assert_masked("a resend", &commands::resend(&acme.id, id, now, [BYTE; 32]));
    assert_masked("a check", &commands::check(&acme.id, CheckTarget::Id(id), code(), now));
    assert_masked("a release", &commands::administer(&acme.id, PHONE, "recipient.released", now));
    let list =
        ListQuery { identity: Some(keys_of.identity), status: None, before: None, limit: 1, looks: 1, now };
    assert_masked("a list", &list);
    assert_masked("a seed", &SeededEntropy::default().seed());
}

#[test]
fn no_request_to_the_verbs_prints_what_its_caller_said() {
    let acme = acme();
    let dialect = DialectName::parse("native").unwrap();
    let purpose = Purpose::parse("login").unwrap();
    let phone = Recipient::Phone(phone());
    let body = format!(r#"{{"to":"{PHONE}","code":"{CODE}"}}"#);
    let key = || Some(IdempotencyKey { key: KEY, request: body.as_bytes() });
    let targets = [
        Target::Address(phone.clone()),
        Target::User { user: account(), recipient: phone.clone() },
        Target::Claimed { user: account(), recipient: phone.clone() },
        Target::LookAlike { name: MAIL.to_owned(), of: phone.clone() },
        Target::Nobody(MAIL.to_owned()),
    ];
    let start = Start {
        tenant: &acme,
        dialect: &dialect,
        purpose: purpose.clone(),
        intent: Intent::Start,
        delivery: Delivery::Send,
        targets: targets.into_iter().map(|target| (target, None)).collect(),
        locale: None,
        custom_code: Some(code()),
        link: Some(link()),
        context: pairs().into(),
        metadata: pairs().into(),
        client_ip: None,
        trusted: false,
        ends_hold_of: Some(Recipient::Email(mail())),
        terms: None,
        idempotency: key(),
    };
    assert_masked("a start", &start);
    let id = VerificationId::from_bytes([1; 16]);
    let resend =
        Resend { tenant: &acme, dialect: &dialect, id, channel: None, trusted: false, idempotency: key() };
    assert_masked("a resend", &resend);
    for of in [
        CheckOf::Id(id),
        CheckOf::Address(&phone, purpose.clone()),
        CheckOf::User { user: &account(), recipient: &phone, purpose: purpose.clone() },
        CheckOf::AnyPurpose(&phone, vec![purpose.clone()]),
        CheckOf::AnyOf(&account(), std::slice::from_ref(&phone), purpose.clone()),
        CheckOf::Nobody(MAIL, purpose.clone()),
    ] {
        let check = Check {
            tenant: &acme,
            dialect: &dialect,
            of,
            code: code(),
            only_of_length: false,
            context: pairs().into(),
            client_ip: None,
            trusted: false,
            consume: true,
            record_proof: true,
            idempotency: key(),
        };
        assert_masked("a check", &check);
    }
    for by in [UserBy::Id(USER), UserBy::Username(MAIL), UserBy::Address(&phone)] {
        assert_masked("a look-up", &by);
    }
}

#[tokio::test]
async fn nothing_that_an_engine_hands_out_prints_what_is_in_it() {
    let (engine, ring) = (Arc::new(MemoryEngine::new(keys())), Arc::new(keys()));
    let (clock, entropy) = (Arc::new(ManualClock::default()), Arc::new(SeededEntropy::default()));
    let acme = acme();
    let Idempotent::Fresh { outcome, .. } = engine.start(start_command()).await.unwrap() else {
        panic!("a first request")
    };
    assert_masked("an outcome", &outcome);
    let SendOutcome::Accepted(accepted) = &outcome else { panic!("accepted") };
    let returned = Accepted { kind: AcceptedKind::Opened, code: Some(code()), ..(**accepted).clone() };
    assert_masked("an outcome with its code", &returned);
    let record = engine.verification(&acme.id, accepted.verification.id).await.unwrap().unwrap();
    assert_masked("a record", &record);
    let messages = engine.claim_messages(commands::claim_into(Slots::in_all(9), clock.now())).await.unwrap();
    assert_eq!(messages.len(), 2);
    for message in &messages {
        assert_masked("a message", message);
        assert_masked("a payload", &Payload::open(message, &ring).unwrap());
    }
    let routes = Arc::new(Routes::default());
    let templates = Arc::new(Templates::builtin());
    let verbs =
        Verifications::new(engine.clone(), ring.clone(), clock.clone(), entropy.clone(), routes, templates);
    assert_masked("what a verification says", &verbs.disclose(&record.verification).unwrap());
    assert_masked("the verbs", &verbs);

    let name = commands::directory();
    let directory = Directories::new(engine.clone(), ring.clone(), clock, entropy).named(name.clone());
    let new = NewUser {
        id: USER.into(),
        username: Some(MAIL.into()),
        email: Some(mail()),
        phone: Some(phone()),
        ..NewUser::default()
    };
    assert_masked("what became of a user", &directory.create(&acme.id, new).await.unwrap());
    let index = UserIndex::Address(Recipient::Phone(phone()).keys(&acme.id, &ring).identity);
    let stored = engine.find_user(&acme.id, &name, index).await.unwrap().unwrap();
    assert_masked("a stored user", &stored);
    assert_masked(
        "a user's address",
        &UserAddress { user: UserKey { directory: name, id: stored.id }, address: stored.phone.unwrap() },
    );
    assert_masked("a user", &directory.find(&acme.id, UserBy::Id(USER)).await.unwrap());
}

#[test]
fn no_key_and_no_fixed_code_prints() {
    let secret = || SecretKey::new([BYTE; 32]);
    let keys = KeyMaterial {
        pepper: [(1, secret())].into(),
        index: secret(),
        seal: [(1, secret())].into(),
        audit: secret(),
    };
    assert_masked("keys", &keys);
    assert_masked("a tenant", &acme());
}
