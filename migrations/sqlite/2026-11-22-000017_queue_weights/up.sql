-- A queue's part of its tenant's starts while more waits than can start. All queues of the weight 100 are one beside those
-- that have another.
alter table queues add column weight integer not null default 100 check (weight >= 1);
