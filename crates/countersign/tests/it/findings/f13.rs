//! F13: a plain user's token put any link with the code in it into a mail of the brand.

use serde_json::json;

use crate::support::{Answer, TestApp};

const USER: &str = "69629023906488400";
const SERVICE: &str = "dev-zitadel-service-token";
const HUMAN: &str = "dev-zitadel-human-token";

async fn post(app: &TestApp, token: &str, path: &str, body: serde_json::Value) -> Answer {
    let bearer = format!("Bearer {token}");
    app.call("POST", path, &[("authorization", &bearer)], Some(body)).await
}

/// Shows: F13.
#[tokio::test]
async fn f13_a_plain_users_token_names_no_link_for_a_mail() {
    let app = TestApp::new();
    let somebody = json!({
        "userId": USER,
        "profile": {"givenName": "Mallory", "familyName": "Mouse"},
        "email": {"email": "victim@example.com", "returnCode": {}},
    });
    assert_eq!(post(&app, SERVICE, "/v2/users/human", somebody).await.status, 200);
    let lure = json!({"urlTemplate": "https://evil.example/?c={{.Code}}"});
    let rest = format!("/v2/users/{USER}/email");
    let connect = "/zitadel.user.v2.UserService";
    for (path, body) in [
        (format!("{rest}/send"), json!({ "sendCode": lure })),
        (format!("{rest}/resend"), json!({ "sendCode": lure })),
        (rest.clone(), json!({"email": "other@example.com", "sendCode": lure})),
        (format!("{connect}/SendEmailCode"), json!({"userId": USER, "sendCode": lure})),
        (
            format!("{connect}/SetEmail"),
            json!({"userId": USER, "email": "other@example.com", "sendCode": lure}),
        ),
    ] {
        let answer = post(&app, HUMAN, &path, body).await;
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        assert!(answer.body.contains("CSIGN-Ut4hx"), "{path}: {answer:?}");
    }
    assert!(app.sent().await.is_empty());
    // Without a link the same call is theirs to make, and with one it is the service's.
    for (token, body, has_link) in [(HUMAN, json!({}), false), (SERVICE, json!({ "sendCode": lure }), true)] {
        assert_eq!(post(&app, token, &format!("{rest}/send"), body).await.status, 200, "{token}");
        // Looked at before the next one: it would take this one's place.
        let links: Vec<bool> = app.sent().await.iter().map(|mail| mail.link.is_some()).collect();
        assert_eq!(links, [has_link], "{token}");
        app.advance(30);
    }
}
