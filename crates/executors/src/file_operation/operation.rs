//! From a job's configuration to what is done with which files.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use horarium_domain::Timestamp;
use horarium_domain::execution::Failure;
use horarium_domain::job::{FileOperation, FileOperationKind};
use horarium_scheduler_engine::{Progress, Run};
use tokio_util::sync::CancellationToken;
use zip::CompressionMethod;

use super::Report;
use super::output::Writer;
use super::pass::Pass;
use super::roots::{Place, Roots};
use super::sources::{Found, FoundFiles, Sources, split_pattern};
use crate::template::Templates;

/// An operation with its paths checked and its templates filled.
#[derive(Debug)]
pub(super) struct Operation {
    kind: FileOperationKind,
    pub(super) sources: Sources,
    work: Work,
    /// Sources modified before this are deleted after they were packed.
    pub(super) delete_before: Option<SystemTime>,
    delete_empty_directories: bool,
    pub(super) writer: Writer,
}

#[derive(Debug)]
enum Work {
    Delete,
    Move(Target),
    Copy(Target),
    Archive(Place, CompressionMethod),
    Compress(Option<Place>),
}

/// Where files are moved or copied to.
#[derive(Debug)]
struct Target {
    place: Place,
    is_folder: bool,
}

impl Operation {
    /// Fills the templates, and finds every path its place in the roots.
    pub(super) fn prepare(
        file: &FileOperation,
        run: &Run,
        templates: &Templates,
        roots: &Roots,
    ) -> Result<Self, Failure> {
        let mut renderer = templates.renderer(run);
        let source = renderer.pattern(&file.source_path).map_err(|error| error.in_field("sourcePath"))?;
        let (base, pattern) = split_pattern(&source)?;
        let older_than = file.older_than_hours.map(|hours| before(run.started_at, u64::from(hours)));
        let sources = Sources::new(place(roots, "sourcePath", &base)?, pattern, older_than);
        let mut target = |field: &str, path: Option<&String>| -> Result<Option<Target>, Failure> {
            let Some(path) = path else { return Ok(None) };
            let path = renderer.path(path).map_err(|error| error.in_field(field))?;
            let place = place(roots, field, &path)?;
            Ok(Some(Target { is_folder: path.ends_with('/') || place.dir.is_dir(&place.way), place }))
        };
        let destination = target("destinationPath", file.destination_path.as_ref())?;
        let archive = target("archivePath", file.archive_path.as_ref())?;
        let compression = file.compression.as_deref().map(str::to_ascii_lowercase);
        let work = match file.operation {
            FileOperationKind::Delete => Work::Delete,
            FileOperationKind::Move => Work::Move(destination.ok_or_else(|| missing("destinationPath"))?),
            FileOperationKind::Copy => Work::Copy(destination.ok_or_else(|| missing("destinationPath"))?),
            FileOperationKind::Archive => {
                let method = match compression.as_deref() {
                    None | Some("deflate" | "zip") => CompressionMethod::Deflated,
                    Some("none" | "store") => CompressionMethod::Stored,
                    Some(_) => return Err(unknown_compression("'deflate' and 'none'")),
                };
                Work::Archive(archive.ok_or_else(|| missing("archivePath"))?.place, method)
            }
            FileOperationKind::Compress => match compression.as_deref() {
                None | Some("gzip" | "gz") => Work::Compress(destination.map(|target| target.place)),
                Some(_) => return Err(unknown_compression("'gzip'")),
            },
        };
        let delete_before = file
            .delete_after_days
            .filter(|_| matches!(work, Work::Archive(..) | Work::Compress(_)))
            .map(|days| before(run.started_at, u64::from(days) * 24));
        Ok(Self {
            kind: file.operation,
            sources,
            work,
            delete_before,
            delete_empty_directories: file.delete_empty_directories,
            writer: Writer::of(run),
        })
    }

    /// Does it, on a thread that may block.
    pub(super) fn perform(&self, stop: &CancellationToken, progress: &Progress) -> Result<Report, Failure> {
        let mut found = self.sources.find(stop)?;
        if found.is_missing && !self.removes_sources() {
            return Err(Failure::retryable("jobConfiguration.sourcePath: there is no such file or folder"));
        }
        self.leave_own_files_out(&mut found);
        let mut pass = Pass::new(self, stop, progress, Report::new(self.kind));
        match &self.work {
            Work::Delete => pass.each(&found, |pass, file| pass.delete(file))?,
            Work::Move(target) => {
                pass.each(&found, |pass, file| pass.move_to(file, &target.place.dir, &target.way_of(file, &found)))?;
            }
            Work::Copy(target) => {
                pass.each(&found, |pass, file| pass.copy_to(file, &target.place.dir, &target.way_of(file, &found)))?;
            }
            Work::Compress(folder) => pass.each(&found, |pass, file| pass.compress(file, folder.as_ref()))?,
            Work::Archive(archive, method) => pass.archive(&found, archive, *method)?,
        }
        if self.delete_empty_directories {
            pass.delete_empty_directories(&found);
        }
        Ok(pass.report)
    }

    /// Whether a source that is missing may have been dealt with by an earlier attempt.
    fn removes_sources(&self) -> bool {
        match self.work {
            Work::Delete | Work::Move(_) => true,
            Work::Copy(_) => false,
            Work::Archive(..) | Work::Compress(_) => self.delete_before.is_some(),
        }
    }

    /// What the operation itself makes below its source is no source of it: or else the next attempt would work on what
    /// the last one made.
    fn leave_own_files_out(&self, found: &mut FoundFiles) {
        let base = &self.sources.base.path;
        let is_own = |file: &Found| match &self.work {
            Work::Delete => false,
            Work::Move(Target { place, .. }) | Work::Copy(Target { place, .. }) => {
                place.path != *base && place.path.starts_with(base) && file.path.starts_with(&place.path)
            }
            Work::Archive(archive, _) => file.path == archive.path,
            Work::Compress(_) => file.way.extension().is_some_and(|extension| extension == "gz"),
        };
        found.files.retain(|file| !is_own(file));
    }
}

impl Target {
    /// Where a file goes, from the root.
    fn way_of(&self, file: &Found, found: &FoundFiles) -> PathBuf {
        if found.is_single_file && !self.is_folder { self.place.way.clone() } else { self.place.way.join(&file.below) }
    }
}

fn place(roots: &Roots, field: &str, path: &str) -> Result<Place, Failure> {
    roots.place(path).map_err(|error| Failure::permanent(format!("jobConfiguration.{field}: '{path}' {error}")))
}

fn missing(field: &str) -> Failure {
    Failure::permanent(format!("jobConfiguration.{field}: is required"))
}

fn unknown_compression(known: &str) -> Failure {
    Failure::permanent(format!("jobConfiguration.compression: there is {known} for this operation"))
}

/// `hours` before `at`.
fn before(at: Timestamp, hours: u64) -> SystemTime {
    let limit = at - Duration::from_hours(hours);
    let micros = u64::try_from(limit.as_micros()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}
