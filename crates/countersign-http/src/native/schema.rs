//! What the document says of texts that a caller writes: as narrow as a schema can say it.
//!
//! A schema counts characters and the program counts bytes: a text outside ASCII may fit the schema and be
//! refused. The reverse never happens: whatever the program takes fits.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, Schema};
use utoipa::openapi::{ObjectBuilder, RefOr, Type};
use utoipa::{PartialSchema, ToSchema};

use super::limits;

macro_rules! schemas {
    ($($(#[$doc:meta])* $type:ident $name:literal = $schema:expr;)*) => {
        $(
            $(#[$doc])*
            pub(super) struct $type;

            impl PartialSchema for $type {
                fn schema() -> RefOr<Schema> {
                    RefOr::T(Schema::from($schema))
                }
            }

            impl ToSchema for $type {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed($name)
                }
            }
        )*
    };
}

schemas! {
    /// A number (E.164) or a mailbox (RFC 5322's dot-atom, RFC 5321's lengths).
    Address "Address" = AnyOfBuilder::new()
        .item(text(r"^\+[1-9][0-9]{1,14}$", 3, 16))
        .item(text(r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@[A-Za-z0-9.\-]+\.[A-Za-z0-9\-]+$", 5, 320))
        .description(Some("A phone number with its country code, or an e-mail address"));
    /// A [purpose](countersign_core::names::Purpose).
    PurposeText "Purpose" = text(r"^[a-z0-9][a-z0-9._\-]*$", 1, 64)
        .description(Some("What a code is good for"));
    /// A [locale](countersign_core::names::Locale).
    LocaleText "Locale" = text(r"^[A-Za-z]{2,8}([_\-][A-Za-z0-9]{1,8})*$", 2, 35)
        .description(Some("A language (BCP 47)"));
    /// A caller's own [code](countersign_core::code::Code).
    OwnCode "OwnCode" = text("^[A-Za-z0-9]+$", 4, 10)
        .description(Some("A code of the caller's own"))
        .write_only(true);
    /// A guess, before spaces and hyphens are dropped.
    Guess "Guess" = text(r"^[ \-]*([A-Za-z0-9][ \-]*){1,32}$", 1, 128)
        .description(Some("A code as somebody typed it"))
        .write_only(true);
    /// What a code is bound to.
    ContextPairs "Context" = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("What a code is bound to"))
        .max_properties(Some(limits::CONTEXT_PAIRS))
        .property_names(Some(any_text(1, limits::CONTEXT_NAME)))
        .additional_properties(Some(no_longer_than(limits::CONTEXT_VALUE)));
    /// The caller's own notes.
    Notes "Metadata" = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("The caller's own notes"))
        .max_properties(Some(limits::METADATA_PAIRS))
        .property_names(Some(any_text(0, limits::METADATA_BYTES)))
        .additional_properties(Some(no_longer_than(limits::METADATA_BYTES)));
    /// An address of an end user's device.
    IpText "IpAddress" = AnyOfBuilder::new()
        .item(format("ipv4"))
        .item(format("ipv6"))
        .description(Some("An IPv4 or IPv6 address"));
    /// What names one request.
    IdempotencyKeyText "IdempotencyKey" = text("^[!-~]+$", 1, 255)
        .description(Some("Visible ASCII characters"));
    /// The id of a verification.
    VerificationIdText "VerificationId" = text("^ver_[0-7][0-9a-hjkmnp-tv-z]{25}$", 30, 30)
        .description(Some("Names a verification"));
    /// Where the list of holds goes on: 24 bytes.
    HeldCursorText "HeldCursor" = text(r"^[A-Za-z0-9_\-]{32}$", 32, 32)
        .description(Some("A `next_cursor` of an earlier answer"));
    /// Where a list goes on: 16 bytes.
    CursorText "Cursor" = text(r"^[A-Za-z0-9_\-]{21}[AQgw]$", 22, 22)
        .description(Some("A `next_cursor` of an earlier answer"));
}

fn text(pattern: &str, min: usize, max: usize) -> ObjectBuilder {
    any_text(min, max).pattern(Some(pattern))
}

fn any_text(min: usize, max: usize) -> ObjectBuilder {
    let min = (min > 0).then_some(min);
    ObjectBuilder::new().schema_type(Type::String).min_length(min).max_length(Some(max))
}

fn no_longer_than(max: usize) -> AdditionalProperties<Schema> {
    AdditionalProperties::RefOr(RefOr::T(any_text(0, max).into()))
}

fn format(name: &str) -> ObjectBuilder {
    use utoipa::openapi::schema::SchemaFormat;
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::Custom(name.to_owned())))
}
