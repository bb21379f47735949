//! `GET` and `DELETE /dev/inbox`.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::names::ProviderName;
use countersign_core::provider::RenderedMessage;
use serde::{Deserialize, Serialize};

use super::{DevState, json, malformed};

/// The most messages that can be asked for at a time: as many as an inbox keeps.
const MAX_LIMIT: usize = 1_000;

/// Which messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The whole number or address. A leading space is a `+` that nobody escaped.
    to: Option<String>,
    /// At most so many; all, if absent.
    limit: Option<usize>,
}

/// A message as everybody may read it here.
#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    verification_id: String,
    tenant: String,
    dialect: String,
    to: String,
    channel: &'static str,
    code: String,
    text: String,
    locale: String,
    provider: String,
    at: String,
}

impl Shown {
    pub(super) fn new(message: &RenderedMessage, provider: &ProviderName) -> Self {
        Self {
            id: message.id.to_string(),
            verification_id: message.verification.to_string(),
            tenant: message.tenant.to_string(),
            dialect: message.dialect.to_string(),
            to: message.recipient.expose().to_owned(),
            channel: message.channel.as_str(),
            code: message.code.expose().to_owned(),
            text: message.text.to_string(),
            locale: message.locale.to_string(),
            provider: provider.to_string(),
            at: message.now.to_string(),
        }
    }
}

#[derive(Serialize)]
struct Listing {
    messages: Vec<Shown>,
}

pub(super) async fn list(
    State(state): State<DevState>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let Query(Wanted { to, limit }) = match wanted {
        Ok(wanted) => wanted,
        Err(rejection) => return malformed(None, &rejection.body_text()),
    };
    let limit = limit.unwrap_or(MAX_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return malformed(Some("limit"), "limit must be a whole number from 1 to 1000");
    }
    let to = to.map(|to| to.strip_prefix(' ').map_or(to.clone(), |digits| format!("+{digits}")));
    let matches = |message: &Arc<RenderedMessage>| {
        to.as_ref().is_none_or(|to| message.recipient.expose().eq_ignore_ascii_case(to))
    };
    let inbox = &state.dev.inbox;
    let messages = inbox.list().into_iter().filter(matches).take(limit);
    json(&Listing { messages: messages.map(|message| Shown::new(&message, inbox.provider())).collect() })
}

pub(super) async fn clear(State(state): State<DevState>) -> StatusCode {
    state.dev.inbox.clear();
    StatusCode::NO_CONTENT
}
