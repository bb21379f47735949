//! Spanish, in words that are usual on both sides of the Atlantic.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "es",
    expiry: &[("one", "Expira en {minutes} minuto."), ("other", "Expira en {minutes} minutos.")],
    sms: "Su código de {brand} es {code}. {expiry}",
    voice: "Hola. Su código de {brand} es: {code}. Repetimos, su código es: {code}. {expiry} Adiós.",
    subject: "Su código de {brand}",
    email: "Hola:

Su código de {brand} es:

{code}

{expiry} No lo comparta con nadie.

Si no ha solicitado este código, puede ignorar este mensaje.
",
};
