//! Named time zones from the IANA database that is compiled in, so that every node knows the same rules.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::tz::{self, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The bundled database. The host's own zone files are never read: they differ between hosts.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone of the IANA database. Cheap to clone; two are equal when their names are.
#[derive(Clone)]
pub struct TimeZone(tz::TimeZone);

/// There is no time zone of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an IANA time zone; write one such as Europe/Berlin or UTC")]
pub struct UnknownTimeZone(String);

impl TimeZone {
    /// Coordinated universal time, the default.
    pub const UTC: Self = Self(tz::TimeZone::UTC);

    /// The name as the database writes it (`Europe/Berlin`), whatever the case in which it was given.
    pub fn name(&self) -> &str {
        // Only zones found by name are ever wrapped, so the fallback is never taken.
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The zone's rules.
    pub(super) fn rules(&self) -> &tz::TimeZone {
        &self.0
    }
}

impl FromStr for TimeZone {
    type Err = UnknownTimeZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        // `Factory` and `Etc/Unknown` are the database's words for "nobody has said".
        DATABASE
            .get(name)
            .ok()
            .filter(|zone| !zone.is_unknown() && zone.iana_name().is_some_and(|found| found != "Factory"))
            .map(Self)
            .ok_or_else(|| UnknownTimeZone(name.chars().take(64).collect()))
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self::UTC
    }
}

impl PartialEq for TimeZone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for TimeZone {}

impl Hash for TimeZone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeZone({})", self.name())
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
