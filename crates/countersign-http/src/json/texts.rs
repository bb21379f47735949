//! Bodies that are flat: members that are texts, and others that do not matter.

use std::collections::BTreeMap;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{BadJson, Member, parse};

/// What an unknown member of a body does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownFields {
    /// The request is malformed.
    #[default]
    Refuse,
    /// Nothing.
    Ignore,
}

/// The members of a flat body that are there: not absent, not `null`, not empty. They are wiped when
/// dropped.
#[derive(Default)]
pub struct Texts(BTreeMap<String, Zeroizing<String>>);

impl Texts {
    /// Reads a body that may have the members `known`, which are texts, and `ignored`, which may be
    /// anything.
    ///
    /// # Errors
    /// It is no object, a member stands twice, is of another type, or is one that `unknown` refuses.
    pub fn read(
        body: &[u8],
        known: &[&str],
        ignored: &[&str],
        unknown: UnknownFields,
    ) -> Result<Self, BadJson> {
        let members: BTreeMap<String, Member> = parse(body)?;
        let mut texts = BTreeMap::new();
        for (name, member) in members {
            let refused = |detail: &str| BadJson { field: Some(name.clone()), detail: detail.to_owned() };
            match member {
                Member::Text(text) if known.contains(&&*name) => {
                    if !text.is_empty() {
                        texts.insert(name, text);
                    }
                }
                Member::Null if known.contains(&&*name) => {}
                Member::Number(_) | Member::Other if known.contains(&&*name) => {
                    return Err(refused("must be a string"));
                }
                _ if ignored.contains(&&*name) || unknown == UnknownFields::Ignore => {}
                _ => return Err(refused("there is no such member")),
            }
        }
        Ok(Self(texts))
    }

    /// Whether none of the known members is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A member; `None` if it is not there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.as_str())
    }

    /// The same, out of here.
    pub fn take(&mut self, name: &str) -> Option<Zeroizing<String>> {
        self.0.remove(name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read(body: &str, unknown: UnknownFields) -> Result<Texts, BadJson> {
        Texts::read(body.as_bytes(), &["a", "b"], &["x"], unknown)
    }

    fn refusal(body: &str) -> (Option<String>, String) {
        let bad = read(body, UnknownFields::Refuse).err().unwrap();
        (bad.field, bad.detail)
    }

    #[test]
    fn null_and_the_empty_text_are_absent() {
        for body in ["{}", r#"{"a":null,"b":""}"#, r#"{"x":["anything",7]}"#] {
            assert!(read(body, UnknownFields::Refuse).unwrap().is_empty(), "{body}");
        }
        let mut texts = read(r#"{"a":" ","b":null}"#, UnknownFields::Refuse).unwrap();
        assert_eq!((texts.get("a"), texts.get("b"), texts.is_empty()), (Some(" "), None, false));
        assert_eq!(texts.take("a").unwrap().as_str(), " ");
        assert!(texts.is_empty());
    }

    #[test]
    fn a_known_member_is_a_text_whatever_is_ignored() {
        for value in ["7", "true", "[]", "{}", r#"["a"]"#] {
            let body = format!(r#"{{"a":{value}}}"#);
            assert_eq!(refusal(&body), (Some("a".into()), "must be a string".into()));
            assert!(read(&body, UnknownFields::Ignore).is_err(), "{value}");
        }
    }

    #[test]
    fn an_unknown_member_is_refused_unless_it_is_ignored() {
        assert_eq!(refusal(r#"{"c":1}"#), (Some("c".into()), "there is no such member".into()));
        let texts = read(r#"{"a":"1","c":{"a":"2"}}"#, UnknownFields::Ignore).unwrap();
        assert_eq!((texts.get("a"), texts.get("c")), (Some("1"), None));
        assert!(read(r#"{"c":1,"c":2}"#, UnknownFields::Ignore).is_err(), "twice is twice");
    }
}
