//! A program and what it starts end together, and its output is bounded.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)] // in a test a failed expectation is the report

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use horarium_process::{Ended, Exit, Program};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; reached only when something is broken.
const DEADLINE: Duration = Duration::from_secs(20);

/// Short for a program that does not mind SIGTERM.
const GRACE: Duration = Duration::from_millis(50);

fn script(script: &str, folder: &TempDir) -> Program {
    Program {
        file: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        directory: Some(folder.path().to_owned()),
        input: None,
    }
}

async fn end(program: &Program, stop: &CancellationToken, output_limit: usize) -> Ended {
    let running = program.start().unwrap();
    tokio::time::timeout(DEADLINE, running.end(stop, GRACE, output_limit)).await.expect("the program ends").unwrap()
}

fn text(capture: horarium_domain::execution::Capture) -> String {
    capture.into_output().unwrap_or_default().text
}

/// The process whose number a script writes to a file.
async fn process_in(file: &Path) -> String {
    let wait = async {
        loop {
            match std::fs::read_to_string(file) {
                Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("the file is written")
}

async fn ends(process: &str) {
    let stat = format!("/proc/{process}/stat");
    let wait = async {
        // A process that nobody has reaped yet is a zombie (state Z): it has ended.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("the process ends");
}

#[tokio::test]
async fn a_program_gets_its_input_and_tells_its_outputs_and_status() {
    let folder = TempDir::new().unwrap();
    let program = Program { input: Some(b"in".to_vec()), ..script("cat; echo err >&2; exit 3", &folder) };
    let Ended { exit, stdout, stderr } = end(&program, &CancellationToken::new(), 100).await;
    assert_eq!((exit, text(stdout), text(stderr)), (Exit::Status(3), "in".to_owned(), "err\n".to_owned()));
}

#[tokio::test]
async fn output_beyond_the_limit_is_read_and_not_kept() {
    let folder = TempDir::new().unwrap();
    let program = script("head -c 1000000 /dev/zero", &folder);
    let Ended { exit, stdout, .. } = end(&program, &CancellationToken::new(), 10).await;
    assert_eq!((exit, stdout.overflow()), (Exit::Status(0), 999_990));
}

#[tokio::test]
async fn what_a_program_left_running_ends_with_it() {
    let folder = TempDir::new().unwrap();
    let program = script("sleep 600 & echo $!", &folder);
    let Ended { exit, stdout, .. } = end(&program, &CancellationToken::new(), 100).await;
    assert_eq!(exit, Exit::Status(0));
    ends(text(stdout).trim()).await;
}

#[tokio::test]
async fn a_program_that_does_not_stop_is_killed_with_all_that_it_started() {
    let folder = TempDir::new().unwrap();
    let program = script("trap '' TERM; (trap '' TERM; sleep 600) & echo $! > child; wait", &folder);
    let stop = CancellationToken::new();
    let child = async {
        let child = process_in(&folder.path().join("child")).await;
        stop.cancel();
        child
    };
    let (ended, child) = tokio::join!(end(&program, &stop, 100), child);
    assert_eq!(ended.exit, Exit::Stopped);
    ends(&child).await;
}

#[tokio::test]
async fn dropping_a_running_program_kills_its_group() {
    let folder = TempDir::new().unwrap();
    let program = script("sleep 600 & echo $! > child; wait", &folder);
    let running = program.start().unwrap();
    let child = process_in(&folder.path().join("child")).await;
    drop(running);
    ends(&child).await;
}

#[tokio::test]
async fn a_program_that_is_not_there_cannot_be_started() {
    let folder = TempDir::new().unwrap();
    let program = Program { file: "/no/such/program".into(), ..script("", &folder) };
    assert_eq!(program.start().unwrap_err().kind(), std::io::ErrorKind::NotFound);
}
