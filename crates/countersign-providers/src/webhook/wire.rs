//! The bodies: ZITADEL's notification for HTTP providers, and the answer's optional reference.
//!
//! Source: "HTTP provider payload" in
//! <https://zitadel.com/docs/guides/manage/customize/notification-providers>. Of its `templateData`
//! we have `text` and, for mail, `subject` and (where there is a link, which the text has too) `url`; of its `args`, `code`. The other members of `args` are
//! ours; ZITADEL sends others there, so receivers of its format ignore what they do not know.

use countersign_core::link::Link;
use countersign_core::provider::RenderedMessage;
use countersign_core::recipient::Recipient;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The whole body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification<'a> {
    context_info: ContextInfo<'a>,
    template_data: TemplateData<'a>,
    args: Args<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContextInfo<'a> {
    event_type: &'static str,
    provider: ProviderInfo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_phone_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_email_address: Option<&'a str>,
}

#[derive(Serialize)]
struct ProviderInfo<'a> {
    id: &'a str,
    description: &'a str,
}

#[derive(Serialize)]
struct TemplateData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Args<'a> {
    code: &'a str,
    tenant: &'a str,
    purpose: &'a str,
    channel: &'a str,
    locale: &'a str,
    verification_id: String,
    message_id: String,
    expires_at: String,
}

impl<'a> Notification<'a> {
    pub(super) fn new(provider: &'a str, description: &'a str, message: &'a RenderedMessage) -> Self {
        // ZITADEL's names for "a code for this number / address was drawn"; receivers may switch on them.
        let (event_type, phone, email) = match &message.recipient {
            Recipient::Phone(phone) => ("user.human.phone.code.added", Some(phone.expose()), None),
            Recipient::Email(email) => ("user.human.email.code.added", None, Some(email.expose())),
        };
        Self {
            context_info: ContextInfo {
                event_type,
                provider: ProviderInfo { id: provider, description },
                recipient_phone_number: phone,
                recipient_email_address: email,
            },
            template_data: TemplateData {
                subject: message.subject.as_deref(),
                text: &message.text,
                url: message.link.as_ref().map(Link::expose),
            },
            args: Args {
                code: message.code.expose(),
                tenant: message.tenant.as_str(),
                purpose: message.purpose.as_str(),
                channel: message.channel.as_str(),
                locale: message.locale.as_str(),
                verification_id: message.verification.to_string(),
                message_id: message.id.to_string(),
                expires_at: message.expires_at.to_string(),
            },
        }
    }

    pub(super) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).expect("strings and structs serialise"))
    }
}

/// What an accepting answer may tell.
#[derive(Deserialize)]
struct Receipt {
    id: String,
}

/// The receiver's own reference from `{"id": "…"}`. Anything else is no reference and no failure: the
/// status has already said yes.
pub(super) fn reference(body: &[u8]) -> Option<String> {
    let Receipt { id } = serde_json::from_slice(body).ok()?;
    let printable = !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic());
    printable.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_taken_only_from_a_short_printable_id() {
        assert_eq!(reference(br#"{"id":"SM-1","queued":true}"#).as_deref(), Some("SM-1"));
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(129));
        let bodies: [&[u8]; 8] = [
            b"",
            b"ok",
            b"[]",
            br#"{"id":7}"#,
            br#"{"id":""}"#,
            b"{\"id\":\"a\\nb\"}",
            b"\xff",
            long.as_bytes(),
        ];
        for body in bodies {
            assert_eq!(reference(body), None, "{body:?}");
        }
    }
}
