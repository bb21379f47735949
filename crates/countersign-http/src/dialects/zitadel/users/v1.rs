//! What the calls of auth v1 and management v1 have in common: the same acts, with the same words, on
//! one's own user or on another one.

use countersign_core::directory::User;
use countersign_core::engine::Delivery;
use countersign_core::recipient::Recipient;

use super::super::auth::Caller;
use super::super::errors::{Reason, Row};
use super::super::messages::v1::{
    DetailsResponse, Email, EmailResponse, ObjectDetails, Phone, PhoneResponse,
};
use super::Users;
use super::contact::{Contact, Mode, ResendWords, SetWords, Wants, kind_of};

impl Users {
    pub(super) async fn v1_phone(&self, caller: &Caller, id: &str) -> Result<PhoneResponse, Reason> {
        if caller.is_machine(id) {
            return Err(Row::V1_PHONE_GET_MACHINE.into());
        }
        let user = self.of_organization(caller, id, Row::V1_PHONE_GET_UNKNOWN).await?;
        let phone = user.phone.as_ref().map(|phone| phone.expose().to_owned()).unwrap_or_default();
        let is_phone_verified = user.phone_verified;
        let phone = Some(Phone { phone, is_phone_verified });
        Ok(PhoneResponse { details: Some(ObjectDetails::read(&user)), phone })
    }

    pub(super) async fn v1_email(&self, caller: &Caller, id: &str) -> Result<EmailResponse, Reason> {
        if caller.is_machine(id) {
            return Err(Row::V1_EMAIL_GET_MACHINE.into());
        }
        let user = self.of_organization(caller, id, Row::V1_EMAIL_GET_UNKNOWN).await?;
        let email = user.email.as_ref().map(|email| email.expose().to_owned()).unwrap_or_default();
        let is_email_verified = user.email_verified;
        let email = Some(Email { email, is_email_verified });
        Ok(EmailResponse { details: Some(ObjectDetails::read(&user)), email })
    }

    /// Sets either address. Only management may take one as proven.
    pub(super) async fn v1_set(
        &self,
        caller: &Caller,
        id: &str,
        address: Recipient,
        mode: Mode,
    ) -> Result<DetailsResponse, Reason> {
        let (unknown, unchanged) = match kind_of(&address) {
            Contact::Phone => (Row::V1_PHONE_SET_UNKNOWN, Row::V1_PHONE_UNCHANGED),
            Contact::Email => (Row::V1_EMAIL_UNKNOWN, Row::V1_EMAIL_UNCHANGED),
        };
        let words = SetWords { unknown, unchanged, may_flip: mode == Mode::Verified };
        let (user, _) = self.set(caller, id, address, mode, words, None).await?;
        Ok(changed(&user))
    }

    /// Sends another code to either address; one need not be pending.
    pub(super) async fn v1_resend(
        &self,
        caller: &Caller,
        id: &str,
        contact: Contact,
    ) -> Result<DetailsResponse, Reason> {
        let words = match contact {
            Contact::Phone => ResendWords {
                unknown: Row::V1_PHONE_RESEND_UNKNOWN,
                none: Row::V1_PHONE_RESEND_NONE,
                wants: Wants::Unverified(Row::V1_PHONE_RESEND_VERIFIED),
            },
            Contact::Email => ResendWords {
                unknown: Row::V1_EMAIL_UNKNOWN,
                none: Row::V1_EMAIL_UNKNOWN,
                wants: Wants::Unverified(Row::V1_EMAIL_VERIFIED),
            },
        };
        let (user, _) = self.resend(caller, id, contact, Delivery::Send, words, None).await?;
        Ok(changed(&user))
    }

    pub(super) async fn v1_remove_phone(&self, caller: &Caller, id: &str) -> Result<DetailsResponse, Reason> {
        let (unknown, none) = (Row::V1_PHONE_REMOVE_UNKNOWN, Row::V1_PHONE_REMOVE_NONE);
        Ok(changed(&self.remove_phone(caller, id, unknown, none).await?))
    }
}

pub(super) fn changed(user: &User) -> DetailsResponse {
    DetailsResponse { details: Some(ObjectDetails::changed(user)) }
}
