#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;

use countersign_core::link::{LinkPart, LinkTemplate};
use countersign_core::provider::{DeliveryErrorKind, Retry};
use serde_json::json;

use super::*;
use crate::testkit::{CODE, Fixture, PHONE, Peer, Reply, answer, mail, message};

const KEY: &str = "a-signing-key-of-tests";

fn webhook(url: &str, keys: &[&str]) -> Webhook {
    install_tls();
    let config = json!({
        "url": url, "signing_keys": keys, "channels": ["sms", "email"], "description": "Test sink",
    });
    let name = ProviderName::parse("sink").unwrap();
    Webhook::new(name, serde_json::from_value(config).unwrap()).unwrap()
}

/// The program does this first thing; tests run in any order.
fn install_tls() {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}

struct WebhookFixture;

impl Fixture for WebhookFixture {
    type Provider = Webhook;
    const SECRETS: &'static [&'static str] = &[KEY, "query-token", "path-token"];

    fn provider(peer: SocketAddr) -> Webhook {
        webhook(&format!("http://{peer}/path-token?key=query-token"), &[KEY])
    }

    fn accepted() -> Vec<u8> {
        answer("202 Accepted", "")
    }

    fn recipient_refused() -> Vec<u8> {
        answer("422 Unprocessable Content", &format!(r#"{{"error":"{PHONE} {CODE}"}}"#))
    }
}

crate::provider_conformance!(WebhookFixture);

#[tokio::test]
async fn a_text_message_goes_out_byte_for_byte_as_documented() {
    let peer = Peer::start(Reply::Bytes(answer("200 OK", r#"{"id":"SM-1"}"#))).await;
    let accepted =
        webhook(&format!("http://{}/hook?q=1", peer.address), &[KEY]).deliver(&message()).await.unwrap();
    assert_eq!(accepted.reference.as_deref(), Some("SM-1"));

    let [request] = &peer.requests()[..] else { panic!("one request") };
    assert!(request.head.starts_with("POST /hook?q=1 HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("idempotency-key"), Some(&*message().id.to_string()));
    assert_eq!(request.header("countersign-call"), Some("message"));
    assert_eq!(
        String::from_utf8_lossy(&request.body),
        concat!(
            r#"{"contextInfo":{"eventType":"user.human.phone.code.added","#,
            r#""provider":{"id":"sink","description":"Test sink"},"recipientPhoneNumber":"+12125550123"},"#,
            r#""templateData":{"text":"483920 is your Demo code."},"#,
            r#""args":{"code":"483920","tenant":"demo","purpose":"login","channel":"sms","locale":"en","#,
            r#""verificationId":"ver_02081040g2081040g2081040g2","messageId":"msg_01040g2081040g2081040g2081","#,
            r#""expiresAt":"2026-11-20T08:10:00Z"}}"#,
        )
    );
}

#[tokio::test]
async fn a_mail_names_its_address_and_subject() {
    let peer = Peer::start(Reply::Bytes(answer("200 OK", ""))).await;
    webhook(&format!("http://{}/", peer.address), &[KEY]).deliver(&mail()).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&peer.requests()[0].body).unwrap();
    assert_eq!(body["contextInfo"]["eventType"], "user.human.email.code.added");
    assert_eq!(body["contextInfo"]["recipientEmailAddress"], "ada@example.com");
    assert_eq!(body["contextInfo"].get("recipientPhoneNumber"), None);
    assert_eq!(body["templateData"]["subject"], "Your Demo code");
    assert_eq!(body["templateData"].get("url"), None);
}

#[tokio::test]
async fn a_mail_with_a_link_names_it_beside_the_text() {
    let peer = Peer::start(Reply::Bytes(answer("200 OK", ""))).await;
    let parts = [LinkPart::Literal("https://example.com/?c="), LinkPart::Code];
    let link = LinkTemplate::new(parts).unwrap().fill(&mail().code);
    let with_link = RenderedMessage { link: Some(link), ..mail() };
    webhook(&format!("http://{}/", peer.address), &[KEY]).deliver(&with_link).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&peer.requests()[0].body).unwrap();
    assert_eq!(body["templateData"]["url"], "https://example.com/?c=483920");
}

#[tokio::test]
async fn a_repetition_carries_the_same_key_and_a_fresh_signature() {
    let peer = Peer::start(Reply::Bytes(answer("200 OK", ""))).await;
    let webhook = webhook(&format!("http://{}/", peer.address), &[KEY]);
    webhook.deliver(&message()).await.unwrap();
    let later = message().now + std::time::Duration::from_secs(30);
    webhook.deliver(&RenderedMessage { now: later, ..message() }).await.unwrap();
    let [first, second] = &peer.requests()[..] else { panic!("two requests") };
    assert_eq!(first.header("idempotency-key"), second.header("idempotency-key"));
    assert_ne!(first.header("zitadel-signature"), second.header("zitadel-signature"));
}

#[tokio::test]
async fn statuses_become_outcomes() {
    for (status, kind, retry) in [
        ("302 Found", DeliveryErrorKind::Configuration, Retry::OtherRoute),
        ("401 Unauthorized", DeliveryErrorKind::Configuration, Retry::OtherRoute),
        ("410 Gone", DeliveryErrorKind::Recipient, Retry::Never),
        ("429 Too Many Requests", DeliveryErrorKind::Throttled, Retry::Backoff),
        ("503 Service Unavailable", DeliveryErrorKind::Unavailable, Retry::Backoff),
    ] {
        let peer = Peer::start(Reply::Bytes(answer(status, "no"))).await;
        let webhook = webhook(&format!("http://{}/", peer.address), &[KEY]);
        let error = webhook.deliver(&message()).await.unwrap_err();
        assert_eq!((error.kind, error.retry), (kind, retry), "{status}");
    }
}

#[tokio::test]
async fn a_name_that_leads_into_a_private_network_is_a_configuration_fault() {
    install_tls();
    let config = json!({"url": "https://sink.example/", "signing_keys": [KEY]});
    let webhook = Webhook::with_lookup(
        ProviderName::parse("sink").unwrap(),
        serde_json::from_value(config).unwrap(),
        Arc::new(crate::egress::tests::Fixed(vec!["10.0.0.1".parse().unwrap()])),
    )
    .unwrap();
    let error = webhook.deliver(&message()).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (DeliveryErrorKind::Configuration, Retry::OtherRoute), "{error}");
}
