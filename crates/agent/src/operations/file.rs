//! `file.deploy.execute` and `file.status.get`: files below the roots that the agent's operator allows.
//!
//! A file is deployed as a whole: it is written beside its place under another name, and renamed when it is complete, so
//! nobody ever reads half of it. A file that is as it should be is left alone (`changed: false`).
//!
//! Data: see [`Deploy`] and [`Status`]. Result of both: see [`FileState`].

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cap_std::fs::{Dir, File, Metadata, OpenOptions, Permissions, PermissionsExt};
use horarium_domain::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::roots::{Place, Roots};
use super::{Done, Order, Problem, blocking};

/// The rights of a new file, unless others are given.
const USUAL_MODE: u32 = 0o644;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deploy {
    /// An absolute path below an allowed root. Folders on the way are made.
    path: String,
    /// What the file is to hold, as text.
    #[serde(default)]
    content: Option<String>,
    /// What the file is to hold, in Base64; instead of `content`.
    #[serde(default)]
    content_base64: Option<String>,
    /// Its rights in octal, such as `"0640"`; unless given those that it has, and 0644 for a new one.
    #[serde(default)]
    mode: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Status {
    /// An absolute path below an allowed root.
    path: String,
}

/// What is known of a file. All but the first two are absent when there is none.
#[derive(Debug, Serialize)]
struct FileState {
    path: String,
    exists: bool,
    /// `file`, `directory`, `link` or `other`; links are not followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// In octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<Timestamp>,
    /// Of a file's content, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

pub(super) async fn deploy(roots: &Roots, deploy: Deploy, order: &Order) -> Result<Done, Problem> {
    let place = roots.place(&deploy.path)?;
    let wanted = Wanted::of(&deploy)?;
    let name = format!(".horarium-{}-{}-{}", order.execution_id, std::process::id(), count());
    let (path, stop) = (deploy.path, order.stop.clone());
    blocking(move || {
        let told = |error: io::Error| problem(&path, &error);
        let changed = wanted.put(&place, &name, &stop).map_err(told)?;
        Done::with(&look(&place, &path, &stop).map_err(told)?, changed)
    })
    .await
}

pub(super) async fn status(roots: &Roots, status: Status, order: &Order) -> Result<Done, Problem> {
    let place = roots.place(&status.path)?;
    let (path, stop) = (status.path, order.stop.clone());
    blocking(move || Done::with(&look(&place, &path, &stop).map_err(|error| problem(&path, &error))?, false)).await
}

/// Tells the unfinished files of one process apart.
fn count() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn problem(path: &str, error: &io::Error) -> Problem {
    let told = format!("'{path}': {error}");
    match error.kind() {
        // A full disk or a stop may pass; a path that leads out, or rights that are missing, are the operator's to mend.
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::Interrupted => {
            Problem::passing(told)
        }
        _ => Problem::permanent(told),
    }
}

/// How a file is to be.
struct Wanted {
    content: Vec<u8>,
    mode: Option<u32>,
}

impl Wanted {
    fn of(deploy: &Deploy) -> Result<Self, Problem> {
        let content = match (&deploy.content, &deploy.content_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(encoded)) => STANDARD
                .decode(encoded)
                .map_err(|error| Problem::permanent(format!("data: content_base64: {error}")))?,
            _ => return Err(Problem::permanent("data: either content or content_base64 is needed")),
        };
        let mode = deploy.mode.as_deref().map(mode_of).transpose()?;
        Ok(Self { content, mode })
    }

    /// Makes the file so. Returns whether it was not so already.
    fn put(&self, place: &Place, unfinished: &str, stop: &CancellationToken) -> io::Result<bool> {
        let Place { dir, way } = place;
        let present = match dir.symlink_metadata(way) {
            Ok(metadata) if metadata.is_dir() => return Err(io::Error::other("it is a folder")),
            Ok(metadata) if metadata.is_file() => Some(metadata),
            // A link is replaced by the file, and what it points to is left alone.
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let present_mode = present.as_ref().map(|metadata| metadata.permissions().mode() & 0o7777);
        let mode = self.mode.or(present_mode).unwrap_or(USUAL_MODE);
        let is_same_size = present.is_some_and(|metadata| metadata.len() == self.content.len() as u64);
        if is_same_size && present_mode == Some(mode) {
            let present = hash(&mut dir.open(way)?, stop)?;
            if present == hex(&Sha256::digest(&self.content)) {
                return Ok(false);
            }
        }
        let folder = way.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            dir.create_dir_all(folder)?;
        }
        let unfinished = Unfinished { dir, path: folder.unwrap_or(Path::new("")).join(unfinished) };
        let mut file = unfinished.create()?;
        file.write_all(&self.content)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        check(stop)?;
        dir.rename(&unfinished.path, dir, way)?;
        Ok(true)
    }
}

/// A file being written beside its place; gone afterwards, because it has either got its name or failed.
struct Unfinished<'a> {
    dir: &'a Dir,
    path: PathBuf,
}

impl Unfinished<'_> {
    fn create(&self) -> io::Result<File> {
        self.dir.open_with(&self.path, OpenOptions::new().write(true).create_new(true))
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // It fails when the file has got its name.
        let _ = self.dir.remove_file(&self.path);
    }
}

fn mode_of(text: &str) -> Result<u32, Problem> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777).ok_or_else(|| {
        Problem::permanent(format!("data: mode: '{text}' is no octal number up to 0777, such as \"0640\""))
    })
}

fn look(place: &Place, path: &str, stop: &CancellationToken) -> io::Result<FileState> {
    let absent = FileState {
        path: path.to_owned(),
        exists: false,
        kind: None,
        size: None,
        mode: None,
        modified: None,
        sha256: None,
    };
    let metadata = match place.dir.symlink_metadata(&place.way) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(absent),
        Err(error) => return Err(error),
    };
    let sha256 = match metadata.is_file().then(|| place.dir.open(&place.way)).transpose() {
        Ok(file) => file.map(|mut file| hash(&mut file, stop)).transpose()?,
        // What is known without reading it is told all the same.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
        Err(error) => return Err(error),
    };
    Ok(FileState {
        exists: true,
        kind: Some(kind(&metadata)),
        size: Some(metadata.len()),
        mode: Some(format!("{:04o}", metadata.permissions().mode() & 0o7777)),
        modified: metadata.modified().ok().map(|at| timestamp(at.into_std())),
        sha256,
        ..absent
    })
}

fn kind(metadata: &Metadata) -> &'static str {
    if metadata.is_file() {
        "file"
    } else if metadata.is_dir() {
        "directory"
    } else if metadata.is_symlink() {
        "link"
    } else {
        "other"
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn hash(file: &mut File, stop: &CancellationToken) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        check(stop)?;
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

fn check(stop: &CancellationToken) -> io::Result<()> {
    if stop.is_cancelled() { Err(io::Error::new(io::ErrorKind::Interrupted, "stopped")) } else { Ok(()) }
}
