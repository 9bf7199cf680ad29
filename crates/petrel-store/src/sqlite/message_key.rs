//! The hash under which a client message id is indexed.
//!
//! It is stored, so it must never change. It is keyed with a secret of the store, so
//! that nobody can choose client message ids that share one; if two share one all the
//! same, the rows tell them apart.

use std::fmt;
use std::hash::Hasher;

use petrel_types::{ClientMessageId, ConversationId, RowId, UserId};
use rusqlite::{Connection, OptionalExtension};
use siphasher::sip::SipHasher13;

use crate::StoreError;

/// The secret of a store.
#[derive(Clone, Copy)]
pub(super) struct HashSecret(u64, u64);

impl fmt::Debug for HashSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashSecret")
    }
}

impl HashSecret {
    /// A random one, for a store that is created.
    pub(super) fn mint() -> Result<Self, StoreError> {
        Ok(Self(super::random()?, super::random()?))
    }

    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        connection.query_row("SELECT hash_secret_0, hash_secret_1 FROM meta", [], |row| {
            Ok(Self(row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
        })
    }

    /// Both halves as the database holds them.
    pub(super) fn columns(self) -> (i64, i64) {
        (self.0.cast_signed(), self.1.cast_signed())
    }

    /// The hash of a client message id of `sender` in `conversation`.
    pub(super) fn hash(
        self,
        conversation: ConversationId,
        sender: UserId,
        client_message_id: &str,
    ) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        hasher.write(&conversation.get().to_le_bytes());
        hasher.write(&sender.get().to_le_bytes());
        hasher.write(client_message_id.as_bytes());
        hasher.finish()
    }
}

/// Whether `row` holds this very message.
pub(super) fn is_message(
    connection: &Connection,
    row: RowId,
    conversation: ConversationId,
    sender: UserId,
    client_message_id: &ClientMessageId,
) -> rusqlite::Result<bool> {
    let found = connection
        .prepare_cached(
            "SELECT conversation, sender, client_message_id FROM events WHERE row_id = ?1",
        )?
        .query_row([row.get()], |found| {
            Ok(found.get::<_, u64>(0)? == conversation.get()
                && found.get::<_, u64>(1)? == sender.get()
                && found.get_ref(2)?.as_str_or_null()? == Some(client_message_id.as_str()))
        })
        .optional()?;
    Ok(found.unwrap_or(false))
}
