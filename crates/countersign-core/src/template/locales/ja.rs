//! Japanese.

use super::Language;

pub(super) const TEXTS: Language = Language {
    locale: "ja",
    expiry: &[("other", "有効期限は {minutes} 分です。")],
    sms: "{brand} の認証コードは {code} です。{expiry}",
    voice: "こちらは {brand} です。認証コードは、{code} です。繰り返します。認証コードは、{code} です。{expiry}",
    subject: "{brand} の認証コード",
    email: "{brand} をご利用いただきありがとうございます。

認証コードは次のとおりです。

{code}

{expiry}このコードは誰にも教えないでください。

お心当たりのない場合は、このメールを破棄してください。
",
};
