//! Management v1: other users of the organisation. Permission comes first, and one organisation does not
//! know the users of another.

use countersign_core::recipient::Recipient;

use super::super::auth::{Admitted, Permission};
use super::super::errors::Reason;
use super::super::messages::user_v2::UserIdRequest;
use super::super::messages::v1::{
    DetailsResponse, EmailResponse, PhoneResponse, UpdateHumanEmailRequest, UpdateHumanPhoneRequest,
};
use super::super::validate::Field;
use super::Users;
use super::contact::{Contact, Mode};

impl Users {
    /// `GetHumanPhone`
    pub(crate) async fn get_human_phone(
        &self,
        call: &Admitted,
        request: UserIdRequest,
    ) -> Result<PhoneResponse, Reason> {
        Field("GetHumanPhoneRequest", "UserId").length(&request.user_id, 200)?;
        call.permit_management(Permission::Read)?;
        self.v1_phone(&call.caller, &request.user_id).await
    }

    /// `UpdateHumanPhone`
    pub(crate) async fn update_human_phone(
        &self,
        call: &Admitted,
        request: UpdateHumanPhoneRequest,
    ) -> Result<DetailsResponse, Reason> {
        Field("UpdateHumanPhoneRequest", "UserId").length(&request.user_id, 200)?;
        let phone = Field("UpdateHumanPhoneRequest", "Phone").v1_phone(&request.phone, &call.caller)?;
        call.permit_management(Permission::Write)?;
        let mode = if request.is_phone_verified { Mode::Verified } else { Mode::Send };
        self.v1_set(&call.caller, &request.user_id, phone, mode).await
    }

    /// `RemoveHumanPhone`
    pub(crate) async fn remove_human_phone(
        &self,
        call: &Admitted,
        request: UserIdRequest,
    ) -> Result<DetailsResponse, Reason> {
        Field("RemoveHumanPhoneRequest", "UserId").length(&request.user_id, 200)?;
        call.permit_management(Permission::Write)?;
        self.v1_remove_phone(&call.caller, &request.user_id).await
    }

    /// `ResendHumanPhoneVerification`
    pub(crate) async fn resend_human_phone(
        &self,
        call: &Admitted,
        request: UserIdRequest,
    ) -> Result<DetailsResponse, Reason> {
        Field("ResendHumanPhoneVerificationRequest", "UserId").length(&request.user_id, 200)?;
        call.permit_management(Permission::Write)?;
        self.v1_resend(&call.caller, &request.user_id, Contact::Phone).await
    }

    /// `GetHumanEmail`
    pub(crate) async fn get_human_email(
        &self,
        call: &Admitted,
        request: UserIdRequest,
    ) -> Result<EmailResponse, Reason> {
        Field("GetHumanEmailRequest", "UserId").length(&request.user_id, 200)?;
        call.permit_management(Permission::Read)?;
        self.v1_email(&call.caller, &request.user_id).await
    }

    /// `UpdateHumanEmail`
    pub(crate) async fn update_human_email(
        &self,
        call: &Admitted,
        request: UpdateHumanEmailRequest,
    ) -> Result<DetailsResponse, Reason> {
        Field("UpdateHumanEmailRequest", "UserId").length(&request.user_id, 200)?;
        let email = Field("UpdateHumanEmailRequest", "Email").email(&request.email)?;
        call.permit_management(Permission::Write)?;
        let mode = if request.is_email_verified { Mode::Verified } else { Mode::Send };
        self.v1_set(&call.caller, &request.user_id, Recipient::Email(email), mode).await
    }

    /// `ResendHumanEmailVerification`
    pub(crate) async fn resend_human_email(
        &self,
        call: &Admitted,
        request: UserIdRequest,
    ) -> Result<DetailsResponse, Reason> {
        Field("ResendHumanEmailVerificationRequest", "UserId").length(&request.user_id, 200)?;
        call.permit_management(Permission::Write)?;
        self.v1_resend(&call.caller, &request.user_id, Contact::Email).await
    }
}
