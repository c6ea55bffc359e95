//! Where the tests of file operations work.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime};

use horarium_domain::job::JobType;
use horarium_executors::{FileOperationExecutor, FileOperationSettings};
use horarium_scheduler_engine::{Outcome, Run};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{execute, run, succeeded, templates};

/// Two roots, and a folder beside them that is none of the jobs' business.
pub(super) struct Disk {
    folder: TempDir,
}

impl Disk {
    pub(super) fn new() -> Self {
        let disk = Self { folder: TempDir::new().unwrap() };
        for folder in ["root/in", "other", "outside"] {
            fs::create_dir_all(disk.path(folder)).unwrap();
        }
        disk.write("outside/secret", "secret");
        disk
    }

    pub(super) fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.folder.path().to_str().unwrap())
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }

    /// Makes a file seem last modified so many hours before the attempts of these tests start.
    pub(super) fn age(&self, path: &str, hours: u64) {
        let started = SystemTime::UNIX_EPOCH + Duration::from_millis(1_752_187_800_125);
        let file = fs::File::options().write(true).open(self.path(path)).unwrap();
        file.set_modified(started - Duration::from_hours(hours)).unwrap();
    }

    /// All files and folders, the former with what is in them.
    pub(super) fn all(&self) -> BTreeMap<String, String> {
        fn visit(folder: &Path, prefix: &str, all: &mut BTreeMap<String, String>) {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
                if entry.file_type().unwrap().is_dir() {
                    all.insert(format!("{name}/"), String::new());
                    visit(&entry.path(), &format!("{name}/"), all);
                } else {
                    let mut text = String::new();
                    let file = fs::File::open(entry.path());
                    // Links may lead nowhere, and packed files are no text.
                    let _ = file.and_then(|file| file.take(1024).read_to_string(&mut text));
                    all.insert(name, text);
                }
            }
        }
        let mut all = BTreeMap::new();
        visit(self.folder.path(), "", &mut all);
        all
    }

    /// The names of all files below the roots.
    pub(super) fn files(&self) -> Vec<String> {
        self.all().into_keys().filter(|name| !name.ends_with('/') && !name.starts_with("outside/")).collect()
    }

    pub(super) async fn run(&self, configuration: Value) -> Outcome {
        self.execute(run(JobType::FileOperation, &configuration)).await
    }

    pub(super) async fn execute(&self, run: Run) -> Outcome {
        let roots = vec![self.path("root").into(), self.path("other").into()];
        let settings = FileOperationSettings::new(roots, templates());
        let outcome = execute(&FileOperationExecutor::new(settings).unwrap(), run).await;
        assert_eq!(self.all()["outside/secret"], "secret");
        outcome
    }
}

/// What a good outcome tells, and how many items it counts.
pub(super) fn report(outcome: Outcome) -> (Value, i64) {
    let (output, items) = succeeded(outcome);
    (serde_json::from_str(&output.unwrap().text).unwrap(), items.unwrap())
}
