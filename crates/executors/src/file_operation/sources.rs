//! Finding the files that a job works on.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::fs::{Dir, Metadata};
use glob::{MatchOptions, Pattern};
use horarium_domain::execution::Failure;
use tokio_util::sync::CancellationToken;

use super::output::UNFINISHED;
use super::roots::Place;

/// How many files and folders one attempt looks at, at most; one that finds more should be a narrower job.
const MAX_FOUND: usize = 100_000;

const WILDCARDS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// What a job works on, before anything is looked up.
#[derive(Debug)]
pub(super) struct Sources {
    /// The file or folder, or the part of the pattern without wildcards.
    pub(super) base: Place,
    pattern: Option<Pattern>,
    older_than: Option<SystemTime>,
}

/// A file to work on.
#[derive(Debug)]
pub(super) struct Found {
    /// From the root.
    pub(super) way: PathBuf,
    /// From the source folder; the file's name when the source is a file.
    pub(super) below: PathBuf,
    /// The whole path, for comparisons with others.
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) modified: Option<SystemTime>,
}

/// The files found.
#[derive(Debug, Default)]
pub(super) struct FoundFiles {
    pub(super) files: Vec<Found>,
    /// The folders below the source that were looked into, from the root.
    pub(super) folders: Vec<PathBuf>,
    /// Whether the source is one file by its own path.
    pub(super) is_single_file: bool,
    /// Whether there is nothing at the path that is the source.
    pub(super) is_missing: bool,
}

/// A path or a pattern, as the part without wildcards and the rest.
pub(super) fn split_pattern(text: &str) -> Result<(String, Option<Pattern>), Failure> {
    let parts: Vec<_> = text.split('/').collect();
    let Some(first_wild) = parts.iter().position(|part| part.contains(['*', '?', '['])) else {
        return Ok((text.to_owned(), None));
    };
    let (base, pattern) = parts.split_at(first_wild);
    let pattern = Pattern::new(&pattern.join("/"))
        .map_err(|error| Failure::permanent(format!("jobConfiguration.sourcePath: {error}")))?;
    let base = base.iter().flat_map(|part| [*part, "/"]).collect();
    Ok((base, Some(pattern)))
}

impl Sources {
    /// What is at `base`, or what matches the pattern below it; `older_than` leaves out what was modified since.
    pub(super) const fn new(base: Place, pattern: Option<Pattern>, older_than: Option<SystemTime>) -> Self {
        Self { base, pattern, older_than }
    }

    /// Looks them up, in the order of their paths.
    pub(super) fn find(&self, stop: &CancellationToken) -> Result<FoundFiles, Failure> {
        let Place { dir, way, .. } = &self.base;
        let mut found = FoundFiles::default();
        let metadata = match dir.symlink_metadata(way) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                found.is_missing = self.pattern.is_none();
                return Ok(found);
            }
            Err(error) => return Err(told(way, &error)),
        };
        if metadata.is_file() {
            found.is_single_file = true;
            if self.pattern.is_none() {
                let below = way.file_name().map(PathBuf::from).unwrap_or_default();
                self.take(&mut found, way.clone(), below, self.base.path.clone(), &metadata);
            }
        } else {
            self.visit(&mut found, stop)?;
            found.files.sort_by(|a, b| a.way.cmp(&b.way));
        }
        Ok(found)
    }

    /// Goes through the folder and those below it.
    fn visit(&self, found: &mut FoundFiles, stop: &CancellationToken) -> Result<(), Failure> {
        let Place { dir, way, path } = &self.base;
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let here = join(way, &folder);
            if !folder.as_os_str().is_empty() {
                found.folders.push(here.clone());
            }
            for entry in entries(dir, &here).map_err(|error| told(&here, &error))? {
                if stop.is_cancelled() {
                    return Err(Failure::retryable("stopped while files were being looked for"));
                }
                if found.files.len() + found.folders.len() + folders.len() > MAX_FOUND {
                    let told = format!("jobConfiguration.sourcePath: names more than {MAX_FOUND} files and folders");
                    return Err(Failure::permanent(told));
                }
                let (name, metadata) = entry.map_err(|error| told(&here, &error))?;
                let below = folder.join(name);
                if metadata.is_dir() {
                    if self.reaches_into(&below) {
                        folders.push(below);
                    }
                } else if metadata.is_file() && self.matches(&below) {
                    let path = path.join(&below);
                    self.take(found, join(way, &below), below, path, &metadata);
                }
            }
        }
        Ok(())
    }

    fn matches(&self, below: &Path) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches_path_with(below, WILDCARDS))
    }

    /// Whether anything in a folder can match.
    fn reaches_into(&self, folder: &Path) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| {
            let pattern = pattern.as_str();
            pattern.contains("**") || folder.components().count() < pattern.split('/').count()
        })
    }

    fn take(&self, found: &mut FoundFiles, way: PathBuf, below: PathBuf, path: PathBuf, metadata: &Metadata) {
        let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
        let is_old_enough = self.older_than.is_none_or(|limit| modified.is_some_and(|modified| modified < limit));
        if is_old_enough && !is_unfinished(&way) {
            found.files.push(Found { way, below, path, bytes: metadata.len(), modified });
        }
    }
}

fn told(path: &Path, error: &io::Error) -> Failure {
    Failure::retryable(format!("'{}': {error}", path.display()))
}

fn is_unfinished(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(UNFINISHED))
}

/// `way` and `below` without superfluous dots.
fn join(way: &Path, below: &Path) -> PathBuf {
    let joined: PathBuf = way.join(below).components().filter(|part| part.as_os_str() != ".").collect();
    if joined.as_os_str().is_empty() { PathBuf::from(".") } else { joined }
}

/// What is in a folder, without following links.
fn entries(dir: &Dir, folder: &Path) -> io::Result<impl Iterator<Item = io::Result<(OsString, Metadata)>> + use<>> {
    Ok(dir.read_dir(folder)?.map(|entry| {
        let entry = entry?;
        Ok((entry.file_name(), entry.metadata()?))
    }))
}
