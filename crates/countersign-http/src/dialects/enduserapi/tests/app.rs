//! The dialect over an engine in memory, with a clock that is pushed and a provider that remembers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use countersign_core::names::{Channel, TenantId};
use countersign_core::nonces::NonceBudgets;
use countersign_core::tenant::Tenant;
use countersign_core::testkit::{ManualClock, MemoryEngine, tenant as plain_tenant};
use countersign_core::time::{Clock, Timestamp};
use countersign_core::tokens::Tokens;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::sign;
use crate::dialects::{Dialects, enduserapi};
use crate::hooks::{ForwardHook, HookClient, HookError, HookReply, HookTarget, InvalidHook};
use crate::testing::{Ground, Outbox, answer, whole};

/// The user domain under test, with the secret of the source's example.
pub(super) const USER_DOMAIN: &str = "C.DM.10271.5";
pub(super) const SECRET: &str = "57Fk69oYgbs2aWWN362NtZwYB2RqKNqQ7yZESnF5VM33";
/// The other one.
pub(super) const OTHER_DOMAIN: &str = "C.DM.10271.6";
pub(super) const OTHER_SECRET: &str = "countersign-test-user-domain-secret";
/// When the source's example was signed.
pub(super) const START: Timestamp = Timestamp::from_millis(1_744_773_894_369);

/// The dialect for the tenants `acme` and `other`.
pub(super) struct App {
    router: Router,
    pub(super) clock: Arc<ManualClock>,
    pub(super) engine: Arc<MemoryEngine>,
    pub(super) hook: TestHook,
    pub(super) tokens: Tokens,
    outbox: Outbox,
    signs_fields: bool,
    randoms: AtomicU64,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// `code`, and `extMsg` or nothing.
    pub(super) fn says(&self) -> (u64, String) {
        let body = self.json();
        (body["code"].as_u64().unwrap(), body["extMsg"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) fn code(&self) -> u64 {
        self.says().0
    }
}

/// What `says` is compared with.
pub(super) fn said(code: u64, ext_msg: &str) -> (u64, String) {
    (code, ext_msg.to_owned())
}

/// How an app differs from the usual one.
pub(super) struct Setup {
    /// Settings of the user domain under test.
    pub(super) domain: Value,
    /// Of the dialect's section.
    pub(super) section: Value,
    pub(super) acme: Tenant,
    pub(super) channels: Vec<Channel>,
    pub(super) budget_of_nonces: Option<NonceBudgets>,
    /// Beside everything else that is served.
    pub(super) whole: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            domain: json!({}),
            section: json!({}),
            acme: plain_tenant("acme"),
            channels: Channel::ALL.into(),
            budget_of_nonces: None,
            whole: false,
        }
    }
}

impl App {
    pub(super) fn new() -> Self {
        Self::build(Setup::default())
    }

    /// The dialect with these settings of the user domain.
    pub(super) fn with(domain: Value) -> Self {
        Self::build(Setup { domain, ..Setup::default() })
    }

    pub(super) fn build(setup: Setup) -> Self {
        let mut section = setup.section.clone();
        let mut own = json!({ "user_domain": USER_DOMAIN, "tenant": "acme", "secret": SECRET });
        merge(&mut own, &setup.domain);
        let other = json!({
            "user_domain": OTHER_DOMAIN, "tenant": "other", "secret": OTHER_SECRET, "countries": ["44", "86"],
        });
        merge(&mut section, &json!({ "user_domains": [own, other] }));
        Self::open(serde_json::from_value(section).unwrap(), setup).unwrap()
    }

    /// The dialect with exactly this section.
    pub(super) fn open(config: enduserapi::Config, setup: Setup) -> Result<Self, enduserapi::InvalidConfig> {
        let ground = Ground::new(ManualClock::at(START));
        let hook = TestHook::default();
        let (mut services, outbox) = ground.services(setup.acme, &setup.channels, Arc::new(hook.clone()));
        let tokens = services.tokens.clone();
        if let Some(budget) = setup.budget_of_nonces {
            services.nonces = services.nonces.with_budgets(budget);
        }
        let signs_fields = config
            .user_domains
            .first()
            .is_some_and(|domain| domain.signature_scheme == enduserapi::SignatureScheme::HmacFields);
        let router = if setup.whole {
            whole(Dialects { enduserapi: Some(config), ..Dialects::default() }, services)
        } else {
            enduserapi::routes(config, services)?
        };
        let (Ground { clock, engine }, randoms) = (ground, AtomicU64::new(0));
        Ok(Self { router, clock, engine, hook, tokens, outbox, signs_fields, randoms })
    }

    pub(super) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The present instant as clients write it.
    pub(super) fn ts(&self) -> String {
        self.clock.now().as_millis().to_string()
    }

    /// The query of a call of the user domain under test, with a fresh `random`, the present time and its
    /// signature wherever `query` does not say otherwise.
    pub(super) fn signed(&self, call: &str, query: &str) -> String {
        let drawn = self.randoms.fetch_add(1, Ordering::SeqCst);
        let mut query = query.to_owned();
        for (name, value) in
            [("userDomain", USER_DOMAIN.to_owned()), ("random", format!("R{drawn:015}")), ("ts", self.ts())]
        {
            let dated = name != "ts" || call != "phoneSmsCodeLogin";
            if dated && !sign::pairs(&query).contains_key(name) {
                query = format!("{query}&{name}={value}");
            }
        }
        format!("{query}&signature={}", self.signature(call, &query))
    }

    pub(super) fn signature(&self, call: &str, query: &str) -> String {
        let pairs = sign::pairs(query);
        let own = pairs.get("userDomain").is_none_or(|domain| domain == USER_DOMAIN);
        match own {
            true if self.signs_fields => sign::hmac_fields(call, &pairs, SECRET),
            true => sign::sha256(call, &pairs, SECRET),
            false => sign::sha256(call, &pairs, OTHER_SECRET),
        }
    }

    /// A signed call.
    pub(super) async fn make(&self, call: &str, query: &str) -> Reply {
        self.post(call, &self.signed(call, query)).await
    }

    /// A call with exactly this query, and no body.
    pub(super) async fn post(&self, call: &str, query: &str) -> Reply {
        self.call(Request::post(format!("{}?{query}", path(call))).body(Body::empty()).unwrap()).await
    }

    /// Any call.
    pub(super) async fn call(&self, request: Request<Body>) -> Reply {
        let (status, headers, body) = answer(&self.router, request).await;
        Reply { status, headers, body }
    }

    /// What was sent since the last call of this, as `channel to address`.
    pub(super) async fn sent(&mut self) -> Vec<String> {
        self.outbox.sent().await
    }

    /// The latest code of all.
    pub(super) async fn last_code(&mut self) -> String {
        self.outbox.last_code().await
    }

    /// The first code of all.
    pub(super) async fn first_code(&mut self) -> String {
        self.outbox.first_code().await
    }

    /// A code that is not the latest one.
    pub(super) async fn wrong_code(&mut self) -> String {
        self.outbox.wrong_code().await
    }
}

pub(super) fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// Where a call is served.
pub(super) fn path(call: &str) -> &'static str {
    match call {
        "sendPhoneSmsCode" => "/v2/sms/enduserapi/v2/sendPhoneSmsCode",
        "validateSmsCode" => "/v2/sms/enduserapi/v2/validateSmsCode",
        "sendEmail" => "/v2/mail/enduserapi/v2/sendEmail",
        "validateEmailCode" => "/v2/mail/enduserapi/v2/validateEmailCode",
        "phoneSmsCodeLogin" => "/v2/enduser/enduserapi/phoneSmsCodeLogin",
        "phonePwdRegister" => "/v2/enduser/enduserapi/v2/phonePwdRegister",
        "userPwdReset" => "/v2/enduser/enduserapi/userPwdReset",
        other => panic!("no such call: {other}"),
    }
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().unwrap() {
        into[name] = value.clone();
    }
}

/// A hook that remembers what it was given and answers what the test told it to.
#[derive(Clone, Default)]
pub(super) struct TestHook(Arc<Mutex<HookState>>);

#[derive(Default)]
struct HookState {
    bodies: Vec<String>,
    answers: VecDeque<Result<HookReply, HookError>>,
}

impl TestHook {
    /// What the next call gets.
    pub(super) fn answer_next(&self, answer: Result<HookReply, HookError>) {
        self.0.lock().unwrap().answers.push_back(answer);
    }

    /// What it was given so far.
    pub(super) fn bodies(&self) -> Vec<String> {
        self.0.lock().unwrap().bodies.clone()
    }
}

impl std::fmt::Debug for TestHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestHook")
    }
}

impl HookClient for TestHook {
    fn connect(&self, target: &HookTarget) -> Result<Arc<dyn ForwardHook>, InvalidHook> {
        if !target.url.starts_with("https://") {
            return Err(InvalidHook("not https".into()));
        }
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl ForwardHook for TestHook {
    async fn forward(&self, _: &str, _: Zeroizing<Vec<u8>>) -> Result<(), HookError> {
        unreachable!("the dialect asks for the answer's body")
    }

    async fn exchange(&self, id: &str, body: Zeroizing<Vec<u8>>) -> Result<HookReply, HookError> {
        assert!(id.starts_with("ver_"), "{id}");
        let mut state = self.0.lock().unwrap();
        state.bodies.push(String::from_utf8(body.to_vec()).unwrap());
        let usual = || Ok(HookReply::Taken(br#"{"uid":"U1"}"#.to_vec().into()));
        state.answers.pop_front().unwrap_or_else(usual)
    }
}
