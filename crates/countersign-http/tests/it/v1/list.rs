//! `GET /v1/verifications`.

use serde_json::{Value, json};

use crate::support::{ALICE, BOB, TestApp};

async fn page(app: &TestApp, query: &str) -> Value {
    let answer = app.get(&format!("/v1/verifications?{query}")).await;
    assert_eq!(answer.status, 200, "{answer}");
    answer.json()
}

fn ids(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|v| v["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_newest_comes_first_and_pages_meet_without_gap_or_overlap() {
    let app = TestApp::new();
    let mut all = Vec::new();
    for n in 0..5 {
        all.insert(0, app.start(&format!("+1212555010{n}")).await);
        app.wait(1);
    }
    assert_eq!(ids(&page(&app, "").await), all);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(&app, &format!("limit=2{cursor}")).await;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn the_last_full_page_says_that_it_is_the_last() {
    let app = TestApp::new();
    app.start(ALICE).await;
    assert_eq!(page(&app, "limit=1").await["next_cursor"], json!(null));
    assert_eq!(page(&TestApp::new(), "").await, json!({"data": [], "next_cursor": null}));
}

#[tokio::test]
async fn it_is_filtered_by_recipient_and_status() {
    let app = TestApp::new();
    let (alice, bob) = (app.start(ALICE).await, app.start(BOB).await);
    let cancel = format!("/v1/verifications/{bob}/cancel");
    app.post(&cancel, json!({})).await;
    assert_eq!(ids(&page(&app, "to=%2B12125550101").await), [alice.as_str()]);
    assert_eq!(ids(&page(&app, "to=+12125550102").await), [bob.as_str()], "a plus that was not encoded");
    assert_eq!(ids(&page(&app, "status=canceled").await), [bob.as_str()]);
    assert!(ids(&page(&app, "to=%2B12125550101&status=canceled").await).is_empty());
    app.wait(600);
    assert_eq!(ids(&page(&app, "status=expired").await), [alice.as_str()]);
}

#[tokio::test]
async fn a_query_is_read_strictly() {
    let app = TestApp::new();
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("status=done", "status"),
        ("cursor=x", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("limit=1&limit=1", "limit"),
        ("status=pending&%73tatus=pending", "status"),
        ("page=2", "page"),
    ] {
        let answer = app.get(&format!("/v1/verifications?{query}")).await;
        assert_eq!(answer.fault(), ("malformed-request".into(), field.into()), "{query}");
    }
    for to in ["", "0101", "%20", "%00", "++12125550101"] {
        let answer = app.get(&format!("/v1/verifications?to={to}")).await;
        assert_eq!(answer.fault(), ("invalid-recipient".into(), "to".into()), "{to}");
    }
}
