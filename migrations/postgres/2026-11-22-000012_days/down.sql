drop table retention;

alter table executions rename to executions_by_day;
alter table executions_by_day rename constraint executions_pkey to executions_by_day_pkey;
alter index executions_by_job rename to executions_by_day_by_job;
alter index executions_partial rename to executions_by_day_partial;
create table executions (like executions_by_day including defaults, primary key (id)) with (fillfactor = 50);
insert into executions select * from executions_by_day;
drop table executions_by_day;
create index executions_by_job on executions (job_id, id);
create index executions_by_tenant on executions (tenant_id, id);
create index executions_partial on executions (tenant_id, id) where partial;

alter table execution_events rename to execution_events_by_day;
alter table execution_events_by_day rename constraint execution_events_pkey to execution_events_by_day_pkey;
alter index execution_events_by_job rename to execution_events_by_day_by_job;
alter table execution_events_by_day alter column seq drop identity;
create table execution_events (
    like execution_events_by_day,
    primary key (execution_id, seq)
);
insert into execution_events select * from execution_events_by_day;
drop table execution_events_by_day;
alter table execution_events alter column seq add generated always as identity;
select setval(pg_get_serial_sequence('execution_events', 'seq'), (select coalesce(max(seq), 0) + 1 from execution_events),
    false);
create index execution_events_by_job on execution_events (job_id);

alter table late_ends rename to late_ends_by_day;
alter table late_ends_by_day rename constraint late_ends_pkey to late_ends_by_day_pkey;
create table late_ends (like late_ends_by_day, primary key (tenant_id, completed_at, execution_id));
insert into late_ends select * from late_ends_by_day;
drop table late_ends_by_day;

delete from callbacks c where not exists (select from executions e where e.id = c.execution_id);
alter table callbacks add foreign key (execution_id) references executions (id) on delete cascade;
delete from agent_tasks t where not exists (select from executions e where e.id = t.execution_id);
alter table agent_tasks add foreign key (execution_id) references executions (id) on delete cascade;
