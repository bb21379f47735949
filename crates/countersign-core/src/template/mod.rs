//! Texts in several languages.

use zeroize::Zeroizing;

use crate::code::Code;
use crate::names::{Channel, Locale, Purpose, TenantId};

/// What a text is made of.
#[derive(Clone, Copy, Debug)]
pub struct TextInput<'a> {
    /// Whose text.
    pub tenant: &'a TenantId,
    /// How the tenant calls itself.
    pub brand: &'a str,
    /// What for.
    pub purpose: &'a Purpose,
    /// How it travels.
    pub channel: Channel,
    /// In which language.
    pub locale: &'a Locale,
    /// The code.
    pub code: &'a Code,
    /// Whole minutes that the code still lives, at least 1.
    pub minutes: u32,
}

/// A rendered text.
#[derive(Clone)]
pub struct RenderedText {
    /// The subject, for mail.
    pub subject: Option<String>,
    /// The text.
    pub text: Zeroizing<String>,
}

/// All texts.
#[derive(Clone, Debug, Default)]
pub struct Templates {}

impl Templates {
    /// The built-in texts.
    pub fn builtin() -> Self {
        Self {}
    }

    /// The language that a text will really have: along `wanted`'s fallbacks, then `default`'s, then `en`.
    pub fn resolve(&self, wanted: Option<&Locale>, default: &Locale) -> Locale {
        wanted.unwrap_or(default).clone()
    }

    /// Renders a text.
    pub fn render(&self, input: &TextInput<'_>) -> RenderedText {
        RenderedText {
            subject: None,
            text: Zeroizing::new(format!("{} {}", input.brand, input.code.expose())),
        }
    }
}
