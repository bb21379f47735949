//! `urlTemplate`: the caller's link in a mail, with `{{.UserID}}`, `{{.Code}}` and `{{.OrgID}}` in it.
//!
//! Upstream runs Go's text/template over it, which puts values in as they are. Here values are
//! percent-encoded: no user id becomes another path, parameter or line.

use std::fmt;

use countersign_core::link::{InvalidLink, LinkPart, LinkTemplate};
use serde::Deserialize;

/// A template that was understood.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct UrlTemplate(Vec<Piece>);

/// A link is its caller's own business.
impl fmt::Debug for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UrlTemplate(…)")
    }
}

/// Where links in mails may lead: to a host over `https`, written as a link has it (`app.example.com`,
/// `localhost:8443`); over another scheme with that before it (`http://localhost:3000`); to an app (`myapp://`).
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct LinkHost {
    scheme: String,
    /// `None` for whatever stands there.
    authority: Option<String>,
}

impl TryFrom<String> for LinkHost {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://").unwrap_or(("https", &text));
        let good =
            |part: &str, others: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c));
        let web = matches!(scheme, "http" | "https");
        if scheme.is_empty()
            || !good(scheme, "+-.")
            || !good(authority, "-.:[]")
            || web && authority.is_empty()
        {
            return Err("a host is written like app.example.com, http://localhost:3000 or myapp://");
        }
        let authority = Some(authority.to_owned()).filter(|authority| !authority.is_empty());
        Ok(Self { scheme: scheme.to_owned(), authority })
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    UserId,
    OrgId,
    Code,
}

impl UrlTemplate {
    /// Go's `{{.Name}}`, of the three names there are, in what is a link then.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (action, tail) = after.split_once("}}")?;
            pieces.push(literal(before)?);
            pieces.push(match action.trim_matches(' ') {
                ".UserID" => Piece::UserId,
                ".OrgID" => Piece::OrgId,
                ".Code" => Piece::Code,
                _ => return None,
            });
            rest = tail;
        }
        pieces.push(literal(rest)?);
        let template = Self(pieces);
        template.link("", "").is_ok().then_some(template)
    }

    /// Whether its link leads to one of these, whatever is put into it.
    pub(super) fn leads_to(&self, hosts: &[LinkHost]) -> bool {
        let Some(Piece::Literal(start)) = self.0.first() else { return false };
        let Some((scheme, rest)) = start.split_once("://") else { return false };
        // Browsers take a backslash for a slash. Where nothing ends the host, what follows would belong to it.
        let authority = match rest.find(['/', '?', '#', '\\']) {
            Some(end) => Some(&rest[..end]),
            None if self.0.len() == 1 => Some(rest),
            None => None,
        };
        let is_there = |host: &LinkHost| {
            host.scheme.eq_ignore_ascii_case(scheme)
                && host
                    .authority
                    .as_ref()
                    .is_none_or(|it| authority.is_some_and(|a| it.eq_ignore_ascii_case(a)))
        };
        hosts.iter().any(is_there)
    }

    /// The link for a user, with everything in it but the code.
    ///
    /// # Errors
    /// With these values it is too long.
    pub(super) fn link(&self, user: &str, organization: &str) -> Result<LinkTemplate, InvalidLink> {
        LinkTemplate::new(self.0.iter().map(|piece| match piece {
            Piece::Literal(text) => LinkPart::Literal(text),
            Piece::UserId => LinkPart::Value(user),
            Piece::OrgId => LinkPart::Value(organization),
            Piece::Code => LinkPart::Code,
        }))
    }
}

fn literal(text: &str) -> Option<Piece> {
    (!text.contains("}}")).then(|| Piece::Literal(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use countersign_core::code::Code;

    use super::*;

    #[test]
    fn a_template_has_the_three_variables_and_no_others() {
        for good in ["https://example.com/?u={{.UserID}}&c={{.Code}}&o={{ .OrgID }}", "app://confirm"] {
            assert!(UrlTemplate::parse(good).is_some(), "{good}");
        }
        for bad in ["{{.Code", "{{.Password}}", "{{Code}}", "}}", "{{.Code}}}}", "a\nb"] {
            assert_eq!(UrlTemplate::parse(&format!("https://example.com/{bad}")), None, "{bad}");
        }
        for no_link in ["", "example.com/{{.Code}}", "{{.UserID}}://example.com", "javascript://{{.Code}}"] {
            assert_eq!(UrlTemplate::parse(no_link), None, "{no_link}");
        }
    }

    fn hosts(hosts: &[&str]) -> Vec<LinkHost> {
        hosts.iter().map(|host| LinkHost::try_from((*host).to_owned()).unwrap()).collect()
    }

    #[test]
    fn a_link_leads_to_a_listed_host_and_to_nothing_that_looks_like_it() {
        let listed = hosts(&["App.example.com", "http://localhost:3000", "myapp://", "other://confirm"]);
        for good in [
            "https://app.example.com",
            "https://app.example.com/{{.Code}}",
            "HTTPS://APP.example.com?c={{.Code}}",
            "https://app.example.com#{{.Code}}",
            "http://localhost:3000/{{.Code}}",
            "myapp://{{.Code}}",
            "other://confirm/{{.Code}}",
        ] {
            assert!(UrlTemplate::parse(good).unwrap().leads_to(&listed), "{good}");
        }
        for bad in [
            "https://evil.example/{{.Code}}",
            "http://app.example.com/{{.Code}}",
            "https://app.example.com:8443/{{.Code}}",
            "https://app.example.com.evil.example/{{.Code}}",
            "https://app.example.com@evil.example/{{.Code}}",
            "https://evil.example\\app.example.com/{{.Code}}",
            "https://evil.example#@app.example.com/{{.Code}}",
            "https://evil.example?app.example.com/{{.Code}}",
            "https://app.example.com{{.Code}}",
            "https://app.example.com{{.UserID}}/",
            "https://{{.UserID}}app.example.com/",
            "https://app.example.com./",
            "https:///app.example.com/",
            "other://{{.Code}}",
            "yourapp://{{.Code}}",
        ] {
            assert!(!UrlTemplate::parse(bad).unwrap().leads_to(&listed), "{bad}");
        }
        assert!(!UrlTemplate::parse("https://app.example.com").unwrap().leads_to(&[]));
    }

    #[test]
    fn a_host_in_the_settings_is_a_host_and_no_link() {
        for bad in
            ["", "https://", "app.example.com/path", "a b", "user@example.com", "://x", "https://a/b", "*.a"]
        {
            assert!(LinkHost::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    /// Shows: A15.
    #[test]
    fn a_user_id_stays_within_its_place() {
        let template = UrlTemplate::parse("https://example.com/{{.UserID}}/{{.OrgID}}?c={{.Code}}").unwrap();
        let link = template.link("../a?c=1&\n{{.Code}}", "6").unwrap();
        assert_eq!(
            link.fill(&Code::parse("X7K2QD").unwrap()).expose(),
            "https://example.com/..%2Fa%3Fc%3D1%26%0A%7B%7B.Code%7D%7D/6?c=X7K2QD"
        );
    }
}
