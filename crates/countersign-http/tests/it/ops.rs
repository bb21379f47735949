//! `/livez` and `/readyz`.

use crate::support::TestApp;

/// Shows: O1.
#[tokio::test]
async fn a_node_that_cannot_write_is_alive_but_not_ready() {
    let app = TestApp::new();
    assert_eq!(app.get("/readyz").await.status, 200);
    app.engine.set_down(true);
    assert_eq!(app.get("/readyz").await.status, 503);
    assert_eq!(app.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_leaving_node_is_not_ready_but_still_serves() {
    let app = TestApp::new();
    app.readiness.leave();
    assert_eq!(app.get("/readyz").await.status, 503);
    assert_eq!(app.get("/v1/verifications").await.status, 200);
}

/// Shows: O1.
#[tokio::test]
async fn probes_reveal_no_version() {
    let app = TestApp::new();
    for path in ["/readyz", "/livez"] {
        let answer = app.get(path).await;
        assert!(!answer.body.contains(char::is_numeric), "{answer}");
        assert_eq!(answer.header("server"), None);
    }
}
