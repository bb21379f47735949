//! One text: literals and the places for brand, code, link and minutes.
//!
//! Values are put in once and never read again, so that a brand called `{code}` stays that.

use zeroize::Zeroizing;

use super::overrides::TemplateFault;
use super::plural::{PluralCategory, Plurals};
use crate::code::Code;
use crate::names::Channel;

/// What is put into a text.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) brand: &'a str,
    pub(super) code: &'a Code,
    pub(super) link: Option<&'a str>,
    pub(super) minutes: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Literal(Box<str>),
    Brand,
    Code,
    Link,
    Minutes,
}

/// A text for one plural category.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Text {
    pieces: Vec<Piece>,
    /// How it reads where there is no link; `None` where it has no place for one.
    without_link: Option<Vec<Piece>>,
}

impl Text {
    /// Reads a text for a channel. See [`TemplateFault`] for what is refused.
    pub(super) fn parse(source: &str, channel: Channel) -> Result<Self, TemplateFault> {
        let pieces = pieces(source)?;
        let codes = pieces.iter().filter(|piece| **piece == Piece::Code).count();
        let fits = match channel {
            // A call may repeat the code; anywhere else a second one is a second chance to be
            // mistaken for a bound one.
            Channel::Voice => (1..=3).contains(&codes),
            Channel::Sms | Channel::Email | Channel::Whatsapp => codes == 1,
        };
        if !fits {
            return Err(TemplateFault::CodeCount(codes));
        }
        check_characters(source, channel)?;
        let without_link = match pieces.iter().filter(|piece| **piece == Piece::Link).count() {
            0 => None,
            1 if channel == Channel::Email => {
                Some(self::pieces(&without_link_line(source)).map_err(|_| TemplateFault::Link)?)
            }
            _ => return Err(TemplateFault::Link),
        };
        if without_link.as_ref().is_some_and(|pieces| !pieces.contains(&Piece::Code)) {
            return Err(TemplateFault::Link);
        }
        Ok(Self { pieces, without_link })
    }

    /// Reads a subject: a mail server's log shows it, so it names the brand at most.
    pub(super) fn parse_subject(source: &str) -> Result<Self, TemplateFault> {
        let pieces = pieces(source)?;
        if pieces.iter().any(|piece| matches!(piece, Piece::Code | Piece::Link | Piece::Minutes)) {
            return Err(TemplateFault::Subject);
        }
        check_characters(source, Channel::Sms)?;
        Ok(Self { pieces, without_link: None })
    }

    /// The text with its values. The buffer is never moved while it grows: a moved one would leave
    /// the code behind in freed memory.
    pub(super) fn render(&self, values: Values<'_>, channel: Channel) -> Zeroizing<String> {
        let code = match channel {
            Channel::Voice => spelled(values.code),
            Channel::Sms | Channel::Email | Channel::Whatsapp => {
                Zeroizing::new(values.code.expose().to_owned())
            }
        };
        let minutes = values.minutes.to_string();
        let pieces = match &self.without_link {
            Some(without) if values.link.is_none() => without,
            _ => &self.pieces,
        };
        let parts: Vec<&str> = (pieces.iter())
            .map(|piece| match piece {
                Piece::Literal(text) => text,
                Piece::Brand => values.brand,
                Piece::Code => &**code,
                Piece::Link => values.link.unwrap_or_default(),
                Piece::Minutes => &minutes,
            })
            .collect();
        let mut out = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            out.push_str(part);
        }
        out
    }
}

fn pieces(source: &str) -> Result<Vec<Piece>, TemplateFault> {
    if source.trim().is_empty() {
        return Err(TemplateFault::Empty);
    }
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some(open) = rest.find(['{', '}']) {
        let (literal, from_brace) = rest.split_at(open);
        let (name, after) = (from_brace.strip_prefix('{'))
            .and_then(|inside| inside.split_once('}'))
            .ok_or(TemplateFault::Braces)?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.into()));
        }
        pieces.push(match name {
            "brand" => Piece::Brand,
            "code" => Piece::Code,
            "link" => Piece::Link,
            "minutes" => Piece::Minutes,
            other => return Err(TemplateFault::UnknownPlaceholder(other.to_owned())),
        });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.into()));
    }
    Ok(pieces)
}

/// A text less the line that shows the link, and less one of the empty lines around that.
fn without_link_line(source: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut lines = source.split('\n').peekable();
    while let Some(line) = lines.next() {
        let goes = line.contains("{link}");
        if !goes {
            kept.push(line);
        } else if kept.last().is_some_and(|last| last.is_empty())
            && lines.peek().is_none_or(|next| next.is_empty())
        {
            kept.pop();
        }
    }
    kept.join("\n")
}

/// A code as a voice reads it: one character after the other.
fn spelled(code: &Code) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(3 * code.expose().len()));
    for c in code.expose().chars() {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push(c);
    }
    out
}

/// Nothing invisible and, except in mail, nothing that breaks the line. No line begins with `@`:
/// `@host #code` would bind the code to that host (origin-bound one-time codes, WICG).
fn check_characters(source: &str, channel: Channel) -> Result<(), TemplateFault> {
    let mail = channel == Channel::Email;
    for c in source.chars() {
        let allowed = match c {
            // Isolates keep a code in order within text that runs from right to left. In a text
            // message each would cost a character and hide the code from autofill.
            '\n' | '\u{2066}'..='\u{2069}' => mail,
            c => !is_hidden(c),
        };
        if !allowed {
            return Err(TemplateFault::Character(c));
        }
    }
    if source.lines().any(|line| line.trim_start().starts_with('@')) {
        return Err(TemplateFault::OriginBinding);
    }
    Ok(())
}

/// Characters that break lines, turn the direction of text, or cannot be seen.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// The forms of a text, one per plural category that needs its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Forms(Vec<(PluralCategory, Text)>);

impl Forms {
    /// The same text for every number.
    pub(super) fn one(text: Text) -> Self {
        Self(vec![(PluralCategory::Other, text)])
    }

    /// A text per category; a category without one takes that of `other`.
    pub(super) fn new(forms: Vec<(PluralCategory, Text)>, plurals: &Plurals) -> Result<Self, TemplateFault> {
        let forms = Self(forms);
        match plurals.needed().into_iter().find(|category| forms.find(*category).is_none()) {
            Some(missing) => Err(TemplateFault::MissingCategory(super::plural::name(missing))),
            None => Ok(forms),
        }
    }

    fn find(&self, category: PluralCategory) -> Option<&Text> {
        let of = |wanted| self.0.iter().find(|(category, _)| *category == wanted).map(|(_, text)| text);
        of(category).or_else(|| of(PluralCategory::Other))
    }

    /// The text for a number of minutes. Beyond a day any form has to do.
    pub(super) fn pick(&self, plurals: &Plurals, minutes: u32) -> &Text {
        self.find(plurals.category(minutes)).unwrap_or(&self.0[0].1)
    }

    /// Each form with the longest number of minutes, up to `max`, that it is used for.
    pub(super) fn longest(&self, plurals: &Plurals, max: u32) -> Vec<(&Text, u32)> {
        (plurals.longest(max).into_iter())
            .filter_map(|(category, minutes)| Some((self.find(category)?, minutes)))
            .collect()
    }
}
