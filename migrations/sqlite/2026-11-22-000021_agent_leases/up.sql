-- What agents have now, for whoever looks at a host.
create index agent_tasks_leased on agent_tasks (tenant_id, hostname) where state = 1;
