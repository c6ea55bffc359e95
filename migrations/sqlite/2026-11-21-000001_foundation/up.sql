-- Tenants, jobs, executions, and the queue that executions wait in.
-- docs/architecture.md, "Storage", explains the shape. In short:
--   * an execution is written twice, when it is accepted and when it is over; while it lives, the narrow
--     execution_queue row holds its state;
--   * what changes often (slots, counters) is kept apart from what is wide (definitions).

-- Ids are the 16 bytes of the UUID; times are microseconds since the Unix epoch, UTC; documents are JSON text.

create table tenants (
    id          blob primary key,
    slug        text not null unique,
    name        text not null,
    is_active   integer not null default 1,
    created_at  integer not null
) strict;

create table jobs (
    id                  blob primary key,
    tenant_id           blob not null references tenants (id) on delete cascade,
    name                text not null,
    description         text,
    job_type            text not null,
    configuration       text not null,
    schedule            text not null,
    misfire_policy      text not null,
    retry_policy        text not null,
    timeout_seconds     integer not null check (timeout_seconds >= 1),
    is_enabled          integer not null,
    is_paused           integer not null default 0,
    is_deleted          integer not null default 0,
    tags                text not null,
    queue               text not null,
    priority            integer not null check (priority between -100 and 100),
    job_group           text,
    concurrency_policy  text not null,
    max_concurrency     integer check (max_concurrency >= 1),
    -- How many may run at once, all told: max_concurrency, or 1 under Forbid and Replace. Null: no limit.
    running_limit       integer check (running_limit >= 1),
    created_by          text,
    last_modified_by    text,
    created_at          integer not null,
    updated_at          integer not null,
    version             integer not null
) strict;
create unique index jobs_live_name on jobs (tenant_id, name) where is_deleted = 0;
create index jobs_by_tenant on jobs (tenant_id, id);

-- The next slot of each job that fires; the planner's compare-and-set works on this row.
create table job_slots (
    job_id       blob primary key references jobs (id) on delete cascade,
    tenant_id    blob not null,
    next_run_at  integer not null
) strict;
create index job_slots_due on job_slots (next_run_at);
create index job_slots_by_tenant on job_slots (tenant_id, next_run_at);

-- One row a job, made with it; written with each batch of ends.
create table job_counters (
    job_id                blob primary key references jobs (id) on delete cascade,
    tenant_id             blob not null,
    succeeded             integer not null default 0,
    failed                integer not null default 0,
    cancelled             integer not null default 0,
    duration_ms           integer not null default 0,
    consecutive_failures  integer not null default 0,
    last_state            integer,
    last_started_at       integer,
    last_completed_at     integer,
    last_duration_ms      integer
) strict;
create index job_counters_by_tenant on job_counters (tenant_id);

-- How long a job's executions took: a sparse histogram (DurationBucket).
create table job_durations (
    job_id   blob not null references jobs (id) on delete cascade,
    bucket   integer not null,
    count    integer not null,
    primary key (job_id, bucket)
) strict;

-- Ends per bucket of time, of a tenant (scope_id = tenant_id) and of a job (scope_id = job_id). width in seconds.
create table rollups (
    scope_id      blob not null,
    width         integer not null,
    bucket_start  integer not null,
    tenant_id     blob not null references tenants (id) on delete cascade,
    succeeded     integer not null default 0,
    failed        integer not null default 0,
    cancelled     integer not null default 0,
    started       integer not null default 0,
    stopped       integer not null default 0,
    duration_ms   integer not null default 0,
    primary key (scope_id, width, bucket_start)
) strict;
create index rollups_by_age on rollups (width, bucket_start);

-- state: 0 while it lives (execution_queue has the truth), 2 Succeeded, 3 Failed, 4 Cancelled.
-- No foreign key to jobs: the enqueue statement joins the job, and purging a job removes its executions.
create table executions (
    id                blob primary key,
    tenant_id         blob not null,
    job_id            blob not null,
    trigger           text not null,
    triggered_by      text not null,
    queue             text not null,
    priority          integer not null,
    payload           text,
    scheduled_for     integer not null,
    created_at        integer not null,
    retry_parent_id   blob,
    state             integer not null default 0,
    attempt           integer not null default 0,
    lost              integer not null default 0,
    started_at        integer,
    completed_at      integer,
    worker            text,
    output            text,
    output_truncated  integer not null default 0,
    error             text,
    items_processed   integer
) strict;
create index executions_by_job on executions (job_id, id);
create index executions_by_tenant on executions (tenant_id, id);

-- Live executions. state: 0 ready, 1 running, 2 waiting for run_at, 3 ready, but under a limit that must be counted.
-- fence counts claims; who reports must name the fence that it claimed with.
create table execution_queue (
    id           blob primary key,
    tenant_id    blob not null,
    job_id       blob not null,
    queue        text not null,
    state        integer not null,
    priority     integer not null,
    attempt      integer not null default 0,
    lost         integer not null default 0,
    fence        integer not null default 0,
    run_at       integer not null,
    gated        integer not null default 0,
    node_id      blob,
    worker       text,
    started_at   integer,
    lease_until  integer,
    progress     integer,
    unique_key   text
) strict;
create index execution_queue_ready on execution_queue (tenant_id, priority desc, id) where state = 0;
create index execution_queue_gated on execution_queue (tenant_id, queue, job_id, priority desc, id) where state = 3;
create index execution_queue_waiting on execution_queue (run_at) where state = 2;
create index execution_queue_leases on execution_queue (lease_until) where state = 1;
create index execution_queue_by_job on execution_queue (job_id, state);
create unique index execution_queue_unique on execution_queue (job_id, unique_key) where unique_key is not null;

-- What happened to executions out of the ordinary.
create table execution_events (
    seq                 integer primary key,
    execution_id        blob not null,
    tenant_id           blob not null,
    job_id              blob not null,
    at                  integer not null,
    kind                text not null,
    attempt             integer not null,
    attempt_started_at  integer,
    source              text not null,
    message             text not null,
    error               text
) strict;
create index execution_events_by_execution on execution_events (execution_id, seq);
create index execution_events_by_job on execution_events (job_id);

-- Slots that fired nothing, and why.
create table skipped_slots (
    seq          integer primary key,
    job_id       blob not null references jobs (id) on delete cascade,
    tenant_id    blob not null,
    first_slot   integer not null,
    last_slot    integer not null,
    count        integer not null,
    reason       text not null,
    recorded_at  integer not null
) strict;
create index skipped_slots_by_job on skipped_slots (job_id, seq);
create index skipped_slots_by_age on skipped_slots (recorded_at);

-- Queues that somebody configured; any other queue has no limits. gated: claiming from it must count or wait.
create table queues (
    tenant_id              blob not null references tenants (id) on delete cascade,
    name                   text not null,
    max_concurrency        integer check (max_concurrency >= 1),
    max_length             integer check (max_length >= 0),
    rate_limit_per_second  integer check (rate_limit_per_second >= 1),
    paused                 integer not null default 0,
    gated                  integer not null default 0,
    -- The rate limit's token bucket: how many may start now, and when that was reckoned.
    rate_tokens            real not null default 0,
    rate_at                integer,
    primary key (tenant_id, name)
) strict;

create table api_keys (
    id            blob primary key,
    tenant_id     blob not null references tenants (id) on delete cascade,
    name          text not null,
    scopes        text not null,
    secret_hash   blob not null,
    created_by    text not null,
    created_at    integer not null,
    expires_at    integer,
    last_used_at  integer,
    revoked_at    integer
) strict;
create index api_keys_by_tenant on api_keys (tenant_id, id);

create table idempotency_records (
    tenant_id     blob not null references tenants (id) on delete cascade,
    key           text not null,
    fingerprint   blob not null,
    created_at    integer not null,
    status        integer,
    location      text,
    etag          text,
    content_type  text,
    body          blob,
    primary key (tenant_id, key)
) strict;
create index idempotency_records_by_age on idempotency_records (tenant_id, created_at);
