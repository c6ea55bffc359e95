//! `FileOperation`: a job that deletes, moves, copies, archives or compresses files on the server's machine.
//!
//! It is off unless the operator sets folders aside (the roots). All paths of a job are absolute and lie in a root, and
//! every file is reached through it: neither a symbolic link nor `..` leads out.
//!
//! - `sourcePath` is a file, a folder (all files in it, at any depth) or a pattern (`/data/in/*.csv`, `/data/**/*.tmp`).
//!   Only regular files are worked on; links are left alone. `olderThanHours` takes those last modified earlier than
//!   that before the attempt started.
//! - `move` and `copy`: with a single source file, `destinationPath` is the new file, or a folder when it ends in `/` or
//!   is one. With more, it is the folder under which they keep their places relative to the source folder or to the part
//!   of the pattern that holds no wildcard; what is in that folder already is no source. Files that are in the way are
//!   replaced.
//! - `archive` packs the files into the ZIP at `archivePath`; `compression` is `deflate` (the default) or `none`. In an
//!   archive that is there already, files of the same name are replaced and all others stay.
//! - `compress` writes `<file>.gz` beside each file, or under `destinationPath`; files named so already are passed over.
//!   `compression` is `gzip`.
//! - `deleteAfterDays` (archive and compress) then deletes the sources last modified earlier than that. With it,
//!   `compress` does not replace a compressed file that is older than its source.
//! - `deleteEmptyDirectories` then removes the empty folders below the source.
//!
//! New files appear under their name only when they are complete, with the rights and the time of what they were made
//! from. A file that cannot be dealt with does not stop the others, and fails the attempt at the end. Repeating an
//! attempt is safe: operations that take their sources away do not mind that one is gone.
//!
//! The output is a JSON object: how many files were `found`, how many of them (`files`) and how many `bytes` were dealt
//! with, how many `failed` and the first `errors`, and how many `sourcesDeleted` and `directoriesDeleted` there were.

mod operation;
mod output;
mod packing;
mod pass;
mod roots;
mod sources;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use horarium_domain::execution::{DEFAULT_OUTPUT_LIMIT, Failure, output_of};
use horarium_domain::job::{FileOperation, FileOperationKind, JobConfiguration, JobType};
use horarium_scheduler_engine::{Executor, Outcome, Run};
use serde::Serialize;

use crate::template::Templates;
use crate::wrong_type;
use operation::Operation;
pub use roots::InvalidRoot;
use roots::Roots;

/// Where jobs may work on files.
#[derive(Debug, Clone)]
pub struct FileOperationSettings {
    /// The folders set aside for jobs.
    pub roots: Vec<PathBuf>,
    /// What fills the templates in paths.
    pub templates: Templates,
    /// How many bytes are kept of a report.
    pub output_limit: usize,
}

impl FileOperationSettings {
    /// Work in `roots`, reported in up to 64 KiB.
    pub const fn new(roots: Vec<PathBuf>, templates: Templates) -> Self {
        Self { roots, templates, output_limit: DEFAULT_OUTPUT_LIMIT }
    }
}

/// What was done; the output of an attempt.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    operation: FileOperationKind,
    /// How many files were found to work on.
    found: usize,
    /// How many of them were dealt with.
    files: usize,
    /// How large these were together.
    bytes: u64,
    /// How many were deleted after they were packed.
    sources_deleted: usize,
    directories_deleted: usize,
    failed: usize,
    /// What the first failures were.
    errors: Vec<String>,
}

impl Report {
    const fn new(operation: FileOperationKind) -> Self {
        Self {
            operation,
            found: 0,
            files: 0,
            bytes: 0,
            sources_deleted: 0,
            directories_deleted: 0,
            failed: 0,
            errors: Vec::new(),
        }
    }

    fn into_outcome(self, output_limit: usize) -> Outcome {
        // Numbers and texts always have a JSON form.
        let text = serde_json::to_string(&self).unwrap_or_default();
        let output = output_of(&text, output_limit);
        let Some(first) = self.errors.first() else {
            return Outcome::Succeeded { output, items_processed: i64::try_from(self.files).ok() };
        };
        let told = format!("{} of {} files failed; the first: {first}", self.failed, self.found);
        Outcome::Failed { failure: Failure::retryable(told), output }
    }
}

/// Runs [`FileOperation`] jobs.
#[derive(Debug, Clone)]
pub struct FileOperationExecutor {
    roots: Arc<Roots>,
    templates: Templates,
    output_limit: usize,
}

impl FileOperationExecutor {
    /// Opens the roots.
    pub fn new(settings: FileOperationSettings) -> Result<Self, InvalidRoot> {
        let FileOperationSettings { roots, templates, output_limit } = settings;
        Ok(Self { roots: Arc::new(Roots::open(&roots)?), templates, output_limit })
    }

    async fn run(&self, file: &FileOperation, run: &Run) -> Result<Outcome, Failure> {
        let operation = Operation::prepare(file, run, &self.templates, &self.roots)?;
        // The work goes on in a thread of its own, which dropping this future does not reach; the guard does.
        let stop = run.cancellation.child_token();
        let _stopped_when_dropped = stop.clone().drop_guard();
        let progress = run.progress.clone();
        let work = tokio::task::spawn_blocking(move || operation.perform(&stop, &progress));
        let report =
            work.await.map_err(|error| Failure::retryable(format!("the file operation broke off: {error}")))??;
        Ok(report.into_outcome(self.output_limit))
    }
}

#[async_trait]
impl Executor for FileOperationExecutor {
    async fn execute(&self, run: Run) -> Outcome {
        let JobConfiguration::FileOperation(file) = &run.job.spec.configuration else {
            return wrong_type(JobType::FileOperation, run.job.spec.configuration.job_type());
        };
        self.run(file, &run).await.unwrap_or_else(Outcome::failed)
    }
}
