//! JSON bodies, read strictly.
//!
//! One reading only: a member that stands twice (also when it is spelt differently, `"c\u006fde"`),
//! nesting beyond any API's needs and anything behind the value are refused, before a single member is
//! looked at and whatever the type it is read into. `serde_json` alone would keep the last of two
//! members wherever it reads into a map or ignores what it does not know.

mod member;
mod strict;
mod texts;

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

pub use member::Member;
pub use texts::{Texts, UnknownFields};

/// The deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 16;

/// A body that is not what the call takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct BadJson {
    /// The member at fault, e.g. `client.ip`; `None` when it is the body as a whole.
    pub field: Option<String>,
    /// What is wrong, without repeating the value: that may be a code.
    pub detail: String,
}

/// Reads a body. Whether unknown members are refused is for `T` to say (`deny_unknown_fields`).
///
/// # Errors
/// See [`BadJson`].
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadJson> {
    strict::check(body)?;
    match serde_json::from_slice::<Object<T>>(body) {
        Ok(Object(value)) => Ok(value),
        Err(error) => Err(locate::<Object<T>>(body, &error)),
    }
}

/// A struct that stands for a JSON object. serde alone would also take a list of the struct's values, in
/// their order. [`parse`] does this for the body; structs within it have to be wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }
        reader.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// Reads the body once more, to tell which member is at fault: keeping track costs too much to do it
/// for every good request.
fn locate<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> BadJson {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let field = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => None,
        Err(located) => Some(located.path().to_string()).filter(|path| path != "."),
    };
    let message = error.to_string();
    let field = match (field, backquoted(&message, "missing field `")) {
        (Some(parent), Some(name)) => Some(format!("{parent}.{name}")),
        (None, Some(name)) => Some(name.to_owned()),
        (field, None) => field,
    };
    BadJson { field, detail: wording(&message) }
}

/// Our words for serde's message, which would repeat the value.
fn wording(message: &str) -> String {
    if message.starts_with("missing field") {
        return "the member is missing".into();
    }
    if message.starts_with("unknown field") {
        return "there is no such member".into();
    }
    if message.starts_with("must be ") {
        return without_position(message).to_owned(); // a type's own words
    }
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("must be {}", without_position(expected)),
        None => "not what this call takes".into(),
    }
}

fn without_position(text: &str) -> &str {
    text.split(" at line ").next().unwrap_or(text)
}

fn backquoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.split('`').next()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Body {
        to: String,
        #[serde(default)]
        client: Option<Object<Client>>,
        #[serde(default)]
        context: BTreeMap<String, String>,
        #[serde(default)]
        how: How,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Client {
        ip: String,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(try_from = "String")]
    struct How;

    impl TryFrom<String> for How {
        type Error = &'static str;
        fn try_from(_: String) -> Result<Self, Self::Error> {
            Err("must be a way")
        }
    }

    /// Reads what it knows and ignores the rest, as some dialects must.
    #[derive(Debug, Deserialize, PartialEq)]
    struct Lenient {
        to: String,
    }

    fn refusal<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> (Option<String>, String) {
        let bad = parse::<T>(body.as_bytes()).unwrap_err();
        (bad.field, bad.detail)
    }

    fn field(body: &str) -> String {
        refusal::<Body>(body).0.unwrap_or_default()
    }

    #[test]
    fn the_member_at_fault_is_named_and_its_value_is_not() {
        assert_eq!(refusal::<Body>("{}"), (Some("to".into()), "the member is missing".into()));
        assert_eq!(refusal::<Body>(r#"{"to":123456}"#), (Some("to".into()), "must be a string".into()));
        assert_eq!(field(r#"{"to":"a","client":{"ip":5}}"#), "client.ip");
        assert_eq!(field(r#"{"to":"a","client":{}}"#), "client.ip");
        assert_eq!(field(r#"{"to":"a","context":{"amount":5}}"#), "context.amount");
        assert_eq!(
            refusal::<Body>(r#"{"to":"a","x":1}"#),
            (Some("x".into()), "there is no such member".into())
        );
        let how = refusal::<Body>(r#"{"to":"a","how":"fax, expected x"}"#);
        assert_eq!(how, (Some("how".into()), "must be a way".into()));
        assert_eq!(
            refusal::<Body>(r#"{"to":"a","client":["::1"]}"#),
            (Some("client".into()), "must be an object".into())
        );
        for body in ["[]", r#"["a"]"#, "null", "1"] {
            assert_eq!(refusal::<Body>(body), (None, "must be an object".into()), "{body}");
        }
    }

    /// Shows: A11.
    #[test]
    fn a_member_stands_once_however_it_is_spelt_and_wherever_it_stands() {
        assert_eq!(
            refusal::<Body>(r#"{"to":"a","to":"b"}"#),
            (Some("to".into()), "the member stands twice".into())
        );
        assert_eq!(field(r#"{"to":"a","t\u006f":"b"}"#), "to");
        assert_eq!(field(r#"{"to":"a","context":{"x":"1","\u0078":"2"}}"#), "context.x");
        let lenient = |body| refusal::<Lenient>(body).0.unwrap_or_default();
        assert_eq!(lenient(r#"{"to":"a","other":1,"other":2}"#), "other");
        assert_eq!(lenient(r#"{"to":"a","other":[{},{"x":1,"x":1}]}"#), "other[1].x");
    }

    /// Shows: A22.
    #[test]
    fn a_body_is_one_value_of_bounded_depth() {
        let nested =
            |depth: usize| format!(r#"{{"to":"a","o":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(parse::<Lenient>(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert_eq!(refusal::<Lenient>(&nested(MAX_DEPTH)).1, "nested too deeply");
        for bad in [
            "",
            " ",
            "{",
            "nul",
            r#"{"to":"a"}x"#,
            r#"{"to":"a"}{}"#,
            r#"{"to":"a",}"#,
            "{'to':'a'}",
            "\u{feff}{\"to\":\"a\"}",
            r#"{"to":"\ud800"}"#,
            "{\"to\":\"a\nb\"}",
            "// c\n{\"to\":\"a\"}",
        ] {
            assert_eq!(refusal::<Lenient>(bad), (None, "the body is not JSON".into()), "{bad:?}");
        }
        assert!(parse::<Lenient>(b"{\"to\":\"\xff\"}").is_err());
        assert!(parse::<Lenient>(b" \r\n\t{\"to\":\"a\"} \n").is_ok());
    }
}
