//! Paths of this site, for sending browsers on.

use url::Url;

/// A path of this site, with its query. What leads elsewhere cannot be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalPath(String);

impl LocalPath {
    /// The overview.
    pub(crate) fn home() -> Self {
        Self("/".to_owned())
    }

    /// A path that the dashboard makes itself; it begins with `/`.
    pub(crate) fn own(path: impl Into<String>) -> Self {
        let path = path.into();
        Self::given(&path).unwrap_or_else(Self::home)
    }

    /// What somebody else names, if it is a path of this site. Browsers take a second slash, also one that leans the
    /// other way, for the beginning of another site's name.
    pub(crate) fn given(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let begins_well = text.starts_with('/') && !text.starts_with("//");
        let base = Url::parse("http://here.invalid/").ok()?;
        let stays = base.join(text).is_ok_and(|url| url.origin() == base.origin());
        (is_plain && begins_well && stays).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        for path in ["/", "/jobs?search=a%20b&page=2", "/executions/7#error", "/a//b"] {
            assert_eq!(LocalPath::given(path).unwrap().as_str(), path);
        }
        let strange = [
            "",
            "jobs",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
            "/\t/evil",
            "javascript:x",
        ];
        for text in strange {
            assert_eq!(LocalPath::given(text), None, "{text}");
        }
    }
}
