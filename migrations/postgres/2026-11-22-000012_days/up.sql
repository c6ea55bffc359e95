-- The history by days: executions and their events by their ids, which tell when they were accepted; late ends by when
-- they were. What retention no longer keeps is dropped, a day at a time, instead of being deleted row by row.
--
-- No key of its own for an id: whoever looks for an execution knows its tenant, and one index less is written with each.
-- No foreign keys to executions: a drop would have to check them. Who deletes executions deletes what belongs to them.

-- In the order in which nodes that are at work take them.
lock table executions, late_ends, callbacks, execution_events, agent_tasks in access exclusive mode;

alter table callbacks drop constraint callbacks_execution_id_fkey;
alter table agent_tasks drop constraint agent_tasks_execution_id_fkey;

-- What there is becomes the part before all others, without being copied.
alter table executions rename to executions_before;
alter table executions_before drop constraint executions_pkey;
drop index executions_by_tenant;
alter table executions_before add constraint executions_before_pkey primary key (tenant_id, id);
alter index executions_by_job rename to executions_before_by_job;
alter index executions_partial rename to executions_before_partial;

alter table execution_events rename to execution_events_before;
alter table execution_events_before rename constraint execution_events_pkey to execution_events_before_pkey;
alter index execution_events_by_job rename to execution_events_before_by_job;

alter table late_ends rename to late_ends_before;
alter table late_ends_before rename constraint late_ends_pkey to late_ends_before_pkey;

create table executions (
    like executions_before including defaults,
    primary key (tenant_id, id)
) partition by range (id);
create index executions_by_job on executions (job_id, id);
-- Those few that failed although part of the work is done.
create index executions_partial on executions (tenant_id, id) where partial;

create table execution_events (
    like execution_events_before including identity,
    primary key (execution_id, seq)
) partition by range (execution_id);
create index execution_events_by_job on execution_events (job_id);

create table late_ends (
    like late_ends_before,
    primary key (tenant_id, completed_at, execution_id)
) partition by range (completed_at);

-- What no prepared day has room for, so that nothing is ever refused for its time.
create table executions_other partition of executions default with (fillfactor = 50);
create table execution_events_other partition of execution_events default;
create table late_ends_other partition of late_ends default;

do $$
declare
    -- The first day that is kept apart. What is accepted until then still goes where everything was.
    first_day date := (now() at time zone 'utc')::date + 1;
    first_time timestamptz := first_day::timestamp at time zone 'utc';
    first_id uuid :=
        (lpad(to_hex((extract(epoch from first_day) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid;
    suffix text := 'until_' || to_char(first_day, 'YYYYMMDD');
begin
    if exists (select from executions_before) then
        with later as (delete from executions_before where id >= first_id returning *)
        insert into executions select * from later;
        execute format('alter table executions attach partition executions_before for values from (minvalue) to (%L)',
            first_id);
        execute format('alter table executions_before rename to executions_%s', suffix);
    else
        drop table executions_before;
    end if;

    perform setval(pg_get_serial_sequence('execution_events', 'seq'),
        (select coalesce(max(seq), 0) + 1 from execution_events_before), false);
    if exists (select from execution_events_before) then
        alter table execution_events_before alter column seq drop identity;
        with later as (delete from execution_events_before where execution_id >= first_id returning *)
        insert into execution_events overriding system value select * from later;
        execute format('alter table execution_events attach partition execution_events_before '
            'for values from (minvalue) to (%L)', first_id);
        execute format('alter table execution_events_before rename to execution_events_%s', suffix);
    else
        drop table execution_events_before;
    end if;

    if exists (select from late_ends_before) then
        with later as (delete from late_ends_before where completed_at >= first_time returning *)
        insert into late_ends select * from later;
        execute format('alter table late_ends attach partition late_ends_before for values from (minvalue) to (%L)',
            first_time);
        execute format('alter table late_ends_before rename to late_ends_%s', suffix);
    else
        drop table late_ends_before;
    end if;
end
$$;

-- From when on a tenant keeps what ended, as its retention said last. A tenant without a row keeps everything. A day that
-- no tenant keeps is dropped.
create table retention (
    tenant_id  uuid primary key references tenants (id) on delete cascade,
    kept_from  timestamptz not null
);
