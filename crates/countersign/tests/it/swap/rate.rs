//! A tenant that asks more than it may, over every wire API.

use countersign_core::rate::Rate;

use super::places::places;
use super::{WIDE, config};
use crate::support::TestApp;

/// Each wire API says so in its own words, and the other tenant notices nothing.
///
/// Shows: F15, O4.
#[tokio::test]
async fn f15_a_tenant_over_its_rate_is_told_to_come_back_over_every_wire_api() {
    let mut config = config(WIDE);
    for tenant in &mut config.tenants {
        tenant.rate = (tenant.id.as_str() == "acme").then_some(Rate { per_second: 1, burst: 1 });
    }
    let app = TestApp::serving(config);
    for place in places() {
        app.advance(60);
        let asked = place.ask(&app).await;
        assert_ne!(asked.status, 503, "{place:?}: {asked:?}");
        let again = place.ask(&app).await;
        let refused = place.key() == "csk_acme";
        assert_eq!(again.status == 503, refused, "{place:?}: {again:?}");
        assert_eq!(
            again.header("retry-after").is_some() && again.status == 503,
            refused,
            "{place:?}: {again:?}"
        );
        app.sent().await;
    }
}
