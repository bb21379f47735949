//! `urlTemplate`: the caller's link in a mail, with `{{.UserID}}`, `{{.Code}}` and `{{.OrgID}}` in it.
//!
//! Upstream runs Go's text/template over it, which puts values in as they are. Here values are
//! percent-encoded: no user id becomes another path, parameter or line.

use countersign_core::link::{InvalidLink, LinkPart, LinkTemplate};

/// A template that was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct UrlTemplate(Vec<Piece>);

#[derive(Clone, PartialEq, Eq, Debug)]
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
