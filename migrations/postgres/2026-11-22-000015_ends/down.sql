drop index executions_by_job_ended_otherwise;
drop index executions_ended_otherwise;
alter table executions drop column ended_otherwise;
create index executions_partial on executions (tenant_id, id) where partial;
