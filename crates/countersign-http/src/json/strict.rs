//! A walk over any JSON value that keeps nothing and refuses what has two readings.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{self, Write};

use serde::Deserializer;
use serde::de::{Deserialize, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::{BadJson, MAX_DEPTH};

/// Checks a whole body.
pub(super) fn check(body: &[u8]) -> Result<(), BadJson> {
    let fault = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let walked = Walk { depth: 0, fault: &fault }.deserialize(&mut reader).and_then(|()| reader.end());
    match (walked, fault.into_inner()) {
        (Ok(()), _) => Ok(()),
        (Err(_), None) => Err(BadJson { field: None, detail: "the body is not JSON".into() }),
        (Err(_), Some(Fault { detail, path })) => {
            Err(BadJson { field: written(&path), detail: detail.into() })
        }
    }
}

/// What was found, with the way to it from the inside out.
struct Fault {
    detail: &'static str,
    path: Vec<Step>,
}

enum Step {
    Member(String),
    Item(usize),
}

fn written(path: &[Step]) -> Option<String> {
    let mut text = String::new();
    for step in path.iter().rev() {
        match step {
            Step::Member(name) if text.is_empty() => text.push_str(name),
            Step::Member(name) => text.extend([".", name]),
            Step::Item(index) => write!(text, "[{index}]").expect("writing into memory"),
        }
    }
    (!text.is_empty()).then_some(text)
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    depth: usize,
    fault: &'a RefCell<Option<Fault>>,
}

impl Walk<'_> {
    fn deeper(self) -> Option<Self> {
        (self.depth < MAX_DEPTH).then_some(Self { depth: self.depth + 1, ..self })
    }

    fn found<E: Error>(self, detail: &'static str) -> E {
        *self.fault.borrow_mut() = Some(Fault { detail, path: Vec::new() });
        E::custom(detail)
    }

    /// On the way back from a fault, the way is written down.
    fn passing<T, E>(self, result: Result<T, E>, step: impl FnOnce() -> Step) -> Result<T, E> {
        if result.is_err()
            && let Some(fault) = self.fault.borrow_mut().as_mut()
        {
            fault.path.push(step());
        }
        result
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper().ok_or_else(|| self.found("nested too deeply"))?;
        let mut index = 0;
        while self.passing(items.next_element_seed(inner), || Step::Item(index))?.is_some() {
            index += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.deeper().ok_or_else(|| self.found("nested too deeply"))?;
        let mut names = BTreeSet::new();
        while let Some(Name(name)) = members.next_key()? {
            if names.contains(&name) {
                let twice = Err(self.found("the member stands twice"));
                return self.passing(twice, || Step::Member(name.into_owned()));
            }
            self.passing(members.next_value_seed(inner), || Step::Member(name.to_string()))?;
            names.insert(name);
        }
        Ok(())
    }
}

/// A member's name, unescaped; borrowed where it has no escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct AnyString;
        impl<'de> Visitor<'de> for AnyString {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        reader.deserialize_str(AnyString)
    }
}
