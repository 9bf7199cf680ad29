//! The shared test suite: what every backend must do.
//!
//! Stamp it on a backend with [`store_suite!`](crate::store_suite). Each case is a plain
//! function over [`Store`], named for the behaviour it pins down; it gets a store of its
//! own, so that cases can run at the same time.

pub mod administration;
pub mod changes;
pub mod commits;
pub mod files;
mod fixture;
pub mod groups;
pub mod identity;
pub mod lifecycle;
pub mod lists;
pub mod relations;
pub mod sync;
pub mod timelines;
pub mod users;

use std::sync::Arc;

use async_trait::async_trait;

use crate::Store;

/// Somewhere a store can live: a directory, a schema of a server.
#[async_trait]
pub trait Place: Send + Sync {
    /// Opens the store, which keeps what was in it the last time. The suite closes one
    /// before it opens the next.
    async fn open(&self) -> Arc<dyn Store>;
}

/// Makes a test of each case of the suite. `$place` is an expression for a fresh
/// [`Place`], evaluated once per test. The calling crate needs `tokio` with `macros`.
#[macro_export]
macro_rules! store_suite {
    ($place:expr) => {
        $crate::store_suite! { @store $place;
            commits::rows_follow_the_order_of_commits_and_batches
            commits::a_timeline_continues_without_a_hole
            commits::a_message_number_may_stand_still_but_not_jump
            commits::only_the_latest_owner_commits
            commits::a_refused_batch_leaves_no_trace
            commits::a_position_never_goes_back
            commits::a_batch_may_be_empty
            commits::a_conversation_begins_once
            commits::a_claim_tells_the_highest_conversation_number
            commits::a_client_message_id_is_taken_once_per_sender_and_conversation
            commits::numbers_that_do_not_fit_are_refused
            timelines::pages_go_forward
            timelines::pages_go_backward
            timelines::events_of_all_timelines_come_by_row
            timelines::an_unknown_conversation_is_empty
            timelines::events_come_back_as_they_went_in
            timelines::a_conversation_has_its_head_and_members
            timelines::a_single_chat_is_found_in_either_order
            timelines::a_chat_with_oneself_has_one_member
            timelines::a_message_is_found_by_its_client_message_id
            timelines::recent_messages_come_newest_first
            sync::cursors_never_go_back
            sync::cursors_belong_to_members
            sync::conversations_come_newest_first
            sync::a_page_covers_what_is_between_its_bounds
            sync::pages_continue_where_the_last_one_ended
            sync::only_what_concerns_a_user_changes_a_stamp
            sync::a_single_chat_has_attributes_of_its_users
            sync::an_entry_tells_both_cursors_and_what_was_read
            groups::a_personal_timeline_exists_once
            groups::a_group_has_the_members_it_was_given
            groups::members_leave_and_come_back
            groups::memberships_that_can_not_be_are_refused
            groups::members_come_in_pages
            groups::conversations_come_by_id
            groups::a_profile_can_be_replaced
            groups::a_former_member_sees_the_end_of_the_last_interval
            groups::each_change_of_a_membership_takes_a_row
            groups::in_a_group_only_ones_own_cursors_change_a_stamp
            changes::an_overwritten_payload_is_gone_and_its_place_stays
            changes::only_what_is_stored_is_overwritten
            changes::nothing_shows_what_was_trimmed
            changes::a_timeline_goes_on_when_all_of_it_is_trimmed
            changes::a_trimmed_client_message_id_is_free_again
            changes::a_derivation_waits_until_it_is_settled
            changes::what_does_not_wait_can_not_be_settled
            lists::a_pair_has_one_timeline_and_no_members
            lists::entries_are_replaced_and_removed
            lists::entries_come_in_pages_by_key
            lists::a_code_leads_to_one_conversation
            lists::unread_mentions_are_counted
            lists::mentions_go_with_what_is_trimmed_or_not_ones_own
            relations::a_relation_is_the_pair_and_the_others_own_profile
            relations::a_list_of_personal_timelines_is_read_for_many_at_once
            relations::those_share_a_group_who_are_in_it_now
            users::users_get_local_ids_in_order
            users::names_are_taken_ignoring_ascii_case
            identity::a_log_in_is_what_it_began_as
            identity::refresh_tokens_are_replaced_once
            identity::the_log_ins_seen_longest_ago_make_room
            identity::ended_log_ins_are_gone_and_remembered
            identity::only_ones_own_log_ins_are_ended
            identity::log_ins_come_in_pages_newest_first
            identity::what_has_expired_is_removed
            identity::an_issuers_name_for_a_user_is_one_user
            identity::an_invite_is_good_so_many_times
            identity::an_admin_is_made_of_a_registered_user
            administration::a_disabled_user_is_locked_out_and_let_in_again
            administration::an_admin_is_always_left
            administration::a_password_reset_is_good_once_and_for_a_time
            administration::a_password_is_replaced_by_who_knows_it
            administration::users_are_found_in_pages
            administration::a_known_user_has_the_profile_of_the_personal_timeline
            administration::records_are_found_in_pages_newest_first
            administration::what_is_not_done_is_not_recorded
            administration::groups_come_by_id_and_alone
            administration::entries_of_the_system_are_replaced_and_removed
            administration::figures_count_what_there_is
            files::an_upload_becomes_a_file
            files::an_upload_never_goes_back_and_ends_once
            files::uploads_are_reserved_within_a_quota
            files::a_quota_counts_what_came_not_what_was_said
            files::a_file_lasts_as_long_as_a_message_refers_to_it
            files::what_nobody_refers_to_expires
            files::only_its_owner_removes_a_loose_file
            files::references_are_found_where_a_user_is_or_was
            files::only_complete_files_are_referred_to
            files::a_trim_lets_go_of_files
            files::files_come_in_pages_newest_first
            lifecycle::a_closed_store_refuses_everything
        }
        $crate::store_suite! { @place $place;
            lifecycle::everything_outlives_a_restart
            lists::lists_and_codes_outlive_a_restart
            lifecycle::numbers_go_on_after_a_restart
            identity::identities_outlive_a_restart
            administration::what_admins_did_outlives_a_restart
            files::files_outlive_a_restart
            lifecycle::many_writers_do_not_disturb_each_other
        }
    };
    (@store $place:expr; $($module:ident :: $case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let place = $place;
                let store = $crate::suite::Place::open(&place).await;
                $crate::suite::$module::$case(&*store).await;
            }
        )*
    };
    (@place $place:expr; $($module:ident :: $case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let place = $place;
                $crate::suite::$module::$case(&place).await;
            }
        )*
    };
}
