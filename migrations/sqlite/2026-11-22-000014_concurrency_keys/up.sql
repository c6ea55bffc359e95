-- Concurrency keys: what executions of any job and queue have in common that limits can be set on. Nearly all have none.

alter table executions add column concurrency_key text;

-- limited_key: the concurrency_key while that has limits, otherwise empty. What waits under the same limits is a group.
alter table execution_queue add column concurrency_key text;
alter table execution_queue add column limited_key text not null default '';
create index execution_queue_by_key on execution_queue (tenant_id, concurrency_key, state)
    where concurrency_key is not null;
drop index execution_queue_gated;
create index execution_queue_gated on execution_queue (tenant_id, queue, job_id, limited_key, priority desc, id)
    where state = 3;

-- Keys that somebody limited; any other has no limits.
create table key_limits (
    tenant_id              blob not null references tenants (id) on delete cascade,
    key                    text not null,
    max_concurrency        integer check (max_concurrency >= 1),
    rate_limit_per_second  integer check (rate_limit_per_second >= 1),
    -- The rate limit's token bucket: how many may start now, and when that was reckoned.
    rate_tokens            real not null default 0,
    rate_at                integer,
    primary key (tenant_id, key)
) strict;
