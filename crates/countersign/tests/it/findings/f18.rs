//! The store has seen tomorrow, and others have not.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use countersign::clock::{SystemTime, TimeSource};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::Installation;

const SECRET: &str = "draw-me-at-random-draw-me-at-random-draw-me";

/// A receiver of messages that tells the times with which they were signed.
fn receiver() -> (String, Receiver<i64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (tell, times) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
                if let Some(signature) = line.to_ascii_lowercase().strip_prefix("zitadel-signature: t=") {
                    let time = signature.split(',').next().unwrap().parse().unwrap();
                    let _nobody_waits = tell.send(time);
                }
            }
            let _gone =
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (url, times)
}

/// Every signed request and every receiver refused the other's time for as long as the store was ahead,
/// which is months after a single wrong start, and the node called itself ready.
///
/// Shows: F18.
#[test]
fn f18_a_store_that_saw_tomorrow_meets_others_by_the_machines_clock_and_is_not_ready() {
    let (url, times) = receiver();
    let installation = Installation::new("server.drain_seconds = 0");
    let text = std::fs::read_to_string(installation.path("c.toml")).unwrap();
    installation.configure(
        &text
            .replace("http://127.0.0.1:9/", &url)
            .replace("name = 'nobody'", "name = 'r'\nallow_private = true"),
    );
    installation.configure_more(&format!(
        "[[dialects.enduserapi.user_domains]]\nuser_domain = 'C.DM.1.1'\ntenant = 'acme'\n\
         secret = '{SECRET}'\ncountries = ['86']\n"
    ));
    installation.store_that_saw(SystemTime.wall() + Duration::from_secs(12 * 3600));
    let server = installation.serve();

    let ready = server.get("/readyz");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.body.contains("the clocks differ"), "{ready:?}");

    let started = server.post("/v1/verifications", &json!({"to": "+12125550123"}));
    assert_eq!(started.status, 201, "it works all the same: {started:?}");
    let signed_at = times.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!((SystemTime.wall().as_millis() / 1000 - signed_at).abs() < 120, "signed at {signed_at}");

    let (phone, random, ts) = ("13800138000", "0000000000000001", SystemTime.wall().as_millis());
    let signature = Sha256::digest(format!("{phone}2{random}{ts}{SECRET}"));
    let query = format!(
        "/v2/sms/enduserapi/v2/sendPhoneSmsCode?codeType=2&internationalCode=86&phone={phone}\
         &random={random}&signature={}&ts={ts}&userDomain=C.DM.1.1",
        data_encoding::HEXLOWER.encode(&signature)
    );
    let first = server.send("POST", &query, &[], "");
    let again = server.send("POST", &query, &[], "");
    assert_eq!(first.json()["code"], 200, "{first:?}");
    assert_ne!(again.json()["code"], 200, "good once: {again:?}");
}
