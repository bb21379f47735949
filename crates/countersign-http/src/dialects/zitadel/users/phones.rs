//! The phone calls of user v2 and v2beta.

use countersign_core::engine::Delivery;

use super::super::auth::{Admitted, Caller, Permission};
use super::super::errors::{Reason, Row};
use super::super::messages::Details;
use super::super::messages::user_v2::{
    CodeResponse, ResendPhoneCodeRequest, SetPhoneRequest, UserIdRequest, VerifyRequest,
};
use super::super::validate::{Field, mode, phone};
use super::Users;
use super::contact::{Contact, Mode, ResendWords, SetWords, VerifyWords, Wants};

impl Users {
    /// `SetPhone`
    pub(crate) async fn set_phone(
        &self,
        call: &Admitted,
        request: SetPhoneRequest,
    ) -> Result<CodeResponse, Reason> {
        let caller = &*call.caller;
        let SetPhoneRequest { user_id, phone: number, send_code, return_code, is_verified } = request;
        Field("SetPhoneRequest", "UserId").length(&user_id, 200)?;
        Field("SetPhoneRequest", "Phone").length(&number, 200)?;
        let mode = mode(send_code.is_some(), return_code.is_some(), is_verified)?;
        Field("SetPhoneRequest", "IsVerified").only_true(is_verified)?;
        permit_set(caller, &user_id, mode)?;
        let words =
            SetWords { unknown: Row::V2_PHONE_UNKNOWN, unchanged: Row::V2_PHONE_UNCHANGED, may_flip: false };
        let (user, code) = self.set(caller, &user_id, phone(&number, caller)?, mode, words, None).await?;
        Ok(CodeResponse {
            details: Some(Details::changed(&user)),
            verification_code: code.map(|code| code.expose().to_owned()),
        })
    }

    /// `ResendPhoneCode`
    pub(crate) async fn resend_phone_code(
        &self,
        call: &Admitted,
        request: ResendPhoneCodeRequest,
    ) -> Result<CodeResponse, Reason> {
        let caller = &*call.caller;
        let ResendPhoneCodeRequest { user_id, send_code, return_code } = request;
        Field("ResendPhoneCodeRequest", "UserId").length(&user_id, 200)?;
        let mode = mode(send_code.is_some(), return_code.is_some(), None)?;
        permit_set(caller, &user_id, mode)?;
        let words = ResendWords {
            unknown: Row::V2_PHONE_UNKNOWN,
            none: Row::V2_PHONE_NOT_PENDING,
            wants: Wants::Pending(Row::V2_PHONE_NOT_PENDING),
        };
        let (user, code) = self.resend(caller, &user_id, Contact::Phone, delivery(mode), words, None).await?;
        Ok(CodeResponse {
            details: Some(Details::changed(&user)),
            verification_code: code.map(|code| code.expose().to_owned()),
        })
    }

    /// `VerifyPhone`
    pub(crate) async fn verify_phone(
        &self,
        call: &Admitted,
        request: VerifyRequest,
    ) -> Result<CodeResponse, Reason> {
        Field("VerifyPhoneRequest", "UserId").length(&request.user_id, 200)?;
        Field("VerifyPhoneRequest", "VerificationCode").length(&request.verification_code, 20)?;
        self.verify_v2(call, &request, Contact::Phone, Row::V2_PHONE_UNKNOWN).await
    }

    /// `RemovePhone`
    pub(crate) async fn remove_phone_v2(
        &self,
        call: &Admitted,
        request: UserIdRequest,
    ) -> Result<CodeResponse, Reason> {
        Field("RemovePhoneRequest", "UserId").length(&request.user_id, 200)?;
        call.caller.permit_on(&request.user_id, Permission::Write)?;
        let (unknown, none) = (Row::V2_PHONE_UNKNOWN, Row::V2_NO_PHONE);
        let user = self.remove_phone(&call.caller, &request.user_id, unknown, none).await?;
        Ok(CodeResponse { details: Some(Details::changed(&user)), verification_code: None })
    }

    /// Verifying, of either address. The platform lets any good token do it; here that is an option.
    pub(super) async fn verify_v2(
        &self,
        call: &Admitted,
        request: &VerifyRequest,
        contact: Contact,
        unknown: Row,
    ) -> Result<CodeResponse, Reason> {
        let caller = &*call.caller;
        // Not a digit of another script, not a mark that nobody sees: that is no code with a typing error.
        if request.verification_code.chars().any(|c| !c.is_ascii() || c.is_ascii_control()) {
            return Err(Reason::Malformed);
        }
        let user = if caller.options.verify_any_token {
            self.of_tenant(caller, &request.user_id).await?.ok_or(unknown)?
        } else {
            caller.permit_on(&request.user_id, Permission::Write)?;
            self.of_organization(caller, &request.user_id, unknown).await?
        };
        let words = VerifyWords { unknown, none: Row::V2_WRONG, wrong: Row::V2_WRONG };
        let user = self.verify(caller, user, contact, &request.verification_code, words).await?;
        Ok(CodeResponse { details: Some(Details::changed(&user)), verification_code: None })
    }
}

/// Who may set an address, or have another code issued for it.
pub(super) fn permit_set(caller: &Caller, user_id: &str, mode: Mode) -> Result<(), Row> {
    match mode {
        Mode::Send | Mode::Unproven => caller.permit_on(user_id, Permission::Write),
        Mode::Return => {
            caller.permit_on(user_id, Permission::Write)?;
            caller.permit_return()
        }
        // Nobody proves an address of their own by saying so.
        Mode::Verified => caller.permit(Permission::Write),
    }
}

/// A resend has no other modes.
pub(super) const fn delivery(mode: Mode) -> Delivery {
    match mode {
        Mode::Return => Delivery::Return,
        Mode::Send | Mode::Verified | Mode::Unproven => Delivery::Send,
    }
}
