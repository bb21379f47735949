//! Where this program may be made to call.
//!
//! A configured URL is somebody's wish, and the network it would be fetched from is ours: without a
//! check, `https://hook.example` can be made to mean `http://169.254.169.254` (server-side request
//! forgery). Two checks close that: [`Endpoint::parse`] judges the URL when it is configured, literal
//! addresses included; the resolver judges each address a name leads to, at the moment of
//! connecting. Redirects are never followed and proxies never used, so that nothing else chooses an
//! address.

mod address;
mod resolver;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

pub use address::{Place, place};
pub(crate) use resolver::GuardedResolver;
pub use resolver::{AddressRefused, Lookup, SystemLookup};

/// Why a URL is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute URL.
    #[error("url must be an absolute http or https URL")]
    NotAUrl,
    /// `https://user:password@…`: such credentials end up in logs.
    #[error("url must not carry a user name or password; sign the calls with signing_keys instead")]
    Credentials,
    /// The host is an address in another spelling than its own, e.g. `0x7f.1` or `2130706433`.
    #[error("url must spell an IP address in its usual form, such as 192.0.2.1 or [2001:db8::1]")]
    OddAddress,
    /// Codes would travel in clear.
    #[error("url must begin with https:// unless its host is this machine (localhost, 127.0.0.1, [::1])")]
    NotEncrypted,
    /// An address in a network of one's own.
    #[error("url leads into a private network; set allow_private = true if that is meant")]
    Private,
    /// An address that no service has.
    #[error("url leads to an address that is never called (link-local, multicast, reserved)")]
    Nowhere,
}

/// Which addresses a host's name may lead to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// The public internet.
    Public,
    /// This machine and nothing else: the URL says so, and may therefore go unencrypted.
    Loopback,
    /// The public internet and private networks, because the operator said so.
    Private,
}

impl Reach {
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        match (self, place(address)) {
            (Self::Public | Self::Private, Place::Public)
            | (Self::Loopback | Self::Private, Place::Loopback)
            | (Self::Private, Place::Private) => true,
            (Self::Public, Place::Loopback | Place::Private)
            | (Self::Loopback, Place::Public | Place::Private)
            | (_, Place::Nowhere) => false,
        }
    }
}

/// A URL that may be called. Its path and query may hold a token: `Debug` and `Display` show the
/// origin only.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    reach: Reach,
}

impl Endpoint {
    /// Parses a configured URL. `allow_private` admits RFC 1918, RFC 6598 and RFC 4193 networks and
    /// this machine under any name; nothing admits link-local, multicast or reserved addresses.
    ///
    /// # Errors
    /// See [`EndpointError`].
    pub fn parse(text: &str, allow_private: bool) -> Result<Self, EndpointError> {
        // The URL standard would silently repair these.
        if text.chars().any(|c| c.is_ascii_control() || c == ' ' || c == '\\') {
            return Err(EndpointError::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| EndpointError::NotAUrl)?;
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(EndpointError::NotAUrl),
        };
        let host = url.host_str().ok_or(EndpointError::NotAUrl)?;
        if url.port() == Some(0) {
            return Err(EndpointError::NotAUrl);
        }
        if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
            return Err(EndpointError::Credentials);
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let reach = match literal {
            Some(address) => {
                let after = authority(text).strip_prefix(host).ok_or(EndpointError::OddAddress)?;
                if !after.is_empty() && !after.starts_with(':') {
                    return Err(EndpointError::OddAddress);
                }
                match place(address) {
                    Place::Public => Reach::Public,
                    Place::Loopback => Reach::Loopback,
                    Place::Private if allow_private => Reach::Private,
                    Place::Private => return Err(EndpointError::Private),
                    Place::Nowhere => return Err(EndpointError::Nowhere),
                }
            }
            None if host == "localhost" => Reach::Loopback,
            None if allow_private => Reach::Private,
            None => Reach::Public,
        };
        if !encrypted && reach != Reach::Loopback {
            return Err(EndpointError::NotEncrypted);
        }
        Ok(Self { url, reach })
    }

    /// The whole URL, for the call itself; never log it.
    pub(crate) fn expose(&self) -> &Url {
        &self.url
    }

    pub(crate) const fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether TLS protects it.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// What stands between `://` and the path, as written.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url.origin().ascii_serialization())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self}/…)")
    }
}
