//! One code for several addresses, and a password reset finished in another's name.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::one_tenant::{app, code_to, config, zap, zap_verify};
use crate::support::TestApp;

const VICTIM: &str = "victim@example.com";
/// The attacker's own mailbox and number.
const MAIL: &str = "mallory@example.com";
const PHONE: &str = "+12125550123";

/// Keeps the bodies that are posted to it.
struct Receiver {
    url: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/password", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut length, mut line) = (0, String::new());
                while line != "\r\n" {
                    line.clear();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        break;
                    }
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                if reader.read_exact(&mut body).is_ok() {
                    kept.lock().unwrap().push(String::from_utf8(body).unwrap());
                }
                let _gone =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Self { url, bodies }
    }

    /// A service whose password changes go there.
    fn app(&self, options: &str) -> TestApp {
        let hook = format!(
            "{options}\nforgot_password_hook = {{ url = \"{}\", signing_keys = [\"0123456789abcdef\"], allow_private = true }}",
            self.url
        );
        TestApp::serving(config("", &hook))
    }

    fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

/// The attacker registers the victim's mailbox beside a number of her own, has a reset sent by her username, and
/// finishes it as the victim with the code from her own phone.
///
/// Shows: F1.
#[tokio::test]
async fn f1_a_reset_is_finished_only_by_the_identity_it_was_asked_for() {
    for options in ["", "multi_destination = \"shared\""] {
        let receiver = Receiver::start();
        let app = receiver.app(options);
        let user = json!({ "userId": "m", "email": VICTIM, "phoneNumber": PHONE, "username": "mallory" });
        assert_eq!(zap(&app, "/v1/otp/", user).await.status, 200);
        app.sent().await;
        assert_eq!(zap(&app, "/v1/otp/forgotPassword", json!({ "identity": "mallory" })).await.status, 200);
        let sent = app.sent().await;
        let (own, victims) = (code_to(&sent, PHONE), code_to(&sent, VICTIM));
        assert_ne!(own, victims, "a reset has a code for each address");
        let finish = |identity: &str, otp: &str| {
            let body = json!({ "identity": identity, "otp": otp, "newPassword": "taken over" });
            zap(&app, "/v1/forgotPassword", body)
        };
        for otp in [&own, &victims] {
            let refused = finish(VICTIM, otp).await;
            assert_eq!((refused.status, refused.text("data")), (400, "Invalid OTP".into()));
        }
        assert_eq!(receiver.bodies(), Vec::<String>::new());
        assert_eq!(finish("mallory", &own).await.status, 200);
        assert_eq!(receiver.bodies(), [r#"{"identity":"mallory","newPassword":"taken over"}"#]);
    }
}

/// The hook hears the identity as it was written where the reset was asked for.
///
/// Shows: F1.
#[tokio::test]
async fn f1_the_hook_gets_the_identity_that_asked_for_the_reset() {
    let receiver = Receiver::start();
    let app = receiver.app("");
    assert_eq!(
        zap(&app, "/v1/otp/forgotPassword", json!({ "identity": "Ann@example.com" })).await.status,
        200
    );
    let code = app.code().await;
    let body = json!({ "identity": "ANN@example.com", "otp": code, "newPassword": "new" });
    assert_eq!(zap(&app, "/v1/forgotPassword", body).await.status, 200);
    assert_eq!(receiver.bodies(), [r#"{"identity":"Ann@example.com","newPassword":"new"}"#]);
}

/// A resend names the victim's username and the attacker's own mailbox: the code that the latter gets is good for
/// nothing of the victim's.
///
/// Shows: F1.
#[tokio::test]
async fn f1_nothing_of_a_users_verification_proves_a_strangers_address() {
    for options in ["", "multi_destination = \"shared\""] {
        let app = TestApp::serving(config("", options));
        let user = json!({ "userId": "v", "email": VICTIM, "username": "victim" });
        assert_eq!(zap(&app, "/v1/otp/", user).await.status, 200);
        app.sent().await;
        app.advance(30);
        let both = json!({ "email": MAIL, "username": "victim" });
        assert_eq!(zap(&app, "/v1/otp/resend", both).await.status, 200);
        let sent = app.sent().await;
        let (own, victims) = (code_to(&sent, MAIL), code_to(&sent, VICTIM));
        for identity in ["victim", VICTIM] {
            assert_eq!(zap_verify(&app, identity, &own).await.text("data"), "Invalid OTP", "{identity}");
        }
        assert_eq!(zap_verify(&app, MAIL, &victims).await.text("data"), "Invalid OTP");
        assert_eq!(zap_verify(&app, MAIL, &own).await.status, 200);
        assert_eq!(zap_verify(&app, "victim", &victims).await.status, 200);
    }
}

/// The attacker's user has the victim's mailbox and a number of her own. The victim's username has that mailbox,
/// too: the code from the attacker's number is none for it.
///
/// Shows: F1.
#[tokio::test]
async fn f1_a_username_is_verified_by_codes_of_its_own_addresses_only() {
    let app = app();
    let victim = json!({ "userId": "v", "email": VICTIM, "username": "victim" });
    assert_eq!(zap(&app, "/v1/otp/", victim).await.status, 200);
    let code = app.code().await;
    assert_eq!(zap_verify(&app, VICTIM, &code).await.status, 200);
    let user = json!({ "userId": "m", "email": VICTIM, "phoneNumber": PHONE });
    assert_eq!(zap(&app, "/v1/otp/", user).await.status, 200);
    let own = code_to(&app.sent().await, PHONE);
    assert_eq!(zap_verify(&app, "victim", &own).await.text("data"), "Invalid OTP");
}

/// An unknown username gets the answers of a known one, with a stranger's address beside it, too.
///
/// Shows: F1, A7.
#[tokio::test]
async fn f1_a_strangers_address_beside_a_username_tells_nothing_of_it() {
    let app = app();
    let user = json!({ "userId": "v", "email": VICTIM, "username": "victim" });
    assert_eq!(zap(&app, "/v1/otp/", user).await.status, 200);
    app.advance(24 * 3600);
    for wait in [0, 1, 29, 31, 100] {
        app.advance(wait);
        let mut answers = Vec::new();
        for (email, name) in [("a@example.com", "victim"), ("b@example.com", "nobody_here")] {
            let answer = zap(&app, "/v1/otp/resend", json!({ "email": email, "username": name })).await;
            answers.push((answer.status, answer.header("retry-after").map(str::to_owned), answer.body));
        }
        assert_eq!(answers[0], answers[1], "after {wait} s more");
    }
    app.sent().await;
}
