//! What codes are for. SMS and e-mail count their kinds differently.

use std::collections::BTreeSet;
use std::fmt;

use countersign_core::names::Purpose;
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// What a code sent by SMS is for: the source's `codeType`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CodeType {
    /// 1
    PasswordReset,
    /// 2
    Login,
    /// 3
    Registration,
    /// 4
    AccountCancellation,
    /// 5
    AddPushRecipient,
}

impl CodeType {
    /// Every type.
    pub const ALL: [Self; 5] = [
        Self::PasswordReset,
        Self::Login,
        Self::Registration,
        Self::AccountCancellation,
        Self::AddPushRecipient,
    ];

    pub(super) fn all() -> BTreeSet<Self> {
        Self::ALL.into()
    }

    /// `^[1-5]$`
    pub(super) fn parse(text: &str) -> Option<Self> {
        one_to_five(text).map(|index| Self::ALL[index])
    }

    pub(super) fn purpose(self) -> Purpose {
        purpose(match self {
            Self::PasswordReset => "password_reset",
            Self::Login => "login",
            Self::Registration => "registration",
            Self::AccountCancellation => "account_cancellation",
            Self::AddPushRecipient => "push_recipient",
        })
    }
}

impl<'de> Deserialize<'de> for CodeType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = CodeType;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a type of codes, 1 to 5")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<CodeType, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<CodeType, E> {
                self.visit_str(&number.to_string())
            }

            /// A table's keys are texts.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<CodeType, E> {
                CodeType::parse(text).ok_or_else(|| E::custom("must be a type of codes, 1 to 5"))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// What a code sent by e-mail is for: `emailType`, which counts otherwise than `codeType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EmailType {
    Registration,
    PasswordReset,
    Link,
    Unlink,
    AccountCancellation,
}

impl EmailType {
    pub(super) const ALL: [Self; 5] =
        [Self::Registration, Self::PasswordReset, Self::Link, Self::Unlink, Self::AccountCancellation];

    pub(super) fn parse(text: &str) -> Option<Self> {
        one_to_five(text).map(|index| Self::ALL[index])
    }

    pub(super) fn purpose(self) -> Purpose {
        purpose(match self {
            Self::Registration => "registration",
            Self::PasswordReset => "password_reset",
            Self::Link => "link",
            Self::Unlink => "unlink",
            Self::AccountCancellation => "account_cancellation",
        })
    }
}

fn one_to_five(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [digit @ b'1'..=b'5'] => Some(usize::from(digit - b'1')),
        _ => None,
    }
}

fn purpose(name: &str) -> Purpose {
    Purpose::parse(name).expect("a purpose")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kinds_of_types_are_counted_differently() {
        let sms = CodeType::ALL.map(|kind| kind.purpose().to_string());
        let email = EmailType::ALL.map(|kind| kind.purpose().to_string());
        assert_eq!(
            sms,
            ["password_reset", "login", "registration", "account_cancellation", "push_recipient"]
        );
        assert_eq!(email, ["registration", "password_reset", "link", "unlink", "account_cancellation"]);
    }
}
