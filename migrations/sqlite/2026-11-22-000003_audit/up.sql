-- Who changed what. Rows are added, and deleted once their time is over, and never changed: the triggers refuse it.
-- There is no foreign key to tenants: what was done to a tenant that is gone stays on record.

create table audit_log (
    id              blob primary key,
    tenant_id       blob not null,
    at              integer not null,
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
    version_before  integer,
    version_after   integer,
    -- The HTTP status; 0 where the caller went away before there was one.
    status          integer not null,
    address         text,
    user_agent      text,
    request_id      text not null
) strict;
-- Ids sort by time. Every filter of a list has its index, so that no list goes through the whole of it.
create index audit_log_by_tenant on audit_log (tenant_id, id);
create index audit_log_by_actor on audit_log (tenant_id, actor_id, id);
create index audit_log_by_action on audit_log (tenant_id, action, id);
create index audit_log_by_target_before on audit_log (tenant_id, target_before, id) where target_before is not null;
create index audit_log_by_target_after on audit_log (tenant_id, target_after, id) where target_after is not null;

-- One row: entries from before this instant may be deleted.
create table audit_horizon (
    only_row   integer primary key check (only_row = 1),
    kept_from  integer not null
) strict;
insert into audit_horizon values (1, 0);

create trigger audit_log_no_update before update on audit_log
begin
    select raise(abort, 'audit_log is append-only');
end;

create trigger audit_log_no_delete before delete on audit_log
when old.at >= (select kept_from from audit_horizon)
begin
    select raise(abort, 'audit_log is append-only');
end;
