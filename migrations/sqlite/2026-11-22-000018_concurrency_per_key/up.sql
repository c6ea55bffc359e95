-- How many executions of a job with the same concurrency key may run at once. Null: as many as the key's own limits let.
alter table jobs add column max_concurrency_per_key integer check (max_concurrency_per_key >= 1);
