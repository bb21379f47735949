//! `GET` and `DELETE /dev/inbox`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::names::ProviderName;
use countersign_core::provider::RenderedMessage;
use serde::Serialize;

use super::{DevState, json};
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
    let messages = inbox.list().into_iter().filter(matches).take(limit);
    Ok(json(&Listing { messages: messages.map(|message| Shown::new(&message, inbox.provider())).collect() }))
}

pub(super) async fn clear(State(state): State<DevState>) -> StatusCode {
    state.dev.inbox.clear();
    StatusCode::NO_CONTENT
}
