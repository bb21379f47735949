//! The native API's description, made from the handlers and the table of problems.

use utoipa::OpenApi;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, ObjectBuilder, PathItem, Ref, RefOr, ResponseBuilder, Type,
};

use super::{calls, cancel, check, get, held, list, recipients, resend, schema, start};
use crate::problem::{self, Kind};

const DESCRIPTION: &str = "\
Proves that a person holds a phone number or a mailbox: start a verification, have its code sent (again), \
check what the person typed.

Every call needs `Authorization: Bearer <api key>`. Requests and answers are JSON; unknown and repeated \
members are refused. Times are RFC 3339 in UTC. Errors are RFC 9457 problems; each `type` leads to a page \
that says what to do. Every answer carries `X-Request-Id`, and `Cache-Control: no-store`.";

/// Any call may answer these.
const COMMON: &[Kind] = &[Kind::Unauthenticated, Kind::Forbidden, Kind::Internal, Kind::Unavailable];

/// What each call may answer besides.
const CALLS: &[(&str, &[Kind])] = &[
    ("startVerification", start::PROBLEMS),
    ("listVerifications", list::PROBLEMS),
    ("checkRecipient", check::PROBLEMS_BY_RECIPIENT),
    ("getVerification", get::PROBLEMS),
    ("resendVerification", resend::PROBLEMS),
    ("checkVerification", check::PROBLEMS),
    ("cancelVerification", cancel::PROBLEMS),
    ("listHeldRecipients", held::PROBLEMS),
    ("getRecipient", recipients::PROBLEMS),
    ("eraseRecipient", recipients::PROBLEMS),
    ("releaseRecipient", recipients::PROBLEMS),
];

#[derive(OpenApi)]
#[openapi(
    info(title = "Countersign", description = DESCRIPTION),
    // Parameters bring no schemas along.
    components(schemas(problem::Wire, schema::CursorText, schema::HeldCursorText, schema::IdempotencyKeyText)),
    tags(
        (name = "Verifications", description = "Proofs in progress, and ended ones"),
        (name = "Recipients", description = "What is counted for an address over all its verifications"),
    ),
)]
struct Document;

/// The OpenAPI document of the native API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, paths) = calls().split_for_parts();
    let mut document = Document::openapi();
    document.merge(paths);
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_with(Components::new).add_security_scheme("apiKey", bearer);
    document.security = Some(vec![SecurityRequirement::new("apiKey", Vec::<String>::new())]);
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            let id = operation.operation_id.as_deref().unwrap_or_default();
            let own = CALLS.iter().find(|(call, _)| *call == id).map_or(&[][..], |(_, kinds)| kinds);
            // A body that only says how: it may be left out.
            if let (true, Some(RefOr::T(body))) = (id == "resendVerification", &mut operation.request_body) {
                body.required = None;
            }
            // A header is there or it is not: it is never null.
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter
                    && parameter.name == "Idempotency-Key"
                {
                    parameter.schema = Some(RefOr::Ref(Ref::from_schema_name("IdempotencyKey")));
                }
            }
            let kinds: Vec<Kind> = own.iter().chain(COMMON).copied().collect();
            describe_problems(operation, &kinds);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten()
}

fn describe_problems(operation: &mut Operation, kinds: &[Kind]) {
    for (status, kinds) in problem::by_status(kinds) {
        let lines: Vec<String> =
            kinds.iter().map(|kind| format!("`{}`: {}", kind.name(), kind.title())).collect();
        let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let mut response =
            ResponseBuilder::new().description(lines.join("; ")).content(problem::MEDIA_TYPE, body);
        if matches!(status, 429 | 503) {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
            let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds, rounded up"));
            response = response.header("Retry-After", header.build());
        }
        operation.responses.responses.insert(status.to_string(), RefOr::T(response.build()));
    }
}
