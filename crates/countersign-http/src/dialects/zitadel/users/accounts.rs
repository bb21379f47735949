//! Users themselves, in user v2 and v2beta: adding one, reading one.

use countersign_core::directory::{Enrolled, NewUser, Profile, User};
use countersign_core::engine::Delivery;
use countersign_core::recipient::{EmailAddress, PhoneNumber, Recipient};

use super::super::auth::{Admitted, Permission};
use super::super::errors::{Reason, Row};
use super::super::messages::Details;
use super::super::messages::user_v2::{
    self as wire, AddHumanUserRequest, AddHumanUserResponse, GetUserByIdResponse, UserIdRequest,
};
use super::super::url_template::UrlTemplate;
use super::super::validate::{Field, mode, phone};
use super::Users;
use super::contact::{Contact, Mode, kind_of};
use super::issue::Occasion;

/// The number of the last event of a user that was just added: added, and a code for each address.
const FIRST_SEQUENCE: u64 = 3;

impl Users {
    /// `AddHumanUser`. The user and the first codes are one commit: if one is refused, there is no user, nothing was
    /// sent, and the call can be repeated.
    pub(crate) async fn add_human_user(
        &self,
        call: &Admitted,
        request: AddHumanUserRequest,
    ) -> Result<AddHumanUserResponse, Reason> {
        let caller = &*call.caller;
        let wanted = Wanted::parse(request)?;
        caller.permit(Permission::Write)?;
        caller.permit_link(wanted.email_url.as_ref())?;
        for mode in [Some(wanted.email_mode), wanted.phone.as_ref().map(|(_, mode)| *mode)] {
            if mode == Some(Mode::Return) {
                caller.permit_return()?;
            }
        }
        let organization = wanted.organization.or(call.organization.clone());
        if organization.is_some_and(|named| named != caller.organization) {
            return Err(Row::NOT_PERMITTED.into());
        }
        let number = wanted.phone.as_ref().map(|(text, _)| phone(text, caller)).transpose()?;
        let how_phone = wanted.phone.as_ref().map(|(_, mode)| *mode);

        let directory = &self.directory;
        let tenant = &caller.tenant.id;
        let id = wanted.id.unwrap_or_else(|| directory.fresh_id());
        let username = wanted.username.unwrap_or_else(|| wanted.email.expose().to_owned());
        if caller.is_machine(&id) {
            return Err(Row::USER_ID_TAKEN.into());
        }
        let waits = |mode| matches!(mode, Mode::Send | Mode::Return);
        let new = NewUser {
            id: id.clone(),
            username: Some(username),
            email: Some(wanted.email.clone()),
            phone: number.as_ref().and_then(phone_of),
            email_verified: wanted.email_mode == Mode::Verified,
            phone_verified: how_phone == Some(Mode::Verified),
            email_pending: waits(wanted.email_mode),
            phone_pending: how_phone.is_some_and(waits),
            organization: Some(caller.organization.clone()),
            profile: wanted.profile,
            sequence: FIRST_SEQUENCE,
        };
        let addresses = [
            number.zip(how_phone).map(|(number, mode)| (number, mode, None)),
            Some((Recipient::Email(wanted.email), wanted.email_mode, wanted.email_url.as_ref())),
        ];
        let mut starts = Vec::new();
        let mut contacts = Vec::new();
        for (address, mode, url) in addresses.into_iter().flatten() {
            let delivery = match mode {
                Mode::Send => Delivery::Send,
                Mode::Return => Delivery::Return,
                Mode::Verified | Mode::Unproven => continue,
            };
            contacts.push(kind_of(&address));
            let language = new.profile.language.as_deref();
            starts.push(self.prepare(caller, (&id, language), address, delivery, Occasion::Set, url)?);
        }
        let (user, sent) = match directory.enrol(tenant, new, starts).await? {
            Enrolled::Done(user, sent) => (*user, sent),
            Enrolled::IdTaken => return Err(Row::USER_ID_TAKEN.into()),
            Enrolled::NameTaken => return Err(Row::USERNAME_TAKEN.into()),
            Enrolled::Refused(refusal) => return Err(refusal.into()),
        };
        let code_of = |contact| {
            let its = contacts.iter().zip(&sent).find(|(other, _)| **other == contact);
            its.and_then(|(_, accepted)| accepted.code.as_ref()).map(|code| code.expose().to_owned())
        };
        let (email_code, phone_code) = (code_of(Contact::Email), code_of(Contact::Phone));
        Ok(AddHumanUserResponse { user_id: id, details: Some(Details::read(&user)), email_code, phone_code })
    }

    /// `GetUserByID`
    pub(crate) async fn get_user_by_id(
        &self,
        call: &Admitted,
        request: UserIdRequest,
    ) -> Result<GetUserByIdResponse, Reason> {
        Field("GetUserByIDRequest", "UserId").length(&request.user_id, 200)?;
        call.caller.permit_on(&request.user_id, Permission::Read)?;
        let user = self.of_organization(&call.caller, &request.user_id, Row::USER_UNKNOWN).await?;
        Ok(GetUserByIdResponse { details: Some(Details::read(&user)), user: Some(shown(user)) })
    }
}

/// What `AddHumanUser` asks for.
struct Wanted {
    id: Option<String>,
    username: Option<String>,
    organization: Option<String>,
    profile: Profile,
    email: EmailAddress,
    email_mode: Mode,
    email_url: Option<UrlTemplate>,
    /// As it was written.
    phone: Option<(String, Mode)>,
}

impl Wanted {
    fn parse(request: AddHumanUserRequest) -> Result<Self, Reason> {
        if let Some(row) = request.not_kept() {
            return Err(row.into());
        }
        let AddHumanUserRequest { user_id, username, organization, profile, email, phone, .. } = request;
        let of_user = |field| Field("AddHumanUserRequest", field);
        let mut email_url = None;
        if let Some(email) = &email {
            let inner = Field("SetHumanEmail", "SendCode").url_template(email.send_code.as_ref());
            email_url = inner.map_err(|reason| of_user("Email").within(&reason))?;
        }
        if let Some(id) = &user_id {
            of_user("UserId").length(id, 200)?;
        }
        if let Some(name) = &username {
            of_user("Username").length(name, 200)?;
        }
        let profile = of_user("Profile").required(profile)?;
        let email = of_user("Email").required(email)?;
        let in_profile = |field, text: &str| {
            let fits = Field("SetHumanProfile", field).length(text, 200);
            fits.map_err(|reason| of_user("Profile").within(&reason))
        };
        in_profile("GivenName", &profile.given_name)?;
        in_profile("FamilyName", &profile.family_name)?;
        let language = profile.preferred_language.filter(|language| !language.is_empty());
        if let Some(language) = &language {
            let fits = Field("SetHumanProfile", "PreferredLanguage").at_most(language, 10);
            fits.map_err(|reason| of_user("Profile").within(&reason))?;
        }
        let address = Field("SetHumanEmail", "Email").email(&email.email);
        let address = address.map_err(|reason| of_user("Email").within(&reason))?;
        let email_mode = mode(email.send_code.is_some(), email.return_code.is_some(), email.is_verified)?;
        let phone = phone.map(|phone| {
            let in_phone = |reason: Reason| of_user("Phone").within(&reason);
            Field("SetHumanPhone", "Phone").at_most(&phone.phone, 200).map_err(in_phone)?;
            let mode = mode(phone.send_code.is_some(), phone.return_code.is_some(), phone.is_verified)?;
            Field("SetHumanPhone", "IsVerified").only_true(phone.is_verified).map_err(in_phone)?;
            Ok::<_, Reason>((phone.phone, mode))
        });
        let organization = match organization {
            // Organisations have no domains here.
            Some(wire::Organization { org_domain: Some(_), .. }) => return Err(Row::NO_ORGANIZATION.into()),
            Some(wire::Organization { org_id, .. }) => org_id.filter(|id| !id.is_empty()),
            None => None,
        };
        Ok(Self {
            id: user_id,
            username,
            organization,
            profile: Profile { given_name: profile.given_name, family_name: profile.family_name, language },
            email: address,
            email_mode,
            email_url,
            phone: phone.transpose()?.filter(|(number, _)| !number.is_empty()),
        })
    }
}

fn phone_of(address: &Recipient) -> Option<PhoneNumber> {
    match address {
        Recipient::Phone(phone) => Some(phone.clone()),
        Recipient::Email(_) => None,
    }
}

fn shown(user: User) -> wire::User {
    let details = Some(Details::read(&user));
    let Profile { given_name, family_name, language } = user.profile;
    let display_name = format!("{given_name} {family_name}");
    let username = user.username.unwrap_or_default();
    let email = user.email.map(|email| email.expose().to_owned()).unwrap_or_default();
    let phone = user.phone.map(|phone| phone.expose().to_owned()).unwrap_or_default();
    let human = wire::HumanUser {
        profile: Some(wire::HumanProfile {
            given_name,
            family_name,
            display_name: Some(display_name.trim().to_owned()).filter(|name| !name.is_empty()),
            preferred_language: language,
        }),
        email: Some(wire::HumanEmail { email, is_verified: user.email_verified }),
        phone: Some(wire::HumanPhone { phone, is_verified: user.phone_verified }),
    };
    wire::User {
        user_id: user.id,
        details,
        state: wire::UserState::Active.into(),
        login_names: vec![username.clone()],
        preferred_login_name: username.clone(),
        username,
        human: Some(human),
    }
}
