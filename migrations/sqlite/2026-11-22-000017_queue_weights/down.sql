alter table queues drop column weight;
