//! Everything that can be wrong, in the dialect's words.
//!
//! The platform's error page names 400, 401, 403, 404, 422 and 500 and shows no body for them; the only
//! failing body in its documentation is `{"success":false,"data":"<text>"}`. That body is used here,
//! with a real status.
//!
//! | Problem | Status | `data` |
//! |---|---|---|
//! | [`Malformed`](Problem::Malformed), [`NotTogether`](Problem::NotTogether) | 400 | `Bad request` |
//! | [`Missing`](Problem::Missing) | 400 | `<what> is required` |
//! | [`Invalid`](Problem::Invalid) | 400 | `Invalid <field>` |
//! | [`UserNotFound`](Problem::UserNotFound) (strict only) | 400 | `User not found` |
//! | [`NothingPending`](Problem::NothingPending) (strict only) | 400 | `No pending OTP` |
//! | [`TooManyRequests`](Problem::TooManyRequests) | 400 or 429 | `Too many requests` |
//! | [`WrongCode`](Problem::WrongCode) | 400 | `Invalid OTP` |
//! | [`Expired`](Problem::Expired) | 400 | `OTP expired` |
//! | [`TooManyAttempts`](Problem::TooManyAttempts) | 400 | `Too many attempts` |
//! | [`Unauthorised`](Problem::Unauthorised) | 401 | `Unauthorised` |
//! | [`NotPermitted`](Problem::NotPermitted), [`TenantDisabled`](Problem::TenantDisabled) | 403 | `Forbidden` |
//! | [`NotFound`](Problem::NotFound) | 404 | `Not found` |
//! | [`MethodNotAllowed`](Problem::MethodNotAllowed) | 405 | `Method not allowed` |
//! | [`HookRefused`](Problem::HookRefused) | 422 | `Unprocessable` |
//! | [`Internal`](Problem::Internal) | 500 | `An error occured processing the request` |
//! | [`Unavailable`](Problem::Unavailable) | 503 | `An error occured processing the request` |

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use countersign_core::engine::{Refusal, Rejection, StorageError};
use countersign_core::verifications::RequestError;

use super::config::Options;
use crate::headers::{Jitter, retry_after_seconds};
use crate::hooks::{HookError, NoAnswer};
use crate::observe::Cause;

/// The spelling of the source document.
const FAILED: &str = "An error occured processing the request";

/// Why a call did not do what it was for.
#[derive(Clone, Debug)]
pub(super) enum Problem {
    /// The body is not a JSON object of the documented members, or its type is another one.
    Malformed,
    /// Members that the call needs are absent.
    Missing(Required),
    /// A member does not have its documented form.
    Invalid(Field),
    /// Nobody has this username, and the tenant wants to know.
    UserNotFound,
    /// There is nothing to send again, and the tenant wants to know.
    NothingPending,
    /// These addresses are not one person's: each has to be verified by itself.
    NotTogether,
    /// Inside the cool-down, or a cap on sends is reached.
    TooManyRequests {
        /// What is used up.
        cause: SendLimit,
        /// How long until asking again makes sense.
        retry_after: Duration,
    },
    /// The guess is not the live code, for whatever reason: the caller does not learn which.
    WrongCode(Mismatch),
    /// The code's time is over.
    Expired,
    /// No more guesses for now.
    TooManyAttempts {
        /// How long until asking again makes sense.
        retry_after: Duration,
    },
    /// No token, or a wrong one.
    Unauthorised,
    /// The token is not good for this call, or the call is switched off.
    NotPermitted,
    /// The tenant's calls are refused.
    TenantDisabled,
    /// No such path.
    NotFound,
    /// The path exists, for other methods.
    MethodNotAllowed,
    /// The tenant's hook will not do it.
    HookRefused,
    /// Our own fault.
    Internal {
        /// What happened, for the log.
        cause: Cause,
    },
    /// The store or a hook of the tenant's does not answer. Nothing was approved and nothing sent, or
    /// the proof is done and the hook for passwords did not hear of it.
    Unavailable {
        /// How long until asking again makes sense.
        retry_after: Duration,
        /// What happened, for the log; `None` when it is no news there.
        cause: Option<Cause>,
    },
}

/// What a call cannot do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Required {
    EmailPhoneOrUsername,
    EmailOrPhone,
    UserId,
    Otp,
    Identity,
    NewPassword,
}

impl Required {
    const fn text(self) -> &'static str {
        match self {
            Self::EmailPhoneOrUsername => "email, phoneNumber or username is required",
            Self::EmailOrPhone => "email or phoneNumber is required",
            Self::UserId => "userId is required",
            Self::Otp => "otp is required",
            Self::Identity => "identity is required",
            Self::NewPassword => "newPassword is required",
        }
    }
}

/// A member with a form of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    Email,
    PhoneNumber,
    Username,
    Identity,
    Otp,
}

impl Field {
    const fn text(self) -> &'static str {
        match self {
            Self::Email => "Invalid email",
            Self::PhoneNumber => "Invalid phoneNumber",
            Self::Username => "Invalid username",
            Self::Identity => "Invalid identity",
            Self::Otp => "Invalid OTP",
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Email => "invalid_email",
            Self::PhoneNumber => "invalid_phone",
            Self::Username | Self::Identity | Self::Otp => "invalid_field",
        }
    }
}

/// What a send ran into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SendLimit {
    /// The waiting time after the last message.
    CoolDown,
    /// A cap on messages, on new verifications or on money; or the recipient is held.
    Cap,
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
    pub(super) fn status(&self, options: &Options) -> StatusCode {
        match self {
            Self::Malformed
            | Self::Missing(_)
            | Self::Invalid(_)
            | Self::UserNotFound
            | Self::NothingPending
            | Self::NotTogether
            | Self::WrongCode(_)
            | Self::Expired
            | Self::TooManyAttempts { .. } => StatusCode::BAD_REQUEST,
            Self::TooManyRequests { .. } => options.rate_status.into(),
            Self::Unauthorised => StatusCode::UNAUTHORIZED,
            Self::NotPermitted | Self::TenantDisabled => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::HookRefused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The `data` of the answer.
    pub(super) const fn text(&self) -> &'static str {
        match self {
            Self::Malformed | Self::NotTogether => "Bad request",
            Self::Missing(required) => required.text(),
            Self::Invalid(field) => field.text(),
            Self::UserNotFound => "User not found",
            Self::NothingPending => "No pending OTP",
            Self::TooManyRequests { .. } => "Too many requests",
            Self::WrongCode(_) => "Invalid OTP",
            Self::Expired => "OTP expired",
            Self::TooManyAttempts { .. } => "Too many attempts",
            Self::Unauthorised => "Unauthorised",
            Self::NotPermitted | Self::TenantDisabled => "Forbidden",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::HookRefused => "Unprocessable",
            Self::Internal { .. } | Self::Unavailable { .. } => FAILED,
        }
    }

    /// The `Retry-After` of the answer, in whole seconds.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyRequests { retry_after, .. }
            | Self::TooManyAttempts { retry_after }
            | Self::Unavailable { retry_after, .. } => Some(retry_after_seconds(*retry_after)),
            Self::Malformed
            | Self::Missing(_)
            | Self::Invalid(_)
            | Self::UserNotFound
            | Self::NothingPending
            | Self::NotTogether
            | Self::WrongCode(_)
            | Self::Expired
            | Self::Unauthorised
            | Self::NotPermitted
            | Self::TenantDisabled
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::HookRefused
            | Self::Internal { .. } => None,
        }
    }

    /// The internal reason's id, for `Countersign-Reason`.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed | Self::MethodNotAllowed | Self::NotFound => "malformed",
            Self::Missing(_) => "missing_field",
            Self::Invalid(field) => field.reason(),
            Self::NotTogether => "invalid_field",
            Self::UserNotFound => "unknown_recipient",
            Self::NothingPending | Self::WrongCode(Mismatch::NothingPending) => "nothing_pending",
            Self::TooManyRequests { cause: SendLimit::CoolDown, .. } => "cooldown",
            Self::TooManyRequests { cause: SendLimit::Cap, .. } => "send_cap",
            Self::WrongCode(Mismatch::Wrong) => "wrong_code",
            Self::WrongCode(Mismatch::AlreadyUsed) => "already_used",
            Self::WrongCode(Mismatch::Superseded) => "superseded",
            Self::Expired => "expired",
            Self::TooManyAttempts { .. } => "attempts_exhausted",
            Self::Unauthorised => "bad_credentials",
            Self::NotPermitted => "not_permitted",
            Self::TenantDisabled => "tenant_disabled",
            Self::HookRefused => "hook_refused",
            Self::Internal { .. } => "internal",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// What a check that was not right says. A held recipient reads as one without checks left.
    pub(super) fn rejected(reason: Rejection, retry_after: Duration) -> Self {
        match reason {
            Rejection::WrongCode | Rejection::ContextMismatch | Rejection::OtherLength => {
                Self::WrongCode(Mismatch::Wrong)
            }
            Rejection::AlreadyUsed => Self::WrongCode(Mismatch::AlreadyUsed),
            Rejection::Canceled => Self::WrongCode(Mismatch::Superseded),
            Rejection::Expired => Self::Expired,
            Rejection::Exhausted | Rejection::RecipientHeld => Self::TooManyAttempts { retry_after },
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

    /// A hook does not answer.
    pub(super) fn unanswered(error: &impl ToString) -> Self {
        Self::unavailable(Some(Cause(error.to_string().into())))
    }

    fn unavailable(cause: Option<Cause>) -> Self {
        Self::Unavailable { retry_after: Jitter::seconds(1..=3), cause }
    }

    pub(super) const fn cooling_down(retry_after: Duration) -> Self {
        Self::TooManyRequests { cause: SendLimit::CoolDown, retry_after }
    }
}

/// What a send that was refused says. A held recipient reads as one that had all its messages.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NothingPending | Refusal::NotFound | Refusal::NotPending { .. } => Self::NothingPending,
            Refusal::NotTogether => Self::NotTogether,
            Refusal::CoolDown { retry_after } => Self::cooling_down(retry_after),
            Refusal::ChecksExhausted { retry_after } => Self::TooManyAttempts { retry_after },
            Refusal::SendsExhausted { retry_after }
            | Refusal::RecipientLimit { retry_after }
            | Refusal::RecipientHeld { retry_after }
            | Refusal::ClientLimit { retry_after }
            | Refusal::TenantBudget { retry_after } => {
                Self::TooManyRequests { cause: SendLimit::Cap, retry_after }
            }
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

/// [`RequestError::Region`] never gets here: it is answered like success. The others say that the
/// operator's configuration and the dialect do not fit.
impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Storage(error) => error.into(),
            // Only a number can be one for tests.
            RequestError::TestAndReal => Self::Invalid(Field::PhoneNumber),
            RequestError::NoRoute(_)
            | RequestError::ChannelMismatch(_)
            | RequestError::CustomCode
            | RequestError::CustomCodeLength { .. }
            | RequestError::SameChannel
            | RequestError::Region => Self::Internal { cause: Cause(error.to_string().into()) },
        }
    }
}

impl From<HookError> for Problem {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Refused => Self::HookRefused,
            HookError::Unavailable => Self::unanswered(&error),
        }
    }
}

/// Whoever was asked for: an answer of its own would be one about the name.
impl From<NoAnswer> for Problem {
    fn from(error: NoAnswer) -> Self {
        Self::unanswered(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_goes_to_the_log_and_not_to_the_caller() {
        let problem = Problem::from(StorageError::Unavailable("disk full".into()));
        assert_eq!(
            problem.cause().map(|cause| cause.0).as_deref(),
            Some("the store is unavailable: disk full")
        );
        assert_eq!(problem.text(), FAILED);
    }

    #[test]
    fn a_wait_is_rounded_up_and_never_zero() {
        let seconds = |millis| Problem::cooling_down(Duration::from_millis(millis)).retry_after();
        assert_eq!([0, 1, 29_001, 30_000].map(seconds), [Some(1), Some(1), Some(30), Some(30)]);
    }
}
