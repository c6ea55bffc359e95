//! How something is meant. It is never told by colour alone.

/// How something is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Under way, or to be known.
    Info,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
    /// Neither; at rest.
    Calm,
}

impl Tone {
    /// Every tone.
    pub(crate) const ALL: [Self; 5] = [Self::Good, Self::Info, Self::Warn, Self::Bad, Self::Calm];

    /// Its name in the style sheet.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Calm => "calm",
        }
    }
}
