//! What follows for other timelines: writing it down, and carrying out what was written
//! down elsewhere.

use std::sync::Arc;

use petrel_protocol::frame::Change;
use petrel_store::{ConversationKind, Derivation, DerivationId};
use petrel_types::{ConversationId, Seq, UserId};

use super::draft::{Draft, NewEntry};
use crate::event::EventBody;
use crate::personal_entry::PersonalEntry;

/// How many bits of a derivation's number tell it from others of the same event: more
/// than a group has members.
const DERIVATION_BITS: u32 = 15;

/// Set in the number of a derivation that follows from a command which is no event.
const BY_POSITION: u64 = 1 << 62;

impl Draft<'_> {
    /// Arranges for entries in personal timelines to follow from the event at `seq`.
    pub(super) fn derive(
        &mut self,
        home: ConversationId,
        seq: Seq,
        entries: impl IntoIterator<Item = PersonalEntry>,
    ) {
        for (index, entry) in (0..).zip(entries) {
            debug_assert!(index < 1_u64 << DERIVATION_BITS);
            let number = (seq.get() << DERIVATION_BITS) | index;
            let id = DerivationId { home, number };
            self.batch.derived.push(Derivation { id, command: entry.encode() });
        }
    }

    /// Arranges for an entry in the actor's own personal timeline to follow from a command
    /// that is no event of `home`. The command's place in the log, which no other has, names
    /// it.
    pub(super) fn derive_own(&mut self, home: ConversationId, actor: UserId, change: Change) {
        #[cfg(feature = "mutants")]
        if matches!(change, Change::MessagesHidden { .. })
            && petrel_store::mutants::is("hiding-is-not-told")
        {
            return;
        }
        let number = BY_POSITION | self.position.get();
        let id = DerivationId { home, number };
        let entry = PersonalEntry { user: actor, actor, change };
        self.batch.derived.push(Derivation { id, command: entry.encode() });
    }

    /// Carries out what followed from a change elsewhere, unless that was done before.
    pub(super) fn settle(&mut self, id: DerivationId, user: UserId, entry: &[u8]) {
        if !self.lookups.unsettled.contains(&id) || !self.settled.insert(id) {
            return;
        }
        self.batch.settled.push(id);
        match PersonalEntry::decode(entry) {
            Ok(entry) => {
                let contact = match &entry.change {
                    Change::ContactChanged { contact, .. } => Some(contact),
                    _ => None,
                };
                let timeline = self.find_or_begin(ConversationKind::Personal { user });
                let rev = Seq::new(id.number >> DERIVATION_BITS);
                if contact.is_some_and(|contact| !self.tell_contact(timeline, rev, contact)) {
                    return;
                }
                if let Change::ConversationSettingsChanged { conversation_id, .. } = &entry.change
                    && !self.tell_settings(timeline, *conversation_id, id.number)
                {
                    return;
                }
                if !self.note_invitation(timeline, user, &entry) {
                    return;
                }
                self.tell(
                    timeline,
                    NewEntry {
                        sender: entry.actor,
                        client_message_id: None,
                        body: EventBody::Change(entry.change),
                        recipients: Arc::new([user]),
                        except: None,
                        founded: None,
                    },
                );
            }
            // It would be no better the next time.
            Err(error) => tracing::error!(%error, ?id, "dropped a derivation that can't be read"),
        }
    }
}
