//! Online guessing over weeks, on a clock that is pushed: whatever the attacker alternates (resends,
//! cancels, other purposes, other contexts, aliases of the mailbox, the other wire API), at most 20
//! guesses per recipient are compared in any 24 hours, and 50 in a row end it until an administrator
//! lifts the hold.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

const VICTIM: &str = "victim@example.com";
/// No drawn code has letters in lower case.
const WRONG: &str = "wrong0";
const DAY: u64 = 24 * 3600;

/// How the attacker gets verifications to guess at.
#[derive(Clone, Copy, Debug)]
enum Strategy {
    /// Starts again when the guesses are used up.
    Restart,
    /// Cancels before the last guess and starts again.
    Cancel,
    /// Asks for a resend between guesses.
    Resend,
    /// Starts with another context each time, which opens another verification.
    Context,
    /// Has the codes handed back: they are no messages and wait for no cool-down.
    Return,
    /// Starts for another spelling of the same mailbox each time.
    Alias,
    /// Uses the other wire API alone.
    Zap,
    /// Keeps verifications of both wire APIs and of several purposes open, and takes turns.
    Hop,
}

const ALL: [Strategy; 8] = {
    use Strategy::{Alias, Cancel, Context, Hop, Resend, Restart, Return, Zap};
    [Restart, Cancel, Resend, Context, Return, Alias, Zap, Hop]
};

struct Attack {
    app: TestApp,
    strategy: Strategy,
    /// Seconds since the attack began.
    now: u64,
    /// When guesses were compared.
    compared: Vec<u64>,
    /// How many of them at which verification, where that is known.
    at_each: HashMap<String, u32>,
    /// Makes contexts and aliases different.
    turn: u32,
}

impl Attack {
    fn new(strategy: Strategy) -> Self {
        Self { app: TestApp::new(), strategy, now: 0, compared: Vec::new(), at_each: HashMap::new(), turn: 0 }
    }

    fn wait(&mut self, seconds: u64) {
        self.app.advance(seconds);
        self.now += seconds;
    }

    /// Starts; the id, unless it is refused.
    async fn start(&self, body: Value) -> Option<String> {
        let answer = self.app.post("/v1/verifications", body).await;
        assert!([200, 201, 429].contains(&answer.status), "{answer:?}");
        (answer.status != 429).then(|| answer.text("id"))
    }

    /// What a turn's verification is bound to.
    fn context(&self) -> Value {
        match self.strategy {
            Strategy::Context | Strategy::Return => json!({ "turn": self.turn.to_string() }),
            _ => json!({}),
        }
    }

    /// Guesses at a verification; whether that was compared.
    async fn guess(&mut self, id: &str) -> bool {
        let path = format!("/v1/verifications/{id}/check");
        let answer = self.app.post(&path, json!({"code": WRONG, "context": self.context()})).await;
        let reason = answer.text("reason");
        assert!(["wrong_code", "exhausted", "recipient_held"].contains(&&*reason), "{answer:?}");
        let compared = self.record(reason == "wrong_code");
        let at_this = self.at_each.entry(id.to_owned()).or_default();
        *at_this += u32::from(compared);
        assert!(*at_this <= 5, "{:?}: {at_this} guesses at {id}", self.strategy);
        compared
    }

    async fn zap(&self, path: &str, body: Value) -> Answer {
        let answer = self.app.call("POST", path, &[], Some(body)).await;
        assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
        answer
    }

    /// Guesses over the other wire API, where a verification is pending.
    async fn guess_zap(&mut self) -> bool {
        let answer = self.zap("/v1/otp/verify", json!({"identity": VICTIM, "otp": WRONG})).await;
        let said = answer.text("data");
        assert!(["Invalid OTP", "Too many attempts"].contains(&&*said), "{answer:?}");
        self.record(said == "Invalid OTP")
    }

    fn record(&mut self, compared: bool) -> bool {
        if compared {
            self.compared.push(self.now);
            let day = self.compared.iter().filter(|at| self.now - **at < DAY).count();
            assert!(day <= 20, "{:?}: {day} guesses in a day, at {}", self.strategy, self.now);
        }
        compared
    }

    /// Attacks until something refuses.
    async fn press(&mut self) {
        loop {
            self.turn += 1;
            let (to, context) = (VICTIM, self.context());
            let body = match self.strategy {
                Strategy::Zap => return self.press_zap().await,
                Strategy::Hop => return self.hop().await,
                Strategy::Return => {
                    json!({"to": to, "purpose": "login", "context": context, "delivery": "return"})
                }
                Strategy::Alias => {
                    json!({"to": format!("Victim+{}@example.com", self.turn), "purpose": "login"})
                }
                Strategy::Restart | Strategy::Cancel | Strategy::Resend | Strategy::Context => {
                    json!({"to": to, "purpose": "login", "context": context})
                }
            };
            let Some(id) = self.start(body).await else { return };
            let mut guesses = 0;
            while self.guess(&id).await {
                guesses += 1;
                match self.strategy {
                    Strategy::Cancel if guesses == 4 => {
                        self.app.post(&format!("/v1/verifications/{id}/cancel"), json!({})).await;
                        break;
                    }
                    Strategy::Resend => {
                        self.wait(31);
                        self.app.post(&format!("/v1/verifications/{id}/resend"), json!({})).await;
                    }
                    _ => {}
                }
            }
            if guesses == 0 {
                return;
            }
        }
    }

    async fn press_zap(&mut self) {
        while self.zap("/v1/otp/resend", json!({ "email": VICTIM })).await.status == 200 {
            while self.guess_zap().await {}
            self.wait(31);
        }
    }

    async fn hop(&mut self) {
        let mut ids = Vec::new();
        for purpose in ["login", "payment", "support"] {
            ids.extend(self.start(json!({"to": VICTIM, "purpose": purpose})).await);
        }
        let mut zap = self.zap("/v1/otp/resend", json!({ "email": VICTIM })).await.status == 200;
        if self.zap("/v1/otp/forgotPassword", json!({ "identity": VICTIM })).await.status == 200 {
            ids.extend(self.start(json!({"to": VICTIM, "purpose": "password_reset"})).await);
        }
        while zap || !ids.is_empty() {
            zap = zap && self.guess_zap().await;
            let mut open = Vec::new();
            for id in ids {
                if self.guess(&id).await {
                    open.push(id);
                }
            }
            ids = open;
        }
    }

    /// The victim comes along and proves itself, where that is possible: the worst case, for it ends
    /// the row of failures.
    async fn victim_logs_in(&self) {
        let body = json!({"to": VICTIM, "purpose": "victim", "delivery": "return"});
        let started = self.app.post("/v1/verifications", body).await;
        if started.status == 429 {
            return;
        }
        let path = format!("/v1/verifications/{}/check", started.text("id"));
        let checked = self.app.post(&path, json!({ "code": started.text("code") })).await.json();
        assert_eq!(checked["valid"], true, "{checked}");
    }

    /// Presses for so many days, again as soon as a wait is over.
    async fn last(&mut self, days: u64, victim: bool) {
        let end = self.now + days * DAY;
        while self.now < end {
            if victim {
                self.victim_logs_in().await;
            }
            self.press().await;
            self.app.sent().await;
            let held = self.app.get(&format!("/v1/recipients/{VICTIM}")).await.json();
            self.wait(held["retry_after"].as_u64().unwrap_or(3600).min(3600));
        }
    }
}

/// Shows: I2, A1, A3.
#[tokio::test]
async fn no_strategy_gets_more_than_twenty_guesses_a_day() {
    for strategy in ALL {
        let mut attack = Attack::new(strategy);
        attack.last(30, true).await;
        // No more, and no less either: a strategy that does not reach the limit proves nothing about it.
        assert_eq!(attack.compared.len(), 30 * 20, "{strategy:?}");
    }
}

/// Shows: N3.
#[tokio::test]
async fn fifty_guesses_in_a_row_end_it_until_an_administrator_lifts_the_hold() {
    for strategy in ALL {
        let mut attack = Attack::new(strategy);
        attack.last(30, false).await;
        assert_eq!(attack.compared.len(), 50, "{strategy:?}");
        let path = format!("/v1/recipients/{VICTIM}");
        assert_eq!(attack.app.get(&path).await.text("held_reason"), "consecutive_failures");
        let released = attack.app.post(&format!("{path}/release"), json!({})).await;
        assert_eq!(released.json()["held"], false);
        attack.last(1, false).await;
        assert!((51..=70).contains(&attack.compared.len()), "{strategy:?}: {}", attack.compared.len());
    }
}
