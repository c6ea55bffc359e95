-- Tenants, jobs, executions, and the queue that executions wait in.
-- docs/architecture.md, "Storage", explains the shape. In short:
--   * an execution is written twice, when it is accepted and when it is over; while it lives, the narrow
--     execution_queue row holds its state. No index and no predicate covers a column that the second write changes,
--     so that write stays on its page (HOT);
--   * what changes often (slots, counters) is kept apart from what is wide (definitions).

create table tenants (
    id          uuid primary key,
    slug        text not null unique,
    name        text not null,
    is_active   boolean not null default true,
    created_at  timestamptz not null
);

create table jobs (
    id                  uuid primary key,
    tenant_id           uuid not null references tenants (id) on delete cascade,
    name                text not null,
    description         text,
    job_type            text not null,
    configuration       jsonb not null,
    schedule            jsonb not null,
    misfire_policy      text not null,
    retry_policy        jsonb not null,
    timeout_seconds     integer not null check (timeout_seconds >= 1),
    is_enabled          boolean not null,
    is_paused           boolean not null default false,
    is_deleted          boolean not null default false,
    tags                jsonb not null,
    queue               text not null,
    priority            smallint not null check (priority between -100 and 100),
    job_group           text,
    concurrency_policy  text not null,
    max_concurrency     integer check (max_concurrency >= 1),
    -- How many may run at once, all told: max_concurrency, or 1 under Forbid and Replace. Null: no limit.
    running_limit       integer check (running_limit >= 1),
    created_by          text,
    last_modified_by    text,
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    version             bigint not null
);
create unique index jobs_live_name on jobs (tenant_id, name) where not is_deleted;
create index jobs_by_tenant on jobs (tenant_id, id);

-- The next slot of each job that fires; the planner's compare-and-set works on this row.
create table job_slots (
    job_id       uuid primary key references jobs (id) on delete cascade,
    tenant_id    uuid not null,
    next_run_at  timestamptz not null
);
create index job_slots_due on job_slots (next_run_at);
create index job_slots_by_tenant on job_slots (tenant_id, next_run_at);

-- One row a job, made with it; written with each batch of ends.
create table job_counters (
    job_id                uuid primary key references jobs (id) on delete cascade,
    tenant_id             uuid not null,
    succeeded             bigint not null default 0,
    failed                bigint not null default 0,
    cancelled             bigint not null default 0,
    duration_ms           bigint not null default 0,
    consecutive_failures  integer not null default 0,
    last_state            smallint,
    last_started_at       timestamptz,
    last_completed_at     timestamptz,
    last_duration_ms      bigint
) with (fillfactor = 70);
create index job_counters_by_tenant on job_counters (tenant_id);

-- How long a job's executions took: a sparse histogram (DurationBucket).
create table job_durations (
    job_id   uuid not null references jobs (id) on delete cascade,
    bucket   smallint not null,
    count    bigint not null,
    primary key (job_id, bucket)
) with (fillfactor = 70);

-- Ends per bucket of time, of a tenant (scope_id = tenant_id) and of a job (scope_id = job_id). width in seconds.
create table rollups (
    scope_id      uuid not null,
    width         integer not null,
    bucket_start  timestamptz not null,
    tenant_id     uuid not null references tenants (id) on delete cascade,
    succeeded     bigint not null default 0,
    failed        bigint not null default 0,
    cancelled     bigint not null default 0,
    started       bigint not null default 0,
    stopped       bigint not null default 0,
    duration_ms   bigint not null default 0,
    primary key (scope_id, width, bucket_start)
) with (fillfactor = 70);
create index rollups_by_age on rollups (width, bucket_start);

-- state: 0 while it lives (execution_queue has the truth), 2 Succeeded, 3 Failed, 4 Cancelled.
-- No foreign key to jobs: the enqueue statement joins the job, and purging a job removes its executions.
create table executions (
    id                uuid primary key,
    tenant_id         uuid not null,
    job_id            uuid not null,
    trigger           text not null,
    triggered_by      text not null,
    queue             text not null,
    priority          smallint not null,
    payload           jsonb,
    scheduled_for     timestamptz not null,
    created_at        timestamptz not null,
    retry_parent_id   uuid,
    state             smallint not null default 0,
    attempt           smallint not null default 0,
    lost              smallint not null default 0,
    started_at        timestamptz,
    completed_at      timestamptz,
    worker            text,
    output            text,
    output_truncated  boolean not null default false,
    error             text,
    items_processed   bigint
) with (fillfactor = 50);
create index executions_by_job on executions (job_id, id);
create index executions_by_tenant on executions (tenant_id, id);

-- Live executions. state: 0 ready, 1 running, 2 waiting for run_at, 3 ready, but under a limit that must be counted.
-- fence counts claims; who reports must name the fence that it claimed with.
create table execution_queue (
    id           uuid primary key,
    tenant_id    uuid not null,
    job_id       uuid not null,
    queue        text not null,
    state        smallint not null,
    priority     smallint not null,
    attempt      smallint not null default 0,
    lost         smallint not null default 0,
    fence        integer not null default 0,
    run_at       timestamptz not null,
    gated        boolean not null default false,
    node_id      uuid,
    worker       text,
    started_at   timestamptz,
    lease_until  timestamptz,
    progress     smallint,
    unique_key   text
) with (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.1
);
create index execution_queue_ready on execution_queue (tenant_id, priority desc, id) where state = 0;
create index execution_queue_gated on execution_queue (tenant_id, queue, job_id, priority desc, id) where state = 3;
create index execution_queue_waiting on execution_queue (run_at) where state = 2;
create index execution_queue_leases on execution_queue (lease_until) where state = 1;
create index execution_queue_by_job on execution_queue (job_id, state);
create unique index execution_queue_unique on execution_queue (job_id, unique_key) where unique_key is not null;

-- What happened to executions out of the ordinary.
create table execution_events (
    execution_id        uuid not null,
    seq                 bigint generated always as identity,
    tenant_id           uuid not null,
    job_id              uuid not null,
    at                  timestamptz not null,
    kind                text not null,
    attempt             smallint not null,
    attempt_started_at  timestamptz,
    source              text not null,
    message             text not null,
    error               text,
    primary key (execution_id, seq)
);
create index execution_events_by_job on execution_events (job_id);

-- Slots that fired nothing, and why.
create table skipped_slots (
    job_id       uuid not null references jobs (id) on delete cascade,
    seq          bigint generated always as identity,
    tenant_id    uuid not null,
    first_slot   timestamptz not null,
    last_slot    timestamptz not null,
    count        bigint not null,
    reason       text not null,
    recorded_at  timestamptz not null,
    primary key (job_id, seq)
);
create index skipped_slots_by_age on skipped_slots (recorded_at);

-- Queues that somebody configured; any other queue has no limits. gated: claiming from it must count or wait.
create table queues (
    tenant_id              uuid not null references tenants (id) on delete cascade,
    name                   text not null,
    max_concurrency        integer check (max_concurrency >= 1),
    max_length             integer check (max_length >= 0),
    rate_limit_per_second  integer check (rate_limit_per_second >= 1),
    paused                 boolean not null default false,
    gated                  boolean not null default false,
    -- The rate limit's token bucket: how many may start now, and when that was reckoned.
    rate_tokens            double precision not null default 0,
    rate_at                timestamptz,
    primary key (tenant_id, name)
);

create table api_keys (
    id            uuid primary key,
    tenant_id     uuid not null references tenants (id) on delete cascade,
    name          text not null,
    scopes        jsonb not null,
    secret_hash   bytea not null,
    created_by    text not null,
    created_at    timestamptz not null,
    expires_at    timestamptz,
    last_used_at  timestamptz,
    revoked_at    timestamptz
);
create index api_keys_by_tenant on api_keys (tenant_id, id);

create table idempotency_records (
    tenant_id     uuid not null references tenants (id) on delete cascade,
    key           text not null,
    fingerprint   bytea not null,
    created_at    timestamptz not null,
    status        smallint,
    location      text,
    etag          text,
    content_type  text,
    body          bytea,
    primary key (tenant_id, key)
);
create index idempotency_records_by_age on idempotency_records (tenant_id, created_at);
