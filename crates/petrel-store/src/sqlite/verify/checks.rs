//! The contradictions that a query can find.

/// A check that is a query: each row is a problem.
pub(super) struct Check {
    pub(super) problem: &'static str,
    /// Names three numbers that tell where.
    pub(super) rows: &'static str,
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        problem: "an event (conversation, seq, row) does not continue its timeline",
        rows: "SELECT conversation, seq, row_id FROM (
                   SELECT conversation, seq, row_id, message_number,
                          lag(seq) OVER places AS last_seq,
                          lag(message_number) OVER places AS last_number,
                          lag(row_id) OVER places AS last_row
                   FROM events WINDOW places AS (PARTITION BY conversation ORDER BY seq, row_id))
               LEFT JOIN conversations ON conversations.id = conversation
               WHERE row_id <= last_row OR CASE
                   WHEN last_seq IS NULL THEN
                       seq > trimmed_before OR (seq = 1 AND message_number > 1)
                       OR (seq = trimmed_before
                           AND message_number - trimmed_message_number NOT IN (0, 1))
                   ELSE seq <> last_seq + 1 OR message_number - last_number NOT IN (0, 1) END",
    },
    Check {
        problem: "an event (conversation, seq, row) belongs to no conversation",
        rows: "SELECT conversation, seq, row_id FROM events
               WHERE conversation NOT IN (SELECT id FROM conversations)",
    },
    Check {
        problem: "a stored head (conversation, seq, row) is not the last event up to the watermark",
        rows: "SELECT id, head_seq, head_row FROM conversations
               LEFT JOIN (SELECT conversation, max(seq) AS seq FROM events
                          WHERE row_id <= (SELECT watermark_row FROM meta) GROUP BY conversation) AS covered
                   ON covered.conversation = conversations.id
               WHERE head_seq < coalesce(covered.seq, 0)
                  OR (head_seq >= trimmed_before AND NOT EXISTS (
                      SELECT 1 FROM events
                      WHERE events.row_id = head_row AND events.conversation = conversations.id
                        AND events.seq = head_seq
                        AND events.message_number = head_message_number
                        AND events.timestamp_ms = head_timestamp_ms))",
    },
    Check {
        problem: "an entry of the timeline index (conversation, seq, row) points at another event",
        rows: "SELECT timeline.conversation, timeline.seq, timeline.row_id FROM timeline
               LEFT JOIN events ON events.row_id = timeline.row_id
               WHERE events.row_id IS NULL OR events.conversation <> timeline.conversation
                  OR events.seq <> timeline.seq",
    },
    Check {
        problem: "an event below the watermark (conversation, seq, row) is not in the timeline index",
        rows: "SELECT conversation, seq, row_id FROM events
               WHERE row_id <= (SELECT watermark_row FROM meta) AND NOT EXISTS (
                   SELECT 1 FROM timeline WHERE timeline.conversation = events.conversation
                      AND timeline.seq = events.seq AND timeline.row_id = events.row_id)",
    },
    Check {
        problem: "a trimmed event (conversation, seq, row) is there, and nothing will delete it",
        rows: "SELECT conversation, seq, row_id FROM events
               JOIN conversations ON conversations.id = conversation
               WHERE seq < trimmed_before
                 AND conversation NOT IN (SELECT conversation FROM trims)",
    },
    Check {
        problem: "what is to be deleted (conversation, before) is not what is trimmed",
        rows: "SELECT conversation, before_seq, 0 FROM trims
               LEFT JOIN conversations ON conversations.id = conversation
               WHERE trimmed_before IS NOT before_seq",
    },
    Check {
        problem: "a client message id (conversation, sender, row) is stored twice",
        rows: "SELECT conversation, sender, max(row_id) FROM events
               WHERE client_message_id IS NOT NULL AND NOT EXISTS (
                   SELECT 1 FROM trims WHERE trims.conversation = events.conversation
                      AND events.seq < trims.before_seq)
               GROUP BY conversation, sender, client_message_id HAVING count(*) > 1",
    },
    Check {
        problem: "an entry of the idempotency index (generation, row) points at no message",
        rows: "SELECT generation, idempotency.row_id, 0 FROM idempotency
               LEFT JOIN events ON events.row_id = idempotency.row_id
               WHERE (events.row_id IS NOT NULL AND events.client_message_id IS NULL)
                  OR idempotency.generation > (SELECT generation FROM meta)",
    },
    Check {
        problem: "more entries of the idempotency index (count) point nowhere than were trimmed",
        rows: "SELECT missing, 0, 0 FROM (
                   SELECT count(*) AS missing FROM idempotency
                   WHERE row_id NOT IN (SELECT row_id FROM events))
               WHERE missing > (SELECT coalesce(sum(trimmed_before - 1), 0) FROM conversations)",
    },
    Check {
        problem: "a generation of the idempotency index has no filter",
        rows: "SELECT DISTINCT idempotency.generation, 0, 0 FROM idempotency
               WHERE idempotency.generation < (SELECT generation FROM meta)
                 AND idempotency.generation >= (SELECT oldest_generation FROM meta)
                 AND idempotency.generation NOT IN (SELECT generation FROM idempotency_filters)",
    },
    Check {
        problem: "a generation of the idempotency index is retired and has a filter, or has none",
        rows: "SELECT generation, 0, 0 FROM idempotency_filters
               WHERE generation < (SELECT oldest_generation FROM meta)
               UNION ALL SELECT generation, oldest_generation, 0 FROM meta
               WHERE generation - oldest_generation
                     <> (SELECT count(*) FROM idempotency_filters)",
    },
    Check {
        problem: "a stamp (conversation, user, stamp) is above the watermark and not a beginning",
        rows: "SELECT conversation, user, changed_row FROM members, conversations
               WHERE conversations.id = members.conversation
                 AND changed_row > (SELECT watermark_row FROM meta) AND changed_row <> begun_row AND NOT EXISTS (SELECT 1 FROM journal
                     WHERE last_row >= changed_row)",
    },
    Check {
        problem: "a conversation (id, low, high) does not have its members",
        rows: "SELECT id, low, coalesce(high, low) FROM conversations
               WHERE kind IN (1, 3)
                 AND (SELECT count(*) FROM members WHERE conversation = id AND left_seq IS NULL
                        AND joined_seq = 1 AND user IN (low, coalesce(high, low)))
                     <> (CASE WHEN low <> high THEN 2 ELSE 1 END)",
    },
    Check {
        problem: "a count of members (conversation, count) is wrong",
        rows: "SELECT id, member_count, 0 FROM conversations
               WHERE member_count <> (SELECT count(*) FROM members
                                      WHERE conversation = id AND left_seq IS NULL)",
    },
    Check {
        problem: "a member (conversation, user) is in no conversation",
        rows: "SELECT conversation, user, 0 FROM members
               WHERE conversation NOT IN (SELECT id FROM conversations)",
    },
    Check {
        problem: "an interval (conversation, user, first) is empty, or not after the one before",
        rows: "SELECT conversation, user, first_seq FROM (
                   SELECT conversation, user, first_seq, last_seq,
                          lag(last_seq, 1, 0) OVER (PARTITION BY conversation, user
                                                    ORDER BY first_seq) AS earlier
                   FROM (SELECT conversation, user, first_seq, last_seq FROM intervals
                         UNION ALL SELECT conversation, user, joined_seq, left_seq FROM members))
               WHERE first_seq <= earlier OR last_seq < first_seq OR first_seq < 1
               UNION ALL
               SELECT conversation, user, first_seq FROM intervals WHERE NOT EXISTS (
                   SELECT 1 FROM members WHERE members.conversation = intervals.conversation
                      AND members.user = intervals.user
                      AND members.joined_seq > intervals.last_seq)",
    },
    Check {
        problem: "what a former member (conversation, user) is to see is missing, or one is none",
        rows: "SELECT conversation, user, 0 FROM members
               WHERE (left_seq IS NOT NULL) <> EXISTS (
                   SELECT 1 FROM departures WHERE departures.conversation = members.conversation
                      AND departures.user = members.user)
               UNION ALL
               SELECT conversation, user, 0 FROM departures WHERE NOT EXISTS (
                   SELECT 1 FROM members WHERE members.conversation = departures.conversation
                      AND members.user = departures.user)",
    },
    Check {
        problem: "a derivation (home, number) comes from no conversation",
        rows: "SELECT home, number, 0 FROM derivations
               WHERE home NOT IN (SELECT id FROM conversations)",
    },
    Check {
        problem: "an entry (conversation, list, key) belongs to no conversation",
        rows: "SELECT conversation, list, key FROM entries
               WHERE conversation NOT IN (SELECT id FROM conversations)",
    },
    Check {
        problem: "a code (conversation) leads to no conversation",
        rows: "SELECT conversation, 0, 0 FROM codes
               WHERE conversation NOT IN (SELECT id FROM conversations)",
    },
    Check {
        problem: "a mention (conversation, user, seq) is in no message",
        rows: "SELECT conversation, user, seq FROM mentions
               WHERE NOT EXISTS (
                   SELECT 1 FROM events WHERE events.conversation = mentions.conversation
                      AND events.seq = mentions.seq)
                 AND conversation NOT IN (SELECT conversation FROM trims)",
    },
    Check {
        problem: "an overwritten event (row, number) is not there, not erased, or has no payload",
        rows: "SELECT overwritten.row_id, overwritten.number, 0 FROM overwritten
               LEFT JOIN events ON events.row_id = overwritten.row_id
               LEFT JOIN replacements ON replacements.number = overwritten.number
               WHERE events.payload IS NOT zeroblob(length(events.payload))
                  OR replacements.row_id IS NOT overwritten.row_id",
    },
    Check {
        problem: "a payload (number, row) that was overwritten is still there",
        rows: "SELECT number, row_id, 0 FROM replacements
               WHERE payload <> zeroblob(length(payload))
                 AND number NOT IN (SELECT number FROM overwritten)",
    },
    Check {
        problem: "a row of the journal (number, last row) is out of order or below the watermark",
        rows: "SELECT number, last_row, 0 FROM (
                   SELECT number, last_row, lag(last_row, 1, 0) OVER (ORDER BY number) AS earlier
                   FROM journal) WHERE last_row < earlier",
    },
    Check {
        problem: "a user (id) is above the last one",
        rows: "SELECT id, 0, 0 FROM users WHERE id > (SELECT last_user FROM meta)",
    },
    Check {
        problem: "a user of an external issuer (id) is above the last one, or a registered one",
        rows: "SELECT user, 0, 0 FROM external_users
               WHERE user > (SELECT last_user FROM meta) OR user IN (SELECT id FROM users)
                  OR length(issuer) = 0 OR length(subject) = 0",
    },
    Check {
        problem: "a log-in (id, user) is of nobody",
        rows: "SELECT id, user, 0 FROM logins
               WHERE user NOT IN (SELECT id FROM users UNION ALL SELECT user FROM external_users)",
    },
    Check {
        problem: "the refresh tokens of a log-in (id, user) are not what they should be",
        rows: "SELECT id, user, 0 FROM logins
               WHERE length(family) <> 32 OR length(current) <> 32
                  OR (previous IS NULL) <> (nonce IS NULL)
                  OR (previous IS NULL) <> (replaced_ms IS NULL)
                  OR length(previous) <> 32 OR length(nonce) <> 32 OR previous = current
                  OR expires_ms < seen_ms OR seen_ms < created_ms",
    },
    Check {
        problem: "a log-in (id) goes on although it was ended, or is above the last one",
        rows: "SELECT id, 0, 0 FROM logins WHERE id IN (SELECT id FROM ended_logins)
                 AND user NOT IN (SELECT user FROM disabled_users)
               UNION ALL
               SELECT id, 0, 0 FROM ended_logins
               WHERE id > (SELECT coalesce(max(seq), 0) FROM sqlite_sequence
                           WHERE name = 'logins')",
    },
    Check {
        problem: "an invite (row, uses left) is not what it should be",
        rows: "SELECT rowid, uses_left, 0 FROM invites WHERE length(digest) <> 32 OR uses_left < 0",
    },
    Check {
        problem: "a password reset (user) is of nobody who is registered, or has no code",
        rows: "SELECT user, 0, 0 FROM password_resets
               WHERE user NOT IN (SELECT id FROM users) OR length(code) <> 32",
    },
    Check {
        problem: "a record of the audit log (number) says not what was done, or to what",
        rows: "SELECT number, 0, 0 FROM audit
               WHERE length(action) = 0 OR (target_kind IS NULL) <> (target IS NULL)",
    },
    Check {
        problem: "a message (file, conversation, seq) refers to a file that is not there",
        rows: "SELECT file, conversation, seq FROM file_references
               WHERE file NOT IN (SELECT id FROM files WHERE digest IS NOT NULL)",
    },
    Check {
        problem: "a file (id, owner, 0) lasts, and no message refers to it",
        rows: "SELECT id, owner, 0 FROM files WHERE expires_ms IS NULL
               AND NOT EXISTS (SELECT 1 FROM file_references WHERE file = files.id)",
    },
    Check {
        problem: "a file (id, owner, 0) has no name",
        rows: "SELECT id, owner, 0 FROM files WHERE name NOT IN (SELECT number FROM file_texts)",
    },
];
