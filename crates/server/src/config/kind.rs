//! The kinds of values that settings take.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use horarium_auth::Role;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::source::Raw;

/// A kind of value: what is allowed, and how it is read.
pub(super) trait Kind {
    /// What a value of this kind becomes.
    type Value;

    /// What is allowed, to follow "it must be".
    fn allowed(&self) -> String;

    /// Reads a value; the error says what is wrong with it, as a clause.
    fn read(&self, raw: &Raw) -> Result<Self::Value, String>;

    /// Whether values are shown to nobody, and are taken neither from flags nor into error messages.
    fn is_secret(&self) -> bool {
        false
    }

    /// A value as it may be shown. Only for kinds that hide a part of it.
    fn show(&self, raw: &Raw) -> String {
        match raw.text() {
            Some("") => String::new(),
            _ if self.is_secret() => "********".to_owned(),
            _ => raw.to_string(),
        }
    }

    /// The error of a value that is not allowed.
    fn refuse<T>(&self) -> Result<T, String> {
        Err(format!("it must be {}", self.allowed()))
    }
}

/// Anything that parses from one text.
pub(super) struct Text<T> {
    allowed: &'static str,
    value: PhantomData<fn() -> T>,
}

/// A text that parses as `T`; `allowed` says how it looks.
pub(super) const fn text<T>(allowed: &'static str) -> Text<T> {
    Text { allowed, value: PhantomData }
}

impl<T: FromStr> Kind for Text<T> {
    type Value = T;

    fn allowed(&self) -> String {
        self.allowed.to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<T, String> {
        match raw.text().filter(|text| !text.is_empty()).map(str::parse) {
            Some(Ok(value)) => Ok(value),
            _ => self.refuse(),
        }
    }
}

/// A list of what parses from a text each.
pub(super) struct List<T>(Text<T>);

/// A list of texts that parse as `T`; `allowed` says how one looks.
pub(super) const fn list<T>(allowed: &'static str) -> List<T> {
    List(text(allowed))
}

impl<T: FromStr> Kind for List<T> {
    type Value = Vec<T>;

    fn allowed(&self) -> String {
        format!("a list of {}", self.0.allowed)
    }

    fn read(&self, raw: &Raw) -> Result<Vec<T>, String> {
        let items: Result<Vec<T>, _> = raw.items().into_iter().map(str::parse).collect();
        items.or_else(|_| self.refuse())
    }
}

/// A type of another crate that reads a whole list, or a text, by itself and says best what is wrong with it.
pub(super) struct Own<T> {
    allowed: &'static str,
    value: PhantomData<fn() -> T>,
}

/// What `T` reads, with its own errors; `allowed` says how it looks.
pub(super) const fn own<T>(allowed: &'static str) -> Own<T> {
    Own { allowed, value: PhantomData }
}

impl<T: FromStr<Err: fmt::Display>> Kind for Own<T> {
    type Value = T;

    fn allowed(&self) -> String {
        self.allowed.to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<T, String> {
        raw.to_string().trim().parse().map_err(|error: T::Err| error.to_string())
    }

    /// What precedes an `@` in an address may hold a password, and so may its parameters.
    fn show(&self, raw: &Raw) -> String {
        let shown = raw.to_string();
        let shown = shown.split_once('?').map_or(shown.as_str(), |(address, _)| address);
        match (shown.split_once("://"), shown.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://********@{host}"),
            (None, Some((_, host))) => format!("********@{host}"),
            (_, None) => shown.to_owned(),
        }
    }
}

/// A value that need not be there: an empty text is none.
pub(super) struct Maybe<K>(pub(super) K);

impl<K: Kind> Kind for Maybe<K> {
    type Value = Option<K::Value>;

    fn allowed(&self) -> String {
        self.0.allowed()
    }

    fn read(&self, raw: &Raw) -> Result<Self::Value, String> {
        if raw.text() == Some("") { Ok(None) } else { self.0.read(raw).map(Some) }
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }

    fn show(&self, raw: &Raw) -> String {
        self.0.show(raw)
    }
}

/// A secret, as it was written but for surrounding blanks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretText(String);

impl SecretText {
    /// The secret itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText([redacted])")
    }
}

/// A secret of at least so many bytes.
pub(super) struct Secret {
    pub(super) min_bytes: usize,
}

impl Kind for Secret {
    type Value = SecretText;

    fn allowed(&self) -> String {
        format!("a secret of at least {} bytes, such as 'openssl rand -base64 48' makes", self.min_bytes)
    }

    fn read(&self, raw: &Raw) -> Result<SecretText, String> {
        match raw.text() {
            Some(text) if text.len() >= self.min_bytes => Ok(SecretText(text.to_owned())),
            _ => self.refuse(),
        }
    }

    fn is_secret(&self) -> bool {
        true
    }
}

/// A value that is shown to nobody.
pub(super) struct Hidden<K>(pub(super) K);

impl<K: Kind> Kind for Hidden<K> {
    type Value = K::Value;

    fn allowed(&self) -> String {
        self.0.allowed()
    }

    fn read(&self, raw: &Raw) -> Result<K::Value, String> {
        self.0.read(raw)
    }

    fn is_secret(&self) -> bool {
        true
    }
}

/// A whole number within bounds, and what it becomes.
pub(super) struct Number<T> {
    min: u64,
    max: u64,
    into: fn(u64) -> T,
    unit: &'static str,
}

impl<T> Kind for Number<T> {
    type Value = T;

    fn allowed(&self) -> String {
        format!("a whole number{} from {} to {}", self.unit, self.min, self.max)
    }

    fn read(&self, raw: &Raw) -> Result<T, String> {
        match raw.text().and_then(|text| text.parse().ok()) {
            Some(number) if (self.min..=self.max).contains(&number) => Ok((self.into)(number)),
            _ => self.refuse(),
        }
    }
}

/// A count.
pub(super) const fn count(min: u64, max: u64) -> Number<usize> {
    Number { min, max, into: |number| number as usize, unit: "" }
}

/// A size in bytes.
pub(super) const fn bytes(min: u64, max: u64) -> Number<usize> {
    Number { min, max, into: |number| number as usize, unit: " of bytes" }
}

/// A span in seconds.
pub(super) const fn seconds(min: u64, max: u64) -> Number<Duration> {
    Number { min, max, into: Duration::from_secs, unit: " of seconds" }
}

/// A span in milliseconds.
pub(super) const fn milliseconds(min: u64, max: u64) -> Number<Duration> {
    Number { min, max, into: Duration::from_millis, unit: " of milliseconds" }
}

/// Days.
pub(super) const fn days(min: u64, max: u64) -> Number<u32> {
    Number { min, max, into: |days| u32::try_from(days).unwrap_or(u32::MAX), unit: " of days" }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

/// A filter of log lines, known to be sound.
#[derive(Debug, Clone)]
pub(crate) struct LogFilter(String);

impl LogFilter {
    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LogFilter {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // A word alone would be taken for a module whose every line is wanted, and a misspelt level would so silence
        // all others.
        let is_level = |word: &str| word.is_empty() || word.parse::<LevelFilter>().is_ok();
        let is_directive = |item: &str| item.contains(['=', '[']) || is_level(item);
        if !text.split(',').all(is_directive) {
            return Err(());
        }
        EnvFilter::builder().parse(text).map(|_| Self(text.to_owned())).map_err(drop)
    }
}

/// The address at which browsers reach the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicUrl(pub(crate) url::Url);

impl FromStr for PublicUrl {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let url = url::Url::parse(text).map_err(|_| ())?;
        let is_site = matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.username().is_empty();
        if is_site && url.query().is_none() && url.fragment().is_none() { Ok(Self(url)) } else { Err(()) }
    }
}

/// What a value of an ID token's claim means here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleOf {
    /// The value.
    pub(crate) value: String,
    /// The role that it gives.
    pub(crate) role: Role,
}

impl FromStr for RoleOf {
    type Err = ();

    /// A value may hold a `=` itself, as names in directories do.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (value, role) = text.rsplit_once('=').ok_or(())?;
        let value = value.trim();
        match Role::from_name(role) {
            Some(role) if !value.is_empty() => Ok(Self { value: value.to_owned(), role }),
            _ => Err(()),
        }
    }
}

/// Where an issuer's key set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JwksLocation {
    /// Behind a URL.
    Url(reqwest::Url),
    /// In a file.
    File(PathBuf),
}

impl FromStr for JwksLocation {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.contains("://") {
            let url = reqwest::Url::parse(text).map_err(|_| ())?;
            return if matches!(url.scheme(), "http" | "https") { Ok(Self::Url(url)) } else { Err(()) };
        }
        Ok(Self::File(text.into()))
    }
}
