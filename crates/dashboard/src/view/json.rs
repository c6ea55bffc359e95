//! JSON for people: a member a line.

use serde::de::IgnoredAny;

/// What is longer or deeper than this is left as it is.
const MAX_BYTES: usize = 256 * 1024;
const MAX_DEPTH: usize = 20;

/// The same JSON with other blanks: numbers and texts stay as they were written. `None` for what is no object and no
/// array, and for what is too long or too deep.
pub(crate) fn pretty(text: &str) -> Option<String> {
    let text = text.trim();
    let may_be = text.starts_with(['{', '[']) && text.len() <= MAX_BYTES;
    if may_be && serde_json::from_str::<IgnoredAny>(text).is_ok() { indented(text) } else { None }
}

fn indented(json: &str) -> Option<String> {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    let mut rest = json.chars().peekable();
    while let Some(c) = rest.next() {
        if is_text {
            out.push(c);
            is_text = is_escaped || c != '"';
            is_escaped = c == '\\' && !is_escaped;
            continue;
        }
        match c {
            c if c.is_ascii_whitespace() => {}
            '{' | '[' => {
                out.push(c);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                match rest.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None if depth == MAX_DEPTH => return None,
                    None => {
                        depth += 1;
                        new_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => {
                is_text = c == '"';
                out.push(c);
            }
        }
    }
    Some(out)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_a_member_a_line() {
        let told = pretty(r#" {"a":[1,{ }, [] ,"x"],"b":{"c":null}} "#).unwrap();
        assert_eq!(
            told,
            "{\n  \"a\": [\n    1,\n    {},\n    [],\n    \"x\"\n  ],\n  \"b\": {\n    \"c\": null\n  }\n}"
        );
    }

    #[test]
    fn what_was_written_stays_as_it_was() {
        let told = pretty(r#"[12345678901234567890123, 1.10, "a{\"b\\", "\\\",:[", "}"]"#).unwrap();
        let lines: Vec<_> = told.lines().map(str::trim).collect();
        let expected = ["[", "12345678901234567890123,", "1.10,", r#""a{\"b\\","#, r#""\\\",:[","#, r#""}""#, "]"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_is_no_document_is_left_alone() {
        let deep = format!("{}1{}", "[".repeat(50), "]".repeat(50));
        for text in ["", "plain", "12", "\"text\"", "{\"cut\": tr", "[1] and more", &deep] {
            assert_eq!(pretty(text), None, "{text}");
        }
    }
}
