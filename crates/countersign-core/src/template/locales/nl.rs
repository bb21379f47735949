//! Dutch.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "nl",
    expiry: &[
        ("one", "Deze verloopt over {minutes} minuut."),
        ("other", "Deze verloopt over {minutes} minuten."),
    ],
    sms: "Uw code voor {brand} is {code}. {expiry}",
    voice: "Goedendag. Uw code voor {brand} is: {code}. Nogmaals, uw code is: {code}. {expiry} Tot ziens.",
    subject: "Uw code voor {brand}",
    email: "Goedendag,

Uw code voor {brand} is:

{code}

{expiry} Deel de code met niemand.

Hebt u deze code niet aangevraagd? Dan kunt u dit bericht negeren.
",
};
