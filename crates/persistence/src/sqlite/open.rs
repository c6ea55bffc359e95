//! Opening the file.

use std::fs::{DirBuilder, OpenOptions};
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, ConnectionError, ConnectionResult};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading alone: a write is an error.
    Read,
    /// Writing, with the turn that [`WriteGate`](super::WriteGate) gives.
    Write,
}

impl Access {
    /// What every connection is told first: WAL, foreign keys, commits that survive a loss of power
    /// (`synchronous = FULL`), and patience with other processes on the same file.
    pub(crate) const fn settings(self) -> &'static str {
        match self {
            Self::Read => {
                "pragma busy_timeout = 10000; pragma foreign_keys = on; pragma temp_store = memory; \
                 pragma query_only = on"
            }
            // WAL stays with the file, so only writers ask for it. The limit cuts a log that one long read made grow.
            Self::Write => {
                "pragma busy_timeout = 10000; pragma foreign_keys = on; pragma temp_store = memory; \
                 pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = 67108864"
            }
        }
    }
}

/// Opens a connection with the [settings](Access::settings) of its kind.
pub(crate) fn open(path: &Path, access: Access) -> ConnectionResult<SqliteConnection> {
    let text = path
        .to_str()
        .ok_or_else(|| ConnectionError::InvalidConnectionUrl(format!("{} is not UTF-8", path.display())))?;
    // A relative path must not be taken for one of SQLite's own URIs.
    let text = if path.is_absolute() { text.to_owned() } else { format!("./{text}") };
    let mut connection = SqliteConnection::establish(&text)?;
    connection.batch_execute(access.settings()).map_err(ConnectionError::CouldntSetupConfiguration)?;
    crate::schema::register(&mut connection).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// Makes the file, readable by its owner alone (SQLite gives its log the same mode), and the folder it is in.
pub(crate) fn create(path: &Path) -> std::io::Result<()> {
    let mut folder = DirBuilder::new();
    let mut file = OpenOptions::new();
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        folder.recursive(true).create(parent)?;
    }
    file.create(true).append(true).open(path).map(drop)
}
