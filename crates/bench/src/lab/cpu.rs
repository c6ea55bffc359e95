//! Processor time and memory, from `/proc`.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Failure;

/// The kernel counts processor time in hundredths of a second (USER_HZ) on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;

/// The machine counts as quiet when other programs take less than this share of it.
const QUIET: f64 = 0.05;

/// What a process took of the processors, in ticks.
#[derive(Debug, Clone, Copy)]
struct Stat {
    parent: u32,
    own: u64,
    /// Of its children that ended and were waited for.
    ended_children: u64,
}

fn stat_of(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in parentheses, may hold spaces; fields are counted after it.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11)? + ticks(12)?,
        ended_children: ticks(13)? + ticks(14)?,
    })
}

fn all() -> HashMap<u32, Stat> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return HashMap::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat_of(pid)?)))
        .collect()
}

/// The parent of a process that runs on this machine and has this name.
pub(super) fn parent_of(pid: u32, name: &str) -> Option<u32> {
    let is_it = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim() == name;
    is_it.then(|| stat_of(pid)).flatten().map(|stat| stat.parent)
}

/// Seconds of processor time of a process and all of its children, ended ones included. One that ends in the middle of
/// the look is missed, so there are two, and the larger one counts: the true value never falls.
pub(crate) fn seconds_with_children(pid: u32) -> f64 {
    let look = || {
        let processes = all();
        let children: u64 = processes.values().filter(|stat| stat.parent == pid).map(|stat| stat.own).sum();
        processes.get(&pid).map_or(0, |stat| stat.own + stat.ended_children) + children
    };
    look().max(look()) as f64 / TICKS_PER_SECOND
}

/// Seconds of processor time of one process.
pub(crate) fn seconds(pid: u32) -> f64 {
    stat_of(pid).map_or(0.0, |stat| stat.own as f64 / TICKS_PER_SECOND)
}

/// MiB of memory of a process: now (`VmRSS`), or at most so far (`VmHWM`).
pub(crate) fn memory_mib(pid: u32, line: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kib: f64 = found.and_then(|text| text.split_whitespace().next()).ok_or("a malformed /proc status")?.parse()?;
    Ok(kib / 1024.0)
}

/// What the machine is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(PathBuf::from(path)).unwrap_or_default();
        let value = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = value(&read("/proc/meminfo"), "MemTotal");
        let kib = memory.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0);
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            memory_gib: kib / 1024.0 / 1024.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// Tells how much of the machine went to programs that have nothing to do with the measurement.
pub(crate) struct Watch {
    servers: Vec<u32>,
    busy: u64,
    total: u64,
    ours: u64,
}

impl Watch {
    /// From now on. `servers` are the databases' processes; this one and its children are ours anyway.
    pub(crate) fn begin(servers: &[u32]) -> Self {
        let (busy, total) = machine();
        Self { servers: servers.to_vec(), busy, total, ours: ours(servers) }
    }

    /// The share of the machine that others took since then, 0 to 1.
    pub(crate) fn foreign(&self) -> f64 {
        let (busy, total) = machine();
        let foreign = (busy - self.busy).saturating_sub(ours(&self.servers).saturating_sub(self.ours));
        foreign as f64 / (total - self.total).max(1) as f64
    }

    /// Waits until others leave the machine alone, but not for long.
    pub(crate) fn wait_for_quiet(servers: &[u32]) {
        const LOOKS: usize = 20;
        for _ in 0..LOOKS {
            let watch = Self::begin(servers);
            std::thread::sleep(Duration::from_millis(500));
            if watch.foreign() < QUIET {
                return;
            }
        }
    }
}

/// Ticks that all processors were busy, and all ticks that there were.
fn machine() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let total: u64 = ticks.iter().sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    (total - idle, total)
}

/// Ticks of this process, the databases, and all of their descendants.
fn ours(servers: &[u32]) -> u64 {
    let processes = all();
    let mut family: HashSet<u32> = servers.iter().copied().chain([std::process::id()]).collect();
    loop {
        let more = processes.iter().filter(|(pid, stat)| family.contains(&stat.parent) && !family.contains(pid));
        let more: Vec<u32> = more.map(|(pid, _)| *pid).collect();
        if more.is_empty() {
            break;
        }
        family.extend(more);
    }
    family.iter().filter_map(|pid| processes.get(pid)).map(|stat| stat.own + stat.ended_children).sum()
}
