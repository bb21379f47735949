//! `zitadel.auth.v1` and `zitadel.management.v1`.

use countersign_core::directory::User;
use serde::{Deserialize, Serialize};

use super::{Timestamp, as_text, flag, is_false, masked, text};

masked!(SetMyPhoneRequest, SetMyEmailRequest, VerifyMyRequest, UpdateHumanPhoneRequest);
masked!(UpdateHumanEmailRequest, PhoneResponse, Phone, EmailResponse, Email);

/// `GetMyPhoneRequest`, `RemoveMyPhoneRequest`, … which are empty.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, Deserialize)]
pub(crate) struct MyRequest {}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(default)]
pub(crate) struct SetMyPhoneRequest {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "text")]
    pub(crate) phone: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(default)]
pub(crate) struct SetMyEmailRequest {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "text")]
    pub(crate) email: String,
}

/// `VerifyMyPhoneRequest` and `VerifyMyEmailRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(default)]
pub(crate) struct VerifyMyRequest {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "text")]
    pub(crate) code: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct UpdateHumanPhoneRequest {
    #[prost(string, tag = "1")]
    #[serde(alias = "user_id", deserialize_with = "text")]
    pub(crate) user_id: String,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "text")]
    pub(crate) phone: String,
    #[prost(bool, tag = "3")]
    #[serde(alias = "is_phone_verified", deserialize_with = "flag")]
    pub(crate) is_phone_verified: bool,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct UpdateHumanEmailRequest {
    #[prost(string, tag = "1")]
    #[serde(alias = "user_id", deserialize_with = "text")]
    pub(crate) user_id: String,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "text")]
    pub(crate) email: String,
    #[prost(bool, tag = "3")]
    #[serde(alias = "is_email_verified", deserialize_with = "flag")]
    pub(crate) is_email_verified: bool,
}

/// `zitadel.v1.ObjectDetails`: the fields of v2's details in another order.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectDetails {
    #[prost(uint64, tag = "1")]
    #[serde(serialize_with = "as_text")]
    pub(crate) sequence: u64,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) creation_date: Option<Timestamp>,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change_date: Option<Timestamp>,
    #[prost(string, tag = "4")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) resource_owner: String,
}

impl ObjectDetails {
    /// After a change. The source's samples show a creation date in its place; a real answer has none.
    pub(crate) fn changed(user: &User) -> Self {
        Self {
            sequence: user.sequence,
            creation_date: None,
            change_date: Some(user.changed_at.into()),
            resource_owner: user.organization.clone().unwrap_or_default(),
        }
    }

    /// Of something that is read.
    pub(crate) fn read(user: &User) -> Self {
        Self { creation_date: Some(user.created_at.into()), ..Self::changed(user) }
    }
}

/// The answer of every call that changes something.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
pub(crate) struct DetailsResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) details: Option<ObjectDetails>,
}

/// `GetMyPhoneResponse` and `GetHumanPhoneResponse`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
pub(crate) struct PhoneResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) details: Option<ObjectDetails>,
    #[prost(message, optional, tag = "2")]
    pub(crate) phone: Option<Phone>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Phone {
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) phone: String,
    #[prost(bool, tag = "2")]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) is_phone_verified: bool,
}

/// `GetMyEmailResponse` and `GetHumanEmailResponse`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
pub(crate) struct EmailResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) details: Option<ObjectDetails>,
    #[prost(message, optional, tag = "2")]
    pub(crate) email: Option<Email>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Email {
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) email: String,
    #[prost(bool, tag = "2")]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) is_email_verified: bool,
}
