drop table key_limits;

-- What only the limit of a key held waits for nothing any more.
update execution_queue set gated = 0, state = case state when 3 then 0 else state end
where limited_key <> ''
  and not exists (select 1 from jobs j where j.id = execution_queue.job_id and j.running_limit is not null)
  and not exists (
    select 1 from queues p where p.tenant_id = execution_queue.tenant_id and p.name = execution_queue.queue and p.gated = 1
  );

drop index execution_queue_gated;
drop index execution_queue_by_key;
alter table execution_queue drop column limited_key;
alter table execution_queue drop column concurrency_key;
create index execution_queue_gated on execution_queue (tenant_id, queue, job_id, priority desc, id) where state = 3;
alter table executions drop column concurrency_key;
