-- Agents, what they work on, and executions that failed on some hosts of a broadcast only.

create table agents (
    id             blob primary key,
    tenant_id      blob not null references tenants (id) on delete cascade,
    hostname       text not null,
    labels         text not null,
    operations     text not null,
    facts          text not null,
    version        text not null,
    draining       integer not null default 0,
    leaving        integer not null default 0,
    registered_at  integer not null,
    last_seen_at   integer not null,
    unique (tenant_id, hostname)
) strict;

-- One host's part of an execution; slot names the host, or is '_any'. hostname: who has or had it.
-- state: 0 pending, 1 leased, 2 completed, 3 failed, 4 skipped, 5 timed out, 6 cancelled.
-- fence counts leases; who reports must name the fence that it leased with.
create table agent_tasks (
    id               blob primary key,
    tenant_id        blob not null references tenants (id) on delete cascade,
    execution_id     blob not null references executions (id) on delete cascade,
    slot             text not null,
    hostname         text,
    operation        text not null,
    data             text not null,
    timeout_seconds  integer not null,
    state            integer not null default 0,
    fence            integer not null default 0,
    attempt          integer not null default 0,
    round            integer not null,
    created_at       integer not null,
    deadline_at      integer not null,
    leased_at        integer,
    lease_until      integer,
    ended_at         integer,
    result           text,
    changed          integer,
    error            text,
    retryable        integer not null default 1,
    duration_ms      integer,
    unique (execution_id, slot)
) strict;
create index agent_tasks_by_tenant on agent_tasks (tenant_id);
create index agent_tasks_pending on agent_tasks (tenant_id, slot, id) where state = 0;
create index agent_tasks_open on agent_tasks (execution_id) where state <= 1;

-- Failed although part of the work is done.
alter table executions add column partial integer not null default 0;
create index executions_partial on executions (tenant_id, id) where partial = 1;
alter table job_counters add column partial integer not null default 0;
