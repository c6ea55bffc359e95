-- What the ids of a request's executions follow from. Null: the request was begun before there were seeds.
alter table idempotency_records add column seed blob;
