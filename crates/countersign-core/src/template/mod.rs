//! Texts in several languages.
//!
//! Built-in texts and the operator's own are read, checked and filled in alike. What is put into a
//! text never adds a placeholder, a line or a binding to a web site, and digits are always ASCII.

mod brand;
mod fallback;
mod locales;
mod overrides;
mod plural;
mod segments;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use zeroize::Zeroizing;

use crate::code::Code;
use crate::link::Link;
use crate::names::{Channel, Locale, Purpose, TenantId};

pub use brand::{InvalidBrand, check_brand};
pub use overrides::{TemplateError, TemplateFault, TemplateName, TemplateOverride, TemplateText};
pub use plural::MAX_MINUTES;
use plural::Plurals;
pub use segments::{Encoding, Segments, segments};
pub(crate) use text::is_hidden;
use text::{Forms, Text, Values};

/// The language that every text has.
const LAST_RESORT: &str = "en";

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
    /// The link with the code in it, for mail. `None` leaves out the line that would show it.
    pub link: Option<&'a Link>,
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

/// A text message that costs more than one segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentWarning {
    /// Which template.
    pub template: TemplateName,
    /// With which brand.
    pub brand: String,
    /// How it travels.
    pub encoding: Encoding,
    /// How many messages it takes, at most.
    pub segments: usize,
}

/// All texts.
#[derive(Clone, Debug)]
pub struct Templates {
    texts: HashMap<TemplateName, Entry>,
    /// Who is spoken to in which language; a language that is not here is spoken to nobody.
    speakers: HashMap<String, Speakers>,
}

#[derive(Clone, Debug)]
struct Entry {
    subject: Option<Text>,
    forms: Forms,
}

#[derive(Clone, Debug)]
enum Speakers {
    All,
    Only(HashSet<TenantId>),
}

impl Default for Templates {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Templates {
    /// The built-in texts.
    pub fn builtin() -> Self {
        let mut templates = Self { texts: HashMap::new(), speakers: HashMap::new() };
        for template in locales::ALL.iter().flat_map(locales::Language::templates) {
            templates.insert(&template).unwrap_or_else(|e| panic!("a built-in text: {e}"));
        }
        templates
    }

    /// The built-in texts, and the operator's own where there are any.
    ///
    /// # Errors
    /// [`TemplateError`] names the template and what is wrong with it.
    pub fn with_overrides(
        overrides: impl IntoIterator<Item = TemplateOverride>,
    ) -> Result<Self, TemplateError> {
        let mut templates = Self::builtin();
        let mut seen = HashSet::new();
        for template in overrides {
            let name = template.name();
            if !seen.insert(name.clone()) {
                return Err(TemplateError { name, fault: TemplateFault::Twice });
            }
            templates.insert(&template).map_err(|fault| TemplateError { name, fault })?;
        }
        Ok(templates)
    }

    fn insert(&mut self, template: &TemplateOverride) -> Result<(), TemplateFault> {
        let subject = match (template.channel, &template.subject) {
            (Channel::Email, Some(subject)) => Some(Text::parse_subject(subject)?),
            (Channel::Email, None) => builtin_subject(&template.locale),
            (_, None) => None,
            (_, Some(_)) => return Err(TemplateFault::Subject),
        };
        let forms = match &template.text {
            TemplateText::One(text) => Forms::one(Text::parse(text, template.channel)?),
            TemplateText::ByCategory(texts) => {
                let mut forms = Vec::with_capacity(texts.len());
                for (name, text) in texts {
                    let category = plural::PluralCategory::get_for_cldr_string(name)
                        .ok_or_else(|| TemplateFault::UnknownCategory(name.clone()))?;
                    forms.push((category, Text::parse(text, template.channel)?));
                }
                Forms::new(forms, &Plurals::of(&template.locale))?
            }
        };
        let language = template.locale.as_str().to_owned();
        match (
            self.speakers.entry(language).or_insert_with(|| Speakers::Only(HashSet::new())),
            &template.tenant,
        ) {
            (Speakers::Only(tenants), Some(tenant)) => _ = tenants.insert(tenant.clone()),
            (speakers, None) => *speakers = Speakers::All,
            (Speakers::All, Some(_)) => {}
        }
        self.texts.insert(template.name(), Entry { subject, forms });
        Ok(())
    }

    /// The language that a tenant's texts will really have: the nearest to `wanted`, else to
    /// `default`, else English.
    pub fn resolve(&self, tenant: &TenantId, wanted: Option<&Locale>, default: &Locale) -> Locale {
        let speaks = |tag: &str| match self.speakers.get(tag) {
            Some(Speakers::All) => true,
            Some(Speakers::Only(tenants)) => tenants.contains(tenant),
            None => false,
        };
        (wanted.into_iter().chain([default]))
            .flat_map(fallback::chain)
            .find(|tag| speaks(tag))
            .and_then(|tag| Locale::parse(tag).ok())
            .unwrap_or_else(|| Locale::parse(LAST_RESORT).expect("a language tag"))
    }

    /// Renders a text. A language that lacks the channel falls back along its chain, then to English.
    pub fn render(&self, input: &TextInput<'_>) -> RenderedText {
        let (locale, entry) = self.find(input);
        let brand = brand::cleaned(input.brand);
        let link = input.link.map(Link::expose);
        let values = Values { brand: &brand, code: input.code, link, minutes: input.minutes };
        let text = entry.forms.pick(&Plurals::of(&locale), input.minutes).render(values, input.channel);
        let subject = entry.subject.as_ref().map(|subject| subject.render(values, input.channel).to_string());
        RenderedText { subject, text }
    }

    fn find(&self, input: &TextInput<'_>) -> (Locale, &Entry) {
        let (tenant, purpose) = (Some(input.tenant), Some(input.purpose));
        for tag in fallback::chain(input.locale).into_iter().chain([LAST_RESORT]) {
            let locale = Locale::parse(tag).expect("a fallback of a language tag is one");
            for (tenant, purpose) in [(tenant, purpose), (tenant, None), (None, purpose), (None, None)] {
                let name = TemplateName {
                    tenant: tenant.cloned(),
                    purpose: purpose.cloned(),
                    channel: input.channel,
                    locale: locale.clone(),
                };
                if let Some(entry) = self.texts.get(&name) {
                    return (locale, entry);
                }
            }
        }
        unreachable!("English is built in for every channel")
    }

    /// Which text messages can need more than one segment, given the brands of all tenants, a code of
    /// ten characters and up to `max_minutes`. In a fixed order.
    pub fn segment_warnings(&self, brands: &[(&TenantId, &str)], max_minutes: u32) -> Vec<SegmentWarning> {
        let code = Code::parse("0000000000").expect("ten digits");
        let mut warnings: Vec<SegmentWarning> = (self.texts.iter())
            .filter(|(name, _)| name.channel == Channel::Sms)
            .filter_map(|(name, entry)| {
                let lengths = entry.forms.longest(&Plurals::of(&name.locale), max_minutes);
                (brands.iter())
                    .filter(|(tenant, _)| name.tenant.as_ref().is_none_or(|own| own == *tenant))
                    .flat_map(|(_, brand)| lengths.iter().map(move |length| (*brand, *length)))
                    .map(|(brand, (text, minutes))| {
                        let clean = brand::cleaned(brand);
                        let rendered = text
                            .render(Values { brand: &clean, code: &code, link: None, minutes }, Channel::Sms);
                        let cut = segments(&rendered);
                        SegmentWarning {
                            template: name.clone(),
                            brand: brand.to_owned(),
                            encoding: cut.encoding,
                            segments: cut.parts.len(),
                        }
                    })
                    .filter(|warning| warning.segments > 1)
                    .max_by_key(|warning| warning.segments)
            })
            .collect();
        warnings.sort_by_key(|warning| warning.template.to_string());
        warnings
    }
}

/// The subject of built-in mails in the nearest language.
fn builtin_subject(locale: &Locale) -> Option<Text> {
    (fallback::chain(locale).into_iter().chain([LAST_RESORT]))
        .find_map(|tag| locales::ALL.iter().find(|language| language.locale == tag))
        .map(|language| Text::parse_subject(language.subject).expect("built-in subjects are well formed"))
}
