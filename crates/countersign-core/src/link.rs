//! A link in a mail: the caller's own, with the code in it.

use std::fmt;

use zeroize::Zeroizing;

use crate::code::Code;
use crate::template::is_hidden;

/// The longest link, in bytes, with the longest code in it.
pub const MAX_LINK: usize = 4096;

/// Schemes whose links do something themselves instead of leading somewhere.
const REFUSED_SCHEMES: [&str; 4] = ["data", "file", "javascript", "vbscript"];

/// A part of a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LinkPart<'a> {
    /// Stands in the link as it is.
    Literal(&'a str),
    /// Is data: percent-encoded, so that it stays within its place.
    Value(&'a str),
    /// Where the code will stand. A code has letters and digits only and needs no encoding.
    Code,
}

/// A link that lacks nothing but the code. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkTemplate {
    /// What stands around the places of the code: one text more than there are places.
    texts: Vec<String>,
}

impl LinkTemplate {
    /// Puts a link together.
    ///
    /// # Errors
    /// It does not begin with a scheme and `://`, has a character that no line of a mail may have
    /// within a link, or is longer than [`MAX_LINK`].
    pub fn new<'a>(parts: impl IntoIterator<Item = LinkPart<'a>>) -> Result<Self, InvalidLink> {
        let mut texts = vec![String::new()];
        for part in parts {
            match (part, texts.last_mut()) {
                (LinkPart::Literal(text), Some(last)) => last.push_str(text),
                (LinkPart::Value(value), Some(last)) => push_encoded(last, value),
                (LinkPart::Code, _) | (_, None) => texts.push(String::new()),
            }
        }
        let whole = texts.iter().map(String::len).sum::<usize>() + (texts.len() - 1) * Code::MAX_LEN;
        if whole > MAX_LINK {
            return Err(InvalidLink::TooLong);
        }
        if !texts[0].split_once("://").is_some_and(|(scheme, _)| leads_somewhere(scheme)) {
            return Err(InvalidLink::Scheme);
        }
        match texts.iter().flat_map(|text| text.chars()).find(|c| ends_a_link(*c)) {
            Some(c) => Err(InvalidLink::Character(c)),
            None => Ok(Self { texts }),
        }
    }

    /// What tells it from every other template: no link has a space in it.
    pub(crate) fn identity(&self) -> String {
        self.texts.join(" ")
    }

    /// The link with the code in its places.
    pub fn fill(&self, code: &Code) -> Link {
        let places = self.texts.len() - 1;
        let length = self.texts.iter().map(String::len).sum::<usize>() + places * code.expose().len();
        // Never moved while it grows: a moved buffer would leave the code behind in freed memory.
        let mut link = Zeroizing::new(String::with_capacity(length));
        for (index, text) in self.texts.iter().enumerate() {
            if index > 0 {
                link.push_str(code.expose());
            }
            link.push_str(text);
        }
        Link(link)
    }
}

impl fmt::Debug for LinkTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkTemplate(******)")
    }
}

/// A finished link. It is as secret as the code in it, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Link(Zeroizing<String>);

impl Link {
    /// Takes over what was sealed as a finished link.
    pub(crate) fn from_sealed(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The link itself. For rendering and sealing; never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(******)")
    }
}

/// Why something is no link for a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLink {
    /// It leads nowhere: there is no scheme with `://`, or one that does something itself.
    #[error("a link begins with a scheme and ://, e.g. https://")]
    Scheme,
    /// A character that ends a link in a text, breaks its line, or cannot be seen.
    #[error("the character U+{:04X} is not allowed in a link", u32::from(*.0))]
    Character(char),
    /// It is longer than [`MAX_LINK`].
    #[error("a link has at most {MAX_LINK} bytes")]
    TooLong,
}

/// A scheme (RFC 3986, section 3.1) of a place, be it a site or an app.
fn leads_somewhere(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && !REFUSED_SCHEMES.iter().any(|refused| scheme.eq_ignore_ascii_case(refused))
}

/// White space, quotes and angle brackets delimit a link in a text (RFC 3986, appendix C).
fn ends_a_link(c: char) -> bool {
    c.is_whitespace() || is_hidden(c) || matches!(c, '"' | '<' | '>')
}

/// Everything but RFC 3986's unreserved characters is encoded.
fn push_encoded(out: &mut String, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LinkPart::{Code as Place, Literal, Value};
    use super::*;

    fn code() -> Code {
        Code::parse("123456").unwrap()
    }

    fn refused(literal: &str) -> InvalidLink {
        LinkTemplate::new([Literal(literal)]).unwrap_err()
    }

    #[test]
    fn the_code_stands_in_every_place_and_values_stay_in_theirs() {
        let parts = [Literal("https://example.com/?u="), Value("a&b=/é"), Literal("&c="), Place, Place];
        let link = LinkTemplate::new(parts).unwrap().fill(&code());
        assert_eq!(link.expose(), "https://example.com/?u=a%26b%3D%2F%C3%A9&c=123456123456");
        let plain = LinkTemplate::new([Literal("app://open")]).unwrap();
        assert_eq!(plain.fill(&code()).expose(), "app://open");
    }

    /// Shows: A15.
    #[test]
    fn what_leads_nowhere_or_breaks_the_line_is_no_link() {
        for nowhere in ["", "example.com", "/path", "://x", "1a://x", "javascript://%0aalert(1)", "DATA://x"]
        {
            assert_eq!(refused(nowhere), InvalidLink::Scheme, "{nowhere}");
        }
        for c in [' ', '\n', '\u{202e}', '\u{200b}', '"', '<', '>'] {
            assert_eq!(refused(&format!("https://example.com/{c}")), InvalidLink::Character(c));
        }
        assert_eq!(LinkTemplate::new([Value("https://example.com")]), Err(InvalidLink::Scheme));
        assert_eq!(refused(&format!("https://{}", "a".repeat(MAX_LINK))), InvalidLink::TooLong);
    }

    #[test]
    fn debug_shows_neither_link_nor_template() {
        let template = LinkTemplate::new([Literal("https://example.com/"), Value("ann"), Place]).unwrap();
        assert_eq!(format!("{template:?} {:?}", template.fill(&code())), "LinkTemplate(******) Link(******)");
    }
}
