//! How much a caller may tell us.

use std::collections::BTreeMap;

use crate::problem::Problem;

pub(super) const CONTEXT_PAIRS: usize = 8;
pub(super) const CONTEXT_NAME: usize = 64;
pub(super) const CONTEXT_VALUE: usize = 256;
pub(super) const METADATA_PAIRS: usize = 16;
pub(super) const METADATA_BYTES: usize = 1024;

/// What a code is bound to.
pub(super) fn context(pairs: &BTreeMap<String, String>) -> Result<(), Problem> {
    if pairs.len() > CONTEXT_PAIRS {
        return Err(Problem::malformed("context", format!("may have {CONTEXT_PAIRS} pairs")));
    }
    for (name, value) in pairs {
        if !(1..=CONTEXT_NAME).contains(&name.chars().count()) {
            return Err(Problem::malformed("context", format!("a name has 1 to {CONTEXT_NAME} characters")));
        }
        if value.chars().count() > CONTEXT_VALUE {
            let detail = format!("a value has at most {CONTEXT_VALUE} characters");
            return Err(Problem::malformed(format!("context.{name}"), detail));
        }
    }
    Ok(())
}

/// The caller's own notes.
pub(super) fn metadata(pairs: &BTreeMap<String, String>) -> Result<(), Problem> {
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if pairs.len() > METADATA_PAIRS || bytes > METADATA_BYTES {
        let detail =
            format!("may have {METADATA_PAIRS} pairs and {METADATA_BYTES} bytes of names and values");
        return Err(Problem::malformed("metadata", detail));
    }
    Ok(())
}

/// A text that is only so long.
pub(super) fn text(field: &'static str, text: Option<&str>, max: usize) -> Result<(), Problem> {
    if text.is_some_and(|text| text.chars().count() > max) {
        return Err(Problem::malformed(field, format!("may have {max} characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(count: usize, name: usize, value: usize) -> BTreeMap<String, String> {
        (0..count).map(|i| (format!("{i:0name$}"), "v".repeat(value))).collect()
    }

    #[test]
    fn a_context_has_8_short_pairs() {
        assert!(context(&pairs(8, 64, 256)).is_ok());
        assert!(context(&pairs(9, 1, 1)).is_err());
        assert!(context(&pairs(1, 65, 1)).is_err());
        assert!(context(&pairs(1, 1, 257)).is_err());
        assert!(
            context(&BTreeMap::from([("ж".repeat(64), "字".repeat(256))])).is_ok(),
            "characters, as JSON has them"
        );
        assert!(context(&BTreeMap::from([(String::new(), "v".into())])).is_err());
    }

    #[test]
    fn metadata_has_16_pairs_and_a_kibibyte() {
        assert!(metadata(&pairs(16, 32, 32)).is_ok());
        assert!(metadata(&pairs(16, 32, 33)).is_err());
        assert!(metadata(&pairs(17, 2, 1)).is_err());
    }
}
