//! Faults found in comparable products, each as a test of the whole service. `docs/peer-faults.md`
//! lists them all, with these tests and those of other crates.

mod answers;
mod attempts;
mod codes;
mod process;
mod sends;

use serde_json::{Value, json};

use crate::support::TestApp;

const NUMBER: &str = "+12125550123";
const OTHER_NUMBER: &str = "+12125550124";
const MAILBOX: &str = "ann@example.com";

/// One guess by id; the answer.
async fn check(app: &TestApp, id: &str, code: &str) -> Value {
    app.post(&format!("/v1/verifications/{id}/check"), json!({ "code": code })).await.json()
}

/// So many wrong guesses.
async fn guess_wrong(app: &TestApp, id: &str, code: &str, times: u32) {
    for _ in 0..times {
        assert_eq!(check(app, id, &wrong(code)).await["reason"], "wrong_code");
    }
}

/// A code that is not `code`, of the same length.
fn wrong(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &code[..code.len() - 1])
}

/// A login that cannot be refused for its recipient's past.
fn login(to: &str) -> Value {
    json!({"to": to, "purpose": "login"})
}

async fn resend(app: &TestApp, id: &str) -> crate::support::Answer {
    app.post(&format!("/v1/verifications/{id}/resend"), json!({})).await
}

async fn status(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/v1/verifications/{id}")).await.json()["status"].clone()
}

/// A call of the zap dialect, for the same tenant as the native calls.
async fn zap(app: &TestApp, path: &str, body: Value) -> crate::support::Answer {
    app.call("POST", path, &[("authorization", "Bearer dev-zap-token")], Some(body)).await
}
