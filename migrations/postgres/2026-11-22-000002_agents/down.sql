alter table job_counters drop column partial;
drop index executions_partial;
alter table executions drop column partial;
drop table agent_tasks, agents;
