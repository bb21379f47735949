//! What was acknowledged to a client, and whether the store agrees.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Connection;
use super::phone::Phone;

/// One verification as its client knows it.
pub(crate) struct Entry {
    pub(super) to: String,
    id: String,
    /// Unix milliseconds, from the answer to the start.
    expires_at_millis: i64,
    /// Answers that said `wrong_code`.
    wrong: u64,
    /// Answers that said `valid`.
    approvals: u64,
    /// Guesses with the right code, answered or not.
    right_sent: u64,
    code: Option<String>,
}

impl Entry {
    pub(super) fn started(to: &str, answer: &Value) -> Self {
        let text =
            |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{name} in {answer}")).to_owned();
        let expires: jiff::Timestamp = text("expires_at").parse().expect("RFC 3339");
        Self {
            to: to.to_owned(),
            id: text("id"),
            expires_at_millis: expires.as_millisecond(),
            wrong: 0,
            approvals: 0,
            right_sent: 0,
            code: None,
        }
    }

    /// Guesses, and notes what was answered; `None` when nothing was.
    pub(super) fn check(&mut self, connection: &mut Connection, code: &str) -> Option<()> {
        let is_wrong = code.starts_with("00000");
        if !is_wrong {
            self.right_sent += 1;
            self.code = Some(code.to_owned());
        }
        let path = format!("/v1/verifications/{}/check", self.id);
        let (status, answer) = connection.call("POST", &path, Some(&json!({ "code": code })))?;
        assert!(status == 200 || status == 503, "{status} {answer}");
        match (answer["valid"].as_bool(), answer["reason"].as_str()) {
            (Some(true), _) => self.approvals += 1,
            (Some(false), Some("wrong_code")) => self.wrong += 1,
            _ => {}
        }
        Some(())
    }
}

/// All verifications of one client in one cycle.
#[derive(Default)]
pub(crate) struct Journal(Vec<Entry>);

impl Journal {
    pub(super) fn push(&mut self, entry: Entry) {
        self.0.push(entry);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every acknowledged start, check and approval is in the store, and no code is good twice.
    pub(super) fn compare_with(&self, address: SocketAddr, phone: &Phone) {
        let mut connection = Connection::open(address).expect("the survivor listens");
        for entry in &self.0 {
            let id = &entry.id;
            let path = format!("/v1/verifications/{id}");
            let (status, stored) = connection.call("GET", &path, None).expect("an answer");
            assert_eq!(status, 200, "the acknowledged start of {id} is gone: {stored}");
            let used = stored["checks"]["used"].as_u64().expect("checks.used");
            assert!(used >= entry.wrong + entry.approvals, "{id}: an acknowledged check is gone: {stored}");
            assert!(entry.approvals <= 1, "{id}: the code was accepted {} times", entry.approvals);
            let approved = stored["status"] == "approved";
            if entry.approvals == 1 {
                assert!(approved, "{id}: the acknowledged approval is gone: {stored}");
            }
            assert!(!approved || entry.right_sent > 0, "{id}: approved without a right guess");
            if approved {
                let code = entry.code.clone().or_else(|| phone.code_for(&entry.to)).expect("it was guessed");
                let path = format!("/v1/verifications/{id}/check");
                let (_, again) =
                    connection.call("POST", &path, Some(&json!({ "code": code }))).expect("an answer");
                assert_eq!(
                    (&again["valid"], &again["reason"]),
                    (&json!(false), &json!("already_used")),
                    "{id}"
                );
            }
        }
    }

    /// Waits until no message is on its way any more.
    pub(super) fn wait_for_every_message_to_end(&self, address: SocketAddr, patience: Duration) {
        let (mut connection, deadline) =
            (Connection::open(address).expect("it listens"), Instant::now() + patience);
        for entry in &self.0 {
            loop {
                let path = format!("/v1/verifications/{}", entry.id);
                let (_, stored) = connection.call("GET", &path, None).expect("an answer");
                let deliveries = stored["deliveries"].as_array().expect("deliveries");
                if deliveries.iter().all(|d| d["status"] != "queued") {
                    assert!(!deliveries.is_empty(), "{}: the message was never committed", entry.id);
                    break;
                }
                assert!(Instant::now() < deadline, "still on its way: {stored}");
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }

    /// No submission reached the phone after the code was dead.
    pub(super) fn nothing_was_submitted_after_its_code_was_dead(&self, phone: &Phone) {
        for entry in &self.0 {
            for at in phone.submissions_to(&entry.to) {
                assert!(
                    at <= entry.expires_at_millis,
                    "{}: submitted {} ms late",
                    entry.id,
                    at - entry.expires_at_millis
                );
            }
        }
    }
}
