//! Mailboxes.

use super::RecipientError;

/// A mailbox as given, with its domain in lower case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Parses a mailbox.
    ///
    /// # Errors
    /// [`RecipientError::Email`].
    pub fn parse(text: &str) -> Result<Self, RecipientError> {
        let _ = text;
        Err(RecipientError::Email)
    }

    pub(super) fn from_canonical(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The full address; never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn masked(&self) -> String {
        String::new()
    }

    pub(super) fn identity(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    pub(super) fn budget(&self) -> String {
        self.identity()
    }
}
