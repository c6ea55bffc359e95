drop table key_limits;

-- What only the limit of a key held waits for nothing any more.
update execution_queue q set gated = false, state = case state when 3 then 0 else state end
where limited_key <> ''
  and not exists (select from jobs j where j.id = q.job_id and j.running_limit is not null)
  and not exists (select from queues p where p.tenant_id = q.tenant_id and p.name = q.queue and p.gated);

drop index execution_queue_gated;
drop index execution_queue_by_key;
alter table execution_queue drop column limited_key;
alter table execution_queue drop column concurrency_key;
create index execution_queue_gated on execution_queue (tenant_id, queue, job_id, priority desc, id) where state = 3;
alter table executions drop column concurrency_key;
