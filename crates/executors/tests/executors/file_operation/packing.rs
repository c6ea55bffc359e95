//! Archives and compressed files, and what becomes of their sources.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::json;
use zip::ZipArchive;

use super::disk::{Disk, report};
use crate::support::failed;

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
