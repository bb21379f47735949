//! Logs and metrics know neither recipients nor codes.

use std::cell::RefCell;
use std::io;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;

use crate::support::{ALICE, Call, KEY, TestApp};

thread_local! {
    /// What this thread logged. A test runs on one thread, and the process has one subscriber: tracing
    /// may forget a second one's interest while other threads pass the same line.
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

/// Calls that name the recipient, the code and the key in every place where something can be named.
async fn name_them_everywhere(app: &TestApp) -> String {
    let id = app.start(ALICE).await;
    let code = app.code().await;
    for call in [
        Call::new("GET", "/v1/verifications?to=%2B12125550101&limit=1"),
        Call::new("GET", "/v1/verifications?%2B12125550101=1"),
        Call::new("GET", "/v1/recipients/+12125550101"),
        Call::new("GET", "/no/such/path/+12125550101"),
        Call::new("PUT", "/v1/recipients/+12125550101"),
        Call::post(&format!("/v1/verifications/{id}/check?code={code}")),
        Call::post(&format!("/v1/verifications/{id}/check")).text(&format!("{{\"code\": {code}}}")),
        Call::post(&format!("/v1/verifications/{id}/check")).json(&json!({"code": code, ALICE: code})),
        Call::post("/v1/verifications").json(&json!({"to": ALICE})).header("idempotency-key", ALICE),
        Call::new("GET", "/v1/verifications").header("x-request-id", "12125550101"),
    ] {
        app.send(call).await;
    }
    app.engine.set_down(true);
    app.send(Call::post("/v1/verifications/check").json(&json!({"to": ALICE, "code": code}))).await;
    code
}

#[tokio::test]
async fn a_log_names_routes_and_requests_and_nobody() {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(|| Log)
        .with_ansi(false)
        .without_time()
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let code = name_them_everywhere(&TestApp::new()).await;
    let log = String::from_utf8(LOG.take()).unwrap();
    let line = "INFO countersign::access: method=GET route=\"/v1/recipients/{to}\" status=200 duration_ms=";
    assert!(log.contains(line), "{log}");
    assert!(log.contains("ERROR"), "what the store said is logged: {log}");
    assert_eq!(log.matches("switched off by the test").count(), 1, "once: {log}");
    for secret in ["2125550101", &code, KEY] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn metrics_are_labelled_by_route() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let guard = metrics::set_default_local_recorder(&recorder);
    let code = name_them_everywhere(&TestApp::new()).await;
    drop(guard);
    let text = handle.render();
    let line =
        "countersign_http_requests_total{dialect=\"native\",route=\"/v1/recipients/{to}\",class=\"2xx\"} 1";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("dialect=\"none\",route=\"unmatched\",class=\"4xx\"} 1"), "{text}");
    for secret in ["2125550101", &code, KEY] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}
