-- Callbacks: what a submitter wants to be told once an execution is over, and what "recently changed" is told by.

-- Recorded with the execution; due_at is set by the transaction that ends it, delivery_id by the one that accepts the
-- execution which delivers it. Without a url there is nothing to deliver: only the submitter's own reference is kept.
create table callbacks (
    execution_id  uuid primary key references executions (id) on delete cascade,
    tenant_id     uuid not null,
    url           text,
    reference     jsonb,
    due_at        timestamptz,
    delivery_id   uuid
);
create index callbacks_due on callbacks (due_at) where due_at is not null and delivery_id is null;

-- The secret that a tenant's callbacks are signed with, sealed.
create table signing_secrets (
    tenant_id   uuid primary key references tenants (id) on delete cascade,
    sealed      text not null,
    created_at  timestamptz not null
);

-- callback: whoever ends the execution has a callback to make due; all others never look.
-- requeued_at: when an attempt was last taken back for another one.
alter table execution_queue
    add column callback boolean not null default false,
    add column requeued_at timestamptz;
create index execution_queue_requeued on execution_queue (tenant_id, requeued_at) where requeued_at is not null;

-- Executions that ended long after they were accepted. What was accepted lately is found by its id; an index on
-- executions.completed_at would find the rest, and would end the HOT updates of that table for all of them.
create table late_ends (
    tenant_id     uuid not null,
    completed_at  timestamptz not null,
    execution_id  uuid not null,
    primary key (tenant_id, completed_at, execution_id)
);
