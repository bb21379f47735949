//! What a hundred connections at the same moment can get out of one service: no more than one.
//!
//! The real program, its embedded engine, a hundred TCP connections; the last byte of every request is
//! held back until all the others are there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Answer, Server, at_once};

/// Rounds of the tests that look for rare interleavings: 20 by default, more for a release run.
fn rounds() -> usize {
    std::env::var("COUNTERSIGN_RACE_ROUNDS")
        .map_or(20, |n| n.parse().expect("COUNTERSIGN_RACE_ROUNDS is a number"))
}

/// Connections at the same moment.
const CROWD: usize = 100;
/// A caller's own code, so that no round has to wait for a message. No drawn code has letters.
const RIGHT: &str = "Right4code";
const WRONG: &str = "Wrong4code";

fn dev() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    (folder, server)
}

/// Starts a verification with the code [`RIGHT`]; answers its id.
fn started(server: &Server, to: &str, purpose: &str) -> String {
    let body = json!({"to": to, "purpose": purpose, "code": RIGHT});
    let answer = server.post("/v1/verifications", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.text("id")
}

fn guess(server: &Server, id: &str, code: &str) -> Vec<u8> {
    server.request("POST", &format!("/v1/verifications/{id}/check"), &json!({ "code": code }), &[])
}

/// How many of the checks said this, `true` standing for a right one.
fn count(answers: &[Answer], what: &Value) -> usize {
    let said = |answer: &&Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        let checked = answer.json();
        let says = if checked["valid"] == true { &checked["valid"] } else { &checked["reason"] };
        says == what
    };
    answers.iter().filter(said).count()
}

fn checks_used(server: &Server, id: &str) -> u64 {
    server.get(&format!("/v1/verifications/{id}")).json()["checks"]["used"].as_u64().unwrap()
}

/// Shows: I2, A2.
#[test]
fn of_a_hundred_wrong_guesses_five_are_compared() {
    let (_folder, server) = dev();
    for round in 0..rounds() {
        let to = format!("wrong{round}@example.com");
        let id = started(&server, &to, "login");
        let by_id = guess(&server, &id, WRONG);
        let body = json!({"to": to, "purpose": "login", "code": WRONG});
        let by_address = server.request("POST", "/v1/verifications/check", &body, &[]);
        let guesses: Vec<_> = [by_id, by_address].into_iter().cycle().take(CROWD).collect();
        let answers = at_once(server.address(), &guesses);
        assert_eq!(count(&answers, &json!("wrong_code")), 5, "round {round}");
        assert_eq!(count(&answers, &json!("exhausted")), CROWD - 5, "round {round}");
        assert_eq!(checks_used(&server, &id), 5);
    }
}

/// Shows: A2.
#[test]
fn four_right_guesses_among_a_hundred_approve_once_at_most() {
    let (_folder, server) = dev();
    let mut approved = 0;
    for round in 0..rounds() {
        let id = started(&server, &format!("mixed{round}@example.com"), "login");
        // The right ones stand somewhere else in each round.
        let code = |n: usize| if (n + round).is_multiple_of(25) { RIGHT } else { WRONG };
        let guesses: Vec<_> = (0..CROWD).map(|n| guess(&server, &id, code(n))).collect();
        let answers = at_once(server.address(), &guesses);
        let (right, wrong) = (count(&answers, &json!(true)), count(&answers, &json!("wrong_code")));
        assert!(right <= 1 && right + wrong <= 5, "round {round}: {right} right, {wrong} wrong");
        let ended = if right == 1 { "already_used" } else { "exhausted" };
        assert_eq!(count(&answers, &json!(ended)), CROWD - right - wrong, "round {round}");
        approved += right;
    }
    println!("{approved} of {} rounds were approved", rounds());
}

/// Shows: I1.
#[test]
fn of_sixty_four_right_guesses_one_is_valid() {
    let (_folder, server) = dev();
    for round in 0..rounds() {
        let id = started(&server, &format!("right{round}@example.com"), "login");
        let answers = at_once(server.address(), &vec![guess(&server, &id, RIGHT); 64]);
        assert_eq!(count(&answers, &json!(true)), 1, "round {round}");
        assert_eq!(count(&answers, &json!("already_used")), 63, "round {round}");
    }
}

/// Shows: I8.
#[test]
fn a_hundred_starts_with_one_idempotency_key_are_one() {
    let (_folder, server) = dev();
    for round in 0..5 {
        let to = format!("key{round}@example.com");
        let key = format!("Idempotency-Key: round-{round}");
        let start = server.request("POST", "/v1/verifications", &json!({ "to": to }), &[&key]);
        let answers = at_once(server.address(), &vec![start; CROWD]);
        let bodies: BTreeSet<&str> = answers.iter().map(|answer| &*answer.body).collect();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
        let replayed = answers.iter().filter(|answer| answer.header("idempotency-replayed") == Some("true"));
        assert_eq!(replayed.count(), CROWD - 1);
        assert_eq!(server.messages_to(&to), 1);
    }
}

/// Shows: I5.
#[test]
fn a_hundred_starts_for_one_recipient_open_one_verification_and_send_once() {
    let (_folder, server) = dev();
    for round in 0..5 {
        let to = format!("+6149157015{}", 6 + round % 4);
        let purpose = format!("round{round}");
        let start = server.request("POST", "/v1/verifications", &json!({"to": to, "purpose": purpose}), &[]);
        let before = server.messages_to(&to);
        let answers = at_once(server.address(), &vec![start; CROWD]);
        let opened = answers.iter().filter(|answer| answer.status == 201).count();
        let found = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!((opened, found), (1, CROWD - 1));
        let ids: BTreeSet<String> = answers.iter().map(|answer| answer.text("id")).collect();
        assert_eq!(ids.len(), 1);
        assert_eq!(server.messages_to(&to), before + 1);
    }
}

/// Shows: P11.
#[test]
fn a_resend_before_between_or_after_guesses_buys_none() {
    let (_folder, server) = dev();
    let resend_of =
        |id: &str| server.request("POST", &format!("/v1/verifications/{id}/resend"), &json!({}), &[]);
    for round in 0..rounds() {
        let id = started(&server, &format!("between{round}@example.com"), "login");
        let resend = resend_of(&id);
        let first = at_once(server.address(), &vec![guess(&server, &id, WRONG); 2]);
        assert_eq!(count(&first, &json!("wrong_code")), 2);
        server.advance(31);
        assert_eq!(server.exchange(&resend).status, 200, "before");
        server.advance(61);
        // Three guesses are left; the resend may come before any of them or behind all.
        let mut crowd = vec![guess(&server, &id, WRONG); 10];
        crowd.insert(round % 10, resend.clone());
        let mut answers = at_once(server.address(), &crowd);
        let between = answers.remove(round % 10);
        assert!(between.status == 200 || between.status == 409, "{between:?}");
        assert_eq!(count(&answers, &json!("wrong_code")), 3, "round {round}");
        server.advance(121);
        assert_eq!(server.exchange(&resend).status, 409, "after: nothing is pending");
        let last = at_once(server.address(), &vec![guess(&server, &id, WRONG); 5]);
        assert_eq!(count(&last, &json!("exhausted")), 5);
        assert_eq!(checks_used(&server, &id), 5);
    }
}

#[test]
fn of_a_hundred_resends_one_sends() {
    let (_folder, server) = dev();
    let to = "resends@example.com";
    let id = started(&server, to, "login");
    for (sent, wait) in [(1, 31), (2, 61), (3, 121), (4, 241)] {
        assert_eq!(server.messages_to(to), sent);
        server.advance(wait);
        let resend = server.request("POST", &format!("/v1/verifications/{id}/resend"), &json!({}), &[]);
        let answers = at_once(server.address(), &vec![resend; CROWD]);
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), CROWD - 1);
    }
    assert_eq!(server.messages_to(to), 5);
}

/// Shows: A3.
#[test]
fn guesses_over_both_apis_share_the_recipients_budget() {
    let (_folder, server) = dev();
    for round in 0..3 {
        let to = format!("both{round}@example.com");
        let bearer = "Authorization: Bearer dev-zap-token";
        let zap = |path: &str, body: &Value| {
            crate::support::request(
                "POST",
                path,
                &[bearer, "Content-Type: application/json"],
                body.to_string().as_bytes(),
            )
        };
        // Five verifications of five checks each, two of them zap's: 25 guesses, if each stood alone.
        let ids = ["a", "b", "c"].map(|purpose| started(&server, &to, purpose));
        assert_eq!(server.exchange(&zap("/v1/otp/resend", &json!({ "email": to }))).status, 200);
        assert_eq!(server.exchange(&zap("/v1/otp/forgotPassword", &json!({ "identity": to }))).status, 200);
        let reset = json!({"to": to, "purpose": "password_reset", "code": WRONG});
        let kinds = [
            guess(&server, &ids[0], WRONG),
            guess(&server, &ids[1], WRONG),
            guess(&server, &ids[2], WRONG),
            zap("/v1/otp/verify", &json!({"identity": to, "otp": WRONG})),
            server.request("POST", "/v1/verifications/check", &reset, &[]),
        ];
        let crowd: Vec<_> = kinds.iter().cycle().take(CROWD).cloned().collect();
        let answers = at_once(server.address(), &crowd);
        let compared = answers.iter().filter(|answer| {
            let said = answer.json();
            // Zap binds a reset's code to whom it was asked for by, which a native guess does not name.
            said["reason"] == "wrong_code"
                || said["reason"] == "context_mismatch"
                || said["data"] == "Invalid OTP"
        });
        assert_eq!(compared.count(), 20, "round {round}");
        let ledger = server.get(&format!("/v1/recipients/{to}")).json();
        assert_eq!(ledger["failed_checks"]["last_24h"], 20);
        assert_eq!(ledger["held_reason"], "failed_checks");
        let right = server.exchange(&guess(&server, &ids[0], RIGHT)).json();
        assert_eq!(right["valid"], false, "a held recipient is not approved: {right}");
    }
}
