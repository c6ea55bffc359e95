//! Where the database is: `postgres://…` or `sqlite://path`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::with_causes;

/// The address of a database. It is shown without its password.
///
/// `sslmode=require` (or `verify-full`) in a PostgreSQL address asks for TLS with a certificate that this machine trusts,
/// or that `SSL_CERT_FILE` names; `disable` and `prefer`, the default, for none.
#[derive(Clone)]
pub struct DatabaseUrl(pub(crate) Target);

/// What an address names.
#[derive(Clone)]
pub(crate) enum Target {
    /// A PostgreSQL server.
    Postgres(Box<tokio_postgres::Config>),
    /// A file.
    Sqlite(PathBuf),
}

/// The text is no address of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// Neither of the two kinds.
    #[error(
        "a database's address begins with postgres:// or sqlite://, such as sqlite:///var/lib/horarium/horarium.db"
    )]
    Scheme,
    /// No path after `sqlite://`.
    #[error("sqlite:// needs the path of a file after it, such as sqlite:///var/lib/horarium/horarium.db")]
    NoPath,
    /// SQLite's databases in memory are lost with their connection, and Horarium holds several.
    #[error("SQLite in memory would lose everything at once; name a file instead")]
    InMemory,
    /// The PostgreSQL address cannot be read. The text is not repeated, since it holds a password.
    #[error("the PostgreSQL address cannot be read: {0}")]
    Postgres(String),
}

impl DatabaseUrl {
    /// The address of a SQLite file.
    pub fn sqlite_file(path: &Path) -> Self {
        Self(Target::Sqlite(path.to_owned()))
    }

    /// Whether several nodes may share the database.
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Target::Postgres(_))
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return match path {
                "" => Err(InvalidDatabaseUrl::NoPath),
                ":memory:" => Err(InvalidDatabaseUrl::InMemory),
                path => Ok(Self(Target::Sqlite(PathBuf::from(path)))),
            };
        }
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(InvalidDatabaseUrl::Scheme);
        }
        // What PostgreSQL's own clients call by this name is what Horarium does whenever TLS is required.
        let mut config: tokio_postgres::Config = text
            .replacen("sslmode=verify-full", "sslmode=require", 1)
            .parse()
            .map_err(|error: tokio_postgres::Error| InvalidDatabaseUrl::Postgres(with_causes(&error)))?;
        if config.get_application_name().is_none() {
            config.application_name("horarium");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(std::time::Duration::from_secs(10));
        }
        Ok(Self(Target::Postgres(Box::new(config))))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Target::Postgres(config) => {
                f.write_str("postgres://")?;
                if let Some(user) = config.get_user() {
                    write!(f, "{user}@")?;
                }
                for (index, host) in config.get_hosts().iter().enumerate() {
                    let separator = if index == 0 { "" } else { "," };
                    match host {
                        tokio_postgres::config::Host::Tcp(host) => write!(f, "{separator}{host}")?,
                        #[cfg(unix)]
                        tokio_postgres::config::Host::Unix(path) => write!(f, "{separator}{}", path.display())?,
                    }
                    let ports = config.get_ports();
                    if let Some(port) = ports.get(index).or_else(|| ports.first()) {
                        write!(f, ":{port}")?;
                    }
                }
                write!(f, "/{}", config.get_dbname().unwrap_or_default())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let url: DatabaseUrl = "postgres://user:geheim@db.example:6432/horarium".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://user@db.example:6432/horarium");
        assert!(!format!("{url:?}").contains("geheim"));
    }

    #[test]
    fn what_is_no_address_is_told_why() {
        let error = |text: &str| text.parse::<DatabaseUrl>().unwrap_err();
        assert_eq!(error("mysql://x"), InvalidDatabaseUrl::Scheme);
        assert_eq!(error("sqlite://"), InvalidDatabaseUrl::NoPath);
        assert_eq!(error("sqlite://:memory:"), InvalidDatabaseUrl::InMemory);
        assert!(matches!(error("postgres://h:port/d"), InvalidDatabaseUrl::Postgres(_)));
    }

    #[test]
    fn a_sqlite_path_may_be_relative_or_absolute() {
        for path in ["data/horarium.db", "/var/lib/horarium.db"] {
            let url: DatabaseUrl = format!("sqlite://{path}").parse().unwrap();
            assert!(matches!(&url.0, Target::Sqlite(p) if p == Path::new(path)));
            assert!(!url.is_shared());
        }
    }
}
