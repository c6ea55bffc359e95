-- How often an execution is tried, where its submitter said other than its job's retry policy. Null: as the job says.
alter table executions add column max_attempts integer;
