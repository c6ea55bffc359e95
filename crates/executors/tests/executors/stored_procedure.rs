//! Calls of procedures and functions, in a real PostgreSQL: `HORARIUM_TEST_POSTGRES_URL`.

use horarium_domain::job::JobType;
use horarium_executors::{Connections, StoredProcedureExecutor};
use horarium_scheduler_engine::{Outcome, Run};
use serde_json::{Map, Value, json};
use tokio_postgres::{Client, NoTls};

use crate::support::{EXECUTION, execute, failed, run, run_with_payload, succeeded, templates, until};

/// A schema of a test's own.
struct Schema {
    name: &'static str,
    url: String,
    client: Client,
}

impl Schema {
    /// With what `script` makes in it; `None` when tests are to do without PostgreSQL.
    async fn new(name: &'static str, script: &str) -> Option<Self> {
        if std::env::var_os("HORARIUM_SKIP_POSTGRES").is_some_and(|value| value == "1") {
            eprintln!("skipped: HORARIUM_SKIP_POSTGRES=1");
            return None;
        }
        let url = std::env::var("HORARIUM_TEST_POSTGRES_URL").expect("scripts/pg run -- cargo test starts a server");
        let (client, driver) = tokio_postgres::connect(&url, NoTls).await.expect("the test server answers");
        tokio::spawn(driver);
        let fresh = format!("drop schema if exists {name} cascade; create schema {name}; set search_path to {name};");
        client.batch_execute(&format!("{fresh} {script}")).await.expect("the script runs");
        Some(Self { name, url, client })
    }

    async fn drop(self) {
        self.client.batch_execute(&format!("drop schema {} cascade", self.name)).await.expect("the schema can go");
    }

    fn executor(&self) -> StoredProcedureExecutor {
        let connections: Connections = format!("reporting={}", self.url).parse().unwrap();
        StoredProcedureExecutor::new(connections, templates())
    }

    fn job(&self, routine: &str, parameters: &Value) -> Value {
        json!({
            "storedProcedureName": format!("{}.{routine}", self.name),
            "parameters": parameters,
            "databaseConnectionStringName": "reporting",
        })
    }

    async fn call(&self, routine: &str, parameters: &Value) -> Outcome {
        execute(&self.executor(), run(JobType::StoredProcedure, &self.job(routine, parameters))).await
    }

    async fn output(&self, routine: &str, parameters: &Value) -> (Option<Value>, Option<i64>) {
        let (output, items) = succeeded(self.call(routine, parameters).await);
        (output.map(|output| serde_json::from_str(&output.text).unwrap()), items)
    }

    async fn count(&self, query: &str) -> i64 {
        self.client.query_one(query, &[]).await.unwrap().get(0)
    }
}

#[tokio::test]
async fn what_a_function_returns_is_the_output() {
    let script = "
        create function nothing() returns void language sql as 'select';
        create function twice(n int) returns int language sql as 'select 2 * n';
        create function report(n int) returns jsonb language sql as $$select '{\"itemsProcessed\": 7}'::jsonb$$;
        create function lines(n int) returns table (line int, text text) language sql
            as $$select i, 'line ' || i from generate_series(1, n) i$$;";
    let Some(schema) = Schema::new("sp_output", script).await else { return };
    assert_eq!(schema.output("nothing", &json!({})).await, (None, None));
    assert_eq!(schema.output("twice", &json!({ "n": 21 })).await, (Some(json!(42)), None));
    assert_eq!(schema.output("report", &json!({ "n": 1 })).await, (Some(json!({ "itemsProcessed": 7 })), Some(7)));
    let lines = json!([{ "line": 1, "text": "line 1" }, { "line": 2, "text": "line 2" }]);
    assert_eq!(schema.output("lines", &json!({ "n": 2 })).await, (Some(lines), Some(2)));
    assert_eq!(schema.output("lines", &json!({ "n": 0 })).await, (Some(json!([])), Some(0)));
    schema.drop().await;
}

#[tokio::test]
async fn arguments_become_what_their_parameters_are() {
    let parameters =
        "i bigint, n numeric, b boolean, t text, d date, u uuid, a int[], j jsonb, z text, \"Odd name\" text";
    let script = format!(
        "create function echo({parameters}) returns jsonb language sql
             as $$select to_jsonb(array[i::text, n::text, b::text, t, (d + 1)::text, u::text, a[2]::text, j->>'k', z, \"Odd name\"])$$;"
    );
    let Some(schema) = Schema::new("sp_arguments", &script).await else { return };
    let given = json!({
        "i": 9_007_199_254_740_993_i64,
        "n": 1.25,
        "b": true,
        "t": "'; drop table x; --",
        "d": "2025-07-31",
        "u": EXECUTION,
        "a": [1, 2],
        "j": { "k": "v" },
        "z": null,
        "Odd name": "{{Payload.odd}}",
    });
    let run = run_with_payload(JobType::StoredProcedure, &schema.job("echo", &given), json!({ "odd": "even" }));
    let (output, _) = succeeded(execute(&schema.executor(), run).await);
    let echoed: Value = serde_json::from_str(&output.unwrap().text).unwrap();
    let expected = json!([
        "9007199254740993",
        "1.25",
        "true",
        "'; drop table x; --",
        "2025-08-01",
        EXECUTION,
        "2",
        "v",
        null,
        "even"
    ]);
    assert_eq!(echoed, expected);
    schema.drop().await;
}

#[tokio::test]
async fn a_procedure_may_commit_and_knows_its_execution() {
    let script = "
        create table log (execution text, attempt text);
        create procedure note(attempts int) language plpgsql as $$ begin
            for i in 1..attempts loop
                insert into sp_procedure.log
                    values (current_setting('horarium.execution_id'), current_setting('horarium.attempt'));
                commit;
            end loop;
        end $$;";
    let Some(schema) = Schema::new("sp_procedure", script).await else { return };
    assert_eq!(schema.output("note", &json!({ "attempts": 3 })).await, (None, None));
    let noted = format!("select count(*) from log where execution = '{EXECUTION}' and attempt = '2'");
    assert_eq!(schema.count(&noted).await, 3);
    schema.drop().await;
}

#[tokio::test]
async fn no_name_becomes_more_than_a_name() {
    let script = "create table kept (n int); create function twice(n int) returns int language sql as 'select 2 * n';";
    let Some(schema) = Schema::new("sp_names", script).await else { return };
    for name in ["n\" => 1); drop table sp_names.kept; --", "n => 1) r; drop table sp_names.kept; --", "n\0", ""] {
        let parameters = Value::Object(Map::from_iter([(name.to_owned(), json!(1))]));
        let (failure, _) = failed(schema.call("twice", &parameters).await);
        assert!(!failure.retryable, "{name}: {failure:?}");
    }
    assert_eq!(schema.count("select count(*) from kept").await, 0);
    schema.drop().await;
}

#[tokio::test]
async fn what_cannot_be_called_fails_for_good() {
    let script = "
        create function twice(n int) returns int language sql as 'select 2 * n';
        create function many() returns int language sql as 'select 1';
        create procedure many(n int) language sql as 'select 1';";
    let Some(schema) = Schema::new("sp_refused", script).await else { return };
    for (routine, parameters) in [
        ("nowhere", json!({})),
        ("twice", json!({})),
        ("twice", json!({ "m": 1 })),
        ("many", json!({})),
        ("a.b", json!({})),
        ("", json!({})),
        ("TWICE", json!({ "n": 1 })),
    ] {
        let (failure, _) = failed(schema.call(routine, &parameters).await);
        assert!(!failure.retryable, "{routine}: {failure:?}");
    }
    let elsewhere = json!({ "storedProcedureName": "sp_refused.many", "databaseConnectionStringName": "postgres" });
    let (failure, _) = failed(execute(&schema.executor(), run(JobType::StoredProcedure, &elsewhere)).await);
    assert!(failure.error.contains("names no connection 'postgres'"), "{failure:?}");
    schema.drop().await;
}

#[tokio::test]
async fn an_exception_of_the_database_is_told_and_worth_another_attempt() {
    let script = "create function refuse() returns int language plpgsql as
        $$ begin raise exception 'the month is not closed'; end $$;";
    let Some(schema) = Schema::new("sp_exception", script).await else { return };
    let (failure, _) = failed(schema.call("refuse", &json!({})).await);
    assert!(failure.retryable, "{failure:?}");
    assert_eq!(failure.error, "'sp_exception.refuse': the month is not closed (SQLSTATE P0001)");
    schema.drop().await;
}

#[tokio::test]
async fn a_call_ends_with_its_command_timeout() {
    let script = "create function slow() returns void language sql as 'select pg_sleep(600)';";
    let Some(schema) = Schema::new("sp_timeout", script).await else { return };
    let mut job = schema.job("slow", &json!({}));
    job["commandTimeoutSeconds"] = json!(1);
    let (failure, _) = failed(execute(&schema.executor(), run(JobType::StoredProcedure, &job)).await);
    assert!(failure.retryable && failure.error.contains("commandTimeoutSeconds"), "{failure:?}");
    schema.drop().await;
}

#[tokio::test]
async fn a_cancelled_attempt_cancels_its_query() {
    let script = "create function slow() returns void language sql as 'select pg_sleep(600)';";
    let Some(schema) = Schema::new("sp_cancel", script).await else { return };
    let running =
        "select count(*) from pg_stat_activity where state = 'active' and query like '%\"sp_cancel\".\"slow\"%'
        and pid <> pg_backend_pid()";
    let run: Run = run(JobType::StoredProcedure, &schema.job("slow", &json!({})));
    let stop = run.cancellation.clone();
    let cancel = async {
        until("the query is seen", async || (schema.count(running).await > 0).then_some(())).await;
        stop.cancel();
    };
    let executor = schema.executor();
    let (outcome, ()) = tokio::join!(execute(&executor, run), cancel);
    let (failure, _) = failed(outcome);
    assert!(failure.error.contains("was stopped with its attempt"), "{failure:?}");
    assert_eq!(schema.count(running).await, 0);
    schema.drop().await;
}

#[tokio::test]
async fn long_results_are_cut() {
    let script = "create function long() returns setof text language sql
        as $$select repeat('x', 1000) from generate_series(1, 1000)$$;";
    let Some(schema) = Schema::new("sp_long", script).await else { return };
    let executor = schema.executor().with_output_limit(100);
    let (output, items) =
        succeeded(execute(&executor, run(JobType::StoredProcedure, &schema.job("long", &json!({})))).await);
    let output = output.unwrap();
    assert!(output.truncated && output.text.len() == 100);
    assert_eq!(items, Some(1000));
    schema.drop().await;
}

#[tokio::test]
async fn nothing_tells_where_a_connection_leads() {
    let connections: Connections = "a=postgres://chef:geheim@127.0.0.1:1/kasse".parse().unwrap();
    assert_eq!(format!("{connections:?}"), r#"{"a"}"#);
    let executor = StoredProcedureExecutor::new(connections, templates());
    let job = json!({ "storedProcedureName": "x" });
    let (failure, _) = failed(execute(&executor, run(JobType::StoredProcedure, &job)).await);
    assert!(failure.retryable && failure.error.contains("connection 'a' cannot be reached"), "{failure:?}");
    for secret in ["chef", "geheim", "127.0.0.1", "kasse"] {
        assert!(!failure.error.contains(secret), "{failure:?}");
    }
}

#[test]
fn connections_are_names_and_addresses() {
    let parse = |text: &str| text.parse::<Connections>();
    assert!(parse("").unwrap().is_empty());
    assert!(parse("a=postgres://h/x, b=postgresql://h1:1,h2:2/y?sslmode=disable\nc.d=postgres://h/z").is_ok());
    for wrong in [
        "postgres://u:geheim@h/x",
        "a=mysql://u:geheim@h/x",
        "=postgres://u:geheim@h/x",
        "a b",
        "a=postgres://u:geheim@h/x a=postgres://u:geheim@h/y",
        "a=postgres://u:geheim@h:port/x",
    ] {
        let error = parse(wrong).unwrap_err().to_string();
        assert!(!error.contains("geheim"), "{error}");
    }
}
