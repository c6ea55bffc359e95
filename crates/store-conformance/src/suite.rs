//! The list of the cases, and the macro that makes tests of them.

/// Makes a module of tests, one per case, for the store that `$harness`, a function without arguments, opens:
/// `async fn() -> Harness`, called once per case.
#[macro_export]
macro_rules! suite {
    ($name:ident, $harness:expr) => {
        mod $name {
            #[allow(unused_imports)] // the expression may name things in full
            use super::*;

            async fn harness() -> $crate::Harness {
                ($harness)().await
            }

            $crate::suite!(@each tests);
        }
    };

    (@tests $module:ident { $($case:ident)* }) => {
        mod $module {
            $(
                #[test]
                fn $case() {
                    $crate::run(super::harness(), $crate::$module::$case);
                }
            )*
        }
    };

    (@listed $module:ident { $($case:ident)* }) => {
        #[test]
        fn $module() {
            assert_eq!(cases_in(include_str!(concat!(stringify!($module), ".rs"))), [$(stringify!($case)),*]);
        }
    };

    (@each $make:ident) => {
        $crate::suite!(@$make enqueue {
            a_submitted_execution_waits_and_can_be_read_back
            the_same_execution_submitted_again_is_accepted_once
            a_batch_submitted_again_admits_nothing_more
            the_answers_are_in_the_order_of_the_batch
            a_unique_key_admits_one_live_execution
            a_unique_key_is_free_again_once_its_execution_has_ended
            what_is_noted_of_an_execution_that_is_over_frees_no_unique_key
            a_unique_key_belongs_to_one_job
            a_unique_key_holds_against_concurrent_submitters
            a_job_that_does_not_exist_takes_no_execution
            a_full_queue_refuses_the_next_execution
            a_queue_fills_to_its_limit_exactly_under_concurrent_submitters
            an_empty_batch_is_accepted
        });
        $crate::suite!(@$make audit {
            an_entry_is_read_back_as_it_was_written
            an_audit_log_is_walked_from_the_newest_to_the_oldest
            an_audit_log_is_filtered_by_actor_action_target_and_time
            another_tenants_entries_are_not_shown
            what_is_past_its_time_is_deleted_a_batch_at_a_time_and_nothing_else
            what_is_noted_of_executions_is_written_with_those_that_are_accepted
            a_batch_is_noted_with_the_first_and_the_last_of_it_that_are_accepted
            an_execution_with_a_callback_is_noted_if_it_is_accepted
            an_entry_that_is_there_stays_as_it_is
        });
        $crate::suite!(@$make claim {
            a_claimed_execution_comes_with_all_that_running_it_needs
            an_execution_tells_how_often_it_is_to_be_tried
            higher_priority_goes_first_and_then_the_older
            a_claim_takes_no_more_than_it_asks_for
            an_execution_of_a_later_time_waits_until_it_is_promoted
            a_promotion_takes_the_longest_due_first
            two_promoters_at_once_promote_each_execution_once
            two_claimers_at_once_never_share_an_execution
            each_claim_of_an_execution_counts_an_attempt_and_raises_the_fence
            the_executions_of_an_inactive_tenant_still_run
            the_executions_of_a_deleted_job_still_run
        });
        $crate::suite!(@$make fairness {
            a_tenants_long_queue_does_not_keep_anothers_execution_waiting
            priority_counts_within_a_tenant_and_not_against_others
            what_one_tenant_leaves_of_its_share_the_others_take
            a_node_that_claims_one_by_one_serves_every_tenant
            more_tenants_than_a_batch_holds_are_all_served_in_turn
            a_queue_with_limits_is_served_beside_another_tenants_long_queue
            a_queue_with_limits_is_served_beside_its_own_tenants_long_queue
            what_a_limit_holds_back_does_not_hold_back_the_rest
            what_is_under_a_limit_is_served_within_a_few_claims_and_takes_nothing_from_the_rest
        });
        $crate::suite!(@$make gates {
            a_queues_concurrency_limit_holds_over_two_nodes
            the_limit_holds_for_what_is_promoted_and_what_is_taken_over
            a_queue_of_the_same_name_elsewhere_has_its_own_limits
            a_paused_queue_starts_nothing_until_it_is_resumed
            what_runs_when_its_queue_is_paused_runs_on
            a_rate_limit_spreads_starts_over_time
            limits_that_change_are_followed_by_what_waits_already
            a_jobs_concurrency_limit_holds_over_two_nodes
            a_jobs_limit_that_changes_is_followed_by_what_waits_already
            forbid_and_replace_let_one_run_at_a_time
            every_limit_that_concerns_an_execution_is_kept
            a_sweep_finds_nothing_to_mend_after_ordinary_changes
            limits_hold_while_they_change_under_load
        });
        $crate::suite!(@$make tenant_limits {
            a_tenants_limits_are_kept_until_they_are_lifted
            a_tenants_concurrency_limit_holds_over_two_nodes_and_all_queues
            a_tenants_rate_limit_spreads_its_starts_over_time
            a_tenants_limits_that_change_are_followed_by_what_waits_already
            what_a_tenants_limit_holds_back_takes_nothing_from_the_rest
            more_limited_tenants_than_a_claim_looks_at_are_all_served
            starts_follow_the_weights_of_tenants
            weights_hold_for_a_node_that_claims_one_by_one
            a_weight_takes_nothing_that_another_tenant_leaves
            a_tenant_under_a_limit_has_its_share_beside_one_that_is_not
        });
        $crate::suite!(@$make key_limits {
            the_limits_of_a_key_are_read_back_until_they_are_lifted
            limited_keys_are_listed_in_the_order_of_their_characters
            a_keys_concurrency_limit_holds_over_two_nodes_and_all_jobs_and_queues
            a_keys_rate_limit_spreads_its_starts_over_time
            the_limits_of_a_key_that_change_are_followed_by_what_waits_already
            a_key_that_is_freed_leaves_other_limits_as_they_were
            the_same_key_of_another_tenant_is_another_key
            what_a_key_holds_back_takes_nothing_from_the_rest
            a_job_may_limit_each_of_its_keys
            a_jobs_limit_of_each_key_that_changes_is_followed_by_what_waits_already
            an_execution_keeps_its_key_through_all_its_attempts
            more_limited_keys_than_a_claim_looks_at_are_all_served
            a_sweep_brings_keys_under_limits_that_changed_meanwhile
        });
        $crate::suite!(@$make queue_weights {
            starts_follow_the_weights_of_a_tenants_queues
            a_queues_weight_is_nothing_to_other_tenants
            a_queue_takes_what_others_leave_of_their_weights
            a_weight_is_lifted_for_what_waits_already
        });
        $crate::suite!(@$make secrets {
            payloads_with_sealed_secrets_are_found_and_replaced
            the_urls_of_callbacks_are_found_and_replaced
            the_data_of_tasks_with_sealed_secrets_is_found_and_replaced
        });
        $crate::suite!(@$make settle {
            a_success_is_kept_with_all_that_the_handler_gave
            an_empty_output_is_not_the_same_as_none
            a_failure_is_kept_with_its_error
            a_requeued_execution_waits_for_its_next_attempt
            an_execution_requeued_for_now_is_claimable_at_once
            a_requeued_execution_keeps_its_place_in_the_order
            a_snooze_gives_the_attempt_back
            a_lost_attempt_is_counted_as_lost
            every_attempt_is_told_in_the_detail
            the_end_of_the_last_attempt_may_be_told_by_an_event_too
            an_end_is_written_once
            two_nodes_that_end_one_attempt_at_once_write_one_end
            a_result_of_a_worker_that_was_replaced_is_refused
            a_lease_that_was_never_given_ends_nothing
            a_result_of_an_execution_that_was_cancelled_is_refused
            the_reaper_does_not_take_a_lease_that_was_renewed_meanwhile
            the_answers_are_in_the_order_of_the_batch
            one_batch_may_hold_the_ends_of_many_jobs_and_tenants
            what_is_over_never_changes
        });
        $crate::suite!(@$make leases {
            a_renewed_lease_runs_out_later
            an_expired_lease_tells_who_had_what
            the_longest_expired_come_first
            a_renewal_tells_which_leases_are_still_held
            many_leases_are_renewed_at_once
            progress_is_shown_while_the_lease_is_held
        });
        $crate::suite!(@$make callbacks {
            a_callback_is_read_back_as_it_was_asked_for
            an_execution_submitted_again_is_called_back_once
            a_callback_becomes_due_with_the_end_of_its_execution
            a_callback_becomes_due_however_the_execution_ends
            a_callback_without_a_url_is_never_due
            an_execution_that_is_not_accepted_leaves_no_callback
            a_queue_fills_to_its_limit_exactly_with_callbacks_too
            callbacks_come_the_longest_due_first
            of_two_nodes_that_hand_over_a_callback_one_delivers_it
            a_delivery_that_is_refused_leaves_the_callback_due_later
            another_tenant_cannot_deliver_a_callback
            a_callback_goes_with_its_execution
            the_first_signing_secret_holds_until_it_is_replaced
        });
        $crate::suite!(@$make cancel {
            a_waiting_execution_will_not_start
            a_running_execution_is_cancelled_at_once
            an_execution_that_waits_for_its_next_attempt_keeps_the_story_of_the_first
            what_is_over_cannot_be_cancelled
            what_is_not_there_or_anothers_cannot_be_cancelled
            a_cancellation_and_a_claim_at_once_agree
            a_cancellation_and_an_end_at_once_leave_one_of_them
        });
        $crate::suite!(@$make planning {
            due_jobs_come_soonest_first
            what_is_due_is_fired_as_it_was_decided
            planners_share_what_is_due_and_leave_nothing
            a_job_that_is_paused_disabled_or_deleted_is_not_due
            the_jobs_of_an_inactive_tenant_are_not_due
            a_fired_slot_becomes_an_execution_and_the_job_moves_on
            an_execution_with_jitter_waits_for_its_own_time
            a_schedule_that_has_ended_fires_no_more
            a_slot_fires_once_however_many_planners_come_to_it
            a_superseded_firing_writes_nothing
            the_answers_are_in_the_order_of_the_batch
            a_job_that_changed_since_it_was_due_is_not_fired
            a_change_decided_on_a_slot_that_fired_meanwhile_is_a_conflict
            another_tenants_job_cannot_be_fired
            skipped_slots_are_recorded_latest_first
            forbid_skips_a_slot_while_an_earlier_execution_is_live
            forbid_accepts_one_of_several_slots_of_one_firing
            forbid_heeds_what_somebody_triggered
            replace_cancels_what_is_live_and_tells_what_ran
            replace_leaves_other_jobs_alone
            a_full_queue_skips_the_slot
            what_is_fired_is_held_to_the_limits_of_its_queue_and_job
        });
        $crate::suite!(@$make jobs {
            a_definition_is_read_back_as_it_was_written
            a_new_jobs_slot_is_kept
            a_name_is_unique_among_a_tenants_live_jobs
            a_name_is_free_again_once_its_job_is_deleted
            of_two_that_create_a_name_at_once_one_succeeds
            a_change_replaces_the_definition
            a_change_of_an_older_version_is_refused
            of_two_changes_at_once_one_is_written
            a_job_cannot_take_the_name_of_another
            what_is_not_there_or_anothers_cannot_be_changed
            a_list_shows_what_its_filter_asks_for
            a_search_takes_its_text_literally_and_without_regard_to_case
            a_list_is_sorted_as_asked_and_ties_by_id
            what_has_no_value_comes_last_whichever_way_it_is_sorted
            the_pages_of_a_list_show_each_job_once
            the_latest_run_and_the_failures_in_a_row_are_told
            an_end_that_is_written_late_is_not_the_latest
            failures_in_a_row_follow_the_order_of_a_batch
            jobs_that_keep_failing_come_worst_first
            a_purge_removes_the_job_and_its_whole_history
            a_purge_is_refused_while_an_execution_runs
            a_purge_of_an_older_version_is_refused
            a_deleted_job_can_be_purged
            an_import_is_all_or_nothing
            an_upsert_writes_over_the_job_of_the_same_name
            an_upsert_does_not_bring_back_a_deleted_job
            an_upsert_that_changes_a_limit_is_followed_by_what_waits_already
            definitions_are_found_over_all_tenants
            all_definitions_are_gone_through_in_the_order_of_their_ids
        });
        $crate::suite!(@$make executions {
            an_execution_is_found_by_its_tenant_only
            several_executions_are_read_in_full_in_the_order_asked_for
            an_execution_shows_its_jobs_present_name
            a_list_shows_what_the_detail_shows
            a_list_shows_what_its_filter_asks_for
            both_bounds_of_a_span_are_part_of_it
            what_started_long_after_it_was_accepted_is_found_by_its_start
            those_that_started_in_a_span_are_counted_up_to_a_number
            what_has_no_counters_is_counted_up_to_a_number
            several_ways_to_end_come_in_one_order
            the_pages_of_a_list_show_each_execution_once
            a_walk_with_a_cursor_visits_each_execution_once
            an_event_is_added_to_the_story_in_the_order_of_recording
            what_was_accepted_lately_is_recent
            what_changed_lately_is_recent_however_old_it_is
            recent_executions_are_the_newest_first_up_to_the_limit
            what_horarium_does_for_itself_is_not_recent
            text_that_no_database_keeps_does_not_stop_an_end_from_being_written
            large_values_are_kept_whole
            a_payload_of_null_is_not_the_same_as_none
            instants_at_the_edges_of_time_are_kept
        });
        $crate::suite!(@$make figures {
            counters_and_rollups_equal_a_recount_after_a_random_workload
            counters_hold_when_two_nodes_settle_at_once
            a_bucket_holds_what_happened_within_it
            a_timeline_tells_since_when_what_runs_has_been_running
            statistics_tell_how_long_runs_took
            a_run_that_took_no_time_is_counted_as_such
            the_dashboard_counts_jobs_by_their_standing
            the_dashboard_tells_of_the_last_day_and_of_today
            the_dashboard_tells_what_comes_next
            an_empty_tenants_figures_are_zero
            an_attempt_that_is_followed_by_another_is_no_end
            the_jobs_that_run_are_told_from_the_others
        });
        $crate::suite!(@$make groups {
            a_groups_figures_are_those_of_its_jobs_alone
            the_oldest_of_a_group_is_the_first_to_become_due
            the_last_run_of_a_group_is_no_cancellation
            what_a_deleted_job_left_behind_still_counts
            a_failure_that_is_deleted_counts_no_more
            a_groups_list_shows_what_its_filter_asks_for
            a_walk_through_a_group_visits_each_of_its_executions_once
            of_many_jobs_of_a_group_the_newest_executions_are_shown
        });
        $crate::suite!(@$make retention {
            pruning_takes_what_ended_before_and_leaves_the_rest
            pruning_goes_on_where_its_limit_stopped_it
            pruning_takes_executions_out_of_the_counters_and_not_out_of_the_rollups
            a_day_that_is_over_goes_and_what_outlives_it_stays
            a_day_that_another_tenant_keeps_is_kept_for_that_one
            tenants_that_keep_the_same_lose_the_same
            nothing_is_refused_for_the_time_that_its_id_tells
            a_pruned_execution_takes_its_events_along
            one_that_is_over_can_be_deleted_by_itself
            old_rollups_and_skipped_slots_go_and_recent_ones_stay
            a_fresh_database_is_sound
        });
        $crate::suite!(@$make isolation {
            another_tenants_things_are_not_there
            a_busy_tenant_leaves_anothers_view_as_it_was
            one_tenants_name_slug_or_key_says_nothing_of_anothers
        });
        $crate::suite!(@$make tenants {
            a_tenant_is_found_by_its_id_and_by_its_slug
            a_tenant_comes_with_the_jobs_that_every_tenant_has
            an_id_or_slug_that_is_taken_makes_no_tenant
            of_two_that_create_a_tenant_at_once_one_succeeds
            tenants_are_listed_by_slug
            a_tenants_name_and_activity_can_be_changed
            a_deleted_tenant_takes_everything_along
            a_tenant_is_not_deleted_while_an_execution_of_it_runs
        });
        $crate::suite!(@$make keys {
            a_key_is_read_back_as_it_was_written
            a_tenants_keys_are_listed_newest_first
            a_key_can_be_rotated_and_revoked
            a_revocation_is_not_undone_by_a_rotation
            the_last_use_of_a_key_never_goes_back
            keys_that_are_long_over_are_deleted
        });
        $crate::suite!(@$make sessions {
            a_session_is_read_back_as_it_was_opened
            a_session_lasts_longer_when_it_is_used
            a_session_is_sent_to_another_tenant_and_home_again
            a_closed_session_is_closed_on_every_node
            sessions_that_are_over_are_deleted_a_batch_at_a_time
            sessions_go_with_their_tenant
        });
        $crate::suite!(@$make agents {
            an_agent_is_read_back_as_it_registered
            an_agent_that_registers_again_is_the_same_and_says_what_it_is_now
            agents_are_listed_by_hostname_and_by_when_they_were_heard_of
            a_session_ends_when_its_agent_registers_again_or_leaves
            agents_that_were_heard_of_are_alive
            an_agent_can_be_drained_and_removed
            agents_that_nothing_is_heard_of_are_forgotten_but_for_drained_ones
            a_task_is_made_once_however_often_it_is_asked_for
            an_agent_leases_what_is_for_its_host_and_what_any_may_take
            what_any_may_take_waits_for_one_that_can_do_it
            agents_that_ask_at_once_never_share_a_task
            a_reported_end_is_kept_and_a_second_one_refused
            answers_to_reports_are_in_the_order_of_the_batch
            a_heartbeat_keeps_what_is_held_and_names_it
            a_lost_agents_work_goes_to_another_and_its_late_report_is_refused
            nodes_that_find_a_lost_agent_at_once_note_it_once
            a_silent_host_times_out_and_the_others_answers_stand
            what_any_may_take_outlives_the_deadline_of_the_agent_that_was_lost_with_it
            what_is_for_one_agent_waits_while_that_one_lives
            silence_is_excused_where_nobody_listened
            a_task_that_takes_its_agents_down_is_given_up
            a_task_that_is_handed_back_goes_on_elsewhere_and_does_not_count
            a_lease_that_never_reached_its_agent_leaves_no_trace
            the_tasks_of_an_execution_that_is_over_are_cancelled
            another_round_repairs_what_failed_and_leaves_the_rest
            what_agents_have_now_is_told_by_host
            another_tenants_agents_and_tasks_are_not_there
            a_partial_failure_is_a_failure_that_can_be_told_apart
            tasks_go_with_their_execution
        });
        $crate::suite!(@$make queues {
            limits_are_read_back_as_they_were_set
            pausing_a_queue_leaves_its_other_limits
            a_queue_that_is_paused_and_resumed_holds_back_what_its_limits_say
            a_queue_that_nobody_knows_is_empty_and_without_limits
            queues_are_listed_by_name_with_what_they_hold
            the_totals_are_over_all_tenants
        });
        $crate::suite!(@$make idempotency {
            a_repeated_request_hears_the_first_answer
            a_key_used_for_another_request_is_told
            each_tenant_and_each_key_stands_for_itself
            a_released_key_is_as_good_as_new
            a_reservation_whose_caller_died_is_taken_over_with_its_seed
            who_lost_a_reservation_cannot_touch_it
            an_abandoned_key_is_taken_over_at_once
            an_answer_is_forgotten_in_the_end
            of_many_that_reserve_a_key_at_once_one_succeeds
            of_many_that_take_over_a_dead_reservation_at_once_one_succeeds
            old_records_are_deleted
        });
        $crate::suite!(@$make signals {
            a_signal_reaches_the_other_node_where_there_is_one
            what_is_accepted_and_told_of_reaches_the_other_node
            many_cancellations_reach_the_other_node_in_parts
            a_signal_that_nobody_hears_is_no_error
        });
        $crate::suite!(@$make races {
            a_change_and_a_firing_of_a_slot_do_not_both_happen
            a_purge_and_a_claim_do_not_both_happen
            a_purge_leaves_no_execution_that_is_accepted_meanwhile
            a_deleted_tenant_leaves_no_execution_that_is_accepted_meanwhile
            a_purge_leaves_no_execution_that_is_fired_meanwhile
            a_cancellation_holds_against_a_promotion
            a_cancellation_holds_against_a_further_attempt
            submitters_that_meet_in_opposite_orders_both_get_their_answers
            planners_that_meet_in_opposite_orders_fire_each_slot_once
            an_end_and_a_change_of_the_job_are_both_kept
        });
        $crate::suite!(@$make bulk {
            thousands_go_through_their_whole_life_in_one_call_each
            thousands_wait_for_their_time_and_are_promoted_together
            hundreds_of_jobs_are_imported_and_fired_together
            a_replacement_cancels_however_many_wait
        });
    };
}

#[cfg(test)]
mod every_case_is_listed {
    /// The names of the cases in a module's source, in their order.
    fn cases_in(source: &str) -> Vec<&str> {
        let starts = source.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        starts.filter_map(|rest| rest.split_once('(').map(|(name, _)| name)).collect()
    }

    crate::suite!(@each listed);
}
