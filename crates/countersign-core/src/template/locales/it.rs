//! Italian.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "it",
    expiry: &[("one", "Scade tra {minutes} minuto."), ("other", "Scade tra {minutes} minuti.")],
    sms: "Il suo codice {brand} è {code}. {expiry}",
    voice: "Buongiorno. Il suo codice {brand} è: {code}. Ripeto, il suo codice è: {code}. {expiry} Arrivederci.",
    subject: "Il suo codice {brand}",
    email: "Buongiorno,

il suo codice {brand} è:

{code}

{expiry} Non lo comunichi a nessuno.

Se non ha richiesto questo codice, può ignorare questo messaggio.
",
};
