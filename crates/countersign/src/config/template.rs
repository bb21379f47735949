//! `[[templates]]`: texts of the operator's own.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::names::{Channel, Locale, Purpose, TenantId};
use countersign_core::template::{TemplateOverride, TemplateText, Templates};
use countersign_core::tenant::Tenant;
use serde::Deserialize;
use toml::Spanned;

use super::fields::Parsed;
use super::problem::Problem;

/// One text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateSection {
    /// For one tenant only.
    tenant: Option<Spanned<Parsed<TenantId>>>,
    /// For one purpose only.
    purpose: Option<Parsed<Purpose>>,
    /// For which channel.
    channel: Spanned<Parsed<Channel>>,
    /// In which language.
    locale: Parsed<Locale>,
    /// The subject, for mail.
    subject: Option<String>,
    /// The text, the same for any number of minutes.
    text: Option<String>,
    /// The text by plural category of the minutes.
    texts: Option<BTreeMap<String, String>>,
}

/// Reads all texts and joins them with the built-in ones.
pub(super) fn build(
    sections: Vec<TemplateSection>,
    tenants: &[Tenant],
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Templates {
    let mut overrides = Vec::new();
    let mut places = Vec::new();
    for (i, section) in sections.into_iter().enumerate() {
        let place = (format!("templates[{i}]"), section.channel.span());
        if let Some(tenant) = &section.tenant
            && tenants.iter().all(|t| t.id != tenant.get_ref().0)
        {
            let message = format!("there is no tenant {}", tenant.get_ref().0);
            problems.push(Problem::at(format!("{}.tenant", place.0), tenant.span(), message));
        }
        let text = match (section.text, section.texts) {
            (Some(text), None) => TemplateText::One(text),
            (None, Some(texts)) => TemplateText::ByCategory(texts),
            _ => {
                let message = "needs either `text`, or `texts` by plural category";
                problems.push(Problem::at(place.0, place.1, message));
                continue;
            }
        };
        overrides.push(TemplateOverride {
            tenant: section.tenant.map(|t| t.into_inner().0),
            purpose: section.purpose.map(|p| p.0),
            channel: section.channel.into_inner().0,
            locale: section.locale.0,
            subject: section.subject,
            text,
        });
        places.push(place);
    }
    // One text more each time: the first that does not fit is the one that is wrong.
    for (count, (setting, span)) in (1..).zip(places) {
        if let Err(error) = Templates::with_overrides(overrides[..count].iter().cloned()) {
            problems.push(Problem::at(setting, span, error.fault.to_string()));
            return Templates::builtin();
        }
    }
    let templates = Templates::with_overrides(overrides).unwrap_or_default();
    warn_of_segments(&templates, tenants, warnings);
    templates
}

/// A text message that does not fit into one segment costs twice.
fn warn_of_segments(templates: &Templates, tenants: &[Tenant], warnings: &mut Vec<String>) {
    let brands: Vec<_> = tenants.iter().map(|t| (&t.id, t.brand.as_str())).collect();
    let longest = tenants.iter().map(|t| t.policy.terms.window.as_secs().div_ceil(60)).max().unwrap_or(1);
    let mut languages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for warning in templates.segment_warnings(&brands, u32::try_from(longest).unwrap_or(u32::MAX)) {
        languages.entry(warning.brand).or_default().insert(warning.template.locale.to_string());
    }
    for (brand, languages) in languages {
        let languages: Vec<String> = languages.into_iter().collect();
        warnings.push(format!(
            "with the brand {brand:?} a text message may cost more than one segment in: {}",
            languages.join(", ")
        ));
    }
}
