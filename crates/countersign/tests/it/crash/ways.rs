//! The wire APIs under a node that may die at any moment: how each asks for a code and presents one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::client::Connection;
use super::node::{API_KEY, MERCHANT, USER_DOMAIN, USER_DOMAIN_SECRET, ZAP_TOKEN, ZITADEL_TOKEN};
use super::phone::Phone;

/// A wire API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Native,
    Zap,
    Crypterium,
    Enduserapi,
    Zitadel,
}

/// What became of a guess.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Said {
    Right,
    /// It was compared and is not the code. One wire API says the same where nothing is compared.
    Wrong,
    /// It was not compared: used up, expired, over.
    Refused,
    /// The node could not tell.
    Unavailable,
}

/// The node could not take a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotReady;

/// One recipient whose code is asked for over one wire API.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) way: Way,
    pub(super) to: String,
    /// What guesses name: the verification's id, the user's, or the address.
    name: String,
    /// The code, where the answer had it.
    returned: Option<String>,
    /// When the request was sent. Codes live 30 seconds here.
    at: Instant,
    /// The path of the signed request that asked, where requests are signed.
    signed: Option<String>,
}

/// Area codes of Great Britain whose numbers 4960000 to 4960999 are for fiction.
const AREAS: [u16; 11] = [113, 114, 115, 116, 117, 118, 121, 131, 141, 151, 161];

/// A number that nobody has, and that no other call of this answers in the same run.
fn number() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    // A long run needs more: 555-0100 to 555-0199 of any area of North America are for fiction, too.
    if let Some(more) = n.checked_sub(AREAS.len() * 1000) {
        assert!(more < 70_000, "no number comes twice");
        return format!("+1{}55501{:02}", 201 + more / 100, more % 100);
    }
    format!("+44{}4960{:03}", AREAS[n / 1000], n % 1000)
}

impl Way {
    /// Half of the load is the native API's.
    pub(super) const LOAD: [Self; 8] = [
        Self::Native,
        Self::Native,
        Self::Native,
        Self::Native,
        Self::Zap,
        Self::Crypterium,
        Self::Enduserapi,
        Self::Zitadel,
    ];

    /// Whether it says of a guess that was not compared that it was not.
    pub(super) fn tells_what_is_compared(self) -> bool {
        match self {
            Self::Native | Self::Zap | Self::Crypterium => true,
            Self::Enduserapi | Self::Zitadel => false,
        }
    }
}

impl Asked {
    /// Asks for a code; `None` when nothing was answered.
    pub(super) fn ask(
        connection: &mut Connection,
        way: Way,
        mailbox: &str,
    ) -> Option<Result<Self, NotReady>> {
        let at = Instant::now();
        let to = if way == Way::Crypterium { number() } else { mailbox.to_owned() };
        let mut asked = Self { way, name: to.clone(), to, returned: None, at, signed: None };
        let (status, answer) = match way {
            Way::Native => {
                connection.post("/v1/verifications", &bearer(API_KEY), &json!({ "to": asked.to }))?
            }
            Way::Zap => {
                connection.post("/v1/otp/resend", &bearer(ZAP_TOKEN), &json!({ "email": asked.to }))?
            }
            Way::Crypterium => {
                let body = json!({"phone": asked.to, "password": "correct horse"});
                connection.post("/v2/mobile/signup", &merchant(), &body)?
            }
            Way::Enduserapi => {
                let path = signed("/v2/mail/enduserapi/v2/sendEmail", &asked.to, ("emailType", "3"));
                asked.signed = Some(path.clone());
                connection.post(&path, "", &Value::Null)?
            }
            Way::Zitadel => {
                HEXLOWER.encode(&Sha256::digest(&asked.to))[..24].clone_into(&mut asked.name);
                let body = json!({"userId": asked.name, "profile": {"givenName": "A", "familyName": "B"},
                    "email": {"email": asked.to, "returnCode": {}}});
                connection.post("/v2/users/human", &bearer(ZITADEL_TOKEN), &body)?
            }
        };
        if status == 503 {
            return Some(Err(NotReady));
        }
        assert!(
            status < 300 && (way != Way::Enduserapi || answer["code"] == 200),
            "{way:?}: {status} {answer}"
        );
        match way {
            Way::Native => answer["id"].as_str().expect("an id").clone_into(&mut asked.name),
            Way::Zitadel => asked.returned = Some(answer["emailCode"].as_str().expect("a code").to_owned()),
            Way::Zap | Way::Crypterium | Way::Enduserapi => {}
        }
        Some(Ok(asked))
    }

    /// Presents a code; `None` when nothing was answered.
    pub(super) fn present(&self, connection: &mut Connection, code: &str) -> Option<Said> {
        let name = &self.name;
        let (status, answer) = match self.way {
            Way::Native => connection.post(
                &format!("/v1/verifications/{name}/check"),
                &bearer(API_KEY),
                &json!({ "code": code }),
            )?,
            Way::Zap => {
                let body = json!({"identity": name, "otp": code});
                connection.post("/v1/otp/verify", &bearer(ZAP_TOKEN), &body)?
            }
            Way::Crypterium => {
                let body = json!({"phone": name, "smsCode": code});
                connection.post("/v2/mobile/phone/confirm", &merchant(), &body)?
            }
            Way::Enduserapi => {
                let path = signed("/v2/mail/enduserapi/v2/validateEmailCode", name, ("code", code));
                connection.post(&path, "", &Value::Null)?
            }
            Way::Zitadel => {
                let path = format!("/v2/users/{name}/email/verify");
                connection.post(&path, &bearer(ZITADEL_TOKEN), &json!({ "verificationCode": code }))?
            }
        };
        if status == 503 {
            return Some(Said::Unavailable);
        }
        assert!(status < 500, "{:?}: {status} {answer}", self.way);
        let (right, wrong) = match self.way {
            Way::Native => (answer["valid"] == true, answer["reason"] == "wrong_code"),
            Way::Zap => (status == 200, answer["data"] == "Invalid OTP"),
            Way::Crypterium => (status == 200, answer["errorId"] == 117),
            Way::Enduserapi => (answer["code"] == 200, answer["code"] == 5037),
            Way::Zitadel => (status == 200, status == 400),
        };
        Some(match (right, wrong) {
            (true, _) => Said::Right,
            (false, true) => Said::Wrong,
            (false, false) => Said::Refused,
        })
    }

    /// The code, as soon as it is known; `None` when it does not come in time.
    pub(super) fn code(&self, phone: &Phone, patience: Duration) -> Option<String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(code) = self.returned.clone().or_else(|| phone.code_for(&self.to)) {
                return Some(code);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How long ago it was asked for.
    pub(super) fn age(&self) -> Duration {
        self.at.elapsed()
    }

    /// The id of the native API's verification.
    pub(super) fn id(&self) -> Option<&str> {
        (self.way == Way::Native).then_some(&*self.name)
    }

    /// Sends the request that asked for the code once more, byte for byte; whether that is refused. `None` where
    /// requests are not signed, or nothing was answered.
    pub(super) fn is_replay(&self, connection: &mut Connection) -> Option<bool> {
        let (_, answer) = connection.post(self.signed.as_deref()?, "", &Value::Null)?;
        // Ten minutes later it is refused for its age instead.
        let why = answer["extMsg"].as_str().unwrap_or_default();
        Some(answer["code"] == 5420 && (why == "replayed" || why.starts_with("stale")))
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn merchant() -> String {
    format!("X-Merchant-ID: {MERCHANT}\r\nX-Fingerprint: 1234444\r\n")
}

/// A path with all parameters of a call by e-mail, signed for now and never used before.
fn signed(path: &str, email: &str, (name, value): (&str, &str)) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let random = format!("{:016}", NEXT.fetch_add(1, Ordering::Relaxed));
    #[expect(clippy::disallowed_methods, reason = "the caller's own clock: that of the machine")]
    let ts = jiff::Timestamp::now().as_millisecond();
    let digest = Sha256::digest(format!("{email}{value}{random}{ts}{USER_DOMAIN_SECRET}"));
    let signature = HEXLOWER.encode(&digest);
    format!(
        "{path}?email={email}&{name}={value}&random={random}&ts={ts}&signature={signature}&userDomain={USER_DOMAIN}"
    )
}
