//! `GET /v1/verifications`: the tenant's verifications, for the question "where is my code?".

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use countersign_core::engine::VerificationPage;
use countersign_core::ids::VerificationId;
use countersign_core::verification::Status;
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Caller, Verify};
use super::request;
use super::resource::{StatusName, VerificationResource, json};
use super::schema::{Address, CursorText};
use crate::problem::{Kind, Problem};
use crate::query::Query;

/// What may go wrong besides what may go wrong with every call.
pub(super) const PROBLEMS: &[Kind] = &[Kind::MalformedRequest, Kind::BodyTooLarge, Kind::InvalidRecipient];

pub(super) const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

/// Verifications, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = VerificationList)]
pub(super) struct List {
    data: Vec<VerificationResource>,
    /// Where to go on; `null` at the end. A page looks at a bounded number of verifications: by status it
    /// may have fewer than `limit`, or none, and more behind it.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// List verifications
///
/// The tenant's verifications, newest first.
#[utoipa::path(
    get, path = "/v1/verifications", operation_id = "listVerifications", tag = "Verifications",
    params(
        ("to" = Option<Address>, Query, description = "Only those of this phone number or e-mail address"),
        ("status" = Option<StatusName>, Query, description = "Only those that stand so now"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "At most so many; 20 unless named"),
        ("cursor" = Option<CursorText>, Query, description = "The last answer's `next_cursor`"),
    ),
    responses((status = 200, description = "One page", body = List)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller<Verify>,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut query = Query::parse(uri.query())?;
    let to = query.take_recipient("to");
    let status = query.take("status").map(|text| status(&text)).transpose()?;
    let limit = query.take("limit").map(|text| limit(&text)).transpose()?.unwrap_or(DEFAULT_LIMIT);
    let before = query.take("cursor").map(|text| read_cursor(&text)).transpose()?;
    query.finish()?;
    let to = to.map(|text| request::recipient(&text, &caller.tenant.policy)).transpose()?;

    let verifications = &api.services.verifications;
    let now = verifications.now();
    // One more than asked for tells whether there is another page.
    let VerificationPage { mut found, go_on } =
        verifications.list(&caller.tenant, to.as_ref(), status, before, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor = found.last().filter(|_| more).map(|last| last.id).or(go_on).map(cursor);
    let data =
        found.iter().map(|v| VerificationResource::of(verifications, v, now)).collect::<Result<_, _>>()?;
    Ok(json(StatusCode::OK, &List { data, next_cursor }))
}

fn status(text: &str) -> Result<Status, Problem> {
    Status::parse(text).ok_or_else(|| {
        let names = Status::ALL.map(Status::as_str).join(", ");
        Problem::malformed("status", format!("must be one of {names}"))
    })
}

pub(super) fn limit(text: &str) -> Result<u32, Problem> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|limit| digits && (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| Problem::malformed("limit", format!("must be 1 to {MAX_LIMIT}")))
}

/// Opaque to callers, so that what it holds may change.
fn cursor(last: VerificationId) -> String {
    BASE64URL_NOPAD.encode(last.as_bytes())
}

fn read_cursor(text: &str) -> Result<VerificationId, Problem> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(VerificationId::from_bytes)
        .ok_or_else(|| Problem::malformed("cursor", "must be a `next_cursor` of an earlier answer"))
}
