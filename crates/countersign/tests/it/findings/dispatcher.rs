//! Receivers that hang, and nodes that die with messages in flight.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Hanging, Installation, Server, Webhook, sha256};

fn provider(name: &str, address: std::net::SocketAddr) -> String {
    format!(
        "[[providers]]\nkind = 'webhook'\nname = '{name}'\nurl = 'http://{address}/'\n\
         signing_keys = ['0123456789abcdef']\nchannels = ['email']\n"
    )
}

fn tenant(id: &str, route: &str) -> String {
    let key = sha256(&format!("csk_{id}"));
    format!(
        "[[tenants]]\nid = '{id}'\nbrand = '{id}'\nroutes = ['{route}']\n\
         [[tenants.api_keys]]\nname = 'test'\nsha256 = '{key}'\nscopes = ['verify']\n"
    )
}

/// An installation with these providers and tenants.
fn installation(sections: &[String]) -> Installation {
    let installation = Installation::new("");
    installation
        .configure(&format!("server.listen = '127.0.0.1:0'\n[keys]\nfile = 'keys'\n{}", sections.concat()));
    installation
}

fn start(server: &Server, tenant: &str, to: &str) {
    let authorization = format!("Authorization: Bearer csk_{tenant}");
    let headers = [&*authorization, "Content-Type: application/json"];
    let body = json!({ "to": to, "purpose": "login" }).to_string();
    let answer = server.send("POST", "/v1/verifications", &headers, &body);
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// Four batches waited for four messages that hung, and everybody else's for these batches.
///
/// Shows: F7, E1.
#[test]
fn f7_a_receiver_that_hangs_keeps_nobody_elses_messages_waiting() {
    let (hanging, healthy) = (Hanging::start(), Webhook::start());
    let installation = installation(&[
        provider("hanging", hanging.address()),
        provider("healthy", healthy.address()),
        tenant("unlucky", "hanging"),
        tenant("other", "healthy"),
    ]);
    let server = installation.serve();
    for n in 0..40 {
        start(&server, "unlucky", &format!("user{n}@example.com"));
    }
    hanging.until("all of them are under way at the same time", |hanging| hanging.most() == 40);
    for n in 0..5 {
        let to = format!("other{n}@example.com");
        start(&server, "other", &to);
        healthy.code_for(&to, &[]);
    }
    assert!(hanging.under_way() > 0, "they left while the others still hung");
}

/// It waited for its lease of thirty seconds, which nobody could hold.
///
/// Shows: E11.
#[test]
fn e11_what_was_in_flight_at_a_kill_goes_out_at_once_after_the_restart() {
    let hanging = Hanging::start();
    let installation = installation(&[provider("phone", hanging.address()), tenant("t", "phone")]);
    let server = installation.serve();
    start(&server, "t", "user@example.com");
    hanging.until("it is under way", |hanging| hanging.under_way() == 1);
    drop(server); // SIGKILL
    hanging.recover();
    let _server = installation.serve();
    let began = Instant::now();
    hanging.until("it is handed over again", |hanging| hanging.calls().len() == 2);
    assert!(began.elapsed() < Duration::from_secs(15), "after {:?}", began.elapsed());
    let calls = hanging.calls();
    assert_eq!(calls[0], calls[1], "the same message");
}
