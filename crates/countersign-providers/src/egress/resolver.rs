//! Name resolution that hands out admitted addresses only.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Reach;

/// Where addresses of names come from.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// Every address of a host.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Every address of the name lies where this endpoint must not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host's name leads to an address that must not be called")]
pub struct AddressRefused;

impl AddressRefused {
    /// Whether this is what ended a call.
    pub fn caused(error: &(dyn Error + 'static)) -> bool {
        std::iter::successors(Some(error), |&e| e.source()).any(<dyn Error>::is::<Self>)
    }
}

/// The resolver of one endpoint's HTTP client.
///
/// Judging the very addresses that will be connected to, and not an earlier answer for the same name,
/// leaves no gap for a name that changes its address in between (DNS rebinding).
pub(crate) struct GuardedResolver {
    lookup: Arc<dyn Lookup>,
    reach: Reach,
}

impl GuardedResolver {
    pub(crate) fn new(lookup: Arc<dyn Lookup>, reach: Reach) -> Self {
        Self { lookup, reach }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, reach) = (Arc::clone(&self.lookup), self.reach);
        Box::pin(async move {
            let mut addresses = lookup.lookup(name.as_str()).await?;
            if addresses.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the host's name has no address").into());
            }
            addresses.retain(|address| reach.admits(*address));
            if addresses.is_empty() {
                return Err(AddressRefused.into());
            }
            Ok(Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}
