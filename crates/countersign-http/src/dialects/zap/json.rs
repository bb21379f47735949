//! A JSON object of a few texts, read strictly.
//!
//! Duplicate members are refused at every depth, after unescaping, whether or not anybody looks at
//! them: two parsers that each keep another one of them disagree about what was asked for. So are
//! more than 16 levels, and anything but an object.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// The most levels of objects and arrays, the outermost one included.
const MAX_DEPTH: usize = 16;

/// The members of an object, by their unescaped names.
pub(super) struct Object(pub(super) BTreeMap<String, Value>);

/// A member's value, as far as this dialect cares.
pub(super) enum Value {
    Null,
    /// May be a code or a password: wiped when dropped.
    Text(Zeroizing<String>),
    /// A number, a flag, an array or an object.
    Other,
}

impl Object {
    /// Reads a body; `None` when it is not one strict JSON object.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value_seed(AtDepth(1))?;
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                }
                Ok(Object(members))
            }
        }
        // Not `deserialize_struct`: that would take an array for an object.
        deserializer.deserialize_map(Members)
    }
}

/// Reads a value that lies within so many objects and arrays.
#[derive(Clone, Copy)]
struct AtDepth(usize);

impl AtDepth {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.0 == MAX_DEPTH { Err(E::custom("too deep")) } else { Ok(Self(self.0 + 1)) }
    }
}

impl<'de> DeserializeSeed<'de> for AtDepth {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AtDepth {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a member stands twice"));
            }
            map.next_value_seed(inner)?;
        }
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::Object;

    fn is_strict(text: &str) -> bool {
        Object::parse(text.as_bytes()).is_some()
    }

    #[test]
    fn only_an_object_without_extras_is_read() {
        assert!(is_strict(r#"{"a":"x","b":null,"c":1.5e3,"d":[true,{"e":-1}]}"#));
        assert!(is_strict(" {} \n"));
        for bad in ["", "null", "[]", r#"["x"]"#, r#""x""#, "{", "{} {}", r#"{"a":1,}"#, "// x\n{}", "{a:1}"]
        {
            assert!(!is_strict(bad), "{bad}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_none());
        assert!(!is_strict(r#"{"a":"\ud800"}"#));
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_at_every_depth_and_however_it_is_spelled() {
        for bad in [
            r#"{"a":"x","a":"x"}"#,
            r#"{"code":"x","\u0063ode":"y"}"#,
            r#"{"a":null,"a":"x"}"#,
            r#"{"x":[{"a":1,"\u0061":2}]}"#,
        ] {
            assert!(!is_strict(bad), "{bad}");
        }
    }

    #[test]
    fn sixteen_levels_are_read_and_seventeen_are_not() {
        let nested =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(is_strict(&nested(16)));
        assert!(!is_strict(&nested(17)));
    }
}
