drop index agent_tasks_leased;
