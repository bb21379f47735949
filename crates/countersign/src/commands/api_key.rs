//! `countersign api-key generate`

use countersign_core::entropy::Entropy;
use countersign_core::names::TenantId;
use countersign_http::native::Scope;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Failure, say};
use crate::config::scope;
use crate::entropy::OsEntropy;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes a new key; it is shown once and stored nowhere
    Generate {
        /// Whose key it will be
        #[arg(long)]
        tenant: TenantId,
        /// What it may do: verify, read-code, trusted, admin
        #[arg(long, value_delimiter = ',', default_value = "verify", value_parser = scope)]
        scopes: Vec<Scope>,
        /// What it is called in the audit log
        #[arg(long, default_value = "backend")]
        name: String,
    },
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    let Command::Generate { tenant, scopes, name } = command;
    if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
        return Err(Failure::configuration("--name must be 1 to 64 characters"));
    }
    let key = generate(&OsEntropy);
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("\"{}\"", scope.as_str())).collect();
    say(&format!(
        "{}\n\n# The key above is not stored anywhere: hand it to the caller now. Put these lines under the\n\
         # [[tenants]] entry with id = \"{tenant}\":\n\
         [[tenants.api_keys]]\n\
         name = {}\n\
         sha256 = \"{}\"\n\
         scopes = [{}]",
        *key,
        serde_json::Value::from(name.as_str()),
        HEXLOWER.encode(&Sha256::digest(key.as_bytes())),
        scopes.join(", "),
    ))?;
    Ok(())
}

/// Base 32 (RFC 4648) in lower case: a double click selects all of it.
fn base32() -> data_encoding::Encoding {
    let mut spec = data_encoding::Specification::new();
    spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    spec.encoding().expect("32 different symbols")
}

/// `csk_`, 256 random bits, and 40 bits of their SHA-256, so that a scanner for leaked secrets can
/// tell a key from a look-alike without asking anybody.
fn generate(entropy: &impl Entropy) -> Zeroizing<String> {
    let random = entropy.seed();
    let mut bytes = Zeroizing::new(random.expose().to_vec());
    bytes.extend_from_slice(&checksum(random.expose()));
    Zeroizing::new(format!("csk_{}", base32().encode(&bytes)))
}

fn checksum(random: &[u8]) -> [u8; 5] {
    let mut sum = [0; 5];
    sum.copy_from_slice(&Sha256::digest(random)[..5]);
    sum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use countersign_core::entropy::Seed;

    use super::*;

    struct Counting;

    impl Entropy for Counting {
        fn seed(&self) -> Seed {
            Seed::new(std::array::from_fn(|n| u8::try_from(n).unwrap()))
        }
    }

    /// The expected key was computed elsewhere, by Python's `hashlib` and `base64`.
    /// Shows: N10, K3.
    #[test]
    fn a_key_has_256_bits_and_forty_of_their_hash() {
        let key = generate(&Counting);
        assert_eq!(*key, "csk_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypwgdonffta");
    }

    #[test]
    fn two_keys_differ() {
        assert_ne!(*generate(&OsEntropy), *generate(&OsEntropy));
    }
}
