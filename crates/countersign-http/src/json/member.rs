//! A member of a body, as far as dialects with flat bodies care.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// A member's value. Not an untagged enum of serde's: that would keep copies of texts, which may be
/// codes and passwords.
pub enum Member {
    /// `null`.
    Null,
    /// Wiped when dropped.
    Text(Zeroizing<String>),
    /// As it is written, if it is an integer (JSON has one spelling for each); a number with a point or
    /// an exponent keeps one, so that it is never taken for an integer.
    Number(String),
    /// A flag, an array or an object.
    Other,
}

/// What it holds may be a code: only its kind is shown.
impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Text(_) => "Text(******)",
            Self::Number(_) => "Number(******)",
            Self::Other => "Other",
        })
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyMember)
    }
}

struct AnyMember;

impl<'de> Visitor<'de> for AnyMember {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Member, E> {
        Ok(Member::Null)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Member, E> {
        Ok(Member::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Member, E> {
        Ok(Member::Number(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Member, E> {
        Ok(Member::Number(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Member, E> {
        Ok(Member::Number(format!("{number:?}")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Member, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Member::Other)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeMap;

    use super::*;

    fn member(text: &str) -> Member {
        let body = format!("{{\"m\":{text}}}");
        let mut members: BTreeMap<String, Member> = crate::json::parse(body.as_bytes()).unwrap();
        members.remove("m").unwrap()
    }

    #[test]
    fn an_integer_is_taken_as_it_is_written_and_nothing_else_is_one() {
        for text in ["0", "-1", "1744773894369", "18446744073709551615"] {
            assert!(matches!(member(text), Member::Number(number) if number == text), "{text}");
        }
        for text in ["3.0", "3e0", "30e-1", "18446744073709551616"] {
            let Member::Number(number) = member(text) else { panic!("{text} is a number") };
            assert!(number.contains(['.', 'e']), "{text}: {number}");
        }
    }

    #[test]
    fn kinds_are_told_apart_and_contents_not_shown() {
        let shown = |text: &str| format!("{:?}", member(text));
        assert_eq!(shown(r#""483\u0039""#), "Text(******)");
        assert_eq!([shown("null"), shown("4839")], ["Null", "Number(******)"]);
        for other in ["true", "[]", "{}", r#"["4839"]"#] {
            assert_eq!(shown(other), "Other", "{other}");
        }
    }
}
