//! What is a secret by its name alone.

/// What the last word of a secret's name is.
const WORDS: [&str; 11] =
    ["key", "apikey", "token", "secret", "password", "passwd", "passphrase", "pwd", "signature", "sig", "credentials"];

/// What a secret's name ends with where its words are not told apart, as in `accesstoken`.
const ENDINGS: [&str; 4] = ["apikey", "token", "secret", "password"];

/// Whether the value of a header, an environment variable, a query parameter or a parameter of a job of this name is a
/// secret: sealed at rest, not shown to readers, not sent on to another server.
pub fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    matches!(words.as_str(), "authorization" | "proxy-authorization" | "cookie" | "set-cookie")
        || words.rsplit('-').next().is_some_and(|last| WORDS.contains(&last))
        || ENDINGS.into_iter().any(|ending| words.ends_with(ending))
}

/// A name's words in lower case with hyphens between them, whether they were told apart by `-`, `_`, `.` or by case.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for c in name.chars() {
        if after_lower && c.is_ascii_uppercase() {
            words.push('-');
        }
        after_lower = c.is_ascii_lowercase();
        words.push(if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        let secret = [
            "Authorization",
            "proxy-authorization",
            "Cookie",
            "Set-Cookie",
            "X-API-Key",
            "x-auth-TOKEN",
            "Client_Secret",
            "apikey",
            "Token",
            "accessToken",
            "access_token",
            "accesstoken",
            "DB_PASSWORD",
            "PGPASSWORD",
            "AWS_SECRET_ACCESS_KEY",
            "X-Amz-Signature",
            "sig",
        ];
        for name in secret {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["", "Accept", "Content-Type", "X-Monkey", "monkey", "Tokens", "X-Key-Id", "design", "PATH"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
