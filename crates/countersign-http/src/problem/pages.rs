//! `GET /problems` and `GET /problems/{name}`: what a problem's `type` leads to.

use std::fmt::Write;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use super::{Kind, Problem};

/// The scheme is the root's: a scheme of the body alone leaves the page behind it light, and the text on it too.
const STYLE: &str = ":root{color-scheme:light dark;background:#f5f4f0;color:#1c1f23;--link:#1f6f5c}\
    @media(prefers-color-scheme:dark){:root{background:#131518;color:#e9e7e2;--link:#7fcbb0}}a{color:var(--link)}\
    body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}code{font-family:ui-monospace,monospace}dt{font-weight:600;margin-top:1rem}dd{margin:0}";

/// The pages.
pub(crate) fn routes() -> Router {
    Router::new().route("/problems", get(index)).route("/problems/{name}", get(page))
}

async fn index() -> Response {
    let mut list = String::from(
        "<h1>Problems</h1><p>What the native API answers when it cannot do what was asked.</p><ul>",
    );
    for kind in Kind::ALL {
        let (uri, name, status, title) = (kind.type_uri(), kind.name(), kind.status().as_u16(), kind.title());
        write!(list, "<li><a href=\"{uri}\"><code>{name}</code></a> ({status}): {title}</li>")
            .expect("writing into memory");
    }
    html("Problems", &format!("{list}</ul>"))
}

async fn page(Path(name): Path<String>) -> Response {
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == name) else {
        return Problem::new(Kind::NotFound, "there is no problem of this name").into_response();
    };
    html(
        kind.title(),
        &format!(
            "<h1>{}</h1><dl><dt>Type</dt><dd><code>{}</code></dd><dt>Status</dt><dd>{}</dd>\
             <dt>What it means</dt><dd>{}</dd><dt>What to do</dt><dd>{}</dd></dl><p><a href=\"/problems\">All problems</a></p>",
            kind.title(),
            kind.type_uri(),
            kind.status(),
            code(kind.meaning()),
            code(kind.remedy()),
        ),
    )
}

/// Turns the table's `` `names` `` into markup. The table holds no other markup.
fn code(text: &str) -> String {
    let mut html = String::new();
    for (i, part) in text.replace('<', "&lt;").replace('>', "&gt;").split('`').enumerate() {
        if i % 2 == 1 {
            html.push_str("<code>");
            html.push_str(part);
            html.push_str("</code>");
        } else {
            html.push_str(part);
        }
    }
    html
}

fn html(title: &str, body: &str) -> Response {
    const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style>{body}</html>"
    );
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}
