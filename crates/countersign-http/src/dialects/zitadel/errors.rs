//! Everything that can be wrong, in the words of the API.
//!
//! [`Row`] is the one table: each line is one answer that callers may be programmed against. Ids that
//! begin with `CSIGN` are ours: the platform has no limits on these calls, and the shape follows its
//! own quota error. How a row looks on each wire is the business of `wire`.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use countersign_core::directory::UpdateError;
use countersign_core::engine::{ADDRESS_FULL, Refusal, Rejection, StorageError};
use countersign_core::verifications::RequestError;

use crate::headers::{Jitter, retry_after_seconds};
use crate::observe::Cause;

/// A status of gRPC (`google.rpc.Code`), with what the gateway and Connect make of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Code {
    InvalidArgument = 3,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

impl Code {
    pub(super) const fn number(self) -> i32 {
        self as i32
    }

    /// The gateway's status. A failed precondition is 400, not 412.
    pub(super) const fn http(self) -> StatusCode {
        match self {
            Self::InvalidArgument | Self::FailedPrecondition => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AlreadyExists => StatusCode::CONFLICT,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
        }
    }

    /// Connect's name of it.
    pub(super) const fn connect(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::PermissionDenied => "permission_denied",
            Self::ResourceExhausted => "resource_exhausted",
            Self::FailedPrecondition => "failed_precondition",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

/// One answer that says no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row {
    pub(super) code: Code,
    /// Never changes, whatever the language; empty where the platform sends no detail.
    pub(super) id: &'static str,
    pub(super) text: &'static str,
    /// The internal reason, for `Countersign-Reason`.
    pub(super) reason: &'static str,
}

macro_rules! rows {
    ($($name:ident: $code:ident, $id:literal, $text:literal, $reason:literal;)*) => {
        impl Row {
            $(pub(super) const $name: Self =
                Self { code: Code::$code, id: $id, text: $text, reason: $reason };)*

            /// The whole table.
            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

rows! {
    // Who calls. Raised before anybody's language is known: texts are raw keys.
    NO_TOKEN: Unauthenticated, "", "auth header missing", "bad_credentials";
    NO_BEARER: Unauthenticated, "AUTH-toLo1", "invalid auth header", "bad_credentials";
    BAD_TOKEN: Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid", "bad_credentials";
    NO_ORGANIZATION: PermissionDenied, "AUTH-Bs7Ds", "Organisation doesn't exist", "not_permitted";
    TENANT_DISABLED: PermissionDenied, "CSIGN-Td8hn", "Instance is disabled", "tenant_disabled";

    // What they may do.
    NOT_PERMITTED: PermissionDenied, "AUTH-AWfge", "No matching permissions found", "not_permitted";
    NOT_PERMITTED_MANAGEMENT: PermissionDenied, "AUTH-5mWD2", "No matching permissions found", "not_permitted";
    NO_MEMBERSHIP: NotFound, "AUTHZ-cdgFk", "membership not found", "not_permitted";
    NO_CODE_READ: PermissionDenied, "CSIGN-Rc4pt", "Code may not be returned", "not_permitted";

    LINK_NOT_ALLOWED: PermissionDenied, "CSIGN-Ut4hx", "URL template not allowed", "not_permitted";

    // What is not kept. Nothing was stored and nothing sent.
    NO_PASSWORD: Unimplemented, "CSIGN-Nf4ut", "Not supported: password", "invalid_field";
    NO_HASHED_PASSWORD: Unimplemented, "CSIGN-Nf4ut", "Not supported: hashedPassword", "invalid_field";
    NO_IDP_LINKS: Unimplemented, "CSIGN-Nf4ut", "Not supported: idpLinks", "invalid_field";
    NO_TOTP_SECRET: Unimplemented, "CSIGN-Nf4ut", "Not supported: totpSecret", "invalid_field";
    NO_METADATA: Unimplemented, "CSIGN-Nf4ut", "Not supported: metadata", "invalid_field";

    // Limits.
    BLOCKED: PermissionDenied, "CSIGN-Bl5zm", "Number not allowed", "blocked";
    COOL_DOWN: ResourceExhausted, "CSIGN-Cd29x", "Please wait before requesting a new code", "cooldown";
    SEND_CAP: ResourceExhausted, "CSIGN-Sc7kq", "Too many codes requested", "send_cap";
    NO_ATTEMPTS: ResourceExhausted, "CSIGN-Ax3vw", "Too many attempts", "attempts_exhausted";
    UNAVAILABLE: Unavailable, "CSIGN-Un6rs", "Service unavailable", "unavailable";

    // Phones.
    PHONE_INVALID: InvalidArgument, "PHONE-so0wa", "Phone is invalid", "invalid_phone";
    V2_PHONE_UNKNOWN: NotFound, "COMMAND-ieJ2e", "Phone not found", "unknown_recipient";
    V2_PHONE_UNCHANGED: FailedPrecondition, "COMMAND-Uch5e", "Phone not changed", "invalid_field";
    V2_PHONE_NOT_PENDING: FailedPrecondition, "PHONE-5xrra88eq8", "Code is empty", "nothing_pending";
    V2_NO_PHONE: FailedPrecondition, "COMMAND-ieJ2e", "Phone not found", "nothing_pending";
    V1_PHONE_RESEND_UNKNOWN: FailedPrecondition, "COMMAND-2M0fs", "User could not be found", "unknown_recipient";
    V1_PHONE_RESEND_NONE: NotFound, "COMMAND-2b7Hf", "Phone not found", "nothing_pending";
    V1_PHONE_RESEND_VERIFIED: FailedPrecondition, "COMMAND-2M9sf", "Phone already verified", "nothing_pending";
    V1_PHONE_SET_UNKNOWN: FailedPrecondition, "COMMAND-3M0fs", "User could not be found", "unknown_recipient";
    V1_PHONE_UNCHANGED: FailedPrecondition, "COMMAND-wF94r", "Phone not changed", "invalid_field";
    V1_PHONE_VERIFY_UNKNOWN: FailedPrecondition, "COMMAND-Rsj8c", "User could not be found", "unknown_recipient";
    V1_PHONE_VERIFY_NONE: NotFound, "COMMAND-Rsj8c", "Code not found", "nothing_pending";
    V1_PHONE_WRONG: InvalidArgument, "COMMAND-sM0cs", "Code is invalid", "wrong_code";
    V1_PHONE_REMOVE_UNKNOWN: FailedPrecondition, "COMMAND-3M9fs", "User could not be found", "unknown_recipient";
    V1_PHONE_REMOVE_NONE: NotFound, "COMMAND-p6rsc", "Phone not found", "nothing_pending";
    V1_PHONE_GET_UNKNOWN: NotFound, "QUERY-DAvb3", "User could not be found", "unknown_recipient";
    V1_PHONE_GET_MACHINE: FailedPrecondition, "QUERY-hliQl", "The User must be personal", "unknown_recipient";

    // Mailboxes.
    V2_EMAIL_UNKNOWN: NotFound, "COMMAND-ieJ2e", "Email not found", "unknown_recipient";
    V2_EMAIL_UNCHANGED: FailedPrecondition, "COMMAND-Uch5e", "Email not changed", "invalid_field";
    V2_EMAIL_NOT_PENDING: FailedPrecondition, "EMAIL-5w5ilin4yt", "Code is empty", "nothing_pending";
    V1_EMAIL_UNKNOWN: NotFound, "COMMAND-0Pe4r", "Email not found", "unknown_recipient";
    V1_EMAIL_VERIFIED: FailedPrecondition, "COMMAND-3M9ds", "Email is already verified", "nothing_pending";
    V1_EMAIL_UNCHANGED: FailedPrecondition, "COMMAND-2b7fM", "Email not changed", "invalid_field";
    V1_EMAIL_VERIFY_NONE: NotFound, "COMMAND-3n8ud", "Code not found", "nothing_pending";
    V1_EMAIL_WRONG: InvalidArgument, "COMMAND-Gdsgs", "Code is invalid", "wrong_code";
    V1_EMAIL_GET_UNKNOWN: NotFound, "QUERY-Hms2s", "User could not be found", "unknown_recipient";
    V1_EMAIL_GET_MACHINE: FailedPrecondition, "QUERY-pt7HY", "The User must be personal", "unknown_recipient";

    // Either.
    V2_WRONG: InvalidArgument, "COMMAND-eis9R", "Code is invalid", "wrong_code";
    USER_UNKNOWN: NotFound, "QUERY-Dfbg2", "User could not be found", "unknown_recipient";
    USER_ID_TAKEN: FailedPrecondition, "COMMAND-k2unb", "Errors.User.AlreadyExisting", "invalid_field";
    USERNAME_TAKEN: AlreadyExists, "V3-DKcYh", "User already exists", "invalid_field";
}

/// Why a call did not do what it was for.
#[derive(Clone, Debug)]
pub(super) enum Reason {
    /// A line of the table.
    Row(Row),
    /// A line of the table that asks for patience.
    Wait {
        row: Row,
        /// How long until asking again makes sense.
        retry_after: Duration,
        /// What happened, for the log.
        cause: Option<Cause>,
    },
    /// The body is no JSON object or message of this call, or makes two choices where one is possible.
    Malformed,
    /// A field is outside its bounds; the validator's own words.
    Field(Cow<'static, str>),
    /// Nothing is served at this path.
    NoSuchPath,
    /// The path is served for other methods.
    WrongMethod,
    /// A call or an encoding that exists and is not served.
    Unimplemented(&'static str),
    /// Our own fault.
    Internal(Cause),
}

/// What goes over the wire, whichever it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) status: StatusCode,
    pub(super) message: Cow<'static, str>,
    /// Id and bare text.
    pub(super) detail: Option<(&'static str, &'static str)>,
    /// In whole seconds.
    pub(super) retry_after: Option<u64>,
    pub(super) reason: &'static str,
}

impl Reason {
    pub(super) const fn wait(row: Row, retry_after: Duration) -> Self {
        Self::Wait { row, retry_after, cause: None }
    }

    pub(super) fn failure(&self) -> Failure {
        let plain = |code: Code, message: Cow<'static, str>, reason| Failure {
            code,
            status: code.http(),
            message,
            detail: None,
            retry_after: None,
            reason,
        };
        match self {
            Self::Row(row) => row.failure(),
            Self::Wait { row, retry_after, .. } => {
                Failure { retry_after: Some(retry_after_seconds(*retry_after)), ..row.failure() }
            }
            // The platform's own wording varies on purpose, so that nobody depends on it.
            Self::Malformed => plain(Code::InvalidArgument, "invalid request body".into(), "malformed"),
            Self::Field(message) => plain(Code::InvalidArgument, message.clone(), "invalid_field"),
            Self::NoSuchPath => plain(Code::NotFound, "Not Found".into(), "malformed"),
            Self::WrongMethod => Failure {
                status: StatusCode::METHOD_NOT_ALLOWED,
                ..plain(Code::Unimplemented, "Method Not Allowed".into(), "malformed")
            },
            Self::Unimplemented(message) => plain(Code::Unimplemented, Cow::Borrowed(message), "malformed"),
            Self::Internal(_) => plain(Code::Internal, "internal error".into(), "internal"),
        }
    }

    /// What happened, where the caller does not get to read it.
    pub(super) fn cause(&self) -> Option<Cause> {
        match self {
            Self::Internal(cause) => Some(cause.clone()),
            Self::Wait { cause, .. } => cause.clone(),
            Self::Row(_)
            | Self::Malformed
            | Self::Field(_)
            | Self::NoSuchPath
            | Self::WrongMethod
            | Self::Unimplemented(_) => None,
        }
    }

    /// What a guess that was not right says, where `wrong` is this call's word for it and `used` the one
    /// for a code that was right before.
    pub(super) fn rejected(rejection: Rejection, retry_after: Duration, wrong: Row, used: Row) -> Self {
        match rejection {
            Rejection::WrongCode
            | Rejection::ContextMismatch
            | Rejection::OtherLength
            | Rejection::Expired
            | Rejection::Canceled => Self::Row(wrong),
            Rejection::AlreadyUsed => Self::Row(used),
            Rejection::Exhausted | Rejection::RecipientHeld => Self::wait(Row::NO_ATTEMPTS, retry_after),
        }
    }
}

impl Row {
    fn failure(self) -> Failure {
        let Self { code, id, text, reason } = self;
        let (message, detail) = match id {
            "" => (Cow::Borrowed(text), None),
            id => (format!("{text} ({id})").into(), Some((id, text))),
        };
        Failure { code, status: code.http(), message, detail, retry_after: None, reason }
    }
}

impl From<Row> for Reason {
    fn from(row: Row) -> Self {
        Self::Row(row)
    }
}

/// What a send that was refused says. A held recipient reads as one that had all its codes.
impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::CoolDown { retry_after } => Self::wait(Row::COOL_DOWN, retry_after),
            Refusal::ChecksExhausted { retry_after } => Self::wait(Row::NO_ATTEMPTS, retry_after),
            Refusal::SendsExhausted { retry_after }
            | Refusal::RecipientLimit { retry_after }
            | Refusal::RecipientHeld { retry_after }
            | Refusal::ClientLimit { retry_after }
            | Refusal::TenantBudget { retry_after } => Self::wait(Row::SEND_CAP, retry_after),
            Refusal::NotFound | Refusal::NotPending { .. } | Refusal::NothingPending => {
                Self::Internal(Cause("a send that opens what it needs found nothing".into()))
            }
            Refusal::NotTogether => {
                Self::Internal(Cause("one address was not to be verified with itself".into()))
            }
        }
    }
}

impl From<Cause> for Reason {
    fn from(cause: Cause) -> Self {
        Self::Internal(cause)
    }
}

impl From<StorageError> for Reason {
    fn from(error: StorageError) -> Self {
        let cause = Cause::of(&error);
        Self::Wait { row: Row::UNAVAILABLE, retry_after: Jitter::seconds(1..=3), cause }
    }
}

impl From<RequestError> for Reason {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Storage(error) => error.into(),
            RequestError::Region => Self::Row(Row::BLOCKED),
            RequestError::NoRoute(_)
            | RequestError::ChannelMismatch(_)
            | RequestError::CustomCode
            | RequestError::CustomCodeLength { .. }
            | RequestError::SameChannel
            | RequestError::TestAndReal => Self::Internal(Cause(error.to_string().into())),
        }
    }
}

impl From<UpdateError<Self>> for Reason {
    fn from(error: UpdateError<Self>) -> Self {
        match error {
            UpdateError::Refused(reason) => reason,
            UpdateError::NameTaken => Row::USERNAME_TAKEN.into(),
            UpdateError::AddressFull => ADDRESS_FULL.into(),
            UpdateError::Storage(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_for_one_text_unless_the_platform_itself_uses_it_for_several() {
        let shared = ["COMMAND-ieJ2e", "COMMAND-Uch5e", "COMMAND-Rsj8c", "CSIGN-Nf4ut"];
        for (i, row) in Row::ALL.iter().enumerate() {
            let twin = Row::ALL[..i].iter().find(|other| other.id == row.id);
            assert!(twin.is_none() || shared.contains(&row.id), "{row:?} and {twin:?}");
        }
    }

    #[test]
    fn what_happened_goes_to_the_log_and_not_to_the_caller() {
        let reason = Reason::from(StorageError::Unavailable("disk full".into()));
        assert_eq!(reason.cause().unwrap().0, "the store is unavailable: disk full");
        let failure = reason.failure();
        assert_eq!((failure.status.as_u16(), &*failure.message), (503, "Service unavailable (CSIGN-Un6rs)"));
    }
}
