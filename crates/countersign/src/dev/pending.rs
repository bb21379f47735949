//! What dev mode has begun before anybody calls.

use std::time::Duration;

use countersign_core::engine::{Delivery, Intent};
use countersign_core::names::{DialectName, Purpose, TenantId};
use countersign_core::pairs::Pairs;
use countersign_core::policy::{ResendCode, Terms};
use countersign_core::recipient::Recipient;
use countersign_core::tenant::Tenants;
use countersign_core::verification::Status;
use countersign_core::verifications::{RequestError, Start, Target, Verifications};
use countersign_http::dialects::crypterium;

/// The merchant of that sample.
const MERCHANT: &str = "bece038f-2e46-49f4-b25e-89cd38d6dc16";
/// The number that the crypterium dialect's sample sends a code to again.
const SIGNED_UP: &str = "+447871234567";

/// Opens a sign-up of that number, unless one is pending, so that the sample has something to send again. Its
/// first code goes nowhere: nobody has to wait before asking for the next.
///
/// # Errors
/// The store is unavailable.
pub async fn open_sign_up(verifications: &Verifications, tenants: &Tenants) -> Result<(), RequestError> {
    let tenant = TenantId::parse("demo").expect("a valid id");
    let tenant = tenants.get(&tenant).expect("dev mode has a demo tenant");
    let number = Recipient::from_canonical(SIGNED_UP);
    if !verifications.list(tenant, Some(&number), Some(Status::Pending), None, 1).await?.found.is_empty() {
        return Ok(());
    }
    let request = Start {
        tenant,
        dialect: &DialectName::parse("crypterium").expect("a dialect's name"),
        purpose: Purpose::parse("signup").expect("a purpose"),
        intent: Intent::Start,
        delivery: Delivery::Return,
        targets: vec![(Target::Address(number), None)],
        locale: None,
        custom_code: None,
        link: None,
        context: crypterium::context_of(MERCHANT).expect("a merchant's id"),
        metadata: Pairs::default(),
        client_ip: None,
        trusted: false,
        ends_hold_of: None,
        terms: Some(Terms {
            code_life: Duration::from_secs(300),
            cool_downs: [60, 60, 120, 240].map(Duration::from_secs).to_vec(),
            resend_code: ResendCode::New,
            ..tenant.policy.terms.clone()
        }),
        idempotency: None,
    };
    verifications.start(request).await.map(|_nobody_reads_the_code| ())
}
