//! The job queues that Horarium is compared with. Each has one set of settings for everything that is measured, as Horarium
//! has: that with which it drained fastest on a machine of two cores, or that of its own benchmark where that was not
//! slower.

use std::path::Path;
use std::process::Command;

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
        settings: &[("BATCH", "2000"), ("CONCURRENCY", "2"), ("POOL", "10")],
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
        name: "Awa (keeps a ring)",
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
        settings: &[("BATCH", "5000"), ("CONCURRENCY", "5000"), ("POLL_MS", "20"), ("POOL", "10")],
        most: u64::MAX,
    },
];

/// The peers that are asked for.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) installed: Vec<Subject>,
    /// Those that cannot be run, by name and problem.
    pub(crate) missing: Vec<(String, String)>,
}

/// All that `scripts/bench --peers` installs into this folder, or those whose names hold one of the `wanted`.
pub(crate) fn find(folder: &Path, wanted: &[String]) -> Result<Found, Failure> {
    let is_wanted = |peer: &&Peer| wanted.is_empty() || wanted.iter().any(|name| peer.name.contains(name.as_str()));
    let mut found = Found::default();
    for peer in PEERS.iter().filter(is_wanted) {
        let subject = peer.subject(folder)?;
        if subject.program.iter().all(|part| Path::new(part).exists()) {
            found.installed.push(subject);
        } else {
            eprintln!("{} is not installed in {}: it is left out", peer.name, folder.display());
            found.missing.push((peer.name.to_owned(), "it could not be installed".to_owned()));
        }
    }
    if found.installed.is_empty() && found.missing.is_empty() {
        let names: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
        return Err(format!("no peer is called {}; there are {}", wanted.join(" or "), names.join(", ")).into());
    }
    Ok(found)
}

impl Peer {
    fn subject(&self, folder: &Path) -> Result<Subject, Failure> {
        let program = match self.language {
            Language::Node => vec![folder.join("node/bin/node"), folder.join("node").join(self.driver)],
            Language::Python => vec![folder.join("python/venv/bin/python"), folder.join("python").join(self.driver)],
            Language::Rust => vec![folder.join("rust/release").join(self.driver)],
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Ok(Subject {
            name: self.name.to_owned(),
            version: format!("{} {}{}", self.package, self.pinned()?, self.language.version(&program[0])),
            kind: self.kind,
            backend: self.backend,
            program: program.into_iter().map(Into::into).collect(),
            settings: self.settings.iter().map(owned).collect(),
            most: self.most,
        })
    }

    /// The version that is installed, if any is.
    fn pinned(&self) -> Result<&'static str, Failure> {
        let version = match self.language {
            Language::Node => pinned(NODE, &format!("\"{}\": \"", self.package)),
            Language::Python => pinned(PYTHON, &format!("{}==", self.package)),
            Language::Rust => {
                let manifest = RUST.iter().find(|(package, _)| *package == self.package).map_or("", |(_, text)| text);
                let package = self.package;
                pinned(manifest, &format!("{package} = {{ version = \"="))
                    .or_else(|| pinned(manifest, &format!("{package} = \"=")))
            }
        };
        version.ok_or_else(|| format!("{} is pinned nowhere", self.package).into())
    }
}

impl Language {
    /// What runs a driver, and which version of it; nothing for those that are compiled.
    fn version(self, program: &Path) -> String {
        let name = match self {
            Self::Node => ", Node ",
            Self::Python => ", ",
            Self::Rust => return String::new(),
        };
        let asked = Command::new(program).arg("--version").output();
        let said = asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        // One that is missing is told of soon.
        said.map_or_else(|_| String::new(), |said| format!("{name}{}", said.trim_start_matches('v')))
    }
}

/// What follows a prefix at the beginning of a line, up to a quote.
fn pinned(manifest: &'static str, prefix: &str) -> Option<&'static str> {
    let found = manifest.lines().find_map(|line| line.trim().strip_prefix(prefix))?;
    found.split('"').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_not_installed_is_missing_and_the_others_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("rust/release/peer-river");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(program, "").unwrap();
        let found = find(folder.path(), &["River".to_owned(), "Awa".to_owned()]).unwrap();
        assert_eq!(found.installed.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>(), ["River (Rust)"]);
        assert_eq!(found.missing.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["Awa (keeps a ring)"]);
        assert!(find(folder.path(), &["nobody".to_owned()]).is_err());
    }

    #[test]
    fn every_peer_is_pinned() {
        for peer in &PEERS {
            let version = peer.pinned().unwrap();
            assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{} {version:?}", peer.name);
        }
    }
}
