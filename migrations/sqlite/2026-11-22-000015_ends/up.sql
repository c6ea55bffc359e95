-- How an execution ended that did not end well: 3 failed, 4 cancelled, 5 failed in part. It stays null while an execution
-- lives and when it succeeds, so these few are found among millions.
alter table executions add column ended_otherwise integer;
drop index executions_partial;
create index executions_ended_otherwise on executions (tenant_id, ended_otherwise, id)
    where ended_otherwise is not null;
create index executions_by_job_ended_otherwise on executions (job_id, ended_otherwise, id)
    where ended_otherwise is not null;

update executions set ended_otherwise = case when partial = 1 then 5 else state end where state in (3, 4);
