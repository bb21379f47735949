//! What a line of the log may look like.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::json;

use crate::support::Installation;

/// An object whose names are all different, in all its depth that log lines have.
struct Unique(BTreeSet<String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut names = BTreeSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "fields" {
                        let Unique(inner) = map.next_value()?;
                        names.extend(inner.into_iter().map(|name| format!("fields.{name}")));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                    assert!(names.insert(name.clone()), "{name} stands there twice");
                }
                Ok(Unique(names))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// The line of a failed delivery had the text and the message's id under the same name, so that a reader of
/// logs kept one of them.
#[test]
fn every_name_of_a_log_line_about_a_delivery_stands_there_once_and_none_is_the_recipients() {
    let installation = Installation::new("log.format = 'json'");
    let server = installation.serve();
    let answer = server.post("/v1/verifications", &json!({ "to": "+12125550123", "purpose": "login" }));
    assert_eq!(answer.status, 201, "{answer:?}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !server.log().contains("delivery failed") {
        assert!(Instant::now() < deadline, "{}", server.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    let log = server.log();
    for line in log.lines() {
        let Unique(names) = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if line.contains("delivery failed") {
            assert!(names.contains("fields.message_id") && names.contains("fields.message"), "{line}");
        }
    }
    assert!(!log.contains("2125550123"), "{log}");
}
