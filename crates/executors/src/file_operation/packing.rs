//! Archives and compressed files, and what becomes of their sources.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use cap_std::fs::{Dir, File};
use flate2::Compression;
use flate2::write::GzEncoder;
use horarium_domain::execution::Failure;
use time::{OffsetDateTime, PrimitiveDateTime};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::output::{Unfinished, copy};
use super::pass::Pass;
use super::roots::Place;
use super::sources::{Found, FoundFiles};

impl Pass<'_> {
    pub(super) fn compress(&mut self, file: &Found, folder: Option<&Place>) -> io::Result<u64> {
        let (to, mut way) = match folder {
            Some(folder) => (&*folder.dir, folder.way.join(&file.below)),
            None => (self.source(), file.way.clone()),
        };
        way.as_mut_os_string().push(".gz");
        self.check_no_loss(file, to, &way)?;
        let mut source = self.source().open(&file.way)?;
        let (unfinished, compressed) = Unfinished::create(to, &way, &self.operation.writer)?;
        let mut encoder = GzEncoder::new(compressed, Compression::default());
        let bytes = copy(&mut source, &mut encoder, self.stop)?;
        let compressed = encoder.finish()?;
        compressed.set_permissions(source.metadata()?.permissions())?;
        unfinished.publish(compressed, file.modified)?;
        self.delete_packed(file)?;
        Ok(bytes)
    }

    /// Where sources are deleted, a compressed file that is older than its source holds an earlier source, which may be
    /// nowhere else any more.
    fn check_no_loss(&self, file: &Found, to: &Dir, way: &Path) -> io::Result<()> {
        if self.operation.delete_before.is_none() {
            return Ok(());
        }
        let made = to.symlink_metadata(way).and_then(|metadata| metadata.modified());
        let is_earlier = made.is_ok_and(|made| file.modified.is_some_and(|modified| made.into_std() < modified));
        if is_earlier {
            Err(io::Error::other("an earlier file of this name is compressed there already"))
        } else {
            Ok(())
        }
    }

    pub(super) fn archive(
        &mut self,
        found: &FoundFiles,
        archive: &Place,
        method: CompressionMethod,
    ) -> Result<(), Failure> {
        if found.files.is_empty() {
            return Ok(());
        }
        let told = |error: io::Error| Failure::retryable(format!("'{}': {error}", archive.way.display()));
        let (unfinished, file) =
            Unfinished::create(&archive.dir, &archive.way, &self.operation.writer).map_err(told)?;
        let mut writer = ZipWriter::new(file);
        let mut packed = Vec::new();
        self.each(found, |pass, file| {
            let bytes = pass.pack(file, &mut writer, method)?;
            packed.push(file);
            Ok(bytes)
        })?;
        keep_earlier(archive, &packed, &mut writer).map_err(told)?;
        let file = writer.finish().map_err(|error| told(error.into()))?;
        unfinished.publish(file, None).map_err(told)?;
        for file in packed {
            self.check_stop()?;
            if let Err(error) = self.delete_packed(file) {
                self.fail(file, &error);
            }
        }
        Ok(())
    }

    /// Adds a file; one that fails halfway is taken out of the archive again.
    fn pack(&self, file: &Found, writer: &mut ZipWriter<File>, method: CompressionMethod) -> io::Result<u64> {
        let mut source = self.source().open(&file.way)?;
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .last_modified_time(file.modified.map(zip_time).unwrap_or_default())
            .large_file(true);
        writer.start_file_from_path(&file.below, options)?;
        match copy(&mut source, writer, self.stop) {
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                writer.abort_file()?;
                Err(error)
            }
        }
    }

    /// Deletes a source that is safe in its archive and old enough.
    fn delete_packed(&mut self, file: &Found) -> io::Result<()> {
        let limit = self.operation.delete_before;
        if limit.is_some_and(|limit| file.modified.is_some_and(|modified| modified < limit)) {
            self.delete(file)?;
            self.report.sources_deleted += 1;
        }
        Ok(())
    }
}

/// Takes over from an archive that is there already what is not packed anew. Without it, a repeated attempt whose
/// predecessor had deleted sources already would leave them nowhere.
fn keep_earlier(archive: &Place, packed: &[&Found], writer: &mut ZipWriter<File>) -> io::Result<()> {
    let file = match archive.dir.open(&archive.way) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let mut earlier = ZipArchive::new(file)?;
    let renewed: HashSet<_> = packed.iter().map(|file| file.below.as_path()).collect();
    for index in 0..earlier.len() {
        let entry = earlier.by_index_raw(index)?;
        let is_renewed = renewed.contains(Path::new(entry.name()?.as_ref()));
        if !is_renewed {
            writer.raw_copy_file(entry)?;
        }
    }
    Ok(())
}

/// A time as archives have it: to two seconds, here in UTC, from 1980 on.
fn zip_time(at: SystemTime) -> DateTime {
    let at = OffsetDateTime::from(at);
    DateTime::try_from(PrimitiveDateTime::new(at.date(), at.time())).unwrap_or_default()
}
