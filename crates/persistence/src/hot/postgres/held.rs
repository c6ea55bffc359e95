//! The limits that a claim holds while it weighs.
//!
//! The rows that state them are locked, so that no other node counts under them meanwhile; what another node holds is
//! passed over, and with it whatever it limits. No lock is over more than one tenant.

use std::collections::{HashMap, HashSet};

use horarium_domain::{JobId, TenantId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::session::{self, Session};
use super::values::{Ts, column};
use crate::error::Fault;
use crate::hot::gates::{Candidate, Group, Room, TokenBucket};

pub(super) const LOCK_TENANTS: &str = "
    select tenant_id, max_concurrency, rate_limit_per_second, rate_tokens, rate_at
    from tenant_limits where tenant_id = any($1::uuid[]) and gated
    order by tenant_id for no key update skip locked";

pub(super) const LOCK_QUEUES: &str = "
    select q.tenant_id, q.max_concurrency, q.rate_limit_per_second, q.rate_tokens, q.rate_at, q.name, q.paused
    from unnest($1::uuid[], $2::text[]) as d (tenant_id, name)
    cross join lateral (
        select * from queues q where q.tenant_id = d.tenant_id and q.name = d.name for no key update skip locked
    ) q";

pub(super) const LOCK_JOBS: &str = "
    select id, running_limit, max_concurrency_per_key from jobs where id = any($1::uuid[])
    order by id for no key update skip locked";

pub(super) const LOCK_KEYS: &str = "
    select k.tenant_id, k.max_concurrency, k.rate_limit_per_second, k.rate_tokens, k.rate_at, k.key
    from unnest($1::uuid[], $2::text[]) as d (tenant_id, key)
    cross join lateral (
        select * from key_limits k where k.tenant_id = d.tenant_id and k.key = d.key for no key update skip locked
    ) k";

pub(super) const RUNNING_IN_QUEUES: &str = "
    select tenant_id, queue, count(*) from execution_queue
    where state = 1 and tenant_id = any($1::uuid[]) group by tenant_id, queue";

/// `between 1 and 1` keeps the planner from the index on leases, which is all that runs, of whatever job.
pub(super) const RUNNING_OF_JOBS: &str = "
    select d.job_id, (
        select count(*) from execution_queue q where q.job_id = d.job_id and q.state between 1 and 1
    )
    from unnest($1::uuid[]) as d (job_id)";

/// `between 1 and 1` as above.
pub(super) const RUNNING_OF_KEYS: &str = "
    select d.tenant_id, d.key, (
        select count(*) from execution_queue q
        where q.tenant_id = d.tenant_id and q.concurrency_key = d.key and q.state between 1 and 1
    )
    from unnest($1::uuid[], $2::text[]) as d (tenant_id, key)";

/// `between 1 and 1` as above.
pub(super) const RUNNING_OF_KEYS_OF_JOBS: &str = "
    select d.job_id, d.key, (
        select count(*) from execution_queue q
        where q.tenant_id = d.tenant_id and q.concurrency_key = d.key and q.job_id = d.job_id
          and q.state between 1 and 1
    )
    from unnest($1::uuid[], $2::uuid[], $3::text[]) as d (tenant_id, job_id, key)";

// A claim may have read the clock before another that wrote first: time that was filled in once is not filled in again.
pub(super) const SPEND_OF_TENANTS: &str = "
    update tenant_limits l set rate_tokens = d.tokens, rate_at = greatest(l.rate_at, $3)
    from unnest($1::uuid[], $2::float8[]) as d (tenant_id, tokens)
    where l.tenant_id = d.tenant_id";

pub(super) const SPEND_OF_QUEUES: &str = "
    update queues q set rate_tokens = d.tokens, rate_at = greatest(q.rate_at, $4)
    from unnest($1::uuid[], $2::text[], $3::float8[]) as d (tenant_id, name, tokens)
    where q.tenant_id = d.tenant_id and q.name = d.name";

pub(super) const SPEND_OF_KEYS: &str = "
    update key_limits k set rate_tokens = d.tokens, rate_at = greatest(k.rate_at, $4)
    from unnest($1::uuid[], $2::text[], $3::float8[]) as d (tenant_id, key, tokens)
    where k.tenant_id = d.tenant_id and k.key = d.key";

/// What a tenant, a queue or a key may do.
struct Limits {
    max_concurrency: Option<i32>,
    rate: Option<TokenBucket>,
    paused: bool,
}

impl Limits {
    /// How many more may start.
    fn left(&self, running: i64, now: Timestamp) -> u64 {
        let mut left = if self.paused { 0 } else { u64::MAX };
        if let Some(limit) = self.max_concurrency {
            left = left.min(u64::try_from(i64::from(limit) - running).unwrap_or(0));
        }
        if let Some(bucket) = self.rate {
            left = left.min(bucket.room(now));
        }
        left
    }

    /// What the bucket holds after so many starts; `None` where there is none, or nothing changed.
    fn tokens_after(&self, starts: usize, now: Timestamp) -> Option<f64> {
        self.rate.filter(|_| starts > 0).map(|bucket| (bucket.level(now) - starts as f64).max(0.0))
    }
}

/// What a job may do.
#[derive(Clone, Copy)]
struct JobLimits {
    running: Option<i32>,
    /// The same with each concurrency key.
    per_key: Option<i32>,
}

/// Which limits are to be held.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) tenants: HashSet<TenantId>,
    pub(super) queues: HashSet<(TenantId, String)>,
    pub(super) jobs: HashSet<JobId>,
    pub(super) keys: HashSet<(TenantId, String)>,
    /// The keys that wait of those jobs.
    pub(super) keys_of_jobs: HashSet<(TenantId, JobId, String)>,
}

/// Limits that this transaction holds.
pub(super) struct Held {
    tenants: HashMap<TenantId, Limits>,
    queues: HashMap<(TenantId, String), Limits>,
    jobs: HashMap<JobId, JobLimits>,
    keys: HashMap<(TenantId, String), Limits>,
    /// With the limit of its job.
    keys_of_jobs: HashMap<(TenantId, JobId, String), i32>,
}

/// What rate limits' buckets hold after a claim.
#[derive(Default)]
pub(super) struct Spent {
    tenants: Vec<(Uuid, f64)>,
    queues: Vec<(Uuid, String, f64)>,
    keys: Vec<(Uuid, String, f64)>,
}

impl Held {
    /// Begins the transaction and takes those that nobody else holds.
    pub(super) async fn lock(session: &Session, wanted: &Wanted) -> Result<Self, Fault> {
        let lock_tenants = session.statement(LOCK_TENANTS).await?;
        let lock_queues = session.statement(LOCK_QUEUES).await?;
        let lock_jobs = session.statement(LOCK_JOBS).await?;
        let lock_keys = session.statement(LOCK_KEYS).await?;
        let tenants: Vec<Uuid> = wanted.tenants.iter().map(|tenant| tenant.as_uuid()).collect();
        let (owners, names) = unzipped(wanted.queues.iter());
        let (key_owners, keys) = unzipped(wanted.keys.iter());
        let jobs: Vec<Uuid> = wanted.jobs.iter().map(|job| job.as_uuid()).collect();
        let tenants_asked: session::Parameters<'_> = &[&tenants];
        let queues_asked: session::Parameters<'_> = &[&owners, &names];
        let jobs_asked: session::Parameters<'_> = &[&jobs];
        let keys_asked: session::Parameters<'_> = &[&key_owners, &keys];
        let ((), tenants, queues, jobs, keys) = tokio::try_join!(biased;
            session.begin(),
            session.rows(&lock_tenants, tenants_asked),
            session.rows(&lock_queues, queues_asked),
            session.rows(&lock_jobs, jobs_asked),
            session.rows(&lock_keys, keys_asked)
        )?;
        let tenant =
            |row: &Row| Ok::<_, Fault>((tenant_of(row, "tenant_limits")?, limits(row, "tenant_limits", false)?));
        let queue = |row: &Row| {
            let name: String = column(row, 5, "queues")?;
            Ok::<_, Fault>(((tenant_of(row, "queues")?, name), limits(row, "queues", column(row, 6, "queues")?)?))
        };
        let job = |row: &Row| {
            let limits = JobLimits { running: column(row, 1, "jobs")?, per_key: column(row, 2, "jobs")? };
            Ok::<_, Fault>((JobId::from_uuid(column(row, 0, "jobs")?), limits))
        };
        let key = |row: &Row| {
            let key: String = column(row, 5, "key_limits")?;
            Ok::<_, Fault>(((tenant_of(row, "key_limits")?, key), limits(row, "key_limits", false)?))
        };
        let jobs: HashMap<JobId, JobLimits> = jobs.iter().map(job).collect::<Result<_, Fault>>()?;
        let limit_of = |job: &JobId| jobs.get(job).and_then(|limits| limits.per_key);
        let keys_of_jobs = wanted.keys_of_jobs.iter();
        let keys_of_jobs = keys_of_jobs.filter_map(|key| Some((key.clone(), limit_of(&key.1)?))).collect();
        Ok(Self {
            tenants: tenants.iter().map(tenant).collect::<Result<_, Fault>>()?,
            queues: queues.iter().map(queue).collect::<Result<_, Fault>>()?,
            jobs,
            keys_of_jobs,
            keys: keys.iter().map(key).collect::<Result<_, Fault>>()?,
        })
    }

    pub(super) fn has_tenant(&self, tenant: TenantId) -> bool {
        self.tenants.contains_key(&tenant)
    }

    pub(super) fn has_queue(&self, group: &Group) -> bool {
        self.queues.contains_key(&(group.tenant_id, group.queue.clone()))
    }

    pub(super) fn has_job(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    pub(super) fn has_key(&self, group: &Group) -> bool {
        self.keys.contains_key(&(group.tenant_id, group.limited_key.clone()))
    }

    /// How many more they let start. What runs is counted by statements of their own, which see what was committed
    /// before the locks were had.
    pub(super) async fn room(&self, session: &Session, now: Timestamp) -> Result<Room, Fault> {
        const TABLE: &str = "execution_queue";
        let in_queues = session.statement(RUNNING_IN_QUEUES).await?;
        let of_jobs = session.statement(RUNNING_OF_JOBS).await?;
        let of_keys = session.statement(RUNNING_OF_KEYS).await?;
        let of_keys_of_jobs = session.statement(RUNNING_OF_KEYS_OF_JOBS).await?;
        let owners: HashSet<TenantId> =
            self.tenants.keys().copied().chain(self.queues.keys().map(|(tenant, _)| *tenant)).collect();
        let owners: Vec<Uuid> = owners.into_iter().map(TenantId::as_uuid).collect();
        let jobs: Vec<Uuid> = self.jobs.keys().map(|job| job.as_uuid()).collect();
        let queues_asked: session::Parameters<'_> = &[&owners];
        let jobs_asked: session::Parameters<'_> = &[&jobs];
        let (key_owners, keys) = unzipped(self.keys.keys());
        let keys_asked: session::Parameters<'_> = &[&key_owners, &keys];
        let of_each = self.keys_of_jobs.keys();
        let (of_tenants, (job_of_each, key_of_each)): (Vec<Uuid>, (Vec<Uuid>, Vec<&str>)) =
            of_each.map(|(tenant, job, key)| (tenant.as_uuid(), (job.as_uuid(), key.as_str()))).unzip();
        let keys_of_jobs_asked: session::Parameters<'_> = &[&of_tenants, &job_of_each, &key_of_each];
        let (in_queues, of_jobs, of_keys, of_keys_of_jobs) = tokio::try_join!(biased;
            session.rows(&in_queues, queues_asked),
            session.rows(&of_jobs, jobs_asked),
            session.rows(&of_keys, keys_asked),
            session.rows(&of_keys_of_jobs, keys_of_jobs_asked)
        )?;
        // A tenant's queue, or its key.
        let of_name =
            |row: &Row| Ok::<_, Fault>(((tenant_of(row, TABLE)?, column(row, 1, TABLE)?), column(row, 2, TABLE)?));
        let of_job = |row: &Row| Ok::<_, Fault>((JobId::from_uuid(column(row, 0, TABLE)?), column(row, 1, TABLE)?));
        let in_queues: HashMap<(TenantId, String), i64> =
            in_queues.iter().map(of_name).collect::<Result<_, Fault>>()?;
        let of_jobs: HashMap<JobId, i64> = of_jobs.iter().map(of_job).collect::<Result<_, Fault>>()?;
        let of_keys: HashMap<(TenantId, String), i64> = of_keys.iter().map(of_name).collect::<Result<_, Fault>>()?;
        let of_key_of_job = |row: &Row| {
            let key: (JobId, String) = (JobId::from_uuid(column(row, 0, TABLE)?), column(row, 1, TABLE)?);
            Ok::<_, Fault>((key, column(row, 2, TABLE)?))
        };
        let of_keys_of_jobs: HashMap<(JobId, String), i64> =
            of_keys_of_jobs.iter().map(of_key_of_job).collect::<Result<_, Fault>>()?;

        let mut room = Room::default();
        for (tenant, limits) in &self.tenants {
            let of_tenant = in_queues.iter().filter(|((owner, _), _)| owner == tenant);
            room.limit_tenant(*tenant, limits.left(of_tenant.map(|(_, count)| count).sum(), now));
        }
        for (queue, limits) in &self.queues {
            let left = limits.left(in_queues.get(queue).copied().unwrap_or(0), now);
            room.limit_queue(queue.0, queue.1.clone(), left);
        }
        let left = |limit: i32, running: Option<&i64>| {
            u64::try_from(i64::from(limit) - running.copied().unwrap_or(0)).unwrap_or(0)
        };
        for (job, limits) in &self.jobs {
            let Some(limit) = limits.running else { continue };
            room.limit_job(*job, left(limit, of_jobs.get(job)));
        }
        for ((_, job, key), limit) in &self.keys_of_jobs {
            let running = of_keys_of_jobs.get(&(*job, key.clone()));
            room.limit_key_of_job(*job, key.clone(), left(*limit, running));
        }
        for (key, limits) in &self.keys {
            let left = limits.left(of_keys.get(key).copied().unwrap_or(0), now);
            room.limit_key(key.0, key.1.clone(), left);
        }
        Ok(room)
    }

    /// What is left of the buckets when these start.
    pub(super) fn spent(&self, chosen: &[Candidate], now: Timestamp) -> Spent {
        let mut spent = Spent::default();
        let groups = || chosen.iter().filter_map(|candidate| candidate.group.as_ref());
        for (tenant, limits) in &self.tenants {
            let starts = chosen.iter().filter(|candidate| candidate.tenant_id == *tenant).count();
            spent.tenants.extend(limits.tokens_after(starts, now).map(|tokens| (tenant.as_uuid(), tokens)));
        }
        for ((tenant, name), limits) in &self.queues {
            let starts = groups().filter(|group| group.tenant_id == *tenant && group.queue == *name).count();
            let tokens = limits.tokens_after(starts, now);
            spent.queues.extend(tokens.map(|tokens| (tenant.as_uuid(), name.clone(), tokens)));
        }
        for ((tenant, key), limits) in &self.keys {
            let starts = groups().filter(|group| group.tenant_id == *tenant && group.limited_key == *key).count();
            let tokens = limits.tokens_after(starts, now);
            spent.keys.extend(tokens.map(|tokens| (tenant.as_uuid(), key.clone(), tokens)));
        }
        spent
    }
}

impl Spent {
    /// Writes it down.
    pub(super) async fn write(&self, session: &Session, now: Timestamp) -> Result<(), Fault> {
        let now = Ts(now);
        if !self.tenants.is_empty() {
            let spend = session.statement(SPEND_OF_TENANTS).await?;
            let (tenants, tokens): (Vec<Uuid>, Vec<f64>) = self.tenants.iter().copied().unzip();
            session.run(&spend, &[&tenants, &tokens, &now]).await?;
        }
        for (statement, buckets) in [(SPEND_OF_QUEUES, &self.queues), (SPEND_OF_KEYS, &self.keys)] {
            if buckets.is_empty() {
                continue;
            }
            let spend = session.statement(statement).await?;
            let tenants: Vec<Uuid> = buckets.iter().map(|(tenant, ..)| *tenant).collect();
            let names: Vec<&str> = buckets.iter().map(|(_, name, _)| name.as_str()).collect();
            let tokens: Vec<f64> = buckets.iter().map(|(.., tokens)| *tokens).collect();
            session.run(&spend, &[&tenants, &names, &tokens, &now]).await?;
        }
        Ok(())
    }
}

/// Whose queues or keys, and their names.
fn unzipped<'a>(names: impl Iterator<Item = &'a (TenantId, String)>) -> (Vec<Uuid>, Vec<&'a str>) {
    names.map(|(tenant, name)| (tenant.as_uuid(), name.as_str())).unzip()
}

fn tenant_of(row: &Row, table: &'static str) -> Result<TenantId, Fault> {
    Ok(TenantId::from_uuid(column(row, 0, table)?))
}

/// Columns 1 to 4: the concurrency, and the rate with its bucket.
fn limits(row: &Row, table: &'static str, paused: bool) -> Result<Limits, Fault> {
    let per_second: Option<i32> = column(row, 2, table)?;
    let rate = match per_second.and_then(|rate| u32::try_from(rate).ok()) {
        Some(per_second) => Some(TokenBucket {
            per_second,
            tokens: column(row, 3, table)?,
            at: column::<Option<Ts>>(row, 4, table)?.map(|at| at.0),
        }),
        None => None,
    };
    Ok(Limits { max_concurrency: column(row, 1, table)?, rate, paused })
}
