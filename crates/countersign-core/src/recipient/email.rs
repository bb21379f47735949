//! Mailboxes.
//!
//! Only what every mail server takes: an unquoted ASCII local part and a domain name. Quoted local
//! parts, comments, address literals and spellings outside ASCII are refused; a domain of another
//! script is written in its A-label form (`xn--…`).

use std::fmt;

use super::RecipientError;

/// RFC 5321, section 4.5.3.1: 64 octets before the `@`, 255 after it.
const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 255;
/// RFC 1035, section 2.3.4.
const LABEL_MAX: usize = 63;

/// A mailbox with its local part as given and its domain in lower case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Parses a mailbox such as `a.b+c@example.com`: a dot-atom (RFC 5322, section 3.2.3), `@`, and
    /// a domain name of at least two labels.
    ///
    /// ```
    /// use countersign_core::recipient::EmailAddress;
    ///
    /// assert_eq!(EmailAddress::parse("Ann@Example.COM")?.expose(), "Ann@example.com");
    /// assert!(EmailAddress::parse("ann@localhost").is_err());
    /// # Ok::<(), countersign_core::recipient::RecipientError>(())
    /// ```
    ///
    /// # Errors
    /// [`RecipientError::Email`].
    pub fn parse(text: &str) -> Result<Self, RecipientError> {
        let (local, domain) = text.split_once('@').ok_or(RecipientError::Email)?;
        if is_local_part(local) && is_domain(domain) {
            Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
        } else {
            Err(RecipientError::Email)
        }
    }

    pub(super) fn from_canonical(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The full address; never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The first character, and the domain: `a***@example.com`. As many stars for every address, so
    /// that they do not tell its length.
    pub(super) fn masked(&self) -> String {
        let (local, domain) = self.0.split_once('@').unwrap_or((&self.0, ""));
        let first = local.chars().next().map(String::from).unwrap_or_default();
        format!("{first}***@{domain}")
    }

    /// What finds the mailbox's verifications: the address in lower case, as practically every
    /// server reads it (RFC 5321, section 2.4, discourages telling cases apart).
    pub(super) fn identity(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// What its limits are counted under: the address without the tag after a `+`, because one
    /// person has as many of these as she likes.
    pub(super) fn budget(&self) -> String {
        let identity = self.identity();
        let Some((local, domain)) = identity.split_once('@') else { return identity };
        match local.split_once('+') {
            Some((name, _tag)) if !name.is_empty() => format!("{name}@{domain}"),
            _ => identity,
        }
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

fn is_local_part(text: &str) -> bool {
    text.len() <= LOCAL_MAX
        && text.split('.').all(|atom| {
            !atom.is_empty()
                && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        })
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // An all-numeric last label would be an IPv4 address in disguise (RFC 3696, section 2).
    text.len() <= DOMAIN_MAX
        && text.split('.').all(is_label)
        && text.rsplit_once('.').is_some_and(|(_, top)| !top.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap_or_else(|_| panic!("{text:?} was refused"))
    }

    #[test]
    fn the_local_part_is_kept_and_the_domain_is_lower_cased() {
        assert_eq!(parse("Ada.Lovelace+x@Example.COM").expose(), "Ada.Lovelace+x@example.com");
        assert_eq!(parse("!#$%&'*+-/=?^_`{|}~@xn--bcher-kva.example").expose().len(), 41);
    }

    #[test]
    fn what_is_no_mailbox_is_refused() {
        for text in [
            "",
            "@",
            "a",
            "a@",
            "@example.com",
            "a@b",
            "a@@example.com",
            "a@b@example.com",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "\"a b\"@example.com",
            "\"a@b\"@example.com",
            "a b@example.com",
            "a@example..com",
            "a@.example.com",
            "a@example.com.",
            "a@-example.com",
            "a@example-.com",
            "a@exam_ple.com",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@example.123",
            "a(x)@example.com",
            "<a@example.com>",
            "Ada <a@example.com>",
            "a@example.com,b@example.com",
            "a@example.com;b@example.com",
            "mailto:a@example.com",
            "ä@example.com",
            "a@exämple.com",
            "a@example。com",
            "a＠example.com",
        ] {
            assert_eq!(EmailAddress::parse(text), Err(RecipientError::Email), "{text:?}");
        }
    }

    /// Shows: A15.
    #[test]
    fn no_character_that_could_open_another_header_or_hide_gets_in() {
        for c in
            ['\r', '\n', '\t', '\0', ' ', '\u{7f}', '\u{a0}', '\u{200d}', '\u{202e}', '\u{2028}', '\u{ff20}']
        {
            for place in 0..=13 {
                let mut text = String::from("a@example.com");
                text.insert(place, c);
                assert_eq!(EmailAddress::parse(&text), Err(RecipientError::Email), "{text:?}");
            }
        }
        assert!(EmailAddress::parse("a@example.com\r\nBcc: b@example.com").is_err());
    }

    #[test]
    fn sizes_are_those_of_smtp() {
        let domain = |len: usize| format!("{}example.com", "a.".repeat((len - 11) / 2));
        assert!(EmailAddress::parse(&format!("{}@example.com", "a".repeat(64))).is_ok());
        assert!(EmailAddress::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
        assert!(EmailAddress::parse(&format!("a@{}.com", "a".repeat(63))).is_ok());
        assert!(EmailAddress::parse(&format!("a@{}.com", "a".repeat(64))).is_err());
        assert!(EmailAddress::parse(&format!("a@{}", domain(255))).is_ok());
        assert!(EmailAddress::parse(&format!("a@{}", domain(257))).is_err());
    }

    #[test]
    fn tags_and_cases_share_a_budget() {
        let budget = parse("ada@example.com").budget();
        for alias in ["ADA@example.com", "ada+1@example.com", "Ada+x+y@EXAMPLE.com", "ada+@example.com"] {
            assert_eq!(parse(alias).budget(), budget, "{alias}");
        }
        assert_eq!(parse("+tag@example.com").budget(), "+tag@example.com");
        assert_ne!(parse("ada@example.org").budget(), budget);
    }

    #[test]
    fn cases_share_an_identity_and_tags_do_not() {
        assert_eq!(parse("ADA@Example.com").identity(), parse("ada@example.com").identity());
        assert_ne!(parse("ada+1@example.com").identity(), parse("ada@example.com").identity());
    }

    /// Thousands of ways to write one mailbox: its one budget, or no mailbox.
    /// Shows: A13.
    #[test]
    fn no_spelling_of_a_mailbox_has_a_budget_of_its_own() {
        let cases = |word: &str| -> Vec<String> {
            (0..1u32 << word.len())
                .map(|mask| {
                    word.char_indices()
                        .map(|(i, c)| if mask >> i & 1 == 1 { c.to_ascii_uppercase() } else { c })
                        .collect()
                })
                .collect()
        };
        let own = parse("ada@ex.org").budget();
        let mut spellings = 0;
        for local in cases("ada") {
            for domain in
                cases("ex").iter().flat_map(|d| [format!("{d}.org"), format!("{d}.ORG"), format!("{d}.org.")])
            {
                for tag in ["", "+", "+1", "+a.b", "+ ", "+ü", "(x)", " ", "\u{200d}"] {
                    for (before, after) in
                        [("", ""), (" ", ""), ("", "\n"), ("<", ">"), ("\"", "\""), ("", "\0")]
                    {
                        spellings += 1;
                        let spelling = format!("{before}{local}{tag}@{domain}{after}");
                        if let Ok(address) = EmailAddress::parse(&spelling) {
                            assert_eq!(address.budget(), own, "{spelling:?}");
                        }
                    }
                }
            }
        }
        assert!(spellings > 5_000, "{spellings}");
    }

    #[test]
    fn a_mask_shows_one_character_and_the_domain() {
        assert_eq!(parse("ada@example.com").masked(), "a***@example.com");
        assert_eq!(parse("a@example.com").masked(), "a***@example.com");
        assert_eq!(format!("{:?}", parse("ada@example.com")), "a***@example.com");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>(), local in any::<String>()) {
            let _ = EmailAddress::parse(&text);
            let _ = EmailAddress::parse(&format!("{local}@example.com"));
            let _ = (EmailAddress(text.clone()).masked(), EmailAddress(text).budget());
        }

        #[test]
        fn what_was_accepted_is_its_own_canonical_form(text in "[a-zA-Z0-9.+_-]{1,12}@[a-zA-Z0-9.-]{1,12}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(EmailAddress::parse(address.expose()), Ok(address.clone()));
                prop_assert_eq!(EmailAddress(address.budget()).budget(), address.budget());
            }
        }
    }
}
