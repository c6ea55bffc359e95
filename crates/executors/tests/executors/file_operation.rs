//! Work on files: what is touched, what is left alone, and what is left behind.

mod disk;
mod packing;
mod roots;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use horarium_domain::job::JobType;
use serde_json::json;

use crate::support::{EXECUTION, failed, run, until};
use disk::{Disk, report};

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
    fs::File::create(disk.path("root/in/huge")).unwrap().set_len(1 << 33).unwrap();
    let configuration =
        json!({ "operation": "copy", "sourcePath": disk.path("root/in"), "destinationPath": disk.path("other/") });
    let run = run(JobType::FileOperation, &configuration);
    let stop = run.cancellation.clone();
    let begun = async {
        until("a copy is begun", async || disk.files().into_iter().find(|file| file.starts_with("other/.horarium-")))
            .await;
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
