//! Programs: which may run, what they are given, and how they end. That all they started ends with them is tested
//! where it is done, in `horarium-process`.

use std::time::Duration;

use horarium_domain::execution::{Failure, Output};
use horarium_domain::job::JobType;
use horarium_executors::{CommandExecutor, CommandSettings};
use horarium_scheduler_engine::{Outcome, Run};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{DEADLINE, EXECUTION, execute, failed, run, succeeded, templates, until};

/// A folder to run in, and an executor that may run the shell (listed like any other program) and `cat`.
struct Bench {
    folder: TempDir,
    settings: CommandSettings,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let programs = vec!["/bin/sh".into(), "/bin/cat".into()];
        let settings = CommandSettings::new(programs, folder.path().to_owned(), templates());
        Self { folder, settings }
    }

    async fn run(&self, configuration: &Value) -> Outcome {
        self.execute(run(JobType::Command, configuration)).await
    }

    async fn execute(&self, run: Run) -> Outcome {
        execute(&CommandExecutor::new(self.settings.clone()).unwrap(), run).await
    }

    async fn script(&self, script: &str) -> Outcome {
        self.run(&sh(script)).await
    }
}

fn sh(script: &str) -> Value {
    json!({ "command": "/bin/sh", "args": ["-c", script] })
}

fn text(outcome: Outcome) -> String {
    succeeded(outcome).0.unwrap_or_default().text
}

/// An attempt that is cancelled once its script has written the file `ready`.
async fn cancelled(bench: &Bench, script: &str) -> (Failure, Option<Output>) {
    let run = run(JobType::Command, &sh(script));
    let cancellation = run.cancellation.clone();
    let ready = bench.folder.path().join("ready");
    let canceller = async {
        until("the program is ready", async || ready.exists().then_some(())).await;
        cancellation.cancel();
    };
    failed(tokio::join!(bench.execute(run), canceller).0)
}

#[tokio::test]
async fn only_listed_programs_run() {
    let bench = Bench::new();
    for command in ["/bin/ls", "ls", "./sh", "/bin/../bin/ls", "sh -c ls", " sh"] {
        let (failure, _) = failed(bench.run(&json!({ "command": command })).await);
        assert!(!failure.retryable && failure.error.contains("not among the programs"), "{failure:?}");
    }
    assert_eq!(text(bench.run(&json!({ "command": "sh", "args": ["-c", "echo by name"] })).await), "by name\n");
}

#[tokio::test]
async fn what_an_operator_lists_has_to_be_there() {
    let bench = Bench::new();
    for (program, told) in [("sh", "absolute"), ("/no/such/program", "No such file"), ("/etc/passwd", "no executable")]
    {
        let settings = CommandSettings { programs: vec![program.into()], ..bench.settings.clone() };
        let error = CommandExecutor::new(settings).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains(program), "{error}");
    }
    let settings = CommandSettings { directory: "/no/such/folder".into(), ..bench.settings };
    assert!(CommandExecutor::new(settings).is_err());
}

#[tokio::test]
async fn arguments_are_handed_over_as_they_are() {
    let bench = Bench::new();
    let args = json!(["-c", r#"printf '<%s>' "$@""#, "x", "a b; $(id) `id` * \"'", "{{Execution.Attempt}}", ""]);
    assert_eq!(text(bench.run(&json!({ "command": "sh", "args": args })).await), "<a b; $(id) `id` * \"'><2><>");
}

#[tokio::test]
async fn the_environment_is_made_for_the_program() {
    let mut bench = Bench::new();
    let script = "echo $HORARIUM_EXECUTION_ID $HORARIUM_ATTEMPT $PATH; env | cut -d= -f1 | sort | tr '\\n' ' '";
    let told = text(bench.script(script).await);
    assert!(told.starts_with(&format!("{EXECUTION} 2 /usr/local/bin:/usr/bin:/bin\n")), "{told}");
    assert!(!told.contains("CARGO") && !told.contains("HOME"), "{told}");

    let configuration = json!({ "command": "sh", "args": ["-c", "echo $TONE"], "env": { "TONE": "{{Job.Name}}" } });
    let (failure, _) = failed(bench.run(&configuration).await);
    assert!(!failure.retryable && failure.error.contains("jobConfiguration.env.TONE"), "{failure:?}");
    bench.settings.environment.push("TONE".into());
    assert_eq!(text(bench.run(&configuration).await), "nightly\n");
}

#[tokio::test]
async fn the_payload_comes_on_standard_input() {
    let bench = Bench::new();
    let cat = json!({ "command": "cat" });
    let payload = json!({ "itemsProcessed": 3, "padding": "x".repeat(200_000) });
    let with_payload = Run { payload: Some(payload), ..run(JobType::Command, &cat) };
    let (output, _) = succeeded(bench.execute(with_payload).await);
    let output = output.unwrap();
    assert!(output.truncated && output.text.starts_with(r#"{"itemsProcessed":3,"#), "{}", output.text.len());

    let unread = Run { payload: Some(json!("x".repeat(200_000))), ..run(JobType::Command, &sh("echo unread")) };
    assert_eq!(text(bench.execute(unread).await), "unread\n");
    assert_eq!(succeeded(bench.run(&cat).await), (None, None));
}

#[tokio::test]
async fn a_json_object_on_standard_output_may_count_items() {
    let bench = Bench::new();
    let (output, items) = succeeded(bench.script(r#"echo '{"itemsProcessed": 7}'; echo slow >&2"#).await);
    assert_eq!(items, Some(7));
    assert_eq!(output.unwrap().text, "{\"itemsProcessed\": 7}\n[stderr]\nslow\n");
}

#[tokio::test]
async fn an_exit_status_but_zero_is_a_failure_with_its_output() {
    let bench = Bench::new();
    let (failure, output) = failed(bench.script("echo half; echo why >&2; exit 3").await);
    assert!(failure.retryable && failure.error.ends_with("exited with status 3"), "{failure:?}");
    assert_eq!(output, Some(Output { text: "half\n[stderr]\nwhy\n".into(), truncated: false }));

    let (failure, _) = failed(bench.script("kill -9 $$").await);
    assert!(failure.error.ends_with("was ended by signal 9"), "{failure:?}");
}

#[tokio::test]
async fn more_output_than_is_kept_neither_fills_memory_nor_stops_the_program() {
    let mut bench = Bench::new();
    bench.settings.output_limit = 10;
    let (output, _) = succeeded(bench.script("head -c 1000000 /dev/zero | tr '\\0' x").await);
    assert_eq!(output, Some(Output { text: "x".repeat(10), truncated: true }));
}

#[tokio::test]
async fn programs_run_in_the_operators_folder_and_below_it_only() {
    let bench = Bench::new();
    let folder = bench.folder.path().canonicalize().unwrap();
    std::fs::create_dir(folder.join("sub")).unwrap();
    std::os::unix::fs::symlink("/", folder.join("out")).unwrap();
    let pwd = |directory: &str| {
        let configuration = json!({ "command": "sh", "args": ["-c", "pwd -P"], "workingDirectory": directory });
        let bench = &bench;
        async move { bench.run(&configuration).await }
    };
    assert_eq!(text(bench.script("pwd -P").await).trim(), folder.to_str().unwrap());
    assert_eq!(text(pwd("sub").await).trim(), folder.join("sub").to_str().unwrap());
    for outside in ["..", "/", "sub/../..", "out", "out/etc", "nowhere"] {
        let (failure, _) = failed(pwd(outside).await);
        assert!(!failure.retryable && failure.error.contains("workingDirectory"), "{outside}: {failure:?}");
    }
}

#[tokio::test]
async fn cancelling_stops_a_program_that_does_not_listen() {
    let mut bench = Bench::new();
    bench.settings.stop_grace = Duration::from_millis(50);
    let (failure, _) = cancelled(&bench, "trap '' TERM; echo > ready; while :; do sleep 600; done").await;
    assert!(failure.error.contains("was stopped with its attempt"), "{failure:?}");
}

#[tokio::test]
async fn a_program_that_listens_may_stop_in_good_order() {
    let mut bench = Bench::new();
    bench.settings.stop_grace = DEADLINE;
    let script = "trap 'echo tidied; exit 0' TERM; echo > ready; while :; do sleep 0.05; done";
    // The shell may remark on standard error that its child was terminated.
    let text = cancelled(&bench, script).await.1.unwrap().text;
    assert!(text.starts_with("tidied\n"), "{text}");
}
