//! The secret that tokens are signed with: configured, or made once and kept in the data folder.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use horarium_auth::{JwtConfigError, SharedSecret};
use horarium_domain::Entropy;

use crate::config::Config;

/// The secret's file in the data folder.
const FILE: &str = "jwt-secret";

/// The secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// A folder that a setting names cannot be made.
    #[error("the setting '{setting}' cannot be '{}': the folder cannot be made: {error}", path.display())]
    Folder {
        /// The setting.
        setting: &'static str,
        /// The folder.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The operating system says no.
    #[error("the secret in the folder of the setting 'data_dir' cannot be used: {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Anybody on the machine may know it.
    #[error(
        "{} can be read by every user of this machine (mode {mode:04o}), so anyone may have signed tokens with it: \
         delete it to have a new one made at the next start, or run 'chmod 600' on it if you know better",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no secret.
    #[error("{}: {error}; delete the file to have a new one made at the next start", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: JwtConfigError,
    },
    /// The configured one is no secret.
    #[error("the setting 'jwt_secret' cannot be used: {0}")]
    Configured(JwtConfigError),
    /// There is none yet.
    #[error(
        "there is no secret in {}: start the server once ('horarium serve'), or name its data folder with --data-dir \
         or HORARIUM_DATA_DIR",
        folder.display()
    )]
    Missing {
        /// The data folder.
        folder: PathBuf,
    },
}

/// Where the secret is kept unless it is configured.
pub(crate) fn path(config: &Config) -> PathBuf {
    config.data_dir.join(FILE)
}

/// Makes the folder that a setting names, and those above it, for its owner alone. One that is there stays as it is.
pub(crate) fn make_private_folder(setting: &'static str, folder: &Path) -> Result<(), SecretError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| SecretError::Folder { setting, path: folder.to_owned(), error })
}

/// The secret, configured or kept; made now when there is none.
pub(crate) fn find_or_make(config: &Config, entropy: &impl Entropy) -> Result<SharedSecret, SecretError> {
    match find(config) {
        Err(SecretError::Missing { folder }) => {
            make(&folder, entropy)?;
            find(config)
        }
        found => found,
    }
}

/// The secret, configured or kept.
pub(crate) fn find(config: &Config) -> Result<SharedSecret, SecretError> {
    if let Some(secret) = &config.jwt_secret {
        return SharedSecret::new(secret.reveal()).map_err(SecretError::Configured);
    }
    let path = path(config);
    match File::open(&path) {
        Ok(file) => read(path, &file),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(SecretError::Missing { folder: config.data_dir.clone() })
        }
        Err(error) => Err(SecretError::Io { path, error }),
    }
}

fn read(path: PathBuf, file: &File) -> Result<SharedSecret, SecretError> {
    let contents =
        file.metadata().and_then(|metadata| Ok((metadata.permissions().mode(), std::io::read_to_string(file)?)));
    let (mode, text) = contents.map_err(io_error(&path))?;
    if mode & 0o007 != 0 {
        return Err(SecretError::Exposed { path, mode: mode & 0o777 });
    }
    SharedSecret::new(text.trim()).map_err(|error| SecretError::Unusable { path, error })
}

/// Writes a new secret beside its place and links it there, so that nobody ever reads half of it, and of several
/// processes that start at once all use the same.
fn make(folder: &Path, entropy: &impl Entropy) -> Result<(), SecretError> {
    make_private_folder("data_dir", folder)?;
    let path = folder.join(FILE);
    let unfinished = folder.join(format!("{FILE}.{}", std::process::id()));
    let hex: String = entropy.secret().into_iter().flat_map(hex_digits).collect();
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| writeln!(file, "{hex}").and_then(|()| file.sync_all()));
    let linked = written.and_then(|()| std::fs::hard_link(&unfinished, &path));
    // Whether it is there or not, it must not stay; and if it does, the secret's own file says what is wrong.
    drop(std::fs::remove_file(&unfinished));
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(SecretError::Io { path, error }),
        _ => Ok(()),
    }
}

fn hex_digits(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
}

fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> SecretError {
    let path = path.to_owned();
    move |error| SecretError::Io { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, SettingFlags, load};
    use crate::entropy::SystemEntropy;

    /// A configuration whose data folder is `folder`.
    fn config(folder: &Path) -> Config {
        let none = Environment::default();
        load(&SettingFlags::of_data_dir(folder.to_str()), &none).map(|loaded| loaded.config).unwrap()
    }

    #[test]
    fn a_secret_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder.path().join("data"));
        assert!(matches!(find(&config), Err(SecretError::Missing { .. })));
        find_or_make(&config, &SystemEntropy).unwrap();
        let made = std::fs::read_to_string(path(&config)).unwrap();
        assert_eq!(made.trim().len(), 64, "256 bits in hexadecimal digits");

        find_or_make(&config, &SystemEntropy).unwrap();
        assert_eq!(std::fs::read_to_string(path(&config)).unwrap(), made);
        assert_eq!(path(&config).metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(config.data_dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let left: Vec<_> = std::fs::read_dir(&config.data_dir).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn whoever_starts_at_the_same_time_uses_the_same_secret() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        make(&config.data_dir, &SystemEntropy).unwrap();
        let first = std::fs::read_to_string(path(&config)).unwrap();
        make(&config.data_dir, &SystemEntropy).unwrap();
        assert_eq!(
            std::fs::read_to_string(path(&config)).unwrap(),
            first,
            "the one who comes second takes what is there"
        );
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_refused_and_one_for_the_group_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        find_or_make(&config, &SystemEntropy).unwrap();
        for (mode, is_refused) in [(0o604, true), (0o602, true), (0o640, false), (0o400, false)] {
            std::fs::set_permissions(path(&config), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(matches!(find(&config), Err(SecretError::Exposed { .. })), is_refused, "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_holds_no_secret_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path(&config)).unwrap();
        writeln!(file, "short").unwrap();
        let error = find(&config).unwrap_err().to_string();
        assert!(error.contains("jwt-secret: the JWT secret has 5 bytes"), "{error}");
    }
}
