-- Agents, what they work on, and executions that failed on some hosts of a broadcast only.

create table agents (
    id             uuid primary key,
    tenant_id      uuid not null references tenants (id) on delete cascade,
    hostname       text not null,
    labels         jsonb not null,
    operations     jsonb not null,
    facts          jsonb not null,
    version        text not null,
    draining       boolean not null default false,
    leaving        boolean not null default false,
    registered_at  timestamptz not null,
    last_seen_at   timestamptz not null,
    unique (tenant_id, hostname)
);

-- One host's part of an execution; slot names the host, or is '_any'. hostname: who has or had it.
-- state: 0 pending, 1 leased, 2 completed, 3 failed, 4 skipped, 5 timed out, 6 cancelled.
-- fence counts leases; who reports must name the fence that it leased with.
create table agent_tasks (
    id               uuid primary key,
    tenant_id        uuid not null references tenants (id) on delete cascade,
    execution_id     uuid not null references executions (id) on delete cascade,
    slot             text not null,
    hostname         text,
    operation        text not null,
    data             jsonb not null,
    timeout_seconds  integer not null,
    state            smallint not null default 0,
    fence            integer not null default 0,
    attempt          smallint not null default 0,
    round            smallint not null,
    created_at       timestamptz not null,
    deadline_at      timestamptz not null,
    leased_at        timestamptz,
    lease_until      timestamptz,
    ended_at         timestamptz,
    result           jsonb,
    changed          boolean,
    error            text,
    retryable        boolean not null default true,
    duration_ms      bigint,
    unique (execution_id, slot)
);
create index agent_tasks_by_tenant on agent_tasks (tenant_id);
create index agent_tasks_pending on agent_tasks (tenant_id, slot, id) where state = 0;
create index agent_tasks_open on agent_tasks (execution_id) where state <= 1;

-- Failed although part of the work is done. It stays false for all but those few, so it costs no update its page.
alter table executions add column partial boolean not null default false;
create index executions_partial on executions (tenant_id, id) where partial;
alter table job_counters add column partial bigint not null default 0;
