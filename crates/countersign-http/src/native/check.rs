//! `POST /v1/verifications/{id}/check` and `POST /v1/verifications/check`: take a guess.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::engine::{CheckOutcome, Rejection};
use countersign_core::verifications::{Check, CheckOf};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Caller, Verify};
use super::client::Client;
use super::outcome::answer;
use super::request::{self, Named, Raw};
use super::resource::{VerificationResource, json};
use super::schema::{Address, ContextPairs, Guess, IdempotencyKeyText, PurposeText, VerificationIdText};
use super::{Api, limits};
use crate::json::Object;
use crate::problem::{Kind, Problem};

/// What may go wrong besides what may go wrong with every call.
pub(super) const PROBLEMS: &[Kind] = &[
    Kind::MalformedRequest,
    Kind::NotFound,
    Kind::BodyTooLarge,
    Kind::UnsupportedMediaType,
    Kind::IdempotencyMismatch,
];

/// What may go wrong where the recipient is named, too.
pub(super) const PROBLEMS_BY_RECIPIENT: &[Kind] = &[
    Kind::MalformedRequest,
    Kind::NotFound,
    Kind::BodyTooLarge,
    Kind::UnsupportedMediaType,
    Kind::InvalidRecipient,
    Kind::IdempotencyMismatch,
];

/// A guess.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "123456"}))]
pub(super) struct CheckRequest {
    /// What the person typed. ASCII spaces and hyphens are dropped; anything else but ASCII letters and
    /// digits is malformed and costs no check.
    #[schema(value_type = Guess, write_only)]
    code: String,
    /// What the verification was started with, repeated exactly.
    #[serde(default)]
    #[schema(value_type = ContextPairs)]
    context: BTreeMap<String, String>,
    /// Who is asking, as far as the caller knows. A wrong guess from another network than the one from which the
    /// recipient was approved last counts half.
    #[schema(value_type = Option<Client>)]
    client: Option<Object<Client>>,
    /// Whether the caller vouches for the request (scope `trusted`). Guesses at what a reserved start opened are
    /// taken from nobody else.
    trusted: Option<bool>,
}

/// A guess for the newest verification of a recipient and purpose.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"to": "+12125550123", "purpose": "login", "code": "123456"}))]
pub(super) struct RecipientCheckRequest {
    /// The phone number or e-mail address.
    #[schema(value_type = Address)]
    to: String,
    /// What the verification was started for.
    #[schema(value_type = Option<PurposeText>, default = "verification")]
    purpose: Option<String>,
    /// What the person typed.
    #[schema(value_type = Guess, write_only)]
    code: String,
    /// What the verification was started with, repeated exactly.
    #[serde(default)]
    #[schema(value_type = ContextPairs)]
    context: BTreeMap<String, String>,
    /// Who is asking, as far as the caller knows. A wrong guess from another network than the one from which the
    /// recipient was approved last counts half.
    #[schema(value_type = Option<Client>)]
    client: Option<Object<Client>>,
    /// Whether the caller vouches for the request (scope `trusted`). Guesses at what a reserved start opened are
    /// taken from nobody else.
    trusted: Option<bool>,
}

/// A verification after a guess. `valid` is the one member to test.
#[derive(Serialize, ToSchema)]
#[schema(as = CheckedVerification)]
pub(super) struct Checked {
    #[serde(flatten)]
    verification: VerificationResource,
    /// Whether the guess was right and the verification is approved by it.
    valid: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ReasonName, required = false)]
    reason: Option<&'static str>,
}

/// Why a guess was not accepted.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case", as = CheckReason)]
#[expect(dead_code, reason = "its variants are the schema")]
enum ReasonName {
    WrongCode,
    Expired,
    Exhausted,
    AlreadyUsed,
    Canceled,
    ContextMismatch,
    RecipientHeld,
}

fn reason(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::WrongCode | Rejection::OtherLength => "wrong_code",
        Rejection::Expired => "expired",
        Rejection::Exhausted => "exhausted",
        Rejection::AlreadyUsed => "already_used",
        Rejection::Canceled => "canceled",
        Rejection::ContextMismatch => "context_mismatch",
        Rejection::RecipientHeld => "recipient_held",
    }
}

/// Check a code
///
/// Takes a guess. An existing verification always answers 200; `valid` says whether the guess was
/// right.
#[utoipa::path(
    post, path = "/v1/verifications/{id}/check", operation_id = "checkVerification", tag = "Verifications",
    request_body = CheckRequest,
    params(
        ("id" = VerificationIdText, Path, description = "The verification"),
        ("Idempotency-Key" = Option<IdempotencyKeyText>, Header,
            description = "One effect for repeated requests: kept for 24 hours, for this tenant"),
    ),
    responses((status = 200, description = "The guess was taken: see `valid`", body = Checked)),
)]
pub(super) async fn check(
    State(api): State<Api>,
    caller: Caller<Verify>,
    Named(id): Named,
    raw: Raw,
) -> Result<Response, Problem> {
    let CheckRequest { code, context, client, trusted } = raw.json()?;
    let guess = GuessOf { code, context, client, trusted };
    take(&api, &caller, CheckOf::Id(id), guess, &raw).await
}

/// Check a code by recipient
///
/// Takes a guess for the newest verification of a recipient and purpose.
#[utoipa::path(
    post, path = "/v1/verifications/check", operation_id = "checkRecipient", tag = "Verifications",
    request_body = RecipientCheckRequest,
    params(("Idempotency-Key" = Option<IdempotencyKeyText>, Header,
        description = "One effect for repeated requests: kept for 24 hours, for this tenant")),
    responses((status = 200, description = "The guess was taken: see `valid`", body = Checked)),
)]
pub(super) async fn check_by_recipient(
    State(api): State<Api>,
    caller: Caller<Verify>,
    raw: Raw,
) -> Result<Response, Problem> {
    let RecipientCheckRequest { to, purpose, code, context, client, trusted } = raw.json()?;
    let recipient = request::recipient(&to, &caller.tenant.policy)?;
    let purpose = request::purpose(purpose.as_deref())?;
    let guess = GuessOf { code, context, client, trusted };
    take(&api, &caller, CheckOf::Address(&recipient, purpose), guess, &raw).await
}

/// What both calls say of a guess.
struct GuessOf {
    code: String,
    context: BTreeMap<String, String>,
    client: Option<Object<Client>>,
    trusted: Option<bool>,
}

async fn take(
    api: &Api,
    caller: &Caller<Verify>,
    of: CheckOf<'_>,
    guess: GuessOf,
    raw: &Raw,
) -> Result<Response, Problem> {
    let trusted = caller.vouches(guess.trusted)?;
    limits::context(&guess.context)?;
    let check = Check {
        tenant: &caller.tenant,
        dialect: &api.dialect,
        of,
        code: request::code(&guess.code)?,
        only_of_length: false,
        context: guess.context.into(),
        client_ip: Client::ip_of(guess.client)?,
        trusted,
        consume: true,
        record_proof: true,
        idempotency: raw.idempotency(),
    };
    let verifications = &api.services.verifications;
    let outcome = verifications.check(check).await?;
    Ok(answer(outcome, |outcome, at| {
        let (verification, reason) = match outcome {
            CheckOutcome::Right { verification } => (verification, None),
            CheckOutcome::Rejected { verification, reason: why, retry_after: _ } => {
                (verification, Some(reason(why)))
            }
            CheckOutcome::NotFound => return Err(Problem::no_verification()),
        };
        let verification = VerificationResource::of(verifications, &verification, at)?;
        Ok(json(StatusCode::OK, &Checked { verification, valid: reason.is_none(), reason }))
    }))
}
