//! What is said on the wire, whichever wire: each message is both protobuf and JSON.
//!
//! Field numbers are those of the platform's public `.proto` files (August 2025, v4); `zitadel.user.v2` and
//! `zitadel.user.v2beta` have the same. JSON is protobuf's: members in camelCase or as in the `.proto`
//! file, `null` is the same as absent, unknown ones are ignored; zero values are left out of answers, and
//! 64-bit numbers are texts. Of a `oneof` each choice is an optional field here, so that two of them can
//! be told apart and refused.

pub(super) mod user_v2;
pub(super) mod v1;

use countersign_core::directory::User;
use countersign_core::time::Timestamp as Instant;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::json::Object;

/// A message's `Debug` says its name only: fields may be codes and numbers.
macro_rules! masked {
    ($($name:ident),* $(,)?) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })*
    };
}
pub(super) use masked;

/// A choice without parameters, such as `returnCode: {}`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Deserialize, serde::Serialize)]
pub(super) struct Empty {}

/// An instant, `google.protobuf.Timestamp`; in JSON RFC 3339 in UTC with none or three digits of a second.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

impl From<Instant> for Timestamp {
    fn from(instant: Instant) -> Self {
        let millis = instant.as_millis();
        let nanos = i32::try_from(millis.rem_euclid(1000)).unwrap_or_default() * 1_000_000;
        Self { seconds: millis.div_euclid(1000), nanos }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let whole = Instant::from_millis(self.seconds * 1000).to_string();
        match self.nanos / 1_000_000 {
            0 => writer.serialize_str(&whole),
            millis => writer.collect_str(&format_args!("{}.{millis:03}Z", whole.trim_end_matches('Z'))),
        }
    }
}

/// `zitadel.object.v2.Details`
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Details {
    #[prost(uint64, tag = "1")]
    #[serde(serialize_with = "as_text")]
    pub(super) sequence: u64,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) change_date: Option<Timestamp>,
    #[prost(string, tag = "3")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) resource_owner: String,
    #[prost(message, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) creation_date: Option<Timestamp>,
}

impl Details {
    /// After a change.
    pub(super) fn changed(user: &User) -> Self {
        Self {
            sequence: user.sequence,
            change_date: Some(user.changed_at.into()),
            resource_owner: user.organization.clone().unwrap_or_default(),
            creation_date: None,
        }
    }

    /// Of something that is read, or was created just now.
    pub(super) fn read(user: &User) -> Self {
        Self { creation_date: Some(user.created_at.into()), ..Self::changed(user) }
    }
}

/// `zitadel.v1.ErrorDetail`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct ErrorDetail {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// A text; absent and `null` are empty.
fn text<'de, D: Deserializer<'de>>(reader: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

/// A flag; absent and `null` are `false`.
fn flag<'de, D: Deserializer<'de>>(reader: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

/// A message within a message: an object, and not the list of its values that serde would take.
fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(reader: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(reader)?.map(|Object(value)| value))
}

/// Messages within a message; absent and `null` are none.
fn objects<'de, D: Deserializer<'de>, T: DeserializeOwned>(reader: D) -> Result<Vec<T>, D::Error> {
    let objects = Option::<Vec<Object<T>>>::deserialize(reader)?.unwrap_or_default();
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_text<S: Serializer>(number: &u64, writer: S) -> Result<S::Ok, S::Error> {
    writer.collect_str(number)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_instant_has_no_digits_of_a_second_or_three() {
        let written = |millis| serde_json::to_string(&Timestamp::from(Instant::from_millis(millis))).unwrap();
        assert_eq!(written(1_795_161_600_000), r#""2026-11-20T08:00:00Z""#);
        assert_eq!(written(1_795_161_600_500), r#""2026-11-20T08:00:00.500Z""#);
        assert_eq!(written(-1), r#""1969-12-31T23:59:59.999Z""#);
    }
}
