drop table late_ends;
drop index execution_queue_requeued;
alter table execution_queue drop column callback, drop column requeued_at;
drop table signing_secrets;
drop table callbacks;
