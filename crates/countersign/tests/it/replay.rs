//! A signed request is good once, whatever becomes of the node that took it: whoever saw one (query
//! strings stand in every proxy's log) may send it again as often as they like.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{Answer, Server, at_once, request};

const PATH: &str = "/v2/sms/enduserapi/v2/sendPhoneSmsCode";
const USER_DOMAIN: &str = "C.DM.10271.5";
const SECRET: &str = "57Fk69oYgbs2aWWN362NtZwYB2RqKNqQ7yZESnF5VM33";
/// The number of the vendor's sample; dev mode contacts nobody.
const PHONE: &str = "13800138000";

/// One signed request for a code.
struct Signed {
    random: String,
    ts: i64,
    signature: String,
}

impl Signed {
    /// Signs at the node's present instant. Each `number` is another request.
    fn now(node: &Server, number: u32) -> Self {
        let now = node.post("/dev/clock", &json!({ "advance_seconds": 1 })).text("now");
        let ts = now.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let random = format!("{number:016}");
        let signed = format!("{PHONE}2{random}{ts}{SECRET}");
        Self { random, ts, signature: data_encoding::HEXLOWER.encode(&Sha256::digest(signed)) }
    }

    fn parameters(&self, country: &str, signature: &str) -> String {
        let Self { random, ts, .. } = self;
        format!(
            "codeType=2&internationalCode={country}&phone={PHONE}&random={random}\
             &signature={signature}&ts={ts}&userDomain={USER_DOMAIN}"
        )
    }

    /// As it was sent first.
    fn query(&self) -> String {
        format!("{PATH}?{}", self.parameters("86", &self.signature))
    }

    fn send(&self, node: &Server) -> Answer {
        node.send("POST", &self.query(), &[], "")
    }

    /// The same again, in all the ways in which the signature is still good.
    fn again(&self, node: &Server, number: u32) -> Answer {
        let upper = self.signature.to_uppercase();
        let form = ["Content-Type: application/x-www-form-urlencoded"];
        match number % 4 {
            0 => self.send(node),
            1 => node.send("POST", &format!("{PATH}?{}", self.parameters("86", &upper)), &[], ""),
            2 => node.send("POST", &format!("{PATH}?{}", self.parameters("0086", &self.signature)), &[], ""),
            _ => node.send("POST", PATH, &form, &self.parameters("86", &self.signature)),
        }
    }

    #[track_caller]
    fn is_taken(&self, node: &Server) {
        let answer = self.send(node);
        assert_eq!((answer.status, &answer.json()["code"]), (200, &json!(200)), "{answer:?}");
    }

    #[track_caller]
    fn is_refused_a_thousand_times(&self, node: &Server) {
        for number in 0..1_000 {
            let answer = self.again(node, number);
            let said = answer.json();
            assert_eq!((&said["code"], &said["extMsg"]), (&json!(5420), &json!("replayed")), "{answer:?}");
        }
    }
}

/// Shows: A8.
#[test]
fn none_of_a_thousand_replays_is_taken_on_one_node_after_a_restart_or_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let node = Server::dev(folder.path(), &[]);
    let first = Signed::now(&node, 1);
    first.is_taken(&node);
    node.advance(61); // the number need not wait any more: nothing but the memory refuses
    first.is_refused_a_thousand_times(&node);
    let inbox = node.get(&format!("/dev/inbox?to=%2B86{PHONE}")).json();
    assert_eq!(inbox["messages"].as_array().unwrap().len(), 1, "{inbox}");
    node.stop();

    let node = Server::dev(folder.path(), &[]);
    node.advance(61); // what was pushed and not committed did not outlive the node
    first.is_refused_a_thousand_times(&node);
    let second = Signed::now(&node, 2);
    second.is_taken(&node);
    drop(node); // SIGKILL, as soon as the answer is there

    let node = Server::dev(folder.path(), &[]);
    node.advance(61);
    for taken in [&first, &second] {
        taken.is_refused_a_thousand_times(&node);
    }
    Signed::now(&node, 3).is_taken(&node);
}

/// Shows: A8.
#[test]
fn of_a_hundred_copies_at_once_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let node = Server::dev(folder.path(), &[]);
    let signed = Signed::now(&node, 1);
    let copies = vec![request("POST", &signed.query(), &[], b""); 100];
    let answers = at_once(node.address(), &copies);
    let said = |hint| answers.iter().filter(|answer| answer.json()["extMsg"] == hint).count();
    assert_eq!(answers.iter().filter(|answer| answer.json()["code"] == 200).count(), 1);
    assert_eq!(said(json!("replayed")), 99);
}
