//! How a verification looks from outside.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use countersign_core::engine::StorageError;
use countersign_core::time::Timestamp;
use countersign_core::verification::{Disclosed, Verification};
use countersign_core::verifications::Verifications;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::VerificationIdText;

/// One proof in progress, or ended.
#[derive(Serialize, ToSchema)]
#[schema(as = Verification, example = json!({
    "id": "ver_01k9ywa3m0q3v7y2h4x8n5c6d9", "status": "pending", "to": "+12125550123", "channel": "sms",
    "purpose": "login", "locale": "en",
    "created_at": "2026-11-20T08:00:00Z", "expires_at": "2026-11-20T08:10:00Z",
    "sends": {"used": 1, "max": 5, "next_at": "2026-11-20T08:00:30Z"},
    "checks": {"used": 0, "max": 5},
    "metadata": {"order": "42"},
}))]
pub(super) struct VerificationResource {
    /// Names it.
    #[schema(value_type = VerificationIdText)]
    id: String,
    /// Where it stands. Anything but `pending` never changes.
    #[schema(value_type = StatusName)]
    status: &'static str,
    /// The phone number or e-mail address being proven; masked after the retention time.
    to: String,
    /// How the latest code travelled.
    #[schema(value_type = ChannelName)]
    channel: &'static str,
    /// What the code is good for.
    purpose: String,
    /// The language of its texts (BCP 47).
    locale: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// Its deadline. Nothing extends it.
    #[schema(format = DateTime)]
    expires_at: String,
    sends: Sends,
    checks: Checks,
    /// The caller's own notes; empty after the retention time.
    metadata: BTreeMap<String, String>,
}

/// How often the code was sent.
#[derive(Serialize, ToSchema)]
pub(super) struct Sends {
    used: u8,
    max: u8,
    /// When the next one may happen; `null` when none will.
    #[schema(format = DateTime, required = true)]
    next_at: Option<String>,
}

/// How often a guess was taken.
#[derive(Serialize, ToSchema)]
pub(super) struct Checks {
    used: u8,
    max: u8,
}

/// Where a verification stands.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase", as = Status)]
#[expect(dead_code, reason = "its variants are the schema")]
pub(super) enum StatusName {
    Pending,
    Approved,
    Canceled,
    Expired,
    Exhausted,
}

/// How a code travels.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase", as = Channel)]
#[expect(dead_code, reason = "its variants are the schema")]
pub(super) enum ChannelName {
    Sms,
    Voice,
    Email,
    Whatsapp,
}

impl VerificationResource {
    /// A verification as it stood at `at`. The same verification at the same instant gives the same
    /// bytes, which replays rely on.
    ///
    /// # Errors
    /// Its sealed fields do not open.
    pub(super) fn of(
        verifications: &Verifications,
        verification: &Verification,
        at: Timestamp,
    ) -> Result<Self, StorageError> {
        Ok(Self::saying(verifications.disclose(verification)?, verification, at))
    }

    /// The same, where the sealed fields need not be opened because it is known what they say.
    pub(super) fn saying(disclosed: Disclosed, v: &Verification, at: Timestamp) -> Self {
        Self {
            id: v.id.to_string(),
            status: v.status_at(at).as_str(),
            // Other wire APIs may have sent one code to several addresses: the first one stands for
            // them here.
            to: disclosed.to.into_iter().next().unwrap_or_default(),
            channel: v.destinations.first().map_or("", |d| d.channel.as_str()),
            purpose: v.purpose.to_string(),
            locale: v.locale.to_string(),
            created_at: v.created_at.to_string(),
            expires_at: v.expires_at.to_string(),
            sends: Sends {
                used: v.sends_used,
                max: v.terms.max_sends,
                next_at: v.next_send_at(at).map(|t| t.to_string()),
            },
            checks: Checks { used: v.checks_used, max: v.terms.max_checks },
            metadata: disclosed.metadata.into_inner(),
        }
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("resources are strings, numbers and maps of strings");
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}
