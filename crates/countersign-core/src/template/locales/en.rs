//! English.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "en",
    expiry: &[("one", "It expires in {minutes} minute."), ("other", "It expires in {minutes} minutes.")],
    sms: "Your {brand} code is {code}. {expiry}",
    voice: "Hello. Your {brand} code is: {code}. Once again, your code is: {code}. {expiry} Goodbye.",
    subject: "Your {brand} code",
    email: "Hello,

Your {brand} code is:

{code}

{expiry} Please do not share it with anyone.

If you did not ask for this code, you can ignore this message.
",
};
