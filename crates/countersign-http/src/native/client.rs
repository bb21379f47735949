//! Who is asking, as far as the caller knows.

use std::net::IpAddr;

use serde::Deserialize;
use utoipa::ToSchema;

use super::limits;
use super::schema::IpText;
use crate::json::Object;
use crate::problem::Problem;

/// Who is asking.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    /// The end user's IP address.
    #[schema(value_type = Option<IpText>, example = "203.0.113.7")]
    ip: Option<String>,
    /// The caller's own name for the device, at most 255 characters.
    #[schema(max_length = 255)]
    device_id: Option<String>,
    /// The browser's `User-Agent`, at most 1,024 characters.
    #[schema(max_length = 1024)]
    user_agent: Option<String>,
    /// Whether the caller has known this user before.
    #[expect(dead_code, reason = "a signal that no rule reads yet")]
    returning: Option<bool>,
}

impl Client {
    /// The network address that a request tells.
    pub(super) fn ip_of(told: Option<Object<Self>>) -> Result<Option<IpAddr>, Problem> {
        told.map_or(Ok(None), |Object(client)| client.ip())
    }

    fn ip(self) -> Result<Option<IpAddr>, Problem> {
        limits::text("client.device_id", self.device_id.as_deref(), 255)?;
        limits::text("client.user_agent", self.user_agent.as_deref(), 1024)?;
        let ip = self.ip.as_deref().map(str::parse).transpose();
        ip.map_err(|_| Problem::malformed("client.ip", "must be an IPv4 or IPv6 address"))
    }
}
