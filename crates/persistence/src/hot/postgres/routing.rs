//! Whether the hot statements could be routed on a database that is sharded by tenant, such as Citus or `YugabyteDB`:
//! each of them says whose rows it means, of every table that is spread by tenant. Where one server is to find a row by
//! its key alone, the condition stands within `(…) is true`, which hides it from the planner.

use std::collections::BTreeSet;
use std::path::Path;

use super::{
    aftermath, audit, callbacks, cancel, claim, counters, due, enqueue, fire, gated, held, insert, promote, prune,
    renew, settle,
};

/// The tables whose rows are spread by their `tenant_id`.
const SPREAD: [&str; 15] = [
    "agent_tasks",
    "audit_log",
    "callbacks",
    "execution_events",
    "execution_queue",
    "executions",
    "job_counters",
    "job_slots",
    "jobs",
    "key_limits",
    "late_ends",
    "queues",
    "rollups",
    "skipped_slots",
    "tenant_limits",
];

macro_rules! statements {
    ($($module:ident: $($name:ident)+;)+) => {
        &[$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name)),+),+]
    };
}

const STATEMENTS: &[(&str, &str)] = statements! {
    aftermath: LATE DUE;
    audit: APPEND;
    callbacks: RECORD FLAG TAKE CORRECT;
    cancel: TAKE_ONE TAKE_LIVE STATE END;
    claim: CLAIM CLAIM_ON;
    counters: COUNTERS DURATIONS ROLLUPS;
    due: DUE LOCK_DUE DEFINITIONS NEXT;
    enqueue: EXPLAIN LOCK_LENGTHS LENGTHS;
    fire: ADVANCE END LIVE SKIP;
    gated: READY_TENANTS GATED_GROUPS GATED_CANDIDATES READY_CANDIDATES LEASE;
    held: LOCK_TENANTS LOCK_QUEUES LOCK_JOBS LOCK_KEYS RUNNING_IN_QUEUES RUNNING_OF_JOBS RUNNING_OF_KEYS
        RUNNING_OF_KEYS_OF_JOBS SPEND_OF_TENANTS SPEND_OF_QUEUES SPEND_OF_KEYS;
    insert: INSERT_NEW INSERT_ANY;
    promote: PROMOTE NEXT;
    prune: DELETE DELETE_ONE EXISTS DELETE_EVENTS DELETE_CALLBACKS DELETE_TASKS DELETE_LATE;
    renew: RENEW EXPIRED NOTE_PROGRESS;
    settle: FINISH REQUEUE EVENTS;
};

const ALL_TENANTS: &str = "it asks over all tenants: each shard answers for its own";
const NO_TENANT_IN_LEASE: &str = "a lease names its execution alone";
const NO_TENANT_IN_DELTA: &str = "what is added to a job's counters names the job alone";
const JUST_FOUND: &str = "it goes by the ids that its walk over all tenants just found";

/// Those that do without, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("claim::CLAIM", JUST_FOUND),
    ("claim::CLAIM_ON", JUST_FOUND),
    ("counters::COUNTERS", NO_TENANT_IN_DELTA),
    ("counters::DURATIONS", NO_TENANT_IN_DELTA),
    ("gated::GATED_GROUPS", ALL_TENANTS),
    ("gated::LEASE", JUST_FOUND),
    ("gated::READY_TENANTS", ALL_TENANTS),
    ("held::LOCK_JOBS", JUST_FOUND),
    ("held::RUNNING_OF_JOBS", JUST_FOUND),
    ("promote::NEXT", ALL_TENANTS),
    ("promote::PROMOTE", ALL_TENANTS),
    ("renew::EXPIRED", ALL_TENANTS),
    ("renew::NOTE_PROGRESS", NO_TENANT_IN_LEASE),
    ("renew::RENEW", NO_TENANT_IN_LEASE),
    ("settle::FINISH", NO_TENANT_IN_LEASE),
    ("settle::REQUEUE", NO_TENANT_IN_LEASE),
];

/// Files whose statements run now and then, and read all that there is: what a day is made and dropped by, how counters
/// are corrected, how the gates are set anew.
const UPKEEP: [&str; 4] = ["days.rs", "reconcile.rs", "release.rs", "sweep.rs"];

#[test]
fn every_hot_statement_says_whose_rows_it_means() {
    let mut problems = Vec::new();
    for (name, sql) in STATEMENTS {
        let (unrouted, exception) = (unrouted(sql), EXCEPTIONS.iter().find(|(excepted, _)| excepted == name));
        match exception {
            None if !unrouted.is_empty() => problems.push(format!("{name}: no tenant for {}", unrouted.join(", "))),
            Some(_) if unrouted.is_empty() => problems.push(format!("{name} is no exception any more")),
            _ => {}
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn no_hot_statement_is_left_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/hot/postgres");
    let known: BTreeSet<String> = STATEMENTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut unknown = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if UPKEEP.contains(&name) || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for constant in source.split("const ").skip(1).filter(|constant| constant.contains(": &str = ")) {
            let (constant, rest) = constant.split_once(": &str = ").unwrap();
            let sql = rest.split(";\n").next().unwrap();
            let name = format!("{}::{constant}", path.file_stem().unwrap().to_str().unwrap());
            if constant.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
                && !references(sql).is_empty()
                && !known.contains(&name)
            {
                unknown.push(name);
            }
        }
    }
    assert!(unknown.is_empty(), "add to STATEMENTS: {}", unknown.join(", "));
}

#[test]
fn a_statement_that_says_nothing_of_the_tenant_is_found() {
    assert_eq!(unrouted("select from jobs where id = $1 and tenant_id = $2"), [""; 0]);
    assert_eq!(unrouted("select tenant_id from jobs where id = $1"), ["jobs"]);
    assert_eq!(unrouted("update jobs j set a = 1 where j.id = $1 and (j.tenant_id = $2) is true"), [""; 0]);
    let half = "delete from jobs j where j.id = any(array(select j.id from jobs j where j.tenant_id = $1))";
    assert_eq!(unrouted(half), ["jobs"], "the inner one does not answer for the outer");
    assert_eq!(unrouted("select from executions e join jobs j on j.id = e.job_id"), ["executions", "jobs"]);
    assert_eq!(unrouted("select from executions e join jobs j on j.tenant_id = e.tenant_id"), [""; 0]);
    assert_eq!(unrouted("insert into jobs (id, name) values ($1, $2)"), ["jobs"]);
    assert_eq!(unrouted("insert into jobs (id, tenant_id) values ($1, $2)"), [""; 0]);
}

/// The tables that the statement touches without saying whose rows it means.
fn unrouted(sql: &str) -> Vec<&str> {
    let references = references(sql);
    references.into_iter().filter(|reference| !reference.is_routed()).map(|reference| reference.table).collect()
}

/// Where a statement names a table that is spread.
struct Reference<'a> {
    is_insert: bool,
    table: &'a str,
    /// What follows, up to the end of the query that it stands in.
    scope: Vec<&'a str>,
}

fn references(sql: &str) -> Vec<Reference<'_>> {
    let tokens = tokens(sql);
    let named = tokens.windows(2).enumerate().filter(|(_, pair)| {
        ["from", "join", "update", "using", "into"].contains(&pair[0]) && SPREAD.contains(&pair[1])
    });
    named
        .map(|(at, pair)| {
            let mut depth = 0;
            let scope = tokens[at + 2..].iter().copied().take_while(|token| {
                depth += i32::from(*token == "(") - i32::from(*token == ")");
                depth >= 0
            });
            Reference { is_insert: pair[0] == "into", table: pair[1], scope: scope.collect() }
        })
        .collect()
}

impl Reference<'_> {
    fn is_routed(&self) -> bool {
        if self.is_insert {
            let columns = self.scope.iter().skip_while(|token| **token != "(").take_while(|token| **token != ")");
            return columns.into_iter().any(|column| *column == "tenant_id");
        }
        let follows =
            ["where", "set", "on", "join", "left", "cross", "order", "group", "limit", "for", "using", "union"];
        let alias = self.scope.iter().find(|token| **token != "as");
        let alias = alias.filter(|token| !follows.contains(*token) && token.chars().all(char::is_alphanumeric));
        let column = alias.map_or_else(|| "tenant_id".to_owned(), |alias| format!("{alias}.tenant_id"));
        let compared = |pair: &[&str]| (pair[0] == column && pair[1] == "=") || (pair[0] == "=" && pair[1] == column);
        self.meant(alias.unwrap_or(&self.table)).windows(2).any(compared)
    }

    /// The scope without the queries within it that call something else by the same name.
    fn meant(&self, name: &str) -> Vec<&str> {
        let mut open: Vec<Vec<&str>> = vec![Vec::new()];
        for token in &self.scope {
            if *token == "(" {
                open.push(Vec::new());
            }
            if let Some(query) = open.last_mut() {
                query.push(token);
            }
            let ends = *token == ")" && open.len() > 1;
            if let Some(query) = open.pop_if(|_| ends)
                && !query.windows(3).any(|three| ["from", "join"].contains(&three[0]) && three[1..].contains(&name))
                && let Some(outer) = open.last_mut()
            {
                outer.extend(query);
            }
        }
        open.concat()
    }
}

/// Words, with what qualifies them, and other characters one by one.
fn tokens(sql: &str) -> Vec<&str> {
    let is_word = |letter: char| letter.is_alphanumeric() || "_.$".contains(letter);
    let mut tokens = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()).max(first.len_utf8());
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}
