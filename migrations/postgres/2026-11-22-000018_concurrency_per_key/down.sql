-- What only such a limit held waits for nothing any more.
update execution_queue set limited_key = ''
where limited_key <> '' and not exists (
    select 1 from key_limits k where k.tenant_id = execution_queue.tenant_id and k.key = execution_queue.limited_key
);
update execution_queue set gated = false, state = case state when 3 then 0 else state end
where concurrency_key is not null and limited_key = '' and gated = true
  and not exists (select 1 from jobs j where j.id = execution_queue.job_id and j.running_limit is not null)
  and not exists (
    select 1 from queues p
    where p.tenant_id = execution_queue.tenant_id and p.name = execution_queue.queue and p.gated = true
  );
alter table jobs drop column max_concurrency_per_key;
