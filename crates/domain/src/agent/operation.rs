//! The operations that every Horarium agent knows.

use std::fmt;
use std::str::FromStr;

/// An operation that `horarium agent` brings along.
///
/// An agent in another language may bring others, under names of its own: for the server an operation is a name that an
/// agent registered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuiltInOperation {
    /// The machine's name.
    NodeHostname,
    /// Name, uptime, load, memory, disks and operating system at once.
    NodeStatus,
    /// How long the machine has been up.
    NodeUptime,
    /// The load averages of the last 1, 5 and 15 minutes.
    NodeLoad,
    /// Memory and swap, used and free.
    NodeMemory,
    /// The mounted file systems, used and free.
    NodeDisk,
    /// The operating system and its kernel.
    NodeOs,
    /// Whether and how fast another machine answers.
    NetworkPing,
    /// A program with arguments; only where the agent's operator allows commands.
    CommandExec,
    /// A line for a shell; only where the agent's operator allows commands.
    CommandShell,
    /// Puts a file in its place; only below the roots that the agent's operator allows.
    FileDeploy,
    /// What is known of a file; only below the roots that the agent's operator allows.
    FileStatus,
    /// An HTTP request, made from the agent's machine.
    HttpRequest,
}

impl BuiltInOperation {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::NodeHostname,
        Self::NodeStatus,
        Self::NodeUptime,
        Self::NodeLoad,
        Self::NodeMemory,
        Self::NodeDisk,
        Self::NodeOs,
        Self::NetworkPing,
        Self::CommandExec,
        Self::CommandShell,
        Self::FileDeploy,
        Self::FileStatus,
        Self::HttpRequest,
    ];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NodeHostname => "node.hostname.get",
            Self::NodeStatus => "node.status.get",
            Self::NodeUptime => "node.uptime.get",
            Self::NodeLoad => "node.load.get",
            Self::NodeMemory => "node.memory.get",
            Self::NodeDisk => "node.disk.get",
            Self::NodeOs => "node.os.get",
            Self::NetworkPing => "network.ping.do",
            Self::CommandExec => "command.exec.execute",
            Self::CommandShell => "command.shell.execute",
            Self::FileDeploy => "file.deploy.execute",
            Self::FileStatus => "file.status.get",
            Self::HttpRequest => "http.request.do",
        }
    }
}

impl fmt::Display for BuiltInOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BuiltInOperation {
    type Err = ();

    /// Reads a name exactly as [`as_str`](Self::as_str) writes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_name() {
        for operation in BuiltInOperation::ALL {
            assert_eq!(operation.as_str().parse(), Ok(operation));
        }
        assert_eq!("node.hostname".parse::<BuiltInOperation>(), Err(()));
    }
}
