//! Portuguese, in words that are usual in Portugal and in Brazil.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "pt",
    expiry: &[("one", "Expira em {minutes} minuto."), ("other", "Expira em {minutes} minutos.")],
    sms: "O seu código {brand} é {code}. {expiry}",
    voice: "Olá. O seu código {brand} é: {code}. Repetindo, o seu código é: {code}. {expiry}",
    subject: "O seu código {brand}",
    email: "Olá,

O seu código {brand} é:

{code}

{expiry} Não o revele a ninguém.

Se não solicitou este código, ignore esta mensagem.
",
};
