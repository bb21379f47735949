//! French.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "fr",
    expiry: &[("one", "Il expire dans {minutes} minute."), ("other", "Il expire dans {minutes} minutes.")],
    sms: "Votre code {brand} est {code}. {expiry}",
    voice: "Bonjour. Votre code {brand} est : {code}. Je répète, votre code est : {code}. {expiry} Au revoir.",
    subject: "Votre code {brand}",
    email: "Bonjour,

Votre code {brand} est :

{code}

{expiry} Ne le communiquez à personne.

Si vous n’avez pas demandé ce code, vous pouvez ignorer ce message.
",
};
