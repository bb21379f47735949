//! `GET /v1/recipients/held`: who is held, for whoever has to help.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use countersign_core::engine::HeldPlace;
use countersign_core::keys::RecipientKey;
use countersign_core::time::Timestamp;
use countersign_core::verifications::HeldView;
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Caller, Verify};
use super::list::{DEFAULT_LIMIT, limit};
use super::resource::json;
use super::schema::{HeldCursorText, VerificationIdText};
use crate::problem::{Kind, Problem};
use crate::query::Query;

/// What may go wrong besides what may go wrong with every call.
pub(super) const PROBLEMS: &[Kind] = &[Kind::MalformedRequest, Kind::BodyTooLarge];

/// Recipients who are held, newest hold first.
#[derive(Serialize, ToSchema)]
#[schema(as = HeldRecipientList)]
pub(super) struct List {
    data: Vec<Held>,
    /// Where to go on; `null` at the end. A page looks at a bounded number of recipients: it may have fewer than
    /// `limit`, or none, and more behind it.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// A recipient who is held.
#[derive(Serialize, ToSchema)]
#[schema(as = HeldRecipient, example = json!({
    "to": "+12*******23", "verification": "ver_01k9ywa3m0q3v7y2h4x8n5c6d9", "reason": "failed_checks",
    "since": "2026-11-20T08:00:00Z", "until": "2026-11-21T07:58:12Z",
}))]
struct Held {
    /// The masked address that was guessed at last; `null` when that is not known any longer.
    #[schema(required = true)]
    to: Option<String>,
    /// The verification that was guessed at last, while it is kept. It has the full address for as long as the
    /// tenant keeps that, and the caller's own notes.
    #[schema(value_type = Option<VerificationIdText>, required = true)]
    verification: Option<String>,
    /// Why: `failed_checks` ends by itself, `consecutive_failures` when somebody ends it.
    #[schema(value_type = ReasonName)]
    reason: &'static str,
    /// When the hold began.
    #[schema(format = DateTime)]
    since: String,
    /// When it ends by itself; `null` when it does not.
    #[schema(format = DateTime, required = true)]
    until: Option<String>,
}

/// Why a recipient is held.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case", as = HoldReason)]
#[expect(dead_code, reason = "its variants are the schema")]
enum ReasonName {
    FailedChecks,
    ConsecutiveFailures,
}

/// List who is held
///
/// The tenant's recipients who get no codes and whose codes are not checked, newest hold first. To lift a hold, release
/// the recipient by its address (`POST /v1/recipients/{to}/release`), or have the person prove another address of
/// theirs with `ends_hold_of`.
#[utoipa::path(
    get, path = "/v1/recipients/held", operation_id = "listHeldRecipients", tag = "Recipients",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "At most so many; 20 unless named"),
        ("cursor" = Option<HeldCursorText>, Query, description = "The last answer's `next_cursor`"),
    ),
    responses((status = 200, description = "One page", body = List)),
)]
pub(super) async fn held(
    State(api): State<Api>,
    caller: Caller<Verify>,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut query = Query::parse(uri.query())?;
    let limit = query.take("limit").map(|text| limit(&text)).transpose()?.unwrap_or(DEFAULT_LIMIT);
    let before = query.take("cursor").map(|text| read_cursor(&text)).transpose()?;
    query.finish()?;

    // One more than asked for tells whether there is another page.
    let (mut found, go_on) = api.services.verifications.held(&caller.tenant, before, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor = found.last().filter(|_| more).map(|last| last.place).or(go_on).map(cursor);
    let data = found.into_iter().map(Held::from).collect();
    Ok(json(StatusCode::OK, &List { data, next_cursor }))
}

impl From<HeldView> for Held {
    fn from(view: HeldView) -> Self {
        Self {
            to: view.masked,
            verification: view.verification.map(|id| id.to_string()),
            reason: view.hold.as_str(),
            since: view.place.since.to_string(),
            until: view.until.map(|until| until.to_string()),
        }
    }
}

/// Opaque to callers, so that what it holds may change.
fn cursor(last: HeldPlace) -> String {
    let mut bytes = last.since.as_millis().to_be_bytes().to_vec();
    bytes.extend_from_slice(last.budget.as_bytes());
    BASE64URL_NOPAD.encode(&bytes)
}

fn read_cursor(text: &str) -> Result<HeldPlace, Problem> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok().filter(|bytes| bytes.len() == 24);
    let place = bytes.and_then(|bytes| {
        let (since, budget) = bytes.split_first_chunk::<8>()?;
        let since = Timestamp::from_millis(i64::from_be_bytes(*since));
        Some(HeldPlace { since, budget: RecipientKey::from_bytes(budget.try_into().ok()?) })
    });
    place.ok_or_else(|| Problem::malformed("cursor", "must be a `next_cursor` of an earlier answer"))
}
