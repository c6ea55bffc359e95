//! The latest executions of a job, side by side: how each ended, and how long it took beside the others.

use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;
use horarium_domain::execution::{ExecutionState, ExecutionSummary};

use super::{Badge, Took, utc};

/// The latest executions, the oldest first.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/strip.html")]
pub(crate) struct Strip {
    cells: Vec<Cell>,
    /// In a sentence.
    summary: String,
}

impl HtmlSafe for Strip {}

#[derive(Debug, Clone)]
struct Cell {
    id: String,
    /// Its colour and its icon.
    class: String,
    /// Its height, 1 to 5.
    height: u8,
    words: String,
}

impl Strip {
    /// That of executions that come newest first.
    pub(crate) fn of(recent: &[ExecutionSummary]) -> Self {
        let longest = recent.iter().filter_map(took).max().unwrap_or_default();
        let cells = recent.iter().rev().map(|execution| {
            let badge = Badge::execution(execution.lifecycle.state, execution.partial);
            let at = execution.started_at.unwrap_or(execution.scheduled_for);
            let took = took(execution);
            let span = took.map(|span| format!(", took {}", Took(Some(span)))).unwrap_or_default();
            Cell {
                id: execution.id.to_string(),
                class: badge.classes(),
                height: took.map_or(1, |span| height(span, longest)),
                words: format!("{}, {}{span}", badge.word(), utc(at)),
            }
        });
        Self { cells: cells.collect(), summary: summary(recent) }
    }
}

/// How long the latest attempt of what is over ran.
fn took(execution: &ExecutionSummary) -> Option<Duration> {
    Some(execution.completed_at?.since(execution.started_at?))
}

/// How high a span is drawn beside the longest: durations differ by orders of magnitude, so by their logarithm.
fn height(span: Duration, longest: Duration) -> u8 {
    let size = |span: Duration| (span.as_secs_f64() * 1000.0).max(1.0).ln();
    let share = if longest <= Duration::from_millis(1) { 1.0 } else { size(span) / size(longest) };
    1 + (share * 4.0).round().clamp(0.0, 4.0) as u8
}

fn summary(recent: &[ExecutionSummary]) -> String {
    let count = |state| recent.iter().filter(|it| it.lifecycle.state == state).count();
    let parts = [
        (ExecutionState::Succeeded, "succeeded"),
        (ExecutionState::Failed, "failed"),
        (ExecutionState::Cancelled, "cancelled"),
        (ExecutionState::Running, "running"),
        (ExecutionState::Pending, "waiting"),
    ];
    let told: Vec<_> = parts
        .into_iter()
        .map(|(state, word)| (count(state), word))
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    format!("Last {}: {}", recent.len(), told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_the_highest_and_a_tenth_of_it_is_still_seen() {
        let longest = Duration::from_mins(1);
        let heights = [0, 10, 1000, 6000, 60_000].map(|ms| height(Duration::from_millis(ms), longest));
        assert_eq!(heights, [1, 2, 4, 4, 5]);
        assert_eq!(height(Duration::ZERO, Duration::ZERO), 5);
    }
}
