//! Where the links in mails may lead, and who says so.

use serde_json::json;

use super::app::{App, MINI, said};

/// Asks for another mail with this link, as this token; the answer, and whether a mail left.
async fn ask(app: &App, token: &str, url: &str) -> ((u16, String), usize) {
    app.wait(3600);
    let body = json!({ "sendCode": { "urlTemplate": url } }).to_string();
    let reply = app.call(token, "POST", &format!("/v2/users/{MINI}/email/send"), &body).await;
    (reply.says(), app.sent().await.len())
}

/// Shows: F13.
#[tokio::test]
async fn f13_where_hosts_are_listed_everybodys_links_lead_there() {
    let options = json!({ "url_template_hosts": ["app.example.com", "myapp://"] });
    let app = App::with(&options).await;
    for token in ["HUMAN456", "PAT123"] {
        for good in ["https://app.example.com/?c={{.Code}}", "myapp://confirm/{{.Code}}"] {
            assert_eq!(ask(&app, token, good).await, (said(200, ""), 1), "{token}: {good}");
        }
        for bad in ["https://evil.example/?c={{.Code}}", "https://app.example.com@evil.example/{{.Code}}"] {
            assert_eq!(ask(&app, token, bad).await, (said(403, "CSIGN-Ut4hx"), 0), "{token}: {bad}");
        }
    }
}

/// Shows: F13.
#[tokio::test]
async fn f13_where_none_is_listed_only_who_may_write_users_names_a_link() {
    let app = App::new().await;
    let url = "https://anywhere.example/?c={{.Code}}";
    assert_eq!(ask(&app, "PAT123", url).await, (said(200, ""), 1));
    assert_eq!(ask(&app, "HUMAN456", url).await, (said(403, "CSIGN-Ut4hx"), 0));
}

/// Shows: F13.
#[tokio::test]
async fn f13_a_new_users_first_mail_leads_to_a_listed_host_too() {
    let app = App::with(&json!({ "url_template_hosts": ["app.example.com"] })).await;
    let add = async |id: &str, url: &str| {
        let body = json!({
            "userId": id, "profile": { "givenName": "M", "familyName": "M" },
            "email": { "email": format!("{id}@mouse.com"), "sendCode": { "urlTemplate": url } },
        });
        (app.post("/v2/users/human", body).await.says(), app.sent().await.len())
    };
    assert_eq!(add("u1", "https://evil.example/{{.Code}}").await, (said(403, "CSIGN-Ut4hx"), 0));
    assert_eq!(add("u1", "https://app.example.com/{{.Code}}").await, (said(200, ""), 1));
}
