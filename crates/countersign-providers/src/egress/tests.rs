//! Server-side request forgery: every spelling of every address that must not be called.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use countersign_core::time::Timestamp;
use reqwest::dns::Resolve;
use zeroize::Zeroizing;

use super::{AddressRefused, Endpoint, EndpointError, GuardedResolver, Lookup, Reach};
use crate::hook::{CallError, Config, HookAnswer, SignedPost, SigningKey};
use crate::testkit::{Peer, Reply, answer};

/// A resolver that gives every name the same addresses.
pub(crate) struct Fixed(pub(crate) Vec<IpAddr>);

#[async_trait]
impl Lookup for Fixed {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

/// First, last and some inner addresses of every range that is not the public internet.
const NOT_PUBLIC_V4: [&str; 36] = [
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.0",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "172.16.0.0",
    "172.17.0.1",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.1.1",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.0",
    "224.0.0.251",
    "239.255.255.255",
    "240.0.0.0",
    "250.1.2.3",
    "255.255.255.254",
    "255.255.255.255",
];

const NOT_PUBLIC_V6: [&str; 28] = [
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
];

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// The ways in which the URL standard, or a lenient parser, lets an IPv4 address be written.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let number = u32::from(address);
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{number}"),
        format!("{number:#x}"),
        format!("0{number:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{}", number & 0xff_ffff),
        format!("{a}.{b}.{}", number & 0xffff),
        format!("{a:#x}.0{b:o}.{c}.{d}"),
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::ffff:{a:02x}{b:02x}:{c:02x}{d:02x}]"),
        format!("{a}.{b}.{c}.{d}").chars().map(full_width).collect(),
        format!("{a}%2e{b}%2e{c}%2e{d}"),
        format!("{a}。{b}。{c}。{d}"),
    ]
}

fn full_width(c: char) -> char {
    char::from_u32(u32::from(c) + 0xfee0).unwrap()
}

/// Shows: A16.
#[test]
fn no_spelling_of_an_address_that_is_not_public_can_be_configured() {
    let mut hosts: Vec<String> = NOT_PUBLIC_V4.into_iter().flat_map(|text| spellings(v4(text))).collect();
    hosts.extend(NOT_PUBLIC_V6.into_iter().map(|text| format!("[{text}]")));
    hosts.retain(|host| !["127.0.0.0", "127.0.0.1", "127.255.255.255", "[::1]"].contains(&&**host));
    // This machine in its own spelling is the documented exception, with or without the final dot.
    hosts.retain(|host| !host.ends_with('.') || !host.starts_with("127."));
    assert!(hosts.len() > 500, "{}", hosts.len());
    for host in hosts {
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://{host}/hook");
            assert!(Endpoint::parse(&url, false).is_err(), "{url}");
        }
    }
}

#[tokio::test]
async fn no_name_that_leads_to_an_address_that_is_not_public_is_called() {
    let all = NOT_PUBLIC_V4.map(|text| IpAddr::V4(v4(text))).into_iter();
    let all = all.chain(NOT_PUBLIC_V6.map(|text| IpAddr::V6(v6(text))));
    let mapped = NOT_PUBLIC_V4.map(|text| IpAddr::V6(v4(text).to_ipv6_mapped()));
    for address in all.chain(mapped) {
        let error = call("https://hook.example/", false, vec![address]).await.unwrap_err();
        assert_eq!(error, CallError::AddressRefused, "{address}");
    }
}

/// Shows: A16.
#[tokio::test]
async fn a_refused_name_gets_no_packet() {
    let peer = Peer::start(Reply::Bytes(answer("200 OK", ""))).await;
    let url = format!("https://rebound.example:{}/", peer.address.port());
    let error = call(&url, false, vec![peer.address.ip()]).await.unwrap_err();
    assert_eq!(error, CallError::AddressRefused);
    assert_eq!(peer.connections(), 0);
}

/// A name that was public when it was first called and is private a moment later.
struct Rebinding(AtomicBool);

#[async_trait]
impl Lookup for Rebinding {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let first = self.0.swap(false, Ordering::Relaxed);
        Ok(vec![IpAddr::V4(v4(if first { "93.184.215.14" } else { "10.0.0.1" }))])
    }
}

/// Shows: A16.
#[tokio::test]
async fn every_resolution_is_judged_anew() {
    let resolver = GuardedResolver::new(Arc::new(Rebinding(AtomicBool::new(true))), Reach::Public);
    assert_eq!(resolve(&resolver).await.unwrap(), ["93.184.215.14"]);
    assert!(AddressRefused::caused(&*resolve(&resolver).await.unwrap_err()));
}

#[tokio::test]
async fn of_mixed_addresses_only_the_public_ones_are_handed_out() {
    let mixed = ["10.0.0.1", "93.184.215.14", "::1", "fd00::1"].map(|text| text.parse().unwrap());
    let resolver = GuardedResolver::new(Arc::new(Fixed(mixed.to_vec())), Reach::Public);
    assert_eq!(resolve(&resolver).await.unwrap(), ["93.184.215.14"]);
}

async fn resolve(resolver: &GuardedResolver) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
    let addresses = resolver.resolve("hook.example".parse()?).await?;
    Ok(addresses.map(|address| address.ip().to_string()).collect())
}

#[tokio::test]
async fn localhost_reaches_this_machine_and_nothing_else() {
    let peer = Peer::start(Reply::Bytes(answer("200 OK", ""))).await;
    let url = format!("http://localhost:{}/", peer.address.port());
    assert_eq!(call(&url, false, vec![peer.address.ip()]).await.unwrap().status, 200);
    for elsewhere in ["93.184.215.14", "10.0.0.1", "169.254.169.254"] {
        let error = call(&url, false, vec![elsewhere.parse().unwrap()]).await.unwrap_err();
        assert_eq!(error, CallError::AddressRefused, "{elsewhere}");
    }
}

#[test]
fn allow_private_opens_private_networks_and_never_the_rest() {
    for host in ["10.0.0.1", "172.17.0.1", "192.168.1.1", "100.64.0.1", "[fd00::1]"] {
        let url = format!("https://{host}/");
        assert_eq!(Endpoint::parse(&url, false), Err(EndpointError::Private), "{url}");
        assert!(Endpoint::parse(&url, true).is_ok(), "{url}");
    }
    for host in ["169.254.169.254", "0.0.0.0", "224.0.0.1", "[fe80::1]", "[::ffff:a00:1]", "[::]"] {
        let url = format!("https://{host}/");
        assert_eq!(Endpoint::parse(&url, true), Err(EndpointError::Nowhere), "{url}");
    }
}

#[tokio::test]
async fn a_name_in_a_private_network_is_called_when_the_operator_said_so() {
    let peer = Peer::start(Reply::Bytes(answer("200 OK", ""))).await;
    let url = format!("https://sms.internal:{}/", peer.address.port());
    let error = call(&url, true, vec![peer.address.ip()]).await.unwrap_err();
    // It got as far as the TLS handshake, which this peer does not speak.
    assert!(matches!(error, CallError::NotSent(_)), "{error:?}");
    let error = call(&url, true, vec!["169.254.169.254".parse().unwrap()]).await.unwrap_err();
    assert_eq!(error, CallError::AddressRefused);
}

#[test]
fn a_url_is_refused_with_the_reason() {
    for (url, error) in [
        ("", EndpointError::NotAUrl),
        ("/hook", EndpointError::NotAUrl),
        ("ftp://sink.example/", EndpointError::NotAUrl),
        ("file:///etc/passwd", EndpointError::NotAUrl),
        ("gopher://sink.example/", EndpointError::NotAUrl),
        ("https://", EndpointError::NotAUrl),
        ("https:\\\\sink.example\\", EndpointError::NotAUrl),
        ("https://sink.example/\r\nX: y", EndpointError::NotAUrl),
        ("https://sink\t.example/", EndpointError::NotAUrl),
        (" https://sink.example/", EndpointError::NotAUrl),
        ("https://sink.example:0/", EndpointError::NotAUrl),
        ("https://sink.example:99999/", EndpointError::NotAUrl),
        ("https://user@sink.example/", EndpointError::Credentials),
        ("https://user:pass@sink.example/", EndpointError::Credentials),
        ("https://:@sink.example/", EndpointError::Credentials),
        ("https://sink.example@127.0.0.1/", EndpointError::Credentials),
        ("http://sink.example/", EndpointError::NotEncrypted),
        ("http://1.1.1.1/", EndpointError::NotEncrypted),
        ("http://localhost.example/", EndpointError::NotEncrypted),
        ("http://127.0.0.1.nip.example/", EndpointError::NotEncrypted),
        ("http://0x7f.1/", EndpointError::OddAddress),
        ("https://[0:0:0:0:0:0:0:1]/", EndpointError::OddAddress),
        ("https://1.1/", EndpointError::OddAddress),
    ] {
        assert_eq!(Endpoint::parse(url, false), Err(error), "{url:?}");
    }
}

#[test]
fn what_is_public_or_this_machine_is_admitted() {
    for url in [
        "https://sink.example/hook?token=1#part",
        "HTTPS://SINK.EXAMPLE:8443",
        "https://1.1.1.1/",
        "https://[2606:4700:4700::1111]:8443/",
        "http://localhost:9000/",
        "http://LOCALHOST",
        "http://127.0.0.1:9000/hook",
        "http://127.1.2.3/",
        "http://[::1]:9000/",
    ] {
        assert!(Endpoint::parse(url, false).is_ok(), "{url}");
    }
}

#[test]
fn an_endpoint_prints_its_origin_only() {
    let endpoint = Endpoint::parse("https://sink.example:8443/path-token?q=query-token", false).unwrap();
    assert_eq!(
        format!("{endpoint} {endpoint:?}"),
        "https://sink.example:8443 Endpoint(https://sink.example:8443/…)"
    );
}

async fn call(url: &str, allow_private: bool, addresses: Vec<IpAddr>) -> Result<HookAnswer, CallError> {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let config = Config {
        url: url.to_owned(),
        signing_keys: vec![SigningKey::new("0123456789abcdef".to_owned()).unwrap()],
        allow_private,
        call: "test.call",
    };
    let hook = SignedPost::with_lookup(config, Arc::new(Fixed(addresses))).unwrap();
    hook.post(Zeroizing::new(b"{}".to_vec()), "key", Timestamp::default()).await
}
