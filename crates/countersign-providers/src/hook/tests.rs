#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::testkit::{Peer, Reply, answer};

const OLD: &str = "the-old-signing-key";
const NEW: &str = "the-new-signing-key";

fn hook(url: &str, keys: &[&str]) -> Result<SignedPost, HookError> {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    SignedPost::new(Config {
        url: url.to_owned(),
        signing_keys: keys.iter().map(|key| SigningKey::new((*key).to_owned()).unwrap()).collect(),
        allow_private: false,
        call: "test.call",
    })
}

async fn call(peer: &Peer) -> Result<HookAnswer, CallError> {
    let hook = hook(&format!("http://{}/hook", peer.address), &[NEW, OLD]).unwrap();
    let body = Zeroizing::new(br#"{"code":"483920"}"#.to_vec());
    hook.post(body, "req-1", Timestamp::from_millis(1_795_161_600_999)).await
}

/// HMAC from its definition (RFC 2104), so that a mistake in the use of the library cannot hide.
fn hmac_sha256(key: &[u8], text: &[u8]) -> String {
    use sha2::Digest;
    assert!(key.len() <= 64);
    let pad = |byte: u8| -> Vec<u8> { (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ byte).collect() };
    let inner = Sha256::digest([pad(0x36), text.to_vec()].concat());
    HEXLOWER.encode(&Sha256::digest([pad(0x5c), inner.to_vec()].concat()))
}

fn v1(key: &str, body: &[u8]) -> String {
    hmac_sha256(key.as_bytes(), &[b"1795161600.", body].concat())
}

fn v2(key: &str, idempotency_key: &str, body: &[u8]) -> String {
    let head = format!("v2\n1795161600\ntest.call\n{idempotency_key}\n");
    hmac_sha256(key.as_bytes(), &[head.as_bytes(), body].concat())
}

/// Shows: F29.
#[tokio::test]
async fn f29_every_key_signs_the_body_and_all_of_the_call() {
    let peer = Peer::start(Reply::Bytes(answer("200 OK", "{}"))).await;
    call(&peer).await.unwrap();
    let request = &peer.requests()[0];
    let body = &request.body[..];
    let (new, old) = (v1(NEW, body), v1(OLD, body));
    let (all_new, all_old) = (v2(NEW, "req-1", body), v2(OLD, "req-1", body));
    let expected = format!("t=1795161600,v1={new},v1={old},v2={all_new},v2={all_old}");
    assert_eq!(request.header("zitadel-signature"), Some(&*expected));
    assert_eq!(request.header("idempotency-key"), Some("req-1"));
    assert_eq!(request.header("countersign-call"), Some("test.call"));
}

/// Shows: F29.
#[tokio::test]
async fn f29_a_question_is_signed_as_one_without_a_key_to_be_answered_from_the_past_by() {
    let peer = Peer::start(Reply::Bytes(answer("200 OK", r#"{"email":"a@b.example"}"#))).await;
    let hook = hook(&format!("http://{}/hook", peer.address), &[NEW]).unwrap();
    let body = Zeroizing::new(br#"{"username":"onlydev"}"#.to_vec());
    let answer = hook.ask(body, Timestamp::from_millis(1_795_161_600_999)).await.unwrap();
    assert_eq!((&answer.body[..], answer.complete), (&br#"{"email":"a@b.example"}"#[..], true));
    let request = &peer.requests()[0];
    let (first, second) = (v1(NEW, &request.body), v2(NEW, "", &request.body));
    assert_eq!(request.header("zitadel-signature"), Some(&*format!("t=1795161600,v1={first},v2={second}")));
    assert_eq!(request.header("idempotency-key"), None);
}

/// Computed with Python's `hmac` module.
#[test]
fn the_signature_is_the_published_one() {
    let key = SigningKey::new("0123456789abcdef".to_owned()).unwrap();
    let expected = "b97e54d1209bf17c28994a06d370e1d735b90af3833689991d47479c37b83c5a";
    assert_eq!(key.v1(1_795_161_600, br#"{"code":"483920"}"#), expected);
    let expected = "20e9d38cefe7dbf80544be042a6814c130341c141d47a1baadb542885b1d06e1";
    assert_eq!(key.v2(1_795_161_600, "message", "msg_1", br#"{"code":"483920"}"#), expected);
}

/// Shows: A16.
#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Peer::start(Reply::Bytes(answer("200 OK", ""))).await;
    let location = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n",
        elsewhere.address
    );
    let peer = Peer::start(Reply::Bytes(location.into_bytes())).await;
    assert_eq!(call(&peer).await.unwrap().status, 307);
    assert!(elsewhere.requests().is_empty());
}

/// Shows: A16.
#[tokio::test]
async fn an_answer_is_read_up_to_64_kib() {
    for (size, complete) in [(MAX_ANSWER, true), (MAX_ANSWER + 1, false), (8 * MAX_ANSWER, false)] {
        let peer = Peer::start(Reply::Bytes(answer("200 OK", &"x".repeat(size)))).await;
        let answer = call(&peer).await.unwrap();
        assert_eq!((answer.body.len(), answer.complete), (MAX_ANSWER, complete), "{size}");
        assert!(answer.is_success());
    }
}

#[tokio::test]
async fn a_status_stands_even_if_its_body_breaks_off() {
    let broken = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec();
    let peer = Peer::start(Reply::Bytes(broken)).await;
    let answer = call(&peer).await.unwrap();
    assert_eq!((answer.status, &answer.body[..], answer.complete), (200, &b"half"[..], false));
}

#[tokio::test]
async fn retry_after_is_taken_in_seconds_and_bounded() {
    for (value, expected) in [
        ("7", Some(7)),
        ("0", Some(0)),
        ("99999", Some(3600)),
        ("99999999999999999999999", Some(3600)),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("Fri, 20 Nov 2026 08:00:00 GMT", None),
    ] {
        let bytes = format!("HTTP/1.1 429 Slow\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n");
        let peer = Peer::start(Reply::Bytes(bytes.into_bytes())).await;
        let answer = call(&peer).await.unwrap();
        assert_eq!(answer.retry_after, expected.map(Duration::from_secs), "{value}");
    }
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_was_sent_nothing() {
    let peer = Peer::start(Reply::Bytes(answer("200 OK", ""))).await;
    let hook = hook(&format!("https://{}/hook?token=s3cret", peer.address), &[NEW]).unwrap();
    let error = hook.post(Zeroizing::new(b"{}".to_vec()), "req-1", Timestamp::default()).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(_)), "{error:?}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert!(peer.requests().is_empty());
}

#[test]
fn a_hook_needs_a_key_that_cannot_be_guessed() {
    assert!(matches!(hook("https://sink.example/", &[]), Err(HookError::NoKey)));
    assert!(matches!(SigningKey::new("fifteen-letters".to_owned()), Err(HookError::ShortKey)));
    assert_eq!(format!("{:?}", SigningKey::new(NEW.to_owned()).unwrap()), "SigningKey(******)");
}
