//! Work on files: what is touched, what is left alone, and that nothing leads out of the operator's folders.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use flate2::read::GzDecoder;
use horarium_domain::job::JobType;
use horarium_executors::{Disabled, FileOperationExecutor, FileOperationSettings};
use horarium_scheduler_engine::{Outcome, Run};
use serde_json::{Value, json};
use tempfile::TempDir;
use zip::ZipArchive;

use crate::support::{EXECUTION, execute, failed, run, run_with_payload, succeeded, templates};

/// Two roots, and a folder beside them that is none of the jobs' business.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Self {
        let disk = Self { folder: TempDir::new().unwrap() };
        for folder in ["root/in", "other", "outside"] {
            fs::create_dir_all(disk.path(folder)).unwrap();
        }
        disk.write("outside/secret", "secret");
        disk
    }

    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.folder.path().to_str().unwrap())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }

    /// Makes a file seem last modified so many hours before the attempts of these tests start.
    fn age(&self, path: &str, hours: u64) {
        let started = SystemTime::UNIX_EPOCH + Duration::from_millis(1_752_187_800_125);
        let file = fs::File::options().write(true).open(self.path(path)).unwrap();
        file.set_modified(started - Duration::from_hours(hours)).unwrap();
    }

    /// All files and folders, the former with what is in them.
    fn all(&self) -> BTreeMap<String, String> {
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
    fn files(&self) -> Vec<String> {
        self.all().into_keys().filter(|name| !name.ends_with('/') && !name.starts_with("outside/")).collect()
    }

    async fn run(&self, configuration: Value) -> Outcome {
        self.execute(run(JobType::FileOperation, &configuration)).await
    }

    async fn execute(&self, run: Run) -> Outcome {
        let roots = vec![self.path("root").into(), self.path("other").into()];
        let settings = FileOperationSettings::new(roots, templates());
        let outcome = execute(&FileOperationExecutor::new(settings).unwrap(), run).await;
        assert_eq!(self.all()["outside/secret"], "secret");
        outcome
    }
}

fn report(outcome: Outcome) -> (Value, i64) {
    let (output, items) = succeeded(outcome);
    (serde_json::from_str(&output.unwrap().text).unwrap(), items.unwrap())
}

#[tokio::test]
async fn delete_takes_the_old_files_of_a_pattern_and_the_folders_left_empty() {
    let disk = Disk::new();
    for file in
        ["in/a.log", "in/b.log", "in/b.txt", "in/deep/er/c.log", "in/deep/d.log", "in/mixed/e.log", "in/mixed/f.txt"]
    {
        disk.write(&format!("root/{file}"), "x");
        disk.age(&format!("root/{file}"), 25);
    }
    disk.age("root/in/b.log", 23);
    let configuration = json!({
        "operation": "delete",
        "sourcePath": disk.path("root/in/**/*.log"),
        "olderThanHours": 24,
        "deleteEmptyDirectories": true,
    });
    let (report, items) = report(disk.run(configuration).await);
    assert_eq!((items, &report["directoriesDeleted"]), (4, &json!(2)));
    assert_eq!(disk.files(), ["root/in/b.log", "root/in/b.txt", "root/in/mixed/f.txt"]);
    assert!(!disk.all().contains_key("root/in/deep/"));
}

#[tokio::test]
async fn a_pattern_without_two_stars_stays_in_its_folder() {
    let disk = Disk::new();
    for file in ["in/a.log", "in/deep/b.log"] {
        disk.write(&format!("root/{file}"), "x");
    }
    report(disk.run(json!({ "operation": "delete", "sourcePath": disk.path("root/in/*.log") })).await);
    assert_eq!(disk.files(), ["root/in/deep/b.log"]);
    report(disk.run(json!({ "operation": "delete", "sourcePath": disk.path("root/*/*/*.log") })).await);
    assert!(disk.files().is_empty());
}

#[tokio::test]
async fn a_source_that_is_gone_is_a_failure_unless_an_earlier_attempt_may_have_taken_it_away() {
    let disk = Disk::new();
    let outcome = |operation: &str| {
        let configuration = json!({
            "operation": operation,
            "sourcePath": disk.path("root/in/gone"),
            "destinationPath": disk.path("other/"),
            "archivePath": disk.path("other/a.zip"),
        });
        disk.run(configuration)
    };
    for operation in ["delete", "move"] {
        assert_eq!(report(outcome(operation).await).1, 0);
    }
    for operation in ["copy", "archive", "compress"] {
        let (failure, _) = failed(outcome(operation).await);
        assert!(failure.retryable && failure.error.contains("no such file or folder"), "{failure:?}");
    }
}

#[tokio::test]
async fn move_renames_a_file_and_carries_a_folder_over() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    disk.write("root/in/sub/b", "2");
    let rename = |from: &str, to: &str| {
        let (from, to) = (disk.path(from), disk.path(to));
        json!({ "operation": "move", "sourcePath": from, "destinationPath": to })
    };
    report(disk.run(rename("root/in/a", "root/in/renamed")).await);
    report(disk.run(rename("root/in/renamed", "root/new/")).await);
    assert_eq!(disk.files(), ["root/in/sub/b", "root/new/renamed"]);
    report(disk.run(rename("root/in", "other/taken")).await);
    assert_eq!(disk.files(), ["other/taken/sub/b", "root/new/renamed"]);
}

#[tokio::test]
async fn copy_keeps_the_source_replaces_the_target_and_leaves_no_scraps() {
    let disk = Disk::new();
    disk.write("root/in/a", "new");
    fs::set_permissions(disk.path("root/in/a"), fs::Permissions::from_mode(0o640)).unwrap();
    disk.write("other/a", "old");
    let configuration =
        json!({ "operation": "copy", "sourcePath": disk.path("root/in/a"), "destinationPath": disk.path("other") });
    let (report, _) = report(disk.run(configuration).await);
    assert_eq!(report["bytes"], 3);
    assert_eq!(disk.files(), ["other/a", "root/in/a"]);
    assert_eq!(disk.all()["other/a"], "new");
    assert_eq!(fs::metadata(disk.path("other/a")).unwrap().permissions().mode() & 0o777, 0o640);
}

/// What a ZIP holds, by name.
fn zipped(path: &str) -> BTreeMap<String, String> {
    let mut archive = ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut all = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        all.insert(entry.name().unwrap().into_owned(), text);
    }
    all
}

#[tokio::test]
async fn archive_packs_everything_but_itself() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    disk.write("root/in/sub/b", "22");
    for compression in ["deflate", "none"] {
        let configuration = json!({
            "operation": "archive",
            "sourcePath": disk.path("root/in"),
            "archivePath": disk.path("root/in/{{Today}}.zip"),
            "compression": compression,
        });
        let (report, items) = report(disk.run(configuration).await);
        assert_eq!((items, &report["bytes"]), (2, &json!(3)));
    }
    assert_eq!(disk.files(), ["root/in/2025-07-10.zip", "root/in/a", "root/in/sub/b"]);
    let expected = [("a", "1"), ("sub/b", "22")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(zipped(&disk.path("root/in/2025-07-10.zip")), expected.into());
}

#[tokio::test]
async fn an_archive_keeps_what_an_earlier_attempt_packed_and_deleted() {
    let disk = Disk::new();
    disk.write("root/in/old", "1");
    disk.write("root/in/young", "2");
    disk.age("root/in/old", 49);
    let configuration = json!({
        "operation": "archive",
        "sourcePath": disk.path("root/in"),
        "archivePath": disk.path("other/all.zip"),
        "deleteAfterDays": 2,
    });
    let (first, _) = report(disk.run(configuration.clone()).await);
    assert_eq!(first["sourcesDeleted"], 1);
    disk.write("root/in/young", "changed");
    report(disk.run(configuration).await);
    assert_eq!(disk.files(), ["other/all.zip", "root/in/young"]);
    let expected = [("old", "1"), ("young", "changed")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(zipped(&disk.path("other/all.zip")), expected.into());
}

#[tokio::test]
async fn what_is_no_archive_is_not_written_over_by_one() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    disk.write("other/notes.txt", "keep me");
    let (source, archive) = (disk.path("root/in"), disk.path("other/notes.txt"));
    failed(disk.run(json!({ "operation": "archive", "sourcePath": source, "archivePath": archive })).await);
    assert_eq!(disk.all()["other/notes.txt"], "keep me");
    assert_eq!(disk.files(), ["other/notes.txt", "root/in/a"]);
}

#[tokio::test]
async fn compress_writes_beside_or_elsewhere_and_not_twice() {
    let disk = Disk::new();
    disk.write("root/in/a.log", "line\n");
    disk.age("root/in/a.log", 49);
    let beside = json!({ "operation": "compress", "sourcePath": disk.path("root/in") });
    report(disk.run(beside.clone()).await);
    assert_eq!(report(disk.run(beside).await).1, 1);
    assert_eq!(disk.files(), ["root/in/a.log", "root/in/a.log.gz"]);

    let away = json!({
        "operation": "compress",
        "sourcePath": disk.path("root/in/*.log"),
        "destinationPath": disk.path("other"),
        "deleteAfterDays": 2,
    });
    report(disk.run(away).await);
    assert_eq!(disk.files(), ["other/a.log.gz", "root/in/a.log.gz"]);
    let mut text = String::new();
    GzDecoder::new(fs::File::open(disk.path("other/a.log.gz")).unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "line\n");
}

#[tokio::test]
async fn a_rotated_file_does_not_replace_the_compressed_one_that_is_all_there_is_of_the_last() {
    let disk = Disk::new();
    disk.write("root/in/a.log.gz", "yesterday's");
    disk.age("root/in/a.log.gz", 80);
    disk.write("root/in/a.log", "today's");
    disk.age("root/in/a.log", 60);
    let source = disk.path("root/in/*.log");
    let configuration = json!({ "operation": "compress", "sourcePath": source, "deleteAfterDays": 2 });
    let (failure, _) = failed(disk.run(configuration).await);
    assert!(failure.error.contains("compressed there already"), "{failure:?}");
    assert_eq!(disk.all()["root/in/a.log"], "today's");
    assert_eq!(disk.all()["root/in/a.log.gz"], "yesterday's");
}

#[tokio::test]
async fn paths_outside_the_roots_are_refused() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    for source in ["outside/secret", "outside/*", "root/../outside/secret", "rootless/x", "root/in/../../outside/*", ""]
    {
        let (failure, _) = failed(disk.run(json!({ "operation": "delete", "sourcePath": disk.path(source) })).await);
        assert!(!failure.retryable && failure.error.contains("jobConfiguration.sourcePath"), "{source}: {failure:?}");
    }
    for source in ["root/in/a", "*", "in/*"] {
        let (failure, _) = failed(disk.run(json!({ "operation": "delete", "sourcePath": source })).await);
        assert!(failure.error.contains("is no absolute path"), "{source}: {failure:?}");
    }
    for target in ["outside/a", "root/../outside/a"] {
        let configuration =
            json!({ "operation": "copy", "sourcePath": disk.path("root/in/a"), "destinationPath": disk.path(target) });
        let (failure, _) = failed(disk.run(configuration).await);
        assert!(failure.error.contains("jobConfiguration.destinationPath"), "{target}: {failure:?}");
    }
    assert_eq!(disk.files(), ["root/in/a"]);
}

#[tokio::test]
async fn links_do_not_lead_out_of_the_roots() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    symlink(disk.path("outside"), disk.path("root/door")).unwrap();
    symlink(disk.path("outside/secret"), disk.path("root/in/link")).unwrap();

    let sources = ["root/door/secret", "root/door", "root/door/*", "root/in/link"];
    for source in sources {
        for operation in ["delete", "move", "copy", "compress"] {
            let configuration = json!({
                "operation": operation,
                "sourcePath": disk.path(source),
                "destinationPath": disk.path("other/taken"),
            });
            disk.run(configuration).await;
            assert!(!disk.files().iter().any(|file| file.starts_with("other/")), "{operation} {source}");
        }
    }
    for target in ["root/door/a", "root/door/", "root/door/new/a"] {
        let configuration =
            json!({ "operation": "copy", "sourcePath": disk.path("root/in/a"), "destinationPath": disk.path(target) });
        let (failure, _) = failed(disk.run(configuration).await);
        assert!(failure.error.contains("1 of 1 files failed"), "{failure:?}");
    }
    let outside: Vec<_> = disk.all().into_keys().filter(|name| name.starts_with("outside/")).collect();
    assert_eq!(outside, ["outside/", "outside/secret"]);
}

#[tokio::test]
async fn a_link_that_is_met_on_the_way_is_left_alone() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    symlink(disk.path("outside/secret"), disk.path("root/in/link")).unwrap();
    symlink(disk.path("outside"), disk.path("root/in/door")).unwrap();
    let (_, items) = report(disk.run(json!({ "operation": "delete", "sourcePath": disk.path("root/in") })).await);
    assert_eq!(items, 1);
    assert!(fs::symlink_metadata(disk.path("root/in/link")).is_ok());
}

#[tokio::test]
async fn a_value_of_the_payload_names_one_file_and_is_no_pattern() {
    let disk = Disk::new();
    for file in ["a", "b", "*", "[ab]"] {
        disk.write(&format!("root/in/{file}"), "x");
    }
    let configuration = json!({ "operation": "delete", "sourcePath": disk.path("root/in/{{Payload.name}}") });
    let delete =
        |name: &str| disk.execute(run_with_payload(JobType::FileOperation, &configuration, json!({ "name": name })));
    report(delete("*").await);
    assert_eq!(disk.files(), ["root/in/[ab]", "root/in/a", "root/in/b"]);
    report(delete("[ab]").await);
    assert_eq!(disk.files(), ["root/in/a", "root/in/b"]);
    for name in ["..", ".", "", "../in/a", "sub/a"] {
        let (failure, _) = failed(delete(name).await);
        assert!(!failure.retryable && failure.error.contains("into a path"), "{name}: {failure:?}");
    }
    assert_eq!(disk.files(), ["root/in/a", "root/in/b"]);
}

#[tokio::test]
async fn one_file_that_cannot_be_dealt_with_does_not_stop_the_others() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    disk.write("root/in/b", "2");
    // A folder in the place where the copy of `a` has to go.
    fs::create_dir_all(disk.path("other/a/occupied")).unwrap();
    let configuration =
        json!({ "operation": "copy", "sourcePath": disk.path("root/in"), "destinationPath": disk.path("other/") });
    let (failure, output) = failed(disk.run(configuration).await);
    assert!(failure.retryable && failure.error.starts_with("1 of 2 files failed; the first: 'in/a'"), "{failure:?}");
    assert!(output.unwrap().text.contains(r#""files":1"#));
    assert_eq!(disk.files(), ["other/b", "root/in/a", "root/in/b"]);
}

#[tokio::test]
async fn a_destination_below_the_source_is_no_source_of_the_next_attempt() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    for operation in ["copy", "copy", "move", "move"] {
        let configuration = json!({
            "operation": operation,
            "sourcePath": disk.path("root/in"),
            "destinationPath": disk.path("root/in/done"),
        });
        report(disk.run(configuration).await);
    }
    assert_eq!(disk.files(), ["root/in/done/a"]);
}

#[tokio::test]
async fn folders_that_an_earlier_attempt_left_empty_go_too() {
    let disk = Disk::new();
    fs::create_dir_all(disk.path("root/in/deep/er")).unwrap();
    let configuration =
        json!({ "operation": "delete", "sourcePath": disk.path("root/in"), "deleteEmptyDirectories": true });
    let (report, items) = report(disk.run(configuration).await);
    assert_eq!((items, &report["directoriesDeleted"]), (0, &json!(2)));
    assert!(disk.all().contains_key("root/in/") && !disk.all().contains_key("root/in/deep/"));
}

#[tokio::test]
async fn what_is_made_is_as_old_as_what_it_is_made_from() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    disk.age("root/in/a", 30);
    for operation in ["copy", "compress"] {
        let destination = disk.path("other/");
        report(
            disk.run(json!({
                "operation": operation,
                "sourcePath": disk.path("root/in/*"),
                "destinationPath": destination,
            }))
            .await,
        );
    }
    let modified = |path: &str| fs::metadata(disk.path(path)).unwrap().modified().unwrap();
    assert_eq!(modified("other/a"), modified("root/in/a"));
    assert_eq!(modified("other/a.gz"), modified("root/in/a"));
}

#[tokio::test]
async fn progress_and_output_tell_how_much_was_done() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    disk.write("root/in/b", "22");
    let configuration =
        json!({ "operation": "move", "sourcePath": disk.path("root/in"), "destinationPath": disk.path("other/") });
    let run = run(JobType::FileOperation, &configuration);
    let progress = run.progress.clone();
    let (report, _) = report(disk.execute(run).await);
    assert_eq!(progress.get(), Some(100));
    assert_eq!((&report["operation"], &report["files"], &report["bytes"]), (&json!("move"), &json!(2), &json!(3)));
}

#[tokio::test]
async fn cancelling_stops_in_the_middle_of_a_file_and_leaves_no_scraps() {
    let disk = Disk::new();
    disk.write("root/in/small", "1");
    // All holes: it takes no room where it is, and long to copy.
    fs::File::create(disk.path("root/in/huge")).unwrap().set_len(1 << 40).unwrap();
    let configuration =
        json!({ "operation": "copy", "sourcePath": disk.path("root/in"), "destinationPath": disk.path("other/") });
    let run = run(JobType::FileOperation, &configuration);
    let stop = run.cancellation.clone();
    let begun = async {
        while disk.files().iter().all(|file| !file.starts_with("other/.horarium-")) {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (outcome, ()) = tokio::join!(disk.execute(run), begun);
    let (failure, _) = failed(outcome);
    assert!(failure.error.contains("stopped after 0 of 2 files"), "{failure:?}");
    assert_eq!(disk.files(), ["root/in/huge", "root/in/small"]);
}

#[tokio::test]
async fn what_a_dead_attempt_left_half_written_is_cleared_away_and_never_a_source() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    disk.write(&format!("root/in/.horarium-{EXECUTION}-1-a.gz"), "half");
    for operation in ["copy", "compress"] {
        let configuration = json!({
            "operation": operation,
            "sourcePath": disk.path("root/in"),
            "destinationPath": disk.path("root/in"),
        });
        assert_eq!(report(disk.run(configuration).await).1, 1);
    }
    assert_eq!(disk.files(), ["root/in/a", "root/in/a.gz"]);
}

#[tokio::test]
async fn a_cancelled_attempt_stops_before_the_next_file() {
    let disk = Disk::new();
    disk.write("root/in/a", "1");
    let run = run(JobType::FileOperation, &json!({ "operation": "delete", "sourcePath": disk.path("root/in") }));
    run.cancellation.cancel();
    let (failure, _) = failed(disk.execute(run).await);
    assert!(failure.error.contains("stopped"), "{failure:?}");
    assert_eq!(disk.files(), ["root/in/a"]);
}

#[test]
fn a_root_has_to_be_there() {
    for root in ["/no/such/folder", "no/such/folder", "/etc/passwd"] {
        let settings = FileOperationSettings::new(vec![root.into()], templates());
        assert!(FileOperationExecutor::new(settings).unwrap_err().to_string().contains(root));
    }
}

#[tokio::test]
async fn without_roots_a_job_fails_and_names_the_setting() {
    let run = run(JobType::FileOperation, &json!({ "operation": "delete", "sourcePath": "/tmp/x" }));
    let (failure, _) = failed(execute(&Disabled::without("file_roots"), run).await);
    assert!(!failure.retryable && failure.error.contains("no executor for FileOperation jobs"), "{failure:?}");
    assert!(failure.error.contains("'file_roots'"), "{failure:?}");
}
