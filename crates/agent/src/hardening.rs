//! Keeping the agent's credential from the programs that it runs.

/// Closes this process's memory and environment to other programs of the same account.
///
/// What an agent runs does not inherit its environment, but could read it where Linux shows it (`/proc/<pid>/environ`)
/// as long as both belong to one account. Elsewhere than on Linux nothing is done: run commands under another account
/// there.
pub fn hide_process() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "programs that this agent runs may be able to read its credential");
    }
}
