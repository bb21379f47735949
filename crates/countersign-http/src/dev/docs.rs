//! The page of commands, written anew for each request: signed commands carry the time.

use std::fmt::{self, Display, Formatter, Write};

use super::Sample;

/// The page: one section per wire API, one figure per command.
pub(super) fn page(samples: &[Sample]) -> String {
    let (mut sections, mut contents) = (String::new(), String::new());
    for api in samples.chunk_by(|a, b| a.name == b.name) {
        let (name, about) = (Text(&api[0].name), Text(&api[0].about));
        let _fits = writeln!(contents, r##"<li><a href="#{name}">{name}</a></li>"##);
        let _fits = writeln!(
            sections,
            r#"<section class="api" id="{name}" aria-labelledby="api-{name}">
<h2 id="api-{name}">{name}</h2>
<p class="about">{about}</p>"#
        );
        for Sample { title, curl, .. } in api {
            let (title, curl) = (Text(title), Text(curl));
            let _fits = writeln!(
                sections,
                r#"<figure class="sample">
<figcaption><span class="title">{title}</span></figcaption>
<pre tabindex="0" aria-label="Command for: {title}"><code>{curl}</code></pre>
<button type="button" class="copy" aria-label="Copy the command for: {title}" hidden>Copy</button>
</figure>"#
            );
        }
        sections.push_str("</section>\n");
    }
    include_str!("assets/docs.html")
        .replace("<!-- samples -->", &sections)
        .replace("<!-- contents -->", &contents)
}

/// Text that stays text wherever it stands in HTML.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            other => f.write_char(other),
        })
    }
}
