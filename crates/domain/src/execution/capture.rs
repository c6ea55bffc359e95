//! Keeping what a job gave back without letting it fill memory or the database.

use super::Output;

/// How many bytes of output are kept of one attempt unless the operator says otherwise: 64 KiB.
pub const DEFAULT_OUTPUT_LIMIT: usize = 64 * 1024;

/// Gathers output up to a limit and counts on beyond it.
#[derive(Debug)]
pub struct Capture {
    kept: Vec<u8>,
    limit: usize,
    seen: usize,
}

impl Capture {
    /// Keeps at most `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { kept: Vec::new(), limit, seen: 0 }
    }

    /// Takes the next piece.
    pub fn push(&mut self, chunk: &[u8]) {
        self.seen = self.seen.saturating_add(chunk.len());
        let room = self.limit - self.kept.len();
        self.kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    /// How many bytes came beyond the limit.
    pub const fn overflow(&self) -> usize {
        self.seen.saturating_sub(self.limit)
    }

    /// What was kept as text; `None` when nothing came. Bytes that are no UTF-8 become U+FFFD; a character that the
    /// limit cuts in two is left out altogether.
    pub fn into_output(mut self) -> Option<Output> {
        if self.seen == 0 {
            return None;
        }
        let truncated = self.seen > self.kept.len();
        if truncated {
            self.kept.truncate(whole_characters(&self.kept));
        }
        Some(Output { text: String::from_utf8_lossy(&self.kept).into_owned(), truncated })
    }
}

/// `text` as an [`Output`] of at most `limit` bytes; `None` when it is empty.
pub fn output_of(text: &str, limit: usize) -> Option<Output> {
    let mut capture = Capture::new(limit);
    capture.push(text.as_bytes());
    capture.into_output()
}

/// The length of `bytes` without an unfinished character at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let last_start = bytes.iter().rposition(|byte| !is_continuation(*byte)).unwrap_or(0);
    let unfinished = str::from_utf8(&bytes[last_start..]).is_err_and(|error| error.error_len().is_none());
    if unfinished { last_start } else { bytes.len() }
}

const fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn captured(chunks: &[&[u8]], limit: usize) -> Output {
        let mut capture = Capture::new(limit);
        for chunk in chunks {
            capture.push(chunk);
        }
        capture.into_output().unwrap()
    }

    #[test]
    fn what_fits_is_kept_whole_and_what_does_not_is_marked() {
        assert_eq!(captured(&[b"ab", b"cd"], 4), Output { text: "abcd".into(), truncated: false });
        assert_eq!(captured(&[b"ab", b"cde"], 4), Output { text: "abcd".into(), truncated: true });
        assert!(Capture::new(4).into_output().is_none());
    }

    #[test]
    fn a_character_is_never_cut_in_two() {
        assert_eq!(captured(&["aé".as_bytes()], 2).text, "a");
        assert_eq!(captured(&["a€x".as_bytes()], 3).text, "a");
        assert_eq!(captured(&["a€x".as_bytes()], 4).text, "a€");
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(captured(&[b"a\xFFb"], 10).text, "a\u{FFFD}b");
    }

    proptest! {
        #[test]
        fn the_start_of_any_text_is_kept_up_to_the_limit(text in ".{1,40}", limit in 0_usize..60) {
            let output = output_of(&text, limit).unwrap();
            prop_assert!(text.starts_with(&output.text));
            prop_assert!(output.text.len() <= limit);
            prop_assert!(output.text.len() + 4 > limit.min(text.len()));
            prop_assert_eq!(output.truncated, text.len() > limit);
        }
    }
}
