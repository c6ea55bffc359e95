//! Writing files that appear under their name only when they are complete.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::fs::{Dir, File, OpenOptions};
use horarium_domain::ExecutionId;
use horarium_scheduler_engine::Run;
use tokio_util::sync::CancellationToken;

/// How the names of files begin that are still being written.
pub(super) const UNFINISHED: &str = ".horarium-";

/// Whose unfinished files are whose. Each attempt has names of its own, so that one that goes on after it was given up
/// for lost never publishes what its successor is still writing.
#[derive(Debug)]
pub(super) struct Writer {
    execution: ExecutionId,
    attempt: u16,
}

impl Writer {
    pub(super) const fn of(run: &Run) -> Self {
        Self { execution: run.execution_id, attempt: run.attempt }
    }

    /// Where the file that will be `target` is written by the given attempt.
    fn unfinished(&self, attempt: u16, target: &Path) -> io::Result<PathBuf> {
        let name = target.file_name().ok_or_else(|| io::Error::other("the path names no file"))?;
        let mut unfinished = OsString::from(format!("{UNFINISHED}{}-{attempt}-", self.execution));
        unfinished.push(name);
        Ok(target.with_file_name(unfinished))
    }
}

/// A file being written beside its final place; removed again unless it is [published](Self::publish).
pub(super) struct Unfinished<'a> {
    dir: &'a Dir,
    target: PathBuf,
    path: PathBuf,
    is_published: bool,
}

impl<'a> Unfinished<'a> {
    /// Starts the file that will be `target`, with the folders on the way.
    pub(super) fn create(dir: &'a Dir, target: &Path, writer: &Writer) -> io::Result<(Self, File)> {
        make_parent(dir, target)?;
        // What earlier attempts left when their node died. It fails when they left nothing.
        for attempt in 1..=writer.attempt {
            let _ = dir.remove_file(writer.unfinished(attempt, target)?);
        }
        let path = writer.unfinished(writer.attempt, target)?;
        let file = dir.open_with(&path, OpenOptions::new().write(true).read(true).create_new(true))?;
        Ok((Self { dir, target: target.to_owned(), path, is_published: false }, file))
    }

    /// Gives the file its name, in place of any earlier one, as last modified at that time.
    pub(super) fn publish(mut self, file: File, modified: Option<SystemTime>) -> io::Result<()> {
        let file = file.into_std();
        if let Some(modified) = modified {
            file.set_modified(modified)?;
        }
        file.sync_all()?;
        self.dir.rename(&self.path, self.dir, &self.target)?;
        self.is_published = true;
        Ok(())
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.is_published {
            // Nothing else can be done about it here; the next attempt tries again.
            let _ = self.dir.remove_file(&self.path);
        }
    }
}

/// Makes the folders on the way to `target`.
pub(super) fn make_parent(dir: &Dir, target: &Path) -> io::Result<()> {
    match target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => dir.create_dir_all(folder),
        None => Ok(()),
    }
}

/// Copies to the end, or until it is told to stop.
pub(super) fn copy(from: &mut impl Read, to: &mut impl Write, stop: &CancellationToken) -> io::Result<u64> {
    let mut buffer = vec![0; 128 * 1024];
    let mut copied = 0;
    loop {
        if stop.is_cancelled() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped"));
        }
        match from.read(&mut buffer)? {
            0 => return Ok(copied),
            read => {
                to.write_all(&buffer[..read])?;
                copied += read as u64;
            }
        }
    }
}
