//! `POST /v1/verifications`: open a verification, or send again while one is pending.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, LOCATION};
use axum::response::Response;
use countersign_core::code::Code;
use countersign_core::engine::{self, Accepted, AcceptedKind, Idempotent, Intent, SendOutcome};
use countersign_core::names::Locale;
use countersign_core::recipient::Recipient;
use countersign_core::time::Timestamp;
use countersign_core::verification::Disclosed;
use countersign_core::verifications::{Start, Target};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Caller, Scope, Verify};
use super::client::Client;
use super::outcome::answer;
use super::request::{self, Raw, malformed};
use super::resource::{ChannelName, VerificationResource, json};
use super::schema::{Address, ContextPairs, IdempotencyKeyText, LocaleText, Notes, OwnCode, PurposeText};
use super::{Api, limits};
use crate::json::Object;
use crate::problem::{Kind, Problem};

/// What may go wrong besides what may go wrong with every call.
pub(super) const PROBLEMS: &[Kind] = &[
    Kind::MalformedRequest,
    Kind::BodyTooLarge,
    Kind::UnsupportedMediaType,
    Kind::InvalidRecipient,
    Kind::Blocked,
    Kind::IdempotencyMismatch,
    Kind::SendsExhausted,
    Kind::RecipientLimit,
    Kind::RecipientHeld,
    Kind::ClientLimit,
    Kind::TenantBudget,
];

/// What to open.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"to": "+12125550123", "purpose": "login", "client": {"ip": "203.0.113.7"}}))]
pub(super) struct StartRequest {
    /// A phone number with its country code, or an e-mail address.
    #[schema(value_type = Address, example = "+12125550123")]
    to: String,
    /// How the code travels: `sms` for a number and `email` for an address, unless named.
    #[schema(value_type = Option<ChannelName>)]
    channel: Option<String>,
    /// What the code is good for, in 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`.
    #[schema(value_type = Option<PurposeText>, default = "verification")]
    purpose: Option<String>,
    /// The language of the text (BCP 47). Falls back along the chain, then to the tenant's own.
    #[schema(value_type = Option<LocaleText>, example = "pt-BR")]
    locale: Option<String>,
    /// Whether the code is sent, or handed back in `code` and nothing is sent (scope `read-code`).
    delivery: Option<Delivery>,
    /// The caller's own code, 4 to 10 letters or digits, if the tenant allows it.
    #[schema(value_type = Option<OwnCode>, write_only)]
    code: Option<String>,
    /// Who is asking, as far as the caller knows: signals against fraud.
    #[schema(value_type = Option<Client>)]
    client: Option<Object<Client>>,
    /// Whether the caller vouches for the request, e.g. because the person is signed in: where others have used up
    /// the recipient's starts or guesses, it may use one of those kept for such (scope `trusted`). Never `true` for
    /// what an anonymous form asks.
    trusted: Option<bool>,
    /// With `trusted`: another address of the same person, whose hold ends when this verification is approved. A
    /// number's by a proof of an e-mail address, an e-mail address' by one of a number.
    #[schema(value_type = Option<Address>, example = "ann@example.com")]
    ends_hold_of: Option<String>,
    /// What the code is bound to besides, e.g. `amount` and `payee`; a check must repeat it exactly.
    /// At most 8 pairs, names of 1 to 64 characters, values of at most 256.
    #[serde(default)]
    #[schema(value_type = ContextPairs)]
    context: BTreeMap<String, String>,
    /// The caller's own notes. At most 16 pairs, 1 KiB in all.
    #[serde(default)]
    #[schema(value_type = Notes)]
    metadata: BTreeMap<String, String>,
}

/// What happens with the code.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(rename_all = "lowercase", as = DeliveryMode)]
enum Delivery {
    /// It is sent.
    Send,
    /// It comes back in `code`, and nothing is sent.
    Return,
}

/// serde's own reading of an enum would also take `{"send": null}`.
impl TryFrom<String> for Delivery {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "send" => Ok(Self::Send),
            "return" => Ok(Self::Return),
            _ => Err("must be send or return"),
        }
    }
}

/// A verification, with its code if it was asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = StartedVerification)]
pub(super) struct Started {
    #[serde(flatten)]
    verification: VerificationResource,
    /// With `"delivery": "return"`: the code. Never in a replayed answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<String>,
}

/// Start a verification
///
/// Opens a verification and sends its code. While one is pending for the same recipient and purpose,
/// it is that one which answers, with 200: sent again if its cool-down is over, untouched otherwise, so
/// that a double click costs nothing. A start with another `context` or `code` cancels the pending one
/// and opens a new one.
#[utoipa::path(
    post, path = "/v1/verifications", operation_id = "startVerification", tag = "Verifications",
    request_body = StartRequest,
    params(("Idempotency-Key" = Option<IdempotencyKeyText>, Header,
        description = "One effect for repeated requests: kept for 24 hours, for this tenant")),
    responses(
        (status = 201, description = "Opened", body = Started,
            headers(("Location" = String, description = "The verification's path"))),
        (status = 200, description = "One was pending: sent again, or inside its cool-down", body = Started),
    ),
)]
pub(super) async fn start(
    State(api): State<Api>,
    caller: Caller<Verify>,
    raw: Raw,
) -> Result<Response, Problem> {
    let request: StartRequest = raw.json()?;
    let delivery = match request.delivery.unwrap_or(Delivery::Send) {
        Delivery::Send => engine::Delivery::Send,
        Delivery::Return => {
            caller.require(Scope::ReadCode)?;
            engine::Delivery::Return
        }
    };
    let recipient = request::recipient(&request.to, &caller.tenant.policy)?;
    let trusted = caller.vouches(request.trusted)?;
    let ends_hold_of = request.ends_hold_of.as_deref().map(|other| other_recipient(&caller, trusted, other));
    let ends_hold_of = ends_hold_of.transpose()?;
    let channel = request.channel.as_deref().map(request::channel).transpose()?;
    let locale = request.locale.as_deref().map(Locale::parse).transpose();
    limits::context(&request.context)?;
    limits::metadata(&request.metadata)?;
    let told =
        Disclosed { to: vec![recipient.expose().to_owned()], metadata: request.metadata.clone().into() };
    let start = Start {
        tenant: &caller.tenant,
        dialect: &api.dialect,
        purpose: request::purpose(request.purpose.as_deref())?,
        intent: Intent::Start,
        delivery,
        targets: vec![(Target::Address(recipient), channel)],
        locale: locale.map_err(|error| malformed("locale", &error))?,
        custom_code: request.code.as_deref().map(own_code).transpose()?,
        link: None,
        context: request.context.into(),
        metadata: request.metadata.into(),
        client_ip: Client::ip_of(request.client)?,
        trusted,
        ends_hold_of,
        terms: None,
        idempotency: raw.idempotency(),
    };
    let outcome = api.services.verifications.start(start).await?;
    // What was opened by this very request was sealed a moment ago: no need to open it again.
    let opened = |accepted: &Accepted| accepted.kind == AcceptedKind::Opened;
    let fresh =
        matches!(&outcome, Idempotent::Fresh { outcome: SendOutcome::Accepted(it), .. } if opened(it));
    let told = fresh.then_some(told);
    Ok(answer(outcome, |outcome, at| match outcome {
        SendOutcome::Accepted(accepted) => started(&api, *accepted, told, at),
        SendOutcome::Refused(refusal) => Err(refusal.into()),
    }))
}

/// Whose hold shall end. Who may say so vouches for it.
fn other_recipient(caller: &Caller<Verify>, trusted: bool, text: &str) -> Result<Recipient, Problem> {
    if !trusted {
        return Err(Problem::malformed("ends_hold_of", "only a trusted call ends a hold"));
    }
    request::recipient_in("ends_hold_of", text, &caller.tenant.policy)
}

/// A code of the caller's own is taken as it is: nobody typed it, so nothing is trimmed.
fn own_code(text: &str) -> Result<Code, Problem> {
    let code = request::code(text)?;
    if code.expose().len() == text.len() {
        Ok(code)
    } else {
        Err(Problem::malformed("code", "a code of your own has letters and digits only"))
    }
}

fn started(
    api: &Api,
    accepted: Accepted,
    told: Option<Disclosed>,
    at: Timestamp,
) -> Result<Response, Problem> {
    let Accepted { kind, verification, code, client_is_over: _ } = accepted;
    let body = Started {
        verification: match told {
            Some(told) => VerificationResource::saying(told, &verification, at),
            None => VerificationResource::of(&api.services.verifications, &verification, at)?,
        },
        code: code.map(|code| code.expose().to_owned()),
    };
    Ok(match kind {
        AcceptedKind::Opened => {
            let mut response = json(StatusCode::CREATED, &body);
            let location = format!("/v1/verifications/{}", verification.id);
            let location = HeaderValue::try_from(location).expect("an id is ASCII");
            response.headers_mut().insert(LOCATION, location);
            response
        }
        AcceptedKind::Resent | AcceptedKind::CoolingDown | AcceptedKind::Repeated => {
            json(StatusCode::OK, &body)
        }
    })
}
