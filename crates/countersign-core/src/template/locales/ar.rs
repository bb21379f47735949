//! Arabic. One and two minutes are said without a digit; the code is always in ASCII digits.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "ar",
    expiry: &[
        ("one", "تنتهي صلاحيته بعد دقيقة واحدة."),
        ("two", "تنتهي صلاحيته بعد دقيقتين."),
        ("few", "تنتهي صلاحيته بعد {minutes} دقائق."),
        ("many", "تنتهي صلاحيته بعد {minutes} دقيقة."),
        ("other", "تنتهي صلاحيته بعد {minutes} دقيقة."),
    ],
    sms: "رمز {brand} الخاص بك: {code}. {expiry}",
    voice: "مرحبًا. رمز {brand} الخاص بك هو: {code}. نكرر، رمزك هو: {code}. {expiry} مع السلامة.",
    subject: "رمز {brand} الخاص بك",
    email: "مرحبًا،

رمز {brand} الخاص بك هو:

{code}

{expiry} يرجى عدم مشاركته مع أي شخص.

إذا لم تطلب هذا الرمز، فيمكنك تجاهل هذه الرسالة.
",
};
