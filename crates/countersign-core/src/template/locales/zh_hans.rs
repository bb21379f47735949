//! Chinese in simplified characters.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "zh-Hans",
    expiry: &[("other", "{minutes} 分钟内有效。")],
    sms: "您的 {brand} 验证码是 {code}，{expiry}",
    voice: "您好。您的 {brand} 验证码是：{code}。重复一遍，您的验证码是：{code}。{expiry}再见。",
    subject: "您的 {brand} 验证码",
    email: "您好！

您的 {brand} 验证码是：

{code}

{expiry}请勿将验证码告诉他人。

如非本人操作，请忽略此邮件。
",
};
