//! The built-in texts, one file per language.
//!
//! A new language is a file of the same shape and two lines here. Say it politely, as a bank or an
//! authority would; keep the text message within one segment (70 characters where a letter is outside
//! GSM-7) with a name of eleven characters, a code of ten and four digits of minutes.

mod ar;
mod de;
mod en;
mod es;
mod fr;
mod it;
mod ja;
mod nl;
mod pl;
mod pt;
mod ru;
mod zh_hans;

use super::overrides::{TemplateOverride, TemplateText};
use crate::names::{Channel, Locale};

/// The texts of one language.
pub(super) struct Language {
    /// Its BCP 47 tag.
    pub(super) locale: &'static str,
    /// The sentence that depends on a number, once per plural category that the language has for
    /// whole numbers of minutes. It stands where the other texts say `{expiry}`.
    pub(super) expiry: &'static [(&'static str, &'static str)],
    /// The text message, also shown on `WhatsApp`.
    pub(super) sms: &'static str,
    /// The words of a call. The code is said twice, digit by digit.
    pub(super) voice: &'static str,
    /// The subject of a mail.
    pub(super) subject: &'static str,
    /// The text of a mail.
    pub(super) email: &'static str,
}

impl Language {
    /// The texts in the form that the operator's own have.
    pub(super) fn templates(&self) -> impl Iterator<Item = TemplateOverride> + '_ {
        // Where there is a link, it stands below the code in every language.
        let email = self.email.replacen("{code}\n", "{code}\n\n{link}\n", 1);
        let channels = [
            (Channel::Sms, self.sms.to_owned()),
            (Channel::Whatsapp, self.sms.to_owned()),
            (Channel::Voice, self.voice.to_owned()),
            (Channel::Email, email),
        ];
        channels.into_iter().map(|(channel, text)| TemplateOverride {
            tenant: None,
            purpose: None,
            channel,
            locale: Locale::parse(self.locale).expect("built-in languages have proper tags"),
            subject: (channel == Channel::Email).then(|| self.subject.to_owned()),
            text: TemplateText::ByCategory(
                (self.expiry.iter())
                    .map(|(category, expiry)| ((*category).to_owned(), text.replace("{expiry}", expiry)))
                    .collect(),
            ),
        })
    }
}

/// Every language.
pub(super) const ALL: [Language; 12] = [
    ar::TEXTS,
    de::TEXTS,
    en::TEXTS,
    es::TEXTS,
    fr::TEXTS,
    it::TEXTS,
    ja::TEXTS,
    nl::TEXTS,
    pl::TEXTS,
    pt::TEXTS,
    ru::TEXTS,
    zh_hans::TEXTS,
];
