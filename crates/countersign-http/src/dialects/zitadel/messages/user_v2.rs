//! `zitadel.user.v2` and `zitadel.user.v2beta`.

use serde::{Deserialize, Serialize};

use super::super::errors::Row;
use super::{Details, Empty, is_false, masked, object, objects, text};

masked!(SetPhoneRequest, VerifyRequest, SetEmailRequest, SendEmailCode, AddHumanUserRequest, SetHumanProfile);
masked!(SetHumanEmail, SetHumanPhone, CodeResponse, AddHumanUserResponse, GetUserByIdResponse, User);
masked!(HumanUser, HumanProfile, HumanEmail, HumanPhone, Organization);
masked!(ResendPhoneCodeRequest, UserIdRequest, EmailCodeRequest);

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SetPhoneRequest {
    #[prost(string, tag = "1")]
    #[serde(alias = "user_id", deserialize_with = "text")]
    pub(crate) user_id: String,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "text")]
    pub(crate) phone: String,
    #[prost(message, optional, tag = "3")]
    #[serde(alias = "send_code", deserialize_with = "object")]
    pub(crate) send_code: Option<Empty>,
    #[prost(message, optional, tag = "4")]
    #[serde(alias = "return_code", deserialize_with = "object")]
    pub(crate) return_code: Option<Empty>,
    #[prost(bool, optional, tag = "5")]
    #[serde(alias = "is_verified")]
    pub(crate) is_verified: Option<bool>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ResendPhoneCodeRequest {
    #[prost(string, tag = "1")]
    #[serde(alias = "user_id", deserialize_with = "text")]
    pub(crate) user_id: String,
    #[prost(message, optional, tag = "3")]
    #[serde(alias = "send_code", deserialize_with = "object")]
    pub(crate) send_code: Option<Empty>,
    #[prost(message, optional, tag = "4")]
    #[serde(alias = "return_code", deserialize_with = "object")]
    pub(crate) return_code: Option<Empty>,
}

/// `VerifyPhoneRequest` and `VerifyEmailRequest`, which have the same fields.
#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct VerifyRequest {
    #[prost(string, tag = "1")]
    #[serde(alias = "user_id", deserialize_with = "text")]
    pub(crate) user_id: String,
    #[prost(string, tag = "2")]
    #[serde(alias = "verification_code", deserialize_with = "text")]
    pub(crate) verification_code: String,
}

/// `RemovePhoneRequest` and `GetUserByIDRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct UserIdRequest {
    #[prost(string, tag = "1")]
    #[serde(alias = "user_id", deserialize_with = "text")]
    pub(crate) user_id: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SetEmailRequest {
    #[prost(string, tag = "1")]
    #[serde(alias = "user_id", deserialize_with = "text")]
    pub(crate) user_id: String,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "text")]
    pub(crate) email: String,
    #[prost(message, optional, tag = "3")]
    #[serde(alias = "send_code", deserialize_with = "object")]
    pub(crate) send_code: Option<SendEmailCode>,
    #[prost(message, optional, tag = "4")]
    #[serde(alias = "return_code", deserialize_with = "object")]
    pub(crate) return_code: Option<Empty>,
    #[prost(bool, optional, tag = "5")]
    #[serde(alias = "is_verified")]
    pub(crate) is_verified: Option<bool>,
}

/// `ResendEmailCodeRequest` and `SendEmailCodeRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EmailCodeRequest {
    #[prost(string, tag = "1")]
    #[serde(alias = "user_id", deserialize_with = "text")]
    pub(crate) user_id: String,
    #[prost(message, optional, tag = "2")]
    #[serde(alias = "send_code", deserialize_with = "object")]
    pub(crate) send_code: Option<SendEmailCode>,
    #[prost(message, optional, tag = "3")]
    #[serde(alias = "return_code", deserialize_with = "object")]
    pub(crate) return_code: Option<Empty>,
}

/// `SendEmailVerificationCode`
#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SendEmailCode {
    #[prost(string, optional, tag = "1")]
    #[serde(alias = "url_template")]
    pub(crate) url_template: Option<String>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AddHumanUserRequest {
    #[prost(string, optional, tag = "1")]
    #[serde(alias = "user_id")]
    pub(crate) user_id: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) username: Option<String>,
    #[prost(message, optional, tag = "11")]
    #[serde(deserialize_with = "object")]
    pub(crate) organization: Option<Organization>,
    #[prost(message, optional, tag = "4")]
    #[serde(deserialize_with = "object")]
    pub(crate) profile: Option<SetHumanProfile>,
    #[prost(message, optional, tag = "5")]
    #[serde(deserialize_with = "object")]
    pub(crate) email: Option<SetHumanEmail>,
    #[prost(message, optional, tag = "10")]
    #[serde(deserialize_with = "object")]
    pub(crate) phone: Option<SetHumanPhone>,
    // What follows is not kept. It is read so far that the call can say so.
    #[prost(message, repeated, tag = "6")]
    #[serde(deserialize_with = "objects")]
    pub(crate) metadata: Vec<Empty>,
    #[prost(message, optional, tag = "7")]
    #[serde(deserialize_with = "object")]
    pub(crate) password: Option<Empty>,
    #[prost(message, optional, tag = "8")]
    #[serde(alias = "hashed_password", deserialize_with = "object")]
    pub(crate) hashed_password: Option<Empty>,
    #[prost(message, repeated, tag = "9")]
    #[serde(alias = "idp_links", deserialize_with = "objects")]
    pub(crate) idp_links: Vec<Empty>,
    #[prost(string, optional, tag = "12")]
    #[serde(alias = "totp_secret")]
    pub(crate) totp_secret: Option<String>,
}

impl AddHumanUserRequest {
    /// The answer to the first member that would be lost; an empty list says nothing.
    pub(crate) fn not_kept(&self) -> Option<Row> {
        let members = [
            (self.password.is_some(), Row::NO_PASSWORD),
            (self.hashed_password.is_some(), Row::NO_HASHED_PASSWORD),
            (!self.idp_links.is_empty(), Row::NO_IDP_LINKS),
            (self.totp_secret.is_some(), Row::NO_TOTP_SECRET),
            (!self.metadata.is_empty(), Row::NO_METADATA),
        ];
        members.into_iter().find_map(|(given, row)| given.then_some(row))
    }
}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Organization {
    #[prost(string, optional, tag = "1")]
    #[serde(alias = "org_id")]
    pub(crate) org_id: Option<String>,
    #[prost(string, optional, tag = "2")]
    #[serde(alias = "org_domain")]
    pub(crate) org_domain: Option<String>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SetHumanProfile {
    #[prost(string, tag = "1")]
    #[serde(alias = "given_name", deserialize_with = "text")]
    pub(crate) given_name: String,
    #[prost(string, tag = "2")]
    #[serde(alias = "family_name", deserialize_with = "text")]
    pub(crate) family_name: String,
    #[prost(string, optional, tag = "5")]
    #[serde(alias = "preferred_language")]
    pub(crate) preferred_language: Option<String>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SetHumanEmail {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "text")]
    pub(crate) email: String,
    #[prost(message, optional, tag = "2")]
    #[serde(alias = "send_code", deserialize_with = "object")]
    pub(crate) send_code: Option<SendEmailCode>,
    #[prost(message, optional, tag = "3")]
    #[serde(alias = "return_code", deserialize_with = "object")]
    pub(crate) return_code: Option<Empty>,
    #[prost(bool, optional, tag = "4")]
    #[serde(alias = "is_verified")]
    pub(crate) is_verified: Option<bool>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SetHumanPhone {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "text")]
    pub(crate) phone: String,
    #[prost(message, optional, tag = "2")]
    #[serde(alias = "send_code", deserialize_with = "object")]
    pub(crate) send_code: Option<Empty>,
    #[prost(message, optional, tag = "3")]
    #[serde(alias = "return_code", deserialize_with = "object")]
    pub(crate) return_code: Option<Empty>,
    #[prost(bool, optional, tag = "4")]
    #[serde(alias = "is_verified")]
    pub(crate) is_verified: Option<bool>,
}

/// The answer of every call that changes a phone or a mailbox. `verification_code` only where it was
/// asked for.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CodeResponse {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<Details>,
    #[prost(string, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verification_code: Option<String>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddHumanUserResponse {
    #[prost(string, tag = "1")]
    pub(crate) user_id: String,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<Details>,
    #[prost(string, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_code: Option<String>,
    #[prost(string, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone_code: Option<String>,
}

/// `GetUserByIDResponse`
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GetUserByIdResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) details: Option<Details>,
    #[prost(message, optional, tag = "2")]
    pub(crate) user: Option<User>,
}

#[expect(clippy::struct_field_names, reason = "the names of the .proto file")]
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    #[prost(string, tag = "1")]
    pub(crate) user_id: String,
    #[prost(message, optional, tag = "8")]
    pub(crate) details: Option<Details>,
    #[prost(enumeration = "UserState", tag = "2")]
    #[serde(serialize_with = "state_name")]
    pub(crate) state: i32,
    #[prost(string, tag = "3")]
    pub(crate) username: String,
    #[prost(string, repeated, tag = "4")]
    pub(crate) login_names: Vec<String>,
    #[prost(string, tag = "5")]
    pub(crate) preferred_login_name: String,
    #[prost(message, optional, tag = "6")]
    pub(crate) human: Option<HumanUser>,
}

/// Users here are active, or they are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum UserState {
    Unspecified = 0,
    Active = 1,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn state_name<S: serde::Serializer>(state: &i32, writer: S) -> Result<S::Ok, S::Error> {
    writer.serialize_str(match UserState::try_from(*state) {
        Ok(UserState::Active) => "USER_STATE_ACTIVE",
        Ok(UserState::Unspecified) | Err(_) => "USER_STATE_UNSPECIFIED",
    })
}

#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
pub(crate) struct HumanUser {
    #[prost(message, optional, tag = "6")]
    pub(crate) profile: Option<HumanProfile>,
    #[prost(message, optional, tag = "7")]
    pub(crate) email: Option<HumanEmail>,
    #[prost(message, optional, tag = "8")]
    pub(crate) phone: Option<HumanPhone>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HumanProfile {
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) given_name: String,
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) family_name: String,
    #[prost(string, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[prost(string, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preferred_language: Option<String>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HumanEmail {
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) email: String,
    #[prost(bool, tag = "2")]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) is_verified: bool,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
#[prost(skip_debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HumanPhone {
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) phone: String,
    #[prost(bool, tag = "2")]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) is_verified: bool,
}
