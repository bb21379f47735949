//! Where HTTP/2 frames and heads begin and end, so that none takes for ever to arrive.
//!
//! h2 limits how large frames and heads are and how many frames a head has, and waits without end for
//! the rest of one. [`Frames`] reads along, as far as it takes to know whether the connection is within
//! a frame or a head; the meaning of the bytes is h2's business. It does no input or output.

/// Of every frame's beginning: length (3), type, flags, stream (4) (RFC 9113, section 4.1).
const FRAME_HEADER: usize = 9;

/// Frame types (RFC 9113, section 6).
const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;

/// This flag of both says that the head is complete.
const END_HEADERS: u8 = 0x4;

/// The frames of one connection, behind its preface.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; FRAME_HEADER],
    /// So much of `header` has come.
    header_bytes: usize,
    /// Of the frame's content, so much is to come.
    left: usize,
    /// A head has begun in an earlier frame, or in this one.
    in_head: bool,
}

impl Frames {
    /// Whether more must come before a frame, or a head of several frames, is complete.
    pub(super) fn is_within(&self) -> bool {
        self.header_bytes > 0 || self.in_head
    }

    /// Reads on. Answers whether, on the way, there was a point within nothing: whatever the connection
    /// is within now has begun in these bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> bool {
        let mut between = false;
        while !bytes.is_empty() {
            if self.header_bytes < FRAME_HEADER {
                let n = bytes.len().min(FRAME_HEADER - self.header_bytes);
                self.header[self.header_bytes..][..n].copy_from_slice(&bytes[..n]);
                self.header_bytes += n;
                bytes = &bytes[n..];
                if self.header_bytes < FRAME_HEADER {
                    break;
                }
                self.begin();
            }
            let n = bytes.len().min(self.left);
            self.left -= n;
            bytes = &bytes[n..];
            if self.left == 0 {
                self.header_bytes = 0;
                between |= !self.in_head;
            }
        }
        between
    }

    fn begin(&mut self) {
        let [l0, l1, l2, kind, flags, ..] = self.header;
        self.left = usize::from(l0) << 16 | usize::from(l1) << 8 | usize::from(l2);
        if matches!(kind, HEADERS | CONTINUATION) {
            self.in_head = flags & END_HEADERS == 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        frame.extend(std::iter::repeat_n(b'x', length.into()));
        frame
    }

    #[test]
    fn only_between_complete_frames_and_heads_nothing_is_awaited() {
        for (frames, awaited) in [
            (vec![frame(4, 0, 0)], false),
            (vec![frame(0, 0, 200), frame(0, 1, 0)], false),
            (vec![frame(HEADERS, END_HEADERS, 20)], false),
            (vec![frame(HEADERS, 0, 20)], true),
            (vec![frame(HEADERS, 0, 20), frame(CONTINUATION, 0, 0)], true),
            (vec![frame(HEADERS, 0, 20), frame(CONTINUATION, END_HEADERS, 9)], false),
        ] {
            let stream = frames.concat();
            for step in [1, 2, 5, 9, 10, stream.len()] {
                let mut reader = Frames::default();
                for piece in stream.chunks(step) {
                    reader.read(piece);
                }
                assert_eq!(reader.is_within(), awaited, "in pieces of {step}: {stream:?}");
            }
        }
    }

    #[test]
    fn every_frame_is_awaited_until_its_last_byte() {
        for whole in [frame(0, 0, 7), frame(4, 0, 0), frame(HEADERS, END_HEADERS, 1)] {
            let mut reader = Frames::default();
            for (at, byte) in whole.iter().enumerate() {
                let between = reader.read(&[*byte]);
                let last = at + 1 == whole.len();
                assert_eq!((between, reader.is_within()), (last, !last), "{at} of {whole:?}");
            }
        }
    }

    #[test]
    fn the_next_frame_is_told_from_the_one_before() {
        let mut reader = Frames::default();
        assert!(!reader.read(&frame(0, 0, 9)[..12]));
        let mut rest = frame(0, 0, 9)[12..].to_vec();
        rest.extend(&frame(0, 0, 9)[..3]);
        assert!(reader.read(&rest), "a frame ended and another began");
        assert!(reader.is_within());
        assert!(!reader.read(b"y"));
    }
}
