//! What calls say: from JSON to domain types.
//!
//! `null` and the empty text count as absent. Unknown members are refused, unless the merchant ignores
//! them. The source calls a phone's code `smsCode` and a password's `code`: the first call takes both
//! names.

use countersign_core::code::Code;
use countersign_core::link::{InvalidLink, LinkPart, LinkTemplate};
use countersign_core::policy::Policy;
use countersign_core::recipient::{EmailAddress, PhoneNumber, Recipient, RecipientError};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::auth::MerchantId;
use super::error::Problem;
use crate::json::Texts;
use crate::query::Query;

/// The most characters of a code.
const CODE_MAX: usize = 10;
/// The most bytes of a password.
const PASSWORD_MAX: usize = 256;
/// The most bytes of an e-mail address.
pub(super) const EMAIL_MAX: usize = 320;
/// The most characters of a link's token.
const TOKEN_MAX: usize = 512;

/// A phone line as the caller names it.
pub(super) struct Line {
    /// What stands for it: the number in its one spelling.
    pub(super) name: String,
    /// The number; `None` for a kind of line that takes no messages (premium rate, pager, …), about
    /// which the caller learns nothing.
    pub(super) number: Option<Recipient>,
}

impl Line {
    /// `^\+[1-9][0-9]{4,14}$`, and a number that can exist.
    pub(super) fn parse(text: Option<&str>, policy: &Policy) -> Result<Self, Problem> {
        let text = text.ok_or(Problem::InvalidPhone)?;
        match PhoneNumber::parse(text, policy) {
            Ok(number) => {
                Ok(Self { name: number.expose().to_owned(), number: Some(Recipient::Phone(number)) })
            }
            Err(RecipientError::LineType) => Ok(Self { name: text.to_owned(), number: None }),
            Err(
                RecipientError::Neither
                | RecipientError::NoCountryCode
                | RecipientError::Characters
                | RecipientError::BadLength
                | RecipientError::Impossible
                | RecipientError::Invalid
                | RecipientError::Email,
            ) => Err(Problem::InvalidPhone),
        }
    }
}

/// A text that no code can be is refused before anything is charged.
pub(super) fn parse_code(name: &'static str, text: Option<&str>) -> Result<Code, Problem> {
    let text = text.ok_or(Problem::Missing(name))?;
    let fits = text.len() <= CODE_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let code = if fits { Code::parse(text).ok() } else { None };
    code.ok_or(Problem::Invalid(name))
}

/// A password is needed and bounded; that is all that is asked of it.
pub(super) fn parse_password(text: Option<&str>) -> Result<&str, Problem> {
    let text = text.ok_or(Problem::Missing("password"))?;
    if text.len() <= PASSWORD_MAX { Ok(text) } else { Err(Problem::Invalid("password")) }
}

pub(super) fn parse_email(text: Option<&str>) -> Result<EmailAddress, Problem> {
    let text = text.ok_or(Problem::Missing("email"))?;
    let email = if text.len() <= EMAIL_MAX { EmailAddress::parse(text).ok() } else { None };
    email.ok_or(Problem::InvalidEmail)
}

/// A member that goes by two names, of which a body has one.
pub(super) fn either<'a>(texts: &'a Texts, name: &str, alias: &str) -> Result<Option<&'a str>, Problem> {
    match (texts.get(name), texts.get(alias)) {
        (Some(_), Some(_)) => Err(Problem::Malformed),
        (text, other) => Ok(text.or(other)),
    }
}

/// `GET /v2/mobile/email/confirm`: what the link in a mail leads to.
pub(super) struct EmailLink {
    pub(super) email: EmailAddress,
    pub(super) merchant: MerchantId,
    /// Whose address it is, by its key in the directory; `None` where the token is the short one.
    pub(super) user: Option<[u8; 16]>,
    pub(super) code: Code,
}

/// How many characters of a short token name the merchant.
const LINK_MERCHANT: usize = 24;
/// How many characters of a link's token name the merchant and the user.
const LINK_USER: usize = 44;

impl EmailLink {
    /// `event` is whatever the link was made with; it says nothing to us.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut query = Query::parse(query).map_err(|_| Problem::Malformed)?;
        // In a query `+` means a space, which no address has: a plus sign was meant.
        let email = query.take("email").filter(|text| !text.is_empty()).map(|text| text.replace(' ', "+"));
        let token = query.take("token").map(Zeroizing::new).filter(|text| !text.is_empty());
        query.take("event");
        query.finish().map_err(|_| Problem::Malformed)?;
        let email = parse_email(email.as_deref())?;
        let token = token.ok_or(Problem::Missing("token"))?;
        let (merchant, user, code) = Self::open(&token).ok_or(Problem::Invalid("token"))?;
        Ok(Self { email, merchant, user, code })
    }

    /// The link in a mail to `email`, at `base` and lacking the code: what [`EmailLink::parse`] reads.
    ///
    /// # Errors
    /// `base` is no link, or too long.
    pub(super) fn template(
        base: &str,
        merchant: MerchantId,
        user: [u8; 16],
        email: &str,
    ) -> Result<LinkTemplate, InvalidLink> {
        let mut token = [1; 33]; // the last byte says: the second form of tokens
        token[..16].copy_from_slice(&merchant.0);
        token[16..32].copy_from_slice(&user);
        let token = BASE64URL_NOPAD.encode(&token);
        LinkTemplate::new([
            LinkPart::Literal(base),
            LinkPart::Literal(if base.contains('?') { "&email=" } else { "?email=" }),
            LinkPart::Value(email),
            LinkPart::Literal("&event=EMAIL_CONFIRM&token="),
            LinkPart::Literal(&token),
            LinkPart::Code,
        ])
    }

    /// The token of a link: 44 characters that say whose it is (the merchant and the user), then the code as it
    /// stands. A mail's text is made by filling in the code, so that the link can be written into it; all of it
    /// is of base64's alphabet, as the source has it. In the short form 24 characters name the merchant alone.
    fn open(token: &str) -> Option<(MerchantId, Option<[u8; 16]>, Code)> {
        if token.len() > TOKEN_MAX || !token.is_ascii() {
            return None;
        }
        let head = if token.len() > LINK_USER { LINK_USER } else { LINK_MERCHANT };
        let (head, code) = token.split_at_checked(head)?;
        // Base64 has two alphabets, and `+` is a space in a query.
        let head = head.replace([' ', '+'], "-").replace('/', "_");
        let bytes = BASE64URL_NOPAD.decode(head.as_bytes()).ok()?;
        let (merchant, rest) = bytes.split_first_chunk::<16>()?;
        let user = match rest {
            [0, 0] => None,
            [user @ .., 1] => Some(user.try_into().ok()?),
            _ => return None,
        };
        Some((MerchantId(*merchant), user, parse_code("token", Some(code)).ok()?))
    }
}
