drop table late_ends;
drop index execution_queue_requeued;
alter table execution_queue drop column requeued_at;
alter table execution_queue drop column callback;
drop table signing_secrets;
drop table callbacks;
