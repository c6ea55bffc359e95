//! The folders set aside for jobs, and places in them.
//!
//! They are opened once, at the start, and every file is reached through them (`cap-std`): a symbolic link or `..` that
//! leads out is refused by the very call that would follow it, so there is no moment between check and use.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

/// The roots, opened.
#[derive(Debug)]
pub(super) struct Roots(Vec<Root>);

#[derive(Debug)]
struct Root {
    /// As the operator wrote it, and as it is without links: a path may start with either.
    named: PathBuf,
    real: PathBuf,
    dir: Arc<Dir>,
}

/// A path in a root.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Where the root is open.
    pub(super) dir: Arc<Dir>,
    /// The way from there; `.` to the root itself.
    pub(super) way: PathBuf,
    /// The whole path, for comparisons with others.
    pub(super) path: PathBuf,
}

/// A root cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("'{}' cannot be a folder for files of jobs: {problem}", path.display())]
pub struct InvalidRoot {
    /// The folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: io::Error,
}

/// A path that is no place in a root.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPlace {
    #[error("is no absolute path")]
    Relative,
    #[error("may not hold '..' or NUL")]
    Crooked,
    #[error("is below none of the folders that the operator sets aside for jobs (file_roots)")]
    Outside,
}

impl Roots {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, InvalidRoot> {
        paths.iter().map(|path| Root::open(path)).collect::<Result<_, _>>().map(Self)
    }

    /// Where the absolute path `text` lies.
    pub(super) fn place(&self, text: &str) -> Result<Place, NoPlace> {
        let path = Path::new(text);
        if !path.is_absolute() {
            return Err(NoPlace::Relative);
        }
        if text.contains('\0') || path.components().any(|part| part == Component::ParentDir) {
            return Err(NoPlace::Crooked);
        }
        let ways = self.0.iter().filter_map(|root| root.way(path).map(|way| (root, way)));
        // The innermost of nested roots.
        let (root, way) = ways.min_by_key(|(_, way)| way.components().count()).ok_or(NoPlace::Outside)?;
        let path = root.real.join(way);
        let way = if way.as_os_str().is_empty() { Path::new(".") } else { way };
        Ok(Place { dir: Arc::clone(&root.dir), way: way.components().collect(), path })
    }
}

impl Root {
    fn open(path: &Path) -> Result<Self, InvalidRoot> {
        let invalid = |problem| InvalidRoot { path: path.to_owned(), problem };
        let named = std::path::absolute(path).map_err(invalid)?;
        let real = path.canonicalize().map_err(invalid)?;
        let dir = Dir::open_ambient_dir(&real, ambient_authority()).map_err(invalid)?;
        Ok(Self { named, real, dir: Arc::new(dir) })
    }

    fn way<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        [&self.named, &self.real].into_iter().find_map(|name| path.strip_prefix(name).ok())
    }
}
