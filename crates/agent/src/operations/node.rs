//! `node.*.get`: what the machine is and how it fares. They need no data, change nothing, and give:
//!
//! - `node.hostname.get`: [`Hostname`]
//! - `node.uptime.get`: [`Uptime`]
//! - `node.load.get`: [`Load`]
//! - `node.memory.get`: [`Memory`]
//! - `node.disk.get`: [`Disks`]
//! - `node.os.get`: [`Os`]
//! - `node.status.get`: [`Status`], all of these
//!
//! Sizes are bytes, times are seconds.

use serde::Serialize;
use serde_json::{Map, Value, json};
use sysinfo::System;

use super::{Done, Problem, blocking};

/// What the host is called.
#[derive(Debug, Serialize)]
pub(super) struct Hostname {
    /// As a target: what the agent goes by.
    hostname: String,
    /// By the machine itself, where that is another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    machine_hostname: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Uptime {
    uptime_seconds: u64,
    /// Seconds since 1970.
    boot_time: u64,
}

/// How many processes wanted to run, on average over the last 1, 5 and 15 minutes.
#[expect(clippy::struct_field_names, reason = "on the wire each says what it is")]
#[derive(Debug, Serialize)]
pub(super) struct Load {
    load_1m: f64,
    load_5m: f64,
    load_15m: f64,
    /// How many could run at once.
    cpus: usize,
}

#[expect(clippy::struct_field_names, reason = "on the wire each says its unit")]
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    total_bytes: u64,
    used_bytes: u64,
    /// What programs can get without swapping.
    available_bytes: u64,
    swap_total_bytes: u64,
    swap_used_bytes: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Disks {
    disks: Vec<Disk>,
}

#[derive(Debug, Serialize)]
struct Disk {
    device: String,
    mount_point: String,
    file_system: String,
    total_bytes: u64,
    available_bytes: u64,
    used_percent: f64,
    read_only: bool,
}

/// Absent where the machine does not tell.
#[derive(Debug, Serialize)]
pub(super) struct Os {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<String>,
    architecture: String,
    distribution: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Status {
    #[serde(flatten)]
    hostname: Hostname,
    #[serde(flatten)]
    uptime: Uptime,
    load: Load,
    memory: Memory,
    #[serde(flatten)]
    disks: Disks,
    os: Os,
}

/// Looks, off the threads that keep the agent alive: a network file system may not answer.
pub(super) async fn get<T: Serialize + Send + 'static>(
    look: impl FnOnce() -> Result<T, sysinfo::Error> + Send + 'static,
) -> Result<Done, Problem> {
    let untold = |error| Problem::permanent(format!("this machine does not tell: {error}"));
    Done::with(&blocking(move || look().map_err(untold)).await?, false)
}

/// What an agent tells of its machine when it registers.
pub(crate) fn facts() -> Map<String, Value> {
    let os = Os::look();
    let facts = json!({
        "os": os.name,
        "os_version": os.version,
        "kernel": os.kernel,
        "architecture": os.architecture,
        "cpus": cpus(),
        "memory_bytes": Memory::read().ok().map(|memory| memory.total_bytes),
    });
    match facts {
        Value::Object(facts) => facts.into_iter().filter(|(_, fact)| !fact.is_null()).collect(),
        _ => Map::new(),
    }
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

impl Hostname {
    /// Of a machine whose agent goes by this name; by the machine's own if by none.
    pub(super) fn read(known_as: Option<String>) -> Result<Self, sysinfo::Error> {
        let own = System::host_name();
        Ok(match known_as {
            Some(hostname) => Self { machine_hostname: own.ok().filter(|own| *own != hostname), hostname },
            None => Self { hostname: own?, machine_hostname: None },
        })
    }
}

impl Uptime {
    pub(super) fn read() -> Result<Self, sysinfo::Error> {
        Ok(Self { uptime_seconds: System::uptime()?, boot_time: System::boot_time()? })
    }
}

impl Load {
    pub(super) fn read() -> Result<Self, sysinfo::Error> {
        let load = System::load_average()?;
        Ok(Self { load_1m: load.one, load_5m: load.five, load_15m: load.fifteen, cpus: cpus() })
    }
}

impl Memory {
    pub(super) fn read() -> Result<Self, sysinfo::Error> {
        let mut system = System::new()?;
        system.refresh_memory();
        Ok(Self {
            total_bytes: system.total_memory(),
            used_bytes: system.used_memory(),
            available_bytes: system.available_memory(),
            swap_total_bytes: system.total_swap(),
            swap_used_bytes: system.used_swap(),
        })
    }
}

impl Disks {
    pub(super) fn read() -> Result<Self, sysinfo::Error> {
        let disks = sysinfo::Disks::new_with_refreshed_list()?;
        Ok(Self { disks: disks.iter().map(Disk::of).collect() })
    }
}

impl Disk {
    fn of(disk: &sysinfo::Disk) -> Self {
        let (total, available) = (disk.total_space(), disk.available_space());
        let used = if total == 0 { 0.0 } else { 100.0 * total.saturating_sub(available) as f64 / total as f64 };
        Self {
            device: disk.name().to_string_lossy().into_owned(),
            mount_point: disk.mount_point().to_string_lossy().into_owned(),
            file_system: disk.file_system().to_string_lossy().into_owned(),
            total_bytes: total,
            available_bytes: available,
            used_percent: (used * 10.0).round() / 10.0,
            read_only: disk.is_read_only(),
        }
    }
}

impl Os {
    pub(super) fn look() -> Self {
        Self {
            name: System::name().ok(),
            version: System::os_version().ok(),
            kernel: System::kernel_version().ok(),
            architecture: System::cpu_arch(),
            distribution: System::distribution_id(),
        }
    }
}

impl Status {
    /// Of a machine whose agent goes by this name.
    pub(super) fn read(known_as: Option<String>) -> Result<Self, sysinfo::Error> {
        Ok(Self {
            hostname: Hostname::read(known_as)?,
            uptime: Uptime::read()?,
            load: Load::read()?,
            memory: Memory::read()?,
            disks: Disks::read()?,
            os: Os::look(),
        })
    }
}
