//! `/v1/recipients/{to}`: what is counted for a recipient, lifting a hold, erasing.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::policy::RecipientCaps;
use countersign_core::recipient::Recipient;
use countersign_core::tenant::Tenant;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Admin, Caller, Verify};
use super::request::{NamedRecipient, Raw};
use super::resource::json;
use super::schema::Address;
use crate::headers::retry_after_seconds;
use crate::problem::{Kind, Problem};

/// What may go wrong besides what may go wrong with every call.
pub(super) const PROBLEMS: &[Kind] = &[Kind::MalformedRequest, Kind::BodyTooLarge, Kind::InvalidRecipient];

/// What is counted for a recipient, over all its verifications.
#[derive(Serialize, ToSchema)]
#[schema(as = Recipient, example = json!({
    "to": "+12125550123", "held": true, "held_reason": "failed_checks", "retry_after": 3600,
    "starts": {"last_hour": 1, "last_24h": 4, "max_per_hour": 5, "max_per_24h": 10},
    "reserved_starts": {"last_24h": 1, "max_per_24h": 2},
    "sends": {"last_hour": 2, "last_24h": 6},
    "failed_checks": {"last_hour": 3, "last_24h": 20, "max_per_24h": 20},
    "consecutive_failures": {"used": 20, "max": 50},
}))]
pub(super) struct RecipientResource {
    to: String,
    /// Whether nothing is sent to it and nothing checked.
    held: bool,
    /// Why: `failed_checks` ends by itself, `consecutive_failures` when an administrator releases the recipient, or
    /// when a verification that was started with `ends_hold_of` is approved.
    #[schema(required = true)]
    held_reason: Option<&'static str>,
    /// Seconds until asking again makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
    starts: Starts,
    reserved_starts: ReservedStarts,
    sends: Sent,
    failed_checks: FailedChecks,
    consecutive_failures: ConsecutiveFailures,
}

/// New verifications.
#[derive(Serialize, ToSchema)]
#[schema(as = RecipientStarts)]
struct Starts {
    last_hour: u32,
    last_24h: u32,
    max_per_hour: u32,
    max_per_24h: u32,
}

/// New verifications that trusted calls opened beyond what others left.
#[derive(Serialize, ToSchema)]
#[schema(as = RecipientReservedStarts)]
struct ReservedStarts {
    last_24h: u32,
    max_per_24h: u32,
}

/// Messages.
#[derive(Serialize, ToSchema)]
#[schema(as = RecipientSends)]
struct Sent {
    last_hour: u32,
    last_24h: u32,
}

/// Failed checks. Of those that count half, two are one.
#[derive(Serialize, ToSchema)]
#[schema(as = RecipientFailedChecks)]
struct FailedChecks {
    last_hour: u32,
    last_24h: u32,
    max_per_24h: u32,
}

/// Failed checks since the last right one.
#[derive(Serialize, ToSchema)]
struct ConsecutiveFailures {
    used: u32,
    max: u32,
}

/// What an erasure did.
#[derive(Serialize, ToSchema)]
#[schema(as = Erasure)]
pub(super) struct Erased {
    /// So many verifications no longer know the recipient.
    erased_verifications: u32,
}

/// Read a recipient's counters
///
/// For the support desk: how much was sent and guessed, and whether the recipient is held.
#[utoipa::path(
    get, path = "/v1/recipients/{to}", operation_id = "getRecipient", tag = "Recipients",
    params(("to" = Address, Path, description = "A phone number with its country code, or an e-mail address")),
    responses((status = 200, description = "What is counted; zeros where nothing is", body = RecipientResource)),
)]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller<Verify>,
    named: NamedRecipient,
    raw: Raw,
) -> Result<Response, Problem> {
    raw.nothing_to_say()?;
    let recipient = named.parse(&caller.tenant.policy)?;
    counters(&api, &caller.tenant, &recipient).await
}

/// Lift a recipient's hold
///
/// Needs the scope `admin`, and leaves an entry in the audit log. What was sent and started stays
/// counted.
#[utoipa::path(
    post, path = "/v1/recipients/{to}/release", operation_id = "releaseRecipient", tag = "Recipients",
    params(("to" = Address, Path, description = "A phone number with its country code, or an e-mail address")),
    responses((status = 200, description = "Not held any longer", body = RecipientResource)),
)]
pub(super) async fn release(
    State(api): State<Api>,
    caller: Caller<Admin>,
    named: NamedRecipient,
    raw: Raw,
) -> Result<Response, Problem> {
    raw.nothing_to_say()?;
    let recipient = named.parse(&caller.tenant.policy)?;
    api.services.verifications.release(&caller.tenant, &recipient, &caller.actor()).await?;
    counters(&api, &caller.tenant, &recipient).await
}

/// Erase a recipient
///
/// Needs the scope `admin`. Cancels what is pending and removes what identifies the recipient. Counters
/// against abuse stay, under their keyed hash, until they run out.
#[utoipa::path(
    delete, path = "/v1/recipients/{to}", operation_id = "eraseRecipient", tag = "Recipients",
    params(("to" = Address, Path, description = "A phone number with its country code, or an e-mail address")),
    responses((status = 200, description = "Erased; also when there was nothing", body = Erased)),
)]
pub(super) async fn erase(
    State(api): State<Api>,
    caller: Caller<Admin>,
    named: NamedRecipient,
    raw: Raw,
) -> Result<Response, Problem> {
    raw.nothing_to_say()?;
    let recipient = named.parse(&caller.tenant.policy)?;
    let erased_verifications =
        api.services.verifications.erase(&caller.tenant, &recipient, &caller.actor()).await?;
    Ok(json(StatusCode::OK, &Erased { erased_verifications }))
}

async fn counters(api: &Api, tenant: &Tenant, recipient: &Recipient) -> Result<Response, Problem> {
    let verifications = &api.services.verifications;
    let (ledger, caps) = verifications.recipient(tenant, recipient).await?;
    let now = verifications.now();
    let (windows, hold) = (ledger.windows(now), ledger.hold(&caps, now));
    let RecipientCaps {
        starts_per_hour,
        starts_per_day,
        reserved_starts_per_day,
        failed_checks_per_day,
        hold_after,
        returns_per_hour: _,
    } = caps;
    let resource = RecipientResource {
        to: recipient.expose().to_owned(),
        held: hold.is_some(),
        held_reason: hold.map(countersign_core::verification::Hold::as_str),
        retry_after: hold.map(|hold| retry_after_seconds(hold.retry_after())),
        starts: Starts {
            last_hour: windows.starts_hour,
            last_24h: windows.starts_day,
            max_per_hour: starts_per_hour,
            max_per_24h: starts_per_day,
        },
        reserved_starts: ReservedStarts {
            last_24h: windows.reserved_starts_day,
            max_per_24h: reserved_starts_per_day,
        },
        sends: Sent { last_hour: windows.sends_hour, last_24h: windows.sends_day },
        failed_checks: FailedChecks {
            last_hour: windows.failed_checks_hour,
            last_24h: windows.failed_checks_day,
            max_per_24h: failed_checks_per_day,
        },
        consecutive_failures: ConsecutiveFailures { used: windows.consecutive_failures, max: hold_after },
    };
    Ok(json(StatusCode::OK, &resource))
}
