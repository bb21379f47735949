//! Opening a verification, and starts while one is running.

use std::collections::BTreeMap;

use crate::engine::{
    AcceptedKind, CancelOutcome, CheckCommand, CheckOutcome, Intent, Refusal, Rejection, StartCommand,
};
use crate::link::{Link, LinkPart, LinkTemplate};
use crate::names::{Purpose, TenantId};
use crate::outbox::{MessageState, Payload};
use crate::testkit::bench::*;
use crate::testkit::commands::{code, recipient_keys};
use crate::verification::disclose;
use crate::verification::{RecipientLedger, Status};

/// Shows: P30.
pub(super) async fn a_start_commits_the_verification_and_its_message_together<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let record = bench.record(verification.id).await;
    assert_eq!((record.verification.status, record.verification.sends_used), (Status::Pending, 1));
    assert_eq!(record.messages.len(), 1);
    assert_eq!(record.messages[0].state, MessageState::Queued);
    let payload = Payload::open(&record.messages[0], &bench.keys).expect("it opens");
    assert_eq!((payload.recipient.expose(), payload.code.expose().len()), (ALICE, 6));
}

fn link(page: &str) -> LinkTemplate {
    let parts = [LinkPart::Literal("https://example.com/"), LinkPart::Value(page), LinkPart::Code];
    LinkTemplate::new(parts).expect("a link")
}

pub(super) async fn a_mail_is_sealed_with_the_callers_link_and_a_text_message_without<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let start = StartCommand { link: Some(link("a?c=")), ..bench.start_of_all(&[MAIL, ALICE]) };
    let verification = opened(bench.start(start).await);
    for message in bench.record(verification.id).await.messages {
        let payload = Payload::open(&message, &bench.keys).expect("it opens");
        let expected = format!("https://example.com/a%3Fc%3D{}", payload.code.expose());
        let is_mail = payload.recipient.expose() == MAIL;
        assert_eq!(payload.link.as_ref().map(Link::expose), is_mail.then_some(&*expected));
    }
}

pub(super) async fn a_code_that_goes_again_is_in_the_new_requests_link<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let own = || Some(code("AB12cd"));
    let first = StartCommand { custom_code: own(), link: Some(link("first")), ..bench.start_of(MAIL) };
    let id = opened(bench.start(first).await).id;
    bench.at_second(30);
    resent(
        bench
            .start(StartCommand { custom_code: own(), link: Some(link("second")), ..bench.start_of(MAIL) })
            .await,
    );
    let record = bench.record(id).await;
    let live = record.messages.iter().filter_map(|message| Payload::open(message, &bench.keys).ok());
    let links: Vec<Option<Link>> = live.map(|payload| payload.link).collect();
    let links: Vec<&str> = links.iter().flatten().map(Link::expose).collect();
    assert_eq!(links, ["https://example.com/secondAB12cd"]);
}

pub(super) async fn address_and_notes_come_back_in_full<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let metadata = BTreeMap::from([("order".to_owned(), "42".to_owned())]);
    let start = StartCommand { metadata: metadata.clone().into(), ..bench.start_of(MAIL) };
    let verification = opened(bench.start(start).await);
    let stored = bench.record(verification.id).await.verification;
    let disclosed = disclose(&bench.keys, &stored).expect("it opens");
    assert_eq!((disclosed.to, disclosed.metadata), (vec![MAIL.to_owned()], metadata.into()));
}

pub(super) async fn a_start_inside_the_cool_down_sends_nothing<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let first = bench.open(ALICE).await;
    bench.at_second(29);
    let (kind, same) = accepted(bench.start(bench.start_of(ALICE)).await);
    assert_eq!((kind, same.id), (AcceptedKind::CoolingDown, first.id));
    assert_eq!(bench.record(first.id).await.messages.len(), 1);
    assert_eq!(bench.windows(ALICE).await.starts_hour, 1);
}

pub(super) async fn a_start_after_the_cool_down_sends_again<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let first = bench.open(ALICE).await;
    bench.at_second(30);
    let again = resent(bench.start(bench.start_of(ALICE)).await);
    assert_eq!((again.id, again.sends_used, again.expires_at), (first.id, 2, first.expires_at));
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.starts_hour, windows.sends_hour), (1, 2));
}

pub(super) async fn a_start_with_another_context_replaces_the_running_one<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let first = bench.open(ALICE).await;
    let context = BTreeMap::from([("amount".to_owned(), "10".to_owned())]);
    let context = Some(bench.keys.context_digest(&bench.tenant, &context));
    let second = opened(bench.start(StartCommand { context, ..bench.start_of(ALICE) }).await);
    assert_ne!(first.id, second.id);
    assert_eq!(bench.status(first.id).await, Status::Canceled);
    assert!(bench.open_messages(first.id).await.is_empty());
    assert_eq!(bench.windows(ALICE).await.starts_hour, 2);
}

pub(super) async fn the_callers_own_code_is_the_code<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let start = StartCommand { custom_code: Some(code("AB12cd")), ..bench.start_of(ALICE) };
    let verification = opened(bench.start(start).await);
    assert_eq!(bench.code(verification.id).await, code("AB12cd"));
    assert!(is_right(&bench.check(verification.id, &code("AB12cd")).await));
}

pub(super) async fn a_start_with_another_code_of_its_own_replaces_the_running_one<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let with = |text| StartCommand { custom_code: Some(code(text)), ..bench.start_of(ALICE) };
    let first = opened(bench.start(with("111111")).await);
    bench.at_second(30);
    assert_eq!(resent(bench.start(with("111111")).await).id, first.id);
    let second = opened(bench.start(with("222222")).await);
    assert_eq!(rejection(&bench.check(first.id, &code("111111")).await), Rejection::Canceled);
    assert!(is_right(&bench.check(second.id, &code("222222")).await));
}

pub(super) async fn the_callers_own_code_goes_out_again_also_after_its_life<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.code_life = MINUTE;
    let start = StartCommand { custom_code: Some(code("111111")), ..bench.start_of(ALICE) };
    let verification = opened(bench.start(start).await);
    bench.at_second(61);
    assert_eq!(rejection(&bench.check(verification.id, &code("111111")).await), Rejection::Expired);
    resent(bench.resend(verification.id).await);
    assert_eq!(bench.code(verification.id).await, code("111111"));
    assert!(is_right(&bench.check(verification.id, &code("111111")).await));
}

pub(super) async fn a_start_after_exhaustion_opens_a_new_one<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let first = bench.open_and_exhaust(ALICE).await;
    assert_eq!(bench.status(first.id).await, Status::Exhausted);
    let second = bench.open(ALICE).await;
    assert_ne!(first.id, second.id);
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.starts_hour, windows.failed_checks_day), (2, 5));
}

pub(super) async fn a_send_after_exhaustion_is_refused_until_the_window_ends<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let first = bench.open_and_exhaust(ALICE).await;
    let send = || StartCommand { intent: Intent::StartOrResend, ..bench.start_of(ALICE) };
    bench.at_second(599);
    let refused = refusal(&bench.start(send()).await);
    assert_eq!(refused, Refusal::ChecksExhausted { retry_after: SECOND });
    bench.at_second(600);
    assert_ne!(opened(bench.start(send()).await).id, first.id);
}

pub(super) async fn a_resend_by_address_opens_nothing<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let resend_only = || StartCommand { intent: Intent::ResendOnly, ..bench.start_of(ALICE) };
    assert_eq!(refusal(&bench.start(resend_only()).await), Refusal::NothingPending);
    let context = Some(bench.keys.context_digest(&bench.tenant, &BTreeMap::new()));
    let running = opened(bench.start(StartCommand { context, ..bench.start_of(ALICE) }).await);
    bench.at_second(30);
    assert_eq!(resent(bench.start(resend_only()).await).id, running.id);
    let bound = bench.check_of(running.id, &bench.code(running.id).await);
    bench.give(CheckCommand { context, ..bound }).await;
    assert_eq!(bench.status(running.id).await, Status::Approved);
    assert_eq!(refusal(&bench.start(resend_only()).await), Refusal::NothingPending);
}

pub(super) async fn purposes_do_not_see_each_other<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let login = bench.open(ALICE).await;
    let purpose = Purpose::parse("registration").expect("a purpose");
    let other = opened(bench.start(StartCommand { purpose, ..bench.start_of(ALICE) }).await);
    assert_ne!(login.id, other.id);
    let login_code = bench.code(login.id).await;
    assert_eq!(rejection(&bench.check(other.id, &login_code).await), Rejection::WrongCode);
    assert!(is_right(&bench.give(bench.check_of_address(ALICE, &login_code)).await));
}

/// Shows: A6.
pub(super) async fn tenants_do_not_see_each_other<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let theirs = bench.open(ALICE).await;
    let code = bench.code(theirs.id).await;
    let acme = std::mem::replace(&mut bench.tenant, TenantId::parse("other").expect("a tenant id"));
    assert_eq!(bench.check(theirs.id, &code).await, CheckOutcome::NotFound);
    assert_eq!(refusal(&bench.resend(theirs.id).await), Refusal::NotFound);
    assert_eq!(bench.cancel(theirs.id).await, CancelOutcome::NotFound);
    assert_eq!(bench.engine().verification(&bench.tenant, theirs.id).await.expect("read"), None);
    assert_ne!(bench.open(ALICE).await.id, theirs.id);
    let foreign = recipient_keys(&acme, ALICE).budget;
    let ledger = bench.engine().recipient(&bench.tenant, &foreign).await.expect("read");
    assert_eq!(ledger, RecipientLedger::default());
}

/// Ids of one millisecond sort by chance; what counts is the order of the starts.
pub(super) async fn the_newest_of_one_millisecond_is_the_one_opened_last<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.starts_per_hour = 100;
    bench.caps.recipient.starts_per_day = 100;
    for number in 0..16 {
        let own = code(&format!("{}", 111_111 + number));
        let start = StartCommand { custom_code: Some(own.clone()), ..bench.start_of(ALICE) };
        let opened = opened(bench.start(start).await);
        let (kind, running) = accepted(bench.start(bench.start_of(ALICE)).await);
        assert_eq!((kind, running.id), (AcceptedKind::CoolingDown, opened.id));
        let wrong = wrong(&own);
        assert_eq!(rejection(&bench.give(bench.check_of_address(ALICE, &wrong)).await), Rejection::WrongCode);
    }
}

pub(super) async fn a_refused_start_changes_nothing<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let first = bench.open(ALICE).await;
    bench.caps.recipient.starts_per_hour = 1;
    let start = StartCommand { custom_code: Some(code("222222")), ..bench.start_of(ALICE) };
    assert!(matches!(refusal(&bench.start(start).await), Refusal::RecipientLimit { .. }));
    assert_eq!(bench.status(first.id).await, Status::Pending);
    assert_eq!(bench.open_messages(first.id).await.len(), 1);
    assert!(is_right(&bench.check(first.id, &bench.code(first.id).await).await));
}
