//! Auth v1: the token's own user. A service has no phone and no mailbox, and is unknown here.

use countersign_core::recipient::Recipient;

use super::super::auth::Admitted;
use super::super::errors::{Reason, Row};
use super::super::messages::v1::{
    DetailsResponse, EmailResponse, MyRequest, PhoneResponse, SetMyEmailRequest, SetMyPhoneRequest,
    VerifyMyRequest,
};
use super::super::validate::Field;
use super::Users;
use super::contact::{Contact, Mode, VerifyWords};
use super::v1::changed;

impl Users {
    /// `GetMyPhone`
    pub(crate) async fn get_my_phone(&self, call: &Admitted, _: MyRequest) -> Result<PhoneResponse, Reason> {
        self.v1_phone(&call.caller, &call.caller.user).await
    }

    /// `SetMyPhone`
    pub(crate) async fn set_my_phone(
        &self,
        call: &Admitted,
        request: SetMyPhoneRequest,
    ) -> Result<DetailsResponse, Reason> {
        let caller = &*call.caller;
        let phone = Field("SetMyPhoneRequest", "Phone").v1_phone(&request.phone, caller)?;
        self.v1_set(caller, &caller.user, phone, Mode::Send).await
    }

    /// `VerifyMyPhone`
    pub(crate) async fn verify_my_phone(
        &self,
        call: &Admitted,
        request: VerifyMyRequest,
    ) -> Result<DetailsResponse, Reason> {
        let words = VerifyWords {
            unknown: Row::V1_PHONE_VERIFY_UNKNOWN,
            none: Row::V1_PHONE_VERIFY_NONE,
            wrong: Row::V1_PHONE_WRONG,
        };
        Field("VerifyMyPhoneRequest", "Code").length(&request.code, 200)?;
        self.verify_mine(call, Contact::Phone, &request.code, words).await
    }

    /// `ResendMyPhoneVerification`
    pub(crate) async fn resend_my_phone(
        &self,
        call: &Admitted,
        _: MyRequest,
    ) -> Result<DetailsResponse, Reason> {
        self.v1_resend(&call.caller, &call.caller.user, Contact::Phone).await
    }

    /// `RemoveMyPhone`
    pub(crate) async fn remove_my_phone(
        &self,
        call: &Admitted,
        _: MyRequest,
    ) -> Result<DetailsResponse, Reason> {
        self.v1_remove_phone(&call.caller, &call.caller.user).await
    }

    /// `GetMyEmail`
    pub(crate) async fn get_my_email(&self, call: &Admitted, _: MyRequest) -> Result<EmailResponse, Reason> {
        self.v1_email(&call.caller, &call.caller.user).await
    }

    /// `SetMyEmail`
    pub(crate) async fn set_my_email(
        &self,
        call: &Admitted,
        request: SetMyEmailRequest,
    ) -> Result<DetailsResponse, Reason> {
        let caller = &*call.caller;
        let email = Field("SetMyEmailRequest", "Email").email(&request.email)?;
        self.v1_set(caller, &caller.user, Recipient::Email(email), Mode::Send).await
    }

    /// `VerifyMyEmail`
    pub(crate) async fn verify_my_email(
        &self,
        call: &Admitted,
        request: VerifyMyRequest,
    ) -> Result<DetailsResponse, Reason> {
        let words = VerifyWords {
            unknown: Row::V1_EMAIL_VERIFY_NONE,
            none: Row::V1_EMAIL_VERIFY_NONE,
            wrong: Row::V1_EMAIL_WRONG,
        };
        Field("VerifyMyEmailRequest", "Code").length(&request.code, 200)?;
        self.verify_mine(call, Contact::Email, &request.code, words).await
    }

    /// `ResendMyEmailVerification`
    pub(crate) async fn resend_my_email(
        &self,
        call: &Admitted,
        _: MyRequest,
    ) -> Result<DetailsResponse, Reason> {
        self.v1_resend(&call.caller, &call.caller.user, Contact::Email).await
    }

    async fn verify_mine(
        &self,
        call: &Admitted,
        contact: Contact,
        code: &str,
        words: VerifyWords,
    ) -> Result<DetailsResponse, Reason> {
        if code.chars().any(|c| !c.is_ascii() || c.is_ascii_control()) {
            return Err(Reason::Malformed);
        }
        let user = self.of_organization(&call.caller, &call.caller.user, words.unknown).await?;
        Ok(changed(&self.verify(&call.caller, user, contact, code, words).await?))
    }
}
