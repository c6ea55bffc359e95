-- Callbacks: what a submitter wants to be told once an execution is over, and what "recently changed" is told by.

-- Recorded with the execution; due_at is set by the transaction that ends it, delivery_id by the one that accepts the
-- execution which delivers it. Without a url there is nothing to deliver: only the submitter's own reference is kept.
create table callbacks (
    execution_id  blob primary key references executions (id) on delete cascade,
    tenant_id     blob not null,
    url           text,
    reference     text,
    due_at        integer,
    delivery_id   blob
) strict;
create index callbacks_due on callbacks (due_at) where due_at is not null and delivery_id is null;

-- The secret that a tenant's callbacks are signed with, sealed.
create table signing_secrets (
    tenant_id   blob primary key references tenants (id) on delete cascade,
    sealed      text not null,
    created_at  integer not null
) strict;

-- callback: whoever ends the execution has a callback to make due; all others never look.
-- requeued_at: when an attempt was last taken back for another one.
alter table execution_queue add column callback integer not null default 0;
alter table execution_queue add column requeued_at integer;
create index execution_queue_requeued on execution_queue (tenant_id, requeued_at) where requeued_at is not null;

-- Executions that ended long after they were accepted. What was accepted lately is found by its id.
create table late_ends (
    tenant_id     blob not null,
    completed_at  integer not null,
    execution_id  blob not null,
    primary key (tenant_id, completed_at, execution_id)
) strict, without rowid;
