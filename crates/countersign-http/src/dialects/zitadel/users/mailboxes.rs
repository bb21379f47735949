//! The e-mail calls of user v2 and v2beta.

use countersign_core::recipient::Recipient;

use super::super::auth::Admitted;
use super::super::errors::{Reason, Row};
use super::super::messages::Details;
use super::super::messages::user_v2::{CodeResponse, EmailCodeRequest, SetEmailRequest, VerifyRequest};
use super::super::validate::{Field, mode};
use super::Users;
use super::contact::{Contact, ResendWords, SetWords, Wants};
use super::phones::{delivery, permit_set};

impl Users {
    /// `SetEmail`
    pub(crate) async fn set_email(
        &self,
        call: &Admitted,
        request: SetEmailRequest,
    ) -> Result<CodeResponse, Reason> {
        let caller = &*call.caller;
        let SetEmailRequest { user_id, email, send_code, return_code, is_verified } = request;
        let url = Field("SetEmailRequest", "SendCode").url_template(send_code.as_ref())?;
        Field("SetEmailRequest", "UserId").length(&user_id, 200)?;
        let email = Field("SetEmailRequest", "Email").email(&email)?;
        let mode = mode(send_code.is_some(), return_code.is_some(), is_verified)?;
        Field("SetEmailRequest", "IsVerified").only_true(is_verified)?;
        permit_set(caller, &user_id, mode)?;
        caller.permit_link(url.as_ref())?;
        let words =
            SetWords { unknown: Row::V2_EMAIL_UNKNOWN, unchanged: Row::V2_EMAIL_UNCHANGED, may_flip: false };
        let address = Recipient::Email(email);
        let (user, code) = self.set(caller, &user_id, address, mode, words, url.as_ref()).await?;
        Ok(CodeResponse {
            details: Some(Details::changed(&user)),
            verification_code: code.map(|code| code.expose().to_owned()),
        })
    }

    /// `ResendEmailCode`: only while a code is pending.
    pub(crate) async fn resend_email_code(
        &self,
        call: &Admitted,
        request: EmailCodeRequest,
    ) -> Result<CodeResponse, Reason> {
        let wants = Wants::Pending(Row::V2_EMAIL_NOT_PENDING);
        self.another_email_code(call, "ResendEmailCodeRequest", request, wants).await
    }

    /// `SendEmailCode`: also where none is, even if the mailbox is proven.
    pub(crate) async fn send_email_code(
        &self,
        call: &Admitted,
        request: EmailCodeRequest,
    ) -> Result<CodeResponse, Reason> {
        self.another_email_code(call, "SendEmailCodeRequest", request, Wants::Any).await
    }

    /// `VerifyEmail`
    pub(crate) async fn verify_email(
        &self,
        call: &Admitted,
        request: VerifyRequest,
    ) -> Result<CodeResponse, Reason> {
        Field("VerifyEmailRequest", "UserId").length(&request.user_id, 200)?;
        Field("VerifyEmailRequest", "VerificationCode").length(&request.verification_code, 20)?;
        self.verify_v2(call, &request, Contact::Email, Row::V2_EMAIL_UNKNOWN).await
    }

    async fn another_email_code(
        &self,
        call: &Admitted,
        message: &'static str,
        request: EmailCodeRequest,
        wants: Wants,
    ) -> Result<CodeResponse, Reason> {
        let caller = &*call.caller;
        let EmailCodeRequest { user_id, send_code, return_code } = request;
        let url = Field(message, "SendCode").url_template(send_code.as_ref())?;
        Field(message, "UserId").length(&user_id, 200)?;
        let mode = mode(send_code.is_some(), return_code.is_some(), None)?;
        permit_set(caller, &user_id, mode)?;
        caller.permit_link(url.as_ref())?;
        let words = ResendWords { unknown: Row::V2_EMAIL_UNKNOWN, none: Row::V2_EMAIL_NOT_PENDING, wants };
        let (user, code) =
            self.resend(caller, &user_id, Contact::Email, delivery(mode), words, url.as_ref()).await?;
        Ok(CodeResponse {
            details: Some(Details::changed(&user)),
            verification_code: code.map(|code| code.expose().to_owned()),
        })
    }
}
