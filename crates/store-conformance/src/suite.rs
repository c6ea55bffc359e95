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
            the_answers_are_in_the_order_of_the_batch
            a_unique_key_admits_one_live_execution
            a_unique_key_is_free_again_once_its_execution_has_ended
            a_unique_key_belongs_to_one_job
            a_unique_key_holds_against_concurrent_submitters
            a_job_that_does_not_exist_takes_no_execution
            a_full_queue_refuses_the_next_execution
            a_queue_fills_to_its_limit_exactly_under_concurrent_submitters
            an_empty_batch_is_accepted
        });
        $crate::suite!(@$make claim {
            a_claimed_execution_comes_with_all_that_running_it_needs
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
