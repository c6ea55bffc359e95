//! States: a word, an icon and a colour.

use std::fmt;

use askama::filters::HtmlSafe;
use horarium_domain::agent::AgentState;
use horarium_domain::api_key::ApiKeyState;
use horarium_domain::execution::ExecutionState;
use horarium_domain::job::JobStatus;
use horarium_scheduler_engine::service::JobActivity;

use super::Tone;

/// A state in a word, with the icon and the colour that go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Badge {
    tone: Tone,
    /// The icon's name in the style sheet (`.i-…`).
    icon: &'static str,
    word: &'static str,
}

impl Badge {
    /// Any other state than those below.
    pub(crate) const fn new(tone: Tone, icon: &'static str, word: &'static str) -> Self {
        Self { tone, icon, word }
    }

    /// An execution's state; `partial` when some hosts of a broadcast succeeded.
    pub(crate) const fn execution(state: ExecutionState, partial: bool) -> Self {
        match state {
            ExecutionState::Pending => Self::new(Tone::Calm, "waiting", "Pending"),
            ExecutionState::Running => Self::new(Tone::Info, "running", "Running"),
            ExecutionState::Succeeded => Self::new(Tone::Good, "check", "Succeeded"),
            ExecutionState::Failed if partial => Self::new(Tone::Warn, "partial", "Partly failed"),
            ExecutionState::Failed => Self::new(Tone::Bad, "cross", "Failed"),
            ExecutionState::Cancelled => Self::new(Tone::Calm, "stop", "Cancelled"),
        }
    }

    /// A job's standing.
    pub(crate) const fn job(status: JobStatus) -> Self {
        match status {
            JobStatus::Active => Self::new(Tone::Good, "check", "Active"),
            JobStatus::Paused => Self::new(Tone::Warn, "pause", "Paused"),
            JobStatus::Disabled => Self::new(Tone::Calm, "stop", "Disabled"),
        }
    }

    /// What a job is doing, or else its standing.
    pub(crate) const fn activity(activity: JobActivity) -> Self {
        match activity {
            JobActivity::Running => Self::new(Tone::Info, "running", "Running"),
            JobActivity::Idle => Self::job(JobStatus::Active),
            JobActivity::Paused => Self::job(JobStatus::Paused),
            JobActivity::Disabled => Self::job(JobStatus::Disabled),
        }
    }

    /// The word.
    pub(crate) const fn word(self) -> &'static str {
        self.word
    }

    /// The classes of its colour and its icon.
    pub(crate) fn classes(self) -> String {
        format!("{} i-{}", self.tone.class(), self.icon)
    }

    /// An agent's standing.
    pub(crate) const fn agent(state: AgentState) -> Self {
        match state {
            AgentState::Alive => Self::new(Tone::Good, "check", "Alive"),
            AgentState::Draining => Self::new(Tone::Warn, "drain", "Draining"),
            AgentState::Gone => Self::new(Tone::Calm, "stop", "Gone"),
        }
    }

    /// An API key's state.
    pub(crate) const fn key(state: ApiKeyState) -> Self {
        match state {
            ApiKeyState::Active => Self::new(Tone::Good, "check", "Active"),
            ApiKeyState::Expired => Self::new(Tone::Calm, "waiting", "Expired"),
            ApiKeyState::Revoked => Self::new(Tone::Calm, "stop", "Revoked"),
        }
    }

    /// Whether something is well.
    pub(crate) const fn health(is_well: bool) -> Self {
        if is_well { Self::new(Tone::Good, "check", "Well") } else { Self::new(Tone::Bad, "cross", "Not well") }
    }
}

impl fmt::Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<span class="badge {}">{}</span>"#, self.classes(), self.word)
    }
}

impl HtmlSafe for Badge {}
