-- People who signed in to the dashboard. The browser holds 256 random bits; here is their SHA-256.
create table dashboard_sessions (
    hash             bytea primary key,
    tenant_id        uuid not null references tenants (id) on delete cascade,
    -- Where somebody who may act in any tenant chose to act. Not a foreign key: one that is gone is said to be.
    acting_in        uuid,
    -- Either an API key, with the hash of the secret that was shown, or what a token said.
    key_id           uuid,
    key_secret_hash  bytea,
    claims           jsonb,
    opened_at        timestamptz not null,
    idle_at          timestamptz not null,
    expires_at       timestamptz not null,
    check ((claims is null) = (key_id is not null) and (key_id is null) = (key_secret_hash is null))
);
create index dashboard_sessions_by_end on dashboard_sessions (idle_at);
create index dashboard_sessions_by_tenant on dashboard_sessions (tenant_id);
