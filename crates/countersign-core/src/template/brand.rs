//! How a tenant calls itself in texts.

use std::borrow::Cow;

use super::text::is_hidden;

/// The most characters of a brand. Longer ones cost every message a second segment.
const MAX_CHARS: usize = 40;

/// A brand cannot stand in texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a brand has 1 to {MAX_CHARS} characters, no space at its ends, no line break or invisible character, and no @ or #"
)]
pub struct InvalidBrand;

/// Whether a brand can stand in texts. With `@` and `#` it could bind a code to a web site of its
/// choice (`@host #code`), or look as if it did.
///
/// # Errors
/// [`InvalidBrand`].
pub fn check_brand(brand: &str) -> Result<(), InvalidBrand> {
    let length = brand.chars().count();
    let fits = (1..=MAX_CHARS).contains(&length) && brand.trim() == brand && !brand.contains(is_unfit);
    if fits { Ok(()) } else { Err(InvalidBrand) }
}

/// The brand without what [`check_brand`] refuses, for a brand that nobody checked.
pub(super) fn cleaned(brand: &str) -> Cow<'_, str> {
    if brand.contains(is_unfit) { Cow::Owned(brand.replace(is_unfit, "")) } else { Cow::Borrowed(brand) }
}

fn is_unfit(c: char) -> bool {
    is_hidden(c) || matches!(c, '@' | '#' | '\u{ff20}' | '\u{ff03}' | '\u{fe6b}' | '\u{fe5f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: A15.
    #[test]
    fn a_brand_is_a_short_line_without_at_and_hash() {
        for good in ["Acme", "Müller & Söhne", "株式会社", "A", "{code}", "Al-Bank S.A."] {
            assert_eq!(check_brand(good), Ok(()), "{good}");
        }
        let long = "a".repeat(41);
        for bad in
            ["", " Acme", "Acme ", "A\nB", "A\r", "A@B", "#1", "A\u{2028}B", "A\u{202e}B", "A\u{200b}", &long]
        {
            assert_eq!(check_brand(bad), Err(InvalidBrand), "{bad:?}");
        }
    }

    #[test]
    fn an_unchecked_brand_loses_what_is_dangerous() {
        assert_eq!(cleaned("Acme\n@evil.example #1"), "Acmeevil.example 1");
        assert_eq!(cleaned("Acme"), "Acme");
    }
}
