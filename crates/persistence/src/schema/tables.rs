//! The tables of `migrations/`, column by column. A test compares them with both databases.

diesel::table! {
    use diesel::sql_types::{Bool, Text};
    use crate::schema::types::{Id, Ts};

    tenants (id) {
        id -> Id,
        slug -> Text,
        name -> Text,
        is_active -> Bool,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text};
    use crate::schema::types::{Id, Js, Ts};

    jobs (id) {
        id -> Id,
        tenant_id -> Id,
        name -> Text,
        description -> Nullable<Text>,
        job_type -> Text,
        configuration -> Js,
        schedule -> Js,
        misfire_policy -> Text,
        retry_policy -> Js,
        timeout_seconds -> Integer,
        is_enabled -> Bool,
        is_paused -> Bool,
        is_deleted -> Bool,
        tags -> Js,
        queue -> Text,
        priority -> SmallInt,
        job_group -> Nullable<Text>,
        concurrency_policy -> Text,
        max_concurrency -> Nullable<Integer>,
        running_limit -> Nullable<Integer>,
        created_by -> Nullable<Text>,
        last_modified_by -> Nullable<Text>,
        created_at -> Ts,
        updated_at -> Ts,
        version -> BigInt,
        max_concurrency_per_key -> Nullable<Integer>,
    }
}

diesel::table! {

    use crate::schema::types::{Id, Ts};

    job_slots (job_id) {
        job_id -> Id,
        tenant_id -> Id,
        next_run_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt};
    use crate::schema::types::{Id, Ts};

    job_counters (job_id) {
        job_id -> Id,
        tenant_id -> Id,
        succeeded -> BigInt,
        failed -> BigInt,
        cancelled -> BigInt,
        duration_ms -> BigInt,
        consecutive_failures -> Integer,
        last_state -> Nullable<SmallInt>,
        last_started_at -> Nullable<Ts>,
        last_completed_at -> Nullable<Ts>,
        last_duration_ms -> Nullable<BigInt>,
        partial -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, SmallInt};
    use crate::schema::types::{Id};

    job_durations (job_id, bucket) {
        job_id -> Id,
        bucket -> SmallInt,
        count -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer};
    use crate::schema::types::{Id, Ts};

    rollups (scope_id, width, bucket_start) {
        scope_id -> Id,
        width -> Integer,
        bucket_start -> Ts,
        tenant_id -> Id,
        succeeded -> BigInt,
        failed -> BigInt,
        cancelled -> BigInt,
        started -> BigInt,
        stopped -> BigInt,
        duration_ms -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text};
    use crate::schema::types::{Id, Js, Ts};

    executions (id) {
        id -> Id,
        tenant_id -> Id,
        job_id -> Id,
        trigger -> Text,
        triggered_by -> Text,
        queue -> Text,
        priority -> SmallInt,
        payload -> Nullable<Js>,
        scheduled_for -> Ts,
        created_at -> Ts,
        retry_parent_id -> Nullable<Id>,
        state -> SmallInt,
        attempt -> SmallInt,
        lost -> SmallInt,
        started_at -> Nullable<Ts>,
        completed_at -> Nullable<Ts>,
        worker -> Nullable<Text>,
        output -> Nullable<Text>,
        output_truncated -> Bool,
        error -> Nullable<Text>,
        items_processed -> Nullable<BigInt>,
        partial -> Bool,
        max_attempts -> Nullable<SmallInt>,
        concurrency_key -> Nullable<Text>,
        ended_otherwise -> Nullable<SmallInt>,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Integer, Nullable, SmallInt, Text};
    use crate::schema::types::{Id, Ts};

    execution_queue (id) {
        id -> Id,
        tenant_id -> Id,
        job_id -> Id,
        queue -> Text,
        state -> SmallInt,
        priority -> SmallInt,
        attempt -> SmallInt,
        lost -> SmallInt,
        fence -> Integer,
        run_at -> Ts,
        gated -> Bool,
        node_id -> Nullable<Id>,
        worker -> Nullable<Text>,
        started_at -> Nullable<Ts>,
        lease_until -> Nullable<Ts>,
        progress -> Nullable<SmallInt>,
        unique_key -> Nullable<Text>,
        callback -> Bool,
        requeued_at -> Nullable<Ts>,
        concurrency_key -> Nullable<Text>,
        limited_key -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
    use crate::schema::types::{Id, Ts};

    execution_events (execution_id, seq) {
        execution_id -> Id,
        seq -> BigInt,
        tenant_id -> Id,
        job_id -> Id,
        at -> Ts,
        kind -> Text,
        attempt -> SmallInt,
        attempt_started_at -> Nullable<Ts>,
        source -> Text,
        message -> Text,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::schema::types::{Id, Ts};

    skipped_slots (job_id, seq) {
        job_id -> Id,
        seq -> BigInt,
        tenant_id -> Id,
        first_slot -> Ts,
        last_slot -> Ts,
        count -> BigInt,
        reason -> Text,
        recorded_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Double, Integer, Nullable, Text};
    use crate::schema::types::{Id, Ts};

    queues (tenant_id, name) {
        tenant_id -> Id,
        name -> Text,
        max_concurrency -> Nullable<Integer>,
        max_length -> Nullable<Integer>,
        rate_limit_per_second -> Nullable<Integer>,
        paused -> Bool,
        gated -> Bool,
        rate_tokens -> Double,
        rate_at -> Nullable<Ts>,
        weight -> Integer,
    }
}

diesel::table! {
    use diesel::sql_types::{Double, Integer, Nullable, Text};
    use crate::schema::types::{Id, Ts};

    key_limits (tenant_id, key) {
        tenant_id -> Id,
        key -> Text,
        max_concurrency -> Nullable<Integer>,
        rate_limit_per_second -> Nullable<Integer>,
        rate_tokens -> Double,
        rate_at -> Nullable<Ts>,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Double, Integer, Nullable};
    use crate::schema::types::{Id, Ts};

    tenant_limits (tenant_id) {
        tenant_id -> Id,
        weight -> Integer,
        max_concurrency -> Nullable<Integer>,
        rate_limit_per_second -> Nullable<Integer>,
        gated -> Bool,
        rate_tokens -> Double,
        rate_at -> Nullable<Ts>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use crate::schema::types::{Id, Js, Ts};

    api_keys (id) {
        id -> Id,
        tenant_id -> Id,
        name -> Text,
        scopes -> Js,
        secret_hash -> Binary,
        created_by -> Text,
        created_at -> Ts,
        expires_at -> Nullable<Ts>,
        last_used_at -> Nullable<Ts>,
        revoked_at -> Nullable<Ts>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable};
    use crate::schema::types::{Id, Js, Ts};

    dashboard_sessions (hash) {
        hash -> Binary,
        tenant_id -> Id,
        acting_in -> Nullable<Id>,
        key_id -> Nullable<Id>,
        key_secret_hash -> Nullable<Binary>,
        claims -> Nullable<Js>,
        opened_at -> Ts,
        idle_at -> Ts,
        expires_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, SmallInt, Text};
    use crate::schema::types::{Id, Ts};

    idempotency_records (tenant_id, key) {
        tenant_id -> Id,
        key -> Text,
        fingerprint -> Binary,
        created_at -> Ts,
        status -> Nullable<SmallInt>,
        location -> Nullable<Text>,
        etag -> Nullable<Text>,
        content_type -> Nullable<Text>,
        body -> Nullable<Binary>,
        seed -> Nullable<Id>,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use crate::schema::types::{Id, Js, Ts};

    callbacks (execution_id) {
        execution_id -> Id,
        tenant_id -> Id,
        url -> Nullable<Text>,
        reference -> Nullable<Js>,
        due_at -> Nullable<Ts>,
        delivery_id -> Nullable<Id>,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use crate::schema::types::{Id, Ts};

    signing_secrets (tenant_id) {
        tenant_id -> Id,
        sealed -> Text,
        created_at -> Ts,
    }
}

diesel::table! {
    use crate::schema::types::{Id, Ts};

    late_ends (tenant_id, completed_at, execution_id) {
        tenant_id -> Id,
        completed_at -> Ts,
        execution_id -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
    use crate::schema::types::{Id, Ts};

    audit_log (id) {
        id -> Id,
        tenant_id -> Id,
        at -> Ts,
        actor_kind -> Text,
        actor_id -> Text,
        actor_name -> Nullable<Text>,
        actor_email -> Nullable<Text>,
        action -> Text,
        method -> Text,
        route -> Text,
        target_kind -> Nullable<Text>,
        target_before -> Nullable<Text>,
        target_after -> Nullable<Text>,
        version_before -> Nullable<BigInt>,
        version_after -> Nullable<BigInt>,
        status -> SmallInt,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        request_id -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Text};
    use crate::schema::types::{Id, Js, Ts};

    agents (id) {
        id -> Id,
        tenant_id -> Id,
        hostname -> Text,
        labels -> Js,
        operations -> Js,
        facts -> Js,
        version -> Text,
        draining -> Bool,
        leaving -> Bool,
        registered_at -> Ts,
        last_seen_at -> Ts,
        session -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::SmallInt;
    use crate::schema::types::Ts;

    audit_horizon (only_row) {
        only_row -> SmallInt,
        kept_from -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text};
    use crate::schema::types::{Id, Js, Ts};

    agent_tasks (id) {
        id -> Id,
        tenant_id -> Id,
        execution_id -> Id,
        slot -> Text,
        broadcast -> Bool,
        hostname -> Nullable<Text>,
        operation -> Text,
        data -> Js,
        timeout_seconds -> Integer,
        state -> SmallInt,
        fence -> Integer,
        attempt -> SmallInt,
        round -> SmallInt,
        created_at -> Ts,
        deadline_at -> Ts,
        leased_at -> Nullable<Ts>,
        lease_until -> Nullable<Ts>,
        ended_at -> Nullable<Ts>,
        result -> Nullable<Js>,
        changed -> Nullable<Bool>,
        error -> Nullable<Text>,
        retryable -> Bool,
        duration_ms -> Nullable<BigInt>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    tenants,
    agents,
    agent_tasks,
    jobs,
    job_slots,
    job_counters,
    job_durations,
    rollups,
    executions,
    execution_queue,
    execution_events,
    skipped_slots,
    queues,
    tenant_limits,
    key_limits,
    api_keys,
    dashboard_sessions,
    idempotency_records,
    callbacks,
    signing_secrets,
    late_ends,
    audit_log,
    audit_horizon
);
