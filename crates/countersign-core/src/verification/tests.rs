//! The rules by themselves: state in, decision out, no engine.

mod edges;
mod ledgers;
mod messages;
mod written;

use std::time::Duration;

use super::start::{StartState, start};
use super::*;
use crate::code::Code;
use crate::engine::{
    Accepted, AcceptedKind, Delivery, DestinationRequest, Intent, Refusal, SendOutcome, StartCommand,
    UserAddress, UserKey,
};
use crate::entropy::Seed;
use crate::outbox::Payload;
use crate::pairs::Pairs;
use crate::policy::{Caps, CodeSharing, ResendCode};
use crate::recipient::Recipient;
use crate::testkit::keys;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_161_600_000) + Duration::from_secs(seconds)
}

fn to(addresses: &[&str]) -> StartCommand {
    let (keys, tenant) = (keys(), TenantId::parse("t").unwrap());
    let request = |address: &&str| {
        let recipient = Recipient::from_canonical(address);
        let channel = recipient.default_channel();
        let keys = recipient.keys(&tenant, &keys);
        let user = UserKey { directory: "users".parse().unwrap(), id: [1; 16] };
        let owner = Some(UserAddress { user, address: keys.identity });
        DestinationRequest { keys, recipient: Some(recipient), channel, owner, test: false }
    };
    StartCommand {
        purpose: Purpose::parse("login").unwrap(),
        dialect: DialectName::parse("native").unwrap(),
        locale: Locale::parse("en").unwrap(),
        intent: Intent::StartOrResend,
        delivery: Delivery::Send,
        destinations: addresses.iter().map(request).collect(),
        custom_code: None,
        link: None,
        context: None,
        metadata: Pairs::default(),
        client: None,
        trusted: false,
        ends_hold: None,
        terms: Terms { resend_code: ResendCode::New, sharing: CodeSharing::Shared, ..Terms::default() },
        caps: Caps::default(),
        cost_micros: 0,
        now: at(0),
        seed: Seed::new([7; 32]),
        idempotency: None,
        tenant,
    }
}

fn decide(latest: &[Option<&Verification>], command: &StartCommand) -> Decision<SendOutcome> {
    let latest = latest.iter().map(|v| v.cloned()).collect();
    let recipients = vec![RecipientLedger::default(); command.destinations.len()];
    start(StartState { latest, ledgers: Ledgers { recipients, ..Ledgers::default() } }, command, &keys())
        .unwrap()
}

fn accepted(decision: &Decision<SendOutcome>) -> &Accepted {
    match &decision.outcome {
        SendOutcome::Accepted(accepted) => accepted,
        SendOutcome::Refused(refusal) => panic!("{refusal:?}"),
    }
}

fn sent_codes(decision: &Decision<SendOutcome>) -> Vec<Code> {
    decision.changes.messages.iter().map(|m| Payload::open(m, &keys()).unwrap().code).collect()
}

fn opened(decision: &Decision<SendOutcome>) -> &Verification {
    decision.changes.verifications.last().unwrap()
}

#[test]
fn one_code_goes_to_both_addresses_or_each_has_its_own() {
    let mut command = to(&["a@example.com", "+12125550101"]);
    let codes = sent_codes(&decide(&[None, None], &command));
    assert_eq!((codes.len(), codes[0] == codes[1]), (2, true));
    command.terms.sharing = CodeSharing::Separate;
    let codes = sent_codes(&decide(&[None, None], &command));
    assert_eq!((codes.len(), codes[0] == codes[1]), (2, false));
}

#[test]
fn a_new_code_for_one_address_voids_the_shared_one_of_the_other() {
    let first = decide(&[None, None], &to(&["a@example.com", "+12125550101"]));
    let command = StartCommand { now: at(31), seed: Seed::new([8; 32]), ..to(&["+12125550101"]) };
    let again = decide(&[Some(opened(&first))], &command);
    assert_eq!(accepted(&again).kind, AcceptedKind::Resent);
    let (running, old, new, keys) = (opened(&again), &sent_codes(&first)[0], &sent_codes(&again)[0], keys());
    for destination in &running.destinations {
        let (digest, context) = (destination.digest.unwrap(), running.code_context(destination));
        assert!(!keys.code_matches(&digest, context, old), "the old code lives");
        assert!(keys.code_matches(&digest, context, new), "the new code is not live");
    }
    assert_eq!(running.destinations.iter().map(|d| d.code_sent).collect::<Vec<_>>(), [false, true]);
    assert_eq!(again.changes.drop_messages.len(), 2, "the other's unsent message carries a dead code");
}

#[test]
fn an_address_that_joins_is_charged_like_a_start() {
    let first = decide(&[None], &to(&["a@example.com"]));
    let command = StartCommand { now: at(31), ..to(&["a@example.com", "+12125550101"]) };
    let full = {
        let mut ledger = RecipientLedger::default();
        (0..5).for_each(|_| ledger.record_start(&command.caps.recipient, at(0)));
        ledger
    };
    let state = StartState {
        latest: vec![Some(opened(&first).clone()), None],
        ledgers: Ledgers { recipients: vec![RecipientLedger::default(), full], ..Ledgers::default() },
    };
    let decision = start(state, &command, &keys()).unwrap();
    assert!(matches!(decision.outcome, SendOutcome::Refused(Refusal::RecipientLimit { .. })));
    assert!(decision.changes.is_empty());
    let joined = decide(&[Some(opened(&first)), None], &command);
    assert_eq!(joined.changes.ledgers.iter().map(|(_, l)| l.windows(at(31)).starts_day).sum::<u32>(), 1);
    assert_eq!(opened(&joined).destinations.len(), 2);
}

#[test]
fn of_two_running_verifications_the_newer_stays() {
    let older = decide(&[None], &to(&["a@example.com"]));
    let newer = decide(&[None], &StartCommand { now: at(5), ..to(&["+12125550101"]) });
    let command = StartCommand { now: at(60), ..to(&["a@example.com", "+12125550101"]) };
    let decision = decide(&[Some(opened(&older)), Some(opened(&newer))], &command);
    assert_eq!(accepted(&decision).verification.id, opened(&newer).id);
    let canceled = &decision.changes.verifications[0];
    assert_eq!((canceled.id, canceled.status), (opened(&older).id, Status::Canceled));
}

#[test]
fn aliases_of_one_mailbox_in_one_request_are_charged_once() {
    let mut command = to(&["a+1@example.com", "a+2@example.com"]);
    command.destinations[1].keys.budget = command.destinations[0].keys.budget;
    let decision = decide(&[None, None], &command);
    assert_eq!(decision.changes.ledgers.len(), 1);
    assert_eq!(decision.changes.ledgers[0].1.windows(at(0)).starts_day, 1);
}

#[test]
fn another_wire_api_starts_anew_and_has_nothing_to_send_again() {
    let first = opened(&decide(&[None], &to(&["a@example.com"]))).clone();
    let other =
        StartCommand { dialect: DialectName::parse("other").unwrap(), now: at(60), ..to(&["a@example.com"]) };
    let started = decide(&[Some(&first)], &other);
    assert_ne!(accepted(&started).verification.id, first.id);
    assert_eq!(started.changes.verifications[0].status, Status::Canceled);
    let resent = decide(&[Some(&first)], &StartCommand { intent: Intent::ResendOrRevive, ..other });
    assert_eq!(resent.outcome, SendOutcome::Refused(Refusal::NothingPending));
}

#[test]
fn a_look_alike_is_held_to_the_spend_cap_and_spends_nothing() {
    let caps = Caps { tenant_spend_per_day_micros: Some(100), ..Caps::default() };
    let ask = |delivery, cost_micros| {
        decide(&[None], &StartCommand { delivery, caps, cost_micros, ..to(&["+12125550101"]) })
    };
    let (sent, pretended) = (ask(Delivery::Send, 101).outcome, ask(Delivery::Pretend, 101).outcome);
    assert!(matches!(sent, SendOutcome::Refused(Refusal::TenantBudget { .. })), "{sent:?}");
    assert_eq!(pretended, sent);
    let (sent, pretended) = (ask(Delivery::Send, 100), ask(Delivery::Pretend, 100));
    assert_eq!(
        (accepted(&sent).kind, accepted(&pretended).kind),
        (AcceptedKind::Opened, AcceptedKind::Opened)
    );
    assert!(sent.changes.tenant.is_some() && pretended.changes.tenant.is_none());
}

/// A start under terms that take a request come twice within two seconds for one.
fn clicked(now: Timestamp) -> StartCommand {
    let terms = Terms { same_within: Some(Duration::from_secs(2)), ..Terms::default() };
    StartCommand { terms, now, ..to(&["a@example.com"]) }
}

#[test]
fn the_same_start_is_the_same_send_until_the_last_instant_of_its_time() {
    let first = opened(&decide(&[None], &clicked(at(0)))).clone();
    let again = |now| {
        let decision = decide(&[Some(&first)], &clicked(now));
        assert!(decision.changes.is_empty());
        accepted(&decision).kind
    };
    assert_eq!([at(0), at(2)].map(again), [AcceptedKind::Repeated; 2]);
    assert_eq!(again(at(2) + Duration::from_millis(1)), AcceptedKind::CoolingDown);
    let other_terms = StartCommand { terms: Terms::default(), ..clicked(at(1)) };
    assert_eq!(accepted(&decide(&[Some(&first)], &other_terms)).kind, AcceptedKind::CoolingDown);
}

/// A second send with another link, over another channel or in another language was swallowed.
#[test]
fn a_start_that_asks_for_anything_else_is_not_the_same_send() {
    use crate::link::{LinkPart, LinkTemplate};
    let first = opened(&decide(&[None], &clicked(at(0)))).clone();
    let link = |text: &'static str| LinkTemplate::new([LinkPart::Literal(text), LinkPart::Code]).ok();
    let mut voice = clicked(at(1));
    voice.destinations[0].channel = Channel::Voice;
    for other in [
        StartCommand { link: link("https://example.com/?c="), ..clicked(at(1)) },
        StartCommand { locale: Locale::parse("de").unwrap(), ..clicked(at(1)) },
        StartCommand { intent: Intent::Start, ..clicked(at(1)) },
        voice,
    ] {
        assert_eq!(accepted(&decide(&[Some(&first)], &other)).kind, AcceptedKind::CoolingDown, "{other:?}");
    }
    let pretended = StartCommand { delivery: Delivery::Pretend, ..clicked(at(1)) };
    assert_eq!(accepted(&decide(&[Some(&first)], &pretended)).kind, AcceptedKind::Opened);
    let with_link = |link: Option<LinkTemplate>| StartCommand { link, ..clicked(at(0)) };
    let linked = opened(&decide(&[None], &with_link(link("https://a.example/")))).clone();
    for (url, kind) in
        [("https://a.example/", AcceptedKind::Repeated), ("https://b.example/", AcceptedKind::CoolingDown)]
    {
        assert_eq!(accepted(&decide(&[Some(&linked)], &with_link(link(url)))).kind, kind, "{url}");
    }
}

/// Sent, handed back, sent again within two seconds: the message's code was dead, and the answer said all is well.
#[test]
fn a_message_whose_code_was_replaced_is_not_what_the_next_start_asks_for() {
    let first = opened(&decide(&[None], &clicked(at(0)))).clone();
    let handed_back = StartCommand { delivery: Delivery::Return, ..clicked(at(1)) };
    let decision = decide(&[Some(&first)], &handed_back);
    assert_eq!(accepted(&decision).kind, AcceptedKind::Resent);
    let running = decision.changes.verifications.last().unwrap();
    let third = decide(&[Some(running)], &clicked(at(2)));
    assert_eq!((accepted(&third).kind, third.changes.is_empty()), (AcceptedKind::CoolingDown, true));
}

#[test]
fn a_resend_revives_what_expired_within_a_day_and_nothing_else() {
    let first = opened(&decide(&[None], &to(&["a@example.com"]))).clone();
    let at_its_end = first.expires_at;
    let ask = |before: &Verification, intent, now| {
        decide(&[Some(before)], &StartCommand { intent, now, ..to(&["a@example.com"]) }).outcome
    };
    let day = Duration::from_secs(24 * 3600);
    let opens = |outcome: &SendOutcome| matches!(outcome, SendOutcome::Accepted(accepted) if accepted.kind == AcceptedKind::Opened);
    let nothing = SendOutcome::Refused(Refusal::NothingPending);
    assert!(opens(&ask(&first, Intent::ResendOrRevive, at_its_end)));
    assert_eq!(ask(&first, Intent::ResendOrRevive, at_its_end + day), nothing);
    assert_eq!(ask(&first, Intent::ResendOnly, at_its_end), nothing);
    let mut canceled = first.clone();
    canceled.end(Status::Canceled, at(1));
    assert_eq!(ask(&canceled, Intent::ResendOrRevive, at_its_end), nothing);
    let none = decide(&[None], &StartCommand { intent: Intent::ResendOrRevive, ..to(&["a@example.com"]) });
    assert_eq!(none.outcome, nothing);
}

#[test]
fn the_same_command_decides_the_same_twice() {
    let command = to(&["a@example.com"]);
    assert_eq!(decide(&[None], &command), decide(&[None], &command));
}

#[test]
fn outcomes_carry_neither_code_nor_digest() {
    let decision = decide(&[None], &StartCommand { terms: Terms::default(), ..to(&["a@example.com"]) });
    let shown = &accepted(&decision).verification.destinations[0];
    let stored = &opened(&decision).destinations[0];
    assert!(stored.digest.is_some() && stored.sealed_code.is_some());
    assert!(shown.digest.is_none() && shown.sealed_code.is_none());
}

#[test]
fn a_code_that_will_not_go_out_again_is_not_kept() {
    let terms = Terms { max_sends: 1, ..Terms::default() };
    let decision = decide(&[None], &StartCommand { terms, ..to(&["a@example.com"]) });
    assert_eq!(opened(&decision).destinations[0].sealed_code, None);
    let new = decide(&[None], &to(&["a@example.com"]));
    assert_eq!(opened(&new).destinations[0].sealed_code, None, "a resend draws a new one");
}

/// Terms of a caller whose codes live 300 s, whenever they are sent.
fn joining_within_300_seconds() -> StartCommand {
    let terms = Terms {
        resend_code: ResendCode::New,
        code_life: Duration::from_secs(300),
        cool_downs: vec![Duration::from_secs(60)],
        join_within: Some(Duration::from_secs(300)),
        ..Terms::default()
    };
    StartCommand { terms, ..to(&["+12125550101"]) }
}

#[test]
fn a_start_joins_a_running_verification_up_to_the_age_its_terms_allow() {
    let first = decide(&[None], &joining_within_300_seconds());
    let command = StartCommand { now: at(300), ..joining_within_300_seconds() };
    let joined = decide(&[Some(opened(&first))], &command);
    assert_eq!(accepted(&joined).kind, AcceptedKind::Resent);
    assert_eq!(opened(&joined).destinations[0].code_expires_at, at(600));
    let late = StartCommand { now: at(300) + Duration::from_millis(1), ..command };
    let new = decide(&[Some(opened(&first))], &late);
    assert_eq!(accepted(&new).kind, AcceptedKind::Opened);
    assert_eq!(opened(&new).destinations[0].code_expires_at, late.now + Duration::from_secs(300));
    assert_eq!(new.changes.ledgers[0].1.windows(late.now).starts_day, 1, "charged as a start");
    let canceled = &new.changes.verifications[0];
    assert_eq!((canceled.id, canceled.status), (opened(&first).id, Status::Canceled));
}

#[test]
fn a_verification_that_is_too_old_to_join_still_makes_the_next_message_wait() {
    let first = decide(&[None], &joining_within_300_seconds());
    let second = StartCommand { now: at(299), ..joining_within_300_seconds() };
    let second = decide(&[Some(opened(&first))], &second);
    let early = StartCommand { now: at(358), ..joining_within_300_seconds() };
    let waits = decide(&[Some(opened(&second))], &early);
    assert_eq!((accepted(&waits).kind, waits.changes.is_empty()), (AcceptedKind::CoolingDown, true));
    let on_time = StartCommand { now: at(359), ..early };
    assert_eq!(accepted(&decide(&[Some(opened(&second))], &on_time)).kind, AcceptedKind::Opened);
}

#[test]
fn used_up_sends_make_wait_until_another_verification_can_open_and_no_longer() {
    let command = joining_within_300_seconds();
    let mut first = decide(&[None], &command);
    opened_mut(&mut first).sends_used = 5;
    let refusal =
        |now| match decide(&[Some(opened(&first))], &StartCommand { now, ..command.clone() }).outcome {
            SendOutcome::Refused(refusal) => Some(refusal),
            SendOutcome::Accepted(_) => None,
        };
    let retry_after = Duration::from_millis(60_001);
    assert_eq!(refusal(at(240)), Some(Refusal::SendsExhausted { retry_after }));
    assert_eq!(refusal(at(240) + retry_after), None);
}

fn opened_mut(decision: &mut Decision<SendOutcome>) -> &mut Verification {
    decision.changes.verifications.last_mut().unwrap()
}

#[test]
fn a_resend_by_address_joins_at_any_age() {
    let first = decide(&[None], &joining_within_300_seconds());
    let command = StartCommand { intent: Intent::ResendOnly, now: at(599), ..joining_within_300_seconds() };
    assert_eq!(accepted(&decide(&[Some(opened(&first))], &command)).kind, AcceptedKind::Resent);
}

#[test]
fn rows_survive_storage() {
    let decision = decide(&[None], &to(&["a@example.com", "+12125550101"]));
    let verification = opened(&decision);
    let row = crate::codec::to_row(verification);
    assert_eq!(crate::codec::from_row::<Verification>(&row).unwrap(), *verification);
    for cut in 0..row.len() {
        assert!(crate::codec::from_row::<Verification>(&row[..cut]).is_err());
    }
}

/// What was stored before destinations knew whose they are and whether they are test numbers.
///
/// Shows: F2.
#[test]
fn f2_rows_of_before_say_of_the_whole_verification_whether_it_is_for_tests() {
    let decision = decide(&[None], &to(&["+12125550101"]));
    let now = &opened(&decision).destinations[0];
    let mut row = Vec::new();
    let mut before = minicbor::Encoder::new(&mut row);
    before.array(8).unwrap();
    before.encode(now.identity).unwrap().encode(now.budget).unwrap().encode(&now.recipient).unwrap();
    before.encode(now.channel).unwrap().encode(now.digest).unwrap().encode(&now.sealed_code).unwrap();
    before.encode(now.code_expires_at).unwrap().encode(now.code_sent).unwrap();
    let before: Destination = crate::codec::from_row(&row).unwrap();
    assert_eq!((&before.owner, before.test), (&None, None));
    for test in [false, true] {
        let verification =
            Verification { test, destinations: vec![before.clone()], ..opened(&decision).clone() };
        assert_eq!((verification.is_test(), verification.is_test_number(&before)), (test, test));
    }
}
