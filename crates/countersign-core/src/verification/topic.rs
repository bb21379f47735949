//! Of what an address has one running verification.

use minicbor::{Decode, Encode};

use crate::names::{DialectName, Purpose};

/// A purpose of one wire API. An address has one running verification for each at most: what one wire API opens is
/// neither found, sent again nor replaced by another one, whatever they call their purposes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct Topic(#[n(0)] String);

impl Topic {
    /// The wire API whose topics are called like their purposes, as all topics once were.
    const PLAIN: &'static str = "native";

    /// The topic of a wire API's purpose.
    pub fn new(dialect: &DialectName, purpose: &Purpose) -> Self {
        // Neither of the two has an `@`.
        Self(match dialect.as_str() {
            Self::PLAIN => purpose.to_string(),
            other => format!("{purpose}@{other}"),
        })
    }

    /// The topic's name in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: F3.
    #[test]
    fn f3_a_purpose_is_another_lane_for_each_wire_api() {
        let topic = |dialect: &str, purpose: &str| {
            Topic::new(&dialect.parse().unwrap(), &purpose.parse().unwrap()).as_str().to_owned()
        };
        assert_eq!(topic("native", "password_reset"), "password_reset");
        assert_eq!(topic("zap", "password_reset"), "password_reset@zap");
        assert_ne!(topic("crypterium", "password_reset"), topic("zap", "password_reset"));
    }
}
