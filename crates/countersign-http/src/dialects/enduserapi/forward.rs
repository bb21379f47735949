//! What the tenant's hooks get, and what they answer.
//!
//! The password stays as the client encrypted it: key and vector come from `random`, which goes along.

use std::fmt;

use countersign_core::ids::VerificationId;
use countersign_core::recipient::{PhoneNumber, Recipient};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::{HookRefusal, Problem};
use super::passwords::{Agreement, Password};
use crate::hooks::{ForwardHook, HookReply};
use crate::json::{self, Object};

/// The codes that a hook may answer with: the vendor's own.
const CODES: std::ops::RangeInclusive<u16> = 5000..=5999;
/// The most characters of a hook's text that are passed on.
const MSG_MAX: usize = 200;

/// What the register hook gets.
pub(super) fn registration(
    user_domain: &str,
    phone: &PhoneNumber,
    password: &Password,
    agreements: &[Object<Agreement>],
) -> Zeroizing<Vec<u8>> {
    let body = Body {
        user_domain,
        phone: Some(phone.expose()),
        email: None,
        pwd: &password.pwd,
        random: password.random.as_deref().map(String::as_str),
        agreement_list: Some(agreements.iter().map(|Object(agreement)| agreement).collect()),
    };
    written(&body)
}

/// What the password hook gets.
pub(super) fn password_change(user_domain: &str, to: &Recipient, password: &Password) -> Zeroizing<Vec<u8>> {
    let (phone, email) = match to {
        Recipient::Phone(phone) => (Some(phone.expose()), None),
        Recipient::Email(email) => (None, Some(email.expose())),
    };
    let random = password.random.as_deref().map(String::as_str);
    written(&Body { user_domain, phone, email, pwd: &password.pwd, random, agreement_list: None })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    user_domain: &'a str,
    /// The proven number, in E.164 form.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    /// The proven mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    pwd: &'a str,
    random: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_list: Option<Vec<&'a Agreement>>,
}

/// No body is longer than what came in; with room for more, no copy of the password stays behind.
fn written(body: &Body<'_>) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(6 * crate::front::MAX_BODY));
    serde_json::to_writer(&mut *bytes, body).expect("texts are JSON");
    bytes
}

/// Registers somebody, whose id the hook answers.
pub(super) async fn register(
    hook: &dyn ForwardHook,
    proof: VerificationId,
    body: Zeroizing<Vec<u8>>,
) -> Result<String, Problem> {
    #[derive(Deserialize)]
    struct Registered {
        uid: String,
    }
    let answer = taken(hook.exchange(&proof.to_string(), body).await?)?;
    let registered: Result<Registered, _> = json::parse(&answer);
    registered
        .map(|registered| registered.uid)
        .map_err(|_| Problem::hook_unavailable("the hook took a registration and named no uid"))
}

/// Changes a password.
pub(super) async fn reset(
    hook: &dyn ForwardHook,
    proof: VerificationId,
    body: Zeroizing<Vec<u8>>,
) -> Result<(), Problem> {
    taken(hook.exchange(&proof.to_string(), body).await?).map(|_| ())
}

/// The body of an answer that says yes. One that says no may say why in the vendor's words.
fn taken(answer: HookReply) -> Result<Zeroizing<Vec<u8>>, Problem> {
    #[derive(Deserialize)]
    struct Refusal {
        code: u16,
        #[serde(default)]
        msg: String,
    }
    match answer {
        HookReply::Taken(body) => Ok(body),
        HookReply::Refused(body) => {
            let refusal = json::parse::<Refusal>(&body).ok().filter(|refusal| CODES.contains(&refusal.code));
            Err(Problem::HookRefused(refusal.map(|refusal| HookRefusal {
                code: refusal.code,
                msg: refusal.msg.chars().take(MSG_MAX).collect(),
            })))
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(******)")
    }
}
