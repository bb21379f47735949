//! What was acknowledged to a client, and whether the store agrees.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Connection, MOST_GUESSES};
use super::phone::Phone;
use super::ways::{Asked, Said, Way};

/// How many messages a verification may come to.
const MOST_SENDS: u64 = 5;

/// Codes live this long here.
const LIFE: Duration = Duration::from_secs(30);

/// One verification as its client knows it.
pub(crate) struct Entry {
    pub(super) asked: Asked,
    /// Answers that said that a guess was wrong.
    wrong: u64,
    /// Wrong guesses, answered or not.
    wrong_sent: u64,
    /// Answers that said that a guess was right.
    approvals: u64,
    /// Right guesses, answered or not.
    right_sent: u64,
    /// Resends that were accepted.
    resent: u64,
    /// Resends, answered or not.
    resends_sent: u64,
}

impl Entry {
    pub(super) fn new(asked: Asked) -> Self {
        Self { asked, wrong: 0, wrong_sent: 0, approvals: 0, right_sent: 0, resent: 0, resends_sent: 0 }
    }

    /// A guess that is another code of the same length; `None` when nothing was answered.
    pub(super) fn guess_wrong(&mut self, connection: &mut Connection, code: &str) -> Option<Said> {
        let zeros = "0".repeat(code.len());
        let other = format!("{}1", &zeros[1..]);
        self.wrong_sent += 1;
        let said = self.asked.present(connection, if code == zeros { &other } else { &zeros })?;
        assert_ne!(said, Said::Right, "{:?}: a wrong code was accepted", self.asked);
        self.wrong += u64::from(said == Said::Wrong);
        Some(said)
    }

    /// A guess with the right code, and whether it may be right; `None` when nothing was answered.
    pub(super) fn guess_right(&mut self, connection: &mut Connection, code: &str) -> Option<Said> {
        let used_up = self.wrong >= MOST_GUESSES;
        self.right_sent += 1;
        let said = self.asked.present(connection, code)?;
        if said == Said::Right {
            self.approvals += 1;
            assert_eq!(self.approvals, 1, "{:?}: a code was accepted twice", self.asked);
            assert!(!used_up, "{:?}: a sixth guess was compared", self.asked);
        }
        Some(said)
    }

    /// Has the code sent again, where that is another send of one verification; `None` when nothing was
    /// answered.
    pub(super) fn resend(&mut self, connection: &mut Connection) -> Option<()> {
        let Some(id) = self.asked.id() else { return Some(()) };
        self.resends_sent += 1;
        let (status, answer) = connection.call("POST", &format!("/v1/verifications/{id}/resend"), None)?;
        assert!([200, 429, 503].contains(&status), "{status} {answer}");
        self.resent += u64::from(status == 200);
        assert!(self.resent < MOST_SENDS, "{id}: message {} was accepted", self.resent + 1);
        Some(())
    }

    /// After a kill, while the code lives: the guesses that are left and two more, and at last the right one,
    /// or the right one at once.
    fn go_on(&mut self, connection: &mut Connection, phone: &Phone) {
        let Some(code) = self.asked.code(phone, Duration::ZERO) else { return };
        if self.right_sent > 0 {
            return;
        }
        let guesses_are_known = self.wrong == self.wrong_sent;
        let at_once = self.asked.to.bytes().map(u32::from).sum::<u32>().is_multiple_of(2);
        if at_once && guesses_are_known && self.wrong + 1 < MOST_GUESSES {
            let said = self.guess_right(connection, &code);
            let alive = self.asked.age() < LIFE;
            assert!(
                said == Some(Said::Right) || !alive,
                "{:?}: what was acknowledged before the kill is gone: {said:?}",
                self.asked
            );
            return;
        }
        for _ in self.wrong..MOST_GUESSES + 2 {
            self.guess_wrong(connection, &code).expect("an answer");
        }
        if self.asked.age() < LIFE && self.asked.way.tells_what_is_compared() {
            assert!(self.wrong <= MOST_GUESSES, "{:?}: {} guesses were compared", self.asked, self.wrong);
        }
        self.guess_right(connection, &code).expect("an answer");
    }

    /// Every acknowledged start, send, check and approval is in the store, and no code is good twice.
    fn compare_with(&mut self, connection: &mut Connection, phone: &Phone) {
        if let Some(is_known) = self.asked.is_replay(connection) {
            assert!(is_known, "{:?}: a signed request is taken again", self.asked);
        }
        if self.approvals > 0
            && let Some(code) = self.asked.code(phone, Duration::ZERO)
        {
            let said = self.guess_right(connection, &code).expect("an answer");
            assert!(said == Said::Refused || said == Said::Wrong, "{:?}: {said:?}", self.asked);
        }
        if let Some(id) = self.asked.id().map(str::to_owned) {
            self.compare_stored(&id, connection);
        }
    }

    fn compare_stored(&self, id: &str, connection: &mut Connection) {
        let (status, stored) =
            connection.call("GET", &format!("/v1/verifications/{id}"), None).expect("an answer");
        assert_eq!(status, 200, "the acknowledged start of {id} is gone: {stored}");
        let used = stored["checks"]["used"].as_u64().expect("checks.used");
        assert!(used >= self.wrong + self.approvals, "{id}: an acknowledged check is gone: {stored}");
        assert!(used <= MOST_GUESSES, "{id}: {used} guesses were charged");
        let sends = stored["sends"]["used"].as_u64().expect("sends.used");
        assert!(sends > self.resent, "{id}: an acknowledged resend is gone: {stored}");
        assert!(sends <= MOST_SENDS.min(1 + self.resends_sent), "{id}: {sends} messages");
        let approved = stored["status"] == "approved";
        assert!(approved || self.approvals == 0, "{id}: the acknowledged approval is gone: {stored}");
        assert!(!approved || self.right_sent > 0, "{id}: approved without a right guess");

        // The recipient is this verification's alone: its ledger has what the verification has.
        let path = format!("/v1/recipients/{}", self.asked.to);
        let (_, ledger) = connection.call("GET", &path, None).expect("an answer");
        let failed = ledger["failed_checks"]["last_24h"].as_u64().expect("failed_checks");
        assert_eq!(failed, used - u64::from(approved), "{id}: {stored} {ledger}");
        assert_eq!(ledger["starts"]["last_24h"], json!(1), "{id}: {ledger}");
        assert_eq!(ledger["sends"]["last_24h"], json!(sends), "{id}: {stored} {ledger}");
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

    /// How many were asked for over a wire API.
    pub(super) fn count(&self, way: Way) -> usize {
        self.0.iter().filter(|entry| entry.asked.way == way).count()
    }

    /// How many met the end of their guesses.
    pub(super) fn used_up(&self) -> usize {
        self.0.iter().filter(|entry| entry.wrong >= MOST_GUESSES).count()
    }

    /// See [`Entry::compare_with`].
    pub(super) fn compare_with(&mut self, address: SocketAddr, phone: &Phone) {
        let mut connection = Connection::open(address).expect("the survivor listens");
        for entry in &mut self.0 {
            entry.compare_with(&mut connection, phone);
        }
    }

    /// See [`Entry::go_on`].
    pub(super) fn go_on(&mut self, address: SocketAddr, phone: &Phone) {
        let mut connection = Connection::open(address).expect("the survivor listens");
        for entry in &mut self.0 {
            entry.go_on(&mut connection, phone);
        }
    }

    /// Waits until no message is on its way any more.
    pub(super) fn wait_for_every_message_to_end(&self, address: SocketAddr, patience: Duration) {
        let (mut connection, deadline) =
            (Connection::open(address).expect("it listens"), Instant::now() + patience);
        for id in self.0.iter().filter_map(|entry| entry.asked.id()) {
            loop {
                let stored = look(&mut connection, id);
                let deliveries = stored["deliveries"].as_array().expect("deliveries");
                if deliveries.iter().all(|d| d["status"] != "queued") {
                    assert!(!deliveries.is_empty(), "{id}: the message was never committed");
                    break;
                }
                assert!(Instant::now() < deadline, "still on its way: {stored}");
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }

    /// No submission reached the phone after the code was dead.
    pub(super) fn nothing_was_submitted_after_its_code_was_dead(&self, address: SocketAddr, phone: &Phone) {
        let mut connection = Connection::open(address).expect("it listens");
        for entry in &self.0 {
            let Some(id) = entry.asked.id() else { continue };
            let expires = look(&mut connection, id)["expires_at"].as_str().map(str::parse::<jiff::Timestamp>);
            let expires = expires.expect("expires_at").expect("RFC 3339").as_millisecond();
            for at in phone.submissions_to(&entry.asked.to) {
                assert!(at <= expires, "{id}: submitted {} ms late", at - expires);
            }
        }
    }
}

fn look(connection: &mut Connection, id: &str) -> Value {
    connection.call("GET", &format!("/v1/verifications/{id}"), None).expect("an answer").1
}
