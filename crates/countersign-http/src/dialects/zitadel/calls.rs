//! The calls, each with what it takes and gives. A wire reads the one, runs the call, and writes the
//! other.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::auth::Admitted;
use super::errors::Reason;
use super::messages::user_v2::{
    AddHumanUserRequest, AddHumanUserResponse, CodeResponse, EmailCodeRequest, GetUserByIdResponse,
    ResendPhoneCodeRequest, SetEmailRequest, SetPhoneRequest, UserIdRequest, VerifyRequest,
};
use super::messages::v1::{
    DetailsResponse, EmailResponse, MyRequest, PhoneResponse, SetMyEmailRequest, SetMyPhoneRequest,
    UpdateHumanEmailRequest, UpdateHumanPhoneRequest, VerifyMyRequest,
};
use super::users::Users;

/// One call, whatever it travels over.
pub(super) trait Call: 'static {
    /// What it takes.
    type Request: prost::Message + DeserializeOwned + Default;
    /// What it gives.
    type Answer: prost::Message + Serialize;

    /// Puts the user of the path into the request, where there is one.
    fn name_user(request: &mut Self::Request, user: String);

    /// Runs it.
    fn run(
        users: &Users,
        admitted: &Admitted,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Answer, Reason>> + Send;
}

macro_rules! calls {
    ($($name:ident($request:ty $(, $user:ident)?) -> $answer:ty = $method:ident;)*) => {
        $(
            pub(super) struct $name;

            impl Call for $name {
                type Request = $request;
                type Answer = $answer;

                fn name_user(request: &mut $request, user: String) {
                    let _ = (&request, &user);
                    $(request.$user = user;)?
                }

                async fn run(
                    users: &Users,
                    admitted: &Admitted,
                    request: $request,
                ) -> Result<$answer, Reason> {
                    users.$method(admitted, request).await
                }
            }
        )*
    };
}

calls! {
    // zitadel.user.v2 and v2beta
    SetPhone(SetPhoneRequest, user_id) -> CodeResponse = set_phone;
    ResendPhoneCode(ResendPhoneCodeRequest, user_id) -> CodeResponse = resend_phone_code;
    VerifyPhone(VerifyRequest, user_id) -> CodeResponse = verify_phone;
    RemovePhone(UserIdRequest, user_id) -> CodeResponse = remove_phone_v2;
    SetEmail(SetEmailRequest, user_id) -> CodeResponse = set_email;
    ResendEmailCode(EmailCodeRequest, user_id) -> CodeResponse = resend_email_code;
    SendEmailCode(EmailCodeRequest, user_id) -> CodeResponse = send_email_code;
    VerifyEmail(VerifyRequest, user_id) -> CodeResponse = verify_email;
    AddHumanUser(AddHumanUserRequest) -> AddHumanUserResponse = add_human_user;
    GetUserByID(UserIdRequest, user_id) -> GetUserByIdResponse = get_user_by_id;

    // zitadel.auth.v1
    GetMyPhone(MyRequest) -> PhoneResponse = get_my_phone;
    SetMyPhone(SetMyPhoneRequest) -> DetailsResponse = set_my_phone;
    VerifyMyPhone(VerifyMyRequest) -> DetailsResponse = verify_my_phone;
    ResendMyPhoneVerification(MyRequest) -> DetailsResponse = resend_my_phone;
    RemoveMyPhone(MyRequest) -> DetailsResponse = remove_my_phone;
    GetMyEmail(MyRequest) -> EmailResponse = get_my_email;
    SetMyEmail(SetMyEmailRequest) -> DetailsResponse = set_my_email;
    VerifyMyEmail(VerifyMyRequest) -> DetailsResponse = verify_my_email;
    ResendMyEmailVerification(MyRequest) -> DetailsResponse = resend_my_email;

    // zitadel.management.v1
    GetHumanPhone(UserIdRequest, user_id) -> PhoneResponse = get_human_phone;
    UpdateHumanPhone(UpdateHumanPhoneRequest, user_id) -> DetailsResponse = update_human_phone;
    RemoveHumanPhone(UserIdRequest, user_id) -> DetailsResponse = remove_human_phone;
    ResendHumanPhoneVerification(UserIdRequest, user_id) -> DetailsResponse = resend_human_phone;
    GetHumanEmail(UserIdRequest, user_id) -> EmailResponse = get_human_email;
    UpdateHumanEmail(UpdateHumanEmailRequest, user_id) -> DetailsResponse = update_human_email;
    ResendHumanEmailVerification(UserIdRequest, user_id) -> DetailsResponse = resend_human_email;
}
