//! What is logged while more is asked than the store can take.

use std::cell::RefCell;
use std::io;

use countersign_core::engine::StorageError;
use serde_json::json;

use crate::support::{Answer, TestApp, signed};

thread_local! {
    /// What this thread logged: a test runs on one thread, and the process has one subscriber.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The error lines since the last look.
fn errors() -> usize {
    String::from_utf8(LOG.take()).unwrap().lines().filter(|line| line.contains("ERROR")).count()
}

/// One call of each wire API that needs the store.
async fn calls(app: &TestApp) -> Vec<Answer> {
    let phone = "+12125550123";
    let merchant = [("x-merchant-id", "bece038f-2e46-49f4-b25e-89cd38d6dc16"), ("x-fingerprint", "1234444")];
    let zap = [("authorization", "Bearer dev-zap-token")];
    let bearer = [("authorization", "Bearer dev-zitadel-service-token")];
    let user = "/v2/users/69629023906488400/phone/resend";
    let end_user = signed("13800138000", "codeType", "3", 1, app.now().as_millis());
    vec![
        app.post("/v1/verifications", json!({ "to": phone })).await,
        app.call("POST", "/v1/otp/resend", &zap, Some(json!({"email": "ann@example.com"}))).await,
        app.call("POST", "/v2/mobile/phone/verify/resend", &merchant, Some(json!({ "phone": phone }))).await,
        app.call("POST", "/v2/sms/enduserapi/v2/sendPhoneSmsCode", &[], Some(end_user)).await,
        app.call("POST", user, &bearer, Some(json!({}))).await,
    ]
}

/// Under a flood a line for each request would be a second flood. The status is in the access log and the metrics.
#[tokio::test]
async fn an_overloaded_store_is_no_error_line_over_any_wire_api() {
    let subscriber = tracing_subscriber::fmt().with_writer(|| Log).with_ansi(false).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let app = TestApp::failing(&StorageError::Unavailable("the test took the store away".to_owned()));
    let answers = calls(&app).await;
    assert!(answers.iter().all(|answer| answer.status == 503), "{answers:?}");
    assert_eq!(errors(), answers.len(), "a store that does not answer is an error");
    let app = TestApp::failing(&StorageError::Overloaded);
    let answers = calls(&app).await;
    assert!(answers.iter().all(|answer| answer.status == 503), "{answers:?}");
    assert_eq!(errors(), 0);
}
