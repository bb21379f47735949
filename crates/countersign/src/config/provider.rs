//! `[[providers]]`: the ways out. Their order is the order of preference.

use std::collections::BTreeSet;
use std::ops::Range;

use countersign_core::names::ProviderName;
use countersign_providers::webhook;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fields::{Money, Parsed};
use super::problem::Problem;
use super::source;

/// One configured way out.
#[derive(Debug)]
pub struct Provider {
    /// What it is called in routes, logs and metrics.
    pub name: ProviderName,
    /// Millionths of the tenants' currency per message.
    pub price_micros: u64,
    /// What it is.
    pub kind: ProviderKind,
    /// Where its kind stands in the file.
    pub(super) span: Range<usize>,
}

/// What a way out is. To add one: a variant here, a line in [`ProviderKind::read`], and how it is made in
/// `ways`.
#[derive(Debug)]
pub enum ProviderKind {
    /// Shows messages instead of sending them; in dev mode only.
    Inbox,
    /// A receiver of the operator's own.
    Webhook(webhook::Config),
}

/// What every provider's section has; the rest is its kind's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Common {
    kind: Spanned<String>,
    name: Spanned<Parsed<ProviderName>>,
    price: Option<Money>,
}

/// The inbox has no settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl ProviderKind {
    const NAMES: &'static str = "webhook";

    fn read(kind: &Spanned<String>, settings: Spanned<DeValue<'_>>, path: &str) -> Result<Self, Problem> {
        fn own<T: DeserializeOwned>(settings: Spanned<DeValue<'_>>, path: &str) -> Result<T, Problem> {
            source::section(settings, path)
        }
        match kind.get_ref().as_str() {
            "inbox" => own(settings, path).map(|Nothing {}| Self::Inbox),
            "webhook" => own(settings, path).map(Self::Webhook),
            _ => {
                let message = format!("there is no such kind of provider; there is: {}", Self::NAMES);
                Err(Problem::at(format!("{path}.kind"), kind.span(), message))
            }
        }
    }
}

/// Takes `[[providers]]` out of the document and reads it.
///
/// Apart from the other sections, because a provider's settings depend on its `kind`, and serde's way
/// of saying that would lose the lines.
pub(super) fn take(root: &mut DeTable<'_>, problems: &mut Vec<Problem>) -> Vec<Provider> {
    let Some(list) = root.remove("providers") else { return Vec::new() };
    let span = list.span();
    let DeValue::Array(list) = list.into_inner() else {
        problems.push(Problem::at("providers", span, "is a list: each one begins with [[providers]]"));
        return Vec::new();
    };
    let mut names = BTreeSet::new();
    let mut providers = Vec::new();
    for (i, section) in list.into_iter().enumerate() {
        match read(section, &format!("providers[{i}]"), &mut names) {
            Ok(provider) => providers.push(provider),
            Err(problem) => problems.push(problem),
        }
    }
    providers
}

fn read(
    section: Spanned<DeValue<'_>>,
    path: &str,
    names: &mut BTreeSet<ProviderName>,
) -> Result<Provider, Problem> {
    let span = section.span();
    let DeValue::Table(mut settings) = section.into_inner() else {
        return Err(Problem::at(path, span, "is a section: it begins with [[providers]]"));
    };
    let mut common = DeTable::new();
    for key in ["kind", "name", "price"] {
        if let Some((key, value)) = settings.remove_entry(key) {
            common.insert(key, value);
        }
    }
    let common: Common = source::section(Spanned::new(span.clone(), DeValue::Table(common)), path)?;
    let name = common.name.get_ref().0.clone();
    if !names.insert(name.clone()) {
        let message = format!("there is another provider {name}");
        return Err(Problem::at(format!("{path}.name"), common.name.span(), message));
    }
    let kind = ProviderKind::read(&common.kind, Spanned::new(span, DeValue::Table(settings)), path)?;
    let price_micros = common.price.map_or(0, Money::micros);
    Ok(Provider { name, price_micros, kind, span: common.kind.span() })
}

/// Every setting of every kind.
#[cfg(test)]
pub(super) fn settings() -> BTreeSet<String> {
    let mut settings = super::settings::of::<Common>();
    settings.extend(super::settings::of::<webhook::Config>());
    settings
}
