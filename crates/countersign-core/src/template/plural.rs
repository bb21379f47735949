//! Which form of a text a number takes: CLDR's plural categories of whole numbers.

use std::collections::{BTreeMap, BTreeSet};

use icu_locale_core::LanguageIdentifier;
pub(super) use icu_plurals::PluralCategory;
use icu_plurals::PluralRules;

use crate::names::Locale;

/// The most minutes that a text speaks of: a day, which is the longest life of any code (NIST SP
/// 800-63B-4 gives recovery codes sent to a mailbox that long).
pub const MAX_MINUTES: u32 = 24 * 60;

/// The rules of a language. They are cheap to make, and not made to be shared between threads.
pub(super) struct Plurals(PluralRules);

impl Plurals {
    /// The rules of a language; of a language that CLDR does not know, the rule that all numbers are
    /// alike.
    pub(super) fn of(locale: &Locale) -> Self {
        let language =
            LanguageIdentifier::try_from_str(locale.as_str()).unwrap_or(LanguageIdentifier::UNKNOWN);
        let rules = PluralRules::try_new_cardinal(language.into());
        Self(rules.expect("the rules are compiled in, with a root for unknown languages"))
    }

    /// The category of a number.
    pub(super) fn category(&self, n: u32) -> PluralCategory {
        self.0.category_for(n)
    }

    /// The categories that whole minutes can fall into. Rules look at a number or at its last two
    /// digits, so that 200 numbers show all; French has one more, for millions, that no code lives
    /// to see.
    pub(super) fn needed(&self) -> BTreeSet<PluralCategory> {
        (1..=200).map(|n| self.category(n)).collect()
    }

    /// For each category the longest number of minutes, up to `max` (a day at most), in it.
    pub(super) fn longest(&self, max: u32) -> BTreeMap<PluralCategory, u32> {
        (1..=max.min(MAX_MINUTES)).map(|n| (self.category(n), n)).collect()
    }
}

/// The category's name in CLDR and in configurations.
pub(super) const fn name(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn categories(locale: &str, numbers: &[u32]) -> String {
        let plurals = Plurals::of(&Locale::parse(locale).unwrap());
        numbers.iter().map(|n| name(plurals.category(*n))).collect::<Vec<_>>().join(" ")
    }

    /// Against the tables of CLDR 48. Arabic goes by the last two digits, which libraries get wrong.
    #[test]
    fn categories_are_those_of_cldr() {
        for (locale, numbers, expected) in [
            ("en", &[1, 2, 11, 21, 101][..], "one other other other other"),
            ("fr", &[0, 1, 2], "one one other"),
            ("pt", &[0, 1, 2], "one one other"),
            ("pt-PT", &[0, 1, 2], "other one other"),
            ("ru", &[1, 2, 5, 11, 12, 21, 22, 25, 101, 111], "one few many many many one few many one many"),
            ("pl", &[1, 2, 5, 12, 21, 22, 25, 101], "one few many many many few many many"),
            ("cs", &[1, 2, 5, 22], "one few other other"),
            ("lt", &[1, 2, 11, 21], "one few other one"),
            ("sl", &[1, 2, 3, 5, 101, 102], "one two few other one two"),
            (
                "ar",
                &[0, 1, 2, 3, 10, 11, 99, 100, 102, 103, 110, 111],
                "zero one two few few many many other other few few many",
            ),
            ("ja", &[1, 2], "other other"),
            ("zh-Hans-CN", &[1, 2], "other other"),
            ("de-AT", &[1, 2], "one other"),
            ("xx", &[1, 2], "other other"),
            ("aaaaaaaa-x", &[1, 2], "other other"),
        ] {
            assert_eq!(categories(locale, numbers), expected, "{locale}");
        }
    }

    #[test]
    fn only_categories_that_minutes_fall_into_are_needed() {
        for (locale, expected) in
            [("fr", "one other"), ("pl", "one few many"), ("ar", "one two few many other"), ("ja", "other")]
        {
            let needed = Plurals::of(&Locale::parse(locale).unwrap()).needed();
            assert_eq!(needed.into_iter().map(name).collect::<Vec<_>>().join(" "), expected);
        }
    }

    #[test]
    fn the_longest_number_of_each_category_is_found() {
        let russian = Plurals::of(&Locale::parse("ru").unwrap());
        let longest = |max| russian.longest(max).into_iter().map(|(c, n)| format!("{} {n}", name(c)));
        assert_eq!(longest(100).collect::<Vec<_>>(), ["one 91", "few 94", "many 100"]);
        assert_eq!(longest(u32::MAX).collect::<Vec<_>>(), ["one 1431", "few 1434", "many 1440"]);
    }
}
