//! Addresses of the provider.

/// Hosts that are this very machine.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Whether nobody on the way sees or changes what is sent there: over TLS, or to this very machine.
pub(super) fn is_safe(url: &str) -> bool {
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\\".contains(&byte));
    let authority = |rest: &str| rest.split(['/', '?']).next().unwrap_or_default().to_owned();
    let is_loopback = |host: &str| {
        LOOPBACK
            .iter()
            .any(|known| host.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')))
    };
    is_plain
        && match url.split_once("://") {
            Some(("https", rest)) => !authority(rest).is_empty(),
            Some(("http", rest)) => is_loopback(&authority(rest)),
            _ => false,
        }
}

/// An address with further fields in its query, which it may have already.
pub(super) fn with_query(url: &str, fields: &[(&str, &str)]) -> String {
    let mut address = url.to_owned();
    for (name, value) in fields {
        let separator = if address.contains('?') { '&' } else { '?' };
        address.push(separator);
        address.push_str(&encode(name));
        address.push('=');
        address.push_str(&encode(value));
    }
    address
}

/// A text as it stands in a query or a form: all but what needs no escaping anywhere is written as `%XX`.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    encoded
}

/// One digit.
const fn hex(nibble: u8) -> char {
    (match nibble {
        0..10 => b'0' + nibble,
        10.. => b'A' + nibble - 10,
    }) as char
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_can_listen_to_is_safe() {
        for url in ["https://id.example/token", "http://127.0.0.1:9/x", "http://[::1]/", "http://localhost:80?a=b"] {
            assert!(is_safe(url), "{url}");
        }
        let unsafe_ones = [
            "http://id.example/token",
            "http://localhost.id.example/",
            "http://127.0.0.1@id.example/",
            "https:///token",
            "https://id.example/#x",
            "https://id.example/a b",
            "ftp://id.example/",
            "javascript:alert(1)",
            "",
        ];
        for url in unsafe_ones {
            assert!(!is_safe(url), "{url}");
        }
    }

    #[test]
    fn fields_are_added_to_what_is_there() {
        assert_eq!(with_query("https://a/b", &[("x", "1 &"), ("y", "ü")]), "https://a/b?x=1%20%26&y=%C3%BC");
        assert_eq!(with_query("https://a/b?p=q", &[("x", "~")]), "https://a/b?p=q&x=~");
    }
}
