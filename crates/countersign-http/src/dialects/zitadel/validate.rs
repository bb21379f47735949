//! The bounds of fields, with the messages of the platform's validator (protoc-gen-validate).

use countersign_core::recipient::{EmailAddress, PhoneNumber, Recipient};

use super::auth::Caller;
use super::errors::{Reason, Row};
use super::messages::user_v2::SendEmailCode;
use super::url_template::UrlTemplate;
use super::users::Mode;

/// A field of a message, for the message that says what is wrong with it.
#[derive(Clone, Copy)]
pub(super) struct Field(pub(super) &'static str, pub(super) &'static str);

impl Field {
    fn wrong(self, what: &str) -> Reason {
        let Self(message, field) = self;
        Reason::Field(format!("invalid {message}.{field}: {what}").into())
    }

    /// Characters, not bytes.
    pub(super) fn length(self, text: &str, max: usize) -> Result<(), Reason> {
        if (1..=max).contains(&text.chars().count()) {
            return Ok(());
        }
        Err(self.wrong(&format!("value length must be between 1 and {max} runes, inclusive")))
    }

    /// The same, with no characters too.
    pub(super) fn at_most(self, text: &str, max: usize) -> Result<(), Reason> {
        if text.chars().count() <= max {
            return Ok(());
        }
        Err(self.wrong(&format!("value length must be at most {max} runes")))
    }

    /// It has to be there.
    pub(super) fn required<T>(self, value: Option<T>) -> Result<T, Reason> {
        value.ok_or_else(|| self.wrong("value is required"))
    }

    /// A mailbox of 1 to 200 characters.
    pub(super) fn email(self, text: &str) -> Result<EmailAddress, Reason> {
        self.length(text, 200)?;
        EmailAddress::parse(text).map_err(|_| self.wrong("value must be a valid email address"))
    }

    /// A number of a v1 call: 1 to 50 characters, in its international form.
    pub(super) fn v1_phone(self, text: &str, caller: &Caller) -> Result<Recipient, Reason> {
        self.length(text, 50)?;
        if !text.starts_with('+') {
            return Err(self.wrong("value does not have prefix \"+\""));
        }
        phone(text, caller)
    }

    /// A flag that may be absent or true.
    pub(super) fn only_true(self, flag: Option<bool>) -> Result<(), Reason> {
        if flag == Some(false) { Err(self.wrong("value must equal true")) } else { Ok(()) }
    }

    /// A link's template of 1 to 200 characters with the variables that are known, if there is one.
    pub(super) fn url_template(self, choice: Option<&SendEmailCode>) -> Result<Option<UrlTemplate>, Reason> {
        let Some(template) = choice.and_then(|choice| choice.url_template.as_deref()) else {
            return Ok(None);
        };
        let inner = Field("SendEmailVerificationCode", "UrlTemplate");
        inner.length(template, 200).map_err(|reason| self.within(&reason))?;
        match UrlTemplate::parse(template) {
            Some(template) => Ok(Some(template)),
            None => Err(self.within(&inner.wrong("value must be a template of UserID, Code and OrgID"))),
        }
    }

    /// What is wrong with a message within a message.
    pub(super) fn within(self, inner: &Reason) -> Reason {
        let inner = inner.failure().message;
        self.wrong(&format!("embedded message failed validation | caused by: {inner}"))
    }
}

/// A number as people write it, in the tenant's region unless it says its own.
pub(super) fn phone(text: &str, caller: &Caller) -> Result<Recipient, Reason> {
    let number = PhoneNumber::parse_in_region(text, &caller.options.default_region, &caller.tenant.policy);
    number.map(Recipient::Phone).map_err(|_| Reason::Row(Row::PHONE_INVALID))
}

/// The one choice that was made; none is to send.
pub(super) fn mode(send: bool, hand_back: bool, is_verified: Option<bool>) -> Result<Mode, Reason> {
    match (send, hand_back, is_verified) {
        (_, false, None) => Ok(Mode::Send),
        (false, true, None) => Ok(Mode::Return),
        (false, false, Some(true)) => Ok(Mode::Verified),
        (false, false, Some(false)) => Ok(Mode::Unproven),
        _ => Err(Reason::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_or_one_choice_is_made_and_never_two() {
        assert!(matches!(mode(false, false, None), Ok(Mode::Send)));
        assert!(matches!(mode(true, false, None), Ok(Mode::Send)));
        assert!(matches!(mode(false, true, None), Ok(Mode::Return)));
        assert!(matches!(mode(false, false, Some(true)), Ok(Mode::Verified)));
        assert!(matches!(mode(false, false, Some(false)), Ok(Mode::Unproven)));
        for (send, hand_back, verified) in [
            (true, true, None),
            (true, false, Some(true)),
            (false, true, Some(false)),
            (true, false, Some(false)),
        ] {
            assert!(mode(send, hand_back, verified).is_err(), "{send} {hand_back} {verified:?}");
        }
    }
}
