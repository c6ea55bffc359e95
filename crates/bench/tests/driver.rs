//! The driver speaks the protocol that everything which is compared speaks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

fn driver(file: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_horarium-bench"));
    command.arg("driver").args(words).env_remove("DATABASE_URL").env("SQLITE_PATH", file);
    command
}

/// Runs a command to its end; the line that it prints.
fn say(file: &Path, words: &[&str]) -> Value {
    let output = driver(file, words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn what_is_accepted_in_batches_comes_to_the_worker_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.db");
    say(&file, &["setup"]);
    let accepted = say(&file, &["enq_bulk", "250", "100", "2"]);
    assert_eq!(accepted["n"], 250);
    assert!(accepted["secs"].as_f64().unwrap() > 0.0);

    let mut worker = Ended(driver(&file, &["work", "250"]).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(worker.0.stdout.take().unwrap()).lines();
    let mut line = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert!(line()["ready"].is_u64());
    let done = line();
    assert_eq!((&done["done"], &done["dups"]), (&250.into(), &0.into()));
    assert!(done["first_ns"].as_u64().unwrap() <= done["last_ns"].as_u64().unwrap());
}

#[test]
fn calls_and_pickups_are_timed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.db");
    say(&file, &["setup"]);
    assert_eq!(say(&file, &["enq_one", "20", "4"])["n"], 20);
    assert_eq!(say(&file, &["lat", "5", "1"])["call_us"].as_array().unwrap().len(), 5);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.db");
    say(&file, &["setup"]);
    assert_eq!(say(&file, &["alone", "5", "1"])["lat_us"].as_array().unwrap().len(), 5);
}
