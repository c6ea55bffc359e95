alter table idempotency_records drop column seed;
