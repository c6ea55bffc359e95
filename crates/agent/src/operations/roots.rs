//! The folders below which files may be looked at and written.
//!
//! They are opened once, at the start, and every file is reached through them (`cap-std`): a symbolic link or `..` that
//! leads out is refused by the very call that would follow it, so there is no moment between check and use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::{InvalidAllowance, Problem};

/// The roots, opened.
#[derive(Debug)]
pub(super) struct Roots(Vec<Root>);

#[derive(Debug)]
struct Root {
    /// As the operator wrote it, and as it is without links: a path may start with either.
    names: [PathBuf; 2],
    dir: Arc<Dir>,
}

/// A path in a root: where the root is open, and the way from there. The way is never empty.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) dir: Arc<Dir>,
    pub(super) way: PathBuf,
}

impl Roots {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, InvalidAllowance> {
        paths.iter().map(|path| Root::open(path)).collect::<Result<_, _>>().map(Self)
    }

    /// Where the absolute path `text` lies.
    pub(super) fn place(&self, text: &str) -> Result<Place, Problem> {
        let path = Path::new(text);
        if !path.is_absolute() {
            return Err(Problem::permanent(format!("data: path: '{text}' is no absolute path")));
        }
        let outside = || {
            Problem::permanent(format!(
                "data: path: '{text}' is below none of the folders that this agent's operator allows (--allow-root)"
            ))
        };
        let ways = self.0.iter().filter_map(|root| root.way(path).map(|way| (root, way)));
        // The innermost of nested roots.
        let (root, way) = ways.min_by_key(|(_, way)| way.components().count()).ok_or_else(outside)?;
        if way.file_name().is_none() {
            return Err(Problem::permanent(format!("data: path: '{text}' names no file")));
        }
        Ok(Place { dir: Arc::clone(&root.dir), way: way.to_owned() })
    }
}

impl Root {
    fn open(path: &Path) -> Result<Self, InvalidAllowance> {
        let invalid =
            |error: std::io::Error| InvalidAllowance::Root { root: path.to_owned(), problem: error.to_string() };
        let named = std::path::absolute(path).map_err(invalid)?;
        let real = path.canonicalize().map_err(invalid)?;
        let dir = Dir::open_ambient_dir(&real, ambient_authority()).map_err(invalid)?;
        Ok(Self { names: [named, real], dir: Arc::new(dir) })
    }

    fn way<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        self.names.iter().find_map(|name| path.strip_prefix(name).ok())
    }
}
