//! The tokens that a proof is answered with, and whose they are.
//!
//! A token is the merchant's UUID, a dot, and a sealed statement of the core's. Nothing here takes a
//! refresh token back: the platform's `/oauth/token` is not served. It is there because the source's
//! token object has one.

use std::time::Duration;

use axum::http::HeaderMap;
use countersign_core::directory::{Directory, User, UserBy};
use countersign_core::tokens::{TokenError, TokenUse};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::auth::{Caller, Door};
use super::error::Problem;
use super::response::TokenObject;
use crate::services::Services;

const ACCESS: &str = "crypterium-access";
const REFRESH: &str = "crypterium-refresh";
/// The source's example has `"expires_in":86399`: a day, a moment after.
const ACCESS_LIFE: Duration = Duration::from_secs(24 * 3600);
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Tokens for a user.
pub(super) fn issue(services: &Services, caller: &Caller, user: &str) -> TokenObject {
    let expires_at = services.verifications.now() + ACCESS_LIFE;
    let merchant = HEXLOWER.encode(&caller.id.0);
    let token = |kind, life| {
        let sealed = Zeroizing::new(services.tokens.issue(of_merchant(caller, kind), user, life));
        Zeroizing::new([&merchant, ".", &sealed].concat())
    };
    let (access_token, refresh_token) = (token(ACCESS, ACCESS_LIFE), token(REFRESH, REFRESH_LIFE));
    let left = services.verifications.now().until(expires_at);
    TokenObject {
        access_token,
        token_type: "bearer",
        refresh_token,
        expires_in: left.as_secs(),
        scope: "read write",
    }
}

/// A merchant's tokens are good with that merchant, also where several have one tenant.
fn of_merchant<'a>(caller: &'a Caller, kind: &'static str) -> TokenUse<'a> {
    TokenUse { tenant: &caller.tenant.id, kind, audience: &caller.id.0 }
}

/// The user whose token a request carries.
pub(super) async fn holder(
    services: &Services,
    directory: &Directory,
    door: &Door,
    headers: &HeaderMap,
) -> Result<User, Problem> {
    let (caller, token) = door.token_holder(headers).ok_or(Problem::BadToken)?;
    let tenant = &caller.tenant.id;
    let claims = services.tokens.open(of_merchant(caller, ACCESS), token).map_err(|error| match error {
        TokenError::Expired => Problem::TokenExpired,
        TokenError::Invalid => Problem::BadToken,
    })?;
    let user = directory.find(tenant, UserBy::Id(&claims.subject)).await?;
    user.ok_or(Problem::BadToken)
}
