//! The state machine, whole: every command in every state, and what must hold of all of them.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

use std::fmt::Write;
use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::execution::{Command, Effect, ExecutionState, Failure, Lifecycle, Transition, decide};
use horarium_domain::retry::{Backoff, RetryPolicy};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_seconds(1_750_000_000);

fn policy(max_attempts: u16) -> RetryPolicy {
    RetryPolicy { max_attempts, delay_seconds: 10, backoff: Backoff::Exponential, ..RetryPolicy::default() }
}

fn commands() -> Vec<(&'static str, Command)> {
    vec![
        ("Claim", Command::Claim),
        ("Succeed", Command::Succeed),
        ("Fail", Command::Fail(Failure::retryable("it broke"))),
        ("Fail (permanent)", Command::Fail(Failure::permanent("it is wrong"))),
        ("Cancel", Command::Cancel),
        ("TimeOut", Command::TimeOut),
        ("LeaseExpired", Command::LeaseExpired),
        ("Retry", Command::Retry),
        ("Snooze", Command::Snooze { until: NOW + Duration::from_mins(1) }),
        ("Progress", Command::Progress(50)),
    ]
}

/// The situations that the matrix tells apart: each state, and Running with and without attempts left.
fn situations() -> Vec<(&'static str, Lifecycle, RetryPolicy)> {
    let at = |state, attempt, lost| Lifecycle { state, attempt, lost };
    vec![
        ("Pending", at(ExecutionState::Pending, 0, 0), policy(3)),
        ("Running, attempts left", at(ExecutionState::Running, 1, 0), policy(3)),
        ("Running, last attempt", at(ExecutionState::Running, 3, 0), policy(3)),
        ("Running, lost nine times", at(ExecutionState::Running, 10, RetryPolicy::MAX_LOST_ATTEMPTS - 1), policy(3)),
        ("Succeeded", at(ExecutionState::Succeeded, 1, 0), policy(3)),
        ("Failed", at(ExecutionState::Failed, 3, 0), policy(3)),
        ("Cancelled", at(ExecutionState::Cancelled, 1, 0), policy(3)),
    ]
}

fn describe(transition: Transition) -> String {
    let mut text = format!("→ {}", transition.next.state);
    match transition.effect {
        Effect::Start => write!(text, ", attempt {}", transition.next.attempt).unwrap(),
        Effect::Finish => {}
        Effect::Requeue { run_at } => {
            write!(text, " in {} s, attempt {}", run_at.since(NOW).as_secs(), transition.next.attempt).unwrap();
        }
        Effect::NoteProgress(percent) => write!(text, ", {percent} % noted").unwrap(),
        Effect::SpawnRetry => text.push_str(", a new execution is enqueued"),
    }
    if let Some(event) = transition.event {
        write!(text, " · `{}`", event.as_str()).unwrap();
    }
    text
}

fn document() -> String {
    let mut text = String::from(
        "# The state machine\n\n\
         Generated from `horarium_domain::execution::decide` by the test `crates/domain/tests/state_machine.rs`, which\n\
         fails when this page is not what the code does. `UPDATE_DOCS=1 cargo test -p horarium-domain --test\n\
         state_machine` writes it anew.\n\n\
         An execution is **Pending** while it waits (for a worker, for its start time, for its next attempt),\n\
         **Running** while a worker holds a lease on it, and then, for ever, **Succeeded**, **Failed** or\n\
         **Cancelled**.\n\n\
         ```mermaid\n\
         stateDiagram-v2\n    \
         [*] --> Pending: accepted\n    \
         Pending --> Running: Claim\n    \
         Pending --> Cancelled: Cancel\n    \
         Running --> Succeeded: Succeed\n    \
         Running --> Failed: Fail, TimeOut, LeaseExpired (no attempt left)\n    \
         Running --> Pending: Fail, TimeOut, LeaseExpired (attempts left), Snooze\n    \
         Running --> Cancelled: Cancel\n    \
         Succeeded --> [*]\n    \
         Failed --> [*]\n    \
         Cancelled --> [*]\n\
         ```\n\n\
         The table uses a policy of three attempts, exponential from 10 seconds, and no jitter. A dash means that the\n\
         state machine refuses the command. What follows a dot is the event that is recorded; ordinary steps\n\
         (accepted, started, completed) are told by the execution's own columns and need none.\n\n",
    );
    let commands = commands();
    for (name, lifecycle, policy) in situations() {
        let counted = lifecycle.counted_attempts();
        writeln!(text, "## {name}\n").unwrap();
        writeln!(
            text,
            "Attempts started: {}, of which lost: {}, counted against the policy: {counted}.\n",
            lifecycle.attempt, lifecycle.lost
        )
        .unwrap();
        text.push_str("| command | what becomes of it |\n| --- | --- |\n");
        for (label, command) in &commands {
            let outcome = decide(lifecycle, command, NOW, &policy, 0.5).map_or_else(|_| "—".to_owned(), describe);
            writeln!(text, "| {label} | {outcome} |").unwrap();
        }
        text.push('\n');
    }
    text.push_str(
        "## What the table cannot show\n\n\
         - An attempt that is lost with its worker does not count against the retry policy. An execution that loses\n\
         \u{20} its worker ten times is given up, because it probably is what takes its workers down.\n\
         - A snoozed attempt does not count either: the handler asked for a later time, or the worker shut down in good\n\
         \u{20} order and handed the execution back.\n\
         - An attempt at an agent job waits for all of its hosts. What a host tries is counted with the host, and told by\n\
         \u{20} a `handedOn` event when it goes to the next agent.\n\
         - A failure that cannot be repaired by trying again (a refused address, a malformed template), and an HTTP\n\
         \u{20} status that the policy does not list, fail at once whatever attempts are left.\n\
         - `Retry` is for people: the failed execution stays as it is and a new one is enqueued whose `retryParentId`\n\
         \u{20} names it.\n",
    );
    text
}

#[test]
fn the_documented_state_machine_is_the_real_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/state-machine.md");
    let document = document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == document,
        "docs/state-machine.md is not what the code does; UPDATE_DOCS=1 cargo test -p horarium-domain --test \
         state_machine writes it anew"
    );
}

fn any_state() -> impl Strategy<Value = ExecutionState> {
    prop::sample::select(ExecutionState::ALL.to_vec())
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Claim),
        Just(Command::Succeed),
        (any::<bool>(), prop::option::of(100_u16..600), any::<bool>()).prop_map(|(retryable, http_status, partial)| {
            Command::Fail(Failure { error: "error".to_owned(), http_status, retryable, partial })
        }),
        Just(Command::Cancel),
        Just(Command::TimeOut),
        Just(Command::LeaseExpired),
        Just(Command::Retry),
        (-1_000_000_i64..1_000_000)
            .prop_map(|s| Command::Snooze { until: Timestamp::from_seconds(NOW.as_seconds() + s) }),
        any::<u8>().prop_map(Command::Progress),
    ]
}

fn any_policy() -> impl Strategy<Value = RetryPolicy> {
    (
        1_u16..=1000,
        0_u32..=RetryPolicy::MAX_DELAY_SECONDS,
        prop::sample::select(vec![Backoff::Fixed, Backoff::Linear, Backoff::Exponential]),
        0_u32..=RetryPolicy::MAX_DELAY_SECONDS,
        0_u8..=100,
        prop::option::of(prop::collection::vec(100_u16..600, 0..4)),
    )
        .prop_map(|(max_attempts, delay_seconds, backoff, max_delay_seconds, jitter_percent, codes)| RetryPolicy {
            max_attempts,
            delay_seconds,
            backoff,
            max_delay_seconds,
            jitter_percent,
            retry_http_status_codes: codes,
        })
}

proptest! {
    #[test]
    fn a_terminal_state_never_changes(
        state in any_state(), attempt in 0_u16..2000, lost in 0_u16..20, command in any_command(),
        policy in any_policy(), unit in 0.0..1.0_f64,
    ) {
        let current = Lifecycle { state, attempt, lost };
        match decide(current, &command, NOW, &policy, unit) {
            Ok(transition) if state.is_terminal() => {
                prop_assert_eq!(transition.next, current);
                prop_assert_eq!(transition.effect, Effect::SpawnRetry);
            }
            Ok(transition) => prop_assert!(legal(state, transition.next.state), "{state} → {}", transition.next.state),
            Err(rejection) => prop_assert_eq!(rejection.state, state),
        }
    }

    #[test]
    fn every_life_ends_within_its_policy(
        commands in prop::collection::vec(any_command(), 0..200), policy in any_policy(), unit in 0.0..1.0_f64,
    ) {
        let mut life = Lifecycle::NEW;
        let mut ended = false;
        for command in commands {
            if let Ok(transition) = decide(life, &command, NOW, &policy, unit) {
                prop_assert!(!ended || transition.next == life);
                if let Effect::Requeue { run_at } = transition.effect {
                    prop_assert!(run_at >= NOW, "requeued into the past");
                }
                life = transition.next;
                ended = life.state.is_terminal();
            }
            prop_assert!(life.counted_attempts() <= policy.max_attempts, "more attempts than the policy allows");
            prop_assert!(life.lost <= RetryPolicy::MAX_LOST_ATTEMPTS);
            prop_assert!(life.lost <= life.attempt);
        }
    }

    #[test]
    fn a_delay_never_exceeds_the_cap_and_grows_without_jitter(policy in any_policy(), failed in 1_u16..u16::MAX, unit in any::<f64>()) {
        let cap = Duration::from_secs(u64::from(policy.max_delay_seconds));
        prop_assert!(policy.delay_after(failed, unit) <= cap);
        let steady = RetryPolicy { jitter_percent: 0, ..policy };
        prop_assert!(steady.delay_after(failed, unit) <= steady.delay_after(failed + 1, unit));
    }

    #[test]
    fn jitter_stays_within_its_share(policy in any_policy(), failed in 1_u16..50, unit in 0.0..1.0_f64) {
        let nominal = RetryPolicy { jitter_percent: 0, ..policy.clone() }.delay_after(failed, 0.0).as_secs_f64();
        let delay = policy.delay_after(failed, unit).as_secs_f64();
        let spread = nominal * f64::from(policy.jitter_percent) / 100.0;
        prop_assert!(delay >= nominal - spread - 1e-6 && delay <= nominal + spread + 1e-6);
    }
}

/// The contract's list of legal transitions, word for word.
fn legal(from: ExecutionState, to: ExecutionState) -> bool {
    use ExecutionState::{Cancelled, Failed, Pending, Running, Succeeded};
    matches!((from, to), (Pending, Running | Cancelled) | (Running, Succeeded | Failed | Cancelled | Pending | Running))
}

#[test]
fn backoff_grows_as_its_name_says() {
    let delays = |backoff| {
        let policy = RetryPolicy { delay_seconds: 10, backoff, max_delay_seconds: 60, ..RetryPolicy::default() };
        (1..=5).map(|failed| policy.delay_after(failed, 0.5).as_secs()).collect::<Vec<_>>()
    };
    assert_eq!(delays(Backoff::Fixed), [10, 10, 10, 10, 10]);
    assert_eq!(delays(Backoff::Linear), [10, 20, 30, 40, 50]);
    assert_eq!(delays(Backoff::Exponential), [10, 20, 40, 60, 60]);
}

#[test]
fn only_listed_statuses_are_retried_and_failures_without_a_status_always_are() {
    let policy = RetryPolicy { retry_http_status_codes: Some(vec![503]), ..policy(3) };
    let running = Lifecycle { state: ExecutionState::Running, attempt: 1, lost: 0 };
    let next = |failure| decide(running, &Command::Fail(failure), NOW, &policy, 0.0).unwrap().next.state;
    assert_eq!(next(Failure::retryable("busy").with_http_status(503)), ExecutionState::Pending);
    assert_eq!(next(Failure::retryable("no").with_http_status(404)), ExecutionState::Failed);
    assert_eq!(next(Failure::retryable("connection refused")), ExecutionState::Pending);
}

#[test]
fn a_policy_that_makes_no_sense_is_refused_by_the_field_that_is_wrong() {
    let wrong = |policy: RetryPolicy| policy.validate().unwrap_err().field;
    assert_eq!(wrong(RetryPolicy { max_attempts: 0, ..policy(1) }), "maxAttempts");
    assert_eq!(wrong(RetryPolicy { jitter_percent: 101, ..policy(1) }), "jitter");
    assert_eq!(
        wrong(RetryPolicy { retry_http_status_codes: Some(vec![99]), ..policy(1) }),
        "shouldRetryHttpStatusCodes"
    );
    assert!(RetryPolicy::default().validate().is_ok());
}
