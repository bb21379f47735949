//! Polish. Impersonal, which is the polite way to write to somebody whose gender is not known.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "pl",
    expiry: &[
        ("one", "Wygasa za {minutes} minutę."),
        ("few", "Wygasa za {minutes} minuty."),
        ("many", "Wygasa za {minutes} minut."),
    ],
    sms: "Kod {brand}: {code}. {expiry}",
    voice: "Dzień dobry. Kod {brand} to: {code}. Powtarzam, kod to: {code}. {expiry} Do widzenia.",
    subject: "Kod {brand}",
    email: "Dzień dobry,

oto kod {brand}:

{code}

{expiry} Prosimy nikomu go nie podawać.

Jeśli to nie Państwo prosili o ten kod, prosimy zignorować tę wiadomość.
",
};
