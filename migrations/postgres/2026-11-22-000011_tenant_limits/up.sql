-- What tenants may use of the workers that all share; a tenant without a row has no limits and the weight 100.
-- gated: claiming its executions must count.
create table tenant_limits (
    tenant_id              uuid primary key references tenants (id) on delete cascade,
    weight                 integer not null check (weight >= 1),
    max_concurrency        integer check (max_concurrency >= 1),
    rate_limit_per_second  integer check (rate_limit_per_second >= 1),
    gated                  boolean not null,
    -- The rate limit's token bucket: how many may start now, and when that was reckoned.
    rate_tokens            double precision not null default 0,
    rate_at                timestamptz
);
