//! The job queues that Horarium is compared with, with the settings that they ran fastest with on a machine of two cores,
//! or that their own benchmarks use.

use std::fmt::Write;
use std::path::Path;

use crate::Failure;
use crate::lab::{Backend, Subject};
use crate::report::Kind;

/// Where the versions are pinned: `scripts/bench --peers` installs what these files say.
const NODE: &str = include_str!("../peers/node/package.json");
const PYTHON: &str = include_str!("../peers/python/requirements.txt");
const RUST: [(&str, &str); 4] = [
    ("apalis-postgres", include_str!("../peers/rust/apalis/Cargo.toml")),
    ("awa", include_str!("../peers/rust/awa/Cargo.toml")),
    ("graphile_worker", include_str!("../peers/rust/graphile/Cargo.toml")),
    ("riverqueue", include_str!("../peers/rust/river/Cargo.toml")),
];

/// What a driver is run by.
#[derive(Debug, Clone, Copy)]
enum Language {
    Node,
    Python,
    Rust,
}

struct Peer {
    name: &'static str,
    /// What the registry of its language calls it.
    package: &'static str,
    language: Language,
    driver: &'static str,
    kind: Kind,
    backend: Backend,
    settings: &'static [(&'static str, &'static str)],
    /// The most jobs in one phase, for those that would take forever.
    most: u64,
}

const GRAPHILE: Backend = Backend::Postgres("select count(*) from graphile_worker._private_jobs");

/// What River, pg-boss and the rest call unfinished. Awa's ready rows and the evidence of their ends are pruned
/// together, so the difference is what is not over.
const PEERS: [Peer; 8] = [
    Peer {
        name: "graphile-worker",
        package: "graphile-worker",
        language: Language::Node,
        driver: "graphile.mjs",
        kind: Kind::Deleting,
        backend: GRAPHILE,
        settings: &[("LOCAL_QUEUE", "1000"), ("CONCURRENCY", "24"), ("POOL", "20")],
        most: u64::MAX,
    },
    Peer {
        name: "pg-boss",
        package: "pg-boss",
        language: Language::Node,
        driver: "pgboss.mjs",
        kind: Kind::Keeping,
        backend: Backend::Postgres("select count(*) from pgboss.job where state < 'completed' and name = 'bench'"),
        settings: &[("BATCH", "2000"), ("CONCURRENCY", "2")],
        most: u64::MAX,
    },
    Peer {
        name: "BullMQ (Redis)",
        package: "bullmq",
        language: Language::Node,
        driver: "bullmq.mjs",
        kind: Kind::Deleting,
        backend: Backend::Redis(&["LLEN bull:bench:wait", "LLEN bull:bench:active"]),
        settings: &[("CONCURRENCY", "50")],
        most: u64::MAX,
    },
    Peer {
        name: "procrastinate",
        package: "procrastinate",
        language: Language::Python,
        driver: "procrastinate_driver.py",
        kind: Kind::Keeping,
        backend: Backend::Postgres("select count(*) from procrastinate_jobs where status in ('todo', 'doing')"),
        settings: &[("CONCURRENCY", "20"), ("POOL", "22")],
        most: 5_000,
    },
    Peer {
        name: "River (Rust)",
        package: "riverqueue",
        language: Language::Rust,
        driver: "peer-river",
        kind: Kind::Keeping,
        backend: Backend::Postgres("select count(*) from river_job where state <> 'completed'"),
        settings: &[("CONCURRENCY", "2000"), ("COOLDOWN_MS", "2"), ("POLL_MS", "20"), ("POOL", "50")],
        most: u64::MAX,
    },
    Peer {
        name: "Awa",
        package: "awa",
        language: Language::Rust,
        driver: "peer-awa",
        kind: Kind::Keeping,
        backend: Backend::Postgres(
            "select (select count(*) from awa.ready_entries) + (select count(*) from awa.deferred_jobs)
                + (select count(*) from awa.dlq_entries) - (select count(*) from awa.done_entries)
                - coalesce((select sum(completed_count)::int8 from awa.receipt_completion_batches), 0)",
        ),
        settings: &[("CONCURRENCY", "1024"), ("CLAIM", "512"), ("POLL_MS", "50"), ("POOL", "40"), ("SHARDS", "4")],
        most: u64::MAX,
    },
    Peer {
        name: "graphile_worker (Rust)",
        package: "graphile_worker",
        language: Language::Rust,
        driver: "peer-graphile",
        kind: Kind::Deleting,
        backend: GRAPHILE,
        settings: &[
            ("LOCAL_QUEUE", "1000"),
            ("LOCAL_QUEUES", "2"),
            ("CONCURRENCY", "100"),
            ("POOL", "30"),
            ("REFETCH_MS", "100"),
        ],
        most: u64::MAX,
    },
    Peer {
        name: "apalis",
        package: "apalis-postgres",
        language: Language::Rust,
        driver: "peer-apalis",
        kind: Kind::Keeping,
        backend: Backend::Postgres("select count(*) from apalis.jobs where status <> 'Done'"),
        settings: &[("BATCH", "5000"), ("CONCURRENCY", "5000"), ("POLL_MS", "20")],
        most: u64::MAX,
    },
];

/// All that were installed in this folder by `scripts/bench --peers`, or those whose names hold one of the `wanted`.
pub(crate) fn installed(folder: &Path, wanted: &[String]) -> Result<Vec<Subject>, Failure> {
    let is_wanted = |peer: &&Peer| wanted.is_empty() || wanted.iter().any(|name| peer.name.contains(name.as_str()));
    let found: Vec<Subject> = PEERS.iter().filter(is_wanted).map(|peer| peer.subject(folder)).collect();
    match found.iter().find(|subject| !Path::new(&subject.program[0]).exists()) {
        Some(missing) => Err(format!("{} is not installed in {}", missing.name, folder.display()).into()),
        None => Ok(found),
    }
}

impl Peer {
    fn subject(&self, folder: &Path) -> Subject {
        let program = match self.language {
            Language::Node => vec![folder.join("node/bin/node"), folder.join("node").join(self.driver)],
            Language::Python => vec![folder.join("python/venv/bin/python"), folder.join("python").join(self.driver)],
            Language::Rust => vec![folder.join("rust/release").join(self.driver)],
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Subject {
            name: self.name.to_owned(),
            kind: self.kind,
            backend: self.backend,
            program: program.into_iter().map(Into::into).collect(),
            settings: self.settings.iter().map(owned).collect(),
            most: self.most,
        }
    }

    /// The version that is installed.
    fn version(&self) -> Option<&'static str> {
        match self.language {
            Language::Node => pinned(NODE, &format!("\"{}\": \"", self.package)),
            Language::Python => pinned(PYTHON, &format!("{}==", self.package)),
            Language::Rust => {
                let (package, manifest) = RUST.iter().find(|(package, _)| *package == self.package)?;
                pinned(manifest, &format!("{package} = {{ version = \"="))
                    .or_else(|| pinned(manifest, &format!("{package} = \"=")))
            }
        }
    }
}

/// What follows a prefix at the beginning of a line, up to a quote.
fn pinned(manifest: &'static str, prefix: &str) -> Option<&'static str> {
    let found = manifest.lines().find_map(|line| line.trim().strip_prefix(prefix))?;
    found.split('"').next().map(str::trim)
}

/// The peers' versions and settings, as a section of the page.
pub(crate) fn versions() -> String {
    let mut text =
        "### Versions and settings\n\n| | version | finished jobs | settings |\n| --- | --- | --- | --- |\n".to_owned();
    for peer in &PEERS {
        let kept = if peer.kind == Kind::Keeping { "kept" } else { "deleted" };
        let settings: Vec<String> = peer.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} {} | {kept} | `{}` |",
            peer.name,
            peer.package,
            peer.version().unwrap_or_default(),
            settings.join(" ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_is_pinned() {
        for peer in &PEERS {
            let version = peer.version().unwrap_or_default();
            assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{} {version:?}", peer.name);
        }
    }
}
