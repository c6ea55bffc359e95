//! The credentials in a URL: what stands before the `@` of its host, and query parameters whose names say so.
//!
//! A URL is taken as text, not parsed: it may hold templates, and has to come out as its author wrote it.

use std::ops::Range;

use super::name::is_secret_name;

/// The credentials of a URL as places in its text, first to last, with what each is called.
pub(super) fn credentials(url: &str) -> Vec<(String, Range<usize>)> {
    let user = user_info(url).map(|range| ("url:user".to_owned(), range));
    user.into_iter().chain(secret_parameters(url)).collect()
}

/// Where a URL's scheme, host and port end. Parsers take a backslash for a slash.
fn authority_end(url: &str) -> usize {
    let start = authority_start(url);
    url[start..].find(['/', '\\', '?', '#']).map_or(url.len(), |at| start + at)
}

/// What stands before the `@` of a URL's host.
pub(super) fn user_info(url: &str) -> Option<Range<usize>> {
    let start = authority_start(url);
    let length = url[start..authority_end(url)].rfind('@')?;
    (length > 0).then_some(start..start + length)
}

fn authority_start(url: &str) -> usize {
    url.find("://").map_or(0, |at| at + "://".len())
}

fn secret_parameters(url: &str) -> impl Iterator<Item = (String, Range<usize>)> + '_ {
    let end = url.find('#').unwrap_or(url.len());
    let mut next = url[..end].find('?').map(|at| at + 1);
    std::iter::from_fn(move || {
        let start = next?;
        let stop = url[start..end].find('&').map_or(end, |at| start + at);
        next = (stop < end).then_some(stop + 1);
        Some(start..stop)
    })
    .filter_map(|parameter| {
        let (name, value) = url[parameter.clone()].split_once('=')?;
        let place = parameter.end - value.len()..parameter.end;
        (is_secret_name(name) && !value.is_empty()).then(|| (format!("url:{name}"), place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: &str) -> Vec<&str> {
        credentials(url).into_iter().map(|(_, range)| &url[range]).collect()
    }

    #[test]
    fn users_and_secret_parameters_are_found_and_nothing_else() {
        assert_eq!(found("https://me:pw@a.example:8/x?page=2&token=t1&Api_Key=k#token=no"), ["me:pw", "t1", "k"]);
        assert_eq!(found("https://a.example/?token=&b=@c&sig={{Payload.sig}}"), ["{{Payload.sig}}"]);
        for url in ["https://a.example/x@y", "https://a.example?q=me@b", "https://@a.example", "a", "", "https://"] {
            assert!(found(url).is_empty(), "{url}");
        }
    }

    #[test]
    fn what_a_parser_takes_for_the_path_is_no_user() {
        assert!(found("https://evil.example\\@a.example/").is_empty());
        assert_eq!(found("https://a@b@c.example/"), ["a@b"]);
    }
}
