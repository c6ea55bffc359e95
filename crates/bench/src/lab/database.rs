//! A PostgreSQL server, and databases on it that live as long as a measurement.

use std::path::PathBuf;
use std::process::Command;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};

use super::cpu;
use crate::Failure;
use crate::report::Described;

/// A server on which databases may be created.
pub(crate) struct Server {
    url: String,
    client: Client,
    /// The server's first process, where it runs on this machine.
    pub(crate) process: Option<u32>,
    /// Its version, and the settings that decide how durable and how fast it is.
    pub(crate) described: Described,
}

const DESCRIBE: &str = "
    select pg_backend_pid(), split_part(current_setting('server_version'), ' ', 1),
        string_agg(name || '=' || current_setting(name), ' ' order by name)
    from pg_settings
    where name in ('autovacuum', 'fsync', 'full_page_writes', 'max_connections', 'max_wal_size', 'shared_buffers',
        'synchronous_commit', 'wal_level')";

impl Server {
    /// Connects, as a user who may create databases.
    pub(crate) async fn connect(url: &str) -> Result<Self, Failure> {
        let client = connect(url).await?;
        let row = client.query_one(DESCRIBE, &[]).await?;
        let backend: i32 = row.get(0);
        let process = u32::try_from(backend).ok().and_then(|pid| cpu::parent_of(pid, "postgres"));
        let name = "PostgreSQL".to_owned();
        let described = Described { name, version: row.get(1), kind: None, settings: row.get(2) };
        Ok(Self { url: url.to_owned(), client, process, described })
    }

    /// Seconds of processor time that the server took so far; none where it runs elsewhere.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.process.map_or(f64::NAN, cpu::seconds_with_children)
    }

    /// An empty database of this name; one that is left from a run that was broken off is removed.
    pub(crate) async fn fresh(&self, name: &str) -> Result<Database, Failure> {
        let name = format!("horarium_bench_{name}");
        self.client.batch_execute(&format!("drop database if exists {name} with (force)")).await?;
        self.client.batch_execute(&format!("create database {name}")).await?;
        let url = with_database(&self.url, &name)?;
        let client = connect(&url).await?;
        Ok(Database { url, name, client })
    }

    /// Removes a database.
    pub(crate) async fn remove(&self, database: Database) -> Result<(), Failure> {
        let Database { name, client, .. } = database;
        drop(client);
        Ok(self.client.batch_execute(&format!("drop database {name} with (force)")).await?)
    }

    /// Has everything written that waits to be, so that the next phase does not pay for the last one.
    pub(crate) async fn checkpoint(&self) -> Result<(), Failure> {
        Ok(self.client.batch_execute("checkpoint").await?)
    }

    /// Bytes of write-ahead log so far.
    pub(crate) async fn wal_bytes(&self) -> Result<f64, Failure> {
        Ok(self.client.query_one("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8", &[]).await?.get(0))
    }
}

/// A database, with one connection to look into it.
pub(crate) struct Database {
    pub(crate) url: String,
    name: String,
    pub(crate) client: Client,
}

impl Database {
    /// A connection of one's own.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        connect(&self.url).await
    }

    /// Runs statements.
    pub(crate) async fn run(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// A statement's only row.
    pub(crate) async fn row(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, Failure> {
        Ok(self.client.query_one(sql, parameters).await?)
    }

    /// A statement's only figure.
    pub(crate) async fn count(&self, sql: &str) -> Result<i64, Failure> {
        Ok(self.row(sql, &[]).await?.get(0))
    }

    /// Transactions a second of a `pgbench` script.
    pub(crate) fn pgbench(&self, script: &str, clients: usize, transactions: usize) -> Result<f64, Failure> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), script)?;
        let each = transactions.div_ceil(clients);
        let output = Command::new(pgbench_program())
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .args([format!("--client={clients}"), format!("--transactions={each}")])
            .arg("--file")
            .arg(file.path())
            .arg(&self.url)
            .output()
            .map_err(|error| format!("pgbench (named by HORARIUM_PG_BIN, or on PATH) cannot be run: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let rate = said.lines().filter_map(|line| line.strip_prefix("tps = ")).find_map(|text| text.split(' ').next());
        match rate {
            Some(rate) if output.status.success() => Ok(rate.parse()?),
            _ => Err(format!("pgbench failed: {}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }
}

fn pgbench_program() -> PathBuf {
    std::env::var_os("HORARIUM_PG_BIN").map_or_else(|| "pgbench".into(), |folder| PathBuf::from(folder).join("pgbench"))
}

async fn connect(url: &str) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// `postgres://user@host:port/database?options`: only the database's name changes.
fn with_database(url: &str, name: &str) -> Result<String, Failure> {
    let (rest, options) = url.split_once('?').map_or((url, None), |(rest, options)| (rest, Some(options)));
    let (scheme, rest) = rest.split_once("://").ok_or("the server's address has no scheme")?;
    let host = rest.split('/').next().unwrap_or(rest);
    // Node's clients ask for TLS unless they are told otherwise.
    Ok(format!("{scheme}://{host}/{name}?{}", options.unwrap_or("sslmode=disable")))
}
