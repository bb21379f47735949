//! Where parameters come from: the query, then a form, then a JSON object.
//!
//! The source says "application/json" and puts every parameter in the query; clients of sister calls
//! send forms. All three places are read. What stands twice is refused: in one place always, in two
//! places when the values differ.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::Problem;
use crate::headers::single;
use crate::json::{self, Member};

/// Parameters that JSON may also write as numbers; they are taken as they are written.
const NUMBERS: [&str; 4] = ["codeType", "emailType", "isDisabled", "ts"];
/// Parameters that are texts in JSON.
const TEXTS: [&str; 9] =
    ["phone", "userDomain", "internationalCode", "random", "signature", "smsCode", "code", "email", "pwd"];

/// The parameters of a call, by name, as they are after percent-decoding and otherwise untouched.
pub(super) struct Parameters {
    texts: BTreeMap<String, Zeroizing<String>>,
    /// The JSON body, for what is no text in it.
    json: Option<Zeroizing<Vec<u8>>>,
}

impl Parameters {
    /// Reads all three places.
    pub(super) fn read(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        let mut parameters = Self { texts: pairs(query.unwrap_or_default())?, json: None };
        if body.is_empty() {
            return Ok(parameters); // whatever the Content-Type says: clients send it without a body
        }
        match media_type(headers).as_deref() {
            Some("application/x-www-form-urlencoded") => {
                let form = std::str::from_utf8(body).map_err(|_| Problem::Malformed)?;
                parameters.add(pairs(form)?)?;
            }
            Some("application/json") => {
                parameters.add(members(body)?)?;
                parameters.json = Some(Zeroizing::new(body.to_vec()));
            }
            _ => return Err(Problem::Malformed),
        }
        Ok(parameters)
    }

    fn add(&mut self, more: BTreeMap<String, Zeroizing<String>>) -> Result<(), Problem> {
        for (name, value) in more {
            if *self.texts.entry(name).or_insert_with(|| value.clone()) != value {
                return Err(Problem::Malformed);
            }
        }
        Ok(())
    }

    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(|text| text.as_str()).filter(|text| !text.is_empty())
    }

    /// The JSON body, if that is what came.
    pub(super) fn json(&self) -> Option<&[u8]> {
        self.json.as_ref().map(|body| body.as_slice())
    }

    /// Stands for the call and all its parameters, wherever they stood.
    pub(super) fn digest(&self, call: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        let texts = self.texts.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        for part in std::iter::once(call.as_bytes()).chain(texts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// The name that the signature and the rest of the dialect know a parameter by: the vendor writes one of
/// them in two ways.
fn canonical(name: String) -> String {
    if name == "code_type" { "codeType".into() } else { name }
}

fn insert(
    texts: &mut BTreeMap<String, Zeroizing<String>>,
    name: String,
    value: Zeroizing<String>,
) -> Result<(), Problem> {
    if texts.insert(canonical(name), value).is_some() { Err(Problem::Malformed) } else { Ok(()) }
}

/// Name-value pairs as in a query. A `+` stays a `+`: no value of this API has a space, and clients leave
/// the plus of a number, of a mailbox or of base 64 unencoded.
fn pairs(text: &str) -> Result<BTreeMap<String, Zeroizing<String>>, Problem> {
    let mut texts = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decoded(name)?.to_string();
        insert(&mut texts, name, percent_decoded(value)?)?;
    }
    Ok(texts)
}

/// Every `%` begins two hexadecimal digits (RFC 3986, section 2.1), and what comes out is UTF-8.
fn percent_decoded(text: &str) -> Result<Zeroizing<String>, Problem> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' {
            let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
            match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => u8::try_from(16 * high + low).map_err(|_| Problem::Malformed)?,
                _ => return Err(Problem::Malformed),
            }
        } else {
            byte
        };
        bytes.push(decoded);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Problem::Malformed)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The texts and numbers of a JSON object. What is neither matters to nobody, or is read again by who
/// knows its form.
fn members(body: &[u8]) -> Result<BTreeMap<String, Zeroizing<String>>, Problem> {
    let members: BTreeMap<String, Member> = json::parse(body).map_err(|_| Problem::Malformed)?;
    let mut texts = BTreeMap::new();
    for (name, value) in members {
        let known = canonical(name.clone());
        match value {
            Member::Text(text) => insert(&mut texts, name, text)?,
            Member::Number(number) if !TEXTS.contains(&&*known) => {
                insert(&mut texts, name, Zeroizing::new(number))?;
            }
            Member::Number(_) => return Err(Problem::Malformed),
            Member::Other if TEXTS.contains(&&*known) || NUMBERS.contains(&&*known) => {
                return Err(Problem::Malformed);
            }
            Member::Null | Member::Other => {}
        }
    }
    Ok(texts)
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = single(headers, &header::CONTENT_TYPE).ok()??;
    Some(value.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase())
}
