//! Whose request it is, as far as the network tells.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{HeaderMap, HeaderValue};

/// The address a request came from. The front puts one into every request's extensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddr {
    /// The connection's other end, or what a trusted proxy says in `X-Forwarded-For`.
    pub ip: IpAddr,
    /// Whether the connection's other end is a trusted proxy.
    pub through_proxy: bool,
}

/// The networks whose `X-Forwarded-For` and `X-Request-Id` are believed. Empty: nobody's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Trusts these networks.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whether this address is one of theirs.
    pub(crate) fn trusts(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(ip))
    }

    /// Who sent a request: the peer, or, behind trusted proxies, the right-most hop that is none of
    /// them. What stands left of that hop was written by it or by somebody before it, and proves
    /// nothing.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            if is_first_from_a_stranger(headers, &WARNED) {
                tracing::warn!(
                    %peer,
                    "an X-Forwarded-For came from an address that is not in server.trusted_proxies and was ignored; \
                     if that is your proxy, all its clients count as one until you list it. This is said once"
                );
            }
            return ClientAddr { ip: peer, through_proxy: false };
        }
        let mut client = peer;
        let lines: Vec<&[u8]> =
            headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(|&b| b == b',')) {
            // What cannot be read hides who came before: the nearest known hop answers for it.
            let Some(hop) = parse_hop(hop) else { break };
            client = hop;
            if !self.trusts(hop) {
                break;
            }
        }
        ClientAddr { ip: client, through_proxy: true }
    }
}

/// Whether it was said that somebody untrusted names a client.
static WARNED: AtomicBool = AtomicBool::new(false);

/// Whether a request of somebody untrusted names a client, and none did before.
fn is_first_from_a_stranger(headers: &HeaderMap, warned: &AtomicBool) -> bool {
    headers.contains_key("x-forwarded-for") && !warned.swap(true, Ordering::Relaxed)
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`: proxies write all of them.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|a| a.ip()))?;
    Some(ip.to_canonical())
}

/// A network in CIDR notation, e.g. `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    bits: u128,
    mask: u128,
    v4: bool,
}

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a network such as 10.0.0.0/8 or 2001:db8::/32")]
pub struct InvalidNetwork;

/// How many a network holds, by whom they may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Somebody's own: a private network, or a public one as single operators have it.
    Own,
    /// More public addresses than one operator's proxies have.
    Wide,
    /// A large part of all addresses there are: nobody's own.
    Anybody,
}

impl Network {
    /// Whose addresses these may be.
    pub fn reach(&self) -> Reach {
        let length = if self.v4 { self.mask << 96 } else { self.mask }.leading_ones();
        let is_private = self.is_within("10.0.0.0/8")
            || self.is_within("127.0.0.0/8")
            || self.is_within("fc00::/7")
            || self.is_within("fe80::/10");
        match (self.v4, length) {
            (true, 0..8) | (false, 0..16) if !is_private => Reach::Anybody,
            (true, 8..12) | (false, 16..24) if !is_private => Reach::Wide,
            _ => Reach::Own,
        }
    }

    fn is_within(&self, other: &str) -> bool {
        let other: Self = other.parse().expect("a network");
        self.v4 == other.v4 && self.bits & other.mask == other.bits && self.mask & other.mask == other.mask
    }

    fn contains(&self, ip: IpAddr) -> bool {
        let (bits, v4) = bits(ip);
        v4 == self.v4 && bits & self.mask == self.bits
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
        let (bits, v4) = bits(ip.parse().map_err(|_| InvalidNetwork)?);
        let width = if v4 { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|p| *p <= width).ok_or(InvalidNetwork)?
            }
            Some(_) => return Err(InvalidNetwork),
        };
        let mask = u128::MAX.checked_shl(width - prefix).unwrap_or(0);
        // Host bits that are set would be a mistake in the configuration, or a wider net than meant.
        if bits & mask != bits {
            return Err(InvalidNetwork);
        }
        Ok(Self { bits, mask, v4 })
    }
}

fn bits(ip: IpAddr) -> (u128, bool) {
    match ip {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), true),
        IpAddr::V6(v6) => (v6.to_bits(), false),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn client(proxies: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::new(proxies.iter().map(|p| p.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).ip.to_string()
    }

    #[test]
    fn nobody_is_believed_unless_configured() {
        assert_eq!(client(&[], "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
    }

    /// Shows: F19.
    #[test]
    fn f19_the_first_client_that_a_stranger_names_is_warned_of() {
        let warned = AtomicBool::new(false);
        let (plain, mut forwarded) = (HeaderMap::new(), HeaderMap::new());
        forwarded.insert("x-forwarded-for", "198.51.100.1".parse().unwrap());
        let said: Vec<bool> = [&plain, &forwarded, &forwarded, &plain]
            .map(|headers| is_first_from_a_stranger(headers, &warned))
            .into();
        assert_eq!(said, [false, true, false, false]);
    }

    /// Shows: P17.
    #[test]
    fn behind_trusted_proxies_the_rightmost_other_hop_counts() {
        let proxies = ["10.0.0.0/8", "2001:db8::/32"];
        assert_eq!(client(&proxies, "10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(&proxies, "10.0.0.1", &["192.0.2.66, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(client(&proxies, "10.0.0.1", &["192.0.2.66", "198.51.100.1", "10.9.9.9"]), "198.51.100.1");
        assert_eq!(client(&proxies, "::ffff:10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client(&proxies, "2001:db8::5", &["[2001:4860::1]:80"]), "2001:4860::1");
        assert_eq!(client(&proxies, "10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(client(&proxies, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_cannot_be_read_hides_what_stands_left_of_it() {
        for garbage in ["unknown", "", "198.51.100.1.5", "evil\u{e4}"] {
            let line = format!("198.51.100.1, {garbage}, 10.0.0.2");
            assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[&line]), "10.0.0.2", "{garbage}");
        }
    }

    /// Shows: N9, P17.
    #[test]
    fn a_thousand_spoofed_hops_do_not_change_the_client() {
        for i in 0..1000 {
            let line = format!("192.0.2.{}, 203.0.113.7, 10.0.0.2", i % 256);
            assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[&line]), "203.0.113.7");
        }
    }

    /// Shows: F26.
    #[test]
    fn f26_a_network_tells_how_far_it_reaches() {
        for (reach, networks) in [
            (
                Reach::Own,
                &["10.0.0.0/8", "192.168.0.0/16", "127.0.0.1", "104.16.0.0/13", "fc00::/7", "::1"][..],
            ),
            (Reach::Own, &["2400:cb00::/32", "fe80::/10", "2a06:98c0::/29"]),
            (Reach::Wide, &["8.0.0.0/8", "128.0.0.0/11", "2a00::/20"]),
            (Reach::Anybody, &["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/7", "2000::/3"]),
        ] {
            for network in networks {
                assert_eq!(network.parse::<Network>().unwrap().reach(), reach, "{network}");
            }
        }
    }

    #[test]
    fn networks_are_read_strictly() {
        for good in ["10.0.0.0/8", "192.0.2.1", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1"] {
            assert!(good.parse::<Network>().is_ok(), "{good}");
        }
        for bad in ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "10/8", "a/8", "::/129"] {
            assert_eq!(bad.parse::<Network>(), Err(InvalidNetwork), "{bad}");
        }
    }
}
