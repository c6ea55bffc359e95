//! What tells a process that runs until it is told to stop.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// Signals within this time of the first one are the same wish: `timeout` of the coreutils, for one, signals its child
/// and then the group that the child is in.
const SAME_WISH: Duration = Duration::from_secs(1);

/// The exit code of a process that was told twice to stop.
pub(super) const FORCED: i32 = 1;

/// SIGINT and SIGTERM.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on they no longer end the process.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one, and gives its name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// The next signal that is not an echo of one that was just received.
    pub(super) async fn once_more(&mut self) -> &'static str {
        let heard_at = Instant::now();
        loop {
            let name = self.next().await;
            if heard_at.elapsed() >= SAME_WISH {
                return name;
            }
        }
    }
}
