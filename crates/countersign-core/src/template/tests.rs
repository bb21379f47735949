//! What people will read, in every language and on every channel.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::link::{LinkPart, LinkTemplate};

const NUMBERS: [u32; 8] = [1, 2, 3, 5, 10, 11, 21, 100];

fn locale(tag: &str) -> Locale {
    Locale::parse(tag).unwrap()
}

fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

/// Renders for tenant `acme` and purpose `login`.
fn render(templates: &Templates, channel: Channel, tag: &str, minutes: u32) -> RenderedText {
    render_as(templates, channel, tag, minutes, "Countersign", "123456")
}

fn render_as(
    templates: &Templates,
    channel: Channel,
    tag: &str,
    minutes: u32,
    brand: &str,
    code: &str,
) -> RenderedText {
    templates.render(&TextInput {
        tenant: &tenant("acme"),
        brand,
        purpose: &Purpose::parse("login").unwrap(),
        channel,
        locale: &locale(tag),
        code: &Code::parse(code).unwrap(),
        link: None,
        minutes,
    })
}

fn sms(templates: &Templates, tag: &str, minutes: u32) -> String {
    render(templates, Channel::Sms, tag, minutes).text.to_string()
}

/// A text message in English for everybody.
fn own(text: &str) -> TemplateOverride {
    TemplateOverride {
        tenant: None,
        purpose: None,
        channel: Channel::Sms,
        locale: locale("en"),
        subject: None,
        text: TemplateText::One(text.to_owned()),
    }
}

fn by_category(forms: &[(&str, &str)]) -> TemplateText {
    TemplateText::ByCategory(forms.iter().map(|(c, t)| ((*c).to_owned(), (*t).to_owned())).collect())
}

fn fault(template: TemplateOverride) -> TemplateFault {
    Templates::with_overrides([template]).unwrap_err().fault
}

#[test]
fn every_language_says_it_politely_and_briefly() {
    let texts = Templates::builtin();
    for (tag, expected) in [
        ("ar", "رمز Countersign الخاص بك: 123456. تنتهي صلاحيته بعد 10 دقائق."),
        ("de", "Ihr Code für Countersign lautet 123456. Er läuft in 10 Minuten ab."),
        ("en", "Your Countersign code is 123456. It expires in 10 minutes."),
        ("es", "Su código de Countersign es 123456. Expira en 10 minutos."),
        ("fr", "Votre code Countersign est 123456. Il expire dans 10 minutes."),
        ("it", "Il suo codice Countersign è 123456. Scade tra 10 minuti."),
        ("ja", "Countersign の認証コードは 123456 です。有効期限は 10 分です。"),
        ("nl", "Uw code voor Countersign is 123456. Deze verloopt over 10 minuten."),
        ("pl", "Kod Countersign: 123456. Wygasa za 10 minut."),
        ("pt", "O seu código Countersign é 123456. Expira em 10 minutos."),
        ("ru", "Ваш код Countersign: 123456. Он действует 10 минут."),
        ("zh-Hans", "您的 Countersign 验证码是 123456，10 分钟内有效。"),
    ] {
        assert_eq!(sms(&texts, tag, 10), expected);
        assert_eq!(*render(&texts, Channel::Whatsapp, tag, 10).text, expected);
    }
}

#[test]
fn minutes_take_the_right_plural_in_every_language_and_channel() {
    let texts = Templates::builtin();
    for (tag, expected) in [
        (
            "de",
            [
                "1 Minute ab",
                "2 Minuten",
                "3 Minuten",
                "5 Minuten",
                "10 Minuten",
                "11 Minuten",
                "21 Minuten",
                "100 Minuten",
            ],
        ),
        (
            "en",
            [
                "1 minute.",
                "2 minutes",
                "3 minutes",
                "5 minutes",
                "10 minutes",
                "11 minutes",
                "21 minutes",
                "100 minutes",
            ],
        ),
        (
            "es",
            [
                "1 minuto.",
                "2 minutos",
                "3 minutos",
                "5 minutos",
                "10 minutos",
                "11 minutos",
                "21 minutos",
                "100 minutos",
            ],
        ),
        (
            "fr",
            [
                "1 minute.",
                "2 minutes",
                "3 minutes",
                "5 minutes",
                "10 minutes",
                "11 minutes",
                "21 minutes",
                "100 minutes",
            ],
        ),
        (
            "it",
            [
                "1 minuto.",
                "2 minuti",
                "3 minuti",
                "5 minuti",
                "10 minuti",
                "11 minuti",
                "21 minuti",
                "100 minuti",
            ],
        ),
        (
            "nl",
            [
                "1 minuut.",
                "2 minuten",
                "3 minuten",
                "5 minuten",
                "10 minuten",
                "11 minuten",
                "21 minuten",
                "100 minuten",
            ],
        ),
        (
            "pl",
            [
                "1 minutę",
                "2 minuty",
                "3 minuty",
                "5 minut.",
                "10 minut.",
                "11 minut.",
                "21 minut.",
                "100 minut.",
            ],
        ),
        (
            "pt",
            [
                "1 minuto.",
                "2 minutos",
                "3 minutos",
                "5 minutos",
                "10 minutos",
                "11 minutos",
                "21 minutos",
                "100 minutos",
            ],
        ),
        (
            "ru",
            [
                "1 минуту",
                "2 минуты",
                "3 минуты",
                "5 минут.",
                "10 минут.",
                "11 минут.",
                "21 минуту",
                "100 минут.",
            ],
        ),
        (
            "ar",
            [
                "دقيقة واحدة.",
                "دقيقتين.",
                "3 دقائق.",
                "5 دقائق.",
                "10 دقائق.",
                "11 دقيقة.",
                "21 دقيقة.",
                "100 دقيقة.",
            ],
        ),
        ("zh-Hans", ["1 分钟", "2 分钟", "3 分钟", "5 分钟", "10 分钟", "11 分钟", "21 分钟", "100 分钟"]),
        ("ja", ["1 分", "2 分", "3 分", "5 分", "10 分", "11 分", "21 分", "100 分"]),
    ] {
        for (minutes, expected) in NUMBERS.into_iter().zip(expected) {
            for channel in Channel::ALL {
                let text = render(&texts, channel, tag, minutes).text;
                assert!(text.contains(expected), "{tag} {channel} {minutes}: {}", *text);
            }
        }
    }
}

/// With eleven characters of brand, the longest code, and a code that lives a whole day.
#[test]
fn every_built_in_text_message_fits_one_segment() {
    let texts = Templates::builtin();
    for language in &locales::ALL {
        for minutes in NUMBERS.into_iter().chain([MAX_MINUTES]) {
            let text =
                render_as(&texts, Channel::Sms, language.locale, minutes, "Countersign", "ABCDE12345").text;
            assert_eq!(segments(&text).parts.len(), 1, "{}", *text);
        }
    }
    assert_eq!(texts.segment_warnings(&[(&tenant("acme"), "Countersign")], MAX_MINUTES), []);
}

#[test]
fn a_call_says_the_code_twice_digit_by_digit() {
    let texts = Templates::builtin();
    for language in &locales::ALL {
        let text = render(&texts, Channel::Voice, language.locale, 10).text;
        assert_eq!(text.matches("1, 2, 3, 4, 5, 6").count(), 2, "{}", *text);
        assert!(!text.contains("123456"));
    }
    assert_eq!(
        *render(&texts, Channel::Voice, "en", 1).text,
        "Hello. Your Countersign code is: 1, 2, 3, 4, 5, 6. Once again, your code is: 1, 2, 3, 4, 5, 6. \
         It expires in 1 minute. Goodbye."
    );
}

#[test]
fn a_mail_has_the_code_on_a_line_of_its_own_and_not_in_its_subject() {
    let texts = Templates::builtin();
    for language in &locales::ALL {
        let mail = render(&texts, Channel::Email, language.locale, 10);
        assert_eq!(mail.text.lines().filter(|line| *line == "123456").count(), 1, "{}", *mail.text);
        assert_eq!(mail.text.matches("Countersign").count(), 1);
        let subject = mail.subject.unwrap();
        assert!(subject.contains("Countersign") && !subject.contains("123456"), "{subject}");
    }
    assert_eq!(render(&texts, Channel::Sms, "en", 10).subject, None);
}

/// A mail in English, with a link.
fn mail_with_link(templates: &Templates) -> String {
    let parts = [LinkPart::Literal("https://example.com/?c="), LinkPart::Code];
    let code = Code::parse("123456").unwrap();
    let link = LinkTemplate::new(parts).unwrap().fill(&code);
    let input = TextInput {
        tenant: &tenant("acme"),
        brand: "Countersign",
        purpose: &Purpose::parse("login").unwrap(),
        channel: Channel::Email,
        locale: &locale("en"),
        code: &code,
        link: Some(&link),
        minutes: 10,
    };
    templates.render(&input).text.to_string()
}

#[test]
fn a_built_in_mail_has_its_link_on_a_line_of_its_own_and_no_gap_without_one() {
    let texts = Templates::builtin();
    let with = mail_with_link(&texts);
    let line = "https://example.com/?c=123456";
    assert!(with.contains(&format!("\n\n123456\n\n{line}\n\nIt expires")), "{with}");
    for language in &locales::ALL {
        let without = render(&texts, Channel::Email, language.locale, 10).text;
        assert!(!without.contains("\n\n\n") && !without.contains("link"), "{}", *without);
    }
}

#[test]
fn a_mail_of_the_operators_own_shows_the_link_where_it_says_and_drops_the_line_without_one() {
    let mail = |text: &str| TemplateOverride { channel: Channel::Email, ..own(text) };
    let texts = Templates::with_overrides([mail("Code {code}\n\nOr open {link}\n\nBye")]).unwrap();
    assert_eq!(mail_with_link(&texts), "Code 123456\n\nOr open https://example.com/?c=123456\n\nBye");
    assert_eq!(*render(&texts, Channel::Email, "en", 10).text, "Code 123456\n\nBye");
    let silent = Templates::with_overrides([mail("Code {code}")]).unwrap();
    assert_eq!(mail_with_link(&silent), "Code 123456");
}

#[test]
fn only_a_mail_has_a_link_once_and_apart_from_its_code() {
    let on = |channel, text: &str| fault(TemplateOverride { channel, ..own(text) });
    for channel in [Channel::Sms, Channel::Voice, Channel::Whatsapp] {
        assert_eq!(on(channel, "{code} {link}"), TemplateFault::Link);
    }
    assert_eq!(on(Channel::Email, "{code} {link}"), TemplateFault::Link);
    assert_eq!(on(Channel::Email, "{code}\n{link}\n{link}"), TemplateFault::Link);
    let subject =
        TemplateOverride { subject: Some("{link}".into()), channel: Channel::Email, ..own("{code}") };
    assert_eq!(fault(subject), TemplateFault::Subject);
}

#[test]
fn a_language_falls_back_along_its_chain_then_to_the_tenants_then_to_english() {
    let texts = Templates::builtin();
    for (wanted, default, expected) in [
        (Some("fr"), "de", "fr"),
        (Some("pt-BR"), "de", "pt"),
        (Some("zh"), "de", "zh-Hans"),
        (Some("zh_CN"), "de", "zh-Hans"),
        (Some("zh-SG"), "de", "zh-Hans"),
        (Some("zh-TW"), "de", "de"),
        (Some("sv-SE"), "de-AT", "de"),
        (Some("sv"), "nb", "en"),
        (None, "pl", "pl"),
    ] {
        let resolved = texts.resolve(&tenant("acme"), wanted.map(locale).as_ref(), &locale(default));
        assert_eq!(resolved.as_str(), expected, "{wanted:?} {default}");
    }
}

#[test]
fn a_text_of_the_operators_own_takes_the_place_of_the_built_in_one() {
    let texts = Templates::with_overrides([own("{code} opens {brand} for {minutes} min")]).unwrap();
    assert_eq!(sms(&texts, "en", 1), "123456 opens Countersign for 1 min");
    assert_eq!(sms(&texts, "en-GB", 1), "123456 opens Countersign for 1 min");
    assert_eq!(sms(&texts, "de", 1), "Ihr Code für Countersign lautet 123456. Er läuft in 1 Minute ab.");
}

#[test]
fn the_nearest_template_wins() {
    let acme = Some(tenant("acme"));
    let login = Some(Purpose::parse("login").unwrap());
    let reset = Some(Purpose::parse("password_reset").unwrap());
    let mut all = vec![
        own("everybody {code}"),
        TemplateOverride { purpose: login.clone(), ..own("login {code}") },
        TemplateOverride { tenant: acme.clone(), ..own("acme {code}") },
        TemplateOverride { tenant: acme.clone(), purpose: login, ..own("acme login {code}") },
        TemplateOverride { tenant: acme, purpose: reset, ..own("acme reset {code}") },
        TemplateOverride { tenant: Some(tenant("other")), ..own("other {code}") },
        TemplateOverride { locale: locale("en-GB"), ..own("British {code}") },
    ];
    assert_eq!(sms(&Templates::with_overrides(all.clone()).unwrap(), "en-GB", 5), "British 123456");
    for expected in ["acme login 123456", "acme 123456", "login 123456", "everybody 123456"] {
        let texts = Templates::with_overrides(all.clone()).unwrap();
        assert_eq!(sms(&texts, "en-US", 5), expected);
        let used = TemplateText::One(expected.replace("123456", "{code}"));
        all.retain(|template| template.text != used);
    }
}

#[test]
fn a_tenants_own_language_is_spoken_to_that_tenant_only() {
    let swedish = TemplateOverride {
        tenant: Some(tenant("acme")),
        locale: locale("sv"),
        text: by_category(&[("one", "{code}, {minutes} minut"), ("other", "{code}, {minutes} minuter")]),
        ..own("")
    };
    let texts = Templates::with_overrides([swedish]).unwrap();
    let (sv, de) = (locale("sv-SE"), locale("de"));
    assert_eq!(texts.resolve(&tenant("acme"), Some(&sv), &de).as_str(), "sv");
    assert_eq!(texts.resolve(&tenant("other"), Some(&sv), &de).as_str(), "de");
    assert_eq!(
        (sms(&texts, "sv", 1), sms(&texts, "sv", 2)),
        ("123456, 1 minut".into(), "123456, 2 minuter".into())
    );
    // There is no Swedish mail: better an English one than none.
    assert!(render(&texts, Channel::Email, "sv", 1).text.contains("code is"));
}

#[test]
fn a_mail_without_a_subject_of_its_own_has_the_nearest_built_in_one() {
    let mail = |tag: &str, subject: Option<&str>| TemplateOverride {
        channel: Channel::Email,
        locale: locale(tag),
        subject: subject.map(str::to_owned),
        ..own("{code}")
    };
    let subject = |template: TemplateOverride| {
        let tag = template.locale.to_string();
        let texts = Templates::with_overrides([template]).unwrap();
        render(&texts, Channel::Email, &tag, 5).subject.unwrap()
    };
    assert_eq!(subject(mail("de-CH", None)), "Ihr Code für Countersign");
    assert_eq!(subject(mail("sv", None)), "Your Countersign code");
    assert_eq!(subject(mail("sv", Some("Kod från {brand}"))), "Kod från Countersign");
}

#[test]
fn a_template_with_a_fault_is_refused_by_name() {
    use TemplateFault as F;
    let text = |text: &str| fault(own(text));
    assert_eq!(text(" "), F::Empty);
    assert_eq!(text("{brand}"), F::CodeCount(0));
    assert_eq!(text("{code} {code}"), F::CodeCount(2));
    assert_eq!(text("{code} {url}"), F::UnknownPlaceholder("url".into()));
    assert_eq!(text("{code} { minutes }"), F::UnknownPlaceholder(" minutes ".into()));
    for braces in ["{code} {", "{code} }", "{code} {brand", "}{code}{"] {
        assert_eq!(text(braces), F::Braces, "{braces}");
    }
    assert_eq!(text("{{code}}"), F::UnknownPlaceholder("{code".into()));
    for hidden in
        ['\n', '\r', '\0', '\t', '\u{85}', '\u{2028}', '\u{202e}', '\u{2068}', '\u{200b}', '\u{feff}']
    {
        assert_eq!(text(&format!("a{hidden}{{code}}")), F::Character(hidden));
    }
    assert_eq!(text("@example.com #{code}"), F::OriginBinding);
    assert_eq!(text(" @example.com #{code}"), F::OriginBinding);
    assert_eq!(fault(TemplateOverride { subject: Some("x".into()), ..own("{code}") }), F::Subject);

    let error =
        Templates::with_overrides([TemplateOverride { tenant: Some(tenant("acme")), ..own("hello") }]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "template sms in en for tenant acme: {code} must stand in the text once (in a call up to three \
         times), not 0 times"
    );
}

#[test]
fn a_call_may_repeat_the_code_and_a_mail_may_break_lines() {
    let on = |channel, text: &str| Templates::with_overrides([TemplateOverride { channel, ..own(text) }]);
    assert!(on(Channel::Voice, "{code} {code} {code}").is_ok());
    assert!(on(Channel::Voice, "{code} {code} {code} {code}").is_err());
    assert!(on(Channel::Email, "Code:\n\u{2068}{code}\u{2069}\n").is_ok());
    for bad in ["Code:\r\n{code}", "{code}\n@example.com", "{code}\n\n @example.com #1", "{code}\u{202e}"] {
        assert!(on(Channel::Email, bad).is_err(), "{bad:?}");
    }
    for subject in ["a\nBcc: b@example.com", "{code}", "in {minutes} minutes", ""] {
        let mail =
            TemplateOverride { channel: Channel::Email, subject: Some(subject.into()), ..own("{code}") };
        assert!(Templates::with_overrides([mail]).is_err(), "{subject:?}");
    }
}

#[test]
fn every_plural_category_that_a_language_needs_must_be_covered() {
    let russian = |forms: &[(&str, &str)]| TemplateOverride {
        locale: locale("ru"),
        text: by_category(forms),
        ..own("")
    };
    let (one, few, many) = (("one", "1 {code}"), ("few", "2 {code}"), ("many", "5 {code}"));
    assert!(Templates::with_overrides([russian(&[one, few, many])]).is_ok());
    assert_eq!(fault(russian(&[one, many])), TemplateFault::MissingCategory("few"));
    assert_eq!(fault(russian(&[one, ("lots", "{code}")])), TemplateFault::UnknownCategory("lots".into()));
    assert_eq!(fault(russian(&[])), TemplateFault::MissingCategory("one"));
    let texts = Templates::with_overrides([russian(&[one, ("other", "n {code}")])]).unwrap();
    assert_eq!((sms(&texts, "ru", 21), sms(&texts, "ru", 22)), ("1 123456".into(), "n 123456".into()));
}

#[test]
fn two_templates_for_the_same_messages_are_refused() {
    let error = Templates::with_overrides([own("a {code}"), own("b {code}")]).unwrap_err();
    assert_eq!(error.fault, TemplateFault::Twice);
}

#[test]
fn a_brand_that_makes_a_message_longer_is_reported_with_the_texts_it_breaks() {
    let acme = tenant("acme");
    let long = "Vereinigte Sparkassen Musterstadt eG";
    let warnings = Templates::builtin().segment_warnings(&[(&acme, "Acme"), (&tenant("b"), long)], 10);
    let named: Vec<String> = warnings.iter().map(|w| w.template.to_string()).collect();
    assert_eq!(named, ["sms in ar", "sms in es", "sms in ja", "sms in pl", "sms in pt", "sms in ru"]);
    assert!(warnings.iter().all(|w| w.brand == long && w.segments == 2 && w.encoding == Encoding::Ucs2));

    // A template of one tenant's own is measured with that tenant's brand only.
    let of_acme =
        TemplateOverride { tenant: Some(acme.clone()), ..own(&format!("{}{{code}}", "x".repeat(160))) };
    let texts = Templates::with_overrides([of_acme]).unwrap();
    let warnings = texts.segment_warnings(&[(&acme, "Acme")], 10);
    assert_eq!(warnings.len(), 1);
    assert_eq!((warnings[0].brand.as_str(), warnings[0].encoding), ("Acme", Encoding::Gsm7));
    assert_eq!(texts.segment_warnings(&[(&tenant("b"), "Acme")], 10), []);
}

/// One character outside GSM-7 in the brand, and an English text holds 70 characters.
#[test]
fn a_brand_in_another_script_is_measured_in_that_script() {
    let texts = Templates::builtin();
    let warnings = texts.segment_warnings(&[(&tenant("acme"), "Caffè Łódź Sp. z o.o.")], 1440);
    assert!(warnings.iter().any(|w| w.template.to_string() == "sms in en" && w.encoding == Encoding::Ucs2));
}

#[test]
fn a_brand_is_filled_in_and_never_read_as_a_template() {
    let texts = Templates::builtin();
    let text = render_as(&texts, Channel::Sms, "en", 5, "{code}{minutes}", "123456").text;
    assert_eq!(*text, "Your {code}{minutes} code is 123456. It expires in 5 minutes.");
}

/// A line `@host #code` lets a browser fill the code in on that host's pages.
fn bindings(text: &str) -> usize {
    text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
        .filter(|line| line.trim_start().starts_with('@') || line.contains('#'))
        .count()
}

/// The texts, with a text message that begins with the brand.
static BRAND_FIRST: LazyLock<Templates> =
    LazyLock::new(|| Templates::with_overrides([own("{brand} {code}")]).unwrap());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_500))]

    /// Shows: N17.
    #[test]
    fn no_brand_opens_a_line_or_binds_the_code_to_a_web_site(
        brand in "[\\n\\r\\t @#a\u{85}\u{2028}\u{2029}\u{202e}]{0,3}@evil[.]example #[0-9]{6}[\\n @#]{0,3}",
    ) {
        let texts = &*BRAND_FIRST;
        let plain: BTreeMap<Channel, usize> =
            Channel::ALL.map(|c| (c, render(texts, c, "en", 5).text.lines().count())).into();
        for channel in Channel::ALL {
            let out = render_as(texts, channel, "en", 5, &brand, "123456");
            prop_assert_eq!(bindings(&out.text), 0, "{:?}", &*out.text);
            prop_assert_eq!(out.text.lines().count(), plain[&channel]);
            prop_assert!(!out.subject.unwrap_or_default().contains(['\n', '\r', '@']));
        }
    }

    #[test]
    fn a_text_that_was_accepted_shows_the_code_whatever_the_brand(text in ".{0,30}\\{code\\}.{0,10}", brand in any::<String>()) {
        let mut texts = BRAND_FIRST.clone();
        if texts.insert(&own(&text)).is_ok() {
            let out = render_as(&texts, Channel::Sms, "en", 5, &brand, "987654").text;
            prop_assert!(out.contains("987654"));
            prop_assert_eq!(out.lines().count(), 1);
        }
    }

    #[test]
    fn no_template_source_makes_the_loader_panic(source in any::<String>(), braces in "[{}a-z\n@#]{0,40}") {
        for channel in Channel::ALL {
            let _ = (Text::parse(&source, channel), Text::parse(&braces, channel));
        }
        let _ = (Text::parse_subject(&source), Text::parse_subject(&braces));
    }
}
