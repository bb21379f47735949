//! From the language asked for to one that we have.

use crate::names::Locale;

/// The tags under which a text for `locale` is looked for: the tag, then shorter and shorter ones
/// (RFC 4647, section 3.4). Chinese is written in two ways, which a region implies: `zh`, `zh-CN` and
/// `zh-SG` are read as `zh-Hans`; `zh-TW`, `zh-HK` and `zh-MO` as `zh-Hant`, and never as `zh-Hans`.
pub(super) fn chain(locale: &Locale) -> Vec<&str> {
    let mut chain: Vec<&str> = locale.fallbacks().collect();
    if chain.last() == Some(&"zh") {
        let has = |subtag: &str| locale.as_str().split('-').any(|part| part == subtag);
        let traditional = !has("Hans") && ["Hant", "TW", "HK", "MO"].into_iter().any(has);
        let script = if traditional { "zh-Hant" } else { "zh-Hans" };
        let bare = chain.pop();
        if !chain.contains(&script) {
            chain.push(script);
        }
        if !traditional {
            // Who asks for `zh` alone gets a text for `zh` alone, if there is one.
            let place = if locale.as_str() == "zh" { 0 } else { chain.len() };
            chain.splice(place..place, bare);
        }
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_get_shorter_and_chinese_keeps_its_script() {
        for (tag, expected) in [
            ("en", "en"),
            ("pt-BR", "pt-BR pt"),
            ("de-DE-1996", "de-DE-1996 de-DE de"),
            ("zh", "zh zh-Hans"),
            ("zh-CN", "zh-CN zh-Hans zh"),
            ("zh_sg", "zh-SG zh-Hans zh"),
            ("zh-Hans", "zh-Hans zh"),
            ("zh-Hans-HK", "zh-Hans-HK zh-Hans zh"),
            ("zh-TW", "zh-TW zh-Hant"),
            ("zh-Hant-HK", "zh-Hant-HK zh-Hant"),
        ] {
            assert_eq!(chain(&Locale::parse(tag).unwrap()).join(" "), expected);
        }
    }
}
