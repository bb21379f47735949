//! Where one request ends and the next begins, read strictly.
//!
//! hyper forgives what a proxy in front of us may read differently: a bare LF as the end of a line,
//! `Content-Length` beside `Transfer-Encoding` (it prefers the latter), a repeated `Content-Length`
//! of one value, chunk extensions. Two readings of one byte stream are what request smuggling needs,
//! so every byte is judged here before hyper gets it, and hyper never sees a message that could be
//! framed in two ways.
//!
//! [`Framing`] does no input or output: bytes in, verdict out.

/// The most bytes a head may have, with its request line.
pub(super) const MAX_HEAD: usize = 16 * 1024;

/// The most fields a head may have.
pub(super) const MAX_FIELDS: usize = 64;

/// Why a connection is not read any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// Not HTTP/1, or HTTP/1 that can be read in two ways.
    Malformed,
    /// The head has too many bytes or fields.
    HeadTooLarge,
}

/// What is to be done with the bytes at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// The first so many (at least one) are good.
    Pass(usize),
    /// More bytes are needed to tell. They are to be judged together with those at hand.
    Wait,
    /// None of them may be read.
    Stop(Fault),
}

/// The framing of one connection.
#[derive(Debug)]
pub(super) struct Framing(State);

#[derive(Debug)]
enum State {
    Head(Head),
    /// So many bytes of a body of stated length are left.
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
}

impl Framing {
    /// The framing of a fresh connection.
    pub(super) fn new() -> Self {
        Self(State::Head(Head::default()))
    }

    /// Whether the next byte belongs to a head.
    pub(super) fn in_head(&self) -> bool {
        matches!(self.0, State::Head(_))
    }

    /// Judges the bytes that were not passed yet: those of the last [`Verdict::Wait`], with more
    /// behind them.
    pub(super) fn judge(&mut self, bytes: &[u8]) -> Verdict {
        if bytes.is_empty() {
            return Verdict::Wait;
        }
        match &mut self.0 {
            State::Head(head) => match head.judge(bytes) {
                Ok(None) => Verdict::Wait,
                Ok(Some(end)) => {
                    self.0 = match (head.chunked, head.content_length.unwrap_or(0)) {
                        (true, _) => State::ChunkSize,
                        (false, 0) => State::Head(Head::default()),
                        (false, length) => State::Body(length),
                    };
                    Verdict::Pass(end)
                }
                Err(fault) => Verdict::Stop(fault),
            },
            State::Body(left) => {
                let passed = within(bytes, *left);
                *left -= passed as u64;
                if *left == 0 {
                    self.0 = State::Head(Head::default());
                }
                Verdict::Pass(passed)
            }
            State::ChunkSize => match chunk_size(bytes) {
                Ok(None) => Verdict::Wait,
                Ok(Some((0, end))) => match bytes.get(end..end + 2) {
                    Some(b"\r\n") => {
                        self.0 = State::Head(Head::default());
                        Verdict::Pass(end + 2)
                    }
                    // Trailer fields mean nothing to any API here, and are one more thing to disagree
                    // about.
                    Some(_) => Verdict::Stop(Fault::Malformed),
                    None => Verdict::Wait,
                },
                Ok(Some((size, end))) => {
                    self.0 = State::ChunkData(size);
                    Verdict::Pass(end)
                }
                Err(fault) => Verdict::Stop(fault),
            },
            State::ChunkData(left) => {
                let passed = within(bytes, *left);
                *left -= passed as u64;
                if *left == 0 {
                    self.0 = State::ChunkEnd;
                }
                Verdict::Pass(passed)
            }
            State::ChunkEnd => match bytes {
                [b'\r', b'\n', ..] => {
                    self.0 = State::ChunkSize;
                    Verdict::Pass(2)
                }
                [b'\r'] => Verdict::Wait,
                _ => Verdict::Stop(Fault::Malformed),
            },
        }
    }
}

fn within(bytes: &[u8], left: u64) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

/// A chunk's size and where its line ends. Eight digits reach beyond any body we would read; an
/// extension after them is refused (RFC 9112, section 7.1.1 lets a recipient ignore it, but proxies
/// have disagreed on where such a line ends).
fn chunk_size(bytes: &[u8]) -> Result<Option<(u64, usize)>, Fault> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    match (digits, &bytes[digits..]) {
        (0 | 9.., _) => Err(Fault::Malformed),
        (_, [] | [b'\r']) => Ok(None),
        (_, [b'\r', b'\n', ..]) => {
            let text = std::str::from_utf8(&bytes[..digits]).map_err(|_| Fault::Malformed)?;
            let size = u64::from_str_radix(text, 16).map_err(|_| Fault::Malformed)?;
            Ok(Some((size, digits + 2)))
        }
        _ => Err(Fault::Malformed),
    }
}

/// A head as far as it has come.
#[derive(Debug, Default)]
struct Head {
    /// Where the first line that is not complete yet begins.
    line_start: usize,
    /// How far that line was searched for its end.
    searched: usize,
    /// One empty line before the request line is forgiven (RFC 9112, section 2.2).
    blank_before: bool,
    request_line: Option<Version>,
    fields: usize,
    hosts: usize,
    content_length: Option<u64>,
    chunked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

impl Head {
    /// Where the head ends, once all of it is there.
    fn judge(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        loop {
            let Some(length) = bytes[self.searched..].iter().position(|&b| b == b'\n') else {
                self.searched = bytes.len();
                return if bytes.len() >= MAX_HEAD { Err(Fault::HeadTooLarge) } else { Ok(None) };
            };
            let end = self.searched + length + 1;
            if end > MAX_HEAD {
                return Err(Fault::HeadTooLarge);
            }
            let line = bytes[self.line_start..end].strip_suffix(b"\r\n").ok_or(Fault::Malformed)?;
            (self.line_start, self.searched) = (end, end);
            if line.iter().any(|&b| (b < b' ' && b != b'\t') || b == 0x7f) {
                return Err(Fault::Malformed);
            }
            match (self.request_line, line) {
                (None, []) if !self.blank_before => self.blank_before = true,
                (None, line) => self.request_line = Some(request_line(line)?),
                (Some(version), []) => return self.finish(version).map(|()| Some(end)),
                (Some(_), line) => self.field(line)?,
            }
        }
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(Fault::HeadTooLarge);
        }
        // A folded line begins with a space, so it has no token before its colon (if it has one).
        let colon = line.iter().position(|&b| b == b':').ok_or(Fault::Malformed)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.is_empty() || !name.iter().copied().all(is_token) {
            return Err(Fault::Malformed);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            // Repeated, also with one and the same value: somebody on the way may have read the other.
            if self.content_length.is_some() {
                return Err(Fault::Malformed);
            }
            self.content_length = Some(content_length(value)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Fault::Malformed);
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        }
        Ok(())
    }

    fn finish(&self, version: Version) -> Result<(), Fault> {
        let two_lengths = self.chunked && self.content_length.is_some();
        let unknown_coding = self.chunked && version == Version::Http10;
        // RFC 9112, section 3.2: a server answers 400 to an HTTP/1.1 request without exactly one Host.
        let hosts = self.hosts > 1 || (self.hosts == 0 && version == Version::Http11);
        if two_lengths || unknown_coding || hosts { Err(Fault::Malformed) } else { Ok(()) }
    }
}

fn request_line(line: &[u8]) -> Result<Version, Fault> {
    let mut parts = line.split(|&b| b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Fault::Malformed);
    };
    if method.is_empty() || !method.iter().copied().all(is_token) || !is_target(target) {
        return Err(Fault::Malformed);
    }
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(Fault::Malformed),
    }
}

fn content_length(value: &[u8]) -> Result<u64, Fault> {
    // `u64::from_str` would also take a sign.
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Fault::Malformed);
    }
    let text = std::str::from_utf8(value).map_err(|_| Fault::Malformed)?;
    text.parse().map_err(|_| Fault::Malformed)
}

/// RFC 9110, section 5.6.2.
fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// A path with its query, or the absolute form that proxies use (RFC 9112, section 3.2). Brackets are
/// let through though RFC 3986 wants them encoded: query strings of form libraries have them.
pub(super) fn is_target(target: &[u8]) -> bool {
    let visible = |b: u8| b.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&b);
    match target {
        [b'/', ..] | b"*" => target.iter().copied().all(visible),
        _ => {
            let absolute = target.starts_with(b"http://") || target.starts_with(b"https://");
            absolute && target.iter().copied().all(visible) && axum::http::Uri::try_from(target).is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `stream` in pieces of `step` bytes; answers how many passed, and the fault if any.
    fn read(stream: &[u8], step: usize) -> (usize, Option<Fault>) {
        let (mut framing, mut passed) = (Framing::new(), 0);
        for end in (step..stream.len()).step_by(step).chain([stream.len()]) {
            loop {
                match framing.judge(&stream[passed..end]) {
                    Verdict::Pass(n) => passed += n,
                    Verdict::Wait => break,
                    Verdict::Stop(fault) => return (passed, Some(fault)),
                }
            }
        }
        (passed, None)
    }

    fn every_way(stream: &[u8]) -> (usize, Option<Fault>) {
        let whole = read(stream, stream.len());
        for step in [1, 2, 3, 7] {
            assert_eq!(read(stream, step), whole, "in pieces of {step}: {stream:?}");
        }
        whole
    }

    #[test]
    fn good_messages_pass_however_they_are_cut() {
        for good in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET http://a/b?c=d HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
            "GET /v1/verifications?to=%2B12125550123&a[]=1 HTTP/1.1\r\nhost: a\r\nx: \tb\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        ] {
            assert_eq!(every_way(good.as_bytes()), (good.len(), None), "{good:?}");
        }
    }

    /// Shows: A14.
    #[test]
    fn heads_with_two_readings_are_refused() {
        for bad in [
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /ä HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
            "GET /\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\n",
        ] {
            assert_eq!(every_way(bad.as_bytes()), (0, Some(Fault::Malformed)), "{bad:?}");
        }
    }

    /// Shows: A14.
    #[test]
    fn chunks_with_two_readings_are_refused() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for bad in [
            "3;x=y\r\nabc\r\n0\r\n\r\n",
            "3 \r\nabc\r\n0\r\n\r\n",
            "3\nabc\r\n0\r\n\r\n",
            "\r\nabc\r\n0\r\n\r\n",
            "0x3\r\nabc\r\n0\r\n\r\n",
            "-3\r\nabc\r\n0\r\n\r\n",
            "000000003\r\nabc\r\n0\r\n\r\n",
        ] {
            assert_eq!(
                every_way(format!("{head}{bad}").as_bytes()),
                (head.len(), Some(Fault::Malformed)),
                "{bad:?}"
            );
        }
        for bad in ["3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n", "3\r\nabc\r\n0\r\nX: y\r\n\r\n"] {
            assert_eq!(every_way(format!("{head}{bad}").as_bytes()).1, Some(Fault::Malformed), "{bad:?}");
        }
    }

    /// Shows: A22.
    #[test]
    fn a_head_has_64_fields_and_16_kib() {
        let fields = |n: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "X: y\r\n".repeat(n));
        assert_eq!(every_way(fields(64).as_bytes()).1, None);
        assert_eq!(every_way(fields(65).as_bytes()).1, Some(Fault::HeadTooLarge));
        let long = |n: usize| format!("GET / HTTP/1.0\r\nX: {}\r\n\r\n", "y".repeat(n - 23));
        assert_eq!(long(MAX_HEAD).len(), MAX_HEAD);
        assert_eq!(every_way(long(MAX_HEAD).as_bytes()).1, None);
        assert_eq!(every_way(long(MAX_HEAD + 1).as_bytes()).1, Some(Fault::HeadTooLarge));
        assert_eq!(every_way(&[b'a'; MAX_HEAD]).1, Some(Fault::HeadTooLarge));
    }
}
