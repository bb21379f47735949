//! `GET` and `DELETE /dev/inbox`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::names::ProviderName;
use countersign_core::provider::RenderedMessage;
use serde::Serialize;

use super::codes::Known;
use super::{DevState, SentCode, json};
use crate::problem::Problem;
use crate::query::Query;

/// The most messages that can be asked for at a time: as many as an inbox keeps.
const MAX_LIMIT: usize = 1_000;

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
    purpose: String,
    subject: Option<String>,
    /// The link in it, where it has one.
    url: Option<String>,
    expires_at: String,
    #[serde(flatten)]
    code_now: SentCode,
}

impl Shown {
    pub(super) fn new(message: &RenderedMessage, provider: &ProviderName, code_now: SentCode) -> Self {
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
            purpose: message.purpose.to_string(),
            subject: message.subject.clone(),
            url: message.link.as_ref().map(|link| link.expose().to_owned()),
            expires_at: message.expires_at.to_string(),
            code_now,
        }
    }
}

#[derive(Serialize)]
struct Listing {
    messages: Vec<Shown>,
}

/// `to` is a whole number or address, `limit` the most messages; all, if absent.
pub(super) async fn list(
    State(state): State<DevState>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref())?;
    let to = query.take_recipient("to");
    let limit = query.take("limit").map_or(Some(MAX_LIMIT), |text| text.parse().ok());
    query.finish()?;
    let limit = limit
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| Problem::malformed("limit", format!("must be 1 to {MAX_LIMIT}")))?;
    let matches = |message: &Arc<RenderedMessage>| {
        to.as_ref().is_none_or(|to| message.recipient.expose().eq_ignore_ascii_case(to))
    };
    let inbox = &state.dev.inbox;
    let messages: Vec<_> = inbox.list().into_iter().filter(matches).take(limit).collect();
    let mut known = Known::default();
    known.look(&state.dev, &messages).await;
    let shown = |message: &Arc<RenderedMessage>| Shown::new(message, inbox.provider(), known.of(message));
    Ok(json(&Listing { messages: messages.iter().map(shown).collect() }))
}

pub(super) async fn clear(State(state): State<DevState>) -> StatusCode {
    state.dev.inbox.clear();
    StatusCode::NO_CONTENT
}
