//! The tables of a database that is created: those of the present version.
//!
//! A commit appends to `events` and `journal` and touches nothing else, but for what is
//! rare: a conversation that begins, a membership or a profile that changes, an overwrite,
//! a derivation, a trim. The heads in `conversations`, the cursors in `members`, the
//! positions in `partitions` and the two indexes follow behind, up to the watermark.
//!
//! - `meta` has one row. Its marks outlive the rows they number, so that deleting the
//!   newest event or user never makes its number come back.
//! - `members` holds everybody who is or was in a conversation, with the last interval of
//!   the membership; `intervals` holds the earlier ones, `departures` what a former member
//!   still sees. `changed_row` is the stamp of the cursors, which follow behind,
//!   `membership_row` that of the rest, which does not.
//! - `overwritten` names the replacement that is valid for an event; see `overwrites`.
//! - `trims` names what is trimmed but not deleted yet; see `trims`.
//! - `logins` holds log-ins with digests of their refresh tokens, `ended_logins` those whose
//!   access tokens may not have expired yet; `external_users` tells whom an external issuer
//!   means; `invites` holds digests of codes.
//! - `entries` holds the lists that belong to a conversation, `codes` tells where codes lead,
//!   `mentions` which messages name whom; user 0 is everybody.
//! - `disabled_users` holds who is locked out, `password_resets` digests of codes, `audit` what
//!   admins did, `system_entries` lists that belong to the system as a whole.
//! - `files` holds uploads, which have no digest yet, and files; `file_references` which
//!   messages refer to them, `file_texts` names and digests, see `files`, and `file_garbage`
//!   objects that are to be deleted.
//! - The key of `idempotency` includes the row, so that two messages may share a hash.

use rusqlite::{Connection, Result};

/// The kinds of conversations, as `conversations.kind` has them. The partial indexes and
/// the queries spell them out.
pub(super) const SINGLE: u8 = 1;
pub(super) const GROUP: u8 = 2;
pub(super) const PERSONAL: u8 = 3;
pub(super) const PAIR: u8 = 4;

/// Every table as it is in a new database. A change needs a step in `migrations`, too.
const TABLES: &str = "
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    hash_secret_0 INTEGER NOT NULL,
    hash_secret_1 INTEGER NOT NULL,
    last_user INTEGER NOT NULL,
    watermark_row INTEGER NOT NULL,
    watermark_journal INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    oldest_generation INTEGER NOT NULL DEFAULT 0,
    newest_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE partitions (
    partition INTEGER PRIMARY KEY,
    owner_epoch INTEGER NOT NULL,
    next_position INTEGER NOT NULL,
    conversation_number INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
    user INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    delivered_seq INTEGER NOT NULL DEFAULT 0,
    read_seq INTEGER NOT NULL DEFAULT 0,
    changed_row INTEGER NOT NULL,
    membership_row INTEGER NOT NULL DEFAULT 0,
    joined_seq INTEGER NOT NULL DEFAULT 1,
    left_seq INTEGER,
    attributes BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (user, conversation)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_conversation ON members (conversation);

CREATE TABLE events (
    row_id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    message_number INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    client_message_id TEXT,
    timestamp_ms INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    last_row INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE timeline (
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    row_id INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    generation INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    row_id INTEGER NOT NULL,
    PRIMARY KEY (generation, hash, row_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_filters (
    generation INTEGER PRIMARY KEY,
    bits BLOB NOT NULL,
    newest_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL,
    username_key TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    is_admin INTEGER NOT NULL DEFAULT 0
) STRICT;
";

/// The conversations, which version 2 knew in another form.
pub(super) const CONVERSATIONS: &str = "
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    low INTEGER,
    high INTEGER,
    begun_row INTEGER NOT NULL,
    head_seq INTEGER NOT NULL DEFAULT 0,
    head_message_number INTEGER NOT NULL DEFAULT 0,
    head_row INTEGER NOT NULL DEFAULT 0,
    head_timestamp_ms INTEGER NOT NULL DEFAULT 0,
    trimmed_before INTEGER NOT NULL DEFAULT 1,
    trimmed_message_number INTEGER NOT NULL DEFAULT 0,
    member_count INTEGER NOT NULL,
    profile BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE UNIQUE INDEX single_chats ON conversations (low, high) WHERE kind = 1;
CREATE UNIQUE INDEX personal_timelines ON conversations (low) WHERE kind = 3;
";

/// What version 3 added.
pub(super) const ADDED_IN_3: &str = "
CREATE TABLE intervals (
    conversation INTEGER NOT NULL,
    user INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (conversation, user, first_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE departures (
    conversation INTEGER NOT NULL,
    user INTEGER NOT NULL,
    head_message_number INTEGER NOT NULL,
    head_timestamp_ms INTEGER NOT NULL,
    member_count INTEGER NOT NULL,
    profile BLOB NOT NULL,
    PRIMARY KEY (conversation, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE overwritten (
    row_id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;

CREATE TABLE replacements (
    number INTEGER PRIMARY KEY,
    row_id INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE TABLE derivations (
    home INTEGER NOT NULL,
    number INTEGER NOT NULL,
    command BLOB NOT NULL,
    PRIMARY KEY (home, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE trims (
    conversation INTEGER PRIMARY KEY,
    before_seq INTEGER NOT NULL,
    last_row INTEGER NOT NULL
) STRICT;
";

/// What version 4 added.
pub(super) const ADDED_IN_4: &str = "
CREATE TABLE logins (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user INTEGER NOT NULL,
    device_id TEXT,
    platform TEXT,
    client TEXT,
    family BLOB NOT NULL,
    current BLOB NOT NULL,
    previous BLOB,
    nonce BLOB,
    replaced_ms INTEGER,
    created_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX logins_by_user ON logins (user);
CREATE INDEX logins_by_expiry ON logins (expires_ms);

CREATE TABLE ended_logins (
    id INTEGER PRIMARY KEY,
    ended_ms INTEGER NOT NULL,
    remembered_until_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX ended_logins_by_end ON ended_logins (remembered_until_ms);

CREATE TABLE external_users (
    user INTEGER PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    UNIQUE (issuer, subject)
) STRICT;

CREATE TABLE invites (
    digest BLOB NOT NULL UNIQUE,
    uses_left INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
";

/// What version 5 added.
pub(super) const ADDED_IN_5: &str = "
CREATE UNIQUE INDEX pairs ON conversations (low, high) WHERE kind = 4;

CREATE TABLE entries (
    conversation INTEGER NOT NULL,
    list INTEGER NOT NULL,
    key INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (conversation, list, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE codes (
    code TEXT NOT NULL PRIMARY KEY,
    conversation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mentions (
    conversation INTEGER NOT NULL,
    user INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (conversation, user, seq)
) STRICT, WITHOUT ROWID;
";

/// What version 6 added.
pub(super) const ADDED_IN_6: &str = "
CREATE INDEX groups ON conversations (id) WHERE kind = 2;

CREATE TABLE disabled_users (
    user INTEGER PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE TABLE password_resets (
    user INTEGER PRIMARY KEY,
    code BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    actor INTEGER,
    source TEXT NOT NULL,
    action TEXT NOT NULL,
    target_kind TEXT,
    target INTEGER,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at_ms);

CREATE TABLE system_entries (
    list INTEGER NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (list, key)
) STRICT, WITHOUT ROWID;
";

/// What version 7 added.
pub(super) const ADDED_IN_7: &str = "
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL,
    object TEXT NOT NULL,
    name INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER,
    received INTEGER NOT NULL,
    digest INTEGER,
    width INTEGER,
    height INTEGER,
    thumbnail TEXT,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER
) STRICT;
CREATE INDEX files_by_owner ON files (owner, size, digest);
CREATE INDEX files_by_expiry ON files (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE INDEX uploads ON files (id) WHERE digest IS NULL;

CREATE TABLE file_texts (
    number INTEGER PRIMARY KEY,
    text BLOB NOT NULL
) STRICT;

CREATE TABLE file_references (
    file INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (file, conversation, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_references_by_place ON file_references (conversation, seq);

CREATE TABLE file_garbage (
    object TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
";

/// Creates all of them in an empty database.
pub(super) fn create(connection: &Connection) -> Result<()> {
    for tables in
        [TABLES, CONVERSATIONS, ADDED_IN_3, ADDED_IN_4, ADDED_IN_5, ADDED_IN_6, ADDED_IN_7]
    {
        connection.execute_batch(tables)?;
    }
    Ok(())
}
