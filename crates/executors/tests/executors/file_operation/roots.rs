//! Nothing leads out of the operator's folders, and nobody but a job's author names its files.

use std::fs;
use std::os::unix::fs::symlink;

use horarium_domain::job::JobType;
use horarium_executors::{Disabled, FileOperationExecutor, FileOperationSettings};
use serde_json::json;

use super::disk::{Disk, report};
use crate::support::{execute, failed, run, run_with_payload, templates};

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
