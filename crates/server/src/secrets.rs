//! The secrets of the server itself, configured or made once and kept in the data folder: what it signs tokens with,
//! and the key that seals the secrets of its tenants.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use horarium_auth::{SecretKeys, SharedSecret};
use horarium_domain::Entropy;

use crate::config::{Config, SecretText};
use crate::entropy::SystemEntropy;

/// A secret of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// What tokens are signed with.
    TokenSecret,
    /// What secrets at rest are sealed with.
    SealingKey,
}

impl Kept {
    /// Its file in the data folder.
    const fn file(self) -> &'static str {
        match self {
            Self::TokenSecret => "jwt-secret",
            Self::SealingKey => "secret-key",
        }
    }

    /// Its setting.
    const fn setting(self) -> &'static str {
        match self {
            Self::TokenSecret => "jwt_secret",
            Self::SealingKey => "secret_key",
        }
    }

    const fn configured(self, config: &Config) -> Option<&SecretText> {
        match self {
            Self::TokenSecret => config.jwt_secret.as_ref(),
            Self::SealingKey => config.secret_key.as_ref(),
        }
    }

    /// What the exposed file has been good for to whoever read it, and what to do.
    const fn exposure(self) -> &'static str {
        match self {
            Self::TokenSecret => {
                "anyone may have signed tokens with it: delete it to have a new one made at the next start"
            }
            Self::SealingKey => {
                "anyone may have opened secrets with it: set 'secret_key' to a new key and this one, and run 'horarium \
                 secrets rotate'"
            }
        }
    }

    /// Where it is kept unless it is configured.
    pub(crate) fn path(self, config: &Config) -> PathBuf {
        config.data_dir.join(self.file())
    }
}

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
        "{} can be read by every user of this machine (mode {mode:04o}), so {}, or run 'chmod 600' on it if you know \
         better",
        path.display(),
        what.exposure()
    )]
    Exposed {
        /// Which.
        what: Kept,
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
        error: String,
    },
    /// The configured one is no secret.
    #[error("the setting '{}' cannot be used: {error}", what.setting())]
    Configured {
        /// Which.
        what: Kept,
        /// Why not.
        error: String,
    },
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

/// Makes the folder that a setting names, and those above it, for its owner alone. One that is there stays as it is.
pub(crate) fn make_private_folder(setting: &'static str, folder: &Path) -> Result<(), SecretError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| SecretError::Folder { setting, path: folder.to_owned(), error })
}

/// The secret that tokens are signed with; made now when there is none.
pub(crate) fn find_or_make(config: &Config, entropy: &impl Entropy) -> Result<SharedSecret, SecretError> {
    make_if_missing(Kept::TokenSecret, config, entropy)?;
    find(config)
}

/// The secret that tokens are signed with.
pub(crate) fn find(config: &Config) -> Result<SharedSecret, SecretError> {
    read(Kept::TokenSecret, config, |text| SharedSecret::new(text).map_err(|error| error.to_string()))
}

/// The keys that secrets at rest are sealed with; one is made now when there is none.
pub(crate) fn find_or_make_keys(config: &Config, entropy: &impl Entropy) -> Result<SecretKeys, SecretError> {
    make_if_missing(Kept::SealingKey, config, entropy)?;
    find_keys(config)
}

/// The keys that secrets at rest are sealed with.
pub(crate) fn find_keys(config: &Config) -> Result<SecretKeys, SecretError> {
    read(Kept::SealingKey, config, |text| {
        SecretKeys::parse(text, Arc::new(SystemEntropy)).map_err(|error| error.to_string())
    })
}

fn read<T>(what: Kept, config: &Config, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, SecretError> {
    if let Some(text) = what.configured(config) {
        return parse(text.reveal()).map_err(|error| SecretError::Configured { what, error });
    }
    let path = what.path(config);
    let file = File::open(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => SecretError::Missing { folder: config.data_dir.clone() },
        _ => SecretError::Io { path: path.clone(), error },
    })?;
    let contents =
        file.metadata().and_then(|metadata| Ok((metadata.permissions().mode(), std::io::read_to_string(&file)?)));
    let (mode, text) = contents.map_err(io_error(&path))?;
    if mode & 0o007 != 0 {
        return Err(SecretError::Exposed { what, path, mode: mode & 0o777 });
    }
    parse(text.trim()).map_err(|error| SecretError::Unusable { path, error })
}

fn make_if_missing(what: Kept, config: &Config, entropy: &impl Entropy) -> Result<(), SecretError> {
    if what.configured(config).is_some() || what.path(config).exists() {
        return Ok(());
    }
    make(what, &config.data_dir, entropy)
}

/// Writes a new secret beside its place and links it there, so that nobody ever reads half of it, and of several
/// processes that start at once all use the same.
fn make(what: Kept, folder: &Path, entropy: &impl Entropy) -> Result<(), SecretError> {
    make_private_folder("data_dir", folder)?;
    let path = folder.join(what.file());
    let unfinished = folder.join(format!("{}.{}", what.file(), std::process::id()));
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
        let made = std::fs::read_to_string(Kept::TokenSecret.path(&config)).unwrap();
        assert_eq!(made.trim().len(), 64, "256 bits in hexadecimal digits");

        find_or_make(&config, &SystemEntropy).unwrap();
        assert_eq!(std::fs::read_to_string(Kept::TokenSecret.path(&config)).unwrap(), made);
        assert_eq!(Kept::TokenSecret.path(&config).metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(config.data_dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let left: Vec<_> = std::fs::read_dir(&config.data_dir).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn whoever_starts_at_the_same_time_uses_the_same_secret() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        make(Kept::TokenSecret, &config.data_dir, &SystemEntropy).unwrap();
        let first = std::fs::read_to_string(Kept::TokenSecret.path(&config)).unwrap();
        make(Kept::TokenSecret, &config.data_dir, &SystemEntropy).unwrap();
        assert_eq!(
            std::fs::read_to_string(Kept::TokenSecret.path(&config)).unwrap(),
            first,
            "the one who comes second takes what is there"
        );
    }

    #[test]
    fn the_sealing_key_is_kept_beside_it_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        assert!(matches!(find_keys(&config), Err(SecretError::Missing { .. })));
        let made: Vec<_> = find_or_make_keys(&config, &SystemEntropy).unwrap().ids().map(str::to_owned).collect();
        assert_eq!(find_or_make_keys(&config, &SystemEntropy).unwrap().ids().collect::<Vec<_>>(), made);
        assert_eq!(Kept::SealingKey.path(&config).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_refused_and_one_for_the_group_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        find_or_make(&config, &SystemEntropy).unwrap();
        for (mode, is_refused) in [(0o604, true), (0o602, true), (0o640, false), (0o400, false)] {
            std::fs::set_permissions(Kept::TokenSecret.path(&config), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(matches!(find(&config), Err(SecretError::Exposed { .. })), is_refused, "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_holds_no_secret_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(Kept::TokenSecret.path(&config)).unwrap();
        writeln!(file, "short").unwrap();
        let error = find(&config).unwrap_err().to_string();
        assert!(error.contains("jwt-secret: the JWT secret has 5 bytes"), "{error}");
    }
}
