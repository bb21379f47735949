//! Everything that can be wrong, in the dialect's words.
//!
//! Bodies are `error`, `errorId`, `message`, `systemId`, then `field` or `data` where there is one;
//! a bad token has an order of its own. The source also documents `originalMessage` and
//! `errorStackTrace`: they are never sent. Texts without a public source are ours, see the dialect's
//! page.
//!
//! | Problem | Status | `errorId`, `error` |
//! |---|---|---|
//! | [`Malformed`](Problem::Malformed) | 400 | 123 `INVALID_REQUEST_BODY` |
//! | [`Missing`](Problem::Missing), [`InvalidPhone`](Problem::InvalidPhone), [`InvalidEmail`](Problem::InvalidEmail), [`Invalid`](Problem::Invalid) | 400 | 422 `NOT_VALID_REQUEST_DATA` |
//! | [`NotRegistered`](Problem::NotRegistered) (`anti_enumeration = false` only) | 400 | 2 `CUSTOMER_NOT_FOUND_EXCEPTION` |
//! | [`CoolDown`](Problem::CoolDown) | 400 | 157 `SMS_CODE_DELAY_NOT_REACHED` |
//! | [`SendCap`](Problem::SendCap) | 400 | 167 `RATE_LIMIT_SIGNUP_ATTEMPT` |
//! | [`WrongCode`](Problem::WrongCode) | 400 | 117 `CUSTOMER_SMS_CODE_INCORRECT`, 8 `CUSTOMER_VERIFICATION_CODE_INCORRECT` |
//! | [`Expired`](Problem::Expired) | 400 | 118 `CUSTOMER_SMS_CODE_EXPIRED`, 9 `CUSTOMER_VERIFICATION_CODE_EXPIRED` |
//! | [`TooManyAttempts`](Problem::TooManyAttempts) | 400 | 53 `CUSTOMER_EXCEEDED_NUMBER_OF_PIN_ATTEMPTS` |
//! | [`EmailConfirmed`](Problem::EmailConfirmed) | 400 | 310 `EMAIL_ALREADY_CONFIRMED` |
//! | [`EmailTaken`](Problem::EmailTaken) | 400 | 168 `EMAIL_IS_ALREADY_REGISTERED` |
//! | [`BadSignature`](Problem::BadSignature) | 400 | 0 `INVALID_SIGNATURE` |
//! | [`BadToken`](Problem::BadToken), [`TokenExpired`](Problem::TokenExpired) | 401 | 0 `invalid_token` |
//! | [`NotPermitted`](Problem::NotPermitted) | 400 | 0 `OPERATION_NOT_PERMITTED` |
//! | [`TenantDisabled`](Problem::TenantDisabled), [`HookRefused`](Problem::HookRefused) | 400 | 0 `COMMON` |
//! | [`PrefixBlocked`](Problem::PrefixBlocked) | 400 | 0 `PHONE_PREFIX_BLOCKED_FOR_REGISTRATION` |
//! | [`CountryBlocked`](Problem::CountryBlocked) | 400 | 0 `COUNTRY_BLOCKED_FOR_REGISTRATION` |
//! | [`Internal`](Problem::Internal) | 500 | 0 `COMMON` |
//! | [`Unavailable`](Problem::Unavailable) | 503 | 0 `COMMON` |

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use countersign_core::engine::{Refusal, Rejection, StorageError};
use countersign_core::verifications::RequestError;

use crate::headers::{Jitter, retry_after_seconds};
use crate::hooks::HookError;
use crate::observe::Cause;

/// The text of the source's example.
const COMMON: &str =
    "Sorry for inconvenience. We're fixing the issue. If you have urgent questions, contact support";

/// Why a call did not do what it was for.
#[derive(Clone, Debug)]
pub(super) enum Problem {
    /// The body is not a JSON object of the documented members, or its type is another one.
    Malformed,
    /// A member, parameter or header that the call needs is absent.
    Missing(&'static str),
    /// No phone number, or none at all.
    InvalidPhone,
    /// No e-mail address, or none at all.
    InvalidEmail,
    /// A member, parameter or header does not have its documented form.
    Invalid(&'static str),
    /// Nobody has this number or nothing is pending for it, and the merchant wants to know.
    NotRegistered,
    /// Inside the waiting time after the last message.
    CoolDown {
        /// How long until asking again makes sense.
        retry_after: Duration,
    },
    /// A cap on messages, on new verifications or on money is reached, or the recipient is held.
    SendCap {
        /// How long until asking again makes sense.
        retry_after: Duration,
    },
    /// The guess is not the live code, for whatever reason: the caller does not learn which.
    WrongCode(CodeOf, Mismatch),
    /// The code's time is over.
    Expired(CodeOf),
    /// No more guesses for now.
    TooManyAttempts {
        /// How long until asking again makes sense.
        retry_after: Duration,
    },
    /// The user's e-mail address is proven already.
    EmailConfirmed,
    /// Another user has proven this e-mail address.
    EmailTaken,
    /// The signature is wrong or missing, or the merchant is unknown.
    BadSignature,
    /// No bearer token, or none of ours.
    BadToken,
    /// The bearer token's time is over.
    TokenExpired,
    /// The call is switched off for the merchant.
    NotPermitted,
    /// The tenant's calls are refused.
    TenantDisabled,
    /// The tenant does not send to this number's country.
    PrefixBlocked,
    /// The merchant does not serve the client's country.
    CountryBlocked,
    /// The merchant's hook will not do it.
    HookRefused,
    /// Our own fault.
    Internal {
        /// What happened, for the log.
        cause: Cause,
    },
    /// The store or the merchant's hook does not answer. Nothing was approved and nothing sent, or the
    /// proof is done and the hook did not hear of it.
    Unavailable {
        /// How long until asking again makes sense.
        retry_after: Duration,
        /// What happened, for the log; `None` when it is no news there.
        cause: Option<Cause>,
    },
}

/// Which code was guessed: the source has different errors for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CodeOf {
    Signup,
    PasswordReset,
    Email,
}

/// Why a guess is not the live code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mismatch {
    /// It is another code.
    Wrong,
    /// It was used before.
    AlreadyUsed,
    /// The verification was given up, or another took its place.
    Superseded,
    /// There is no verification.
    NothingPending,
}

impl Problem {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed
            | Self::Missing(_)
            | Self::InvalidPhone
            | Self::InvalidEmail
            | Self::Invalid(_)
            | Self::NotRegistered
            | Self::CoolDown { .. }
            | Self::SendCap { .. }
            | Self::WrongCode(..)
            | Self::Expired(_)
            | Self::TooManyAttempts { .. }
            | Self::EmailConfirmed
            | Self::EmailTaken
            | Self::BadSignature
            | Self::NotPermitted
            | Self::TenantDisabled
            | Self::PrefixBlocked
            | Self::CountryBlocked
            | Self::HookRefused => StatusCode::BAD_REQUEST,
            Self::BadToken | Self::TokenExpired => StatusCode::UNAUTHORIZED,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The `errorId` and the `error` of the answer.
    pub(super) const fn id(&self) -> (u16, &'static str) {
        match self {
            Self::Malformed => (123, "INVALID_REQUEST_BODY"),
            Self::Missing(_) | Self::InvalidPhone | Self::InvalidEmail | Self::Invalid(_) => {
                (422, "NOT_VALID_REQUEST_DATA")
            }
            Self::NotRegistered => (2, "CUSTOMER_NOT_FOUND_EXCEPTION"),
            Self::CoolDown { .. } => (157, "SMS_CODE_DELAY_NOT_REACHED"),
            Self::SendCap { .. } => (167, "RATE_LIMIT_SIGNUP_ATTEMPT"),
            Self::WrongCode(CodeOf::Signup, _) => (117, "CUSTOMER_SMS_CODE_INCORRECT"),
            Self::WrongCode(CodeOf::PasswordReset | CodeOf::Email, _) => {
                (8, "CUSTOMER_VERIFICATION_CODE_INCORRECT")
            }
            Self::Expired(CodeOf::Signup) => (118, "CUSTOMER_SMS_CODE_EXPIRED"),
            Self::Expired(CodeOf::PasswordReset | CodeOf::Email) => (9, "CUSTOMER_VERIFICATION_CODE_EXPIRED"),
            Self::TooManyAttempts { .. } => (53, "CUSTOMER_EXCEEDED_NUMBER_OF_PIN_ATTEMPTS"),
            Self::EmailConfirmed => (310, "EMAIL_ALREADY_CONFIRMED"),
            Self::EmailTaken => (168, "EMAIL_IS_ALREADY_REGISTERED"),
            Self::BadSignature => (0, "INVALID_SIGNATURE"),
            Self::BadToken | Self::TokenExpired => (0, "invalid_token"),
            Self::NotPermitted => (0, "OPERATION_NOT_PERMITTED"),
            Self::PrefixBlocked => (0, "PHONE_PREFIX_BLOCKED_FOR_REGISTRATION"),
            Self::CountryBlocked => (0, "COUNTRY_BLOCKED_FOR_REGISTRATION"),
            Self::TenantDisabled | Self::HookRefused | Self::Internal { .. } | Self::Unavailable { .. } => {
                (0, "COMMON")
            }
        }
    }

    /// The `message` of the answer.
    pub(super) fn message(&self) -> Cow<'static, str> {
        let text = match self {
            Self::Missing(name) => return format!("{name} is required").into(),
            Self::Invalid(name) => return format!("{name} is not valid").into(),
            Self::Malformed => "Invalid request body",
            Self::InvalidPhone => "Please enter a valid phone number",
            Self::InvalidEmail => "Please enter a valid email",
            Self::NotRegistered => "Phone number is not registered",
            Self::CoolDown { .. } => "Please wait a minute to get next code",
            Self::SendCap { .. } => "Please wait 10 minutes to sign up",
            Self::WrongCode(..) => "Incorrect code",
            Self::Expired(_) => "Code is expired, please resend code",
            Self::TooManyAttempts { .. } => "You have exceeded the maximum number of attempts",
            Self::EmailConfirmed => "Email is already confirmed",
            Self::EmailTaken => "Email is already registered",
            Self::BadSignature => "Invalid signature",
            Self::BadToken => "Invalid access token",
            Self::TokenExpired => "Access token expired",
            Self::NotPermitted => "Operation is not permitted",
            Self::PrefixBlocked => "Registration is prohibited in your country",
            Self::CountryBlocked => "Registration is prohibited in your region",
            Self::TenantDisabled | Self::HookRefused | Self::Internal { .. } | Self::Unavailable { .. } => {
                COMMON
            }
        };
        Cow::Borrowed(text)
    }

    /// The `field` of the answer.
    pub(super) const fn field(&self) -> Option<&'static str> {
        match self {
            Self::Missing(name) | Self::Invalid(name) => Some(name),
            Self::InvalidPhone => Some("phone"),
            Self::InvalidEmail => Some("email"),
            _ => None,
        }
    }

    /// The `Retry-After` of the answer, in whole seconds.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::CoolDown { retry_after }
            | Self::SendCap { retry_after }
            | Self::TooManyAttempts { retry_after }
            | Self::Unavailable { retry_after, .. } => Some(retry_after_seconds(*retry_after)),
            _ => None,
        }
    }

    /// The same, where the body repeats it in `data`.
    pub(super) fn retry_in_data(&self) -> Option<u64> {
        match self {
            Self::CoolDown { .. } | Self::SendCap { .. } => self.retry_after(),
            _ => None,
        }
    }

    /// The internal reason's id, for `Countersign-Reason`.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Missing(_) => "missing_field",
            Self::InvalidPhone => "invalid_phone",
            Self::InvalidEmail => "invalid_email",
            Self::Invalid(_) | Self::EmailTaken => "invalid_field",
            Self::NotRegistered => "unknown_recipient",
            Self::CoolDown { .. } => "cooldown",
            Self::SendCap { .. } => "send_cap",
            Self::WrongCode(_, Mismatch::Wrong) => "wrong_code",
            Self::WrongCode(_, Mismatch::Superseded) => "superseded",
            Self::WrongCode(_, Mismatch::NothingPending) => "nothing_pending",
            Self::WrongCode(_, Mismatch::AlreadyUsed) | Self::EmailConfirmed => "already_used",
            Self::Expired(_) => "expired",
            Self::TooManyAttempts { .. } => "attempts_exhausted",
            Self::BadSignature => "bad_signature",
            Self::BadToken | Self::TokenExpired => "bad_credentials",
            Self::NotPermitted => "not_permitted",
            Self::TenantDisabled => "tenant_disabled",
            Self::PrefixBlocked | Self::CountryBlocked => "blocked",
            Self::HookRefused => "hook_refused",
            Self::Internal { .. } => "internal",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// What a check that was not right says. A held recipient reads as one without checks left.
    pub(super) const fn rejected(of: CodeOf, reason: Rejection, retry_after: Duration) -> Self {
        match (reason, of) {
            (Rejection::WrongCode | Rejection::ContextMismatch | Rejection::OtherLength, _) => {
                Self::WrongCode(of, Mismatch::Wrong)
            }
            (Rejection::AlreadyUsed, CodeOf::Email) => Self::EmailConfirmed,
            (Rejection::AlreadyUsed, _) => Self::WrongCode(of, Mismatch::AlreadyUsed),
            (Rejection::Canceled, _) => Self::WrongCode(of, Mismatch::Superseded),
            (Rejection::Expired, _) => Self::Expired(of),
            (Rejection::Exhausted | Rejection::RecipientHeld, _) => Self::TooManyAttempts { retry_after },
        }
    }

    /// What happened, where the caller does not get to read it.
    pub(super) fn cause(&self) -> Option<Cause> {
        match self {
            Self::Internal { cause } => Some(cause.clone()),
            Self::Unavailable { cause, .. } => cause.clone(),
            _ => None,
        }
    }

    /// Our own fault.
    pub(super) const fn internal(cause: &'static str) -> Self {
        Self::Internal { cause: Cause(Cow::Borrowed(cause)) }
    }

    fn unavailable(cause: Option<Cause>) -> Self {
        Self::Unavailable { retry_after: Jitter::seconds(1..=3), cause }
    }
}

/// What a send that was refused says. A held recipient reads as one that had all its messages.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NothingPending | Refusal::NotFound | Refusal::NotPending { .. } => Self::NotRegistered,
            Refusal::NotTogether => Self::internal("one address was not to be verified with itself"),
            Refusal::CoolDown { retry_after } => Self::CoolDown { retry_after },
            Refusal::ChecksExhausted { retry_after } => Self::TooManyAttempts { retry_after },
            Refusal::SendsExhausted { retry_after }
            | Refusal::RecipientLimit { retry_after }
            | Refusal::RecipientHeld { retry_after }
            | Refusal::ClientLimit { retry_after }
            | Refusal::TenantBudget { retry_after } => Self::SendCap { retry_after },
        }
    }
}

impl From<Cause> for Problem {
    fn from(cause: Cause) -> Self {
        Self::Internal { cause }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        Self::unavailable(Cause::of(&error))
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Storage(error) => error.into(),
            RequestError::Region => Self::PrefixBlocked,
            RequestError::TestAndReal => Self::InvalidPhone,
            // The operator's configuration and the dialect do not fit.
            RequestError::NoRoute(_)
            | RequestError::ChannelMismatch(_)
            | RequestError::SameChannel
            | RequestError::CustomCode
            | RequestError::CustomCodeLength { .. } => {
                Self::Internal { cause: Cause(error.to_string().into()) }
            }
        }
    }
}

impl From<HookError> for Problem {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Refused => Self::HookRefused,
            HookError::Unavailable => Self::unavailable(Some(Cause(error.to_string().into()))),
        }
    }
}
