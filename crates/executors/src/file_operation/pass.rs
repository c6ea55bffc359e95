//! One pass over the files that were found.

use std::io;
use std::path::Path;

use cap_std::fs::Dir;
use horarium_domain::execution::Failure;
use horarium_scheduler_engine::Progress;
use tokio_util::sync::CancellationToken;

use super::Report;
use super::operation::Operation;
use super::output::{Unfinished, copy, make_parent};
use super::sources::{Found, FoundFiles};

/// How many errors a report spells out; it counts them all.
const LISTED_ERRORS: usize = 20;

/// An operation at work.
pub(super) struct Pass<'a> {
    pub(super) operation: &'a Operation,
    pub(super) stop: &'a CancellationToken,
    progress: &'a Progress,
    pub(super) report: Report,
}

impl<'a> Pass<'a> {
    pub(super) const fn new(
        operation: &'a Operation,
        stop: &'a CancellationToken,
        progress: &'a Progress,
        report: Report,
    ) -> Self {
        Self { operation, stop, progress, report }
    }

    /// Where the sources are.
    pub(super) fn source(&self) -> &'a Dir {
        &self.operation.sources.base.dir
    }

    /// Does `work`, which tells how many bytes it dealt with, to each file. One that fails does not stop the others.
    pub(super) fn each<'f>(
        &mut self,
        found: &'f FoundFiles,
        mut work: impl FnMut(&mut Self, &'f Found) -> io::Result<u64>,
    ) -> Result<(), Failure> {
        self.report.found = found.files.len();
        for (done, file) in found.files.iter().enumerate() {
            self.check_stop()?;
            match work(self, file) {
                Ok(bytes) => {
                    self.report.files += 1;
                    self.report.bytes += bytes;
                }
                Err(_) if self.stop.is_cancelled() => return self.check_stop(),
                Err(error) => self.fail(file, &error),
            }
            // Never more than 100.
            self.progress.set(((done + 1) * 100 / found.files.len()) as u8);
        }
        Ok(())
    }

    pub(super) fn delete(&self, file: &Found) -> io::Result<u64> {
        match self.source().remove_file(&file.way) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(file.bytes),
        }
    }

    pub(super) fn move_to(&self, file: &Found, to: &Dir, way: &Path) -> io::Result<u64> {
        make_parent(to, way)?;
        match self.source().rename(&file.way, to, way) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let copied = self.copy_to(file, to, way)?;
                self.delete(file)?;
                Ok(copied)
            }
            result => result.map(|()| file.bytes),
        }
    }

    pub(super) fn copy_to(&self, file: &Found, to: &Dir, way: &Path) -> io::Result<u64> {
        let mut source = self.source().open(&file.way)?;
        let (unfinished, mut copied) = Unfinished::create(to, way, &self.operation.writer)?;
        let bytes = copy(&mut source, &mut copied, self.stop)?;
        copied.set_permissions(source.metadata()?.permissions())?;
        unfinished.publish(copied, file.modified)?;
        Ok(bytes)
    }

    /// Removes the folders that were looked into, from the innermost outwards, as far as they are empty.
    pub(super) fn delete_empty_directories(&mut self, found: &FoundFiles) {
        let mut folders: Vec<_> = found.folders.iter().collect();
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
        for folder in folders {
            // It fails when the folder is not empty, which is the question.
            if self.source().remove_dir(folder).is_ok() {
                self.report.directories_deleted += 1;
            }
        }
    }

    pub(super) fn fail(&mut self, file: &Found, error: &io::Error) {
        self.report.failed += 1;
        if self.report.errors.len() < LISTED_ERRORS {
            self.report.errors.push(format!("'{}': {error}", file.way.display()));
        }
    }

    pub(super) fn check_stop(&self) -> Result<(), Failure> {
        if self.stop.is_cancelled() {
            Err(Failure::retryable(format!("stopped after {} of {} files", self.report.files, self.report.found)))
        } else {
            Ok(())
        }
    }
}
