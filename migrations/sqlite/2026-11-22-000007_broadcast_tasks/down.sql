alter table agent_tasks drop column broadcast;
