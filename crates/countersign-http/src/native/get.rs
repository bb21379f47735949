//! `GET /v1/verifications/{id}`: one verification, with what became of its messages.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::outbox::{Abandoned, Message, MessageState};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Caller, Verify};
use super::request::{Named, Raw};
use super::resource::{ChannelName, VerificationResource, json};
use super::schema::VerificationIdText;
use crate::problem::{Kind, Problem};

/// What may go wrong besides what may go wrong with every call.
pub(super) const PROBLEMS: &[Kind] = &[Kind::MalformedRequest, Kind::NotFound, Kind::BodyTooLarge];

/// A verification with its deliveries, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = VerificationWithDeliveries)]
pub(super) struct WithDeliveries {
    #[serde(flatten)]
    verification: VerificationResource,
    deliveries: Vec<Delivery>,
}

/// What became of one message.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageDelivery)]
struct Delivery {
    #[schema(value_type = ChannelName)]
    channel: &'static str,
    /// Who took it or was tried last; `null` while nobody was.
    #[schema(required = true)]
    provider: Option<String>,
    #[schema(value_type = DeliveryStatusName)]
    status: &'static str,
    /// Since when.
    #[schema(format = DateTime)]
    at: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "recipient_unreachable")]
    reason: Option<&'static str>,
}

/// Where a message stands.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase", as = DeliveryStatus)]
#[expect(dead_code, reason = "its variants are the schema")]
enum DeliveryStatusName {
    Queued,
    Sent,
    Delivered,
    Failed,
    Expired,
}

impl Delivery {
    fn of(message: &Message) -> Self {
        let tried = message.tried.last().map(ToString::to_string);
        let (status, provider, reason) = match &message.state {
            MessageState::Queued | MessageState::Leased { .. } | MessageState::Retrying { .. } => {
                ("queued", tried, None)
            }
            MessageState::Sent { provider } => ("sent", Some(provider.to_string()), None),
            MessageState::Abandoned { reason: Abandoned::Expired } => ("expired", tried, None),
            MessageState::Abandoned { reason } => ("failed", tried, Some(reason.as_str())),
        };
        let at = message.updated_at.to_string();
        Self { channel: message.channel.as_str(), provider, status, at, reason }
    }
}

/// Read a verification
///
/// With what became of each of its messages.
#[utoipa::path(
    get, path = "/v1/verifications/{id}", operation_id = "getVerification", tag = "Verifications",
    params(("id" = VerificationIdText, Path, description = "The verification")),
    responses((status = 200, description = "It exists", body = WithDeliveries)),
)]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller<Verify>,
    Named(id): Named,
    raw: Raw,
) -> Result<Response, Problem> {
    raw.nothing_to_say()?;
    let verifications = &api.services.verifications;
    let record = verifications.get(&caller.tenant, id).await?.ok_or_else(Problem::no_verification)?;
    let body = WithDeliveries {
        verification: VerificationResource::of(verifications, &record.verification, verifications.now())?,
        deliveries: record.messages.iter().map(Delivery::of).collect(),
    };
    Ok(json(StatusCode::OK, &body))
}
