//! What must not be understood.

use data_encoding::HEXUPPER;
use serde_json::Value;

/// The digit 0 of scripts and styles whose digits read like ours; the others follow it.
pub(super) const ODD_DIGITS: [char; 14] = [
    '\u{ff10}',
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{e50}',
    '\u{f20}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7f6}',
    '\u{1fbf0}',
];

/// What is not seen, or is seen as something else: controls, directions, joiners, spaces, hyphens,
/// combining marks, tags.
pub(super) const ODD_MARKS: [char; 40] = [
    '\0',
    '\u{1}',
    '\t',
    '\n',
    '\u{b}',
    '\u{c}',
    '\r',
    '\u{1b}',
    '\u{7f}',
    '\u{85}',
    '\u{a0}',
    '\u{ad}',
    '\u{301}',
    '\u{61c}',
    '\u{180e}',
    '\u{2007}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{2010}',
    '\u{2011}',
    '\u{2028}',
    '\u{202a}',
    '\u{202b}',
    '\u{202c}',
    '\u{202d}',
    '\u{202e}',
    '\u{202f}',
    '\u{2060}',
    '\u{2066}',
    '\u{2069}',
    '\u{20e3}',
    '\u{2212}',
    '\u{3000}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{e0031}',
    '\u{10ffff}',
];

/// A text with each digit in turn, and with all of them, in each of these scripts, and with each of
/// these marks in each place.
pub(super) fn odd(text: &str, zeros: &[char], marks: &[char]) -> Vec<String> {
    let plain: Vec<char> = text.chars().collect();
    let in_script = |c: char, zero: char| match c.to_digit(10) {
        Some(digit) => char::from_u32(u32::from(zero) + digit).unwrap(),
        None => c,
    };
    let mut all = Vec::new();
    for &zero in zeros {
        all.push(plain.iter().map(|&c| in_script(c, zero)).collect());
        for at in (0..plain.len()).filter(|&at| plain[at].is_ascii_digit()) {
            let mut text = plain.clone();
            text[at] = in_script(text[at], zero);
            all.push(text.into_iter().collect());
        }
    }
    for &mark in marks {
        for at in 0..=plain.len() {
            let mut text = plain.clone();
            text.insert(at, mark);
            all.push(text.into_iter().collect());
        }
    }
    all
}

/// Bodies that are not the JSON of a call whose good body this is, each with what is wrong with it.
pub(super) fn broken(good: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let text = good.to_string();
    let inner = &text[1..text.len() - 1];
    let mut all: Vec<(&str, Vec<u8>)> = (0..text.len()).map(|n| ("truncated", text[..n].into())).collect();
    let mut add = |why, body: String| all.push((why, body.into_bytes()));
    for (why, body) in [
        ("no object", "null"),
        ("no object", "true"),
        ("no object", "7"),
        ("no object", "\"text\""),
        ("no object", "[]"),
        ("no object", "[{}]"),
        ("not JSON", "{'to':'x'}"),
        ("not JSON", "to=x&code=1"),
        ("not JSON", "<to>x</to>"),
        ("not JSON", "NaN"),
        ("not JSON", "{\"\\ud800\":1}"),
        ("not JSON", "{]"),
    ] {
        add(why, body.to_owned());
    }
    add("two values", format!("{text}{text}"));
    add("more behind it", format!("{text}\0"));
    add("a byte order mark", format!("\u{feff}{text}"));
    add("a comment", format!("{text} // done"));
    add("a comma too many", format!("{{{inner},}}"));
    add("in an array", format!("[{text}]"));
    add("an unknown member", format!("{{{inner},\"unknown\":1}}"));
    add("a prototype", format!("{{{inner},\"__proto__\":{{}}}}"));
    add("17 deep", format!("{{{inner},\"x\":{}{}}}", "[".repeat(17), "]".repeat(17)));
    add("thousands deep", "[".repeat(8000) + &"]".repeat(8000));
    add("thousands deep and cut", "{\"a\":".repeat(3000));
    add("a huge number", format!("{{{inner},\"x\":{}}}", "9".repeat(5000)));
    for (name, value) in good.as_object().unwrap() {
        let escaped = format!("\\u{:04x}{}", u32::from(name.chars().next().unwrap()), &name[1..]);
        add("a member twice", format!("{{{inner},\"{name}\":{value}}}"));
        add("a member twice, differently", format!("{{\"{name}\":\"\",{inner}}}"));
        add("a member twice, escaped", format!("{{{inner},\"{escaped}\":{value}}}"));
        add("a member in capitals", format!("{{{inner},\"{}\":{value}}}", name.to_uppercase()));
        let others = if value.is_object() {
            ["7", "false", "\"x\"", "[]", "{\"x\":7}"]
        } else {
            ["7", "false", "{}", "[]", "[\"x\"]"]
        };
        for other in others {
            let mut typed = good.clone();
            typed[name] = serde_json::from_str(other).unwrap();
            add("a member of another type", typed.to_string());
        }
        if let Some((inside, _)) = value.as_object().and_then(|map| map.iter().next()) {
            let twice = format!("\"{name}\":{{\"{inside}\":\"x\",\"{inside}\":\"x\"}}");
            let member = format!("\"{name}\":{value}");
            add("a member of a member twice", text.replace(&member, &twice));
        }
    }
    for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00", b"\x1f", b"\n"] {
        // Into the first text of the body.
        let at = text.find(":\"").unwrap() + 2;
        let body = [&text.as_bytes()[..at], bytes, &text.as_bytes()[at..]].concat();
        all.push(("bytes that no JSON text holds", body));
    }
    all
}

/// Requests with more than is read of any, each as its status, more headers and a body.
pub(super) fn too_much(good: &[u8]) -> Vec<(u16, Vec<String>, Vec<u8>)> {
    let huge = [good, &b" ".repeat(16 * 1024 + 1 - good.len())].concat();
    let fields = (0..65).map(|n| format!("X-{n}: y")).collect();
    vec![
        (413, Vec::new(), huge),
        (415, vec!["Content-Encoding: gzip".to_owned()], good.to_vec()),
        (415, vec!["Content-Encoding: identity".to_owned()], good.to_vec()),
        (431, fields, good.to_vec()),
        (431, vec![format!("X-Long: {}", "y".repeat(16 * 1024))], good.to_vec()),
        (400, vec!["Transfer-Encoding: chunked".to_owned()], good.to_vec()),
    ]
}

/// Other spellings of a number.
pub(super) fn misspelt_numbers(number: &str) -> Vec<String> {
    let digits = &number[1..];
    let (country, national) = digits.split_at(1);
    let mut all = odd(number, &ODD_DIGITS, &ODD_MARKS);
    all.extend([
        digits.to_owned(),
        format!("00{digits}"),
        format!("011{digits}"),
        format!("++{digits}"),
        format!("+00{digits}"),
        format!("+0{digits}"),
        format!("+{country} {national}"),
        format!("+{country}-{national}"),
        format!("+{country}({national})"),
        format!("+{country}.{national}"),
        format!("{number} "),
        format!(" {number}"),
        format!("{number};ext=4"),
        format!("{number}x4"),
        format!("{number},,4"),
        format!("{number}#"),
        format!("tel:{number}"),
        format!("%2B{digits}"),
        format!("\u{ff0b}{digits}"),
        format!("{number},{number}"),
        format!("+{digits}{digits}"),
        "+".to_owned(),
        format!("+{}", "1".repeat(4000)),
    ]);
    all
}

/// Other spellings of a mailbox; tags and dots, which make other mailboxes, are not among them.
pub(super) fn misspelt_mailboxes(mailbox: &str) -> Vec<String> {
    let (local, domain) = mailbox.split_once('@').unwrap();
    let mut all = odd(mailbox, &[], &ODD_MARKS);
    all.extend([
        mailbox.to_uppercase(),
        format!("{}@{domain}", local.to_uppercase()),
        format!("{local}@{}", domain.to_uppercase()),
        format!("{mailbox}."),
        format!(" {mailbox}"),
        format!("{mailbox} "),
        format!("{local} @{domain}"),
        format!("\"{local}\"@{domain}"),
        format!("{local}(comment)@{domain}"),
        format!("<{mailbox}>"),
        format!("Victim <{mailbox}>"),
        format!("mailto:{mailbox}"),
        format!("{mailbox},{mailbox}"),
        format!("{mailbox};{mailbox}"),
        format!("{mailbox}@{domain}"),
        format!("{local}@@{domain}"),
        format!("{local}@.{domain}"),
        format!("{local}@[127.0.0.1]"),
        format!("{local}.@{domain}"),
        format!(".{local}@{domain}"),
        format!("{local}@"),
        format!("@{domain}"),
        format!("{local}%40{domain}"),
        format!("{}@{domain}", "x".repeat(65)),
    ]);
    all
}

/// A text as one segment of a path.
pub(super) fn percent(text: &str) -> String {
    text.bytes().flat_map(|byte| ["%".to_owned(), HEXUPPER.encode(&[byte])]).collect()
}
