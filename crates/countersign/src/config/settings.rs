//! Lists every setting that the configuration's types know, for the test that compares them with the
//! example file.
//!
//! A type is asked to read itself from a [`Probe`], which gives it nothing but the way to one place,
//! and writes down the names of the fields that a struct there asks for. Reading then fails; the
//! names remain.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

/// Every setting of `T` by its path, e.g. `server.listen`. Elements of lists have no index.
pub(super) fn of<T: for<'de> Deserialize<'de>>() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        let mut fields = Vec::new();
        let _always_fails = T::deserialize(Probe { path: &path, fields: &mut fields });
        for field in fields {
            let mut path: Vec<&'static str> = path.clone();
            path.push(field);
            found.insert(path.join("."));
            waiting.push(path);
        }
    }
    found
}

#[derive(Debug)]
struct Nothing;

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is nothing here")
    }
}

impl std::error::Error for Nothing {}

impl de::Error for Nothing {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Self
    }
}

struct Probe<'a> {
    /// The way that is left.
    path: &'a [&'static str],
    /// The fields that stand at its end.
    fields: &'a mut Vec<&'static str>,
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Nothing;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Nothing> {
        if name.starts_with("$__serde_spanned") {
            // A value with its place: start, end, and the value itself.
            return visitor.visit_map(Spanned { fields: fields.iter(), current: "", probe: Some(self) });
        }
        match self.path.split_first() {
            None => {
                self.fields.extend(fields);
                Err(Nothing)
            }
            Some((first, rest)) => {
                visitor.visit_map(One { key: Some(first), path: rest, fields: self.fields })
            }
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Nothing> {
        match self.path.split_first() {
            None => {
                self.fields.push("*");
                Err(Nothing)
            }
            Some((first, rest)) => {
                visitor.visit_map(One { key: Some(first), path: rest, fields: self.fields })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Nothing> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Nothing> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Nothing> {
        visitor.visit_seq(Element(Some(self)))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Nothing> {
        Err(Nothing)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

/// A struct or map with one field.
struct One<'a> {
    key: Option<&'static str>,
    path: &'a [&'static str],
    fields: &'a mut Vec<&'static str>,
}

impl<'de> MapAccess<'de> for One<'_> {
    type Error = Nothing;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Nothing> {
        let key = self.key.take().map(|key| -> StrDeserializer<'_, Nothing> { key.into_deserializer() });
        key.map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Nothing> {
        seed.deserialize(Probe { path: self.path, fields: self.fields })
    }
}

/// A list with one element.
struct Element<'a>(Option<Probe<'a>>);

impl<'de> SeqAccess<'de> for Element<'_> {
    type Error = Nothing;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Nothing> {
        self.0.take().map(|probe| seed.deserialize(probe)).transpose()
    }
}

/// What `toml::Spanned` reads itself from.
struct Spanned<'a> {
    fields: std::slice::Iter<'static, &'static str>,
    current: &'static str,
    probe: Option<Probe<'a>>,
}

impl<'de> MapAccess<'de> for Spanned<'_> {
    type Error = Nothing;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Nothing> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        self.current = field;
        let key: StrDeserializer<'_, Nothing> = self.current.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Nothing> {
        if self.current.ends_with("value") {
            seed.deserialize(self.probe.take().ok_or(Nothing)?)
        } else {
            seed.deserialize(0usize.into_deserializer())
        }
    }
}
