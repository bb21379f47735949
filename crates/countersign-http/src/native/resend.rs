//! `POST /v1/verifications/{id}/resend`: send again.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::engine::SendOutcome;
use countersign_core::verifications::Resend;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Caller, Verify};
use super::outcome::answer;
use super::request::{self, Named, Raw};
use super::resource::{ChannelName, VerificationResource, json};
use super::schema::{IdempotencyKeyText, VerificationIdText};
use crate::problem::{Kind, Problem};

/// What may go wrong besides what may go wrong with every call.
pub(super) const PROBLEMS: &[Kind] = &[
    Kind::MalformedRequest,
    Kind::NotFound,
    Kind::NotPending,
    Kind::BodyTooLarge,
    Kind::UnsupportedMediaType,
    Kind::IdempotencyMismatch,
    Kind::CoolDown,
    Kind::SendsExhausted,
    Kind::RecipientHeld,
    Kind::TenantBudget,
];

/// How to send again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"channel": "voice"}))]
pub(super) struct ResendRequest {
    /// Over another channel than last time.
    #[schema(value_type = Option<ChannelName>)]
    channel: Option<String>,
    /// Whether the caller vouches for the request (scope `trusted`). What a reserved start opened is sent again for
    /// nobody else.
    trusted: Option<bool>,
}

/// Send again
///
/// Sends the code of a pending verification once more, over the channel it names or over the last one.
/// It neither gives back checks nor moves the deadline.
#[utoipa::path(
    post, path = "/v1/verifications/{id}/resend", operation_id = "resendVerification", tag = "Verifications",
    request_body(content = ResendRequest, description = "May be left out"),
    params(
        ("id" = VerificationIdText, Path, description = "The verification"),
        ("Idempotency-Key" = Option<IdempotencyKeyText>, Header,
            description = "One effect for repeated requests: kept for 24 hours, for this tenant"),
    ),
    responses((status = 200, description = "Sent again", body = VerificationResource)),
)]
pub(super) async fn resend(
    State(api): State<Api>,
    caller: Caller<Verify>,
    Named(id): Named,
    raw: Raw,
) -> Result<Response, Problem> {
    let request: ResendRequest = raw.json_or_nothing()?;
    let trusted = caller.vouches(request.trusted)?;
    let resend = Resend {
        tenant: &caller.tenant,
        dialect: &api.dialect,
        id,
        channel: request.channel.as_deref().map(request::channel).transpose()?,
        trusted,
        idempotency: raw.idempotency(),
    };
    let verifications = &api.services.verifications;
    let outcome = verifications.resend(resend).await?;
    Ok(answer(outcome, |outcome, at| match outcome {
        SendOutcome::Accepted(accepted) => {
            let resource = VerificationResource::of(verifications, &accepted.verification, at)?;
            Ok(json(StatusCode::OK, &resource))
        }
        SendOutcome::Refused(refusal) => Err(refusal.into()),
    }))
}
