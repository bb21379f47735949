//! `/problems`.

use countersign_http::problem::Kind;

use crate::support::TestApp;

/// Shows: O7.
#[tokio::test]
async fn every_type_leads_to_a_page_that_says_what_to_do() {
    let app = TestApp::new();
    let index = app.get("/problems").await;
    for kind in Kind::ALL {
        let page = app.get(kind.type_uri()).await;
        assert_eq!(
            (page.status.as_u16(), page.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        assert!(page.body.contains(kind.title()) && page.body.contains("What to do"));
        assert!(index.body.contains(&format!("href=\"{}\"", kind.type_uri())));
    }
    assert_eq!(app.get("/problems/nonsense").await.problem(), "not-found");
}

#[tokio::test]
async fn a_page_runs_nothing() {
    let page = TestApp::new().get("/problems/cool-down").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !page.body.contains("<script"));
}
