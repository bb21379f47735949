//! What was wrong with the end-user API's codes and limits.

use std::path::Path;

use countersign::config::{Config, ServiceConfig};
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, signed};

const PHONE: &str = "13800138000";
const RECIPIENT: &str = "/v1/recipients/+8613800138000";

/// One tenant, served under this API and the native one.
fn config(policy: &str) -> ServiceConfig {
    let text = format!(
        "[keys]\nfile = 'keys'\n[[tenants]]\nid = 'demo'\nbrand = 'Demo'\n[tenants.policy]\n{policy}\n\
         [[tenants.api_keys]]\nname = 'demo'\nscopes = ['verify', 'read-code', 'admin']\n\
         sha256 = '3f5cd39ac690d3c7b7765682c7b811df44e7600dd1a8697589ba71bdb8cecf93'\n\
         [[dialects.enduserapi.user_domains]]\nuser_domain = 'C.DM.10271.5'\ntenant = 'demo'\n\
         secret = '57Fk69oYgbs2aWWN362NtZwYB2RqKNqQ7yZESnF5VM33'\ncountries = ['86']\n"
    );
    Config::parse("tenants.toml", &text, Path::new("."), &|_| None).unwrap().service
}

/// A client that draws a new `random` for each call.
struct Client {
    app: TestApp,
    turn: u64,
}

impl Client {
    fn new(policy: &str) -> Self {
        Self { app: TestApp::serving(config(policy)), turn: 0 }
    }

    async fn call(&mut self, path: &str, name: &str, value: &str, more: Value) -> Answer {
        self.turn += 1;
        let mut body = signed(PHONE, name, value, self.turn, self.app.now().as_millis());
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.app.call("POST", path, &[], Some(body)).await
    }

    async fn send(&mut self, code_type: &str) -> u64 {
        let path = "/v2/sms/enduserapi/v2/sendPhoneSmsCode";
        self.call(path, "codeType", code_type, json!({})).await.json()["code"].as_u64().unwrap()
    }

    async fn validate(&mut self, code: &str, more: Value) -> u64 {
        let path = "/v2/sms/enduserapi/v2/validateSmsCode";
        self.call(path, "smsCode", code, more).await.json()["code"].as_u64().unwrap()
    }

    async fn failed_checks(&self) -> u64 {
        self.app.get(RECIPIENT).await.json()["failed_checks"]["last_hour"].as_u64().unwrap()
    }
}

/// A guess is judged by what its verification began with, not by what the tenant says now.
#[tokio::test]
async fn a_code_is_good_after_the_tenant_has_changed_how_long_codes_are() {
    for (before, after) in [(6, 8), (8, 6)] {
        let mut client = Client::new(&format!("code_length = {before}"));
        assert_eq!(client.send("3").await, 200);
        let code = client.app.code().await;
        client.app = client.app.reconfigured(config(&format!("code_length = {after}")));
        let other = "0".repeat(after);
        assert_eq!(client.validate(&other, json!({})).await, 5037);
        assert_eq!(client.failed_checks().await, 0, "what cannot be the code is no guess");
        assert_eq!(client.validate(&code, json!({})).await, 200, "{before} to {after}");
    }
}

#[tokio::test]
async fn a_test_numbers_code_is_good_however_long_it_is() {
    let policy = "test_numbers.ranges = ['+8613800138000']\ntest_numbers.code = '12345678'";
    let mut client = Client::new(policy);
    assert_eq!(client.send("3").await, 200);
    client.app.sent().await;
    assert_eq!(client.validate("12345678", json!({})).await, 200);
}

#[tokio::test]
async fn waiting_times_that_a_tenant_names_are_kept_also_where_they_are_the_usual_ones() {
    let mut client = Client::new("cool_downs_seconds = [30, 60, 120, 240]");
    assert_eq!(client.send("3").await, 200);
    client.app.advance(30);
    assert_eq!(client.send("3").await, 200);
    client.app.sent().await;
    let mut client = Client::new("");
    assert_eq!(client.send("3").await, 200);
    client.app.advance(30);
    assert_eq!(client.send("3").await, 5058, "a minute where the tenant names none");
    client.app.sent().await;
}

#[tokio::test]
async fn five_messages_an_hour_and_ten_a_day_reach_a_number_whatever_they_are_for() {
    let mut client = Client::new("");
    let (mut hour, mut day, mut reached) = (0, 0, 0);
    for minute in 0..24 * 60 {
        let code_type = (minute % 5 + 1).to_string();
        if client.send(&code_type).await == 200 {
            day += 1;
            hour += u32::from(minute < 60);
        }
        reached += client.app.sent().await.len();
        client.app.advance(60);
    }
    assert_eq!((hour, day, reached), (5, 10, 10));
}

#[tokio::test]
async fn a_guess_without_a_type_is_one_guess_at_the_newest_code() {
    let mut client = Client::new("");
    for code_type in ["1", "2", "3"] {
        assert_eq!(client.send(code_type).await, 200);
        client.app.advance(1);
    }
    let codes: Vec<_> = client.app.sent().await.iter().map(|m| m.code.expose().to_owned()).collect();
    let wrong = (0..1_000_000).map(|n| format!("{n:06}")).find(|code| !codes.contains(code)).unwrap();
    assert_eq!(client.validate(&wrong, json!({})).await, 5037);
    assert_eq!(client.failed_checks().await, 1);
    assert_eq!(client.validate(&codes[2], json!({})).await, 200);
    // The newest is proven; the next newest is meant now.
    assert_eq!(client.validate(&codes[1], json!({})).await, 200);
    assert_eq!(client.validate(&codes[0], json!({"codeType": "1"})).await, 200);
    assert_eq!(client.failed_checks().await, 1);
}
