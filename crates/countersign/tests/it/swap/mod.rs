//! A code is good where it was asked for and nowhere else: each code is presented under every other
//! tenant, purpose, channel, recipient and verification, over every wire API. And what is counted for a
//! recipient is counted over all of them.

mod enduserapi;
mod places;
mod rate;

use std::collections::BTreeSet;
use std::path::Path;

use countersign::config::{Config, ServiceConfig};
use serde_json::json;

use crate::support::TestApp;
use places::{Api, Place, places, twins};

/// Two tenants, each served under every wire API.
fn config(policy: &str) -> ServiceConfig {
    let text = include_str!("tenants.toml").replace("# the policy of the test", policy);
    Config::parse("tenants.toml", &text, Path::new("."), &|_| None).unwrap().service
}

/// So wide that a round meets none of them.
const WIDE: &str = "limits.starts_per_hour = 100\nlimits.starts_per_day = 100\n\
    limits.messages_per_hour = 100\nlimits.messages_per_day = 100";

/// One code, presented everywhere else and then where it belongs.
async fn round(issued: Place, others_are_pending: bool) {
    let app = TestApp::serving(config(WIDE));
    let mut own = None;
    let mut elsewhere = Vec::new();
    for place in places() {
        let is_own = place == issued;
        if is_own || others_are_pending {
            let (id, code) = place.issue(&app).await;
            if is_own {
                own = Some((id, code));
            } else {
                elsewhere.push((place, id));
            }
        } else {
            elsewhere.push((place, None));
        }
    }
    let (id, code) = own.expect("it is one of the places");
    for (place, id) in elsewhere {
        let accepted = place.accepts(&app, id.as_deref(), &code).await;
        assert!(!accepted, "a code of {issued:?} is good at {place:?}");
    }
    assert!(issued.accepts(&app, id.as_deref(), &code).await, "{issued:?}: its own code is refused");
    assert!(!issued.accepts(&app, id.as_deref(), &code).await, "{issued:?}: a code is good twice");
}

/// Shows: A6.
#[tokio::test]
async fn a_code_is_refused_at_every_other_place_that_waits_for_one() {
    for place in places() {
        round(place, true).await;
    }
}

/// Shows: A6.
#[tokio::test]
async fn a_code_is_refused_at_every_other_place_where_nothing_is_pending() {
    for place in places() {
        round(place, false).await;
    }
}

/// Shows: A6.
#[tokio::test]
async fn a_code_is_refused_under_every_verification_but_its_own() {
    let app = TestApp::serving(config(WIDE));
    let mut issued = Vec::new();
    for place in places().into_iter().filter(Place::has_ids) {
        let (id, code) = place.issue(&app).await;
        issued.push((place, id.unwrap(), code));
    }
    assert!(issued.len() > 3);
    for (own, own_id, code) in &issued {
        for (place, id, _) in issued.iter().filter(|(_, id, _)| id != own_id) {
            for asker in [own, place] {
                let accepted = asker.accepts(&app, Some(id), code).await;
                assert!(!accepted, "a code of {own:?} is good at {place:?}, asked by {asker:?}");
            }
        }
    }
}

/// Two wire APIs may have one name for what a code is for: crypterium's sign-ups and a native purpose.
/// Shows: A6.
#[tokio::test]
async fn a_code_is_refused_over_another_wire_api_that_has_the_same_purpose() {
    for (issued, other) in twins() {
        let app = TestApp::serving(config(WIDE));
        let (id, code) = issued.issue(&app).await;
        for named in [id.as_deref(), None] {
            let accepted = other.accepts(&app, named, &code).await;
            assert!(!accepted, "a code of {issued:?} is good at {other:?}");
        }
        assert!(issued.accepts(&app, id.as_deref(), &code).await, "{issued:?}: its own code is refused");
    }
}

/// All places of one recipient of one tenant.
fn places_of_one() -> Vec<Place> {
    let of_one: Vec<Place> = places().into_iter().filter(|place| place.is_like(&places()[0])).collect();
    let apis: BTreeSet<Api> = of_one.iter().map(|place| place.api).collect();
    assert!(apis.len() > 1, "one wire API alone shares with nobody");
    of_one
}

/// A guess at each place: as many as may be hold the recipient at all of them, one fewer holds nothing.
/// Shows: A1, A3, P23, P27.
#[tokio::test]
async fn wrong_guesses_at_a_recipient_are_counted_over_all_wire_apis() {
    let of_one = places_of_one();
    for (most, is_held) in [(of_one.len(), true), (of_one.len() + 1, false)] {
        let app = TestApp::serving(config(&format!("{WIDE}\nlimits.failed_checks_per_day = {most}")));
        let mut issued = Vec::new();
        for place in &of_one {
            let (id, code) = place.issue(&app).await;
            issued.push((place, id, code));
        }
        for (place, id, code) in &issued {
            let wrong: String = code.chars().rev().map(|c| if c == '1' { '2' } else { '1' }).collect();
            assert!(!place.accepts(&app, id.as_deref(), &wrong).await, "{place:?}");
        }
        for (place, id, code) in &issued {
            assert_eq!(place.accepts(&app, id.as_deref(), code).await, !is_held, "{place:?}, {most}");
            if !is_held {
                break; // a proof may be all that another place was waiting for
            }
        }
    }
}

/// Five an hour, whoever is asked for the sixth.
/// Shows: I5, A3.
#[tokio::test]
async fn what_a_recipient_is_sent_is_counted_over_all_wire_apis() {
    let app = TestApp::serving(config("limits.starts_per_hour = 5"));
    let of_one = places_of_one();
    let mut sent = 0;
    // Cool-downs are of one verification each; the hour's window is the recipient's.
    for _ in 0..5 {
        for place in &of_one {
            place.ask(&app).await;
            sent += app.sent().await.len();
            app.advance(1);
        }
        app.advance(601);
    }
    assert_eq!(sent, 5);
    let refused = app.post_as(of_one[0].key(), "/v1/verifications", json!({"to": of_one[0].to})).await;
    assert_eq!(refused.status, 429, "{refused:?}");
}
