//! The provider's section of the configuration.

use std::fmt;

use countersign_core::names::Channel;
use serde::de::{Deserialize, Deserializer, Error};

use crate::hook::SigningKey;

/// How messages reach a receiver of your own.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to post: `https://…`, or `http://` on this machine.
    pub url: String,
    /// The keys that sign, at least 16 characters each, newest first. Give two while the receiver
    /// changes over from one to the other.
    pub signing_keys: Vec<SigningKey>,
    /// What it carries.
    #[serde(default = "sms", deserialize_with = "channels")]
    pub channels: Vec<Channel>,
    /// Repeated to the receiver as `contextInfo.provider.description`.
    #[serde(default)]
    pub description: String,
    /// Whether the URL may lead into private networks (RFC 1918, RFC 6598, RFC 4193) and to this
    /// machine under any name.
    #[serde(default)]
    pub allow_private: bool,
}

/// The URL is left out: its path may hold a token.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("channels", &self.channels).finish_non_exhaustive()
    }
}

fn sms() -> Vec<Channel> {
    vec![Channel::Sms]
}

fn channels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Channel>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(D::Error::custom("channels must name at least one channel"));
    }
    names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "0123456789abcdef";

    #[test]
    fn a_url_and_a_key_are_enough() {
        let config: Config =
            serde_json::from_value(json!({"url": "https://sms.example/", "signing_keys": [KEY]})).unwrap();
        assert_eq!(config.channels, [Channel::Sms]);
        assert!(!config.allow_private);
    }

    #[test]
    fn wrong_settings_are_named_without_showing_a_key() {
        for (patch, word) in [
            (json!({"signing_keys": ["tooshort"]}), "at least 16"),
            (json!({"channels": []}), "at least one"),
            (json!({"channels": ["fax"]}), "a channel must be one of"),
            (json!({"signing_key": KEY}), "signing_key"),
        ] {
            let mut value = json!({"url": "https://sms.example/", "signing_keys": [KEY]});
            value.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
            let error = serde_json::from_value::<Config>(value).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
            assert!(!error.contains(KEY) && !error.contains("tooshort"), "{error}");
        }
    }

    #[test]
    fn debug_shows_neither_the_url_nor_a_key() {
        let config: Config = serde_json::from_value(
            json!({"url": "https://sms.example/hooks/path-token?q=1", "signing_keys": [KEY]}),
        )
        .unwrap();
        let text = format!("{config:?}");
        assert!(!text.contains("path-token") && !text.contains(KEY), "{text}");
    }
}
