//! `POST /v1/verifications/{id}/cancel`: give up.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::engine::CancelOutcome;

use super::Api;
use super::auth::{Caller, Verify};
use super::outcome::not_pending;
use super::request::{Named, Raw};
use super::resource::{VerificationResource, json};
use super::schema::VerificationIdText;
use crate::problem::{Kind, Problem};

/// What may go wrong besides what may go wrong with every call.
pub(super) const PROBLEMS: &[Kind] =
    &[Kind::MalformedRequest, Kind::NotFound, Kind::NotPending, Kind::BodyTooLarge];

/// Cancel a verification
///
/// Its code is dead from now on. Cancelling twice is the same as once.
#[utoipa::path(
    post, path = "/v1/verifications/{id}/cancel", operation_id = "cancelVerification", tag = "Verifications",
    params(("id" = VerificationIdText, Path, description = "The verification")),
    responses((status = 200, description = "Canceled, now or since before", body = VerificationResource)),
)]
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller<Verify>,
    Named(id): Named,
    raw: Raw,
) -> Result<Response, Problem> {
    raw.nothing_to_say()?;
    let verifications = &api.services.verifications;
    let now = verifications.now();
    match verifications.cancel(&caller.tenant, id).await? {
        CancelOutcome::Canceled(verification) => {
            let resource = VerificationResource::of(verifications, &verification, now)?;
            Ok(json(StatusCode::OK, &resource))
        }
        CancelOutcome::NotPending(verification) => Err(not_pending(verification.status_at(now))),
        CancelOutcome::NotFound => Err(Problem::no_verification()),
    }
}
