//! The zitadel dialect, driven by the published Rust client (gRPC over HTTP/2 with prior knowledge).

use std::sync::atomic::{AtomicU32, Ordering};

use countersign_zitadel_client_tests::{code, codes, push_clock, url};
use prost::Message;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Status};
use zitadel::api::clients::ClientBuilder;
use zitadel::api::interceptors::AccessTokenInterceptor;
use zitadel::api::zitadel::auth::v1 as auth;
use zitadel::api::zitadel::object::v2::{Organization, organization::Org};
use zitadel::api::zitadel::user::v2::user_service_client::UserServiceClient;
use zitadel::api::zitadel::user::v2::*;
use zitadel::api::zitadel::v1::ErrorDetail;

const ORGANIZATION: &str = "69629023906488334";
const SERVICE_TOKEN: &str = "dev-zitadel-service-token";
const HUMAN_TOKEN: &str = "dev-zitadel-human-token";

const SEND: Option<set_phone_request::Verification> =
    Some(set_phone_request::Verification::SendCode(SendPhoneVerificationCode {}));
const RETURN: Option<set_phone_request::Verification> =
    Some(set_phone_request::Verification::ReturnCode(ReturnPhoneVerificationCode {}));
const RESEND_RETURNED: Option<resend_phone_code_request::Verification> =
    Some(resend_phone_code_request::Verification::ReturnCode(ReturnPhoneVerificationCode {}));

struct Users(UserServiceClient<InterceptedService<Channel, AccessTokenInterceptor>>);

impl Users {
    async fn connect(token: &str) -> Self {
        let builder = ClientBuilder::new(&url()).with_access_token(token);
        Self(builder.build_user_client().await.expect("the service speaks gRPC"))
    }

    async fn create(&mut self, phone: Option<SetHumanPhone>) -> AddHumanUserResponse {
        let returned = set_human_email::Verification::ReturnCode(ReturnEmailVerificationCode {});
        let email = format!("mickey{}@mouse.com", next());
        let request = AddHumanUserRequest {
            organization: Some(Organization { org: Some(Org::OrgId(ORGANIZATION.into())) }),
            profile: Some(SetHumanProfile {
                given_name: "Mickey".into(),
                family_name: "Mouse".into(),
                ..SetHumanProfile::default()
            }),
            email: Some(SetHumanEmail { email, verification: Some(returned) }),
            phone,
            ..AddHumanUserRequest::default()
        };
        self.0.add_human_user(request).await.unwrap().into_inner()
    }

    /// A new user with a new number, who was sent (or is returned) a code.
    async fn somebody(
        &mut self,
        verification: Option<set_phone_request::Verification>,
    ) -> (String, String, SetPhoneResponse) {
        let user_id = self.create(None).await.user_id;
        let phone = format!("+447700900{}", next());
        let request = SetPhoneRequest { user_id: user_id.clone(), phone: phone.clone(), verification };
        let answer = self.0.set_phone(request).await.unwrap().into_inner();
        (user_id, phone, answer)
    }

    async fn verify(&mut self, user_id: &str, code: &str) -> Result<VerifyPhoneResponse, Status> {
        let request = VerifyPhoneRequest { user_id: user_id.into(), verification_code: code.into() };
        Ok(self.0.verify_phone(request).await?.into_inner())
    }

    async fn resend(
        &mut self,
        user_id: &str,
        verification: Option<resend_phone_code_request::Verification>,
    ) -> Result<ResendPhoneCodeResponse, Status> {
        let request = ResendPhoneCodeRequest { user_id: user_id.into(), verification };
        Ok(self.0.resend_phone_code(request).await?.into_inner())
    }

    async fn remove(&mut self, user_id: &str) -> Result<RemovePhoneResponse, Status> {
        Ok(self.0.remove_phone(RemovePhoneRequest { user_id: user_id.into() }).await?.into_inner())
    }
}

/// Numbers from a range that is reserved for fiction.
fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(500);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The status, the message, and the detail that is decoded from `grpc-status-details-bin`.
#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, text: &str, id: &str) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.message()), (code, format!("{text} ({id})").as_str()));
    let details = tonic_types::Status::decode(status.details()).unwrap();
    assert_eq!((details.code, details.message.as_str()), (code as i32, status.message()));
    let [detail] = details.details.as_slice() else { panic!("{details:?}") };
    assert_eq!(detail.type_url, "type.googleapis.com/zitadel.v1.ErrorDetail");
    let detail = ErrorDetail::decode(detail.value.as_slice()).unwrap();
    assert_eq!((detail.id.as_str(), detail.message.as_str()), (id, text));
}

/// Shows: W2.
#[tokio::test]
async fn a_returned_code_verifies_once_and_is_not_sent() {
    let mut users = Users::connect(SERVICE_TOKEN).await;
    let (user, phone, set) = users.somebody(RETURN).await;
    let code = set.verification_code.unwrap();
    let verified = users.verify(&user, &code).await.unwrap();
    let (before, after) = (set.details.unwrap(), verified.details.unwrap());
    assert_eq!(before.resource_owner, ORGANIZATION);
    assert!(after.sequence > before.sequence && after.change_date.is_some());
    refused(users.verify(&user, &code).await, Code::InvalidArgument, "Code is invalid", "COMMAND-eis9R");
    assert!(codes(&phone).is_empty());
    let stored = users.0.get_user_by_id(GetUserByIdRequest { user_id: user }).await.unwrap().into_inner();
    let Some(user::Type::Human(human)) = stored.user.unwrap().r#type else { panic!("not a human") };
    assert_eq!(human.phone.unwrap(), HumanPhone { phone, is_verified: true });
}

#[tokio::test]
async fn a_sent_code_is_sent_again_after_a_while_and_the_first_one_is_void() {
    let mut users = Users::connect(SERVICE_TOKEN).await;
    let (user, phone, set) = users.somebody(SEND).await;
    assert_eq!(set.verification_code, None);
    let first = code(&phone, 1);
    push_clock(61);
    assert_eq!(users.resend(&user, None).await.unwrap().verification_code, None);
    let second = code(&phone, 2);
    refused(users.verify(&user, &first).await, Code::InvalidArgument, "Code is invalid", "COMMAND-eis9R");
    users.verify(&user, &second).await.unwrap();
}

#[tokio::test]
async fn a_resend_may_return_the_code_at_once() {
    let mut users = Users::connect(SERVICE_TOKEN).await;
    let (user, ..) = users.somebody(RETURN).await;
    let code = users.resend(&user, RESEND_RETURNED).await.unwrap().verification_code.unwrap();
    users.verify(&user, &code).await.unwrap();
}

#[tokio::test]
async fn a_resend_too_soon_is_refused() {
    let mut users = Users::connect(SERVICE_TOKEN).await;
    let (user, phone, _) = users.somebody(SEND).await;
    code(&phone, 1);
    push_clock(3); // within two seconds it would be taken for the same request
    let text = "Please wait before requesting a new code";
    refused(users.resend(&user, None).await, Code::ResourceExhausted, text, "CSIGN-Cd29x");
}

#[tokio::test]
async fn with_nothing_pending_there_is_nothing_to_resend() {
    let mut users = Users::connect(SERVICE_TOKEN).await;
    let user = users.create(None).await.user_id;
    let answer = users.resend(&user, RESEND_RETURNED).await;
    refused(answer, Code::FailedPrecondition, "Code is empty", "PHONE-5xrra88eq8");
}

#[tokio::test]
async fn after_five_wrong_codes_the_right_one_is_refused() {
    let mut users = Users::connect(SERVICE_TOKEN).await;
    let (user, _, set) = users.somebody(RETURN).await;
    for _ in 0..5 {
        let wrong = users.verify(&user, "WRONG1").await;
        refused(wrong, Code::InvalidArgument, "Code is invalid", "COMMAND-eis9R");
    }
    let right = users.verify(&user, &set.verification_code.unwrap()).await;
    refused(right, Code::ResourceExhausted, "Too many attempts", "CSIGN-Ax3vw");
}

#[tokio::test]
async fn a_phone_is_removed_once() {
    let mut users = Users::connect(SERVICE_TOKEN).await;
    let (user, ..) = users.somebody(Some(set_phone_request::Verification::IsVerified(true))).await;
    users.remove(&user).await.unwrap();
    let again = users.remove(&user).await;
    refused(again, Code::FailedPrecondition, "Phone not found", "COMMAND-ieJ2e");
}

#[tokio::test]
async fn a_user_is_created_with_both_codes_returned() {
    let mut users = Users::connect(SERVICE_TOKEN).await;
    let returned = set_human_phone::Verification::ReturnCode(ReturnPhoneVerificationCode {});
    let phone = SetHumanPhone { phone: format!("+447700900{}", next()), verification: Some(returned) };
    let created = users.create(Some(phone)).await;
    assert_eq!(created.details.unwrap().resource_owner, ORGANIZATION);
    assert!(created.email_code.is_some());
    users.verify(&created.user_id, &created.phone_code.unwrap()).await.unwrap();
}

#[tokio::test]
async fn nobody_has_no_phone() {
    let mut users = Users::connect(SERVICE_TOKEN).await;
    let nobody = users.resend("404", None).await;
    refused(nobody, Code::NotFound, "Phone not found", "COMMAND-ieJ2e");
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    let mut strangers = Users::connect("no-such-token").await;
    let answer = strangers.resend("69629023906488400", None).await;
    refused(answer, Code::Unauthenticated, "Errors.Token.Invalid", "AUTH-7fs1e");
}

/// Shows: W2.
#[tokio::test]
async fn a_human_has_their_own_code_sent_again() {
    let builder = ClientBuilder::new(&url()).with_access_token(HUMAN_TOKEN);
    let mut human = builder.build_auth_client().await.unwrap();
    let mine = human.get_my_phone(auth::GetMyPhoneRequest {}).await.unwrap().into_inner();
    let phone = mine.phone.unwrap().phone;
    let sent_before = codes(&phone).len();
    push_clock(3600);
    let request = auth::ResendMyPhoneVerificationRequest {};
    let resent = human.resend_my_phone_verification(request).await.unwrap().into_inner();
    assert_eq!(resent.details.unwrap().resource_owner, ORGANIZATION);
    let code = code(&phone, sent_before + 1);
    let wrong = auth::VerifyMyPhoneRequest { code: "WRONG1".into() };
    refused(human.verify_my_phone(wrong).await, Code::InvalidArgument, "Code is invalid", "COMMAND-sM0cs");
    human.verify_my_phone(auth::VerifyMyPhoneRequest { code }).await.unwrap();
}
