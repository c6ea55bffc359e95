-- Whether a task is one answer of a broadcast, whose host must have taken it by its deadline. Any other waits for an agent
-- that is busy.
alter table agent_tasks add column broadcast integer not null default 0;
