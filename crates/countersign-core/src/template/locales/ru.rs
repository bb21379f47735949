//! Russian.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "ru",
    expiry: &[
        ("one", "Он действует {minutes} минуту."),
        ("few", "Он действует {minutes} минуты."),
        ("many", "Он действует {minutes} минут."),
    ],
    sms: "Ваш код {brand}: {code}. {expiry}",
    voice: "Здравствуйте. Ваш код {brand}: {code}. Повторяем, ваш код: {code}. {expiry} До свидания.",
    subject: "Ваш код {brand}",
    email: "Здравствуйте!

Ваш код {brand}:

{code}

{expiry} Никому его не сообщайте.

Если вы не запрашивали этот код, просто проигнорируйте это сообщение.
",
};
