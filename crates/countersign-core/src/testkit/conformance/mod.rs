//! What every engine must do, as one suite.
//!
//! A case is a sentence and stands in one list, `conformance_cases!` below; the function of that name
//! is the case. An engine runs them all with one line:
//!
//! ```text
//! countersign_core::storage_conformance!(SqliteFixture);
//! ```
//!
//! The crate that does so needs `tokio` with its `macros` and `rt-multi-thread`.

#![allow(clippy::wildcard_imports, reason = "the bench is the suite's vocabulary")]
#![allow(clippy::unchecked_time_subtraction, reason = "of constants")]

mod admin;
mod check;
mod delivery;
mod directory;
mod enrol;
mod holds;
mod idempotency;
mod limits;
mod nonces;
mod outbox;
mod parallel;
mod resend;
mod restart;
mod several;
mod start;
mod time;
mod turns;

use super::bench::EngineFixture;

/// The one list of cases. `$with` is called with it: `$with! { arguments; module::case, … }`.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($with:path $(, $argument:ty)?) => {
        $with! { $($argument)?;
            start::a_start_commits_the_verification_and_its_message_together,
            start::a_mail_is_sealed_with_the_callers_link_and_a_text_message_without,
            start::a_code_that_goes_again_is_in_the_new_requests_link,
            start::address_and_notes_come_back_in_full,
            start::a_start_inside_the_cool_down_sends_nothing,
            start::a_start_after_the_cool_down_sends_again,
            start::a_start_with_another_context_replaces_the_running_one,
            start::the_callers_own_code_is_the_code,
            start::a_start_with_another_code_of_its_own_replaces_the_running_one,
            start::the_callers_own_code_goes_out_again_also_after_its_life,
            start::a_start_after_exhaustion_opens_a_new_one,
            start::a_send_after_exhaustion_is_refused_until_the_window_ends,
            start::a_resend_by_address_opens_nothing,
            start::purposes_do_not_see_each_other,
            start::tenants_do_not_see_each_other,
            start::the_newest_of_one_millisecond_is_the_one_opened_last,
            start::a_refused_start_changes_nothing,
            several::one_shared_code_verifies_either_address,
            several::separate_codes_are_good_for_their_own_address_only,
            several::separate_codes_share_one_budget_of_checks,
            several::a_dead_code_is_not_good_beside_a_live_one,
            several::a_failed_check_counts_for_every_address,
            several::a_send_to_one_address_leaves_the_others_message_alone,
            several::an_address_that_joins_is_found_there_and_charged_like_a_start,
            several::an_address_is_found_where_it_joined_last,
            several::an_address_joins_under_its_own_cap,
            several::two_running_verifications_become_one_and_the_older_is_cancelled,
            several::a_send_to_several_is_refused_where_the_checks_of_one_are_used_up,
            several::a_new_shared_code_recalls_the_old_one_everywhere,
            several::two_new_addresses_join_at_once,
            several::a_verification_has_eight_addresses_and_no_more,
            several::f1_an_address_joins_only_what_is_its_own_users,
            several::f1_another_users_verification_is_neither_sent_again_nor_joined,
            several::f1_nobodys_addresses_are_never_verified_together,
            several::f1_a_guess_for_some_addresses_is_for_their_codes_only,
            several::f2_a_real_address_never_joins_a_test_verification_nor_the_reverse,
            several::f2_a_number_that_changed_sides_is_verified_anew,
            several::aliases_of_one_address_share_a_ledger,
            delivery::a_returned_code_is_right_and_never_sent,
            delivery::a_returned_code_neither_waits_for_nor_starts_a_cool_down,
            delivery::sixty_codes_an_hour_are_handed_back_and_no_more,
            delivery::failed_guesses_at_returned_codes_count_for_the_recipient,
            delivery::a_look_alike_counts_everything_and_sends_nothing,
            delivery::a_look_alike_is_never_approved,
            delivery::f14_what_is_pretended_stays_so_when_it_is_sent_again,
            delivery::f14_a_pretended_code_is_never_right,
            delivery::f14_by_its_id_another_wire_apis_verification_is_unknown,
            limits::five_starts_an_hour_are_accepted_and_no_more,
            limits::ten_starts_a_day_are_accepted_and_no_more,
            limits::of_two_full_windows_the_longer_wait_counts,
            limits::twenty_failed_checks_hold_until_the_oldest_is_a_day_old,
            limits::while_held_nothing_is_compared_and_nothing_charged,
            limits::a_row_of_failures_holds_until_an_administrator_releases,
            limits::a_release_forgives_failures_and_no_starts,
            limits::a_right_code_ends_the_row_of_failures_and_not_the_days,
            limits::a_client_address_opens_no_more_than_its_cap,
            limits::f19_a_client_address_over_its_cap_is_reported_and_not_refused,
            limits::f19_an_approval_gives_its_clients_start_back,
            limits::f5_the_tenants_failures_raise_the_bar_and_lock_nobody_out,
            limits::f5_an_approval_gives_back_what_its_verification_failed,
            limits::f5_what_proves_nobody_is_charged_to_no_tenant,
            limits::what_a_tenant_spends_a_day_stays_under_its_cap,
            limits::limits_of_one_tenant_do_not_touch_another,
            limits::no_detour_buys_a_twenty_first_guess,
            holds::f12_a_held_person_proves_themselves_by_trusted_calls,
            holds::f12_what_is_reserved_is_for_trusted_calls_alone,
            holds::f12_two_starts_a_day_are_reserved_and_no_more,
            holds::f12_guesses_at_what_is_reserved_fill_the_row_and_not_the_day,
            holds::f12_a_hold_that_lasts_refuses_trusted_calls_too,
            holds::f12_starts_that_strangers_use_up_leave_the_reserved_ones,
            holds::f12_guesses_from_elsewhere_than_the_last_approval_count_half,
            holds::f12_who_is_erased_leaves_no_network_behind,
            holds::f12_a_proof_on_another_channel_ends_a_hold,
            holds::f12_a_proof_that_ends_no_hold_is_one_like_any_other,
            holds::f12_who_is_held_is_listed_newest_first_and_in_pages,
            holds::f12_who_is_held_goes_by_the_limits_in_force,
            holds::f12_parallel_trusted_starts_never_pass_the_reserve,
            check::a_code_is_good_only_over_the_wire_api_it_was_asked_over,
            check::second_right_answer_is_already_used,
            check::the_fifth_guess_passes_when_it_is_right,
            check::the_sixth_guess_is_not_compared,
            check::a_resend_refreshes_no_check,
            check::a_code_is_good_until_its_last_millisecond,
            check::a_code_dies_with_its_own_life,
            check::another_context_is_charged_like_a_wrong_guess,
            check::a_code_is_good_for_its_own_verification_only,
            check::a_guess_by_address_is_for_the_newest,
            check::a_right_guess_that_does_not_consume_is_charged_and_the_code_stays_good,
            check::what_was_given_up_takes_no_guess,
            check::what_ended_otherwise_is_not_given_up,
            resend::a_resend_repeats_the_code,
            resend::a_new_code_voids_the_older_in_the_same_commit,
            resend::the_cool_down_grows_and_is_exact_to_the_millisecond,
            resend::five_sends_are_all_until_the_window_ends,
            resend::a_resend_moves_no_deadline,
            resend::a_resend_is_counted_as_a_message_and_not_as_a_start,
            resend::what_has_ended_is_not_sent_again,
            resend::a_resend_may_take_another_channel,
            resend::an_unknown_id_is_not_found,
            outbox::claimed_message_returns_after_its_lease,
            outbox::a_claim_takes_no_more_than_it_asked_for,
            outbox::a_message_is_submitted_three_times_at_most,
            outbox::a_failed_message_waits_as_long_as_told,
            outbox::the_third_failure_is_the_last,
            outbox::a_code_that_died_is_not_submitted,
            outbox::what_is_taken_is_final_and_wiped,
            outbox::what_is_given_up_is_final_and_wiped,
            outbox::an_approval_drops_what_was_not_sent,
            outbox::a_cancel_drops_what_was_not_sent,
            outbox::used_up_checks_drop_what_was_not_sent,
            outbox::a_newer_message_takes_the_place_of_an_older_one,
            outbox::a_report_of_a_lost_lease_changes_nothing,
            outbox::a_report_after_the_end_changes_nothing,
            outbox::that_a_provider_took_it_is_always_recorded,
            outbox::a_try_that_failed_without_delay_is_due_at_once_and_stays_counted,
            outbox::e10_a_try_that_reached_nobody_is_no_submission,
            outbox::reports_are_decided_each_alone,
            outbox::a_waiting_dispatcher_wakes_when_a_message_is_queued,
            outbox::a_message_queued_before_the_wait_is_noticed,
            turns::f7_tenants_take_turns_however_much_one_of_them_has_waiting,
            turns::f7_a_round_begins_behind_who_had_the_last_turn,
            turns::f7_a_tenant_at_its_bound_is_passed_over,
            turns::f7_a_lane_without_a_slot_keeps_nobody_waiting_and_loses_nothing,
            turns::f7_a_free_slot_is_taken_once,
            idempotency::a_repeated_start_gets_the_same_answer_and_has_one_effect,
            idempotency::a_repeated_resend_sends_once,
            idempotency::a_repeated_check_is_charged_once_and_approved_twice,
            idempotency::one_key_for_two_requests_is_a_mismatch,
            idempotency::keys_of_two_tenants_are_two_keys,
            idempotency::an_answer_is_kept_for_a_day,
            idempotency::a_stored_answer_holds_no_code,
            idempotency::what_was_refused_without_effect_may_be_asked_again,
            time::a_closed_window_is_written_as_expired,
            time::a_day_after_the_end_the_address_and_the_notes_are_gone,
            time::a_closed_window_leaves_no_payload,
            time::thirty_days_after_the_end_nothing_is_left,
            time::counters_and_answers_that_ran_out_are_forgotten,
            time::a_row_of_failures_is_remembered_for_thirty_days,
            time::a_hold_is_never_forgotten,
            time::a_sweep_takes_no_more_than_it_asked_for,
            time::e12_clearing_up_gives_each_kind_its_own_share,
            time::a_clock_set_back_gives_no_code_more_life,
            time::a_clock_set_back_ends_nothing_before_it_began,
            enrol::an_enrolment_under_a_clock_set_back_is_of_the_stores_time,
            time::a_clock_set_back_shortens_no_cool_down_and_frees_no_counter,
            time::the_high_water_mark_is_the_latest_instant_committed,
            admin::a_list_is_newest_first_and_comes_in_pages,
            admin::a_list_shows_the_tenants_own_only,
            admin::a_list_of_an_address_shows_its_own_in_every_purpose,
            admin::a_list_by_status_goes_by_the_present_instant,
            admin::f10_a_list_that_looked_at_enough_says_where_to_go_on,
            admin::f10_a_list_of_an_address_that_looked_at_enough_says_where_to_go_on,
            admin::an_erasure_wipes_who_it_was_and_cancels_what_is_pending,
            admin::an_erasure_keeps_the_counters_and_is_audited,
            admin::an_erasure_takes_the_users_of_every_directory_along,
            admin::an_erasure_reaches_what_its_users_verify_for_themselves,
            admin::an_erasure_reaches_the_answers_that_are_repeated,
            admin::a_masked_verification_is_masked_in_repeated_answers,
            admin::the_audit_chain_holds_up_to_its_head,
            admin::the_audit_head_goes_with_the_latest_instant,
            admin::audit_entries_come_in_order_and_in_pages,
            directory::a_user_is_found_by_id_name_and_either_address,
            directory::a_user_is_another_tenants_nobody,
            directory::f15_a_claim_too_many_ends_the_oldest_claim,
            directory::f15_a_refused_claim_takes_no_name,
            directory::f15_users_that_do_not_end_give_way_to_no_claim,
            enrol::f15_an_enrolment_makes_room_for_its_claim_or_is_refused,
            directory::f3_a_user_is_another_directorys_nobody,
            directory::a_write_over_a_change_it_did_not_see_is_refused,
            directory::a_changed_address_is_no_longer_found,
            directory::a_name_moves_to_the_user_written_last,
            directory::of_several_users_of_an_address_the_last_changed_is_found,
            directory::a_right_code_proves_the_address_it_was_sent_to,
            directory::f1_a_shared_code_proves_the_user_and_no_address,
            directory::a_code_of_several_proves_the_address_it_was_sent_to,
            directory::who_has_proven_an_address_is_found_before_who_only_claims_it,
            directory::f3_a_proof_is_recorded_with_the_user_it_was_asked_for_and_nobody_else,
            directory::f3_what_nobody_asked_for_proves_nothing_of_who_claims_it,
            directory::f3_a_proof_stays_in_its_directory,
            directory::f20_a_name_moves_only_from_who_has_proven_nothing,
            directory::f20_a_user_of_whom_nothing_is_proven_ends,
            directory::a_name_is_not_taken_from_another_where_it_was_not_to_move,
            directory::nothing_is_proven_unless_it_was_asked_for,
            enrol::a_user_and_their_first_messages_are_there_together,
            enrol::a_refused_message_leaves_no_user_and_takes_the_other_message_along,
            enrol::messages_of_one_enrolment_share_the_money_of_the_day,
            enrol::a_taken_id_or_name_sends_nothing,
            enrol::of_parallel_enrolments_of_one_id_one_wins,
            nonces::a_nonce_is_fresh_once_and_seen_ever_after,
            nonces::a_nonce_of_another_request_is_seen_all_the_same,
            nonces::nonces_of_two_tenants_are_two_nonces,
            nonces::a_nonce_is_kept_until_its_last_instant,
            nonces::a_nonce_that_ran_out_is_swept_and_may_come_again,
            nonces::a_clock_set_back_forgets_no_nonce,
            nonces::a_nonce_whose_time_is_over_is_refused,
            nonces::a_full_budget_refuses_and_forgets_nothing,
            nonces::a_budget_has_room_again_when_nonces_ran_out,
            nonces::f6_undated_nonces_have_a_budget_of_their_own,
            nonces::f6_a_nonce_that_is_only_looked_at_is_not_kept,
            parallel::of_64_parallel_right_codes_one_wins,
            parallel::of_100_parallel_wrong_codes_five_are_compared,
            parallel::right_codes_among_many_wrong_ones_win_once_at_most,
            parallel::parallel_starts_open_one_verification,
            parallel::parallel_starts_never_pass_the_cap,
            parallel::parallel_requests_with_one_key_are_all_answered,
            parallel::parallel_requests_with_one_key_have_one_effect,
            parallel::no_message_goes_to_two_dispatchers,
            parallel::of_parallel_writes_of_one_user_one_wins,
            parallel::of_parallel_changes_of_one_user_none_is_lost,
            parallel::of_100_parallel_nonces_one_is_fresh,
            parallel::parallel_nonces_never_pass_the_budget,
            parallel::parallel_audit_entries_make_one_chain,
            restart::a_restart_keeps_what_is_pending_and_its_checks,
            restart::a_restart_revives_no_used_code,
            restart::a_restart_keeps_counters_and_holds,
            restart::a_restart_keeps_answers,
            restart::e11_a_restart_keeps_messages_and_frees_their_leases,
            restart::e11_restarts_add_no_submission,
            restart::a_restart_turns_no_clock_back,
            restart::a_restart_keeps_users_and_the_audit_log,
            restart::a_restart_keeps_nonces_and_their_number,
        }
    };
}

macro_rules! runner {
    (; $($module:ident :: $case:ident,)*) => {
        /// Runs the case of that name.
        pub async fn run<F: EngineFixture>(case: &str) {
            match case {
                $(stringify!($case) => $module::$case::<F>().await,)*
                other => panic!("there is no case {other}"),
            }
        }
    };
}

conformance_cases!(runner);

/// Writes one test per case of the conformance suite, for the engines of a fixture.
#[macro_export]
macro_rules! storage_conformance {
    ($fixture:ty) => {
        $crate::conformance_cases!($crate::storage_conformance_tests, $fixture);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! storage_conformance_tests {
    ($fixture:ty; $($module:ident :: $case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::testkit::conformance::run::<$fixture>(stringify!($case)).await;
            }
        )*
    };
}
