-- Who changed what. Rows are added, and deleted once their time is over, and never changed: the triggers refuse it.
-- There is no foreign key to tenants: what was done to a tenant that is gone stays on record.

create table audit_log (
    id              uuid primary key,
    tenant_id       uuid not null,
    at              timestamptz not null,
    actor_kind      text not null,
    actor_id        text not null,
    actor_name      text,
    actor_email     text,
    action          text not null,
    method          text not null,
    route           text not null,
    target_kind     text,
    -- What was named by the call, and what there is after it: another execution after a retry, nothing after a deletion.
    target_before   text,
    target_after    text,
    version_before  bigint,
    version_after   bigint,
    -- The HTTP status; 0 where the caller went away before there was one.
    status          smallint not null,
    address         text,
    user_agent      text,
    request_id      text not null
);
-- Ids sort by time. Every filter of a list has its index, so that no list goes through the whole of it.
create index audit_log_by_tenant on audit_log (tenant_id, id);
create index audit_log_by_actor on audit_log (tenant_id, actor_id, id);
create index audit_log_by_action on audit_log (tenant_id, action, id);
create index audit_log_by_target_before on audit_log (tenant_id, target_before, id) where target_before is not null;
create index audit_log_by_target_after on audit_log (tenant_id, target_after, id) where target_after is not null;

-- One row: entries from before this instant may be deleted.
create table audit_horizon (
    only_row   smallint primary key check (only_row = 1),
    kept_from  timestamptz not null
);
insert into audit_horizon values (1, 'epoch');

create function audit_log_append_only() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and old.at < (select kept_from from audit_horizon) then
        return old;
    end if;
    raise exception 'audit_log is append-only';
end
$$;
create trigger audit_log_append_only before update or delete on audit_log
    for each row execute function audit_log_append_only();
create trigger audit_log_no_truncate before truncate on audit_log
    for each statement execute function audit_log_append_only();
