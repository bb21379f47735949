//! Short names with one spelling: tenants, purposes, channels, locales, dialects.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The text does not fit the kind of name it was given for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct InvalidName {
    what: &'static str,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses the name.
            ///
            /// # Errors
            #[doc = concat!("It is not ", $rule, ".")]
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName { what: $what, rule: $rule })
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(&self, e: &mut minicbor::Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.str(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                Self::parse(d.str()?).map_err(|e| minicbor::decode::Error::message(e.to_string()))
            }
        }
    };
}

fn is_slug(text: &str, extra: &[u8]) -> bool {
    (1..=64).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || extra.contains(&b))
}

name!(
    /// Names who calls: an application or a customer.
    TenantId, "a tenant id", "1 to 64 of a-z, 0-9, '-', '_' and '.', starting with a letter or digit", |t| is_slug(t, b"-_.")
);
name!(
    /// Why a code is asked for. A code is good for one purpose only.
    Purpose, "a purpose", "1 to 64 of a-z, 0-9, '-', '_' and '.', starting with a letter or digit", |t| is_slug(t, b"-_.")
);
name!(
    /// The wire API through which a verification was opened, e.g. `native` or `zap`.
    DialectName, "a dialect name", "1 to 64 of a-z, 0-9 and '-'", |t| is_slug(t, b"-")
);
name!(
    /// A directory of a tenant's users: a wire API's own, or one that several of them share.
    DirectoryName, "a directory name", "1 to 64 of a-z, 0-9, '-' and '_', starting with a letter or digit", |t| is_slug(t, b"-_")
);
name!(
    /// A configured way out, e.g. `inbox`.
    ProviderName, "a provider name", "1 to 64 of a-z, 0-9, '-' and '_'", |t| is_slug(t, b"-_")
);

impl Purpose {
    /// What the native API assumes when the caller names none.
    pub const DEFAULT: &'static str = "verification";
}

/// How a code travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Channel {
    /// A text message.
    #[n(0)]
    Sms,
    /// A phone call that says the code.
    #[n(1)]
    Voice,
    /// A mail.
    #[n(2)]
    Email,
    /// A `WhatsApp` message.
    #[n(3)]
    Whatsapp,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 4] = [Self::Sms, Self::Voice, Self::Email, Self::Whatsapp];

    /// The channel's name on every wire and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Email => "email",
            Self::Whatsapp => "whatsapp",
        }
    }

    /// Whether it reaches a phone number (and not a mailbox).
    pub const fn reaches_phones(self) -> bool {
        !matches!(self, Self::Email)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Channel {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|c| c.as_str() == text)
            .ok_or(InvalidName { what: "a channel", rule: "one of sms, voice, email, whatsapp" })
    }
}

/// A language for texts: a BCP 47 tag (RFC 5646) in its usual capitals, e.g. `en`, `pt-BR`, `zh-Hans`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locale(Arc<str>);

impl Locale {
    /// Parses a tag; `zh_CN`, `zh-cn` and `zh-CN` are the same.
    ///
    /// # Errors
    /// It is not a language of 2 to 8 letters followed by subtags of 1 to 8 letters or digits,
    /// 35 characters in all.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let invalid = InvalidName { what: "a locale", rule: "a BCP 47 tag such as en or pt-BR" };
        if text.len() > 35 {
            return Err(invalid);
        }
        let mut tag = String::with_capacity(text.len());
        for (i, part) in text.split(['-', '_']).enumerate() {
            let fits = (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
            let language = part.len() >= 2 && part.bytes().all(|b| b.is_ascii_alphabetic());
            if !fits || (i == 0 && !language) {
                return Err(invalid);
            }
            if i == 0 {
                tag.push_str(&part.to_ascii_lowercase());
                continue;
            }
            tag.push('-');
            match part.len() {
                2 => tag.push_str(&part.to_ascii_uppercase()),
                4 if part.bytes().all(|b| b.is_ascii_alphabetic()) => {
                    tag.push_str(&part[..1].to_ascii_uppercase());
                    tag.push_str(&part[1..].to_ascii_lowercase());
                }
                _ => tag.push_str(&part.to_ascii_lowercase()),
            }
        }
        Ok(Self(tag.into()))
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag, then the tag with its last subtag removed, down to the bare language
    /// (RFC 4647, section 3.4).
    pub fn fallbacks(&self) -> impl Iterator<Item = &str> {
        let mut rest = Some(&*self.0);
        std::iter::from_fn(move || {
            let tag = rest?;
            rest = tag.rsplit_once('-').map(|(shorter, _)| shorter);
            Some(tag)
        })
    }
}

impl FromStr for Locale {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::parse(text)
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<C> minicbor::Encode<C> for Locale {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Locale {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).map_err(|e| minicbor::decode::Error::message(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        assert!(TenantId::parse("demo").is_ok());
        for bad in ["", "Demo", "-x", "a b", "ä", &"a".repeat(65)] {
            assert!(TenantId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn locales_are_folded_to_their_usual_capitals_and_fall_back() {
        let tag = Locale::parse("zh_hans_cn").unwrap();
        assert_eq!(tag.as_str(), "zh-Hans-CN");
        assert_eq!(tag.fallbacks().collect::<Vec<_>>(), ["zh-Hans-CN", "zh-Hans", "zh"]);
        for bad in ["", "e", "en-", "-en", "en--US", "1n", "en-ü", &"a".repeat(40)] {
            assert!(Locale::parse(bad).is_err(), "{bad}");
        }
    }
}
