//! gRPC, gRPC-Web and Connect in protobuf: frames and messages that are none.

use super::zitadel::SERVICE;
use super::{messages, open};
use crate::support::{Answer, Server, request};

/// One call of each service, by its path.
const CALLS: [&str; 6] = [
    "/zitadel.user.v2.UserService/SetPhone",
    "/zitadel.user.v2.UserService/VerifyPhone",
    "/zitadel.user.v2.UserService/AddHumanUser",
    "/zitadel.user.v2beta.UserService/ResendPhoneCode",
    "/zitadel.auth.v1.AuthService/SetMyPhone",
    "/zitadel.management.v1.ManagementService/UpdateHumanPhone",
];

/// What is no message of any of them, each with why.
const NO_MESSAGE: [(&str, &[u8]); 14] = [
    ("a tag that is cut", b"\xff"),
    ("a tag that never ends", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
    ("field 0", b"\x00\x01"),
    ("wire type 6", b"\x0e\x01"),
    ("wire type 7", b"\x0f\x01"),
    ("a number for a text", b"\x08\x01"),
    ("eight bytes for a text", b"\x09\x01\x02\x03\x04\x05\x06\x07\x08"),
    ("a text that is cut", b"\x0a\x05ab"),
    ("a text of 4 GiB", b"\x0a\xff\xff\xff\xff\x0fab"),
    ("a length beyond 64 bits", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    ("a text that is no UTF-8", b"\x0a\x02\xc0\xaf"),
    ("half a surrogate pair", b"\x0a\x03\xed\xa0\x80"),
    ("a group that has no end", b"\xa3\x06\x08\x01"),
    ("the end of no group", b"\x0c"),
];

fn framed(flag: u8, length: u32, message: &[u8]) -> Vec<u8> {
    [&[flag], &length.to_be_bytes()[..], message].concat()
}

/// Bodies that are not one plain message, each with why and the status of gRPC.
fn no_frame() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let message = b"\x0a\x06nobody";
    let whole = framed(0, 8, message);
    vec![
        ("nothing", Vec::new(), "3"),
        ("half a prefix", whole[..4].to_vec(), "3"),
        ("a prefix alone", whole[..5].to_vec(), "3"),
        ("a message that is cut", whole[..12].to_vec(), "3"),
        ("more than it says", [&*whole, b"x"].concat(), "3"),
        ("two messages", [&*whole, &*whole].concat(), "3"),
        ("less than nothing", framed(0, u32::MAX, message), "3"),
        ("4 GiB", framed(0, u32::MAX, b""), "3"),
        ("the length in the other order", framed(0, 8u32.swap_bytes(), message), "3"),
        ("no prefix", message.to_vec(), "3"),
        ("an unknown flag", framed(2, 8, message), "3"),
        ("trailers", framed(0x80, 8, message), "3"),
        ("compressed", framed(1, 8, message), "12"),
    ]
}

fn call(server: &Server, path: &str, content_type: &str, body: &[u8]) -> Answer {
    let content_type = format!("Content-Type: {content_type}");
    server.exchange(&request("POST", path, &[SERVICE, &content_type, "TE: trailers"], body))
}

/// The answer is a status without a message, in gRPC's place for it.
fn refused(server: &Server, path: &str, content_type: &str, body: &[u8], why: &str) -> String {
    let answer = call(server, path, content_type, body);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(content_type)), "{path}: {why}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let told: Vec<(String, String)> = if content_type.contains("web") {
        // The flag, which is no text, and a length of four bytes.
        assert_eq!(answer.body.as_bytes()[..4], *"\u{fffd}\0".as_bytes(), "{path}: {why}");
        let lines = answer.body[7..].lines().map(|line| line.split_once(": ").unwrap());
        lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    } else {
        assert_eq!(answer.body, "", "{path}: {why}");
        answer.headers.clone()
    };
    let value = |own: &str| told.iter().find(|(name, _)| name == own).map(|(_, value)| value.clone());
    let message = value("grpc-message").unwrap();
    let own = ["invalid request body", "compressed messages are not served"];
    assert!(own.contains(&&*message), "{path}: {why}: {message}");
    value("grpc-status").unwrap()
}

#[test]
fn what_is_no_frame_or_no_message_is_an_invalid_argument() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(&folder);
    let before = messages(&server);
    for path in CALLS {
        for content_type in ["application/grpc", "application/grpc+proto", "application/grpc-web"] {
            for (why, body, status) in no_frame() {
                assert_eq!(refused(&server, path, content_type, &body, why), status, "{path}: {why}");
            }
            for (why, message) in NO_MESSAGE {
                let body = framed(0, u32::try_from(message.len()).unwrap(), message);
                assert_eq!(refused(&server, path, content_type, &body, why), "3", "{path}: {why}");
            }
        }
    }
    assert_eq!(messages(&server), before);
    assert_eq!(server.get("/readyz").status, 200);
    server.stop();
}

/// The v1 services are not served over Connect.
#[test]
fn what_is_no_message_is_an_invalid_argument_to_connect() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(&folder);
    for path in CALLS {
        for (why, message) in NO_MESSAGE {
            let answer = call(&server, path, "application/proto", message);
            if path.contains(".v1.") {
                assert_eq!((answer.status, &*answer.body), (415, ""), "{path}: {why}");
            } else {
                let told = (answer.status, answer.text("code"), answer.text("message"));
                assert_eq!(
                    told,
                    (400, "invalid_argument".into(), "invalid request body".into()),
                    "{path}: {why}"
                );
            }
        }
    }
    server.stop();
}

#[test]
fn a_message_that_is_too_large_or_of_another_type_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(&folder);
    let long = vec![b'x'; 16 * 1024];
    for path in CALLS {
        for content_type in ["application/grpc", "application/grpc-web", "application/proto"] {
            let answer = call(&server, path, content_type, &framed(0, 16 * 1024, &long));
            assert_eq!((answer.status, &*answer.body), (413, ""), "{path}: {content_type}");
        }
        for content_type in
            ["application/grpc+json", "application/grpc-web-text", "application/protobuf", "text/plain"]
        {
            let answer = call(&server, path, content_type, &framed(0, 0, b""));
            assert_eq!((answer.status, &*answer.body), (415, ""), "{path}: {content_type}");
            assert!(answer.header("accept-post").is_some(), "{path}: {content_type}");
        }
    }
    server.stop();
}
