//! Texts of the operator's own, and why one is refused.

use std::collections::BTreeMap;
use std::fmt;

use crate::names::{Channel, Locale, Purpose, TenantId};

/// A text that takes the place of a built-in one, or speaks a language that has none.
///
/// Of several that fit a message, the one for its language wins over one for a fallback of it; then
/// the tenant's over everybody's; then the purpose's over any purpose's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TemplateOverride {
    /// For one tenant; `None` for all.
    pub tenant: Option<TenantId>,
    /// For one purpose; `None` for all.
    pub purpose: Option<Purpose>,
    /// For messages over this channel.
    pub channel: Channel,
    /// In this language.
    pub locale: Locale,
    /// The subject, for mail; `None` takes the built-in one of the nearest language.
    pub subject: Option<String>,
    /// The text.
    pub text: TemplateText,
}

/// The text of a template: `{brand}`, `{code}`, `{minutes}` and, in mail, `{link}` are filled in. Where a
/// mail has no link, the line with `{link}` is left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TemplateText {
    /// The same for any number of minutes.
    One(String),
    /// By CLDR plural category: `zero`, `one`, `two`, `few`, `many`, `other`.
    ByCategory(BTreeMap<String, String>),
}

impl TemplateOverride {
    pub(super) fn name(&self) -> TemplateName {
        TemplateName {
            tenant: self.tenant.clone(),
            purpose: self.purpose.clone(),
            channel: self.channel,
            locale: self.locale.clone(),
        }
    }
}

/// Which template, e.g. `sms in pt-BR for tenant acme and purpose login`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TemplateName {
    /// Whose; `None` for everybody's.
    pub tenant: Option<TenantId>,
    /// What for; `None` for anything.
    pub purpose: Option<Purpose>,
    /// Over which channel.
    pub channel: Channel,
    /// In which language.
    pub locale: Locale,
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.channel, self.locale)?;
        match (&self.tenant, &self.purpose) {
            (Some(tenant), Some(purpose)) => write!(f, " for tenant {tenant} and purpose {purpose}"),
            (Some(tenant), None) => write!(f, " for tenant {tenant}"),
            (None, Some(purpose)) => write!(f, " for purpose {purpose}"),
            (None, None) => Ok(()),
        }
    }
}

/// A template is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template {name}: {fault}")]
pub struct TemplateError {
    /// Which one.
    pub name: TemplateName,
    /// Why.
    pub fault: TemplateFault,
}

/// Why a template is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// There is nothing to send.
    #[error("the text is empty")]
    Empty,
    /// A `{` or `}` that is no placeholder.
    #[error("a brace stands alone; braces only surround placeholders")]
    Braces,
    /// A placeholder that nothing is known for.
    #[error("{{{0}}} is no placeholder; there are {{brand}}, {{code}}, {{link}} and {{minutes}}")]
    UnknownPlaceholder(String),
    /// The code stands in it never, or too often.
    #[error("{{code}} must stand in the text once (in a call up to three times), not {0} times")]
    CodeCount(usize),
    /// A link in something that is no mail, two of them, or one in the line of the code, which would go
    /// with it.
    #[error(
        "only mail may have {{link}}, once and not in the line of {{code}}: without a link that line is left out"
    )]
    Link,
    /// A character that breaks lines, turns the direction of text, or cannot be seen.
    #[error("the character U+{:04X} is not allowed here", u32::from(*.0))]
    Character(char),
    /// A line that begins with `@` would bind the code to a web site.
    #[error("no line may begin with @")]
    OriginBinding,
    /// A name that is no plural category.
    #[error("{0} is no plural category; there are zero, one, two, few, many and other")]
    UnknownCategory(String),
    /// The language needs a category that is neither given nor covered by `other`.
    #[error("the language needs a text for the plural category {0}, or for other")]
    MissingCategory(&'static str),
    /// A subject for something that is no mail, or one with more than the brand in it.
    #[error("only mail has a subject, and of the placeholders it may have {{brand}} alone")]
    Subject,
    /// Two templates for the same messages.
    #[error("there are two of them")]
    Twice,
}
