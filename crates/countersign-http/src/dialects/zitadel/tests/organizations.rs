//! The organisation that a call names in its header.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::app::{App, MINI, ORGANIZATION, Reply, said};

/// A service of another organisation of the tenant, and one that no token has.
const NEIGHBOURS: &str = "79629023906488334";
const LISTED: &str = "99629023906488334";

async fn get(app: &App, path: &str, organization: &str) -> Reply {
    let request = Request::get(path)
        .header("authorization", "Bearer PAT123")
        .header("x-zitadel-orgid", organization)
        .body(Body::empty());
    app.send(request.unwrap()).await
}

#[tokio::test]
async fn an_organisation_that_the_options_list_exists_and_others_do_not() {
    let user = format!("/v2/users/{MINI}");
    let app = App::new().await;
    assert_eq!(get(&app, &user, LISTED).await.status, 403);
    assert_eq!(get(&app, &user, NEIGHBOURS).await.status, 200);
    let app = App::with(&json!({ "organizations": [LISTED] })).await;
    assert_eq!(get(&app, &user, LISTED).await.status, 200);
    assert_eq!(get(&app, &user, "89629023906488334").await.status, 403, "another tenant's");
}

#[tokio::test]
async fn an_empty_header_names_no_organisation() {
    let app = App::new().await;
    assert_eq!(get(&app, &format!("/v2/users/{MINI}"), "").await.status, 200);
    assert_eq!(get(&app, &format!("/management/v1/users/{MINI}/phone"), "").await.status, 200);
}

/// Management calls are about the named organisation, in which the caller has a role or has none.
#[tokio::test]
async fn a_management_call_may_name_the_callers_own_organisation_and_no_other() {
    let app = App::with(&json!({ "organizations": [LISTED] })).await;
    let phone = format!("/management/v1/users/{MINI}/phone");
    assert_eq!(get(&app, &phone, ORGANIZATION).await.status, 200);
    for other in [NEIGHBOURS, LISTED] {
        assert_eq!(get(&app, &phone, other).await.says(), said(404, "AUTHZ-cdgFk"), "{other}");
    }
}
