//! Machines with the program's own agent on them.

use std::fs::File;
use std::process::{Child, Stdio};

use super::site::Tenant;

/// A machine with an agent on it: a process of its own, which ends with this.
pub(crate) struct Machine {
    agent: Child,
}

impl Machine {
    /// Starts it, and waits until the server knows it.
    pub(crate) async fn start(tenant: &Tenant<'_>, hostname: &str) -> Self {
        let site = tenant.site();
        let log = site.path(&format!("{hostname}.log"));
        let mut command = site.command(&["agent", "--server", site.url(), "--hostname", hostname]);
        command.env("HORARIUM_API_KEY", tenant.agent_key().await);
        command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let machine = Self { agent: command.spawn().unwrap() };
        let is_known = async || std::fs::read_to_string(&log).unwrap().contains("registered");
        site.wait_for(&format!("{hostname} is known"), is_known).await;
        machine
    }

    /// Cuts its power.
    pub(crate) fn die(self) {
        drop(self);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.agent.kill());
        drop(self.agent.wait());
    }
}
