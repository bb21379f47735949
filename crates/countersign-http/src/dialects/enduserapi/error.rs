//! Everything that can be wrong, in the dialect's words.
//!
//! HTTP is 200 unless said otherwise: clients test `code` in the body. Codes 5019, 5021, 5023, 5058, 5059
//! and 5116 are those of the source, with its texts; 5013, 5015, 5026, 5037, 5040, 5056, 5064, 5104, 5420
//! and 5550 are the vendor's on sister calls, with texts of ours. What the source has no code for is 5059
//! with a word in `extMsg`.
//!
//! | Problem | `code` | `extMsg` |
//! |---|---|---|
//! | [`Malformed`](Problem::Malformed) | 5059 | `malformed` |
//! | [`Missing`](Problem::Missing), [`IllFormed`](Problem::IllFormed) | the field's | 5059 and 5420: the field |
//! | [`InvalidPhone`](Problem::InvalidPhone) | 5019 | |
//! | [`InvalidEmail`](Problem::InvalidEmail) | 5040 | |
//! | [`UserDomainIllFormed`](Problem::UserDomainIllFormed) | 5013 | |
//! | [`UserDomainUnknown`](Problem::UserDomainUnknown) | 5015 | |
//! | [`BadSignature`](Problem::BadSignature) | 5420 | |
//! | [`StaleTimestamp`](Problem::StaleTimestamp) | 5420 | `stale_timestamp` |
//! | [`Replayed`](Problem::Replayed) | 5420 | `replayed` |
//! | [`TenantDisabled`](Problem::TenantDisabled) | 5104 | |
//! | [`NotPermitted`](Problem::NotPermitted) | 5059 | `not_permitted` |
//! | [`WrongCode`](Problem::WrongCode), [`NoCode`](Problem::NoCode), [`ChecksUsedUp`](Problem::ChecksUsedUp) | 5037 | |
//! | [`TooOften`](Problem::TooOften) | 5058 | `retry_after=<s>` |
//! | [`Sender`](Problem::Sender) | the fault's, or 5059 | |
//! | [`HookRefused`](Problem::HookRefused) | the hook's, or 5059 | `hook_refused`, if the hook named none |
//! | [`Internal`](Problem::Internal), HTTP 500 | 5059 | |
//! | [`Unavailable`](Problem::Unavailable), HTTP 503 | 5059 | `unavailable` |

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use countersign_core::engine::{Refusal, Rejection, StorageError};
use countersign_core::verifications::RequestError;

use super::sender::SenderFault;
use crate::headers::{Jitter, retry_after_seconds};
use crate::hooks::HookError;
use crate::observe::Cause;

const SENDING_FAILED: &str = "SMS sending exception";
const NOT_SIGNED: &str = "Signature verification failed";

/// Why a call did not do what it was for.
#[derive(Clone, Debug)]
pub(super) enum Problem {
    /// The parameters cannot be read, or have two readings.
    Malformed,
    /// A parameter is absent or empty.
    Missing(Field),
    /// A parameter does not have its form, and has no code of its own for that.
    IllFormed(Field),
    /// No phone number, or none of the country that is named, or one that takes no messages.
    InvalidPhone,
    /// No mailbox.
    InvalidEmail,
    /// No user domain can have this name.
    UserDomainIllFormed,
    /// None has it.
    UserDomainUnknown,
    /// The signature is not the one that the request must have.
    BadSignature,
    /// It is, and was made too long ago, or is dated too far ahead.
    StaleTimestamp,
    /// It is, and `random` was used before.
    Replayed,
    /// The tenant's calls are refused.
    TenantDisabled,
    /// The country, the type of code or the call is not this caller's.
    NotPermitted,
    /// The guess is not the live code, for whatever reason: the caller does not learn which.
    WrongCode(Mismatch),
    /// A text that no code of the tenant's can be. Nothing was charged.
    NoCode,
    /// No more guesses for now.
    ChecksUsedUp,
    /// Inside the cool-down, or a cap on sends is reached.
    TooOften {
        /// What is used up.
        cause: SendLimit,
        /// How long until asking again makes sense.
        retry_after: Duration,
    },
    /// What the message would be sent under is not in order.
    Sender {
        /// Which mistake it is, where the tenant wants them told apart.
        fault: Option<SenderFault>,
        /// What happened, for the log.
        cause: Cause,
    },
    /// The tenant's hook will not do it.
    HookRefused(Option<HookRefusal>),
    /// Our own fault.
    Internal {
        /// What happened, for the log.
        cause: Cause,
    },
    /// The store or the tenant's hook does not answer. Nothing was approved and nothing sent, or the
    /// proof is done and the hook did not hear of it.
    Unavailable {
        /// How long until asking again makes sense.
        retry_after: Duration,
        /// What happened, for the log; `None` where a line would come as often as the requests.
        cause: Option<Cause>,
    },
}

/// A parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    UserDomain,
    Phone,
    InternationalCode,
    CodeType,
    EmailType,
    Code,
    IsDisabled,
    Email,
    Password,
    Agreements,
    Random,
    Ts,
    Signature,
}

impl Field {
    /// Code, text and `extMsg` where it is missing, or ill-formed without a code for that.
    const fn wire(self) -> (u16, &'static str, Option<&'static str>) {
        match self {
            Self::UserDomain => (5023, "Please enter user domain", None),
            Self::Phone => (5021, "Please enter phone number", None),
            Self::InternationalCode => (5116, "Please enter international code", None),
            Self::CodeType => (5059, SENDING_FAILED, Some("codeType")),
            Self::EmailType => (5059, SENDING_FAILED, Some("emailType")),
            Self::Code => (5064, "Please enter verification code", None),
            Self::IsDisabled => (5059, SENDING_FAILED, Some("isDisabled")),
            Self::Email => (5026, "Please enter email", None),
            Self::Password => (5056, "Please enter password", None),
            Self::Agreements => (5059, SENDING_FAILED, Some("agreementList")),
            Self::Random => (5420, NOT_SIGNED, Some("random")),
            Self::Ts => (5420, NOT_SIGNED, Some("ts")),
            Self::Signature => (5550, "Signature is required", None),
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
    /// The checks of the last code are used up, and its window is still open.
    Checks,
}

/// Why a guess is not the live code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mismatch {
    /// It is another code.
    Wrong,
    /// Its time is over.
    Expired,
    /// It was used before.
    AlreadyUsed,
    /// The verification was given up, or another took its place.
    Superseded,
    /// There is no verification.
    NothingPending,
}

/// How a hook says no: a code of the vendor's about the account, which only the tenant knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HookRefusal {
    pub(super) code: u16,
    pub(super) msg: String,
}

impl Problem {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed
            | Self::Missing(_)
            | Self::IllFormed(_)
            | Self::InvalidPhone
            | Self::InvalidEmail
            | Self::UserDomainIllFormed
            | Self::UserDomainUnknown
            | Self::BadSignature
            | Self::StaleTimestamp
            | Self::Replayed
            | Self::TenantDisabled
            | Self::NotPermitted
            | Self::WrongCode(_)
            | Self::NoCode
            | Self::ChecksUsedUp
            | Self::TooOften { .. }
            | Self::Sender { .. }
            | Self::HookRefused(_) => StatusCode::OK,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// `code` and `msg` of the answer.
    pub(super) fn wire(&self) -> (u16, Cow<'static, str>) {
        let (code, msg) = match self {
            Self::Missing(field) | Self::IllFormed(field) => {
                let (code, msg, _) = field.wire();
                (code, msg)
            }
            Self::InvalidPhone => (5019, "Phone number format incorrect"),
            Self::InvalidEmail => (5040, "Email format incorrect"),
            Self::UserDomainIllFormed => (5013, "User domain format incorrect"),
            Self::UserDomainUnknown => (5015, "User domain does not exist"),
            Self::BadSignature | Self::StaleTimestamp | Self::Replayed => (5420, NOT_SIGNED),
            Self::TenantDisabled => (5104, "User domain disabled"),
            Self::WrongCode(_) | Self::NoCode | Self::ChecksUsedUp => (5037, "Verification code incorrect"),
            Self::TooOften { .. } => (5058, "SMS sending exceeds frequency limit"),
            Self::Sender { fault: Some(fault), .. } => fault.wire(),
            Self::HookRefused(Some(refusal)) => return (refusal.code, refusal.msg.clone().into()),
            Self::Malformed
            | Self::NotPermitted
            | Self::Sender { fault: None, .. }
            | Self::HookRefused(None)
            | Self::Internal { .. }
            | Self::Unavailable { .. } => (5059, SENDING_FAILED),
        };
        (code, msg.into())
    }

    /// `extMsg` of the answer: what machines may want to know besides.
    pub(super) fn ext_msg(&self) -> Option<Cow<'static, str>> {
        let word = match self {
            Self::Malformed => "malformed",
            Self::Missing(field) | Self::IllFormed(field) => field.wire().2?,
            Self::StaleTimestamp => "stale_timestamp",
            Self::Replayed => "replayed",
            Self::NotPermitted => "not_permitted",
            Self::HookRefused(None) => "hook_refused",
            Self::Unavailable { .. } => "unavailable",
            Self::TooOften { retry_after, .. } => {
                return Some(format!("retry_after={}", retry_after_seconds(*retry_after)).into());
            }
            Self::InvalidPhone
            | Self::InvalidEmail
            | Self::UserDomainIllFormed
            | Self::UserDomainUnknown
            | Self::BadSignature
            | Self::TenantDisabled
            | Self::WrongCode(_)
            | Self::NoCode
            | Self::ChecksUsedUp
            | Self::Sender { .. }
            | Self::HookRefused(Some(_))
            | Self::Internal { .. } => return None,
        };
        Some(word.into())
    }

    /// The `Retry-After` of the answer, in whole seconds.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooOften { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                Some(retry_after_seconds(*retry_after))
            }
            _ => None,
        }
    }

    /// The internal reason's id, for `Countersign-Reason`.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Missing(_) => "missing_field",
            Self::IllFormed(_) | Self::UserDomainIllFormed => "invalid_field",
            Self::InvalidPhone => "invalid_phone",
            Self::InvalidEmail => "invalid_email",
            Self::UserDomainUnknown => "bad_credentials",
            Self::BadSignature => "bad_signature",
            Self::StaleTimestamp => "stale_timestamp",
            Self::Replayed => "replayed",
            Self::TenantDisabled => "tenant_disabled",
            Self::NotPermitted => "not_permitted",
            Self::WrongCode(Mismatch::Wrong) | Self::NoCode => "wrong_code",
            Self::WrongCode(Mismatch::Expired) => "expired",
            Self::WrongCode(Mismatch::AlreadyUsed) => "already_used",
            Self::WrongCode(Mismatch::Superseded) => "superseded",
            Self::WrongCode(Mismatch::NothingPending) => "nothing_pending",
            Self::ChecksUsedUp | Self::TooOften { cause: SendLimit::Checks, .. } => "attempts_exhausted",
            Self::TooOften { cause: SendLimit::CoolDown, .. } => "cooldown",
            Self::TooOften { cause: SendLimit::Cap, .. } => "send_cap",
            Self::HookRefused(_) => "hook_refused",
            Self::Sender { .. } | Self::Internal { .. } => "internal",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// What happened, where the caller does not get to read it.
    pub(super) fn cause(&self) -> Option<Cause> {
        match self {
            Self::Internal { cause } | Self::Sender { cause, .. } => Some(cause.clone()),
            Self::Unavailable { cause, .. } => cause.clone(),
            _ => None,
        }
    }

    /// What a check that was not right says. A held recipient reads as one without checks left.
    pub(super) const fn rejected(reason: Rejection) -> Self {
        match reason {
            Rejection::WrongCode | Rejection::ContextMismatch => Self::WrongCode(Mismatch::Wrong),
            Rejection::AlreadyUsed => Self::WrongCode(Mismatch::AlreadyUsed),
            Rejection::Canceled => Self::WrongCode(Mismatch::Superseded),
            Rejection::Expired => Self::WrongCode(Mismatch::Expired),
            Rejection::Exhausted | Rejection::RecipientHeld => Self::ChecksUsedUp,
            Rejection::OtherLength => Self::NoCode,
        }
    }

    /// Our own fault.
    pub(super) const fn internal(cause: &'static str) -> Self {
        Self::Internal { cause: Cause(Cow::Borrowed(cause)) }
    }

    /// The tenant's hook does not work.
    pub(super) fn hook_unavailable(cause: &'static str) -> Self {
        Self::Unavailable { retry_after: Jitter::seconds(1..=3), cause: Some(Cause(cause.into())) }
    }

    pub(super) const fn cooling_down(retry_after: Duration) -> Self {
        Self::TooOften { cause: SendLimit::CoolDown, retry_after }
    }

    pub(super) fn sender(fault: SenderFault) -> Self {
        Self::Sender { fault: Some(fault), cause: Cause(fault.wire().1.into()) }
    }
}

/// What a send that was refused says. A held recipient reads as one that had all its messages.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NothingPending | Refusal::NotFound | Refusal::NotPending { .. } => {
                Self::internal("a send that is also a start found nothing to send")
            }
            Refusal::NotTogether => Self::internal("one address was not to be verified with itself"),
            Refusal::CoolDown { retry_after } => Self::cooling_down(retry_after),
            Refusal::ChecksExhausted { retry_after } => {
                Self::TooOften { cause: SendLimit::Checks, retry_after }
            }
            Refusal::SendsExhausted { retry_after }
            | Refusal::RecipientLimit { retry_after }
            | Refusal::RecipientHeld { retry_after }
            | Refusal::ClientLimit { retry_after }
            | Refusal::TenantBudget { retry_after } => Self::TooOften { cause: SendLimit::Cap, retry_after },
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
        Self::Unavailable { retry_after: Jitter::seconds(1..=3), cause: Cause::of(&error) }
    }
}

/// [`RequestError::Region`] never gets here: it is answered like success. No provider for the channel is
/// a mistake of the sender's configuration like any other; the rest says that the operator's
/// configuration and the dialect do not fit.
impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Storage(error) => error.into(),
            RequestError::NoRoute(_) => Self::Sender { fault: None, cause: Cause(error.to_string().into()) },
            RequestError::ChannelMismatch(_)
            | RequestError::CustomCode
            | RequestError::CustomCodeLength { .. }
            | RequestError::TestAndReal
            | RequestError::SameChannel
            | RequestError::Region => Self::Internal { cause: Cause(error.to_string().into()) },
        }
    }
}

impl From<HookError> for Problem {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Refused => Self::HookRefused(None),
            HookError::Unavailable => Self::hook_unavailable("the hook is unavailable"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_goes_to_the_log_and_not_to_the_caller() {
        let problem = Problem::from(StorageError::Unavailable("disk full".into()));
        let cause = problem.cause().map(|cause| cause.0);
        assert_eq!(cause.as_deref(), Some("the store is unavailable: disk full"));
        assert_eq!(problem.wire().1, SENDING_FAILED);
        assert_eq!(problem.ext_msg().as_deref(), Some("unavailable"));
    }

    #[test]
    fn a_wait_is_rounded_up_and_never_zero() {
        let seconds = |millis| Problem::cooling_down(Duration::from_millis(millis)).retry_after();
        assert_eq!([0, 1, 41_001, 42_000].map(seconds), [Some(1), Some(1), Some(42), Some(42)]);
    }
}
