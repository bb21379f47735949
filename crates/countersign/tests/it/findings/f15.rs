//! What strangers can use up of a tenant.

use countersign_core::rate::Rate;
use data_encoding::BASE64URL_NOPAD;

use super::one_tenant::{MERCHANTS, config};
use crate::support::TestApp;

/// Anybody can follow a link: the merchant's id is public, and nothing is signed.
///
/// Shows: F15.
#[tokio::test]
async fn f15_strangers_cannot_use_up_a_tenants_rate() {
    let mut config = config("", "");
    for tenant in &mut config.tenants {
        tenant.rate = Some(Rate { per_second: 4, burst: 4 });
    }
    let app = TestApp::serving(config);
    let id = MERCHANTS[0].replace('-', "");
    let mut head = data_encoding::HEXLOWER.decode(id.as_bytes()).unwrap();
    head.extend([0, 0]);
    let token = BASE64URL_NOPAD.encode(&head) + "123456";
    let link = format!("/v2/mobile/email/confirm?email=a%40example.com&token={token}");
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(app.call("GET", &link, &[], None).await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status != 503).count(), 2, "{statuses:?}");
    assert_eq!(
        app.call("GET", "/v1/verifications", &[("authorization", "Bearer csk_acme")], None).await.status,
        200
    );
}
