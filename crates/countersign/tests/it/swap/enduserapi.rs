//! Signed calls of the enduserapi dialect.

use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};

use crate::support::{Answer, TestApp};

/// Calls in a tenant's name. The signature covers the `signed` parameters, in this order.
pub(super) async fn call(
    app: &TestApp,
    tenant: &str,
    path: &str,
    signed: &[(&str, &str)],
    unsigned: &[(&str, &str)],
) -> Answer {
    static NONCES: AtomicU32 = AtomicU32::new(0);
    let random = format!("{:016}", NONCES.fetch_add(1, Ordering::Relaxed));
    let ts = app.now().as_millis().to_string();
    let secret = format!("the secret of the user domain {tenant}");
    let values: String = signed.iter().map(|(_, value)| *value).collect();
    let signature = Sha256::digest(format!("{values}{random}{ts}{secret}"));
    let signature = data_encoding::HEXLOWER.encode(&signature);
    let own = [("random", &*random), ("ts", &ts), ("signature", &signature), ("userDomain", tenant)];
    let all = signed.iter().chain(unsigned).chain(&own);
    let query: Vec<String> = all.map(|(name, value)| format!("{name}={value}")).collect();
    app.call("POST", &format!("{path}?{}", query.join("&")), &[], None).await
}
