//! A signed query of the dialect `enduserapi`: the example of the vendor's page, with a signature that is
//! right and a time that is now.

use countersign_http::signature::sha256;
use data_encoding::HEXLOWER;

use super::Moment;

/// The demo user domain and what it signs with, as the vendor's page has them.
const USER_DOMAIN: &str = "C.DM.10271.5";
const SECRET: &str = "57Fk69oYgbs2aWWN362NtZwYB2RqKNqQ7yZESnF5VM33";

const PHONE: &str = "13800138000";

/// A registration.
const CODE_TYPE: &str = "3";

pub(super) fn send_phone_sms_code(moment: &Moment) -> String {
    let random = HEXLOWER.encode(&moment.seed.expose()[..8]);
    let ts = moment.now.as_millis().to_string();
    let signature = sign(&random, &ts);
    format!(
        "codeType={CODE_TYPE}&internationalCode=86&phone={PHONE}&random={random}&signature={signature}\
         &ts={ts}&userDomain={USER_DOMAIN}"
    )
}

/// The vendor's recipe: the values and the secret, one after the other.
fn sign(random: &str, ts: &str) -> String {
    HEXLOWER.encode(&sha256(&[PHONE, CODE_TYPE, random, ts, SECRET].map(str::as_bytes)))
}

#[cfg(test)]
mod tests {
    use countersign_core::time::Timestamp;

    use super::*;

    #[test]
    fn the_values_of_the_vendors_page_are_signed_by_its_recipe() {
        assert_eq!(
            sign("76a6L647F02CAoN9", "1744773894369"),
            "adf0cd13e4a086f78577ca284df28a5382a7af36e011e1aec6375a0a615fb891"
        );
    }

    #[test]
    fn two_draws_are_two_requests() {
        let draw = |seed: [u8; 32]| {
            send_phone_sms_code(&Moment { now: Timestamp::from_millis(1_744_773_894_369), seed: seed.into() })
        };
        assert!(draw([1; 32]).contains("&random=0101010101010101&"));
        assert!(draw([1; 32]).contains("&ts=1744773894369&"));
        assert_ne!(draw([1; 32]), draw([2; 32]));
    }
}
