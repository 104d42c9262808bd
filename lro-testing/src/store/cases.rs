//! The cases, by topic. A doc comment such as `spec:27` cites the item of the
//! standard, as docs/reference/guarantees.md in the repository numbers it, that the case proves.

mod cancellation;
mod children;
mod claims;
mod completion;
mod concurrency;
mod counts;
mod debts;
mod deletion;
mod events;
mod filters;
mod forgetting;
mod history;
mod keys;
mod leases;
mod lists;
mod payloads;
mod retention;
mod scripts;
mod starts;
mod steps;
mod suspects;
mod suspension;
mod updates;

use super::suite::Case;

/// The one list of cases: hands it to the named macro, behind the other arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_store_case {
    ($macro:ident, $($arguments:tt)*) => {
        $crate::$macro! {
            $($arguments)*
            starts:
                a_start_keeps_every_field
                a_start_keeps_what_is_left_out
                a_started_operation_is_readable_at_once
                born_claimed_is_running_from_the_first_commit
                born_claimed_with_a_later_ready_time_stays_pending
                a_ready_time_in_the_past_is_now
                a_batch_answers_each_element_in_order
                a_refused_element_does_not_disturb_its_neighbours
                the_elements_of_a_batch_see_those_before
                an_empty_batch_is_nothing
                a_name_is_taken_until_its_operation_is_removed
                names_are_compared_byte_for_byte
                a_uid_that_is_taken_is_refused
                concurrent_starts_of_one_name_make_one
                concurrent_starts_of_many_names_all_stand;
            keys:
                a_repeated_request_id_gives_the_first_operation
                a_repetition_is_not_claimed_anew
                another_request_under_the_same_id_is_refused
                a_request_id_counts_within_its_parent
                a_request_id_counts_within_its_method
                the_parts_of_a_request_key_do_not_run_together
                concurrent_repetitions_make_one_operation
                a_request_id_lasts_as_long_as_its_operation
                a_hidden_operation_still_answers_for_its_request_id
                a_refused_start_does_not_consume_its_request_id
                a_repetition_comes_before_a_name_that_is_taken
                an_exclusive_key_is_held_while_unfinished
                an_exclusive_key_is_free_after_every_end
                an_exclusive_key_is_held_by_a_deleted_operation_that_runs
                removing_a_done_holder_leaves_the_key_to_the_next
                concurrent_starts_of_one_exclusive_key_make_one;
            claims:
                a_claim_makes_running_and_gives_the_lease
                the_longest_ready_is_claimed_first
                of_equally_long_ready_ones_the_oldest_is_claimed_first
                the_longest_ready_is_claimed_first_across_methods
                a_claim_keeps_the_limit_of_each_method_and_of_all
                nothing_is_claimed_before_its_ready_time
                a_claim_tells_when_the_next_is_ready
                a_claim_tells_when_a_lease_may_be_over
                a_claim_that_left_ready_ones_is_to_be_repeated_at_once
                methods_that_are_not_hosted_are_left_alone
                a_running_operation_is_not_claimed
                fence_and_attempt_rise_with_each_claim
                a_claim_lasts_as_long_as_it_says
                concurrent_claims_share_without_overlap;
            leases:
                a_renewal_counts_from_the_clock_of_the_store
                a_renewal_may_bring_metadata
                a_renewal_tells_that_cancellation_is_wanted
                a_stale_fence_cannot_renew
                a_lease_that_is_over_makes_pending_again
                one_claim_turns_back_and_claims
                an_exclusive_store_expires_no_lease_that_is_held
                a_lease_is_good_until_its_end
                a_lease_is_good_in_its_last_moment
                a_renewed_lease_is_not_over
                a_checkpoint_renews_the_lease
                a_late_renewal_is_valid_until_another_claim
                a_holder_that_lost_its_lease_is_refused
                a_lost_worker_aborts_what_is_not_to_resume
                a_lost_worker_fails_what_has_no_attempt_left
                a_lost_worker_cancels_what_is_cancelling
                a_lost_worker_of_a_deleted_operation_that_ends_removes_it
                leases_of_methods_that_are_not_hosted_expire_too
                many_leases_that_are_over_come_back_in_bounded_steps
                a_claim_of_nothing_turns_back_what_is_over_too
                a_batch_of_renewals_answers_each;
            suspects:
                operations_that_are_lost_together_use_up_no_attempt
                an_operation_that_is_lost_alone_uses_up_an_attempt
                leases_that_expire_one_after_the_other_are_lost_together
                a_worker_that_renews_was_not_lost
                a_deletion_does_not_hide_a_shared_loss
                a_claim_after_an_outage_leaves_leases_that_are_over
                a_checkpoint_acquits
                a_claim_takes_as_many_suspects_as_it_allows
                an_operation_with_two_losses_is_claimed_alone
                a_suspect_can_be_cancelled_and_deleted_while_it_waits;
            updates:
                a_checkpoint_is_kept_until_the_end
                a_checkpoint_may_bring_metadata
                a_checkpoint_outlives_a_retry
                a_response_ends_it
                an_error_keeps_its_details_to_the_byte
                a_code_is_never_ok_and_may_be_unknown
                an_error_with_the_code_cancelled_is_a_cancellation
                an_empty_error_keeps_being_one
                metadata_is_kept_after_the_end
                the_end_may_bring_the_last_metadata
                done_is_final
                a_stale_fence_cannot_finish
                concurrent_finishes_have_one_winner
                a_retry_pauses_and_counts
                the_last_retry_fails_with_its_error
                a_release_counts_no_attempt
                expire_turns_back_a_lease_that_is_not_over
                commands_in_a_batch_apply_in_order
                a_refused_command_does_not_disturb_its_neighbours
                every_command_for_an_unknown_name_is_not_found
                the_time_of_the_last_write_never_goes_back;
            cancellation:
                a_pending_operation_is_cancelled_at_once
                a_running_operation_keeps_the_wish
                the_holder_ends_a_cancelled_operation
                an_operation_may_complete_after_a_cancel
                a_cancelling_operation_does_not_run_again
                a_repeated_cancel_changes_nothing
                cancelling_a_done_operation_changes_nothing
                cancelling_an_unknown_operation_is_not_found
                the_backlog_counts_what_is_ready_by_method
                a_deleted_operation_is_cancelled_by_its_name;
            deletion:
                a_done_operation_is_removed
                deleting_a_running_operation_hides_it
                a_hidden_operation_is_still_its_holders
                a_hidden_operation_is_removed_at_every_end
                a_second_delete_is_not_found
                a_removed_name_begins_anew
                a_holder_of_a_former_operation_of_the_name_changes_nothing
                a_hidden_name_is_taken_until_the_end
                a_pending_operation_that_is_deleted_runs_unseen;
            lists:
                an_unknown_name_or_parent_is_nothing
                lists_are_newest_first
                the_page_token_key_is_created_once
                the_order_of_lists_is_that_of_create_times_then_of_uids
                lists_show_public_parts_in_every_state
                a_page_ends_before_it_has_too_many_bytes
                parents_are_compared_by_segments
                open_segments_list_across_collections
                a_list_does_not_descend
                hidden_operations_are_left_out_of_pages
                the_end_of_a_list_is_exact
                the_limit_may_change_between_pages
                neither_new_nor_removed_ones_disturb_the_pages
                what_is_removed_ahead_does_not_hide_others
                a_cursor_may_be_used_again
                pages_of_one_parent_skip_those_of_others;
            filters:
                every_case_of_the_table_of_filters
                what_is_looked_at_for_a_page_is_bounded
                hidden_and_removed_operations_match_no_filter
                filters_of_seed_1_find_what_the_evaluator_finds
                filters_of_seed_2_find_what_the_evaluator_finds
                filters_of_seed_3_find_what_the_evaluator_finds
                filters_of_seed_4_find_what_the_evaluator_finds;
            counts:
                operations_are_counted_by_method_and_state
                hidden_and_removed_operations_are_not_counted
                a_count_that_its_bound_stops_says_so;
            history:
                the_only_attempt_keeps_its_worker
                every_attempt_is_kept
                an_attempt_that_ends_the_operation_in_any_way_is_kept
                the_last_ten_attempts_are_kept
                who_cancelled_and_why_is_kept
                who_deleted_and_why_is_kept;
            retention:
                a_done_operation_is_purged_when_its_time_has_come
                what_has_not_ended_is_never_purged
                a_purge_is_bounded
                each_operation_is_kept_as_long_as_its_policy_says
                a_purged_operation_leaves_its_name_and_keys
                a_removed_operation_is_not_purged_again
                retention_without_end_does_not_overflow;
            payloads:
                large_payloads_are_kept
                an_empty_payload_is_not_a_missing_one
                payloads_of_unknown_types_are_kept
                every_byte_is_kept
                names_in_unicode_are_kept
                the_longest_name_is_kept
                labels_with_odd_characters_are_kept
                keys_with_odd_characters_are_distinguished
                every_fingerprint_is_kept
                times_are_kept_to_the_microsecond
                durations_are_kept_to_the_microsecond
                the_largest_numbers_are_kept;
            events:
                a_started_operation_is_announced_as_ready
                a_scheduled_operation_is_announced_with_its_time
                a_requeued_operation_is_announced_as_ready
                an_expired_lease_is_announced
                each_visible_change_is_announced
                each_end_is_announced
                a_deleted_operation_is_announced_as_deleted
                a_purged_operation_is_announced_as_deleted
                every_observer_receives_events
                an_announced_change_can_be_read;
            concurrency:
                each_operation_of_a_crowd_has_one_result
                cancel_and_finish_at_once_leave_one_end
                starts_and_deletes_of_one_name_stay_consistent
                readers_see_whole_records_while_they_are_written
                a_call_that_is_dropped_is_done_or_not_done;
            steps:
                a_recorded_step_is_read_back_byte_for_byte
                steps_are_read_in_the_order_of_their_first_writes
                a_finished_step_never_changes
                a_refused_step_leaves_the_command_and_the_other_steps_undone
                a_holder_that_lost_its_lease_records_nothing
                the_end_brings_the_last_steps_and_keeps_all
                every_command_of_a_holder_may_bring_steps
                steps_of_an_operation_are_its_own
                steps_go_with_their_operation
                a_lost_worker_leaves_the_steps_to_the_next
                attempts_are_counted_from_the_last_step_that_finished
                the_number_of_steps_is_limited
                the_size_of_steps_is_limited;
            suspension:
                a_suspended_operation_is_claimed_at_its_wake_time_and_not_before
                a_timer_is_fixed_by_its_first_write
                an_operation_without_a_timer_waits_for_a_completion
                a_suspension_finds_what_was_completed_before_it
                completions_that_follow_each_other_wake_once
                a_suspension_for_an_unknown_step_is_refused
                a_suspension_is_neither_an_attempt_nor_a_loss
                a_suspended_operation_is_cancelled_at_once
                a_suspended_operation_that_is_deleted_waits_unseen
                a_suspended_operation_keeps_its_name_and_keys
                claims_pass_operations_that_are_suspended
                lists_find_operations_by_what_they_wait_for;
            completion:
                a_completion_may_come_before_the_body_asks
                the_first_completion_counts
                a_recorded_timeout_is_final
                only_a_promise_is_completed
                early_completions_are_limited;
            debts:
                an_operation_that_owes_is_cancelled_by_its_next_run
                a_cancelled_operation_that_owes_goes_back_without_an_end
                an_end_that_comes_too_early_is_the_verdict
                undoing_has_attempts_of_its_own
                an_operation_that_must_not_run_twice_undoes_nevertheless
                a_new_epoch_is_refused_while_a_saga_is_open
                a_run_that_waits_without_knowing_of_its_cancellation_runs_again
                a_debt_that_an_operator_forgets_is_paid
                a_deleted_operation_undoes_unseen
                one_claim_takes_cancelled_operations_and_others;
            children:
                a_child_is_stored_with_its_step
                a_parent_that_refuses_stores_no_child
                the_children_of_an_operation_are_limited
                the_children_of_an_operation_are_listed
                a_step_has_one_child_and_finds_it_again
                a_forgotten_step_finds_its_child_again
                a_forgotten_step_cancels_its_child
                the_request_id_of_a_stranger_is_no_child
                a_conflict_of_a_child_leaves_its_parent_alone
                a_child_that_is_born_done_finishes_its_step
                a_parent_and_its_child_start_in_one_call
                every_end_of_a_child_makes_its_parent_ready
                a_lost_child_makes_its_parent_ready
                a_child_that_is_deleted_ends_its_step
                a_parent_in_any_state_learns_of_the_end
                the_end_of_a_child_outlives_its_parent
                a_result_that_is_too_large_is_an_error_of_the_step
                the_ends_of_several_children_are_gathered
                children_that_end_in_one_call_are_both_known
                a_suspension_and_the_end_of_a_child_share_a_call
                the_end_of_a_child_of_an_earlier_epoch_changes_nothing
                a_child_that_is_dropped_is_cancelled
                a_child_that_is_left_runs_on
                a_child_has_children;
            forgetting:
                a_new_epoch_begins_without_steps
                a_promise_that_came_early_is_kept_in_a_new_epoch
                a_repeated_new_epoch_begins_once
                long_epochs_are_removed_in_parts
                a_forgotten_step_runs_again
                steps_are_forgotten_while_the_operation_waits
                a_forgotten_promise_may_be_given_again
                an_operation_is_unblocked
                a_wait_ends_when_the_lifetime_does;
            scripts:
                a_script_of_seed_1_gives_what_memory_gives
                a_script_of_seed_2_gives_what_memory_gives
                a_script_of_seed_3_gives_what_memory_gives
                a_script_of_seed_4_gives_what_memory_gives
                a_script_of_seed_5_gives_what_memory_gives;
        }
    };
}

// Input:  { ALL topic: first second; .. }
// Output: pub(crate) const ALL: &[Case] = &[Case { name: "first", run: topic::first }, ..];
#[doc(hidden)]
#[macro_export]
macro_rules! __store_table {
    ($table:ident $($topic:ident: $($case:ident)*;)*) => {
        /// Every case, in the order in which they are run.
        pub(crate) const $table: &[Case] = &[$($(Case {
            name: stringify!($case),
            run: |trial| Box::pin($topic::$case(trial)),
        },)*)*];
    };
}

__for_each_store_case! { __store_table, ALL }
