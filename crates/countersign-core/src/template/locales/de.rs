//! German.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "de",
    expiry: &[("one", "Er läuft in {minutes} Minute ab."), ("other", "Er läuft in {minutes} Minuten ab.")],
    sms: "Ihr Code für {brand} lautet {code}. {expiry}",
    voice: "Guten Tag. Ihr Code für {brand} lautet: {code}. Noch einmal, Ihr Code lautet: {code}. {expiry} \
            Auf Wiederhören.",
    subject: "Ihr Code für {brand}",
    email: "Guten Tag,

Ihr Code für {brand} lautet:

{code}

{expiry} Bitte geben Sie ihn an niemanden weiter.

Falls Sie diesen Code nicht angefordert haben, können Sie diese Nachricht ignorieren.
",
};
