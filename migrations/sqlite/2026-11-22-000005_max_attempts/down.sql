alter table executions drop column max_attempts;
