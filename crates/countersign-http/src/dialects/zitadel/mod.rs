//! ZITADEL's calls about phones and mailboxes: user v2 and v2beta, auth v1, management v1.
//!
//! Sources: the pages "Resend the contact phone code" (user v2) and "Resend Phone verification" (auth
//! v1); beyond them the public source of August 2025 (v4), its `.proto` files, and what its official
//! clients send. Those speak Connect (Python) and gRPC (JavaScript, Rust); the pages show the REST gateway.
//! All three end in the same calls.
//!
//! Known quirks, each handled where it arises and listed in `docs/dialects/zitadel.md`:
//! - v2 asks for a *pending code* to send again, v1 for an address that is not proven;
//! - one id can stand for two texts, and one condition has another id in each version;
//! - adding a user answers 200 on v2 and 201 on v2beta;
//! - JSON is protobuf's: zero values are left out, 64-bit numbers are texts.

mod auth;
mod calls;
mod config;
mod errors;
mod messages;
#[cfg(test)]
mod tests;
mod url_template;
mod users;
mod validate;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};

use countersign_core::directory::User;

pub use auth::InvalidConfig;
pub use config::{CodeAlphabet, CodeLength, Config, Kind, LinkHost, Options, Role, Seconds, Token};

use super::directory::directory_of;
use crate::observe::Cause;
use crate::services::Services;
use auth::Door;
use errors::Reason;
use users::Users;
use wire::{Zitadel, grpc, rest};

/// The dialect's name in logs, in metrics and in its verifications.
pub(super) const NAME: &str = "zitadel";

type Routes = Router<Arc<Zitadel>>;

/// Whether a user looks like one of this dialect's: they have an organisation.
pub(super) fn registered(user: &User) -> bool {
    user.organization.is_some()
}

/// The answer to what the front refused before it was read, which is empty, and to a panic.
pub(super) fn refusal(status: StatusCode) -> Response {
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => rest::failure(&Reason::Internal(Cause("a panic".into())).into()),
        status => status.into_response(),
    }
}

/// The dialect's routes.
///
/// # Errors
/// The section names a tenant or a region that does not exist, or one token twice.
pub fn routes(config: Config, services: Services) -> Result<Router, InvalidConfig> {
    let directory = directory_of(&services, NAME, config.directory.as_ref());
    let door = Door::new(config, &services)?;
    let zitadel = Arc::new(Zitadel { door, users: Users::new(services, directory) });
    let all = user_v2().merge(auth_v1()).merge(management_v1()).merge(unknown_paths());
    Ok(all.with_state(zitadel))
}

fn user_v2() -> Routes {
    let mut routes = Router::new();
    for version in ["v2", "v2beta"] {
        let user = format!("/{version}/users/{{id}}");
        let add = match version {
            "v2" => post(rest::ok::<calls::AddHumanUser>),
            _ => post(rest::created::<calls::AddHumanUser>),
        };
        // The same path in two methods: one router, or neither would know what the other allows.
        let phone = post(rest::ok::<calls::SetPhone>).delete(rest::ok::<calls::RemovePhone>);
        routes = routes
            .route(&format!("{user}/phone"), only(phone))
            .route(&format!("{user}/phone/resend"), only(post(rest::ok::<calls::ResendPhoneCode>)))
            .route(&format!("{user}/phone/verify"), only(post(rest::ok::<calls::VerifyPhone>)))
            .route(&format!("{user}/email"), only(post(rest::ok::<calls::SetEmail>)))
            .route(&format!("{user}/email/resend"), only(post(rest::ok::<calls::ResendEmailCode>)))
            .route(&format!("{user}/email/verify"), only(post(rest::ok::<calls::VerifyEmail>)))
            .route(&format!("/{version}/users/human"), only(add))
            .route(&user, only(get(rest::ok::<calls::GetUserByID>)));
        let service = format!("/zitadel.user.{version}.UserService");
        routes = routes
            .route(&format!("{service}/SetPhone"), only(post(grpc::all::<calls::SetPhone>)))
            .route(&format!("{service}/ResendPhoneCode"), only(post(grpc::all::<calls::ResendPhoneCode>)))
            .route(&format!("{service}/VerifyPhone"), only(post(grpc::all::<calls::VerifyPhone>)))
            .route(&format!("{service}/RemovePhone"), only(post(grpc::all::<calls::RemovePhone>)))
            .route(&format!("{service}/SetEmail"), only(post(grpc::all::<calls::SetEmail>)))
            .route(&format!("{service}/ResendEmailCode"), only(post(grpc::all::<calls::ResendEmailCode>)))
            .route(&format!("{service}/VerifyEmail"), only(post(grpc::all::<calls::VerifyEmail>)))
            .route(&format!("{service}/AddHumanUser"), only(post(grpc::all::<calls::AddHumanUser>)))
            .route(&format!("{service}/GetUserByID"), only(post(grpc::all::<calls::GetUserByID>)))
            .route(&format!("{service}/{{method}}"), any(grpc::unknown));
    }
    // v2beta has no such call.
    routes
        .route("/v2/users/{id}/email/send", only(post(rest::ok::<calls::SendEmailCode>)))
        .route("/zitadel.user.v2.UserService/SendEmailCode", only(post(grpc::all::<calls::SendEmailCode>)))
}

fn auth_v1() -> Routes {
    let me = "/auth/v1/users/me";
    let phone = get(rest::ok::<calls::GetMyPhone>)
        .put(rest::ok::<calls::SetMyPhone>)
        .delete(rest::ok::<calls::RemoveMyPhone>);
    let email = get(rest::ok::<calls::GetMyEmail>).put(rest::ok::<calls::SetMyEmail>);
    let service = "/zitadel.auth.v1.AuthService";
    Router::new()
        .route(&format!("{me}/phone"), only(phone))
        .route(&format!("{me}/phone/_verify"), only(post(rest::ok::<calls::VerifyMyPhone>)))
        .route(
            &format!("{me}/phone/_resend_verification"),
            only(post(rest::ok::<calls::ResendMyPhoneVerification>)),
        )
        .route(&format!("{me}/email"), only(email))
        .route(&format!("{me}/email/_verify"), only(post(rest::ok::<calls::VerifyMyEmail>)))
        .route(
            &format!("{me}/email/_resend_verification"),
            only(post(rest::ok::<calls::ResendMyEmailVerification>)),
        )
        .merge(rpc::<calls::GetMyPhone>(service, "GetMyPhone"))
        .merge(rpc::<calls::SetMyPhone>(service, "SetMyPhone"))
        .merge(rpc::<calls::VerifyMyPhone>(service, "VerifyMyPhone"))
        .merge(rpc::<calls::ResendMyPhoneVerification>(service, "ResendMyPhoneVerification"))
        .merge(rpc::<calls::RemoveMyPhone>(service, "RemoveMyPhone"))
        .merge(rpc::<calls::GetMyEmail>(service, "GetMyEmail"))
        .merge(rpc::<calls::SetMyEmail>(service, "SetMyEmail"))
        .merge(rpc::<calls::VerifyMyEmail>(service, "VerifyMyEmail"))
        .merge(rpc::<calls::ResendMyEmailVerification>(service, "ResendMyEmailVerification"))
        .route(&format!("{service}/{{method}}"), any(grpc::unknown))
}

fn management_v1() -> Routes {
    let user = "/management/v1/users/{id}";
    let phone = get(rest::ok::<calls::GetHumanPhone>)
        .put(rest::ok::<calls::UpdateHumanPhone>)
        .delete(rest::ok::<calls::RemoveHumanPhone>);
    let email = get(rest::ok::<calls::GetHumanEmail>).put(rest::ok::<calls::UpdateHumanEmail>);
    let service = "/zitadel.management.v1.ManagementService";
    Router::new()
        .route(&format!("{user}/phone"), only(phone))
        .route(
            &format!("{user}/phone/_resend_verification"),
            only(post(rest::ok::<calls::ResendHumanPhoneVerification>)),
        )
        .route(&format!("{user}/email"), only(email))
        .route(
            &format!("{user}/email/_resend_verification"),
            only(post(rest::ok::<calls::ResendHumanEmailVerification>)),
        )
        .merge(rpc::<calls::GetHumanPhone>(service, "GetHumanPhone"))
        .merge(rpc::<calls::UpdateHumanPhone>(service, "UpdateHumanPhone"))
        .merge(rpc::<calls::RemoveHumanPhone>(service, "RemoveHumanPhone"))
        .merge(rpc::<calls::ResendHumanPhoneVerification>(service, "ResendHumanPhoneVerification"))
        .merge(rpc::<calls::GetHumanEmail>(service, "GetHumanEmail"))
        .merge(rpc::<calls::UpdateHumanEmail>(service, "UpdateHumanEmail"))
        .merge(rpc::<calls::ResendHumanEmailVerification>(service, "ResendHumanEmailVerification"))
        .route(&format!("{service}/{{method}}"), any(grpc::unknown))
}

/// The v1 services are not served over Connect.
fn rpc<C: calls::Call>(service: &str, name: &str) -> Routes {
    Router::new().route(&format!("{service}/{name}"), only(post(grpc::without_connect::<C>)))
}

/// A path for these methods only.
fn only(methods: MethodRouter<Arc<Zitadel>>) -> MethodRouter<Arc<Zitadel>> {
    methods.fallback(async || rest::failure(&Reason::WrongMethod.into()))
}

/// Paths that look like ours and are not. `/v2` itself is shared with other wire APIs.
fn unknown_paths() -> Routes {
    let mut routes = Router::new();
    for below in ["/v2/users", "/v2beta/users"] {
        for rest in ["", "/", "/{id}/{call}", "/{id}/{call}/{verb}", "/{id}/{call}/{verb}/{*rest}"] {
            routes = routes.route(&format!("{below}{rest}"), not_found());
        }
    }
    for below in ["/auth/v1", "/management/v1"] {
        for rest in ["", "/", "/{*rest}"] {
            routes = routes.route(&format!("{below}{rest}"), not_found());
        }
    }
    routes
}

fn not_found() -> MethodRouter<Arc<Zitadel>> {
    any(async || rest::failure(&Reason::NoSuchPath.into()))
}
