drop table idempotency_records, api_keys, queues, skipped_slots, execution_events, execution_queue, executions,
    rollups, job_durations, job_counters, job_slots, jobs, tenants;
