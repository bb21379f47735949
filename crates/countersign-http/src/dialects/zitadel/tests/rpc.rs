//! Connect with protobuf, gRPC and gRPC-Web, byte by byte: what official clients send, and what they get.

use axum::body::Body;
use axum::http::Request;
use data_encoding::{BASE64_NOPAD, HEXLOWER};
use prost::Message;
use serde_json::json;

use super::app::{App, MINI, ORGANIZATION, PHONE, PROVEN, Reply};
use crate::dialects::zitadel::messages::user_v2::CodeResponse;
use crate::dialects::zitadel::messages::v1::{DetailsResponse, PhoneResponse};
use crate::dialects::zitadel::messages::{ErrorDetail, Status};

const RESEND: &str = "/zitadel.user.v2.UserService/ResendPhoneCode";

async fn call(app: &App, token: &str, path: &str, content_type: &str, body: Vec<u8>) -> Reply {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", content_type)
        .header("te", "trailers")
        .body(Body::from(body));
    app.send(request.unwrap()).await
}

/// A user whose id is `u1`, as in the recorded frames.
async fn u1() -> App {
    let app = App::new().await;
    let user = json!({
        "userId": "u1", "profile": { "givenName": "M", "familyName": "M" },
        "email": { "email": "u1@mouse.com", "returnCode": {} }, "phone": { "phone": "+41791234569", "returnCode": {} },
    });
    assert_eq!(app.post("/v2/users/human", user).await.status, 200);
    app
}

fn hex(frame: &str) -> Vec<u8> {
    HEXLOWER.decode(frame.as_bytes()).unwrap()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()], message].concat()
}

/// The one message of an answer.
fn message<M: Message + Default>(reply: &Reply) -> M {
    let length = u32::from_be_bytes(reply.body[1..5].try_into().unwrap());
    assert_eq!((reply.body[0], length as usize), (0, reply.body.len() - 5));
    M::decode(&reply.body[5..]).unwrap()
}

/// Shows: W2.
#[tokio::test]
async fn frames_recorded_from_official_clients_work() {
    let app = u1().await;
    for (method, frame, code_comes_back) in [
        ("ResendPhoneCode", "00000000040a027531", false),
        ("ResendPhoneCode", "00000000060a0275312200", true),
        ("SetPhone", "00000000140a027531120c2b34313739313233343536372200", true),
    ] {
        let path = format!("/zitadel.user.v2.UserService/{method}");
        let reply = call(&app, "PAT123", &path, "application/grpc+proto", hex(frame)).await;
        assert_eq!(reply.headers["content-type"], "application/grpc+proto");
        assert_eq!((reply.status.as_u16(), reply.trailers["grpc-status"].as_bytes()), (200, &b"0"[..]));
        let answer: CodeResponse = message(&reply);
        let details = answer.details.unwrap();
        assert!(
            details.sequence > 3 && details.resource_owner == ORGANIZATION && details.change_date.is_some()
        );
        assert_eq!(answer.verification_code.is_some(), code_comes_back, "{frame}");
    }
    assert_eq!(app.user("u1").await.phone.unwrap().expose(), PHONE);
}

#[tokio::test]
async fn a_grpc_error_stands_in_the_head_with_its_detail() {
    let app = u1().await;
    // The recorded frame's code is ABC123.
    let frame = hex("000000000c0a0275311206414243313233");
    let path = "/zitadel.user.v2.UserService/VerifyPhone";
    let reply = call(&app, "PAT123", path, "application/grpc", frame).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
    assert_eq!(reply.headers["content-type"], "application/grpc");
    assert_eq!(reply.headers["grpc-status"], "3");
    assert_eq!(reply.headers["grpc-message"], "Code is invalid (COMMAND-eis9R)");
    let status = BASE64_NOPAD.decode(reply.headers["grpc-status-details-bin"].as_bytes()).unwrap();
    let status = Status::decode(&*status).unwrap();
    assert_eq!((status.code, status.message.as_str()), (3, "Code is invalid (COMMAND-eis9R)"));
    assert_eq!(status.details[0].type_url, "type.googleapis.com/zitadel.v1.ErrorDetail");
    let detail = ErrorDetail::decode(&*status.details[0].value).unwrap();
    assert_eq!((detail.id.as_str(), detail.message.as_str()), ("COMMAND-eis9R", "Code is invalid"));
}

#[tokio::test]
async fn a_person_asks_for_another_code_over_grpc() {
    let app = App::new().await;
    let path = "/zitadel.auth.v1.AuthService/ResendMyPhoneVerification";
    let reply = call(&app, "HUMAN456", path, "application/grpc", hex("0000000000")).await;
    assert_eq!(reply.trailers["grpc-status"], "0");
    let details = message::<DetailsResponse>(&reply).details.unwrap();
    assert_eq!((details.sequence, details.resource_owner.as_str()), (4, ORGANIZATION));
    assert_eq!(app.sent().await, [format!("sms to {PHONE}")]);
}

#[tokio::test]
async fn management_is_served_over_grpc() {
    let app = App::new().await;
    let user = [&[0x0a, 18], PROVEN.as_bytes()].concat();
    let path = "/zitadel.management.v1.ManagementService/GetHumanPhone";
    let reply = call(&app, "VIEWER", path, "application/grpc", framed(&user)).await;
    let phone = message::<PhoneResponse>(&reply).phone.unwrap();
    assert_eq!((phone.phone.as_str(), phone.is_phone_verified), ("+41791234568", true));
}

/// Shows: W2.
#[tokio::test]
async fn grpc_web_puts_the_status_behind_the_message() {
    let app = u1().await;
    for content_type in ["application/grpc-web", "application/grpc-web+proto"] {
        let reply = call(&app, "PAT123", RESEND, content_type, hex("00000000060a0275312200")).await;
        assert_eq!(reply.headers["content-type"], content_type);
        let end = 5 + usize::from(reply.body[4]);
        let answer = CodeResponse::decode(&reply.body[5..end]).unwrap();
        assert!(answer.verification_code.is_some());
        assert_eq!(&reply.body[end..], b"\x80\0\0\0\x10grpc-status: 0\r\n");
    }
    let reply = call(&app, "WRONG", RESEND, "application/grpc-web", hex("00000000040a027531")).await;
    assert_eq!((reply.status.as_u16(), reply.body[0]), (200, 0x80));
    let trailers = String::from_utf8_lossy(&reply.body[5..]).into_owned();
    assert!(trailers.contains("grpc-status: 16\r\n"), "{trailers}");
    assert!(trailers.contains("grpc-message: Errors.Token.Invalid (AUTH-7fs1e)\r\n"), "{trailers}");
}

#[tokio::test]
async fn connect_answers_protobuf_in_protobuf_and_errors_in_json() {
    let app = App::new().await;
    let mut request = [&[0x0a, 18], MINI.as_bytes(), &[0x22, 0]].concat();
    let reply = call(&app, "PAT123", RESEND, "application/proto", request.clone()).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["content-type"]),
        (200, &"application/proto".parse().unwrap())
    );
    let answer = CodeResponse::decode(&*reply.body).unwrap();
    assert_eq!((answer.details.unwrap().sequence, answer.verification_code.unwrap().len()), (4, 6));
    request.push(0xff);
    let reply = call(&app, "PAT123", RESEND, "application/proto", request).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["content-type"]),
        (400, &"application/json".parse().unwrap())
    );
    assert_eq!(reply.json(), json!({ "code": "invalid_argument", "message": "invalid request body" }));
}

/// Shows: A22.
#[tokio::test]
async fn what_is_compressed_or_unknown_is_unimplemented_in_grpc() {
    let app = App::new().await;
    let unknown = "/zitadel.user.v2.UserService/DeleteUser";
    for (path, frame) in [(unknown, "0000000000"), (RESEND, "010000000401020304")] {
        let reply = call(&app, "PAT123", path, "application/grpc", hex(frame)).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["grpc-status"]),
            (200, &"12".parse().unwrap()),
            "{path}"
        );
    }
}
